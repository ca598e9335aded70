//! CPU time per RTP packet of our engine and of other stacks, measured in the same run: `benches/run`, docs/performance.md.
//!
//! Every stack does the same: two ends in one thread, connected by ICE and DTLS, SRTP with AES-GCM, NACK and transport-cc on.
//! One end sends frames of [`BURST`] packets of [`PAYLOAD`] bytes, each stream [`RATE`] packets a second of virtual time; the
//! other receives them and answers with feedback. Counted is the whole of both ends, from the payload to the event.

mod end;
mod memory;
mod ours;
#[cfg(feature = "others")]
mod rtc_machine;
#[cfg(feature = "others")]
mod rtc_media;
#[cfg(feature = "others")]
mod theirs;
mod udp;
#[cfg(feature = "others")]
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
/// Packets of one round, unless the command line names another number.
const PACKETS: u32 = 20_000;
/// Each measurement is repeated and the least is taken: what is above it is other work on the machine.
const ROUNDS: usize = 7;

/// What is below every stack; and the same with what feedback every 50 ms needs, which is once in as many frames as there are streams.
const FLOORS: [(&str, bool); 2] =
    [("SRTP and system calls alone", false), ("the same with feedback's SRTCP and calls", true)];

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

/// By the first lines of the same number of streams, as many as there are names.
fn print(title: &str, by: &[&str], lines: &[Line]) {
    println!("| {title} | streams | CPU ns per packet | {} |", by.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(by.len()));
    for streams in STREAMS {
        let of = || lines.iter().filter(|l| l.streams == streams);
        for l in of() {
            let ratios = of().take(by.len()).map(|first| format!(" {:.2} |", l.ns / first.ns));
            println!("| {} | {} | {:.0} |{}", l.name, l.streams, l.ns, ratios.collect::<String>());
        }
    }
    println!();
}

fn main() {
    let packets = std::env::args().nth(1).map_or(PACKETS, |n| n.parse().expect("a number of packets"));
    let (mut memory, mut udp) = (vec![], vec![]);
    for streams in STREAMS {
        memory.push(line("ours", streams, memory::connect(ours::pair(streams))));
        for (name, told) in FLOORS {
            let (mut link, mut srtp) = (udp::Link::new().expect("sockets"), udp::srtp());
            let floor = move |n| udp::floor(&mut link, &mut srtp, told.then_some(streams), n);
            udp.push(Line { name, streams, ns: f64::MAX, run: Box::new(floor) });
        }
        udp.push(over_udp("ours", streams, ours::pair(streams)));
        #[cfg(feature = "others")]
        {
            for (name, crypto) in theirs::CRYPTOS {
                memory.push(line(name, streams, memory::connect(theirs::pair(streams, crypto()))));
                udp.push(over_udp(name, streams, theirs::pair(streams, crypto())));
            }
            memory.push(line("rtc", streams, memory::connect(rtc_machine::pair(streams))));
        }
    }
    measure(&mut memory, packets);
    measure(&mut udp, packets);
    #[cfg(feature = "others")]
    for streams in STREAMS {
        // Its driver wants real time and threads of its own; it cannot take turns.
        let ns = webrtc_driver::run(streams, packets, ROUNDS);
        memory.push(Line { name: "webrtc, its driver, UDP", streams, ns, run: Box::new(|_| f64::MAX) });
    }
    print("In memory, unless it says UDP", &["by ours"], &memory);
    print("UDP over loopback, GSO and GRO", &["by the floor", "by that with feedback"], &udp);
}
