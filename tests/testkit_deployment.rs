//! The testkit's deployment on real sockets: spoken to by a bare WebSocket client, which is what a test relies on before any client
//! of ours is involved; and its bridge with clients of ours.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use jmeet::client::{Client as Ours, Queue, Reader, Runtime, Writer};
use jmeet::media::{Codec, OutgoingFrame};
use jmeet::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use jmeet::testkit::bridge::Event;
use jmeet::testkit::focus::DryBridge;
use jmeet::testkit::{BridgeConfig, Deployment, Faults, LinkOptions, ServerOptions, SessionOptions, Step, media_files};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const SOON: Duration = Duration::from_secs(10);
const OPEN: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='meet.localhost' version='1.0'/>";

struct Client(WebSocketStream<TcpStream>);

async fn upgrade(url: &str) -> Result<Client, Error> {
    upgrade_to(url, Some("xmpp")).await
}

async fn upgrade_to(url: &str, protocol: Option<&str>) -> Result<Client, Error> {
    let mut request = url.into_client_request().unwrap();
    let tcp = TcpStream::connect(request.uri().authority().unwrap().as_str()).await.unwrap();
    if let Some(p) = protocol {
        request.headers_mut().insert("sec-websocket-protocol", p.parse().unwrap());
    }
    client_async(request, tcp).await.map(|(socket, _)| Client(socket))
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next text frame; `None` when the connection ended.
    async fn next(&mut self) -> Option<String> {
        loop {
            match timeout(SOON, self.0.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(t))) => return Some(t.as_str().to_owned()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn until(&mut self, sign: &str) -> String {
        while let Some(frame) = self.next().await {
            if frame.contains(sign) {
                return frame;
            }
            // The focus asks everybody what it can, where there are bridge sessions.
            if frame.contains("http://jabber.org/protocol/disco#info") && frame.contains("type='get'") {
                let attr = |name: &str| frame.split(&format!("{name}='")).nth(1).unwrap().split('\'').next().unwrap();
                self.send(&format!(
                    "<iq xmlns='jabber:client' type='result' to='{}' id='{}'><query xmlns='http://jabber.org/protocol/disco#info'>\
                     <feature var='urn:xmpp:jingle:apps:rtp:audio'/></query></iq>",
                    attr("from"),
                    attr(" id")
                ))
                .await;
            }
        }
        panic!("the connection ended before {sign}");
    }

    async fn join(url: &str, room: &str, nick: &str) -> Client {
        let mut c = upgrade(url).await.unwrap();
        c.send(OPEN).await;
        c.until("mechanisms").await;
        c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>").await;
        c.until("success").await;
        c.send(OPEN).await;
        c.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
            .await;
        c.until("<jid>").await;
        c.send(&format!(
            "<iq xmlns='jabber:client' type='set' id='c' to='focus.meet.localhost'>\
             <conference xmlns='http://jitsi.org/protocol/focus' room='{room}@conference.meet.localhost'/></iq>"
        ))
        .await;
        c.until("ready='true'").await;
        c.send(&format!(
            "<presence xmlns='jabber:client' to='{room}@conference.meet.localhost/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ))
        .await;
        c.until("code='110'").await;
        // The last frame of a join.
        c.until("<subject").await;
        c
    }
}

#[tokio::test]
async fn clients_join_over_sockets_and_are_cut_silenced_and_spoken_to() {
    let kit = Deployment::start(ServerOptions::default()).unwrap();
    let mut a = Client::join(&kit.url(), "r", "aaaa0000").await;
    let mut b = Client::join(&kit.url(), "r", "bbbb0000").await;
    assert!(kit.wait_for_endpoints("r", 2, SOON));
    assert!(kit.inject("aaaa0000", "<message xmlns='jabber:client' from='spoofed@x'><body>stray</body></message>"));
    a.until("stray").await;
    assert!(kit.silence("bbbb0000", true));
    assert!(kit.send_as(
        "aaaa0000",
        "<message to='r@conference.meet.localhost' type='groupchat'><body>unheard</body></message>"
    ));
    a.until("unheard").await;
    assert!(timeout(Duration::from_millis(200), b.0.next()).await.is_err(), "a silenced client hears nothing");
    assert!(kit.cut("bbbb0000"));
    assert_eq!(b.next().await, None);
    a.until("code='333'").await;
    assert!(kit.end_stream("aaaa0000", "conflict"));
    a.until("<conflict").await;
    assert!(kit.wait_for_endpoints("r", 0, SOON));
    assert!(!kit.cut("aaaa0000"), "nobody of that name is left");
}

#[tokio::test]
async fn bridge_sessions_come_and_go_by_script() {
    let sessions = Some(SessionOptions { region: Some("here".into()), ..SessionOptions::default() });
    let kit = Deployment::start(ServerOptions { sessions, ..ServerOptions::default() }).unwrap();
    kit.set_bridge(Box::new(DryBridge::new(jmeet::Env::seeded(1))));
    let mut a = Client::join(&kit.url(), "r", "aaaa0000").await;
    let mut b = Client::join(&kit.url(), "r", "bbbb0000").await;
    let (first, second) = tokio::join!(a.until("session-initiate"), b.until("session-initiate"));
    let (sid, accepted) = kit.session_of("r", "aaaa0000").unwrap();
    assert!(first.contains(&sid) && !second.contains(&sid) && !accepted && first.contains("region='here'"));
    a.send(&format!(
        "<iq xmlns='jabber:client' type='set' to='r@conference.meet.localhost/focus' id='acc'>\
         <jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='{sid}'/></iq>"
    ))
    .await;
    a.until("type='result'").await;
    assert_eq!(kit.session_of("r", "aaaa0000"), Some((sid.clone(), true)));
    kit.invite_over("r");
    assert!(!a.until("session-initiate").await.contains(&sid));
    kit.configure_sessions(|o| o.region = None);
    kit.set_bridge(Box::new(DryBridge::new(jmeet::Env::seeded(2))));
    a.until("moving").await;
    assert!(!a.until("session-initiate").await.contains("region"));
    kit.kill_bridge();
    a.until("bridgeNotAvailable").await;
    assert_eq!(kit.session_of("r", "aaaa0000"), None);
    kit.set_bridge(Box::new(DryBridge::new(jmeet::Env::seeded(3))));
    a.until("session-initiate").await;
    kit.end_session("r", "aaaa0000", "general-error", "jingle session failed");
    a.until("<general-error/>").await;
    kit.set_conference_property("r", "visitor-count", Some("14"));
    a.until("key='visitor-count' value='14'").await;
}

#[tokio::test]
async fn the_upgrade_is_refused_or_never_answered() {
    let kit = Deployment::start(ServerOptions::default()).unwrap();
    kit.set_faults(Faults { http_status: Some(503), ..Faults::default() });
    match upgrade(&kit.url()).await {
        Err(Error::Http(r)) => assert_eq!(r.status(), 503),
        other => panic!("{:?}", other.err()),
    }
    kit.set_faults(Faults { silent_at: Some(Step::Upgrade), ..Faults::default() });
    assert!(timeout(Duration::from_millis(200), upgrade(&kit.url())).await.is_err());
    kit.set_faults(Faults { silent_at: Some(Step::Auth), ..Faults::default() });
    let mut c = upgrade(&kit.url()).await.unwrap();
    c.send(OPEN).await;
    c.until("mechanisms").await;
    c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>").await;
    assert!(timeout(Duration::from_millis(200), c.0.next()).await.is_err());
}

#[tokio::test]
async fn another_path_or_protocol_is_refused() {
    let kit = Deployment::start(ServerOptions::default()).unwrap();
    let status = |r: Result<_, Error>| match r {
        Err(Error::Http(r)) => r.status().as_u16(),
        _ => 0,
    };
    assert_eq!(status(upgrade(&format!("ws://{}/other", kit.address())).await.map(drop)), 404);
    assert_eq!(status(upgrade_to(&kit.url(), None).await.map(drop)), 400);
}

/// Sends the address of `own` as a candidate, and returns the one that the other is shown.
async fn signal(from: &mut Client, to: &mut Client, nick: &str, own: &UdpSocket) -> SocketAddr {
    let own = own.local_addr().unwrap();
    from.send(&format!(
        "<iq xmlns='jabber:client' type='set' id='j' to='r@conference.meet.localhost/{nick}'><jingle xmlns='urn:xmpp:jingle:1'>\
         <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'><candidate ip='{}' port='{}' protocol='udp'/></transport></jingle></iq>",
        own.ip(),
        own.port()
    ))
    .await;
    let got = to.until("<candidate").await;
    let port: u16 = got.split("port='").nth(1).and_then(|p| p.split('\'').next()).unwrap().parse().unwrap();
    assert_ne!(port, own.port());
    SocketAddr::new(own.ip(), port)
}

#[tokio::test]
async fn media_passes_through_the_link_under_consistent_addresses() {
    let kit = Deployment::start(ServerOptions::default()).unwrap();
    kit.set_media_link(LinkOptions::default());
    let mut a = Client::join(&kit.url(), "r", "aaaa0000").await;
    let mut b = Client::join(&kit.url(), "r", "bbbb0000").await;
    let (x, y) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let shown = [signal(&mut a, &mut b, "bbbb0000", &x).await, signal(&mut b, &mut a, "aaaa0000", &y).await];
    let mut buffer = [0; 64];
    y.send_to(b"check", shown[0]).await.unwrap();
    assert_eq!(timeout(SOON, x.recv_from(&mut buffer)).await.unwrap().unwrap(), (5, shown[1]));
    x.send_to(b"answer", shown[1]).await.unwrap();
    assert_eq!(timeout(SOON, y.recv_from(&mut buffer)).await.unwrap().unwrap(), (6, shown[0]));
    kit.set_media_link(LinkOptions { loss: 1.0, ..LinkOptions::default() });
    y.send_to(b"lost", shown[0]).await.unwrap();
    assert!(timeout(Duration::from_millis(200), x.recv_from(&mut buffer)).await.is_err());
    assert_eq!((kit.media_counts().passed, kit.media_counts().dropped), (2, 1));
}

#[test]
fn a_dropped_deployment_closes_its_port() {
    let kit = Deployment::start(ServerOptions::default()).unwrap();
    let address = kit.address();
    drop(kit);
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// A participant of ours with a microphone, a camera and one reader for everybody.
struct Person {
    client: Ours,
    audio: Writer,
    video: Writer,
    reader: Reader,
    /// The next frame of the camera's file.
    frame: usize,
    /// Frames by source name.
    heard: BTreeMap<String, usize>,
    /// Key frames by source name.
    keys: BTreeMap<String, usize>,
}

/// A meeting of our clients, driven by one thread.
struct Company {
    kit: Deployment,
    queue: Queue,
    runtime: Runtime,
    people: BTreeMap<u64, Person>,
    events: Vec<(u64, EventKind)>,
    packets: Vec<Bytes>,
    clip: media_files::Clip,
}

impl Company {
    fn meet(sessions: SessionOptions, config: BridgeConfig) -> Company {
        let options = ServerOptions { sessions: Some(sessions), ..ServerOptions::default() };
        let kit = Deployment::start(options).unwrap();
        kit.start_bridge(config).unwrap();
        Company {
            kit,
            queue: Queue::new().unwrap(),
            runtime: Runtime::new(1).unwrap(),
            people: BTreeMap::new(),
            events: Vec::new(),
            packets: media_files::read_ogg_opus(include_bytes!("fixtures/media/audio.ogg")).unwrap(),
            clip: media_files::read_ivf(include_bytes!("fixtures/media/video.ivf")).unwrap(),
        }
    }

    /// Its endpoint id is its number, eight times.
    fn join(&mut self, number: u64) {
        let options = ClientOptions {
            url: self.kit.url(),
            domain: self.kit.domain().into(),
            room: "company".into(),
            nickname: number.to_string().repeat(8),
            allow_loopback: true,
            user_value: number,
            ..Default::default()
        };
        let client = Ours::new(Some(&self.runtime), &self.queue, options).unwrap();
        let room = client.join(1).unwrap();
        let audio = room.send_track(TrackOptions::new(Codec::Opus), 0).unwrap();
        let video = room.send_track(TrackOptions::new(Codec::Vp8), 0).unwrap();
        let reader = room.reader(None, ReaderOptions::default()).unwrap();
        let (heard, keys) = (BTreeMap::new(), BTreeMap::new());
        self.people.insert(number, Person { client, audio, video, reader, frame: 0, heard, keys });
    }

    /// Lets everybody send and hear until `done`; panics when that does not happen in time.
    fn until(&mut self, what: &str, done: impl Fn(&Company) -> bool) {
        let (start, mut tick) = (Instant::now(), 0);
        while !done(self) {
            assert!(start.elapsed() < Duration::from_secs(40), "never {what}: {}", self.tell());
            while let Ok(e) = self.queue.next(Some(Duration::ZERO)) {
                if let (EventKind::KeyFrameWanted { .. }, Some(p)) = (&e.event.kind, self.people.get_mut(&e.user_value))
                {
                    p.frame = 0;
                }
                self.events.push((e.user_value, e.event.kind));
            }
            for p in self.people.values_mut() {
                let audio = OutgoingFrame::audio(self.packets[tick % self.packets.len()].clone());
                // Not ready drops the frame, which is what is wanted; here and below.
                let _ = p.audio.write(audio);
                if tick % 3 == 0 {
                    let frame = &self.clip.frames[p.frame % self.clip.frames.len()];
                    let taken =
                        p.video.write(OutgoingFrame::video(frame.data.clone(), self.clip.frame_duration())).is_ok();
                    p.frame = if taken { p.frame + 1 } else { 0 };
                }
                while let Ok(f) = p.reader.next(Some(Duration::ZERO)) {
                    *p.heard.entry(f.source_name.to_string()).or_default() += 1;
                    *p.keys.entry(f.source_name.to_string()).or_default() += usize::from(f.key);
                }
            }
            tick += 1;
            std::thread::sleep(
                (start + Duration::from_millis(20) * tick as u32).saturating_duration_since(Instant::now()),
            );
        }
    }

    fn tell(&self) -> String {
        let heard: Vec<_> = self.people.iter().map(|(n, p)| format!("{n}: {:?}", p.heard)).collect();
        format!("{heard:?}\n{:#?}\n{:?}", self.events, self.kit.bridge_events())
    }

    /// Everybody gets this many frames more of everybody else's microphone and camera.
    fn hear_each_other(&mut self, frames: usize) {
        for p in self.people.values_mut() {
            p.heard.clear();
        }
        self.until("does everybody hear and see everybody", |c| {
            c.people.iter().all(|(n, p)| {
                let others = c.people.keys().filter(|o| *o != n).map(|o| o.to_string().repeat(8));
                let mut sources = others.flat_map(|id| [format!("{id}-a0"), format!("{id}-v0")]);
                sources.all(|s| p.heard.get(&s).is_some_and(|k| *k >= frames))
            })
        });
    }

    fn saw(&self, who: u64, f: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|(n, e)| *n == who && f(e))
    }

    fn leave(&mut self, number: u64) {
        let p = self.people.remove(&number).unwrap();
        p.client.close(Duration::from_secs(10)).unwrap();
    }
}

fn channel_is(kind: BridgeChannel) -> impl Fn(&EventKind) -> bool {
    move |e| matches!(e, EventKind::BridgeChannel(c) if *c == kind)
}

fn path_is(path: MediaPath) -> impl Fn(&EventKind) -> bool {
    move |e| matches!(e, EventKind::Media(p, MediaState::Connected { .. }) if *p == path)
}

#[test]
fn three_of_ours_hear_and_see_each_other_through_the_bridge_over_a_data_channel_with_rewritten_ssrcs() {
    let config = BridgeConfig { websocket: false, ..BridgeConfig::default() };
    let mut c = Company::meet(SessionOptions::default(), config);
    for n in [1, 2, 3] {
        c.join(n);
    }
    c.hear_each_other(30);
    for n in [1, 2, 3] {
        assert!(
            c.saw(n, channel_is(BridgeChannel::DataChannel)) && c.saw(n, path_is(MediaPath::Bridge)),
            "{}",
            c.tell()
        );
        assert!(c.people[&n].keys.iter().any(|(s, k)| s.ends_with("v0") && *k > 0), "pictures begin with key frames");
    }
}

#[test]
fn three_of_ours_through_the_bridge_over_a_websocket_with_signalled_sources() {
    let sessions = SessionOptions { sctp: false, rewriting: false, json: false, ..SessionOptions::default() };
    let mut c = Company::meet(sessions, BridgeConfig { sctp: false, ..BridgeConfig::default() });
    for n in [1, 2, 3] {
        c.join(n);
    }
    c.hear_each_other(30);
    for n in [1, 2, 3] {
        assert!(c.saw(n, channel_is(BridgeChannel::WebSocket)), "{}", c.tell());
    }
}

#[test]
fn the_bridge_comes_with_the_third_when_it_is_told_so_and_the_two_that_remain_go_peer_to_peer_and_back() {
    let sessions = SessionOptions { min_participants: 3, ..SessionOptions::default() };
    let mut c = Company::meet(sessions, BridgeConfig::default());
    c.join(1);
    c.join(2);
    c.until("is there peer to peer", |c| [1, 2].iter().all(|n| c.saw(*n, path_is(MediaPath::PeerToPeer))));
    c.hear_each_other(20);
    assert!(!c.saw(1, path_is(MediaPath::Bridge)) && !c.saw(2, path_is(MediaPath::Bridge)), "{}", c.tell());
    c.join(3);
    c.hear_each_other(20);
    assert!([1, 2, 3].iter().all(|n| c.saw(*n, path_is(MediaPath::Bridge))), "{}", c.tell());
    c.events.clear();
    c.leave(3);
    c.until("are they peer to peer again", |c| [1, 2].iter().all(|n| c.saw(*n, path_is(MediaPath::PeerToPeer))));
    c.hear_each_other(20);
    c.join(3);
    c.hear_each_other(20);
}

#[test]
fn a_killed_bridge_closes_its_sockets_and_another_takes_its_meeting() {
    let mut c = Company::meet(SessionOptions::default(), BridgeConfig::default());
    for n in [1, 2, 3] {
        c.join(n);
    }
    c.hear_each_other(10);
    c.kit.kill_bridge();
    c.events.clear();
    c.until("is the session ended", |c| {
        [1, 2, 3].iter().all(|n| c.saw(*n, |e| matches!(e, EventKind::Media(_, MediaState::Ended { .. }))))
    });
    c.kit.start_bridge(BridgeConfig::default()).unwrap();
    c.hear_each_other(10);
    assert!(c.kit.with_bridge(|b, _| b.endpoints().count()) == Some(3));
}

#[test]
fn what_asks_for_a_bridge_channel_without_its_password_is_refused() {
    let options = ServerOptions { sessions: Some(SessionOptions::default()), ..ServerOptions::default() };
    let kit = Deployment::start(options).unwrap();
    kit.start_bridge(BridgeConfig::default()).unwrap();
    let offer = kit.with_bridge(|b, now| {
        let options = jmeet::testkit::bridge::EndpointOptions { conference: "r".into(), ..Default::default() };
        b.allocate("aaaa0000", options, now).unwrap()
    });
    let url = offer.unwrap().websockets.remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = |url: &str| {
        runtime.block_on(async {
            match upgrade_to(url, None).await {
                Ok(mut c) => {
                    let hello = c.next().await.unwrap();
                    assert!(hello.contains("ServerHello"), "{hello}");
                    101
                }
                Err(Error::Http(r)) => r.status().as_u16(),
                Err(e) => panic!("{e}"),
            }
        })
    };
    assert_eq!(status(&url), 101);
    assert_eq!(status(&format!("{url}x")), 403);
    assert_eq!(status(&url.replace("colibri-ws", "elsewhere")), 404);
    let closed = || kit.bridge_events().iter().any(|e| matches!(e, Event::ChannelClosed { .. }));
    let start = Instant::now();
    while !closed() && start.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(closed(), "{:?}", kit.bridge_events());
}
