//! What every payload format of video promises, with made frames and with real ones.

use super::assembler::{self, Assembler, Begins, Finished, Malformed, Whole};
use super::frame::OutgoingFrame;
use super::kind::Codec;
use super::sender::{SendError, Sender, Went};
use super::{av1, h264, vp8, vp9};
use crate::env::Env;
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

const VIDEO: [Codec; 4] = [Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1];

fn packets(codec: Codec, frame: &Bytes, mtu: usize) -> Vec<(Bytes, bool)> {
    let mut out = Vec::new();
    match codec {
        Codec::Vp8 => {
            let d = vp8::Descriptor {
                picture_id: Some(3),
                tl0_pic_idx: Some(3),
                temporal: Some((0, false)),
                ..Default::default()
            };
            out.extend(vp8::packetise(frame, d, mtu));
        }
        Codec::Vp9 => {
            let references = vp9::References::Flexible(if vp9::is_key(frame) { vec![] } else { vec![1, 4] });
            let o = vp9::Outgoing { picture_id: 300, temporal: 0, references };
            vp9::packetise(frame, &o, mtu, |p, last| out.push((p, last)));
        }
        Codec::H264 => assert!(h264::packetise(frame, mtu, |p, last| out.push((p, last)))),
        Codec::Av1 => assert!(av1::packetise(frame, mtu, |p, last| out.push((p, last)))),
        Codec::Opus => {}
    }
    out
}

fn joined(a: &mut Assembler, packets: &[(Bytes, bool)]) -> Result<Finished, Malformed> {
    for (p, _) in packets {
        a.push(p)?;
    }
    Ok(a.finish())
}

fn bytes(env: &mut Env, max: u32) -> Vec<u8> {
    let mut b = vec![0; 1 + env.below(max) as usize];
    env.fill(&mut b);
    b
}

/// A frame of random content in the codec's form, as an encoder gives it.
fn random_frame(codec: Codec, env: &mut Env) -> Bytes {
    let mut out = Vec::new();
    match codec {
        Codec::Opus => {}
        Codec::Vp8 => {
            out = bytes(env, 6000);
            out[0] |= 1;
        }
        Codec::Vp9 => {
            out = bytes(env, 6000);
            // Profile 0, no key frame, no end that looks like an index.
            out[0] = 0x86;
            out.push(0);
        }
        Codec::H264 => {
            for n in 0..1 + env.below(5) {
                let large = env.below(3) == 0;
                // Start codes are kept out by an encoder, and no unit ends with zero.
                let mut nal: Vec<u8> =
                    bytes(env, if large { 5000 } else { 90 }).into_iter().map(|b| b.max(1)).collect();
                // Only the first slice of a picture begins at its first macroblock.
                nal[0] = if n == 0 { nal[0] | 0x80 } else { nal[0] & 0x7f | 1 };
                nal.insert(0, if n == 0 { 0x61 } else { [0x61, 0x06, 0x41][env.below(3) as usize] });
                out.extend_from_slice(&[0, 0, 0, 1]);
                out.extend_from_slice(&nal);
            }
        }
        Codec::Av1 => {
            out.extend_from_slice(&[0x12, 0]);
            for _ in 0..1 + env.below(6) {
                let payload = bytes(env, 3000);
                let extension = env.below(2) == 0;
                out.push(0x32 | if extension { 4 } else { 0 });
                if extension {
                    out.push(0x28);
                }
                let mut len = payload.len();
                while len >= 0x80 {
                    out.push(len as u8 | 0x80);
                    len >>= 7;
                }
                out.push(len as u8);
                out.extend_from_slice(&payload);
            }
        }
    }
    out.into()
}

#[test]
fn any_frame_and_any_mtu_join_to_the_same_bytes() {
    for codec in VIDEO {
        for seed in 0..300 {
            let mut env = Env::seeded(seed);
            let frame = random_frame(codec, &mut env);
            let mtu = 40 + env.below(1200) as usize;
            let packets = packets(codec, &frame, mtu);
            let end = packets.len() - 1;
            for (n, (p, last)) in packets.iter().enumerate() {
                assert!(p.len() <= mtu, "{codec:?} {seed}: {} > {mtu}", p.len());
                assert_eq!(*last, n == end, "{codec:?} {seed}");
            }
            let mut a = Assembler::new(codec).unwrap();
            match joined(&mut a, &packets) {
                Ok(Finished::Whole(Whole { data, key: false, .. })) => assert_eq!(data, frame, "{codec:?} {seed}"),
                other => panic!("{codec:?} {seed}: {other:?}"),
            }
        }
    }
}

