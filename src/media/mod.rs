//! Layer 3: pure media logic, no I/O: payload formats, reordering, frames, and the seam to the packet engine.

pub mod adaptation;
pub mod allocation;
pub mod assembler;
pub mod av1;
pub mod bits;
pub mod codec_selection;
pub mod dependency_descriptor;
pub mod early;
pub mod encodings;
#[cfg(test)]
mod format_tests;
pub mod frame;
pub mod h264;
pub mod jitter;
mod joined;
pub mod kind;
#[cfg(test)]
mod ksvc_tests;
#[cfg(test)]
mod layer_tests;
pub mod meter;
pub mod opus;
pub mod peer;
pub mod reader_queue;
pub mod receiver;
pub mod red;
pub mod references;
mod rtp_time;
pub mod sender;
pub mod takeover;
pub mod telephone_event;
pub mod temporal;
#[cfg(test)]
mod tests;
pub mod transform;
pub mod vp8;
pub mod vp9;

pub use frame::{EncodedFrame, OutgoingFrame};
pub use kind::{Codec, MediaType, VideoType};
pub use transform::FrameTransform;
