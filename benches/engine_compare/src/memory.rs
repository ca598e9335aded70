//! The link without a network: datagrams of one end are given to the other at once.

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

/// Until both are quiet.
fn exchange<E: End>(pair: &mut Pair<E>) {
    let [a, b] = &mut pair.ends;
    while pass(a, b, pair.now_us) | pass(b, a, pair.now_us) {}
}

fn pass<E: End>(from: &mut E, to: &mut E, now_us: u64) -> bool {
    let mut any = false;
    let mut answers: Vec<Vec<u8>> = vec![];
    from.drain(now_us, &mut |data| {
        any = true;
        to.receive(data, now_us);
        // After each input its outputs, as every stack demands.
        to.drain(now_us, &mut |data| answers.push(data.to_vec()));
    });
    for data in answers {
        from.receive(&data, now_us);
    }
    any
}
