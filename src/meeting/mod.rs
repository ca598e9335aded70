//! Layer 5: stream, room, sessions, engines and tracks composed into one machine, the only source of events.
//!
//! Event order, identity and the peer-to-peer decision live here; see `docs/architecture.md`. One file per concern, all of them
//! `impl Meeting`: [`machine`] the composition, `connection` the stream and the end, `room` what the room tells, `sessions`
//! what Jingle wants, `engines` the media sessions' engines, `frames` what programs send and read, `bandwidth` and `codecs` how much and in
//! which form, `adapting` what an overloaded encoder changes of that, `commands` what they ask,
//! `muting` who is silenced by whom.

mod adapting;
mod bandwidth;
mod bridge;
mod bridge_messages;
mod codecs;
pub mod command;
mod commands;
mod connection;
pub(crate) mod endpoint_messages;
mod engines;
pub mod event;
mod frames;
pub mod io;
pub mod machine;
pub mod measure;
mod medias;
mod muting;
pub mod options;
mod provenance;
mod rejoin;
mod room;
mod session;
mod sessions;
pub mod stats;
mod streaming;
mod tones;
mod tracks;
mod url;

pub use command::{Command, ReaderKey, WriterKey};
pub use event::{ConferenceKey, Event, EventKind, ParticipantKey, TrackKey};
pub use io::{ConnectionKey, Input, Output, SocketsKey};
pub use machine::{MAX_READERS, Meeting};
pub use options::{ClientOptions, ReaderOptions, TrackOptions};
pub use rejoin::MAX_REJOINS;
pub use tracks::{MAX_LOCAL_TRACKS, MAX_REMOTE_TRACKS};
