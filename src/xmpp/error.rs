//! Why a stream ended (docs/protocol/01 §11). A stream reports exactly one of these; where the reference reports some twice,
//! this one is latched.

use super::saslprep::Prohibited;
use super::scram::ScramError;
use crate::error::{Code, Error, Stage};
use crate::wire::XmlError;
use crate::wire::framing::OpenError;
use std::fmt;

/// How far a stream was, and so what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Waiting for the transport.
    Connect,
    /// Waiting for the server's `<open/>` and features.
    Open,
    /// Waiting for an answer to the login.
    Auth,
    /// Waiting for the second `<open/>`, its features and the address.
    Bind,
    /// Bound: stanzas flow.
    Bound,
}

impl Step {
    /// The public stage of this step. A stream does not know of rooms: once bound, the meeting knows better.
    pub fn stage(self) -> Stage {
        match self {
            Step::Connect => Stage::Connect,
            Step::Open | Step::Bound => Stage::Stream,
            Step::Auth => Stage::Auth,
            Step::Bind => Stage::Bind,
        }
    }
}

/// The one failure of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The transport's own error: no connection came about (resolve, connect, TLS, upgrade), or the server broke the transport's rules.
    Transport(Error),
    /// The connection was lost; the transport's text.
    Disconnected { step: Step, text: String },
    /// The server did not answer in time.
    Timeout(Step),
    /// Two pings in a row went unanswered (§6).
    PingTimeout,
    /// The server closed the stream without an error. `see_other_uri` is where it wants us to go, which we do not.
    ClosedByServer { step: Step, see_other_uri: Option<String> },
    /// The server ended the stream with an error. `domain` is the one asked for.
    Server { step: Step, condition: String, text: String, domain: String },
    /// The server's `<open/>` is wrong.
    Open(OpenError),
    /// What the server sent is no XML for a stream.
    Xml(XmlError),
    /// The server broke the protocol; in words, how.
    Protocol { step: Step, what: &'static str },
    /// Only password mechanisms are offered and no credentials were given (§11.3, `x-strophe-bad-non-anon-jid`).
    CredentialsRequired,
    /// The user name or password holds what no login may (RFC 4013).
    Prohibited(Prohibited),
    /// No mechanism in common (`no-auth-mech`).
    NoMechanism,
    /// Only PLAIN would do, and the connection is not encrypted.
    Insecure,
    /// The server refused the login (§3.4).
    Sasl { condition: String, text: String },
    /// The SCRAM exchange failed on the server's side: no proof, or a message that is not SCRAM.
    Scram(ScramError),
    /// The server gives no address (§3.1): not offered, refused, or an answer without one.
    Bind { condition: String, text: String },
}

