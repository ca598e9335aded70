//! Statistics of our own (docs/protocol/04 §17): of each track and way as of now, for the program; and every ten seconds summed up, for
//! the program and for the others, with our connection quality.

use super::event::{EventKind, LocalStats, MediaPath, TrackKey};
use super::machine::Meeting;
use super::session::MediaSession;
use crate::bridge::quality::{LevelRates, Quality, Sent, SentVideo};
use crate::bridge::stats::StatsClock;
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::media::peer::StreamStats;
use crate::time::Time;
use crate::wire::colibri::{Bitrates, EndpointStats, Loss, ToBridge};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How long an empty slot of SSRC rewriting is silent before its SSRC is forgotten (docs/protocol/04 §10.3).
const SLOT_SILENCE: Duration = Duration::from_secs(30);

/// One stream of one track on one way: our tracks have one for each encoding.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackStats {
    pub track: TrackKey,
    pub source_name: Arc<str>,
    pub path: MediaPath,
    pub media: MediaType,
    /// One of ours.
    pub local: bool,
    /// Of ours: which encoding.
    pub encoding: u32,
    /// Of somebody else's: none before a frame came.
    pub codec: Option<Codec>,
    pub stream: StreamStats,
    /// Whole frames that were sent, or put together for readers.
    pub frames: u64,
    pub frames_per_second: u64,
    /// Frames that could not be put together, or be decoded without one that could not.
    pub damaged: u64,
    /// Width and height of the last key frame; 0: not known.
    pub size: (u16, u16),
    /// To the other end of its way and back.
    pub round_trip: Option<Duration>,
    /// Of our video: what the encoding is to have, bit/s; 0: nothing is to be sent of it.
    pub target: u64,
}

/// All of it at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeetingStats {
    /// As it was summed up last.
    pub summary: LocalStats,
    /// The way that carries our frames now.
    pub active: Option<MediaPath>,
    pub tracks: Vec<TrackStats>,
}

/// Counters of a stream when they were looked at last.
type Seen = HashMap<(MediaPath, u32, bool), (u64, u64, u64)>;

/// What the summing up remembers.
#[derive(Default)]
pub(super) struct Measured {
    clock: StatsClock,
    at: Option<Time>,
    seen: Seen,
    quality: Quality,
    /// The video that we are judged by: since when it is sent with this codec.
    judged: Option<(TrackKey, Codec, Time)>,
    pub summary: LocalStats,
}

impl Measured {
    /// A session of this way is over; the next one counts anew, perhaps on the same SSRCs.
    pub fn forget(&mut self, path: MediaPath) {
        self.seen.retain(|id, _| id.0 != path);
    }

    /// When [`Meeting::sum_up`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        self.clock.next_deadline()
    }
}

/// What went one way in a while.
#[derive(Clone, Copy, Default)]
struct Way {
    bytes: u64,
    packets: u64,
    lost: u64,
}

fn kbps(bytes: u64, time: Duration) -> u32 {
    let ms = time.as_millis().max(1);
    u32::try_from((u128::from(bytes) * 8 + ms / 2) / ms).unwrap_or(u32::MAX)
}

fn percent(w: Way) -> u8 {
    let all = w.lost + w.packets;
    (w.lost * 100 + all / 2).checked_div(all).map_or(0, |p| p.min(100) as u8)
}

impl Meeting {
    /// Counters of everything as of now.
    pub fn stats(&self, now: Time) -> MeetingStats {
        self.stats_of(None, now)
    }

    /// Counters as of now, of one of our tracks or of all that there are.
    pub fn stats_of(&self, local: Option<TrackKey>, now: Time) -> MeetingStats {
        let mut tracks = Vec::new();
        for m in self.medias.iter() {
            let find = |owner: &str, name: &str| self.tracks.remote(owner, name).map(|t| t.key);
            m.measure(now, local, find, &mut tracks);
        }
        let (active, endpoint) = (self.medias.active().map(|m| m.path), self.endpoint_id().unwrap_or_default());
        for t in tracks.iter_mut().filter(|t| t.local) {
            t.source_name = self.tracks.name_of_local(t.track, &endpoint).into();
            t.target = if active == Some(t.path) { self.sending.target(t.track, t.encoding) } else { 0 };
        }
        MeetingStats { summary: self.measured.summary.clone(), active, tracks }
    }

