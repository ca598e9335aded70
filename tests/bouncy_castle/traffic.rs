//! What passes once both are secure: media, reports and requests, data, and what must not.

use std::time::Duration;

use bytes::Bytes;
use jmeet::media::peer::*;

use crate::rig::Rig;

const AUDIO: u8 = 111;
const VIDEO: u8 = 100;
const RTX: u8 = 96;
const TRANSPORT_CC: u8 = 5;
const OUR_AUDIO: u32 = 1000;
const OUR_VIDEO: u32 = 2000;
const OUR_RTX: u32 = 2001;
const THEIR_VIDEO: u32 = 3000;
/// Packets of each stream. Both ways sequence numbers wrap, from the last on that a stream of ours may begin with: the rollover counter is
/// part of what is proved.
const PACKETS: u16 = 1100;
const FIRST: u16 = 0xfc00;
/// Packets on the way that nobody has told of: no more than a socket's buffer holds.
const WINDOW: usize = 20;

/// PT, marker, sequence number, timestamp, SSRC and payload of a plain packet.
fn rtp_of(b: &[u8]) -> (u8, bool, u16, u32, u32, Vec<u8>) {
    let extension = if b[0] & 0x10 != 0 { 4 + 4 * usize::from(u16::from_be_bytes([b[14], b[15]])) } else { 0 };
    let word = |at: usize| u32::from_be_bytes(b[at..at + 4].try_into().unwrap());
    assert_eq!(b[0] & 0xef, 0x80, "version 2, no padding, no contributing sources");
    (b[1] & 0x7f, b[1] & 0x80 != 0, word(0) as u16, word(4), word(8), b[12 + extension..].to_vec())
}

/// Type, count or format, and what follows the first SSRC.
type Rtcp = (u8, u8, Vec<u8>);

/// Whether they heard any such packet of ours.
fn any(rig: &Rig, such: impl Fn(&Rtcp) -> bool) -> bool {
    rig.bridge.rtcp.iter().any(|b| rtcp_of(b).iter().any(&such))
}

/// Each packet of a compound.
fn rtcp_of(mut b: &[u8]) -> Vec<Rtcp> {
    let mut all = vec![];
    while !b.is_empty() {
        let len = 4 + 4 * usize::from(u16::from_be_bytes([b[2], b[3]]));
        all.push((b[1], b[0] & 31, b[8.min(len)..len].to_vec()));
        b = &b[len..];
    }
    all
}

fn rtcp(kind: u8, count: u8, words: &[u32]) -> Vec<u8> {
    let mut b = vec![0x80 | count, kind, 0, words.len() as u8];
    words.iter().for_each(|w| b.extend(w.to_be_bytes()));
    b
}

/// Content that is nobody else's.
fn payload(ssrc: u32, n: u16) -> Vec<u8> {
    let len = if ssrc == OUR_AUDIO { 80 } else { 1000 + usize::from(n % 181) };
    (0..len).map(|i| (i as u32 * 7 + u32::from(n) * 31 + ssrc) as u8).collect()
}

