//! The ICE agents of one endpoint, as the videobridge has them (docs/protocol/04 §5.1): full and controlling, one per generation
//! beside each other, so that a restart makes a path before the old one is broken.
//!
//! An agent is found by the source address alone once that is known: checks of a restart from an old socket reach the old agent
//! and are refused there. The agent is str0m's; its `Rtc` has only one, so ours stand outside of it.

use super::clock;
use super::types::RemoteTransport;
use crate::env::Env;
use crate::media::peer::{Candidate, CandidateKind};
use crate::time::{Time, earliest};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use str0m::crypto::CryptoProvider;
use str0m::ice::{IceAgent, IceAgentEvent, StunMessage, StunPacket};
use str0m::net::Protocol;
use str0m::{Candidate as IceCandidate, IceConnectionState, IceCreds};

/// A restarted agent that has no pair by then is given up.
pub const RESTART_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the agent before a restart lives on after the switch.
pub const TRANSITION: Duration = Duration::from_secs(3);
/// Addresses of a client that are remembered.
const MAX_ADDRESSES: usize = 64;
/// Candidates of a client that are taken.
const MAX_CANDIDATES: usize = 32;
/// Requests that waited for the client's credentials are answered one a round.
const MAX_ROUNDS: usize = 20;
const UFRAG: usize = 8;
const PWD: usize = 24;

/// What the agents tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IceEvent {
    Connected(u32),
    RestartFailed(u32),
    Failed,
}

struct Agent {
    generation: u32,
    agent: IceAgent,
    /// Local and remote address of the chosen pair, and since when there is one.
    path: Option<(SocketAddr, SocketAddr)>,
    connected: Option<Time>,
    created: Time,
    answered: bool,
    deadline: Option<Time>,
}

/// The agents of one endpoint.
pub(super) struct Paths {
    agents: Vec<Agent>,
    locals: Vec<SocketAddr>,
    /// Whose address it is, by generation.
    known: BTreeMap<SocketAddr, u32>,
    next: u32,
    transmits: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    events: Vec<IceEvent>,
}

fn candidate(c: &Candidate) -> Option<IceCandidate> {
    let base = c.related.unwrap_or(c.address);
    let made = match c.kind {
        CandidateKind::Host | CandidateKind::PeerReflexive => IceCandidate::host(c.address, "udp"),
        CandidateKind::ServerReflexive => IceCandidate::server_reflexive(c.address, base, "udp"),
        CandidateKind::Relayed => IceCandidate::relayed(c.address, base, "udp"),
    };
    made.ok()
}

impl Paths {
    /// The first agent, which waits for the client's credentials.
    pub fn new(locals: &[SocketAddr], crypto: &CryptoProvider, env: &mut Env, now: Time) -> Paths {
        let mut paths = Paths {
            agents: Vec::new(),
            locals: locals.to_vec(),
            known: BTreeMap::new(),
            next: 0,
            transmits: Vec::new(),
            events: Vec::new(),
        };
        paths.add(crypto, env, now);
        paths
    }

    fn add(&mut self, crypto: &CryptoProvider, env: &mut Env, now: Time) {
        let creds = IceCreds { ufrag: env.alphanumeric(UFRAG), pass: env.alphanumeric(PWD) };
        let mut agent = IceAgent::with_hmac(creds, crypto.sha1_hmac_provider);
        agent.set_controlling(true);
        agent.set_control_tie_breaker(env.u64());
        for a in &self.locals {
            if let Ok(c) = IceCandidate::host(*a, "udp") {
                agent.add_local_candidate(c);
            }
        }
        let generation = self.next;
        self.next += 1;
        let (path, connected, created, answered, deadline) = (None, None, now, false, None);
        self.agents.push(Agent { generation, agent, path, connected, created, answered, deadline });
    }

    /// One more agent beside the others. One that never connected makes place for it.
    pub fn restart(&mut self, crypto: &CryptoProvider, env: &mut Env, now: Time) {
        if self.path().is_some() {
            self.agents.retain(|a| a.path.is_some());
        }
        self.add(crypto, env, now);
    }

    /// Generation, user name and password of the newest agent.
    pub fn credentials(&self) -> Option<(u32, String, String)> {
        let a = self.agents.last()?;
        let c = a.agent.local_credentials();
        Some((a.generation, c.ufrag.clone(), c.pass.clone()))
    }

