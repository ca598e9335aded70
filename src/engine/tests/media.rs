//! Media both ways, repairs, feedback, estimate.

use super::super::MAX_STREAMS;
use super::super::nack::FOR_PADDING;
use super::*;

#[test]
fn media_flows_both_ways_with_levels_and_sequence_numbers() {
    for client in [0, 1] {
        let mut net = Net::new(client);
        net.connect();
        for side in [0, 1] {
            net.command(side, Command::AddSender(Sender { ssrc: 10 + side as u32, rtx: None, pt: AUDIO }));
        }
        for n in 0..150 {
            for side in [0, 1] {
                net.send(side, &audio(10 + side as u32, n));
            }
            net.run_for(Duration::from_millis(20));
        }
        for side in [0, 1] {
            let got = net.received(side);
            assert!(got.len() >= 148, "{}", got.len());
            for (n, p) in got.iter().enumerate() {
                let want = audio(11 - side as u32, n as u32);
                assert_eq!((p.ssrc, p.pt, p.ts, p.marker), (want.ssrc, AUDIO, want.ts, want.marker));
                assert_eq!((&p.payload, p.level, p.recovered), (&want.payload, want.level, false));
                assert_eq!(p.seq, got[0].seq + n as u64);
            }
            let s = net.engines[side].stats();
            assert_eq!((s.srtp_errors, s.junk, s.duplicates, s.nacks_out), (0, 0, 0, 0));
            assert!(s.rtt.is_some_and(|r| r.as_millis().abs_diff(60) <= 1), "{:?}", s.rtt);
            let report =
                net.events[side].iter().find_map(|e| if let Event::SenderReport(r) = e { Some(*r) } else { None });
            let report = report.expect("a sender report");
            assert!(net.now.unix_us - report.unix_us() < 3_000_000);
        }
    }
}

#[test]
fn lost_packets_are_repaired_by_rtx_and_the_counts_agree() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
    net.command(1, Command::MapRtx { rtx: 11, primary: 10 });
    let mut dice = Dice(3);
    let (mut lost, packets) = (0, 2000);
    for n in 0..packets {
        net.send(0, &video(10, n));
        let until = net.now + Duration::from_millis(5);
        let mut fate = |i: usize, b: &[u8]| {
            // Only first transmissions are lost, and neither the first nor the last of all.
            let first = i == 0 && is_media(b) && b[1] & 0x7f == VIDEO && n > 0 && n < packets - 1;
            if first && dice.percent() < 10 {
                lost += 1;
                return Fate::Lose;
            }
            Fate::Pass
        };
        net.run(until, &mut fate, &mut |_| false);
    }
    net.run_for(Duration::from_secs(2));
    let (sender, receiver) = (net.engines[0].stats(), net.engines[1].stats());
    assert!(lost > 100);
    assert_eq!((sender.rtx_out, receiver.recovered, receiver.unrecovered), (lost, lost, 0));
    assert_eq!((sender.nacks_in, receiver.nacks_out, receiver.duplicates), (lost, lost, 0));
    let mut got = net.received(1);
    got.sort_by_key(|p| p.seq);
    assert_eq!(got.len(), packets as usize);
    for (n, p) in got.iter().enumerate() {
        assert_eq!((p.seq, p.ts, p.payload[0]), (got[0].seq + n as u64, n as u32 * 3000, n as u8));
        assert_eq!((p.ssrc, p.pt), (10, VIDEO));
    }
}

