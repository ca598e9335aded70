//! Layer 7: the C ABI (design §5.9, §6), on the Rust API alone. The only module with `extern "C"`.
//!
//! One file per C object. Each exported function is written out and its body is one call of [`entry`]'s macro (a test reads these
//! files for that); `include/jmeet.h` is generated from their comments, which are written for C programmers.

// The names here are C's.
#![allow(non_camel_case_types)]
// What a body may rely on is in the header's words for its function, once for all.
#![allow(clippy::missing_safety_doc)]
// The entry macro opens the block; not every body needs it.
#![allow(unused_unsafe)]

#[cfg(not(panic = "unwind"))]
compile_error!("the C ABI catches panics at its border: build it with panic = \"unwind\"");

#[cfg(any(test, feature = "testkit"))]
pub mod alone;
pub mod args;
pub mod bridge_info;
pub mod bridge_states;
pub mod client;
pub mod conference;
mod entry;
pub mod error;
pub mod event;
pub mod event_info;
pub mod event_kind;
pub mod frame;
#[cfg(feature = "testkit")]
pub mod fuzz;
mod gate;
mod handle;
pub mod log;
pub mod media_kinds;
pub mod mute;
pub mod participant;
pub mod queue;
pub mod reader;
pub mod refusals;
pub mod room_kinds;
pub mod runtime;
mod slot;
pub mod stats;
pub mod status;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(test)]
mod tests;
pub mod tones;
pub mod track;
pub mod version;
pub mod writer;
