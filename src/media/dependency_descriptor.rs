//! The dependency descriptor (RTP Payload Format For AV1, appendix A): what a frame leans on, in a header extension, so that a bridge
//! needs not look into the payload. We write those of one spatial layer with up to three temporal ones (L1T1, L1T2, L1T3),
//! which is each encoding of a simulcast too; we read any.

use super::bits::{Bits, BitsOut};
use super::references::{Numbers, Picture, Place};
use super::temporal::Leaning;
use bytes::Bytes;

/// Temporal layers that a descriptor of ours tells apart.
pub const MAX_LAYERS: u8 = 3;
/// Templates of a structure that is read (six bits on the wire).
pub const MAX_TEMPLATES: usize = 64;
/// References of one frame that are read; encoders use at most seven.
pub const MAX_FDIFFS: usize = 16;
/// The longest that is written: with the structure of L1T3 and a resolution.
pub const MAX_WRITTEN: usize = 32;

/// What every frame may be told by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    offset: u8,
    targets: u32,
    templates: Vec<Template>,
    chains: u32,
    /// Of each spatial layer.
    resolutions: Vec<(u32, u32)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Template {
    spatial: u8,
    temporal: u8,
    /// For each target: 0 not present, 1 discardable, 2 switch, 3 required.
    dtis: Vec<u8>,
    fdiffs: Vec<u16>,
    chain_fdiffs: Vec<u8>,
}

/// What one packet says of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub start: bool,
    pub end: bool,
    pub number: u16,
    pub spatial: u8,
    pub temporal: u8,
    /// How many frames back each one is that it leans on.
    pub fdiffs: Vec<u16>,
    /// For each decode target, as in the standard: 0 not present, 1 discardable, 2 switch, 3 required.
    pub dtis: Vec<u8>,
    /// How many frames back the last one of each chain is.
    pub chain_fdiffs: Vec<u8>,
    /// A new structure came with it: a key frame.
    pub structure: Option<Structure>,
    /// The decode targets that are still sent, where it says so.
    pub active_targets: Option<u32>,
}

impl Descriptor {
    /// Reads one. `known`: the structure that came last; without one, only descriptors that bring theirs are understood.
    pub fn parse(p: &[u8], known: Option<&Structure>) -> Option<Descriptor> {
        let mut b = Bits::new(p);
        let (start, end) = (b.bit()?, b.bit()?);
        let template = b.take(6)? as u8;
        let number = b.take(16)? as u16;
        let (mut new, mut active) = (None, None);
        let (mut custom_dtis, mut custom_fdiffs, mut custom_chains) = (false, false, false);
        if p.len() > 3 {
            let (has_structure, has_active) = (b.bit()?, b.bit()?);
            (custom_dtis, custom_fdiffs, custom_chains) = (b.bit()?, b.bit()?, b.bit()?);
            if has_structure {
                new = Some(Structure::parse(&mut b)?);
            }
            if has_active {
                active = Some(b.take(new.as_ref().or(known)?.targets)?);
            }
        }
        let s = new.as_ref().or(known)?;
        let t = s.templates.get(usize::from((template + 64 - s.offset) % 64))?;
        let (mut dtis, mut fdiffs, mut chain_fdiffs) = (t.dtis.clone(), t.fdiffs.clone(), t.chain_fdiffs.clone());
        if custom_dtis {
            for d in &mut dtis {
                *d = b.take(2)? as u8;
            }
        }
        if custom_fdiffs {
            fdiffs.clear();
            loop {
                let size = b.take(2)?;
                if size == 0 {
                    break;
                }
                if fdiffs.len() >= MAX_FDIFFS {
                    return None;
                }
                fdiffs.push(b.take(4 * size)? as u16 + 1);
            }
        }
        if custom_chains {
            for c in &mut chain_fdiffs {
                *c = b.take(8)? as u8;
            }
        }
        let (spatial, temporal) = (t.spatial, t.temporal);
        Some(Descriptor {
            start,
            end,
            number,
            spatial,
            temporal,
            fdiffs,
            dtis,
            chain_fdiffs,
            structure: new,
            active_targets: active,
        })
    }

    /// Whether it begins anew: its structure came with it, and it leans on nothing.
    pub fn is_key(&self) -> bool {
        self.structure.is_some() && self.fdiffs.is_empty()
    }

