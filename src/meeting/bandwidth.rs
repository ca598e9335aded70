//! What goes out of our video, and how much of it: which encodings by what the other side wants (docs/protocol/04 §2.9, §11), and
//! their bitrates from the bandwidth estimate, shared by `media::allocation`, which has a higher rate probed before a further
//! layer is sent (design §9 X14).

use super::event::{EventKind, MediaPath, TrackKey};
use super::machine::Meeting;
use super::options::DEFAULT_HEIGHT;
use super::session::MediaSession;
use super::tracks::LocalTrack;
use crate::jingle::SessionKey;
use crate::media::allocation::{self, Allocation};
use crate::media::encodings::{self, CAPPED_FPS, CodecSettings};
use crate::media::kind::{MediaType, VideoType};
use crate::media::peer::{Command, EstimateBounds};
use crate::time::Time;
use std::collections::BTreeMap;

/// Reserved for each of our audio tracks, bit/s.
const AUDIO_BPS: u64 = 40_000;

/// What an encoding is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    bps: u64,
    height: u32,
}

/// What is sent now, and what the program was told of it. By track and encoding.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// The session that the estimate is of.
    session: Option<SessionKey>,
    allocation: Allocation,
    sources: Vec<allocation::Source>,
    /// Of our video: the height that each encoding has while it is sent.
    heights: BTreeMap<(TrackKey, u32), u32>,
    given: BTreeMap<(TrackKey, u32), u64>,
    told: BTreeMap<(TrackKey, u32), Target>,
}

impl Sending {
    /// When [`Meeting::sharing_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.session.and(self.allocation.next_deadline())
    }

    /// The height with which an encoding is sent, if it is.
    pub fn height(&self, track: TrackKey, encoding: u32) -> Option<u32> {
        self.heights.get(&(track, encoding)).copied().filter(|h| *h > 0)
    }

    /// The height of the largest encoding of a track that is to be sent now, as the program was told; 0: none is.
    pub fn tallest(&self, track: TrackKey) -> u32 {
        self.told.iter().filter(|((t, _), _)| *t == track).map(|(_, target)| target.height).max().unwrap_or(0)
    }

    /// What an encoding is to have, bit/s, as the program was told.
    pub fn target(&self, track: TrackKey, encoding: u32) -> u64 {
        self.told.get(&(track, encoding)).map_or(0, |t| t.bps)
    }

    /// Encodings of a track that are not to be sent now, one bit each.
    pub fn idle(&self, track: TrackKey) -> u32 {
        let idle = self.told.iter().filter(|((t, _), target)| *t == track && target.bps == 0);
        idle.map(|((_, encoding), _)| 1 << encoding).sum()
    }
}

impl Meeting {
    /// What the path carries.
    pub(super) fn estimated(&mut self, bits_per_second: u64) {
        self.emit(EventKind::Bandwidth { bits_per_second });
        self.share_bandwidth();
        self.sending.allocation.estimate(bits_per_second, self.clock);
        self.apply_shares();
    }

    /// A probe, or a wait for the next one, is over.
    pub(super) fn sharing_timeout(&mut self, now: Time) {
        self.sending.allocation.handle_timeout(now);
        self.apply_shares();
    }

    /// Works out what is to be sent, after anything that decides it has changed: the session, tracks, mutes, wishes.
    pub(super) fn share_bandwidth(&mut self) {
        let active = self.medias.active_key();
        if self.sending.session != active {
            // Another path: what this one carries is not known yet.
            let told = std::mem::take(&mut self.sending.told);
            let allocation = Allocation::starting_at(EstimateBounds::default().initial);
            self.sending = Sending { session: active, allocation, told, ..Sending::default() };
        }
        let Some(m) = self.medias.active() else { return };
        let (mut sources, mut heights) = (Vec::new(), BTreeMap::new());
        for t in &self.tracks.local {
            let (layers, of_layers) = self.wish(t, m);
            let media = t.codec.media_type();
            sources.push(allocation::Source { id: t.key.0, media, layers });
            heights.extend((0..).zip(of_layers).map(|(encoding, height)| ((t.key, encoding), height)));
        }
        let s = &mut self.sending;
        s.given.retain(|id, _| heights.contains_key(id));
        s.told.retain(|id, _| heights.contains_key(id));
        s.heights = heights;
        if s.sources != sources {
            s.allocation.set_sources(&sources, self.clock);
            s.sources = sources;
        }
        self.apply_shares();
    }