    /// The client's credentials and candidates for the newest agent; more candidates when it has them already.
    pub fn accept(&mut self, remote: &RemoteTransport, now: Time) {
        let Some(a) = self.agents.last_mut() else { return };
        if !a.answered {
            a.answered = true;
            a.agent.set_remote_credentials(IceCreds { ufrag: remote.ufrag.clone(), pass: remote.pwd.clone() });
        }
        for c in remote.candidates.iter().take(MAX_CANDIDATES).filter_map(candidate) {
            a.agent.add_remote_candidate(c);
        }
        self.drive(now);
    }

    /// Whether a STUN datagram is for one of the agents, by the user name it names.
    pub fn accepts(&self, data: &[u8]) -> bool {
        StunMessage::parse(data).is_ok_and(|m| self.agents.iter().any(|a| a.agent.accepts_message(&m)))
    }

    /// Takes a STUN datagram; `true` when it was authentic.
    pub fn handle(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) -> bool {
        let Ok(message) = StunMessage::parse(data) else { return false };
        let owner = self.known.get(&remote).copied();
        let found = self.agents.iter_mut().find(|a| match owner {
            Some(g) if message.is_binding_request() => a.generation == g,
            _ => a.agent.accepts_message(&message),
        });
        let Some(a) = found else { return false };
        let request = message.is_binding_request();
        let packet = StunPacket { proto: Protocol::Udp, source: remote, destination: local, message };
        let taken = a.agent.handle_packet(clock::instant(now), packet);
        if taken && request && self.known.len() < MAX_ADDRESSES {
            self.known.insert(remote, a.generation);
        }
        self.drive(now);
        taken
    }

    /// Addresses that lead to this endpoint.
    pub fn knows(&self, remote: SocketAddr) -> bool {
        self.known.contains_key(&remote)
    }

    /// The path of the newest agent that has one.
    pub fn path(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.agents.iter().rev().find_map(|a| a.path)
    }

    /// Takes notice of the time.
    pub fn drive(&mut self, now: Time) {
        let mut failed = Vec::new();
        for a in &mut self.agents {
            for _ in 0..MAX_ROUNDS {
                a.agent.handle_timeout(clock::instant(now));
                a.deadline = a.agent.poll_timeout().and_then(|at| clock::deadline(at, now));
                if a.deadline.is_none_or(|d| d.mono_us > now.mono_us) {
                    break;
                }
            }
            while let Some(e) = a.agent.poll_event() {
                match e {
                    IceAgentEvent::NominatedSend { source, destination, .. } => {
                        a.path = Some((source, destination));
                        if a.connected.is_none() {
                            a.connected = Some(now);
                            self.events.push(IceEvent::Connected(a.generation));
                        }
                    }
                    IceAgentEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                        failed.push(a.generation);
                    }
                    _ => {}
                }
            }
            while let Some(t) = a.agent.poll_transmit() {
                self.transmits.push((t.source, t.destination, t.contents.to_vec()));
            }
            let next = a.agent.poll_timeout().and_then(|at| clock::deadline(at, now));
            a.deadline = next.map(|d| d.max(now + clock::STEP));
        }
        self.retire(&failed, now);
    }

    fn retire(&mut self, failed: &[u32], now: Time) {
        let newest_connected = self.agents.iter().rev().find_map(|a| a.connected.map(|c| (a.generation, c)));
        let mut gone = Vec::new();
        for a in &self.agents {
            let late = a.generation > 0 && a.connected.is_none() && now.since(a.created) >= RESTART_TIMEOUT;
            let replaced = newest_connected.is_some_and(|(g, at)| a.generation < g && now.since(at) >= TRANSITION);
            let lost = failed.contains(&a.generation) && a.answered;
            if late || replaced || lost {
                gone.push(a.generation);
            }
            if late || (lost && a.connected.is_none() && a.generation > 0) {
                self.events.push(IceEvent::RestartFailed(a.generation));
            }
        }
        if gone.is_empty() {
            return;
        }
        self.agents.retain(|a| !gone.contains(&a.generation));
        self.known.retain(|_, g| !gone.contains(g));
        if self.agents.is_empty() {
            self.events.push(IceEvent::Failed);
        }
    }

    pub fn poll_transmits(&mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.transmits)
    }

    pub fn poll_events(&mut self) -> Vec<IceEvent> {
        std::mem::take(&mut self.events)
    }

    pub fn next_deadline(&self) -> Option<Time> {
        let newest = self.agents.last().and_then(|a| a.connected);
        let mut next = None;
        for a in &self.agents {
            next = earliest(next, a.deadline);
            if a.generation > 0 && a.connected.is_none() {
                next = earliest(next, Some(a.created + RESTART_TIMEOUT));
            }
        }
        if let Some(at) = newest.filter(|_| self.agents.len() > 1) {
            next = earliest(next, Some(at + TRANSITION));
        }
        next
    }
}
