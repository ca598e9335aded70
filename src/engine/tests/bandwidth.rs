//! The estimate, probes and pacing on a path with a bottleneck, in virtual time.

use std::time::Duration;

use super::*;
use crate::engine::pacer::{MAX_WAIT_US, MAX_WAITING};
use crate::engine::probe::HOLD_OFF_US;

const SSRC: u32 = 10;

/// A camera that sends as much as it is told: 30 frames a second, one packet at least.
struct Camera {
    frame: u32,
    /// Never more than this, bit/s.
    most: f64,
    due: f64,
    log: Vec<u64>,
}

impl Camera {
    fn new(net: &mut Net) -> Camera {
        net.command(0, Command::AddSender(Sender { ssrc: SSRC, rtx: Some((SSRC + 1, RTX)), pt: VIDEO }));
        net.command(1, Command::MapRtx { rtx: SSRC + 1, primary: SSRC });
        Camera { frame: 0, most: 1e9, due: 0.0, log: vec![] }
    }

    fn at_most(net: &mut Net, most: f64) -> Camera {
        Camera { most, ..Camera::new(net) }
    }

    fn run(&mut self, net: &mut Net, time: Duration) {
        let until = net.now + time;
        while net.now < until {
            let told = estimate(net).unwrap_or(300_000);
            self.log.push(told);
            self.due += (told as f64).min(self.most) / 30.0 / 8.0;
            while self.due > 0.0 {
                // 1060 bytes with all headers.
                self.due -= 1060.0;
                net.send(0, &video(SSRC, self.frame));
            }
            self.frame += 1;
            net.run_for(Duration::from_micros(33_333));
        }
    }

    /// Least, mean and greatest of what was told in the last seconds.
    fn last(&self, seconds: usize) -> (u64, u64, u64) {
        let tail = &self.log[self.log.len() - 30 * seconds..];
        let mean = tail.iter().sum::<u64>() / tail.len() as u64;
        (tail.iter().copied().min().unwrap_or(0), mean, tail.iter().copied().max().unwrap_or(0))
    }
}

fn estimate(net: &Net) -> Option<u64> {
    net.events[0].iter().rev().find_map(|e| if let Event::Bandwidth(b) = e { Some(b.bps) } else { None })
}

fn told(net: &Net) -> usize {
    net.events[0].iter().filter(|e| matches!(e, Event::Bandwidth(_))).count()
}

fn connected(bps: f64) -> Net {
    let mut net = Net::new(0);
    net.connect();
    net.run_for(Duration::from_secs(1));
    net.link = Some(Link::new(bps));
    net
}

#[test]
fn the_estimate_ramps_up_to_a_bottleneck_and_stays_near_it() {
    for bps in [1e6, 3e6] {
        let mut net = connected(bps);
        let mut camera = Camera::new(&mut net);
        camera.run(&mut net, Duration::from_secs(60));
        camera.run(&mut net, Duration::from_secs(60));
        let (least, mean, most) = camera.last(60);
        let link = net.link.as_ref().expect("link");
        assert!((mean as f64) > 0.75 * bps, "{mean}");
        let spread = (mean as f64 * 0.75)..(mean as f64 * 1.25);
        assert!(spread.contains(&(least as f64)) && spread.contains(&(most as f64)), "{least} {mean} {most}");
        assert_eq!(link.lost, 0, "the queue never overflows");
        assert!(link.waited_us < 250_000, "{}", link.waited_us);
    }
}

#[test]
fn a_drop_is_followed_at_once_and_the_way_back_is_found() {
    let mut net = connected(2e6);
    let mut camera = Camera::new(&mut net);
    camera.run(&mut net, Duration::from_secs(60));
    assert!(camera.last(10).1 > 1_500_000, "{:?}", camera.last(10));
    if let Some(l) = &mut net.link {
        l.bps = 6e5;
    }
    camera.run(&mut net, Duration::from_secs(3));
    assert!(estimate(&net).is_some_and(|b| b < 750_000), "{:?}", estimate(&net));
    camera.run(&mut net, Duration::from_secs(30));
    let (least, mean, most) = camera.last(20);
    assert!(mean > 400_000 && most < 750_000, "{least} {mean} {most}");
    if let Some(l) = &mut net.link {
        l.bps = 2e6;
    }
    camera.run(&mut net, Duration::from_secs(40));
    assert!(camera.last(5).1 > 1_200_000, "{:?}", camera.last(5));
}

#[test]
fn a_probe_raises_the_estimate_where_the_path_carries_it() {
    let mut net = connected(3e6);
    let mut camera = Camera::at_most(&mut net, 300_000.0);
    camera.run(&mut net, Duration::from_secs(10));
    let before = estimate(&net).expect("an estimate");
    assert!(before < 600_000, "what is not sent is not believed: {before}");
    let received = net.received(1).len();
    net.command(0, Command::Probe { bps: 1_500_000, duration: Duration::from_millis(300) });
    camera.run(&mut net, Duration::from_secs(1));
    let after = estimate(&net).expect("an estimate");
    assert!(after > 1_300_000, "{after}");
    // Padding reaches nobody above, and asks for nothing.
    let (s, r) = (net.engines[0].stats(), net.engines[1].stats());
    assert!(s.padding_out > 20, "{s:?}");
    assert_eq!((r.nacks_out, r.junk, r.recovered), (0, 0, 0), "{r:?}");
    assert!(r.duplicates > 20, "{r:?}");
    camera.run(&mut net, Duration::from_secs(1));
    assert!(net.received(1).len() < received + 100);
    // It is held without being used, and steady use keeps it.
    camera.most = 1e9;
    camera.run(&mut net, Duration::from_secs(5));
    assert!(camera.last(2).0 > 1_200_000, "{:?}", camera.last(2));
}

