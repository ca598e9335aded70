//! What an endpoint is sent: its streams, which source each carries, and the packets kept for repairs (docs/protocol/04 §8, §10).

use super::allocation::{Allocated, Settings};
use super::projection::{Incoming, Projected, Projection};
use super::rewriting::{Assigned, Slot, Slots};
use super::stack::Stack;
use super::transport::Packet;
use super::types::{BridgeConfig, EndpointOptions, Kind};
use crate::env::Env;
use crate::time::Time;
use crate::wire::colibri::{AudioSubscription, BridgeVideoType, MappedSource};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use str0m::media::Mid;

/// Packets kept for plain repairs, per stream, and for how long.
pub const KEPT_PACKETS: usize = 500;
pub const KEPT_FOR: Duration = Duration::from_secs(15);
/// A packet is not repeated again so soon: as JVB does, which takes nine tenths of a round trip, on the shortest paths.
const REPEAT_AFTER: Duration = Duration::from_millis(40);
/// Key-frame requests of one receiver for one stream that are passed on in [`REQUEST_WINDOW`].
const MAX_REQUESTS: usize = 3;
const REQUEST_WINDOW: Duration = Duration::from_secs(10);
const REQUEST_INTERVAL: Duration = Duration::from_millis(200);
/// Streams of one owner that carry nothing and are kept for what may come back on them.
const MAX_IDLE: usize = 20;

/// A source as a receiver hears of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceRef<'a> {
    pub name: &'a str,
    pub owner: &'a str,
    pub kind: Kind,
    /// Its lowest SSRC and that one's RTX.
    pub primary: u32,
    pub rtx: Option<u32>,
    pub video_type: BridgeVideoType,
}

struct Stream {
    ssrc: u32,
    /// Whose source it was made for; with slots it goes from hand to hand.
    owner: String,
    /// Repairs are RTX, and str0m's business.
    rtx: bool,
    /// What its packets carry.
    stamp: Option<Mid>,
    projection: Projection,
    kept: VecDeque<(Packet, Time, Option<Time>)>,
    requests: VecDeque<Time>,
}

/// The receiving side of one endpoint.
pub(super) struct Receiver {
    rewriting: bool,
    mid_demux: bool,
    mid_alone: bool,
    rtx: bool,
    audio: Slots,
    video: Slots,
    /// By `mid`.
    streams: BTreeMap<String, Stream>,
    /// Source to `mid`.
    by_source: BTreeMap<String, String>,
    made: u32,
    pub settings: Settings,
    pub subscription: AudioSubscription,
    pub allocated: Vec<Allocated>,
    pub forwarded: Vec<String>,
    /// bit/s.
    pub estimate: Option<u64>,
}

impl Receiver {
    pub fn new(config: &BridgeConfig, options: &EndpointOptions) -> Receiver {
        Receiver {
            rewriting: options.ssrc_rewriting,
            mid_demux: options.mid_demux,
            mid_alone: config.mid_alone,
            rtx: options.rtx,
            audio: Slots::new(Kind::Audio, config.audio_slots),
            video: Slots::new(Kind::Video, config.video_slots),
            streams: BTreeMap::new(),
            by_source: BTreeMap::new(),
            made: 0,
            settings: Settings::default(),
            subscription: AudioSubscription::default(),
            allocated: Vec::new(),
            forwarded: Vec::new(),
            estimate: None,
        }
    }

    /// Whether its own wishes let an audio source through.
    pub fn hears(&self, source: &str) -> bool {
        let s = &self.subscription;
        let named = |list: &[String]| list.iter().any(|n| n == source);
        !named(&s.exclude) && (s.all || named(&s.include))
    }

