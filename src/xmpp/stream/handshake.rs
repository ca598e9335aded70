//! From the connection to the address: open, login, open, bind, and the second try (docs/protocol/01 §2.2, §3.1; RFC 6120 §6–7,
//! RFC 7395 §3).

use super::{Phase, Stream};
use crate::time::Time;
use crate::wire::features::Features;
use crate::wire::framing::{self, Framing};
use crate::wire::sasl::{self, Sasl};
use crate::wire::{Element, IqType, Stanza, bind};
use crate::xmpp::auth::Login;
use crate::xmpp::error::StreamError;
use crate::xmpp::output::Output;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

impl Stream {
    pub(super) fn transport_opened(&mut self, now: Time) {
        if self.phase != Phase::Connect {
            return;
        }
        self.phase = Phase::Auth;
        self.begin(now);
        if self.pipelined && self.options.credentials.is_none() {
            self.ahead = true;
            self.log_in(Login::Anonymous);
        }
    }

    /// Opens the stream: at the start, and again after login.
    fn begin(&mut self, now: Time) {
        (self.opened, self.features) = (false, None);
        self.progress(now);
        self.send(framing::open(&self.options.domain));
    }

    fn log_in(&mut self, login: Login) {
        self.send(login.auth());
        self.login = Some(login);
    }

    fn send_bind(&mut self) {
        self.bind_sent = true;
        self.send(bind::request(&self.bind_id, self.options.resource.as_deref()));
    }

    /// The server moved: the next step has its full time.
    pub(super) fn progress(&mut self, now: Time) {
        self.step_deadline = Some(now + self.options.step_timeout);
    }

    pub(super) fn handshake_frame(&mut self, e: Element<'_>, now: Time) {
        if !self.opened {
            return match Framing::read(e) {
                Some(Ok(Framing::Open { .. })) => {
                    self.opened = true;
                    self.progress(now);
                    if self.phase == Phase::Auth {
                        self.out.push_back(Output::Opened);
                    }
                }
                Some(Err(e)) => self.failed(StreamError::Open(e), now),
                _ => self.protocol_error("something came before <open/>", now),
            };
        }
        if let Some(features) = Features::read(e) {
            self.progress(now);
            let bind_offered = features.bind;
            self.features = Some(features);
            return match self.phase {
                Phase::Auth => self.choose_login(),
                _ if !bind_offered => {
                    let error =
                        StreamError::Bind { condition: String::new(), text: "binding is not offered".to_owned() };
                    self.failed(error, now)
                }
                _ if !self.bind_sent => self.send_bind(),
                _ => {}
            };
        }
        if self.features.is_none() {
            return self.protocol_error("something came before the stream's features", now);
        }
        if self.phase == Phase::Bind {
            return self.bind_frame(e, now);
        }
        match (Sasl::read(e), self.login.is_some()) {
            (Some(Ok(s)), true) => self.sasl(s, now),
            (Some(_), _) => self.protocol_error("SASL out of turn, or not SASL", now),
            (None, _) => self.stats.unknown_frames += 1,
        }
    }

    /// The features say what the server lets us log in with.
    fn choose_login(&mut self) {
        let nonce = self.next_nonce();
        let features = self.features.clone().unwrap_or_default();
        let o = &self.options;
        match Login::choose(&features, o.credentials.as_ref(), o.secrets_allowed, || nonce) {
            // One sent ahead stands, and so does the first if a confused server lists its features twice.
            Ok(login) if self.login.is_none() => self.log_in(login),
            Ok(_) => {}
            // The server's own list is final: asking again would bring the same.
            Err(e) => self.fail(e, true),
        }
    }

    /// A nonce that was never used: derived from the stream's random key and a counter.
    fn next_nonce(&mut self) -> String {
        self.logins += 1;
        let mut hash = Sha256::new();
        hash.update(self.nonce_key);
        hash.update(self.logins.to_be_bytes());
        STANDARD_NO_PAD.encode(hash.finalize())
    }

    fn sasl(&mut self, s: Sasl, now: Time) {
        let Some(login) = &mut self.login else { return };
        match s {
            Sasl::Challenge(data) => match login.challenge(&data) {
                Some(Ok(answer)) => {
                    self.progress(now);
                    self.send(sasl::response(&answer));
                }
                Some(Err(e)) => self.failed(e, now),
                None => self.protocol_error("a challenge that the mechanism does not have", now),
            },
            Sasl::Success(data) => match login.success(&data) {
                Ok(()) => {
                    self.login = None;
                    self.out.push_back(Output::Authenticated);
                    self.phase = Phase::Bind;
                    self.begin(now);
                    if self.pipelined {
                        self.ahead = true;
                        self.send_bind();
                    }
                }
                Err(e) => self.failed(e, now),
            },
            Sasl::Failure { condition, text } => self.failed(StreamError::Sasl { condition, text }, now),
        }
    }

    fn bind_frame(&mut self, e: Element<'_>, now: Time) {
        let Some(s) = Stanza::read(e) else {
            self.stats.unknown_frames += 1;
            return;
        };
        if self.pushed(s) {
            return;
        }
        let answers = s.id() == Some(&self.bind_id) && self.bind_sent;
        match s.iq_type() {
            Some(IqType::Result) if answers => match s.payload().and_then(bind::bound_jid) {
                Some(jid) => self.bound(jid, now),
                None => {
                    let text = "the answer holds no address".to_owned();
                    self.failed(StreamError::Bind { condition: String::new(), text }, now);
                }
            },
            Some(IqType::Error) if answers => {
                let e = s.error().unwrap_or_default();
                let condition = e.condition.as_str().to_owned();
                self.failed(StreamError::Bind { condition, text: e.text }, now);
            }
            _ => self.stats.unknown_frames += 1,
        }
    }

    pub(super) fn may_retry(&self) -> bool {
        matches!(self.phase, Phase::Auth | Phase::Bind) && self.ahead && !self.retried
    }

    pub(super) fn retry(&mut self, transport_open: bool, now: Time) {
        if transport_open {
            self.send(framing::close());
            self.out.push_back(Output::CloseTransport);
        }
        (self.retried, self.pipelined, self.ahead) = (true, false, false);
        (self.opened, self.features, self.login, self.bind_sent) = (false, None, None, false);
        self.phase = Phase::Connect;
        self.progress(now);
        self.out.push_back(Output::Reconnect { pipelined: false });
    }
}
