//! The testkit's deployment on real sockets, spoken to by a bare WebSocket client: what a test relies on before any client of
//! ours is involved.

use futures_util::{SinkExt, StreamExt};
use jmeet::testkit::focus::DryBridge;
use jmeet::testkit::{Deployment, Faults, LinkOptions, ServerOptions, SessionOptions, Step};
use std::net::SocketAddr;
use std::time::Duration;
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
