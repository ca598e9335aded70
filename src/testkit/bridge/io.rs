//! The bridge on sockets: one UDP socket for the media of everybody, and a listener for the WebSockets of the bridge channel
//! (docs/protocol/04 §1.2), plain or TLS. It decides nothing: what comes in is handed to the machine, what the machine wants is done.
//! Used by the deployment and by the focus beside a real server alike.

use super::udp::MediaSocket;
use super::{Bridge, BridgeConfig, Event, Output, SocketKey};
use crate::env::Env;
use crate::testkit::deployment::OsRandom;
use crate::testkit::wall_clock;
use crate::time::Time;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

/// Events of the bridge that a test may look at afterwards.
pub const KEPT_EVENTS: usize = 10_000;
/// Messages waiting for a client that does not read; past it its WebSocket is cut.
pub const MAX_QUEUED_MESSAGES: usize = 4096;
/// Path of the WebSockets, up to the server id.
const PATH: &str = "/colibri-ws/jvb";
/// Longest request head of an upgrade.
const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// Longest message taken from a client.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// How long a closed WebSocket is read out.
const LINGER: Duration = Duration::from_secs(2);
/// How long TLS and the upgrade may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a bridge listens: free ports of one address.
#[derive(Clone)]
pub struct BridgePlace {
    /// Of the media socket and of the WebSockets.
    pub address: IpAddr,
    /// Host in the WebSocket URLs; empty: the address.
    pub host: String,
    /// Certificate chain and key, PEM, with which the WebSockets are `wss`; `None`: `ws`.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
}

impl Default for BridgePlace {
    /// Loopback, without TLS.
    fn default() -> BridgePlace {
        BridgePlace { address: IpAddr::V4(Ipv4Addr::LOCALHOST), host: String::new(), tls: None }
    }
}

impl std::fmt::Debug for BridgePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key stays out of every log.
        f.debug_struct("BridgePlace").field("address", &self.address).field("tls", &self.tls.is_some()).finish()
    }
}

type Admission = Result<mpsc::Receiver<Frame>, u16>;

pub(crate) enum Input {
    /// Some are to be read.
    Datagrams,
    Opened(SocketKey, String, oneshot::Sender<Admission>),
    Text(SocketKey, String),
    Closed(SocketKey),
}

