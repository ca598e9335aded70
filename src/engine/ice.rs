//! ICE behind a seam (RFC 8445): webrtc-rs's `rtc-ice` agent, and what it must be guarded from (design §9, X2, X4, X6).
//!
//! * A request reaches the agent only if user name and integrity are right: the agent settles role conflicts before it looks.
//! * Candidates are filtered and bounded here; peers that check from ever new addresses find the table full.
//! * A nomination that overtakes the answer to our own check is kept until that comes.
//! * The agent wakes every 200 ms for ever; once connected it is called once a second, and once in five while media comes: a call
//!   two seconds after the last consent asks for it again, which RFC 7675 §5.1 wants every five (docs/performance.md tells what one costs).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_ice::agent::agent_config::AgentConfig;
use rtc_ice::agent::{Agent, Event as AgentEvent};
use rtc_ice::candidate::CandidateConfig;
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::candidate_peer_reflexive::CandidatePeerReflexiveConfig;
use rtc_ice::candidate::candidate_relay::CandidateRelayConfig;
use rtc_ice::candidate::candidate_server_reflexive::CandidateServerReflexiveConfig;
use rtc_ice::mdns::MulticastDnsMode;
use rtc_ice::state::ConnectionState;
use rtc_shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rtc_stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, Message};
use rtc_stun::textattrs::Username;
use rtc_stun::xoraddr::XorMappedAddress;
use sansio::Protocol;

use super::gather::Gatherer;
use crate::media::peer::{Candidate, CandidateKind, IceCredentials, IceState, Path, Transmit, usable_address};

/// Local addresses of one engine; more are ignored.
pub(super) const MAX_LOCAL_ADDRESSES: usize = 8;
/// Remote candidates, signalled and peer-reflexive; more are ignored.
pub(super) const MAX_REMOTE_CANDIDATES: usize = 32;
/// Between two rounds of checks while there is no pair; the last stands for all that follow. The first are closer: the bridge hears of us
/// from the focus, and answers none of the checks that come before that.
const CHECK_INTERVALS: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(15), Duration::from_millis(25), Duration::from_millis(50)];
/// Rounds before a pair counts as failed: 10 s. The agent checks a failed pair never again.
const MAX_CHECKS: u16 = 200;
/// Pairs whose nomination waits for the answer to our own check; more are told again by the peer.
pub(super) const MAX_NOMINATIONS: usize = 8;
/// A direct pair gets this head start over one through a NAT, and over one through a relay.
const REFLEXIVE_WAIT: Duration = Duration::from_millis(100);
const RELAY_WAIT: Duration = Duration::from_millis(500);
/// How often a connected agent is called where nothing else comes, and how often where it does.
const CONNECTED_INTERVAL: Duration = Duration::from_secs(1);
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// An address that passed a check is not looked up again for this long, µs.
const CHECKED_FOR_US: u64 = 500_000;

/// What all agents of one connection have in common.
pub(super) struct IceOptions {
    pub controlling: bool,
    pub loopback: bool,
    pub stun_servers: Vec<SocketAddr>,
}

/// What an agent wants done or tells.
pub(super) enum IceOutput {
    Transmit(Transmit),
    State(IceState),
    /// A pair was selected.
    Selected(SocketAddr, SocketAddr),
    Candidate(Candidate),
    GatheringDone,
}

/// The agent, gathering, and the guard before them.
pub(super) struct Ice {
    agent: Agent,
    provider: Arc<dyn RTCCryptoProvider>,
    credentials: IceCredentials,
    controlling: bool,
    loopback: bool,
    started: bool,
    connected: bool,
    gatherer: Gatherer,
    locals: Vec<SocketAddr>,
    remotes: Vec<(SocketAddr, CandidateKind)>,
    called: Instant,
    /// Rounds of checks so far.
    rounds: usize,
    /// When DTLS or media last came on the selected pair, to half a second.
    heard: Instant,
    /// Pairs that authentic STUN came on; at most the product of both limits.
    valid: Vec<(SocketAddr, SocketAddr)>,
    checked: [Option<(SocketAddr, SocketAddr, u64)>; 2],
    selected: Option<(SocketAddr, SocketAddr)>,
    /// Nominations of pairs that our own check has not proved yet.
    nominations: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Address that the peer sees of a local one, from answers to our checks.
    seen_as: Vec<(SocketAddr, SocketAddr)>,
    out: VecDeque<IceOutput>,
}

