//! A room, seen by the program: who is there, and what one can do in it.

use super::reader::{Reader, ReaderShared};
use super::shared::{LOCAL_KEYS, Shared, ToDriver};
use super::status::{EndpointStatus, TrackStatus};
use super::writer::{Writer, WriterShared};
use crate::bridge::AllConstraints;
use crate::error::{Code, Error, Stage};
use crate::media::peer::Stats;
use crate::media::reader_queue::ReaderQueue;
use crate::meeting::event::{
    ClientState, ConferenceKey, MAIN_ROOM, MuteKind, Participant, ParticipantKey, Speaker, Track, TrackKey,
};
use crate::meeting::measure::MeetingStats;
use crate::meeting::options::{MAX_DISPLAY_NAME_BYTES, TrackOptions};
use crate::meeting::{Command, ReaderKey, ReaderOptions, endpoint_messages};
use std::sync::Arc;
use std::time::Duration;

/// Longest chat text, bytes.
pub use crate::conference::MAX_MESSAGE_BYTES;

/// The main room of a client. Cheap to clone; keeps no connection alive.
#[derive(Clone)]
pub struct Conference {
    shared: Arc<Shared>,
    room: Arc<str>,
}

impl Conference {
    pub(super) fn new(shared: Arc<Shared>, room: Arc<str>) -> Conference {
        Conference { shared, room }
    }

    /// Its key in events.
    pub fn key(&self) -> ConferenceKey {
        MAIN_ROOM
    }

    /// Address of the room.
    pub fn room_jid(&self) -> String {
        self.room.to_string()
    }

    /// Our endpoint id, once we are in.
    pub fn endpoint_id(&self) -> Option<String> {
        self.shared.snapshot.lock().endpoint_id.clone()
    }

    /// Everybody else in the room.
    pub fn participants(&self) -> Vec<Arc<Participant>> {
        self.shared.snapshot.lock().participants.values().cloned().collect()
    }

    /// The participant with this endpoint id.
    pub fn participant(&self, endpoint_id: &str) -> Option<Arc<Participant>> {
        self.shared.snapshot.lock().participants.values().find(|p| p.endpoint_id == endpoint_id).cloned()
    }

    /// The participant with this key.
    pub fn participant_by_key(&self, key: ParticipantKey) -> Option<Arc<Participant>> {
        self.shared.snapshot.lock().participants.get(&key).cloned()
    }

    /// All tracks, ours included.
    pub fn tracks(&self) -> Vec<Arc<Track>> {
        self.shared.snapshot.lock().tracks.values().cloned().collect()
    }

    /// The track with this key.
    pub fn track(&self, key: TrackKey) -> Option<Arc<Track>> {
        self.shared.snapshot.lock().tracks.get(&key).cloned()
    }

    /// One of our own tracks, as the room knows it.
    ///
    /// # Errors
    /// `NotReady`: it does not know it yet. `Closed`.
    pub fn own_track(&self, track: TrackKey) -> Result<Arc<Track>, Error> {
        match self.track(track) {
            Some(known) => Ok(known),
            None if self.shared.state() == ClientState::Closed => Err(self.shared.closed_error()),
            None => Err(Error::new(Code::NotReady, Stage::None, "the room does not know the track yet")),
        }
    }

    /// Who speaks, as the bridge heard it last.
    pub fn speaker(&self) -> Option<Speaker> {
        self.shared.snapshot.lock().statuses.speaker.clone()
    }

    /// Those of the others who spoke, the latest first.
    pub fn speakers(&self) -> Vec<Arc<Participant>> {
        let s = self.shared.snapshot.lock();
        let Some(said) = &s.statuses.speaker else { return Vec::new() };
        let who = |id: &String| s.participants.values().find(|p| p.endpoint_id == *id).cloned();
        std::iter::once(&said.endpoint_id).chain(&said.previous).filter_map(who).collect()
    }

    /// How a remote track does.
    ///
    /// # Errors
    /// `Gone`; `InvalidArgument`: it is ours.
    pub fn track_status(&self, track: TrackKey) -> Result<TrackStatus, Error> {
        if track.0 >= LOCAL_KEYS {
            return Err(Error::new(Code::InvalidArgument, Stage::None, "the track is ours"));
        }
        let s = self.shared.snapshot.lock();
        if !s.tracks.contains_key(&track) {
            return Err(Error::new(Code::Gone, Stage::None, "the track is gone"));
        }
        Ok(s.statuses.tracks.get(&track).copied().unwrap_or_default())
    }

