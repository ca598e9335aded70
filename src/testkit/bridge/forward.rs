//! The way of packets through the bridge (docs/protocol/04 §7–9): what the transports tell, and who gets it.

use super::Bridge;
use super::endpoint::Endpoint;
use super::ice::IceEvent;
use super::media::Route;
use super::projection::{Incoming, Vp8};
use super::table::Key;
use super::transport::{Packet, TransportEvent, VP8};
use super::types::{ChannelKind, Event, Expiry, Kind, Output};
use crate::time::Time;
use crate::wire::colibri::FromBridge;

const AUDIO_CLOCK: u32 = 48_000;
const VIDEO_CLOCK: u32 = 90_000;
/// Rounds of cause and effect within one input; more would be a loop.
const MAX_ROUNDS: usize = 1000;

impl Bridge {
    /// Does everything that follows from the last input.
    pub(super) fn pump(&mut self, now: Time) {
        for _ in 0..MAX_ROUNDS {
            self.take_events(now);
            self.allocate_video(now);
            // Those that were only written to, and have nothing to tell.
            self.take_events(now);
            if self.round.is_empty() {
                break;
            }
            self.flush(now);
        }
    }

    /// Takes what those tell who were touched, and whoever is touched by that.
    fn take_events(&mut self, now: Time) {
        while let Some(key) = self.endpoints.next_touched() {
            if let Some(e) = self.endpoints.quietly(key)
                && !std::mem::replace(&mut e.in_round, true)
            {
                self.round.push(key);
            }
            while let Some(event) = self.endpoints.quietly(key).and_then(|e| e.transport.poll_event()) {
                self.take_event(key, event, now);
            }
        }
    }

    /// Lets out what was written in this round, and collects what is to be sent.
    fn flush(&mut self, now: Time) {
        let mut round = std::mem::take(&mut self.round);
        for key in round.drain(..) {
            let Some(e) = self.endpoints.quietly(key) else { continue };
            e.in_round = false;
            if std::mem::take(&mut e.dirty) {
                e.transport.flush(now);
            }
            let transmits = e.transport.poll_transmits();
            self.outputs.extend(transmits.map(|(local, remote, data)| Output::Transmit { local, remote, data }));
            if e.transport.has_events() {
                self.endpoints.touch(key);
            }
            self.endpoints.schedule(key);
        }
        self.round = round;
    }

    fn take_event(&mut self, key: Key, event: TransportEvent, now: Time) {
        if let TransportEvent::Rtp(ssrc, p) = event {
            return self.on_rtp(key, ssrc, &p, now);
        }
        let Some(e) = self.endpoints.by_mut(key) else { return };
        let endpoint = e.id.clone();
        let id = endpoint.as_str();
        match event {
            TransportEvent::Rtp(..) => {}
            TransportEvent::Ice(IceEvent::Connected(generation)) => {
                self.event(Event::IceConnected { endpoint, generation });
            }
            TransportEvent::Ice(IceEvent::RestartFailed(generation)) => {
                self.event(Event::RestartFailed { endpoint, generation });
            }
            TransportEvent::Ice(IceEvent::Failed) => self.give_up(id, Expiry::IceFailed, now),
            TransportEvent::Closed => self.give_up(id, Expiry::DtlsFailed, now),
            TransportEvent::Secure => {
                let conference = e.options.conference.clone();
                self.changed(&conference);
                self.event(Event::Connected { endpoint });
            }
            TransportEvent::KeyFrameWanted(mid) => {
                let source = e.receiver.wants_key_frame(&mid, now);
                if let Some((owner, source)) = source.and_then(|s| self.owner_of(id, &s).map(|o| (o, s))) {
                    self.want_key_frame(&owner, &source, now);
                }
            }
            TransportEvent::Nack(ssrc, seqs) => {
                e.receiver.repeat(ssrc, &seqs, &mut e.transport, now);
                e.dirty = true;
            }
            TransportEvent::ChannelOpen => {
                e.channel.data = true;
                self.channel_open(id, ChannelKind::DataChannel, now);
            }
            TransportEvent::ChannelText(text) => self.on_text(id, ChannelKind::DataChannel, text, now),
            TransportEvent::ChannelClosed => {
                e.channel.data = false;
                self.event(Event::ChannelClosed { endpoint, kind: ChannelKind::DataChannel });
            }
            TransportEvent::Estimate(bps) => self.estimated(id, bps),
        }
    }

    /// Who, of the conference of `id`, sends a source.
    fn owner_of(&self, id: &str, source: &str) -> Option<String> {
        let conference = &self.endpoints.get(id)?.options.conference;
        let of = self.conferences.get(conference)?.members.iter();
        let sends = |e: &Endpoint| e.sources.iter().any(|s| s.signalled.name == source);
        of.into_iter().find(|(_, k)| self.endpoints.by(**k).is_some_and(sends)).map(|(id, _)| id.clone())
    }