#[test]
fn what_feedback_says_arrived_is_kept_no_longer_and_what_it_misses_is() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
    net.command(1, Command::MapRtx { rtx: 11, primary: 10 });
    let payloads: Vec<_> = (0..100).map(|n| Bytes::from(vec![n; 500])).collect();
    let repair = |i: usize, b: &[u8]| i == 0 && is_media(b) && b[1] & 0x7f == RTX;
    let mut count = 0;
    for (n, payload) in (0..).zip(&payloads) {
        net.send(0, &OutgoingRtp { payload: payload.clone(), ..video(10, n) });
        let until = net.now + Duration::from_millis(5);
        let mut fate = |i: usize, b: &[u8]| {
            let repair = repair(i, b);
            count += u32::from(i == 0 && is_media(b) && !repair);
            if repair || i == 0 && is_media(b) && count == 50 { Fate::Lose } else { Fate::Pass }
        };
        net.run(until, &mut fate, &mut |_| false);
    }
    let until = net.now + Duration::from_millis(150);
    net.run(until, &mut |i, b| if repair(i, b) { Fate::Lose } else { Fate::Pass }, &mut |_| false);
    let kept = |n: &usize| !payloads[*n].is_unique();
    // Padding is made of the newest.
    let newest = 100 - FOR_PADDING..100;
    assert_eq!((0..100).filter(kept).collect::<Vec<_>>(), std::iter::once(49).chain(newest).collect::<Vec<_>>());
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.received(1).len(), 100, "what was kept repaired it");
}

#[test]
fn without_rtx_repairs_come_plain() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: VIDEO }));
    let mut count = 0;
    for n in 0..100 {
        net.send(0, &video(10, n));
        let until = net.now + Duration::from_millis(10);
        let mut fate = |i: usize, b: &[u8]| {
            count += u32::from(i == 0 && is_media(b));
            if i == 0 && is_media(b) && count == 50 { Fate::Lose } else { Fate::Pass }
        };
        net.run(until, &mut fate, &mut |_| false);
    }
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.received(1).len(), 100);
    assert_eq!(net.engines[0].stats().rtx_out, 1);
    // It came on the stream itself, and is a repair all the same.
    let s = net.engines[1].stats();
    assert_eq!((s.recovered, s.unrecovered, s.duplicates), (1, 0, 0));
    let recovered: Vec<_> = net.received(1).iter().filter(|p| p.recovered).map(|p| p.ts / 3000).collect();
    assert_eq!(recovered, [49]);
}

