//! The stream machine: one XMPP session over a transport of messages (docs/protocol/01 §1.3–1.5, §2.2, §3.1, §4, §5, §6).
//!
//! Flights. ANONYMOUS is known to be the mechanism when there are no credentials, so `<open/>` and `<auth/>` leave together;
//! with a password the features are waited for. After success `<open/>` and bind leave together (all four at once make Prosody
//! close the stream). After bind `<enable/>`, disco and external services leave together, and with them what the upper layers
//! send on [`Output::Bound`]. If a handshake fails in which something was sent ahead of the features that invite it, it is tried
//! once more on a new connection, waiting for each answer.

mod handshake;
mod session;
#[cfg(test)]
mod tests;

use super::auth::Login;
use super::caps::Caps;
use super::error::{Step, StreamError};
use super::iq::{IqError, IqTable, IqToken, Purpose};
use super::management::Management;
use super::options::{CLOSE_TIMEOUT, StreamOptions};
use super::output::{Input, Output};
use super::ping::{self, Liveness};
use crate::env::Env;
use crate::error::{Code, Error};
use crate::time::{Time, earliest};
use crate::wire::features::Features;
use crate::wire::framing::{self, Framing};
use crate::wire::sm;
use crate::wire::stream_error::{StreamErrorElement, stream_error};
use crate::wire::{Document, IqType, Jid, Stanza, XmlError, XmlLimits, XmlWriter, ns, stanza};
use std::collections::VecDeque;
use std::time::Duration;

/// A stanza was to be sent while the stream is not bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBound;

impl std::fmt::Display for NotBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream is not bound")
    }
}

impl std::error::Error for NotBound {}

/// What was received and not understood; counted, never fatal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Frames that no layer of the stream knows.
    pub unknown_frames: u64,
    /// Frames past a limit of [`XmlLimits`], dropped.
    pub oversized_frames: u64,
    /// Results and errors that answer nothing of ours, or come from another than was asked.
    pub stray_answers: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for a transport.
    Connect,
    /// From the first `<open/>` to `<success/>`.
    Auth,
    /// From the second `<open/>` to the address.
    Bind,
    Bound,
    /// Our `<close/>` is sent.
    Closing,
    Ended,
}

/// One XMPP stream. See the module's text; inputs and outputs are in [`Input`] and [`Output`].
pub struct Stream {
    options: StreamOptions,
    caps: Caps,
    /// Nonces of logins are derived from this, so that a stream needs its randomness once.
    nonce_key: [u8; 32],
    logins: u32,
    phase: Phase,
    /// This attempt sends ahead.
    pipelined: bool,
    /// Something was sent before the features that invite it.
    ahead: bool,
    /// The second attempt was made.
    retried: bool,
    /// The server's `<open/>` of this phase was read.
    opened: bool,
    features: Option<Features>,
    login: Option<Login>,
    bind_id: String,
    bind_sent: bool,
    jid: Option<Jid>,
    iqs: IqTable,
    sm: Management,
    liveness: Liveness,
    /// Of the current step of the handshake, or of closing.
    step_deadline: Option<Time>,
    /// Until when `<enabled/>` is waited for.
    online_deadline: Option<Time>,
    /// The domain told its identities, or its ICE servers, without being asked (§4.2).
    domain_known: bool,
    services_known: bool,
    limits: XmlLimits,
    stats: StreamStats,
    out: VecDeque<Output>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({:?}, {:?})", self.phase, self.sm)
    }
}

impl Stream {
    /// A stream that waits for its transport.
    pub fn new(options: StreamOptions, env: &mut Env) -> Stream {
        let mut nonce_key = [0; 32];
        env.fill(&mut nonce_key);
        let prefix = env.hex(16);
        Stream {
            caps: Caps::new(options.features.iter().cloned()),
            nonce_key,
            logins: 0,
            phase: Phase::Connect,
            pipelined: options.pipelined,
            ahead: false,
            retried: false,
            opened: false,
            features: None,
            login: None,
            bind_id: format!("{prefix}-bind"),
            bind_sent: false,
            jid: None,
            iqs: IqTable::new(prefix),
            sm: Management::new(),
            liveness: Liveness::new(options.ping_interval, options.ping_threshold),
            step_deadline: None,
            online_deadline: None,
            domain_known: false,
            services_known: false,
            limits: XmlLimits::default(),
            stats: StreamStats::default(),
            out: VecDeque::new(),
            options,
        }
    }

