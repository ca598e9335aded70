//! Sender → loss → receiver for every video codec, with temporal layers and several encodings.

use super::assembler;
use super::frame::{EncodedFrame, OutgoingFrame};
use super::kind::{Codec, MediaType};
use super::peer::{IncomingRtp, MAX_RTP_PAYLOAD, OutgoingRtp};
use super::receiver::Receiver;
use super::sender::Sender;
use crate::env::Env;
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

const VIDEO: [Codec; 4] = [Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1];
const DESCRIPTOR_ID: u8 = 11;

fn ms(n: u64) -> Time {
    Time::new(1_000_000 + n * 1000, n as i64 * 1000)
}

/// A frame with its number in its last bytes, of some packets.
fn made(codec: Codec, n: u32, key: bool) -> Bytes {
    let mut body = vec![0x55; 200 + (n as usize * 977) % 3000];
    let at = body.len() - 4;
    // No zeros: an H.264 unit does not end with them.
    body[at..].copy_from_slice(&[1, 1, 1, n as u8 + 1]);
    if codec == Codec::H264 && at > 1500 {
        // A second slice, which is not the first of its picture.
        body[1300..1306].copy_from_slice(&[0, 0, 0, 1, if key { 0x65 } else { 0x61 }, 0x48]);
    }
    let head: Vec<u8> = match (codec, key) {
        (Codec::Vp8, true) => vec![0x10, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0],
        (Codec::Vp8, false) => vec![0x11, 0, 0],
        (Codec::Vp9, true) => vec![0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x30],
        (Codec::Vp9, false) => vec![0x86],
        (Codec::H264, true) => [
            &[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0c, 0xd9, 1, 0x41, 0x9f, 0x9f, 1, 0x10][..],
            &[0, 0, 0, 1, 0x68, 0xcb, 0x8c, 0xb2, 0, 0, 0, 1, 0x65, 0x88],
        ]
        .concat(),
        (Codec::H264, false) => vec![0, 0, 0, 1, 0x61, 0x88],
        (Codec::Av1, key) => {
            let mut b = vec![0x12, 0];
            if key {
                b.extend_from_slice(&[0x0a, 11, 0, 0, 0, 4, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40]);
            }
            b.push(0x32);
            let len = body.len() + 1;
            b.extend_from_slice(&[len as u8 | 0x80, (len >> 7) as u8, if key { 0x10 } else { 0x30 }]);
            b
        }
        (Codec::Opus, _) => vec![],
    };
    [head, body].concat().into()
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
        level: None,
        mid: None,
        dependency_descriptor: p.extra.as_ref().map(|e| e.1.clone()),
        payload: p.payload.clone(),
    }
}

/// The packets of frames with these temporal ids, the first a key frame; each with the number of its frame.
fn stream(codec: Codec, ids: &[u8], descriptor: bool) -> Vec<(usize, IncomingRtp)> {
    let mut s = Sender::new(codec, 7, 100, &mut Env::seeded(9));
    s.set_temporal_layers(ids.iter().max().map_or(1, |t| t + 1));
    if descriptor {
        s.set_dependency_descriptor(DESCRIPTOR_ID);
    }
    let mut out = vec![];
    for (n, id) in ids.iter().enumerate() {
        let at = ms(n as u64 * 33);
        let mut f = OutgoingFrame::video(made(codec, n as u32, n == 0), Duration::from_millis(33));
        f.temporal_id = Some(*id);
        s.frame(&f, at, |p| {
            let extra = p.extra.as_ref().map_or(0, |e| e.1.len() + 2);
            assert!(p.payload.len() + extra <= MAX_RTP_PAYLOAD + 2);
            let seq = 70_000 + out.len() as u64;
            out.push((n, incoming(&p, seq, at)));
        })
        .unwrap();
    }
    out
}

fn received(codec: Codec, packets: impl Iterator<Item = IncomingRtp>) -> (Vec<EncodedFrame>, Receiver) {
    let mut r = Receiver::new("aa".into(), "aa-v0".into(), MediaType::Video, Duration::ZERO);
    r.set_payload_types(vec![(100, codec)]);
    let mut got = vec![];
    for p in packets {
        let now = p.arrival;
        r.packet(p, now);
        got.extend(std::iter::from_fn(|| r.poll_frame()));
    }
    (got, r)
}

