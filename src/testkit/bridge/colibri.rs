//! The bridge as the focus asks it (docs/protocol/02 §5): colibri requests as values become calls.

use super::{Bridge, BridgeError, BridgeSource, EndpointOptions, Kind, Offer, RemoteTransport};
use crate::media::peer::{Candidate, CandidateKind, Fingerprint};
use crate::testkit::focus::colibri::{self, Answer, BridgeTransport, Colibri, Request};
use crate::testkit::focus::sources::{EndpointSource, EndpointSources};
use crate::time::Time;
use crate::wire::colibri::BridgeVideoType;
use crate::wire::jingle::{GroupSemantics, Media, VideoType};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;

/// A bridge that the focus asks and that somebody else drives. Clones are the same bridge.
#[derive(Clone, Debug)]
pub struct SharedBridge(Arc<Mutex<Bridge>>);

impl SharedBridge {
    /// A bridge to be shared.
    pub fn new(bridge: Bridge) -> SharedBridge {
        SharedBridge(Arc::new(Mutex::new(bridge)))
    }

    /// The bridge itself, for one call.
    pub fn lock(&self) -> MutexGuard<'_, Bridge> {
        self.0.lock()
    }
}

impl Colibri for SharedBridge {
    fn request(&mut self, request: Request, now: Time) -> Option<Answer> {
        self.lock().request(request, now)
    }
}

fn transport(o: Offer, setup: &str) -> BridgeTransport {
    BridgeTransport {
        ufrag: o.ufrag,
        pwd: o.pwd,
        fingerprint: (o.fingerprint.hash, o.fingerprint.value),
        setup: setup.into(),
        candidates: o.candidates.into_iter().map(|c| c.address).collect(),
        web_sockets: o.websockets,
    }
}

fn remote(t: colibri::RemoteTransport) -> RemoteTransport {
    let candidate = |(i, address)| Candidate {
        foundation: format!("{i}"),
        priority: 1,
        address,
        kind: CandidateKind::Host,
        related: None,
    };
    RemoteTransport {
        ufrag: t.ufrag,
        pwd: t.pwd,
        fingerprint: t.fingerprint.map(|(hash, value)| Fingerprint { hash, value }),
        setup: if t.active { "active" } else { "passive" }.into(),
        candidates: t.candidates.into_iter().enumerate().map(candidate).collect(),
    }
}

/// SSRCs and groups of an endpoint as sources with names. What has no name belongs to nothing that a bridge could forward.
fn sources(all: &EndpointSources) -> Vec<BridgeSource> {
    let mut out: Vec<BridgeSource> = Vec::new();
    for s in &all.sources {
        let Some(name) = &s.name else { continue };
        match out.iter_mut().find(|o| o.name == *name) {
            Some(source) => source.ssrcs.push(s.ssrc),
            None => out.push(first(name, s)),
        }
    }
    for g in &all.groups {
        let Some(source) = g.ssrcs.first().and_then(|f| out.iter_mut().find(|o| o.ssrcs.contains(f))) else { continue };
        match (g.semantics, &g.ssrcs[..]) {
            (GroupSemantics::Sim, ssrcs) => source.sim = ssrcs.to_vec(),
            (GroupSemantics::Fid, [primary, rtx]) => source.fid.push((*primary, *rtx)),
            _ => {}
        }
    }
    out
}

fn first(name: &str, s: &EndpointSource) -> BridgeSource {
    let kind = if s.media == Media::Audio { Kind::Audio } else { Kind::Video };
    let video_type = match s.video_type {
        Some(VideoType::Desktop) => BridgeVideoType::Desktop,
        _ => BridgeVideoType::Camera,
    };
    BridgeSource { name: name.to_owned(), kind, video_type, ssrcs: vec![s.ssrc], sim: vec![], fid: vec![] }
}

