//! What Jingle wants done: answers and requests out, engines made and told, tracks come and gone.

use super::event::{EventKind, MediaEnd, MediaPath, MediaState, SourcesRefused, TimelineStage, Track};
use super::machine::{Asker, Meeting};
use super::session::{MediaSession, Source};
use super::tracks::{self, Origin};
use crate::conference::MuteKind;
use crate::error::Code;
use crate::few::gathered;
use crate::jingle::{self, BridgeState, EndReason, IceCandidate, P2pState, RejoinReason, Removal};
use crate::media::kind::{MediaType, VideoType};
use crate::media::peer::{Candidate, CandidateKind, Command, DtlsRole, Fingerprint, IceCredentials, RemoteTransport};
use crate::time::Time;
use crate::wire::jingle::CandidateType;
use crate::wire::stanza::IqType;
use std::sync::Arc;

impl Meeting {
    pub(super) fn on_jingle(&mut self, output: jingle::Output, now: Time) {
        match output {
            jingle::Output::Reply(stanza) => {
                // Not bound any more: then the stream's own end is on its way.
                if let Some(s) = &mut self.stream {
                    let _ = s.send_stanza(stanza);
                }
            }
            jingle::Output::SendIq { token, to, payload, timeout } => {
                if let Some(s) = &mut self.stream {
                    let iq = s.send_iq(Some(&to), IqType::Set, &payload, timeout, now);
                    self.iqs.insert(iq, Asker::Jingle(token));
                }
            }
            jingle::Output::CreateEngine { session, controlling, bridge: None } => {
                self.create_engine(session, MediaPath::PeerToPeer, controlling, None, now);
            }
            jingle::Output::CreateEngine { session, controlling, bridge: Some(offer) } => {
                self.create_engine(session, MediaPath::Bridge, controlling, offer.sctp_port, now);
                self.link_bridge(session, &offer);
            }
            jingle::Output::RemoteDescription { session, transport, negotiated } => {
                self.reach(TimelineStage::SessionAccept, now);
                let Some(m) = self.medias.get_mut(session) else { return };
                m.negotiated(negotiated, &self.tracks, &mut self.env, now);
                m.engine.handle_command(Command::SetRemote(remote_transport(transport)), now);
                self.select_codecs(now);
            }
            jingle::Output::RemoteCandidates { session, candidates } => {
                let Some(m) = self.medias.get_mut(session) else { return };
                for c in candidates {
                    m.engine.handle_command(Command::AddRemoteCandidate(to_engine(c)), now);
                }
            }
            jingle::Output::SourcesAdded { session, sources } => {
                if let Some(m) = self.medias.get_mut(session) {
                    m.expect_sources(sources.len());
                }
                for s in sources.iter().map(Source::from) {
                    if let Some(m) = self.medias.get_mut(session) {
                        m.add_source(&s, now);
                    }
                    self.track_known(&s.owner, &s.name, s.media, s.video_type, Origin::Session(session));
                }
                self.signal_readers();
            }
            jingle::Output::SourcesRemoved { session, sources, because } => {
                // What the bridge knew the next session with it will know again.
                let of_bridge = self.link.as_ref().is_some_and(|l| l.is_of(session));
                let held = because == Removal::SessionEnded && of_bridge;
                for s in sources.iter().map(Source::from) {
                    let gone =
                        self.medias.get_mut(session).is_none_or(|m| m.remove_source(&s.name, &s.primaries, false, now));
                    if held {
                        self.hold_track(&s.owner, &s.name, session);
                    } else if gone {
                        self.track_forgotten(&s.owner, &s.name, Origin::Session(session));
                        // Of nobody else is anything kept: a focus may name whom it likes.
                        if of_bridge && because == Removal::Signalled && self.roster.contains_key(&*s.owner) {
                            self.tracks.unsignal(&s.owner, &s.name).into_iter().for_each(|t| self.tell_removed(t));
                        }
                    }
                }
            }
            jingle::Output::LocalVideoWanted { session, wanted } => {
                if let Some(m) = self.medias.get_mut(session) {
                    m.video_wanted = wanted;
                    self.tell_writers();
                }
            }
            jingle::Output::RemoteConstraints { session, heights } => {
                if let Some(m) = self.medias.get_mut(session) {
                    m.heights = gathered(heights);
                    self.tell_writers();
                }
            }
            jingle::Output::RestartIce { session, generation, credentials, candidates } => {
                let credentials = IceCredentials { ufrag: credentials.ufrag, pwd: credentials.pwd };
                let candidates = candidates.into_iter().map(to_engine).collect();
                self.restart_ice(session, generation, credentials, candidates);
            }
            jingle::Output::CloseEngine { session } => {
                if self.link.as_ref().is_some_and(|l| l.is_of(session)) {
                    self.unlink_bridge();
                }
                self.close_engine(session, now);
            }
            jingle::Output::Event(e) => self.on_jingle_event(e),
        }
    }

