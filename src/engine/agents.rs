//! The ICE agents of one connection: the one that carries media, and those of a restart in place, make before break (docs/protocol/02
//! §10, 04 §5.1; design §9, X5, X12). rtc-ice's own restart drops the pairs first, and the bridge reaches its new agent only by a new
//! address of ours, so a restart is a second agent on sockets of its own.
//!
//! When the new agent has a pair, media moves there and the old agent stays for [`RETIRE_US`]: what is on its way still arrives. When
//! it has none in [`RESTART_US`], or a newer restart begins, it goes alone and nothing else changes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use super::ice::{Ice, IceOptions, IceOutput};
use super::micros;
use crate::env::Env;
use crate::media::peer::{Candidate, IceCredentials, IceState, Path, Transmit};

/// How long a restart may take, µs. (The bridge's side gives up after 20 s.)
pub(super) const RESTART_US: u64 = 30_000_000;
/// How long the old agent stays after media moved, µs; as long as the bridge's.
pub(super) const RETIRE_US: u64 = 3_000_000;
const UFRAG_LEN: usize = 8;
const PWD_LEN: usize = 24;

/// What ICE wants done or tells.
pub(super) enum AgentsOutput {
    Transmit(Transmit),
    State(IceState),
    /// Media goes here from now on.
    Path(SocketAddr, SocketAddr),
    Candidate(Candidate),
    GatheringDone,
    RestartCredentials(u32, IceCredentials),
    Restarted(u32),
    RestartFailed(u32),
    AddressUnused(SocketAddr),
}

/// Where to answer media to.
pub(super) enum Follow {
    /// Where we are: it came to an address that a restart left behind.
    Stay,
    /// Where it came from.
    There,
    /// It came on a pair of a restart: the peer, who leads, has moved already, and so did we. [`Agents::poll`] tells.
    Switched,
}

struct Next {
    generation: u32,
    ice: Ice,
    until_us: u64,
}

struct Retired {
    ice: Ice,
    until_us: u64,
}

/// All agents.
pub(super) struct Agents {
    options: IceOptions,
    env: Env,
    current: Ice,
    next: Option<Next>,
    retired: Option<Retired>,
    /// As last told.
    state: IceState,
    /// The current agent failed while a restart was on the way.
    failed: bool,
    now_us: u64,
    out: VecDeque<AgentsOutput>,
}

fn credentials(env: &mut Env) -> IceCredentials {
    IceCredentials { ufrag: env.alphanumeric(UFRAG_LEN), pwd: env.alphanumeric(PWD_LEN) }
}

impl Agents {
    /// One agent, with credentials drawn from `env`.
    pub fn new(options: IceOptions, mut env: Env, now: Instant) -> Option<Agents> {
        let current = Ice::new(&options, credentials(&mut env), now)?;
        Some(Agents {
            options,
            env,
            current,
            next: None,
            retired: None,
            state: IceState::New,
            failed: false,
            now_us: 0,
            out: VecDeque::new(),
        })
    }

    fn newest(&mut self) -> &mut Ice {
        self.next.as_mut().map_or(&mut self.current, |n| &mut n.ice)
    }

    /// The agent on this local address.
    fn on(&mut self, local: SocketAddr) -> Option<&mut Ice> {
        if self.current.owns(local) {
            return Some(&mut self.current);
        }
        let next = self.next.as_mut().map(|n| &mut n.ice);
        let retired = self.retired.as_mut().map(|r| &mut r.ice);
        [next, retired].into_iter().flatten().find(|i| i.owns(local))
    }

    /// Our newest credentials.
    pub fn credentials(&self) -> &IceCredentials {
        self.next.as_ref().map_or(&self.current, |n| &n.ice).credentials()
    }

    pub fn add_local(&mut self, a: SocketAddr, now: Instant, now_us: u64) {
        if self.on(a).is_none() {
            self.newest().add_local(a, now, now_us);
        }
    }

    pub fn remove_local(&mut self, a: SocketAddr) {
        if let Some(i) = self.on(a) {
            i.remove_local(a);
        }
    }

    pub fn set_remote(&mut self, c: &IceCredentials, now: Instant, now_us: u64) {
        self.current.set_remote(c, now, now_us);
    }

    pub fn add_remote(&mut self, c: &Candidate, now: Instant, now_us: u64) {
        self.newest().add_remote(c, now, now_us);
    }

    /// Begins a restart. Addresses that are in use already are left out.
    pub fn restart(
        &mut self,
        generation: u32,
        addresses: &[SocketAddr],
        remote: &IceCredentials,
        now: Instant,
        now_us: u64,
    ) {
        self.now_us = now_us;
        self.give_up();
        let credentials = credentials(&mut self.env);
        self.out.push_back(AgentsOutput::RestartCredentials(generation, credentials.clone()));
        let Some(mut ice) = Ice::new(&self.options, credentials, now) else {
            self.out.push_back(AgentsOutput::RestartFailed(generation));
            self.out.extend(addresses.iter().copied().map(AgentsOutput::AddressUnused));
            return;
        };
        for a in addresses {
            if self.on(*a).is_none() {
                ice.add_local(*a, now, now_us);
            }
        }
        ice.set_remote(remote, now, now_us);
        self.next = Some(Next { generation, ice, until_us: now_us + RESTART_US });
    }

    /// Takes a STUN datagram; `false` if it was refused.
    pub fn handle_stun(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        data: &[u8],
        now: Instant,
        now_us: u64,
    ) -> bool {
        self.now_us = now_us;
        self.on(local).is_some_and(|i| i.handle_stun(local, remote, data, now, now_us))
    }

