//! Handles (design §6): what a C program holds is never an address but a key, type : generation : slot in 8 : 24 : 32 bits
//! (4 : 12 : 16 where pointers have 32), made to look like a typed pointer. A stale, freed, invented or wrong-type handle is
//! found out and refused, never followed.
//!
//! One table per type. A slot grows its generation each time it is freed; when that would wrap, the slot is retired, so no key
//! ever comes back. Only the tables of short-lived objects let it wrap. A look-up takes one lock, that of its slot: [`get`] to
//! give the object to somebody, [`hold`] to look at it, which costs half as much.

use crate::error::{Code, Error, Stage};
use parking_lot::{MappedRwLockReadGuard, Mutex, RwLock, RwLockReadGuard};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

#[cfg(target_pointer_width = "64")]
const BITS: (u32, u32, u32) = (8, 24, 32);
#[cfg(target_pointer_width = "32")]
const BITS: (u32, u32, u32) = (4, 12, 16);

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

struct Content<P> {
    generation: u32,
    value: Option<P>,
}

struct Slot<P>(RwLock<Content<P>>);

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
    /// One free slot before the others: a program that takes an event and frees it needs no more.
    spare: AtomicU32,
    free: Mutex<Free>,
    of: PhantomData<fn() -> T>,
}

/// No slot: the blocks end before it.
const NO_SLOT: u32 = u32::MAX;

fn invalid() -> Error {
    Error::new(Code::InvalidHandle, Stage::None, String::new())
}

impl<T, P: Deref<Target = T>> Table<T, P> {
    /// A table for handles of type number `kind`, 1 to 15.
    pub const fn new(kind: u8) -> Table<T, P> {
        assert!(kind > 0 && kind < 16);
        let free = Mutex::new(Free { slots: Vec::new(), used: 0 });
        let spare = AtomicU32::new(NO_SLOT);
        Table { kind, wraps: false, blocks: [const { OnceLock::new() }; BLOCKS], spare, free, of: PhantomData }
    }

    /// The same for short-lived objects: generations wrap instead of using up slots.
    pub const fn wrapping(kind: u8) -> Table<T, P> {
        let mut t = Table::new(kind);
        t.wraps = true;
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
        let spare = self.spare.swap(NO_SLOT, Ordering::AcqRel);
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
        cell.get_or_init(|| {
            let empty = || Slot(RwLock::new(Content { generation: 1, value: None }));
            (0..FIRST_BLOCK << block).map(|_| empty()).collect()
        });
        free.used += 1;
        Ok(slot)
    }

    /// Gives the object a handle.
    pub fn insert(&self, value: P) -> Result<usize, Error> {
        let slot = self.unused()?;
        // A slot below `used` has its block.
        let Some(cell) = self.slot(slot) else { return Err(invalid()) };
        let mut content = cell.0.write();
        content.value = Some(value);
        Ok(self.key(content.generation, slot))
    }

    /// The object of a handle, without a share in it. The handle cannot be ended meanwhile, nor may it be held twice.
    pub fn hold(&self, key: usize) -> Result<MappedRwLockReadGuard<'_, T>, Error> {
        let (generation, slot) = self.parts(key).ok_or_else(invalid)?;
        let content = self.slot(slot).ok_or_else(invalid)?.0.read();
        RwLockReadGuard::try_map(content, |c| c.value.as_deref().filter(|_| c.generation == generation))
            .map_err(|_| invalid())
    }

    /// Ends a handle and gives its object back, once.
    pub fn remove(&self, key: usize) -> Result<P, Error> {
        self.remove_if(key, |_| Ok(true))?.ok_or_else(invalid)
    }

    /// The same if the object agrees, whom nobody else holds while it decides.
    pub fn remove_if(&self, key: usize, agrees: impl FnOnce(&T) -> Result<bool, Error>) -> Result<Option<P>, Error> {
        let (generation, slot) = self.parts(key).ok_or_else(invalid)?;
        let mut content = self.slot(slot).ok_or_else(invalid)?.0.write();
        if content.generation != generation {
            return Err(invalid());
        }
        if !agrees(content.value.as_deref().ok_or_else(invalid)?)? {
            return Ok(None);
        }
        let value = content.value.take();
        let wrapped = content.generation == MAX_GENERATION;
        content.generation = if wrapped { 1 } else { content.generation + 1 };
        drop(content);
        if !wrapped || self.wraps {
            let before = self.spare.swap(slot, Ordering::AcqRel);
            if before != NO_SLOT {
                self.free.lock().slots.push(before);
            }
        }
        Ok(value)
    }
}

impl<T> Table<T> {
    /// The object of a handle, shared.
    pub fn get(&self, key: usize) -> Result<Arc<T>, Error> {
        let (generation, slot) = self.parts(key).ok_or_else(invalid)?;
        let content = self.slot(slot).ok_or_else(invalid)?.0.read();
        match &content.value {
            Some(v) if content.generation == generation => Ok(v.clone()),
            _ => Err(invalid()),
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
pub(super) fn hold<T: Object>(handle: *const T::Handle) -> Result<Held<T>, Error> {
    if handle.is_null() {
        return Err(super::args::null());
    }
    T::table().hold(handle.addr())
}

/// An object that is looked at.
pub(super) type Held<T> = MappedRwLockReadGuard<'static, T>;

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
    use super::*;

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
    fn an_object_of_its_own_moves_in_and_out() {
        let t: Table<String, Own<String>> = Table::wrapping(3);
        let a = t.insert(Own("a".into())).unwrap();
        assert_eq!(*t.hold(a).unwrap(), "a");
        assert_eq!(t.remove(a).unwrap().0, "a");
        assert!(t.hold(a).is_err() && t.remove(a).is_err());
    }

    #[test]
    fn an_object_may_refuse_to_end() {
        let t: Table<u32> = Table::new(3);
        let a = t.insert(Arc::new(7)).unwrap();
        assert!(t.remove_if(a, |_| Ok(false)).unwrap().is_none());
        assert_eq!(*t.hold(a).unwrap(), 7);
        assert_eq!(t.remove_if(a, |v| Ok(*v == 7)).unwrap().as_deref(), Some(&7));
        assert!(t.hold(a).is_err() && t.remove_if(a, |_| Ok(true)).is_err());
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
        // The last generation of this slot, reached without four billion steps.
        t.slot(0).unwrap().0.write().generation = MAX_GENERATION;
        assert!(t.get(first).is_err());
        let last = t.key(MAX_GENERATION, 0);
        t.remove(last).unwrap();
        let next = t.insert(Arc::new(1)).unwrap();
        assert_eq!(t.parts(next), Some((1, 1)), "another slot");
        assert!(t.get(first).is_err());
    }

    #[test]
    fn a_wrapping_table_uses_the_slot_again() {
        let t: Table<u32> = Table::wrapping(3);
        t.insert(Arc::new(0)).unwrap();
        t.slot(0).unwrap().0.write().generation = MAX_GENERATION;
        t.remove(t.key(MAX_GENERATION, 0)).unwrap();
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
                    usize::from(TABLE.remove(key).is_ok())
                };
                let threads = [s.spawn(free), s.spawn(free)];
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(freed, 1);
        }
    }
}
