//! K-SVC, as browsers send VP9 and AV1 (docs/protocol/04 §11.2: L2T3_KEY, L3T3_KEY): spatial layers lean on each other in key pictures alone,
//! so that a bridge forwards of the others only the layer that is wanted. Whatever it forwards and whatever is lost of that, what comes out
//! can be decoded, and nothing is given up that could be.

use super::dependency_descriptor::ksvc;
use super::kind::{Codec, MediaType};
use super::peer::IncomingRtp;
use super::receiver::Receiver;
use super::references::References;
use super::vp9::{Descriptor, Layer, Structure};
use crate::time::Time;
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// The last one leads nowhere, so that every loss is seen by what follows.
const PICTURES: usize = 18;
const LAYERS: u8 = 3;
/// Temporal layers, and how many pictures back each picture leans on.
const PATTERN: [(u8, usize); 4] = [(0, 4), (2, 1), (1, 2), (2, 1)];

fn back(n: usize) -> Option<usize> {
    (n > 0).then(|| PATTERN[n % 4].1)
}

/// What a bridge forwards: all layers; of other than key pictures the wanted layer alone; the lowest alone.
fn forwards(way: u8, n: usize, spatial: u8) -> bool {
    match way {
        0 => true,
        1 => n == 0 || spatial == LAYERS - 1,
        2 => spatial < 2 && (n == 0 || spatial == 1),
        _ => spatial == 0,
    }
}

fn frame(n: usize, spatial: u8) -> Vec<u8> {
    let mut f =
        if n == 0 && spatial == 0 { vec![0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x30] } else { vec![0x86] };
    f.extend_from_slice(&[0x55, n as u8 + 1, spatial + 1]);
    f
}

/// The packets of VP9 that are forwarded, two for each frame of a layer, with their pictures.
fn packets(way: u8) -> Vec<(usize, IncomingRtp)> {
    let mut out: Vec<(usize, IncomingRtp)> = vec![];
    for n in 0..PICTURES {
        for spatial in (0..LAYERS).filter(|s| forwards(way, n, *s)) {
            let data = frame(n, spatial);
            for (first, part) in [(true, &data[..data.len() - 2]), (false, &data[data.len() - 2..])] {
                let layer = Layer {
                    temporal: if n == 0 { 0 } else { PATTERN[n % 4].0 },
                    switch_up: true,
                    spatial,
                    inter_layer: n == 0 && spatial > 0,
                    tl0_pic_idx: None,
                };
                let structure =
                    (n == 0 && spatial == 0 && first).then(|| Structure { layers: LAYERS, ..Structure::default() });
                let d = Descriptor {
                    // Over the end of 15 bits.
                    picture_id: Some((0x7ffa + n as u16) & 0x7fff),
                    predicted: n > 0,
                    layer: Some(layer),
                    flexible: true,
                    refs: back(n).map(|b| b as u8).into_iter().collect(),
                    begins: first,
                    ends: !first,
                    not_for_upper: n > 0,
                    structure,
                    ..Descriptor::default()
                };
                let mut payload = BytesMut::new();
                d.write(&mut payload);
                payload.extend_from_slice(part);
                let arrival = Time::new(1_000_000, 0) + Duration::from_millis(33 * n as u64);
                out.push((
                    n,
                    IncomingRtp {
                        ssrc: 7,
                        pt: 101,
                        seq: 70_000 + out.len() as u64,
                        ts: n as u32 * 2970,
                        marker: false,
                        recovered: false,
                        arrival,
                        waited_us: 0,
                        level: None,
                        mid: None,
                        dependency_descriptor: None,
                        payload: payload.freeze(),
                    },
                ));
            }
        }
        if let Some(last) = out.last_mut() {
            last.1.marker = true;
        }
    }
    out
}

/// The pictures that come out, and whether each has all that was forwarded of it.
fn received(way: u8, lost: Option<usize>) -> (Vec<usize>, Receiver) {
    let mut r = Receiver::new("aa".into(), "aa-v0".into(), MediaType::Video, Duration::ZERO);
    r.set_payload_types(vec![(101, Codec::Vp9)]);
    let mut got = vec![];
    for (_, p) in packets(way).into_iter().enumerate().filter(|(at, _)| Some(*at) != lost).map(|p| p.1) {
        let now = p.arrival;
        r.packet(p, now);
        while let Some(f) = r.poll_frame() {
            let n = (f.rtp_time as u32).wrapping_sub(packets(way)[0].1.ts) as usize / 2970 % 100_000;
            let wanted: Vec<u8> =
                (0..LAYERS).filter(|s| forwards(way, n, *s)).flat_map(|spatial| frame(n, spatial)).collect();
            assert!(f.data.starts_with(&wanted), "{way} {n}");
            assert_eq!(f.key, n == 0);
            got.push(n);
        }
    }
    (got, r)
}

/// The pictures that can be decoded without one.
fn decodable(gone: usize) -> Vec<usize> {
    let mut all = vec![];
    for n in (0..PICTURES).filter(|n| *n != gone) {
        if back(n).is_none_or(|b| all.contains(&(n - b))) {
            all.push(n);
        }
    }
    all
}

#[test]
fn whatever_layers_of_vp9_a_bridge_forwards_every_picture_comes() {
    for way in 0..4 {
        let (got, mut r) = received(way, None);
        assert_eq!(got, (0..PICTURES).collect::<Vec<_>>(), "{way}");
        assert_eq!((r.stats().damaged, r.stats().malformed), (0, 0), "{way}");
        assert_eq!(r.poll_key_frame_request(Time::new(9_000_000, 0)), None, "{way}");
    }
}

#[test]
fn the_loss_of_any_packet_of_vp9_costs_what_leans_on_its_picture_and_no_more() {
    for way in 0..4 {
        for (at, (n, _)) in packets(way).into_iter().enumerate() {
            let (got, mut r) = received(way, Some(at));
            assert_eq!(got, decodable(n), "{way}, {at} of {n}");
            // Of the lowest temporal layer only a key picture helps.
            let asks = r.poll_key_frame_request(Time::new(9_000_000, 0)).is_some();
            assert_eq!(asks, n % 4 == 0, "{way}, {at} of {n}");
        }
    }
}

#[test]
fn the_dependency_descriptors_of_any_forwarded_layers_tell_what_leans_on_what() {
    for way in 0..4 {
        for gone in (0..PICTURES).map(Some).chain([None]) {
            let (mut known, mut references, mut got) = (None, References::default(), vec![]);
            for n in 0..PICTURES {
                let mut picture = None;
                for spatial in (0..LAYERS).filter(|s| forwards(way, n, *s)) {
                    let bytes: Bytes = ksvc(n, spatial, PATTERN[n % 4]);
                    let Some(d) = super::dependency_descriptor::Descriptor::parse(&bytes, known.as_ref()) else {
                        assert_eq!(gone, Some(0), "{way} {n}: only without a structure");
                        continue;
                    };
                    assert_eq!((d.spatial, d.is_key()), (spatial, n == 0 && spatial == 0), "{way} {n}");
                    if gone != Some(n) {
                        known = d.structure.clone().or(known);
                    }
                    picture = Some(d.picture(picture));
                }
                if let Some(p) = picture.filter(|_| gone != Some(n))
                    && references.settle(&p, gone == n.checked_sub(1), true)
                {
                    got.push(n);
                }
            }
            let wanted = gone.map_or((0..PICTURES).collect(), decodable);
            assert_eq!(got, wanted, "{way} without {gone:?}");
        }
    }
}