    fn on_rtp(&mut self, key: Key, ssrc: u32, p: &Packet, now: Time) {
        let Some(e) = self.endpoints.quietly(key) else { return };
        // An SSRC that nobody signalled leads nowhere.
        let Some((at, encoding)) = e.route(ssrc) else { return };
        let kind = e.sources[at].signalled.kind;
        if e.is_muted(kind) || p.payload.is_empty() {
            return;
        }
        match kind {
            Kind::Audio => self.on_audio(key, at, ssrc, p, now),
            Kind::Video => self.on_video(key, (at, encoding), ssrc, p, now),
        }
    }

    fn on_audio(&mut self, key: Key, at: usize, ssrc: u32, p: &Packet, now: Time) {
        let Some(sender) = self.endpoints.quietly(key) else { return };
        let level = p.level.map(|l| l.0.unsigned_abs().min(127));
        let seq = match self.config.discard_silence {
            true => sender.sources[at].audio_came(p.seq, level),
            false => Some(p.seq),
        };
        if let (Some(level), Some(c)) = (level, self.conferences.get_mut(&sender.options.conference))
            && c.speakers.heard(&sender.id, level, now)
        {
            let conference = sender.options.conference.clone();
            self.changed(&conference);
            self.tell_speakers(&conference, now);
        }
        let (Some(seq), Some(route)) = (seq, self.take_route(key, at)) else { return };
        let (input, reference) = (incoming(ssrc, p, seq, AUDIO_CLOCK), route.reference());
        for to in &route.to {
            let Some(e) = self.endpoints.by_mut(*to) else { continue };
            let since = if e.channel.way().is_some() { e.receiver.audio_clock() } else { 0 };
            let map = e.receiver.place(&reference, since, &mut e.transport, &mut self.env);
            if let Some(m) = map {
                e.say(&FromBridge::AudioSourcesMap(vec![m]), &mut self.outputs, now);
            }
            e.receiver.aim(reference.name, Some(reference.primary));
            e.receiver.forward(reference.name, &input, p, &mut e.transport, now);
            e.dirty = true;
        }
        self.keep_route(key, at, route);
    }

    fn on_video(&mut self, key: Key, (at, encoding): (usize, usize), ssrc: u32, p: &Packet, now: Time) {
        let Some(sender) = self.endpoints.quietly(key) else { return };
        let vp8 = (p.pt == VP8).then(|| Vp8::read(&p.payload)).flatten();
        let height = vp8.and_then(|v| v.height);
        if sender.sources[at].video_came(encoding, p.payload.len(), height, now) {
            let conference = sender.options.conference.clone();
            self.changed(&conference);
            // Before the packet goes on: it may begin what is only now wanted.
            self.allocate_video(now);
        }
        let Some(route) = self.take_route(key, at) else { return };
        let input = incoming(ssrc, p, p.seq, VIDEO_CLOCK);
        let mut waits = false;
        for to in &route.to {
            if let Some(e) = self.endpoints.by_mut(*to) {
                waits |= e.receiver.forward(&route.name, &input, p, &mut e.transport, now);
                e.dirty = true;
            }
        }
        if waits {
            self.want_key_frame(&route.owner, &route.name, now);
        }
        self.keep_route(key, at, route);
    }

    /// Where the packets of a source go, found anew when anything changed since. It is put back by [`Bridge::keep_route`].
    fn take_route(&mut self, key: Key, at: usize) -> Option<Route> {
        let sender = self.endpoints.quietly(key)?;
        let conference = self.conferences.get(&sender.options.conference)?;
        let source = sender.sources.get_mut(at)?;
        if let Some(route) = source.route.take().filter(|r| r.made == conference.routes) {
            return Some(route);
        }
        let mut route = Route {
            made: conference.routes,
            name: source.signalled.name.clone(),
            owner: sender.id.clone(),
            kind: source.signalled.kind,
            primary: source.encodings.first().map(|e| (e.ssrc, e.rtx))?,
            video_type: source.video_type,
            to: Vec::new(),
        };
        let wants = |e: &Endpoint| {
            e.transport.secure()
                && match route.kind {
                    Kind::Audio => e.receiver.hears(&route.name),
                    Kind::Video => e.receiver.follows(&route.name),
                }
        };
        let others = conference.members.values().copied().filter(|k| *k != key);
        route.to = others.filter(|k| self.endpoints.by(*k).is_some_and(wants)).collect();
        Some(route)
    }

    fn keep_route(&mut self, key: Key, at: usize, route: Route) {
        if let Some(s) = self.endpoints.quietly(key).and_then(|e| e.sources.get_mut(at)) {
            s.route = Some(route);
        }
    }
}

/// What a packet is to the projection.
fn incoming(ssrc: u32, p: &Packet, seq: u64, clock: u32) -> Incoming<'_> {
    Incoming { ssrc, pt: p.pt, seq, ts: p.ts, payload: &p.payload, clock }
}
