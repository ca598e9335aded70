use super::*;
use serde_json::json;

const REAL: [&str; 5] = [
    include_str!("../../../tests/fixtures/captures/31-bridge-channel.txt"),
    include_str!("../../../tests/fixtures/captures/33-bridge-channel-2022-client.txt"),
    include_str!("../../../tests/fixtures/captures/53-real-bridge-channel.txt"),
    include_str!("../../../tests/fixtures/captures/58-real-ssrc-rewriting.txt"),
    include_str!("../../../tests/fixtures/captures/59-real-bridge-channel-sctp.txt"),
];

/// The recorded messages in one direction.
fn recorded(mark: &str) -> Vec<&'static str> {
    let lines = REAL.iter().flat_map(|c| c.lines());
    lines
        .filter_map(|l| Some(&l[l.find(mark)? + 2..]))
        .map(str::trim)
        .filter(|m| m.starts_with("{\"colibriClass"))
        .collect()
}

#[test]
fn every_recorded_message_of_a_real_bridge_is_understood_and_written_back_alike() {
    let all = recorded("< ");
    assert!(all.len() > 100, "{}", all.len());
    for m in all {
        // The stand-in bridge of the older recordings knew no name for a source of a client of 2022.
        if m.contains("\"sourceName\":null") {
            assert_eq!(FromBridge::parse(m), Err(ColibriError::Field("sourceName")));
            continue;
        }
        let read = FromBridge::parse(m).unwrap_or_else(|e| panic!("{m}: {e}"));
        assert!(!matches!(read, FromBridge::Unknown(_)), "{m}");
        assert_eq!(FromBridge::parse(&read.to_text()), Ok(read), "{m}");
    }
}

#[test]
fn every_recorded_message_of_a_client_passes_the_bridges_own_rules_as_written_by_us() {
    let all = recorded("> ");
    assert!(all.len() > 30, "{}", all.len());
    for m in all {
        // What a client of 2022 asks for in keys of its time is refused by the bridge of today.
        if m.contains("onStageEndpoints") {
            assert!(ToBridge::parse(m).is_err());
            continue;
        }
        let read = ToBridge::parse(m).unwrap_or_else(|e| panic!("{m}: {e}"));
        assert_eq!(ToBridge::parse(&read.to_text()), Ok(read), "{m}");
    }
}

#[test]
fn what_the_bridge_would_drop_is_never_written() {
    let c = ReceiverConstraints {
        last_n: Some(-1),
        on_stage: Some(vec!["a-v0".into()]),
        selected: Some(Vec::new()),
        default_height: Some(180),
        heights: Some([("a-v0".to_owned(), 720)].into()),
        assumed_bandwidth: Some(-1),
    };
    for m in [
        ToBridge::ClientHello,
        ToBridge::EndpointMessage { to: String::new(), payload: json!({"a": [1, null]}) },
        ToBridge::EndpointStats(Box::default()),
        ToBridge::ReceiverVideoConstraints(c),
        ToBridge::ReceiverVideoConstraints(ReceiverConstraints::default()),
        ToBridge::ReceiverAudioSubscription(AudioSubscription::default()),
        ToBridge::SourceVideoType { source: "a-v0".into(), video_type: BridgeVideoType::DesktopHighFps },
        ToBridge::LastN(5),
        ToBridge::VideoType(BridgeVideoType::None),
    ] {
        assert_eq!(ToBridge::parse(&m.to_text()), Ok(m));
    }
}