#[test]
fn mid_and_dependency_descriptor_reach_those_above_also_on_repairs() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
    net.command(1, Command::MapRtx { rtx: 11, primary: 10 });
    let descriptor = Bytes::from_static(&[0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    for n in 0..20 {
        let extra = Some(if n % 2 == 0 { (11, descriptor.clone()) } else { (10, Bytes::from_static(b"v3")) });
        net.send(0, &OutgoingRtp { extra, ..video(10, n) });
        let until = net.now + Duration::from_millis(20);
        let mut first = n == 4 || n == 5;
        let mut fate = |i: usize, b: &[u8]| {
            if i == 0 && is_media(b) && std::mem::take(&mut first) { Fate::Lose } else { Fate::Pass }
        };
        net.run(until, &mut fate, &mut |_| false);
    }
    net.run_for(Duration::from_secs(1));
    assert_eq!((net.received(1).len(), net.engines[1].stats().recovered), (20, 2));
    for p in net.received(1) {
        let n = p.ts / 3000;
        assert_eq!(p.dependency_descriptor.as_ref(), (n % 2 == 0).then_some(&descriptor), "{n}");
        assert_eq!(p.mid.as_ref().map(Mid::as_str), (n % 2 == 1).then_some("v3"), "{n}");
        assert_eq!(p.payload, video(10, n).payload);
        assert_eq!(p.recovered, n == 4 || n == 5);
    }
}

#[test]
fn repairs_on_an_ssrc_that_nobody_named_are_known_by_their_mid() {
    for (told, repaired) in [("v3", 2), ("v4", 0)] {
        let mut net = Net::new(0);
        net.connect();
        net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
        let mid = Mid::new(told.as_bytes()).unwrap();
        net.command(1, Command::MapMid { mid, primary: 10 });
        for n in 0..20 {
            net.send(0, &OutgoingRtp { extra: Some((10, Bytes::from_static(b"v3"))), ..video(10, n) });
            let until = net.now + Duration::from_millis(20);
            let mut first = n == 4 || n == 5;
            let mut fate = |i: usize, b: &[u8]| {
                if i == 0 && is_media(b) && std::mem::take(&mut first) { Fate::Lose } else { Fate::Pass }
            };
            net.run(until, &mut fate, &mut |_| false);
        }
        net.run_for(Duration::from_secs(1));
        assert_eq!((net.received(1).len(), net.engines[1].stats().recovered), (18 + repaired, repaired as u64));
        assert!(net.received(1).iter().all(|p| p.ssrc == 10));
    }
}

#[test]
fn mids_beyond_the_limit_are_not_kept_and_they_go_with_their_stream() {
    let now = Time::new(1_000_000, 0);
    let mut e = Engine::new(config(0), &mut Env::seeded(1), now).expect("engine");
    let map = |e: &mut Engine, mid: usize, primary: usize| {
        let mid = Mid::new(format!("v{mid}").as_bytes()).expect("a mid");
        e.handle_command(Command::MapMid { mid, primary: primary as u32 }, now);
    };
    for n in 0..=MAX_STREAMS {
        map(&mut e, n, n);
    }
    assert_eq!(e.mids.len(), MAX_STREAMS);
    e.handle_command(Command::Forget(1), now);
    assert_eq!(e.mids.len(), MAX_STREAMS - 1);
    map(&mut e, MAX_STREAMS, MAX_STREAMS);
    assert_eq!(e.mids.len(), MAX_STREAMS);
    // One that is known may change its stream; and a stream that gets another has no two.
    map(&mut e, 2, 1);
    map(&mut e, 3, 1);
    assert_eq!(e.mids.len(), MAX_STREAMS - 1);
}

#[test]
fn repairs_hold_under_loss_of_everything_both_ways() {
    let mut net = Net::new(1);
    net.connect();
    for side in [0u32, 1] {
        let rtx = Some((20 + side, RTX));
        net.command(side as usize, Command::AddSender(Sender { ssrc: 10 + side, rtx, pt: VIDEO }));
        net.command(1 - side as usize, Command::MapRtx { rtx: 20 + side, primary: 10 + side });
    }
    let mut dice = Dice(9);
    for n in 0..1000 {
        for side in [0, 1] {
            net.send(side, &video(10 + side as u32, n));
        }
        let until = net.now + Duration::from_millis(10);
        net.run(until, &mut |_, _| if dice.percent() < 10 { Fate::Lose } else { Fate::Pass }, &mut |_| false);
    }
    net.run_for(Duration::from_secs(3));
    for side in [0, 1] {
        let s = net.engines[side].stats();
        // The last packets have no successor that would show their loss.
        assert!(net.received(side).len() >= 990, "{} {s:?}", net.received(side).len());
        let mut seqs: Vec<_> = net.received(side).iter().map(|p| p.seq).collect();
        seqs.sort_unstable();
        seqs.dedup();
        assert_eq!(seqs.len(), net.received(side).len(), "nothing is delivered twice");
    }
}

#[test]
fn an_ssrc_that_nobody_named_is_delivered_and_a_forgotten_one_leaves_nothing() {
    let mut net = Net::new(0);
    net.connect();
    for ssrc in 100..110 {
        net.command(0, Command::AddSender(Sender { ssrc, rtx: None, pt: AUDIO }));
        net.send(0, &audio(ssrc, 0));
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(net.received(1).len(), 10);
    assert_eq!(net.engines[1].stats().streams, 10);
    (100..110).for_each(|s| net.command(1, Command::Forget(s)));
    assert_eq!(net.engines[1].stats().streams, 0);
}

#[test]
fn a_forgotten_ssrc_that_comes_back_after_a_rollover_is_understood() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
    // Wherever the numbers began, they have begun anew once by then.
    for n in 0..66_000 {
        net.send(0, &video(10, n));
        if n % 100 == 0 {
            net.run_for(Duration::from_millis(20));
        }
    }
    net.run_for(Duration::from_secs(10));
    net.command(1, Command::Forget(10));
    assert_eq!(net.engines[1].stats().streams, 0);
    let before = net.received(1).len();
    for n in 0..10 {
        net.send(0, &video(10, n));
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(net.received(1).len(), before + 10);
    assert_eq!(net.engines[1].stats().srtp_errors, 0);
}

#[test]
fn media_that_overtakes_the_last_handshake_flight_is_kept() {
    for client in [0, 1] {
        let mut net = Net::new(client);
        let server = 1 - client;
        let (until, mut first) = (net.now + Duration::from_secs(5), None);
        for side in [0, 1] {
            net.command(side, Command::AddSender(Sender { ssrc: 7, rtx: None, pt: AUDIO }));
        }
        let up = |n: &Net, side: usize| n.events[side].iter().any(|e| matches!(e, Event::Secure));
        net.run(until, &mut |_, _| Fate::Pass, &mut |n| up(n, 0) || up(n, 1));
        let early = if up(&net, client) { client } else { server };
        // The other side does not hear of DTLS for a while.
        net.air.retain(|_, d| !is_dtls(&d.3) || d.0 == early);
        for n in 0..(crate::engine::MAX_EARLY as u32 + 5) {
            net.send(early, &audio(7, n));
            first.get_or_insert(net.now);
        }
        net.run(until, &mut |_, _| Fate::Pass, &mut |n| n.secure());
        net.run_for(Duration::from_millis(100));
        let got = net.received(1 - early).len();
        assert!((crate::engine::MAX_EARLY..=crate::engine::MAX_EARLY + 5).contains(&got), "client {client}: {got}");
    }
}

#[test]
fn key_frame_requests_are_throttled_but_never_lost() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: VIDEO }));
    let wanted = |net: &Net| net.events[0].iter().filter(|e| matches!(e, Event::KeyFrameWanted(10))).count();
    for _ in 0..10 {
        net.command(1, Command::RequestKeyFrame(10));
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(wanted(&net), 1);
    net.run_for(Duration::from_secs(2));
    assert_eq!(wanted(&net), 2, "asked again within the interval: once more at its end");
    assert_eq!(net.engines[1].stats().key_frame_requests_out, 2);
    net.command(1, Command::RequestKeyFrame(10));
    net.run_for(Duration::from_secs(1));
    assert_eq!(wanted(&net), 3);
}

