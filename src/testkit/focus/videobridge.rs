//! The testkit's videobridge in the focus's words: requests become calls, results become answers.

use super::colibri::{Answer, BridgeTransport, Colibri, RemoteTransport, Request};
use super::sources::EndpointSources;
use crate::media::peer::{Candidate, CandidateKind, Fingerprint};
use crate::testkit::bridge::{self, Bridge, BridgeSource, EndpointOptions, Kind, Offer};
use crate::time::Time;
use crate::wire::colibri::BridgeVideoType;
use crate::wire::jingle::{GroupSemantics, Media, VideoType};
use std::net::SocketAddr;

impl Colibri for Bridge {
    fn request(&mut self, request: Request, now: Time) -> Option<Answer> {
        match request {
            Request::Allocate(a) => {
                // A new focus, or a new session of the same endpoint: what was is gone (docs/protocol/02 §11.1).
                let _gone = self.expire(&a.endpoint, now);
                let options = EndpointOptions {
                    conference: a.conference.clone(),
                    ssrc_rewriting: a.rewriting,
                    mid_demux: a.mid_demux,
                    sctp: a.sctp,
                    websocket: true,
                    rtx: a.rtx,
                };
                let (conference, endpoint, token) = (a.conference, a.endpoint, a.token);
                Some(match self.allocate(&endpoint, options, now) {
                    Ok(offer) => {
                        let own_ssrcs = (offer.audio_ssrc, offer.video_ssrc);
                        let transport = transport(offer);
                        Answer::Allocated { conference, endpoint, token, transport, own_ssrcs }
                    }
                    Err(_) => Answer::Refused { conference, endpoint, token },
                })
            }
            Request::RestartIce { conference, endpoint } => Some(match self.restart_ice(&endpoint, now) {
                Ok(offer) => {
                    let generation = offer.generation;
                    // The roles of DTLS are settled by then.
                    let transport = BridgeTransport { setup: "passive".into(), ..transport(offer) };
                    Answer::Restarted { conference, endpoint, transport, generation }
                }
                Err(_) => Answer::Declined { conference, endpoint },
            }),
            // What a bridge refuses of these, nobody hears of: colibri answers after the participant was answered.
            Request::Accept { endpoint, transport, .. } | Request::Transport { endpoint, transport, .. } => {
                let _refused = self.accept(&endpoint, &remote(transport), now);
                None
            }
            Request::Sources { endpoint, sources, .. } => {
                let _refused = self.set_sources(&endpoint, by_name(&sources), now);
                None
            }
            Request::ForceMute { endpoint, audio, video, .. } => {
                for (kind, on) in [(Kind::Audio, audio), (Kind::Video, video)] {
                    if on {
                        let _refused = self.set_muted(&endpoint, kind, true, now);
                    }
                }
                None
            }
            Request::Expire { endpoint, .. } => {
                let _gone = self.expire(&endpoint, now);
                None
            }
        }
    }

    fn videobridge(&mut self) -> Option<&mut Bridge> {
        Some(self)
    }

    fn handle_timeout(&mut self, now: Time) {
        Bridge::handle_timeout(self, now);
    }

    fn next_deadline(&self) -> Option<Time> {
        Bridge::next_deadline(self)
    }

    fn poll_output(&mut self) -> Option<bridge::Output> {
        Bridge::poll_output(self)
    }
}

fn transport(o: Offer) -> BridgeTransport {
    BridgeTransport {
        ufrag: o.ufrag,
        pwd: o.pwd,
        fingerprint: (o.fingerprint.hash, o.fingerprint.value),
        setup: o.setup.into(),
        candidates: o.candidates.into_iter().map(|c| c.address).collect(),
        web_sockets: o.websockets,
    }
}

fn remote(t: RemoteTransport) -> bridge::RemoteTransport {
    let candidate = |(i, address): (usize, SocketAddr)| Candidate {
        foundation: (i + 1).to_string(),
        priority: 2_130_706_431 - i as u32 * 256,
        address,
        kind: CandidateKind::Host,
        related: None,
    };
    bridge::RemoteTransport {
        ufrag: t.ufrag,
        pwd: t.pwd,
        fingerprint: t.fingerprint.map(|(hash, value)| Fingerprint { hash, value }),
        setup: if t.active { "active" } else { "passive" }.into(),
        candidates: t.candidates.into_iter().enumerate().map(candidate).collect(),
    }
}

/// SSRCs gathered to sources by name; what has no name goes by its msid, as Jicofo's clients of old.
fn by_name(all: &EndpointSources) -> Vec<BridgeSource> {
    let mut out: Vec<BridgeSource> = Vec::new();
    for s in &all.sources {
        let kind = if s.media == Media::Audio { Kind::Audio } else { Kind::Video };
        let name = s.name.as_deref().or(s.msid.as_deref()).unwrap_or_default();
        if let Some(known) = out.iter_mut().find(|o| o.name == name && o.kind == kind) {
            known.ssrcs.push(s.ssrc);
            continue;
        }
        let video_type = match s.video_type {
            Some(VideoType::Desktop) => BridgeVideoType::Desktop,
            _ => BridgeVideoType::Camera,
        };
        out.push(BridgeSource {
            name: name.to_owned(),
            kind,
            video_type,
            ssrcs: vec![s.ssrc],
            sim: Vec::new(),
            fid: Vec::new(),
        });
    }
    for o in &mut out {
        let own = |ssrcs: &[u32]| ssrcs.iter().all(|s| o.ssrcs.contains(s));
        let sim =
            all.groups.iter().find(|g| g.semantics == GroupSemantics::Sim && own(&g.ssrcs)).map(|g| g.ssrcs.clone());
        let fid = all.groups.iter().filter(|g| g.semantics == GroupSemantics::Fid && own(&g.ssrcs));
        let fid = fid.filter_map(|g| Some((*g.ssrcs.first()?, *g.ssrcs.get(1)?))).collect();
        o.sim = sim.unwrap_or_default();
        o.fid = fid;
    }
    out
}