/// The crypto that rtc-ice and rtc-stun use for integrity; one per process.
fn provider() -> Option<Arc<dyn RTCCryptoProvider>> {
    static PROVIDER: OnceLock<Option<Arc<dyn RTCCryptoProvider>>> = OnceLock::new();
    PROVIDER.get_or_init(|| rtc_crypto::default_provider().ok()).clone()
}

impl Ice {
    /// An agent with credentials of ours. `None` if the agent refuses them (wrong length).
    pub fn new(options: &IceOptions, credentials: IceCredentials, now: Instant) -> Option<Ice> {
        let provider = provider()?;
        let c = AgentConfig {
            local_ufrag: credentials.ufrag.clone(),
            local_pwd: credentials.pwd.clone(),
            is_controlling: options.controlling,
            multicast_dns_mode: MulticastDnsMode::Disabled,
            check_interval: CHECK_INTERVALS[0],
            max_binding_requests: Some(MAX_CHECKS),
            srflx_acceptance_min_wait: Some(REFLEXIVE_WAIT),
            prflx_acceptance_min_wait: Some(Duration::ZERO),
            relay_acceptance_min_wait: Some(RELAY_WAIT),
            ..Default::default()
        };
        Some(Ice {
            agent: Agent::new(now, Arc::new(c), provider.clone()).ok()?,
            provider,
            credentials,
            controlling: options.controlling,
            loopback: options.loopback,
            started: false,
            connected: false,
            gatherer: Gatherer::new(&options.stun_servers),
            locals: vec![],
            remotes: vec![],
            called: now,
            rounds: 0,
            heard: now,
            valid: vec![],
            checked: [None; 2],
            selected: None,
            nominations: vec![],
            seen_as: vec![],
            out: VecDeque::new(),
        })
    }

    pub fn credentials(&self) -> &IceCredentials {
        &self.credentials
    }

    /// Whether this local address is one of the agent's.
    #[inline]
    pub fn owns(&self, local: SocketAddr) -> bool {
        self.locals.contains(&local)
    }

    pub fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// Gathers on an address.
    pub fn add_local(&mut self, a: SocketAddr, now: Instant, now_us: u64) {
        if !usable_address(a, self.loopback) || self.locals.contains(&a) || self.locals.len() >= MAX_LOCAL_ADDRESSES {
            return;
        }
        let c = super::gather::host_candidate(a, self.locals.len());
        self.locals.push(a);
        if let Some(host) = for_agent(&c) {
            // The agent refuses nothing but duplicates here.
            let _ = self.agent.add_local_candidate(host);
        }
        self.out.push_back(IceOutput::Candidate(c));
        self.gatherer.start(a, now_us);
        self.drain(now, now_us);
    }

    /// Nothing is sent from this address any more.
    pub fn remove_local(&mut self, a: SocketAddr) {
        self.locals.retain(|l| *l != a);
        self.gatherer.stop(a);
        self.valid.retain(|v| v.0 != a);
        self.nominations.retain(|n| n.0 != a);
        self.checked = [None; 2];
    }

    /// Starts checks.
    pub fn set_remote(&mut self, c: &IceCredentials, now: Instant, now_us: u64) {
        if self.started {
            return;
        }
        self.started = true;
        if self.agent.start_connectivity_checks(now, self.controlling, c.ufrag.clone(), c.pwd.clone()).is_err() {
            // Only empty credentials are refused: nothing could ever be checked.
            self.out.push_back(IceOutput::State(IceState::Failed));
            return;
        }
        self.call_agent(now);
        self.drain(now, now_us);
    }

