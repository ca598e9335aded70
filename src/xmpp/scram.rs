//! The client side of SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. The server's signature
//! is verified: a server that does not know the password is not let through.
//!
//! User name and password come prepared (`saslprep.rs`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Iterations a server may demand (default 100 000): each login would otherwise cost as much CPU as the server likes.
pub const MAX_ITERATIONS: u32 = 100_000;
/// Bytes of salt a server may send (default 1024).
pub const MAX_SALT_BYTES: usize = 1024;
/// Bytes of the combined nonce a server may send (default 1024).
pub const MAX_NONCE_BYTES: usize = 1024;

/// The hash a SCRAM exchange uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    Sha1,
    Sha256,
}

/// Why an exchange cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScramError {
    /// The server's message is not of the grammar, or came out of turn.
    Malformed,
    /// The server's nonce does not continue ours.
    Nonce,
    /// A number of iterations that is zero or past [`MAX_ITERATIONS`].
    Iterations,
    /// The server's signature is wrong or missing: it does not know the password.
    ServerSignature,
    /// The server ended the exchange with this error (`e=`).
    Server(String),
}

impl fmt::Display for ScramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScramError::Malformed => f.write_str("malformed SCRAM message"),
            ScramError::Nonce => f.write_str("the server's nonce does not continue ours"),
            ScramError::Iterations => f.write_str("number of SCRAM iterations out of range"),
            ScramError::ServerSignature => f.write_str("the server did not prove that it knows the password"),
            ScramError::Server(e) => write!(f, "SCRAM error {e}"),
        }
    }
}

impl std::error::Error for ScramError {}

/// One exchange.
pub struct Scram {
    hash: ScramHash,
    password: String,
    nonce: String,
    /// client-first-message-bare.
    first_bare: String,
    state: State,
}

enum State {
    /// Waiting for the server's first message.
    First,
    /// Waiting for its last; the signature it must show.
    Final(Vec<u8>),
    /// Its signature was right.
    Verified,
}

impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scram({:?})", self.hash)
    }
}

impl Scram {
    /// An exchange with a nonce that must never have been used before.
    pub fn new(hash: ScramHash, username: &str, password: &str, nonce: &str) -> Scram {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        Scram { hash, password: password.to_owned(), nonce: nonce.to_owned(), first_bare, state: State::First }
    }

    /// The initial response.
    pub fn client_first(&self) -> Vec<u8> {
        format!("n,,{}", self.first_bare).into_bytes()
    }

    /// Answers a challenge: the first with the proof; the last one, where a server sends its signature in a challenge and
    /// not with its success, with nothing.
    pub fn challenge(&mut self, data: &[u8]) -> Result<Vec<u8>, ScramError> {
        match self.state {
            State::First => self.server_first(data),
            State::Final(_) => self.server_final(data).map(|()| Vec::new()),
            State::Verified => Err(ScramError::Malformed),
        }
    }

    /// Takes the data of the success. Ok only if the server's signature was shown and right.
    pub fn success(&mut self, data: &[u8]) -> Result<(), ScramError> {
        match self.state {
            State::First => Err(ScramError::ServerSignature),
            State::Final(_) => self.server_final(data),
            State::Verified => Ok(()),
        }
    }

