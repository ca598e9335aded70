//! The stream against a scripted server, in virtual time: every exchange of docs/protocol/01 §13.2 that is a stream's.

use super::error::{Step, StreamError};
use super::iq::{IqError, MAX_PENDING_IQS};
use super::options::*;
use super::output::{Input, Output};
use super::scram::ScramError;
use super::stream::{NotBound, Stream};
use crate::env::Env;
use crate::error::{Code, Error, Stage};
use crate::time::Time;
use crate::wire::disco::Info;
use crate::wire::extdisco::IceServer;
use crate::wire::{Condition, Document, IqType, Jid, Stanza, StanzaError};
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
            self.stream.bind_id()
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

#[test]
fn anonymous_login_takes_three_flights() {
    let mut r = Rig::anonymous();
    assert_eq!(r.open(), [OUR_OPEN, OUR_AUTH]);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&mechanisms(&["ANONYMOUS"])), [""; 0]);
    let flight = r.recv(SUCCESS);
    assert_eq!(flight[0], OUR_OPEN);
    assert!(flight[1].contains("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") && flight.len() == 2);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&bind_features(true)), [""; 0]);
    assert_eq!(r.said(), ["Opened", "Authenticated"]);
    let bind_result = r.bind_result();
    let flight = r.recv(&bind_result);
    assert_eq!(flight[0], "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    assert!(flight[1].contains("disco#info") && attr(&flight[1], "to") == "meet.example");
    assert!(flight[2].contains("urn:xmpp:extdisco:2") && attr(&flight[2], "to") == "meet.example");
    assert_eq!(flight.len(), 3);
    assert!(matches!(&r.told()[..], [Output::Bound { jid }] if jid.as_str() == JID), "before <enabled/>");
    // What the upper layers want leaves at once, and counts.
    let focus = Jid::parse("focus.meet.example").unwrap();
    r.stream.send_iq(Some(&focus), IqType::Set, "<conference xmlns='http://jitsi.org/protocol/focus'/>", STEP, r.now);
    let sent = r.frames();
    assert!(sent.len() == 1 && sent[0].ends_with("<conference xmlns='http://jitsi.org/protocol/focus'/></iq>"));
    assert_eq!(r.recv(ENABLED), [""; 0]);
    assert_eq!(r.said(), ["Online { sm: true }"]);
    assert_eq!((r.stream.unacknowledged(), r.stream.resumable()), (3, Some(("c0ffee-1", Some(60)))));
    assert_eq!(r.recv("<a xmlns='urn:xmpp:sm:3' h='3'/>"), [""; 0]);
    assert_eq!(r.stream.unacknowledged(), 0);
    assert!(r.told.is_empty());
}

#[test]
fn without_pipelining_each_answer_is_waited_for() {
    let mut r = Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    assert_eq!(r.open(), [OUR_OPEN]);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&mechanisms(&["ANONYMOUS"])), [OUR_AUTH]);
    assert_eq!(r.recv(SUCCESS), [OUR_OPEN]);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&bind_features(true)).len(), 1);
}

#[test]
fn a_failed_early_login_is_tried_once_more_unpipelined_on_a_new_connection() {
    let spoil: [&dyn Fn(&mut Rig); 5] = [
        &|r| drop(r.recv(&sasl_failure("malformed-request", ""))),
        &|r| drop(r.recv(&stream_error("not-authorized"))),
        &|r| drop(r.recv(OUR_CLOSE)),
        &|r| drop(r.pass(STEP)),
        &|r| drop(r.recv("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>!</success>")),
    ];
    for spoil in spoil {
        let mut r = Rig::anonymous();
        r.open();
        r.recv(OPEN);
        r.recv(&mechanisms(&["ANONYMOUS"]));
        spoil(&mut r);
        assert_eq!(r.said(), ["Opened", "CloseTransport", "Reconnect { pipelined: false }"]);
        assert_eq!(r.open(), [OUR_OPEN]);
        r.recv(OPEN);
        assert_eq!(r.recv(&mechanisms(&["ANONYMOUS"])), [OUR_AUTH]);
        assert_eq!(r.recv(&sasl_failure("not-allowed", "token expired")), [OUR_CLOSE]);
        let e = r.failure();
        assert_eq!(e, StreamError::Sasl { condition: "not-allowed".into(), text: "token expired".into() });
        let p = e.to_error();
        assert_eq!(
            (p.code, p.stage, &*p.condition, &*p.text),
            (Code::Auth, Stage::Auth, "not-allowed", "token expired")
        );
    }
}