fn number(f: &EncodedFrame) -> usize {
    usize::from(f.data[f.data.len() - 1]) - 1
}

#[test]
fn every_codec_arrives_with_key_size_and_time() {
    for codec in VIDEO {
        for descriptor in [false, true] {
            let packets = stream(codec, &[0; 20], descriptor);
            let (got, r) = received(codec, packets.into_iter().map(|p| p.1));
            assert_eq!(got.len(), 20, "{codec:?} {:?}", r.stats());
            for (n, f) in got.iter().enumerate() {
                assert_eq!((f.codec, f.key, number(f)), (codec, n == 0, n));
                assert_eq!(f.data, made(codec, n as u32, n == 0), "{codec:?} {n}");
                assert_eq!(f.size, (n == 0).then_some((320, 180)), "{codec:?}");
                assert_eq!(f.rtp_time - got[0].rtp_time, n as u64 * 2970);
            }
            assert_eq!(r.stats().malformed, 0);
        }
    }
}

/// Whatever single packet is lost, what comes out is whole, in order, and leans on nothing that is missing.
#[test]
fn the_loss_of_any_packet_costs_frames_and_never_makes_a_wrong_one() {
    for codec in VIDEO {
        for descriptor in [false, true] {
            for ids in [&[0_u8; 12][..], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1], &[0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2, 0]] {
                let packets = stream(codec, ids, descriptor);
                for lost in 0..packets.len() {
                    let gone = packets[lost].0;
                    let rest = packets.iter().enumerate().filter(|(n, _)| *n != lost).map(|(_, p)| p.1.clone());
                    let (got, r) = received(codec, rest);
                    let numbers: Vec<usize> = got.iter().map(number).collect();
                    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{codec:?} {lost}: {numbers:?}");
                    assert!(!numbers.contains(&gone), "{codec:?} {lost}: {numbers:?} has {gone}");
                    for f in &got {
                        assert_eq!(f.data, made(codec, number(f) as u32, number(f) == 0));
                    }
                    let layered = descriptor || matches!(codec, Codec::Vp8 | Codec::Vp9);
                    if layered && ids[gone] > 0 {
                        // The base layer goes on, and no key frame is needed.
                        let base = ids.iter().enumerate().filter(|t| *t.1 == 0).map(|t| t.0);
                        assert!(base.into_iter().all(|n| numbers.contains(&n)), "{codec:?} {lost}: {numbers:?}");
                    }
                    if ids[gone] == 0 {
                        // What follows leans on it.
                        let cut = numbers.iter().filter(|n| **n > gone).count();
                        assert_eq!(cut, 0, "{codec:?} {lost} {descriptor}: {numbers:?}");
                    }
                    let _ = r;
                }
            }
        }
    }
}

#[test]
fn a_lost_upper_frame_of_three_layers_costs_what_leans_on_it_alone() {
    let ids = [0, 2, 1, 2, 0, 2, 1, 2, 0];
    for (codec, descriptor) in [(Codec::Vp9, false), (Codec::Av1, true), (Codec::H264, true)] {
        for (lost, cost) in [(1, &[1][..]), (2, &[2, 3]), (3, &[3]), (6, &[6, 7])] {
            let packets = stream(codec, &ids, descriptor);
            let (got, mut r) = received(codec, packets.into_iter().filter(|p| p.0 != lost).map(|p| p.1));
            let want: Vec<usize> = (0..ids.len()).filter(|n| !cost.contains(n)).collect();
            assert_eq!(got.iter().map(number).collect::<Vec<_>>(), want, "{codec:?} without {lost}");
            assert_eq!(r.poll_key_frame_request(ms(9000)), None);
        }
    }
}

