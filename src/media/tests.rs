//! The frame pipeline as a whole: sender → (loss, reordering, repeats) → receiver.

use super::early::{EARLY_WAIT, Early, MAX_EARLY_PACKETS};
use super::frame::{EncodedFrame, OutgoingFrame, is_frame};
use super::jitter::{Jitter, MAX_HELD_PACKETS, MAX_SEQUENCE_JUMP};
use super::kind::{Codec, MediaType};
use super::peer::{IncomingRtp, NTP_UNIX_OFFSET, OutgoingRtp, SenderReport};
use super::reader_queue::{MAX_WAITING_SOURCES, ReaderQueue};
use super::receiver::{
    KEY_FRAME_REQUEST_EVERY, MAX_FRAME_BYTES, MAX_WAITING_FRAMES, MAX_WAITING_KEYS, MIN_WAIT, Receiver, SSRC_SETTLE,
};
use super::sender::{SendError, Sender};
use crate::env::Env;
use crate::time::Time;
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(200);

fn ms(n: u64) -> Time {
    Time::new(1_000_000 + n * 1000, n as i64 * 1000)
}

fn incoming(p: &OutgoingRtp, seq: u64, at: Time) -> IncomingRtp {
    IncomingRtp {
        ssrc: p.ssrc,
        pt: p.pt,
        seq,
        ts: p.ts,
        marker: p.marker,
        recovered: false,
        arrival: at,
        waited_us: 0,
        level: p.level,
        mid: None,
        dependency_descriptor: None,
        payload: p.payload.clone(),
    }
}

fn video_frame(n: usize, key: bool) -> Vec<u8> {
    let mut f: Vec<u8> = (0..500 + n * 97 % 4000).map(|i| (i * 31 + n) as u8).collect();
    f[0] = if key { 0x10 } else { 0x11 };
    f[3..10].copy_from_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
    f
}

fn receiver(media: MediaType) -> Receiver {
    let name = if media == MediaType::Audio { "aa-a0" } else { "aa-v0" };
    let mut r = Receiver::new("aa".into(), name.into(), media, WAIT);
    r.set_payload_types(vec![(111, Codec::Opus), (100, Codec::Vp8)]);
    r
}

/// 100 video frames as packets with sequence numbers.
fn stream(frames: &[Vec<u8>]) -> Vec<IncomingRtp> {
    let mut s = Sender::new(Codec::Vp8, 7, 100, &mut Env::seeded(1));
    let (mut out, mut seq) = (vec![], 70_000);
    for (n, f) in frames.iter().enumerate() {
        let at = ms(n as u64 * 40);
        let frame = OutgoingFrame::video(f.clone(), Duration::from_millis(40));
        s.frame(&frame, at, |p| {
            out.push(incoming(&p, seq, at));
            seq += 1;
        })
        .unwrap();
    }
    out
}

fn drain(r: &mut Receiver) -> Vec<EncodedFrame> {
    std::iter::from_fn(|| r.poll_frame()).collect()
}

#[test]
fn any_order_within_the_wait_gives_every_frame_once() {
    let frames: Vec<_> = (0..100).map(|n| video_frame(n, n % 20 == 0)).collect();
    for seed in 0..50 {
        let mut env = Env::seeded(seed);
        let mut packets = stream(&frames);
        for i in 0..packets.len() {
            // Never before the first packet: the stream begins with it.
            let j = (i + env.below(4) as usize).min(packets.len() - 1);
            if i > 0 {
                packets.swap(i, j);
            }
            if env.below(10) == 0 {
                let again = packets[i].clone();
                packets.insert(i + 1, again);
            }
        }
        let mut r = receiver(MediaType::Video);
        let mut got = vec![];
        for p in packets {
            r.packet(p, ms(0));
            got.extend(drain(&mut r));
        }
        assert_eq!(got.len(), frames.len(), "seed {seed}");
        assert!(got.iter().zip(&frames).all(|(g, f)| g.data == *f), "seed {seed}");
        assert!(got.windows(2).all(|w| w[1].rtp_time - w[0].rtp_time == 3600), "seed {seed}");
        assert_eq!(got[0].size, Some((320, 180)));
        assert!(got.iter().all(|f| f.gap == 0 && f.timeline == 1 && f.temporal_id == Some(0)));
    }
}

