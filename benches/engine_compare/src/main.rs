//! CPU time per RTP packet of our engine and of other stacks, measured in the same run: `benches/run`, docs/performance.md.
//!
//! Every stack does the same: two ends in one thread, connected by ICE and DTLS, SRTP with AES-GCM, NACK and transport-cc on.
//! One end sends frames of [`BURST`] packets of [`PAYLOAD`] bytes, each stream [`RATE`] packets a second of virtual time; the
//! other receives them and answers with feedback. Counted is the whole of both ends, from the payload to the event.

mod end;
mod memory;
mod ours;
mod theirs;

use end::{End, Pair};

/// RTP payload of each packet, bytes.
const PAYLOAD: usize = 1100;
/// Packets of one frame, sent together.
const BURST: u32 = 10;
/// Packets per second of each stream: 1.8 Mbit/s of video.
const RATE: u64 = 200;
/// Connections with so many streams are measured.
const STREAMS: [u32; 2] = [1, 50];
/// Each measurement is repeated and the least is taken: what is above it is other work on the machine.
const ROUNDS: usize = 7;

/// One line of the table: a stack by one number of streams.
struct Line {
    name: &'static str,
    streams: u32,
    ns: f64,
    run: Box<dyn FnMut(u32) -> f64>,
}

fn line<E: End + 'static>(name: &'static str, streams: u32, mut pair: Pair<E>) -> Line {
    Line { name, streams, ns: f64::MAX, run: Box::new(move |packets| memory::run(&mut pair, streams, packets)) }
}

fn main() {
    let packets = std::env::args().nth(1).map_or(20_000, |n| n.parse().expect("a number of packets"));
    let mut lines = vec![];
    for streams in STREAMS {
        lines.push(line("ours", streams, memory::connect(ours::pair(streams))));
        lines.push(line("str0m, rust-crypto", streams, memory::connect(theirs::pair(streams))));
    }
    // Round by round, so that a busy moment of the machine falls on all of them.
    for _ in 0..ROUNDS {
        for l in &mut lines {
            l.ns = l.ns.min((l.run)(packets));
        }
    }
    println!("| In memory | streams | CPU ns per packet | by ours |");
    println!("|---|---|---|---|");
    for l in &lines {
        let ours = lines.iter().find(|o| o.streams == l.streams).map_or(f64::NAN, |o| o.ns);
        println!("| {} | {} | {:.0} | {:.2} |", l.name, l.streams, l.ns, l.ns / ours);
    }
}
