use super::*;

const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };

fn channel(sctp: bool, urls: &[&str]) -> Channel {
    let offer = Offer { sctp, websockets: urls.iter().map(|u| u.to_string()).collect() };
    Channel::new(offer, Env::seeded(1))
}

/// What it wants done, in words.
fn told(c: &mut Channel) -> Vec<String> {
    let word = |o| match o {
        Output::OpenDataChannel => "data".into(),
        Output::OpenWebSocket { attempt, url } => format!("open {} {url}", attempt.0),
        Output::CloseWebSocket(a) => format!("close {}", a.0),
        Output::SendData(t) => format!("data: {t}"),
        Output::SendWebSocket(a, t) => format!("{}: {t}", a.0),
        Output::Ping(a) => format!("ping {}", a.0),
        Output::State(s) => format!("{s:?}"),
        Output::RestartWanted => "restart".into(),
    };
    std::iter::from_fn(|| c.poll_output()).map(word).collect()
}

/// Lets time pass to its next deadline; how long that was.
fn wait(c: &mut Channel, now: &mut Time) -> Duration {
    let next = c.next_deadline().expect("a deadline");
    let waited = next.since(*now);
    *now = *now + waited;
    c.handle_timeout(*now);
    waited
}

#[test]
fn the_choice_follows_the_table_of_the_protocol() {
    assert_eq!(told(&mut channel(true, &["w"])), ["data", "Connecting(DataChannel)"], "SCTP is preferred");
    assert_eq!(told(&mut channel(false, &["w", "v"])), ["open 1 w", "Connecting(WebSocket)"]);
    let mut none = channel(false, &[]);
    assert_eq!(told(&mut none), [] as [&str; 0]);
    assert_eq!(none.state(), ChannelState::None);
}

#[test]
fn a_data_channel_that_closes_gives_way_to_a_web_socket_or_to_a_new_session() {
    let mut c = channel(true, &["w"]);
    c.data_opened();
    assert!(c.send("x".into(), T0));
    assert_eq!(told(&mut c)[2..], ["Open(DataChannel)", "data: x"]);
    c.data_closed();
    assert_eq!(told(&mut c), ["open 1 w", "Connecting(WebSocket)"]);
    c.data_closed();
    assert!(told(&mut c).is_empty(), "once is enough");

    let mut c = channel(true, &[]);
    c.data_opened();
    told(&mut c);
    c.data_closed();
    assert_eq!(told(&mut c), ["Failed", "restart"]);
}

#[test]
fn a_data_channel_that_never_opens_gives_way_too() {
    let mut c = channel(true, &["w"]);
    assert_eq!(c.next_deadline(), None, "its time begins with DTLS");
    c.media_secure(T0);
    told(&mut c);
    let mut now = T0;
    assert_eq!(wait(&mut c, &mut now), SCTP_OPEN_TIMEOUT);
    assert_eq!(told(&mut c), ["open 1 w", "Connecting(WebSocket)"]);
    c.data_opened();
    assert_eq!(told(&mut c), ["close 1", "Open(DataChannel)"], "late is not too late");
}

#[test]
fn a_data_channel_that_opens_beside_an_open_web_socket_waits_for_its_end() {
    let beside = || {
        let mut c = channel(true, &["w"]);
        c.media_secure(T0);
        wait(&mut c, &mut { T0 });
        c.socket_opened(Attempt(1), T0);
        told(&mut c);
        c.data_opened();
        assert!(told(&mut c).is_empty(), "what is on its way is heard");
        c
    };
    let mut c = beside();
    assert!(c.send("x".into(), T0));
    assert_eq!(told(&mut c), ["1: x"]);
    c.socket_lost(Attempt(1), None, Some(1006), false, T0);
    assert_eq!((told(&mut c), c.next_deadline()), (vec!["Open(DataChannel)".to_owned()], None));

    let mut c = beside();
    c.data_closed();
    c.socket_lost(Attempt(1), None, Some(1006), false, T0);
    assert_eq!(told(&mut c), ["Waiting"], "it went before it was of use");
}

#[test]
fn a_web_socket_that_breaks_is_tried_again_with_longer_and_longer_waits_and_one_at_a_time() {
    let mut c = channel(false, &["w"]);
    let mut now = T0;
    let mut waits = Vec::new();
    for n in 1..=9 {
        told(&mut c);
        c.socket_lost(Attempt(n), None, None, false, now);
        c.socket_lost(Attempt(n), None, None, false, now);
        assert_eq!(told(&mut c), ["Waiting"]);
        waits.push(wait(&mut c, &mut now).as_secs_f64());
        assert_eq!(told(&mut c), [format!("open {} w", n + 1), "Connecting(WebSocket)".into()]);
    }
    for (w, least) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]) {
        assert!((least..=least * 1.2).contains(w), "{waits:?}");
    }
    // A late event of an old one changes nothing.
    c.socket_opened(Attempt(3), now);
    assert!(told(&mut c).is_empty());
    c.socket_opened(Attempt(10), now);
    assert_eq!(told(&mut c), ["Open(WebSocket)"]);
    now = now + STABLE_AFTER;
    c.socket_lost(Attempt(10), None, Some(1006), false, now);
    assert!(wait(&mut c, &mut now) < FIRST_RETRY * 2, "a good one begins anew");
}

