//! A bridge without media: it allocates, restarts and forgets as the videobridge does, and no packet ever reaches it. For
//! meetings of which only the signalling matters, a thousand participants among them.

use super::colibri::{Answer, BridgeTransport, Colibri, Request};
use crate::env::Env;
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// Where it says that it is: an address for documentation (RFC 5737), from which nothing comes.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 10_000);

/// The bridge.
pub struct DryBridge {
    env: Env,
    /// Endpoints by conference and id, each with the generation of its ICE agent.
    endpoints: BTreeMap<(String, String), u32>,
    own_ssrcs: (u32, u32),
    /// ICE restarts are declined: switched off at the bridge.
    pub declines_restarts: bool,
    /// What it was asked, newest last; a test may clear it.
    pub requests: Vec<Request>,
}

impl DryBridge {
    /// A bridge without endpoints.
    pub fn new(mut env: Env) -> DryBridge {
        let audio = env.ssrc(|_| false);
        let own_ssrcs = (audio, env.ssrc(|n| n == audio));
        DryBridge { env, endpoints: BTreeMap::new(), own_ssrcs, declines_restarts: false, requests: Vec::new() }
    }

    /// The endpoints that it holds.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.endpoints.keys().map(|(c, e)| (c.as_str(), e.as_str()))
    }

    fn transport(&mut self, endpoint: &str, setup: &str) -> BridgeTransport {
        let bytes: Vec<String> = (0..32).map(|_| self.env.hex(2).to_uppercase()).collect();
        BridgeTransport {
            ufrag: self.env.alphanumeric(14),
            pwd: self.env.alphanumeric(26),
            fingerprint: ("sha-256".into(), bytes.join(":")),
            setup: setup.into(),
            candidates: vec![NOWHERE],
            web_sockets: vec![format!("wss://192.0.2.1/colibri-ws/dry/{endpoint}?pwd={}", self.env.alphanumeric(24))],
        }
    }
}

impl Colibri for DryBridge {
    fn request(&mut self, request: Request, _now: Time) -> Option<Answer> {
        self.requests.push(request.clone());
        match request {
            Request::Allocate(a) => {
                let transport = self.transport(&a.endpoint, "actpass");
                self.endpoints.insert((a.conference.clone(), a.endpoint.clone()), 0);
                Some(Answer::Allocated {
                    conference: a.conference,
                    endpoint: a.endpoint,
                    token: a.token,
                    transport,
                    own_ssrcs: self.own_ssrcs,
                })
            }
            Request::RestartIce { conference, endpoint } => {
                let key = (conference.clone(), endpoint.clone());
                let Some(generation) = self.endpoints.get_mut(&key).filter(|_| !self.declines_restarts) else {
                    return Some(Answer::Declined { conference, endpoint });
                };
                *generation += 1;
                let generation = *generation;
                let transport = self.transport(&endpoint, "passive");
                Some(Answer::Restarted { conference, endpoint, transport, generation })
            }
            Request::Expire { conference, endpoint } => {
                self.endpoints.remove(&(conference, endpoint));
                None
            }
            Request::Accept { .. }
            | Request::Transport { .. }
            | Request::Sources { .. }
            | Request::ForceMute { .. } => None,
        }
    }
}
