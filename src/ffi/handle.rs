//! Handles (design §6): what a C program holds is never an address but a key, type : generation : slot in 8 : 24 : 32 bits
//! (4 : 12 : 16 where pointers have 32), made to look like a typed pointer. A stale, freed, invented or wrong-type handle is
//! found out and refused, never followed.
//!
//! One table per type. A slot grows its generation each time it is freed; when that would wrap, the slot is retired, so no key
//! ever comes back. Only the tables of short-lived objects let it wrap. A look-up takes no lock (`slot.rs`): [`get`] gives the
//! object to somebody, [`hold`] looks at it, which costs half as much.

use super::slot::{GENERATION_BITS, Mark, Owner, Refused, Rest, Slot};
use crate::error::{Code, Error, Stage};
use parking_lot::Mutex;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

#[cfg(target_pointer_width = "64")]
const BITS: (u32, u32, u32) = (8, 24, 32);
#[cfg(target_pointer_width = "32")]
const BITS: (u32, u32, u32) = (4, 12, 16);
const _: () = assert!(BITS.1 <= GENERATION_BITS);

/// Highest generation; 0 is none, so no key is NULL.
const MAX_GENERATION: u32 = (1 << BITS.1) - 1;
/// Slots of the first block; each block is twice the one before.
const FIRST_BLOCK: u32 = 64;
/// Blocks at most: 64 × (2²² − 1) slots, or all that 16 bits can name.
const BLOCKS: usize = if BITS.2 == 32 { 22 } else { 10 };

/// An object behind handles.
pub(super) trait Object: Send + Sync + Sized + 'static {
    /// The opaque C type.
    type Handle;
    /// Where its handles are.
    fn table() -> &'static Table<Self>;
}

/// An object that lives in its slot, because nobody shares it.
pub(super) struct Own<T>(pub T);

impl<T> Deref for Own<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Default)]
struct Free {
    slots: Vec<u32>,
    /// Slots ever used.
    used: u32,
}

/// The handles of one type, and how it keeps its objects: shared, or each as its [`Own`].
pub(super) struct Table<T, P = Arc<T>> {
    kind: u8,
    wraps: bool,
    blocks: [OnceLock<Box<[Slot<P>]>>; BLOCKS],
    /// Puts a free slot where the caller's thread alone finds it, and answers what was there.
    spare: fn(u32) -> u32,
    free: Mutex<Free>,
    of: PhantomData<fn() -> T>,
}

/// No slot: the blocks end before it.
pub(super) const NO_SLOT: u32 = u32::MAX;

#[cold]
fn invalid() -> Error {
    Error::new(Code::InvalidHandle, Stage::None, String::new())
}

impl From<Refused> for Error {
    fn from(r: Refused) -> Error {
        match r {
            Refused::Stale => invalid(),
            Refused::Lent => Error::new(Code::State, Stage::None, "the event belongs to the callback"),
            Refused::TooMany => Error::new(Code::Resources, Stage::None, "too many references"),
        }
    }
}

impl<T, P: Deref<Target = T>> Table<T, P> {
    /// A table for handles of type number `kind`, 1 to 15.
    pub const fn new(kind: u8) -> Table<T, P> {
        assert!(kind > 0 && kind < 16);
        let free = Mutex::new(Free { slots: Vec::new(), used: 0 });
        let blocks = [const { OnceLock::new() }; BLOCKS];
        // No place of the thread's own.
        Table { kind, wraps: false, blocks, spare: |slot| slot, free, of: PhantomData }
    }

    /// The same for short-lived objects: generations wrap instead of using up slots.
    pub const fn wrapping(kind: u8) -> Table<T, P> {
        let mut t = Table::new(kind);
        t.wraps = true;
        t
    }

    /// The same for objects that come and go by the thousand: each thread keeps one free slot, exchanged by `spare`, which answers its
    /// argument when the thread ends; it must be given to [`Table::recycle`] then.
    pub const fn with_spare(kind: u8, spare: fn(u32) -> u32) -> Table<T, P> {
        let mut t = Table::wrapping(kind);
        t.spare = spare;
        t
    }