    /// Sees that a source has its stream; what to tell the client before the first packet on it.
    pub fn place(
        &mut self,
        s: &SourceRef<'_>,
        since: u64,
        transport: &mut Stack,
        env: &mut Env,
    ) -> Option<MappedSource> {
        if !self.rewriting {
            // A source that comes back on its SSRC goes on where it was, as in JVB, which keeps a projection as long as the receiver is there:
            // numbers begun anew are replays to SRTP.
            let now = self.by_source.get(s.name).and_then(|mid| self.streams.get(mid));
            if now.is_none_or(|n| n.ssrc != s.primary) {
                self.aim(s.name, None);
                if let Some((mid, _)) = self.streams.iter().find(|(_, n)| n.ssrc == s.primary) {
                    self.by_source.retain(|_, m| m != mid);
                    self.by_source.insert(s.name.to_owned(), mid.clone());
                    return None;
                }
                self.make_room(s.owner, transport);
                let mid = format!("s{}", self.made);
                self.made += 1;
                let rtx = s.rtx.filter(|_| self.rtx && s.kind == Kind::Video);
                self.open(&mid, s, (s.primary, rtx), None, transport);
                self.by_source.insert(s.name.to_owned(), mid);
            }
            return None;
        }
        let slots = if s.kind == Kind::Audio { &mut self.audio } else { &mut self.video };
        let Assigned::Mapped(slot) = slots.assign(s.name, s.owner, since, env) else { return None };
        self.by_source.retain(|_, mid| *mid != slot.mid);
        self.by_source.insert(s.name.to_owned(), slot.mid.clone());
        if !self.streams.contains_key(&slot.mid) {
            let start = (env.u32() & 0x7fff) as u16;
            // The client is told of an RTX SSRC, and never gets anything on it.
            let ssrc = if self.mid_alone { env.ssrc(|ssrc| ssrc == slot.ssrc || ssrc == slot.rtx) } else { slot.ssrc };
            self.open(&slot.mid, s, (ssrc, None), Some(start), transport);
        }
        if let Some(stream) = self.streams.get_mut(&slot.mid) {
            stream.projection.remap();
        }
        Some(self.mapped(&slot, s.video_type))
    }

    /// Shuts the oldest stream of an owner that carries nothing, when there are many.
    fn make_room(&mut self, owner: &str, transport: &mut Stack) {
        let idle = self.streams.iter().filter(|(_, s)| *s.owner == *owner && !s.projection.has_target());
        let mut idle: Vec<String> = idle.map(|(mid, _)| mid.clone()).collect();
        if idle.len() > MAX_IDLE {
            idle.sort_by_key(|mid| mid.trim_start_matches('s').parse::<u32>().unwrap_or(0));
            self.shut(&idle[0], transport);
        }
    }

    fn open(
        &mut self,
        mid: &str,
        source: &SourceRef<'_>,
        (ssrc, rtx): (u32, Option<u32>),
        start: Option<u16>,
        transport: &mut Stack,
    ) {
        transport.open(mid, source.kind, ssrc, rtx);
        let stream = Stream {
            ssrc,
            owner: source.owner.to_owned(),
            rtx: rtx.is_some(),
            stamp: (self.rewriting && self.mid_demux).then(|| mid.into()),
            projection: Projection::new(source.kind == Kind::Video, start),
            kept: VecDeque::new(),
            requests: VecDeque::new(),
        };
        self.streams.insert(mid.to_owned(), stream);
    }

    fn mapped(&self, slot: &Slot, video_type: BridgeVideoType) -> MappedSource {
        let video = slot.mid.starts_with('v');
        MappedSource {
            source: slot.source.clone(),
            owner: Some(slot.owner.clone()),
            ssrc: slot.ssrc,
            rtx: video.then_some(slot.rtx),
            video_type: video.then_some(video_type),
            mid: self.mid_demux.then(|| slot.mid.clone()),
        }
    }

    /// The moment for [`Receiver::place`] of a group of video sources.
    pub fn video_clock(&self) -> u64 {
        self.video.now()
    }

    /// The moment for [`Receiver::place`] of an audio source: any other may give way.
    pub fn audio_clock(&self) -> u64 {
        self.audio.now()
    }

    /// All mappings, for a channel that opens; `video_type` knows the types.
    pub fn maps(&self, kind: Kind, video_type: impl Fn(&str) -> BridgeVideoType) -> Vec<MappedSource> {
        let slots = if kind == Kind::Audio { &self.audio } else { &self.video };
        slots.all().iter().map(|s| self.mapped(s, video_type(&s.source))).collect()
    }

    /// Which input the stream of a source is to carry. `true` when that has to wait for a key frame.
    pub fn aim(&mut self, source: &str, input: Option<u32>) -> bool {
        let Some(stream) = self.by_source.get(source).and_then(|mid| self.streams.get_mut(mid)) else { return false };
        stream.projection.set_target(input);
        stream.projection.waits()
    }

    /// Whether a video source's packets are of use to it.
    pub fn follows(&self, source: &str) -> bool {
        let stream = self.by_source.get(source).and_then(|mid| self.streams.get(mid));
        stream.is_some_and(|s| s.projection.has_target())
    }

