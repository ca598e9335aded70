//! The meeting machine: inputs in, outputs out, one deadline; and the pump that carries values between the machines below.

use super::bandwidth::Sending;
use super::bridge::Link;
use super::event::{ClientState, Event, EventKind, MAIN_ROOM, Participant, ParticipantKey, TimelineStage, TrackKey};
use super::io::{ConnectionKey, Input, Output, SocketsKey};
use super::measure::Measured;
use super::medias::Medias;
use super::muting::Muting;
use super::options::{ClientOptions, DEFAULT_JITTER, DEFAULT_JOIN_TIMEOUT};
use super::provenance::Provenance;
use super::rejoin::Rejoining;
use super::room::Told;
use super::stats::PassedOver;
use super::streaming::Streams;
use super::tones::Pressing;
use super::tracks::Tracks;
use super::{ReaderKey, ReaderOptions};
use crate::bridge::{AllConstraints, Outbox, Pinger, RemoteStats, Speakers};
use crate::conference::{Room, RoomConfig};
use crate::env::Env;
use crate::error::{Code, Error, Stage};
use crate::jingle::{self, Jingle, JingleConfig};
use crate::media::adaptation::Adaptation;
use crate::media::codec_selection::{CodecSelection, Preference};
use crate::media::peer::{Identity, PeerEngineFactory, Stats};
use crate::media::{Codec, FrameTransform};
use crate::time::{Time, earliest};
use crate::wire::Jid;
use crate::xmpp::{IqToken, Stream, StreamStats};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Readers of one client at most.
pub const MAX_READERS: usize = 4096;
/// Longest time for all of leaving.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(7);
/// STUN server addresses kept.
pub const MAX_STUN_SERVERS: usize = 8;

/// How engines are made: none in a build without media.
pub struct Engines {
    pub factory: Box<dyn PeerEngineFactory>,
    pub identity: Arc<Identity>,
}

/// Who asked an IQ.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    Room(u64),
    Jingle(jingle::IqToken),
}

/// A reader and what it reads.
pub(super) struct ReaderEntry {
    pub key: ReaderKey,
    pub track: Option<TrackKey>,
    pub options: ReaderOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    Connecting,
    Joining,
    Joined,
    Leaving,
    Closed,
}

/// One participant's meeting. See the module's text.
pub struct Meeting {
    pub(super) options: ClientOptions,
    pub(super) env: Env,
    pub(super) names: Names,
    pub(super) secrets_allowed: bool,
    pub(super) engines: Option<Engines>,
    pub(super) phase: Phase,
    pub(super) stage: Stage,
    pub(super) stream: Option<Stream>,
    pub(super) connection: ConnectionKey,
    pub(super) next_connection: u32,
    pub(super) room: Option<Room>,
    /// What it was entered with, to enter it again.
    pub(super) room_config: Option<RoomConfig>,
    /// We are on our way out of the room and in again.
    pub(super) rejoining: Option<Rejoining>,
    /// When that was done lately.
    pub(super) rejoins: Vec<Time>,
    pub(super) told: Told,
    pub(super) jingle: Jingle,
    pub(super) medias: Medias,
    /// The channel of the bridge session that runs.
    pub(super) link: Option<Link>,
    /// What video is wanted, where the program says so itself.
    pub(super) explicit: Option<AllConstraints>,
    pub(super) sending: Sending,
    pub(super) muting: Muting,
    pub(super) pressing: Vec<Pressing>,
    pub(super) selection: CodecSelection,
    /// What visitors can decode, where the focus says so (docs/protocol/03 §8.1).
    pub(super) visitor_codecs: Option<Vec<Codec>>,
    pub(super) adaptation: Adaptation,
    /// The time of the input that is being handled.
    pub(super) clock: Time,
    pub(super) next_sockets: u64,
    pub(super) stun: Vec<SocketAddr>,
    pub(super) tracks: Tracks,
    pub(super) roster: BTreeMap<String, Arc<Participant>>,
    pub(super) next_participant: u64,
    pub(super) readers: Vec<ReaderEntry>,
    pub(super) iqs: HashMap<IqToken, Asker>,
    /// Request number → tag, of what waits for the room.
    pub(super) requests: BTreeMap<u64, u64>,
    pub(super) next_request: u64,
    pub(super) join_tag: Option<u64>,
    pub(super) leave_tags: Vec<u64>,
    pub(super) join_deadline: Option<Time>,
    pub(super) leave_deadline: Option<Time>,
    /// The end that is being carried out: `None` inside: we left.
    pub(super) ending: Option<Option<Error>>,
    pub(super) reached: BTreeSet<TimelineStage>,
    pub(super) visitors: bool,
    pub(super) provenance: Provenance,
    /// What the others say of their connections.
    pub(super) remote_stats: RemoteStats,
    pub(super) measured: Measured,
    /// Application messages that wait for the channel.
    pub(super) outbox: Outbox,
    /// A channel to the bridge was open in this meeting.
    pub(super) had_channel: bool,
    /// The first bridge session has said whether we begin muted.
    pub(super) started: bool,
    /// Who speaks, and who spoke before.
    pub(super) speakers: Speakers,
    /// How far the others are, where that is to be measured.
    pub(super) pinger: Option<Pinger>,
    pub(super) streaming: Streams,
    pub(super) transform: Option<Box<dyn FrameTransform>>,
    /// Endpoint id of the newest session's other side.
    pub(super) last_peer: String,
    /// Stanzas and messages of the bridge that nobody took.
    pub(super) unhandled: u64,
    /// Counters of the stream that ended.
    pub(super) last_stream: StreamStats,
    /// What sessions passed over that have ended.
    pub(super) last_packets: PassedOver,
    pub(super) out: VecDeque<Output>,
}