    /// Block and place of a slot.
    fn place(slot: u32) -> (usize, usize) {
        let block = (slot / FIRST_BLOCK + 1).ilog2();
        let before = FIRST_BLOCK * ((1 << block) - 1);
        (block as usize, (slot - before) as usize)
    }

    fn slot(&self, slot: u32) -> Option<&Slot<P>> {
        let (block, place) = Self::place(slot);
        self.blocks.get(block)?.get()?.get(place)
    }

    fn key(&self, generation: u32, slot: u32) -> usize {
        (usize::from(self.kind) << (BITS.1 + BITS.2)) | ((generation as usize) << BITS.2) | slot as usize
    }

    fn parts(&self, key: usize) -> Option<(u32, u32)> {
        let kind = key >> (BITS.1 + BITS.2);
        let generation = (key >> BITS.2) as u32 & MAX_GENERATION;
        let slot = (key & (usize::MAX >> (BITS.0 + BITS.1))) as u32;
        (kind == usize::from(self.kind)).then_some((generation, slot))
    }

    fn unused(&self) -> Result<u32, Error> {
        let spare = (self.spare)(NO_SLOT);
        if spare != NO_SLOT {
            return Ok(spare);
        }
        let mut free = self.free.lock();
        if let Some(slot) = free.slots.pop() {
            return Ok(slot);
        }
        let slot = free.used;
        let (block, _) = Self::place(slot);
        let Some(cell) = self.blocks.get(block) else {
            return Err(Error::new(Code::Resources, Stage::None, "no handle is left"));
        };
        cell.get_or_init(|| (0..FIRST_BLOCK << block).map(|_| Slot::empty()).collect());
        free.used += 1;
        Ok(slot)
    }

    /// Gives the object a handle.
    pub fn insert(&self, value: P) -> Result<usize, Error> {
        self.insert_for(Owner::Program, value, Mark::default())
    }

    /// The same with what [`Table::mark`] answers.
    #[inline]
    pub fn insert_for(&self, owner: Owner, value: P, mark: Mark) -> Result<usize, Error> {
        let number = self.unused()?;
        // A slot below `used` has its block.
        let slot = self.slot(number).ok_or_else(invalid)?;
        // SAFETY: free, and taken off the list of those.
        let generation = unsafe { slot.fill(value, mark, owner) };
        Ok(self.key(generation, number))
    }

    /// What went with the object at `insert_for`: for a few loads.
    #[inline]
    pub fn mark(&self, key: usize) -> Result<Mark, Error> {
        let (generation, number) = self.parts(key).ok_or_else(invalid)?;
        self.slot(number).and_then(|s| s.mark(generation)).ok_or_else(invalid)
    }

    /// The object of a handle, without a share in it. It lives until it is let go of, also if its handle ends meanwhile.
    pub fn hold(&self, key: usize) -> Result<Held<'_, T, P>, Error> {
        let (generation, number) = self.parts(key).ok_or_else(invalid)?;
        let slot = self.slot(number).ok_or_else(invalid)?;
        slot.hold(generation)?;
        // SAFETY: held until `Held` is dropped. Who holds what lives finds an object.
        let object = unsafe { slot.get() }.map(NonNull::from).ok_or_else(invalid)?;
        Ok(Held { table: self, slot, number, object })
    }

    /// One more reference: the object needs one more [`Table::release`].
    pub fn retain(&self, key: usize) -> Result<(), Error> {
        let (generation, number) = self.parts(key).ok_or_else(invalid)?;
        Ok(self.slot(number).ok_or_else(invalid)?.retain(generation)?)
    }

    /// Gives a reference back. With the last the handle ends; the object is dropped when nobody holds it.
    pub fn release(&self, key: usize, whose: Owner) -> Result<(), Error> {
        let (generation, number) = self.parts(key).ok_or_else(invalid)?;
        let slot = self.slot(number).ok_or_else(invalid)?;
        if slot.release(generation, whose)? == Rest::Ended {
            self.end(slot, number);
        }
        Ok(())
    }

    /// To be called by whom [`Rest::Ended`] was told.
    fn end(&self, slot: &Slot<P>, number: u32) {
        // SAFETY: the caller was told.
        let wrapped = unsafe { slot.end(MAX_GENERATION) };
        if !wrapped || self.wraps {
            let before = (self.spare)(number);
            if before != NO_SLOT {
                self.recycle(before);
            }
        }
    }

    /// A free slot that its thread needs no more.
    pub fn recycle(&self, number: u32) {
        self.free.lock().slots.push(number);
    }
}