#[test]
fn encodings_have_numbers_of_their_own_and_one_rtp_time() {
    let mut s = Sender::simulcast(Codec::Vp8, 10, &[20, 30], 100, &mut Env::seeded(4));
    assert_eq!((s.ssrc(), s.ssrcs().collect::<Vec<_>>()), (10, vec![10, 20, 30]));
    let mut sent: Vec<(u32, u32)> = vec![];
    // All three, then the largest alone is missing, then the smallest; an encoding too many counts as the largest.
    for (n, encodings) in [&[0_u32, 1, 2][..], &[0, 1], &[1, 2], &[0, 7]].into_iter().enumerate() {
        for e in encodings {
            let mut f = OutgoingFrame::video(made(Codec::Vp8, 0, n == 0).slice(..60), Duration::from_millis(40));
            f.encoding = *e;
            s.frame(&f, ms(n as u64 * 40), |p| sent.push((p.ssrc, p.ts))).unwrap();
        }
    }
    let ssrcs: Vec<u32> = sent.iter().map(|s| s.0).collect();
    assert_eq!(ssrcs, [10, 20, 30, 10, 20, 20, 30, 10, 30]);
    let times: Vec<u32> = sent.iter().map(|s| s.1.wrapping_sub(sent[0].1)).collect();
    assert_eq!(times, [0, 0, 0, 3600, 3600, 7200, 7200, 10_800, 10_800]);
}

#[test]
fn the_vp8_sync_bit_is_set_on_what_leans_on_the_base_alone() {
    for (ids, want) in [
        (&[0_u8, 1, 0, 1][..], &[false, true, false, true][..]),
        (&[0, 2, 1, 2, 0], &[false, true, true, false, false]),
    ] {
        let mut got = vec![];
        for (n, p) in stream(Codec::Vp8, ids, false) {
            let (d, _) = super::vp8::Descriptor::parse(&p.payload).unwrap();
            assert_eq!(d.temporal.map(|t| t.0), Some(ids[n]));
            if d.start {
                got.push(d.temporal.is_some_and(|t| t.1));
            }
        }
        assert_eq!(got, want);
    }
}

#[test]
fn an_encrypted_frame_is_a_key_frame_when_its_writer_says_so() {
    let mut s = Sender::new(Codec::H264, 7, 100, &mut Env::seeded(9));
    s.set_dependency_descriptor(DESCRIPTOR_ID);
    let mut structures = vec![];
    for key in [None, Some(true), Some(false)] {
        let mut f = OutgoingFrame::video(made(Codec::H264, 1, false), Duration::from_millis(33));
        f.key = key;
        assert!(!assembler::is_key(Codec::H264, &f.data));
        s.frame(&f, ms(0), |p| structures.push(p.extra.is_some_and(|e| e.1.len() > 8))).unwrap();
    }
    assert_eq!(structures.iter().filter(|s| **s).count(), 1);
}

/// Two spatial layers of one picture, each as it stands in the whole.
fn two_layers(codec: Codec, n: u32, key: bool) -> [Bytes; 2] {
    let upper = match codec {
        Codec::Vp9 => made(codec, n, key),
        // A frame with its extension: spatial layer 1.
        _ => Bytes::from(vec![0x36, 0x08, 5, if key { 0x10 } else { 0x30 }, 1, 1, 1, n as u8 + 1]),
    };
    [made(codec, n, key), upper]
}

/// What a picture of both layers is to a program.
fn access_unit(codec: Codec, layers: &[Bytes; 2]) -> Bytes {
    let mut whole = layers.concat();
    if codec == Codec::Vp9 {
        let bytes = if layers.iter().all(|l| l.len() < 256) { 1 } else { 2 };
        let marker = 0xc1 | (bytes as u8 - 1) << 3;
        whole.push(marker);
        layers.iter().for_each(|l| whole.extend_from_slice(&(l.len() as u16).to_le_bytes()[..bytes]));
        whole.push(marker);
    }
    whole.into()
}