pub(crate) enum Frame {
    Text(String),
    Close(u16, &'static str),
}

/// The sockets of one bridge. Dropped, they close without a word, as those of a killed bridge do.
pub(crate) struct BridgeSockets {
    media: MediaSocket,
    inputs: mpsc::UnboundedReceiver<Input>,
    accepting: JoinHandle<()>,
    asking: BTreeMap<SocketKey, oneshot::Sender<Admission>>,
    open: BTreeMap<SocketKey, mpsc::Sender<Frame>>,
    events: VecDeque<(Time, Event)>,
}

impl Drop for BridgeSockets {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptor(certificate: &[u8], key: &[u8]) -> io::Result<TlsAcceptor> {
    let bad = |e: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, e.to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|e| bad(&e))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| bad(&e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.and_then(|b| b.with_no_client_auth().with_single_cert(chain, key)).map_err(|e| bad(&e))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl BridgeSockets {
    /// Binds free ports, and makes a bridge that is reached there; addresses and URLs of `config` are replaced.
    pub async fn start(mut config: BridgeConfig, place: &BridgePlace) -> io::Result<(BridgeSockets, Bridge)> {
        let media = MediaSocket::bind(place.address)?;
        let listener = TcpListener::bind((place.address, 0)).await?;
        let tls = place.tls.as_ref().map(|(certificate, key)| acceptor(certificate, key)).transpose()?;
        let at = listener.local_addr()?;
        let host = if place.host.is_empty() { at.to_string() } else { format!("{}:{}", place.host, at.port()) };
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        config.addresses = vec![media.local];
        config.websocket_urls = vec![format!("{scheme}://{host}{PATH}")];
        let bridge = Bridge::new(config, Env::new(OsRandom)).map_err(io::Error::other)?;
        let (to, inputs) = mpsc::unbounded_channel();
        let sockets = BridgeSockets {
            media,
            inputs,
            accepting: tokio::spawn(accept(listener, tls, to)),
            asking: BTreeMap::new(),
            open: BTreeMap::new(),
            events: VecDeque::new(),
        };
        Ok((sockets, bridge))
    }

    /// The next thing that came in. Nothing is lost when it is not waited for to the end.
    pub async fn next(&mut self) -> Input {
        loop {
            tokio::select! {
                readable = self.media.readable() => match readable {
                    Ok(()) => return Input::Datagrams,
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(input) = self.inputs.recv() => return input,
            }
        }
    }

    /// Gives the machine what came in.
    pub fn feed(&mut self, input: Input, bridge: &mut Bridge, now: Time) {
        match input {
            Input::Datagrams => {
                let local = self.media.local;
                self.media.receive(|from, data| bridge.take_datagram(local, from, data, now));
                bridge.pump(now);
            }
            Input::Opened(key, path, admission) => {
                self.asking.insert(key, admission);
                bridge.handle_websocket_opened(key, &path, now);
            }
            Input::Text(key, text) => bridge.handle_websocket_text(key, &text, now),
            Input::Closed(key) => {
                self.open.remove(&key);
                bridge.handle_websocket_closed(key, now);
            }
        }
    }

    /// Does what the machine wants, until it wants nothing more.
    pub fn obey(&mut self, mut next: impl FnMut() -> Option<Output>) {
        while let Some(output) = next() {
            self.obey_one(output);
        }
        self.media.flush();
    }

    fn obey_one(&mut self, output: Output) {
        match output {
            Output::Transmit { remote, data, .. } => self.media.push(remote, &data),
            Output::WebSocketAccept(key) => {
                if let Some(admission) = self.asking.remove(&key) {
                    let (to, frames) = mpsc::channel(MAX_QUEUED_MESSAGES);
                    self.open.insert(key, to);
                    // The asker may have gone meanwhile; then its task says that it is closed.
                    let _ = admission.send(Ok(frames));
                }
            }
            Output::WebSocketRefuse(key, status) => {
                if let Some(admission) = self.asking.remove(&key) {
                    let _ = admission.send(Err(status));
                }
            }
            Output::WebSocketSend(key, text) => {
                if self.open.get(&key).is_some_and(|to| to.try_send(Frame::Text(text)).is_err()) {
                    // Dropping the sender ends the connection's task.
                    self.open.remove(&key);
                }
            }
            Output::WebSocketClose(key, code, reason) => {
                if let Some(to) = self.open.remove(&key) {
                    // A full queue is cut.
                    let _ = to.try_send(Frame::Close(code, reason));
                }
            }
            Output::Event(e) => {
                self.events.push_back((wall_clock(), e));
                if self.events.len() > KEPT_EVENTS {
                    self.events.pop_front();
                }
            }
        }
    }

    /// What the bridge told of itself so far, the newest last.
    pub fn events(&self) -> Vec<(Time, Event)> {
        self.events.iter().cloned().collect()
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, inputs: mpsc::UnboundedSender<Input>) {
    let mut next: SocketKey = 1;
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            // Out of descriptors, or a client that went before it was accepted: neither ends the bridge.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (key, tls, inputs) = (next, tls.clone(), inputs.clone());
        next += 1;
        tokio::spawn(async move {
            let served = async {
                tcp.set_nodelay(true)?;
                match tls {
                    None => connection(tcp, key, &inputs).await,
                    Some(tls) => {
                        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(tcp)).await;
                        connection(handshake.map_err(|_| gone())??, key, &inputs).await
                    }
                }
            };
            // Every error ends the connection, which is all that a server can do about it.
            let _: io::Result<()> = served.await;
            let _ = inputs.send(Input::Closed(key));
        });
    }
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

/// Reads the request of an upgrade; what came after it, too.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Request, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 1024];
        let n = stream.read(&mut part).await?;
        if n == 0 || read.len() + n > MAX_REQUEST_BYTES {
            return Err(gone());
        }
        read.extend_from_slice(&part[..n]);
        if let Some((size, request)) = Request::try_parse(&read).map_err(io::Error::other)? {
            return Ok((request, read.split_off(size)));
        }
    }
}

async fn connection<S>(mut stream: S, key: SocketKey, inputs: &mpsc::UnboundedSender<Input>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // By hand, because whether the upgrade is answered well is the machine's decision.
    let (request, rest) = tokio::time::timeout(HANDSHAKE_TIMEOUT, request(&mut stream)).await.map_err(|_| gone())??;
    let mut response = create_response(&request).map_err(io::Error::other)?;
    let (ask, answer) = oneshot::channel();
    let path = request.uri().path_and_query().map_or_else(String::new, |p| p.as_str().to_owned());
    inputs.send(Input::Opened(key, path, ask)).map_err(|_| gone())?;
    let frames = match answer.await.map_err(|_| gone())? {
        Ok(frames) => frames,
        Err(status) => {
            response.headers_mut().clear();
            response.headers_mut().insert("content-length", 0.into());
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            return respond(&mut stream, &response).await;
        }
    };
    respond(&mut stream, &response).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
    serve(socket, key, frames, inputs).await
}

async fn respond(
    stream: &mut (impl AsyncWrite + Unpin),
    response: &tokio_tungstenite::tungstenite::handshake::server::Response,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    write_response(&mut bytes, response).map_err(io::Error::other)?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

async fn serve<S>(
    socket: WebSocketStream<S>,
    key: SocketKey,
    mut frames: mpsc::Receiver<Frame>,
    inputs: &mpsc::UnboundedSender<Input>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => sink.send(Message::text(text)).await.map_err(io::Error::other)?,
                Some(Frame::Close(code, reason)) => {
                    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
                    sink.send(Message::Close(Some(frame))).await.map_err(io::Error::other)?;
                    // Read to its end: a socket closed over unread bytes is reset, and the code is lost with it.
                    let rest = async { while stream.next().await.is_some_and(|m| m.is_ok()) {} };
                    let _ = tokio::time::timeout(LINGER, rest).await;
                    return Ok(());
                }
                // The bridge is dead.
                None => return Ok(()),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    inputs.send(Input::Text(key, text.as_str().to_owned())).map_err(|_| gone())?;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                // Pings are answered by the library; the channel knows no binary messages.
                Some(Ok(_)) => {}
            },
        }
    }
}
