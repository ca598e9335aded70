//! Layer 5: stream, room, sessions, engines and tracks composed into one machine, the only source of events.
//!
//! Event order, identity and the peer-to-peer decision live here; see `docs/architecture.md`.

pub mod command;
pub mod event;
pub mod options;

pub use command::{Command, ReaderKey, WriterKey};
pub use event::{ConferenceKey, Event, EventKind, ParticipantKey, TrackKey};
pub use options::{ClientOptions, ReaderOptions, TrackOptions};
