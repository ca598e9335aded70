//! What concerns a conference as a whole: who gets which video, what senders are told of it, who speaks, who is there
//! (docs/protocol/04 §2, §4, §10).

use super::allocation::{Allocated, Available, Layer, allocate};
use super::receiver::SourceRef;
use super::speakers::SpeakerList;
use super::table::Key;
use super::types::{Event, Expiry, Kind};
use super::{Bridge, Output};
use crate::time::Time;
use crate::wire::colibri::{BridgeVideoType, FromBridge};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often clients are told of their downlink.
const CONNECTION_STATS: Duration = Duration::from_secs(10);
/// How far the estimate must move before layers are looked at again, in percent.
const ESTIMATE_STEP: u64 = 15;

/// One conference.
pub(super) struct Conference {
    /// As it stands in WebSocket URLs.
    pub id: String,
    pub speakers: SpeakerList,
    /// Video has to be given out anew.
    pub dirty: bool,
    /// Its endpoints, by id.
    pub members: BTreeMap<String, Key>,
    /// Changes whenever a packet may have to take another way than before.
    pub routes: u64,
}

impl Conference {
    pub fn new(id: String) -> Conference {
        Conference { id, speakers: SpeakerList::default(), dirty: false, members: BTreeMap::new(), routes: 0 }
    }
}

/// One video source of the conference, with what forwarding needs of it.
struct Candidate {
    owner: Key,
    owner_id: String,
    available: Available,
    /// Of its encodings, lowest first.
    ssrcs: Vec<u32>,
    /// The lowest, and that one's RTX.
    primary: Option<(u32, Option<u32>)>,
    video_type: BridgeVideoType,
}

impl Candidate {
    /// As receivers hear of it.
    fn reference(&self) -> Option<SourceRef<'_>> {
        let (primary, rtx) = self.primary?;
        let (name, owner, video_type) = (&self.available.name, &self.owner_id, self.video_type);
        Some(SourceRef { name, owner, kind: Kind::Video, primary, rtx, video_type })
    }
}

impl Bridge {
    /// Gives out video anew where something changed.
    pub(super) fn allocate_video(&mut self, now: Time) {
        while let Some(conference) = self.dirty.pop_front() {
            // One of this name may be another by now, and is dirty then by itself or not.
            if self.conferences.get_mut(&conference).is_some_and(|c| std::mem::take(&mut c.dirty)) {
                self.allocate_conference(&conference, now);
                self.rerouted(&conference);
            }
        }
    }

    fn candidates(&mut self, conference: &str, now: Time) -> Vec<Candidate> {
        let recent = self.conferences.get(conference).map_or(&[][..], |c| c.speakers.recent()).to_vec();
        let rank = |id: &str| recent.iter().position(|r| r == id).unwrap_or(usize::MAX);
        let mut members = self.members(conference);
        members.sort_by_cached_key(|k| self.endpoints.by(*k).map(|e| rank(&e.id)));
        let mut all = Vec::new();
        for key in members {
            let Some(e) = self.endpoints.quietly(key) else { continue };
            let muted = e.is_muted(Kind::Video);
            for s in e.sources.iter_mut().filter(|s| s.signalled.kind == Kind::Video) {
                let rates = s.rates(now);
                let layer = |(e, bps): (&super::media::Encoding, u64)| Layer { height: e.height, bps };
                all.push(Candidate {
                    owner: key,
                    owner_id: e.id.clone(),
                    primary: s.encodings.first().map(|e| (e.ssrc, e.rtx)),
                    video_type: s.video_type,
                    available: Available {
                        name: s.signalled.name.clone(),
                        desktop: s.desktop(),
                        enabled: s.enabled() && !muted,
                        layers: s.encodings.iter().zip(rates).map(layer).collect(),
                    },
                    ssrcs: s.encodings.iter().map(|e| e.ssrc).collect(),
                });
            }
        }
        all
    }