#[test]
fn a_probe_that_fails_ends_early_lowers_nothing_for_long_and_is_not_repeated_soon() {
    let mut net = connected(6e5);
    let mut camera = Camera::at_most(&mut net, 300_000.0);
    camera.run(&mut net, Duration::from_secs(15));
    let count = told(&net);
    net.command(0, Command::Probe { bps: 2_000_000, duration: Duration::from_millis(500) });
    camera.run(&mut net, Duration::from_secs(2));
    let padding = net.engines[0].stats().padding_out;
    assert!(told(&net) > count && padding > 5);
    assert!(estimate(&net).is_some_and(|b| (300_000..700_000).contains(&b)), "{:?}", estimate(&net));
    // 500 ms of 2 Mbit/s would be 120 packets.
    assert!(padding < 110, "{padding}");
    let count = told(&net);
    net.command(0, Command::Probe { bps: 2_000_000, duration: Duration::from_millis(500) });
    net.run_for(Duration::from_micros(1));
    assert_eq!((net.engines[0].stats().padding_out, told(&net)), (padding, count + 1), "told at once instead");
    camera.run(&mut net, Duration::from_micros(HOLD_OFF_US));
    net.command(0, Command::Probe { bps: 550_000, duration: Duration::from_millis(500) });
    camera.run(&mut net, Duration::from_secs(1));
    assert!(net.engines[0].stats().padding_out > padding);
}

#[test]
fn a_probe_before_any_media_is_padding_alone_and_makes_no_stream_above() {
    let mut net = connected(3e6);
    net.command(0, Command::Probe { bps: 1_000_000, duration: Duration::from_millis(300) });
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.engines[0].stats().padding_out, 0, "no stream to pad on");
    let mut camera = Camera::new(&mut net);
    net.command(0, Command::Probe { bps: 1_000_000, duration: Duration::from_millis(300) });
    net.run_for(Duration::from_secs(1));
    assert!(net.engines[0].stats().padding_out > 100);
    assert!(estimate(&net).is_some_and(|b| b > 850_000), "{:?}", estimate(&net));
    let r = net.engines[1].stats();
    assert_eq!((net.received(1).len(), r.junk, r.nacks_out, r.streams), (0, 0, 0, 0), "{r:?}");
    camera.run(&mut net, Duration::from_secs(1));
    assert_eq!(net.engines[1].stats().nacks_out, 0);
}

#[test]
fn padding_of_the_bridge_on_a_stream_of_its_own_is_counted_and_dropped() {
    let mut net = connected(1e8);
    // The payload type may be any of video, of repairs too; some are lost.
    for pt in [VIDEO, RTX] {
        net.command(0, Command::AddSender(Sender { ssrc: 77, rtx: Some((78, pt)), pt: VIDEO }));
        let before = net.engines[1].stats();
        net.command(0, Command::Probe { bps: 1_000_000, duration: Duration::from_millis(200) });
        let (until, mut n) = (net.now + Duration::from_secs(1), 0);
        let mut fate = |side: usize, b: &[u8]| {
            n += 1;
            if side == 0 && is_media(b) && n % 20 == 0 { Fate::Lose } else { Fate::Pass }
        };
        net.run(until, &mut fate, &mut |_| false);
        let s = net.engines[1].stats();
        assert!(s.rtp_in > before.rtp_in + 50 && s.transport_cc_out > before.transport_cc_out);
        assert_eq!((net.received(1).len(), s.nacks_out, s.junk), (0, 0, 0), "{s:?}");
        net.command(0, Command::RemoveSender(77));
        net.run_for(Duration::from_secs(10));
    }
}

#[test]
fn video_is_paced_and_audio_does_not_wait_behind_it() {
    let mut net = connected(1e8);
    net.command(0, Command::AddSender(Sender { ssrc: SSRC, rtx: None, pt: VIDEO }));
    net.command(0, Command::AddSender(Sender { ssrc: 30, rtx: None, pt: AUDIO }));
    let begun = net.now;
    for n in 0..100 {
        net.send(0, &video(SSRC, n));
    }
    net.send(0, &audio(30, 0));
    assert!(net.engines[0].next_deadline().is_some_and(|t| t.since(begun) < Duration::from_millis(50)));
    net.run_for(Duration::from_secs(1));
    let arrived = |ssrc| {
        let all = net.received(1).into_iter().filter(move |p| p.ssrc == ssrc);
        all.map(|p| (p.ts, p.arrival.since(begun + DELAY).as_micros() as u64)).collect::<Vec<_>>()
    };
    let (video, audio) = (arrived(SSRC), arrived(30));
    assert!(audio[0].1 < 2_000, "{audio:?}");
    assert_eq!(video.iter().map(|v| v.0).collect::<Vec<_>>(), (0..100).map(|n| n * 3000).collect::<Vec<_>>());
    let last = video[99].1;
    assert!((MAX_WAIT_US - 20_000..MAX_WAIT_US + 5_000).contains(&last), "{last}");
    let half = video[50].1;
    assert!((90_000..160_000).contains(&half), "{half}");
}

#[test]
fn what_waits_is_bounded_and_a_removed_stream_leaves_nothing_behind() {
    let mut net = connected(1e8);
    net.command(0, Command::AddSender(Sender { ssrc: SSRC, rtx: None, pt: VIDEO }));
    let n = MAX_WAITING / 1000 + 100;
    for n in 0..n as u32 {
        net.send(0, &video(SSRC, n));
    }
    let dropped = net.engines[0].stats().send_dropped;
    assert!((90..=100).contains(&dropped), "{dropped}");
    net.command(0, Command::RemoveSender(SSRC));
    net.run_for(Duration::from_secs(1));
    let r = net.received(1);
    assert!(r.len() < 5, "{}", r.len());
}