impl<T> Table<T> {
    /// The object of a handle, shared.
    pub fn get(&self, key: usize) -> Result<Arc<T>, Error> {
        Ok(self.hold(key)?.share())
    }

    /// Ends a handle and gives its object back, once.
    pub fn remove(&self, key: usize) -> Result<Arc<T>, Error> {
        let object = self.get(key)?;
        self.release(key, Owner::Program)?;
        Ok(object)
    }
}

/// An object that is looked at.
pub(super) struct Held<'a, T, P: Deref<Target = T> = Arc<T>> {
    table: &'a Table<T, P>,
    slot: &'a Slot<P>,
    number: u32,
    /// No reference, which would have to be good until the end of a function that lets it go.
    object: NonNull<P>,
}

impl<T, P: Deref<Target = T>> Deref for Held<'_, T, P> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: held.
        unsafe { self.object.as_ref() }
    }
}

impl<T> Held<'_, T> {
    fn share(&self) -> Arc<T> {
        // SAFETY: held.
        unsafe { self.object.as_ref() }.clone()
    }
}

impl<T, P: Deref<Target = T>> Drop for Held<'_, T, P> {
    fn drop(&mut self) {
        // SAFETY: of our `hold`.
        if unsafe { self.slot.let_go() } == Rest::Ended {
            self.table.end(self.slot, self.number);
        }
    }
}

/// Checks a handle that C gave us.
pub(super) fn get<T: Object>(handle: *const T::Handle) -> Result<Arc<T>, Error> {
    if handle.is_null() {
        return Err(super::args::null());
    }
    T::table().get(handle.addr())
}

/// Checks a handle that C gave us, to look at its object and no more: no user code runs meanwhile.
pub(super) fn hold<T: Object>(handle: *const T::Handle) -> Result<Held<'static, T>, Error> {
    if handle.is_null() {
        return Err(super::args::null());
    }
    T::table().hold(handle.addr())
}

/// Ends a handle. NULL is fine and gives `None`.
pub(super) fn take<T: Object>(handle: *mut T::Handle) -> Result<Option<Arc<T>>, Error> {
    if handle.is_null() {
        return Ok(None);
    }
    T::table().remove(handle.addr()).map(Some)
}

/// Gives an object a handle.
pub(super) fn make<T: Object>(value: Arc<T>) -> Result<*mut T::Handle, Error> {
    T::table().insert(value).map(pointer::<T>)
}

/// A key as C sees it.
pub(super) fn pointer<T: Object>(key: usize) -> *mut T::Handle {
    std::ptr::without_provenance_mut(key)
}

#[cfg(test)]
mod tests {
    use super::super::slot::MAX_RETAINED;
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn mark(n: usize) -> Mark {
        Mark { kind: n as u32, number: n as u64 }
    }

    #[test]
    fn a_handle_works_until_it_is_freed_and_never_again() {
        let t: Table<u32> = Table::new(3);
        let a = t.insert(Arc::new(7)).unwrap();
        assert_ne!(a, 0);
        assert_eq!(*t.get(a).unwrap(), 7);
        assert_eq!(*t.remove(a).unwrap(), 7);
        assert!(t.get(a).is_err() && t.remove(a).is_err());
        let b = t.insert(Arc::new(8)).unwrap();
        assert_ne!(a, b);
        assert!(t.get(a).is_err());
        assert_eq!(*t.get(b).unwrap(), 8);
    }

