//! The WebSocket transport (RFC 6455): of the stream, where one text frame is one XML element (RFC 7395), and of the bridge
//! channel (docs/protocol/04 §1.3).
//!
//! Every step has its own typed error: resolve, connect, TLS, HTTP upgrade.

use super::tls;
use crate::error::{Code, Error, Stage};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error as WsError};

/// Longest text frame taken from the server. It is twice what a stanza may have, and more than a message of the bridge, so that one which is too
/// long is dropped by itself where it is looked at; a longer one ends the connection, before it is read.
const MAX_TEXT_BYTES: usize = 2 << 20;
/// Bytes of the read buffer. tungstenite's default of 128 KiB per connection is too much for a thousand participants.
const READ_BUFFER: usize = 4096;
/// Unsent bytes past which the connection counts as dead.
const MAX_UNSENT: usize = 4 << 20;
/// Head start of one address before the next is tried as well (RFC 8305 §5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// Addresses tried at most.
const MAX_ADDRESSES: usize = 8;

/// Plain or encrypted TCP.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, b: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(s) => Pin::new(s).poll_read(cx, b),
            Socket::Tls(s) => Pin::new(s.as_mut()).poll_read(cx, b),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, b: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(s) => Pin::new(s).poll_write(cx, b),
            Socket::Tls(s) => Pin::new(s.as_mut()).poll_write(cx, b),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(s) => Pin::new(s).poll_flush(cx),
            Socket::Tls(s) => Pin::new(s.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Socket::Tls(s) => Pin::new(s.as_mut()).poll_shutdown(cx),
        }
    }
}

pub(crate) type WebSocket = WebSocketStream<Socket>;

/// What a connection is made from.
pub(crate) struct Target {
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: String,
    /// The sub-protocol asked for.
    pub protocol: Option<&'static str>,
    pub extra_ca_pem: Vec<u8>,
    pub insecure_tls: bool,
}

/// Whether everything sent to `url` is encrypted or stays on this machine.
pub(crate) fn secrets_allowed(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    if uri.scheme_str() == Some("wss") {
        return true;
    }
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// The host of a URL; empty when it has none.
pub(crate) fn host(url: &str) -> String {
    url.parse::<Uri>().ok().and_then(|u| u.host().map(|h| h.trim_matches(['[', ']']).to_owned())).unwrap_or_default()
}

/// Connects: resolve, TCP, TLS, upgrade, and tells as each begins. Cancelled by dropping it.
pub(crate) async fn connect(target: Target, tell: impl Fn(Stage)) -> Result<WebSocket, Error> {
    let uri: Uri =
        target.url.parse().map_err(|_| Error::new(Code::Options, Stage::Resolve, "url is not a valid URL"))?;
    let secure = uri.scheme_str() == Some("wss");
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        return Err(Error::new(Code::Options, Stage::Resolve, "url has no host"));
    }
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tls = if secure { Some(tls::ready(target.extra_ca_pem, target.insecure_tls).await?) } else { None };

    let tcp = tcp(&host, port, &tell).await?;
    // Signalling is short writes that must not wait for each other.
    tcp.set_nodelay(true).ok();
    let socket = match tls {
        None => Socket::Plain(tcp),
        Some(config) => {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| Error::new(Code::Options, Stage::Tls, format!("{host} is no host name")))?;
            tell(Stage::Tls);
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&config));
            let stream = connector.connect(name, tcp).await.map_err(|e| tls::error(&e))?;
            Socket::Tls(Box::new(stream))
        }
    };
    tell(Stage::Upgrade);
    upgrade(uri, &target.token, target.protocol, socket).await
}

async fn tcp(host: &str, port: u16, tell: impl Fn(Stage)) -> Result<TcpStream, Error> {
    tell(Stage::Resolve);
    let resolved = tokio::net::lookup_host((host, port)).await;
    let found: Vec<SocketAddr> =
        resolved.map_err(|e| Error::new(Code::Resolve, Stage::Resolve, format!("{host}: {e}")))?.collect();
    tell(Stage::Connect);
    let mut addresses = interleave(found).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        match addresses.next() {
            Some(a) => attempts.push(TcpStream::connect(a)),
            None if attempts.is_empty() => break,
            None => {}
        }
        let more = addresses.len() > 0;
        let result = tokio::select! {
            r = attempts.next(), if !attempts.is_empty() => r,
            () = tokio::time::sleep(NEXT_ADDRESS), if more => None,
        };
        match result {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(e)) => last = Some(e),
            None => {}
        }
    }
    match last {
        Some(e) => Err(Error::new(Code::Connect, Stage::Connect, format!("{host}:{port}: {e}"))),
        None => Err(Error::new(Code::Resolve, Stage::Resolve, format!("{host} has no address"))),
    }
}

/// Families in turn, the first one as the resolver ordered them (RFC 8305 §4); at most [`MAX_ADDRESSES`].
fn interleave(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (a, b): (Vec<_>, Vec<_>) = found.into_iter().partition(|s| s.is_ipv6() == first_v6);
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    loop {
        match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) => out.extend(x.into_iter().chain(y)),
        }
    }
    out.truncate(MAX_ADDRESSES);
    out
}