    /// Sends a packet of a source on its stream. `true` when a key frame has to come first.
    pub fn forward(
        &mut self,
        source: &str,
        input: &Incoming<'_>,
        like: &Packet,
        transport: &mut Stack,
        now: Time,
    ) -> bool {
        let Some(mid) = self.by_source.get(source) else { return false };
        let Some(stream) = self.streams.get_mut(mid) else { return false };
        let out = match stream.projection.project(input, now) {
            Projected::Send(out) => out,
            Projected::Drop => return false,
            Projected::NeedsKeyFrame => return true,
        };
        let packet = Packet { seq: out.seq, ts: out.ts, payload: out.payload, mid: stream.stamp, ..like.clone() };
        transport.send(stream.ssrc, &packet, stream.rtx, now);
        if input.clock == 90_000 && !stream.rtx {
            while stream.kept.len() >= KEPT_PACKETS || stream.kept.front().is_some_and(|k| now.since(k.1) > KEPT_FOR) {
                stream.kept.pop_front();
            }
            stream.kept.push_back((packet, now, None));
        }
        stream.projection.waits()
    }

    /// Repeats packets that the client misses, plainly: same SSRC and number.
    pub fn repeat(&mut self, ssrc: u32, seqs: &[u16], transport: &mut Stack, now: Time) {
        let Some(stream) = self.streams.values_mut().find(|s| s.ssrc == ssrc && !s.rtx) else { return };
        for seq in seqs {
            let found = stream.kept.iter_mut().rev().find(|k| k.0.seq as u16 == *seq);
            if let Some(k) = found.filter(|k| k.2.is_none_or(|at| now.since(at) >= REPEAT_AFTER)) {
                k.2 = Some(now);
                transport.send(ssrc, &k.0, false, now);
            }
        }
    }

    /// The source that the client wants a key frame of, within its limits.
    pub fn wants_key_frame(&mut self, mid: &str, now: Time) -> Option<String> {
        let stream = self.streams.get_mut(mid)?;
        while stream.requests.front().is_some_and(|r| now.since(*r) >= REQUEST_WINDOW) {
            stream.requests.pop_front();
        }
        let recent = stream.requests.back().is_some_and(|r| now.since(*r) < REQUEST_INTERVAL);
        if recent || stream.requests.len() >= MAX_REQUESTS {
            return None;
        }
        stream.requests.push_back(now);
        self.by_source.iter().find(|(_, m)| *m == mid).map(|(s, _)| s.clone())
    }

    /// An endpoint is gone.
    pub fn remove_owner(&mut self, owner: &str, transport: &mut Stack) {
        let gone: Vec<String> = if self.rewriting {
            let slots = self.audio.remove_owner(owner).into_iter().chain(self.video.remove_owner(owner));
            slots.map(|slot| slot.mid).collect()
        } else {
            self.streams.iter().filter(|(_, s)| *s.owner == *owner).map(|(mid, _)| mid.clone()).collect()
        };
        for mid in gone {
            self.shut(&mid, transport);
        }
    }

    /// A source is gone. Its stream stays for what may come on it: a slot of SSRC rewriting another source, an SSRC itself once more.
    pub fn remove_source(&mut self, source: &str) {
        self.aim(source, None);
    }

    fn shut(&mut self, mid: &str, transport: &mut Stack) {
        self.by_source.retain(|_, m| m != mid);
        self.streams.remove(mid);
        transport.shut(mid);
    }
}

#[cfg(test)]
mod tests {
    use super::super::stack::Foundation;
    use super::*;

    #[test]
    fn the_streams_that_an_owner_left_behind_are_bounded_and_go_with_it() {
        let (foundation, _) = Foundation::fake();
        let (mut env, now) = (Env::seeded(1), Time::new(1, 1));
        let mut transport = Stack::new(&foundation, &[], (false, false, false), &mut env, now);
        let options = EndpointOptions { ssrc_rewriting: false, ..EndpointOptions::default() };
        let mut r = Receiver::new(&BridgeConfig::default(), &options);
        let mut place = |r: &mut Receiver, owner: &str, ssrc: u32| {
            let name = format!("{owner}-v0");
            let s = SourceRef {
                name: &name,
                owner,
                kind: Kind::Video,
                primary: ssrc,
                rtx: None,
                video_type: BridgeVideoType::Camera,
            };
            r.place(&s, 0, &mut transport, &mut env);
            r.aim(&name, Some(ssrc));
        };
        place(&mut r, "b", 900);
        for n in 1..=MAX_IDLE as u32 + 1 {
            place(&mut r, "a", n);
        }
        assert_eq!(r.streams.len(), MAX_IDLE + 2, "the one in use, and those that were");
        place(&mut r, "a", 100);
        assert_eq!(r.streams.len(), MAX_IDLE + 2);
        assert!(r.streams.values().all(|s| s.ssrc != 1), "the oldest went");
        place(&mut r, "a", 2);
        assert_eq!((r.streams.len(), r.follows("a-v0")), (MAX_IDLE + 2, true), "one that comes back has its stream");
        r.remove_owner("a", &mut transport);
        assert_eq!(r.streams.values().map(|s| s.ssrc).collect::<Vec<_>>(), [900]);
    }
}
