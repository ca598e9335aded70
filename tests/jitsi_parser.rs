//! Our Jingle in front of Jitsi's own classes, in a Java process (tests/interop/java): what we write must be understood there, and
//! what they write must be understood here, element for element (docs/protocol/02).
//!
//! The classes are built by tests/install; tests/parts/37-java runs these tests, which by themselves have nothing to talk to.

use jmeet::testkit::focus::colibri::Colibri;
use jmeet::testkit::focus::{DryBridge, Focus, FocusOptions, SessionOptions};
use jmeet::wire::jingle::Jingle;
use jmeet::wire::{Document, XmlWriter, ns};
use jmeet::{Env, Time};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Peer {
    child: Child,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Peer {
    fn start() -> Peer {
        let classpath =
            std::env::var("JMEET_JAVA_CLASSPATH").expect("JMEET_JAVA_CLASSPATH, as tests/parts/37-java sets it");
        let mut child = Command::new("java")
            .args(["-Xshare:auto", "-cp", &classpath, "peer.JinglePeer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("java");
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Peer { child, answers }
    }

    /// What the peer says of a stanza.
    fn ask(&mut self, stanza: &str) -> String {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{}", stanza.replace('\n', " ")).unwrap();
        input.flush().unwrap();
        self.answers.next().expect("an answer").unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// A member of the peer's JSON object that is a string, unescaped.
fn string(json: &str, key: &str) -> Option<String> {
    let start = json.find(&format!("\"{key}\":\""))? + key.len() + 4;
    let mut out = String::new();
    let mut chars = json[start..].chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'u' => {
                    let code: String = chars.by_ref().take(4).collect();
                    out.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                }
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
}

/// All that a Jingle element says, line by line, whatever the order in which it says it. Without `extmap-allow-mixed`, which
/// these classes read past.
fn facts(j: &Jingle<'_>) -> Vec<String> {
    let mut all = vec![format!("{:?} {} {:?} {:?}", j.action, j.sid, j.initiator, j.responder)];
    for c in &j.contents {
        all.push(format!("content {} {:?} {:?} {:?}", c.name, c.creator, c.senders, c.initial_last_n));
        if let Some(d) = &c.description {
            all.push(format!("description {:?} {:?}", d.media, d.maxptime));
            all.extend(d.payload_types.iter().map(|p| format!("{p:?}")));
            all.extend(d.extensions.iter().map(|x| format!("{x:?}")));
        }
        if let Some(t) = &c.transport {
            all.push(format!("transport {} {:?} {:?} {:?} {:?}", c.name, t.ufrag, t.pwd, t.ice_generation, t.sctp));
            all.extend(t.candidates.iter().map(|x| format!("{x:?}")));
            all.extend(t.fingerprints.iter().map(|x| format!("{x:?}")));
            all.extend(t.web_sockets.iter().map(|x| format!("web-socket {x}")));
        }
    }
    all.extend(j.groups.iter().map(|g| format!("{g:?}")));
    all.push(format!("{:?} {:?} {:?} {:?}", j.reason, j.bridge_session, j.start_muted, j.ice_state));
    all.extend(j.sources.iter().map(|s| format!("{s:?}")));
    all.extend(j.sources.groups().map(|g| format!("{g:?}")));
    all.sort();
    all
}

/// Hands the peer a stanza with Jingle; whether it was any. The peer's own writing of it must say the same.
fn round(peer: &mut Peer, stanza: &str) -> bool {
    let ours = Document::parse(stanza).expect("a stanza of ours");
    let Some(jingle) = ours.root().child("jingle", ns::JINGLE) else { return false };
    let before = Jingle::read(jingle).unwrap();
    let answer = peer.ask(stanza);
    let Some(written) = string(&answer, "written") else { panic!("{answer}\nof {stanza}") };
    let action = string(&answer, "action").unwrap_or_default();
    assert_eq!(action.to_lowercase().replace('_', "-"), before.action.as_str(), "{answer}");
    for s in before.sources.iter() {
        // As a typed value in the description, or in the JSON that was carried along.
        let (typed, carried) = (format!("\"ssrc\":{}", s.ssrc), format!("\"s\":{}", s.ssrc));
        assert!(answer.contains(&typed) || answer.contains(&carried), "{} in {answer}", s.ssrc);
    }
    let theirs = Document::parse_with(&written, ns::CLIENT, &Default::default()).expect("a stanza of theirs");
    let after = Jingle::read(theirs.root().child("jingle", ns::JINGLE).unwrap()).unwrap();
    let (after, before) = (facts(&after), facts(&before));
    let lost: Vec<_> = before.iter().filter(|f| !after.contains(f)).collect();
    let new: Vec<_> = after.iter().filter(|f| !before.contains(f)).collect();
    assert!(
        lost.is_empty() && new.is_empty() && after.len() == before.len(),
        "lost {lost:#?}, new {new:#?} in {stanza}"
    );
    true
}

/// Recorded Jingle as our reader and our writer give it.
fn recorded() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let frames = text.lines().filter_map(|l| l.get(3..)).filter(|l| l.starts_with("<iq") && l.contains("<jingle"));
        for frame in frames {
            let Ok(d) = Document::parse(frame) else { continue };
            let Some(j) = d.root().child("jingle", ns::JINGLE).and_then(Jingle::read) else { continue };
            if d.root().attr("type") != Some("set") {
                continue;
            }
            let mut w = XmlWriter::stanza("iq");
            w.attr("type", "set").attr("id", "1").attr("from", "r@c.example/a").attr("to", "r@c.example/b");
            j.write(&mut w);
            all.push((name.clone(), w.finish()));
        }
    }
    all
}

/// What Jitsi's classes cannot hold, each with its reason; everything else must come through.
fn beyond_jitsi(stanza: &str) -> bool {
    // Their enumeration of actions refuses the stanza.
    stanza.contains("action='no-such-action'") || !stanza.contains(" action='")
}

#[test]
#[ignore = "needs the classes that tests/parts/37-java builds"]
fn recorded_jingle_as_we_write_it_survives_jitsis_classes() {
    let mut peer = Peer::start();
    let mut done = 0;
    for (_, stanza) in recorded().iter().filter(|(_, s)| !beyond_jitsi(s)) {
        done += usize::from(round(&mut peer, stanza));
    }
    assert!(done > 100, "{done}");
}

#[test]
#[ignore = "needs the classes that tests/parts/37-java builds"]
fn the_testkits_focus_speaks_jingle_that_jitsis_classes_read() {
    const ROOM: &str = "r@conference.meet.localhost";
    let mut peer = Peer::start();
    for json in [true, false] {
        let sessions = SessionOptions { json, red: true, region: Some("here".into()), ..SessionOptions::default() };
        let options = FocusOptions { sessions: Some(sessions), ..FocusOptions::new("focus.meet.localhost") };
        let mut focus = Focus::new(options, Env::seeded(1)).unwrap();
        let mut bridge = DryBridge::new(Env::seeded(2));
        let now = Time::new(1, 1);
        focus.bridge_up(now);
        focus.handle_text(
            &format!(
                "<iq type='set' from='x@meet.localhost/1' to='focus.meet.localhost' id='1'>\
                 <conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}'/></iq>"
            ),
            now,
        );
        focus.handle_text(&format!("<presence from='{ROOM}/focus'/>"), now);
        focus.handle_text(&format!("<iq type='result' from='{ROOM}' id='config-1'/>"), now);
        for nick in ["aaaa0000", "bbbb0000"] {
            let moderator = "<x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator'/></x>";
            focus.handle_text(&format!("<presence from='{ROOM}/{nick}'>{moderator}</presence>"), now);
        }
        let (mut actions, mut accepted) = (Vec::new(), 0);
        for step in 0.. {
            while let Some(request) = focus.poll_colibri() {
                if let Some(answer) = bridge.request(request, now) {
                    focus.handle_answer(answer, now);
                }
            }
            let Some(stanza) = focus.poll_output() else { break };
            assert!(step < 1000, "the focus does not come to rest");
            let d = Document::parse(&stanza).unwrap();
            let to = d.root().attr("to").unwrap_or_default().to_owned();
            if d.root().child("query", ns::DISCO_INFO).is_some() {
                let id = d.root().attr("id").unwrap();
                let features: String = [
                    "urn:xmpp:jingle:apps:rtp:audio",
                    "urn:xmpp:jingle:apps:rtp:video",
                    "urn:xmpp:jingle:transports:dtls-sctp:1",
                    "urn:ietf:rfc:4588",
                    "http://jitsi.org/tcc",
                    "http://jitsi.org/opus-red",
                    "http://jitsi.org/json-encoded-sources",
                ]
                .iter()
                .map(|f| format!("<feature var='{f}'/>"))
                .collect();
                let query = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{features}</query>");
                focus.handle_text(&format!("<iq type='result' from='{to}' id='{id}'>{query}</iq>"), now);
            }
            if !round(&mut peer, &stanza) {
                continue;
            }
            let jingle = Jingle::read(d.root().child("jingle", ns::JINGLE).unwrap()).unwrap();
            actions.push(jingle.action.as_str().to_owned());
            if jingle.action.as_str() == "session-initiate" {
                accepted += 1;
                let ssrc = accepted * 100;
                let source = |n: u32| {
                    format!(
                        "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{n}' name='{ssrc}-v0' videoType='desktop'>\
                         <parameter name='msid' value='m{ssrc} t'/></source>"
                    )
                };
                let group = format!(
                    "<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'><source ssrc='{ssrc}'/><source ssrc='{}'/></ssrc-group>",
                    ssrc + 1
                );
                let content = |inner: &str| {
                    format!(
                        "<content name='video'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>{inner}</description></content>"
                    )
                };
                let all = content(&format!("{}{}{group}", source(ssrc), source(ssrc + 1)));
                for (action, inner) in
                    [("session-accept", all.as_str()), ("source-remove", &content(&source(ssrc + 1)))]
                {
                    focus.handle_text(
                        &format!(
                            "<iq type='set' from='{to}' to='focus@focus.meet.localhost/focus' id='{action}'>\
                             <jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{}'>{inner}</jingle></iq>",
                            jingle.sid
                        ),
                        now,
                    );
                }
            }
        }
        for nick in ["aaaa0000", "bbbb0000"] {
            focus.end_session(ROOM, nick, "success", "moving", now);
        }
        while let Some(stanza) = focus.poll_output() {
            round(&mut peer, &stanza);
        }
        for action in ["session-initiate", "source-add", "source-remove"] {
            assert!(actions.iter().any(|a| a == action), "{action}, JSON {json}: {actions:?}");
        }
    }
}
