//! The link without a network: datagrams of one end are given to the other at once.

use std::collections::VecDeque;

use crate::end::{End, Pair, thread_cpu_ns};
use crate::{BURST, RATE};

/// Between two frames of one stream, µs.
pub const FRAME_US: u64 = 1_000_000 * BURST as u64 / RATE;

/// Runs the handshakes.
pub fn connect<E: End>(mut pair: Pair<E>) -> Pair<E> {
    for _ in 0..2000 {
        exchange(&mut pair);
        if pair.ends.iter().all(End::is_ready) {
            return pair;
        }
        pair.now_us += 5_000;
    }
    panic!("no connection");
}

/// Sends so many packets; CPU ns per packet.
pub fn run<E: End>(pair: &mut Pair<E>, streams: u32, packets: u32) -> f64 {
    let before = pair.ends[1].received();
    let start = thread_cpu_ns();
    for frame in 0..packets / BURST {
        for n in 0..BURST {
            pair.ends[0].send(frame % streams, n, pair.now_us);
        }
        exchange(pair);
        pair.now_us += FRAME_US / u64::from(streams);
    }
    let ns = (thread_cpu_ns() - start) / f64::from(packets);
    assert_eq!(pair.ends[1].received() - before, u64::from(packets), "each packet arrives");
    ns
}

/// Until both are quiet: what an end gives of itself reaches the other as it is, answers are kept for their turn.
fn exchange<E: End>(pair: &mut Pair<E>) {
    let now = pair.now_us;
    let mut answers: VecDeque<(usize, Vec<u8>, usize)> = VecDeque::new();
    for n in [0, 1] {
        let [a, b] = &mut pair.ends;
        let (from, to) = if n == 0 { (a, b) } else { (b, a) };
        from.drain(now, &mut |data, segment| {
            to.receive(data, segment, now, &mut |data, segment| answers.push_back((n, data.to_vec(), segment)));
        });
    }
    while let Some((n, data, segment)) = answers.pop_front() {
        pair.ends[n].receive(&data, segment, now, &mut |d, s| answers.push_back((1 - n, d.to_vec(), s)));
    }
}