#[test]
fn a_lost_packet_costs_frames_up_to_the_next_key_frame_and_asks_for_one() {
    let frames: Vec<_> = (0..30).map(|n| video_frame(n, n % 10 == 0)).collect();
    let packets = stream(&frames);
    let third = packets.iter().position(|p| p.ts == packets[0].ts.wrapping_add(3 * 3600)).unwrap();
    let mut r = receiver(MediaType::Video);
    let (mut got, mut asked) = (vec![], 0);
    for (n, p) in packets.into_iter().enumerate() {
        if n == third {
            continue;
        }
        let now = p.arrival;
        r.packet(p, now);
        asked += usize::from(r.poll_key_frame_request(now).is_some());
        got.extend(drain(&mut r));
    }
    let kept: Vec<&Vec<u8>> = frames[..3].iter().chain(&frames[10..]).collect();
    assert_eq!(got.len(), kept.len());
    assert!(got.iter().zip(kept).all(|(g, f)| g.data == *f));
    assert!(got[3].gap > 0 && got[3].key);
    assert_eq!(asked, 1);
    // Frame 3 was one packet and is gone; frames 4 to 9 lean on it.
    assert_eq!(r.stats().damaged, 6);
}

#[test]
fn a_repair_within_the_wait_loses_nothing() {
    let frames: Vec<_> = (0..10).map(|n| video_frame(n, n == 0)).collect();
    let mut packets = stream(&frames);
    let late = packets.remove(4);
    packets.insert(8, IncomingRtp { recovered: true, ..late });
    let mut r = receiver(MediaType::Video);
    let got: Vec<_> = packets
        .into_iter()
        .flat_map(|p| {
            r.packet(p, ms(0));
            drain(&mut r)
        })
        .collect();
    assert_eq!(got.len(), 10);
    assert_eq!(r.stats().jitter.lost, 0);
}

#[test]
fn what_lay_in_the_socket_came_then_and_what_is_missing_before_it_is_waited_for_from_now_on() {
    let frames: Vec<_> = (0..3).map(|n| video_frame(n, n == 0)).collect();
    let mut packets = stream(&frames);
    packets.sort_by_key(|p| p.seq);
    let last = packets.len() - 1;
    packets.swap(last - 1, last);
    let mut r = receiver(MediaType::Video);
    // All were read long after they came, the last two the wrong way round.
    let now = ms(900);
    let mut got = Vec::new();
    for p in packets {
        let waited_us = now.since(p.arrival).as_micros() as u32;
        let p = IncomingRtp { waited_us, ..p };
        assert_eq!(p.read_at(), now);
        r.packet(p, now);
        got.extend(drain(&mut r));
    }
    assert_eq!((got.len(), r.stats().jitter.lost), (3, 0));
    assert!(got.iter().all(|f| f.arrival_us < now.mono_us));
}

#[test]
fn a_gap_is_given_up_at_its_deadline_and_not_before() {
    let mut r = receiver(MediaType::Audio);
    let mut s = Sender::new(Codec::Opus, 9, 111, &mut Env::seeded(2));
    let mut packets = vec![];
    for n in 0..3u64 {
        s.frame(&OutgoingFrame::audio(vec![0x08, n as u8]), ms(n * 20), |p| {
            packets.push(incoming(&p, 65_536 + n, ms(n * 20)))
        })
        .unwrap();
    }
    r.packet(packets[0].clone(), ms(0));
    r.packet(packets[2].clone(), ms(40));
    assert_eq!(drain(&mut r).len(), 1);
    let due = r.next_deadline().unwrap();
    assert_eq!(due, ms(40) + WAIT);
    r.handle_timeout(Time::new(due.mono_us - 1, 0));
    assert!(r.poll_frame().is_none());
    r.handle_timeout(due);
    let f = r.poll_frame().unwrap();
    assert_eq!((f.gap, r.next_deadline()), (1, None));
    r.packet(packets[1].clone(), due);
    assert!(r.poll_frame().is_none());
    assert_eq!(r.stats().jitter.late, 1);
}

