//! The stream's part of a meeting: connecting, what the stream tells, and the one end.

use super::event::{ClientState, EventKind, ParticipantLeft, TimelineStage};
use super::io::{Output, Purpose};
use super::machine::{Asker, LEAVE_TIMEOUT, MAX_STUN_SERVERS, Meeting, Phase};
use super::url;
use crate::bridge::Pinger;
use crate::conference::{self, IqFailure, Room, RoomConfig};
use crate::error::{Code, Error, Stage};
use crate::jingle;
use crate::time::Time;
use crate::wire::Document;
use crate::wire::extdisco::IceServerKind;
use crate::wire::stanza::{Stanza, StanzaKind};
use crate::xmpp::caps::{BRIDGE_FEATURES, RTP_MID_DEMUX, SSRC_REWRITING};
use crate::xmpp::{self, Credentials, IqError, Stream, StreamOptions};

impl Meeting {
    /// Begins: a stream that waits for its connection.
    pub(super) fn connect(&mut self, now: Time) {
        let mut o = StreamOptions::new(self.names.domain.clone());
        let (username, password) = (self.options.username.clone(), self.options.password.clone());
        o.credentials = (!username.is_empty()).then_some(Credentials { username, password });
        o.secrets_allowed = self.secrets_allowed;
        if self.engines.is_some() && !self.options.disable_bridge {
            o.features.extend(BRIDGE_FEATURES.map(str::to_owned));
            if !self.options.disable_ssrc_rewriting {
                o.features.extend([SSRC_REWRITING, RTP_MID_DEMUX].map(str::to_owned));
            }
        }
        self.stream = Some(Stream::new(o, &mut self.env));
        self.phase = Phase::Connecting;
        self.join_deadline = Some(now + self.join_timeout());
        self.reach(TimelineStage::Start, now);
        self.state(ClientState::Connecting);
        self.open_connection();
    }

    fn open_connection(&mut self) {
        self.connection = self.connection_key();
        self.stage = Stage::Resolve;
        let o = &self.options;
        let room = self.names.room.local().unwrap_or_default();
        let url = url::with_parameters(&o.url, room, &o.token);
        let (connection, purpose, token) = (self.connection, Purpose::Stream, o.token.clone());
        self.out.push_back(Output::Connect { connection, purpose, url, token });
    }

    pub(super) fn transport_opened(&mut self, now: Time) {
        self.stage = Stage::Stream;
        self.reach(TimelineStage::TransportOpen, now);
        self.stream_input(xmpp::Input::TransportOpened, now);
    }

    pub(super) fn frame_of_text(&mut self, text: String, now: Time) {
        self.stream_input(xmpp::Input::Frame(text), now);
    }

    pub(super) fn transport_lost(&mut self, e: Error, now: Time) {
        self.stream_input(xmpp::Input::TransportClosed { reason: Some(e) }, now);
    }

    fn stream_input(&mut self, input: xmpp::Input, now: Time) {
        if let Some(s) = &mut self.stream {
            s.handle(input, now);
        }
    }

    pub(super) fn on_stream(&mut self, output: xmpp::Output, now: Time) {
        match output {
            xmpp::Output::SendFrame(text) => {
                self.out.push_back(Output::Send { connection: self.connection, text });
            }
            xmpp::Output::CloseTransport => self.out.push_back(Output::CloseConnection(self.connection)),
            xmpp::Output::Reconnect { .. } => {
                self.jingle.set_online(false, now);
                self.open_connection();
            }
            xmpp::Output::Opened => self.stage = Stage::Auth,
            xmpp::Output::Authenticated => {
                self.stage = Stage::Bind;
                self.reach(TimelineStage::Authenticated, now);
            }
            xmpp::Output::Bound { jid } => {
                self.reach(TimelineStage::Bound, now);
                self.jingle.set_online(true, now);
                self.enter(jid, now);
            }
            xmpp::Output::Online { .. } | xmpp::Output::Domain(_) => {}
            xmpp::Output::Stanza(d) => self.on_stanza(&d, now),
            xmpp::Output::IqAnswer { token, result } => self.on_answer(token, result, now),
            xmpp::Output::IceServers(servers) => {
                let stun = servers.into_iter().filter(|s| s.kind == IceServerKind::Stun).take(MAX_STUN_SERVERS);
                for s in stun {
                    self.out.push_back(Output::Resolve { host: s.host, port: s.port });
                }
            }
            xmpp::Output::Closed => self.finish(),
            xmpp::Output::Failed(e) => {
                let mut error = e.to_error();
                if matches!(e, xmpp::StreamError::Timeout(xmpp::Step::Connect)) {
                    // The stream knows only that it has no connection.
                    error.stage = self.stage;
                }
                if error.code == Code::HostUnknown {
                    error.text = format!("the server serves no domain {}", self.names.domain);
                }
                // What ended us first is the reason; that the stream then broke is not.
                self.ending.get_or_insert(Some(error));
                self.finish();
            }
        }
    }

