//! The driver on real sockets, against the testkit's server: what handles promise (design §5, §6).

use jmeet::client::{self, Client, Queue, Runtime};
use jmeet::log::Level;
use jmeet::media::peer::MAX_RTP_PAYLOAD;
use jmeet::media::{Codec, OutgoingFrame};
use jmeet::meeting::event::{ClientState, EventKind, MediaState, TrackKey};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use jmeet::testkit::Deployment;
use jmeet::wire::XmlLimits;
use jmeet::{Code, Error, Stage};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn options(kit: &Deployment, room: &str) -> ClientOptions {
    ClientOptions {
        url: kit.url(),
        domain: kit.domain().into(),
        room: room.into(),
        allow_loopback: true,
        ..Default::default()
    }
}

fn track(codec: Codec) -> TrackOptions {
    TrackOptions { queue_frames: 2, ..TrackOptions::new(codec) }
}

fn wait(queue: &Queue, f: impl Fn(&EventKind) -> bool) -> EventKind {
    loop {
        let e = queue.next(LONG).expect("an event in time").event.kind;
        if f(&e) {
            return e;
        }
    }
}

fn joined(kit: &Deployment, runtime: &Runtime, queue: &Queue, room: &str) -> Client {
    let client = Client::new(Some(runtime), queue, options(kit, room)).unwrap();
    client.join(1).unwrap();
    wait(queue, |e| matches!(e, EventKind::Joined(_)));
    client
}

fn code<T>(r: Result<T, Error>) -> Code {
    r.map_or_else(|e| e.code, |_| Code::Ok)
}

#[test]
fn a_client_joins_once_and_closes_once() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let client = joined(&kit, &runtime, &queue, "once");
    assert_eq!(code(client.join(2)), Code::State);
    assert_eq!(client.state(), ClientState::Joined);
    client.close(Duration::from_secs(10)).unwrap();
    client.close(Duration::from_secs(10)).unwrap();
    wait(&queue, |e| matches!(e, EventKind::Closed(None)));
    assert_eq!(code(queue.next(Some(Duration::ZERO))), Code::Timeout);
    let room = client.conference();
    assert_eq!(code(room.send_message("late", 3)), Code::Closed);
    assert_eq!(code(room.send_track(track(Codec::Opus), 0)), Code::Closed);
    assert_eq!(code(room.reader(None, ReaderOptions::default())), Code::Closed);
}

#[test]
fn a_client_that_never_joined_closes_at_once_and_its_reader_ends() {
    let queue = Queue::new().unwrap();
    let o = ClientOptions { url: "ws://127.0.0.1:9/x".into(), room: "r".into(), ..Default::default() };
    let client = Client::new(None, &queue, o).unwrap();
    let room = client.conference();
    let reader = room.reader(None, ReaderOptions::default()).unwrap();
    let writer = room.send_track(track(Codec::Opus), 7).unwrap();
    client.close(Duration::ZERO).unwrap();
    assert_eq!(code(reader.next(LONG)), Code::Closed);
    assert_eq!(code(writer.write(OutgoingFrame::audio(vec![8, 0]))), Code::Closed);
    let mut tags = vec![];
    loop {
        let e = queue.next(LONG).unwrap();
        tags.push(e.event.tag);
        if matches!(e.event.kind, EventKind::Closed(_)) {
            break;
        }
    }
    assert_eq!(tags.iter().filter(|t| **t == 7).count(), 1);
    assert_eq!(code(client.join(1)), Code::State);
}

#[test]
fn a_freed_client_leaves_no_ghost_and_no_event() {
    let kit = Deployment::start(Default::default()).unwrap();
    let queue = Queue::new().unwrap();
    {
        let runtime = Runtime::new(1).unwrap();
        let client = joined(&kit, &runtime, &queue, "ghost");
        assert_eq!(kit.endpoints("ghost").len(), 1);
        client.free();
    }
    assert!(kit.wait_for_endpoints("ghost", 0, Duration::from_secs(10)));
    assert_eq!(code(queue.next(Some(Duration::ZERO))), Code::Timeout);
}

