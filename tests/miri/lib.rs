//! The code that owns what C programs hold, under miri, with its own unit tests: the handle table, the gate before user code, the event
//! queue and what waits in it. Only those files and what they name, so that miri interprets nothing else.
#![allow(dead_code, unreachable_pub)]

#[path = "../../src/error.rs"]
pub mod error;

#[path = "../../src/media"]
pub mod media {
    pub mod kind;
}

/// What events carry of other rooms, which need more than a few files: values that nothing here looks into.
pub mod bridge {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum SpeakerChange {
        Dominant,
        Previous,
    }
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Streaming {
        Active = 1,
    }
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Suspended {
        Gone = 1,
    }
}

pub mod conference {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum MuteKind {
        Audio = 1,
    }
}

pub mod jingle {
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum SourceRefusal {
        NotAnswered,
    }
}

pub mod wire {
    pub mod colibri {
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct EndpointStats {
            pub connection_quality: u8,
        }
    }
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
    mod slot;

    mod args {
        use crate::error::{Code, Error, Stage};

        pub(super) fn null() -> Error {
            Error::new(Code::Null, Stage::None, String::new())
        }
    }
}
