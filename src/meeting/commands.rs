//! What the program asks, carried out. Every command with a tag is completed exactly once.

use super::command::Command;
use super::event::{ClientState, EventKind, MediaPath, TrackKey};
use super::io::Output;
use super::machine::{LEAVE_TIMEOUT, MAX_READERS, Meeting, Phase, ReaderEntry};
use super::tracks::MAX_LOCAL_TRACKS;
use super::{ReaderKey, ReaderOptions, TrackOptions};
use crate::error::{Code, Error, Stage};
use crate::media::kind::VideoType;
use crate::time::Time;
use std::sync::Arc;

impl Meeting {
    pub(super) fn command(&mut self, command: Command, now: Time) {
        match command {
            Command::Join { tag } => {
                if self.phase == Phase::New {
                    self.join_tag = Some(tag);
                    self.connect(now);
                    self.signal_readers();
                } else {
                    self.done(tag, Some(Error::new(Code::State, self.stage, "a client joins once")));
                }
            }
            Command::SendMessage { text, tag } => self.say(&text, None, tag, now),
            Command::SendPrivateMessage { endpoint_id, text, tag } => self.say(&text, Some(&endpoint_id), tag, now),
            Command::SetDisplayName { name, tag } => {
                if let Some(r) = &mut self.room {
                    r.set_display_name(&name, now);
                }
                self.options.display_name = name;
                self.done(tag, None);
            }
            Command::AddTrack { track, options, tag } => self.add_track(track, options, tag, now),
            Command::RemoveTrack { track, tag } => self.remove_track(track, tag, now),
            Command::SetMuted { track, muted, tag } => self.set_muted(track, muted, tag, now),
            Command::MuteParticipant { endpoint_id, kind, tag } => self.mute_participant(&endpoint_id, kind, tag),
            Command::SendTones { track, keys, held, gap, tag } => self.send_tones(track, &keys, held, gap, tag, now),
            Command::SetLimited { track, limited, height } => self.set_limited(track, limited, height, now),
            Command::AddReader { reader, track, options } => self.add_reader(reader, track, options),
            Command::RemoveReader { reader } => {
                self.readers.retain(|r| r.key != reader);
                self.out.push_back(Output::ReaderEnded(reader));
                self.signal_readers();
            }
            Command::RequestKeyFrame { track } => {
                let name = self.tracks.remote_by_key(track).map(|t| t.source_name.clone());
                // Whichever session carries it; the other one has nothing to ask.
                for m in self.medias.iter_mut() {
                    if let Some(name) = &name {
                        m.request_key_frame(name, now);
                    }
                }
            }
            Command::SetReceive { constraints } => {
                self.explicit = constraints;
                self.signal_bridge();
            }
            Command::SendEndpointMessage { to, payload, tag } => self.send_endpoint_message(to, &payload, tag, now),
            Command::Leave { tag } => self.leave(tag, now),
        }
    }

    /// Completes a command that came after the end.
    pub(super) fn refuse_closed(&mut self, command: &Command) {
        let tag = match command {
            Command::Join { tag }
            | Command::SendMessage { tag, .. }
            | Command::SendPrivateMessage { tag, .. }
            | Command::SetDisplayName { tag, .. }
            | Command::RemoveTrack { tag, .. }
            | Command::SetMuted { tag, .. }
            | Command::MuteParticipant { tag, .. }
            | Command::SendTones { tag, .. }
            | Command::SendEndpointMessage { tag, .. }
            | Command::Leave { tag } => *tag,
            Command::AddTrack { track, tag, .. } => {
                self.out.push_back(Output::WriterEnded(*track));
                *tag
            }
            Command::AddReader { reader, .. } | Command::RemoveReader { reader } => {
                self.out.push_back(Output::ReaderEnded(*reader));
                return;
            }
            Command::RequestKeyFrame { .. } | Command::SetReceive { .. } | Command::SetLimited { .. } => return,
        };
        self.done(tag, Some(Error::new(Code::Closed, Stage::None, "the client is closed")));
    }

    fn say(&mut self, text: &str, to: Option<&str>, tag: u64, now: Time) {
        let Some(room) = self.room.as_mut().filter(|_| self.phase == Phase::Joined) else {
            self.done(tag, Some(Error::new(Code::State, self.stage, "not in the room")));
            return;
        };
        if to.is_some_and(|to| room.member(to).is_none()) {
            self.done(tag, Some(Error::new(Code::NoSuchParticipant, self.stage, "no such participant")));
            return;
        }
        self.next_request += 1;
        self.requests.insert(self.next_request, tag);
        room.send_message(text, to, self.next_request, now);
    }

