//! Whether a remote video track streams; docs/protocol/04 §17.4.
//!
//! A native receiver sees each frame, so a track counts as streaming until its frames stop; how long a pause has to be depends
//! on what the bridge says of the source.

use crate::time::Time;
use std::time::Duration;

/// A pause this long is one, of a source that the bridge does not forward.
pub const NOT_FORWARDED_PAUSE: Duration = Duration::from_millis(500);
/// A pause this long is one, from a peer.
pub const PEER_PAUSE: Duration = Duration::from_millis(2500);
/// A pause this long is one, of a source that the bridge forwards: a slide may stand still for a while.
pub const FORWARDED_PAUSE: Duration = Duration::from_secs(10);
/// A source that the bridge forwards again may take this long until its first frame.
pub const RESTORING: Duration = Duration::from_secs(10);

/// How a video track does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u32)]
pub enum Streaming {
    /// Frames come, or none are to be expected.
    #[default]
    Active = 1,
    /// The bridge does not forward it: last-N, bandwidth, or nobody wants it.
    Inactive = 2,
    /// It should come and does not.
    Interrupted = 3,
    /// It is forwarded again, and has a while to begin.
    Restoring = 4,
}

/// What is known of a track at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub muted: bool,
    /// We want no video at all: our last-N is 0.
    pub none_wanted: bool,
    /// It comes from a peer and not from a bridge.
    pub peer: bool,
    /// Its session is the one that media flows in.
    pub session_active: bool,
    /// The bridge forwards it, as far as it has said.
    pub forwarded: bool,
    /// Packets or frames that came of it, from whatever start, and when the last one did; none before the first.
    pub frames: Option<(u64, Time)>,
}

/// The status of one track.
#[derive(Debug, Default)]
pub struct TrackStreaming {
    status: Streaming,
    frames: Option<u64>,
    /// Whether it came from a peer when it was looked at last.
    peer: bool,
    /// The last frame, or the first time that one was missed.
    since: Option<Time>,
    frozen: bool,
    forwarded: Option<bool>,
    /// When the bridge began to forward it again.
    entered: Option<Time>,
    deadline: Option<Time>,
}

impl TrackStreaming {
    /// How it does.
    pub fn status(&self) -> Streaming {
        self.status
    }

    /// Nothing comes of it now: [`TrackStreaming::update`] is wanted with its next frame.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// When [`TrackStreaming::update`] is wanted, if nothing changes before. A frozen track wants it with its next frame.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Looks at the track; the new status if it is another one.
    pub fn update(&mut self, facts: &Facts, now: Time) -> Option<Streaming> {
        if self.forwarded == Some(false) && facts.forwarded {
            self.entered = Some(now);
        }
        self.forwarded = Some(facts.forwarded);
        self.look(facts, now);
        let restored = self.entered.map(|t| t + RESTORING);
        let status = if facts.muted || !self.frozen || (facts.none_wanted && !facts.peer) {
            Streaming::Active
        } else if facts.peer {
            Streaming::Interrupted
        } else if !facts.forwarded {
            Streaming::Inactive
        } else if restored.is_some_and(|t| now < t) {
            Streaming::Restoring
        } else {
            Streaming::Interrupted
        };
        self.deadline = match self.since {
            Some(since) if !self.frozen => Some(since + pause(facts)),
            _ if status == Streaming::Restoring => restored,
            _ => None,
        };
        let news = status != self.status;
        self.status = status;
        news.then_some(status)
    }

    /// Whether it is frozen.
    fn look(&mut self, facts: &Facts, now: Time) {
        if facts.muted || !facts.session_active {
            // Nothing is to be expected; it has all of its time again when that ends.
            (self.frames, self.since, self.frozen) = (facts.frames.map(|f| f.0), None, false);
            return;
        }
        if std::mem::replace(&mut self.peer, facts.peer) != facts.peer {
            // It comes another way now, whose frames are counted anew, and has all of the time that it has there.
            (self.frames, self.since, self.frozen) = (facts.frames.map(|f| f.0), Some(now), false);
        }
        if let Some((count, at)) = facts.frames.filter(|f| Some(f.0) != self.frames) {
            (self.frames, self.since, self.frozen) = (Some(count), Some(at), false);
        }
        let since = *self.since.get_or_insert(now);
        self.frozen |= now.since(since) >= pause(facts);
    }
}

