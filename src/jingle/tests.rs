//! Sessions in virtual time: against recorded lib-jitsi-meet clients, against each other, and against bad manners.

use super::*;
use crate::wire::jingle::{self as wire, CandidateType, Media, VideoType};
use crate::wire::{Document, Element, ns};

const ROOM: &str = "p2p@conference.meet.localhost";

fn jid(nick: &str) -> Jid {
    Jid::parse(&format!("{ROOM}/{nick}")).unwrap()
}

fn at(ms: u64) -> Time {
    Time::new(ms * 1000, ms as i64 * 1000)
}

fn participant(nick: &str) -> Participant {
    Participant { jid: jid(nick), jigasi: false, poltergeist: false }
}

fn room(own: &str, others: &[&str]) -> Conference {
    Conference {
        own: Some(jid(own)),
        focus: Some(jid("focus")),
        participants: others.iter().map(|o| participant(o)).collect(),
        ..Conference::default()
    }
}

fn sources(ep: &str, base: u32) -> Vec<LocalSource> {
    vec![
        LocalSource {
            name: format!("{ep}-a0"),
            media: Media::Audio,
            video_type: None,
            ssrc: base,
            rtx: None,
            msid: format!("{ep}-audio-0-1 aaaa-1"),
        },
        LocalSource {
            name: format!("{ep}-v0"),
            media: Media::Video,
            video_type: Some(VideoType::Camera),
            ssrc: base + 1,
            rtx: Some(base + 2),
            msid: format!("{ep}-video-0-1 vvvv-1"),
        },
    ]
}

fn desktop(ep: &str, ssrc: u32) -> LocalSource {
    LocalSource {
        name: format!("{ep}-v1"),
        media: Media::Video,
        video_type: Some(VideoType::Desktop),
        ssrc,
        rtx: Some(ssrc + 1),
        msid: format!("{ep}-video-1-1 dddd-1"),
    }
}

fn transport(ep: &str) -> LocalTransport {
    LocalTransport {
        ufrag: format!("frag{ep}"),
        pwd: format!("password-of-at-least-22-{ep}"),
        hash: "sha-256".into(),
        fingerprint: "AA:BB".into(),
    }
}

fn candidate(port: u16) -> IceCandidate {
    IceCandidate {
        foundation: "1".into(),
        priority: 5,
        address: ([192, 0, 2, 1], port).into(),
        kind: CandidateType::Host,
        related: None,
    }
}

/// A machine with what it put out, engine answered at once.
struct Side {
    j: Jingle,
    ep: &'static str,
    out: Vec<Output>,
}

impl Side {
    fn new(ep: &'static str, seed: u64) -> Side {
        let mut j = Jingle::new(JingleConfig::default(), Env::seeded(seed));
        j.set_local_sources(sources(ep, seed as u32 * 100 + 1));
        Side { j, ep, out: Vec::new() }
    }

    fn drain(&mut self, now: Time) -> Vec<Output> {
        let mut new = Vec::new();
        while let Some(o) = self.j.poll_output() {
            if let Output::CreateEngine { session, .. } = &o {
                self.j.local_transport(*session, transport(self.ep), vec![candidate(1000)], now);
            }
            new.push(o);
        }
        self.out.extend(new.iter().cloned());
        new
    }

    fn join(&mut self, others: &[&str], now: Time) -> Vec<Output> {
        self.j.set_conference(room(self.ep, others), now);
        self.drain(now)
    }

    /// Feeds one captured or generated `jingle` element.
    fn iq(&mut self, from: &str, payload: &str, now: Time) -> Vec<Output> {
        let d = Document::parse_with(payload, ns::CLIENT, &Default::default()).unwrap();
        self.j.on_iq(&jid(from), "id1", d.root(), now);
        self.drain(now)
    }

    fn answer_all(&mut self, out: &[Output], now: Time) -> Vec<Output> {
        for o in out {
            if let Output::SendIq { token, .. } = o {
                self.j.on_iq_answer(*token, IqAnswer::Result);
            }
        }
        self.drain(now)
    }
}

fn payloads(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|o| match o {
            Output::SendIq { payload, .. } => Some(payload.clone()),
            _ => None,
        })
        .collect()
}

fn actions(out: &[Output]) -> Vec<String> {
    let action = |p: &String| {
        let d = Document::parse(p).unwrap();
        d.root().attr("action").unwrap().to_owned()
    };
    payloads(out).iter().map(action).collect()
}

