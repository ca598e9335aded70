//! The stream against a scripted server, in virtual time: every exchange of docs/protocol/01 §13.2 that is a stream's.

mod ending;
mod login;
mod session;

use super::Stream;
use crate::env::Env;
use crate::time::Time;
use crate::wire::Document;
use crate::xmpp::error::StreamError;
use crate::xmpp::options::{Credentials, HANDSHAKE_STEP_TIMEOUT, StreamOptions};
use crate::xmpp::output::{Input, Output};
use std::time::Duration;

const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='meet.example' id='b3f' version='1.0' xml:lang='en'/>";
const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const ENABLED: &str = "<enabled xmlns='urn:xmpp:sm:3' id='c0ffee-1' resume='true' max='60'/>";
const OUR_OPEN: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='meet.example' version='1.0'/>";
const OUR_AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const OUR_CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
const JID: &str = "1f0c3a9e@meet.example/Xy12";

fn features(inner: &str) -> String {
    format!(
        "<stream:features xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>{inner}</stream:features>"
    )
}

fn mechanisms(names: &[&str]) -> String {
    let list: String = names.iter().map(|m| format!("<mechanism>{m}</mechanism>")).collect();
    features(&format!("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{list}</mechanisms>"))
}

fn bind_features(sm: bool) -> String {
    let sm = if sm { "<sm xmlns='urn:xmpp:sm:3'><optional/></sm>" } else { "" };
    features(&format!(
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>\
         <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>{sm}"
    ))
}

fn stream_error(condition: &str) -> String {
    format!(
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>why</text></stream:error>"
    )
}

fn sasl_failure(condition: &str, text: &str) -> String {
    format!("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/><text>{text}</text></failure>")
}

/// A stream, its clock, and what came out that was not a frame.
struct Rig {
    stream: Stream,
    now: Time,
    told: Vec<Output>,
}

impl Rig {
    fn new(options: StreamOptions) -> Rig {
        let stream = Stream::new(options, &mut Env::seeded(1));
        Rig { stream, now: Time::new(1_000_000, 0), told: Vec::new() }
    }

    fn anonymous() -> Rig {
        Rig::new(StreamOptions::new("meet.example"))
    }

    fn with_password(secrets_allowed: bool) -> Rig {
        let credentials = Some(Credentials { username: "user".into(), password: "pencil".into() });
        Rig::new(StreamOptions { credentials, secrets_allowed, ..StreamOptions::new("meet.example") })
    }

    /// The frames that leave now; the rest goes to `told`.
    fn frames(&mut self) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(o) = self.stream.poll_output() {
            match o {
                Output::SendFrame(f) => {
                    assert!(Document::parse(&f).is_ok(), "{f}");
                    frames.push(f);
                }
                other => self.told.push(other),
            }
        }
        frames
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        self.stream.handle(input, self.now);
        self.frames()
    }

    fn open(&mut self) -> Vec<String> {
        self.input(Input::TransportOpened)
    }

    fn recv(&mut self, frame: &str) -> Vec<String> {
        self.input(Input::Frame(frame.to_owned()))
    }

    fn lost(&mut self) -> Vec<String> {
        self.input(Input::TransportClosed { reason: None })
    }

    /// Lets time pass, with every timer at its moment.
    fn pass(&mut self, d: Duration) -> Vec<String> {
        let end = self.now + d;
        let mut frames = Vec::new();
        while let Some(t) = self.stream.next_deadline().filter(|t| *t <= end) {
            self.now = self.now.max(t);
            frames.extend(self.input(Input::Timer));
        }
        self.now = end;
        frames
    }

    fn told(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.told)
    }

    /// What was told, as text.
    fn said(&mut self) -> Vec<String> {
        self.told().iter().map(|o| format!("{o:?}")).collect()
    }

    /// The one failure among what was told, which must be the last word.
    fn failure(&mut self) -> StreamError {
        let told = self.told();
        let n = told.iter().filter(|o| matches!(o, Output::Failed(_) | Output::Closed)).count();
        assert_eq!(n, 1, "{told:?}");
        for i in
            [Input::TransportOpened, Input::Frame(OPEN.into()), Input::Timer, Input::TransportClosed { reason: None }]
        {
            assert_eq!(self.input(i), [""; 0]);
        }
        assert!(self.told.is_empty() && self.stream.next_deadline().is_none(), "nothing follows a failure");
        match told.into_iter().last() {
            Some(Output::Failed(e)) => e,
            other => panic!("{other:?} is the last word"),
        }
    }

    /// Up to the sent bind.
    fn log_in(&mut self) {
        self.open();
        self.recv(OPEN);
        self.recv(&mechanisms(&["ANONYMOUS"]));
        self.recv(SUCCESS);
        self.recv(OPEN);
    }

    fn bind_result(&self) -> String {
        format!(
            "<iq xmlns='jabber:client' type='result' id='{}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{JID}</jid></bind></iq>",
            self.stream.bind_id
        )
    }

    /// Bound; the frames of the flight after it.
    fn bind(&mut self, sm: bool) -> Vec<String> {
        self.log_in();
        self.recv(&bind_features(sm));
        let result = self.bind_result();
        self.recv(&result)
    }

    /// Bound with management on, all questions answered, nothing told.
    fn online(&mut self) {
        let flight = self.bind(true);
        self.recv(ENABLED);
        for q in &flight[1..] {
            let empty = if q.contains("disco#info") {
                "<query xmlns='http://jabber.org/protocol/disco#info'/>"
            } else {
                "<services xmlns='urn:xmpp:extdisco:2'/>"
            };
            self.recv(&result(q, "meet.example", empty));
        }
        self.told.clear();
    }
}