#[test]
fn a_blocked_reader_wakes_when_it_is_closed() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let client = joined(&kit, &runtime, &queue, "reader");
    let reader = client.conference().reader(None, ReaderOptions::default()).unwrap();
    let other = reader.clone();
    // Two threads at one reader: who comes second is told Busy, and tries again.
    let blocked = std::thread::spawn(move || {
        loop {
            match code(other.next(None)) {
                Code::Busy => std::thread::yield_now(),
                end => return end,
            }
        }
    });
    while code(reader.next(Some(Duration::from_millis(1)))) != Code::Busy {}
    reader.close();
    assert_eq!(blocked.join().unwrap(), Code::Closed);
    assert_eq!(code(client.conference().reader(Some(TrackKey(5)), ReaderOptions::default())), Code::Gone);
}

#[test]
fn writes_are_refused_by_name() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let client = joined(&kit, &runtime, &queue, "writes");
    let writer = client.conference().send_track(track(Codec::Opus), 4).unwrap();
    // Taken from the queue: an addition that nobody took is cancelled by its removal.
    wait(&queue, |e| matches!(e, EventKind::TrackAdded(_)));
    let frame = || OutgoingFrame::audio(vec![8, 0]);
    assert_eq!(code(writer.write(frame())), Code::NotReady);
    assert_eq!(code(writer.write(OutgoingFrame::audio(vec![]))), Code::InvalidArgument);
    // An Opus packet is one RTP packet.
    assert_eq!(code(writer.write(OutgoingFrame::audio(vec![8; MAX_RTP_PAYLOAD]))), Code::NotReady);
    assert_eq!(code(writer.write(OutgoingFrame::audio(vec![8; MAX_RTP_PAYLOAD + 1]))), Code::TooLarge);
    writer.set_muted(true, 5).unwrap();
    assert_eq!(code(writer.write(frame())), Code::Muted);
    writer.close();
    assert_eq!(code(writer.write(frame())), Code::Closed);
    wait(&queue, |e| matches!(e, EventKind::TrackRemoved(_)));
    let video = client.conference().send_track(track(Codec::Vp8), 4).unwrap();
    let of = |bytes| OutgoingFrame::video(vec![1; bytes], Duration::from_millis(33));
    assert_eq!(code(video.write(of(client::MAX_FRAME_BYTES))), Code::NotReady);
    assert_eq!(code(video.write(of(client::MAX_FRAME_BYTES + 1))), Code::TooLarge);
    let video = client.conference().send_track(TrackOptions::new(Codec::H264), 4).unwrap();
    let none = OutgoingFrame::video(vec![0x65, 7, 7, 7], Duration::from_millis(33));
    assert_eq!(code(video.write(none)), Code::InvalidArgument, "no start code, no NAL unit");
    // Parameter sets are taken at any time, by themselves.
    let (sets, picture) = (vec![0, 0, 1, 0x67, 0x42, 0, 10, 0x80, 0, 0, 1, 0x68, 0xc0], vec![0, 0, 1, 0x65, 0x88]);
    let write = |data: Vec<u8>| video.write(OutgoingFrame::video(data, Duration::from_millis(33)));
    for expected in [Code::NotReady, Code::Muted] {
        assert_eq!(write(sets.clone()), Ok(()));
        assert_eq!(code(write([sets.clone(), picture.clone()].concat())), expected);
        assert_eq!(code(write(vec![0, 0, 1, 6, 5, 0x80])), Code::InvalidArgument, "what is neither");
        video.set_muted(true, 6).unwrap();
    }
    let other = |data: Vec<u8>| OutgoingFrame {
        codec: Some(Codec::H264),
        ..OutgoingFrame::video(data, Duration::from_millis(33))
    };
    let vp8 = client.conference().send_track(TrackOptions::new(Codec::Vp8), 4).unwrap();
    assert!(vp8.write(other(sets.clone())).is_ok(), "another codec is wanted");
    assert_eq!(code(vp8.write(other(picture.clone()))), Code::Codec);
    let counts = video.stats(0, None).unwrap();
    assert_eq!((counts.taken, counts.dropped), (0, 2), "parameter sets are no frames");
}