#[test]
fn a_connection_lost_in_an_early_login_or_bind_is_made_again() {
    let mut r = Rig::anonymous();
    r.open();
    r.lost();
    assert_eq!(r.said(), ["Reconnect { pipelined: false }"]);
    let mut r = Rig::anonymous();
    r.log_in();
    r.told.clear();
    r.lost();
    assert_eq!(r.said(), ["Reconnect { pipelined: false }"]);
    r.open();
    r.recv(OPEN);
    assert_eq!(r.lost(), [""; 0]);
    let e = r.failure();
    assert!(matches!(e, StreamError::Disconnected { step: Step::Open, .. }), "{e:?}");
}

#[test]
fn no_connection_is_the_transports_own_error() {
    let refused = Error::new(Code::Connect, Stage::Connect, "refused");
    let mut r = Rig::anonymous();
    r.input(Input::TransportClosed { reason: Some(refused.clone()) });
    assert_eq!(r.failure().to_error(), refused);
    let mut r = Rig::anonymous();
    r.open();
    r.lost();
    r.told.clear();
    r.input(Input::TransportClosed { reason: Some(refused.clone()) });
    assert_eq!(r.failure().to_error(), refused);
}

#[test]
fn what_the_server_offers_is_final() {
    for (offer, e) in [
        (&["SCRAM-SHA-1", "PLAIN"][..], StreamError::CredentialsRequired),
        (&["EXTERNAL"][..], StreamError::NoMechanism),
        (&[][..], StreamError::NoMechanism),
    ] {
        let mut r = Rig::anonymous();
        r.open();
        r.recv(OPEN);
        assert_eq!(r.recv(&mechanisms(offer)), [OUR_CLOSE]);
        assert_eq!(r.failure(), e);
    }
    let mut r = Rig::with_password(false);
    r.open();
    r.recv(OPEN);
    r.recv(&mechanisms(&["PLAIN"]));
    assert_eq!(r.failure().to_error().code, Code::Insecure);
}

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