#[test]
fn spatial_layers_of_one_picture_come_as_one_frame_and_those_that_a_bridge_leaves_out_are_not_missed() {
    for codec in [Codec::Vp9, Codec::Av1] {
        for left_out in [false, true] {
            let mut s = Sender::new(codec, 7, 100, &mut Env::seeded(9));
            s.set_dependency_descriptor(DESCRIPTOR_ID);
            let (mut packets, mut want) = (vec![], vec![]);
            for n in 0..12_u32 {
                let layers = two_layers(codec, n, n == 0);
                let (whole, at) = (access_unit(codec, &layers), ms(u64::from(n) * 33));
                let frame = OutgoingFrame::video(whole.clone(), Duration::from_millis(33));
                let mut of_it = vec![];
                if codec == Codec::Vp9 {
                    s.frame(&frame, at, |p| of_it.push(p)).unwrap();
                } else {
                    // The descriptor says where the lower layer ends; the upper one's is of the same picture.
                    let mut lone = Sender::new(codec, 7, 100, &mut Env::seeded(9));
                    for (s, l) in [&mut s, &mut lone].into_iter().zip(&layers) {
                        let part = OutgoingFrame { data: l.clone(), ..frame.clone() };
                        let before = of_it.last().and_then(|p: &OutgoingRtp| p.extra.clone());
                        s.frame(&part, at, |p| {
                            let extra = p.extra.clone().or_else(|| before.clone());
                            of_it.push(OutgoingRtp { ts: n * 2970, marker: false, extra, ..p });
                        })
                        .unwrap();
                    }
                    of_it.last_mut().unwrap().marker = true;
                }
                // From the third picture on the upper layer is not forwarded, and the marker goes with it.
                let lower_alone = left_out && n > 2;
                if lower_alone {
                    of_it.retain(|p| match codec {
                        Codec::Vp9 => super::vp9::Descriptor::parse(&p.payload).unwrap().0.layer.unwrap().spatial == 0,
                        _ => !p.marker,
                    });
                }
                let seq = 70_000 + packets.len() as u64;
                packets.extend(of_it.iter().enumerate().map(|(i, p)| incoming(p, seq + i as u64, at)));
                want.push(if lower_alone { layers[0].clone() } else { whole });
            }
            let (got, r) = received(codec, packets.into_iter());
            // The end of the last one is not known without its marker.
            let seen = if left_out { 11 } else { 12 };
            assert_eq!(got.iter().map(|f| f.data.clone()).collect::<Vec<_>>(), want[..seen], "{codec:?} {left_out}");
            assert_eq!((r.stats().malformed, r.stats().damaged), (0, 0), "{codec:?} {left_out}");
        }
    }
}

/// A bridge begins to forward where it likes, and gives a stream to another source in the middle of a frame, with numbers that go on.
#[test]
fn what_is_cut_where_no_number_shows_it_is_no_frame() {
    for codec in VIDEO {
        for descriptor in [false, true] {
            let mut s = Sender::new(codec, 7, 100, &mut Env::seeded(9));
            if descriptor {
                s.set_dependency_descriptor(DESCRIPTOR_ID);
            }
            let (mut frames, mut sent) = (vec![], vec![]);
            for n in 0..8_u32 {
                let (data, at) = (made(codec, n, n % 2 == 0), ms(u64::from(n) * 33));
                let mut packets = vec![];
                s.frame(&OutgoingFrame::video(data.clone(), Duration::from_millis(33)), at, |p| {
                    packets.push(incoming(&p, 0, at));
                })
                .unwrap();
                frames.push(packets);
                sent.push(data);
            }
            let whole = |packets: Vec<&IncomingRtp>, of: &str| {
                let numbered = packets.into_iter().zip(70_000..).map(|(p, seq)| IncomingRtp { seq, ..p.clone() });
                // On another SSRC before, so that parameter sets are known.
                let known = frames[0].iter().zip(9..).map(|(p, seq)| IncomingRtp { ssrc: 5, seq, ..p.clone() });
                let (got, r) = received(codec, known.chain(numbered));
                assert!(got.iter().all(|f| sent.contains(&f.data)), "{codec:?} {descriptor} {of}");
                assert!(got.len() >= 3, "{codec:?} {descriptor} {of}: {:?}", r.stats());
                assert!(got[0].key && got[1].key, "{codec:?} {descriptor} {of}");
            };
            let all: Vec<_> = frames.iter().flatten().collect();
            for from in 0..all.len() - frames[7].len() - frames[6].len() {
                whole(all[from..].to_vec(), &format!("from {from}"));
            }
            for (n, frame) in frames[..6].iter().enumerate() {
                for cut in 0..frame.len() {
                    // Another source begins with a key frame.
                    let (before, after) =
                        (frames[..n].iter().flatten().chain(&frame[..cut]), frames[6..].iter().flatten());
                    whole(before.chain(after).collect(), &format!("frame {n} of {cut} packets"));
                }
            }
        }
    }
}