/// The bridge asks for each receiver, and after three requests in ten seconds for nobody.
#[test]
fn a_request_that_another_receiver_makes_while_the_throttle_holds_is_told_later() {
    let mut now = Time::new(1_000_000, 1_800_000_000_000_000);
    let mut e = Engine::new(config(0), &mut Env::seeded(0), now).expect("engine");
    e.handle_command(Command::AddSender(Sender { ssrc: 10, rtx: None, pt: VIDEO }), now);
    let mut told = vec![];
    // Milliseconds, and whether it is asked for; the rest are deadlines.
    for ms in 0..3000 {
        if [0, 90, 1000, 1210, 1220].contains(&ms) {
            e.on_key_frame_wanted(10, now);
        }
        if e.next_deadline().is_some_and(|t| t <= now) {
            e.handle_timeout(now);
        }
        while let Some(o) = e.poll_output() {
            told.extend(matches!(o, Output::Event(Event::KeyFrameWanted(10))).then_some(ms));
        }
        now = now + Duration::from_millis(1);
    }
    // At 90 ms the frame could not be there yet; those at 1210 and 1220 are told as one.
    assert_eq!(told, [0, 1000, 1300]);
}

#[test]
fn removing_a_sender_says_bye_on_the_other_side() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    net.send(0, &audio(10, 0));
    net.run_for(Duration::from_millis(100));
    net.command(0, Command::RemoveSender(10));
    net.send(0, &audio(10, 1));
    net.run_for(Duration::from_millis(100));
    assert!(net.events[1].iter().any(|e| matches!(e, Event::Bye(10))));
    assert_eq!(net.received(1).len(), 1);
    assert_eq!(net.engines[0].stats().send_dropped, 1);
}