#[test]
fn a_password_login_verifies_the_server_and_binds_in_one_flight() {
    for in_challenge in [false, true] {
        let mut r = Rig::with_password(false);
        let signature = scram(&mut r);
        let flight = if in_challenge {
            let empty = r.recv(&server::frame("challenge", &signature));
            assert_eq!(empty, ["<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]);
            r.recv(SUCCESS)
        } else {
            r.recv(&server::frame("success", &signature))
        };
        assert!(flight.len() == 2 && flight[0] == OUR_OPEN && flight[1].contains("<bind"));
        assert_eq!(r.said(), ["Opened", "Authenticated"]);
    }
}

#[test]
fn a_server_without_the_password_is_not_believed() {
    for success in [server::frame("success", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), SUCCESS.to_owned()] {
        let mut r = Rig::with_password(true);
        scram(&mut r);
        assert_eq!(r.recv(&success), [OUR_CLOSE]);
        let e = r.failure();
        assert_eq!(e, StreamError::Scram(ScramError::ServerSignature));
        assert_eq!(e.to_error().code, Code::ServerProof);
    }
}

#[test]
fn a_wrong_password_is_one_error_without_a_second_try() {
    let mut r = Rig::with_password(true);
    scram(&mut r);
    r.recv(&sasl_failure("not-authorized", "no"));
    assert_eq!(r.failure(), StreamError::Sasl { condition: "not-authorized".into(), text: "no".into() });
}

#[test]
fn nonces_differ_between_attempts() {
    let mut r = Rig::with_password(false);
    let first = scram(&mut r);
    r.recv(&server::frame("success", &first));
    r.lost();
    assert!(r.said().contains(&"Reconnect { pipelined: false }".to_owned()), "bind was sent ahead");
    let second = scram(&mut r);
    assert_ne!(first, second);
}

#[test]
fn plain_is_used_where_secrets_are_allowed() {
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OPEN);
    assert_eq!(
        r.recv(&mechanisms(&["PLAIN"])),
        ["<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHVzZXIAcGVuY2ls</auth>"]
    );
}

#[test]
fn a_bad_open_names_what_is_wrong() {
    for (frame, text) in [
        ("<open version='1.0'/>", "Missing xmlns in <open />"),
        ("<open xmlns='urn:x' version='1.0'/>", "Wrong xmlns in <open />: urn:x"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "Missing version in <open />"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='0.9'/>", "Wrong version in <open />: 0.9"),
    ] {
        let mut r = Rig::with_password(true);
        r.open();
        r.recv(frame);
        let p = r.failure().to_error();
        assert_eq!((p.code, p.stage, &*p.text), (Code::Protocol, Stage::Stream, text));
    }
}

#[test]
fn stream_errors_are_told_by_step_and_condition() {
    // In place of the features, during SASL, and when bound.
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(&stream_error("host-unknown"));
    let p = r.failure().to_error();
    assert_eq!((p.code, p.stage, &*p.text), (Code::HostUnknown, Stage::Stream, "meet.example: why"));
    let mut r = Rig::with_password(true);
    scram(&mut r);
    r.recv(&stream_error("policy-violation"));
    let p = r.failure().to_error();
    assert_eq!((p.code, p.stage, &*p.condition), (Code::Stream, Stage::Auth, "policy-violation"));
    let mut r = Rig::anonymous();
    r.online();
    assert_eq!(r.recv(&stream_error("conflict")), [OUR_CLOSE]);
    let p = r.failure().to_error();
    assert_eq!((p.code, &*p.condition, &*p.text), (Code::Replaced, "conflict", "why"));
}

#[test]
fn a_close_from_the_server_ends_the_stream_at_every_step() {
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OUR_CLOSE);
    assert_eq!(r.failure(), StreamError::ClosedByServer { step: Step::Open, see_other_uri: None });
    let mut r = Rig::anonymous();
    r.online();
    r.recv("<close xmlns=\"urn:ietf:params:xml:ns:xmpp-framing\" />");
    assert_eq!(r.failure(), StreamError::ClosedByServer { step: Step::Bound, see_other_uri: None });
    // Being sent elsewhere is not tried again here.
    let mut r = Rig::anonymous();
    r.open();
    r.recv("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='ws://evil.example/'/>");
    assert!(matches!(r.failure(), StreamError::ClosedByServer { see_other_uri: Some(_), .. }));
}

#[test]
fn a_silent_server_ends_in_a_time_out_at_every_step() {
    let short = STEP - Duration::from_micros(1);
    let check = |r: &mut Rig, step: Step| {
        r.pass(short);
        assert!(!r.told.iter().any(|o| matches!(o, Output::Failed(_))), "{step:?} too early");
        r.pass(Duration::from_micros(1));
        let e = r.failure();
        assert_eq!(e, StreamError::Timeout(step));
        assert_eq!(e.to_error().code, Code::ServerTimeout);
    };
    let mut r = Rig::anonymous();
    r.open();
    check(&mut r, Step::Open);
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OPEN);
    check(&mut r, Step::Open);
    let mut r = Rig::with_password(true);
    scram(&mut r);
    check(&mut r, Step::Auth);
    let mut r = Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    r.log_in();
    check(&mut r, Step::Bind);
    let mut r = Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    r.log_in();
    r.recv(&bind_features(true));
    check(&mut r, Step::Bind);
    // The second connection does not come.
    let mut r = Rig::anonymous();
    r.open();
    r.lost();
    check(&mut r, Step::Connect);
}

