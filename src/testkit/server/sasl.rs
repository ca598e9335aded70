//! The server's side of SASL (RFC 6120 §6): ANONYMOUS, PLAIN and SCRAM (RFC 5802, RFC 7677), as Prosody offers them
//! (docs/protocol/01 §3.1).

use crate::env::Env;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Rounds of the password's hash. Small: what is tested is the exchange, not the hardness.
const SCRAM_ROUNDS: u32 = 4096;
/// Text of Prosody's refusal, which clients show.
const REFUSED: &str = "Unable to authorize you with the authentication credentials you've sent.";

/// A user with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Part before the `@`.
    pub name: String,
    /// In the clear: this is a test server.
    pub password: String,
}

/// The mechanisms of a host: with users the password ones, else ANONYMOUS.
pub fn mechanisms(users: &[User]) -> &'static [&'static str] {
    if users.is_empty() { &["ANONYMOUS"] } else { &["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"] }
}

/// What to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Challenge(String),
    Success { user: String, data: Option<String> },
    Failure { condition: &'static str, text: Option<&'static str> },
}

fn fail(condition: &'static str) -> Step {
    Step::Failure { condition, text: (condition == "not-authorized").then_some(REFUSED) }
}

/// A SCRAM exchange that waits for the client's proof.
pub struct Exchange {
    sha256: bool,
    user: User,
    /// `client-first-message-bare,server-first-message`.
    transcript: String,
    nonce: String,
    salt: [u8; 16],
}

/// Begins: the `<auth/>` of a client. A pending exchange is returned beside a challenge.
pub fn begin(users: &[User], mechanism: &str, initial: &str, env: &mut Env) -> (Step, Option<Exchange>) {
    if !mechanisms(users).contains(&mechanism) {
        return (fail("invalid-mechanism"), None);
    }
    // `=` is an empty initial response (RFC 6120 §6.4.2).
    let initial = if initial.trim() == "=" { "" } else { initial.trim() };
    let Ok(initial) = BASE64.decode(initial) else { return (fail("incorrect-encoding"), None) };
    let Ok(initial) = String::from_utf8(initial) else { return (fail("malformed-request"), None) };
    match mechanism {
        "ANONYMOUS" => {
            let h = env.hex(32);
            // A version 4 UUID, as Jitsi's anonymous login makes: its first 8 digits become the endpoint id.
            let user = format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..]);
            (Step::Success { user, data: None }, None)
        }
        "PLAIN" => {
            let mut parts = initial.split('\0');
            let (Some(_), Some(name), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return (fail("malformed-request"), None);
            };
            let known = users.iter().find(|u| u.name == name && u.password == password);
            let step = known.map_or(fail("not-authorized"), |u| Step::Success { user: u.name.clone(), data: None });
            (step, None)
        }
        _ => scram_first(users, mechanism == "SCRAM-SHA-256", &initial, env),
    }
}

fn scram_first(users: &[User], sha256: bool, first: &str, env: &mut Env) -> (Step, Option<Exchange>) {
    // No channel binding: `n,,` or `y,,`.
    let Some(bare) = first.strip_prefix("n,,").or_else(|| first.strip_prefix("y,,")) else {
        return (fail("malformed-request"), None);
    };
    let field = |key: &str| bare.split(',').find_map(|p| p.strip_prefix(key));
    let (Some(name), Some(client_nonce)) = (field("n="), field("r=")) else { return (fail("malformed-request"), None) };
    let name = name.replace("=2C", ",").replace("=3D", "=");
    let Some(user) = users.iter().find(|u| u.name == name) else { return (fail("not-authorized"), None) };
    let mut salt = [0; 16];
    env.fill(&mut salt);
    let nonce = format!("{client_nonce}{}", env.alphanumeric(18));
    let server_first = format!("r={nonce},s={},i={SCRAM_ROUNDS}", BASE64.encode(salt));
    let transcript = format!("{bare},{server_first}");
    (
        Step::Challenge(BASE64.encode(&server_first)),
        Some(Exchange { sha256, user: user.clone(), transcript, nonce, salt }),
    )
}

impl Exchange {
    /// The client's proof arrived.
    pub fn finish(self, response: &str) -> Step {
        let decoded = BASE64.decode(response.trim()).ok().and_then(|b| String::from_utf8(b).ok());
        let Some(last) = decoded else { return fail("incorrect-encoding") };
        let Some((without_proof, proof)) = last.rsplit_once(",p=") else { return fail("malformed-request") };
        let field = |key: &str| without_proof.split(',').find_map(|p| p.strip_prefix(key));
        let header = field("c=").and_then(|c| BASE64.decode(c).ok());
        if field("r=") != Some(&*self.nonce) || !header.is_some_and(|h| h == b"n,," || h == b"y,,") {
            return fail("malformed-request");
        }
        let Ok(proof) = BASE64.decode(proof) else { return fail("incorrect-encoding") };
        let message = format!("{},{without_proof}", self.transcript);
        let signature = if self.sha256 {
            verify::<Scram256>(&self.user.password, &self.salt, &message, &proof)
        } else {
            verify::<Scram1>(&self.user.password, &self.salt, &message, &proof)
        };
        match signature {
            Some(s) => {
                Step::Success { user: self.user.name, data: Some(BASE64.encode(format!("v={}", BASE64.encode(s)))) }
            }
            None => fail("not-authorized"),
        }
    }
}