    /// What the frame leans on, as `references` wants it. `whole`: what is known of the other frames of the same picture.
    pub fn picture(&self, whole: Option<Picture>) -> Picture {
        let mut p = whole.unwrap_or(Picture {
            key: self.is_key(),
            temporal_id: Some(self.temporal),
            place: Place::Numbered(Numbers::new(self.number)),
        });
        if let Place::Numbered(n) = &mut p.place {
            n.add_frame(self.number);
            self.fdiffs.iter().for_each(|d| n.add_reference(self.number.wrapping_sub(*d)));
        }
        p
    }
}

impl Structure {
    /// L1T1, L1T2 or L1T3; `offset` sets its templates apart from those of another structure before it.
    pub fn temporal(layers: u8, offset: u8, resolution: Option<(u16, u16)>) -> Structure {
        let layers = layers.clamp(1, MAX_LAYERS);
        let targets = u32::from(layers);
        // The distances of the usual patterns: 0 0, 0 1 0 1, 0 2 1 2.
        let base = 1_u16 << (layers - 1);
        let template = |temporal: u8, fdiffs: &[u16], chain: u16| Template {
            spatial: 0,
            temporal,
            dtis: (0..layers).map(|target| dti(temporal, target)).collect(),
            fdiffs: fdiffs.to_vec(),
            chain_fdiffs: vec![chain as u8],
        };
        let mut templates = vec![template(0, &[], 0), template(0, &[base], base)];
        match layers {
            2 => templates.push(template(1, &[1], 1)),
            3 => {
                templates.push(template(1, &[2], 2));
                templates.push(template(2, &[1], 1));
                templates.push(template(2, &[1, 3], 3));
            }
            _ => {}
        }
        let resolutions = resolution.iter().map(|r| (u32::from(r.0), u32::from(r.1))).collect();
        Structure { offset: offset & 63, targets, templates, chains: 1, resolutions }
    }

    /// Largest width and height.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.resolutions.last().copied()
    }

    /// Spatial and temporal layers.
    pub fn layers(&self) -> (u8, u8) {
        let most = |f: fn(&Template) -> u8| self.templates.iter().map(f).max().unwrap_or(0) + 1;
        (most(|t| t.spatial), most(|t| t.temporal))
    }

    fn parse(b: &mut Bits) -> Option<Structure> {
        let offset = b.take(6)? as u8;
        let targets = b.take(5)? + 1;
        let mut templates: Vec<Template> = Vec::new();
        let (mut spatial, mut temporal) = (0_u8, 0_u8);
        loop {
            if templates.len() >= MAX_TEMPLATES {
                return None;
            }
            templates.push(Template { spatial, temporal, ..Template::default() });
            match b.take(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
            // Two and three bits on the wire elsewhere.
            if temporal > 7 || spatial > 3 {
                return None;
            }
        }
        for t in &mut templates {
            for _ in 0..targets {
                t.dtis.push(b.take(2)? as u8);
            }
        }
        for t in &mut templates {
            while b.bit()? {
                if t.fdiffs.len() >= MAX_FDIFFS {
                    return None;
                }
                t.fdiffs.push(b.take(4)? as u16 + 1);
            }
        }
        let chains = b.below(targets + 1)?;
        if chains > 0 {
            for _ in 0..targets {
                b.below(chains)?;
            }
            for t in &mut templates {
                for _ in 0..chains {
                    t.chain_fdiffs.push(b.take(4)? as u8);
                }
            }
        }
        let mut resolutions = Vec::new();
        if b.bit()? {
            for _ in 0..=spatial {
                resolutions.push((b.take(16)? + 1, b.take(16)? + 1));
            }
        }
        Some(Structure { offset, targets, templates, chains, resolutions })
    }

    fn write(&self, b: &mut BitsOut) {
        b.put(u32::from(self.offset), 6);
        b.put(self.targets - 1, 5);
        for (t, next) in self.templates.iter().zip(self.templates.iter().skip(1)) {
            let step = if next.spatial > t.spatial { 2 } else { u32::from(next.temporal > t.temporal) };
            b.put(step, 2);
        }
        b.put(3, 2);
        for d in self.templates.iter().flat_map(|t| &t.dtis) {
            b.put(u32::from(*d), 2);
        }
        for t in &self.templates {
            for d in &t.fdiffs {
                b.put(1, 1);
                b.put(u32::from(*d) - 1, 4);
            }
            b.put(0, 1);
        }
        b.put_below(self.chains, self.targets + 1);
        for _ in 0..self.targets {
            b.put_below(0, self.chains);
        }
        for c in self.templates.iter().flat_map(|t| &t.chain_fdiffs) {
            b.put(u32::from(*c), 4);
        }
        b.put(u32::from(!self.resolutions.is_empty()), 1);
        for (w, h) in &self.resolutions {
            b.put(w - 1, 16);
            b.put(h - 1, 16);
        }
    }
}