async fn upgrade(uri: Uri, token: &str, protocol: Option<&'static str>, socket: Socket) -> Result<WebSocket, Error> {
    let fault = |e: &dyn std::fmt::Display| Error::new(Code::Upgrade, Stage::Upgrade, e.to_string());
    let mut request = uri.into_client_request().map_err(|e| fault(&e))?;
    let headers = request.headers_mut();
    if let Some(p) = protocol {
        headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_static(p));
    }
    if !token.is_empty() {
        // Hardened servers read the token only from here (docs/protocol/01 §2.1).
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::new(Code::Options, Stage::Upgrade, "token has characters that no header can carry"))?;
        value.set_sensitive(true);
        headers.insert("Authorization", value);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(Some(MAX_TEXT_BYTES))
        .max_frame_size(Some(MAX_TEXT_BYTES));
    match tokio_tungstenite::client_async_with_config(request, socket, Some(config)).await {
        Ok((ws, _)) => Ok(ws),
        Err(WsError::Http(response)) => {
            let status = response.status();
            Err(Error::new(Code::Upgrade, Stage::Upgrade, format!("the server answered HTTP {status}"))
                .with_condition(status.as_u16().to_string()))
        }
        Err(WsError::Io(e)) => Err(Error::new(Code::Upgrade, Stage::Upgrade, e.to_string())),
        Err(e) => Err(fault(&e)),
    }
}

/// The typed error of a connection that broke after the upgrade.
pub(crate) fn broken(e: &tungstenite::Error) -> Error {
    match e {
        // Cut without a word, which is no breach.
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Error::new(Code::Disconnected, Stage::Stream, e.to_string())
        }
        WsError::Capacity(_) => Error::new(Code::Protocol, Stage::Stream, "a frame over the size limit"),
        WsError::Protocol(_) | WsError::Utf8(_) | WsError::AttackAttempt => {
            Error::new(Code::Protocol, Stage::Stream, e.to_string())
        }
        _ => Error::new(Code::Disconnected, Stage::Stream, e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[test]
    fn secrets_go_only_encrypted_or_to_this_machine() {
        for (url, allowed) in [
            ("wss://meet.example/x", true),
            ("ws://meet.example/x", false),
            ("ws://localhost:5280/x", true),
            ("ws://127.0.0.1:5280/x", true),
            ("ws://[::1]:5280/x", true),
            ("ws://localhost.evil.example/x", false),
            ("nonsense", false),
        ] {
            assert_eq!(secrets_allowed(url), allowed, "{url}");
        }
    }

    #[test]
    fn families_take_turns() {
        let a: Vec<SocketAddr> =
            ["[::1]:1", "[::2]:1", "1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"].iter().map(|s| s.parse().unwrap()).collect();
        let i = interleave(a.clone());
        assert_eq!(i, [a[0], a[2], a[1], a[3], a[4]]);
    }

    #[test]
    fn a_name_with_many_addresses_is_tried_at_a_few() {
        let all = |n: usize| (0..n).map(|i| SocketAddr::from(([10, 0, 0, i as u8], 1))).collect::<Vec<_>>();
        assert_eq!(interleave(all(MAX_ADDRESSES)), all(MAX_ADDRESSES));
        assert_eq!(interleave(all(MAX_ADDRESSES + 1)), all(MAX_ADDRESSES));
    }

    /// What is heard of a server that sends this, byte for byte, once the upgrade is done.
    async fn heard(bytes: Vec<u8>) -> Result<tungstenite::Message, WsError> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let server = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut tcp = tokio_tungstenite::accept_async(tcp).await.unwrap().into_inner();
            // Whoever refuses the frame does not wait for its end.
            let _ = tcp.write_all(&bytes).await;
            tcp
        };
        let client = async {
            let target =
                Target { url, token: String::new(), protocol: None, extra_ca_pem: vec![], insecure_tls: false };
            let stages = std::cell::RefCell::new(vec![]);
            let mut socket = connect(target, |s| stages.borrow_mut().push(s)).await.unwrap();
            assert_eq!(stages.take(), [Stage::Resolve, Stage::Connect, Stage::Upgrade]);
            socket.next().await.unwrap()
        };
        tokio::join!(client, server).0
    }

    /// The head of a text frame of so many bytes (RFC 6455 §5.2), and what comes of it.
    fn frame(promised: usize, sent: usize) -> Vec<u8> {
        let mut bytes = vec![0x81, 127];
        bytes.extend((promised as u64).to_be_bytes());
        bytes.resize(bytes.len() + sent, b'x');
        bytes
    }

    #[tokio::test]
    async fn a_frame_over_the_limit_ends_the_connection_before_it_is_read() {
        let fits = heard(frame(MAX_TEXT_BYTES, MAX_TEXT_BYTES)).await;
        assert!(matches!(fits, Ok(tungstenite::Message::Text(t)) if t.len() == MAX_TEXT_BYTES));
        // Of these no more than the head ever comes: who waits for the rest waits for ever.
        for promised in [MAX_TEXT_BYTES + 1, 100_000_000, usize::MAX >> 1] {
            let e = heard(frame(promised, 0)).await.unwrap_err();
            assert_eq!((broken(&e).code, broken(&e).stage), (Code::Protocol, Stage::Stream), "{promised}: {e}");
        }
    }
}