#[test]
fn audio_keeps_level_time_and_capture_clock() {
    let mut s = Sender::new(Codec::Opus, 9, 111, &mut Env::seeded(2));
    let mut r = receiver(MediaType::Audio);
    let mut ts = 0;
    s.frame(&OutgoingFrame::audio(vec![0x08, 1]), ms(0), |p| {
        ts = p.ts;
        r.packet(incoming(&p, 65_536, ms(0)), ms(0));
    })
    .unwrap();
    r.sender_report(SenderReport { ssrc: 9, ntp: (NTP_UNIX_OFFSET as u64 + 100) << 32, rtp: ts });
    s.frame(&OutgoingFrame::audio(vec![0x08, 2]), ms(20), |p| r.packet(incoming(&p, 65_537, ms(20)), ms(20))).unwrap();
    let f = drain(&mut r);
    assert_eq!(f[0].capture_unix_us, None);
    assert_eq!(f[1].capture_unix_us, Some(100_020_000));
    assert_eq!(f[1].rtp_time - f[0].rtp_time, 960);
    assert_eq!(f[1].audio_level.map(|l| l.level), Some(30));
}

#[test]
fn a_new_ssrc_starts_a_new_timeline_and_needs_a_key_frame() {
    let frames: Vec<_> = (0..4).map(|n| video_frame(n, n == 0)).collect();
    let mut r = receiver(MediaType::Video);
    for p in stream(&frames[..2]) {
        r.packet(p, ms(0));
    }
    assert_eq!(drain(&mut r).len(), 2);
    for p in stream(&frames[2..]) {
        r.packet(IncomingRtp { ssrc: 8, ..p }, ms(10));
    }
    assert!(drain(&mut r).is_empty());
    assert_eq!(r.poll_key_frame_request(ms(10)), Some(8));
    assert_eq!(r.poll_key_frame_request(ms(11)), None);
    assert_eq!(r.poll_key_frame_request(ms(10) + KEY_FRAME_REQUEST_EVERY), Some(8));
    for p in stream(&frames[..1]) {
        r.packet(IncomingRtp { ssrc: 8, seq: p.seq + 50, ..p }, ms(900));
    }
    r.handle_timeout(ms(900) + WAIT);
    assert_eq!(drain(&mut r).iter().map(|f| f.timeline).collect::<Vec<_>>(), [2]);
    assert_eq!(r.poll_key_frame_request(ms(3000)), None);
}

#[test]
fn rtp_time_follows_the_clock_over_a_pause_and_durations_otherwise() {
    let mut s = Sender::new(Codec::Opus, 9, 111, &mut Env::seeded(2));
    let mut stamps = vec![];
    // A caller that jitters by some ms, then a mute of 5 s.
    for at in [0, 25, 38, 5038] {
        s.frame(&OutgoingFrame::audio(vec![0x08, 1]), ms(at), |p| stamps.push(p.ts)).unwrap();
    }
    let steps: Vec<u32> = stamps.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    assert_eq!(steps, [960, 960, 240_000]);
}

#[test]
fn a_frame_as_long_as_one_may_be_is_given_and_a_longer_one_is_not() {
    for (bytes, whole) in [(MAX_FRAME_BYTES, true), (MAX_FRAME_BYTES + 1, false)] {
        let mut r = receiver(MediaType::Video);
        let (mut long, next) = (video_frame(0, true), video_frame(1, true));
        long.resize(bytes, 7);
        for p in stream(&[long.clone(), next.clone()]) {
            let at = p.arrival;
            r.packet(p, at);
        }
        let got: Vec<_> = drain(&mut r).into_iter().map(|f| f.data).collect();
        assert!(got == if whole { vec![long, next] } else { vec![next] }, "{bytes}");
    }
}