/// Kinds of outputs in their order.
fn kinds(out: &[Output]) -> Vec<&'static str> {
    out.iter()
        .map(|o| match o {
            Output::Reply(r) if r.contains("type='result'") => "ack",
            Output::Reply(_) => "error",
            Output::SendIq { .. } => "iq",
            Output::CreateEngine { .. } => "create",
            Output::RemoteDescription { .. } => "description",
            Output::RemoteCandidates { .. } => "candidates",
            Output::SourcesAdded { .. } => "added",
            Output::SourcesRemoved { .. } => "removed",
            Output::LocalVideoWanted { .. } => "wanted",
            Output::RemoteConstraints { .. } => "constraints",
            Output::CloseEngine { .. } => "close",
            Output::Event(Event::P2p { state: P2pState::Starting { .. }, .. }) => "starting",
            Output::Event(Event::P2p { state: P2pState::Active, .. }) => "active",
            Output::Event(Event::P2p { state: P2pState::Ended(_), .. }) => "ended",
            Output::Event(Event::BridgeOffered { .. }) => "bridge",
            Output::Event(Event::Refused { .. }) => "refused",
            Output::Event(Event::SourcesRefused { .. }) => "sources-refused",
        })
        .collect()
}

fn ended(out: &[Output]) -> Option<EndReason> {
    out.iter().find_map(|o| match o {
        Output::Event(Event::P2p { state: P2pState::Ended(r), .. }) => Some(r.clone()),
        _ => None,
    })
}

fn reply(out: &[Output]) -> &str {
    let replies: Vec<_> = out.iter().filter_map(|o| if let Output::Reply(r) = o { Some(r) } else { None }).collect();
    assert_eq!(replies.len(), 1, "{out:?}");
    replies[0]
}

/// The frames of a capture: who, sent or received, text.
fn capture(name: &str) -> Vec<(char, bool, String)> {
    let path = format!("{}/tests/fixtures/captures/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let frame = |l: &str| {
        let (peer, frame) = l.split_once(' ')?;
        let mut c = peer.chars();
        let (who, way) = (c.next()?, c.next()?);
        (matches!(way, '>' | '<') && peer.len() == 2).then(|| (who, way == '>', frame.to_owned()))
    };
    text.lines().filter_map(frame).collect()
}

/// The payload of the first frame with this action that `who` sent, or received.
fn recorded(name: &str, who: char, sent: bool, action: &str) -> String {
    let frames = capture(name);
    let found = frames.iter().filter(|f| f.0 == who && f.1 == sent).find_map(|(_, _, frame)| {
        let d = Document::parse_with(frame, ns::CLIENT, &Default::default()).ok()?;
        let e = d.root().child("jingle", ns::JINGLE).filter(|e| e.attr("action") == Some(action))?;
        let mut w = crate::wire::XmlWriter::new();
        e.write_to(&mut w);
        Some(w.finish())
    });
    found.unwrap_or_else(|| panic!("{name} {who} {action}"))
}

