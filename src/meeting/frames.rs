//! Frames between programs and sessions, and what both sides are told of each other's wishes.

use super::event::{EventKind, TimelineStage, Track, TrackKey};
use super::io::Output;
use super::machine::{Meeting, Phase, ReaderEntry};
use super::options::MAX_ENCODINGS;
use super::provenance::Passage;
use super::session::Sent;
use crate::jingle::{self, SessionKey};
use crate::media::assembler::is_key;
use crate::media::kind::MediaType;
use crate::media::{EncodedFrame, OutgoingFrame};
use crate::time::Time;

/// The height that stands for any (docs/protocol/02 §13), as lib-jitsi-meet asks for it.
pub(super) const MAX_HEIGHT: u32 = 2160;

impl Meeting {
    /// A whole frame of a session, to whoever reads its track.
    pub(super) fn deliver(&mut self, session: SessionKey, mut frame: EncodedFrame, now: Time) {
        // The last frames of who left may come after their presence; the focus tells of sources only after it.
        if !self.roster.contains_key(&*frame.endpoint_id) {
            return;
        }
        let (active, medias) = (self.medias.active_key(), &self.medias);
        let alive = |key| medias.iter().any(|m| m.key == key);
        let id = (&*frame.endpoint_id, &*frame.source_name);
        let begins = frame.media == MediaType::Audio || frame.key;
        match self.provenance.accept(id, (session, frame.timeline), begins, active, alive, now) {
            Passage::Taken(timeline) => frame.timeline = timeline,
            Passage::Elsewhere => return,
            Passage::NeedsKey { ask } => {
                if let Some(m) = self.medias.get_mut(session).filter(|_| ask) {
                    m.request_key_frame(&frame.source_name, now);
                }
                return;
            }
        }
        if let Some(t) = &mut self.transform {
            let data = std::mem::take(&mut frame.data);
            match t.incoming(&frame.endpoint_id, &frame.source_name, frame.codec, data) {
                Some(data) => frame.data = data,
                None => return,
            }
        }
        let mut known = self.tracks.remote(&frame.endpoint_id, &frame.source_name).cloned();
        if known.as_ref().is_some_and(|t| t.codec != Some(frame.codec)) {
            known = self.tracks.codec_seen(&frame.endpoint_id, &frame.source_name, frame.codec);
            if let Some(t) = &known {
                self.emit(EventKind::TrackUpdated(t.clone()));
            }
        }
        let track = known.as_ref().map(|t| t.key);
        (frame.track, frame.participant) = (track, known.and_then(|t| t.participant));
        let readers = self.readers.iter().filter(|r| match r.track {
            Some(wanted) => Some(wanted) == track,
            None => r.options.media.is_none_or(|m| m == frame.media),
        });
        for r in readers {
            self.out.push_back(Output::Frame(r.key, frame.clone()));
        }
    }

    pub(super) fn send_frame(&mut self, track: TrackKey, mut frame: OutgoingFrame, now: Time) {
        if self.is_pressed(track) {
            return;
        }
        // What nobody wants or the path does not carry is not sent, also if the program has not heard of it yet.
        let idle = self.sending.idle(track) >> frame.encoding.min(MAX_ENCODINGS) & 1 == 1;
        let Some(t) = self.tracks.local_mut(track) else { return };
        let (codec, media) = (t.codec, t.codec.media_type());
        let made = frame.codec.unwrap_or(t.options.codec);
        // Before anything is left out: parameter sets of H.264 stay for later key frames.
        let Some(data) = t.complete(made, frame.encoding, &frame.data) else { return };
        // Made before the codec changed, or by a program that did not follow.
        if made != codec || t.muted || idle {
            return;
        }
        let name = t.track.as_ref().map(|t| t.source_name.clone());
        frame.data = data;
        if let (Some(t), Some(name)) = (&mut self.transform, name) {
            // Afterwards nobody can tell any more.
            frame.key.get_or_insert_with(|| is_key(codec, &frame.data));
            match t.outgoing(&name, codec, std::mem::take(&mut frame.data)) {
                Some(data) => frame.data = data,
                None => return,
            }
        }
        let sent = self.medias.active_mut().map(|m| m.send(track, &frame, now).unwrap_or(Sent::No));
        match (sent, media) {
            (Some(Sent::First), MediaType::Audio) => self.reach(TimelineStage::FirstAudioSent, now),
            (Some(Sent::First), MediaType::Video) => self.reach(TimelineStage::FirstVideoSent, now),
            (Some(Sent::NeedsKey), _) => self.key_frames_wanted(track),
            (Some(Sent::More | Sent::No) | None, _) => {}
        }
        self.pump_media(now);
    }

    /// What each writer is told from now on, and what the program is to send.
    pub(super) fn tell_writers(&mut self) {
        self.share_bandwidth();
        self.writers_told();
    }

    pub(super) fn writers_told(&mut self) {
        // Before any session is up, the one that was negotiated says what is refused.
        let media = self.medias.active().or_else(|| self.medias.iter().next());
        let told = self.tracks.local.iter().map(|t| {
            let ready = media.is_some_and(|m| m.ready(t.key));
            let refused = media.is_some_and(|m| m.refuses(t.key));
            let idle = self.sending.idle(t.key);
            Output::Writer { track: t.key, muted: t.muted, ready, refused, idle, codec: t.codec }
        });
        self.out.extend(told.collect::<Vec<_>>());
    }

    /// The local sources as Jingle signals them.
    pub(super) fn signal_local_tracks(&mut self, now: Time) {
        let Some(endpoint) = self.endpoint_id() else { return };
        let sources = self.tracks.sources().map(|t| {
            let media = t.options.codec.media_type();
            jingle::LocalSource {
                name: t.source_name(&endpoint),
                media: match media {
                    MediaType::Audio => crate::wire::jingle::Media::Audio,
                    MediaType::Video => crate::wire::jingle::Media::Video,
                },
                video_type: (media == MediaType::Video).then_some(match t.options.video_type {
                    crate::media::VideoType::Camera => crate::wire::jingle::VideoType::Camera,
                    crate::media::VideoType::Desktop => crate::wire::jingle::VideoType::Desktop,
                }),
                encodings: t.encodings.clone(),
                msid: t.msid(&endpoint),
            }
        });
        self.jingle.set_local_sources(sources.collect());
        for m in self.medias.iter_mut() {
            m.sync_senders(&self.tracks, &mut self.env, now);
        }
        self.signal_bridge();
        self.tell_writers();
    }

    /// Video is asked for while somebody reads it, and no larger than the largest that somebody wants (design §5.5).
    pub(super) fn signal_readers(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        let mut video = self.readers.iter().filter(|r| r.options.media != Some(MediaType::Audio));
        let wanted = video.clone().next().is_some();
        // Heights are spoken of once somebody limits one: peers that never hear of them send what they like.
        let heights = video.any(|r| r.options.height > 0).then(|| {
            let remote = self.tracks.remote_tracks().filter(|t| t.media == MediaType::Video);
            remote.map(|t| (t.source_name.clone(), self.wanted_height(t))).collect()
        });
        self.jingle.set_receive(wanted, heights);
        self.signal_bridge();
    }

    fn wanted_height(&self, t: &Track) -> u32 {
        let reads = |r: &&ReaderEntry| match r.track {
            Some(key) => key == t.key,
            None => r.options.media != Some(MediaType::Audio),
        };
        let heights = self.readers.iter().filter(reads).map(|r| match r.options.height {
            0 => MAX_HEIGHT,
            h => h.min(MAX_HEIGHT),
        });
        heights.max().unwrap_or(MAX_HEIGHT)
    }
}
