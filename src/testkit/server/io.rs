//! The server on sockets: WebSockets on loopback (RFC 7395), one task that owns the machine, one per connection. It decides
//! nothing but how bytes move.

use super::{ConnId, Output, Server};
use crate::testkit::bridge::io::{BridgeSockets, Input as BridgeInput};
use crate::testkit::bridge::{BridgeConfig, BridgePlace, Event};
use crate::testkit::faults::Step;
use crate::testkit::wall_clock;
use futures_util::{SinkExt, StreamExt};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Where the WebSocket is.
pub const PATH: &str = "/xmpp-websocket";
/// Frames waiting for a client that does not read; past it the connection is cut.
pub const MAX_QUEUED_FRAMES: usize = 4096;
/// Longest frame taken from a client.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// A call into the machine, made on its task.
pub type Call = Box<dyn FnOnce(&mut Server, crate::time::Time) + Send>;

pub(crate) enum Input {
    Upgrade(oneshot::Sender<Upgrade>),
    Connected(ConnId, mpsc::Sender<Frame>),
    Text(ConnId, String),
    Gone(ConnId),
    Call(Call),
    /// A bridge in the place of what was there; answered when it listens.
    StartBridge(Box<(BridgeConfig, BridgePlace)>, std::sync::mpsc::Sender<io::Result<()>>),
    BridgeEvents(std::sync::mpsc::Sender<Vec<(crate::time::Time, Event)>>),
    Stop,
}

pub(crate) enum Upgrade {
    Accept,
    Status(u16),
    Silent,
}

/// How long a closed connection is read out.
const LINGER: Duration = Duration::from_secs(2);

pub(crate) enum Frame {
    Text(String),
    Close,
    Cut,
}

/// Serves `listener` until [`Input::Stop`].
pub(crate) async fn serve(
    listener: TcpListener,
    mut server: Server,
    inputs: mpsc::UnboundedSender<Input>,
    mut from: mpsc::UnboundedReceiver<Input>,
) {
    let accepting = tokio::spawn(accept(listener, inputs));
    let mut connections: BTreeMap<ConnId, mpsc::Sender<Frame>> = BTreeMap::new();
    let mut bridge: Option<BridgeSockets> = None;
    loop {
        let wait = server.next_deadline().map_or(Duration::from_secs(3600), |d| d.since(wall_clock()));
        let input = tokio::select! {
            input = from.recv() => Ok(input),
            input = next(&mut bridge) => Err(Some(input)),
            () = tokio::time::sleep(wait) => Err(None),
        };
        let now = wall_clock();
        match input {
            Err(None) => server.handle_timeout(now),
            Err(Some(input)) => {
                if let (Some(sockets), Some(b)) = (&mut bridge, server.bridge_mut().and_then(|b| b.videobridge())) {
                    sockets.feed(input, b, now);
                }
            }
            Ok(None | Some(Input::Stop)) => break,
            Ok(Some(Input::StartBridge(how, done))) => {
                let started = BridgeSockets::start(how.0, &how.1).await.map(|(sockets, machine)| {
                    bridge = Some(sockets);
                    server.set_bridge(Box::new(machine), now);
                });
                // The starter waits for it.
                let _ = done.send(started);
            }
            Ok(Some(Input::BridgeEvents(to))) => {
                let _ = to.send(bridge.as_ref().map_or_else(Vec::new, BridgeSockets::events));
            }
            Ok(Some(Input::Upgrade(answer))) => {
                let decision = if server.faults.silent(Step::Upgrade) {
                    Upgrade::Silent
                } else {
                    server.faults.http_status.map_or(Upgrade::Accept, Upgrade::Status)
                };
                // The asker may have gone meanwhile.
                let _ = answer.send(decision);
            }
            Ok(Some(Input::Connected(conn, frames))) => {
                connections.insert(conn, frames);
                server.connected(conn);
            }
            Ok(Some(Input::Text(conn, text))) => server.receive(conn, &text, now),
            Ok(Some(Input::Gone(conn))) => {
                connections.remove(&conn);
                server.disconnected(conn, now);
            }
            Ok(Some(Input::Call(call))) => call(&mut server, now),
        }
        while let Some(output) = server.poll_output() {
            let (conn, frame) = match output {
                Output::Send(conn, text) => (conn, Frame::Text(text)),
                Output::Close(conn) => (conn, Frame::Close),
                Output::Cut(conn) => (conn, Frame::Cut),
            };
            let full = connections.get(&conn).is_some_and(|c| c.try_send(frame).is_err());
            if full {
                // Dropping the sender ends the connection's task.
                connections.remove(&conn);
                server.disconnected(conn, now);
            }
        }
        // A bridge that was killed, or replaced by one without sockets, is heard no more.
        if server.bridge_mut().is_none_or(|b| b.videobridge().is_none()) {
            bridge = None;
        }
        if let Some(sockets) = &mut bridge {
            sockets.obey(|| server.bridge_mut().and_then(|b| b.poll_output()));
        }
    }
    accepting.abort();
}

