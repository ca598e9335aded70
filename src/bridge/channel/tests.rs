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
    assert!(c.send("x".into(), false, T0));
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
    c.socket_lost(Attempt(10), None, Some(1006), false, now);
    assert!(wait(&mut c, &mut now) < FIRST_RETRY * 2, "an open one begins anew");
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
    assert!(!c.send("x".into(), true, now), "nothing waits for what never comes");
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
    assert!(c.send("x".into(), false, now));
    assert_eq!(wait(&mut c, &mut now), PING_EVERY, "counted from what was said last");
}

#[test]
fn what_waits_for_the_channel_is_bounded_and_the_rest_is_lost() {
    let mut c = channel(false, &["w"]);
    assert!(!c.send("now".into(), false, T0));
    for n in 0..=MAX_WAITING {
        assert!(c.send(n.to_string(), true, T0));
    }
    let waited: Vec<_> = c.take_waiting().collect();
    assert_eq!((waited.len(), waited[0].as_str()), (MAX_WAITING, "1"));
    told(&mut c);
    c.close();
    assert_eq!(told(&mut c), ["close 1", "None"]);
    assert!(!c.send("late".into(), true, T0));
}
