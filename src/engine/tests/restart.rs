//! ICE restarts in place between two engines, in virtual time. Side 0 leads, as the bridge does.

use std::time::Duration;

use super::*;
use crate::engine::agents::{RESTART_US, RETIRE_US};

/// What each side will call itself in its n-th restart: a twin of each engine tells, so that both can be told at once.
fn credentials(n: usize) -> [IceCredentials; 2] {
    [0, 1].map(|i| {
        let now = Time::new(1_000_000, 1_800_000_000_000_000);
        let mut twin = Engine::new(config(i), &mut Env::seeded(i as u64), now).expect("engine");
        let mut last = twin.local_transport().credentials;
        for generation in 1..=n as u32 {
            let remote = last.clone();
            twin.handle_command(Command::RestartIce { generation, addresses: vec![], remote }, now);
            last = twin.local_transport().credentials;
        }
        last
    })
}

fn new_address(side: usize, n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1 + n as u8, 1 + side as u8], 4000 + n as u16))
}

/// The n-th restart, begun by side 0; side 1 hears of it later.
fn restart(net: &mut Net, n: usize, delay: Duration, between: &mut dyn FnMut(&mut Net)) {
    let c = credentials(n);
    for side in [0, 1] {
        let (addresses, remote) = (vec![new_address(side, n)], c[1 - side].clone());
        let before = net.engines[side].local_transport();
        net.command(side, Command::RestartIce { generation: n as u32, addresses, remote });
        let t = net.engines[side].local_transport();
        assert_eq!((&t.credentials, &t.fingerprint), (&c[side], &before.fingerprint));
        assert_ne!(t.credentials, before.credentials);
        if side == 0 {
            let until = net.now + delay;
            while net.now < until {
                between(net);
            }
        }
    }
}

/// Media both ways, each packet numbered.
struct Talk(u32);

impl Talk {
    fn new(net: &mut Net) -> Talk {
        for side in [0, 1] {
            net.command(side, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
        }
        Talk(0)
    }

    fn run(&mut self, net: &mut Net, time: Duration) {
        let until = net.now + time;
        while net.now < until {
            self.step(net);
        }
    }

    fn step(&mut self, net: &mut Net) {
        for side in [0, 1] {
            net.send(side, &audio(10, self.0));
        }
        self.0 += 1;
        net.run_for(Duration::from_millis(10));
    }

    /// Which of them did not arrive at this side.
    fn lost(&self, net: &Net, side: usize) -> usize {
        let mut got: Vec<_> = net.received(side).iter().map(|p| p.ts / 960).collect();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got.len(), net.received(side).len(), "nothing twice");
        self.0 as usize - got.len()
    }
}

fn position(net: &Net, side: usize, f: impl Fn(&Event) -> bool) -> Option<usize> {
    net.events[side].iter().position(f)
}

fn restarted(net: &Net, side: usize, n: u32) -> bool {
    position(net, side, |e| matches!(e, Event::Restarted { generation } if *generation == n)).is_some()
}

fn failed(net: &Net, side: usize, n: u32) -> bool {
    position(net, side, |e| matches!(e, Event::RestartFailed { generation } if *generation == n)).is_some()
}

fn path(net: &Net, side: usize) -> SocketAddr {
    net.engines[side].stats().path.expect("path").local
}

