//! Keys of a telephone (RFC 4733), those that we press and those that others do (docs/protocol/04 §14). They go with the audio of a
//! track, where the session has telephone events: the bridge's has.

use super::event::{EventKind, Tone, TrackKey};
use super::machine::Meeting;
use crate::error::{Code, Error, Stage};
use crate::media::kind::MediaType;
use crate::media::telephone_event::Keys;
use crate::time::{Time, earliest};
use std::sync::Arc;
use std::time::Duration;

/// Keys of one track on their way out.
pub(super) struct Pressing {
    track: TrackKey,
    tag: u64,
    keys: Keys,
}

impl Meeting {
    /// Begins to press keys on an audio track; done when the last one was released.
    pub(super) fn send_tones(
        &mut self,
        track: TrackKey,
        keys: &str,
        held: Duration,
        gap: Duration,
        tag: u64,
        now: Time,
    ) {
        let refuse = |code, text: &str| Some(Error::new(code, Stage::Media, text));
        let events = self.medias.active().map(|m| m.telephone_events().is_some());
        let error = match self.tracks.local.iter().find(|t| t.key == track) {
            None => refuse(Code::Gone, "the track is gone"),
            Some(t) if t.codec.media_type() != MediaType::Audio => {
                refuse(Code::InvalidArgument, "only audio carries the keys of a telephone")
            }
            Some(t) if t.muted => refuse(Code::Muted, "the track is muted"),
            Some(_) if self.pressing.iter().any(|p| p.track == track) => refuse(Code::Busy, "keys are being pressed"),
            Some(_) if events.is_none() => refuse(Code::NotReady, "nobody receives media yet"),
            Some(_) if events == Some(false) => refuse(Code::Codec, "the other side takes no telephone events"),
            Some(_) => match Keys::new(keys, held, gap, now) {
                Err(_) => refuse(Code::InvalidArgument, "no keys of a telephone, too many, or a time out of range"),
                Ok(keys) => {
                    self.pressing.push(Pressing { track, tag, keys });
                    None
                }
            },
        };
        match error {
            Some(_) => self.done(tag, error),
            None => self.tones_timeout(now),
        }
    }

    /// When [`Meeting::tones_timeout`] is due.
    pub(super) fn tones_deadline(&self) -> Option<Time> {
        self.pressing.iter().map(|p| p.keys.next_deadline()).fold(None, earliest)
    }

    /// Sends what is due of the keys that are pressed.
    pub(super) fn tones_timeout(&mut self, now: Time) {
        let mut done = Vec::new();
        let media = &mut self.medias;
        self.pressing.retain_mut(|p| {
            let sent = media.active_mut().is_some_and(|m| m.send_keys(p.track, &mut p.keys, now));
            let error = (!sent).then(|| Error::new(Code::NotReady, Stage::Media, "nobody takes the keys any more"));
            let over = !sent || p.keys.next_deadline().is_none();
            if over {
                done.push((p.tag, error));
            }
            !over
        });
        for (tag, error) in done {
            self.done(tag, error);
        }
    }

    /// A key of this track is held: its other audio waits for nobody, and is not sent.
    pub(super) fn is_pressed(&self, track: TrackKey) -> bool {
        self.pressing.iter().any(|p| p.track == track && p.keys.is_pressed())
    }

    /// The track is gone, or with `None` all are: its keys are not pressed any more.
    pub(super) fn release_keys(&mut self, track: Option<TrackKey>, error: &Error) {
        let gone = |p: &mut Pressing| track.is_none_or(|t| p.track == t);
        for p in self.pressing.extract_if(.., gone).collect::<Vec<_>>() {
            self.done(p.tag, Some(error.clone()));
        }
    }

    /// Somebody pressed a key.
    pub(super) fn on_key(&mut self, owner: &Arc<str>, name: &Arc<str>, key: char) {
        let Some(t) = self.tracks.remote(owner, name) else { return };
        let (track, participant, endpoint_id) = (t.key, t.participant, t.endpoint_id.clone());
        self.emit(EventKind::Tone(Box::new(Tone { track, participant, endpoint_id, key })));
    }
}