#[test]
fn the_estimate_grows_on_a_free_path_and_is_told() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: VIDEO }));
    for n in 0..2000 {
        net.send(0, &video(10, n));
        net.run_for(Duration::from_millis(10));
    }
    let told: Vec<_> =
        net.events[0].iter().filter_map(|e| if let Event::Bandwidth(b) = e { Some(*b) } else { None }).collect();
    let last = told.last().expect("an estimate");
    // 800 kbit/s are sent: it believes no more than one and a half times that.
    assert!(last.bps > 600_000 && last.bps < 1_350_000, "{last:?}");
    assert_eq!(last.loss, 0);
    assert!(net.engines[1].stats().transport_cc_out > 300);
}

#[test]
fn a_payload_at_the_limit_goes_and_one_past_it_does_not() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: Some((11, RTX)), pt: VIDEO }));
    for (len, sent) in [(MAX_RTP_PAYLOAD, 1), (MAX_RTP_PAYLOAD + 1, 1)] {
        let mut p = video(10, 0);
        p.payload = Bytes::from(vec![0; len]);
        net.send(0, &p);
        assert_eq!(net.engines[0].stats().rtp_out, sent);
    }
    net.run_for(Duration::from_millis(50));
    let longest = net.sent[0].iter().map(Vec::len).max();
    assert!(longest.is_some_and(|n| n <= 1232), "{longest:?}");
}

/// Hands what side 0 sends to side 1 as if it came from `from`.
fn deliver_from(net: &mut Net, from: SocketAddr) {
    while let Some(o) = net.engines[0].poll_output() {
        if let Output::Transmit(t) = o {
            let (to, now) = (net.addresses[1], net.now);
            t.datagrams().for_each(|d| net.engines[1].handle_datagram(to, from, d, now));
        }
    }
}

#[test]
fn what_lay_in_the_socket_is_told_as_of_when_it_came() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    let period = Duration::from_millis(200);
    let mut came = Vec::new();
    for n in 0..100u64 {
        came.push(net.now);
        net.send(0, &OutgoingRtp { ts: n as u32 * 9600, ..audio(10, n as u32) });
        let waited = Duration::from_millis(n * 37 % 150);
        let read = net.now + waited;
        let path = [net.addresses[1], net.addresses[0]];
        while let Some(o) = net.engines[0].poll_output() {
            if let Output::Transmit(t) = o {
                t.datagrams().for_each(|d| net.engines[1].handle_datagram_after(path[0], path[1], d, waited, read));
            }
        }
        let rest = period - waited;
        net.now = read;
        net.run_for(rest);
    }
    let got: Vec<_> = net.received(1).iter().map(|p| (p.arrival, p.read_at().since(p.arrival))).collect();
    let want: Vec<_> = (0..100).map(|n| (came[n as usize], Duration::from_millis(n * 37 % 150))).collect();
    assert_eq!(got, want);
    let stream = net.engines[1].streams(net.now).into_iter().find(|s| s.ssrc == 10 && !s.sent).expect("a stream");
    assert_eq!(stream.jitter, Duration::ZERO);
}

