//! What the fuzz target knows of the handles that it holds, of what is wrong with an argument, and of what the header promises.

use super::super::args::jmeet_str;
use super::super::status::{jmeet_status, jmeet_status_name};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_char};
use std::ptr::null;
use std::sync::OnceLock;

/// How often each function was called in this process: taken, and refused.
static CALLED: Mutex<BTreeMap<&str, [u64; 2]>> = Mutex::new(BTreeMap::new());

pub(super) fn called(name: &'static str, taken: bool) {
    CALLED.lock().entry(name).or_default()[usize::from(!taken)] += 1;
}

pub(super) fn all_called<const N: usize>(names: [&'static str; N], taken: bool) {
    names.into_iter().for_each(|name| called(name, taken));
}

/// The functions that were called, with how often they were taken and refused.
#[cfg(test)]
pub(super) fn calls_so_far() -> BTreeMap<&'static str, [u64; 2]> {
    CALLED.lock().clone()
}

/// Room for any struct of the header, and for what an odd `struct_size` claims.
const BUFFER_WORDS: usize = 1024;

/// What a handle is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Runtime,
    Queue,
    Client,
    Room,
    Track,
    Writer,
    Reader,
    Event,
    Error,
    People,
    Tracks,
    Person,
    Kept,
    Stats,
}

/// What is known of a handle that the library gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    Alive,
    /// Another thread of the library may end it.
    Maybe,
    Ended,
}

pub(super) struct Held {
    pub kind: Kind,
    pub life: Life,
    /// The client or runtime that it ends with; 0: none.
    pub parent: usize,
    /// Of an event.
    pub references: u32,
    /// Of an event: a callback may still be looking at it.
    pub lent: bool,
}

/// A handle as an argument, and what may come of it.
#[derive(Clone, Copy)]
pub(super) struct Handle {
    pub key: usize,
    pub life: Life,
}

impl Handle {
    pub fn get<T>(self) -> *mut T {
        std::ptr::without_provenance_mut(self.key)
    }
}

/// What is wrong with the arguments of one call, as statuses.
#[derive(Default)]
pub(super) struct Wrong {
    pub certain: BTreeSet<&'static str>,
    pub possible: BTreeSet<&'static str>,
}

impl Wrong {
    pub fn is(&mut self, status: &'static str) {
        self.certain.insert(status);
    }

    /// A value that is no handle may be refused too; which of several faults is told first is nobody's business.
    pub fn may_be(&mut self, statuses: &[&'static str]) {
        self.possible.extend(statuses);
    }

    pub fn handle(&mut self, h: Handle) -> Handle {
        match h.life {
            _ if h.key == 0 => self.is("ERR_NULL"),
            Life::Ended => self.is("ERR_INVALID_HANDLE"),
            Life::Maybe => drop(self.possible.insert("ERR_INVALID_HANDLE")),
            Life::Alive => {}
        }
        h
    }

    /// The same where NULL is fine.
    pub fn freed(&mut self, h: Handle) -> Handle {
        if h.key == 0 { h } else { self.handle(h) }
    }
}

/// The statuses that the header documents, by function.
pub(super) fn documented() -> &'static BTreeMap<String, BTreeSet<String>> {
    static ALL: OnceLock<BTreeMap<String, BTreeSet<String>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut like = vec![];
        for part in include_str!("../../../include/jmeet.h").split("/**").skip(1) {
            let Some((comment, code)) = part.split_once("*/") else { continue };
            let declaration = code.split([';', '{']).next().unwrap_or_default();
            let Some(name) = declaration.split('(').next().and_then(|d| d.rsplit([' ', '*', '\n']).next()) else {
                continue;
            };
            if !name.starts_with("jmeet_") || !declaration.contains('(') {
                continue;
            }
            let words = || comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let statuses = words().filter_map(|w| w.strip_prefix("JMEET_").filter(|w| w.starts_with("ERR_")));
            all.insert(name.to_owned(), statuses.map(str::to_owned).collect());
            if let Some((_, rest)) = comment.split_once("Errors: as `") {
                like.push((name.to_owned(), rest.split('`').next().unwrap_or_default().to_owned()));
            }
        }
        // What the header's beginning says of all of them.
        for (_, statuses) in all.iter_mut().filter(|(name, _)| name.ends_with("_init")) {
            statuses.extend(["ERR_NULL", "ERR_INVALID_ARGUMENT"].map(str::to_owned));
        }
        // "Errors of this and the following accessors", says the first.
        let accessors = all.keys().filter(|n| n.starts_with("jmeet_event_")).cloned();
        like.extend(accessors.map(|n| (n, "jmeet_event_state".to_owned())).collect::<Vec<_>>());
        for (name, other) in like {
            let more = all.get(&other).cloned().unwrap_or_default();
            all.entry(name).or_default().extend(more);
        }
        all
    })
}