#[test]
fn bind_fails_typed() {
    let plain = || Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    let mut r = plain();
    r.log_in();
    r.recv(&features(""));
    assert!(matches!(r.failure(), StreamError::Bind { .. }), "not offered");
    for (answer, condition) in [
        (
            "<iq xmlns='jabber:client' type='error' id='ID'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            "conflict",
        ),
        ("<iq xmlns='jabber:client' type='result' id='ID'/>", ""),
        (
            "<iq xmlns='jabber:client' type='result' id='ID'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>no resource@x</jid></bind></iq>",
            "",
        ),
    ] {
        let mut r = plain();
        r.log_in();
        r.recv(&bind_features(true));
        let id = r.stream.bind_id().to_owned();
        r.recv(&answer.replace("ID", &id));
        let p = r.failure().to_error();
        assert_eq!((p.code, p.stage, &*p.condition), (Code::Bind, Stage::Bind, condition));
    }
}

#[test]
fn a_session_is_asked_for_only_when_demanded_and_must_succeed() {
    let demanded = features(
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
    );
    for succeeds in [true, false] {
        let mut r = Rig::anonymous();
        r.log_in();
        r.recv(&demanded);
        let bound = r.bind_result();
        let flight = r.recv(&bound);
        assert!(flight[0].contains("urn:ietf:params:xml:ns:xmpp-session"));
        r.told.clear();
        if succeeds {
            r.recv(&format!("<iq xmlns='jabber:client' type='result' id='{}'/>", attr(&flight[0], "id")));
            assert!(r.told.is_empty());
        } else {
            r.recv(&error(&flight[0], "meet.example", "forbidden"));
            assert!(matches!(r.failure(), StreamError::Bind { condition, .. } if condition == "forbidden"));
        }
    }
}

#[test]
fn refused_or_missing_management_does_not_stop_the_stream() {
    let refused =
        "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let mut r = Rig::anonymous();
    r.bind(true);
    r.recv(refused);
    assert!(r.said().contains(&"Online { sm: false }".to_owned()));
    for _ in 0..20 {
        r.stream.send_stanza("<message xmlns='jabber:client'/>".into()).unwrap();
    }
    assert!(r.frames().iter().all(|f| f.starts_with("<message")), "no <r/>");
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), [""; 0]);

    let mut r = Rig::anonymous();
    let flight = r.bind(false);
    assert!(!flight[0].contains("enable"));
    assert!(r.said().contains(&"Online { sm: false }".to_owned()));

    // No answer at all: told once, and a late answer is taken.
    let mut r = Rig::anonymous();
    r.bind(true);
    r.told.clear();
    r.pass(STEP);
    let online = |r: &mut Rig| r.said().iter().filter(|s| s.starts_with("Online")).count();
    assert_eq!(online(&mut r), 1);
    r.recv(ENABLED);
    assert_eq!(online(&mut r), 0);
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), ["<a xmlns='urn:xmpp:sm:3' h='0'/>"]);
}

#[test]
fn acknowledgements_are_asked_for_given_and_checked() {
    let mut r = Rig::anonymous();
    r.bind(true); // two stanzas counted
    r.told.clear();
    let message = || "<message xmlns='jabber:client'/>".to_owned();
    for _ in 0..4 {
        r.stream.send_stanza(message()).unwrap();
    }
    assert_eq!(r.frames().len(), 4, "no <r/> before <enabled/>");
    assert_eq!(r.recv(ENABLED), ["<r xmlns='urn:xmpp:sm:3'/>"]);
    r.recv("<a xmlns='urn:xmpp:sm:3' h='6'/>");
    for n in 1..=5 {
        r.stream.send_stanza(message()).unwrap();
        assert_eq!(r.frames().len(), if n == 5 { 2 } else { 1 });
    }
    r.recv("<message xmlns='jabber:client' from='a@b/c'/>");
    r.recv("<presence xmlns='jabber:client' from='a@b/c'/>");
    r.recv("<other xmlns='urn:other'/>");
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), ["<a xmlns='urn:xmpp:sm:3' h='2'/>"]);
    r.told.clear();
    for h in ["2", "12"] {
        let mut bad = Rig::anonymous();
        bad.online();
        bad.stream.send_stanza(message()).unwrap();
        bad.frames();
        bad.recv("<a xmlns='urn:xmpp:sm:3' h='3'/>");
        bad.recv("<a xmlns='urn:xmpp:sm:3'/>");
        let sent = bad.recv(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
        assert!(sent[0].contains("undefined-condition") && sent[1] == OUR_CLOSE, "{sent:?}");
        assert_eq!(bad.failure().to_error().code, Code::Protocol);
    }
}

