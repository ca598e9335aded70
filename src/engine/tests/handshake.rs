//! Connecting: both DTLS roles, losses, delays and doubles of each handshake datagram, wrong fingerprints, dead ends.

use super::*;

#[test]
fn two_engines_connect_in_either_dtls_role() {
    for client in [0, 1] {
        let mut net = Net::new(client);
        let begin = net.now;
        net.connect();
        assert!(net.now.since(begin) < Duration::from_millis(600), "{:?}", net.now.since(begin));
        for (side, e) in net.engines.iter().enumerate() {
            let path = e.stats().path.expect("a path");
            assert_eq!((path.local, path.remote), (net.addresses[side], net.addresses[1 - side]));
            assert_eq!((path.local_kind, path.remote_kind), (CandidateKind::Host, CandidateKind::Host));
        }
    }
}

/// Where each handshake datagram meets its fate, one at a time.
fn each_datagram(fate: fn() -> Fate) {
    for client in [0, 1] {
        for side in [0, 1] {
            for k in 1.. {
                let mut net = Net::new(client);
                let (until, mut n) = (net.now + Duration::from_secs(29), 0);
                net.run(
                    until,
                    &mut |i, b| {
                        if i == side && is_dtls(b) {
                            n += 1;
                            if n == k {
                                return fate();
                            }
                        }
                        Fate::Pass
                    },
                    &mut |n| n.secure(),
                );
                assert!(net.secure(), "client {client}, datagram {k} of {side}: {:?}", net.events);
                if n < k {
                    break;
                }
                assert!(k < 20);
            }
        }
    }
}

#[test]
fn each_single_handshake_datagram_may_be_lost() {
    each_datagram(|| Fate::Lose);
}

#[test]
fn each_single_handshake_datagram_may_be_late() {
    each_datagram(|| Fate::Late(Duration::from_millis(450)));
}

#[test]
fn each_single_handshake_datagram_may_come_twice() {
    each_datagram(|| Fate::Twice);
}

#[test]
fn engines_connect_through_heavy_loss() {
    for seed in 0..12 {
        let mut net = Net::new((seed % 2) as usize);
        let (until, mut dice) = (net.now + Duration::from_secs(29), Dice(seed));
        let mut lossy = |_: usize, _: &[u8]| if dice.percent() < 30 { Fate::Lose } else { Fate::Pass };
        net.run(until, &mut lossy, &mut |n| n.secure());
        assert!(net.secure(), "{seed}: {:?}", net.events);
    }
}

#[test]
fn a_wrong_fingerprint_fails_the_side_that_sees_it() {
    for client in [0, 1] {
        for side in [0, 1] {
            for none in [false, true] {
                let mut net = Net::with(client, |r| {
                    r[side].fingerprints.iter_mut().for_each(|f| f.value = f.value.replace(['0', '1', '2'], "F"));
                    if none {
                        r[side].fingerprints.clear();
                    }
                });
                net.run_for(Duration::from_secs(31));
                assert_eq!(net.failure(side), Some(Failure::Fingerprint), "client {client} side {side}");
                assert!(!net.events[side].iter().any(|e| matches!(e, Event::Secure)));
                assert_eq!(net.engines[side].next_deadline(), None);
            }
        }
    }
}

#[test]
fn without_a_peer_ice_fails_once_and_falls_silent() {
    let mut net = Net::new(0);
    let until = net.now + Duration::from_secs(60);
    net.run(until, &mut |_, _| Fate::Lose, &mut |_| false);
    for side in [0, 1] {
        assert_eq!(net.failure(side), Some(Failure::Ice));
        let failures = net.events[side].iter().filter(|e| matches!(e, Event::Failed(_))).count();
        assert_eq!(failures, 1);
        assert_eq!(net.engines[side].next_deadline(), None);
        // Ten seconds of checks, twenty a second.
        assert!(net.sent[side].len() <= 210, "{}", net.sent[side].len());
    }
}

#[test]
fn a_peer_that_never_speaks_dtls_fails_the_handshake() {
    let mut net = Net::new(0);
    let until = net.now + Duration::from_secs(60);
    net.run(until, &mut |_, b| if is_dtls(b) { Fate::Lose } else { Fate::Pass }, &mut |_| false);
    assert_eq!(net.failure(0), Some(Failure::Dtls));
    assert!(net.failure(1).is_some());
}

#[test]
fn a_lost_path_is_told_comes_back_and_fails_in_the_end() {
    let mut net = Net::new(0);
    net.connect();
    let states = |net: &Net| {
        let s = net.events[1].iter().filter_map(|e| if let Event::Ice(s) = e { Some(*s) } else { None });
        s.collect::<Vec<_>>()
    };
    let until = net.now + Duration::from_secs(10);
    net.run(until, &mut |_, _| Fate::Lose, &mut |_| false);
    assert_eq!(states(&net).last(), Some(&IceState::Disconnected));
    net.run_for(Duration::from_secs(5));
    assert_eq!(states(&net).last(), Some(&IceState::Connected));
    let until = net.now + Duration::from_secs(60);
    net.run(until, &mut |_, _| Fate::Lose, &mut |_| false);
    assert_eq!(net.failure(1), Some(Failure::Ice));
}

