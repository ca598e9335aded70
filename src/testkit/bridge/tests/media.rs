//! Media through the bridge: audio, layers, repairs, rewriting, estimates.

use super::*;

fn two(options: [EndpointOptions; 2], change: impl FnOnce(&mut BridgeConfig)) -> Net {
    let mut net = Net::new(change);
    for (id, options) in ["aaaa", "bbbb"].into_iter().zip(options) {
        net.join(id, options);
    }
    net.connect();
    net
}

#[test]
fn audio_and_video_go_through_on_their_own_ssrcs_without_rewriting() {
    let mut net = two([plain(), plain()], |_| {});
    net.want("aaaa", 720);
    net.want("bbbb", 180);
    net.media(100, 3);
    net.run(Duration::from_secs(1));
    for (who, of, layer) in [("aaaa", "bbbb", 720), ("bbbb", "aaaa", 180)] {
        let (to, from) = (&net.clients[who], &net.clients[of]);
        let audio = to.on(from.ssrc(1));
        assert_eq!(audio.len(), 100, "{who}");
        assert_eq!(audio[0].level, Some(AudioLevel { level: 30, voice: true }));
        let video = to.on(from.ssrc(10));
        assert!(video.len() > 80, "{who} {}", video.len());
        assert!(picture(video[0]).1);
        assert_eq!(video.iter().rev().find_map(|p| picture(p).2), Some(layer), "{who}");
        assert!(video.windows(2).all(|w| w[0].seq + 1 == w[1].seq), "{who}");
        let pictures: Vec<u16> = video.iter().map(|p| picture(p).0).collect();
        assert!(pictures.windows(2).all(|w| w[0] + 1 == w[1]), "{pictures:?}");
        assert_eq!(to.received.iter().filter(|p| p.ssrc == from.ssrc(11) || p.ssrc == from.ssrc(12)).count(), 0);
    }
    assert!(net.clients["aaaa"].engine.stats().transport_cc_in > 5);
}

#[test]
fn another_height_changes_the_layer_at_a_key_frame_without_a_seam() {
    let mut net = two([plain(), plain()], |_| {});
    net.want("aaaa", 180);
    net.media(50, 3);
    net.want("aaaa", 720);
    net.media(50, 3);
    net.want("aaaa", 360);
    net.media(50, 3);
    net.run(Duration::from_secs(1));
    let video = net.clients["aaaa"].on(net.clients["bbbb"].ssrc(10));
    let heights: Vec<u16> = video.iter().filter_map(|p| picture(p).2).collect();
    assert_eq!((heights.first(), heights.last()), (Some(&180), Some(&360)), "{heights:?}");
    assert!(heights.contains(&720), "{heights:?}");
    assert!(video.windows(2).all(|w| w[0].seq + 1 == w[1].seq));
    assert!(video.windows(2).all(|w| (1..100_000).contains(&w[1].ts.wrapping_sub(w[0].ts))), "time goes on");
    let pictures: Vec<u16> = video.iter().map(|p| picture(p).0).collect();
    assert!(pictures.windows(2).all(|w| w[0] + 1 == w[1]), "{pictures:?}");
    // Each change is at a key frame.
    let sizes: Vec<usize> = video.iter().map(|p| p.payload.len()).collect();
    for (i, w) in sizes.windows(2).enumerate().filter(|(_, w)| w[0] != w[1]) {
        assert!(picture(video[i + 1]).1, "{w:?}");
    }
}

#[test]
fn a_source_that_comes_back_on_its_ssrc_goes_on_with_its_numbers() {
    let mut net = two([plain(), plain()], |_| {});
    net.want("aaaa", 180);
    net.media(50, 3);
    let on = |net: &Net| net.clients["aaaa"].on(net.clients["bbbb"].ssrc(10)).len();
    let before = on(&net);
    net.signal_some("bbbb", 1);
    net.media(50, 3);
    assert!(on(&net) - before < 5, "it is gone");
    // On another layer, which counts from elsewhere.
    net.want("aaaa", 720);
    net.signal("bbbb");
    net.media(100, 3);
    net.run(Duration::from_secs(1));
    let video = net.clients["aaaa"].on(net.clients["bbbb"].ssrc(10));
    assert!(video.len() > before + 50, "{} after {before}", video.len());
    assert!(video.windows(2).all(|w| w[0].seq + 1 == w[1].seq));
    assert_eq!(net.clients["aaaa"].engine.stats().srtp_errors, 0);
}

fn lossy(options: fn() -> EndpointOptions) -> Net {
    let mut net = Net::new(|_| {});
    let link = LinkOptions { delay: Duration::from_millis(20), loss: 0.0, ..LinkOptions::default() };
    net.join_on("aaaa", options(), link);
    net.join_on("bbbb", options(), link);
    net.connect();
    net.want("aaaa", 180);
    net.media(10, 1);
    for c in net.clients.values_mut() {
        (c.up.options.loss, c.down.options.loss) = (0.05, 0.05);
    }
    net.media(300, 1);
    for c in net.clients.values_mut() {
        (c.up.options.loss, c.down.options.loss) = (0.0, 0.0);
    }
    net.media(20, 1);
    net.run(Duration::from_secs(2));
    net
}

