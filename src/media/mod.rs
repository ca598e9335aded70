//! Layer 3: pure media logic, no I/O: payload formats, reordering, frames, and the seam to the packet engine.

pub mod kind;
pub mod peer;

pub use kind::{Codec, MediaType, VideoType};