#[test]
fn pings_and_disco_are_answered_and_other_requests_go_up() {
    let mut r = Rig::anonymous();
    r.online();
    let get = |payload: &str| {
        format!("<iq xmlns='jabber:client' type='get' from='r@c.x/focus' to='{JID}' id='q1'>{payload}</iq>")
    };
    assert_eq!(
        r.recv(&get("<ping xmlns='urn:xmpp:ping'/>")),
        ["<iq xmlns='jabber:client' type='result' to='r@c.x/focus' id='q1'/>"]
    );
    let answer =
        r.recv(&get("<query xmlns='http://jabber.org/protocol/disco#info' node='https://jitsi.org/jitsi-meet#old'/>"));
    let d = Document::parse(&answer[0]).unwrap();
    let info = Info::read(Stanza::read(d.root()).unwrap().payload().unwrap()).unwrap();
    assert_eq!(info.node.as_deref(), Some("https://jitsi.org/jitsi-meet#old"));
    assert!(info.features == r.stream.caps().features() && info.features.len() == 11);
    assert!(r.recv(&get("<query xmlns='http://jabber.org/protocol/disco#items'/>"))[0].contains("type='result'"));
    assert!(r.told.is_empty());
    r.recv(&get("<query xmlns='jabber:iq:version'/>"));
    let told = r.told();
    let [Output::Stanza(unknown)] = &told[..] else { panic!("{told:?}") };
    r.stream.reply_unhandled(unknown);
    assert_eq!(
        r.frames(),
        ["<iq xmlns='jabber:client' type='error' to='r@c.x/focus' id='q1'><error type='cancel'>\
          <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"]
    );
    let ver = r.stream.caps().ver().to_owned();
    r.stream.set_features(["urn:x".to_owned()]);
    assert_ne!(r.stream.caps().ver(), ver);
}

#[test]
fn requests_are_answered_once_by_whom_they_were_sent_to() {
    let mut r = Rig::anonymous();
    r.online();
    let focus = Jid::parse("focus.meet.example").unwrap();
    let ask = |r: &mut Rig| {
        let token = r.stream.send_iq(Some(&focus), IqType::Set, "<c xmlns='urn:c'/>", STEP, r.now);
        (token, r.frames().remove(0))
    };
    let (token, q) = ask(&mut r);
    // Somebody in the room pretends; it goes up as a stanza and answers nothing.
    r.recv(&result(&q, "room@conference.meet.example/evil", ""));
    assert!(matches!(&r.told()[..], [Output::Stanza(_)]));
    assert_eq!(r.stream.stats().stray_answers, 1);
    r.recv(&result(&q, "focus.meet.example", "<c xmlns='urn:c' ready='true'/>"));
    let told = r.told();
    assert!(matches!(&told[..], [Output::IqAnswer { token: t, result: Ok(d) }] if *t == token
        && Stanza::read(d.root()).unwrap().payload().unwrap().attr("ready") == Some("true")));
    r.recv(&result(&q, "focus.meet.example", ""));
    assert!(matches!(&r.told()[..], [Output::Stanza(_)]), "a second answer answers nothing");
    let answered = |r: &mut Rig| match r.told().pop() {
        Some(Output::IqAnswer { result: Err(e), .. }) => e,
        other => panic!("{other:?}"),
    };
    let (_, q) = ask(&mut r);
    r.recv(&error(&q, "focus.meet.example", "forbidden"));
    let StanzaError { condition, .. } = match answered(&mut r) {
        IqError::Error(e) => e,
        other => panic!("{other:?}"),
    };
    assert_eq!(condition, Condition::Forbidden);
    let start = r.now;
    ask(&mut r);
    r.stream.handle(Input::Timer, start + (STEP - Duration::from_micros(1)));
    r.frames();
    assert!(!r.told().iter().any(|o| matches!(o, Output::IqAnswer { .. })));
    r.now = start + STEP;
    r.input(Input::Timer);
    assert_eq!(answered(&mut r), IqError::Timeout);
    ask(&mut r);
    r.lost();
    let told = r.told();
    assert!(
        matches!(&told[..], [Output::IqAnswer { result: Err(IqError::Disconnected), .. }, Output::Failed(_)]),
        "{told:?}"
    );
}