    /// Of each encoding of a track, what it may take at most as things are wanted now, and its height; no heights for audio.
    fn wish(&self, t: &LocalTrack, m: &MediaSession) -> (Vec<u64>, Vec<u32>) {
        let made = t.options.encodings() as usize;
        let sent = m.encodings_of(t.key).filter(|_| !t.muted);
        if t.codec.media_type() == MediaType::Audio {
            return (vec![if sent.is_some() { AUDIO_BPS } else { 0 }], Vec::new());
        }
        let (mut layers, mut heights) = (vec![0; made], vec![0; made]);
        let Some(sent) = sent else { return (layers, heights) };
        let height = if t.options.height == 0 { DEFAULT_HEIGHT } else { t.options.height };
        let several = sent.len() > 1;
        let source = encodings::Source {
            codec: t.codec,
            settings: CodecSettings { simulcast: several, ..CodecSettings::default() },
            track: match t.options.video_type {
                VideoType::Camera => encodings::Track::Camera,
                VideoType::Desktop => encodings::Track::Desktop { capped: t.options.frame_rate() <= CAPPED_FPS },
            },
            height,
            p2p: m.path == MediaPath::PeerToPeer,
            simulcast_disabled: !several,
            desktop_bitrate: None,
        };
        let wanted = self.wanted_of_us(t, m);
        for (at, e) in sent.clone().zip(source.largest(sent.len(), wanted, !m.video_wanted)) {
            if e.active {
                layers[at as usize] = e.max_bitrate.into();
                heights[at as usize] = (f64::from(height) / e.scale).round() as u32;
            }
        }
        (layers, heights)
    }

    /// The greatest height that anybody wants of a track of ours; 0: nobody wants it (docs/protocol/04 §13.1).
    fn wanted_of_us(&self, t: &LocalTrack, m: &MediaSession) -> u32 {
        let name = self.endpoint_id().map(|endpoint| t.source_name(&endpoint)).unwrap_or_default();
        let said = match m.path {
            // −1 is any.
            MediaPath::Bridge => self.link.as_ref().and_then(|l| u32::try_from(l.senders.get(&name)).ok()),
            MediaPath::PeerToPeer => m.heights.get(&name).copied(),
        };
        said.unwrap_or(encodings::DEFAULT_HEIGHT)
    }

    /// Carries out what the share says: probes, and what the program is to send.
    fn apply_shares(&mut self) {
        while let Some(o) = self.sending.allocation.poll_output() {
            match o {
                allocation::Output::Target { source, encoding, bps } => {
                    self.sending.given.insert((TrackKey(source), encoding), bps);
                }
                allocation::Output::Probe { bps, duration } => {
                    if let Some(m) = self.medias.active_mut() {
                        m.engine.handle_command(Command::Probe { bps, duration }, self.clock);
                    }
                }
            }
        }
        let (mut news, mut turned) = (Vec::new(), false);
        let s = &mut self.sending;
        for (id, height) in &s.heights {
            let bps = s.given.get(id).copied().unwrap_or(0);
            let target = Target { bps, height: if bps == 0 { 0 } else { *height } };
            let before = s.told.insert(*id, target);
            if before != Some(target) {
                let on = before.map(|b| b.bps > 0);
                turned |= on != Some(bps > 0);
                // What was not sent begins with a key frame.
                news.push((*id, target, on == Some(false) && bps > 0));
            }
        }
        for ((track, encoding), t, resumed) in news {
            self.emit(EventKind::TargetBitrate { track, encoding, bits_per_second: t.bps, height: t.height });
            if resumed {
                self.emit(EventKind::KeyFrameWanted { track, encoding });
            }
        }
        if turned {
            self.writers_told();
        }
    }
}