    pub(super) fn on_jingle_event(&mut self, event: jingle::Event) {
        match event {
            jingle::Event::P2p { state, .. } => match state {
                P2pState::Starting { peer, .. } => {
                    self.last_peer.clone_from(&peer);
                    self.emit(EventKind::Media(MediaPath::PeerToPeer, MediaState::Connecting { endpoint_id: peer }));
                }
                // Told when DTLS is done too: only then frames flow.
                P2pState::Active => {}
                P2pState::Ended(reason) => {
                    let endpoint_id = self.last_peer.clone();
                    let ended = MediaState::Ended(Box::new(media_end(endpoint_id, reason)));
                    self.emit(EventKind::Media(MediaPath::PeerToPeer, ended));
                }
            },
            jingle::Event::BridgeOffered { .. } => self.emit(EventKind::BridgeOffered),
            jingle::Event::Bridge { session, state } => {
                let endpoint_id = String::new();
                if state == BridgeState::Active {
                    for t in self.tracks.release_held() {
                        self.tell_removed(t);
                    }
                }
                match state {
                    BridgeState::Starting => {
                        self.emit(EventKind::Media(MediaPath::Bridge, MediaState::Connecting { endpoint_id }));
                    }
                    // At first told when DTLS is done: only then frames flow.
                    BridgeState::Active => {
                        let back = |m: &mut MediaSession| m.secure && std::mem::take(&mut m.recovering);
                        if !self.medias.get_mut(session).is_some_and(back) {
                            return;
                        }
                        self.emit(EventKind::Media(MediaPath::Bridge, MediaState::Connected { endpoint_id }));
                    }
                    BridgeState::Recovering => {
                        if let Some(m) = self.medias.get_mut(session) {
                            m.recovering = true;
                        }
                        self.emit(EventKind::Media(MediaPath::Bridge, MediaState::Recovering { endpoint_id }));
                    }
                    BridgeState::Ended(reason) => {
                        let ended = MediaState::Ended(Box::new(media_end(endpoint_id, reason)));
                        self.emit(EventKind::Media(MediaPath::Bridge, ended));
                    }
                }
            }
            jingle::Event::RejoinWanted(why) => {
                let why = match why {
                    RejoinReason::NotInvited => "the focus did not invite us again".to_owned(),
                    RejoinReason::RestartsExhausted => "several restarts did not help".to_owned(),
                    RejoinReason::AcceptRefused { condition, text } => format!("{condition} {text}"),
                };
                self.rejoin(&why, self.clock);
            }
            jingle::Event::IceRestartRefused { condition, .. } => {
                self.emit(EventKind::RestartRefused { condition: condition.to_owned() });
            }
            jingle::Event::SourcesRefused { session, names, why } => {
                let path = self.medias.get_mut(session).map_or(MediaPath::Bridge, |m| m.path);
                self.emit(EventKind::SourcesRefused(Box::new(SourcesRefused { path, names, why })));
            }
            // Answered already: what strangers ask is no program's business.
            jingle::Event::Refused { .. } => self.unhandled += 1,
        }
    }

    /// The focus wants us to begin muted: what of our tracks is not, is muted, as if the program had done it. Only the first
    /// session of a stay says so to one who has not spoken yet.
    pub(super) fn start_muted(&mut self, wanted: Option<(bool, bool)>) {
        let first = !std::mem::replace(&mut self.started, true);
        let Some((audio, video)) = wanted.filter(|w| first && (w.0 || w.1)) else { return };
        self.force_muted(|kind| if kind == MuteKind::Audio { audio } else { video }, self.clock);
        self.emit(EventKind::StartMuted { audio, video });
    }