#[test]
fn a_key_frame_of_h264_without_parameter_sets_is_asked_for_again() {
    let frames: Vec<_> = (0..3).map(|n| made(Codec::H264, n, true)).collect();
    let bare: Bytes = frames[0].slice(23..);
    let mut s = Sender::new(Codec::H264, 7, 100, &mut Env::seeded(9));
    let mut packets = vec![];
    for (n, data) in [&bare, &frames[1], &bare].into_iter().enumerate() {
        let at = ms(n as u64 * 33);
        s.frame(&OutgoingFrame::video(data.clone(), Duration::from_millis(33)), at, |p| {
            packets.push(incoming(&p, 70_000 + packets.len() as u64, at));
        })
        .unwrap();
    }
    let first = packets.iter().take_while(|p| p.ts == packets[0].ts).count();
    let (got, mut r) = received(Codec::H264, packets[..first].iter().cloned());
    assert_eq!((got.len(), r.poll_key_frame_request(ms(1))), (0, Some(7)));
    let (got, _) = received(Codec::H264, packets.into_iter());
    assert_eq!(got.iter().map(|f| f.data.clone()).collect::<Vec<_>>(), [frames[1].clone(), frames[0].clone()]);
}

/// As cameras and gateways send it: each unit a packet of its own, the parameter sets once, and not always at the picture's time.
#[test]
fn parameter_sets_of_h264_are_learnt_from_whatever_packet_they_come_in() {
    let (sps, pps, sei, idr): (&[u8], &[u8], &[u8], &[u8]) =
        (&[0x67, 0x42, 0xc0, 0x0c, 0x80], &[0x68, 0xc0], &[6, 5, 1], &[0x65, 0x88, 9]);
    let second_slice: &[u8] = &[0x65, 0x48, 9];
    let delta: &[u8] = &[0x61, 0x88, 7];
    let both = [&[24, 0, 5][..], sps, &[0, 2], pps].concat();
    // Payloads with RTP time and marker; how many frames come of them.
    type Packets<'a> = Vec<(&'a [u8], u32, bool)>;
    let cases: [(Packets<'_>, usize); 5] = [
        // Before the first there may have been another SPS: it is left out, and asked for again.
        (vec![(sei, 1, false), (sps, 1, false), (pps, 1, false), (idr, 1, true), (idr, 2, true), (delta, 3, true)], 2),
        (vec![(idr, 1, true), (sps, 2, false), (pps, 2, false), (sei, 3, false), (idr, 3, true), (idr, 4, true)], 2),
        (vec![(sps, 1, true), (pps, 2, true), (idr, 3, true)], 1),
        // In what is left of a frame whose beginning did not come.
        (vec![(second_slice, 1, false), (sps, 1, false), (pps, 1, true), (idr, 2, true)], 1),
        (vec![(second_slice, 1, false), (&both, 1, true), (idr, 2, true)], 1),
    ];
    for (n, (packets, frames)) in cases.into_iter().enumerate() {
        let numbered = packets.iter().enumerate().map(|(seq, (payload, ts, marker))| IncomingRtp {
            ssrc: 7,
            pt: 100,
            seq: 500 + seq as u64,
            ts: *ts * 3000,
            marker: *marker,
            recovered: false,
            arrival: ms(seq as u64),
            waited_us: 0,
            level: None,
            mid: None,
            dependency_descriptor: None,
            payload: Bytes::copy_from_slice(payload),
        });
        let (got, r) = received(Codec::H264, numbered);
        assert_eq!(got.len(), frames, "{n}: {:?}", r.stats());
        for key in got.iter().filter(|f| f.key) {
            let kinds: Vec<u8> = super::h264::nal_units(&key.data).map(|r| key.data[r.start] & 31).collect();
            assert!(kinds.contains(&7) && kinds.contains(&8) && kinds.ends_with(&[5]), "{n}: {kinds:?}");
        }
    }
}