#[test]
fn nothing_is_sent_while_not_bound() {
    let mut r = Rig::anonymous();
    assert_eq!(r.stream.send_stanza("<message/>".into()), Err(NotBound));
    r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
    assert_eq!(r.frames(), [""; 0]);
    assert!(matches!(&r.told()[..], [Output::IqAnswer { result: Err(IqError::Disconnected), .. }]));
}

#[test]
fn past_the_limit_of_requests_the_next_is_refused() {
    let mut r = Rig::anonymous();
    r.online();
    for _ in 0..MAX_PENDING_IQS {
        r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
    }
    r.frames();
    assert!(r.told().is_empty());
    r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
    assert_eq!(r.frames(), [""; 0]);
    assert!(matches!(&r.told()[..], [Output::IqAnswer { result: Err(IqError::Busy), .. }]));
}

fn urls(told: &[Output]) -> Vec<String> {
    told.iter()
        .filter_map(|o| if let Output::IceServers(s) = o { Some(s.iter().map(IceServer::url)) } else { None })
        .flatten()
        .collect()
}

#[test]
fn domain_and_ice_servers_are_learned_by_asking() {
    let mut r = Rig::anonymous();
    let flight = r.bind(true);
    r.told.clear();
    r.recv(&result(&flight[1], "meet.example", "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='component' type='polls' name='polls.meet.example'/></query>"));
    r.recv(&result(
        &flight[2],
        "meet.example",
        "<services xmlns='urn:xmpp:extdisco:2'><service type='stun' host='t.example' port='3478'/></services>",
    ));
    let told = r.told();
    assert!(matches!(&told[0], Output::Domain(Some(i)) if i.identity("polls") == Some("polls.meet.example")));
    assert_eq!(urls(&told), ["stun:t.example:3478"]);
}

#[test]
fn the_first_version_is_asked_when_the_second_is_refused_and_an_empty_answer_keeps_what_is_known() {
    let mut r = Rig::anonymous();
    let flight = r.bind(true);
    r.told.clear();
    let second = r.recv(&error(&flight[2], "meet.example", "service-unavailable"));
    assert!(second[0].contains("urn:xmpp:extdisco:1"));
    r.recv(&result(&second[0], "meet.example", "<services xmlns='urn:xmpp:extdisco:1'><service type='turn' host='t.example' username='u' password='p'/></services>"));
    assert_eq!(urls(&r.told()), ["turn:t.example:3478"]);

    let mut r = Rig::anonymous();
    let flight = r.bind(true);
    r.told.clear();
    r.recv(&result(&flight[2], "meet.example", "<services xmlns='urn:xmpp:extdisco:2'/>"));
    let second = r.recv(&error(&flight[1], "meet.example", "forbidden"));
    assert_eq!(second, [""; 0]);
    assert!(matches!(&r.told()[..], [Output::Domain(None)]));
}

