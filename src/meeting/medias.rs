//! The media sessions of a meeting: one to the bridge, one to a peer, and which of them carries what we send
//! (docs/protocol/02 §1.1, §14.6).

use super::event::MediaPath;
use super::io::SocketsKey;
use super::session::MediaSession;
use crate::jingle::SessionKey;
use crate::media::EncodedFrame;
use crate::media::peer;
use crate::time::{Time, earliest};
use std::sync::Arc;

/// At most one session of each kind.
#[derive(Default)]
pub struct Medias {
    peer: Option<MediaSession>,
    bridge: Option<MediaSession>,
}

impl Medias {
    /// Puts a session in the place of its kind; what was there before comes back.
    pub fn put(&mut self, m: MediaSession) -> Option<MediaSession> {
        match m.path {
            MediaPath::PeerToPeer => self.peer.replace(m),
            MediaPath::Bridge => self.bridge.replace(m),
        }
    }

    /// Takes a session away.
    pub fn take(&mut self, key: SessionKey) -> Option<MediaSession> {
        self.peer.take_if(|m| m.key == key).or_else(|| self.bridge.take_if(|m| m.key == key))
    }

    /// Takes all away.
    pub fn drain(&mut self) -> impl Iterator<Item = MediaSession> + use<> {
        [self.peer.take(), self.bridge.take()].into_iter().flatten()
    }

    /// The session of this key.
    pub fn get_mut(&mut self, key: SessionKey) -> Option<&mut MediaSession> {
        self.iter_mut().find(|m| m.key == key)
    }

    /// The session that has these sockets.
    pub fn of_sockets_mut(&mut self, key: SocketsKey) -> Option<&mut MediaSession> {
        self.iter_mut().find(|m| m.has_sockets(key))
    }

    /// The session that our frames go to: the peer's once it is up, which suspends the bridge's media; else the bridge's.
    pub fn active(&self) -> Option<&MediaSession> {
        self.peer.as_ref().filter(|m| m.secure).or(self.bridge.as_ref().filter(|m| m.secure))
    }

    /// The session that our frames go to.
    pub fn active_mut(&mut self) -> Option<&mut MediaSession> {
        self.peer.as_mut().filter(|m| m.secure).or(self.bridge.as_mut().filter(|m| m.secure))
    }

    /// Key of the session that our frames go to.
    pub fn active_key(&self) -> Option<SessionKey> {
        self.active().map(|m| m.key)
    }

    /// All of them, the peer's first.
    pub fn iter(&self) -> impl Iterator<Item = &MediaSession> {
        self.peer.iter().chain(&self.bridge)
    }

    /// All of them, the peer's first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut MediaSession> {
        self.peer.iter_mut().chain(&mut self.bridge)
    }

    /// What an engine wants done, with its session.
    pub fn poll_engine(&mut self) -> Option<(SessionKey, peer::Output)> {
        self.iter_mut().find_map(|m| Some((m.key, m.engine.poll_output()?)))
    }

    /// The next whole frame, with its session.
    pub fn poll_frame(&mut self) -> Option<(SessionKey, EncodedFrame)> {
        self.iter_mut().find_map(|m| Some((m.key, m.poll_frame()?)))
    }

    /// The next key of a telephone that was heard: whose, in which source.
    pub fn poll_key(&mut self) -> Option<(Arc<str>, Arc<str>, char)> {
        self.iter_mut().find_map(MediaSession::poll_key)
    }

    /// When one of them wants to be told of the time.
    pub fn next_deadline(&self) -> Option<Time> {
        self.iter().map(MediaSession::next_deadline).fold(None, earliest)
    }
}
