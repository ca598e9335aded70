//! One place of a handle table, without a lock: who owns its object and who looks at it is one atomic number,
//! generation : lent : references : holders in 24 : 1 : 19 : 20 bits.
//!
//! An object lives while it has a reference (the program's, or that of a callback it is lent to). Whoever knows the generation may
//! hold it meanwhile; when the last reference goes while it is held, nobody new gets in, and the last holder ends it. So freeing never waits
//! for a call that looks, and such a call never looks at what is gone.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const HOLDERS: u32 = 20;
const REFERENCES: u32 = 19;

const ONE_HOLDER: u64 = 1;
const MAX_HOLDERS: u64 = (1 << HOLDERS) - 1;
const ONE_REFERENCE: u64 = 1 << HOLDERS;
const MAX_REFERENCES: u64 = (1 << REFERENCES) - 1;
const LENT: u64 = 1 << (HOLDERS + REFERENCES);
const GENERATION: u32 = HOLDERS + REFERENCES + 1;

/// References of one object at most, that of a callback not counted, for tests of what is above.
#[cfg(test)]
pub(super) const MAX_RETAINED: u32 = MAX_REFERENCES as u32;
/// Bits of a generation.
pub(super) const GENERATION_BITS: u32 = u64::BITS - GENERATION;

fn generation(word: u64) -> u32 {
    (word >> GENERATION) as u32
}

fn holders(word: u64) -> u64 {
    word & MAX_HOLDERS
}

fn references(word: u64) -> u64 {
    (word >> HOLDERS) & MAX_REFERENCES
}

/// Somebody has a reference, or a callback looks at it.
fn lives(word: u64) -> bool {
    word & (LENT | (MAX_REFERENCES << HOLDERS)) != 0
}

/// Why nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The handle is of nothing that lives.
    Stale,
    /// It is lent, and the caller has no reference to give back.
    Lent,
    /// More holders or references than are counted.
    TooMany,
}

/// Whose the first reference is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Program,
    Callback,
}

/// What a call did to the life of the object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Lives,
    /// The caller must end it: by [`Slot::end`].
    Ended,
}

/// What goes with an object and can be read without holding it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub kind: u32,
    /// All that there is to say of an object that is a number.
    pub number: u64,
}

pub(super) struct Slot<P> {
    word: AtomicU64,
    kind: AtomicU32,
    number: AtomicU64,
    value: UnsafeCell<Option<P>>,
}

// SAFETY: the value is written and dropped by one thread alone (`fill`, `end`), and between those only shared; the word orders them.
unsafe impl<P: Send + Sync> Sync for Slot<P> {}

impl<P> Slot<P> {
    /// An empty place whose first object will have generation 1.
    pub const fn empty() -> Slot<P> {
        let (kind, number) = (AtomicU32::new(0), AtomicU64::new(0));
        Slot { word: AtomicU64::new(1 << GENERATION), kind, number, value: UnsafeCell::new(None) }
    }

    /// Moves an object in, with one reference, and answers its generation.
    ///
    /// # Safety
    /// The place is empty and the caller's alone.
    #[inline]
    pub unsafe fn fill(&self, value: P, mark: Mark, owner: Owner) -> u32 {
        let word = self.word.load(Ordering::Relaxed);
        // Whoever reads of this mark sees at least the generation before this object, and so knows a handle older than that as stale.
        self.kind.store(mark.kind, Ordering::Release);
        self.number.store(mark.number, Ordering::Release);
        // SAFETY: without references nobody gets in, and the caller is alone; nothing is there to be dropped.
        unsafe { self.value.get().write(Some(value)) };
        let first = if owner == Owner::Program { ONE_REFERENCE } else { LENT };
        self.word.store(word | first, Ordering::Release);
        generation(word)
    }

    /// The mark of the object of this generation.
    #[inline]
    pub fn mark(&self, wanted: u32) -> Option<Mark> {
        let there = |order| Some(self.word.load(order)).filter(|w| generation(*w) == wanted && lives(*w));
        there(Ordering::Acquire)?;
        let mark = Mark { kind: self.kind.load(Ordering::Acquire), number: self.number.load(Ordering::Acquire) };
        // Still there: so the mark is not that of a later object.
        there(Ordering::Relaxed).map(|_| mark)
    }