/// The addresses of a deployment, by Jitsi's defaults where the options name none.
pub(super) struct Names {
    pub domain: String,
    pub focus: Jid,
    pub room: Jid,
    pub trusted_focus: Vec<Jid>,
}

impl Names {
    fn new(o: &ClientOptions, host: &str) -> Result<Names, Error> {
        let or = |given: &str, default: String| if given.is_empty() { default } else { given.to_owned() };
        let jid = |what: &str, text: &str| {
            Jid::parse(text).map_err(|e| Error::new(Code::Options, Stage::None, format!("{what}: {e}")))
        };
        let domain = or(&o.domain, host.to_owned());
        let muc = or(&o.muc, format!("conference.{domain}"));
        let focus = jid("focus", &or(&o.focus, format!("focus.{domain}")))?;
        let room = jid("room", &format!("{}@{muc}", o.room.to_lowercase()))?;
        let trusted_focus = o.focus_users.iter().map(|f| jid("focus_users", f)).collect::<Result<_, _>>()?;
        jid("domain", &domain)?;
        Ok(Names { domain, focus, room, trusted_focus })
    }
}

impl Meeting {
    /// A meeting at rest. `host`: of the URL; `secrets_allowed`: whether PLAIN, tokens and room passwords may go over its
    /// connection.
    ///
    /// # Errors
    /// `Options`: an address that the options make up is none. `Insecure`: a secret would go over an unencrypted connection.
    pub fn new(
        options: ClientOptions,
        host: &str,
        secrets_allowed: bool,
        engines: Option<Engines>,
        mut env: Env,
    ) -> Result<Meeting, Error> {
        options.check()?;
        let names = Names::new(&options, host)?;
        let secrets = !options.token.is_empty() || !options.room_password.is_empty();
        if secrets && !secrets_allowed {
            let text = "a token or room password would go over an unencrypted connection";
            return Err(Error::new(Code::Insecure, Stage::None, text));
        }
        let config = JingleConfig {
            p2p: !options.disable_p2p && engines.is_some(),
            bridge: !options.disable_bridge && engines.is_some(),
            ..JingleConfig::default()
        };
        let jingle = Jingle::new(config, env.fork());
        Ok(Meeting {
            options,
            names,
            secrets_allowed,
            engines,
            phase: Phase::New,
            stage: Stage::None,
            stream: None,
            connection: ConnectionKey(0),
            next_connection: 0,
            room: None,
            room_config: None,
            rejoining: None,
            told: Told::default(),
            rejoins: Vec::new(),
            jingle,
            medias: Medias::default(),
            link: None,
            explicit: None,
            sending: Sending::default(),
            muting: Muting::default(),
            pressing: Vec::new(),
            selection: CodecSelection::new(Preference::default(), &Codec::ALL),
            visitor_codecs: None,
            adaptation: Adaptation::default(),
            clock: Time::default(),
            next_sockets: 0,
            stun: Vec::new(),
            tracks: Tracks::default(),
            roster: BTreeMap::new(),
            next_participant: 0,
            readers: Vec::new(),
            iqs: HashMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            join_tag: None,
            leave_tags: Vec::new(),
            join_deadline: None,
            leave_deadline: None,
            ending: None,
            reached: BTreeSet::new(),
            visitors: false,
            provenance: Provenance::default(),
            remote_stats: RemoteStats::default(),
            measured: Measured::default(),
            outbox: Outbox::default(),
            had_channel: false,
            started: false,
            speakers: Speakers::default(),
            pinger: None,
            streaming: Streams::default(),
            transform: None,
            last_peer: String::new(),
            unhandled: 0,
            last_stream: StreamStats::default(),
            last_packets: PassedOver::default(),
            out: VecDeque::new(),
            env,
        })
    }

