//! Candidate gathering (RFC 8445 §5.1): host candidates, and server-reflexive ones by STUN (RFC 8489). Relayed candidates
//! (TURN) will be gathered beside them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rtc_stun::message::{BINDING_REQUEST, Getter, Message, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;

use super::ice::IceOutput;
use crate::media::peer::{Candidate, CandidateKind, Transmit};

/// STUN servers asked; more are ignored.
pub(super) const MAX_STUN_SERVERS: usize = 4;
/// First repeat of a request, µs; doubles each time.
const FIRST_REPEAT_US: u64 = 250_000;
/// Requests to one server before it counts as silent: 4 s.
pub(super) const MAX_REQUESTS: u32 = 5;
/// RFC 8445 §5.1.2.2.
const HOST_PREFERENCE: u32 = 126;
const REFLEXIVE_PREFERENCE: u32 = 100;
const TOP_LOCAL_PREFERENCE: u32 = 65535;

/// The candidate of a local address; the ones given first are preferred.
pub(super) fn host_candidate(address: SocketAddr, index: usize) -> Candidate {
    let priority = priority(HOST_PREFERENCE, index);
    Candidate { foundation: format!("{}", index + 1), priority, address, kind: CandidateKind::Host, related: None }
}

/// RFC 8445 §5.1.2.1, component 1.
fn priority(kind: u32, index: usize) -> u32 {
    (kind << 24) | ((TOP_LOCAL_PREFERENCE - index as u32) << 8) | 255
}

struct Ask {
    local: SocketAddr,
    server: SocketAddr,
    id: TransactionId,
    request: Vec<u8>,
    sent: u32,
    next_us: u64,
}

/// Asks STUN servers for the addresses that our sockets have outside.
pub(super) struct Gatherer {
    servers: Vec<SocketAddr>,
    asks: Vec<Ask>,
    /// Base and reflexive address.
    found: Vec<(SocketAddr, SocketAddr)>,
    fresh: Vec<Candidate>,
    done_told: bool,
}

impl Gatherer {
    pub fn new(servers: &[SocketAddr]) -> Gatherer {
        let servers = servers.iter().copied().take(MAX_STUN_SERVERS).collect();
        Gatherer { servers, asks: vec![], found: vec![], fresh: vec![], done_told: true }
    }

    /// Begins for a local address.
    pub fn start(&mut self, local: SocketAddr, now_us: u64) {
        self.done_told = false;
        for &server in self.servers.iter().filter(|s| s.is_ipv4() == local.is_ipv4()) {
            let id = TransactionId::new();
            let mut m = Message::new();
            if m.build(&[Box::new(BINDING_REQUEST), Box::new(id)]).is_ok() {
                self.asks.push(Ask { local, server, id, request: m.raw, sent: 0, next_us: now_us });
            }
        }
    }

    /// Ends for a local address.
    pub fn stop(&mut self, local: SocketAddr) {
        self.asks.retain(|a| a.local != local);
    }

    pub fn close(&mut self) {
        self.asks.clear();
        self.done_told = true;
    }

    /// Takes a success response if it answers a request of ours: from the server asked, with its transaction id.
    pub fn answered(&mut self, local: SocketAddr, remote: SocketAddr, m: &Message) -> bool {
        let same = |a: &Ask| a.local == local && a.server == remote && a.id == m.transaction_id;
        let Some(i) = self.asks.iter().position(same) else { return false };
        self.asks.remove(i);
        let mut mapped = XorMappedAddress::default();
        if mapped.get_from(m).is_err() {
            return true;
        }
        let address = SocketAddr::new(mapped.ip, mapped.port);
        // The same as the base: no NAT, nothing new (RFC 8445 §5.1.3).
        if address == local || self.found.contains(&(local, address)) || address.port() == 0 {
            return true;
        }
        let index = self.found.len();
        self.found.push((local, address));
        self.fresh.push(Candidate {
            foundation: format!("{}", super::ice::MAX_LOCAL_ADDRESSES + 1 + index),
            priority: priority(REFLEXIVE_PREFERENCE, index),
            address,
            kind: CandidateKind::ServerReflexive,
            related: Some(local),
        });
        true
    }

