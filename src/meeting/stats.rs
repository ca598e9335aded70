//! What came from the server and was passed over: counted, never fatal (design §4).

use super::machine::Meeting;

/// Counters over the life of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IgnoredStats {
    /// Frames that are no stanza that anything here knows.
    pub unknown_frames: u64,
    /// Frames past a limit of the XML reader, dropped.
    pub oversized_frames: u64,
    /// Answers to nothing that was asked, or from another than was asked.
    pub stray_answers: u64,
    /// Stanzas of other rooms and strangers, requests that were answered with an error, and messages of the bridge that are not known.
    pub unhandled_stanzas: u64,
}

impl Meeting {
    /// What was passed over so far.
    pub fn ignored(&self) -> IgnoredStats {
        let s = self.stream.as_ref().map_or(self.last_stream, |s| s.stats());
        IgnoredStats {
            unknown_frames: s.unknown_frames,
            oversized_frames: s.oversized_frames,
            stray_answers: s.stray_answers,
            unhandled_stanzas: self.unhandled,
        }
    }

    /// The stream ends; what it counted stays.
    pub(super) fn drop_stream(&mut self) {
        if let Some(s) = self.stream.take() {
            self.last_stream = s.stats();
        }
    }
}