trait Scram {
    fn salted(password: &[u8], salt: &[u8]) -> Vec<u8>;
    fn mac(key: &[u8], data: &[u8]) -> Vec<u8>;
    fn hash(data: &[u8]) -> Vec<u8>;
}

macro_rules! scram {
    ($name:ident, $hash:ty, $size:literal) => {
        struct $name;
        impl Scram for $name {
            fn salted(password: &[u8], salt: &[u8]) -> Vec<u8> {
                let mut out = [0; $size];
                pbkdf2::pbkdf2_hmac::<$hash>(password, salt, SCRAM_ROUNDS, &mut out);
                out.to_vec()
            }
            fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
                // HMAC takes keys of any length, so this cannot fail.
                <Hmac<$hash>>::new_from_slice(key).map_or_else(
                    |_| Vec::new(),
                    |mut m| {
                        m.update(data);
                        m.finalize().into_bytes().to_vec()
                    },
                )
            }
            fn hash(data: &[u8]) -> Vec<u8> {
                <$hash>::digest(data).to_vec()
            }
        }
    };
}

scram!(Scram1, Sha1, 20);
scram!(Scram256, Sha256, 32);

/// The server's signature, when the proof is right.
fn verify<S: Scram>(password: &str, salt: &[u8], message: &str, proof: &[u8]) -> Option<Vec<u8>> {
    let salted = S::salted(password.as_bytes(), salt);
    let client_key = S::mac(&salted, b"Client Key");
    let stored_key = S::hash(&client_key);
    let signature = S::mac(&stored_key, message.as_bytes());
    let expected: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    (expected == proof).then(|| S::mac(&S::mac(&salted, b"Server Key"), message.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Vec<User> {
        vec![User { name: "ada".into(), password: "pencil".into() }]
    }

    fn scram(mechanism: &str, password: &str) -> Step {
        let env = &mut Env::seeded(1);
        let (step, exchange) = begin(&users(), mechanism, &BASE64.encode("n,,n=ada,r=abc"), env);
        let Step::Challenge(c) = step else { panic!("{step:?}") };
        let server_first = String::from_utf8(BASE64.decode(c).unwrap()).unwrap();
        let nonce = server_first.split(',').next().unwrap();
        let salt = BASE64.decode(server_first.split(",s=").nth(1).unwrap().split(',').next().unwrap()).unwrap();
        let last = format!("c=biws,{nonce}");
        let message = format!("n=ada,r=abc,{server_first},{last}");
        fn proof<S: Scram>(password: &str, salt: &[u8], message: &str) -> Vec<u8> {
            let key = S::mac(&S::salted(password.as_bytes(), salt), b"Client Key");
            let signature = S::mac(&S::hash(&key), message.as_bytes());
            key.iter().zip(signature).map(|(a, b)| a ^ b).collect()
        }
        let p = match mechanism {
            "SCRAM-SHA-1" => proof::<Scram1>(password, &salt, &message),
            _ => proof::<Scram256>(password, &salt, &message),
        };
        exchange.unwrap().finish(&BASE64.encode(format!("{last},p={}", BASE64.encode(p))))
    }

    #[test]
    fn scram_takes_the_right_password_and_proves_itself() {
        for m in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
            let Step::Success { user, data: Some(data) } = scram(m, "pencil") else { panic!("{m}") };
            assert_eq!(user, "ada");
            assert!(BASE64.decode(data).unwrap().starts_with(b"v="));
            assert!(matches!(scram(m, "pen"), Step::Failure { condition: "not-authorized", text: Some(_) }));
        }
    }

    #[test]
    fn plain_and_anonymous_do_what_they_say() {
        let env = &mut Env::seeded(2);
        let plain = |p: &str, env: &mut Env| begin(&users(), "PLAIN", &BASE64.encode(format!("\0ada\0{p}")), env).0;
        assert_eq!(plain("pencil", env), Step::Success { user: "ada".into(), data: None });
        assert!(matches!(plain("x", env), Step::Failure { condition: "not-authorized", .. }));
        assert!(matches!(
            begin(&users(), "ANONYMOUS", "", env).0,
            Step::Failure { condition: "invalid-mechanism", .. }
        ));
        for empty in ["", "="] {
            let Step::Success { user, .. } = begin(&[], "ANONYMOUS", empty, env).0 else { panic!() };
            assert!(user.len() == 36 && user[..8].bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