fn whole(net: &Net, ssrc: u32) {
    let mut seqs: Vec<u64> = net.clients["aaaa"].on(ssrc).iter().map(|p| p.seq).collect();
    seqs.sort_unstable();
    assert!(seqs.len() > 300, "{}", seqs.len());
    let holes = seqs.windows(2).filter(|w| w[0] + 1 != w[1]).count();
    assert_eq!(holes, 0, "{:?}", net.clients["aaaa"].engine.stats());
}

#[test]
fn losses_on_both_ways_are_repaired_by_rtx_without_rewriting() {
    let net = lossy(plain);
    whole(&net, net.clients["bbbb"].ssrc(10));
    let s = net.clients["aaaa"].engine.stats();
    assert!(s.recovered > 5 && s.nacks_out > 0, "{s:?}");
    assert!(net.clients["bbbb"].engine.stats().rtx_out > 5);
}

#[test]
fn losses_are_repaired_plainly_with_rewriting() {
    let net = lossy(EndpointOptions::default);
    let map = net.clients["aaaa"].maps(Kind::Video);
    whole(&net, map[0].ssrc);
    let s = net.clients["aaaa"].engine.stats();
    assert!(s.nacks_out > 5, "{s:?}");
    assert!(map[0].rtx.is_some_and(|rtx| net.clients["aaaa"].on(rtx).is_empty()));
}

#[test]
fn with_rewriting_maps_come_before_media_and_packets_carry_the_slots_mid() {
    let mut net = two([EndpointOptions::default(), plain()], |_| {});
    net.want("aaaa", 360);
    net.media(50, 3);
    net.run(Duration::from_secs(1));
    let a = &net.clients["aaaa"];
    let (video, audio) = (a.maps(Kind::Video), a.maps(Kind::Audio));
    assert_eq!((video.len(), audio.len()), (1, 1), "{:?}", a.said);
    assert_eq!((video[0].source.as_str(), video[0].owner.as_deref()), ("bbbb-v0", Some("bbbb")));
    assert_eq!((video[0].mid.as_deref(), audio[0].mid.as_deref()), (Some("v0"), Some("a0")));
    assert!(video[0].rtx.is_some() && audio[0].rtx.is_none());
    for (slot, mid, least) in [(&video[0], "v0", 30), (&audio[0], "a0", 50)] {
        let got = a.on(slot.ssrc);
        assert!(got.len() >= least, "{} {mid}", got.len());
        assert!(got.iter().all(|p| p.mid.as_ref().map(|m| m.as_str()) == Some(mid)));
    }
    // The other one, without rewriting, sees the original SSRCs.
    assert_eq!(net.clients["bbbb"].on(a.ssrc(1)).len(), 50);
}

#[test]
fn too_few_slots_are_remapped_to_who_is_wanted_and_go_on_at_a_key_frame() {
    let mut net = Net::new(|c| (c.video_slots, c.audio_slots) = (1, 1));
    for id in ["aaaa", "bbbb", "cccc"] {
        net.join(id, EndpointOptions::default());
    }
    net.connect();
    let stage = |who: &str| {
        let on_stage = Some(vec![format!("{who}-v0")]);
        let c = ReceiverConstraints { on_stage, default_height: Some(180), ..Default::default() };
        ToBridge::ReceiverVideoConstraints(c).to_text()
    };
    net.say("aaaa", &stage("bbbb"));
    net.media(30, 1);
    net.say("aaaa", &stage("cccc"));
    net.media(30, 1);
    net.run(Duration::from_secs(1));
    let a = &net.clients["aaaa"];
    let maps = a.maps(Kind::Video);
    let sources: Vec<&str> = maps.iter().map(|m| m.source.as_str()).collect();
    assert!(sources.ends_with(&["bbbb-v0", "cccc-v0"]), "{sources:?}");
    assert!(maps.iter().all(|m| m.ssrc == maps[0].ssrc && m.mid == maps[0].mid));
    let video = a.on(maps[0].ssrc);
    assert!(video.len() > 40, "{}", video.len());
    assert!(video.windows(2).all(|w| w[0].seq + 1 == w[1].seq));
    assert!(picture(video[0]).1 && video.iter().filter(|p| picture(p).1).count() >= 2);
    // One audio slot for two speakers: it changes hands at every packet, and stays one stream.
    assert!(a.maps(Kind::Audio).len() > 10);
    let audio = a.on(a.maps(Kind::Audio)[0].ssrc);
    assert!(audio.windows(2).all(|w| w[0].seq + 1 == w[1].seq));
}