    /// A candidate of the peer. Unusable ones, doubles and those past the limit are left out.
    pub fn add_remote(&mut self, c: &Candidate, now: Instant, now_us: u64) {
        if !usable_address(c.address, self.loopback)
            || self.remotes.len() >= MAX_REMOTE_CANDIDATES
            || self.remotes.iter().any(|r| r.0 == c.address)
        {
            return;
        }
        let Some(candidate) = for_agent(c) else { return };
        // The agent checks it at its next call, which is due at once: candidates that come together share one round.
        if self.agent.add_remote_candidate(candidate).unwrap_or(false) {
            self.remotes.push((c.address, c.kind));
        }
        self.drain(now, now_us);
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
        if !self.locals.contains(&local) {
            return false;
        }
        let mut m = Message { raw: data.to_vec(), ..Default::default() };
        if m.decode().is_err() {
            return false;
        }
        if m.typ.class == CLASS_SUCCESS_RESPONSE {
            if self.gatherer.answered(local, remote, &m) {
                self.drain(now, now_us);
                return true;
            }
        } else if m.typ.class != CLASS_REQUEST || !self.authentic(&mut m) {
            return false;
        }
        let new = !self.remotes.iter().any(|r| r.0 == remote);
        if new && (self.remotes.len() >= MAX_REMOTE_CANDIDATES || m.typ.class != CLASS_REQUEST) {
            return false;
        }
        let message = BytesMut::from(data);
        let ok = self.agent.handle_read(TaggedBytesMut { now, transport: transport(local, remote), message }).is_ok();
        if ok && new {
            self.remotes.push((remote, CandidateKind::PeerReflexive));
        }
        if ok && !self.valid.contains(&(local, remote)) {
            self.valid.push((local, remote));
        }
        if ok && m.typ.class == CLASS_REQUEST && m.contains(ATTR_USE_CANDIDATE) {
            self.keep_nomination(local, remote, data);
        }
        if ok && m.typ.class == CLASS_SUCCESS_RESPONSE {
            self.repeat_nomination(local, remote, now);
            let mut mapped = XorMappedAddress::default();
            if mapped.get_from(&m).is_ok() {
                self.seen_as.retain(|s| s.0 != local);
                self.seen_as.push((local, SocketAddr::new(mapped.ip, mapped.port)));
            }
        }
        self.drain(now, now_us);
        ok
    }

    /// The agent forgets a nomination that overtakes the answer to our own check, and leaves it unanswered: the peer would say it
    /// again after half a second. RFC 8445 §7.3.1.5 wants it kept until the check is answered.
    fn keep_nomination(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        if self.controlling || self.selected.is_some() {
            return;
        }
        self.nominations.retain(|n| (n.0, n.1) != (local, remote));
        if self.nominations.len() < MAX_NOMINATIONS {
            self.nominations.push((local, remote, data.to_vec()));
        }
    }

    /// Our check of this pair was answered: a nomination that was too early is seen again.
    fn repeat_nomination(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) {
        let Some(at) = self.nominations.iter().position(|n| (n.0, n.1) == (local, remote)) else { return };
        let (_, _, data) = self.nominations.swap_remove(at);
        if self.selected.is_none() {
            let message = BytesMut::from(&data[..]);
            // It was taken once; an error now changes nothing.
            let _ = self.agent.handle_read(TaggedBytesMut { now, transport: transport(local, remote), message });
        }
    }

    /// User name and integrity of a request (RFC 8445 §7.3).
    fn authentic(&self, m: &mut Message) -> bool {
        let mut user = Username::new(ATTR_USERNAME, String::new());
        let ours = user.get_from(m).is_ok() && user.text.split(':').next() == Some(self.credentials.ufrag.as_str());
        ours && MessageIntegrity::check(m, self.credentials.pwd.as_bytes(), self.provider.crypto()).is_ok()
    }

    pub fn handle_timeout(&mut self, now: Instant, now_us: u64) {
        if self.agent_deadline().is_some_and(|t| t <= now) {
            self.call_agent(now);
        }
        self.drain(now, now_us);
    }

    fn call_agent(&mut self, now: Instant) {
        self.called = now;
        self.rounds += 1;
        // Its only errors are of mDNS, which is off.
        let _ = self.agent.handle_timeout(now);
    }

    fn agent_deadline(&mut self) -> Option<Instant> {
        if !self.started {
            return None;
        }
        let t = self.agent.poll_timeout()?;
        if !self.connected {
            // What it asks for at once (a candidate is new) is not put off.
            let between = CHECK_INTERVALS[self.rounds.clamp(1, CHECK_INTERVALS.len()) - 1];
            return Some(if t > self.called { t.max(self.called + between) } else { t });
        }
        // A peer who falls silent is called on as soon as one who was silent before.
        let busy = (self.heard + CONNECTED_INTERVAL).min(self.called + CONSENT_INTERVAL);
        Some(t.max(busy).max(self.called + CONNECTED_INTERVAL))
    }