/// A loss in the middle and at the end is seen by sequence numbers; at the beginning the format has to say so.
#[test]
fn a_frame_without_its_first_packet_says_so() {
    for codec in VIDEO {
        let mut checked = 0;
        for seed in 0..100 {
            let mut env = Env::seeded(seed);
            let packets = packets(codec, &random_frame(codec, &mut env), 100);
            let mut a = Assembler::new(codec).unwrap();
            for (p, _) in packets.iter().skip(1).take(1) {
                checked += 1;
                assert_ne!(a.push(p).map(|h| h.begins), Ok(Begins::Yes), "{codec:?} {seed}");
            }
        }
        assert!(checked > 50);
    }
}

#[test]
fn changed_packets_in_any_order_are_refused_or_joined_but_never_a_panic() {
    for codec in VIDEO {
        let mut refused = 0;
        for seed in 0..2000 {
            let mut env = Env::seeded(seed);
            let mut packets = packets(codec, &random_frame(codec, &mut env), 300);
            let mut a = Assembler::new(codec).unwrap();
            for _ in 0..1 + env.below(6) {
                let n = env.below(packets.len() as u32) as usize;
                let mut p = packets[n].0.to_vec();
                match env.below(4) {
                    0 => p.truncate(env.below(p.len() as u32 + 1) as usize),
                    1 => {
                        let at = env.below((p.len() as u32).clamp(1, 12)) as usize;
                        if let Some(b) = p.get_mut(at) {
                            *b = env.u32() as u8;
                        }
                    }
                    2 => p = bytes(&mut env, 40),
                    _ => {
                        let other = env.below(packets.len() as u32) as usize;
                        packets.swap(n, other);
                        continue;
                    }
                }
                packets[n].0 = p.into();
            }
            let sum: usize = packets.iter().map(|p| p.0.len()).sum();
            match joined(&mut a, &packets) {
                Ok(Finished::Whole(w)) => assert!(w.data.len() <= 3 * sum + 100, "{codec:?} {seed}"),
                Ok(_) => {}
                Err(Malformed) => refused += 1,
            }
            let kept = assembler::is_key(codec, &bytes(&mut env, 60));
            let _ = (kept, assembler::size(codec, &bytes(&mut env, 60)));
        }
        assert!(refused > 0, "{codec:?}");
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/media/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn ivf(name: &str) -> Vec<Bytes> {
    let file = fixture(name);
    let (mut at, mut out) = (32, vec![]);
    while at < file.len() {
        let len = u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        out.push(Bytes::copy_from_slice(&file[at + 12..at + 12 + len]));
        at += 12 + len;
    }
    out
}

/// Access units with four-byte start codes and no delimiters.
fn annex_b(name: &str) -> Vec<Bytes> {
    let file = fixture(name);
    let mut out: Vec<Vec<u8>> = vec![];
    for r in h264::nal_units(&file) {
        match file[r.start] & 31 {
            9 => out.push(vec![]),
            _ => {
                let unit = out.last_mut().unwrap();
                unit.extend_from_slice(&[0, 0, 0, 1]);
                unit.extend_from_slice(&file[r]);
            }
        }
    }
    out.into_iter().map(Bytes::from).collect()
}

fn real(codec: Codec) -> Vec<Bytes> {
    match codec {
        Codec::Opus => vec![],
        Codec::Vp8 => ivf("video.ivf"),
        Codec::Vp9 => ivf("video-vp9.ivf"),
        Codec::Av1 => ivf("video-av1.ivf"),
        Codec::H264 => annex_b("video.h264"),
    }
}

#[test]
fn real_frames_come_back_byte_for_byte_with_key_and_size() {
    for codec in VIDEO {
        let frames = real(codec);
        assert_eq!(frames.len(), if codec == Codec::Vp8 { 60 } else { 30 }, "{codec:?}");
        for mtu in [100, 1180] {
            let mut a = Assembler::new(codec).unwrap();
            for (n, frame) in frames.iter().enumerate() {
                let key = n % 15 == 0;
                let packets = packets(codec, frame, mtu);
                let (want, size) = (frame.clone(), key.then_some((320, 180)));
                let whole = Finished::Whole(Whole { data: want, key, size });
                assert_eq!(joined(&mut a, &packets), Ok(whole), "{codec:?} {n}");
                assert_eq!(assembler::is_key(codec, frame), key);
                assert_eq!(assembler::size(codec, frame), size, "{codec:?} {n}");
                let first = a.push(&packets[0].0).unwrap();
                assert!(first.begins == Begins::Yes || !key, "{codec:?} {n}");
                assert_eq!(first.picture.key, key, "{codec:?} {n}");
                a.clear();
            }
        }
    }
}

#[test]
fn h264_parameter_sets_given_apart_come_with_each_key_frame() {
    let frames = real(Codec::H264);
    let key = &frames[0];
    let units: Vec<_> = h264::nal_units(key).map(|r| key.slice(r)).collect();
    let with = |units: &[Bytes]| -> Bytes {
        units.iter().flat_map(|u| [0, 0, 1].into_iter().chain(u.iter().copied())).collect::<Vec<u8>>().into()
    };
    let (sets, bare) = (with(&units[..2]), with(&units[2..]));
    // As some encoders give them: first the sets, as if they were a frame, then pictures.
    let mut kept = h264::ParameterSets::default();
    assert_eq!(kept.complete(&bare), Some(bare.clone()), "nothing is known yet");
    assert_eq!(kept.complete(&sets), None);
    let nals = |frame: &Bytes| h264::nal_units(frame).map(|r| frame.slice(r)).collect::<Vec<_>>();
    for given in [units[2..].to_vec(), [&units[..1], &units[2..]].concat(), units[1..].to_vec()] {
        assert_eq!(nals(&kept.complete(&with(&given)).unwrap()), [&units[..2], &given].concat());
    }
    let delta = &frames[1];
    assert_eq!(kept.complete(delta).as_ref(), Some(delta));
    assert_eq!(kept.complete(key).as_ref(), Some(key));
    // What stands before a picture, with it or without.
    let picture = units.iter().position(|u| u[0] & 31 == 5).unwrap();
    assert_eq!(h264::parameter_sets(&with(&units)), Some(with(&units[..picture])));
    assert_eq!(h264::parameter_sets(&sets), Some(sets.clone()));
    assert_eq!((h264::parameter_sets(&bare), h264::parameter_sets(delta)), (None, None));
    // To whoever sends they are no frame, and take no picture's time.
    let mut s = Sender::new(Codec::H264, 9, 102, &mut Env::seeded(1));
    let mut stamps = vec![];
    for (n, (data, went)) in
        [(&bare, Ok(Went::Out)), (&sets, Err(SendError::Malformed)), (&bare, Ok(Went::Out))].into_iter().enumerate()
    {
        let frame = OutgoingFrame::video(data.clone(), Duration::from_millis(33));
        assert_eq!(s.frame(&frame, Time::new(n as u64 * 33_000, 0), |p| stamps.push(p.ts)), went);
    }
    stamps.dedup();
    assert_eq!((s.frames(), stamps.len(), stamps[1].wrapping_sub(stamps[0])), (2, 2, 2970));
    // The other way round: a sender that sends them apart, and once.
    let mut a = Assembler::new(Codec::H264).unwrap();
    for set in &units[..2] {
        a.push(set).unwrap();
    }
    assert_eq!(a.finish(), Finished::Nothing);
    for _ in 0..2 {
        let again = joined(&mut a, &packets(Codec::H264, &bare, 500));
        assert!(matches!(again, Ok(Finished::Whole(w)) if w.data == *key && w.key));
    }
}

#[test]
fn h264_parameter_sets_are_kept_up_to_their_limits() {
    let idr = Bytes::from_static(&[0x65, 0x88, 1]);
    let sps = |id: u8, len: usize| {
        let mut b = vec![0x67, 0x42, 0xc0, 0x0c];
        // Exp-Golomb of 0 to 6, in the top bits.
        b.push([0x80, 0x40, 0x60, 0x20, 0x28, 0x30, 0x38][usize::from(id)] | 1);
        b.resize(len, 0x55);
        Bytes::from(b)
    };
    let kept = |sets: &[Bytes]| {
        let mut a = Assembler::new(Codec::H264).unwrap();
        for s in sets {
            a.push(s).unwrap();
        }
        let pps = Bytes::from_static(&[0x68, 0xc0]);
        a.push(&pps).unwrap();
        a.finish();
        a.push(&idr).unwrap();
        match a.finish() {
            Finished::Whole(w) => h264::nal_units(&w.data).count() - 2,
            // Without any it cannot be decoded.
            other => {
                assert_eq!(other, Finished::Damaged);
                0
            }
        }
    };
    assert_eq!(kept(&[sps(0, h264::MAX_PARAMETER_SET_BYTES)]), 1);
    assert_eq!(kept(&[sps(0, h264::MAX_PARAMETER_SET_BYTES + 1)]), 0);
    assert_eq!(kept(&[sps(1, 20), sps(1, 30)]), 1);
    let many: Vec<_> = (0..h264::MAX_PARAMETER_SETS as u8 + 1).map(|n| sps(n, 20)).collect();
    assert_eq!(kept(&many), h264::MAX_PARAMETER_SETS);
    // A key frame whose own sets are too large to be kept has them.
    let mut a = Assembler::new(Codec::H264).unwrap();
    for part in [sps(0, h264::MAX_PARAMETER_SET_BYTES + 1), Bytes::from_static(&[0x68, 0xc0]), idr] {
        a.push(&part).unwrap();
    }
    assert!(matches!(a.finish(), Finished::Whole(w) if w.key));
}

#[test]
fn h264_refuses_what_packetization_mode_1_does_not_have() {
    for bad in [
        &[25, 0, 0][..],
        &[26],
        &[27],
        &[29, 0x80, 1],
        &[24],
        &[24, 0, 9, 1],
        &[24, 0, 0],
        &[28, 0xc5, 1],
        &[28, 0x85],
        &[0, 1],
    ] {
        let mut a = Assembler::new(Codec::H264).unwrap();
        assert_eq!(a.push(&Bytes::copy_from_slice(bad)), Err(Malformed), "{bad:?}");
    }
    // A unit that is open when another begins.
    let mut a = Assembler::new(Codec::H264).unwrap();
    a.push(&Bytes::from_static(&[28, 0x81, 1])).unwrap();
    assert_eq!(a.push(&Bytes::from_static(&[0x41, 1])), Err(Malformed));
    assert!(!h264::packetise(&Bytes::from_static(&[0, 0, 0, 5, 0x41, 2]), 100, |_, _| panic!()));
}

#[test]
fn vp9_descriptors_read_back_and_end_where_the_bytes_do() {
    let group = |t, refs: &[u8]| vp9::GroupPicture { temporal: t, switch_up: t > 0, refs: refs.to_vec() };
    for bits in 0..128_u32 {
        let on = |n: u32| bits >> n & 1 != 0;
        let flexible = on(0);
        let d = vp9::Descriptor {
            picture_id: on(1).then_some(if on(2) { 100 } else { 0x7ffe }),
            short_id: on(1) && on(2),
            predicted: on(3),
            layer: on(4).then_some(vp9::Layer {
                temporal: 2,
                switch_up: on(5),
                spatial: 1,
                inter_layer: true,
                tl0_pic_idx: (!flexible).then_some(9),
            }),
            flexible,
            refs: if flexible && on(3) { vec![1, 64, 127] } else { vec![] },
            begins: on(5),
            ends: !on(5),
            not_for_upper: on(2),
            structure: on(6).then(|| vp9::Structure {
                layers: 2,
                sizes: if on(5) { vec![(320, 180), (640, 360)] } else { vec![] },
                group: vec![group(0, &[4]), group(2, &[1]), group(1, &[2]), group(2, &[1, 3])],
            }),
        };
        let mut b = bytes::BytesMut::new();
        d.write(&mut b);
        let whole = [&b[..], &[0xff; 2]].concat();
        assert_eq!(vp9::picture_id(&whole), d.picture_id.filter(|_| !d.short_id), "{bits:b}");
        assert_eq!(vp9::Descriptor::parse(&b), Some((d, b.len())), "{bits:b}");
        for cut in 0..b.len() {
            assert_eq!(vp9::Descriptor::parse(&b[..cut]), None, "{bits:b} cut at {cut}");
        }
    }
    // One reference more than MAX_P_DIFF, and one to itself.
    assert_eq!(vp9::MAX_P_DIFF, 3);
    assert_eq!(vp9::Descriptor::parse(&[0x50, 3, 5, 7, 8]), None);
    assert_eq!(vp9::Descriptor::parse(&[0x50, 0]), None);
}

#[test]
fn vp9_spatial_layers_go_apart_and_come_back_as_one_superframe() {
    // A key frame of 320×180 and a layer above it that says 640×360 itself.
    let key = real(Codec::Vp9)[0].to_vec();
    let mut upper = crate::media::bits::BitsOut::default();
    for (v, n) in
        [(2, 2), (0, 2), (0, 1), (1, 1), (1, 1), (0, 1), (0, 2), (1, 8), (0, 12), (0, 3), (639, 16), (359, 16)]
    {
        upper.put(v, n);
    }
    let mut upper = upper.finish();
    upper.resize(400, 0x55);
    let mut frame = [key.clone(), upper.clone()].concat();
    let mut index = vec![0xc9];
    for len in [key.len() as u16, 400] {
        index.extend_from_slice(&len.to_le_bytes());
    }
    index.push(0xc9);
    frame.extend_from_slice(&index);
    let frame = Bytes::from(frame);
    let packets = packets(Codec::Vp9, &frame, 1180);
    let d: Vec<_> = packets.iter().map(|p| vp9::Descriptor::parse(&p.0).unwrap().0).collect();
    let first_upper = d.iter().position(|d| d.layer.unwrap().spatial == 1).unwrap();
    assert_eq!(d[0].structure.as_ref().unwrap().sizes, [(320, 180), (640, 360)]);
    assert!(d[first_upper - 1].ends && d[first_upper].begins && d[first_upper].layer.unwrap().inter_layer);
    assert!(packets.iter().rev().skip(1).all(|p| !p.1));
    let mut a = Assembler::new(Codec::Vp9).unwrap();
    let whole = Whole { data: frame, key: true, size: Some((640, 360)) };
    assert_eq!(joined(&mut a, &packets), Ok(Finished::Whole(whole)));
    // The lower layer alone is a picture too; the upper one alone is not.
    let Ok(Finished::Whole(w)) = joined(&mut a, &packets[..first_upper]) else { panic!() };
    assert_eq!(w.data, key);
    assert_eq!(a.push(&packets[1].0).map(|h| h.begins), Ok(Begins::No));
}

#[test]
fn vp9_a_ninth_layer_is_refused() {
    let mut a = Assembler::new(Codec::Vp9).unwrap();
    for spatial in 0..=vp9::MAX_LAYERS as u8 {
        let layer = vp9::Layer { spatial: spatial.min(7), ..Default::default() };
        let d = vp9::Descriptor { layer: Some(layer), begins: true, ends: true, flexible: true, ..Default::default() };
        let mut b = bytes::BytesMut::new();
        d.write(&mut b);
        b.extend_from_slice(&[1, 2]);
        assert_eq!(a.push(&b.freeze()).is_ok(), spatial < vp9::MAX_LAYERS as u8);
    }
}

#[test]
fn av1_packets_as_the_specification_describes_them() {
    let frames = real(Codec::Av1);
    let packets = packets(Codec::Av1, &frames[0], 1180);
    // A new coded video sequence; the sequence header (without size) and the beginning of a frame.
    assert_eq!(packets[0].0[0], 0x40 | 2 << 4 | 8);
    assert_eq!((packets[0].0[1], packets[0].0[2]), (12, 0x08));
    assert!(packets[1..].iter().all(|p| p.0[0] & 0x98 == 0x90));
    let mut a = Assembler::new(Codec::Av1).unwrap();
    // Sizes on the wire, a delimiter and a tile list are read and do not come back; W = 0.
    let p = Bytes::from_static(&[0, 2, 0x12, 0, 4, 0x32, 2, 7, 8, 2, 0x40, 9]);
    a.push(&p).unwrap();
    assert!(matches!(a.finish(), Finished::Whole(w) if w.data[..] == [0x12, 0, 0x32, 2, 7, 8]));
    // Z and N together, an element longer than the packet, fewer elements than W, a fragment of nothing.
    for bad in [&[0x98, 0x30, 1][..], &[0, 9, 1], &[0x20, 1, 0x30], &[0x10]] {
        a.clear();
        assert_eq!(a.push(&Bytes::copy_from_slice(bad)), Err(Malformed), "{bad:?}");
    }
    a.clear();
    a.push(&Bytes::from_static(&[0x50, 0x30, 1])).unwrap();
    assert_eq!(a.finish(), Finished::Damaged);
    for bad in [&[][..], &[0x80], &[0x32, 9, 1], &[0x12, 0]] {
        assert!(!av1::packetise(&Bytes::copy_from_slice(bad), 100, |_, _| panic!()), "{bad:?}");
    }
}
