//! What a participant costs in memory: joins many in one process and prints the growth of its PSS per participant.
//!
//! `cargo run --release --example crowd -- URL [--domain D]`, with the server in another process (`testkit_server`, or a real one). Rooms of ten,
//! signalling only: nobody sends or reads.

use jmeet::client::{Client, Queue, Runtime};
use jmeet::meeting::ClientOptions;
use jmeet::meeting::event::EventKind;

const FIRST: usize = 10;
const ALL: usize = 110;
const ROOM: usize = 10;

type Failure = Box<dyn std::error::Error>;

/// Proportional set size, kB.
fn pss() -> Result<u64, Failure> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find(|l| l.starts_with("Pss:")).ok_or("no Pss")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let url = words.next().ok_or("URL is missing")?;
    let domain = match (words.next().as_deref(), words.next()) {
        (Some("--domain"), Some(d)) => d,
        _ => String::new(),
    };
    let (runtime, queue) = (Runtime::new(1)?, Queue::new()?);
    let (mut clients, mut first) = (Vec::new(), 0);
    for n in 0..ALL {
        let options = ClientOptions {
            url: url.clone(),
            domain: domain.clone(),
            room: format!("crowd{}", n / ROOM),
            display_name: format!("Participant {n}"),
            disable_p2p: true,
            ..Default::default()
        };
        let client = Client::new(Some(&runtime), &queue, options)?;
        client.join(1)?;
        clients.push(client);
        loop {
            match queue.next(None)?.event.kind {
                EventKind::RequestDone(None) => break,
                EventKind::RequestDone(Some(e)) | EventKind::Closed(Some(e)) => return Err(e.into()),
                _ => {}
            }
        }
        if n + 1 == FIRST {
            first = pss()?;
        }
    }
    let last = pss()?;
    println!("{FIRST} participants: {first} kB; {ALL}: {last} kB; each {} kB", (last - first) / (ALL - FIRST) as u64);
    for c in &clients {
        c.close(std::time::Duration::from_secs(10))?;
    }
    Ok(())
}
