//! Layer 6: the driver. Sockets, TLS, threads, timers and queues around the meeting machine, and the handles that programs
//! hold. It decides nothing: every decision is in a machine below. `tokio` appears here and nowhere below.

mod pending;
pub mod queue;
mod wake;

pub use pending::{MAX_MESSAGE_BYTES_WAITING, MAX_MESSAGES};
pub use queue::{Queue, QueuedEvent};
