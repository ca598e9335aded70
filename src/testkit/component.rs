//! Runs the focus as an external component of a real server (XEP-0114): TCP, handshake, stanzas. The I/O shell of
//! `focus.rs`; it decides nothing.

use super::deployment::OsRandom;
use super::focus::{Focus, FocusOptions};
use super::wall_clock;
use super::xml_stream::{Piece, XmlStream};
use crate::env::Env;
use crate::wire::{XmlWriter, ns};
use sha1::{Digest, Sha1};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long connection and handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A focus that is an authenticated component of a server.
pub struct FocusComponent {
    tcp: TcpStream,
    stream: XmlStream,
    focus: Focus,
}

fn broken(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

impl FocusComponent {
    /// Connects to the server's component port and authenticates as `domain`.
    pub async fn connect(host: &str, port: u16, domain: &str, secret: &str) -> io::Result<FocusComponent> {
        let options = FocusOptions { stanza_ns: ns::COMPONENT.into(), ..FocusOptions::new(domain) };
        let focus = Focus::new(options, Env::new(OsRandom)).ok_or_else(|| broken("the domain is no address"))?;
        let connect = async {
            let tcp = TcpStream::connect((host, port)).await?;
            tcp.set_nodelay(true)?;
            let mut c = FocusComponent { tcp, stream: XmlStream::default(), focus };
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
        let Piece::Header(header) = self.read().await? else { return Err(broken("no stream header")) };
        let id = header_attr(&header, "id").ok_or_else(|| broken("a stream header without id"))?;
        let digest = Sha1::digest(format!("{id}{secret}"));
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        self.tcp.write_all(format!("<handshake>{hex}</handshake>").as_bytes()).await?;
        match self.read().await? {
            Piece::Stanza(s) if s.starts_with("<handshake") => Ok(()),
            Piece::Stanza(s) | Piece::Header(s) => Err(broken(format!("refused: {s}"))),
            Piece::End => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Serves until `stop` is done, then leaves all rooms. Before that only an error ends it: a component that is no longer
    /// one.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let mut stop = std::pin::pin!(stop);
        loop {
            let wait = self.focus.next_deadline().map_or(Duration::from_secs(3600), |d| d.since(wall_clock()));
            let piece = tokio::select! {
                () = &mut stop => {
                    self.focus.leave_all();
                    self.flush().await?;
                    return self.tcp.write_all(b"</stream:stream>").await;
                }
                piece = tokio::time::timeout(wait, self.read()) => piece,
            };
            match piece {
                Err(_) => self.focus.handle_timeout(wall_clock()),
                Ok(Err(e)) => return Err(e),
                Ok(Ok(Piece::Stanza(s))) if s.starts_with("<stream:error") => return Err(broken(s)),
                Ok(Ok(Piece::Stanza(s))) => self.focus.handle_text(&s, wall_clock()),
                Ok(Ok(Piece::Header(_))) => {}
                Ok(Ok(Piece::End)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            self.flush().await?;
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while let Some(out) = self.focus.poll_output() {
            self.tcp.write_all(out.as_bytes()).await?;
        }
        Ok(())
    }

    /// The next piece of the stream. Cancel-safe: bytes already read stay in the stream's buffer.
    async fn read(&mut self) -> io::Result<Piece> {
        loop {
            if let Some(piece) = self.stream.next_piece().map_err(|e| broken(e.to_string()))? {
                return Ok(piece);
            }
            let mut buffer = [0; 4096];
            let n = self.tcp.read(&mut buffer).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.stream.push(&buffer[..n]);
        }
    }
}

/// An attribute of a stream header, which is no whole document: it is closed for the parser.
fn header_attr(header: &str, name: &str) -> Option<String> {
    let closed = format!("{header}</stream:stream>");
    let d = crate::wire::Document::parse(&closed).ok()?;
    d.root().attr(name).map(str::to_owned)
}