impl Colibri for Bridge {
    fn request(&mut self, request: Request, now: Time) -> Option<Answer> {
        // What is said of an endpoint that is gone has no answer in colibri's values: the focus hears of it by other ways.
        let _unanswered: Result<(), BridgeError> = match request {
            Request::Allocate(a) => {
                let options = EndpointOptions {
                    conference: a.conference.clone(),
                    ssrc_rewriting: a.rewriting,
                    mid_demux: a.mid_demux,
                    sctp: a.sctp,
                    rtx: a.rtx,
                    ..EndpointOptions::default()
                };
                let _none_before = self.expire(&a.endpoint, now);
                return match self.allocate(&a.endpoint, options, now) {
                    Ok(offer) => Some(Answer::Allocated {
                        conference: a.conference,
                        endpoint: a.endpoint,
                        token: a.token,
                        own_ssrcs: (offer.audio_ssrc, offer.video_ssrc),
                        transport: transport(offer, "actpass"),
                    }),
                    // The dead say nothing.
                    Err(BridgeError::Dead) => None,
                    Err(_) => {
                        let (conference, endpoint, token) = (a.conference, a.endpoint, a.token);
                        Some(Answer::Refused { conference, endpoint, token })
                    }
                };
            }
            Request::RestartIce { conference, endpoint } => {
                return Some(match self.restart_ice(&endpoint, now) {
                    Ok(offer) => {
                        let generation = offer.generation;
                        let transport = transport(offer, "passive");
                        Answer::Restarted { conference, endpoint, transport, generation }
                    }
                    Err(_) => Answer::Declined { conference, endpoint },
                });
            }
            Request::Accept { endpoint, transport, initial_last_n, .. } => {
                if let Some(n) = initial_last_n {
                    self.set_last_n(&endpoint, i32::try_from(n).unwrap_or(i32::MAX), now);
                }
                self.accept(&endpoint, &remote(transport), now)
            }
            Request::Transport { endpoint, transport, .. } => self.accept(&endpoint, &remote(transport), now),
            Request::Sources { endpoint, sources: all, .. } => self.set_sources(&endpoint, sources(&all), now),
            Request::ForceMute { endpoint, audio, video, .. } => self
                .set_muted(&endpoint, Kind::Audio, audio, now)
                .and_then(|()| self.set_muted(&endpoint, Kind::Video, video, now)),
            Request::Expire { endpoint, .. } => self.expire(&endpoint, now),
        };
        None
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

    fn poll_output(&mut self) -> Option<super::Output> {
        Bridge::poll_output(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::testkit::bridge::BridgeConfig;
    use crate::testkit::focus::colibri::Allocate;
    use crate::testkit::focus::sources::EndpointGroup;

    fn allocate(endpoint: &str) -> Request {
        Request::Allocate(Allocate {
            conference: "room@conference.example".into(),
            endpoint: endpoint.into(),
            token: 7,
            sctp: true,
            rewriting: true,
            mid_demux: true,
            rtx: true,
        })
    }

    #[test]
    fn an_endpoint_is_allocated_anew_restarted_and_forgotten() {
        let config = BridgeConfig { addresses: vec!["192.0.2.1:10000".parse().unwrap()], ..BridgeConfig::default() };
        let mut shared = SharedBridge::new(Bridge::new(config, Env::seeded(1)).unwrap());
        let now = Time::new(1, 1);
        let restart = || Request::RestartIce { conference: "room".into(), endpoint: "aaaa".into() };
        assert!(matches!(shared.request(restart(), now), Some(Answer::Declined { .. })));
        let Some(Answer::Allocated { transport: one, token: 7, .. }) = shared.request(allocate("aaaa"), now) else {
            panic!()
        };
        let Some(Answer::Allocated { transport: two, .. }) = shared.request(allocate("aaaa"), now) else { panic!() };
        assert!(one.ufrag != two.ufrag && one.setup == "actpass" && one.candidates.len() == 1);
        let Some(Answer::Restarted { generation: 1, transport: t, .. }) = shared.request(restart(), now) else {
            panic!()
        };
        assert!(t.ufrag != two.ufrag && t.fingerprint == two.fingerprint);
        let expire = Request::Expire { conference: "room".into(), endpoint: "aaaa".into() };
        assert_eq!(shared.request(expire, now), None);
        assert_eq!(shared.lock().endpoints().count(), 0);
        shared.lock().die();
        assert_eq!(shared.request(allocate("aaaa"), now), None);
    }

    #[test]
    fn ssrcs_and_groups_become_sources_by_name() {
        let source = |media, ssrc, name: &str, video_type| EndpointSource {
            media,
            ssrc,
            name: Some(name.into()),
            msid: None,
            video_type,
        };
        let group = |semantics, ssrcs: &[u32]| EndpointGroup { media: Media::Video, semantics, ssrcs: ssrcs.to_vec() };
        let all = EndpointSources {
            sources: vec![
                source(Media::Audio, 1, "a-a0", None),
                source(Media::Video, 2, "a-v0", Some(VideoType::Camera)),
                source(Media::Video, 3, "a-v0", None),
                source(Media::Video, 4, "a-v1", Some(VideoType::Desktop)),
                source(Media::Video, 5, "a-v1", None),
                EndpointSource { name: None, ..source(Media::Video, 9, "", None) },
            ],
            groups: vec![
                group(GroupSemantics::Sim, &[2, 3]),
                group(GroupSemantics::Fid, &[4, 5]),
                group(GroupSemantics::Fid, &[99, 98]),
            ],
        };
        let got = sources(&all);
        assert_eq!(got.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a-a0", "a-v0", "a-v1"]);
        assert_eq!((got[1].encodings(), got[1].fid.len()), (vec![2, 3], 0));
        assert_eq!(
            (got[2].encodings(), got[2].rtx_of(4), got[2].video_type),
            (vec![4], Some(5), BridgeVideoType::Desktop)
        );
    }
}