    /// Changes the word while the object of this generation lives.
    fn change(&self, wanted: u32, to: impl Fn(u64) -> Result<u64, Refused>) -> Result<u64, Refused> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if generation(word) != wanted || !lives(word) {
                return Err(Refused::Stale);
            }
            let next = to(word)?;
            match self.word.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(next),
                Err(now) => word = now,
            }
        }
    }

    /// Gets in. The object stays until [`Slot::let_go`].
    pub fn hold(&self, generation: u32) -> Result<(), Refused> {
        let one_more = |w| if holders(w) < MAX_HOLDERS { Ok(w + ONE_HOLDER) } else { Err(Refused::TooMany) };
        self.change(generation, one_more).map(drop)
    }

    /// The object.
    ///
    /// # Safety
    /// The caller holds it as long as it uses it.
    pub unsafe fn get(&self) -> Option<&P> {
        // SAFETY: held, so nobody ends it.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// Undoes [`Slot::hold`].
    ///
    /// # Safety
    /// After a `hold` of the caller's that was not undone.
    pub unsafe fn let_go(&self) -> Rest {
        let before = self.word.fetch_sub(ONE_HOLDER, Ordering::AcqRel);
        rest(before - ONE_HOLDER)
    }

    /// One more reference of the program's.
    pub fn retain(&self, generation: u32) -> Result<(), Refused> {
        let one_more = |w| if references(w) < MAX_REFERENCES { Ok(w + ONE_REFERENCE) } else { Err(Refused::TooMany) };
        self.change(generation, one_more).map(drop)
    }

    /// Gives a reference back.
    pub fn release(&self, generation: u32, whose: Owner) -> Result<Rest, Refused> {
        let fewer = |w| match whose {
            Owner::Callback if w & LENT == 0 => Err(Refused::Stale),
            Owner::Callback => Ok(w & !LENT),
            Owner::Program if references(w) == 0 => Err(Refused::Lent),
            Owner::Program => Ok(w - ONE_REFERENCE),
        };
        self.change(generation, fewer).map(rest)
    }

    /// Drops the object, where it is; then the place is empty and of the next generation, of which there are so many that fit in `max`.
    /// True: they begin anew.
    ///
    /// # Safety
    /// Once after each [`Rest::Ended`], by whom it was told.
    #[inline]
    pub unsafe fn end(&self, max: u32) -> bool {
        let ended = generation(self.word.load(Ordering::Relaxed));
        // SAFETY: without references and holders nobody gets in, and only one was told.
        unsafe { *self.value.get() = None };
        let wrapped = ended == max;
        let next = if wrapped { 1 } else { ended + 1 };
        self.word.store(u64::from(next) << GENERATION, Ordering::Release);
        wrapped
    }

    /// The generation of its next object, in tests.
    #[cfg(test)]
    pub fn age(&self, generation: u32) {
        self.word.store(u64::from(generation) << GENERATION, Ordering::Release);
    }
}

fn rest(word: u64) -> Rest {
    if lives(word) || holders(word) > 0 { Rest::Lives } else { Rest::Ended }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(n: u32) -> Mark {
        Mark { kind: n, number: u64::from(n) << 40 }
    }

    fn filled(owner: Owner) -> (Slot<u32>, u32) {
        let s = Slot::empty();
        // SAFETY: nobody else has it.
        let g = unsafe { s.fill(7, mark(5), owner) };
        (s, g)
    }

    #[test]
    fn what_is_freed_while_it_is_held_lives_until_the_holder_lets_go() {
        let (s, g) = filled(Owner::Program);
        s.hold(g).unwrap();
        assert_eq!(s.release(g, Owner::Program), Ok(Rest::Lives));
        assert_eq!((s.hold(g), s.mark(g)), (Err(Refused::Stale), None));
        assert_eq!(s.release(g, Owner::Program), Err(Refused::Stale));
        // SAFETY: held.
        unsafe {
            assert_eq!(s.get(), Some(&7));
            assert_eq!(s.let_go(), Rest::Ended);
            assert!(!s.end(9));
            assert_eq!(s.fill(8, mark(6), Owner::Program), g + 1);
        }
        assert_eq!((s.mark(g), s.mark(g + 1)), (None, Some(mark(6))));
    }

    #[test]
    fn what_is_lent_is_not_the_programs_to_free_until_it_retains() {
        let (s, g) = filled(Owner::Callback);
        assert_eq!(s.release(g, Owner::Program), Err(Refused::Lent));
        s.retain(g).unwrap();
        assert_eq!(s.release(g, Owner::Callback), Ok(Rest::Lives));
        assert_eq!(s.release(g, Owner::Callback), Err(Refused::Stale));
        assert_eq!(s.release(g, Owner::Program), Ok(Rest::Ended));
    }

    #[test]
    fn holders_and_references_past_their_bounds_are_refused() {
        let (s, g) = filled(Owner::Program);
        // As if all others were there already.
        s.word.fetch_add((MAX_HOLDERS - 1) + (MAX_REFERENCES - 2) * ONE_REFERENCE, Ordering::Relaxed);
        assert_eq!((s.hold(g), s.hold(g)), (Ok(()), Err(Refused::TooMany)));
        assert_eq!((s.retain(g), s.retain(g)), (Ok(()), Err(Refused::TooMany)));
        assert_eq!(s.mark(g), Some(mark(5)));
    }
}
