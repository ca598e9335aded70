//! Forged and replayed datagrams: ignored, counted, without a trace in memory.

use super::*;
use crate::engine::MAX_DATAGRAM;
use rtc_ice::attributes::control::AttrControlled;
use rtc_stun::attributes::ATTR_USERNAME;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, TransactionId};
use rtc_stun::textattrs::Username;
use rtc_stun::xoraddr::XorMappedAddress;

pub(super) fn binding_answer(request: &[u8], mapped: SocketAddr) -> Vec<u8> {
    let mut q = Message { raw: request.to_vec(), ..Default::default() };
    q.decode().expect("request");
    let mut m = Message::new();
    let mapped = XorMappedAddress { ip: mapped.ip(), port: mapped.port() };
    m.build(&[Box::new(q), Box::new(BINDING_SUCCESS), Box::new(mapped)]).expect("answer");
    m.raw
}

fn forged_requests(ufrag: &str) -> Vec<Vec<u8>> {
    let user = || Box::new(Username::new(ATTR_USERNAME, format!("{ufrag}:x")));
    let mut all = vec![];
    for with_user in [false, true] {
        let mut m = Message::new();
        let r = if with_user {
            m.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId::new()), user(), Box::new(AttrControlled(0))])
        } else {
            m.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId::new()), Box::new(AttrControlled(0))])
        };
        r.expect("message");
        all.push(m.raw);
    }
    all
}

#[test]
fn forged_stun_changes_nothing_and_gets_no_answer() {
    let mut net = Net::new(0);
    let ufrag = net.engines[1].local_transport().credentials.ufrag;
    for b in forged_requests(&ufrag) {
        let (local, remote, now) = (net.addresses[1], net.addresses[0], net.now);
        while net.engines[1].poll_output().is_some() {}
        let before = net.engines[1].stats().stun_refused;
        net.engines[1].handle_datagram(local, remote, &b, now);
        assert_eq!(net.engines[1].stats().stun_refused, before + 1);
        assert!(net.engines[1].poll_output().is_none());
    }
    // Its candidate was drained above.
    let c = super::super::gather::host_candidate(net.addresses[1], 0);
    net.command(0, Command::AddRemoteCandidate(c));
    net.connect();
}

#[test]
fn a_datagram_over_the_limit_is_junk_whatever_it_holds() {
    let mut net = Net::new(0);
    net.connect();
    let (local, peer, now) = (net.addresses[1], net.addresses[0], net.now);
    for (size, junk) in [(MAX_DATAGRAM, 0), (MAX_DATAGRAM + 1, 1)] {
        let before = net.engines[1].stats().junk;
        // Looks like RTP that nobody authenticated.
        net.engines[1].handle_datagram(local, peer, &vec![0x80; size], now);
        assert_eq!(net.engines[1].stats().junk, before + junk, "{size}");
    }
}

#[test]
fn junk_from_anywhere_is_counted_and_costs_no_memory() {
    let mut net = Net::new(0);
    net.connect();
    net.run_for(Duration::from_secs(1));
    let (local, peer, now) = (net.addresses[1], net.addresses[0], net.now);
    let stranger: SocketAddr = "10.9.9.9:9".parse().expect("address");
    let mut dice = Dice(5);
    let mut fed = 0u64;
    let before = net.engines[1].stats();
    for first in [0u8, 1, 20, 22, 23, 40, 70, 128, 129, 144, 200, 255] {
        for len in [1usize, 4, 12, 13, 20, 100, 1200, 2048, 2049] {
            for second in [0u8, 100, 200, 205] {
                let mut b: Vec<u8> = (0..len).map(|_| dice.percent() as u8).collect();
                b[0] = first;
                if len > 1 {
                    b[1] = second;
                }
                net.engines[1].handle_datagram(local, peer, &b, now);
                net.engines[1].handle_datagram(local, stranger, &b, now);
                fed += 2;
            }
        }
    }
    net.engines[1].handle_datagram(local, peer, &[], now);
    let s = net.engines[1].stats();
    let counted = (s.junk + s.srtp_errors + s.stun_refused) - (before.junk + before.srtp_errors + before.stun_refused);
    assert!(counted > fed / 2, "{counted} of {fed}");
    assert_eq!((s.streams, s.rtp_in), (before.streams, before.rtp_in));
    // And the connection lives.
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    net.send(0, &audio(10, 0));
    net.run_for(Duration::from_secs(3));
    assert_eq!(net.received(1).len(), 1);
    assert_eq!(net.failure(1), None);
}

#[test]
fn replayed_media_and_feedback_are_refused() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    net.sent[0].clear();
    for n in 0..100 {
        net.send(0, &audio(10, n));
        net.run_for(Duration::from_millis(20));
    }
    net.run_for(Duration::from_millis(100));
    let before = (net.received(1).len(), net.engines[1].stats());
    let (local, remote, now) = (net.addresses[1], net.addresses[0], net.now);
    let replays: Vec<_> = net.sent[0].iter().filter(|b| b[0] >= 128).cloned().collect();
    assert!(replays.iter().any(|b| (192..224).contains(&b[1])), "with RTCP");
    for b in &replays {
        net.engines[1].handle_datagram(local, remote, b, now);
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(net.received(1).len(), before.0);
    assert_eq!(net.engines[1].stats().srtp_errors, before.1.srtp_errors + replays.len() as u64);
}