impl StreamError {
    /// The public error: its code, the stage, the server's condition and text.
    pub fn to_error(&self) -> Error {
        let text = |code, stage: Stage, text: &dyn fmt::Display| Error::new(code, stage, text.to_string());
        match self {
            StreamError::Transport(e) => e.clone(),
            StreamError::Disconnected { step, text: t } => text(Code::Disconnected, step.stage(), t),
            StreamError::Timeout(step) => text(Code::ServerTimeout, step.stage(), self),
            StreamError::PingTimeout => text(Code::Disconnected, Stage::Stream, self).with_condition("ping-timeout"),
            StreamError::ClosedByServer { step, see_other_uri } => {
                let condition = if see_other_uri.is_some() { "see-other-uri" } else { "" };
                text(Code::Disconnected, step.stage(), self).with_condition(condition)
            }
            StreamError::Server { step, condition, text: t, domain } => {
                let (code, t) = match condition.as_str() {
                    "host-unknown" | "host-gone" | "improper-addressing" => {
                        (Code::HostUnknown, format!("{domain}: {t}"))
                    }
                    "conflict" if *step == Step::Bound => (Code::Replaced, t.clone()),
                    _ => (Code::Stream, t.clone()),
                };
                text(code, step.stage(), &t.trim_end_matches(": ")).with_condition(condition.as_str())
            }
            StreamError::Open(e) => text(Code::Protocol, Stage::Stream, e),
            StreamError::Xml(e) => text(Code::Protocol, Stage::Stream, e),
            StreamError::Protocol { step, what } => text(Code::Protocol, step.stage(), what),
            StreamError::CredentialsRequired => text(Code::CredentialsRequired, Stage::Auth, self),
            StreamError::Prohibited(_) => text(Code::Options, Stage::Auth, self),
            StreamError::NoMechanism => text(Code::NoMechanism, Stage::Auth, self).with_condition("no-auth-mech"),
            StreamError::Insecure => text(Code::Insecure, Stage::Auth, self),
            StreamError::Sasl { condition, text: t } => {
                text(Code::Auth, Stage::Auth, t).with_condition(condition.as_str())
            }
            StreamError::Scram(ScramError::Server(e)) => {
                text(Code::Auth, Stage::Auth, &self).with_condition(e.as_str())
            }
            StreamError::Scram(_) => text(Code::ServerProof, Stage::Auth, self),
            StreamError::Bind { condition, text: t } => {
                text(Code::Bind, Stage::Bind, t).with_condition(condition.as_str())
            }
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Transport(e) => e.fmt(f),
            StreamError::Disconnected { text, .. } => write!(f, "connection lost: {text}"),
            StreamError::Timeout(step) => f.write_str(match step {
                Step::Connect => "no connection in time",
                Step::Open => "the server did not open the stream in time",
                Step::Auth => "the server did not answer the login in time",
                Step::Bind => "the server did not give an address in time",
                Step::Bound => "the server did not answer in time",
            }),
            StreamError::PingTimeout => f.write_str("the server does not answer pings"),
            StreamError::ClosedByServer { .. } => f.write_str("the server closed the stream"),
            StreamError::Server { condition, text, .. } => write!(f, "stream error {condition} {text}"),
            StreamError::Open(e) => e.fmt(f),
            StreamError::Xml(e) => e.fmt(f),
            StreamError::Protocol { what, .. } => f.write_str(what),
            StreamError::CredentialsRequired => f.write_str("the server wants a user name and password, or a token"),
            StreamError::Prohibited(p) => write!(f, "user name or password: {p}"),
            StreamError::NoMechanism => f.write_str("the server offers no login mechanism that we have"),
            StreamError::Insecure => f.write_str("the password would go unencrypted"),
            StreamError::Sasl { condition, text } => write!(f, "login refused: {condition} {text}"),
            StreamError::Scram(e) => e.fmt(f),
            StreamError::Bind { condition, text } => write!(f, "no address from the server: {condition} {text}"),
        }
    }
}

impl std::error::Error for StreamError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_public_code_stage_and_condition() {
        let server = |step, condition: &str| StreamError::Server {
            step,
            condition: condition.into(),
            text: "t".into(),
            domain: "meet.example".into(),
        };
        let refused = Error::new(Code::Connect, Stage::Connect, "refused");
        for (e, code, stage, condition) in [
            (StreamError::Transport(refused), Code::Connect, Stage::Connect, ""),
            (StreamError::Timeout(Step::Connect), Code::ServerTimeout, Stage::Connect, ""),
            (StreamError::Timeout(Step::Open), Code::ServerTimeout, Stage::Stream, ""),
            (StreamError::Timeout(Step::Bind), Code::ServerTimeout, Stage::Bind, ""),
            (StreamError::PingTimeout, Code::Disconnected, Stage::Stream, "ping-timeout"),
            (server(Step::Open, "host-unknown"), Code::HostUnknown, Stage::Stream, "host-unknown"),
            (server(Step::Bound, "conflict"), Code::Replaced, Stage::Stream, "conflict"),
            (server(Step::Bind, "conflict"), Code::Stream, Stage::Bind, "conflict"),
            (server(Step::Bound, "system-shutdown"), Code::Stream, Stage::Stream, "system-shutdown"),
            (StreamError::CredentialsRequired, Code::CredentialsRequired, Stage::Auth, ""),
            (StreamError::Prohibited(Prohibited::Empty), Code::Options, Stage::Auth, ""),
            (StreamError::NoMechanism, Code::NoMechanism, Stage::Auth, "no-auth-mech"),
            (StreamError::Scram(ScramError::ServerSignature), Code::ServerProof, Stage::Auth, ""),
            (StreamError::Scram(ScramError::Server("x".into())), Code::Auth, Stage::Auth, "x"),
        ] {
            let p = e.to_error();
            assert_eq!((p.code, p.stage, p.condition.as_str()), (code, stage, condition), "{e:?}");
        }
        assert_eq!(server(Step::Open, "host-unknown").to_error().text, "meet.example: t");
    }
}