#[test]
fn the_recorded_responder_is_answered_as_initiator() {
    let mut a = Side::new("62c191da", 1);
    let out = a.join(&["83bcb962"], at(0));
    assert_eq!(kinds(&out), ["starting", "create", "iq"]);
    assert_eq!(actions(&out), ["session-initiate"]);
    assert!(matches!(&out[1], Output::CreateEngine { controlling: true, .. }));
    assert!(a.answer_all(&out, at(1)).is_empty());
    let sid = {
        let p = payloads(&out).remove(0);
        let d = Document::parse(&p).unwrap();
        d.root().attr("sid").unwrap().to_owned()
    };
    assert_eq!(sid.len(), 12);
    let theirs = |action| recorded("03-p2p-session", 'A', false, action).replace("df2d94a1d999", &sid);
    // Candidates that overtake the answer wait for it.
    assert_eq!(kinds(&a.iq("83bcb962", &theirs("transport-info"), at(2))), ["ack"]);
    let out = a.iq("83bcb962", &theirs("session-accept"), at(3));
    assert_eq!(kinds(&out), ["description", "added", "candidates", "iq", "ack"]);
    assert_eq!(actions(&out), ["content-modify"]);
    let Output::RemoteDescription { transport, negotiated, .. } = &out[0] else { panic!() };
    assert_eq!((&*transport.ufrag, transport.dtls), ("cAXW", DtlsRole::Server));
    let pts: Vec<_> = negotiated.payloads.iter().map(|p| (p.codec, p.pt, p.rtx)).collect();
    assert_eq!(pts, [(Codec::Opus, 111, None), (Codec::Vp8, 96, Some(97))]);
    let Output::SourcesAdded { sources, .. } = &out[1] else { panic!() };
    assert_eq!(sources.iter().map(|s| &*s.name).collect::<Vec<_>>(), ["83bcb962-a0", "83bcb962-v0"]);
    let Output::RemoteCandidates { candidates, .. } = &out[2] else { panic!() };
    // Four of eight: the others are TCP.
    assert_eq!(candidates.len(), 4);
    let out = a.iq("83bcb962", &theirs("content-modify"), at(4));
    assert_eq!(kinds(&out), ["constraints", "ack"]);
    let add = recorded("05-p2p-screenshare-source-add", 'A', false, "source-add").replace("df2d94a1d999", &sid);
    let out = a.iq("83bcb962", &add, at(5));
    let Output::SourcesAdded { sources, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!((&*sources[0].name, sources[0].video_type), ("83bcb962-v1", Some(VideoType::Desktop)));
    assert_eq!(kinds(&a.iq("83bcb962", &add, at(6))), ["ack"]);
    let key = a.j.session().unwrap().0;
    a.j.ice_connected(key);
    a.j.ice_connected(key);
    assert_eq!(kinds(&a.drain(at(7))), ["active"]);
    let end = recorded("06-p2p-terminate-restart-leave", 'A', false, "session-terminate").replace("df2d94a1d999", &sid);
    let out = a.iq("83bcb962", &end, at(8));
    assert_eq!(kinds(&out), ["removed", "close", "ended", "ack"]);
    assert_eq!(
        ended(&out),
        Some(EndReason::Peer { condition: "success".into(), text: "Turning off P2P session".into() })
    );
}

#[test]
fn the_recorded_initiator_is_accepted() {
    for (file, sid) in [("03-p2p-session", "df2d94a1d999"), ("06-p2p-terminate-restart-leave", "472362d07e28")] {
        let mut b = Side::new("83bcb962", 2);
        assert!(b.join(&["62c191da"], at(0)).is_empty());
        let theirs = |action| recorded(file, 'B', false, action);
        let out = b.iq("62c191da", &theirs("session-initiate"), at(1));
        // The engine of this test answers at once; the acknowledgement came first all the same.
        assert_eq!(kinds(&out), ["starting", "create", "description", "added", "ack", "iq"]);
        assert_eq!(reply(&out), format!("<iq xmlns='jabber:client' type='result' to='{ROOM}/62c191da' id='id1'/>"));
        let Output::RemoteDescription { transport, .. } = &out[2] else { panic!() };
        assert_eq!(transport.dtls, DtlsRole::Client);
        let p = payloads(&out).remove(0);
        let d = Document::parse(&p).unwrap();
        let j = wire::Jingle::read(d.root()).unwrap();
        assert_eq!((j.action, j.sid, j.ignored), (Action::SessionAccept, sid, 0));
        assert_eq!((j.initiator, j.responder), (Some(jid("62c191da").as_str()), Some(jid("83bcb962").as_str())));
        for c in &j.contents {
            let f = &c.transport.as_ref().unwrap().fingerprints[0];
            assert_eq!((f.setup, c.senders), (Some(wire::Setup::Active), Some(wire::Senders::Both)));
        }
        // Candidates wait until the accept is acknowledged.
        assert_eq!(kinds(&b.iq("62c191da", &theirs("transport-info"), at(2))), ["ack"]);
        assert_eq!(kinds(&b.answer_all(&out, at(3))), ["candidates"]);
        assert_eq!(b.j.session().unwrap().1, SessionState::Active);
        assert_eq!(b.j.next_deadline(), None);
    }
}

/// What two descriptions say, without what differs by intent.
fn described(xml: &str) -> Vec<String> {
    let d = Document::parse(xml).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    let mut out = vec![format!("{:?} {:?}", j.action, j.groups)];
    for c in &j.contents {
        let (d, t) = (c.description.as_ref().unwrap(), c.transport.as_ref().unwrap());
        out.push(format!(
            "{} {:?} {:?} {:?} mux {} mixed {}",
            c.name, c.creator, c.senders, d.media, d.rtcp_mux, d.extmap_allow_mixed
        ));
        // Codecs: ours are those that we packetise; of their feedback goog-remb is old and not ours. Numbers are equal.
        for p in d.payload_types.iter().filter(|p| matches!((p.name, p.id), ("opus" | "VP8", _) | ("rtx", 97))) {
            let mut fb: Vec<_> =
                p.feedback.iter().filter(|f| f.kind != "goog-remb").map(|f| format!("{f:?}")).collect();
            fb.sort();
            out.push(format!("{} {} {:?} {:?} {:?} {fb:?}", p.id, p.name, p.clockrate, p.channels, p.parameters));
        }
        let ours = |uri: &&str| offer::EXTENSIONS.iter().any(|(_, _, u)| u == uri);
        let mut uris: Vec<_> = d.extensions.iter().map(|x| x.uri).filter(ours).collect();
        uris.sort_unstable();
        out.push(format!("{uris:?}"));
        out.push(format!("{:?}", t.fingerprints.iter().map(|f| (f.hash, f.setup, f.required)).collect::<Vec<_>>()));
    }
    for s in j.sources.iter() {
        out.push(format!("{:?} {:?} {:?} {:?} {}", s.media, s.name, s.video_type, s.owner, s.content));
    }
    out.extend(j.sources.groups().map(|g| format!("{:?} {}", g.semantics, g.ssrcs.len())));
    out
}

#[test]
fn our_descriptions_are_those_of_the_recorded_client() {
    // Differences, each on purpose:
    // - fewer codecs and header extensions: only those that this library implements; ids of extensions are our own;
    // - no goog-remb: transport-cc replaces it;
    // - candidates known when the offer is written stand in it, instead of in a transport-info right behind it;
    // - `responder` is our occupant address: the real address is nobody's business, and neither side reads it.
    let mut a = Side::new("62c191da", 1);
    let ours = payloads(&a.join(&["83bcb962"], at(0))).remove(0);
    assert_eq!(described(&ours), described(&recorded("03-p2p-session", 'A', true, "session-initiate")));
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &recorded("03-p2p-session", 'B', false, "session-initiate"), at(1));
    let ours = payloads(&out).remove(0);
    assert_eq!(described(&ours), described(&recorded("03-p2p-session", 'B', true, "session-accept")));
    // The smaller requests are the same to the letter, but for ids and order.
    let mut j = Wanted { video: true, heights: None }.request("df2d94a1d999", &format!("{ROOM}/62c191da"));
    assert_eq!(canonical(&j), canonical(&recorded("03-p2p-session", 'A', true, "content-modify")));
    j = Wanted { video: true, heights: Some(vec![("62c191da-v0".into(), 2160)]) }
        .request("df2d94a1d999", &format!("{ROOM}/62c191da"));
    assert_eq!(canonical(&j), canonical(&recorded("03-p2p-session", 'B', true, "content-modify")));
    j = terminate::request("df2d94a1d999", &format!("{ROOM}/62c191da"), "success", "Turning off P2P session");
    assert_eq!(canonical(&j), canonical(&recorded("06-p2p-terminate-restart-leave", 'B', true, "session-terminate")));
}