/// What comes to the bridge; never anything while there is none.
async fn next(bridge: &mut Option<BridgeSockets>) -> BridgeInput {
    match bridge {
        Some(sockets) => sockets.next().await,
        None => std::future::pending().await,
    }
}

async fn accept(listener: TcpListener, inputs: mpsc::UnboundedSender<Input>) {
    let mut next: ConnId = 1;
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let conn = next;
                next += 1;
                tokio::spawn(connection(tcp, conn, inputs.clone()));
            }
            // Out of descriptors, or a client that went before it was accepted: neither ends the server.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(tcp: TcpStream, conn: ConnId, inputs: mpsc::UnboundedSender<Input>) {
    // Every error ends the connection, which is all that a server can do about it.
    let _ = serve_connection(tcp, conn, &inputs).await;
    let _ = inputs.send(Input::Gone(conn));
}

async fn serve_connection(tcp: TcpStream, conn: ConnId, inputs: &mpsc::UnboundedSender<Input>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let (ask, answer) = oneshot::channel();
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    inputs.send(Input::Upgrade(ask)).map_err(|_| gone())?;
    let status = match answer.await.map_err(|_| gone())? {
        Upgrade::Accept => None,
        Upgrade::Status(s) => Some(StatusCode::from_u16(s).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
        // Held open, unread, until the server ends.
        Upgrade::Silent => {
            let _held = tcp;
            return std::future::pending().await;
        }
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let socket = tokio_tungstenite::accept_hdr_async_with_config(tcp, Checked { status }, Some(config))
        .await
        .map_err(io::Error::other)?;
    let (mut sink, mut stream) = socket.split();
    let (frames, mut out) = mpsc::channel(MAX_QUEUED_FRAMES);
    inputs.send(Input::Connected(conn, frames)).map_err(|_| gone())?;
    loop {
        tokio::select! {
            frame = out.recv() => match frame {
                Some(Frame::Text(text)) => sink.send(Message::text(text)).await.map_err(io::Error::other)?,
                Some(Frame::Close) => {
                    sink.close().await.map_err(io::Error::other)?;
                    // What the client still sends is read to its end: a socket closed over unread bytes is reset, and a reset takes
                    // the last frames from the client too.
                    let rest = async { while stream.next().await.is_some_and(|m| m.is_ok()) {} };
                    // A client that never ends is cut.
                    let _ = tokio::time::timeout(LINGER, rest).await;
                    return Ok(());
                }
                Some(Frame::Cut) | None => return Ok(()),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    inputs.send(Input::Text(conn, text.as_str().to_owned())).map_err(|_| gone())?;
                }
                // Pings are answered by the library; XMPP knows no binary frames.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return Ok(()),
            },
        }
    }
}

/// Looks at the upgrade request: path and sub-protocol must be right, or the script wants a refusal.
struct Checked {
    status: Option<StatusCode>,
}

impl Callback for Checked {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let refuse = |status: StatusCode| {
            let mut r = ErrorResponse::new(None);
            *r.status_mut() = status;
            r
        };
        if let Some(status) = self.status {
            return Err(refuse(status));
        }
        if request.uri().path() != PATH {
            return Err(refuse(StatusCode::NOT_FOUND));
        }
        let protocols = request.headers().get_all("sec-websocket-protocol");
        let mut names = protocols.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        if !names.any(|p| p.trim() == "xmpp") {
            return Err(refuse(StatusCode::BAD_REQUEST));
        }
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("xmpp"));
        Ok(response)
    }
}
