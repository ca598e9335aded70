//! `jmeet_error`: why a call failed, with the stage and the other side's words.

use super::args::{Struct, Texts, fill, init, jmeet_str, writable};
use super::entry::entry;
use super::handle::{Object, Table, get, make, take};
use super::status::jmeet_status;
use crate::error as rust;
use std::sync::Arc;

/// Why a call failed: made by functions that end with `jmeet_error **error`, freed by the caller with `jmeet_error_free`.
/// Never holds a password, a token or a key.
pub struct jmeet_error {
    _opaque: [u8; 0],
}

/// What a failure says of itself.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_error_info {
    pub struct_size: u32,
    /// A `jmeet_status`.
    pub status: i32,
    /// A `jmeet_stage`.
    pub stage: u32,
    /// The protocol's own name for it: a stanza, stream or login condition, an HTTP status. May be empty.
    pub condition: jmeet_str,
    /// For people: the other side's text, or ours. May be empty.
    pub text: jmeet_str,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_error_info {}

pub(super) struct Failure {
    error: rust::Error,
    texts: Texts,
}

impl Object for Failure {
    type Handle = jmeet_error;

    fn table() -> &'static Table<Failure> {
        static TABLE: Table<Failure> = Table::wrapping(11);
        &TABLE
    }
}

/// The info of an error whose strings `texts` keeps.
pub(super) fn info(error: &rust::Error, texts: &Texts) -> jmeet_error_info {
    let [condition, text] = texts.get([&error.condition, &error.text]);
    jmeet_error_info { struct_size: 0, status: error.code as i32, stage: error.stage as u32, condition, text }
}

/// The info of a success.
pub(super) fn no_error() -> jmeet_error_info {
    jmeet_error_info {
        struct_size: 0,
        status: jmeet_status::JMEET_OK as i32,
        stage: 0,
        condition: jmeet_str::EMPTY,
        text: jmeet_str::EMPTY,
    }
}

/// Hands an error to a caller who wants it.
pub(super) fn give(out: *mut *mut jmeet_error, error: rust::Error) {
    if out.is_null() {
        return;
    }
    // Without a handle left the caller still has the status.
    if let Ok(handle) = make(Arc::new(Failure { error, texts: Texts::default() })) {
        // SAFETY: not NULL, so by the header's words valid for a write.
        unsafe { out.write_unaligned(handle) };
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_info_init(info: *mut jmeet_error_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// The status that the failed call answered; `JMEET_ERR_NULL` or `JMEET_ERR_INVALID_HANDLE` if `error` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_status(error: *const jmeet_error) -> jmeet_status {
    entry!({ Err(get::<Failure>(error)?.error.clone()) })
}

/// The `jmeet_stage` at which it failed; 0 if it is tied to none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_stage(error: *const jmeet_error) -> u32 {
    entry!(or 0; { Ok(get::<Failure>(error)?.error.stage as u32) })
}

/// The protocol's own name for the failure, such as "not-authorized". May be empty. Lives as long as `error`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_condition(error: *const jmeet_error) -> jmeet_str {
    entry!(or jmeet_str::EMPTY; {
        let e = get::<Failure>(error)?;
        Ok(info(&e.error, &e.texts).condition)
    })
}

/// A sentence for people. May be empty. Lives as long as `error`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_text(error: *const jmeet_error) -> jmeet_str {
    entry!(or jmeet_str::EMPTY; {
        let e = get::<Failure>(error)?;
        Ok(info(&e.error, &e.texts).text)
    })
}

/// All of it at once. The strings live as long as `error`.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_get(error: *const jmeet_error, info: *mut jmeet_error_info) -> jmeet_status {
    entry!({
        writable(info)?;
        let e = get::<Failure>(error)?;
        fill(info, self::info(&e.error, &e.texts))
    })
}

/// Frees an error and its strings. NULL is fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_error_free(error: *mut jmeet_error) -> jmeet_status {
    entry!({ take::<Failure>(error).map(drop) })
}