#[test]
fn a_report_that_lay_in_the_socket_makes_no_round_trip_longer() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    net.send(0, &audio(10, 0));
    let held = std::cell::RefCell::new(Vec::new());
    // All reports of side 0 end here.
    let mut fate = |side: usize, b: &[u8]| {
        let is_report = side == 0 && is_sender_report(b);
        if is_report {
            held.borrow_mut().push(b.to_vec());
        }
        if is_report { Fate::Lose } else { Fate::Pass }
    };
    let until = net.now + Duration::from_secs(30);
    net.run(until, &mut fate, &mut |_| !held.borrow().is_empty());
    let waited = Duration::from_millis(400);
    let until = net.now + waited;
    net.run(until, &mut fate, &mut |_| false);
    let first = held.borrow()[0].clone();
    let (path, now) = ([net.addresses[1], net.addresses[0]], net.now);
    net.engines[1].handle_datagram_after(path[0], path[1], &first, waited, now);
    let until = net.now + Duration::from_secs(10);
    net.run(until, &mut fate, &mut |_| false);
    // There at once, and back over the path of these tests.
    let rtt = net.engines[0].stats().rtt.expect("a round trip");
    assert!(rtt < DELAY * 2, "{rtt:?}");
}

fn is_sender_report(b: &[u8]) -> bool {
    matches!(b, [128..=191, 200, ..])
}

#[test]
fn media_goes_where_the_peer_that_leads_sends_from() {
    let mut net = Net::new(0);
    let second: SocketAddr = "10.0.0.9:9".parse().expect("address");
    net.command(0, Command::AddLocalAddress(second));
    net.connect();
    net.run_for(Duration::from_secs(1));
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    let path = |net: &Net| net.engines[1].stats().path.expect("path").remote;
    let first = path(&net);
    let other = if first == second { net.addresses[0] } else { second };
    net.send(0, &audio(10, 0));
    deliver_from(&mut net, other);
    assert_eq!(path(&net), other, "the pair was checked");
    net.send(0, &audio(10, 1));
    deliver_from(&mut net, first);
    assert_eq!(path(&net), first);
    // Never to an address that was not checked.
    let stranger = "10.0.0.66:6".parse().expect("address");
    net.send(0, &audio(10, 2));
    deliver_from(&mut net, stranger);
    assert_eq!(path(&net), first);
    assert_eq!(net.engines[1].stats().junk, 1);
}

#[test]
fn packets_of_one_size_leave_joined() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
    net.run_for(Duration::from_millis(100));
    let extra = 6;
    for n in 0..(Transmit::MAX_DATAGRAMS + extra) as u32 {
        net.send(0, &audio(10, n));
    }
    let mut joined = vec![];
    while let Some(o) = net.engines[0].poll_output() {
        if let Output::Transmit(t) = o {
            assert!(t.datagrams().all(|d| d.len() == t.segment && is_media(d)));
            joined.push(t.datagrams().count());
        }
    }
    assert_eq!(joined, [Transmit::MAX_DATAGRAMS, extra]);
}

/// What leaves beside media in a minute: datagrams of STUN, and reports of each side.
fn beside_media(media: bool) -> (usize, [usize; 2]) {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: VIDEO }));
    net.run_for(Duration::from_secs(10));
    net.sent = [vec![], vec![]];
    for n in 0..600 {
        if media {
            net.send(0, &OutgoingRtp { marker: true, ..video(10, n) });
        }
        net.run_for(Duration::from_millis(100));
    }
    let count = |side: usize, is: fn(&[u8]) -> bool| net.sent[side].iter().filter(|d| is(d)).count();
    let is_stun: fn(&[u8]) -> bool = |d| d[0] < 4;
    let is_report: fn(&[u8]) -> bool = |d| d[0] >> 6 == 2 && (200..=201).contains(&d[1]);
    (count(0, is_stun) + count(1, is_stun), [0, 1].map(|side| count(side, is_report)))
}

#[test]
fn consent_is_asked_for_less_often_while_media_comes() {
    let (stun, reports) = beside_media(true);
    // A request and its answer, of both sides and once more because the agent that is controlled asks back, every five seconds.
    assert!((66..=78).contains(&stun), "{stun}");
    assert!(reports.iter().all(|n| (60..=68).contains(n)), "{reports:?}");
    let (stun, reports) = beside_media(false);
    assert!((170..=190).contains(&stun), "{stun}");
    assert!(reports.iter().all(|n| *n <= 6), "{reports:?}");
}
