//! Many in a room on sockets: what the speakers say reaches everybody, each packet once. Nothing here waits for time: a round begins
//! when all heard the one before.

use jmeet::client::{Client, Conference, Queue, Reader, Runtime, Writer};
use jmeet::media::{Codec, MediaType, OutgoingFrame};
use jmeet::meeting::event::{EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use jmeet::testkit::{BridgeConfig, Deployment, ServerOptions, SessionOptions};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const MANY: usize = 20;
const SPEAKERS: usize = 5;
const ROUNDS: u8 = 25;
const PATIENCE: Duration = Duration::from_secs(60);

struct Member {
    _client: Client,
    _conference: Conference,
    writer: Writer,
    reader: Reader,
}

#[test]
fn what_five_speakers_say_reaches_everybody_of_twenty_and_nothing_is_missing() {
    let sessions = SessionOptions { rewriting: false, ..SessionOptions::default() };
    let kit =
        Deployment::start(ServerOptions { sessions: Some(sessions), ..ServerOptions::default() }).expect("a server");
    kit.start_bridge(BridgeConfig::default()).expect("a bridge");
    let (queue, runtime) = (Queue::new().expect("a queue"), Runtime::new(1).expect("threads"));
    let member = |n: usize| {
        let options = ClientOptions {
            url: kit.url(),
            domain: kit.domain().to_owned(),
            room: "crowd".into(),
            allow_loopback: true,
            disable_p2p: true,
            disable_ssrc_rewriting: true,
            user_value: n as u64,
            ..ClientOptions::default()
        };
        let client = Client::new(Some(&runtime), &queue, options).expect("a client");
        let conference = client.join(0).expect("it joins");
        let writer = conference.send_track(TrackOptions::new(Codec::Opus), 0).expect("a microphone");
        let hears = ReaderOptions { media: Some(MediaType::Audio), ..ReaderOptions::default() };
        let reader = conference.reader(None, hears).expect("a reader");
        Member { _client: client, _conference: conference, writer, reader }
    };
    let members: Vec<Member> = (0..MANY).map(member).collect();

    // Everybody is connected and knows everybody else's microphone.
    let (mut connected, mut known) = (0, BTreeMap::<u64, usize>::new());
    let end = Instant::now() + PATIENCE;
    while connected < MANY || known.values().filter(|k| **k == MANY - 1).count() < MANY {
        let e = queue.next(Some(end.saturating_duration_since(Instant::now()))).expect("all connect and know all");
        match &e.event.kind {
            EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. }) => connected += 1,
            EventKind::TrackAdded(t) if !t.local && t.media == MediaType::Audio => {
                *known.entry(e.user_value).or_default() += 1;
            }
            EventKind::RequestDone(Some(e)) | EventKind::Closed(Some(e)) => panic!("{e}"),
            _ => {}
        }
    }

    for round in 0..ROUNDS {
        for (n, m) in members[..SPEAKERS].iter().enumerate() {
            let packet = vec![9 << 3, n as u8, round];
            m.writer.write(OutgoingFrame::audio(packet)).expect("it speaks");
        }
        for (n, m) in members.iter().enumerate() {
            let others: Vec<u8> = (0..SPEAKERS as u8).filter(|s| usize::from(*s) != n).collect();
            let hear = |_: &u8| m.reader.next(Some(PATIENCE)).expect("it hears").data[1..].to_vec();
            let mut heard: Vec<Vec<u8>> = others.iter().map(hear).collect();
            heard.sort_unstable();
            let said: Vec<Vec<u8>> = others.iter().map(|s| vec![*s, round]).collect();
            assert_eq!(heard, said, "{n} in round {round}");
        }
    }
}
