//! Connections: ICE and DTLS, restarts, expiry, death.

use super::*;

#[test]
fn a_client_connects_and_a_second_offer_for_it_is_refused() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", EndpointOptions::default());
    net.connect();
    assert!(net.events.contains(&Event::Connected { endpoint: "aaaa".into() }));
    let again = net.bridge.allocate("aaaa", EndpointOptions::default(), net.now);
    assert_eq!(again, Err(BridgeError::EndpointExists));
    let offer = &net.clients["aaaa"].offer;
    assert_eq!((offer.setup, offer.sctp_port, offer.generation), ("actpass", Some(5000), 0));
    assert!(offer.websockets[0].starts_with("wss://meet.example/colibri-ws/jvb/"), "{:?}", offer.websockets);
    assert_eq!(net.bridge.expire("bbbb", net.now), Err(BridgeError::UnknownEndpoint));
}

#[test]
fn a_role_or_fingerprint_that_cannot_be_used_is_refused() {
    let mut net = Net::new(|_| {});
    net.bridge.allocate("aaaa", plain(), net.now).expect("allocated");
    let mut r = RemoteTransport {
        ufrag: "u".into(),
        pwd: "p".into(),
        fingerprint: None,
        setup: "actpass".into(),
        candidates: vec![],
    };
    for _ in 0..2 {
        assert!(matches!(net.bridge.accept("aaaa", &r, net.now), Err(BridgeError::Transport(_))), "{r:?}");
        r.setup = "active".into();
    }
    let twice = BridgeSource {
        name: "x".into(),
        kind: Kind::Audio,
        video_type: BridgeVideoType::None,
        ssrcs: vec![1, 1],
        sim: vec![],
        fid: vec![],
    };
    for bad in
        [vec![twice.clone()], vec![BridgeSource { ssrcs: vec![], ..twice.clone() }], vec![twice; MAX_SOURCES + 1]]
    {
        assert!(matches!(net.bridge.set_sources("aaaa", bad, net.now), Err(BridgeError::Sources(_))));
    }
}

#[test]
fn a_wrong_certificate_ends_the_endpoint() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", plain());
    // Accepting again does not change the fingerprint, so the first accept has to be wrong: another endpoint's way in.
    let offer = net.bridge.allocate("bbbb", plain(), net.now).expect("allocated");
    let c = net.clients.get_mut("aaaa").expect("a client");
    let t = c.engine.local_transport();
    let remote = RemoteTransport {
        ufrag: t.credentials.ufrag,
        pwd: t.credentials.pwd,
        fingerprint: Some(offer.fingerprint),
        setup: "active".into(),
        candidates: vec![],
    };
    net.bridge.expire("aaaa", net.now).expect("expired");
    let offer = net.bridge.allocate("aaaa", plain(), net.now).expect("allocated");
    let mut engine = Engines
        .create(
            Config {
                controlling: false,
                identity: identity(),
                stun_servers: vec![],
                allow_loopback: true,
                rtp: rtp_config(),
                feedback_ssrc: 5,
                cname: "x".into(),
                estimate: EstimateBounds::default(),
                sctp: None,
            },
            &mut Env::seeded(77),
            net.now,
        )
        .expect("an engine");
    let t = engine.local_transport();
    engine.handle_command(Command::AddLocalAddress(net.clients["aaaa"].addresses[0]), net.now);
    engine.handle_command(
        Command::SetRemote(EngineRemote {
            credentials: IceCredentials { ufrag: offer.ufrag, pwd: offer.pwd },
            fingerprints: vec![offer.fingerprint],
            dtls: DtlsRole::Client,
        }),
        net.now,
    );
    engine.handle_command(Command::AddRemoteCandidate(offer.candidates[0].clone()), net.now);
    let remote = RemoteTransport { ufrag: t.credentials.ufrag, pwd: t.credentials.pwd, ..remote };
    let mut wrong = remote;
    wrong.fingerprint = Some(Fingerprint { hash: "sha-256".into(), value: ["AA"; 32].join(":") });
    net.bridge.accept("aaaa", &wrong, net.now).expect("accepted");
    net.clients.get_mut("aaaa").expect("a client").engine = engine;
    let expired = Event::Expired { endpoint: "aaaa".into(), reason: Expiry::DtlsFailed };
    assert!(net.run_until(Duration::from_secs(40), |n| n.events.contains(&expired)), "{:?}", net.events);
}

