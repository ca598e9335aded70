//! What concerns a conference as a whole: who gets which video, what senders are told of it, who speaks, who is there
//! (docs/protocol/04 §2, §4, §10).

use super::allocation::{Available, Layer, allocate};
use super::speakers::SpeakerList;
use super::types::{Event, Expiry, Kind};
use super::{Bridge, Output};
use crate::time::Time;
use crate::wire::colibri::FromBridge;
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
}

impl Conference {
    pub fn new(id: String) -> Conference {
        Conference { id, speakers: SpeakerList::default(), dirty: false }
    }
}

/// One video source of the conference, with what forwarding needs of it.
struct Candidate {
    owner: String,
    available: Available,
    ssrcs: Vec<u32>,
}

impl Bridge {
    /// Gives out video anew where something changed.
    pub(super) fn allocate_video(&mut self, now: Time) {
        let due = |c: (&String, &mut Conference)| std::mem::take(&mut c.1.dirty).then(|| c.0.clone());
        let dirty: Vec<String> = self.conferences.iter_mut().filter_map(due).collect();
        for conference in dirty {
            self.allocate_conference(&conference, now);
        }
    }

    fn candidates(&mut self, conference: &str, now: Time) -> Vec<Candidate> {
        let recent = self.conferences.get(conference).map_or(&[][..], |c| c.speakers.recent()).to_vec();
        let rank = |id: &str| recent.iter().position(|r| r == id).unwrap_or(usize::MAX);
        let mut members: Vec<_> = self.endpoints.values_mut().filter(|e| e.options.conference == conference).collect();
        members.sort_by_key(|e| rank(&e.id));
        let mut all = Vec::new();
        for e in members {
            let muted = e.is_muted(Kind::Video);
            for s in e.sources.iter_mut().filter(|s| s.signalled.kind == Kind::Video) {
                let rates = s.rates(now);
                let layer = |(e, bps): (&super::media::Encoding, u64)| Layer { height: e.height, bps };
                all.push(Candidate {
                    owner: e.id.clone(),
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
        let ids: Vec<String> = self.members(conference);
        let mut wanted: BTreeMap<&str, i32> = BTreeMap::new();
        let mut waiting: Vec<(String, String)> = Vec::new();
        for id in &ids {
            let foreign: Vec<&Candidate> = all.iter().filter(|c| c.owner != *id).collect();
            let sources: Vec<Available> = foreign.iter().map(|c| c.available.clone()).collect();
            let Some(e) = self.endpoints.get_mut(id) else { continue };
            let limit = if self.config.last_n < 0 { slots } else { slots.min(self.config.last_n) };
            let budget = e.receiver.estimate.unwrap_or(u64::MAX / 4);
            let allocated = allocate(&e.receiver.settings, &sources, limit, budget);
            for a in &allocated {
                let name = foreign.iter().find(|c| c.available.name == a.name).map(|c| c.available.name.as_str());
                if let Some(name) = name {
                    let height = wanted.entry(name).or_insert(0);
                    *height = higher(*height, a.effective);
                }
            }
            e.receiver.allocated = allocated;
            self.apply(id, &foreign, &mut waiting, now);
        }
        for (owner, source) in waiting {
            self.want_key_frame(&owner, &source, now);
        }
        for c in &all {
            let height = wanted.get(c.available.name.as_str()).copied().unwrap_or(0);
            self.tell_sender(&c.owner, &c.available.name, height, now);
        }
    }

    /// Makes slots and targets of an endpoint's allocation, and tells it.
    fn apply(&mut self, id: &str, foreign: &[&Candidate], waiting: &mut Vec<(String, String)>, now: Time) {
        let Some(e) = self.endpoints.get_mut(id) else { return };
        // A slot changes hands only while its receiver can be told: it would take one's media for the other's.
        let since = if e.channel.way().is_some() { e.receiver.video_clock() } else { 0 };
        let allocated = std::mem::take(&mut e.receiver.allocated);
        // What is wanted first; the slots that are left hold what is not, as JVB fills them.
        let mut order: Vec<_> = allocated.iter().collect();
        order.sort_by_key(|a| a.effective == 0);
        let mut placed = Vec::new();
        for a in order {
            let owner = foreign.iter().find(|c| c.available.name == a.name).map(|c| c.owner.clone());
            placed.extend(owner.map(|owner| (a.name.clone(), owner)));
        }
        let mut maps = Vec::new();
        for (name, owner) in placed {
            let Some(source) = self.endpoints.get_mut(&owner).and_then(|o| o.source(&name).cloned()) else { continue };
            let (Some(e), Some(r)) = (self.endpoints.get_mut(id), source.reference(&owner)) else { continue };
            maps.extend(e.receiver.place(&r, since, &mut e.transport, &mut self.env));
        }
        let Some(e) = self.endpoints.get_mut(id) else { return };
        if !maps.is_empty() {
            e.say(&FromBridge::VideoSourcesMap(maps), &mut self.outputs, now);
        }
        let mut forwarded = Vec::new();
        for a in &allocated {
            let Some(c) = foreign.iter().find(|c| c.available.name == a.name) else { continue };
            let input = a.layer.and_then(|l| c.ssrcs.get(l)).copied();
            if e.receiver.aim(&a.name, input) {
                waiting.push((c.owner.clone(), a.name.clone()));
            }
            if input.is_some() {
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
    }

    fn tell_sender(&mut self, owner: &str, source: &str, max_height: i32, now: Time) {
        let Some(e) = self.endpoints.get_mut(owner) else { return };
        let Some(s) = e.source(source) else { return };
        if s.told.replace(max_height) != Some(max_height) {
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

    pub(super) fn members(&self, conference: &str) -> Vec<String> {
        let of = self.endpoints.values().filter(|e| e.options.conference == conference);
        of.map(|e| e.id.clone()).collect()
    }

    /// Says something to everybody of a conference but `except`.
    pub(super) fn tell_all(&mut self, conference: &str, except: Option<&str>, text: &str, now: Time) {
        for e in self.endpoints.values_mut().filter(|e| e.options.conference == conference) {
            if Some(e.id.as_str()) != except {
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
        for e in self.endpoints.values_mut() {
            if e.is_expired(now) {
                expired.push(e.id.clone());
            } else if e.look(now) {
                changed.push((e.options.conference.clone(), e.id.clone(), !e.inactive));
            }
            if let Some(downlink) = e.receiver.estimate.filter(|_| now.since(e.statistics) >= CONNECTION_STATS) {
                e.statistics = now;
                e.say(&FromBridge::ConnectionStats { downlink }, &mut self.outputs, now);
            }
        }
        for (conference, endpoint, active) in changed {
            let m = FromBridge::EndpointConnectivity { endpoint, active };
            self.tell_all(&conference, None, &m.to_text(), now);
        }
        for id in expired {
            self.give_up(&id, Expiry::Inactive, now);
        }
        self.conferences.values_mut().for_each(|c| c.dirty = true);
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