#[test]
fn no_packet_is_lost_across_a_restart_and_the_channel_stays() {
    for client in [0, 1] {
        let mut net = Net::new(client);
        net.connect();
        net.command(1, Command::OpenChannel { label: "l".into(), protocol: "p".into() });
        let mut talk = Talk::new(&mut net);
        talk.run(&mut net, Duration::from_secs(2));
        let secure = net.engines[0].stats();
        restart(&mut net, 1, Duration::from_millis(200), &mut |net| talk.step(net));
        for n in 0..50 {
            net.command(1, Command::SendText(n.to_string()));
            talk.step(&mut net);
        }
        talk.run(&mut net, Duration::from_secs(6));
        net.run_for(Duration::from_millis(100));
        for side in [0, 1] {
            assert!(restarted(&net, side, 1), "side {side}: {:?}", net.engines[side].stats());
            assert_eq!(talk.lost(&net, side), 0, "side {side}");
            assert_eq!(path(&net, side), new_address(side, 1));
            let s = net.engines[side].stats();
            assert_eq!((s.junk, s.srtp_errors, s.stun_refused), (0, 0, 0), "{s:?}");
            let secure = net.events[side].iter().filter(|e| matches!(e, Event::Secure)).count();
            assert_eq!(secure, 1, "DTLS is untouched");
            let states: Vec<_> = net.events[side].iter().filter(|e| matches!(e, Event::Ice(_))).collect();
            assert_eq!(states.len(), 2, "checking and connected, once: {states:?}");
        }
        assert!(secure.srtp_errors == 0);
        let texts = net.events[0].iter().filter(|e| matches!(e, Event::ChannelText(_))).count();
        assert_eq!(texts, 50);
    }
}

#[test]
fn the_old_address_is_told_unused_when_its_time_is_over_and_nothing_leaves_it_then() {
    let mut net = Net::new(0);
    net.connect();
    let mut talk = Talk::new(&mut net);
    restart(&mut net, 1, Duration::ZERO, &mut |_| {});
    let mut at = None;
    while net.unused.len() < 2 {
        talk.step(&mut net);
        if at.is_none() && restarted(&net, 1, 1) {
            at = Some(net.now);
        }
        assert!(net.now < Time::new(60_000_000, 0));
    }
    let (at, mut unused) = (at.expect("restarted"), net.unused.clone());
    unused.sort_unstable_by_key(|u| u.0);
    assert_eq!(unused.iter().map(|u| u.0).collect::<Vec<_>>(), net.addresses);
    let after = unused[1].1.since(at).as_micros() as u64;
    assert!((RETIRE_US - 20_000..RETIRE_US + 20_000).contains(&after), "{after}");
    talk.run(&mut net, Duration::from_secs(20));
    assert_eq!(talk.lost(&net, 0) + talk.lost(&net, 1), 4, "what is on its way");
}

#[test]
fn a_restart_saves_a_connection_whose_old_path_is_dead() {
    let mut net = Net::new(0);
    net.connect();
    let mut talk = Talk::new(&mut net);
    talk.run(&mut net, Duration::from_secs(2));
    net.dead = net.addresses.to_vec();
    // The old agents give up after half a minute; the restart begins before.
    talk.run(&mut net, Duration::from_secs(25));
    assert!(position(&net, 1, |e| matches!(e, Event::Ice(IceState::Disconnected))).is_some());
    net.dead.push(new_address(0, 1));
    restart(&mut net, 1, Duration::ZERO, &mut |_| {});
    talk.run(&mut net, Duration::from_secs(8));
    assert_eq!((net.failure(0), net.failure(1)), (None, None), "the old path failed, the restart has time");
    net.dead.pop();
    talk.run(&mut net, Duration::from_secs(4));
    for side in [0, 1] {
        assert!(restarted(&net, side, 1), "side {side}");
        let last = net.events[side].iter().rev().find(|e| matches!(e, Event::Ice(_)));
        assert!(matches!(last, Some(Event::Ice(IceState::Connected))), "{last:?}");
    }
    let before = talk.0;
    talk.run(&mut net, Duration::from_secs(5));
    net.run_for(Duration::from_millis(100));
    let got = net.received(1).iter().filter(|p| p.ts / 960 >= before).count();
    assert_eq!(got as u32, talk.0 - before);
}