#[test]
fn slots_of_who_left_are_not_used_again() {
    let mut net = two([EndpointOptions::default(), EndpointOptions::default()], |_| {});
    net.media(10, 0);
    let first = net.clients["aaaa"].maps(Kind::Audio)[0].clone();
    net.bridge.expire("bbbb", net.now).expect("expired");
    net.clients.remove("bbbb");
    net.join("dddd", EndpointOptions::default());
    net.connect();
    net.media(10, 0);
    let last = net.clients["aaaa"].maps(Kind::Audio).last().cloned().expect("a map");
    assert_eq!((first.mid.as_deref(), last.mid.as_deref()), (Some("a0"), Some("a1")));
    assert_ne!(first.ssrc, last.ssrc);
}

#[test]
fn silence_is_dropped_after_a_while_and_mutes_of_the_focus_hold() {
    let mut net = two([plain(), plain()], |_| {});
    for n in 0..20 {
        net.audio("bbbb", n, if n < 10 { 30 } else { 127 });
        net.run(Duration::from_millis(20));
    }
    net.run(Duration::from_millis(200));
    assert_eq!(net.clients["aaaa"].on(net.clients["bbbb"].ssrc(1)).len(), 13);
    net.bridge.set_muted("bbbb", Kind::Audio, true, net.now).expect("muted");
    net.media(5, 0);
    net.run(Duration::from_millis(200));
    assert_eq!(net.clients["aaaa"].on(net.clients["bbbb"].ssrc(1)).len(), 13);
}

#[test]
fn a_key_frame_that_a_receiver_wants_is_asked_of_the_sender_on_its_lowest_layer() {
    let mut net = two([plain(), plain()], |_| {});
    net.want("aaaa", 720);
    net.media(60, 3);
    net.events.clear();
    let lowest = net.clients["bbbb"].ssrc(10);
    let now = net.now;
    net.clients.get_mut("aaaa").expect("a client").engine.handle_command(Command::RequestKeyFrame(lowest), now);
    net.run(Duration::from_millis(200));
    assert!(net.events.contains(&Event::KeyFrameWanted { endpoint: "bbbb".into(), ssrc: lowest }), "{:?}", net.events);
    assert_eq!(net.clients["bbbb"].key_frames, [lowest]);
}

#[test]
fn conferences_do_not_hear_each_other() {
    let mut net = Net::new(|_| {});
    for (id, conference) in [("aaaa", "x"), ("bbbb", "y")] {
        net.join(id, EndpointOptions { conference: conference.into(), ..EndpointOptions::default() });
    }
    net.connect();
    net.media(10, 1);
    net.run(Duration::from_secs(1));
    assert!(net.clients.values().all(|c| c.received.is_empty()));
}

#[test]
fn a_narrow_downlink_gets_a_lower_layer_and_the_higher_one_again_when_it_widens() {
    let mut net = two([plain(), plain()], |c| c.estimate = true);
    net.want("aaaa", 720);
    let high = |n: &Net| {
        let last = n.clients["aaaa"].on(n.clients["bbbb"].ssrc(10)).last().map(|p| p.payload.len());
        last.is_some_and(|len| len >= 1000)
    };
    // In steps, for this many frames at most.
    let until = |net: &mut Net, most: u32, wanted: bool| {
        for _ in 0..most / 25 {
            net.media(25, 3);
            if high(net) == wanted {
                return true;
            }
        }
        false
    };
    assert!(until(&mut net, 200, true), "{:?}", net.bridge.estimate("aaaa"));
    // Layers are of 100, 200 and 400 kbit/s.
    net.clients.get_mut("aaaa").expect("a client").down.bandwidth = Some(250_000);
    assert!(until(&mut net, 600, false), "{:?}", net.bridge.estimate("aaaa"));
    assert!(net.bridge.estimate("aaaa").is_some_and(|e| e < 450_000), "{:?}", net.bridge.estimate("aaaa"));
    net.clients.get_mut("aaaa").expect("a client").down.bandwidth = None;
    assert!(until(&mut net, 2000, true), "{:?}", net.bridge.estimate("aaaa"));
    net.run(Duration::from_secs(11));
    let told = |m: &FromBridge| matches!(m, FromBridge::ConnectionStats { .. });
    assert!(net.clients["aaaa"].said.iter().any(told));
}

#[test]
fn a_receiver_without_a_processor_lowers_no_estimate_where_the_system_says_when_media_came() {
    let estimates = [true, false].map(|stamps| {
        let mut net = two([plain(), plain()], |c| c.estimate = true);
        net.want("aaaa", 720);
        net.media(250, 3);
        let before = net.bridge.estimate("aaaa").expect("an estimate");
        net.clients.get_mut("aaaa").expect("a client").stamps = stamps;
        let mut least = before;
        // Other programs take it for up to a fifth of a second.
        let mut env = Env::seeded(3);
        for _ in 0..600 {
            let c = net.clients.get_mut("aaaa").expect("a client");
            if c.starved_until <= net.now {
                c.starved_until = net.now + Duration::from_millis(u64::from(env.below(200)));
            }
            net.media(1, 3);
            least = least.min(net.bridge.estimate("aaaa").expect("an estimate"));
        }
        (before, least)
    });
    let [(before, with), (_, without)] = estimates;
    assert!(with * 10 > before * 9, "{estimates:?}");
    assert!(without * 2 < before, "the test says something: {estimates:?}");
}