    /// Sends what is due and tells what was found.
    pub fn run(&mut self, now_us: u64, out: &mut VecDeque<IceOutput>) {
        out.extend(self.fresh.drain(..).map(IceOutput::Candidate));
        self.asks.retain_mut(|a| {
            if a.next_us > now_us {
                return true;
            }
            if a.sent >= MAX_REQUESTS {
                return false;
            }
            a.next_us = now_us + (FIRST_REPEAT_US << a.sent);
            a.sent += 1;
            let (local, remote, data) = (a.local, a.server, a.request.clone());
            out.push_back(IceOutput::Transmit(Transmit::one(local, remote, data)));
            true
        });
        if self.asks.is_empty() && !self.done_told {
            self.done_told = true;
            out.push_back(IceOutput::GatheringDone);
        }
    }

    pub fn deadline_us(&self) -> Option<u64> {
        self.asks.iter().map(|a| a.next_us).min()
    }

    /// The reflexive addresses of a local one.
    pub fn reflexive(&self, local: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        self.found.iter().filter(move |f| f.0 == local).map(|f| f.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stun::message::BINDING_SUCCESS;

    fn addr(s: &str) -> SocketAddr {
        s.parse().expect(s)
    }

    fn answer(request: &[u8], mapped: SocketAddr) -> Message {
        let mut q = Message { raw: request.to_vec(), ..Default::default() };
        q.decode().expect("request");
        let mut m = Message::new();
        let mapped = XorMappedAddress { ip: mapped.ip(), port: mapped.port() };
        m.build(&[Box::new(q), Box::new(BINDING_SUCCESS), Box::new(mapped)]).expect("answer");
        m
    }

    fn requests(out: &mut VecDeque<IceOutput>) -> Vec<Transmit> {
        out.drain(..).filter_map(|o| if let IceOutput::Transmit(t) = o { Some(t) } else { None }).collect()
    }

    #[test]
    fn a_server_reflexive_address_is_found_once_and_only_from_the_server_asked() {
        let (local, server) = (addr("10.0.0.1:5000"), addr("192.0.2.1:3478"));
        let mut g = Gatherer::new(&[server, addr("[2001:db8::1]:3478")]);
        g.start(local, 0);
        let mut out = VecDeque::new();
        g.run(0, &mut out);
        let sent = requests(&mut out);
        assert_eq!(sent.len(), 1);
        let m = answer(&sent[0].data, addr("203.0.113.5:6000"));
        assert!(!g.answered(local, addr("192.0.2.9:3478"), &m));
        assert!(!g.answered(addr("10.0.0.2:5000"), server, &m));
        assert!(g.answered(local, server, &m));
        assert!(!g.answered(local, server, &m));
        g.run(1, &mut out);
        let Some(IceOutput::Candidate(c)) = out.pop_front() else { panic!() };
        assert_eq!(
            (c.address, c.kind, c.related),
            (addr("203.0.113.5:6000"), CandidateKind::ServerReflexive, Some(local))
        );
        assert!(c.priority < host_candidate(local, 7).priority);
        assert!(matches!(out.pop_front(), Some(IceOutput::GatheringDone)));
        assert_eq!(g.deadline_us(), None);
    }

    #[test]
    fn a_silent_server_ends_gathering_after_its_last_repeat() {
        let mut g = Gatherer::new(&[addr("192.0.2.1:3478")]);
        g.start(addr("10.0.0.1:5000"), 0);
        let (mut out, mut now, mut sent, mut done) = (VecDeque::new(), 0, 0, false);
        loop {
            g.run(now, &mut out);
            for o in out.drain(..) {
                match o {
                    IceOutput::Transmit(_) => sent += 1,
                    IceOutput::GatheringDone => done = true,
                    _ => {}
                }
            }
            let Some(t) = g.deadline_us() else { break };
            now = t;
        }
        assert_eq!((sent, done), (MAX_REQUESTS, true));
        assert!(now <= 8_000_000);
    }

    #[test]
    fn without_a_nat_there_is_no_reflexive_candidate() {
        let (local, server) = (addr("10.0.0.1:5000"), addr("192.0.2.1:3478"));
        let mut g = Gatherer::new(&[server; MAX_STUN_SERVERS + 1]);
        assert_eq!(g.servers.len(), MAX_STUN_SERVERS);
        g.start(local, 0);
        let mut out = VecDeque::new();
        g.run(0, &mut out);
        for t in requests(&mut out) {
            assert!(g.answered(local, server, &answer(&t.data, local)));
        }
        g.run(0, &mut out);
        assert!(matches!(out.pop_front(), Some(IceOutput::GatheringDone)) && out.is_empty());
    }
}