    /// Media flows: it is summed up from now on.
    pub(super) fn measure_from(&mut self, now: Time) {
        if self.measured.next_deadline().is_none() {
            self.measured.clock.opened(now);
            self.measured.at = Some(now);
        }
    }

    /// The way to the bridge is interrupted: the others are to know at once.
    pub(super) fn interrupted(&mut self, now: Time) {
        self.measured.quality.interrupted(now);
        self.measured.clock.at_once(now);
    }

    /// Sums up what went since the last time; tells the program, and the others where there is a channel.
    pub(super) fn sum_up(&mut self, now: Time) {
        if !self.measured.clock.is_due(now) {
            return;
        }
        let Some(m) = self.medias.active() else {
            self.measured.clock.closed();
            return;
        };
        let (path, rtt) = (m.path, m.engine.stats().rtt);
        let time = self.measured.at.replace(now).map_or(Duration::ZERO, |at| now.since(at));
        let all = self.stats(now).tracks;
        let mut ways = BTreeMap::<(bool, bool), Way>::new();
        let mut sending = Vec::new();
        let mut seen = Seen::new();
        for t in &all {
            let s = &t.stream;
            let id = (t.path, s.ssrc, t.local);
            seen.insert(id, (s.bytes, s.packets, s.lost));
            // What rests is looked at all the same: it may be the one that carries us next.
            if t.path != path {
                continue;
            }
            let before = self.measured.seen.get(&id).copied().unwrap_or_default();
            let news = |now: u64, before: u64| now.saturating_sub(before);
            let w = ways.entry((t.local, t.media == MediaType::Video)).or_default();
            w.bytes += news(s.bytes, before.0);
            w.packets += news(s.packets, before.1);
            w.lost += news(s.lost, before.2);
            if t.local && t.media == MediaType::Video && s.bytes > before.0 {
                sending.push((t.track, t.encoding, t.size.1));
            }
        }
        self.measured.seen = seen;
        let way = |up: bool, video: bool| ways.get(&(up, video)).copied().unwrap_or_default();
        let both = |up: bool| {
            let (a, v) = (way(up, false), way(up, true));
            Way { bytes: a.bytes + v.bytes, packets: a.packets + v.packets, lost: a.lost + v.lost }
        };
        let (up, down) = (both(true), both(false));
        let total = Way { bytes: 0, packets: up.packets + down.packets, lost: up.lost + down.lost };
        let rates = |video| Bitrates {
            upload: kbps(way(true, video).bytes, time),
            download: kbps(way(false, video).bytes, time),
        };
        let video = self.judged_video(&sending, time, now);
        let sent = Sent { kbps: kbps(up.bytes, time), loss: (up.packets > 0).then(|| percent(up)), video };
        let quality = self.measured.quality.update(&sent, now);
        let stats = EndpointStats {
            audio: rates(false),
            video: rates(true),
            loss: Loss { total: percent(total), upload: percent(up), download: percent(down) },
            connection_quality: quality as u8,
            jvb_rtt: rtt.filter(|_| path == MediaPath::Bridge).and_then(|r| u32::try_from(r.as_millis()).ok()),
            max_height: sending.iter().filter_map(|(t, e, _)| self.sending.height(*t, *e)).max(),
            server_region: self.link.as_ref().and_then(|l| l.region.clone()),
        };
        if let Some(l) = self.link.as_mut().filter(|l| l.is_open()) {
            l.say(&ToBridge::EndpointStats(Box::new(stats.clone())), now);
        }
        self.measured.summary = LocalStats { path: Some(path), round_trip: rtt, stats };
        self.emit(EventKind::LocalStats(Box::new(self.measured.summary.clone())));
        self.reclaim_slots(now);
    }

