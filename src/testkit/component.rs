//! Runs the focus as an external component of a real server (XEP-0114): TCP, handshake, stanzas; and, where it makes bridge
//! sessions, the bridge beside it in the same process. An I/O shell: it decides nothing.

use super::bridge::io::{BridgeSockets, Input as BridgeInput};
use super::bridge::{Bridge, BridgeConfig, BridgePlace};
use super::deployment::OsRandom;
use super::focus::colibri::Colibri;
use super::focus::{Focus, FocusOptions, SessionOptions};
use super::wall_clock;
use super::xml_stream::{Piece, XmlStream};
use crate::env::Env;
use crate::time::{Time, earliest};
use crate::wire::{XmlWriter, ns};
use sha1::{Digest, Sha1};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// How long connection and handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A focus that is an authenticated component of a server.
pub struct FocusComponent {
    tcp: TcpStream,
    stream: XmlStream,
    focus: Focus,
    bridge: Option<(BridgeSockets, Bridge)>,
    orders: mpsc::UnboundedReceiver<Order>,
    handle: FocusHandle,
}

fn broken(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

impl FocusComponent {
    /// Connects to the server's component port and authenticates as `domain`. Bridge sessions are made with `sessions`, once a
    /// bridge was started ([`FocusHandle::start_bridge`]).
    pub async fn connect(
        host: &str,
        port: u16,
        domain: &str,
        secret: &str,
        sessions: Option<SessionOptions>,
    ) -> io::Result<FocusComponent> {
        let options = FocusOptions { stanza_ns: ns::COMPONENT.into(), sessions, ..FocusOptions::new(domain) };
        let focus = Focus::new(options, Env::new(OsRandom)).ok_or_else(|| broken("the domain is no address"))?;
        let connect = async {
            let tcp = TcpStream::connect((host, port)).await?;
            tcp.set_nodelay(true)?;
            let (steer, orders) = mpsc::unbounded_channel();
            let (stream, handle) = (XmlStream::default(), FocusHandle(steer));
            let mut c = FocusComponent { tcp, stream, focus, bridge: None, orders, handle };
            c.handshake(domain, secret).await?;
            Ok(c)
        };
        tokio::time::timeout(HANDSHAKE_TIMEOUT, connect).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn handshake(&mut self, domain: &str, secret: &str) -> io::Result<()> {
        let mut w = XmlWriter::new();
        w.open("stream:stream", ns::COMPONENT).attr("xmlns:stream", ns::STREAMS).attr("to", domain).text(" ");
        let opened = w.finish();
        // The stream element stays open for the whole connection.
        let header = opened.trim_end_matches("</stream:stream>");
        self.tcp.write_all(header.as_bytes()).await?;
        let Piece::Header(header) = read(&mut self.tcp, &mut self.stream).await? else {
            return Err(broken("no stream header"));
        };
        let id = header_attr(&header, "id").ok_or_else(|| broken("a stream header without id"))?;
        let digest = Sha1::digest(format!("{id}{secret}"));
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        self.tcp.write_all(format!("<handshake>{hex}</handshake>").as_bytes()).await?;
        match read(&mut self.tcp, &mut self.stream).await? {
            Piece::Stanza(s) if s.starts_with("<handshake") => Ok(()),
            Piece::Stanza(s) | Piece::Header(s) => Err(broken(format!("refused: {s}"))),
            Piece::End => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A handle to steer it by while it runs.
    pub fn handle(&self) -> FocusHandle {
        self.handle.clone()
    }

    /// Serves until [`FocusHandle::stop`], then leaves all rooms. Before that only an error ends it: a component that is no
    /// longer one.
    pub async fn run(mut self) -> io::Result<()> {
        loop {
            let next = earliest(self.focus.next_deadline(), self.bridge.as_ref().and_then(|b| b.1.next_deadline()));
            let wait = next.map_or(Duration::from_secs(3600), |d| d.since(wall_clock()));
            let happened = tokio::select! {
                Some(order) = self.orders.recv() => Happened::Order(order),
                piece = read(&mut self.tcp, &mut self.stream) => Happened::Piece(piece?),
                input = next_of(&mut self.bridge) => Happened::Bridge(input),
                () = tokio::time::sleep(wait) => Happened::Time,
            };
            let now = wall_clock();
            match happened {
                Happened::Order(Order::Stop) => {
                    self.focus.leave_all();
                    self.flush(now).await?;
                    return self.tcp.write_all(b"</stream:stream>").await;
                }
                Happened::Order(Order::StartBridge(how, done)) => {
                    let started = BridgeSockets::start(how.0, &how.1).await.map(|bridge| {
                        let moved = self.bridge.replace(bridge).is_some();
                        if moved { self.focus.bridge_moved(now) } else { self.focus.bridge_up(now) }
                    });
                    // The starter waits for it.
                    let _ = done.send(started);
                }
                Happened::Order(Order::KillBridge) => {
                    self.bridge = None;
                    self.focus.bridge_down(now);
                }
                Happened::Order(Order::EndSession { room, endpoint, text }) => {
                    self.focus.end_session(&room, &endpoint, "success", &text, now);
                }
                Happened::Piece(Piece::Stanza(s)) if s.starts_with("<stream:error") => return Err(broken(s)),
                Happened::Piece(Piece::Stanza(s)) => self.focus.handle_text(&s, now),
                Happened::Piece(Piece::Header(_)) => {}
                Happened::Piece(Piece::End) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Happened::Bridge(input) => {
                    if let Some((sockets, bridge)) = &mut self.bridge {
                        sockets.feed(input, bridge, now);
                    }
                }
                Happened::Time => {
                    self.focus.handle_timeout(now);
                    if let Some((_, bridge)) = &mut self.bridge {
                        bridge.handle_timeout(now);
                    }
                }
            }
            self.flush(now).await?;
        }
    }

    /// Carries the requests of the focus to the bridge and its answers back, then lets all out. Without a bridge requests are
    /// lost, as stanzas to a dead component are.
    async fn flush(&mut self, now: Time) -> io::Result<()> {
        while let Some(request) = self.focus.poll_colibri() {
            let answer = self.bridge.as_mut().and_then(|(_, bridge)| bridge.request(request, now));
            if let Some(answer) = answer {
                self.focus.handle_answer(answer, now);
            }
        }
        if let Some((sockets, bridge)) = &mut self.bridge {
            sockets.obey(|| bridge.poll_output());
        }
        while let Some(out) = self.focus.poll_output() {
            self.tcp.write_all(out.as_bytes()).await?;
        }
        Ok(())
    }
}

/// Steers a [`FocusComponent`] that runs. Clones steer the same one.
#[derive(Clone, Debug)]
pub struct FocusHandle(mpsc::UnboundedSender<Order>);

impl FocusHandle {
    /// It leaves its rooms and ends.
    pub fn stop(&self) {
        // It may have ended already, as here and below.
        let _ = self.0.send(Order::Stop);
    }

    /// Starts a bridge on free ports, a dead one's place too: then everybody is invited anew. Blocks until it listens: not to be
    /// called on the component's own thread.
    ///
    /// # Errors
    /// When it cannot listen, makes no certificate or reads none, or the component has ended.
    pub fn start_bridge(&self, config: BridgeConfig, place: BridgePlace) -> io::Result<()> {
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (done, started) = std::sync::mpsc::channel();
        self.0.send(Order::StartBridge(Box::new((config, place)), done)).map_err(|_| ended())?;
        started.recv().map_err(|_| ended())?
    }

    /// The bridge dies: its sockets close, sessions end with `moving`.
    pub fn kill_bridge(&self) {
        let _ = self.0.send(Order::KillBridge);
    }

    /// The focus ends the session of an endpoint in `room` (`name@conference.domain`) with this text, and does not invite it again before it
    /// joins again.
    pub fn end_session(&self, room: &str, endpoint: &str, text: &str) {
        let [room, endpoint, text] = [room, endpoint, text].map(str::to_owned);
        let _ = self.0.send(Order::EndSession { room, endpoint, text });
    }
}

#[derive(Debug)]
enum Order {
    StartBridge(Box<(BridgeConfig, BridgePlace)>, std::sync::mpsc::Sender<io::Result<()>>),
    KillBridge,
    EndSession { room: String, endpoint: String, text: String },
    Stop,
}

enum Happened {
    Order(Order),
    Piece(Piece),
    Bridge(BridgeInput),
    Time,
}

/// What comes to the bridge; never anything while there is none.
async fn next_of(bridge: &mut Option<(BridgeSockets, Bridge)>) -> BridgeInput {
    match bridge {
        Some((sockets, _)) => sockets.next().await,
        None => std::future::pending().await,
    }
}

/// The next piece of the stream. Cancel-safe: bytes already read stay in the stream's buffer.
async fn read(tcp: &mut TcpStream, stream: &mut XmlStream) -> io::Result<Piece> {
    loop {
        if let Some(piece) = stream.next_piece().map_err(|e| broken(e.to_string()))? {
            return Ok(piece);
        }
        let mut buffer = [0; 4096];
        let n = tcp.read(&mut buffer).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        stream.push(&buffer[..n]);
    }
}

/// An attribute of a stream header, which is no whole document: it is closed for the parser.
fn header_attr(header: &str, name: &str) -> Option<String> {
    let closed = format!("{header}</stream:stream>");
    let d = crate::wire::Document::parse(&closed).ok()?;
    d.root().attr(name).map(str::to_owned)
}