fn pause(facts: &Facts) -> Duration {
    match facts {
        Facts { forwarded: true, .. } => FORWARDED_PAUSE,
        Facts { peer: true, .. } => PEER_PAUSE,
        _ => NOT_FORWARDED_PAUSE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };
    const GOOD: Facts = Facts {
        muted: false,
        none_wanted: false,
        peer: false,
        session_active: true,
        forwarded: true,
        frames: Some((0, T0)),
    };

    /// Lets time pass to the deadline; how long that was and what came of it.
    fn wait(s: &mut TrackStreaming, f: &Facts, now: &mut Time) -> (Duration, Option<Streaming>) {
        let next = s.next_deadline().expect("a deadline");
        let waited = next.since(*now);
        *now = *now + waited;
        (waited, s.update(f, *now))
    }

    #[test]
    fn frames_that_come_are_active_also_the_very_first() {
        let (mut s, mut now) = (TrackStreaming::default(), T0);
        for n in 0..100 {
            assert_eq!(s.update(&Facts { frames: Some((n, now)), ..GOOD }, now), None);
            assert_eq!(s.next_deadline(), Some(now + FORWARDED_PAUSE));
            now = now + Duration::from_millis(9_999);
        }
    }

    #[test]
    fn a_source_that_is_not_forwarded_is_inactive_half_a_second_after_its_last_frame() {
        let (mut s, mut now) = (TrackStreaming::default(), T0);
        s.update(&GOOD, now);
        let out = Facts { forwarded: false, ..GOOD };
        assert_eq!(s.update(&out, now), None, "not frozen yet");
        assert_eq!(wait(&mut s, &out, &mut now), (NOT_FORWARDED_PAUSE, Some(Streaming::Inactive)));
        assert_eq!((s.update(&out, now + RESTORING), s.next_deadline()), (None, None));
        // Forwarded again, it has ten seconds to begin.
        assert_eq!(s.update(&GOOD, now), Some(Streaming::Restoring));
        assert_eq!(wait(&mut s, &GOOD, &mut now), (RESTORING, Some(Streaming::Interrupted)));
        assert_eq!(s.update(&Facts { frames: Some((1, now)), ..GOOD }, now), Some(Streaming::Active));
    }

    #[test]
    fn a_forwarded_source_that_stops_is_interrupted_after_ten_seconds() {
        let (mut s, mut now) = (TrackStreaming::default(), T0);
        s.update(&GOOD, now);
        assert_eq!(wait(&mut s, &GOOD, &mut now), (FORWARDED_PAUSE, Some(Streaming::Interrupted)));
        assert_eq!(s.update(&GOOD, now + FORWARDED_PAUSE), None, "told once");
        assert_eq!(s.update(&Facts { forwarded: false, ..GOOD }, now), Some(Streaming::Inactive));
    }

    #[test]
    fn one_without_an_ssrc_has_its_time_from_the_first_look() {
        let (mut s, mut now) = (TrackStreaming::default(), T0);
        let none = Facts { frames: None, ..GOOD };
        assert_eq!(s.update(&none, now), None);
        s.update(&none, now + Duration::from_secs(5));
        assert_eq!(wait(&mut s, &none, &mut now), (FORWARDED_PAUSE, Some(Streaming::Interrupted)));
    }

    #[test]
    fn a_peer_s_track_is_interrupted_when_it_stops_and_active_when_it_goes_on() {
        let (mut s, mut now) = (TrackStreaming::default(), T0);
        let peer = Facts { peer: true, forwarded: false, ..GOOD };
        s.update(&peer, now);
        assert_eq!(wait(&mut s, &peer, &mut now), (PEER_PAUSE, Some(Streaming::Interrupted)));
        assert_eq!(s.update(&Facts { frames: Some((1, now)), ..peer }, now), Some(Streaming::Active));
        // Our last-N is a matter of the bridge.
        let none_wanted = Facts { none_wanted: true, frames: Some((1, now)), ..peer };
        s.update(&none_wanted, now);
        assert_eq!(wait(&mut s, &none_wanted, &mut now).1, Some(Streaming::Interrupted));
    }

    #[test]
    fn nothing_is_missed_of_a_muted_one_of_an_idle_session_and_where_none_is_wanted() {
        let late = T0 + FORWARDED_PAUSE * 3;
        for quiet in [
            Facts { muted: true, ..GOOD },
            Facts { muted: true, peer: true, ..GOOD },
            Facts { session_active: false, ..GOOD },
            Facts { none_wanted: true, forwarded: false, ..GOOD },
        ] {
            let mut s = TrackStreaming::default();
            s.update(&quiet, T0);
            assert_eq!(s.update(&quiet, late), None, "{quiet:?}");
            assert_eq!(s.status(), Streaming::Active);
        }
        // Unmuted, it has its whole time.
        let mut s = TrackStreaming::default();
        s.update(&Facts { muted: true, ..GOOD }, T0);
        assert_eq!(s.update(&GOOD, late), None);
        assert_eq!(s.next_deadline(), Some(late + FORWARDED_PAUSE));
        // A frozen one that is muted, or whose session rests, is active at once.
        s.update(&GOOD, late + FORWARDED_PAUSE);
        assert_eq!(s.status(), Streaming::Interrupted);
        assert_eq!(s.update(&Facts { session_active: false, ..GOOD }, late), Some(Streaming::Active));
    }

    #[test]
    fn a_count_that_begins_anew_on_another_ssrc_is_progress() {
        let mut s = TrackStreaming::default();
        s.update(&Facts { frames: Some((500, T0)), ..GOOD }, T0);
        let now = T0 + FORWARDED_PAUSE;
        assert_eq!(s.update(&Facts { frames: Some((3, now)), ..GOOD }, now), None);
        assert_eq!(s.next_deadline(), Some(now + FORWARDED_PAUSE));
    }

    #[test]
    fn a_track_that_comes_another_way_has_all_of_its_time_there() {
        let mut s = TrackStreaming::default();
        assert_eq!(s.update(&GOOD, T0), None);
        // The bridge's last frame is five seconds old, which is more than a peer may be silent; that one has sent none yet.
        let switch = T0 + Duration::from_secs(5);
        let peer = Facts { peer: true, forwarded: false, frames: None, ..GOOD };
        assert_eq!(s.update(&peer, switch), None);
        assert_eq!(s.next_deadline(), Some(switch + PEER_PAUSE));
        assert_eq!(s.update(&peer, switch + PEER_PAUSE), Some(Streaming::Interrupted));
        // And back: what the bridge counted before is old.
        let back = switch + Duration::from_secs(60);
        assert_eq!(s.update(&GOOD, back), Some(Streaming::Active));
        assert_eq!(s.next_deadline(), Some(back + FORWARDED_PAUSE));
    }
}