    pub fn handle_timeout(&mut self, now: Instant, now_us: u64) {
        self.now_us = now_us;
        self.current.handle_timeout(now, now_us);
        if self.retired.as_ref().is_some_and(|r| r.until_us <= now_us) {
            self.drop_retired();
        } else if let Some(r) = &mut self.retired {
            r.ice.handle_timeout(now, now_us);
        }
        if self.next.as_ref().is_some_and(|n| n.until_us <= now_us) {
            self.give_up();
        } else if let Some(n) = &mut self.next {
            n.ice.handle_timeout(now, now_us);
        }
    }

    /// When [`Agents::handle_timeout`] is due, µs.
    pub fn deadline_us(&mut self) -> Option<u64> {
        let of = |i: &mut Ice| {
            let (agent, gatherer) = i.deadlines();
            [agent.map(micros), gatherer].into_iter().flatten().min()
        };
        let next = self.next.as_mut().map(|n| of(&mut n.ice).map_or(n.until_us, |t| t.min(n.until_us)));
        let retired = self.retired.as_mut().map(|r| of(&mut r.ice).map_or(r.until_us, |t| t.min(r.until_us)));
        [of(&mut self.current), next, retired].into_iter().flatten().min()
    }

    /// Whether media and DTLS from this address count: authentic STUN came from there. Asking also keeps consent alive.
    #[inline]
    pub fn is_checked(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        now_us: u64,
        now: impl Fn() -> Instant,
    ) -> bool {
        self.current.is_checked(local, remote, now_us, &now) || self.is_checked_by_another(local, remote, now_us, now)
    }

    #[cold]
    fn is_checked_by_another(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        now_us: u64,
        now: impl Fn() -> Instant,
    ) -> bool {
        let next = self.next.as_mut().map(|n| &mut n.ice);
        let retired = self.retired.as_mut().map(|r| &mut r.ice);
        [next, retired].into_iter().flatten().any(|i| i.is_checked(local, remote, now_us, &now))
    }

    /// Authentic media came on a checked pair that is not the one in use.
    #[cold]
    pub fn follow(&mut self, local: SocketAddr, remote: SocketAddr, now_us: u64) -> Follow {
        self.now_us = now_us;
        if self.next.as_ref().is_some_and(|n| n.ice.owns(local)) {
            self.switch(local, remote);
            return Follow::Switched;
        }
        if self.current.owns(local) { Follow::There } else { Follow::Stay }
    }

    /// How a pair came to be.
    pub fn describe(&self, local: SocketAddr, remote: SocketAddr) -> Path {
        self.current.describe(local, remote)
    }

    pub fn close(&mut self) {
        self.current.close();
        (self.next, self.retired) = (None, None);
        self.out.clear();
    }

    pub fn poll(&mut self) -> Option<AgentsOutput> {
        loop {
            if let Some(o) = self.out.pop_front() {
                return Some(o);
            }
            if let Some(o) = self.current.poll() {
                self.on_current(o);
            } else if let Some(o) = self.next.as_mut().and_then(|n| n.ice.poll()) {
                self.on_next(o);
            } else if let Some(o) = self.retired.as_mut().and_then(|r| r.ice.poll()) {
                if let IceOutput::Transmit(t) = o {
                    self.out.push_back(AgentsOutput::Transmit(t));
                }
            } else {
                return None;
            }
        }
    }

    fn on_current(&mut self, o: IceOutput) {
        let o = match o {
            // A restart that is on the way may still save it.
            IceOutput::State(IceState::Failed) if self.next.is_some() => {
                self.failed = true;
                return;
            }
            IceOutput::State(s) => return self.tell(s),
            IceOutput::Selected(local, remote) => AgentsOutput::Path(local, remote),
            IceOutput::Transmit(t) => AgentsOutput::Transmit(t),
            IceOutput::Candidate(c) => AgentsOutput::Candidate(c),
            IceOutput::GatheringDone => AgentsOutput::GatheringDone,
        };
        self.out.push_back(o);
    }

    fn on_next(&mut self, o: IceOutput) {
        let o = match o {
            IceOutput::State(IceState::Failed) => return self.give_up(),
            IceOutput::State(_) => return,
            IceOutput::Selected(local, remote) => return self.switch(local, remote),
            IceOutput::Transmit(t) => AgentsOutput::Transmit(t),
            IceOutput::Candidate(c) => AgentsOutput::Candidate(c),
            IceOutput::GatheringDone => AgentsOutput::GatheringDone,
        };
        self.out.push_back(o);
    }

    fn tell(&mut self, s: IceState) {
        if self.state != s {
            self.state = s;
            self.out.push_back(AgentsOutput::State(s));
        }
    }

    /// The restart has a pair: media moves.
    fn switch(&mut self, local: SocketAddr, remote: SocketAddr) {
        let Some(n) = self.next.take() else { return };
        self.drop_retired();
        let ice = std::mem::replace(&mut self.current, n.ice);
        self.retired = Some(Retired { ice, until_us: self.now_us + RETIRE_US });
        self.failed = false;
        self.out.push_back(AgentsOutput::Path(local, remote));
        self.tell(IceState::Connected);
        self.out.push_back(AgentsOutput::Restarted(n.generation));
    }

    /// The restart is over without a pair.
    fn give_up(&mut self) {
        let Some(mut n) = self.next.take() else { return };
        n.ice.close();
        self.out.push_back(AgentsOutput::RestartFailed(n.generation));
        self.out.extend(n.ice.locals().iter().copied().map(AgentsOutput::AddressUnused));
        if std::mem::take(&mut self.failed) {
            self.tell(IceState::Failed);
        }
    }

    fn drop_retired(&mut self) {
        let Some(mut r) = self.retired.take() else { return };
        r.ice.close();
        self.out.extend(r.ice.locals().iter().copied().map(AgentsOutput::AddressUnused));
    }
}