#[test]
fn forged_ssrcs_before_and_after_the_keys_leave_no_state() {
    let mut net = Net::new(0);
    net.connect();
    let (local, remote, now) = (net.addresses[1], net.addresses[0], net.now);
    for ssrc in 0..5000u32 {
        let mut b = vec![0x80, 111, 0, 1, 0, 0, 0, 0];
        b.extend_from_slice(&ssrc.to_be_bytes());
        b.extend_from_slice(&[7; 60]);
        net.engines[1].handle_datagram(local, remote, &b, now);
    }
    let s = net.engines[1].stats();
    assert_eq!((s.streams, s.srtp_errors), (0, 5000));
}

#[test]
fn an_authentic_flood_of_ssrcs_stays_within_the_table() {
    let mut net = Net::new(0);
    net.connect();
    for ssrc in 1..=(crate::engine::MAX_STREAMS as u32 + 200) {
        let s = Sender { ssrc, rtx: None, pt: AUDIO };
        net.command(0, Command::AddSender(s));
        net.send(0, &audio(ssrc, 0));
        net.command(0, Command::RemoveSender(ssrc));
        net.run_for(Duration::from_millis(1));
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(net.received(1).len(), crate::engine::MAX_STREAMS + 200);
    assert!(net.engines[1].stats().streams as usize <= crate::engine::MAX_STREAMS);
    // Forgotten ones make room before any other does.
    let streams = |net: &Net| net.engines[1].stats().streams as usize;
    (300..400).for_each(|s| net.command(1, Command::Forget(s)));
    let left = streams(&net);
    for ssrc in 10_000..10_100 {
        net.command(0, Command::AddSender(Sender { ssrc, rtx: None, pt: AUDIO }));
        net.send(0, &audio(ssrc, 0));
        net.run_for(Duration::from_millis(1));
        net.command(0, Command::RemoveSender(ssrc));
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(streams(&net), left + 100);
    // And senders have the same bound.
    for ssrc in 1..=(crate::engine::MAX_STREAMS as u32 + 1) {
        net.command(0, Command::AddSender(Sender { ssrc, rtx: None, pt: AUDIO }));
    }
    assert_eq!(net.engines[0].stats().streams as usize, crate::engine::MAX_STREAMS);
}

#[test]
fn mutated_datagrams_of_a_whole_session_never_panic() {
    for seed in 0..6u64 {
        let mut net = Net::new((seed % 2) as usize);
        let mut dice = Dice(seed);
        let until = net.now + Duration::from_secs(5);
        net.run(until, &mut |_, _| Fate::Pass, &mut |n| n.secure());
        net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
        for n in 0..50 {
            net.send(0, &video(10, n));
            net.run_for(Duration::from_millis(10));
        }
        let corpus = net.sent.clone();
        let mut fresh = Net::new((seed % 2) as usize);
        for (side, list) in corpus.iter().enumerate() {
            for b in list {
                let mut b = b.clone();
                for _ in 0..3 {
                    let at = (dice.percent() * 100 + dice.percent()) as usize % b.len();
                    b[at] ^= 1 << (dice.percent() % 8);
                }
                b.truncate(b.len() - dice.percent() as usize % b.len().min(20));
                let (local, remote, now) = (fresh.addresses[1 - side], fresh.addresses[side], fresh.now);
                fresh.engines[1 - side].handle_datagram(local, remote, &b, now);
            }
            fresh.run_for(Duration::from_millis(50));
        }
    }
}

#[test]
fn candidates_and_addresses_are_bounded_and_filtered() {
    let now = Time::new(0, 0);
    let mut e = Engine::new(config(0), &mut Env::seeded(1), now).expect("engine");
    for n in 0..20 {
        let a = format!("10.0.1.{n}:{}", 1000 + n).parse().expect("address");
        e.handle_command(Command::AddLocalAddress(a), now);
    }
    for bad in ["0.0.0.0:5", "224.0.0.1:5", "10.0.0.1:0"] {
        e.handle_command(Command::AddLocalAddress(bad.parse().expect("address")), now);
    }
    let mut told = 0;
    while let Some(o) = e.poll_output() {
        told += usize::from(matches!(o, Output::Event(Event::Candidate(_))));
    }
    assert_eq!(told, super::super::ice::MAX_LOCAL_ADDRESSES);
    let credentials = IceCredentials { ufrag: "u".repeat(4), pwd: "p".repeat(22) };
    let r = RemoteTransport { credentials, fingerprints: vec![], dtls: DtlsRole::Client };
    e.handle_command(Command::SetRemote(r), now);
    for n in 0..1000u32 {
        let address = SocketAddr::from(([10, 2, (n >> 8) as u8, n as u8], 9));
        let kind = CandidateKind::Host;
        e.handle_command(
            Command::AddRemoteCandidate(Candidate {
                foundation: "1".into(),
                priority: n + 1,
                address,
                kind,
                related: None,
            }),
            now,
        );
    }
    e.handle_timeout(now);
    let mut targets = std::collections::HashSet::new();
    while let Some(o) = e.poll_output() {
        if let Output::Transmit(t) = o {
            targets.insert(t.remote);
        }
    }
    assert_eq!(targets.len(), super::super::ice::MAX_REMOTE_CANDIDATES);
}