    fn allocate_conference(&mut self, conference: &str, now: Time) {
        let all = self.candidates(conference, now);
        let slots = i32::try_from(self.config.video_slots).unwrap_or(i32::MAX);
        let limit = if self.config.last_n < 0 { slots } else { slots.min(self.config.last_n) };
        // The greatest height that anybody wants, and whether somebody waits for a key frame; as in `all`.
        let mut wanted = vec![(0, false); all.len()];
        for key in self.members(conference) {
            let others = all.iter().enumerate().filter(|(_, c)| c.owner != key);
            let (places, foreign): (Vec<usize>, Vec<&Candidate>) = others.unzip();
            let sources: Vec<&Available> = foreign.iter().map(|c| &c.available).collect();
            let Some(e) = self.endpoints.by_mut(key) else { continue };
            let budget = e.receiver.estimate.unwrap_or(u64::MAX / 4);
            let allocated = allocate(&e.receiver.settings, &sources, limit, budget);
            for a in &allocated {
                let height = &mut wanted[places[a.at]].0;
                *height = higher(*height, a.effective);
            }
            e.receiver.allocated = allocated;
            for at in self.apply(key, &foreign, now) {
                wanted[places[at]].1 = true;
            }
        }
        for (c, (height, waits)) in all.iter().zip(wanted) {
            if waits {
                self.want_key_frame(&c.owner_id, &c.available.name, now);
            }
            self.tell_sender(c.owner, &c.available.name, height, now);
        }
    }

    /// Makes slots and targets of an endpoint's allocation, and tells it. Which of `foreign` it waits for.
    fn apply(&mut self, key: Key, foreign: &[&Candidate], now: Time) -> Vec<usize> {
        let Some(e) = self.endpoints.by_mut(key) else { return Vec::new() };
        // A slot changes hands only while its receiver can be told: it would take one's media for the other's.
        let since = if e.channel.way().is_some() { e.receiver.video_clock() } else { 0 };
        let allocated = std::mem::take(&mut e.receiver.allocated);
        let input = |a: &Allocated| a.layer.and_then(|l| foreign[a.at].ssrcs.get(l)).copied();
        // What is wanted first; the slots that are left hold what is not, as JVB fills them. Without slots there is a stream for
        // what is to be sent.
        let mut order: Vec<_> = allocated.iter().collect();
        order.sort_by_key(|a| a.effective == 0);
        let mut maps = Vec::new();
        for a in order.into_iter().filter(|a| e.options.ssrc_rewriting || input(a).is_some()) {
            if let Some(r) = foreign[a.at].reference() {
                maps.extend(e.receiver.place(&r, since, &mut e.transport, &mut self.env));
            }
        }
        if !maps.is_empty() {
            e.say(&FromBridge::VideoSourcesMap(maps), &mut self.outputs, now);
        }
        let (mut forwarded, mut waiting) = (Vec::new(), Vec::new());
        for a in &allocated {
            if e.receiver.aim(&a.name, input(a)) {
                waiting.push(a.at);
            }
            if input(a).is_some() {
                forwarded.push(a.name.clone());
            }
        }
        let ideal: u64 = allocated.iter().map(|a| a.ideal).sum();
        if self.config.estimate && e.options.rtx {
            e.transport.desire(ideal);
        }
        e.receiver.allocated = allocated;
        let (mut before, mut after) = (e.receiver.forwarded.clone(), forwarded.clone());
        before.sort_unstable();
        after.sort_unstable();
        e.receiver.forwarded = forwarded.clone();
        if before != after {
            e.say(&FromBridge::ForwardedSources(forwarded), &mut self.outputs, now);
        }
        waiting
    }

    fn tell_sender(&mut self, owner: Key, source: &str, max_height: i32, now: Time) {
        let Some(e) = self.endpoints.quietly(owner) else { return };
        let Some(s) = e.source(source) else { return };
        if s.told.replace(max_height) != Some(max_height) {
            self.endpoints.touch(owner);
            let Some(e) = self.endpoints.quietly(owner) else { return };
            let m = FromBridge::SenderSourceConstraints { source: source.to_owned(), max_height };
            e.say(&m, &mut self.outputs, now);
        }
    }

