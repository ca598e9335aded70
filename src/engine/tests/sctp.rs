//! Two associations without DTLS, on a path of 30 ms, in virtual time; and packets that no association should see.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_sctp::{ClientConfig, Endpoint, EndpointConfig, Payload, TransportConfig};
use rtc_shared::TransportProtocol;

use crate::engine::sctp::*;

const DELAY: Duration = Duration::from_millis(30);

pub(super) struct Pair {
    ends: [Sctp; 2],
    now: Instant,
    air: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    count: u64,
    told: [Vec<SctpOutput>; 2],
    longest: usize,
    /// Packets that are lost, by sender and running number.
    lose: Box<dyn FnMut(usize, u64) -> bool>,
}

impl Pair {
    fn new(lose: impl FnMut(usize, u64) -> bool + 'static) -> Pair {
        let (ends, now) = ([Sctp::new(5000), Sctp::new(5000)], Instant::now());
        Pair { ends, now, air: BTreeMap::new(), count: 0, told: [vec![], vec![]], longest: 0, lose: Box::new(lose) }
    }

    /// Side 0 is DTLS client.
    fn start(&mut self) {
        self.ends[0].start(true, self.now);
        self.ends[1].start(false, self.now);
    }

    fn drain(&mut self) {
        for i in 0..2 {
            while let Some(o) = self.ends[i].poll() {
                match o {
                    SctpOutput::Packet(p) => {
                        self.count += 1;
                        self.longest = self.longest.max(p.len());
                        if !(self.lose)(i, self.count) {
                            self.air.insert((self.now + DELAY, self.count), (1 - i, p.to_vec()));
                        }
                    }
                    o => self.told[i].push(o),
                }
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.drain();
            let flying = self.air.first_key_value().map(|(k, _)| k.0);
            let all = [flying, self.ends[0].deadline(), self.ends[1].deadline()];
            let Some(next) = all.into_iter().flatten().min().filter(|t| *t <= until) else { break };
            self.now = self.now.max(next);
            while let Some(d) = self.air.first_entry().filter(|d| d.key().0 <= self.now) {
                let (to, data) = d.remove();
                self.ends[to].handle(data, self.now);
                self.drain();
            }
            self.ends.iter_mut().for_each(|e| e.handle_timeout(self.now));
        }
        self.now = until;
    }

    fn texts(&self, side: usize) -> Vec<&str> {
        self.told[side]
            .iter()
            .filter_map(|o| if let SctpOutput::Text(t) = o { Some(t.as_str()) } else { None })
            .collect()
    }

    fn opened(&self, side: usize) -> usize {
        self.told[side].iter().filter(|o| matches!(o, SctpOutput::Open)).count()
    }

    fn closed(&self, side: usize) -> usize {
        self.told[side].iter().filter(|o| matches!(o, SctpOutput::Closed)).count()
    }

    fn open(&mut self, side: usize) {
        self.ends[side].open("label".into(), "protocol".into(), self.now);
    }

    fn send(&mut self, side: usize, text: String) {
        self.ends[side].send(text, self.now);
    }

    /// Connected, with a channel of side 0.
    fn connected() -> Pair {
        let mut p = Pair::new(|_, _| false);
        p.start();
        p.open(0);
        p.run(Duration::from_secs(1));
        assert_eq!((p.opened(0), p.opened(1)), (1, 1));
        p
    }
}

#[test]
fn a_channel_opens_and_carries_texts_both_ways_whoever_opens_it() {
    for opener in [0, 1] {
        let mut p = Pair::new(|_, _| false);
        p.open(opener);
        p.start();
        p.run(Duration::from_millis(400));
        assert_eq!((p.opened(0), p.opened(1)), (1, 1), "in three round trips, opener {opener}");
        for side in [0, 1] {
            p.send(side, format!("from {side}"));
            p.send(side, String::new());
        }
        p.run(Duration::from_secs(1));
        assert_eq!((p.texts(0), p.texts(1)), (vec!["from 1", ""], vec!["from 0", ""]));
        assert!(p.ends.iter().all(|e| e.deadline().is_none()), "a quiet channel wakes nobody");
    }
}

#[test]
fn every_single_loss_of_the_handshake_is_survived() {
    for side in [0, 1] {
        for n in 1..12 {
            let mut p = Pair::new(move |from, count| from == side && count == n);
            p.start();
            p.open(0);
            p.run(Duration::from_secs(10));
            assert_eq!((p.opened(0), p.opened(1)), (1, 1), "packet {n} of side {side}");
        }
    }
}

#[test]
fn inits_that_cross_make_one_association() {
    // The client's first INIT is lost, so the server loses its patience and sends its own.
    let mut p = Pair::new(|from, count| from == 0 && count == 1);
    p.start();
    p.run(INIT_PATIENCE);
    assert_eq!(p.count, 2);
    p.open(0);
    p.open(1);
    p.run(Duration::from_secs(10));
    for side in [0, 1] {
        assert_eq!(p.opened(side), 1);
        p.send(side, "text".into());
    }
    p.run(Duration::from_secs(1));
    assert_eq!((p.texts(0), p.texts(1)), (vec!["text"], vec!["text"]));
}

#[test]
fn a_server_whose_client_sends_no_init_sends_its_own_after_its_patience() {
    let mut s = Sctp::new(5000);
    let now = Instant::now();
    s.start(false, now);
    assert!(s.poll().is_none());
    assert_eq!(s.deadline(), Some(now + INIT_PATIENCE));
    s.handle_timeout(now + INIT_PATIENCE);
    let Some(SctpOutput::Packet(p)) = s.poll() else { panic!("no INIT") };
    assert_eq!(p[12], 1);
}

#[test]
fn a_message_at_the_limit_goes_and_one_past_it_does_not() {
    let mut p = Pair::connected();
    p.send(0, "a".repeat(MAX_MESSAGE));
    p.send(0, "b".repeat(MAX_MESSAGE + 1));
    p.send(1, "c".repeat(MAX_MESSAGE));
    p.run(Duration::from_secs(20));
    assert_eq!(p.texts(1).iter().map(|t| t.len()).collect::<Vec<_>>(), [MAX_MESSAGE]);
    assert_eq!(p.texts(0).iter().map(|t| t.len()).collect::<Vec<_>>(), [MAX_MESSAGE]);
    assert_eq!(p.ends[0].stats.texts_dropped, 1);
    assert!(p.longest <= MAX_PACKET, "{}", p.longest);
    assert!(p.longest > MAX_PACKET - 16);
}

#[test]
fn what_waits_to_be_sent_is_bounded_and_the_rest_arrives_in_order() {
    let mut p = Pair::connected();
    let (size, n) = (64 * 1024, 40);
    for i in 0..n {
        p.send(0, format!("{i:04}").repeat(size / 4));
    }
    let kept = MAX_BUFFERED_OUT / size;
    assert_eq!(p.ends[0].stats.texts_dropped as usize, n - kept);
    p.run(Duration::from_secs(60));
    let got: Vec<_> = p.texts(1).iter().map(|t| t[..4].to_string()).collect();
    assert_eq!(got, (0..kept).map(|i| format!("{i:04}")).collect::<Vec<_>>());
    // There is room again.
    p.send(0, "x".repeat(size));
    p.run(Duration::from_secs(5));
    assert_eq!(p.texts(1).len(), kept + 1);
}

#[test]
fn a_flood_of_small_texts_arrives_in_order_through_losses() {
    let mut dice = super::Dice(3);
    let mut p = Pair::new(move |_, _| dice.percent() < 10);
    p.start();
    p.open(0);
    p.run(Duration::from_secs(30));
    assert_eq!((p.opened(0), p.opened(1)), (1, 1));
    for i in 0..3000 {
        p.send(0, format!("{i}"));
        p.send(1, format!("{i}"));
        if i % 50 == 0 {
            p.run(Duration::from_millis(20));
        }
    }
    p.run(Duration::from_secs(300));
    let expected: Vec<String> = (0..3000).map(|i| i.to_string()).collect();
    for side in [0, 1] {
        assert_eq!(p.texts(side), expected, "side {side}");
        assert_eq!(p.closed(side), 0);
    }
}

#[test]
fn an_abort_closes_the_channel_of_the_other_side_once() {
    let mut p = Pair::connected();
    p.ends[0].abort(p.now);
    p.run(Duration::from_secs(1));
    assert_eq!((p.closed(0), p.closed(1)), (1, 1));
    assert!(p.ends.iter().all(|e| e.deadline().is_none()));
    for side in [0, 1] {
        p.open(side);
        p.send(side, "late".into());
    }
    p.run(Duration::from_secs(10));
    assert_eq!((p.closed(0), p.closed(1)), (1, 1), "it lives once");
    assert_eq!(p.ends[1].stats.texts_dropped, 1);
}

#[test]
fn a_peer_that_never_answers_closes_the_channel_that_was_asked_for() {
    let mut p = Pair::new(|_, _| true);
    p.start();
    p.open(0);
    p.run(Duration::from_secs(600));
    assert_eq!((p.closed(0), p.opened(0)), (1, 0));
    assert!(p.ends[0].deadline().is_none());
}

#[test]
fn an_outage_of_minutes_loses_nothing() {
    let mut p = Pair::connected();
    p.lose = Box::new(|_, _| true);
    p.send(0, "kept".into());
    p.run(Duration::from_secs(240));
    p.lose = Box::new(|_, _| false);
    p.run(Duration::from_secs(120));
    assert_eq!(p.texts(1), ["kept"]);
}

#[test]
fn another_port_of_the_peers_is_used() {
    let mut p = Pair::new(|_, _| false);
    p.ends[0] = Sctp::new(6000);
    p.start();
    p.open(0);
    for _ in 0..30 {
        p.run(Duration::from_millis(10));
        // The peer's side of the wire: its port is 6000, which its own stack does not know.
        for (to, data) in p.air.values_mut() {
            let at = if *to == 1 { 2..4 } else { 0..2 };
            let port: u16 = if *to == 1 { 5000 } else { 6000 };
            if data[at.clone()] != port.to_be_bytes() {
                data[at].copy_from_slice(&port.to_be_bytes());
                let sum = checksum(data);
                data[8..12].copy_from_slice(&sum);
            }
        }
    }
    assert_eq!((p.opened(0), p.opened(1)), (1, 1));
    let mut digits = [b'0'; 9 + 12];
    digits[12..].copy_from_slice(b"123456789");
    assert_ne!(checksum(&digits), [0; 4]);
}

/// A packet of these chunks, to the tag of side 1.
fn packet(tag: u32, chunks: &[&[u8]]) -> Vec<u8> {
    let mut b = vec![0x13, 0x88, 0x13, 0x88];
    b.extend_from_slice(&tag.to_be_bytes());
    b.extend_from_slice(&[0; 4]);
    for c in chunks {
        b.extend_from_slice(c);
        b.resize(b.len().next_multiple_of(4), 0);
    }
    let sum = checksum(&b);
    b[8..12].copy_from_slice(&sum);
    b
}

fn data(flags: u8, tsn: u32, stream: u16, ssn: u16, ppid: u32, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![0, flags];
    b.extend_from_slice(&(16 + payload.len() as u16).to_be_bytes());
    b.extend_from_slice(&tsn.to_be_bytes());
    b.extend_from_slice(&stream.to_be_bytes());
    b.extend_from_slice(&ssn.to_be_bytes());
    b.extend_from_slice(&ppid.to_be_bytes());
    b.extend_from_slice(payload);
    b
}

const BEGIN: u8 = 2;
const END: u8 = 1;

/// Side 1, connected with a channel on stream 0, whose peer is forged: its tag, the next sequence number and message number.
fn victim() -> (Sctp, Instant, u32, u32) {
    let mut p = Pair::new(|_, _| false);
    p.start();
    p.open(0);
    let (mut tag, mut tsn) = (0, 0);
    for _ in 0..40 {
        p.run(Duration::from_millis(10));
        for (to, d) in p.air.values().filter(|(to, _)| *to == 1) {
            assert_eq!(*to, 1);
            tag = u32::from_be_bytes([d[4], d[5], d[6], d[7]]).max(tag);
            if d[12] == 0 {
                tsn = u32::from_be_bytes([d[16], d[17], d[18], d[19]]);
            }
        }
    }
    p.run(Duration::from_secs(2));
    assert!(tag != 0 && tsn != 0);
    let [_, mut end] = p.ends;
    while end.poll().is_some() {}
    (end, p.now, tag, tsn.wrapping_add(1))
}

fn texts(end: &mut Sctp) -> usize {
    std::iter::from_fn(|| end.poll()).filter(|o| matches!(o, SctpOutput::Text(_))).count()
}

#[test]
fn binary_oversized_and_foreign_messages_are_ignored_and_counted() {
    let (mut end, now, tag, tsn) = victim();
    for (i, (stream, ppid, payload)) in
        [(0, 53, &b"bin"[..]), (0, 57, b"0"), (0, 99, b"x"), (0, 51, &[0xff]), (7, 51, b"x")].into_iter().enumerate()
    {
        let ssn = if stream == 0 { i as u16 + 1 } else { 0 };
        end.handle(packet(tag, &[&data(BEGIN | END, tsn.wrapping_add(i as u32), stream, ssn, ppid, payload)]), now);
    }
    assert_eq!((texts(&mut end), end.stats.messages_ignored), (0, 5));
    end.handle(packet(tag, &[&data(BEGIN | END, tsn.wrapping_add(5), 0, 5, 51, b"text")]), now);
    assert_eq!(texts(&mut end), 1);
    // One byte more than the largest message, in pieces.
    let (pieces, mut tsn) = (MAX_MESSAGE.div_ceil(1000), tsn.wrapping_add(6));
    for i in 0..=pieces {
        let flags = if i == 0 {
            BEGIN
        } else if i == pieces {
            END
        } else {
            0
        };
        end.handle(packet(tag, &[&data(flags, tsn, 0, 6, 51, &[b'a'; 1000])]), now);
        tsn = tsn.wrapping_add(1);
    }
    assert_eq!((texts(&mut end), end.stats.messages_ignored), (0, 6));
}

#[test]
fn packets_that_would_cost_too_much_are_refused() {
    let (mut end, now, tag, tsn) = victim();
    let newest = tsn.wrapping_sub(1);
    let forward = |to: u32| [&[192, 0, 0, 8][..], &to.to_be_bytes()].concat();
    let refused = [
        data(BEGIN | END, tsn, MAX_STREAM, 0, 51, b"x"),
        data(BEGIN | END, newest.wrapping_add(MAX_JUMP + 1), 0, 1, 51, b"x"),
        forward(newest.wrapping_add(MAX_JUMP + 1)),
        vec![9, 0, 0, 4],
        vec![6, 0, 0, 8, 0, 12, 0, 5],
        vec![6, 0, 0, 8, 0, 12, 0, 3],
        vec![1, 0, 0, 20, 1, 2, 3, 4, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1],
        vec![0, 0, 0, 3],
        vec![0, 0, 1, 0],
    ];
    for (i, chunk) in refused.iter().enumerate() {
        end.handle(packet(if chunk[0] == 1 { 0 } else { tag }, &[chunk]), now);
        assert_eq!(end.stats.refused, i as u64 + 1, "{chunk:?}");
    }
    end.handle(vec![], now);
    end.handle(vec![0x13, 0x88, 0], now);
    end.handle(packet(tag, &[&data(BEGIN | END, tsn, MAX_STREAM - 1, 0, 51, b"x")]), now);
    end.handle(packet(tag, &[&data(BEGIN | END, tsn.wrapping_add(1), 0, 1, 51, b"x")]), now);
    assert_eq!(texts(&mut end), 1, "the association lives");
    for i in 0..MAX_RESETS + 10 {
        let mut c = vec![130, 0, 0, 20, 0, 13, 0, 16];
        c.extend_from_slice(&i.to_be_bytes());
        c.extend_from_slice(&[0; 4]);
        c.extend_from_slice(&tsn.wrapping_add(100).to_be_bytes());
        let before = end.stats.refused;
        end.handle(packet(tag, &[&c]), now);
        assert_eq!(end.stats.refused > before, i >= MAX_RESETS, "{i}");
    }
}

#[test]
fn a_message_without_end_ends_the_association() {
    for (size, limit) in [(1000, MAX_PENDING_BYTES / 1000), (1, MAX_PENDING_CHUNKS)] {
        let (mut end, now, tag, mut tsn) = victim();
        let mut closed_at = None;
        for i in 0..=limit {
            end.handle(packet(tag, &[&data(if i == 0 { BEGIN } else { 0 }, tsn, 0, 1, 51, &vec![b'a'; size])]), now);
            tsn = tsn.wrapping_add(1);
            if std::iter::from_fn(|| end.poll()).any(|o| matches!(o, SctpOutput::Closed)) {
                closed_at.get_or_insert(i);
            }
        }
        assert_eq!(closed_at, Some(limit), "pieces of {size}");
    }
}

#[test]
fn a_stream_reset_by_the_peer_closes_the_channel_and_another_may_open() {
    let (mut end, now, tag, tsn) = victim();
    let mut c = vec![130, 0, 0, 22, 0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0];
    c.extend_from_slice(&tsn.wrapping_sub(1).to_be_bytes());
    c.extend_from_slice(&[0, 0]);
    end.handle(packet(tag, &[&c]), now);
    let told: Vec<_> = std::iter::from_fn(|| end.poll()).collect();
    assert!(told.iter().any(|o| matches!(o, SctpOutput::Closed)), "{told:?}");
    end.send("nowhere".into(), now);
    assert_eq!(end.stats.texts_dropped, 1);
    end.open("again".into(), String::new(), now);
    assert!(matches!(end.poll(), Some(SctpOutput::Packet(p)) if p[12] == 0));
}

#[test]
fn a_peer_that_sends_init_at_once_as_browsers_do_is_met() {
    let now = Instant::now();
    for dtls_client in [true, false] {
        let mut ours = Sctp::new(5000);
        let somewhere = std::net::SocketAddr::from(([0, 0, 0, 0], 5000));
        let mut book = Endpoint::new(somewhere, TransportProtocol::UDP, EndpointConfig::new().into(), None);
        let config = ClientConfig::new(TransportConfig::default());
        let (_, mut theirs) = book.connect(now, config, somewhere).expect("association");
        let out = |theirs: &mut rtc_sctp::Association| -> Vec<Bytes> {
            let mut all = vec![];
            while let Some(t) = theirs.poll_transmit(now) {
                if let Payload::RawEncode(list) = t.message {
                    all.extend(list);
                }
            }
            all
        };
        ours.start(dtls_client, now);
        ours.open("l".into(), "p".into(), now);
        for _ in 0..10 {
            for p in out(&mut theirs) {
                ours.handle(p.to_vec(), now);
            }
            while let Some(o) = ours.poll() {
                let SctpOutput::Packet(p) = o else { continue };
                // RFC 9260 §5.2.1 has the peer answer our INIT; the crate's endpoint does not know how.
                if p[12] == 1 {
                    assert!(dtls_client);
                    continue;
                }
                if let Some((_, rtc_sctp::DatagramEvent::AssociationEvent(e))) = book.handle(now, somewhere, None, p) {
                    theirs.handle_event(e);
                }
            }
        }
        let up = std::iter::from_fn(|| theirs.poll()).any(|e| matches!(e, rtc_sctp::Event::Connected));
        // A DTLS client leaves the peer's INIT unanswered: its own is on the way.
        assert_eq!(up, !dtls_client);
    }
}