/// What a frame of a temporal layer is to a decode target of one: not present, discardable, or a place to switch.
fn dti(temporal: u8, target: u8) -> u8 {
    match (temporal, target) {
        (t, d) if d < t => 0,
        (t, d) if d == t && t > 0 => 1,
        _ => 2,
    }
}

/// Writes the descriptors of one encoding.
#[derive(Clone, Debug)]
pub struct Writer {
    structure: Structure,
    number: u16,
    /// Number of the newest frame of the base layer.
    base: u16,
    begun: bool,
}

/// The descriptor of one frame, ready for its packets.
#[derive(Clone, Debug)]
pub struct Written {
    template: u8,
    number: u16,
    structure: Option<Structure>,
    fdiffs: Option<Vec<u16>>,
    chain: Option<u8>,
}

impl Writer {
    /// An encoding with that many temporal layers; frame numbers begin there.
    pub fn new(layers: u8, first_number: u16) -> Writer {
        let number = first_number.wrapping_sub(1);
        Writer { structure: Structure::temporal(layers, 0, None), number, base: number, begun: false }
    }

    /// The next frame. `layers` and `size` count with a key frame: it brings the structure.
    pub fn frame(&mut self, l: &Leaning, key: bool, layers: u8, size: Option<(u16, u16)>) -> Written {
        self.number = self.number.wrapping_add(1);
        if key {
            let s = &self.structure;
            let mut new = Structure::temporal(layers, s.offset, size.filter(|s| s.0 > 0 && s.1 > 0));
            if self.begun && new != *s {
                new.offset = (s.offset + s.templates.len() as u8) % 64;
            }
            self.structure = new;
        }
        let s = &self.structure;
        // A layer above those that the structure has counts as its highest.
        let temporal = l.temporal_id.min(s.targets as u8 - 1);
        let chain = if key { 0 } else { self.number.wrapping_sub(self.base).min(255) as u8 };
        let back = l.back();
        let fits = |t: &&(usize, &Template)| t.1.temporal == temporal;
        let of_layer: Vec<_> = s.templates.iter().enumerate().collect();
        let exact = of_layer.iter().filter(fits).find(|t| t.1.fdiffs == back && t.1.chain_fdiffs == [chain]);
        let near = exact.or_else(|| of_layer.iter().filter(fits).find(|t| t.1.fdiffs == back));
        let chosen = near.or_else(|| of_layer.iter().find(fits));
        let (at, template) = chosen.map_or((0, None), |t| (t.0, Some(t.1)));
        let written = Written {
            template: (at as u8 + s.offset) % 64,
            number: self.number,
            structure: key.then(|| s.clone()),
            fdiffs: template.is_none_or(|t| t.fdiffs != back).then(|| back.to_vec()),
            chain: template.is_none_or(|t| t.chain_fdiffs != [chain]).then_some(chain),
        };
        if l.temporal_id == 0 {
            self.base = self.number;
        }
        self.begun |= key;
        written
    }
}

impl Written {
    /// For one packet: the structure goes with the first.
    pub fn packet(&self, first: bool, last: bool) -> Bytes {
        let mut b = BitsOut::default();
        b.put(u32::from(first), 1);
        b.put(u32::from(last), 1);
        b.put(u32::from(self.template), 6);
        b.put(u32::from(self.number), 16);
        let structure = self.structure.as_ref().filter(|_| first);
        if structure.is_none() && self.fdiffs.is_none() && self.chain.is_none() {
            return b.finish().into();
        }
        b.put(u32::from(structure.is_some()), 1);
        b.put(0, 1);
        b.put(0, 1);
        b.put(u32::from(self.fdiffs.is_some()), 1);
        b.put(u32::from(self.chain.is_some()), 1);
        if let Some(s) = structure {
            s.write(&mut b);
        }
        if let Some(fdiffs) = &self.fdiffs {
            for d in fdiffs {
                // Four, eight or twelve bits; what is further back has been forgotten by every receiver.
                let v = u32::from(*d - 1).min(0xfff);
                let size = if v < 16 { 1 } else { 1 + u32::from(v >= 16) + u32::from(v >= 256) };
                b.put(size, 2);
                b.put(v, 4 * size);
            }
            b.put(0, 2);
        }
        if let Some(c) = self.chain {
            b.put(u32::from(c), 8);
        }
        b.finish().into()
    }
}