#[test]
fn a_second_restart_takes_the_place_of_one_that_does_not_connect() {
    let mut net = Net::new(0);
    net.connect();
    let mut talk = Talk::new(&mut net);
    net.dead = vec![new_address(0, 1), new_address(1, 1)];
    restart(&mut net, 1, Duration::ZERO, &mut |_| {});
    talk.run(&mut net, Duration::from_secs(2));
    assert_eq!(path(&net, 1), net.addresses[1]);
    restart(&mut net, 2, Duration::ZERO, &mut |_| {});
    talk.run(&mut net, Duration::from_secs(2));
    net.run_for(Duration::from_millis(100));
    for side in [0, 1] {
        assert!(failed(&net, side, 1) && !restarted(&net, side, 1) && restarted(&net, side, 2));
        assert!(net.unused.iter().any(|u| u.0 == new_address(side, 1)), "at once");
        assert_eq!(talk.lost(&net, side), 0);
        assert_eq!(path(&net, side), new_address(side, 2));
    }
    // A third one while the first agent still lingers.
    restart(&mut net, 3, Duration::ZERO, &mut |_| {});
    talk.run(&mut net, Duration::from_secs(8));
    net.run_for(Duration::from_millis(100));
    for side in [0, 1] {
        assert!(restarted(&net, side, 3));
        assert_eq!(talk.lost(&net, side), 0);
        let mut unused: Vec<_> = net.unused.iter().map(|u| u.0).filter(|a| net_side(*a) == side).collect();
        unused.sort_unstable();
        assert_eq!(unused, [net.addresses[side], new_address(side, 1), new_address(side, 2)], "each once");
    }
}

fn net_side(a: SocketAddr) -> usize {
    if let std::net::IpAddr::V4(ip) = a.ip() { usize::from(ip.octets()[3]) - 1 } else { panic!() }
}

#[test]
fn a_restart_that_never_connects_fails_alone() {
    let mut net = Net::new(0);
    net.connect();
    let mut talk = Talk::new(&mut net);
    let before = net.engines[1].local_transport();
    net.dead = vec![new_address(0, 1), new_address(1, 1)];
    let begun = net.now;
    restart(&mut net, 1, Duration::ZERO, &mut |_| {});
    while !failed(&net, 1, 1) {
        talk.step(&mut net);
        assert!(net.now.since(begun) < Duration::from_micros(RESTART_US + 100_000));
    }
    assert!(net.now.since(begun) >= Duration::from_secs(25));
    talk.run(&mut net, Duration::from_secs(10));
    net.run_for(Duration::from_millis(100));
    assert_eq!((talk.lost(&net, 0), talk.lost(&net, 1), net.failure(1)), (0, 0, None));
    assert_eq!(path(&net, 1), net.addresses[1]);
    assert_eq!(net.engines[1].local_transport(), before, "the old credentials count again");
    assert!(net.unused.iter().all(|u| net.dead.contains(&u.0)) && net.unused.len() == 2);
}

#[test]
fn a_connection_whose_old_and_new_path_are_dead_fails_once() {
    let mut net = Net::new(0);
    net.connect();
    net.run_for(Duration::from_secs(2));
    net.dead = vec![net.addresses[0], new_address(0, 1)];
    restart(&mut net, 1, Duration::ZERO, &mut |_| {});
    net.run_for(Duration::from_secs(60));
    for side in [0, 1] {
        assert!(failed(&net, side, 1));
        let failures = net.events[side].iter().filter(|e| matches!(e, Event::Failed(Failure::Ice))).count();
        assert_eq!(failures, 1);
        assert!(net.engines[side].next_deadline().is_none());
    }
}

#[test]
fn addresses_in_use_are_no_addresses_of_a_restart() {
    let mut net = Net::new(0);
    net.connect();
    let mut talk = Talk::new(&mut net);
    let c = credentials(1);
    let addresses = vec![net.addresses[1]];
    net.command(1, Command::RestartIce { generation: 1, addresses, remote: c[0].clone() });
    talk.run(&mut net, Duration::from_secs(40));
    assert!(failed(&net, 1, 1));
    assert!(net.unused.is_empty(), "{:?}", net.unused);
    net.run_for(Duration::from_millis(100));
    assert_eq!(talk.lost(&net, 0), 0);
}