#[test]
fn silence_to_the_streams_own_questions_ends_nothing() {
    let mut r = Rig::new(StreamOptions { ping_interval: Duration::ZERO, ..StreamOptions::new("meet.example") });
    r.bind(true);
    r.recv(ENABLED);
    r.told.clear();
    r.pass(DISCO_TIMEOUT);
    assert!(matches!(&r.told()[..], [Output::Domain(None)]));
    r.pass(EXTDISCO_TIMEOUT);
    assert!(r.told().is_empty() && r.stream.next_deadline().is_none());
}

#[test]
fn a_pushed_discovery_message_saves_the_questions_and_its_services_are_used() {
    let pushed = |from: &str| {
        format!(
            "<message xmlns='jabber:client' from='{from}' to='{JID}'><query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity category='component' type='room_metadata' name='metadata.meet.example'/>\
             <feature var='http://jitsi.org/protocol/lobbyrooms#displayname_required'/></query>\
             <services xmlns='urn:xmpp:extdisco:2'><service type='turns' host='turn.meet.example' port='443' transport='tcp' username='u' password='p'/></services></message>"
        )
    };
    let mut r = Rig::anonymous();
    r.log_in();
    r.recv(&bind_features(true));
    r.told.clear();
    r.recv(&pushed("evil@meet.example/x"));
    assert!(r.told().is_empty());
    r.recv(&pushed("meet.example"));
    let told = r.told();
    assert!(matches!(&told[0], Output::Domain(Some(i)) if i.identity("room_metadata").is_some()));
    assert_eq!(urls(&told), ["turns:turn.meet.example:443?transport=tcp"]);
    let bound = r.bind_result();
    assert_eq!(r.recv(&bound), ["<enable xmlns='urn:xmpp:sm:3' resume='true'/>"]);
    // Shortly after bind it is taken as well, and from another it is only a message.
    let mut r = Rig::anonymous();
    r.bind(true);
    r.told.clear();
    r.recv(&pushed("meet.example"));
    assert!(matches!(&r.told()[..], [Output::Domain(Some(_)), Output::IceServers(_)]));
    r.recv(&pushed("room@conference.meet.example/evil"));
    assert!(matches!(&r.told()[..], [Output::Stanza(_)]));
}

#[test]
fn two_unanswered_pings_end_the_stream_after_25_seconds() {
    let mut r = Rig::anonymous();
    r.online();
    r.pass(PING_INTERVAL); // something was heard in this one
    let pings = r.pass(Duration::from_secs(24));
    let pings = pings.iter().filter(|f| f.contains("urn:xmpp:ping")).count();
    assert!(pings == 2 && r.told().is_empty());
    r.pass(Duration::from_secs(1));
    assert_eq!(r.failure(), StreamError::PingTimeout);
}

#[test]
fn answered_pings_keep_the_stream_for_ever() {
    let mut r = Rig::anonymous();
    r.online();
    let mut count = 0;
    for _ in 0..600 {
        for f in r.pass(Duration::from_secs(1)) {
            if f.contains("urn:xmpp:ping") {
                count += 1;
                let answer = if count % 2 == 0 {
                    error(&f, "meet.example", "service-unavailable")
                } else {
                    result(&f, "meet.example", "")
                };
                r.recv(&answer);
            }
        }
    }
    assert!((58..=60).contains(&count), "{count}");
    assert!(r.told().is_empty());
}

