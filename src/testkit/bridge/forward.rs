//! The way of packets through the bridge (docs/protocol/04 §7–9): what the transports tell, and who gets it.

use super::Bridge;
use super::ice::IceEvent;
use super::projection::{Incoming, Vp8};
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
            let busy = self.take_events(now);
            self.allocate_video(now);
            self.flush(now);
            if !busy {
                break;
            }
        }
    }

    /// Lets out what was written, and collects what is to be sent.
    fn flush(&mut self, now: Time) {
        for e in self.endpoints.values_mut() {
            if std::mem::take(&mut e.dirty) {
                e.transport.flush(now);
            }
            let transmits = e.transport.poll_transmits().into_iter();
            self.outputs.extend(transmits.map(|(local, remote, data)| Output::Transmit { local, remote, data }));
        }
    }

    fn take_events(&mut self, now: Time) -> bool {
        let mut events = Vec::new();
        for e in self.endpoints.values_mut() {
            while let Some(event) = e.transport.poll_event() {
                events.push((e.id.clone(), event));
            }
        }
        let busy = !events.is_empty();
        for (id, event) in events {
            self.take_event(&id, event, now);
        }
        busy
    }

    fn take_event(&mut self, id: &str, event: TransportEvent, now: Time) {
        let endpoint = id.to_owned();
        match event {
            TransportEvent::Ice(IceEvent::Connected(generation)) => {
                self.event(Event::IceConnected { endpoint, generation });
            }
            TransportEvent::Ice(IceEvent::RestartFailed(generation)) => {
                self.event(Event::RestartFailed { endpoint, generation });
            }
            TransportEvent::Ice(IceEvent::Failed) => self.give_up(id, Expiry::IceFailed, now),
            TransportEvent::Closed => self.give_up(id, Expiry::DtlsFailed, now),
            TransportEvent::Secure => {
                if let Some(conference) = self.endpoints.get(id).map(|e| e.options.conference.clone()) {
                    self.changed(&conference);
                }
                self.event(Event::Connected { endpoint });
            }
            TransportEvent::Rtp(ssrc, p) => self.on_rtp(id, ssrc, &p, now),
            TransportEvent::KeyFrameWanted(mid) => {
                let source = self.endpoints.get_mut(id).and_then(|e| e.receiver.wants_key_frame(&mid, now));
                if let Some((owner, source)) = source.and_then(|s| self.owner_of(id, &s).map(|o| (o, s))) {
                    self.want_key_frame(&owner, &source, now);
                }
            }
            TransportEvent::Nack(ssrc, seqs) => {
                if let Some(e) = self.endpoints.get_mut(id) {
                    e.receiver.repeat(ssrc, &seqs, &mut e.transport, now);
                    e.dirty = true;
                }
            }
            TransportEvent::ChannelOpen => {
                if let Some(e) = self.endpoints.get_mut(id) {
                    e.channel.data = true;
                    self.channel_open(id, ChannelKind::DataChannel, now);
                }
            }
            TransportEvent::ChannelText(text) => self.on_text(id, ChannelKind::DataChannel, text, now),
            TransportEvent::ChannelClosed => {
                if let Some(e) = self.endpoints.get_mut(id) {
                    e.channel.data = false;
                    self.event(Event::ChannelClosed { endpoint, kind: ChannelKind::DataChannel });
                }
            }
            TransportEvent::Estimate(bps) => self.estimated(id, bps),
        }
    }

    /// Who, of the conference of `id`, sends a source.
    fn owner_of(&self, id: &str, source: &str) -> Option<String> {
        let conference = &self.endpoints.get(id)?.options.conference;
        let mut of = self.endpoints.values().filter(|e| e.options.conference == *conference);
        of.find(|e| e.sources.iter().any(|s| s.signalled.name == source)).map(|e| e.id.clone())
    }

    fn on_rtp(&mut self, id: &str, ssrc: u32, p: &Packet, now: Time) {
        let Some(e) = self.endpoints.get_mut(id) else { return };
        // An SSRC that nobody signalled leads nowhere.
        let Some((at, encoding)) = e.route(ssrc) else { return };
        let kind = e.sources[at].signalled.kind;
        if e.is_muted(kind) || p.payload.is_empty() {
            return;
        }
        match kind {
            Kind::Audio => self.on_audio(id, at, ssrc, p, now),
            Kind::Video => self.on_video(id, (at, encoding), ssrc, p, now),
        }
    }

    fn on_audio(&mut self, id: &str, at: usize, ssrc: u32, p: &Packet, now: Time) {
        let Some(sender) = self.endpoints.get_mut(id) else { return };
        let level = p.level.map(|l| l.0.unsigned_abs().min(127));
        let source = &mut sender.sources[at];
        let seq = match self.config.discard_silence {
            true => source.audio_came(p.seq, level),
            false => Some(p.seq),
        };
        let source = source.clone();
        let conference = sender.options.conference.clone();
        if let (Some(level), Some(c)) = (level, self.conferences.get_mut(&conference))
            && c.speakers.heard(id, level, now)
        {
            c.dirty = true;
            self.tell_speakers(&conference, now);
        }
        let (Some(seq), Some(reference)) = (seq, source.reference(id)) else { return };
        let input = incoming(ssrc, p, seq, AUDIO_CLOCK);
        for e in self.endpoints.values_mut().filter(|e| e.options.conference == conference && e.id != id) {
            if !e.transport.secure() || !e.receiver.hears(reference.name) {
                continue;
            }
            let since = if e.channel.way().is_some() { e.receiver.audio_clock() } else { 0 };
            let map = e.receiver.place(&reference, since, &mut e.transport, &mut self.env);
            if let Some(m) = map {
                e.say(&FromBridge::AudioSourcesMap(vec![m]), &mut self.outputs, now);
            }
            e.receiver.aim(reference.name, Some(reference.primary));
            e.receiver.forward(reference.name, &input, p, &mut e.transport, now);
            e.dirty = true;
        }
    }

    fn on_video(&mut self, id: &str, (at, encoding): (usize, usize), ssrc: u32, p: &Packet, now: Time) {
        let Some(sender) = self.endpoints.get_mut(id) else { return };
        let source = &mut sender.sources[at];
        let vp8 = (p.pt == VP8).then(|| Vp8::read(&p.payload)).flatten();
        let layers_changed = source.video_came(encoding, p.payload.len(), vp8.and_then(|v| v.height), now);
        let name = source.signalled.name.clone();
        let conference = sender.options.conference.clone();
        if layers_changed {
            self.changed(&conference);
            // Before the packet goes on: it may begin what is only now wanted.
            self.allocate_video(now);
        }
        let input = incoming(ssrc, p, p.seq, VIDEO_CLOCK);
        let mut waits = false;
        for e in self.endpoints.values_mut().filter(|e| e.options.conference == conference && e.id != id) {
            if e.transport.secure() {
                waits |= e.receiver.forward(&name, &input, p, &mut e.transport, now);
                e.dirty = true;
            }
        }
        if waits {
            self.want_key_frame(id, &name, now);
        }
    }
}

/// What a packet is to the projection.
fn incoming(ssrc: u32, p: &Packet, seq: u64, clock: u32) -> Incoming<'_> {
    Incoming { ssrc, pt: p.pt, seq, ts: p.ts, payload: &p.payload, clock }
}
