//! What a large conference costs one participant: a session-initiate of a hundred endpoints from text to the accept that leaves, and five
//! hundred source-adds, one request each. In the first two everything but sockets is in it: stream, room, Jingle, sources, tracks,
//! events and a real engine, whose certificate was made before. Targets: 1 ms, and 15 ms. In the last the source-adds come from a server
//! over a WebSocket and their events are taken from the queue; it counts the CPU time of the client's threads alone. Target: 40 ms.

mod cpu;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jmeet::client::{Client, Queue, Runtime};
use jmeet::media::Codec;
use jmeet::meeting::event::{EventKind, MediaState, TrackKey};
use jmeet::meeting::io::{ConnectionKey, Input, Output};
use jmeet::meeting::{ClientOptions, Command, TrackOptions};
use jmeet::testkit::{BridgeConfig, Deployment, ServerOptions, SessionOptions, World};
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

/// CPU time of the threads that drive clients, and of this one, in ns.
fn client_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    let run = |task: std::path::PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.join("schedstat")).ok()?;
        let ns: f64 = stat.split(' ').next()?.parse().ok()?;
        (name.trim_end() == "jmeet-worker").then_some(ns)
    };
    let workers: Vec<f64> = tasks.flatten().filter_map(|t| run(t.path())).collect();
    // Or the figure would be of this thread alone.
    assert!(!workers.is_empty(), "no thread of a client's runtime, or no schedstat");
    workers.iter().sum::<f64>() + cpu::clock::now_ns()
}

/// A participant on a socket, in a session with a bridge and a room with all the others, and how source-adds reach it.
struct Connected {
    server: Deployment,
    queue: Queue,
    client: Client,
    endpoint: String,
    sid: String,
}

impl Connected {
    fn new() -> Connected {
        let sessions = SessionOptions { min_participants: 1, rewriting: false, ..SessionOptions::default() };
        let options = ServerOptions { sessions: Some(sessions), ..ServerOptions::default() };
        let server = Deployment::start(options).expect("a server");
        server.start_bridge(BridgeConfig::default()).expect("a bridge");
        let (runtime, queue) = (Runtime::new(1).expect("threads"), Queue::new().expect("a queue"));
        let options = ClientOptions {
            url: server.url(),
            domain: server.domain().into(),
            room: "room".into(),
            disable_p2p: true,
            disable_ssrc_rewriting: true,
            allow_loopback: true,
            ..ClientOptions::default()
        };
        let client = Client::new(Some(&runtime), &queue, options).expect("options");
        let room = client.join(1).expect("a room");
        wait(&queue, 1, |e| matches!(e, EventKind::Media(_, MediaState::Connected { .. })));
        let endpoint = room.endpoint_id().expect("an endpoint id");
        let (sid, _) = server.session_of("room", &endpoint).expect("a session");
        let c = Connected { server, queue, client, endpoint, sid };
        c.send((0..ENDPOINTS).map(presence).collect());
        wait(&c.queue, ENDPOINTS as usize, |e| matches!(e, EventKind::ParticipantJoined(_)));
        c
    }

    /// All at once, as they come from a focus that was asked by many.
    fn send(&self, stanzas: Vec<String>) {
        let who = self.endpoint.clone();
        let domain = format!("@conference.{}/", self.server.domain());
        self.server.with(move |server, _| {
            let conn = server.find(&who).expect("a connection");
            for s in stanzas {
                server.inject(conn, &s.replace("@conference.meet.localhost/", &domain));
            }
        });
    }
}

/// Takes events until `count` of them were wanted.
fn wait(queue: &Queue, count: usize, wanted: impl Fn(&EventKind) -> bool) {
    let mut seen = 0;
    while seen < count {
        let e = queue.next(Some(Duration::from_secs(60))).expect("an event");
        seen += usize::from(wanted(&e.event.kind));
    }
}

/// CPU time from the first source-add sent until all its events were taken.
fn adds_through_socket_and_queue() -> f64 {
    let c = Connected::new();
    let adds = adds(&c.sid);
    let before = client_cpu();
    c.send(adds);
    wait(&c.queue, ADDS as usize, |e| matches!(e, EventKind::TrackAdded(_)));
    let used = client_cpu() - before;
    c.client.close(Duration::from_secs(5)).expect("an end");
    used
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
    g.bench_function("500 source-adds through socket and queue", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| adds_through_socket_and_queue()).sum());
    });
    g.finish();
}

criterion_group!(name = benches; config = cpu::criterion(); targets = conference);
criterion_main!(benches);