    fn server_first(&mut self, data: &[u8]) -> Result<Vec<u8>, ScramError> {
        let message = std::str::from_utf8(data).map_err(|_| ScramError::Malformed)?;
        // A leading `m=` is a mandatory extension, which nobody may ignore (RFC 5802 §5.1).
        let mut parts = message.split(',');
        let mut part = |key: &str| parts.next().and_then(|p| p.strip_prefix(key)).ok_or(ScramError::Malformed);
        let nonce = part("r=")?;
        let salt = part("s=")?;
        let iterations = part("i=")?;
        if nonce.len() <= self.nonce.len() || nonce.len() > MAX_NONCE_BYTES || !nonce.starts_with(&self.nonce) {
            return Err(ScramError::Nonce);
        }
        let salt = STANDARD.decode(salt).map_err(|_| ScramError::Malformed)?;
        if salt.is_empty() || salt.len() > MAX_SALT_BYTES {
            return Err(ScramError::Malformed);
        }
        let iterations: u32 = iterations.parse().map_err(|_| ScramError::Iterations)?;
        if iterations == 0 || iterations > MAX_ITERATIONS {
            return Err(ScramError::Iterations);
        }
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{message},{without_proof}", self.first_bare);

        let salted = self.salted_password(&salt, iterations);
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = self.digest(&client_key);
        let signature = self.hmac(&stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(k, s)| k ^ s).collect();
        let server_key = self.hmac(&salted, b"Server Key");
        self.state = State::Final(self.hmac(&server_key, auth_message.as_bytes()));
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes())
    }

    fn server_final(&mut self, data: &[u8]) -> Result<(), ScramError> {
        let State::Final(expected) = &self.state else { return Err(ScramError::Malformed) };
        let message = std::str::from_utf8(data).map_err(|_| ScramError::Malformed)?;
        let first = message.split(',').next().unwrap_or("");
        if let Some(e) = first.strip_prefix("e=") {
            return Err(ScramError::Server(e.to_owned()));
        }
        let shown = first.strip_prefix("v=").ok_or(ScramError::ServerSignature)?;
        let shown = STANDARD.decode(shown).map_err(|_| ScramError::ServerSignature)?;
        // Compared without a branch per byte: how many bytes of a guess were right is nobody's business.
        let differing = shown.iter().zip(expected).fold(0, |acc, (a, b)| acc | (a ^ b));
        if shown.len() != expected.len() || differing != 0 {
            return Err(ScramError::ServerSignature);
        }
        self.state = State::Verified;
        Ok(())
    }

    fn salted_password(&self, salt: &[u8], iterations: u32) -> Vec<u8> {
        let password = self.password.as_bytes();
        match self.hash {
            ScramHash::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations).to_vec(),
            ScramHash::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec(),
        }
    }

    fn hmac(&self, key: &[u8], data: &[u8]) -> Vec<u8> {
        // HMAC takes keys of every length (RFC 2104 §2), so making one cannot fail.
        match self.hash {
            ScramHash::Sha1 => {
                Hmac::<Sha1>::new_from_slice(key).map(|m| m.chain_update(data).finalize().into_bytes().to_vec())
            }
            ScramHash::Sha256 => {
                Hmac::<Sha256>::new_from_slice(key).map(|m| m.chain_update(data).finalize().into_bytes().to_vec())
            }
        }
        .unwrap_or_default()
    }

    fn digest(&self, data: &[u8]) -> Vec<u8> {
        match self.hash {
            ScramHash::Sha1 => Sha1::digest(data).to_vec(),
            ScramHash::Sha256 => Sha256::digest(data).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5802 §5.
    const SHA1_FIRST: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";

    fn sha1() -> Scram {
        Scram::new(ScramHash::Sha1, "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL")
    }

    #[test]
    fn the_exchange_of_rfc_5802_is_reproduced() {
        let mut s = sha1();
        assert_eq!(s.client_first(), b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        assert_eq!(
            String::from_utf8(s.challenge(SHA1_FIRST.as_bytes()).unwrap()).unwrap(),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        assert_eq!(s.success(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
    }

    #[test]
    fn the_exchange_of_rfc_7677_is_reproduced() {
        let mut s = Scram::new(ScramHash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(s.client_first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            String::from_utf8(s.challenge(first.as_bytes()).unwrap()).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        // This server shows its signature in a challenge of its own.
        assert_eq!(s.challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(Vec::new()));
        assert_eq!(s.success(b""), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        let after_first = || {
            let mut s = sha1();
            s.challenge(SHA1_FIRST.as_bytes()).unwrap();
            s
        };
        for wrong in ["v=rmF9pqV8S7suAoZWja4dJRkFsKR=", "v=rmF9pqV8S7suAoZWja4dJRkF", "v=", "v=!", "", "x"] {
            assert_eq!(after_first().success(wrong.as_bytes()), Err(ScramError::ServerSignature), "{wrong}");
        }
        assert_eq!(sha1().success(b""), Err(ScramError::ServerSignature), "success without an exchange");
        assert_eq!(after_first().success(b"e=invalid-proof"), Err(ScramError::Server("invalid-proof".into())));
    }

    #[test]
    fn messages_out_of_grammar_are_refused() {
        let first = |m: &str| sha1().challenge(m.as_bytes()).map(drop);
        let r = "r=fyko+d2lbbFgONRv9qkxdawLx";
        assert_eq!(first("m=1,r=a,s=QSXC,i=1"), Err(ScramError::Malformed));
        assert_eq!(first(&format!("{r},s=,i=1")), Err(ScramError::Malformed));
        assert_eq!(first(&format!("{r},s=!,i=1")), Err(ScramError::Malformed));
        assert_eq!(first(&format!("{r},i=1,s=QSXC")), Err(ScramError::Malformed));
        assert_eq!(first("r=fyko+d2lbbFgONRv9qkxdawL,s=QSXC,i=1"), Err(ScramError::Nonce), "nothing added");
        assert_eq!(first("r=other,s=QSXC,i=1"), Err(ScramError::Nonce));
        assert_eq!(sha1().challenge(b"\xff"), Err(ScramError::Malformed));
    }

    #[test]
    fn iterations_salt_and_nonce_are_limited() {
        let first = |nonce: usize, salt: usize, i: u32| {
            let n = format!("fyko+d2lbbFgONRv9qkxdawL{}", "x".repeat(nonce - 24));
            sha1().challenge(format!("r={n},s={},i={i}", STANDARD.encode(vec![1; salt])).as_bytes()).map(drop)
        };
        assert_eq!(first(25, 1, 1), Ok(()));
        assert_eq!(first(25, 1, 0), Err(ScramError::Iterations));
        assert_eq!(first(25, 1, MAX_ITERATIONS), Ok(()));
        assert_eq!(first(25, 1, MAX_ITERATIONS + 1), Err(ScramError::Iterations));
        assert_eq!(first(25, MAX_SALT_BYTES, 1), Ok(()));
        assert_eq!(first(25, MAX_SALT_BYTES + 1, 1), Err(ScramError::Malformed));
        assert_eq!(first(MAX_NONCE_BYTES, 1, 1), Ok(()));
        assert_eq!(first(MAX_NONCE_BYTES + 1, 1, 1), Err(ScramError::Nonce));
    }

    #[test]
    fn names_are_escaped_and_secrets_not_shown() {
        let s = Scram::new(ScramHash::Sha1, "a=b,c", "hidden", "n0nce");
        assert_eq!(s.client_first(), b"n,,n=a=3Db=2Cc,r=n0nce");
        assert_eq!(format!("{s:?}"), "Scram(Sha1)");
    }
}