#[test]
fn the_bridge_drops_a_whole_message_for_an_unknown_key_or_a_wrong_value() {
    for m in [
        r#"{"colibriClass":"ReceiverVideoConstraints","onStageEndpoints":["a"]}"#,
        r#"{"colibriClass":"ReceiverVideoConstraints","defaultConstraints":{"maxHeight":-2}}"#,
        r#"{"colibriClass":"ReceiverVideoConstraints","constraints":{"a":{}}}"#,
        r#"{"colibriClass":"SourceVideoTypeMessage","sourceName":"a-v0","videoType":"hologram"}"#,
        r#"{"colibriClass":"ReceiverVideoConstraints","defaultConstraints":{"maxHeight":180,"maxFrameRate":-2}}"#,
        r#"{"colibriClass":"ReceiverVideoConstraints","selectedSources":["a-v0",7]}"#,
        r#"{"colibriClass":"ReceiverVideoConstraints","lastN":1,"lastN":1}"#,
        r#"{"colibriClass":"EndpointMessage","to":"","msgPayload":{"x":1,"x":2}}"#,
        r#"{"colibriClass":"ReceiverAudioSubscription","all":"true"}"#,
        r#"{"colibriClass":"ReceiverAudioSubscription","mode":"all"}"#,
        r#"{"colibriClass":"ServerHello"}"#,
        r#"{"colibriClass":"SelectedUpdate"}"#,
        r#"{"colibriClass":"EndpointMessage","msgPayload":{}}"#,
        "{}",
        "",
    ] {
        assert!(ToBridge::parse(m).is_err(), "{m}");
    }
    let off = r#"{"colibriClass":"ReceiverVideoConstraints","defaultConstraints":{"maxHeight":720,"maxFrameRate":0}}"#;
    let Ok(ToBridge::ReceiverVideoConstraints(c)) = ToBridge::parse(off) else { panic!() };
    assert_eq!(c.default_height, Some(0));
}

#[test]
fn odd_messages_are_errors_or_unknown_and_odd_entries_are_passed_over() {
    for m in [
        "",
        "[]",
        "{}",
        r#"{"colibriClass":7}"#,
        r#"{"colibriClass":"ForwardedSources"}"#,
        r#"{"colibriClass":"EndpointMessage","from":"a","msgPayload":"text"}"#,
        r#"{"colibriClass":"SenderSourceConstraints","sourceName":"a","maxHeight":"180"}"#,
        r#"{"colibriClass":"SyntheticSourceSendingChangeEvent","sourceName":"a","sending":true,"timestamp":4294967296}"#,
        r#"{"colibriClass":"ConnectionStats","estimatedDownlinkBandwidth":-1}"#,
    ] {
        assert!(FromBridge::parse(m).is_err(), "{m}");
    }
    assert_eq!(FromBridge::parse(r#"{"colibriClass":"New"}"#), Ok(FromBridge::Unknown("New".into())));
    let m = r#"{"colibriClass":"VideoSourcesMap","mappedSources":[7,{"source":"a-v0","owner":null,"ssrc":"12","rtx":"-1",
        "videoType":"CAMERA","mid":"v0"},{"source":"b-v0","ssrc":0},{"source":"c-v0","ssrc":4294967296}]}"#;
    let Ok(FromBridge::VideoSourcesMap(s)) = FromBridge::parse(m) else { panic!() };
    assert_eq!(s.len(), 1);
    assert_eq!((s[0].ssrc, s[0].rtx, &s[0].owner, s[0].video_type), (12, None, &None, Some(BridgeVideoType::Camera)));
}