    /// The camera that our quality follows from, if one is sent (docs/protocol/04 §17.3).
    fn judged_video(&mut self, sending: &[(TrackKey, u32, u16)], time: Duration, now: Time) -> Option<SentVideo> {
        let camera = |t: &&super::tracks::LocalTrack| {
            !t.muted && t.options.video_type == VideoType::Camera && sending.iter().any(|s| s.0 == t.key)
        };
        let found = self.tracks.local.iter().find(camera).map(|t| (t.key, t.codec, t.options.encodings() > 1));
        let Some((track, codec, simulcast)) = found else {
            self.measured.judged = None;
            return None;
        };
        let began = Time::new(
            now.mono_us.saturating_sub(time.as_micros() as u64),
            now.unix_us.saturating_sub(time.as_micros() as i64),
        );
        let known = self.measured.judged.filter(|j| (j.0, j.1) == (track, codec)).map(|j| j.2);
        let since = known.unwrap_or(began);
        self.measured.judged = Some((track, codec, since));
        // As the frames themselves say it, where they do.
        let height = |s: &(TrackKey, u32, u16)| match s.2 {
            0 => self.sending.height(s.0, s.1),
            h => Some(h.into()),
        };
        let height = sending.iter().filter(|s| s.0 == track).filter_map(height).max()?;
        let rates = match codec {
            Codec::H264 => LevelRates::H264,
            Codec::Vp9 => LevelRates::VP9,
            Codec::Av1 => LevelRates::AV1,
            Codec::Vp8 | Codec::Opus => LevelRates::VP8,
        };
        Some(SentVideo { height, target: rates.target(height, simulcast), since, started: since })
    }

    /// Slots that carry nothing, and nothing comes on, are worth nothing any more: a long meeting has any number of them.
    fn reclaim_slots(&mut self, now: Time) {
        let Some(l) = &mut self.link else { return };
        let session = l.session();
        let Some(m) = self.medias.get_mut(session) else { return };
        let came = m.engine.streams(now);
        let last: HashMap<u32, u64> = came.iter().filter(|s| !s.sent).map(|s| (s.ssrc, s.last_us)).collect();
        let long = SLOT_SILENCE.as_micros() as u64;
        let silent = |ssrc: u32| last.get(&ssrc).is_none_or(|t| now.mono_us.saturating_sub(*t) >= long);
        for ssrc in l.reclaim(silent) {
            m.forget(ssrc, now);
        }
    }
}

impl MediaSession {
    /// Counters of each stream whose track is known, ours and the others'.
    fn measure(
        &self,
        now: Time,
        local: Option<TrackKey>,
        find: impl Fn(&str, &str) -> Option<TrackKey>,
        out: &mut Vec<TrackStats>,
    ) {
        let streams = self.engine.streams(now);
        let round_trip = self.engine.stats().rtt;
        let streams: HashMap<(u32, bool), StreamStats> = streams.into_iter().map(|s| ((s.ssrc, s.sent), s)).collect();
        for i in self.incoming.iter().flatten().filter(|_| local.is_none()) {
            let Some(track) = find(&i.owner, &i.name) else { continue };
            let damaged = i.receiver.stats().damaged;
            for stream in i.ssrcs().filter_map(|ssrc| streams.get(&(ssrc, false))) {
                out.push(TrackStats {
                    track,
                    source_name: i.name.clone(),
                    path: self.path,
                    media: i.media,
                    local: false,
                    encoding: 0,
                    codec: i.frames.codec,
                    stream: *stream,
                    frames: i.frames.count,
                    frames_per_second: i.frames.meter.per_second(now),
                    damaged,
                    size: i.frames.size,
                    round_trip,
                    target: 0,
                });
            }
        }
        for o in self.outgoing.iter().filter(|o| local.is_none_or(|t| t == o.track)) {
            for (encoding, ssrc) in (o.first()..).zip(o.sender.ssrcs()) {
                let Some(stream) = streams.get(&(ssrc, true)) else { continue };
                let frames = o.frames.get(encoding as usize).copied().unwrap_or_default();
                out.push(TrackStats {
                    track: o.track,
                    source_name: Arc::from(""),
                    path: self.path,
                    media: o.media,
                    local: true,
                    encoding,
                    codec: frames.codec,
                    stream: *stream,
                    frames: frames.count,
                    frames_per_second: frames.meter.per_second(now),
                    damaged: 0,
                    size: frames.size,
                    round_trip,
                    target: 0,
                });
            }
        }
    }
}
