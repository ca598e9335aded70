//! Sessions in virtual time: against recorded lib-jitsi-meet clients, against each other, and against bad manners.

use super::p2p::{MAX_CONTENTS, Wanted, read_wanted, sections as answered_sections};
use super::*;
use crate::wire::jingle::{self as wire, Action, CandidateType, Media, VideoType};
use crate::wire::{Document, Element, ns};

mod bridge;
mod recorded;
mod refusals;
mod sessions;

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
            encodings: vec![(base, None)],
            msid: format!("{ep}-audio-0-1 aaaa-1"),
        },
        LocalSource {
            name: format!("{ep}-v0"),
            media: Media::Video,
            video_type: Some(VideoType::Camera),
            encodings: vec![(base + 1, Some(base + 2))],
            msid: format!("{ep}-video-0-1 vvvv-1"),
        },
    ]
}

fn desktop(ep: &str, ssrc: u32) -> LocalSource {
    LocalSource {
        name: format!("{ep}-v1"),
        media: Media::Video,
        video_type: Some(VideoType::Desktop),
        encodings: vec![(ssrc, Some(ssrc + 1))],
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
                self.j.on_iq_answer(*token, IqAnswer::Result, now);
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
            Output::RestartIce { .. } => "restart-ice",
            Output::Event(Event::Bridge { state: BridgeState::Starting, .. }) => "bridge-starting",
            Output::Event(Event::Bridge { state: BridgeState::Active, .. }) => "bridge-active",
            Output::Event(Event::Bridge { state: BridgeState::Recovering, .. }) => "bridge-recovering",
            Output::Event(Event::Bridge { state: BridgeState::Ended(_), .. }) => "bridge-ended",
            Output::Event(Event::RejoinWanted(_)) => "rejoin",
            Output::Event(Event::IceRestartRefused { .. }) => "ice-restart-refused",
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

fn initiate(sid: &str) -> String {
    static OFFER: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    OFFER.get_or_init(|| recorded("03-p2p-session", 'B', false, "session-initiate")).replace("df2d94a1d999", sid)
}