pub(super) fn status_name(status: jmeet_status) -> &'static str {
    // SAFETY: a constant of the library.
    unsafe { CStr::from_ptr(jmeet_status_name(status as i32)) }.to_str().unwrap_or("UNKNOWN")
}

/// A string of the library is what the header says: not NULL, UTF-8, ended.
pub(super) fn check_text(s: jmeet_str) {
    assert!(!s.data.is_null());
    // SAFETY: what is checked here; a tool sees it when it is not so.
    let bytes = unsafe { std::slice::from_raw_parts(s.data.cast::<u8>(), s.size + 1) };
    assert_eq!(bytes[s.size], 0);
    assert!(std::str::from_utf8(&bytes[..s.size]).is_ok());
}

/// A struct of the caller's, with a `struct_size` of any kind.
pub(super) struct Sized {
    words: Box<[u64; BUFFER_WORDS]>,
    real: usize,
}

impl Sized {
    /// `mode` 0 is as it should be.
    pub fn new(real: usize, mode: u8, wrong: &mut Wrong) -> Sized {
        let mut s = Sized { words: Box::new([0; BUFFER_WORDS]), real };
        let size = match mode % 16 {
            10 => 0,
            11 => 3,
            12 => real + 16,
            13 => {
                s.bytes()[real + 8] = 1;
                real + 16
            }
            14 => 5000,
            15 => usize::try_from(u32::MAX).unwrap_or(usize::MAX),
            _ => real,
        };
        match mode % 16 {
            10 | 11 | 14 | 15 => wrong.is("ERR_INVALID_ARGUMENT"),
            13 => wrong.is("ERR_UNSUPPORTED"),
            _ => {}
        }
        s.bytes()[..4].copy_from_slice(&(size as u32).to_ne_bytes());
        s
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: any bytes are numbers, and the other way round.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), BUFFER_WORDS * 8) }
    }

    pub fn get<T>(&mut self) -> *mut T {
        assert!(size_of::<T>() == self.real);
        self.words.as_mut_ptr().cast()
    }
}

/// A number of a program's: small ones, and those at which arithmetic breaks.
pub(super) fn extreme(choice: u8) -> u64 {
    match choice {
        ..0xc0 => choice.into(),
        0xc0..0xd0 => u64::from(u32::MAX) - u64::from(choice % 4),
        0xd0..0xe0 => 1 << 31 | u64::from(choice % 2),
        0xe0..0xf0 => u64::MAX >> (choice % 4),
        _ => 1 << (choice % 64),
    }
}

/// NUL-terminated, or NULL.
pub(super) fn string(choice: u8, wrong: &mut Wrong, required: bool) -> *const c_char {
    static LONG: [u8; 70_001] = {
        let mut all = [b'x'; 70_001];
        all[70_000] = 0;
        all
    };
    match choice % 16 {
        0..6 => c"room".as_ptr(),
        6 => c"".as_ptr(),
        7 => c"0000000a".as_ptr(),
        8 => c"\xc3\xa9\xe2\x82\xac \xf0\x9f\x98\x80".as_ptr(),
        9 => c"a@b/c".as_ptr(),
        10 => c"<x a='&amp;'>]]>".as_ptr(),
        11 => c"\x01\x02\x7f".as_ptr(),
        12 => LONG.as_ptr().cast(),
        13 => LONG[68_900..].as_ptr().cast(),
        14 => {
            wrong.is("ERR_INVALID_UTF8");
            c"\xff\xfe\xc3".as_ptr()
        }
        _ => {
            if required {
                wrong.is("ERR_NULL");
            }
            null()
        }
    }
}

/// Where clients are sent: every one fails at once, without a look-up of a name.
pub(super) fn url(choice: u8) -> *const c_char {
    match choice % 8 {
        0..3 => c"ws://127.0.0.1:1/xmpp-websocket",
        3 => c"wss://127.0.0.1:1/",
        4 => c"ws://[::1]:1/?room=x#y",
        5 => c"http://127.0.0.1:1/",
        6 => c"ws://",
        _ => c"nonsense",
    }
    .as_ptr()
}