/// Restarts the client's ICE on a new socket, as the protocol asks, or on an old one.
fn restart(net: &mut Net, id: &str, address: &str) {
    let offer = net.bridge.restart_ice(id, net.now).expect("an offer");
    let address: SocketAddr = address.parse().expect("address");
    let c = net.clients.get_mut(id).expect("a client");
    if !c.addresses.contains(&address) {
        c.addresses.push(address);
    }
    let remote = IceCredentials { ufrag: offer.ufrag.clone(), pwd: offer.pwd.clone() };
    let generation = offer.generation;
    c.engine.handle_command(Command::RestartIce { generation, addresses: vec![address], remote }, net.now);
    for candidate in &offer.candidates {
        c.engine.handle_command(Command::AddRemoteCandidate(candidate.clone()), net.now);
    }
    let t = c.engine.local_transport();
    let remote = RemoteTransport {
        ufrag: t.credentials.ufrag,
        pwd: t.credentials.pwd,
        fingerprint: None,
        setup: String::new(),
        candidates: vec![],
    };
    net.bridge.accept(id, &remote, net.now).expect("accepted");
}

#[test]
fn a_restart_on_a_new_socket_moves_media_without_losing_a_packet() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", plain());
    net.join("bbbb", plain());
    net.connect();
    net.media(20, 0);
    restart(&mut net, "bbbb", "10.0.2.2:6000");
    for n in 20..400 {
        net.audio("aaaa", n, 30);
        net.audio("bbbb", n, 30);
        net.run(Duration::from_millis(20));
    }
    net.run(Duration::from_secs(1));
    assert!(net.events.contains(&Event::IceConnected { endpoint: "bbbb".into(), generation: 1 }), "{:?}", net.events);
    let b = &net.clients["bbbb"];
    assert_eq!(b.engine.stats().path.map(|p| p.local), Some("10.0.2.2:6000".parse().expect("address")));
    for (who, of) in [("aaaa", "bbbb"), ("bbbb", "aaaa")] {
        let got = net.clients[who].on(net.clients[of].ssrc(1));
        assert_eq!(got.len(), 400, "{who}");
    }
}

#[test]
fn a_restart_from_the_old_socket_fails_alone_and_what_was_before_goes_on() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", plain());
    net.join("bbbb", plain());
    net.connect();
    let old = net.clients["bbbb"].addresses[0].to_string();
    restart(&mut net, "bbbb", &old);
    let failed = Event::RestartFailed { endpoint: "bbbb".into(), generation: 1 };
    let until = net.now + RESTART_TIMEOUT;
    assert!(net.run_until(Duration::from_secs(25), |n| n.events.contains(&failed)), "{:?}", net.events);
    assert!(net.now >= until);
    net.media(10, 0);
    net.run(Duration::from_secs(1));
    assert_eq!(net.clients["bbbb"].on(net.clients["aaaa"].ssrc(1)).len(), 10);
    assert!(!net.events.iter().any(|e| matches!(e, Event::Expired { .. })));
}

#[test]
fn a_bridge_that_dies_is_silent_at_once_and_the_client_finds_out() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", EndpointOptions::default());
    net.connect();
    net.bridge.die();
    assert_eq!((net.bridge.poll_output(), net.bridge.next_deadline()), (None, None));
    assert_eq!(net.bridge.allocate("bbbb", plain(), net.now), Err(BridgeError::Dead));
    net.bridge.handle_websocket_opened(9, "/x", net.now);
    assert_eq!(net.bridge.poll_output(), None);
    let failed = |n: &Net| {
        let ended = |e: &EngineEvent| matches!(e, EngineEvent::Failed(_));
        n.clients["aaaa"].engine_events.iter().any(ended)
    };
    assert!(net.run_until(Duration::from_secs(90), failed), "{:?}", net.clients["aaaa"].engine_events);
}

#[test]
fn a_client_that_vanishes_is_inactive_then_given_up() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", EndpointOptions::default());
    net.join("bbbb", EndpointOptions::default());
    net.connect();
    net.clients.get_mut("bbbb").expect("a client").up.options.loss = 1.0;
    let inactive = FromBridge::EndpointConnectivity { endpoint: "bbbb".into(), active: false };
    let start = net.now;
    assert!(net.run_until(Duration::from_secs(12), |n| n.clients["aaaa"].said.contains(&inactive)));
    assert!(net.now.since(start) > Duration::from_secs(7));
    let gone = |n: &Net| n.events.iter().any(|e| matches!(e, Event::Expired { endpoint, .. } if endpoint == "bbbb"));
    assert!(net.run_until(Duration::from_secs(80), gone), "{:?}", net.events);
    assert_eq!(net.bridge.endpoints().collect::<Vec<_>>(), ["aaaa"]);
}
