//! Chunks of an enemy for an SCTP association: before it is up, and behind a channel that is open. What the enemy cannot know by
//! heart (tag, checksum, where the numbers stand) is put right, or nothing would get past the first look. And RTP and RTCP of a peer
//! that has the keys.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::rtp::Header;
use super::sctp::{MAX_MESSAGE, MAX_PACKET, Sctp, SctpOutput, checksum};
use super::srtp::{Profile, Srtp};
use super::{Engine, MAX_STREAMS, identity};
use crate::env::Env;
use crate::media::peer::{
    Command, Config, EstimateBounds, Identity, OutgoingRtp, Output, PeerEngine, RtpConfig, Sender,
};
use crate::time::Time;

/// Our end and the other one of an engine's path.
pub(crate) const PATH: (SocketAddr, SocketAddr) = (address(1), address(2));

const fn address(n: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), n as u16)
}

const PORT: [u8; 2] = 5000u16.to_be_bytes();
/// After one that had nothing to say.
const STEP: Duration = Duration::from_millis(20);

/// Data cut into pieces by a leading length byte each.
pub(crate) fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (n, rest) = data.split_first()?;
        let (piece, rest) = rest.split_at(usize::from(*n).min(rest.len()));
        data = rest;
        Some(piece)
    })
}

/// An engine on [`PATH`], whose certificate is made once.
pub(crate) fn engine(controlling: bool, now: Time) -> Option<(Engine, Arc<Identity>)> {
    static IDENTITY: OnceLock<Option<Arc<Identity>>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| identity::generate().map(Arc::new)).clone()?;
    let config = Config {
        controlling,
        identity: identity.clone(),
        stun_servers: vec![PATH.1],
        allow_loopback: true,
        rtp: RtpConfig::jicofo(),
        feedback_ssrc: 9,
        cname: "c".into(),
        estimate: EstimateBounds::default(),
        sctp: Some(5000),
    };
    Engine::new(config, &mut Env::seeded(1), now).ok().map(|e| (e, identity))
}

/// Runs chunks, each with its length before it; the first byte's low bit says on which association.
pub fn sctp(data: &[u8]) {
    let now = Instant::now();
    let Some((first, rest)) = data.split_first() else { return };
    let (mut end, mut tag, mut tsn, mut now) = if first & 1 == 0 {
        let mut end = Sctp::new(5000);
        end.start(false, now);
        (end, 0, 0, now)
    } else {
        let Some(connected) = connected(now) else { return };
        connected
    };
    for chunk in pieces(rest) {
        end.handle(packet(tag, &mut tsn, chunk), now);
        now += STEP;
        end.handle_timeout(now);
        while let Some(o) = end.poll() {
            match o {
                SctpOutput::Packet(p) => {
                    assert!(p.len() <= MAX_PACKET);
                    // The answer to an INIT tells the tag.
                    if let Some(t) = p.get(16..20).filter(|_| p[12] == 2) {
                        tag = u32::from_be_bytes([t[0], t[1], t[2], t[3]]);
                    }
                }
                SctpOutput::Text(t) => assert!(t.len() <= MAX_MESSAGE),
                SctpOutput::Open | SctpOutput::Closed => {}
            }
        }
        end.send("text".into(), now);
    }
    // Whatever it was, it does not keep anybody awake at one moment.
    for _ in 0..100 {
        let Some(due) = end.deadline() else { return };
        now = now.max(due);
        end.handle_timeout(now);
        while end.poll().is_some() {}
        assert!(end.deadline().is_none_or(|t| t > now), "a deadline that does not move");
    }
}