#[test]
fn what_is_no_frame_is_refused() {
    let mut s = Sender::new(Codec::Opus, 9, 111, &mut Env::seeded(2));
    for bad in [vec![], vec![3], vec![8; 1500]] {
        assert_eq!(s.frame(&OutgoingFrame::audio(bad), ms(0), |_| panic!("sent")), Err(SendError::Malformed));
    }
    let mut s = Sender::new(Codec::Vp8, 9, 100, &mut Env::seeded(2));
    let empty = OutgoingFrame::video(vec![], Duration::ZERO);
    assert_eq!(s.frame(&empty, ms(0), |_| panic!("sent")), Err(SendError::Malformed));
    // What a writer refuses is what would be refused here, where nobody hears of it.
    for (codec, data, taken) in [
        (Codec::H264, &[0, 0, 1, 0x65, 7][..], true),
        (Codec::H264, &[0x65, 7, 7, 7], false),
        (Codec::H264, &[0, 0, 1], false),
        (Codec::H264, &[0, 0, 1, 0, 0, 0, 1, 0x65, 7], true),
        (Codec::Av1, &[0x12, 0, 0x32, 1, 7], true),
        (Codec::Av1, &[0x12, 0], false),
        (Codec::Av1, &[0x32, 9, 7], false),
    ] {
        let frame = OutgoingFrame::video(data.to_vec(), Duration::ZERO);
        let mut s = Sender::new(codec, 9, 100, &mut Env::seeded(2));
        assert_eq!(
            (s.frame(&frame, ms(0), |_| ()).is_ok(), is_frame(codec, data)),
            (taken, taken),
            "{codec:?} {data:?}"
        );
    }
}

#[test]
fn malformed_and_hostile_packets_cost_counters_and_no_memory() {
    let mut env = Env::seeded(5);
    let mut r = receiver(MediaType::Video);
    for _ in 0..20_000 {
        let mut payload = vec![0; env.below(8) as usize];
        env.fill(&mut payload);
        let p = IncomingRtp {
            ssrc: u32::from(env.below(1000) == 0),
            pt: [100, 111, 5][env.below(3) as usize],
            seq: u64::from(env.below(200_000)),
            ts: env.u32(),
            marker: env.below(2) == 0,
            recovered: false,
            arrival: ms(0),
            waited_us: 0,
            level: None,
            mid: None,
            dependency_descriptor: None,
            payload: payload.into(),
        };
        r.packet(p, ms(0));
        drain(&mut r);
    }
    assert!(r.stats().malformed > 0 && r.stats().jitter.strays > 0);
}

#[test]
fn the_jitter_buffer_is_bounded_and_a_jump_is_a_restart() {
    let p = |seq| IncomingRtp {
        ssrc: 1,
        pt: 111,
        seq,
        ts: 0,
        marker: false,
        recovered: false,
        arrival: ms(0),
        waited_us: 0,
        level: None,
        mid: None,
        dependency_descriptor: None,
        payload: bytes::Bytes::from_static(&[8]),
    };
    let mut j = Jitter::new(WAIT);
    j.push(p(1000));
    assert!(j.pop(ms(0)).is_some());
    for seq in 1002..1002 + MAX_HELD_PACKETS as u64 - 1 {
        j.push(p(seq));
        assert!(j.pop(ms(0)).is_none());
    }
    j.push(p(1001 + MAX_HELD_PACKETS as u64));
    assert_eq!(j.pop(ms(0)).map(|p| (p.0.seq, p.1)), Some((1002, 1)));

    let mut j = Jitter::new(WAIT);
    j.push(p(1000));
    j.push(p(1000 + MAX_SEQUENCE_JUMP));
    assert_eq!(j.stats().restarts, 0);
    assert_eq!(j.pop(ms(0)).map(|p| p.0.seq), Some(1000));
    // One beyond is a stray: the stream goes on. Two in a row are a restart, with the first of them.
    assert!(!j.push(p(1002 + MAX_SEQUENCE_JUMP)));
    assert_eq!((j.stats().restarts, j.stats().strays), (0, 1));
    j.push(p(1001));
    assert_eq!(j.pop(ms(0)).map(|p| p.0.seq), Some(1001));
    assert!(!j.push(p(50_000)) && j.push(p(50_001)));
    assert_eq!((j.stats().restarts, j.stats().strays), (1, 1));
    assert_eq!(j.pop(ms(0)).map(|p| p.0.seq), Some(50_000));
    assert_eq!(j.pop(ms(0)).map(|p| p.0.seq), Some(50_001));
    // The same far packet twice is no restart.
    assert!(!j.push(p(10)) && !j.push(p(10)));
    // Back behind it too.
    assert!(j.push(p(11)));
}