fn canonical(xml: &str) -> String {
    fn of(e: Element<'_>) -> String {
        let mut attrs: Vec<_> = e.attrs().collect();
        attrs.sort_unstable();
        let children: Vec<String> = e.children().map(of).collect();
        format!("<{} {} {attrs:?}>{}{}", e.name(), e.ns(), e.text(), children.concat())
    }
    of(Document::parse(xml).unwrap().root())
}

/// Carries requests between two machines until nothing is left.
fn exchange(a: &mut Side, b: &mut Side, mut from_a: Vec<Output>, mut from_b: Vec<Output>, now: Time) {
    while !from_a.is_empty() || !from_b.is_empty() {
        let (sent_a, sent_b) = (payloads(&from_a), payloads(&from_b));
        let (done_a, done_b) = (std::mem::take(&mut from_a), std::mem::take(&mut from_b));
        for p in sent_a {
            from_b.extend(b.iq(a.ep, &p, now));
        }
        for p in sent_b {
            from_a.extend(a.iq(b.ep, &p, now));
        }
        from_a.extend(a.answer_all(&done_a, now));
        from_b.extend(b.answer_all(&done_b, now));
    }
}

#[test]
fn two_machines_agree_trickle_and_part() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    let descriptions = |s: &Side| -> Vec<Negotiated> {
        s.out
            .iter()
            .filter_map(|o| {
                if let Output::RemoteDescription { negotiated, .. } = o { Some(negotiated.clone()) } else { None }
            })
            .collect()
    };
    assert_eq!(descriptions(&a), descriptions(&b));
    let n = &descriptions(&a)[0];
    assert_eq!(n.extensions, ExtensionIds { audio_level: 1, abs_send_time: 3, transport_cc: 5 });
    assert!(n.payloads[1].nack && n.payloads[1].pli && n.payloads[1].fir && n.payloads[1].transport_cc);
    for s in [&a, &b] {
        assert_eq!(kinds(&s.out).iter().filter(|k| **k == "candidates").count(), 1);
        let (key, state) = s.j.session().unwrap();
        assert_eq!((s.j.remote_sources(key).unwrap().iter().count(), state), (2, SessionState::Active));
    }
    // Later candidates: one request after the window.
    let key = a.j.session().unwrap().0;
    a.j.local_candidate(key, candidate(1), at(1000));
    a.j.local_candidate(key, candidate(2), at(1100));
    a.j.local_candidate(key, candidate(2), at(1100));
    assert_eq!(a.j.next_deadline(), Some(at(1150)));
    a.j.handle_timeout(at(1149));
    assert!(a.drain(at(1149)).is_empty());
    a.j.handle_timeout(at(1150));
    let out = a.drain(at(1150));
    let d = payloads(&out);
    let d = Document::parse(&d[0]).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    let t = j.contents[0].transport.as_ref().unwrap();
    assert_eq!((j.action, j.contents[0].name, t.candidates.len()), (Action::TransportInfo, "0", 2));
    assert_eq!((t.fingerprints[0].required, t.fingerprints[0].setup), (Some(true), None));
    exchange(&mut a, &mut b, out, Vec::new(), at(1151));
    assert_eq!(kinds(&b.out).iter().filter(|k| **k == "candidates").count(), 2);
    // A second video source, then one that goes.
    let mut more = sources("aaaa", 101);
    more.push(desktop("aaaa", 150));
    a.j.set_local_sources(more);
    let out = a.drain(at(2000));
    assert_eq!(actions(&out), ["source-add"]);
    assert!(payloads(&out)[0].contains("name='2'"));
    exchange(&mut a, &mut b, out, Vec::new(), at(2001));
    let key = b.j.session().unwrap().0;
    assert_eq!(b.j.remote_sources(key).unwrap().by_ssrc(151).map(|s| &*s.name), Some("aaaa-v1"));
    a.j.set_local_sources(sources("aaaa", 101));
    let out = a.drain(at(3000));
    assert_eq!(ended(&out), Some(EndReason::SourcesChanged));
    exchange(&mut a, &mut b, out, Vec::new(), at(3001));
    assert_eq!(
        ended(&b.out),
        Some(EndReason::Peer { condition: "connectivity-error".into(), text: "P2P SSRC regeneration".into() })
    );
    assert!(a.j.session().is_none() && b.j.session().is_none());
}

