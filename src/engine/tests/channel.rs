//! Data channels over DTLS between two engines, in virtual time.

use std::time::Duration;

use super::*;
use crate::engine::sctp::MAX_MESSAGE;

fn open(net: &mut Net, side: usize) {
    let (label, protocol) = ("JVB data channel".into(), "http://jitsi.org/protocols/colibri".into());
    net.command(side, Command::OpenChannel { label, protocol });
}

fn count(net: &Net, side: usize, f: fn(&Event) -> bool) -> usize {
    net.events[side].iter().filter(|e| f(e)).count()
}

fn opened(net: &Net, side: usize) -> usize {
    count(net, side, |e| matches!(e, Event::ChannelOpen))
}

fn texts(net: &Net, side: usize) -> Vec<&str> {
    net.events[side]
        .iter()
        .filter_map(|e| if let Event::ChannelText(t) = e { Some(t.as_str()) } else { None })
        .collect()
}

#[test]
fn a_channel_asked_for_before_the_connection_opens_with_it_in_both_dtls_roles() {
    for client in [0, 1] {
        let mut net = Net::new(client);
        open(&mut net, 1);
        net.connect();
        net.run_for(Duration::from_secs(1));
        assert_eq!((opened(&net, 0), opened(&net, 1)), (1, 1), "client {client}");
        for side in [0, 1] {
            net.command(side, Command::SendText(format!("from {side}")));
        }
        net.run_for(Duration::from_secs(1));
        assert_eq!((texts(&net, 0), texts(&net, 1)), (vec!["from 1"], vec!["from 0"]));
        let s = net.engines[0].stats();
        assert_eq!((s.texts_in, s.texts_out, s.texts_dropped, s.messages_ignored, s.junk), (1, 1, 0, 0, 0), "{s:?}");
    }
}

#[test]
fn texts_of_all_sizes_arrive_once_and_in_order_through_loss_both_ways() {
    let mut net = Net::new(1);
    net.connect();
    open(&mut net, 1);
    net.run_for(Duration::from_secs(1));
    let mut dice = Dice(5);
    let sizes = [1, 100, 1170, 1171, 1172, 1173, 5000, 60_000];
    for (n, size) in sizes.into_iter().cycle().take(40).enumerate() {
        for side in [0, 1] {
            net.command(side, Command::SendText(format!("{n:04}").repeat(size / 4 + 1)));
        }
        let until = net.now + Duration::from_millis(200);
        net.run(until, &mut |_, _| if dice.percent() < 15 { Fate::Lose } else { Fate::Pass }, &mut |_| false);
    }
    let until = net.now + Duration::from_secs(200);
    net.run(until, &mut |_, _| if dice.percent() < 15 { Fate::Lose } else { Fate::Pass }, &mut |_| false);
    for side in [0, 1] {
        let got: Vec<_> = texts(&net, side).iter().map(|t| t[..4].to_string()).collect();
        assert_eq!(got, (0..40).map(|n| format!("{n:04}")).collect::<Vec<_>>(), "{:?}", net.engines[side].stats());
    }
}

#[test]
fn no_datagram_of_a_channel_is_longer_than_an_ipv6_packet_may_be() {
    let mut net = Net::new(0);
    net.connect();
    open(&mut net, 0);
    net.run_for(Duration::from_secs(1));
    net.command(0, Command::SendText("x".repeat(MAX_MESSAGE)));
    net.command(1, Command::SendText("x".repeat(MAX_MESSAGE + 1)));
    net.run_for(Duration::from_secs(20));
    assert_eq!(texts(&net, 1).iter().map(|t| t.len()).collect::<Vec<_>>(), [MAX_MESSAGE]);
    assert_eq!(net.engines[1].stats().texts_dropped, 1);
    let longest = net.sent.iter().flatten().filter(|b| is_dtls(b)).map(Vec::len).max();
    assert!(longest.is_some_and(|n| n > 1150 && n <= 1232), "{longest:?}");
}

#[test]
fn closing_aborts_the_association_and_the_other_side_hears_it_as_closed() {
    let mut net = Net::new(0);
    net.connect();
    open(&mut net, 0);
    net.run_for(Duration::from_secs(1));
    net.command(0, Command::Close);
    net.run_for(Duration::from_secs(1));
    for side in [0, 1] {
        assert_eq!(count(&net, side, |e| matches!(e, Event::ChannelClosed)), 1, "side {side}");
    }
    let closed = net.events[1].iter().position(|e| matches!(e, Event::ChannelClosed));
    let failed = net.events[1].iter().position(|e| matches!(e, Event::Failed(_)));
    assert!(closed < failed && failed.is_some());
}

#[test]
fn without_a_port_there_is_no_association() {
    let now = Time::new(1_000_000, 1_800_000_000_000_000);
    let engines = [0, 1].map(|i| {
        let e = Engine::new(Config { sctp: None, ..config(i) }, &mut Env::seeded(i as u64), now).expect("engine");
        Box::new(e) as Box<dyn PeerEngine>
    });
    let mut net = Net::of(engines, 0, |_| {}, now);
    open(&mut net, 0);
    net.connect();
    net.command(0, Command::SendText("nowhere".into()));
    net.run_for(Duration::from_secs(5));
    assert_eq!((opened(&net, 0), opened(&net, 1)), (0, 0));
    assert_eq!(net.engines[0].stats().texts_dropped, 1);
}
