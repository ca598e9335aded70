//! Layer 6: the driver. Sockets, TLS, threads, timers and queues around the meeting machine, and the handles that programs
//! hold. It decides nothing: every decision is in a machine below. `tokio` appears here and nowhere below.

#[allow(clippy::module_inception)]
mod client;
mod clock;
mod conference;
mod connection;
mod driver;
mod journal;
mod pending;
pub mod queue;
mod reader;
mod runtime;
mod shared;
mod status;
mod tls;
mod udp;
mod wake;
mod websocket;
mod writer;

/// Whether this build sends and reads media.
pub const HAS_MEDIA: bool = cfg!(feature = "media");

pub use client::{Client, FREE_LINGER};
pub use clock::now_us;
pub use conference::{Conference, MAX_MESSAGE_BYTES};
pub use pending::{MAX_MESSAGE_BYTES_WAITING, MAX_MESSAGES};
pub use queue::{FOR_EVER, Queue, QueuedEvent};
pub use reader::Reader;
pub use runtime::Runtime;
pub use shared::MAX_REQUESTS;
pub use status::{EndpointStatus, TrackStatus};
pub use writer::{MAX_FRAME_BYTES, Writer, WriterStats};