    /// Asks for a key frame of a source, within its limits.
    pub(super) fn want_key_frame(&mut self, owner: &str, source: &str, now: Time) {
        let own = self.video_ssrc;
        let Some(e) = self.endpoints.get_mut(owner) else { return };
        let Some(ssrc) = e.source(source).and_then(|s| s.ask(now)) else { return };
        e.transport.request_key_frame(own, ssrc, now);
        e.dirty = true;
        let endpoint = owner.to_owned();
        self.event(Event::KeyFrameWanted { endpoint, ssrc });
    }

    /// The endpoints of a conference, in the order of their ids.
    pub(super) fn members(&self, conference: &str) -> Vec<Key> {
        self.conferences.get(conference).map_or_else(Vec::new, |c| c.members.values().copied().collect())
    }

    /// Says something to everybody of a conference but `except`.
    pub(super) fn tell_all(&mut self, conference: &str, except: Option<&str>, text: &str, now: Time) {
        for key in self.members(conference) {
            if let Some(e) = self.endpoints.by_mut(key).filter(|e| Some(e.id.as_str()) != except) {
                e.say_text(text.to_owned(), &mut self.outputs, now);
            }
        }
    }

    /// Tells everybody who speaks.
    pub(super) fn tell_speakers(&mut self, conference: &str, now: Time) {
        let message = self.conferences.get(conference).and_then(|c| c.speakers.message());
        if let Some(m) = message {
            self.tell_all(conference, None, &FromBridge::DominantSpeaker(m).to_text(), now);
        }
    }

    /// A client's downlink as str0m estimates it.
    pub(super) fn estimated(&mut self, id: &str, bps: u64) {
        let Some(e) = self.endpoints.get_mut(id) else { return };
        // Against what was acted on last, so that small steps add up.
        if e.receiver.estimate.is_none_or(|b| b.abs_diff(bps) * 100 > b * ESTIMATE_STEP) {
            e.receiver.estimate = Some(bps);
            let conference = e.options.conference.clone();
            self.changed(&conference);
        }
    }

    /// What nobody tells: who went silent, who is to be told of its downlink, which layers stopped.
    pub(super) fn look_after(&mut self, now: Time) {
        let mut expired = Vec::new();
        let mut changed = Vec::new();
        let mut waning = Vec::new();
        for key in self.endpoints.keys() {
            let Some(e) = self.endpoints.quietly(key) else { continue };
            if e.sources.iter().any(|s| s.signalled.kind == Kind::Video && s.active()) {
                waning.push(e.options.conference.clone());
            }
            if e.is_expired(now) {
                expired.push(e.id.clone());
            } else if e.look(now) {
                changed.push((e.options.conference.clone(), e.id.clone(), !e.inactive));
            }
            if let Some(downlink) = e.receiver.estimate.filter(|_| now.since(e.statistics) >= CONNECTION_STATS) {
                e.statistics = now;
                e.say(&FromBridge::ConnectionStats { downlink }, &mut self.outputs, now);
                self.endpoints.touch(key);
            }
        }
        for (conference, endpoint, active) in changed {
            let m = FromBridge::EndpointConnectivity { endpoint, active };
            self.tell_all(&conference, None, &m.to_text(), now);
        }
        for id in expired {
            self.give_up(&id, Expiry::Inactive, now);
        }
        // What nobody sends has no rate that time could change.
        for conference in waning {
            self.changed(&conference);
        }
    }

    /// The bridge gives up an endpoint by itself.
    pub(super) fn give_up(&mut self, id: &str, reason: Expiry, now: Time) {
        if self.remove(id, now).is_some() {
            self.outputs.push_back(Output::Event(Event::Expired { endpoint: id.to_owned(), reason }));
        }
    }
}

/// The higher of two heights, of which −1 is the highest.
fn higher(a: i32, b: i32) -> i32 {
    if a < 0 || b < 0 { -1 } else { a.max(b) }
}
