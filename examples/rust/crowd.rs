//! What a participant costs in memory: joins many in one process and prints the growth of its PSS per participant.
//!
//! `cargo run --release --example crowd -- URL [--domain D] [--media ROOM]`, with the server in another process (`testkit_server`, or a real
//! one). Rooms of ten, signalling only: nobody sends or reads. With `--media`: rooms of ROOM (2: peer to peer; more: through
//! a bridge, `testkit_server --bridge`), each with a microphone and a camera that send nothing, measured when all are connected
//! and know everybody's sources.

use jmeet::client::{Client, Conference, Queue, Runtime, Writer};
use jmeet::media::Codec;
use jmeet::meeting::event::{EventKind, MediaState};
use jmeet::meeting::{ClientOptions, TrackOptions};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Participants at the first measurement at least, and those that follow until the second.
const FIRST: usize = 10;
const MORE: usize = 100;
/// Largest room without media.
const ROOM: usize = 10;
/// Time for one participant to join or for one room to connect.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for what follows the connection: buffers, timers, threads.
const REST: Duration = Duration::from_secs(3);

type Failure = Box<dyn std::error::Error>;

/// Proportional set size, kB.
fn pss() -> Result<u64, Failure> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find(|l| l.starts_with("Pss:")).ok_or("no Pss")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

struct Options {
    url: String,
    domain: String,
    room: usize,
    media: bool,
}

fn arguments() -> Result<Options, Failure> {
    let mut words = std::env::args().skip(1);
    let url = words.next().ok_or("URL is missing")?;
    let mut o = Options { url, domain: String::new(), room: ROOM, media: false };
    while let Some(option) = words.next() {
        let value = words.next().ok_or("a value is missing")?;
        match option.as_str() {
            "--domain" => o.domain = value,
            "--media" => (o.room, o.media) = (value.parse()?, true),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    if o.media && o.room < 2 { Err("media needs two in a room".into()) } else { Ok(o) }
}

/// A participant with what keeps its tracks alive.
struct Member {
    client: Client,
    conference: Conference,
    _writers: Vec<Writer>,
}

struct Crowd {
    options: Options,
    runtime: Runtime,
    queue: Queue,
    members: Vec<Member>,
    /// Numbers of those that have joined, and of those whose media is connected.
    joined: HashSet<u64>,
    connected: HashSet<u64>,
}

impl Crowd {
    fn add(&mut self) -> Result<(), Failure> {
        let (n, o) = (self.members.len(), &self.options);
        let options = ClientOptions {
            url: o.url.clone(),
            domain: o.domain.clone(),
            room: format!("crowd{}", n / o.room),
            display_name: format!("Participant {n}"),
            disable_p2p: !o.media || o.room > 2,
            // All sources are then signalled, not only those that are heard.
            disable_ssrc_rewriting: true,
            allow_loopback: true,
            user_value: n as u64,
            ..Default::default()
        };
        let client = Client::new(Some(&self.runtime), &self.queue, options)?;
        let conference = client.join(1)?;
        let codecs = if o.media { &[Codec::Opus, Codec::Vp8][..] } else { &[] };
        let tracks = codecs.iter().map(|c| conference.send_track(TrackOptions::new(*c), 0));
        let writers = tracks.collect::<Result<_, _>>()?;
        self.members.push(Member { client, conference, _writers: writers });
        self.wait(|c| c.joined.contains(&(n as u64)))?;
        if self.options.media && (n + 1).is_multiple_of(self.options.room) {
            self.wait(|c| c.connected.len() == n + 1)?;
        }
        Ok(())
    }

    fn wait(&mut self, done: impl Fn(&Crowd) -> bool) -> Result<(), Failure> {
        let start = Instant::now();
        while !done(self) {
            let e = self.queue.next(Some(PATIENCE.saturating_sub(start.elapsed())))?;
            match e.event.kind {
                EventKind::RequestDone(None) => drop(self.joined.insert(e.user_value)),
                EventKind::Media(_, MediaState::Connected { .. }) => drop(self.connected.insert(e.user_value)),
                EventKind::RequestDone(Some(e)) | EventKind::Closed(Some(e)) => return Err(e.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// PSS, and the remote tracks that the last one knows.
    fn measure(&self) -> Result<(u64, usize), Failure> {
        std::thread::sleep(REST);
        while self.queue.ready()?.is_some() {}
        let last = self.members.last().ok_or("nobody")?;
        Ok((pss()?, last.conference.tracks().iter().filter(|t| !t.local).count()))
    }
}

fn main() -> Result<(), Failure> {
    let options = arguments()?;
    let room = options.room;
    let (first, all) = (FIRST.next_multiple_of(room), (FIRST + MORE).next_multiple_of(room));
    let (runtime, queue) = (Runtime::new(1)?, Queue::new()?);
    let (joined, connected) = Default::default();
    let mut crowd = Crowd { options, runtime, queue, members: Vec::new(), joined, connected };
    let mut before = 0;
    for n in 1..=all {
        crowd.add()?;
        if n == first {
            (before, _) = crowd.measure()?;
        }
    }
    let (after, tracks) = crowd.measure()?;
    let each = (after.saturating_sub(before)) / (all - first) as u64;
    println!("{first} participants: {before} kB; {all}: {after} kB; each {each} kB; remote tracks of each: {tracks}");
    for m in &crowd.members {
        m.client.close(Duration::from_secs(10))?;
    }
    Ok(())
}