fn attr(frame: &str, name: &str) -> String {
    Document::parse(frame).unwrap().root().attr(name).unwrap_or("").to_owned()
}

fn result(request: &str, from: &str, payload: &str) -> String {
    format!(
        "<iq xmlns='jabber:client' type='result' from='{from}' to='{JID}' id='{}'>{payload}</iq>",
        attr(request, "id")
    )
}

fn error(request: &str, from: &str, condition: &str) -> String {
    format!(
        "<iq xmlns='jabber:client' type='error' from='{from}' id='{}'><error type='cancel'>\
         <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        attr(request, "id")
    )
}

const STEP: Duration = HANDSHAKE_STEP_TIMEOUT;

/// The server's part of SCRAM-SHA-1 for user/pencil with any client nonce, by the formulas of RFC 5802 §3.
mod server {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hmac::{Hmac, Mac as _};
    use sha1::Sha1;

    pub const FIRST_TAIL: &str = "srv,s=QSXCR+Q6sek8bf92,i=4096";

    pub fn signature(client_first: &str, client_final: &str) -> String {
        let bare = client_first.strip_prefix("n,,").unwrap();
        let nonce = bare.split_once("r=").unwrap().1;
        let (without_proof, _) = client_final.rsplit_once(",p=").unwrap();
        let message = format!("{bare},r={nonce}{FIRST_TAIL},{without_proof}");
        let salt = STANDARD.decode("QSXCR+Q6sek8bf92").unwrap();
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(b"pencil", &salt, 4096);
        let mac = |key: &[u8], data: &[u8]| {
            Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(data).finalize().into_bytes().to_vec()
        };
        format!("v={}", STANDARD.encode(mac(&mac(&salted, b"Server Key"), message.as_bytes())))
    }

    pub fn decode(frame: &str) -> String {
        let d = crate::wire::Document::parse(frame).unwrap();
        String::from_utf8(STANDARD.decode(&*d.root().text()).unwrap()).unwrap()
    }

    pub fn frame(name: &str, data: &str) -> String {
        format!("<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</{name}>", STANDARD.encode(data))
    }
}

/// A password login up to the client's final message; returns the right signature.
fn scram(r: &mut Rig) -> String {
    assert_eq!(r.open(), [OUR_OPEN], "with a password the features are waited for");
    r.recv(OPEN);
    let auth = r.recv(&mechanisms(&["PLAIN", "SCRAM-SHA-1"]));
    assert!(auth[0].contains("mechanism='SCRAM-SHA-1'"));
    let first = server::decode(&auth[0]);
    let nonce = first.split_once("r=").unwrap().1.to_owned();
    let answer = r.recv(&server::frame("challenge", &format!("r={nonce}{}", server::FIRST_TAIL)));
    server::signature(&first, &server::decode(&answer[0]))
}