pub fn our_media_is_read_by_jitsi_srtp(rig: &mut Rig) {
    let numbers = Numbers { seq: FIRST, rtx_seq: FIRST };
    for (ssrc, rtx, pt) in [(OUR_AUDIO, None, AUDIO), (OUR_VIDEO, Some((OUR_RTX, RTX)), VIDEO)] {
        rig.command(Command::AddSender(Sender { ssrc, rtx, pt }));
        rig.command(Command::Continue { ssrc, numbers });
    }
    for n in 0..PACKETS {
        for (ssrc, pt, step) in [(OUR_AUDIO, AUDIO, 960), (OUR_VIDEO, VIDEO, 3000)] {
            let (ts, payload) = (u32::from(n) * step, Bytes::from(payload(ssrc, n)));
            let level = (pt == AUDIO).then_some(AudioLevel { level: 30, voice: true });
            let packet = OutgoingRtp { ssrc, pt, ts, marker: n % 2 == 0, level, extra: None, payload };
            rig.engine.send_rtp(packet, rig.now());
        }
        let sent = 2 * (usize::from(n) + 1);
        rig.until("media on its way", |r| r.bridge.rtp.len() + WINDOW >= sent);
    }
    rig.until("our media", |r| r.bridge.rtp.len() == 2 * usize::from(PACKETS));
    for (ssrc, pt, step) in [(OUR_AUDIO, AUDIO, 960), (OUR_VIDEO, VIDEO, 3000)] {
        let stream: Vec<_> = rig.bridge.rtp.iter().map(|b| rtp_of(b)).filter(|p| p.4 == ssrc).collect();
        assert_eq!(stream.len(), usize::from(PACKETS));
        for (n, p) in (0..PACKETS).zip(stream) {
            assert_eq!(p, (pt, n % 2 == 0, FIRST.wrapping_add(n), u32::from(n) * step, ssrc, payload(ssrc, n)));
        }
    }
}

pub fn their_media_is_read_by_us(rig: &mut Rig) {
    for n in 0..PACKETS {
        let mut b = vec![0x90, VIDEO | if n % 3 == 0 { 0x80 } else { 0 }];
        b.extend(FIRST.wrapping_add(n).to_be_bytes());
        b.extend((u32::from(n) * 3000).to_be_bytes());
        b.extend(THEIR_VIDEO.to_be_bytes());
        b.extend([0xbe, 0xde, 0, 1, TRANSPORT_CC << 4 | 1, (n >> 8) as u8, n as u8, 0]);
        b.extend(payload(THEIR_VIDEO, n));
        rig.bridge.tell("rtp", &b);
        let sent = usize::from(n) + 1;
        rig.until("media on its way", |r| r.received().len() + WINDOW >= sent);
    }
    rig.until("their media", |r| r.received().len() == usize::from(PACKETS));
    let first = rig.received()[0].seq;
    assert_eq!(first as u16, FIRST);
    for (n, p) in (0..PACKETS).zip(rig.received()) {
        assert_eq!((p.ssrc, p.pt, p.seq), (THEIR_VIDEO, VIDEO, first + u64::from(n)));
        assert_eq!((p.ts, p.marker, p.recovered), (u32::from(n) * 3000, n % 3 == 0, false));
        assert_eq!(p.payload, payload(THEIR_VIDEO, n));
    }
}

pub fn our_rtcp_is_read_by_jitsi_srtp(rig: &mut Rig) {
    rig.command(Command::RequestKeyFrame(THEIR_VIDEO));
    let theirs = THEIR_VIDEO.to_be_bytes();
    rig.until("our PLI", |r| any(r, |p| p.0 == 206 && p.1 == 1 && p.2 == theirs));
    rig.until("our transport-cc", |r| any(r, |p| p.0 == 205 && p.1 == 15));
    // A report of all that came, up to the last number, with its rollover.
    let newest = (65_536 + u32::from(FIRST.wrapping_add(PACKETS - 1))).to_be_bytes();
    let block = |b: &[u8]| b.chunks(24).any(|c| c[..4] == theirs && c[4..8] == [0; 4] && c[8..12] == newest);
    rig.until("our report", |r| any(r, |p| p.0 == 200 && block(&p.2[20..]) || p.0 == 201 && block(&p.2)));
}