    /// When [`Ice::handle_timeout`] is due: the agent's moment, and the gatherer's.
    pub fn deadlines(&mut self) -> (Option<Instant>, Option<u64>) {
        (self.agent_deadline(), self.gatherer.deadline_us())
    }

    /// Whether media and DTLS from this address count: authentic STUN came from there. Asking also keeps consent alive.
    #[inline]
    pub fn is_checked(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        now_us: u64,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        for c in self.checked.iter().flatten() {
            if (c.0, c.1) == (local, remote) && now_us.saturating_sub(c.2) < CHECKED_FOR_US {
                return true;
            }
        }
        let now = now();
        let ok = self.valid.contains(&(local, remote))
            && self.agent.is_valid_non_stun_traffic(now, transport(local, remote));
        if ok {
            // On another pair it says nothing of the one that the agent watches.
            if self.selected == Some((local, remote)) {
                self.heard = now;
            }
            let same = |c: &Option<(SocketAddr, SocketAddr, u64)>| c.is_some_and(|c| (c.0, c.1) == (local, remote));
            let slot = self.checked.iter().position(same).unwrap_or_else(|| {
                self.checked.swap(0, 1);
                0
            });
            self.checked[slot] = Some((local, remote, now_us));
        }
        ok
    }

    /// How a pair came to be.
    pub fn describe(&self, local: SocketAddr, remote: SocketAddr) -> Path {
        let seen = self.seen_as.iter().find(|s| s.0 == local).map_or(local, |s| s.1);
        let local_kind = if seen == local {
            CandidateKind::Host
        } else if self.gatherer.reflexive(local).any(|a| a == seen) {
            CandidateKind::ServerReflexive
        } else {
            CandidateKind::PeerReflexive
        };
        let remote_kind = self.remotes.iter().find(|r| r.0 == remote).map_or(CandidateKind::PeerReflexive, |r| r.1);
        Path { local, remote, local_kind, remote_kind }
    }

    pub fn close(&mut self) {
        self.started = false;
        self.gatherer.close();
        // Cannot fail without mDNS.
        let _ = self.agent.close();
        self.out.clear();
    }

    pub fn poll(&mut self) -> Option<IceOutput> {
        self.out.pop_front()
    }

    fn drain(&mut self, now: Instant, now_us: u64) {
        while let Some(t) = self.agent.poll_write() {
            let (local, remote) = (t.transport.local_addr, t.transport.peer_addr);
            if self.locals.contains(&local) {
                self.out.push_back(IceOutput::Transmit(Transmit::one(local, remote, t.message.into())));
            }
        }
        while let Some(e) = self.agent.poll_event() {
            match e.event {
                AgentEvent::ConnectionStateChange(s) => {
                    if let Some(s) = state(s) {
                        self.connected = s == IceState::Connected;
                        self.called = now;
                        self.out.push_back(IceOutput::State(s));
                    }
                }
                AgentEvent::SelectedCandidatePairChange(l, r) => {
                    let pair = (l.base_addr(), r.addr());
                    self.selected = Some(pair);
                    self.nominations.clear();
                    self.out.push_back(IceOutput::Selected(pair.0, pair.1));
                }
                _ => {}
            }
        }
        self.gatherer.run(now_us, &mut self.out);
    }
}

fn state(s: ConnectionState) -> Option<IceState> {
    Some(match s {
        ConnectionState::New => IceState::New,
        ConnectionState::Checking => IceState::Checking,
        ConnectionState::Connected | ConnectionState::Completed => IceState::Connected,
        ConnectionState::Disconnected => IceState::Disconnected,
        ConnectionState::Failed => IceState::Failed,
        ConnectionState::Closed => IceState::Closed,
        _ => return None,
    })
}

fn transport(local_addr: SocketAddr, peer_addr: SocketAddr) -> TransportContext {
    TransportContext { local_addr, peer_addr, ecn: None, transport_protocol: TransportProtocol::UDP }
}