#[test]
fn closing_says_goodbye_and_is_bounded_in_time() {
    let goodbye = ["<presence xmlns='jabber:client' type='unavailable'/>", OUR_CLOSE];
    for finish in ["agreed", "lost", "silent"] {
        let mut r = Rig::anonymous();
        r.online();
        r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
        r.frames();
        r.stream.close(r.now);
        assert_eq!(r.frames(), goodbye);
        assert!(matches!(&r.told()[..], [Output::IqAnswer { result: Err(IqError::Disconnected), .. }]));
        r.stream.close(r.now);
        assert_eq!(r.stream.send_stanza("<message/>".into()), Err(NotBound));
        let sent = match finish {
            "agreed" => r.recv(OUR_CLOSE),
            "lost" => r.lost(),
            _ => r.pass(CLOSE_TIMEOUT),
        };
        assert_eq!(sent, [""; 0]);
        let said = r.said();
        assert_eq!(said.last().map(String::as_str), Some("Closed"));
        assert_eq!(said.len(), if finish == "lost" { 1 } else { 2 }, "{said:?}");
    }
    // Before the stream is bound there is nobody to wait for.
    let mut r = Rig::anonymous();
    r.open();
    r.stream.close(r.now);
    assert_eq!(r.frames(), [OUR_CLOSE]);
    assert_eq!(r.said(), ["CloseTransport", "Closed"]);
    let mut r = Rig::anonymous();
    r.stream.close(r.now);
    assert_eq!(r.frames(), [""; 0]);
    assert_eq!(r.said(), ["CloseTransport", "Closed"]);
}

#[test]
fn bad_xml_ends_the_stream_and_oversized_stanzas_only_themselves() {
    for (bad, condition) in [
        ("<a>", "not-well-formed"),
        ("<!DOCTYPE a><a/>", "restricted-xml"),
        ("<a><!-- --></a>", "restricted-xml"),
        ("<x:a/>", "not-well-formed"),
    ] {
        let mut r = Rig::anonymous();
        r.online();
        let sent = r.recv(bad);
        assert!(sent[0].contains(condition) && sent[1] == OUR_CLOSE, "{sent:?}");
        assert_eq!(r.failure().to_error().code, Code::Protocol);
    }
    let mut r = Rig::anonymous();
    r.online();
    let h = attr(&r.recv("<r xmlns='urn:xmpp:sm:3'/>")[0], "h").parse::<u32>().unwrap();
    r.recv(&format!("<message xmlns='jabber:client'><body>{}</body></message>", "x".repeat(1 << 20)));
    r.recv(&format!("<iq type='get' id='1'>{}{}</iq>", "<a>".repeat(100_000), "</a>".repeat(100_000)));
    r.recv(&format!("<messages>{}{}</messages>", "<a>".repeat(100), "</a>".repeat(100)));
    assert_eq!(r.stream.stats().oversized_frames, 3);
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), [format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", h + 2)]);
    assert!(r.told().is_empty());
}

#[test]
fn frames_out_of_turn_end_the_handshake_and_unknown_ones_do_not() {
    for frames in [
        &[mechanisms(&["PLAIN"])][..],
        &[OPEN.to_owned(), SUCCESS.to_owned()][..],
        &[OPEN.to_owned(), mechanisms(&["SCRAM-SHA-1"]), "<x xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".to_owned()][..],
    ] {
        let mut r = Rig::with_password(true);
        r.open();
        for f in frames {
            r.recv(f);
        }
        assert_eq!(r.failure().to_error().code, Code::Protocol, "{frames:?}");
    }
    let mut r = Rig::anonymous();
    r.open();
    r.recv(OPEN);
    r.recv(&mechanisms(&["ANONYMOUS"]));
    r.recv("<message xmlns='jabber:client'/>");
    r.recv("<x xmlns='urn:x'/>");
    r.recv(&server::frame("challenge", "x"));
    assert_eq!(r.said(), ["Opened", "CloseTransport", "Reconnect { pipelined: false }"]);
    assert_eq!(r.stream.stats().unknown_frames, 2);
}

#[test]
fn nothing_secret_reaches_debug_output() {
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OPEN);
    r.stream.handle(Input::Frame(mechanisms(&["PLAIN"])), r.now);
    let mut text = format!("{:?}", r.stream);
    while let Some(o) = r.stream.poll_output() {
        text.push_str(&format!("{o:?}"));
    }
    text.push_str(&format!("{:?}", Input::Frame("pencil".into())));
    assert!(!text.contains("pencil") && !text.contains("AHVzZXIAcGVuY2ls"), "{text}");
}