pub fn their_rtcp_is_read_by_us(rig: &mut Rig) {
    let (ntp, lost, jitter) = (0xe000_0000_8000_0000u64, 7, 900);
    let mut compound = rtcp(201, 1, &[1, OUR_VIDEO, 3 << 24 | lost, 65_536, jitter, 0, 0]);
    compound.extend(rtcp(206, 1, &[1, OUR_VIDEO]));
    rig.bridge.tell("rtcp", &compound);
    rig.until("their PLI", |r| r.events.iter().any(|e| matches!(e, Event::KeyFrameWanted(OUR_VIDEO))));
    let streams = rig.engine.streams(rig.now());
    let ours = streams.iter().find(|s| s.ssrc == OUR_VIDEO).expect("our video");
    assert_eq!((ours.lost, ours.jitter), (u64::from(lost), Duration::from_millis(10)));
    rig.bridge.tell("rtcp", &rtcp(200, 0, &[THEIR_VIDEO, (ntp >> 32) as u32, ntp as u32, 77, 100, 100_000]));
    let report = SenderReport { ssrc: THEIR_VIDEO, ntp, rtp: 77 };
    rig.until("their report", |r| r.events.iter().any(|e| matches!(e, Event::SenderReport(s) if *s == report)));
    // What they miss comes as RTX: the number that it had, then what it held.
    let missed = FIRST.wrapping_add(PACKETS - 1);
    rig.bridge.tell("rtcp", &rtcp(205, 1, &[1, OUR_VIDEO, u32::from(missed) << 16]));
    let mut repair = missed.to_be_bytes().to_vec();
    repair.extend(payload(OUR_VIDEO, PACKETS - 1));
    rig.until("a repair", |r| {
        r.bridge.rtp.iter().any(|b| {
            let p = rtp_of(b);
            (p.0, p.2, p.4, &p.5) == (RTX, FIRST, OUR_RTX, &repair)
        })
    });
}

/// A bit that is wrong, and a packet that comes again, each way.
pub fn forgeries_and_repeats_are_refused(rig: &mut Rig) {
    let before = rig.engine.stats();
    assert_eq!((before.srtp_errors, before.junk, before.stun_refused), (0, 0, 0));
    assert!(!rig.bridge.said.iter().any(|l| l.contains("refused") || l.starts_with("unknown") || l == "early"));
    let [mut ours, mut theirs] = rig.last.clone();
    rig.socket.send_to(&ours, rig.remote).unwrap();
    rig.until("the repeat to be refused", |r| r.bridge.says("rtp-refused REPLAY"));
    // A number that is new, and nothing else: the tag is wrong.
    ours[3] = ours[3].wrapping_add(1);
    rig.socket.send_to(&ours, rig.remote).unwrap();
    rig.until("the forgery to be refused", |r| r.bridge.says("rtp-refused AUTH_FAIL"));
    let local = rig.socket.local_addr().unwrap();
    rig.engine.handle_datagram(local, rig.remote, &theirs, rig.now());
    theirs[3] = theirs[3].wrapping_add(1);
    rig.engine.handle_datagram(local, rig.remote, &theirs, rig.now());
    rig.turn();
    assert_eq!(rig.engine.stats().srtp_errors, 2);
    assert_eq!(rig.engine.stats().rtp_in, before.rtp_in);
}

/// Application data both ways: our SCTP INIT, and their answer that there is no association to be had.
pub fn application_data_passes(rig: &mut Rig) {
    rig.command(Command::OpenChannel { label: "JVB data channel".into(), protocol: String::new() });
    rig.until("our INIT", |r| r.bridge.data.iter().any(|d| d.len() > 20 && d[12] == 1));
    let init = rig.bridge.data.iter().find(|d| d[12] == 1).unwrap();
    let mut abort = [19, 136, 19, 136, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 4];
    abort[4..8].copy_from_slice(&init[16..20]);
    let sum = crc32c(&abort).to_le_bytes();
    abort[8..12].copy_from_slice(&sum);
    rig.bridge.tell("data", &abort);
    rig.until("the end of SCTP", |r| r.events.iter().any(|e| matches!(e, Event::ChannelClosed)));
}

fn crc32c(b: &[u8]) -> u32 {
    !b.iter().fold(!0u32, |crc, x| {
        (0..8).fold(crc ^ u32::from(*x), |c, _| if c & 1 == 1 { c >> 1 ^ 0x82f6_3b78 } else { c >> 1 })
    })
}
