//! The channel: which ways it opens, and what is said on it.

use super::*;

fn last_forwarded(c: &Client) -> Option<&Vec<String>> {
    c.said.iter().rev().find_map(|m| if let FromBridge::ForwardedSources(f) = m { Some(f) } else { None })
}

fn last_constraint(c: &Client) -> Option<i32> {
    let of = |m: &FromBridge| match m {
        FromBridge::SenderSourceConstraints { max_height, .. } => Some(*max_height),
        _ => None,
    };
    c.said.iter().rev().find_map(of)
}

#[test]
fn a_data_channel_is_opened_by_the_client_and_says_no_hello_until_it_is_asked() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", sctp_only());
    net.join("bbbb", sctp_only());
    net.connect();
    net.run(Duration::from_secs(1));
    let open = Event::ChannelOpen { endpoint: "aaaa".into(), kind: ChannelKind::DataChannel };
    assert!(net.events.contains(&open), "{:?}", net.events);
    let hello = |m: &FromBridge| matches!(m, FromBridge::ServerHello { .. });
    assert!(last_forwarded(&net.clients["aaaa"]).is_some() && !net.clients["aaaa"].said.iter().any(hello));
    net.say("aaaa", r#"{"colibriClass":"ClientHello"}"#);
    net.say("aaaa", r#"{"colibriClass":"EndpointMessage","to":"bbbb","from":"x","msgPayload":{"n":1}}"#);
    net.run(Duration::from_secs(1));
    assert!(net.clients["aaaa"].said.iter().any(hello));
    let message = FromBridge::EndpointMessage { from: "aaaa".into(), to: "bbbb".into(), payload: r#"{"n":1}"#.into() };
    assert!(net.clients["bbbb"].said.contains(&message), "{:?}", net.clients["bbbb"].said);
}

#[test]
fn a_websocket_needs_its_path_and_its_password() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", EndpointOptions::default());
    let url = net.clients["aaaa"].offer.websockets[0].clone();
    let good = url.strip_prefix("wss://meet.example").expect("the base").to_owned();
    for (path, status) in [
        (good.replace("pwd=", "pwd=x"), 403),
        (good.replace("?pwd=", "?x=1&pwd="), 403),
        (good.replace("aaaa?", "bbbb?"), 403),
        (good.replace("/jvb/", "/other/"), 404),
        (good.replace("aaaa?", "aaaa/more?"), 404),
        ("/colibri-ws/jvb".into(), 404),
        (String::new(), 404),
    ] {
        let key = net.open_path(&path);
        net.run(Duration::ZERO);
        assert_eq!(net.refused.last(), Some(&(key, status)), "{path}");
    }
    assert!(net.refused.len() == 7 && net.closed.is_empty());
    net.open_path(&good);
    net.run(Duration::ZERO);
    assert_eq!(net.refused.len(), 7);
}

#[test]
fn a_second_websocket_replaces_the_first_and_an_expired_endpoint_closes_its_own() {
    let mut net = Net::new(|c| c.version = Some("test".into()));
    net.join("aaaa", EndpointOptions::default());
    let first = net.open_socket("aaaa");
    let second = net.open_socket("aaaa");
    net.run(Duration::ZERO);
    assert_eq!(net.closed, [(first, 1000, "replaced")]);
    let hello = FromBridge::ServerHello { version: Some("test".into()) };
    assert!(net.clients["aaaa"].said.contains(&hello));
    net.bridge.handle_websocket_closed(first, net.now);
    net.bridge.handle_websocket_text(second, r#"{"colibriClass":"ClientHello"}"#, net.now);
    net.bridge.expire("aaaa", net.now).expect("expired");
    net.run(Duration::ZERO);
    assert_eq!(net.closed.last(), Some(&(second, 1001, "endpoint closed")));
}

#[test]
fn constraints_are_told_to_the_sender_and_forwarded_sources_to_the_receiver() {
    let mut net = Net::new(|_| {});
    for id in ["aaaa", "bbbb", "cccc"] {
        net.join(id, EndpointOptions::default());
    }
    net.connect();
    net.media(10, 3);
    assert_eq!(last_constraint(&net.clients["bbbb"]), Some(0));
    assert_eq!(last_forwarded(&net.clients["aaaa"]), Some(&vec![]));
    net.want("aaaa", 180);
    net.want("cccc", 720);
    net.media(20, 3);
    assert_eq!(last_constraint(&net.clients["bbbb"]), Some(720));
    assert_eq!(last_constraint(&net.clients["cccc"]), Some(180));
    let mut forwarded = last_forwarded(&net.clients["aaaa"]).cloned().expect("told");
    forwarded.sort();
    assert_eq!(forwarded, ["bbbb-v0", "cccc-v0"]);
    // Muted video is neither wanted nor forwarded.
    net.say("bbbb", r#"{"colibriClass":"SourceVideoTypeMessage","sourceName":"bbbb-v0","videoType":"none"}"#);
    net.run(Duration::from_secs(1));
    assert_eq!(last_forwarded(&net.clients["aaaa"]), Some(&vec!["cccc-v0".to_owned()]));
    assert_eq!(last_constraint(&net.clients["bbbb"]), Some(0));
    // A message with a key of 2022 changes nothing.
    net.say("aaaa", r#"{"colibriClass":"ReceiverVideoConstraints","lastN":0,"onStageEndpoints":[]}"#);
    net.run(Duration::from_secs(1));
    assert_eq!(net.bridge.forwarded("aaaa"), ["cccc-v0"]);
    assert!(net.events.iter().any(|e| matches!(e, Event::Dropped { endpoint, .. } if endpoint == "aaaa")));
    net.say("aaaa", r#"{"colibriClass":"LastNChangedEvent","lastN":0}"#);
    net.run(Duration::from_secs(1));
    assert!(net.bridge.forwarded("aaaa").is_empty());
}

#[test]
fn a_channel_that_opens_again_is_told_everything_again() {
    let mut net = Net::new(|_| {});
    net.join("aaaa", EndpointOptions::default());
    net.join("bbbb", EndpointOptions::default());
    net.connect();
    net.want("aaaa", 360);
    net.media(60, 2);
    let maps = |n: &Net| (n.clients["aaaa"].maps(Kind::Video), n.clients["aaaa"].maps(Kind::Audio));
    let before = maps(&net);
    net.clients.get_mut("aaaa").expect("a client").said.clear();
    net.open_socket("aaaa");
    net.run(Duration::ZERO);
    assert_eq!(maps(&net), before);
    let said = &net.clients["aaaa"].said;
    assert!(matches!(said[0], FromBridge::ServerHello { .. }), "{said:?}");
    assert!(matches!(said[1], FromBridge::SenderSourceConstraints { .. }), "{said:?}");
    assert_eq!(said[2], FromBridge::ForwardedSources(vec!["bbbb-v0".into()]));
    assert!(matches!(said.last(), Some(FromBridge::DominantSpeaker(_))), "{said:?}");
}

#[test]
fn messages_reach_those_they_are_for_with_their_true_sender() {
    let mut net = Net::new(|_| {});
    for id in ["aaaa", "bbbb", "cccc"] {
        net.join(id, EndpointOptions::default());
    }
    net.connect();
    net.say("aaaa", r#"{"colibriClass":"EndpointMessage","to":"","from":"cccc","msgPayload":{"x":null}}"#);
    net.say("aaaa", r#"{"colibriClass":"EndpointMessage","to":"nobody","msgPayload":{}}"#);
    net.say("bbbb", r#"{"colibriClass":"EndpointStats","jvbRTT":5,"other":[1]}"#);
    net.run(Duration::from_secs(1));
    let of = |id: &str| {
        let told = |m: &&FromBridge| matches!(m, FromBridge::EndpointMessage { .. } | FromBridge::EndpointStats { .. });
        net.clients[id].said.iter().filter(told).cloned().collect::<Vec<_>>()
    };
    let payload = r#"{"x":null}"#.to_owned();
    let message = FromBridge::EndpointMessage { from: "aaaa".into(), to: String::new(), payload };
    let stats = serde_json::json!({ "jvbRTT": 5, "other": [1] });
    let stats = FromBridge::EndpointStats { from: "bbbb".into(), stats: stats.as_object().expect("object").clone() };
    assert_eq!(of("cccc"), [message.clone(), stats.clone()]);
    assert_eq!(of("bbbb"), [message]);
    assert_eq!(of("aaaa"), [stats]);
}

#[test]
fn audio_subscriptions_choose_who_is_heard() {
    let mut net = Net::new(|_| {});
    for id in ["aaaa", "bbbb", "cccc"] {
        net.join(id, plain());
    }
    net.connect();
    net.say("aaaa", r#"{"colibriClass":"ReceiverAudioSubscription","all":true,"exclude":["bbbb-a0"]}"#);
    net.media(10, 0);
    net.run(Duration::from_secs(1));
    let heard = |n: &Net, of: &str| n.clients["aaaa"].on(n.clients[of].ssrc(1)).len();
    assert_eq!((heard(&net, "bbbb"), heard(&net, "cccc")), (0, 10));
    net.say("aaaa", r#"{"colibriClass":"ReceiverAudioSubscription"}"#);
    net.media(10, 0);
    net.run(Duration::from_secs(1));
    assert_eq!((heard(&net, "bbbb"), heard(&net, "cccc")), (0, 10));
}