#[test]
fn a_second_source_of_the_responder_follows_its_accept() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    let mut more = sources("bbbb", 201);
    more.push(desktop("bbbb", 250));
    b.j.set_local_sources(more);
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    let key = a.j.session().unwrap().0;
    assert_eq!(a.j.remote_sources(key).unwrap().iter().count(), 3);
    assert_eq!(actions(&b.out), ["session-accept", "source-add"]);
}

#[test]
fn a_third_participant_ends_it_and_a_leave_brings_it_back_after_the_wait() {
    let mut a = Side::new("aaaa", 1);
    let out = a.join(&["bbbb"], at(0));
    let key = a.j.session().unwrap().0;
    a.answer_all(&out, at(1));
    let out = a.join(&["bbbb", "cccc"], at(1000));
    assert_eq!(kinds(&out), ["iq", "close", "ended"]);
    assert!(payloads(&out)[0].contains("<success/><text>Turning off P2P session</text>"));
    let Output::SendIq { token, .. } = &out[0] else { panic!() };
    // Both sides end it: the other's item-not-found is no news.
    let gone = crate::wire::StanzaError::new(crate::wire::Condition::ItemNotFound);
    a.j.on_iq_answer(*token, IqAnswer::Error(gone));
    assert!(a.drain(at(1001)).is_empty());
    assert!(a.join(&["bbbb"], at(2000)).is_empty());
    assert_eq!(a.j.next_deadline(), Some(at(7000)));
    // Wanted no more before the wait is over.
    assert!(a.join(&["bbbb", "cccc"], at(3000)).is_empty());
    assert_eq!(a.j.next_deadline(), None);
    a.join(&["bbbb"], at(4000));
    a.j.handle_timeout(at(8999));
    assert!(a.drain(at(8999)).is_empty());
    a.j.handle_timeout(at(9000));
    assert_eq!(kinds(&a.drain(at(9000))), ["starting", "create", "iq"]);
    assert!(a.j.session().unwrap().0 > key);
    // The peer leaves: nobody is there to be told.
    let out = a.join(&[], at(9001));
    assert_eq!((kinds(&out), ended(&out)), (vec!["close", "ended"], Some(EndReason::PeerLeft)));
}

#[test]
fn who_may_not_be_talked_to_directly_is_not() {
    let none = |change: &dyn Fn(&mut Conference)| {
        let mut a = Side::new("aaaa", 1);
        let mut c = room("aaaa", &["bbbb"]);
        change(&mut c);
        a.j.set_conference(c, at(0));
        assert!(a.drain(at(0)).is_empty());
        // Made possible afterwards.
        a.join(&["bbbb"], at(1));
        assert!(a.j.session().is_some() || a.j.next_deadline() == Some(at(5001)));
    };
    none(&|c| c.participants[0].jigasi = true);
    none(&|c| c.participants[0].poltergeist = true);
    none(&|c| c.visitors = true);
    none(&|c| c.needs_bridge = true);
    none(&|c| c.own = None);
    none(&|c| c.participants.clear());
    // The larger id waits.
    let mut b = Side::new("cccc", 1);
    assert!(b.join(&["bbbb"], at(0)).is_empty());
    let mut a = Side::new("aaaa", 1);
    a.join(&["bbbb"], at(0));
    a.j.set_p2p_allowed(false, at(1));
    assert_eq!(ended(&a.drain(at(1))), Some(EndReason::NotWanted));
    a.j.set_p2p_allowed(true, at(2));
    assert_eq!(kinds(&a.drain(at(2))), ["starting", "create", "iq"]);
}

