//! Which pictures can still be decoded after a loss. A picture says what it leans on in the words of its codec: a count of
//! base-layer pictures with temporal layers (RFC 7741 §4.2, RFC 9628 §4.2), or numbers of pictures (VP9's flexible mode, the AV1
//! dependency descriptor). A lost picture then takes with it only what leans on it; without such words, everything up to the
//! next key frame.

use std::collections::VecDeque;

/// Pictures remembered by number. VP9 refers back at most 127 pictures, encoders of the others a few.
pub const MAX_REMEMBERED: usize = 256;
/// References of one picture that are read: VP9 has 3 in each of 8 spatial layers. A picture with more counts as leaning on all.
pub const MAX_REFERENCES: usize = 24;

/// What a picture is and what it leans on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    pub key: bool,
    pub temporal_id: Option<u8>,
    pub place: Place,
}

/// How a picture names what it leans on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// It does not: anything before.
    #[default]
    Unknown,
    /// The picture belongs to this base-layer picture, and leans on pictures of its own and lower layers.
    Layers {
        base: u8,
        /// It leans on the base-layer picture alone (VP8's Y).
        sync: bool,
        /// Nothing after it leans on what was above its layer before it (VP9's U).
        switch_up: bool,
    },
    Numbered(Numbers),
}

/// The numbers of a picture's frames (one per spatial layer) and of those that they lean on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    own: [u16; 8],
    own_len: u8,
    refs: [u16; MAX_REFERENCES],
    refs_len: u8,
    overflow: bool,
}

impl Numbers {
    /// A picture of one frame so far, that leans on nothing so far.
    pub fn new(number: u16) -> Numbers {
        let mut n = Numbers { own: [0; 8], own_len: 0, refs: [0; MAX_REFERENCES], refs_len: 0, overflow: false };
        n.add_frame(number);
        n
    }

    /// Another frame of the same picture.
    pub fn add_frame(&mut self, number: u16) {
        if self.own().contains(&number) {
            return;
        }
        match self.own.get_mut(usize::from(self.own_len)) {
            Some(slot) => {
                *slot = number;
                self.own_len += 1;
            }
            None => self.overflow = true,
        }
    }

    /// A frame of the picture leans on this one.
    pub fn add_reference(&mut self, number: u16) {
        if self.refs().contains(&number) {
            return;
        }
        match self.refs.get_mut(usize::from(self.refs_len)) {
            Some(slot) => {
                *slot = number;
                self.refs_len += 1;
            }
            None => self.overflow = true,
        }
    }

    fn own(&self) -> &[u16] {
        &self.own[..usize::from(self.own_len)]
    }

    fn refs(&self) -> &[u16] {
        &self.refs[..usize::from(self.refs_len)]
    }
}

/// Every layer can be decoded.
const NONE_BROKEN: u8 = u8::MAX;

/// What can be decoded now.
#[derive(Debug, Default)]
pub struct References {
    /// The lowest temporal layer whose pictures cannot be decoded; 0: none can, before the next key frame.
    broken: u8,
    base: Option<u8>,
    numbers: VecDeque<u16>,
}

impl References {
    /// Nothing can be decoded before the next key frame.
    pub fn reset(&mut self) {
        *self = References::default();
    }

    /// Whether only a key frame helps.
    pub fn needs_key(&self) -> bool {
        self.broken == 0
    }

    /// Whether this picture can be decoded. `hole`: packets before its first are lost, of pictures that nobody knows;
    /// `whole`: none of its own is.
    pub fn settle(&mut self, p: &Picture, hole: bool, whole: bool) -> bool {
        if p.key && whole {
            self.broken = NONE_BROKEN;
            self.base = match p.place {
                Place::Layers { base, .. } => Some(base),
                _ => None,
            };
            self.numbers.clear();
            if let Place::Numbered(n) = &p.place {
                self.remember(n);
            }
            return true;
        }
        match &p.place {
            Place::Numbered(n) if !n.overflow => self.numbered(p, n, whole),
            Place::Layers { base, sync, switch_up } => {
                self.layered(p.temporal_id.unwrap_or(0), *base, (*sync, *switch_up), hole, whole)
            }
            _ => {
                if hole || !whole {
                    self.broken = 0;
                }
                self.broken != 0
            }
        }
    }

    fn layered(&mut self, tid: u8, base: u8, (sync, switch_up): (bool, bool), hole: bool, whole: bool) -> bool {
        if hole {
            let expected = self.base.map(|b| if tid == 0 { b.wrapping_add(1) } else { b });
            // A lost base picture would have counted the base on; so only upper layers were lost.
            let only_above = expected == Some(base);
            self.broken = if only_above { self.broken.min(1) } else { 0 };
        }
        if !whole {
            self.broken = self.broken.min(tid);
            return false;
        }
        if self.broken == 0 {
            return false;
        }
        if tid == 0 {
            self.base = Some(base);
        } else if self.base.is_some_and(|b| b != base) || !(sync || tid < self.broken) {
            self.broken = self.broken.min(tid);
            return false;
        }
        if switch_up {
            self.broken = if self.broken > tid { NONE_BROKEN } else { self.broken };
        }
        if self.broken == tid && tid > 0 {
            self.broken = if switch_up { NONE_BROKEN } else { tid + 1 };
        }
        true
    }

    fn numbered(&mut self, p: &Picture, n: &Numbers, whole: bool) -> bool {
        let there = |r: &u16| n.own().contains(r) || self.numbers.contains(r);
        // A picture that leans on nothing and is no key frame has lost its references with the descriptor that named them.
        let decodable = whole && !self.numbers.is_empty() && n.refs().iter().all(there);
        if decodable {
            self.remember(n);
        }
        if p.temporal_id.unwrap_or(0) == 0 {
            self.broken = if decodable { NONE_BROKEN } else { 0 };
        }
        decodable
    }

