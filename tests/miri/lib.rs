//! The code that owns what C programs hold, under miri, with its own unit tests: the handle table, the gate before user code, the event
//! queue and what waits in it. Only those files and what they name, so that miri interprets nothing else.
#![allow(dead_code, unreachable_pub)]

#[path = "../../src/error.rs"]
pub mod error;

#[path = "../../src/media"]
pub mod media {
    pub mod kind;
}

#[path = "../../src/meeting"]
pub mod meeting {
    pub mod event;
}

#[path = "../../src/client"]
pub mod client {
    mod pending;
    pub mod queue;
    mod wake;
}

#[path = "../../src/ffi"]
mod ffi {
    mod gate;
    mod handle;

    mod args {
        use crate::error::{Code, Error, Stage};

        pub(super) fn null() -> Error {
            Error::new(Code::Null, Stage::None, String::new())
        }
    }
}