fn initiate(sid: &str) -> String {
    recorded("03-p2p-session", 'B', false, "session-initiate").replace("df2d94a1d999", sid)
}

const UNKNOWN: &str = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><unknown-session xmlns='urn:xmpp:jingle:errors:1'/></error>";

#[test]
fn every_refusal_has_its_answer() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let simple = |action: &str, sid: &str| format!("<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}'/>");
    // Unknown session, of any action; without sid; no jingle at all.
    for action in [
        "session-accept",
        "session-info",
        "session-terminate",
        "transport-info",
        "transport-replace",
        "source-add",
        "content-modify",
        "fly",
        "",
    ] {
        let out = b.iq("62c191da", &simple(action, "nope"), at(1));
        assert_eq!(kinds(&out), ["error", "refused"]);
        assert!(reply(&out).contains(UNKNOWN), "{}", reply(&out));
    }
    assert!(reply(&b.iq("62c191da", &simple("session-initiate", ""), at(1))).contains("<bad-request"));
    assert!(reply(&b.iq("62c191da", "<x xmlns='urn:x'/>", at(1))).contains("<bad-request"));
    // Rejected offers: the session-terminate precedes the acknowledgement.
    let rejected = |from: &str, payload: &str, reason: &str, b: &mut Side| {
        let out = b.iq(from, payload, at(2));
        assert_eq!(kinds(&out), ["iq", "refused", "ack"], "{reason}");
        assert!(payloads(&out)[0].contains(reason), "{reason}: {}", payloads(&out)[0]);
        assert!(payloads(&out)[0].contains("action='session-terminate'"));
    };
    let offer = initiate("s1");
    rejected("62c191da", &offer.replace("name='0'", "name='audio'"), "<decline/><text>P2P disabled</text>", &mut b);
    rejected("stranger", &offer, "<decline/><text>P2P requirements not met</text>", &mut b);
    rejected("62c191da", &offer.replace("ufrag", "frag"), "<failed-transport/>", &mut b);
    rejected(
        "62c191da",
        &offer.replace("<fingerprint", "<finger").replace("</fingerprint", "</finger"),
        "<failed-transport/>",
        &mut b,
    );
    rejected("62c191da", &offer.replace("'opus'", "'x'").replace("'VP8'", "'y'"), "<incompatible-parameters/>", &mut b);
    b.join(&["62c191da", "cccc"], at(2));
    rejected("62c191da", &offer, "<decline/><text>P2P requirements not met</text>", &mut b);
    b.j.set_p2p_allowed(false, at(2));
    rejected("62c191da", &offer, "<decline/><text>P2P disabled</text>", &mut b);
    b.j.set_p2p_allowed(true, at(2));
    b.join(&["62c191da"], at(2));
    assert!(b.j.session().is_none());
    // The focus, real and false.
    let out = b.iq("focus", &offer, at(3));
    assert_eq!(kinds(&out), ["bridge", "error", "refused"]);
    assert!(reply(&out).contains("<feature-not-implemented"));
    let mut c = room("83bcb962", &["62c191da"]);
    c.focus = Some(jid("focus2"));
    b.j.set_conference(c, at(3));
    rejected("focus", &offer, "<security-error/><text>Rejecting session-initiate from non-focus.</text>", &mut b);
    // Now a session exists.
    let out = b.iq("62c191da", &offer, at(4));
    assert!(kinds(&out).contains(&"create"));
    for from in ["62c191da", "stranger"] {
        assert!(reply(&b.iq(from, &offer, at(5))).contains("<service-unavailable"));
    }
    rejected("62c191da", &initiate("s2"), "<busy/><text>P2P already in progress</text>", &mut b);
    for action in ["session-info", "transport-accept", "transport-reject", "content-add", "addsource", ""] {
        assert!(reply(&b.iq("62c191da", &simple(action, "s1"), at(6))).contains("<bad-request"), "{action}");
    }
    assert!(reply(&b.iq("62c191da", &simple("transport-replace", "s1"), at(6))).contains("<feature-not-implemented"));
    // Somebody else speaks in the session's name.
    for action in ["session-terminate", "source-add", "transport-info", "session-accept", "transport-replace"] {
        assert!(reply(&b.iq("stranger", &simple(action, "s1"), at(7))).contains(UNKNOWN));
    }
    assert!(b.j.session().is_some());
    // An accept of ones own offer's answer changes nothing.
    assert_eq!(kinds(&b.iq("62c191da", &simple("session-accept", "s1"), at(8))), ["ack"]);
    assert_eq!(kinds(&b.iq("62c191da", &simple("session-terminate", "s1"), at(9))).last(), Some(&"ack"));
    assert!(b.j.session().is_none());
}