    /// How a participant's connection does.
    ///
    /// # Errors
    /// `Gone`: they have left.
    pub fn endpoint_status(&self, participant: ParticipantKey) -> Result<EndpointStatus, Error> {
        let s = self.shared.snapshot.lock();
        if !s.participants.contains_key(&participant) {
            return Err(Error::new(Code::Gone, Stage::None, "the participant has left"));
        }
        Ok(s.statuses.endpoints.get(&participant).cloned().unwrap_or_default())
    }

    fn joined(&self) -> Result<(), Error> {
        match self.shared.state() {
            ClientState::Joined => Ok(()),
            ClientState::Closed => Err(self.shared.closed_error()),
            _ => Err(Error::new(Code::State, Stage::None, "not in the room")),
        }
    }

    fn text(text: &str) -> Result<(), Error> {
        match text.len() {
            0 => Err(Error::new(Code::InvalidArgument, Stage::None, "an empty message")),
            n if n > MAX_MESSAGE_BYTES => Err(Error::new(Code::TooLarge, Stage::None, "the message is over its limit")),
            _ => Ok(()),
        }
    }

    /// Says something to everybody. Done when the room has reflected it.
    ///
    /// # Errors
    /// `State`: not in the room. `TooLarge`, `InvalidArgument`, `Busy`, `Closed`.
    pub fn send_message(&self, text: &str, tag: u64) -> Result<(), Error> {
        self.joined()?;
        Self::text(text)?;
        self.shared.request(Command::SendMessage { text: text.to_owned(), tag })
    }

    /// Says something to one participant.
    pub fn send_private_message(&self, endpoint_id: &str, text: &str, tag: u64) -> Result<(), Error> {
        self.joined()?;
        Self::text(text)?;
        if self.participant(endpoint_id).is_none() {
            return Err(Error::new(Code::NoSuchParticipant, Stage::None, "no such participant"));
        }
        let (endpoint_id, text) = (endpoint_id.to_owned(), text.to_owned());
        self.shared.request(Command::SendPrivateMessage { endpoint_id, text, tag })
    }

    /// Mutes somebody for everybody, as a moderator may. Done when the focus has answered. Nobody can be unmuted.
    ///
    /// # Errors
    /// `State`: not in the room. `Gone`: they have left. `Busy`, `Closed`. By the completed request: `NotAllowed`: we are no moderator, or they
    /// cannot be muted; `NoSuchParticipant`, `State`: no focus is in the room; `Request`, `RequestTimeout`.
    pub fn mute(&self, participant: ParticipantKey, kind: MuteKind, tag: u64) -> Result<(), Error> {
        self.joined()?;
        let Some(p) = self.participant_by_key(participant) else {
            return Err(Error::new(Code::Gone, Stage::None, "the participant has left"));
        };
        self.shared.request(Command::MuteParticipant { endpoint_id: p.endpoint_id.clone(), kind, tag })
    }

    /// Changes our display name; empty removes it.
    pub fn set_display_name(&self, name: &str, tag: u64) -> Result<(), Error> {
        if name.len() > MAX_DISPLAY_NAME_BYTES {
            return Err(Error::new(Code::TooLarge, Stage::None, "the display name is over its limit"));
        }
        self.shared.request(Command::SetDisplayName { name: name.to_owned(), tag })
    }

    /// Says which video the bridge is to send, instead of deriving it from readers; `None`: derive it again.
    pub fn set_receive(&self, constraints: Option<AllConstraints>) -> Result<(), Error> {
        if self.shared.state() == ClientState::Closed {
            return Err(self.shared.closed_error());
        }
        self.shared.send(ToDriver::Command(Command::SetReceive { constraints }))
    }

    /// Sends a JSON object to one endpoint, or to all others when `to` is empty, through the bridge.
    pub fn send_endpoint_message(&self, to: &str, payload: &str, tag: u64) -> Result<(), Error> {
        self.joined()?;
        endpoint_messages::payload(payload)?;
        if !to.is_empty() && self.participant(to).is_none() {
            return Err(Error::new(Code::NoSuchParticipant, Stage::None, "no such participant"));
        }
        let (to, payload) = (to.to_owned(), payload.to_owned());
        self.shared.request(Command::SendEndpointMessage { to, payload, tag })
    }