    #[test]
    fn an_object_of_its_own_lives_in_its_slot() {
        let t: Table<String, Own<String>> = Table::wrapping(3);
        let a = t.insert(Own("a".into())).unwrap();
        assert_eq!(*t.hold(a).unwrap(), "a");
        t.release(a, Owner::Program).unwrap();
        assert!(t.hold(a).is_err() && t.release(a, Owner::Program).is_err());
    }

    #[test]
    fn an_object_is_dropped_once_after_its_last_reference_and_its_last_holder() {
        struct Ends(Arc<()>);
        let (t, ends) = (Table::<Ends, Own<Ends>>::wrapping(3), Arc::new(()));
        let a = t.insert_for(Owner::Callback, Own(Ends(ends.clone())), mark(9)).unwrap();
        t.retain(a).unwrap();
        assert_eq!(t.mark(a), Ok(mark(9)));
        t.release(a, Owner::Callback).unwrap();
        let held = (t.hold(a).unwrap(), t.hold(a).unwrap());
        t.release(a, Owner::Program).unwrap();
        assert!(t.hold(a).is_err() && t.mark(a).is_err() && t.retain(a).is_err());
        assert_eq!(Arc::strong_count(&held.1.0), 2);
        drop(held.0);
        assert_eq!(Arc::strong_count(&ends), 2);
        drop(held.1);
        assert_eq!(Arc::strong_count(&ends), 1);
        assert_eq!(t.insert(Own(Ends(ends))).map(|b| t.parts(b)), Ok(Some((2, 0))), "the slot again");
    }

    #[test]
    fn references_past_their_bound_are_refused() {
        let t: Table<u32> = Table::new(3);
        let a = t.insert(Arc::new(7)).unwrap();
        // Thousands of steps are too many for miri; there the bound stands in the test of the slot.
        let more = if cfg!(miri) { 10 } else { MAX_RETAINED - 1 };
        (0..more).for_each(|_| t.retain(a).unwrap());
        if !cfg!(miri) {
            assert_eq!(t.retain(a).map_err(|e| e.code), Err(Code::Resources));
        }
        (0..more).for_each(|_| t.release(a, Owner::Program).unwrap());
        assert_eq!(*t.remove(a).unwrap(), 7);
    }

    #[test]
    fn another_type_an_invented_key_and_an_unused_slot_are_refused() {
        let (t, other): (Table<u32>, Table<u32>) = (Table::new(3), Table::new(4));
        let a = t.insert(Arc::new(7)).unwrap();
        other.insert(Arc::new(7)).unwrap();
        assert!(other.get(a).is_err());
        for key in [0, 1, usize::MAX, 0xdead_beef, a + 1, a + 64, a | (1 << (BITS.2 - 1)), a ^ (1 << BITS.2)] {
            assert_eq!(t.get(key).map_err(|e| e.code), Err(Code::InvalidHandle), "{key:x}");
        }
    }

    #[test]
    fn a_slot_whose_generation_wraps_is_retired() {
        let t: Table<u32> = Table::new(3);
        let first = t.insert(Arc::new(0)).unwrap();
        t.remove(first).unwrap();
        // The last generation of this slot, reached without four billion steps.
        t.slot(0).unwrap().age(MAX_GENERATION);
        let last = t.insert(Arc::new(0)).unwrap();
        assert_eq!(t.parts(last), Some((MAX_GENERATION, 0)));
        assert!(t.get(first).is_err());
        t.remove(last).unwrap();
        let next = t.insert(Arc::new(1)).unwrap();
        assert_eq!(t.parts(next), Some((1, 1)), "another slot");
        assert!(t.get(first).is_err());
    }

