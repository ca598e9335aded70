//! What comes in from C and goes out to it: strings, structs with their `struct_size`, out-parameters (design §5.9, §6).

use crate::error::{Code, Error, Stage};
use parking_lot::Mutex;
use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// Largest `struct_size` believed: anything above is an uninitialised struct.
const MAX_STRUCT_SIZE: usize = 4096;

/// A string of the library: UTF-8, `size` bytes, followed by a NUL that `size` does not count. `data` is never NULL. It lives
/// as long as the object or event that it came from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_str {
    pub data: *const c_char,
    pub size: usize,
}

/// Bytes of the library, such as a media frame. `data` is never NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_bytes {
    pub data: *const u8,
    pub size: usize,
}

impl jmeet_str {
    pub(super) const EMPTY: jmeet_str = jmeet_str { data: c"".as_ptr(), size: 0 };
}

pub(super) fn fault(code: Code, text: &str) -> Error {
    Error::new(code, Stage::None, text)
}

pub(super) fn null() -> Error {
    fault(Code::Null, "a required pointer is NULL")
}

/// A required string.
///
/// # Safety
/// NULL, or a NUL-terminated string.
pub(super) unsafe fn text<'a>(p: *const c_char) -> Result<&'a str, Error> {
    if p.is_null() {
        return Err(null());
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(p) }.to_str().map_err(|_| fault(Code::InvalidUtf8, "a string is not UTF-8"))
}

/// An optional string: NULL is empty.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn optional(p: *const c_char) -> Result<String, Error> {
    if p.is_null() {
        return Ok(String::new());
    }
    // SAFETY: the caller's promise.
    unsafe { text(p) }.map(str::to_owned)
}

/// Writes an out-parameter that may not be NULL. To be checked with [`required`] before anything is done.
///
/// # Safety
/// NULL, or valid for a write.
pub(super) unsafe fn out<T>(p: *mut T, value: T) -> Result<(), Error> {
    required(p)?;
    // SAFETY: not NULL, and the caller's promise. Unaligned because C programs pack structs.
    unsafe { p.write_unaligned(value) };
    Ok(())
}

pub(super) fn required<T>(p: *const T) -> Result<(), Error> {
    if p.is_null() { Err(null()) } else { Ok(()) }
}

/// A boolean argument: everything but 0 is true.
pub(super) fn truth(n: u32) -> bool {
    n != 0
}

pub(super) fn out_of_range() -> Error {
    fault(Code::InvalidArgument, "there are not so many")
}

/// As `timeout_ms`: no limit. Every negative number means the same.
pub const JMEET_FOREVER: i32 = -1;

