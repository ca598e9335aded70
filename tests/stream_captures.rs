//! Recorded connections of lib-jitsi-meet, replayed: the stream gets what the server sent then, and must send what that client
//! sent, as infoset. The known differences are named where they are allowed.

use jmeet::wire::{Document, Element, IqType, Jid, Stanza, StanzaKind};
use jmeet::xmpp::{Input, IqToken, Output, Stream, StreamError, StreamOptions};
use jmeet::{Env, Time};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// The frames of one peer, with their direction.
fn frames(capture: &str, peer: char) -> Vec<(bool, String)> {
    let path = format!("{}/tests/fixtures/captures/{capture}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let of_peer = text.lines().filter_map(|l| l.strip_prefix(peer));
    of_peer.filter_map(|l| Some((l.starts_with('>'), l.get(2..)?.to_owned()))).collect()
}

/// An element as text in which order of attributes and writing of namespaces play no part. `id` and `from` of the root are left
/// away: ids are each client's own, and the reference names itself in some requests, which the server does for us.
fn canonical(e: Element<'_>, root: bool) -> String {
    let mut attrs: Vec<_> = e.attrs().filter(|(n, _)| !root || !matches!(*n, "id" | "from")).collect();
    attrs.sort_unstable();
    let mut out = format!("{{{}}}{}{attrs:?}({}", e.ns(), e.name(), e.text());
    for c in e.children() {
        write!(out, "{}", canonical(c, false)).unwrap();
    }
    out + ")"
}

fn canon(frame: &str) -> String {
    canonical(Document::parse(frame).unwrap().root(), true)
}

/// A stream in the place of the recorded client.
struct Replay {
    stream: Stream,
    now: Time,
    /// Sent and not yet found in the recording.
    sent: Vec<String>,
    told: Vec<Output>,
    /// The recorded ids of requests, and ours for the same.
    ids: HashMap<String, String>,
    tokens: Vec<IqToken>,
}

impl Replay {
    fn new() -> Replay {
        let stream = Stream::new(StreamOptions::new("meet.localhost"), &mut Env::seeded(3));
        let (sent, told, ids, tokens) = Default::default();
        let mut r = Replay { stream, now: Time::default(), sent, told, ids, tokens };
        r.input(Input::TransportOpened);
        r
    }

    fn drain(&mut self) {
        while let Some(o) = self.stream.poll_output() {
            match o {
                Output::SendFrame(f) => self.sent.push(f),
                other => self.told.push(other),
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.stream.handle(input, self.now);
        self.drain();
    }

    fn failed(&self) -> bool {
        self.told.iter().any(|o| matches!(o, Output::Failed(_) | Output::Reconnect { .. }))
    }

    /// The server's frame, under our ids.
    fn receive(&mut self, frame: &str) {
        let document = Document::parse(frame).unwrap();
        let answered =
            Stanza::read(document.root()).filter(|s| matches!(s.iq_type(), Some(IqType::Result | IqType::Error)));
        let mut frame = frame.to_owned();
        if let Some(id) = answered.and_then(Stanza::id) {
            // What is not known is the answer to the session request, which we leave away where it is optional.
            let Some(ours) = self.ids.get(id) else {
                return assert_eq!(id, "_session_auth_2");
            };
            frame = frame.replace(id, ours);
        }
        self.input(Input::Frame(frame));
    }

    /// The recorded client sent this: so must we have, or now do as the upper layers' wish.
    fn expect(&mut self, frame: &str) {
        let document = Document::parse(frame).unwrap();
        let wanted = canonical(document.root(), true);
        let stanza = Stanza::read(document.root());
        if stanza.and_then(Stanza::id) == Some("_session_auth_2") {
            return;
        }
        if !self.sent.iter().any(|f| canon(f) == wanted) {
            let stanza = stanza.unwrap_or_else(|| panic!("the stream did not send {frame}"));
            match (stanza.kind(), stanza.iq_type()) {
                (StanzaKind::Iq, Some(kind @ (IqType::Get | IqType::Set))) => {
                    let mut w = jmeet::wire::XmlWriter::new();
                    stanza.payload().unwrap().write_to(&mut w);
                    let (to, payload) = (stanza.to(), w.finish());
                    let timeout = Duration::from_secs(15);
                    self.tokens.push(self.stream.send_iq(to.as_ref(), kind, &payload, timeout, self.now));
                }
                _ if frame.contains("type=\"unavailable\" xmlns=\"jabber:client\"/>") && stanza.to().is_none() => {
                    self.stream.close(self.now);
                }
                _ => self.stream.send_stanza(frame.to_owned()).unwrap(),
            }
            self.drain();
        }
        let at = self.sent.iter().position(|f| canon(f) == wanted).unwrap_or_else(|| panic!("not sent: {frame}"));
        let ours = self.sent.remove(at);
        let id = |f: &str| Document::parse(f).unwrap().root().attr("id").map(str::to_owned);
        if let (Some(theirs), Some(ours)) = (id(frame), id(&ours)) {
            self.ids.insert(theirs, ours);
        }
    }

    fn play(capture: &str, peer: char) -> Replay {
        let mut r = Replay::new();
        for (sent, frame) in frames(capture, peer) {
            if r.failed() {
                break;
            }
            if sent { r.expect(&frame) } else { r.receive(&frame) }
        }
        r
    }

    fn answers(&self) -> Vec<bool> {
        let answer = |t: &IqToken| {
            self.told.iter().find_map(|o| match o {
                Output::IqAnswer { token, result } if token == t => Some(result.is_ok()),
                _ => None,
            })
        };
        self.tokens.iter().filter_map(answer).collect()
    }
}

#[test]
fn the_connection_to_jitsis_prosody_is_the_reference_clients() {
    let r = Replay::play("01-connect-disco-join.txt", 'A');
    assert_eq!(r.sent, [""; 0], "nothing was sent that the reference does not send");
    assert!(r.answers().len() >= 4 && r.answers().iter().all(|ok| *ok), "conference, lobby, breakout, room");
    let domain = r.told.iter().find_map(|o| if let Output::Domain(Some(i)) = o { Some(i) } else { None }).unwrap();
    assert_eq!(domain.identity("breakout_rooms"), Some("breakout.meet.localhost"));
    let ice = r.told.iter().find_map(|o| if let Output::IceServers(s) = o { Some(s) } else { None }).unwrap();
    assert_eq!(ice.iter().map(|s| s.url()).collect::<Vec<_>>(), ["stun:127.0.0.1:3478", "turn:127.0.0.1:3478"]);
    assert!(r.told.iter().any(|o| matches!(o, Output::Online { sm: true })));
    assert_eq!(r.stream.stats(), Default::default(), "every frame was understood");
    assert_eq!(
        r.stream.jid(),
        Jid::parse("62c191da-6025-4d6d-8fe6-595c701c8bd5@meet.localhost/PYQefBPlRQb6").ok().as_ref()
    );
}

#[test]
fn the_connection_to_a_plain_prosody_is_the_reference_clients() {
    let r = Replay::play("41-plain-prosody-connect-join.txt", 'A');
    // The recording leaves `<r/>` away.
    assert!(r.sent.iter().all(|f| f == "<r xmlns='urn:xmpp:sm:3'/>"), "{:?}", r.sent);
    assert!(r.answers().len() >= 2 && r.answers().iter().all(|ok| *ok));
    assert_eq!(r.stream.stats(), Default::default());
}

#[test]
fn a_pushed_discovery_message_is_used_and_the_goodbye_is_the_reference_clients() {
    let r = Replay::play("24-pushed-disco.txt", 'A');
    // That server pushed no ICE servers, so they are asked for, which the reference does not do (docs/protocol/01 §4.2).
    let extra: Vec<&String> = r.sent.iter().filter(|f| *f != "<r xmlns='urn:xmpp:sm:3'/>").collect();
    let ice = r.told.iter().any(|o| matches!(o, Output::IceServers(_)));
    assert_eq!(extra.len(), usize::from(!ice), "{extra:?}");
    assert!(extra.iter().all(|f| f.contains("urn:xmpp:extdisco:2")));
    let domains = r.told.iter().filter(|o| matches!(o, Output::Domain(Some(_)))).count();
    assert_eq!(domains, 1);
}

#[test]
fn a_refused_token_is_tried_once_more_and_then_told_with_the_servers_text() {
    for (peer, text) in [('N', "token required"), ('X', "Invalid signature")] {
        let mut r = Replay::play("21-token-auth.txt", peer);
        assert!(matches!(r.told.last(), Some(Output::Reconnect { pipelined: false })));
        r.input(Input::TransportOpened);
        for (_, frame) in frames("21-token-auth.txt", peer).iter().filter(|(sent, _)| !sent) {
            r.receive(frame);
        }
        match r.told.last() {
            Some(Output::Failed(StreamError::Sasl { condition, text: t })) => {
                assert_eq!((condition.as_str(), t.as_str()), ("not-allowed", text));
            }
            other => panic!("{other:?}"),
        }
    }
}