#[test]
fn refused_urls_are_each_tried_and_then_given_up() {
    let mut c = channel(false, &["w", "v"]);
    let mut now = T0;
    for (n, url) in [(1, "w"), (2, "v"), (3, "w"), (4, "v")] {
        assert_eq!(told(&mut c)[0], format!("open {n} {url}"));
        c.socket_lost(Attempt(n), Some(403), None, false, now);
        if n < MAX_REFUSED {
            told(&mut c);
            wait(&mut c, &mut now);
        }
    }
    assert_eq!(told(&mut c), ["Failed"]);
    assert_eq!(c.next_deadline(), None);
    assert!(!c.send("x".into(), now));
}

#[test]
fn the_end_of_the_meeting_is_no_outage_and_the_same_code_with_others_around_is() {
    let mut c = channel(false, &["w"]);
    c.socket_opened(Attempt(1), T0);
    told(&mut c);
    c.socket_lost(Attempt(1), None, Some(1001), true, T0);
    assert_eq!((told(&mut c), c.next_deadline()), (vec!["None".to_owned()], None));

    let mut c = channel(false, &["w"]);
    c.socket_opened(Attempt(1), T0);
    told(&mut c);
    c.socket_lost(Attempt(1), None, Some(1001), false, T0);
    assert_eq!(told(&mut c), ["Waiting"]);
}

#[test]
fn a_silent_web_socket_is_pinged_and_a_busy_one_is_not() {
    let mut c = channel(false, &["w"]);
    let mut now = T0;
    c.socket_opened(Attempt(1), now);
    told(&mut c);
    assert_eq!(wait(&mut c, &mut now), PING_EVERY);
    assert_eq!(told(&mut c), ["ping 1"]);
    now = now + PING_EVERY / 2;
    assert!(c.send("x".into(), now));
    assert_eq!(wait(&mut c, &mut now), PING_EVERY, "counted from what was said last");
}

#[test]
fn an_application_may_prefer_the_web_socket_and_pass_over_a_host() {
    let urls = ["wss://bad.example:8443/a?pwd=x", "wss://good.example/b", "wss://BAD.example/c"];
    let choose = |sctp, urls: &[&str], prefer_sctp, host: Option<&str>| {
        let offer = Offer { sctp, websockets: urls.iter().map(|u| u.to_string()).collect() };
        let options = Options { prefer_sctp, ignore_domain: host.map(str::to_owned) };
        told(&mut Channel::with_options(offer, &options, Env::seeded(1))).remove(0)
    };
    assert_eq!(choose(true, &urls, false, Some("bad.example")), "open 1 wss://good.example/b");
    assert_eq!(choose(true, &urls, false, None), format!("open 1 {}", urls[0]));
    assert_eq!(
        choose(true, &urls[..1], false, Some("bad.example")),
        format!("open 1 {}", urls[0]),
        "there is no other"
    );
    assert_eq!(choose(true, &[], false, None), "data", "nothing else is offered");
    assert_eq!(choose(true, &urls, true, None), "data");
    assert!(is_at("wss://u:p@[::1]:443/x", "[::1]") && is_at("wss://a.example?pwd=@b", "a.example"));
    assert!(!is_at("wss://a.example.evil/", "a.example"));
}

#[test]
fn where_no_web_socket_will_do_the_data_channel_has_its_turn_and_its_end() {
    let offer = Offer { sctp: true, websockets: vec!["w".into()] };
    let options = Options { prefer_sctp: false, ..Options::default() };
    let mut c = Channel::with_options(offer, &options, Env::seeded(1));
    let mut now = T0;
    c.media_secure(now);
    for n in 1..=MAX_REFUSED {
        told(&mut c);
        c.socket_lost(Attempt(n), Some(404), None, false, now);
        if n < MAX_REFUSED {
            wait(&mut c, &mut now);
        }
    }
    assert_eq!(told(&mut c), ["data", "Connecting(DataChannel)"]);
    assert_eq!(wait(&mut c, &mut now), SCTP_OPEN_TIMEOUT);
    assert_eq!((told(&mut c), c.next_deadline()), (vec!["Failed".to_owned(), "restart".to_owned()], None));
}

