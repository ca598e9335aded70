//! Which SASL mechanism, and its exchange (docs/protocol/01 §3.1). No second mechanism is tried after a refusal.

use super::error::StreamError;
use super::options::Credentials;
use super::saslprep::saslprep;
use super::scram::{Scram, ScramHash};
use crate::wire::features::Features;
use crate::wire::sasl;

const ANONYMOUS: &str = "ANONYMOUS";
const PLAIN: &str = "PLAIN";
const SCRAM_SHA_1: &str = "SCRAM-SHA-1";
const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// Mechanisms that want a password, ours or not: a server with only these wants credentials.
const PASSWORD_MECHANISMS: [&str; 8] = [
    SCRAM_SHA_256,
    SCRAM_SHA_1,
    PLAIN,
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-512-PLUS",
    "DIGEST-MD5",
];

/// A login in progress.
pub(super) enum Login {
    Anonymous,
    Plain { initial: Vec<u8> },
    Scram { mechanism: &'static str, exchange: Scram },
}

impl Login {
    /// Picks from what the server offers. PLAIN shows the password to everybody on the path, so only where that is allowed.
    pub fn choose(
        features: &Features,
        credentials: Option<&Credentials>,
        secrets_allowed: bool,
        nonce: impl FnOnce() -> String,
    ) -> Result<Login, StreamError> {
        let Some(c) = credentials else {
            return if features.offers(ANONYMOUS) {
                Ok(Login::Anonymous)
            } else if PASSWORD_MECHANISMS.iter().any(|m| features.offers(m)) {
                Err(StreamError::CredentialsRequired)
            } else {
                Err(StreamError::NoMechanism)
            };
        };
        let username = saslprep(&c.username).map_err(StreamError::Prohibited)?;
        let password = saslprep(&c.password).map_err(StreamError::Prohibited)?;
        for (mechanism, hash) in [(SCRAM_SHA_256, ScramHash::Sha256), (SCRAM_SHA_1, ScramHash::Sha1)] {
            if features.offers(mechanism) {
                let exchange = Scram::new(hash, &username, &password, &nonce());
                return Ok(Login::Scram { mechanism, exchange });
            }
        }
        match features.offers(PLAIN) {
            true if secrets_allowed => Ok(Login::Plain { initial: format!("\0{username}\0{password}").into_bytes() }),
            true => Err(StreamError::Insecure),
            false => Err(StreamError::NoMechanism),
        }
    }

    /// The frame that starts it.
    pub fn auth(&self) -> String {
        match self {
            Login::Anonymous => sasl::auth(ANONYMOUS, None),
            Login::Plain { initial } => sasl::auth(PLAIN, Some(initial)),
            Login::Scram { mechanism, exchange } => sasl::auth(mechanism, Some(&exchange.client_first())),
        }
    }

    /// The answer to a challenge; None when this mechanism knows none.
    pub fn challenge(&mut self, data: &[u8]) -> Option<Result<Vec<u8>, StreamError>> {
        match self {
            Login::Scram { exchange, .. } => Some(exchange.challenge(data).map_err(StreamError::Scram)),
            Login::Anonymous | Login::Plain { .. } => None,
        }
    }

    /// Whether the server's success may be believed.
    pub fn success(&mut self, data: &[u8]) -> Result<(), StreamError> {
        match self {
            Login::Scram { exchange, .. } => exchange.success(data).map_err(StreamError::Scram),
            Login::Anonymous | Login::Plain { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::saslprep::Prohibited;

    fn choose(offer: &[&str], password: bool, secrets_allowed: bool) -> Result<String, StreamError> {
        let features = Features { mechanisms: offer.iter().map(|m| (*m).to_owned()).collect(), ..Features::default() };
        let c = Credentials { username: "u".into(), password: "p".into() };
        let login = Login::choose(&features, password.then_some(&c), secrets_allowed, || "n".into())?;
        let auth = login.auth();
        Ok(auth.split('\'').nth(3).unwrap().to_owned())
    }

    #[test]
    fn the_strongest_mechanism_is_taken() {
        let all = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "ANONYMOUS"];
        assert_eq!(choose(&all, true, true).as_deref(), Ok("SCRAM-SHA-256"));
        assert_eq!(choose(&all[..2], true, true).as_deref(), Ok("SCRAM-SHA-1"));
        assert_eq!(choose(&all[..1], true, true).as_deref(), Ok("PLAIN"));
        assert_eq!(choose(&all, false, true).as_deref(), Ok("ANONYMOUS"));
    }

    #[test]
    fn a_password_never_goes_plain_where_it_may_not() {
        assert_eq!(choose(&["PLAIN"], true, false), Err(StreamError::Insecure));
        assert_eq!(choose(&["PLAIN", "SCRAM-SHA-1"], true, false).as_deref(), Ok("SCRAM-SHA-1"));
    }

    #[test]
    fn without_a_common_mechanism_the_error_says_which_kind() {
        assert_eq!(choose(&["SCRAM-SHA-1", "PLAIN"], false, true), Err(StreamError::CredentialsRequired));
        assert_eq!(choose(&["SCRAM-SHA-512"], false, true), Err(StreamError::CredentialsRequired));
        assert_eq!(choose(&["EXTERNAL"], false, true), Err(StreamError::NoMechanism));
        assert_eq!(choose(&[], false, true), Err(StreamError::NoMechanism));
        assert_eq!(choose(&["ANONYMOUS"], true, true), Err(StreamError::NoMechanism));
    }

    #[test]
    fn plain_has_no_authorisation_identity() {
        let features = Features { mechanisms: vec!["PLAIN".into()], ..Features::default() };
        let c = Credentials { username: "u".into(), password: "p".into() };
        let login = Login::choose(&features, Some(&c), true, || "n".into()).unwrap_or(Login::Anonymous);
        assert!(login.auth().ends_with("mechanism='PLAIN'>AHUAcA==</auth>"));
    }

    #[test]
    fn names_and_passwords_are_prepared_for_every_mechanism_or_refused() {
        for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
            let features = Features { mechanisms: vec![mechanism.into()], ..Features::default() };
            let auth = |username: &str, password: &str| {
                let c = Credentials { username: username.into(), password: password.into() };
                Login::choose(&features, Some(&c), true, || "n".into()).map(|l| l.auth())
            };
            assert_eq!(auth("I\u{ad}X", "\u{2168}"), auth("IX", "IX"));
            let refused = Err(StreamError::Prohibited(Prohibited::Character));
            assert_eq!(auth("u", "p\u{7}"), refused);
            assert_eq!(auth("u\u{e000}", "p"), refused);
        }
    }
}