/// A time as `_us` values carry it.
pub(super) fn micros(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

/// `timeout_ms` as in every waiting function: negative waits for ever, 0 does not wait.
pub(super) fn timeout(ms: i32) -> Option<std::time::Duration> {
    u64::try_from(ms).ok().map(std::time::Duration::from_millis)
}

/// A struct that starts with `uint32_t struct_size` and is valid when all its bytes are zero.
///
/// # Safety
/// `#[repr(C)]`, first field `struct_size: u32`, every field a number, a pointer or a struct of those.
pub(super) unsafe trait Struct: Copy {
    /// Where its fields ended in released headers, before more were added. No other size is taken: it would end within a field.
    const OLDER: &[usize] = &[];
}

/// What is to be known of a struct's type: the rest is done once for all of them, and not in the size of sixty copies.
#[derive(Clone, Copy)]
struct Sizes {
    current: usize,
    align: usize,
    older: &'static [usize],
}

impl Sizes {
    const fn of<T: Struct>() -> Sizes {
        Sizes { current: size_of::<T>(), align: align_of::<T>(), older: T::OLDER }
    }

    /// How much is known of a struct of this size; none when no header, of this release, one before or one to come, gives it that.
    fn known(self, size: usize) -> Option<usize> {
        if (self.current..=MAX_STRUCT_SIZE).contains(&size) {
            return Some(self.current);
        }
        // Padding behind the last field of then is where the next one is now.
        self.older.iter().copied().find(|end| end.next_multiple_of(self.align) == size)
    }

    /// Checks `struct_size` and that what we do not know is zero; how much of the struct both sides know.
    ///
    /// # Safety
    /// NULL, or a struct of the size that its first field says.
    unsafe fn check(self, p: *const u8) -> Result<usize, Error> {
        required(p)?;
        // SAFETY: the caller promised a struct that begins with its size.
        let size = unsafe { p.cast::<u32>().read_unaligned() } as usize;
        let Some(known) = self.known(size) else {
            return Err(fault(Code::InvalidArgument, "struct_size is wrong: use the INIT macro or the init function"));
        };
        if size > self.current {
            // SAFETY: the caller says that the struct is this long.
            let rest = unsafe { std::slice::from_raw_parts(p.add(self.current), size - self.current) };
            if rest.iter().any(|b| *b != 0) {
                return Err(fault(Code::Unsupported, "the struct uses fields that this library does not know"));
            }
        }
        Ok(known)
    }

    /// # Safety
    /// As [`options`]; `to` and `from` are of the type.
    unsafe fn read(self, from: *const u8, to: *mut u8) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe {
            let size = self.check(from)?;
            std::ptr::copy_nonoverlapping(from, to, size);
        }
        Ok(())
    }

    /// # Safety
    /// As [`fill`]; `to` and `from` are of the type.
    unsafe fn write(self, to: *mut u8, from: *const u8) -> Result<(), Error> {
        const HEAD: usize = size_of::<u32>();
        // SAFETY: the caller's promise.
        unsafe {
            let size = self.check(to)?;
            std::ptr::copy_nonoverlapping(from.add(HEAD), to.add(HEAD), size - HEAD);
        }
        Ok(())
    }

    /// # Safety
    /// As [`init`].
    unsafe fn clear(self, p: *mut u8, size: usize) -> Result<(), Error> {
        required(p)?;
        if self.known(size).is_none() {
            return Err(fault(Code::InvalidArgument, "size is not that of the struct"));
        }
        // SAFETY: the caller's promise.
        unsafe {
            p.write_bytes(0, size);
            p.cast::<u32>().write_unaligned(size as u32);
        }
        Ok(())
    }
}

/// Reads an options struct of any version.
///
/// # Safety
/// NULL, or a struct of the size that its first field says.
pub(super) unsafe fn options<T: Struct>(p: *const T) -> Result<T, Error> {
    let mut value: MaybeUninit<T> = MaybeUninit::zeroed();
    // SAFETY: the caller's promise; all-zero is a value of T.
    unsafe {
        Sizes::of::<T>().read(p.cast(), value.as_mut_ptr().cast())?;
        Ok(value.assume_init())
    }
}

/// The same where NULL means all defaults.
///
/// # Safety
/// As [`options`].
pub(super) unsafe fn options_or_default<T: Struct>(p: *const T) -> Result<T, Error> {
    if p.is_null() {
        // SAFETY: all-zero is a value of T.
        return Ok(unsafe { MaybeUninit::zeroed().assume_init() });
    }
    // SAFETY: the caller's promise.
    unsafe { options(p) }
}

/// Checks an info struct before anything is done for it.
///
/// # Safety
/// As [`options`].
pub(super) unsafe fn writable<T: Struct>(p: *const T) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { Sizes::of::<T>().check(p.cast()) }.map(drop)
}

/// Fills an info struct of any version; its `struct_size` stays what the caller wrote.
///
/// # Safety
/// NULL, or a struct of the size that its first field says, valid for writes.
pub(super) unsafe fn fill<T: Struct>(p: *mut T, value: T) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { Sizes::of::<T>().write(p.cast(), (&raw const value).cast()) }
}