#[test]
fn malformed_json_and_foreign_sources_are_acknowledged_and_change_nothing() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &initiate("s1"), at(1));
    b.answer_all(&out, at(2));
    let add = |json: &str| {
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='s1'><json-message xmlns='http://jitsi.org/jitmeet'>{json}</json-message></jingle>"
        )
    };
    for json in [
        "{",
        "[]",
        "{\"sources\":{\"other\":[[{\"s\":77,\"n\":\"other-v0\"}]]}}",
        "{\"sources\":{\"62c191da\":[[{\"s\":78,\"n\":\"other-v0\"}]]}}",
    ] {
        assert_eq!(kinds(&b.iq("62c191da", &add(json), at(3))), ["ack"], "{json}");
    }
    assert_eq!(
        kinds(&b.iq("62c191da", &add("{\"sources\":{\"62c191da\":[[{\"s\":79,\"n\":\"62c191da-v3\"}]]}}"), at(4))),
        ["added", "ack"]
    );
    let remove = add("{\"sources\":{\"62c191da\":[[{\"s\":79}]]}}").replace("source-add", "source-remove");
    assert_eq!(kinds(&b.iq("62c191da", &remove, at(5))), ["removed", "ack"]);
    assert_eq!(kinds(&b.iq("62c191da", &remove, at(6))), ["ack"]);
}

#[test]
fn failures_end_the_session_with_their_reason() {
    let begin = || {
        let mut a = Side::new("aaaa", 1);
        let out = a.join(&["bbbb"], at(0));
        (a, out)
    };
    let (mut a, _) = begin();
    let key = a.j.session().unwrap().0;
    a.j.ice_failed(SessionKey(99));
    assert!(a.drain(at(1)).is_empty());
    a.j.ice_failed(key);
    let out = a.drain(at(1));
    assert_eq!(ended(&out), Some(EndReason::IceFailed));
    assert!(payloads(&out)[0].contains("<connectivity-error/><text>ICE FAILED</text>"));
    // No new try while nothing changes.
    assert!(a.join(&["bbbb"], at(2)).is_empty() && a.j.next_deadline().is_none());
    let (mut a, _) = begin();
    a.j.media_failed(a.j.session().unwrap().0);
    assert_eq!(ended(&a.drain(at(1))), Some(EndReason::MediaFailed));
    // The offer is refused, or nobody answers it.
    let (mut a, out) = begin();
    let Some(Output::SendIq { token, .. }) = out.last() else { panic!() };
    a.j.on_iq_answer(*token, IqAnswer::Timeout);
    assert_eq!(ended(&a.drain(at(1))), Some(EndReason::NotAnswered));
    let (mut a, out) = begin();
    a.answer_all(&out, at(1));
    assert_eq!(a.j.next_deadline(), Some(at(60_000)));
    a.j.handle_timeout(at(60_000));
    assert_eq!(ended(&a.drain(at(60_000))), Some(EndReason::NotAnswered));
    // An accept that cannot be used.
    let (mut a, out) = begin();
    let p = payloads(&out).remove(0);
    let d = Document::parse(&p).unwrap();
    let accept =
        format!("<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='{}'/>", d.root().attr("sid").unwrap());
    assert_eq!(ended(&a.iq("bbbb", &accept, at(1))), Some(EndReason::BadDescription("no ICE credentials")));
    // Leaving the room says nothing.
    let (mut a, _) = begin();
    a.j.leave();
    let out = a.drain(at(1));
    assert_eq!((kinds(&out), ended(&out)), (vec!["close", "ended"], Some(EndReason::Left)));
}

#[test]
fn a_refused_source_is_reported_by_name() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    let mut more = sources("aaaa", 101);
    more.push(desktop("aaaa", 150));
    a.j.set_local_sources(more);
    let out = a.drain(at(2));
    let Output::SendIq { token, .. } = &out[0] else { panic!() };
    a.j.on_iq_answer(*token, IqAnswer::Timeout);
    let out = a.drain(at(3));
    assert!(matches!(&out[0], Output::Event(Event::SourcesRefused { names, .. }) if *names == ["aaaa-v1"]));
}

