//! What tests of the receiving half begin with: a session with one slot of sound, and who has it.

use super::super::event::MediaPath;
use super::super::io::SocketsKey;
use super::super::tracks::Tracks;
use super::{Heard, MediaSession, Source};
use crate::engine::fake::{FakeEngines, identity};
use crate::env::Env;
use crate::jingle::{Codec as JingleCodec, Negotiated, NegotiatedPayload, SessionKey};
use crate::media::kind::{MediaType, VideoType};
use crate::media::peer::{Config, EstimateBounds, IncomingRtp, Mid, PeerEngineFactory, RtpConfig};
use crate::time::Time;
use std::time::Duration;

pub const SSRC: u32 = 7;

/// A session whose channel is open, with one slot of sound.
pub struct Bed {
    pub session: MediaSession,
    start: Time,
    /// The slot's, as maps tell it.
    pub mid: Option<Mid>,
}

impl Bed {
    pub fn new() -> Bed {
        let (mut env, start) = (Env::seeded(1), Time::new(1_000_000, 0));
        let config = Config {
            controlling: false,
            identity: identity("a"),
            stun_servers: vec![],
            allow_loopback: true,
            rtp: RtpConfig::default(),
            feedback_ssrc: 1,
            cname: String::new(),
            estimate: EstimateBounds::default(),
            sctp: None,
        };
        let engine = FakeEngines.create(config, &mut env, start).unwrap();
        let wait = Duration::from_millis(200);
        let mut session =
            MediaSession::new(SessionKey(1), MediaPath::Bridge, SocketsKey(1), engine, String::new(), wait);
        let opus = NegotiatedPayload {
            pt: 111,
            codec: JingleCodec::Opus,
            clock: 48_000,
            rtx: None,
            nack: false,
            pli: false,
            fir: false,
            transport_cc: true,
            parameters: vec![],
        };
        let negotiated = Negotiated { payloads: vec![opus], ..Negotiated::default() };
        session.negotiated(negotiated, &Tracks::default(), &mut env, start);
        session.unclear.channel(true, start);
        Bed { session, start, mid: None }
    }

    pub fn at(&self, ms: u64) -> Time {
        self.start + Duration::from_millis(ms)
    }

    pub fn source(&self, owner: &str) -> Source {
        Source {
            owner: owner.into(),
            name: format!("{owner}-a0").into(),
            media: MediaType::Audio,
            primaries: vec![SSRC],
            repairs: vec![],
            video_type: VideoType::Camera,
            slot: true,
            mid: self.mid,
        }
    }

    /// The map that gives the slot to somebody; `None` after the other owner: nobody has it.
    pub fn map(&mut self, from: Option<&str>, to: Option<&str>, ms: u64) {
        let now = self.at(ms);
        if let Some(from) = from {
            self.session.remove_source(&format!("{from}-a0"), &[SSRC], true, now);
        }
        if let Some(to) = to {
            let s = self.source(to);
            self.session.add_source(&s, now);
        }
    }

    /// 20 ms of sound, with its number and the time of its sender.
    pub fn sound(&mut self, seq: u64, ts_ms: u64, ms: u64) -> Heard {
        self.sound_on(SSRC, None, seq, ts_ms, ms)
    }

    /// The same on another SSRC, with what it carries.
    pub fn sound_on(&mut self, ssrc: u32, mid: Option<Mid>, seq: u64, ts_ms: u64, ms: u64) -> Heard {
        let p = IncomingRtp {
            ssrc,
            pt: 111,
            seq: 70_000 + seq,
            ts: ts_ms as u32 * 48,
            marker: false,
            recovered: false,
            arrival: self.at(ms),
            waited_us: 0,
            level: None,
            mid,
            dependency_descriptor: None,
            payload: vec![1 << 3, seq as u8].into(),
        };
        let now = self.at(ms);
        self.session.handle_timeout(now);
        self.session.packet(p, now, |_, _, _| true)
    }

    /// Whose frames came, with their numbers.
    pub fn heard(&mut self) -> Vec<(String, u8)> {
        let frames = std::iter::from_fn(|| self.session.poll_frame());
        frames.map(|f| (f.endpoint_id.to_string(), f.data[1])).collect()
    }

    /// Ann speaks through the slot: 0 to 9, until 180 ms.
    pub fn ann(&mut self) {
        self.map(None, Some("ann"), 0);
        for n in 0..10 {
            self.sound(n, n * 20, n * 20);
        }
        assert_eq!(self.heard().len(), 10);
    }
}

pub fn of(owner: &str, seqs: impl IntoIterator<Item = u8>) -> Vec<(String, u8)> {
    seqs.into_iter().map(|n| (owner.to_owned(), n)).collect()
}