/// The `_init` functions: all zero but the size.
///
/// # Safety
/// NULL, or valid for `size` bytes of writes.
pub(super) unsafe fn init<T: Struct>(p: *mut T, size: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { Sizes::of::<T>().clear(p.cast(), size) }
}

/// The strings of one object as C wants them, made at the first question and kept as long as the object.
#[derive(Default)]
pub(super) struct Texts(OnceLock<Box<[u8]>>);

/// Strings of one object; the compiler refuses more.
const TEXTS: usize = 5;

/// Before the strings: where the NUL of each is. In the same memory, for objects with strings come and go by the thousand.
const ENDS: usize = TEXTS * END;
const END: usize = size_of::<usize>();

impl Texts {
    /// String number `n` of `all`. Every call must give the same strings.
    pub fn get<const N: usize>(&self, all: [&str; N]) -> [jmeet_str; N] {
        const { assert!(N <= TEXTS) };
        let made = self.0.get_or_init(|| {
            let mut bytes = Vec::with_capacity(ENDS + all.iter().map(|s| s.len() + 1).sum::<usize>());
            bytes.resize(ENDS, 0);
            for (n, s) in all.iter().enumerate() {
                bytes.extend_from_slice(s.as_bytes());
                let end = bytes.len();
                bytes[n * END..][..END].copy_from_slice(&end.to_ne_bytes());
                bytes.push(0);
            }
            bytes.into()
        });
        let mut start = ENDS;
        let mut out = [jmeet_str::EMPTY; N];
        for (o, end) in out.iter_mut().zip(made[..ENDS].as_chunks::<END>().0) {
            let end = usize::from_ne_bytes(*end);
            *o = jmeet_str { data: made[start..end].as_ptr().cast(), size: end - start };
            start = end + 1;
        }
        out
    }
}

/// Different strings kept by one object at most.
const MAX_KEPT: usize = 64;

/// Strings that may change, each kept as long as the object so that no earlier answer dangles. They change once per rejoin.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<Box<[u8]>>>);