fn frame(source: &str, media: MediaType, key: bool, n: u64) -> EncodedFrame {
    EncodedFrame {
        endpoint_id: "aa".into(),
        participant: None,
        track: None,
        source_name: source.into(),
        media,
        codec: Codec::Vp8,
        encoding: 0,
        temporal_id: None,
        key,
        timeline: 1,
        rtp_time: n,
        arrival_us: 0,
        capture_unix_us: None,
        audio_level: None,
        gap: 0,
        size: None,
        data: bytes::Bytes::new(),
    }
}

#[test]
fn a_full_reader_drops_what_cannot_be_decoded_any_more() {
    let mut q = ReaderQueue::new(4, false);
    q.push(frame("a-v0", MediaType::Video, true, 0));
    q.push(frame("a-v0", MediaType::Video, false, 1));
    q.push(frame("a-a0", MediaType::Audio, true, 2));
    q.push(frame("a-v0", MediaType::Video, false, 3));
    q.push(frame("a-v0", MediaType::Video, false, 4)); // full: 0, 1, 3 and 4 go
    q.push(frame("a-v0", MediaType::Video, true, 5));
    let kept: Vec<u64> = std::iter::from_fn(|| q.pop()).map(|f| f.rtp_time).collect();
    assert_eq!(kept, [2, 5]);
    assert_eq!((q.stats().dropped, q.stats().delivered, q.stats().queued), (4, 2, 0));

    let mut q = ReaderQueue::new(2, true);
    for n in 0..4 {
        q.push(frame("a-a0", MediaType::Audio, true, n));
    }
    assert_eq!(std::iter::from_fn(|| q.pop()).map(|f| f.rtp_time).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(q.stats().dropped, 2);
}

#[test]
fn past_the_tracked_sources_a_dropped_frame_is_counted_and_no_more() {
    let mut q = ReaderQueue::new(1, true);
    q.push(frame("a-a0", MediaType::Audio, true, 0));
    for n in 0..=MAX_WAITING_SOURCES {
        q.push(frame(&format!("{n}-v0"), MediaType::Video, false, 1));
    }
    q.pop();
    // Its key frame is waited for; of the one past the bound nothing is known.
    q.push(frame(&format!("{}-v0", MAX_WAITING_SOURCES - 1), MediaType::Video, false, 2));
    assert!(q.is_empty());
    q.push(frame(&format!("{MAX_WAITING_SOURCES}-v0"), MediaType::Video, false, 3));
    assert_eq!(q.pop().map(|f| f.rtp_time), Some(3));
    assert_eq!(q.stats().dropped, MAX_WAITING_SOURCES as u64 + 2);
}

#[test]
fn early_packets_wait_for_their_owner_within_bounds() {
    let p = |ssrc, at| IncomingRtp {
        ssrc,
        pt: 111,
        seq: 1,
        ts: 0,
        marker: false,
        recovered: false,
        arrival: at,
        waited_us: 0,
        level: None,
        mid: None,
        dependency_descriptor: None,
        payload: bytes::Bytes::new(),
    };
    let mut e = Early::default();
    for n in 0..=MAX_EARLY_PACKETS as u32 {
        e.push(p(n % 2, ms(0)), ms(0));
    }
    assert_eq!(e.dropped(), 1);
    assert_eq!(e.take(0, ms(0)).len() + e.take(1, ms(0)).len(), MAX_EARLY_PACKETS);
    e.push(p(3, ms(0)), ms(0));
    assert!(e.take(3, ms(1) + EARLY_WAIT).is_empty());
    assert_eq!(e.dropped(), 2);
    // From when it was read on.
    e.push(IncomingRtp { waited_us: 500_000, ..p(4, ms(0)) }, ms(500));
    assert_eq!(e.take(4, ms(500) + EARLY_WAIT).len(), 1);
}

#[test]
fn a_key_frame_that_pushes_out_the_old_picture_group_is_followed_by_its_own_frames() {
    let video = |key, n| frame("a-v0", MediaType::Video, key, n);
    let mut q = ReaderQueue::new(3, false);
    for n in 0..3 {
        q.push(video(n == 0, n));
    }
    q.push(video(true, 3)); // full: 0, 1 and 2 go
    q.push(video(false, 4));
    q.push(video(false, 5));
    let kept: Vec<u64> = std::iter::from_fn(|| q.pop()).map(|f| f.rtp_time).collect();
    assert_eq!(kept, [3, 4, 5]);
    assert_eq!(q.stats().dropped, 3);
}

#[test]
fn no_key_frame_is_asked_for_while_one_is_arriving_whole() {
    let packets = stream(&[video_frame(30, true)]);
    assert!(packets.len() > 2);
    let mut r = receiver(MediaType::Video);
    for p in packets {
        r.packet(p, ms(0));
        assert_eq!(r.poll_key_frame_request(ms(0)), None);
    }
    assert_eq!(drain(&mut r).len(), 1);
}

#[test]
fn a_key_frame_that_stops_arriving_is_asked_for_again() {
    let packets = stream(&[video_frame(30, true)]);
    let mut r = receiver(MediaType::Video);
    r.packet(packets[0].clone(), ms(0));
    assert_eq!(r.poll_key_frame_request(ms(0)), None);
    r.packet(packets[2].clone(), ms(1));
    assert_eq!(r.poll_key_frame_request(ms(1)), None);
    let due = r.next_deadline().unwrap();
    r.handle_timeout(due);
    assert_eq!(r.poll_key_frame_request(due), Some(7));
}

#[test]
fn a_sequence_restart_within_one_ssrc_starts_a_new_timeline() {
    let mut r = receiver(MediaType::Audio);
    let p = |seq, ts| IncomingRtp {
        ssrc: 1,
        pt: 111,
        seq,
        ts,
        marker: false,
        recovered: false,
        arrival: ms(0),
        waited_us: 0,
        level: None,
        mid: None,
        dependency_descriptor: None,
        payload: bytes::Bytes::from_static(&[8]),
    };
    r.packet(p(70_000, 5_000_000), ms(0));
    r.packet(p(70_001 + 2 * MAX_SEQUENCE_JUMP, 40), ms(0));
    r.packet(p(70_002 + 2 * MAX_SEQUENCE_JUMP, 1000), ms(0));
    let f = drain(&mut r);
    assert_eq!(f.iter().map(|f| f.timeline).collect::<Vec<_>>(), [1, 2, 2]);
    assert_eq!(f[2].rtp_time - f[1].rtp_time, 960);
}

#[test]
fn a_gap_that_is_given_up_releases_every_frame_behind_it() {
    let mut s = Sender::new(Codec::Opus, 9, 111, &mut Env::seeded(2));
    let mut packets = vec![];
    for n in 0..=600u64 {
        s.frame(&OutgoingFrame::audio(vec![0x08]), ms(n), |p| packets.push(incoming(&p, 65_536 + n, ms(n)))).unwrap();
    }
    let mut r = receiver(MediaType::Audio);
    packets.remove(1);
    for p in packets {
        r.packet(p, ms(0));
    }
    r.handle_timeout(ms(600) + WAIT);
    assert_eq!(drain(&mut r).len(), 600);
    assert_eq!((r.stats().frames, r.stats().overflowed), (600, 0));
}

#[test]
fn frames_that_nobody_takes_are_bounded_and_the_rest_waits_for_a_key_frame() {
    let frames: Vec<_> = (0..MAX_WAITING_FRAMES + 3).map(|n| video_frame(0, n == 0)).collect();
    let mut r = receiver(MediaType::Video);
    for (n, p) in stream(&frames).into_iter().enumerate() {
        r.packet(p, ms(0));
        assert_eq!(r.stats().overflowed, u64::from(n >= MAX_WAITING_FRAMES), "{n}");
    }
    assert_eq!(drain(&mut r).len(), MAX_WAITING_FRAMES);
    // One dropped for want of room, two because they lean on it.
    assert_eq!((r.stats().overflowed, r.stats().damaged), (1, 2));
    assert!(r.poll_key_frame_request(ms(0)).is_some());
}

#[test]
fn a_senseless_duration_is_no_panic() {
    let mut s = Sender::new(Codec::Vp8, 9, 100, &mut Env::seeded(2));
    for n in 0..3 {
        s.frame(&OutgoingFrame::video(vec![0x10], Duration::MAX), ms(n), |_| ()).unwrap();
    }
}

fn audio_packet(pt: u8, seq: u64, ts: u32, payload: &[u8]) -> IncomingRtp {
    IncomingRtp {
        ssrc: 9,
        pt,
        seq: 70_000 + seq,
        ts,
        marker: false,
        recovered: false,
        arrival: ms(seq * 20),
        waited_us: 0,
        level: None,
        mid: None,
        dependency_descriptor: None,
        payload: bytes::Bytes::copy_from_slice(payload),
    }
}

#[test]
fn redundant_audio_fills_the_gap_that_a_lost_packet_left() {
    const RED: u8 = 112;
    let mut r = receiver(MediaType::Audio);
    r.set_audio_extras(Some(RED), None);
    // Frame n is [8, n], each packet carries the one before too.
    let packet = |n: u8| {
        let payload = if n == 0 { vec![111, 8, 0] } else { vec![0xef, 0x0f, 0, 2, 111, 8, n - 1, 8, n] };
        audio_packet(RED, u64::from(n), u32::from(n) * 960, &payload)
    };
    for n in [0, 1, 3, 6] {
        r.packet(packet(n), ms(u64::from(n) * 20));
    }
    r.handle_timeout(ms(1000));
    let got = drain(&mut r);
    let want = [(0, 0), (1, 0), (2, 0), (3, 0), (5, 1), (6, 0)];
    assert_eq!(got.iter().map(|f| (f.data[1], f.gap)).collect::<Vec<_>>(), want);
    assert!(got.iter().all(|f| f.codec == Codec::Opus && f.rtp_time - got[0].rtp_time == u64::from(f.data[1]) * 960));
    assert_eq!((r.stats().redundant, r.stats().malformed), (2, 0));
    r.packet(audio_packet(RED, 7, 6720, &[0xef, 0]), ms(140));
    assert_eq!(r.stats().malformed, 1);
}

#[test]
fn keys_of_a_telephone_are_told_once_and_disturb_no_audio() {
    let mut r = receiver(MediaType::Audio);
    r.set_audio_extras(None, Some((126, 8000)));
    r.packet(audio_packet(111, 0, 0, &[8]), ms(0));
    for n in 1..4 {
        r.packet(audio_packet(126, n, 960, &[5, 10, 0, 160]), ms(n * 20));
    }
    r.packet(audio_packet(126, 4, 9600, &[11, 10, 0, 160]), ms(80));
    r.packet(audio_packet(126, 5, 9700, &[99, 10, 0, 160]), ms(100));
    r.packet(audio_packet(111, 6, 5760, &[8]), ms(120));
    assert_eq!(drain(&mut r).len(), 2);
    let keys: String = std::iter::from_fn(|| r.poll_key()).map(|k| k.key).collect();
    assert_eq!((keys.as_str(), r.stats().keys, r.stats().malformed), ("5#", 2, 0));
    for n in 0..MAX_WAITING_KEYS as u64 + 1 {
        r.packet(audio_packet(126, 7 + n, 20_000 + n as u32, &[1, 10, 0, 160]), ms(140));
    }
    assert_eq!(std::iter::from_fn(|| r.poll_key()).count(), MAX_WAITING_KEYS);
    assert_eq!(r.stats().keys, 2 + MAX_WAITING_KEYS as u64 + 1);
}

#[test]
fn late_packets_of_the_ssrc_before_do_not_bring_it_back() {
    let mut r = receiver(MediaType::Audio);
    let packet = |ssrc, seq| IncomingRtp { ssrc, ..audio_packet(111, seq, seq as u32 * 960, &[8]) };
    r.packet(packet(1, 0), ms(0));
    r.packet(packet(2, 900), ms(20));
    r.packet(packet(1, 1), ms(25));
    r.packet(packet(2, 901), ms(40));
    assert_eq!(drain(&mut r).iter().map(|f| f.timeline).collect::<Vec<_>>(), [1, 2, 2]);
    assert_eq!(r.stats().left_behind, 1);
    // Later it is a way back.
    r.packet(packet(1, 2), ms(20) + SSRC_SETTLE);
    assert_eq!(drain(&mut r).iter().map(|f| f.timeline).collect::<Vec<_>>(), [3]);
    r.restart();
    r.packet(packet(2, 902), ms(30) + SSRC_SETTLE);
    assert_eq!(drain(&mut r).iter().map(|f| f.timeline).collect::<Vec<_>>(), [4]);
}

#[test]
fn the_wait_follows_round_trip_and_jitter_within_the_reader_s_choice() {
    for (media, rtt, low, high) in [(MediaType::Video, 40, 110, 111), (MediaType::Audio, 40, 20, 20)] {
        let mut r = receiver(media);
        assert_eq!(r.wait(), WAIT);
        r.set_rtt(Some(Duration::from_millis(rtt)));
        assert!((low..=high).contains(&(r.wait().as_millis() as u64)), "{media:?} {:?}", r.wait());
        r.set_rtt(Some(Duration::from_secs(3)));
        assert!(r.wait() <= WAIT);
        r.set_wait(Duration::from_millis(5));
        assert_eq!(r.wait(), Duration::from_millis(5));
    }
    let mut r = receiver(MediaType::Audio);
    r.set_rtt(Some(Duration::from_millis(40)));
    for n in 0..200 {
        let p = audio_packet(111, n, n as u32 * 960, &[8]);
        // Every other packet is 15 ms late.
        let at = ms(n * 20 + n % 2 * 15);
        r.packet(IncomingRtp { arrival: at, ..p }, at);
    }
    assert!((40..=70).contains(&r.wait().as_millis()), "{:?}", r.wait());
    // And is obeyed.
    let at = ms(5000);
    r.packet(IncomingRtp { arrival: at, ..audio_packet(111, 205, 205 * 960, &[8]) }, at);
    assert_eq!(r.next_deadline(), Some(at + r.wait()));
    r.set_rtt(Some(Duration::from_millis(1)));
    assert!(r.wait() >= MIN_WAIT);
}

#[test]
fn after_a_gap_each_encoding_goes_on_with_a_key_frame() {
    let mut s = Sender::simulcast(Codec::Vp8, 7, &[8], 100, &mut Env::seeded(1));
    let send = |encoding: u32, key: bool, ms: u64, s: &mut Sender| {
        let data = if key { vec![0x10, 0, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0] } else { vec![0x11, 0, 0, 5] };
        let frame = OutgoingFrame { encoding, ..OutgoingFrame::video(data, Duration::from_millis(40)) };
        let mut sent = Vec::new();
        s.frame(&frame, Time::new(1_000_000 + ms * 1000, 0), |p| sent.push(p.ts)).unwrap();
        sent
    };
    assert_eq!((send(0, true, 0, &mut s).len(), send(1, true, 0, &mut s).len()), (1, 1));
    assert_eq!((send(0, false, 40, &mut s).len(), send(1, false, 40, &mut s).len()), (1, 1));
    s.await_key();
    assert_eq!((send(0, false, 80, &mut s).len(), send(1, false, 80, &mut s).len()), (0, 0));
    assert_eq!((send(0, true, 120, &mut s).len(), send(1, false, 120, &mut s).len()), (1, 0));
    assert_eq!((send(0, false, 160, &mut s).len(), send(1, true, 160, &mut s).len()), (1, 1));
    assert_eq!(s.frames(), 7, "what did not go out does not count");
    // The larger encoding alone after a pause: a picture of its own, not of the last one's time.
    let before = send(0, false, 200, &mut s)[0];
    let after = send(1, false, 10_200, &mut s)[0];
    assert_eq!(after.wrapping_sub(before), 90 * 10_000);
    assert_eq!(send(0, false, 10_240, &mut s)[0].wrapping_sub(after), 90 * 40);
    assert_eq!(send(1, false, 10_241, &mut s)[0].wrapping_sub(after), 90 * 40, "of one picture");
}
