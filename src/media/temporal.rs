//! Which earlier pictures one of ours leans on, from temporal ids alone. The rule that an encoder has to keep, and that those of
//! WebRTC do: the base layer leans on the base picture before; a picture of an upper layer on the newest pictures of the layers
//! below it, not further back than the newest base picture. VP8's sync bit, VP9's references and the dependency descriptor
//! say the same thing from it.

/// Temporal layers that are told apart (two bits in VP8).
pub const MAX_TEMPORAL_LAYERS: usize = 4;

/// The newest picture of each layer since the newest of the base.
#[derive(Clone, Copy, Debug, Default)]
pub struct Temporal {
    newest: [Option<u64>; MAX_TEMPORAL_LAYERS],
    next: u64,
}

/// What the next picture leans on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaning {
    /// The layer, at most [`MAX_TEMPORAL_LAYERS`] − 1.
    pub temporal_id: u8,
    /// How many pictures back; [`Leaning::back`] gives those that are set.
    refs: [u16; MAX_TEMPORAL_LAYERS],
    count: u8,
    /// An upper layer that leans on the base picture alone.
    pub sync: bool,
}

impl Leaning {
    /// How many pictures back each one is that it leans on, the nearest first.
    pub fn back(&self) -> &[u16] {
        &self.refs[..usize::from(self.count)]
    }
}

impl Temporal {
    /// Takes the next picture.
    pub fn next(&mut self, temporal_id: u8, key: bool) -> Leaning {
        let at = usize::from(temporal_id).min(MAX_TEMPORAL_LAYERS - 1);
        let at = if key { 0 } else { at };
        let number = self.next;
        self.next += 1;
        let mut l = Leaning { temporal_id: at as u8, ..Leaning::default() };
        if !key {
            // A picture of the base leans on the base before.
            let below = &self.newest[..at.max(1)];
            let mut back: Vec<u64> = below.iter().flatten().map(|n| number - n).collect();
            back.sort_unstable();
            for b in back {
                // What is too far back to be said has long been forgotten by every receiver too.
                if let Ok(b) = u16::try_from(b) {
                    l.refs[usize::from(l.count)] = b;
                    l.count += 1;
                }
            }
        }
        l.sync = at > 0 && self.newest[1..at].iter().all(Option::is_none);
        if at == 0 {
            self.newest = [None; MAX_TEMPORAL_LAYERS];
        }
        self.newest[at] = Some(number);
        l
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(ids: &[u8]) -> Vec<(Vec<u16>, bool)> {
        let mut t = Temporal::default();
        let mut key = true;
        ids.iter()
            .map(|id| {
                let l = t.next(*id, std::mem::take(&mut key));
                (l.back().to_vec(), l.sync)
            })
            .collect()
    }

    #[test]
    fn one_layer_leans_on_the_picture_before() {
        assert_eq!(run(&[0, 0, 0]), [(vec![], false), (vec![1], false), (vec![1], false)]);
    }

    #[test]
    fn with_two_layers_every_upper_picture_is_a_sync() {
        let want = [(vec![], false), (vec![1], true), (vec![2], false), (vec![1], true)];
        assert_eq!(run(&[0, 1, 0, 1]), want);
    }

    #[test]
    fn with_three_layers_the_second_picture_of_the_highest_is_no_sync() {
        let want = [(vec![], false), (vec![1], true), (vec![2], true), (vec![1, 3], false), (vec![4], false)];
        assert_eq!(run(&[0, 2, 1, 2, 0]), want);
    }

    #[test]
    fn a_key_picture_leans_on_nothing_and_is_the_base_whatever_it_is_called() {
        let mut t = Temporal::default();
        t.next(0, true);
        t.next(1, false);
        let l = t.next(2, true);
        assert_eq!((l.back(), l.temporal_id, l.sync), (&[][..], 0, false));
        assert_eq!(t.next(1, false).back(), [1]);
        // Past the limit counts as the highest.
        assert_eq!(t.next(9, false).temporal_id, MAX_TEMPORAL_LAYERS as u8 - 1);
    }
}