#[test]
fn a_proxy_in_trouble_says_nothing_about_the_url() {
    let mut c = channel(false, &["w"]);
    let mut now = T0;
    for (n, status) in [502, 503, 429, 500, 504, 502, 502, 502].into_iter().enumerate() {
        told(&mut c);
        c.socket_lost(Attempt(n as u32 + 1), Some(status), None, false, now);
        assert_eq!(told(&mut c), ["Waiting"]);
        wait(&mut c, &mut now);
    }
    // A page instead of a bridge does.
    for n in 9..9 + MAX_REFUSED {
        told(&mut c);
        c.socket_lost(Attempt(n), Some(200), None, false, now);
        if c.next_deadline().is_some() {
            wait(&mut c, &mut now);
        }
    }
    assert_eq!(told(&mut c), ["Failed"]);
}

#[test]
fn a_web_socket_that_closes_at_once_again_and_again_is_not_opened_every_second() {
    let mut c = channel(false, &["w"]);
    let mut now = T0;
    let mut waits = Vec::new();
    for n in 1..=5 {
        c.socket_opened(Attempt(n), now);
        c.socket_lost(Attempt(n), None, Some(1000), false, now);
        waits.push(wait(&mut c, &mut now).as_secs());
    }
    assert!(waits.iter().zip([1, 2, 4, 8, 16]).all(|(w, least)| *w >= least), "{waits:?}");
}

#[test]
fn a_web_socket_whose_other_end_is_gone_is_found_out_and_opened_anew() {
    let mut c = channel(false, &["w"]);
    let mut now = T0;
    c.socket_opened(Attempt(1), now);
    told(&mut c);
    assert_eq!(c.next_deadline(), Some(now + PING_EVERY), "a bridge that has not spoken owes nothing");
    assert!(c.heard(Attempt(1), now) && !c.heard(Attempt(7), now));
    wait(&mut c, &mut now);
    assert_eq!(told(&mut c), ["ping 1"]);
    wait(&mut c, &mut now);
    assert_eq!((told(&mut c), now.since(T0)), (vec![r#"1: {"colibriClass":"ClientHello"}"#.to_owned()], ECHO_AFTER));
    assert!(c.heard(Attempt(1), now));
    wait(&mut c, &mut now);
    assert_eq!(told(&mut c), ["ping 1"]);
    wait(&mut c, &mut now);
    told(&mut c);
    assert_eq!(wait(&mut c, &mut now), ECHO_TIMEOUT);
    assert_eq!(told(&mut c), ["close 1", "Waiting"]);
    wait(&mut c, &mut now);
    assert_eq!(told(&mut c), ["open 2 w", "Connecting(WebSocket)"]);
    c.socket_lost(Attempt(1), None, Some(1006), false, now);
    assert!(!c.heard(Attempt(1), now) && told(&mut c).is_empty(), "the old one's end is late");
}

#[test]
fn in_any_order_of_events_one_web_socket_is_open_at_most_and_something_always_follows() {
    for seed in 0..500 {
        let mut env = Env::seeded(seed);
        let urls: &[&str] = [&[][..], &["w"], &["w", "v"]][env.below(3) as usize];
        let offer = Offer { sctp: env.below(2) == 0, websockets: urls.iter().map(|u| u.to_string()).collect() };
        let options = Options { prefer_sctp: env.below(2) == 0, ignore_domain: None };
        let offered = offer.sctp || !urls.is_empty();
        let mut c = Channel::with_options(offer, &options, Env::seeded(seed));
        let (mut now, mut sockets, mut last, mut over) = (T0, Vec::new(), 0, false);
        for _ in 0..60 {
            while let Some(o) = c.poll_output() {
                match o {
                    Output::OpenWebSocket { attempt, .. } => {
                        assert!(sockets.is_empty(), "seed {seed}: a second one");
                        last = attempt.0;
                        sockets.push(attempt);
                    }
                    Output::CloseWebSocket(a) => sockets.retain(|s| *s != a),
                    Output::SendWebSocket(a, _) | Output::Ping(a) => assert!(sockets.contains(&a), "seed {seed}"),
                    _ => {}
                }
            }
            let some = Attempt(env.below(last + 2));
            match env.below(8) {
                0 => c.socket_opened(some, now),
                1 => {
                    let status = [None, Some(403), Some(502)][env.below(3) as usize];
                    let alone = env.below(10) == 0;
                    over |= alone && sockets.contains(&some);
                    c.socket_lost(some, status, Some(1001), alone, now);
                    sockets.retain(|s| *s != some);
                }
                2 => _ = c.heard(some, now),
                3 => c.media_secure(now),
                4 if env.below(4) == 0 => c.data_closed(),
                5 if env.below(4) == 0 => c.data_opened(),
                6 => _ = c.send("x".into(), now),
                _ => {
                    if let Some(t) = c.next_deadline() {
                        now = now + t.since(now);
                        c.handle_timeout(now);
                    }
                }
            }
            // Never stuck: what waits for nothing from outside has a deadline.
            match c.state() {
                ChannelState::None => assert!(over || !offered, "seed {seed}"),
                ChannelState::Waiting | ChannelState::Open(Transport::WebSocket) => {
                    assert!(c.next_deadline().is_some(), "seed {seed}");
                }
                _ => {}
            }
        }
    }
}