#[test]
fn limits_hold_at_their_value_and_past_it() {
    let message = |pad: usize| format!(r#"{{"colibriClass":"ServerHello","x":"{}"}}"#, "x".repeat(pad));
    let frame = message(0).len();
    assert!(FromBridge::parse(&message(MAX_MESSAGE_BYTES - frame)).is_ok());
    assert_eq!(FromBridge::parse(&message(MAX_MESSAGE_BYTES - frame + 1)), Err(ColibriError::TooLarge));

    let list = |n: usize| FromBridge::ForwardedSources((0..n).map(|i| format!("{i}-v0")).collect()).to_text();
    for (n, kept) in [(MAX_LIST, MAX_LIST), (MAX_LIST + 1, MAX_LIST)] {
        let Ok(FromBridge::ForwardedSources(s)) = FromBridge::parse(&list(n)) else { panic!() };
        assert_eq!(s.len(), kept);
    }
    let named = |n: usize| FromBridge::ForwardedSources(vec!["x".repeat(n)]).to_text();
    for (n, kept) in [(MAX_NAME_BYTES, 1), (MAX_NAME_BYTES + 1, 0)] {
        let Ok(FromBridge::ForwardedSources(s)) = FromBridge::parse(&named(n)) else { panic!() };
        assert_eq!(s.len(), kept);
    }
    let nested = |n: usize| {
        let (open, close) = ("[".repeat(n - 2), "]".repeat(n - 2));
        format!(r#"{{"colibriClass":"EndpointMessage","from":"a","msgPayload":{{"x":{open}{close}}}}}"#)
    };
    assert!(FromBridge::parse(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(FromBridge::parse(&nested(MAX_DEPTH + 1)), Err(ColibriError::TooDeep));
    let class = |n: usize| format!(r#"{{"colibriClass":"{}"}}"#, "x".repeat(n));
    assert!(matches!(FromBridge::parse(&class(MAX_NAME_BYTES)), Ok(FromBridge::Unknown(_))));
    assert_eq!(FromBridge::parse(&class(MAX_NAME_BYTES + 1)), Err(ColibriError::Malformed));
    // A parser without a bound on depth would end the process here.
    let deep = format!(r#"{{"colibriClass":"EndpointMessage","from":"a","msgPayload":{{"x":{}"#, "[".repeat(100_000));
    assert_eq!(FromBridge::parse(&deep), Err(ColibriError::TooDeep));
}

#[test]
fn statistics_are_read_whatever_they_lack() {
    let m = r#"{"colibriClass":"EndpointStats","from":"b","bitrate":{"audio":{"upload":30.5}},"connectionQuality":1000,"jvbRTT":-1}"#;
    let Ok(FromBridge::EndpointStats { from, stats }) = FromBridge::parse(m) else { panic!() };
    let s = EndpointStats::read(&stats);
    assert_eq!((from.as_str(), s.audio.upload, s.connection_quality, s.jvb_rtt), ("b", 30, 100, None));
}

#[test]
fn the_audio_subscription_of_older_clients_is_read_as_that_of_today() {
    let read =
        |fields: &str| match ToBridge::parse(&format!(r#"{{"colibriClass":"ReceiverAudioSubscription"{fields}}}"#)) {
            Ok(ToBridge::ReceiverAudioSubscription(a)) => (a.all, a.include.join(" "), a.exclude.join(" ")),
            other => panic!("{other:?}"),
        };
    let plain = |all, include: &str, exclude: &str| (all, include.to_owned(), exclude.to_owned());
    assert_eq!(read(""), plain(false, "", ""));
    assert_eq!(read(r#","mode":"All","list":["a"]"#), plain(true, "", ""));
    assert_eq!(read(r#","mode":"None","all":true"#), plain(false, "", ""));
    assert_eq!(read(r#","mode":"Include","list":["a","b"]"#), plain(false, "a b", ""));
    assert_eq!(read(r#","mode":"Exclude","list":["a"],"include":["b"]"#), plain(true, "", "a"));
    assert_eq!(read(r#","all":true,"exclude":["a"],"list":["b"]"#), plain(true, "", "a"));
}

#[test]
fn an_application_payload_stays_as_its_sender_wrote_it() {
    let payload = r#"{ "z":1.50,"a":18446744073709551617,"\u0061":["}"] }"#;
    let m = format!(
        r#"{{"colibriClass":"EndpointMessage","msgPayload":{{}},"from":"b", "msgPayload" : {payload} ,"to":""}}"#
    );
    let read = FromBridge::parse(&m).unwrap();
    let wanted = FromBridge::EndpointMessage { from: "b".into(), to: String::new(), payload: payload.into() };
    assert_eq!(read, wanted);
    assert_eq!(FromBridge::parse(&read.to_text()), Ok(wanted));
}