    fn remember(&mut self, n: &Numbers) {
        for number in n.own() {
            if self.numbers.len() >= MAX_REMEMBERED {
                self.numbers.pop_front();
            }
            self.numbers.push_back(*number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(base: u8) -> Picture {
        Picture { key: true, ..layer(0, base, false) }
    }

    fn layer(tid: u8, base: u8, sync: bool) -> Picture {
        Picture { key: false, temporal_id: Some(tid), place: Place::Layers { base, sync, switch_up: false } }
    }

    fn numbered(tid: u8, own: u16, refs: &[u16]) -> Picture {
        let mut n = Numbers::new(own);
        refs.iter().for_each(|r| n.add_reference(*r));
        Picture { key: false, temporal_id: Some(tid), place: Place::Numbered(n) }
    }

    #[test]
    fn nothing_is_decodable_before_a_key_frame_and_everything_after_it() {
        let mut r = References::default();
        assert!(!r.settle(&layer(0, 4, false), false, true) && r.needs_key());
        assert!(r.settle(&key(5), true, true) && !r.needs_key());
        for p in [layer(1, 5, true), layer(0, 6, false), layer(1, 6, false)] {
            assert!(r.settle(&p, false, true));
        }
    }

    #[test]
    fn a_lost_upper_picture_costs_its_layer_up_to_a_sync_and_no_key_frame() {
        let mut r = References::default();
        r.settle(&key(255), false, true);
        // Lost between: a picture of layer 1. The base counts on over its end.
        assert!(r.settle(&layer(0, 0, false), true, true));
        assert!(!r.settle(&layer(1, 0, false), false, true));
        assert!(r.settle(&layer(0, 1, false), false, true));
        assert!(r.settle(&layer(1, 1, true), false, true));
        assert!(r.settle(&layer(1, 1, false), false, true));
        assert!(!r.needs_key());
    }

    #[test]
    fn a_lost_base_picture_costs_all_up_to_a_key_frame() {
        let mut r = References::default();
        r.settle(&key(1), false, true);
        assert!(!r.settle(&layer(1, 2, true), true, true) && r.needs_key());
        assert!(!r.settle(&layer(0, 3, false), false, true));
        assert!(r.settle(&key(4), false, true));
        assert!(!r.settle(&layer(0, 5, false), false, false) && r.needs_key());
    }

    #[test]
    fn a_damaged_picture_of_the_highest_of_three_layers_costs_that_layer_alone() {
        let mut r = References::default();
        r.settle(&key(1), false, true);
        assert!(!r.settle(&layer(2, 1, true), false, false));
        assert!(r.settle(&layer(1, 1, false), false, true));
        assert!(!r.settle(&layer(2, 1, false), false, true));
        assert!(r.settle(&layer(0, 2, false), false, true));
        assert!(r.settle(&layer(2, 2, true), false, true));
        assert!(r.settle(&layer(2, 2, false), false, true));
    }

    #[test]
    fn a_switching_up_point_mends_every_layer_above_it() {
        let mut r = References::default();
        r.settle(&key(1), false, true);
        assert!(!r.settle(&layer(1, 1, false), false, false));
        let up = Picture { place: Place::Layers { base: 2, sync: false, switch_up: true }, ..layer(0, 2, false) };
        assert!(r.settle(&up, false, true));
        assert!(r.settle(&layer(1, 2, false), false, true));
    }

    #[test]
    fn numbers_say_exactly_what_is_lost() {
        let mut r = References::default();
        let mut first = numbered(0, 65_535, &[]);
        assert!(!r.settle(&first, false, true));
        first.key = true;
        assert!(r.settle(&first, false, true));
        // 0 is lost; 1 leans on it, 2 does not.
        assert!(!r.settle(&numbered(2, 1, &[0]), true, true) && !r.needs_key());
        assert!(r.settle(&numbered(1, 2, &[65_535]), false, true));
        assert!(!r.settle(&numbered(0, 3, &[1]), false, true) && r.needs_key());
        assert!(r.settle(&numbered(0, 4, &[2]), false, true) && !r.needs_key());
    }

    #[test]
    fn a_picture_with_more_references_than_are_read_leans_on_all() {
        let mut r = References::default();
        let mut k = numbered(0, 0, &[]);
        k.key = true;
        r.settle(&k, false, true);
        let at: Vec<u16> = (0..MAX_REFERENCES as u16).map(|n| n + 1).collect();
        assert!(!r.settle(&numbered(1, 100, &at), false, true));
        let past: Vec<u16> = (0..=MAX_REFERENCES as u16).map(|n| n + 1).collect();
        assert!(r.settle(&numbered(0, 101, &past), false, true));
        assert!(!r.settle(&numbered(0, 102, &past), true, true) && r.needs_key());
    }

    #[test]
    fn numbers_are_forgotten_past_their_bound() {
        let mut r = References::default();
        let mut k = numbered(0, 0, &[]);
        k.key = true;
        r.settle(&k, false, true);
        for n in 1..MAX_REMEMBERED as u16 {
            assert!(r.settle(&numbered(0, n, &[n - 1]), false, true));
        }
        assert!(r.settle(&numbered(1, 500, &[0]), false, true));
        assert!(!r.settle(&numbered(1, 501, &[0]), false, true));
    }

    #[test]
    fn without_words_a_loss_costs_all_up_to_a_key_frame() {
        let mut r = References::default();
        let p = Picture::default();
        r.settle(&Picture { key: true, ..p }, false, true);
        assert!(r.settle(&p, false, true));
        assert!(!r.settle(&p, true, true));
        assert!(!r.settle(&p, false, true) && r.needs_key());
    }
}
