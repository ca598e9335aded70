//! Layer 3: pure media logic, no I/O: payload formats, reordering, frames, and the seam to the packet engine.

pub mod early;
pub mod frame;
pub mod jitter;
pub mod kind;
pub mod opus;
pub mod peer;
pub mod reader_queue;
pub mod receiver;
pub mod sender;
#[cfg(test)]
mod tests;
pub mod transform;
pub mod vp8;

pub use frame::{EncodedFrame, OutgoingFrame};
pub use kind::{Codec, MediaType, VideoType};
pub use transform::FrameTransform;