/// The agent's own type of candidate.
fn for_agent(c: &Candidate) -> Option<rtc_ice::candidate::Candidate> {
    let base_config = CandidateConfig {
        network: "udp".into(),
        address: c.address.ip().to_string(),
        port: c.address.port(),
        component: 1,
        priority: c.priority,
        foundation: c.foundation.clone(),
        ..Default::default()
    };
    let (rel_addr, rel_port) = c.related.map_or((String::new(), 0), |r| (r.ip().to_string(), r.port()));
    match c.kind {
        CandidateKind::Host => CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host(),
        CandidateKind::ServerReflexive => {
            CandidateServerReflexiveConfig { base_config, rel_addr, rel_port, ..Default::default() }
                .new_candidate_server_reflexive()
        }
        CandidateKind::PeerReflexive => {
            CandidatePeerReflexiveConfig { base_config, rel_addr, rel_port }.new_candidate_peer_reflexive()
        }
        CandidateKind::Relayed => {
            CandidateRelayConfig { base_config, rel_addr, rel_port, ..Default::default() }.new_candidate_relay()
        }
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_ice::attributes::control::AttrControlling;
    use rtc_ice::attributes::priority::PriorityAttr;
    use rtc_ice::attributes::use_candidate::UseCandidateAttr;
    use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, TransactionId};

    const LOCAL: &str = "192.0.2.1:1000";

    fn remote(n: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 2], 2000 + n as u16))
    }

    fn theirs() -> IceCredentials {
        IceCredentials { ufrag: "theirufrag".into(), pwd: "their password of enough letters".into() }
    }

    fn controlled(now: Instant) -> Ice {
        let options = IceOptions { controlling: false, loopback: false, stun_servers: vec![] };
        let own = IceCredentials { ufrag: "ourufrag".into(), pwd: "our password of enough letters".into() };
        let mut ice = Ice::new(&options, own, now).unwrap();
        ice.add_local(LOCAL.parse().unwrap(), now, 0);
        ice.set_remote(&theirs(), now, 0);
        ice
    }

    fn nomination(ice: &Ice) -> Vec<u8> {
        let mut m = Message::new();
        m.build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(Username::new(ATTR_USERNAME, format!("{}:{}", ice.credentials().ufrag, theirs().ufrag))),
            Box::new(UseCandidateAttr),
            Box::new(AttrControlling(1)),
            Box::new(PriorityAttr(1)),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                ice.credentials().pwd.clone(),
                ice.provider.crypto(),
            )),
        ])
        .unwrap();
        m.raw
    }

    /// The answer to a check of ours.
    fn answer(ice: &Ice, check: &[u8]) -> Vec<u8> {
        let mut request = Message { raw: check.to_vec(), ..Default::default() };
        request.decode().unwrap();
        let local: SocketAddr = LOCAL.parse().unwrap();
        let mut m = Message::new();
        m.build(&[
            Box::new(BINDING_SUCCESS),
            Box::new(request.transaction_id),
            Box::new(XorMappedAddress { ip: local.ip(), port: local.port() }),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(theirs().pwd, ice.provider.crypto())),
        ])
        .unwrap();
        m.raw
    }

    #[test]
    fn a_nomination_that_overtakes_the_answer_to_our_check_holds_when_that_comes() {
        let now = Instant::now();
        let mut ice = controlled(now);
        let (local, from) = (LOCAL.parse().unwrap(), remote(0));
        let request = nomination(&ice);
        assert!(ice.handle_stun(local, from, &request, now, 0));
        let mut check = None;
        while let Some(o) = ice.poll() {
            match o {
                IceOutput::Transmit(t) => check = Some(t.data),
                IceOutput::Selected(..) => panic!("before the pair is proved"),
                _ => {}
            }
        }
        let answer = answer(&ice, &check.expect("a check of ours"));
        assert!(ice.handle_stun(local, from, &answer, now, 0));
        let (mut selected, mut answered) = (false, false);
        while let Some(o) = ice.poll() {
            match o {
                IceOutput::Selected(l, r) => selected = (l, r) == (local, from),
                IceOutput::Transmit(t) => {
                    let mut m = Message { raw: t.data.to_vec(), ..Default::default() };
                    answered |= m.decode().is_ok() && m.typ.class == CLASS_SUCCESS_RESPONSE;
                }
                _ => {}
            }
        }
        assert!(selected && answered);
        assert!(ice.nominations.is_empty());
    }

    #[test]
    fn nominations_that_wait_are_few() {
        let now = Instant::now();
        let mut ice = controlled(now);
        for n in 0..=MAX_NOMINATIONS {
            let request = nomination(&ice);
            for _ in 0..2 {
                assert!(ice.handle_stun(LOCAL.parse().unwrap(), remote(n), &request, now, 0));
            }
            assert_eq!(ice.nominations.len(), (n + 1).min(MAX_NOMINATIONS));
        }
    }
}
