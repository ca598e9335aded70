//! CPU time per RTP packet of our engine and of other stacks, measured in the same run: `benches/run`, docs/performance.md.
//!
//! Every stack does the same: two ends in one thread, connected by ICE and DTLS, SRTP with AES-GCM, NACK and transport-cc on.
//! One end sends frames of [`BURST`] packets of [`PAYLOAD`] bytes, each stream [`RATE`] packets a second of virtual time; the
//! other receives them and answers with feedback. Counted is the whole of both ends, from the payload to the event.

mod end;
mod memory;
mod ours;
mod rtc_machine;
mod rtc_media;
mod theirs;
mod udp;
mod webrtc_driver;

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

fn over_udp<E: End + 'static>(name: &'static str, streams: u32, pair: Pair<E>) -> Line {
    let mut link = udp::Link::new().expect("sockets");
    let mut pair = udp::connect(&mut link, pair);
    Line { name, streams, ns: f64::MAX, run: Box::new(move |n| udp::run(&mut link, &mut pair, streams, n)) }
}

/// Round by round, so that a busy moment of the machine falls on all of them.
fn measure(lines: &mut [Line], packets: u32) {
    for _ in 0..ROUNDS {
        for l in &mut *lines {
            l.ns = l.ns.min((l.run)(packets));
        }
    }
}

/// By the first line of the same number of streams.
fn print(title: &str, lines: &[Line]) {
    println!("| {title} | streams | CPU ns per packet | ratio |");
    println!("|---|---|---|---|");
    for streams in STREAMS {
        let first = lines.iter().find(|l| l.streams == streams).map_or(f64::NAN, |l| l.ns);
        for l in lines.iter().filter(|l| l.streams == streams) {
            println!("| {} | {} | {:.0} | {:.2} |", l.name, l.streams, l.ns, l.ns / first);
        }
    }
    println!();
}

fn main() {
    let packets = std::env::args().nth(1).map_or(20_000, |n| n.parse().expect("a number of packets"));
    // For a profiler: `ours` leaves the others away.
    let alone = std::env::args().nth(2).is_some_and(|w| w == "ours");
    let (mut memory, mut udp) = (vec![], vec![]);
    for streams in STREAMS {
        memory.push(line("ours", streams, memory::connect(ours::pair(streams))));
        let (mut link, mut srtp) = (udp::Link::new().expect("sockets"), udp::srtp());
        let floor = move |n| udp::floor(&mut link, &mut srtp, n);
        udp.push(Line { name: "SRTP and system calls alone", streams, ns: f64::MAX, run: Box::new(floor) });
        udp.push(over_udp("ours", streams, ours::pair(streams)));
        if alone {
            continue;
        }
        for (name, crypto) in theirs::CRYPTOS {
            memory.push(line(name, streams, memory::connect(theirs::pair(streams, crypto()))));
            udp.push(over_udp(name, streams, theirs::pair(streams, crypto())));
        }
        memory.push(line("rtc", streams, memory::connect(rtc_machine::pair(streams))));
    }
    measure(&mut memory, packets);
    measure(&mut udp, packets);
    for streams in STREAMS.into_iter().filter(|_| !alone) {
        // Its driver wants real time and threads of its own; it cannot take turns.
        let ns = webrtc_driver::run(streams, packets, ROUNDS);
        memory.push(Line { name: "webrtc, its driver, UDP", streams, ns, run: Box::new(|_| f64::MAX) });
    }
    print("In memory, unless it says UDP", &memory);
    print("UDP over loopback, GSO and GRO", &udp);
}
