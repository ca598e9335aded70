//! What a large conference costs the machines of one participant: a session-initiate of a hundred endpoints from text to the accept
//! that leaves, and five hundred source-adds, one request each. Everything but sockets is in it: stream, room, Jingle, sources, tracks,
//! events and a real engine, whose certificate was made before. Targets: 1 ms, and 15 ms.

mod cpu;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jmeet::media::Codec;
use jmeet::meeting::event::{EventKind, TrackKey};
use jmeet::meeting::io::{ConnectionKey, Input, Output};
use jmeet::meeting::{ClientOptions, Command, TrackOptions};
use jmeet::testkit::World;
use std::fmt::Write as _;
use std::time::Duration;

const ENDPOINTS: u32 = 100;
/// Requests that add one more source of an endpoint.
const ADDS: u32 = 500;
/// The first connection of a client.
const STREAM: ConnectionKey = ConnectionKey(1);

fn endpoint(i: u32) -> String {
    format!("{:08x}", 0x1000_0000 + i)
}

fn presence(i: u32) -> String {
    let id = endpoint(i);
    format!(
        "<presence xmlns='jabber:client' from='room@conference.meet.localhost/{id}'><nick xmlns='http://jabber.org/protocol/nick'>\
         Participant {i}</nick><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/></x></presence>"
    )
}

/// One source of an endpoint in Jicofo's compact JSON: video with a repair stream, or audio.
fn video(id: &str, n: u32, ssrc: u32) -> String {
    let one = |ssrc| {
        format!(
            "{{\"s\":{ssrc},\"n\":\"{id}-v{n}\",\"m\":\"{id}-video-{n}-1 9bb949d4-5abd-4498-98e9-2be1222b8d3e-1\"}}"
        )
    };
    format!("[{},{}],[[\"f\",{ssrc},{}]]", one(ssrc), one(ssrc + 1), ssrc + 1)
}

fn audio(id: &str, ssrc: u32) -> String {
    format!("[{{\"s\":{ssrc},\"n\":\"{id}-a0\",\"m\":\"{id}-audio-0-1 9bb949d4-5abd-4498-98e9-2be1222b8d3e-1\"}}]")
}

fn message(endpoints: &str) -> String {
    format!("<json-message xmlns='http://jitsi.org/jitmeet'>{{\"sources\":{{{endpoints}}}}}</json-message>")
}

fn request(id: &str, jingle: &str) -> String {
    format!("<iq xmlns='jabber:client' type='set' id='{id}' from='room@conference.meet.localhost/focus'>{jingle}</iq>")
}

/// The offer of a real Jicofo, with a hundred endpoints' sources.
fn offer() -> (String, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/captures/57-real-session-xml-sources.txt");
    let capture = std::fs::read_to_string(path).expect("the capture");
    let frame = capture.lines().find(|l| l.contains("session-initiate") && l.contains("focus")).expect("an offer");
    let (start, end) = (frame.find("<jingle").expect("jingle"), frame.find("</jingle>").expect("jingle"));
    let jingle = &frame[start..end];
    let sid = jingle.split("sid='").nth(1).and_then(|s| s.split('\'').next()).expect("a sid").to_owned();
    let mut all = String::new();
    for i in 0..ENDPOINTS {
        let (id, comma) = (endpoint(i), if i == 0 { "" } else { "," });
        let _ = write!(all, "{comma}\"{id}\":[{},{}]", video(&id, 0, 1000 + 10 * i), audio(&id, 1002 + 10 * i));
    }
    (request("initiate", &format!("{jingle}{}</jingle>", message(&all))), sid)
}

fn adds(sid: &str) -> Vec<String> {
    let add = |n: u32| {
        let id = endpoint(n % ENDPOINTS);
        let source = message(&format!("\"{id}\":[{}]", video(&id, 1 + n / ENDPOINTS, 10_000 + 2 * n)));
        let jingle = format!("<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='{sid}'>{source}</jingle>");
        request(&format!("add{n}"), &jingle)
    };
    (0..ADDS).map(add).collect()
}

/// A participant with a microphone and a camera, in a room with all the others.
fn joined() -> World {
    let mut w = World::new(1);
    let who = w.add(ClientOptions { disable_p2p: true, ..ClientOptions::default() }).expect("options");
    w.command(who, Command::Join { tag: 0 });
    assert!(w.run_until(Duration::from_secs(5), |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    for (track, codec) in [(1 << 63, Codec::Opus), ((1 << 63) + 1, Codec::Vp8)] {
        w.command(who, Command::AddTrack { track: TrackKey(track), options: TrackOptions::new(codec), tag: 0 });
    }
    w.run(Duration::from_secs(1));
    for i in 0..ENDPOINTS {
        receive(&mut w, presence(i));
    }
    w
}

/// What the meeting does with one stanza, its sockets answered; the number of events, and the accept if one left.
fn receive(w: &mut World, text: String) -> (usize, Option<String>) {
    let (now, meeting) = (w.now, &mut w.peers[0].meeting);
    meeting.handle(Input::Text(STREAM, text), now);
    let (mut events, mut accept) = (0, None);
    while let Some(output) = meeting.poll_output() {
        match output {
            Output::OpenSockets(sockets) => {
                let address = ([127, 0, 0, 1], 10_000).into();
                meeting.handle(Input::Sockets(sockets, vec![address]), now);
            }
            Output::Send { text, .. } if text.contains("session-accept") => accept = Some(text),
            Output::Event(_) => events += 1,
            _ => {}
        }
    }
    (events, accept)
}

fn conference(c: &mut Criterion<cpu::ThreadCpu>) {
    let (offer, sid) = offer();
    let adds = adds(&sid);
    let mut g = c.benchmark_group("machines of one participant");
    g.sample_size(10);
    let initiate = |mut w: World| {
        let (events, accept) = receive(&mut w, offer.clone());
        assert!(events >= 2 * ENDPOINTS as usize, "{events} events");
        (w, accept.expect("an accept"))
    };
    // The focus takes the accept; sources that come before that wait.
    let in_session = || {
        let (mut w, accept) = initiate(joined());
        let id = accept.split(" id='").nth(1).and_then(|s| s.split('\'').next()).expect("an id");
        let taken =
            format!("<iq xmlns='jabber:client' type='result' id='{id}' from='room@conference.meet.localhost/focus'/>");
        receive(&mut w, taken);
        w
    };
    g.bench_function("session-initiate, 100 endpoints, 200 sources", |b| {
        b.iter_batched(joined, initiate, BatchSize::PerIteration);
    });
    g.bench_function("500 source-adds", |b| {
        b.iter_batched(
            || (in_session(), adds.clone()),
            |(mut w, adds)| {
                let events: usize = adds.into_iter().map(|text| receive(&mut w, text).0).sum();
                assert!(events >= ADDS as usize, "{events} events");
                w
            },
            BatchSize::PerIteration,
        );
    });
    g.finish();
}

criterion_group!(name = benches; config = cpu::criterion(); targets = conference);
criterion_main!(benches);
