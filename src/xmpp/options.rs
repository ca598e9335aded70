//! What a stream is told before it starts, and its time-outs.

use std::fmt;
use std::time::Duration;

/// Longest silence of the server at one step of the handshake (default 15 s, docs/protocol/01 §2.2).
pub const HANDSHAKE_STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for the server's `</stream>` after ours (default 2 s).
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for the domain's disco#info (default 5 s, docs/protocol/01 §4.1).
pub const DISCO_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for each version of the external-services answer (default 10 s; the reference waits for ever, §9.1).
pub const EXTDISCO_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at liveness (default 10 s, §6).
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for a ping's answer (default 5 s, §6).
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Unanswered pings in a row that end the stream (default 2, §6).
pub const PING_THRESHOLD: u32 = 2;

/// A user name (the part before `@`) and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// How to log in, and as what.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The domain to log in at (docs/protocol/01 §3.2).
    pub domain: String,
    /// The domain of disco, external services and pings: that of the deployment, also for guests. Empty: `domain`.
    pub service_domain: String,
    /// None: ANONYMOUS.
    pub credentials: Option<Credentials>,
    /// The resource to ask for; None leaves it to the server.
    pub resource: Option<String>,
    /// The transport is encrypted, or loopback, or the user allowed secrets on it by an explicit option: PLAIN may be used.
    pub secrets_allowed: bool,
    /// Features announced by disco#info and caps. Only what works (design §8).
    pub features: Vec<String>,
    /// Send what needs no answer first together (one flight for open and login, one for open and bind).
    pub pipelined: bool,
    /// Longest silence of the server at one step of the handshake.
    pub step_timeout: Duration,
    /// Time between two looks at liveness; zero turns pings off.
    pub ping_interval: Duration,
    /// Longest wait for a ping's answer.
    pub ping_timeout: Duration,
    /// Unanswered pings in a row that end the stream.
    pub ping_threshold: u32,
}

impl StreamOptions {
    /// An anonymous login at this domain with the default times and [`super::caps::FEATURES`].
    pub fn new(domain: impl Into<String>) -> StreamOptions {
        StreamOptions {
            domain: domain.into(),
            service_domain: String::new(),
            credentials: None,
            resource: None,
            secrets_allowed: false,
            features: super::caps::FEATURES.iter().map(|f| (*f).to_owned()).collect(),
            pipelined: true,
            step_timeout: HANDSHAKE_STEP_TIMEOUT,
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            ping_threshold: PING_THRESHOLD,
        }
    }

    /// Where disco, external services and pings go.
    pub fn services(&self) -> &str {
        if self.service_domain.is_empty() { &self.domain } else { &self.service_domain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_reach_debug_output() {
        let mut o = StreamOptions::new("d");
        o.credentials = Some(Credentials { username: "user".into(), password: "hidden".into() });
        assert!(!format!("{o:?}").contains("hidden"));
    }
}