    /// Somebody's source is known by `origin`: a track, unless it is nobody's who is in the room. `told`: what kind of video it was
    /// said to be, which holds until presence says it: that may come later than the bridge's own word.
    pub(super) fn track_known(&mut self, owner: &str, name: &str, media: MediaType, told: VideoType, origin: Origin) {
        let Some(participant) = self.roster.get(owner).map(|p| p.key) else { return };
        let (muted, video_type) = self.source_state(owner, name, told);
        let t = tracks::remote(Some(participant), owner, name, media, video_type, muted);
        if let Some(t) = self.tracks.add_remote(t, origin) {
            self.emit(EventKind::TrackAdded(t));
            self.tell_forwarded_before(name);
        }
    }

    /// The session that knew a track is over. The next one will know it again, unless presence has taken it away meanwhile.
    pub(super) fn hold_track(&mut self, owner: &str, name: &str, session: jingle::SessionKey) {
        if self.tracks.is_withdrawn(owner, name) {
            self.track_forgotten(owner, name, Origin::Session(session));
        } else {
            self.tracks.hold(owner, name, session);
        }
    }

    /// `origin` knows the source no more.
    pub(super) fn track_forgotten(&mut self, owner: &str, name: &str, origin: Origin) {
        if let Some(t) = self.tracks.remove_remote(owner, name, origin) {
            self.tell_removed(t);
        }
    }

    /// A remote track is gone, and its readers with it.
    pub(super) fn tell_removed(&mut self, t: Arc<Track>) {
        self.end_readers_of(t.key);
        self.streaming.remove(t.key);
        self.emit(EventKind::TrackRemoved(t));
    }
}

fn media_end(endpoint_id: String, r: EndReason) -> MediaEnd {
    let code = match r {
        EndReason::IceFailed => Code::Ice,
        EndReason::HandshakeFailed => Code::Dtls,
        _ => Code::Ok,
    };
    let own = |reason: &str, text: &str| (false, reason.to_owned(), text.to_owned());
    let (by_peer, reason, text) = match r {
        EndReason::NotWanted => own("success", "peer to peer is not wanted any more"),
        EndReason::PeerLeft => own("gone", "the peer left"),
        EndReason::Left => own("success", "we left"),
        EndReason::Peer { condition, text } => (true, condition, text),
        EndReason::NotAnswered => own("timeout", "the peer did not answer"),
        EndReason::BadDescription(what) => own("failed-application", what),
        EndReason::IceFailed => own("connectivity-error", "no path to the peer"),
        EndReason::HandshakeFailed => own("connectivity-error", "the handshake with the peer failed"),
        EndReason::MediaFailed => own("connectivity-error", "the media connection failed"),
        EndReason::SourcesChanged => own("connectivity-error", "the sources changed"),
        EndReason::Replaced => own("success", "another session took its place"),
        EndReason::Restarting => own("success", "a new session was asked for"),
    };
    MediaEnd { endpoint_id, reason, text, by_peer, code }
}

fn remote_transport(t: jingle::RemoteTransport) -> RemoteTransport {
    RemoteTransport {
        credentials: IceCredentials { ufrag: t.ufrag, pwd: t.pwd },
        fingerprints: t.fingerprints.into_iter().map(|(hash, value)| Fingerprint { hash, value }).collect(),
        dtls: match t.dtls {
            jingle::DtlsRole::Client => DtlsRole::Client,
            jingle::DtlsRole::Server => DtlsRole::Server,
        },
    }
}

fn to_engine(c: IceCandidate) -> Candidate {
    Candidate {
        foundation: c.foundation,
        priority: c.priority,
        address: c.address,
        kind: match c.kind {
            CandidateType::Host => CandidateKind::Host,
            CandidateType::ServerReflexive => CandidateKind::ServerReflexive,
            CandidateType::PeerReflexive => CandidateKind::PeerReflexive,
            CandidateType::Relayed => CandidateKind::Relayed,
        },
        related: c.related,
    }
}

pub(super) fn to_jingle(c: &Candidate) -> IceCandidate {
    IceCandidate {
        foundation: c.foundation.clone(),
        priority: c.priority,
        address: c.address,
        kind: match c.kind {
            CandidateKind::Host => CandidateType::Host,
            CandidateKind::ServerReflexive => CandidateType::ServerReflexive,
            CandidateKind::PeerReflexive => CandidateType::PeerReflexive,
            CandidateKind::Relayed => CandidateType::Relayed,
        },
        related: c.related,
    }
}