#[test]
fn a_server_that_is_silent_before_the_stream_is_named_by_what_it_was_asked_for() {
    let (runtime, queue) = (Runtime::new(1).unwrap(), Queue::new().unwrap());
    // Connections are taken by the system and answered by nobody.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for (scheme, stage) in [("ws", Stage::Upgrade), ("wss", Stage::Tls)] {
        let options = ClientOptions {
            url: format!("{scheme}://{}/x", silent.local_addr().unwrap()),
            domain: "meet.localhost".into(),
            room: "silent".into(),
            // Time enough to read the roots of TLS.
            join_timeout: Duration::from_secs(3),
            ..Default::default()
        };
        let client = Client::new(Some(&runtime), &queue, options).unwrap();
        client.join(1).unwrap();
        let EventKind::Closed(Some(e)) = wait(&queue, |e| matches!(e, EventKind::Closed(_))) else { panic!() };
        assert_eq!((e.code, e.stage), (Code::ServerTimeout, stage), "{scheme}");
    }
}

#[test]
fn a_stanza_over_the_limit_is_lost_by_itself_and_counted() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let client = joined(&kit, &runtime, &queue, "long");
    let who = client.conference().endpoint_id().unwrap();
    let chat = |nick: &str, text: &str| {
        format!(
            "<message xmlns='jabber:client' type='groupchat' from='long@conference.meet.localhost/{nick}'><body>{text}</body></message>"
        )
    };
    let long = "x".repeat(XmlLimits::default().bytes);
    assert!(kit.inject(&who, &chat("00000000", &long)) && kit.inject(&who, &chat("00000000", "after it")));
    let EventKind::Message(m) = wait(&queue, |e| matches!(e, EventKind::Message(_))) else { panic!() };
    assert_eq!((&*m.text, client.ignored().oversized_frames), ("after it", 1));
    // What the WebSocket refuses ends the connection, typed.
    assert!(kit.inject(&who, &chat("00000000", &"x".repeat(3 << 20))));
    let EventKind::Closed(Some(e)) = wait(&queue, |e| matches!(e, EventKind::Closed(_))) else { panic!() };
    assert_eq!((e.code, e.stage), (Code::Protocol, Stage::Stream), "{e:?}");
}

#[test]
fn a_lost_socket_is_one_typed_end() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let client = joined(&kit, &runtime, &queue, "cut");
    assert!(kit.cut(&client.conference().endpoint_id().unwrap()));
    let EventKind::Closed(Some(e)) = wait(&queue, |e| matches!(e, EventKind::Closed(_))) else { panic!("no reason") };
    assert_eq!(e.code, Code::Disconnected);
}

#[test]
fn many_clients_share_a_runtime_and_a_queue() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(2).unwrap(), Queue::new().unwrap());
    let clients: Vec<Client> = (0..20)
        .map(|n| {
            let o = ClientOptions { user_value: n, disable_p2p: true, ..options(&kit, "many") };
            let client = Client::new(Some(&runtime), &queue, o).unwrap();
            client.join(1).unwrap();
            client
        })
        .collect();
    let mut seen = [0; 20];
    while seen.iter().any(|n| *n < 19) {
        let e = queue.next(LONG).unwrap();
        match e.event.kind {
            EventKind::ParticipantJoined(_) => seen[e.user_value as usize] += 1,
            EventKind::Closed(e) => panic!("{e:?}"),
            _ => {}
        }
    }
    assert_eq!(clients[3].conference().participants().len(), 19);
    for c in &clients {
        c.close(Duration::from_secs(10)).unwrap();
    }
    assert!(kit.wait_for_endpoints("many", 0, Duration::from_secs(10)));
}

#[test]
fn a_track_that_is_not_taken_leaves_a_writer_that_says_so() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let client = joined(&kit, &runtime, &queue, "many-tracks");
    let room = client.conference();
    let kept: Vec<_> =
        (0..jmeet::meeting::MAX_LOCAL_TRACKS).map(|_| room.send_track(track(Codec::Opus), 0).unwrap()).collect();
    let one_more = room.send_track(track(Codec::Opus), 9).unwrap();
    let refused = wait(&queue, |e| matches!(e, EventKind::RequestDone(Some(_))));
    assert!(matches!(refused, EventKind::RequestDone(Some(e)) if e.code == Code::Resources));
    assert_eq!(code(one_more.write(OutgoingFrame::audio(vec![8, 0]))), Code::Closed);
    assert_eq!(code(kept[0].write(OutgoingFrame::audio(vec![8, 0]))), Code::NotReady);
}

