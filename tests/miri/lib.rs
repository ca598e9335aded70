//! The library's handle table under miri, with its own unit tests: only that file and what it names, so that miri interprets
//! nothing else.
#![allow(dead_code, unreachable_pub)]

#[path = "../../src/error.rs"]
pub mod error;

#[path = "../../src/ffi"]
mod ffi {
    mod handle;

    mod args {
        use crate::error::{Code, Error, Stage};

        pub(super) fn null() -> Error {
            Error::new(Code::Null, Stage::None, String::new())
        }
    }
}