    /// Whether there is anything to send and read with.
    fn built(media: bool) -> Result<(), Error> {
        let text = "the library was built without media";
        if media { Ok(()) } else { Err(Error::new(Code::NotBuilt, Stage::None, text)) }
    }

    /// Adds a local source. Allowed before we are in the room: then it is part of the first offer.
    ///
    /// # Errors
    /// `NotBuilt`: the library has no media. `Busy`, `Closed`.
    pub fn send_track(&self, options: TrackOptions, tag: u64) -> Result<Writer, Error> {
        Self::built(super::HAS_MEDIA)?;
        let track = TrackKey(self.shared.key());
        let state = Arc::new(WriterShared::new(&options));
        let new = ToDriver::NewWriter(track, state.clone());
        self.shared.request_after(new, Command::AddTrack { track, options, tag })?;
        Ok(Writer::new(track, state, self.shared.clone()))
    }

    /// Reads frames: of one remote track, or of everybody but ourselves.
    ///
    /// # Errors
    /// `Gone`: no such remote track (any more). `NotBuilt`: the library has no media. `Closed`.
    pub fn reader(&self, track: Option<TrackKey>, options: ReaderOptions) -> Result<Reader, Error> {
        Self::built(super::HAS_MEDIA)?;
        if let Some(track) = track {
            match self.track(track) {
                _ if track.0 >= LOCAL_KEYS => {
                    return Err(Error::new(Code::InvalidArgument, Stage::None, "a local track has no reader"));
                }
                Some(_) => {}
                None => return Err(Error::new(Code::Gone, Stage::None, "the track is gone")),
            }
        }
        if self.shared.state() == ClientState::Closed {
            return Err(self.shared.closed_error());
        }
        let reader = ReaderKey(self.shared.key());
        let frames = match options.queue_frames {
            0 => crate::meeting::options::DEFAULT_READER_FRAMES,
            n => n,
        };
        let state = Arc::new(ReaderShared::new(ReaderQueue::new(frames as usize, options.drop_newest)));
        self.shared.send(ToDriver::NewReader(reader, state.clone()))?;
        self.shared.send(ToDriver::Command(Command::AddReader { reader, track, options }))?;
        Ok(Reader::new(reader, state, self.shared.clone()))
    }

    /// Counters of the media session that runs now; `None` when none runs, or the driver does not answer within `timeout`.
    pub fn media_stats(&self, timeout: Duration) -> Option<Stats> {
        let (tx, rx) = std::sync::mpsc::sync_channel(1);
        self.shared.send(ToDriver::Stats(tx)).ok()?;
        rx.recv_timeout(timeout).ok().flatten()
    }

    /// Statistics of all tracks and ways as of now. `timeout`: for the driver's answer; none: as long as it takes.
    ///
    /// # Errors
    /// `Timeout`: the driver did not answer in time. `Closed`.
    pub fn stats(&self, timeout: Option<Duration>) -> Result<MeetingStats, Error> {
        self.shared.measure(None, timeout)
    }

    /// Asks the sender of a remote track for a key frame. Throttled.
    pub fn request_key_frame(&self, track: TrackKey) -> Result<(), Error> {
        if track.0 >= LOCAL_KEYS {
            return Err(Error::new(
                Code::InvalidArgument,
                Stage::None,
                "key frames of a local track are the program's to make",
            ));
        }
        if self.track(track).is_none() {
            return Err(Error::new(Code::Gone, Stage::None, "the track is gone"));
        }
        self.shared.send(ToDriver::Command(Command::RequestKeyFrame { track }))
    }

    /// Leaves the room and closes the stream. CLOSED follows.
    pub fn leave(&self, tag: u64) -> Result<(), Error> {
        self.shared.request(Command::Leave { tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_media_there_is_no_sending_and_no_reading() {
        assert_eq!(Conference::built(false).map_err(|e| e.code), Err(Code::NotBuilt));
        assert!(Conference::built(true).is_ok());
    }
}