    /// Address of the room.
    pub fn room_jid(&self) -> &Jid {
        &self.names.room
    }

    /// Puts a transform between frames and packets, or takes it away (design §5.7).
    pub fn set_transform(&mut self, transform: Option<Box<dyn FrameTransform>>) {
        self.transform = transform;
    }

    /// Counters of the media session that carries our frames, or will.
    pub fn media_stats(&self) -> Option<Stats> {
        self.medias.active().or_else(|| self.medias.iter().next()).map(|m| m.engine.stats())
    }

    /// Takes one input. Drain [`Meeting::poll_output`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Time) {
        self.clock = now;
        if self.phase == Phase::Closed {
            // A request after the end is completed all the same, exactly once.
            if let Input::Command(c) = input {
                self.refuse_closed(&c);
            }
            return;
        }
        match input {
            Input::Timer => {}
            Input::Command(c) => self.command(c, now),
            Input::Connecting(key, stage) => {
                if key == self.connection {
                    self.stage = stage;
                }
            }
            Input::Opened(key) if key == self.connection => self.transport_opened(now),
            Input::Text(key, text) if key == self.connection => self.frame_of_text(text, now),
            Input::Lost(key, e) if key == self.connection => self.transport_lost(e, now),
            // Of the bridge channel, or late.
            Input::Opened(key) => self.channel_opened(key, now),
            Input::Text(key, text) => self.channel_text(key, &text, now),
            Input::Lost(key, e) => self.channel_lost(key, &e, now),
            Input::Resolved(found) => {
                self.stun.extend(found);
                self.stun.truncate(MAX_STUN_SERVERS);
            }
            Input::Sockets(key, addresses) => self.sockets_opened(key, &addresses, now),
            Input::Datagrams { sockets, local, remote, data, segment, waited } => {
                if let Some(m) = self.medias.of_sockets_mut(sockets) {
                    for datagram in data.chunks(segment.max(1)) {
                        m.engine.handle_datagram_after(local, remote, datagram, waited, now);
                    }
                }
                self.pump_media(now);
                return;
            }
            Input::Frame(track, frame) => {
                self.send_frame(track, frame, now);
                return;
            }
        }
        self.timers(now);
        self.pump(now);
    }

    /// The next thing to do or to tell.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timer`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.phase == Phase::Closed {
            return None;
        }
        let own = earliest(self.join_deadline, self.leave_deadline);
        let stream = self.stream.as_ref().and_then(Stream::next_deadline);
        let room = self.room.as_ref().and_then(Room::next_deadline);
        let media = self.medias.next_deadline();
        let bridge = earliest(self.channel_deadline(), self.streaming.next_deadline());
        let bridge = earliest(bridge, self.measured.next_deadline());
        let sending = earliest(self.sending.next_deadline(), self.selection.next_deadline());
        let sending = earliest(sending, earliest(self.tones_deadline(), self.adaptation.next_deadline()));
        [stream, room, self.jingle.next_deadline(), media, bridge, sending].into_iter().fold(own, earliest)
    }

    fn timers(&mut self, now: Time) {
        let due = |d: Option<Time>| d.is_some_and(|d| d <= now);
        if due(self.join_deadline) {
            self.join_timed_out(now);
        }
        if due(self.leave_deadline) {
            self.finish();
            return;
        }
        if let Some(s) = self.stream.as_mut().filter(|s| due(s.next_deadline())) {
            s.handle(crate::xmpp::Input::Timer, now);
        }
        if let Some(r) = self.room.as_mut().filter(|r| due(r.next_deadline())) {
            r.handle_timeout(now);
        }
        if due(self.jingle.next_deadline()) {
            self.jingle.handle_timeout(now);
        }
        if due(self.channel_deadline()) {
            self.channel_timeout(now);
        }
        if due(self.streaming.next_deadline()) {
            self.watch_streaming(now);
        }
        if due(self.measured.next_deadline()) {
            self.sum_up(now);
        }
        if due(self.sending.next_deadline()) {
            self.sharing_timeout(now);
        }
        if due(self.tones_deadline()) {
            self.tones_timeout(now);
        }
        if self.selection.is_due(now) {
            self.select_codecs(now);
        }
        if due(self.adaptation.next_deadline()) {
            self.adapt(now);
        }
        for m in self.medias.iter_mut().filter(|m| due(m.next_deadline())) {
            m.handle_timeout(now);
            if due(m.silent_until.take_if(|s| *s <= now)) {
                self.jingle.media_failed(m.key, now);
            }
        }
    }

    /// Carries outputs of the machines below to where they belong, until nothing moves any more.
    pub(super) fn pump(&mut self, now: Time) {
        while self.phase != Phase::Closed {
            if let Some(o) = self.stream.as_mut().and_then(Stream::poll_output) {
                self.on_stream(o, now);
            } else if let Some(o) = self.room.as_mut().and_then(Room::poll_output) {
                self.on_room(o, now);
            } else if let Some(o) = self.jingle.poll_output() {
                self.on_jingle(o, now);
            } else if !self.pump_channel(now) && !self.pump_media(now) {
                return;
            }
        }
    }

    pub(super) fn emit(&mut self, kind: EventKind) {
        self.out.push_back(Output::Event(Event { tag: 0, conference: Some(MAIN_ROOM), kind }));
    }

    pub(super) fn done(&mut self, tag: u64, error: Option<Error>) {
        let kind = EventKind::RequestDone(error.map(Box::new));
        self.out.push_back(Output::Event(Event { tag, conference: Some(MAIN_ROOM), kind }));
    }

    pub(super) fn state(&mut self, state: ClientState) {
        self.emit(EventKind::State(state));
    }

    /// Stamps a stage of the timeline, the first time it is reached.
    pub(super) fn reach(&mut self, stage: TimelineStage, now: Time) {
        if self.reached.insert(stage) {
            self.emit(EventKind::Timeline(stage, now.mono_us));
        }
    }

    pub(super) fn join_timeout(&self) -> Duration {
        if self.options.join_timeout.is_zero() { DEFAULT_JOIN_TIMEOUT } else { self.options.join_timeout }
    }

    /// The wait for missing packets: the longest that a reader allows.
    pub(super) fn jitter(&self) -> Duration {
        let asked = self.readers.iter().map(|r| r.options.jitter).filter(|j| !j.is_zero()).max();
        asked.unwrap_or(DEFAULT_JITTER)
    }

    pub(super) fn participant_key(&mut self) -> ParticipantKey {
        self.next_participant += 1;
        ParticipantKey(self.next_participant)
    }

    pub(super) fn connection_key(&mut self) -> ConnectionKey {
        self.next_connection += 1;
        ConnectionKey(self.next_connection)
    }

    pub(super) fn sockets_key(&mut self) -> SocketsKey {
        self.next_sockets += 1;
        SocketsKey(self.next_sockets)
    }
}
