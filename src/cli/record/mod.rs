//! A recording without transcoding: frames and moments in, bytes of named files out. No file, no clock: the command writes, tests run a
//! meeting of ten minutes in virtual time.
//!
//! Per participant one file holds audio and camera, and one more each further source. A new codec begins file 2.
//! Frames get their times in [`clock`], wait until those made before them are there, and go into [`ogg_opus`] or [`matroska`].

mod clock;
mod codec;
mod ebml;
mod matroska;
mod names;
mod ogg_opus;
mod output;
mod recorder;
mod source;
mod writer;

pub use output::{FileKey, Output, Summary};
pub use recorder::{MAX_HELD_BYTES, MAX_OF_PARTICIPANT, MAX_SOURCES, Recorder};
pub use source::FRAME_COST;
pub use writer::MAX_FILES;