    /// Takes one input. Drain [`Stream::poll_output`] afterwards.
    pub fn handle(&mut self, input: Input, now: Time) {
        match input {
            Input::TransportOpened => self.transport_opened(now),
            Input::Frame(text) => self.frame(&text, now),
            Input::TransportClosed { reason } => self.transport_closed(reason, now),
            Input::Timer => self.timer(now),
        }
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timer`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        let waits = earliest(self.step_deadline, self.online_deadline);
        let bound = earliest(self.iqs.next_deadline(), self.liveness.next_deadline());
        earliest(waits, bound)
    }

    /// Our full address, once bound.
    pub fn jid(&self) -> Option<&Jid> {
        self.jid.as_ref()
    }

    /// Our capabilities, for presence.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Changes the announced features. Send presence with the new `ver` afterwards.
    pub fn set_features(&mut self, features: impl IntoIterator<Item = String>) {
        self.caps = Caps::new(features);
    }

    /// Stanzas sent that the server has not acknowledged yet; 0 without stream management.
    pub fn unacknowledged(&self) -> u32 {
        self.sm.outstanding()
    }

    /// What a later connection would need to take this stream over: its id, and for how many seconds the server keeps it. None
    /// where the server does not offer that, or too much is unacknowledged to be sent again.
    pub fn resumable(&self) -> Option<(&str, Option<u32>)> {
        self.sm.resumable()
    }

    /// What was not understood so far.
    pub fn stats(&self) -> StreamStats {
        self.stats
    }

    /// Sends one stanza.
    pub fn send_stanza(&mut self, stanza: String) -> Result<(), NotBound> {
        if self.phase != Phase::Bound {
            return Err(NotBound);
        }
        self.send_counted(stanza);
        Ok(())
    }

    /// Sends a request with this payload (one element that declares its namespace, as [`XmlWriter`] makes it). Its answer
    /// comes exactly once, as [`Output::IqAnswer`]; if the stream is not bound that is at once.
    pub fn send_iq(&mut self, to: Option<&Jid>, kind: IqType, payload: &str, timeout: Duration, now: Time) -> IqToken {
        let token = self.iqs.token();
        let result = if self.phase != Phase::Bound {
            Err(IqError::Disconnected)
        } else if self.request(to, kind, payload, Purpose::Upper(token), timeout, now) {
            return token;
        } else {
            Err(IqError::Busy)
        };
        self.out.push_back(Output::IqAnswer { token, result });
        token
    }

    /// Answers a request for which nobody is there; nothing happens for other stanzas.
    pub fn reply_unhandled(&mut self, request: &Document) {
        let reply = Stanza::read(request.root()).and_then(stanza::reply_unhandled);
        if let (Phase::Bound, Some(reply)) = (self.phase, reply) {
            self.send_counted(reply);
        }
    }

    /// Ends the stream: unavailable presence, `<close/>`, and [`Output::Closed`] when the server agrees or
    /// [`CLOSE_TIMEOUT`] has passed.
    pub fn close(&mut self, now: Time) {
        match self.phase {
            Phase::Closing | Phase::Ended => {}
            Phase::Bound => {
                let mut presence = XmlWriter::stanza("presence");
                presence.attr("type", "unavailable");
                self.send_counted(presence.finish());
                self.send(framing::close());
                self.stop();
                self.phase = Phase::Closing;
                self.step_deadline = Some(now + CLOSE_TIMEOUT);
            }
            Phase::Auth | Phase::Bind => {
                self.send(framing::close());
                self.closed(true);
            }
            // A connection may be on its way.
            Phase::Connect => self.closed(true),
        }
    }

    fn step(&self) -> Step {
        match self.phase {
            Phase::Connect => Step::Connect,
            Phase::Auth if self.features.is_none() => Step::Open,
            Phase::Auth => Step::Auth,
            Phase::Bind => Step::Bind,
            Phase::Bound | Phase::Closing | Phase::Ended => Step::Bound,
        }
    }

    fn frame(&mut self, text: &str, now: Time) {
        if matches!(self.phase, Phase::Connect | Phase::Ended) {
            return;
        }
        self.liveness.heard();
        let document = match Document::parse_with(text, ns::CLIENT, &self.limits) {
            Ok(d) => d,
            Err(XmlError::TooLarge(_)) if self.phase == Phase::Bound => {
                // One stanza is lost, the stream is not: each frame stands alone (RFC 7395 §3.3).
                self.stats.oversized_frames += 1;
                if looks_like_stanza(text) {
                    self.sm.received();
                }
                return;
            }
            Err(e) => {
                let condition = match e {
                    XmlError::Malformed => "not-well-formed",
                    XmlError::Restricted => "restricted-xml",
                    XmlError::UnboundPrefix => "bad-namespace-prefix",
                    XmlError::TooLarge(_) => "policy-violation",
                };
                self.send(stream_error(condition, ""));
                return self.failed(StreamError::Xml(e), now);
            }
        };
        let root = document.root();
        if let Some(e) = StreamErrorElement::read(root) {
            if self.phase == Phase::Closing {
                return self.closed(true);
            }
            let domain = self.options.domain.clone();
            let (condition, text) = (e.condition, e.text);
            return self.failed(StreamError::Server { step: self.step(), condition, text, domain }, now);
        }
        if let Some(Ok(Framing::Close { see_other_uri })) = Framing::read(root) {
            if self.phase == Phase::Closing {
                return self.closed(true);
            }
            let elsewhere = see_other_uri.is_some();
            let error = StreamError::ClosedByServer { step: self.step(), see_other_uri };
            return if elsewhere { self.fail(error, true) } else { self.failed(error, now) };
        }
        match self.phase {
            Phase::Auth | Phase::Bind => self.handshake_frame(root, now),
            Phase::Bound => self.bound_frame(document, now),
            Phase::Connect | Phase::Closing | Phase::Ended => {}
        }
    }

    fn timer(&mut self, now: Time) {
        if self.step_deadline.is_some_and(|t| t <= now) {
            self.step_deadline = None;
            if self.phase == Phase::Closing {
                return self.closed(true);
            }
            let error = StreamError::Timeout(self.step());
            // A server that said nothing at all was not confused by what came early.
            let mute = self.phase == Phase::Auth && !self.opened;
            return if mute { self.fail(error, true) } else { self.failed(error, now) };
        }
        if self.online_deadline.is_some_and(|t| t <= now) {
            self.online(false);
        }
        while let Some(purpose) = self.iqs.expired(now) {
            self.unanswered(purpose);
        }
        if self.phase == Phase::Bound && self.liveness.due(now) {
            self.ask_services(&ping::payload(), Purpose::Ping, self.options.ping_timeout, now);
        }
    }

    fn transport_closed(&mut self, reason: Option<Error>, now: Time) {
        match self.phase {
            Phase::Ended => {}
            Phase::Closing => self.closed(false),
            Phase::Connect => {
                let lost = || StreamError::Disconnected { step: Step::Connect, text: "no connection".to_owned() };
                self.fail(reason.map_or_else(lost, StreamError::Transport), false);
            }
            Phase::Auth | Phase::Bind | Phase::Bound => {
                let step = self.step();
                let error = match reason {
                    // It broke the rules of the transport: a frame past the limit, no UTF-8.
                    Some(e) if e.code != Code::Disconnected => {
                        StreamError::Transport(Error { stage: step.stage(), ..e })
                    }
                    Some(e) => StreamError::Disconnected { step, text: e.text },
                    None => StreamError::Disconnected { step, text: "closed by the other side".to_owned() },
                };
                match self.may_retry() {
                    true => self.retry(false, now),
                    false => self.fail(error, false),
                }
            }
        }
    }

    fn protocol_error(&mut self, what: &'static str, now: Time) {
        self.failed(StreamError::Protocol { step: self.step(), what }, now);
    }

    /// Something went wrong on an open transport: try again if sending ahead may be the reason.
    fn failed(&mut self, error: StreamError, now: Time) {
        match self.may_retry() {
            true => self.retry(true, now),
            false => self.fail(error, true),
        }
    }

    /// The one failure: whatever happens afterwards is ignored.
    fn fail(&mut self, error: StreamError, transport_open: bool) {
        if self.phase == Phase::Ended {
            return;
        }
        if transport_open {
            if self.phase != Phase::Connect {
                self.send(framing::close());
            }
            self.out.push_back(Output::CloseTransport);
        }
        self.stop();
        self.phase = Phase::Ended;
        self.out.push_back(Output::Failed(error));
    }

    /// The end that was asked for.
    fn closed(&mut self, transport_open: bool) {
        if transport_open {
            self.out.push_back(Output::CloseTransport);
        }
        self.stop();
        self.phase = Phase::Ended;
        self.out.push_back(Output::Closed);
    }

    /// Ends timers and requests.
    fn stop(&mut self) {
        (self.step_deadline, self.online_deadline, self.login) = (None, None, None);
        self.liveness.stop();
        for purpose in self.iqs.drain() {
            if let Purpose::Upper(token) = purpose {
                self.out.push_back(Output::IqAnswer { token, result: Err(IqError::Disconnected) });
            }
        }
    }

    /// Sends a request and enters it; false when the table is full.
    fn request(
        &mut self,
        to: Option<&Jid>,
        kind: IqType,
        payload: &str,
        purpose: Purpose,
        timeout: Duration,
        now: Time,
    ) -> bool {
        let Some(id) = self.iqs.add(to.cloned(), purpose, timeout, now) else { return false };
        let mut w = stanza::iq(kind, to.map(Jid::as_str), &id);
        w.raw(payload);
        self.send_counted(w.finish());
        true
    }

    fn send_counted(&mut self, stanza: String) {
        self.sm.sent(&stanza);
        self.send(stanza);
        self.ask_for_ack();
    }

    fn ask_for_ack(&mut self) {
        if self.phase == Phase::Bound && self.sm.take_request() {
            self.send(sm::request());
        }
    }

    fn send(&mut self, frame: String) {
        self.out.push_back(Output::SendFrame(frame));
    }
}

/// Whether a frame that is not parsed would have counted as a stanza on the server's side.
fn looks_like_stanza(text: &str) -> bool {
    let name = text.trim_start().strip_prefix('<').unwrap_or("");
    let name = name.split([' ', '\t', '\r', '\n', '>', '/']).next().unwrap_or("");
    matches!(name, "iq" | "message" | "presence")
}