    fn add_track(&mut self, key: TrackKey, options: TrackOptions, tag: u64, now: Time) {
        if self.tracks.add_local(key, options, &mut self.env).is_none() {
            self.out.push_back(Output::WriterEnded(key));
            let text = format!("at most {MAX_LOCAL_TRACKS} local tracks");
            self.done(tag, Some(Error::new(Code::Resources, self.stage, text)));
            return;
        }
        self.begin_muted(key);
        self.name_local_tracks(now);
        if self.phase == Phase::Joined {
            self.announce_local_tracks();
        }
        self.done(tag, None);
    }

    /// Tells presence and Jingle of the local tracks, once there is an endpoint id to name them by.
    pub(super) fn name_local_tracks(&mut self, now: Time) {
        let Some(endpoint) = self.endpoint_id() else { return };
        self.own_codecs_changed(now);
        let codecs = self.codecs();
        if let Some(r) = &mut self.room {
            r.set_codecs(codecs, now);
            for t in &self.tracks.local {
                r.set_source(&t.source_name(&endpoint), t.muted, t.options.video_type == VideoType::Desktop, now);
            }
        }
        self.signal_local_tracks(now);
    }

    /// TRACK_ADDED for local tracks that were not announced yet.
    pub(super) fn announce_local_tracks(&mut self) {
        let Some(endpoint) = self.endpoint_id() else { return };
        let mut new = Vec::new();
        for t in self.tracks.local.iter_mut().filter(|t| t.track.is_none()) {
            let track = Arc::new(t.describe(&endpoint));
            t.track = Some(track.clone());
            new.push((track, t.codec));
        }
        for (track, codec) in new {
            let key = track.key;
            self.emit(EventKind::TrackAdded(track));
            self.emit(EventKind::CodecWanted { track: key, codec });
        }
    }

    fn remove_track(&mut self, key: TrackKey, tag: u64, now: Time) {
        let Some(at) = self.tracks.local.iter().position(|t| t.key == key) else {
            self.done(tag, Some(Error::new(Code::Gone, self.stage, "the track is gone")));
            return;
        };
        let mut gone = self.tracks.local.remove(at);
        let track = gone.track.take();
        self.forget_unmuting(Some(key), "the track is gone");
        self.adaptation.forget(key.0, now);
        if let Some(endpoint) = self.endpoint_id() {
            let (name, desktop) = (gone.source_name(&endpoint), gone.options.video_type == VideoType::Desktop);
            let carried = self.medias.iter().any(|m| m.path == MediaPath::PeerToPeer);
            if let Some(r) = &mut self.room {
                if carried { r.set_source(&name, true, desktop, now) } else { r.remove_source(&name, now) }
            }
            if carried {
                self.tracks.retired.push(gone);
            }
            self.signal_local_tracks(now);
        }
        self.out.push_back(Output::WriterEnded(key));
        self.release_keys(Some(key), &Error::new(Code::Gone, self.stage, "the track is gone"));
        if let Some(t) = track {
            self.emit(EventKind::TrackRemoved(t));
        }
        self.done(tag, None);
    }

    fn add_reader(&mut self, key: ReaderKey, track: Option<TrackKey>, options: ReaderOptions) {
        let gone = track.is_some_and(|t| self.tracks.remote_by_key(t).is_none());
        if gone || self.readers.len() >= MAX_READERS {
            self.out.push_back(Output::ReaderEnded(key));
            return;
        }
        self.readers.push(ReaderEntry { key, track, options });
        self.signal_readers();
    }

    /// Readers of a track that is gone get no more.
    pub(super) fn end_readers_of(&mut self, track: TrackKey) {
        for r in self.readers.extract_if(.., |r| r.track == Some(track)) {
            self.out.push_back(Output::ReaderEnded(r.key));
        }
    }

    fn leave(&mut self, tag: u64, now: Time) {
        self.leave_tags.push(tag);
        match self.phase {
            Phase::New => self.finish(),
            Phase::Connecting => self.end(None, now),
            Phase::Joining | Phase::Joined => {
                self.phase = Phase::Leaving;
                self.stage = Stage::Leave;
                self.join_deadline = None;
                self.ending = Some(None);
                self.leave_deadline = Some(now + LEAVE_TIMEOUT);
                self.state(ClientState::Leaving);
                self.jingle.leave();
                match &mut self.room {
                    Some(r) => r.leave(now),
                    None => self.end(None, now),
                }
            }
            Phase::Leaving | Phase::Closed => {}
        }
    }
}