    /// The stream has an address: the conference request goes out in the same flight (docs/protocol/01 §7).
    fn enter(&mut self, jid: crate::wire::Jid, now: Time) {
        let Some(stream) = &self.stream else { return };
        let o = &self.options;
        let own = jid.local().and_then(|l| l.get(..8)).unwrap_or_default();
        let hex = own.len() == 8 && own.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let endpoint_id = if !o.nickname.is_empty() {
            o.nickname.clone()
        } else if hex && o.username.is_empty() {
            own.to_owned()
        } else {
            self.env.hex(8)
        };
        if o.measure_round_trips && self.pinger.is_none() {
            self.pinger = Some(Pinger::new(&endpoint_id, self.env.fork()));
        }
        let config = RoomConfig {
            room: self.names.room.clone(),
            focus: self.names.focus.clone(),
            machine_uid: self.env.hex(32),
            token: o.token.clone(),
            password: o.room_password.clone(),
            display_name: o.display_name.clone(),
            endpoint_id,
            trusted_focus: self.names.trusted_focus.clone(),
            features: stream.caps().features().to_vec(),
            codecs: self.codecs(),
            stats_id: format!("jmeet-{}", self.env.hex(6)),
        };
        self.room_config = Some(config.clone());
        let mut room = Room::new(config, self.env.fork());
        room.start(now);
        self.room = Some(room);
        self.phase = Phase::Joining;
        self.stage = Stage::ConferenceRequest;
        self.state(ClientState::Joining);
        self.name_local_tracks(now);
    }

    fn on_stanza(&mut self, d: &Document, now: Time) {
        let Some(s) = Stanza::read(d.root()) else { return };
        let taken = match s.kind() {
            StanzaKind::Presence => self.room.as_mut().is_some_and(|r| r.on_presence(s.element(), now)),
            StanzaKind::Message => self.room.as_mut().is_some_and(|r| r.on_message(s.element(), now)),
            StanzaKind::Iq => self.room.as_mut().is_some_and(|r| r.on_iq(s.element())) || self.jingle.on_stanza(s, now),
        };
        self.unhandled += u64::from(!taken);
        if !taken && let Some(stream) = &mut self.stream {
            stream.reply_unhandled(d);
        }
    }

    fn on_answer(&mut self, token: xmpp::IqToken, result: Result<Document, IqError>, now: Time) {
        match self.iqs.remove(&token) {
            Some(Asker::Room(token)) => {
                if let Some(r) = &mut self.room {
                    let answer = match &result {
                        Ok(d) => Ok(d.root()),
                        Err(IqError::Error(e)) => Err(IqFailure::Refused(e.clone())),
                        Err(IqError::Timeout) => Err(IqFailure::Timeout),
                        Err(IqError::Disconnected | IqError::Busy) => Err(IqFailure::Disconnected),
                    };
                    r.on_iq_answer(token, answer, now);
                }
            }
            Some(Asker::Jingle(token)) => {
                let answer = match result {
                    Ok(_) => jingle::IqAnswer::Result,
                    Err(IqError::Error(e)) => jingle::IqAnswer::Error(e),
                    Err(IqError::Timeout | IqError::Disconnected | IqError::Busy) => jingle::IqAnswer::Timeout,
                };
                self.jingle.on_iq_answer(token, answer, now);
            }
            None => {}
        }
    }

    pub(super) fn join_timed_out(&mut self, now: Time) {
        self.join_deadline = None;
        let seconds = self.join_timeout().as_secs_f32();
        let text = format!("not in the room after {seconds} s");
        self.end(Some(Error::new(Code::ServerTimeout, self.stage, text)), now);
    }

    /// The meeting is over for this reason (`None`: we want to leave). The room has been left, or was never entered.
    pub(super) fn end(&mut self, reason: Option<Error>, now: Time) {
        if self.ending.is_none() {
            self.ending = Some(reason);
        }
        self.join_deadline = None;
        self.jingle.leave();
        self.leave_deadline.get_or_insert(now + LEAVE_TIMEOUT);
        match &mut self.stream {
            Some(s) => s.close(now),
            None => self.finish(),
        }
    }

    /// Everything is closed: the last events, CLOSED at the very end (design §5.2).
    pub(super) fn finish(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        let reason = self.ending.take().flatten();
        self.jingle.leave();
        while let Some(o) = self.jingle.poll_output() {
            if let jingle::Output::Event(e) = o {
                self.on_jingle_event(e);
            }
        }
        self.unlink_bridge();
        for m in self.medias.drain() {
            self.keep_counts(&m);
            self.out.extend(m.sockets().map(Output::CloseSockets));
        }
        for t in self.tracks.drain() {
            self.emit(EventKind::TrackRemoved(t));
        }
        for participant in std::mem::take(&mut self.roster).into_values() {
            let left =
                ParticipantLeft { participant, reason: String::new(), kicked: false, vanished: false, we_left: true };
            self.emit(EventKind::ParticipantLeft(Box::new(left)));
        }
        for r in std::mem::take(&mut self.readers) {
            self.out.push_back(Output::ReaderEnded(r.key));
        }
        let cancelled = || Error::new(Code::Cancelled, self.stage, "the meeting ended first");
        let join = reason.clone().unwrap_or_else(cancelled);
        let others = cancelled();
        self.release_keys(None, &others);
        for tag in std::mem::take(&mut self.requests).into_values() {
            self.done(tag, Some(others.clone()));
        }
        self.forget_unmuting(None, "the meeting ended first");
        while let Some((_, tag)) = self.outbox.pop() {
            self.done(tag, Some(others.clone()));
        }
        if let Some(tag) = self.join_tag.take() {
            self.done(tag, Some(join));
        }
        for tag in std::mem::take(&mut self.leave_tags) {
            self.done(tag, None);
        }
        self.out.push_back(Output::CloseConnection(self.connection));
        self.room = None;
        self.drop_stream();
        self.iqs.clear();
        self.phase = Phase::Closed;
        self.state(ClientState::Closed);
        self.emit(EventKind::Closed(reason.map(Box::new)));
    }

    /// The error that the room ended with, as the public one.
    pub(super) fn room_ended(&mut self, error: Option<conference::RoomError>, now: Time) {
        self.end(error.map(|e| e.to_error()), now);
    }
}