impl Kept {
    pub fn keep(&self, s: &str) -> Result<jmeet_str, Error> {
        let mut all = self.0.lock();
        let at = match all.iter().position(|k| k[..k.len() - 1] == *s.as_bytes()) {
            Some(at) => at,
            None if all.len() == MAX_KEPT => return Err(fault(Code::Resources, "too many different strings")),
            None => {
                all.push(s.bytes().chain([0]).collect());
                all.len() - 1
            }
        };
        Ok(jmeet_str { data: all[at].as_ptr().cast(), size: s.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Sample {
        struct_size: u32,
        number: u32,
        pointer: *const c_char,
    }

    // SAFETY: as the trait asks.
    unsafe impl Struct for Sample {
        const OLDER: &[usize] = &[OLDER];
    }

    const OLDER: usize = std::mem::offset_of!(Sample, pointer);

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Newer {
        known: Sample,
        extra: u64,
    }

    fn newer(struct_size: usize, extra: u64) -> Newer {
        Newer { known: Sample { struct_size: struct_size as u32, number: 5, pointer: c"x".as_ptr() }, extra }
    }

    fn read(n: &Newer) -> Result<Sample, Code> {
        // SAFETY: the sizes given are within `Newer`, or refused before they are used.
        unsafe { options((&raw const *n).cast::<Sample>()) }.map_err(|e| e.code)
    }

    #[test]
    fn older_structs_are_read_as_far_as_they_go() {
        let s = read(&newer(OLDER, 0)).unwrap();
        assert_eq!(s.number, 5);
        assert!(s.pointer.is_null());
        assert!(!read(&newer(size_of::<Sample>(), 9)).unwrap().pointer.is_null());
    }

    #[test]
    fn padding_behind_an_older_struct_is_not_read_as_what_is_there_now() {
        #[repr(C)]
        #[derive(Clone, Copy)]
        struct Grown {
            struct_size: u32,
            number: u32,
            wide: u64,
            last: u32,
            // Where the first release had padding.
            added: u32,
            more: u64,
        }
        // SAFETY: as the trait asks.
        unsafe impl Struct for Grown {
            const OLDER: &[usize] = &[std::mem::offset_of!(Grown, added)];
        }
        let end = std::mem::offset_of!(Grown, added);
        let struct_size = end.next_multiple_of(align_of::<Grown>()) as u32;
        let old = Grown { struct_size, number: 1, wide: 2, last: 3, added: 9, more: 9 };
        // SAFETY: it is longer than it says.
        let read = unsafe { options(&raw const old) }.unwrap();
        assert_eq!((read.last, read.added, read.more), (3, 0, 0));
        assert_eq!(Sizes::of::<Grown>().known(end + 1), None);
    }

    #[test]
    fn newer_structs_are_taken_while_the_rest_is_zero() {
        assert!(read(&newer(size_of::<Newer>(), 0)).is_ok());
        assert_eq!(read(&newer(size_of::<Newer>(), 1)).err(), Some(Code::Unsupported));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for size in [0, 1, 4, OLDER - 1, OLDER + 1, size_of::<Sample>() - 1, MAX_STRUCT_SIZE + 1, u32::MAX as usize] {
            assert_eq!(read(&newer(size, 0)).err(), Some(Code::InvalidArgument), "{size}");
        }
        // SAFETY: NULL is allowed.
        let null = unsafe { options::<Sample>(std::ptr::null()) };
        assert_eq!(null.err().map(|e| e.code), Some(Code::Null));
    }

    #[test]
    fn filling_keeps_the_callers_size_and_writes_no_further() {
        let mut n = newer(OLDER, 77);
        let value = Sample { struct_size: 0, number: 6, pointer: std::ptr::null() };
        // SAFETY: within `Newer`.
        unsafe { fill((&raw mut n).cast::<Sample>(), value) }.unwrap();
        assert_eq!((n.known.struct_size as usize, n.known.number, n.extra), (OLDER, 6, 77));
        assert!(!n.known.pointer.is_null());
    }

    #[test]
    fn init_zeroes_all_and_sets_the_size() {
        let mut n = newer(1, 77);
        // SAFETY: within `Newer`.
        unsafe { init((&raw mut n).cast::<Sample>(), size_of::<Newer>()) }.unwrap();
        assert_eq!((n.known.struct_size as usize, n.known.number, n.extra), (size_of::<Newer>(), 0, 0));
        // SAFETY: refused before anything is written.
        assert!(unsafe { init((&raw mut n).cast::<Sample>(), 3) }.is_err());
    }

    #[test]
    fn strings_are_nul_terminated_and_stay_where_they_are() {
        let t = Texts::default();
        let [a, b, c] = t.get(["hello", "", "wörld"]);
        assert_eq!((a.size, b.size, c.size), (5, 0, 6));
        // SAFETY: what `get` promises.
        unsafe {
            assert_eq!(text(a.data).unwrap(), "hello");
            assert_eq!(text(b.data).unwrap(), "");
            assert_eq!(text(c.data).unwrap(), "wörld");
        }
        assert_eq!(t.get(["hello", "", "wörld"])[2].data, c.data);
        assert_eq!(jmeet_str::EMPTY.size, 0);
    }

    #[test]
    fn kept_strings_stay_and_are_bounded() {
        let k = Kept::default();
        let a = k.keep("a").unwrap();
        for n in 1..MAX_KEPT {
            k.keep(&n.to_string()).unwrap();
        }
        assert!(k.keep("one more").is_err());
        assert_eq!(k.keep("a").unwrap().data, a.data);
        // SAFETY: kept.
        assert_eq!(unsafe { text(a.data) }.unwrap(), "a");
    }

    #[test]
    fn bad_utf8_is_refused() {
        // SAFETY: NUL-terminated.
        let r = unsafe { text(c"\xff\xfe".as_ptr()) };
        assert_eq!(r.err().map(|e| e.code), Some(Code::InvalidUtf8));
    }
}
