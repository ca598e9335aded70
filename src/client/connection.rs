//! One WebSocket of a client, from the attempt to the farewell: the stream of XMPP, or the channel to the bridge.

use super::client::FREE_LINGER;
use super::websocket::{self, Target, WebSocket};
use crate::error::{Code, Error, Stage};
use crate::meeting::io::ConnectionKey;
use futures_util::{Sink, Stream};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::Message;

type Connecting = Pin<Box<dyn Future<Output = Result<Box<WebSocket>, Error>> + Send>>;

enum State {
    /// The stage that the attempt is at, and that which was told last.
    Connecting { attempt: Connecting, at: Arc<Mutex<Stage>>, told: Stage },
    /// `failed`: writing does not work any more; what the server said before is still read.
    Open { socket: Box<WebSocket>, flushing: bool, failed: Option<Error> },
}

/// What happened on a connection.
pub(super) enum Progress {
    /// The attempt came to this stage.
    At(Stage),
    Opened,
    Text(String),
    Lost(Error),
}

/// A connection that is being made, or open.
pub(super) struct Connection {
    pub key: ConnectionKey,
    state: State,
}

impl Connection {
    /// Begins an attempt; nothing happens before it is polled.
    pub fn new(key: ConnectionKey, target: Target) -> Connection {
        let at = Arc::new(Mutex::new(Stage::None));
        let stage = at.clone();
        let attempt = Box::pin(async move {
            let tell = |s: Stage| *stage.lock() = s;
            websocket::connect(target, tell).await.map(Box::new)
        });
        Connection { key, state: State::Connecting { attempt, at, told: Stage::None } }
    }

    /// The next thing that happened. After [`Progress::Lost`] it is not to be polled again.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        loop {
            match &mut self.state {
                State::Connecting { attempt, at, told } => match attempt.as_mut().poll(cx) {
                    Poll::Pending => {
                        let now = *at.lock();
                        if *told != now {
                            *told = now;
                            return Poll::Ready(Progress::At(now));
                        }
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(e)) => return Poll::Ready(Progress::Lost(e)),
                    Poll::Ready(Ok(socket)) => {
                        self.state = State::Open { socket, flushing: false, failed: None };
                        return Poll::Ready(Progress::Opened);
                    }
                },
                State::Open { socket, flushing, failed } => {
                    // Read before writing: a server that ends the stream says why before it closes, and a write that fails on the closed
                    // connection must not hide that.
                    match Pin::new(&mut **socket).poll_next(cx) {
                        Poll::Ready(Some(Ok(Message::Text(t)))) => {
                            return Poll::Ready(Progress::Text(t.as_str().to_owned()));
                        }
                        // Answered by the WebSocket layer, once it is flushed.
                        Poll::Ready(Some(Ok(Message::Ping(_)))) => {
                            *flushing = true;
                            continue;
                        }
                        Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                            let e = gone();
                            let told = frame.map(|f| (u16::from(f.code), f.reason.as_str().to_owned()));
                            return Poll::Ready(Progress::Lost(match told {
                                None => e,
                                Some((code, reason)) if reason.is_empty() => e.with_condition(code.to_string()),
                                Some((code, reason)) => Error { text: reason, ..e.with_condition(code.to_string()) },
                            }));
                        }
                        Poll::Ready(Some(Ok(_))) => continue,
                        Poll::Ready(Some(Err(e))) => return Poll::Ready(Progress::Lost(websocket::broken(&e))),
                        Poll::Ready(None) => return Poll::Ready(Progress::Lost(gone())),
                        Poll::Pending => {}
                    }
                    if let Some(e) = failed.take() {
                        return Poll::Ready(Progress::Lost(e));
                    }
                    if *flushing {
                        match Pin::new(&mut **socket).poll_flush(cx) {
                            Poll::Ready(Ok(())) => *flushing = false,
                            Poll::Ready(Err(e)) => return Poll::Ready(Progress::Lost(websocket::broken(&e))),
                            Poll::Pending => {}
                        }
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Queues a text frame; a failure is told by [`Connection::poll`].
    pub fn send(&mut self, text: String) {
        self.start(Message::text(text));
    }

    /// Queues a ping, which keeps proxies from forgetting a silent connection.
    pub fn ping(&mut self) {
        self.start(Message::Ping(Default::default()));
    }

    fn start(&mut self, message: Message) {
        if let State::Open { socket, flushing, failed } = &mut self.state
            && failed.is_none()
        {
            *flushing = true;
            *failed = Pin::new(&mut **socket).start_send(message).err().map(|e| websocket::broken(&e));
        }
    }

    /// What gives the last words (the leave, the close) their chance to get out, if there is anything to say good-bye to.
    pub fn farewell(self) -> Option<impl Future<Output = ()> + Send> {
        let State::Open { mut socket, .. } = self.state else { return None };
        Some(async move {
            // Nobody is left to be told: for the meeting this connection is over.
            let _ = tokio::time::timeout(FREE_LINGER, poll_fn(|cx| Pin::new(&mut *socket).poll_close(cx))).await;
        })
    }
}

fn gone() -> Error {
    Error::new(Code::Disconnected, Stage::Stream, "the server closed the connection")
}