/// The descriptor of one frame of L3T3_KEY, for tests: picture `n`, in its temporal layer, that leans on the one so many back.
#[cfg(test)]
pub(super) fn ksvc(n: usize, spatial: u8, (temporal, back): (u8, usize)) -> Bytes {
    let of_layer = |spatial: u8| {
        let key = if spatial == 0 { vec![] } else { vec![1] };
        let of = |temporal, fdiffs: Vec<u16>| Template {
            spatial,
            temporal,
            dtis: (0..9).map(|target| if target / 3 < spatial { 0 } else { 2 }).collect(),
            fdiffs,
            chain_fdiffs: vec![0; 3],
        };
        [of(0, key), of(0, vec![12]), of(1, vec![6]), of(2, vec![3])]
    };
    let templates: Vec<Template> = (0..3).flat_map(of_layer).collect();
    let (offset, number) = (60, (65_530 + 3 * n + usize::from(spatial)) as u16);
    // Of other than key pictures each layer leans on its own alone.
    let kind = if n == 0 { 0 } else { 1 + temporal };
    let fdiffs = Some(vec![3 * back as u16]).filter(|f| n > 0 && *f != templates[usize::from(kind)].fdiffs);
    let sizes = vec![(320, 180), (640, 360), (1280, 720)];
    let structure = Structure { offset, targets: 9, templates, chains: 3, resolutions: sizes };
    let structure = Some(structure).filter(|_| n == 0 && spatial == 0);
    Written { template: (offset + 4 * spatial + kind) % 64, number, structure, fdiffs, chain: None }.packet(true, true)
}

#[cfg(test)]
mod tests {
    use super::super::temporal::Temporal;
    use super::*;
    use crate::env::Env;

    fn run(layers: u8, ids: &[u8]) -> Vec<Descriptor> {
        let (mut t, mut w) = (Temporal::default(), Writer::new(layers, 65_534));
        let mut known = None;
        let mut all = vec![];
        for (n, id) in ids.iter().enumerate() {
            let frame = w.frame(&t.next(*id, n == 0), n == 0, layers, Some((320, 180)));
            for (first, last) in [(true, false), (false, false), (false, true)] {
                let bytes = frame.packet(first, last);
                assert!(bytes.len() <= MAX_WRITTEN, "{}", bytes.len());
                let d = Descriptor::parse(&bytes, known.as_ref()).unwrap();
                assert_eq!((d.start, d.end), (first, last));
                if let Some(s) = &d.structure {
                    assert!(first && n == 0);
                    known = Some(s.clone());
                }
                if first {
                    all.push(d);
                }
            }
        }
        assert_eq!(known.map(|k| (k.layers(), k.size())), Some(((1, layers), Some((320, 180)))));
        all
    }

    #[test]
    fn each_structure_says_what_the_temporal_ids_say() {
        for (layers, ids) in [(1, &[0, 0, 0, 0][..]), (2, &[0, 1, 0, 1, 0]), (3, &[0, 2, 1, 2, 0, 2, 1, 2, 0])] {
            let got = run(layers, ids);
            let mut t = Temporal::default();
            let mut base = 0;
            for (n, (d, id)) in got.iter().zip(ids).enumerate() {
                let l = t.next(*id, n == 0);
                assert_eq!((d.temporal, &d.fdiffs[..]), (*id, l.back()), "{layers} {n}");
                assert_eq!(d.number, 65_534_u16.wrapping_add(n as u16));
                assert_eq!(d.chain_fdiffs, [if n == 0 { 0 } else { n - base } as u8], "{layers} {n}");
                assert_eq!(d.dtis, (0..layers).map(|target| dti(*id, target)).collect::<Vec<_>>());
                assert_eq!(d.is_key(), n == 0);
                base = if *id == 0 { n } else { base };
            }
        }
    }

    #[test]
    fn usual_patterns_take_three_bytes_a_packet() {
        for (layers, ids) in [(1, &[0, 0, 0][..]), (2, &[0, 1, 0, 1]), (3, &[0, 2, 1, 2, 0])] {
            let (mut t, mut w) = (Temporal::default(), Writer::new(layers, 0));
            for (n, id) in ids.iter().enumerate() {
                let f = w.frame(&t.next(*id, n == 0), n == 0, layers, None);
                assert_eq!(f.packet(false, true).len(), 3, "{layers} {n}");
                assert_eq!(f.packet(true, true).len() > 3, n == 0);
            }
        }
    }