/// The server's side of an association with a channel, the tag to reach it, and the newest number it has seen.
fn connected(mut now: Instant) -> Option<(Sctp, u32, u32, Instant)> {
    let mut ends = [Sctp::new(5000), Sctp::new(5000)];
    ends[0].start(true, now);
    ends[1].start(false, now);
    ends[0].open("label".into(), "protocol".into(), now);
    let (mut tag, mut tsn) = (0, 0);
    for _ in 0..20 {
        for i in [0, 1] {
            while let Some(o) = ends[i].poll() {
                let SctpOutput::Packet(p) = o else { continue };
                let at = |i: usize| p.get(i..i + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
                if i == 0 {
                    tag = at(4).max(tag);
                    if p[12] == 0 {
                        tsn = at(16);
                    }
                }
                ends[1 - i].handle(p.to_vec(), now);
            }
        }
        now += STEP;
        ends.iter_mut().for_each(|e| e.handle_timeout(now));
    }
    let [_, end] = ends;
    (tag != 0).then_some((end, tag, tsn, now))
}

fn packet(tag: u32, tsn: &mut u32, chunk: &[u8]) -> Vec<u8> {
    let tag = if chunk.first() == Some(&1) { 0 } else { tag };
    let mut b = [PORT, PORT].concat();
    b.extend_from_slice(&tag.to_be_bytes());
    b.extend_from_slice(&[0; 4]);
    b.extend_from_slice(chunk);
    let c = &mut b[12..];
    if let [0 | 192, _, high, low, a, x, y, z, ..] = c {
        // Numbers near those that are due; an odd one is the next.
        let near = tsn.wrapping_add(1).wrapping_add(u32::from(*z >> 1) * u32::from(*z & 1 == 0));
        *tsn = near;
        [*a, *x, *y, *z] = near.to_be_bytes();
        [*high, *low] = (chunk.len() as u16).to_be_bytes();
    }
    let padded = b.len().next_multiple_of(4);
    b.resize(padded, 0);
    let sum = checksum(&b);
    b[8..12].copy_from_slice(&sum);
    b
}

/// A stream of ours, its repairs, and one of the peer's: what feedback may be about.
const OURS: u32 = 1;
const OUR_REPAIRS: u32 = 2;
/// So many packets of ours are there to be asked for.
const SENT: u32 = 20;
/// One datagram makes us send no more than this at once: a NACK of many pairs asks for each packet once, the rest is reports.
const MOST_ANSWERS: usize = 4 * SENT as usize;

/// RTP and RTCP of a peer that has the keys, each with its length before it, while media flows both ways: no panic, no more sent than was
/// asked for, and no stream beyond the limit.
pub fn rtcp(data: &[u8]) {
    let mut now = Time::new(1_000_000, 1_700_000_000_000_000);
    let Some((mut engine, _)) = engine(true, now) else { return };
    let profile = Profile::AeadAes128Gcm;
    let material = vec![7; profile.material_len()];
    let [Some(own), Some(mut peer)] = [false, true].map(|client| Srtp::new(profile, &material, client)) else { return };
    engine.wire.srtp = Some(own);
    engine.wire.path = Some(PATH);
    engine.handle_command(Command::AddSender(Sender { ssrc: OURS, rtx: Some((OUR_REPAIRS, 96)), pt: 100 }), now);
    for n in 0..SENT {
        let payload = Bytes::from(vec![5; 200]);
        let packet = OutgoingRtp { ssrc: OURS, pt: 100, ts: n * 3000, marker: true, level: None, extra: None, payload };
        engine.send_rtp(packet, now);
        now = now + Duration::from_millis(5);
        engine.handle_timeout(now);
        while engine.poll_output().is_some() {}
    }
    for piece in pieces(data) {
        let mut b = piece.to_vec();
        // RFC 5761 §4: the second byte tells which it is.
        let sealed = match b.get(1) {
            Some(192..=223) => peer.protect_rtcp(&mut b),
            _ => Header::parse(&b).is_some_and(|h| peer.protect(h.ssrc, h.seq, h.len, &mut b, 0)),
        };
        if !sealed {
            continue;
        }
        engine.handle_datagram(PATH.0, PATH.1, &b, now);
        now = now + Duration::from_millis(piece.len() as u64 & 31);
        if engine.next_deadline().is_some_and(|t| t <= now) {
            engine.handle_timeout(now);
        }
        let mut answers = 0;
        while let Some(o) = engine.poll_output() {
            if let Output::Transmit(t) = o {
                answers += t.datagrams().count();
            }
        }
        assert!(answers <= MOST_ANSWERS, "{answers} datagrams for one");
        assert!(engine.stats().streams as usize <= MAX_STREAMS + 1, "streams without end");
    }
    for _ in 0..100 {
        let Some(due) = engine.next_deadline() else { return };
        now = now.max(due);
        engine.handle_timeout(now);
        while engine.poll_output().is_some() {}
        assert!(engine.next_deadline().is_none_or(|t| t > now), "a deadline that does not move");
    }
}