    #[test]
    fn a_wrapping_table_uses_the_slot_again() {
        let t: Table<u32> = Table::wrapping(3);
        let first = t.insert(Arc::new(0)).unwrap();
        t.remove(first).unwrap();
        t.slot(0).unwrap().age(MAX_GENERATION);
        let last = t.insert(Arc::new(0)).unwrap();
        assert_eq!(t.parts(last), Some((MAX_GENERATION, 0)));
        t.remove(last).unwrap();
        let next = t.insert(Arc::new(1)).unwrap();
        assert_eq!(t.parts(next), Some((1, 0)));
    }

    #[test]
    fn blocks_grow_and_all_handles_stay_apart() {
        let t: Table<usize> = Table::new(3);
        let count = if cfg!(miri) { 100 } else { 1000 };
        let keys: Vec<usize> = (0..count).map(|n| t.insert(Arc::new(n)).unwrap()).collect();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(*t.get(*key).unwrap(), n);
        }
        let (block, place) = Table::<u32>::place(FIRST_BLOCK);
        assert_eq!((block, place), (1, 0));
        assert_eq!(Table::<u32>::place(FIRST_BLOCK * 3 - 1), (1, 127));
    }

    #[test]
    fn many_threads_free_each_handle_exactly_once() {
        static TABLE: Table<usize> = Table::new(5);
        let rounds = if cfg!(miri) { 20 } else { 2000 };
        for n in 0..rounds {
            let key = TABLE.insert(Arc::new(n)).unwrap();
            let freed: usize = std::thread::scope(|s| {
                let free = || {
                    let _ = TABLE.get(key).map(|v| assert_eq!(*v, n));
                    usize::from(TABLE.release(key, Owner::Program).is_ok())
                };
                let threads = [s.spawn(free), s.spawn(free)];
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(freed, 1);
        }
    }

    /// A number, and the same number in an allocation: whoever looks at a freed one is found by miri and sanitizers.
    struct Twice(usize, Box<usize>);

    #[test]
    fn threads_that_look_while_another_frees_and_fills_the_slot_see_their_object_or_none() {
        static TABLE: Table<Twice, Own<Twice>> = Table::wrapping(6);
        static NEWEST: AtomicUsize = AtomicUsize::new(0);
        let rounds = if cfg!(miri) { 40 } else { 20_000 };
        let fill = |n: usize| TABLE.insert_for(Owner::Program, Own(Twice(n, Box::new(n))), mark(n)).unwrap();
        std::thread::scope(|s| {
            let look = || {
                while let key @ 1.. = NEWEST.load(Ordering::Acquire) {
                    if let (Ok(found), Ok(held)) = (TABLE.mark(key), TABLE.hold(key)) {
                        assert_eq!((held.0, *held.1), (found.kind as usize, found.number as usize));
                    }
                }
            };
            let mut key = fill(0);
            NEWEST.store(key, Ordering::Release);
            let threads = [s.spawn(look), s.spawn(look)];
            for n in 1..rounds {
                TABLE.release(key, Owner::Program).unwrap();
                key = fill(n);
                NEWEST.store(key, Ordering::Release);
            }
            TABLE.release(key, Owner::Program).unwrap();
            NEWEST.store(0, Ordering::Release);
            threads.into_iter().for_each(|t| t.join().unwrap());
        });
    }

    thread_local! {
        static SPARE: Cell<u32> = const { Cell::new(NO_SLOT) };
    }

    #[test]
    fn a_thread_fills_the_slot_that_it_freed_last_and_gives_others_back() {
        let t: Table<u32> = Table::with_spare(3, |slot| SPARE.replace(slot));
        let keys = [7, 8].map(|n| t.insert(Arc::new(n)).unwrap());
        keys.iter().for_each(|k| drop(t.remove(*k).unwrap()));
        assert_eq!((SPARE.get(), &*t.free.lock().slots), (1, &[0][..]));
        let next = [9, 10].map(|n| t.parts(t.insert(Arc::new(n)).unwrap()));
        assert_eq!(next, [Some((2, 1)), Some((2, 0))]);
        t.recycle(SPARE.replace(NO_SLOT));
    }
}