    #[test]
    fn unusual_patterns_and_lost_frames_are_written_out() {
        let ids = [0, 1, 2, 2, 2, 0, 0, 1, 1, 0];
        let got = run(3, &ids);
        let mut t = Temporal::default();
        for (n, d) in got.iter().enumerate() {
            assert_eq!(d.fdiffs, t.next(ids[n], n == 0).back(), "{n}");
        }
        // 300 frames above one base picture: eight and twelve bits.
        let many: Vec<u8> = std::iter::once(0).chain([1; 300]).chain([0]).collect();
        let got = run(2, &many);
        assert_eq!(
            (&got[20].fdiffs[..], &got[300].fdiffs[..], &got[301].fdiffs[..]),
            (&[20][..], &[300][..], &[301][..])
        );
        assert_eq!(got[301].chain_fdiffs, [255]);
    }

    #[test]
    fn a_layer_above_the_structure_counts_as_its_highest_and_a_new_structure_has_its_own_templates() {
        let (mut t, mut w) = (Temporal::default(), Writer::new(1, 0));
        let first = Descriptor::parse(&w.frame(&t.next(0, true), true, 1, None).packet(true, true), None).unwrap();
        let above = w.frame(&t.next(1, false), false, 1, None).packet(true, true);
        let d = Descriptor::parse(&above, first.structure.as_ref()).unwrap();
        assert_eq!((d.temporal, &d.fdiffs[..]), (0, &[1][..]));
        let again = w.frame(&t.next(0, true), true, 1, None).packet(true, true);
        assert_eq!(Descriptor::parse(&again, None).unwrap().structure, first.structure);
        let other = Descriptor::parse(&w.frame(&t.next(0, true), true, 2, None).packet(true, true), None).unwrap();
        assert_eq!(other.structure.as_ref().map(|s| s.offset), Some(2));
        let upper = w.frame(&t.next(1, false), false, 2, None).packet(true, true);
        assert_eq!(Descriptor::parse(&upper, first.structure.as_ref()), None);
        assert_eq!(Descriptor::parse(&upper, other.structure.as_ref()).map(|d| d.temporal), Some(1));
    }

    #[test]
    fn any_bytes_are_read_within_the_limits() {
        let mut env = Env::seeded(3);
        let known = Structure::temporal(3, 7, Some((640, 360)));
        let (mut t, mut w) = (Temporal::default(), Writer::new(3, 0));
        let good = w.frame(&t.next(0, true), true, 3, Some((1, 1))).packet(true, true);
        let (mut read, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut b = good.to_vec();
            for _ in 0..env.below(4) {
                let at = env.below(b.len() as u32) as usize;
                b[at] = env.u32() as u8;
            }
            b.truncate(env.below(good.len() as u32 + 1) as usize);
            match Descriptor::parse(&b, Some(&known)) {
                Some(d) => {
                    read += 1;
                    assert!(
                        d.fdiffs.len() <= MAX_FDIFFS && d.structure.is_none_or(|s| s.templates.len() <= MAX_TEMPLATES)
                    );
                }
                None => refused += 1,
            }
        }
        assert!(read > 100 && refused > 100, "{read} {refused}");
    }

    #[test]
    fn more_templates_and_references_than_the_limits_are_refused() {
        let structure = |templates: usize, fdiffs: usize| {
            let mut b = BitsOut::default();
            // First and last, template 0, number 1, a structure follows, offset 0, one target.
            for (v, n) in [(3, 2), (0, 6), (1, 16), (16, 5), (0, 6), (0, 5)] {
                b.put(v, n);
            }
            for n in 1..=templates {
                b.put(if n == templates { 3 } else { 0 }, 2);
            }
            (0..templates).for_each(|_| b.put(2, 2));
            for n in 0..templates {
                (0..if n == 0 { fdiffs } else { 0 }).for_each(|_| b.put(0x10, 5));
                b.put(0, 1);
            }
            // No chain, no resolution.
            b.put(0, 2);
            Descriptor::parse(&b.finish(), None)
        };
        assert!(structure(MAX_TEMPLATES, 0).is_some() && structure(MAX_TEMPLATES + 1, 0).is_none());
        assert!(structure(1, MAX_FDIFFS).is_some() && structure(1, MAX_FDIFFS + 1).is_none());
    }
}