#[test]
fn the_longest_wait_of_all_is_a_wait() {
    let queue = Queue::new().unwrap();
    let o = ClientOptions { url: "ws://127.0.0.1:9/x".into(), room: "r".into(), ..Default::default() };
    let client = Client::new(None, &queue, o).unwrap();
    let reader = client.conference().reader(None, ReaderOptions::default()).unwrap();
    let waits = std::thread::spawn(move || code(reader.next(Some(Duration::MAX))));
    client.close(Duration::MAX).unwrap();
    assert_eq!(waits.join().unwrap(), Code::Closed);
}

#[test]
fn the_log_tells_the_course_of_a_meeting_and_no_secret() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let h = heard.clone();
    let sink = move |l, _: &str, text: &str| h.lock().unwrap().push((l, text.to_owned()));
    jmeet::log::set(Level::Trace, Some(Arc::new(sink)));
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let options =
        ClientOptions { display_name: "Ada Lovelace".into(), token: "eyJ0b2tlbg".into(), ..options(&kit, "logged") };
    let client = Client::new(Some(&runtime), &queue, options).unwrap();
    let id = format!("client {:x}: ", client.id());
    client.join(1).unwrap();
    wait(&queue, |e| matches!(e, EventKind::Joined(_)));
    client.conference().send_message("what only we know", 2).unwrap();
    wait(&queue, |e| matches!(e, EventKind::RequestDone(None)));
    client.close(LONG.unwrap()).unwrap();
    let mine = |level| -> Vec<String> {
        let all = heard.lock().unwrap();
        let of = all.iter().filter(|(l, t)| *l <= level && t.starts_with(&id));
        of.map(|(_, t)| t[id.len()..].to_owned()).collect()
    };
    let (info, all) = (mine(Level::Info), mine(Level::Trace));
    for course in ["connection 1 is open", "Joining", "Joined", "request 1 is done", "is closed: we left"] {
        assert!(info.iter().any(|t| t == course), "{course}: {info:#?}");
    }
    for detail in [
        "connection 1: Upgrade",
        "connection 1 < <presence ",
        "connection 1 > <iq type=set ",
        "we are ",
        "Bound after ",
    ] {
        assert!(all.iter().any(|t| t.starts_with(detail)), "{detail}: {all:#?}");
    }
    for secret in ["what only we know", "eyJ0b2tlbg"] {
        assert!(!all.iter().any(|t| t.contains(secret)), "{secret}: {all:#?}");
    }
    for name in ["Ada", "logged", kit.domain(), "127.0.0.1"] {
        assert!(!info.iter().any(|t| t.contains(name)), "{name}: {info:#?}");
    }
    jmeet::log::set(Level::Error, None);
}

#[test]
fn a_flood_of_datagrams_keeps_nobody_from_leaving() {
    let (kit, runtime, queue) =
        (Deployment::start(Default::default()).unwrap(), Runtime::new(1).unwrap(), Queue::new().unwrap());
    let here = joined(&kit, &runtime, &queue, "flood");
    let _there = joined(&kit, &runtime, &queue, "flood");
    for _ in 0..2 {
        wait(&queue, |e| matches!(e, EventKind::Media(_, MediaState::Connected { .. })));
    }
    let of_media = || here.conference().media_stats(Duration::from_secs(20)).expect("an answer");
    let target = of_media().path.expect("a path").local;
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                let from = UdpSocket::bind("127.0.0.1:0").unwrap();
                while !over.load(Ordering::Relaxed) {
                    // What the system does not take is no flood either.
                    let _ = from.send_to(&[0x80; 40], target);
                }
            });
        }
        let (before, long) = (of_media().junk, Instant::now() + Duration::from_secs(60));
        while of_media().junk < before + 10_000 && Instant::now() < long {}
        let (junk, left) = (of_media().junk, here.close(Duration::from_secs(20)));
        over.store(true, Ordering::Relaxed);
        assert!(junk >= before + 10_000, "it was a flood: {junk}");
        left.unwrap();
    });
    wait(&queue, |e| matches!(e, EventKind::Closed(None)));
}