#[test]
fn content_modify_tells_and_hears_what_is_wanted() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    // Set before anything is there: told before the accept.
    b.j.set_receive(true, Some(vec![("aaaa-v0".into(), 180), ("aaaa-v1".into(), 2160)]));
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    assert_eq!(actions(&b.out), ["content-modify", "session-accept"]);
    assert_eq!(actions(&a.out), ["session-initiate", "content-modify"]);
    assert!(
        a.out
            .iter()
            .any(|o| matches!(o, Output::RemoteConstraints { heights, .. } if heights[1] == ("aaaa-v1".into(), 2160)))
    );
    a.j.set_receive(false, None);
    a.j.set_receive(false, None);
    let out = a.drain(at(2));
    assert_eq!(actions(&out), ["content-modify"]);
    exchange(&mut a, &mut b, out, Vec::new(), at(2));
    assert!(b.out.iter().any(|o| matches!(o, Output::LocalVideoWanted { wanted: false, .. })));
    // `initiator` means us when we are it; nonsense changes nothing but is acknowledged.
    let p = payloads(&a.out).remove(0);
    let sid = Document::parse(&p).unwrap().root().attr("sid").unwrap().to_owned();
    let modify = |senders: &str| {
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='content-modify' sid='{sid}'><content name='video' senders='{senders}'/></jingle>"
        )
    };
    assert_eq!(kinds(&a.iq("bbbb", &modify("responder"), at(3))), ["wanted", "ack"]);
    assert_eq!(kinds(&a.iq("bbbb", &modify("initiator"), at(3))), ["wanted", "ack"]);
    assert_eq!(kinds(&a.iq("bbbb", &modify("all"), at(3))), ["ack"]);
}

#[test]
fn remote_candidates_and_queued_operations_are_bounded() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &initiate("s1"), at(1));
    let info = |from: usize, n: usize| {
        let c: String = (from..from + n).map(|i| format!("<candidate component='1' foundation='1' generation='0' ip='192.0.2.1' port='{}' priority='1' protocol='udp' type='host'/>", i + 1)).collect();
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s1'><content name='0'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>{c}</transport></content></jingle>"
        )
    };
    for i in 0..MAX_QUEUED + 1 {
        b.iq("62c191da", &info(i, 1), at(2));
    }
    let out = b.answer_all(&out, at(3));
    assert_eq!(out.len(), MAX_REMOTE_CANDIDATES);
    assert_eq!(kinds(&b.iq("62c191da", &info(900, 5), at(4))), ["ack"]);
    // Local ones.
    let key = b.j.session().unwrap().0;
    for i in 0..MAX_LOCAL_CANDIDATES as u16 + 9 {
        b.j.local_candidate(key, candidate(2000 + i), at(5));
    }
    b.j.handle_timeout(at(1000));
    let out = b.drain(at(1000));
    // One was in the accept.
    assert_eq!(payloads(&out)[0].matches("<candidate ").count(), MAX_LOCAL_CANDIDATES - 1);
}

#[test]
fn an_offer_without_our_video_codec_is_answered_with_audio_alone() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &initiate("s1").replace("'VP8'", "'VP7'"), at(1));
    let p = payloads(&out).remove(0);
    let d = Document::parse(&p).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    assert_eq!(j.contents[1].senders, Some(wire::Senders::Rejected));
    assert_eq!(j.groups[0].contents, ["0"]);
    assert_eq!(j.sources.iter().map(|s| s.name).collect::<Vec<_>>(), [Some("83bcb962-a0")]);
    // And no source-add tries again.
    let out = b.answer_all(&out, at(2));
    assert!(actions(&out).is_empty());
}

#[test]
fn sources_of_real_bridge_sessions_fill_the_table() {
    for file in [
        "30-bridge-session",
        "32-bridge-session-2022-client",
        "51-real-session-json-sources",
        "52-real-source-add-remove",
        "57-real-session-xml-sources",
    ] {
        let mut tables = std::collections::BTreeMap::<char, SourceTable>::new();
        let mut seen = 0;
        for (who, _, frame) in capture(file).iter().filter(|f| !f.1) {
            let Ok(d) = Document::parse_with(frame, ns::CLIENT, &Default::default()) else { continue };
            let Some(j) = d.root().child("jingle", ns::JINGLE).and_then(wire::Jingle::read) else { continue };
            let table = tables.entry(*who).or_default();
            let change = match j.action {
                Action::SourceRemove => table.remove(&j.sources, Authority::Focus),
                _ => table.add(&j.sources, Authority::Focus),
            };
            assert_eq!(change.refused, 0, "{file}");
            seen += change.sources.len();
        }
        assert!(seen > 1, "{file}: {seen}");
    }
}
