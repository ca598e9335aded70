//! What the recorder wants done with files, in this order.

use crate::media::Codec;

/// A file of one recording; grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u64);

/// What a finished file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub name: String,
    pub endpoint_id: String,
    /// The sources in it: audio, video.
    pub codecs: Vec<Codec>,
    /// When it begins, µs since the recording did.
    pub start_us: u64,
    /// How long it is.
    pub length_us: u64,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Open {
        file: FileKey,
        name: String,
    },
    /// At the end of the file.
    Append {
        file: FileKey,
        bytes: Vec<u8>,
    },
    /// Over bytes that were written before.
    Patch {
        file: FileKey,
        at: u64,
        bytes: Vec<u8>,
    },
    Close {
        file: FileKey,
        summary: Summary,
    },
}