#[test]
fn a_close_says_goodbye_and_the_peer_hears_it() {
    let mut net = Net::new(0);
    net.connect();
    net.command(0, Command::Close);
    net.run_for(Duration::from_secs(1));
    assert!(matches!(net.events[0].last(), Some(Event::Ice(IceState::Closed))));
    assert_eq!(net.failure(1), Some(Failure::PeerClosed));
    assert_eq!(net.engines.each_ref().map(|e| e.next_deadline()), [None, None]);
    // Nothing comes back to life.
    net.command(0, Command::AddSender(Sender { ssrc: 1, rtx: None, pt: AUDIO }));
    net.send(0, &audio(1, 0));
    assert!(net.engines[0].poll_output().is_none());
}

#[test]
fn a_connected_engine_without_media_wakes_at_most_once_a_second() {
    let mut net = Net::new(0);
    net.connect();
    net.run_for(Duration::from_secs(5));
    let mut wakes = 0;
    for _ in 0..1000 {
        let Some(t) = net.engines[0].next_deadline() else { break };
        if t > net.now + Duration::from_secs(4) {
            break;
        }
        net.engines[0].handle_timeout(t);
        wakes += 1;
    }
    assert!((3..=5).contains(&wakes), "{wakes}");
}

#[test]
fn a_server_reflexive_path_is_named_so() {
    let nat: SocketAddr = "203.0.113.7:7000".parse().expect("address");
    let server: SocketAddr = "192.0.2.1:3478".parse().expect("address");
    let now = Time::new(0, 0);
    let (inner, outer): (SocketAddr, SocketAddr) =
        ("10.0.0.1:10000".parse().expect("address"), "198.51.100.2:20000".parse().expect("address"));
    let mut e = [0, 1].map(|i| {
        let mut c = config(i);
        if i == 0 {
            c.stun_servers = vec![server];
        }
        Engine::new(c, &mut Env::seeded(i as u64), now).expect("engine")
    });
    e[0].handle_command(Command::AddLocalAddress(inner), now);
    e[1].handle_command(Command::AddLocalAddress(outer), now);
    for i in [0, 1] {
        let t = e[1 - i].local_transport();
        let dtls = if i == 0 { DtlsRole::Client } else { DtlsRole::Server };
        let r = RemoteTransport { credentials: t.credentials, fingerprints: vec![t.fingerprint], dtls };
        e[i].handle_command(Command::SetRemote(r), now);
    }
    let (mut now, mut secure) = (now, [false; 2]);
    while secure != [true; 2] {
        assert!(now.mono_us < 5_000_000, "{:?}", e[0].stats());
        for i in [0, 1] {
            while let Some(o) = e[i].poll_output() {
                match o {
                    // Only the reflexive candidate is told: the inner address cannot be reached.
                    Output::Event(Event::Candidate(c)) if c.address != inner => {
                        assert!(i == 1 || (c.kind, c.address) == (CandidateKind::ServerReflexive, nat));
                        e[1 - i].handle_command(Command::AddRemoteCandidate(c), now);
                    }
                    Output::Event(Event::Secure) => secure[i] = true,
                    Output::Event(_) => {}
                    Output::Transmit(t) if t.remote == server => {
                        let answer = super::abuse::binding_answer(&t.data, nat);
                        e[i].handle_datagram(inner, server, &answer, now);
                    }
                    Output::Transmit(t) if i == 0 => {
                        t.datagrams().for_each(|d| e[1].handle_datagram(t.remote, nat, d, now));
                    }
                    Output::Transmit(t) if t.remote == nat => {
                        t.datagrams().for_each(|d| e[0].handle_datagram(inner, t.local, d, now));
                    }
                    Output::Transmit(_) => {}
                }
            }
        }
        now = now + Duration::from_millis(10);
        e.iter_mut().for_each(|e| e.handle_timeout(now));
    }
    let path = e[0].stats().path.expect("path");
    assert_eq!((path.local_kind, path.remote_kind), (CandidateKind::ServerReflexive, CandidateKind::Host));
    assert_eq!(e[1].stats().path.expect("path").remote_kind, CandidateKind::ServerReflexive);
}

/// From both transports known to keys, on a path of 30 ms each way: a check and its answer, the nomination, which the side that leads knows
/// to be heard half a round trip later than the other, and the one round trip of DTLS 1.3. No timer is waited for.
#[test]
fn keys_are_there_after_three_round_trips_and_no_wait() {
    for (client, expected) in [(0, [180, 210]), (1, [180, 150])] {
        let mut net = Net::new(client);
        let (begun, mut at) = (net.now, [None; 2]);
        let until = net.now + Duration::from_secs(5);
        net.run(until, &mut |_, _| Fate::Pass, &mut |n| {
            for (i, at) in at.iter_mut().enumerate() {
                if n.events[i].iter().any(|e| matches!(e, Event::Secure)) {
                    at.get_or_insert(n.now.since(begun));
                }
            }
            n.secure()
        });
        let ms = at.map(|t| t.expect("secure").as_millis());
        assert_eq!(ms, expected, "client {client}");
    }
}
