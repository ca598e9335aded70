//! What came from the server and was passed over: counted, never fatal (design §4).

use super::event::MediaPath;
use super::machine::Meeting;
use super::session::MediaSession;

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
    /// RTP packets of an owner that came after the next one had their SSRC.
    pub late_packets: u64,
    /// RTP packets of an SSRC whose owner nobody named in time.
    pub unclaimed_packets: u64,
    /// Datagrams and parts of them that are not authentic or not understood.
    pub refused_datagrams: u64,
}

/// What of it media sessions count.
#[derive(Clone, Copy, Default)]
pub(super) struct PassedOver {
    late: u64,
    unclaimed: u64,
    refused: u64,
}

impl PassedOver {
    fn with(self, m: &MediaSession) -> PassedOver {
        let (late, unclaimed) = m.unclear.passed_over();
        PassedOver {
            late: self.late + late,
            unclaimed: self.unclaimed + unclaimed,
            refused: self.refused + m.engine.refused(),
        }
    }
}

impl Meeting {
    /// What was passed over so far.
    pub fn ignored(&self) -> IgnoredStats {
        let s = self.stream.as_ref().map_or(self.last_stream, |s| s.stats());
        let media = self.medias.iter().fold(self.last_packets, PassedOver::with);
        IgnoredStats {
            unknown_frames: s.unknown_frames,
            oversized_frames: s.oversized_frames,
            stray_answers: s.stray_answers,
            unhandled_stanzas: self.unhandled,
            late_packets: media.late,
            unclaimed_packets: media.unclaimed,
            refused_datagrams: media.refused,
        }
    }

    /// A media session ends; what it counted stays.
    pub(super) fn keep_counts(&mut self, m: &MediaSession) {
        self.last_packets = self.last_packets.with(m);
    }

    /// The stream ends; what it counted stays.
    pub(super) fn drop_stream(&mut self) {
        if let Some(s) = self.stream.take() {
            self.last_stream = s.stats();
        }
    }
}

/// What a meeting holds at a moment: all that may grow with others and with time. In an empty room only our own is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The others in the room.
    pub participants: usize,
    /// Their tracks.
    pub tracks: usize,
    /// Our own, those too that wait for a session's end.
    pub local_tracks: usize,
    /// Media sessions.
    pub sessions: usize,
    /// Their pipelines of remote sources, and sources as signalled or mapped.
    pub sources: usize,
    /// Requests to servers without an answer, and requests of the program that are not done.
    pub requests: usize,
    /// Endpoints of whose frames something is remembered.
    pub heard: usize,
    /// Outputs that nobody took.
    pub outputs: usize,
}

impl Meeting {
    /// What it holds now; for tests and diagnostics.
    pub fn held(&self) -> Held {
        let tables = self.medias.iter().filter_map(|m| self.jingle.remote_sources(m.key));
        let pipelines: usize = self.medias.iter().map(|m| m.sources()).sum();
        Held {
            participants: self.roster.len(),
            tracks: self.tracks.remote_tracks().count(),
            local_tracks: self.tracks.sources().count() + self.tracks.retired.len(),
            sessions: self.medias.iter().count(),
            sources: pipelines + tables.map(|t| t.iter().count()).sum::<usize>() + self.mapped_sources(),
            requests: self.iqs.len() + self.requests.len() + self.leave_tags.len(),
            heard: self.provenance.endpoints(),
            outputs: self.out.len(),
        }
    }

    /// The others' sources as a session knows them, each with its owner and SSRCs: what the focus signalled.
    pub fn signalled_sources(&self, path: MediaPath) -> Vec<(String, String, Vec<u32>)> {
        let m = self.medias.iter().find(|m| m.path == path);
        let table = m.and_then(|m| self.jingle.remote_sources(m.key)).into_iter().flat_map(|t| t.iter());
        table.map(|s| (s.owner.to_string(), s.name.to_string(), s.ssrcs.clone())).collect()
    }
}
