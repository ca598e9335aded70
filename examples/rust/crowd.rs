//! What participants cost: joins many in one process and prints the growth of its PSS per participant, the time until all were in,
//! and the CPU time that it took.
//!
//! `cargo run --release --example crowd -- URL [--domain D] [--count N] [--room N] [--media ROOM [--speakers N --seconds S]]`, with the
//! server in another process (`testkit_server`, or a real one). Rooms of ten, or of `--room`, signalling only: nobody sends or reads.
//! With `--media`: rooms of ROOM (2: peer to peer; more: through a bridge, `testkit_server --bridge`), each with a microphone and a
//! camera that send nothing, measured when all are connected and know everybody's sources. With `--speakers` then the first N of each
//! room talk for S seconds (30), everybody hears them, and the CPU time of those seconds is printed, and whether it counts: whether all
//! that should have been heard was.

use jmeet::client::{Client, Conference, Queue, Reader, Runtime, Writer};
use jmeet::media::{Codec, MediaType, OutgoingFrame};
use jmeet::meeting::event::{EventKind, MediaState};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Participants at the first measurement at least, and at the second unless `--count` says otherwise.
const FIRST: usize = 10;
const COUNT: usize = 110;
/// Largest room without media.
const ROOM: usize = 10;
/// Time for one participant to join or for one room to connect.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for what follows the connection: buffers, timers, threads.
const REST: Duration = Duration::from_secs(3);
/// Nothing more comes when nothing came for so long.
const LATE: Duration = Duration::from_secs(1);
/// With as much of the packets lost, in percent, the CPU time is that of something else.
const MAX_LOSS: f64 = 1.0;
/// Length of a packet of sound, and bytes in it.
const PACKET: Duration = Duration::from_millis(20);
const PACKET_BYTES: usize = 80;
/// Opus, wide band, 20 ms in one frame (RFC 6716 §3.1).
const OPUS: u8 = 9 << 3;

type Failure = Box<dyn std::error::Error>;

/// Proportional set size, kB.
fn pss() -> Result<u64, Failure> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find(|l| l.starts_with("Pss:")).ok_or("no Pss")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec. A clock that is not there leaves zero.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec as u32)
}

struct Options {
    url: String,
    domain: String,
    count: usize,
    room: usize,
    media: bool,
    speakers: usize,
    talk: Duration,
}

fn arguments() -> Result<Options, Failure> {
    let mut words = std::env::args().skip(1);
    let url = words.next().ok_or("URL is missing")?;
    let (domain, talk) = (String::new(), Duration::from_secs(30));
    let mut o = Options { url, domain, count: COUNT, room: ROOM, media: false, speakers: 0, talk };
    while let Some(option) = words.next() {
        let value = words.next().ok_or("a value is missing")?;
        match option.as_str() {
            "--domain" => o.domain = value,
            "--count" => o.count = value.parse()?,
            "--room" => o.room = value.parse()?,
            "--media" => (o.room, o.media) = (value.parse()?, true),
            "--speakers" => o.speakers = value.parse()?,
            "--seconds" => o.talk = Duration::from_secs(value.parse()?),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    match (o.media, o.room) {
        (_, 0) => Err("nobody in a room".into()),
        (true, 1) => Err("media needs two in a room".into()),
        (false, _) if o.speakers > 0 => Err("speakers need --media".into()),
        _ => Ok(o),
    }
}

/// A participant with what keeps its tracks alive.
struct Member {
    client: Client,
    conference: Conference,
    writers: Vec<Writer>,
    /// Hears everybody, if anybody speaks.
    reader: Option<Reader>,
}

/// What was said and heard, by participant.
struct Talk {
    sent: Vec<u64>,
    heard: Vec<u64>,
    /// CPU time of this process while they spoke, by that time.
    cores: f64,
}

impl Talk {
    /// What each should hear: all that the others of its room sent.
    fn expected(&self, room: usize) -> Vec<u64> {
        let of = |r: &[u64]| {
            let all: u64 = r.iter().sum();
            r.iter().map(|own| all - own).collect::<Vec<_>>()
        };
        self.sent.chunks(room).flat_map(of).collect()
    }

    fn total(&self) -> u64 {
        self.heard.iter().sum()
    }

    /// Whether so much arrived that the figure is one, in words.
    fn verdict(&self, room: usize, passed: Duration) -> String {
        let expected = self.expected(room);
        let all: u64 = expected.iter().sum();
        let lost = |heard: u64, all: u64| 100.0 * (1.0 - heard as f64 / all.max(1) as f64);
        let each = self.heard.iter().zip(&expected).map(|(h, e)| lost(*h, *e));
        let (loss, worst) = (lost(self.total(), all), each.fold(0.0, f64::max));
        let counts = if all > 0 && loss < MAX_LOSS { "the figure counts" } else { "THE FIGURE DOES NOT COUNT" };
        let second = all as f64 / passed.as_secs_f64();
        format!(
            "{counts}: received {} of {all} packets ({second:.0} a second), {loss:.2} % lost, by one at most {worst:.2} %",
            self.total()
        )
    }
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
        let hears = ReaderOptions { media: Some(MediaType::Audio), ..ReaderOptions::default() };
        let reader = (o.speakers > 0).then(|| conference.reader(None, hears)).transpose()?;
        self.members.push(Member { client, conference, writers, reader });
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

    /// Has the first of each room speak, and takes what everybody hears.
    fn talk(&self) -> Result<Talk, Failure> {
        let (start, used) = (Instant::now(), cpu());
        let mut talk = Talk { sent: vec![0; self.members.len()], heard: vec![0; self.members.len()], cores: 0.0 };
        for n in 1.. {
            for (i, m) in self.members.iter().enumerate() {
                if i % self.options.room < self.options.speakers
                    && let Some(w) = m.writers.first()
                {
                    let mut packet = vec![n as u8; PACKET_BYTES];
                    packet[0] = OPUS;
                    // A packet that nobody can take now is not sent, as in a real room; the counts tell.
                    talk.sent[i] += u64::from(w.write(OutgoingFrame::audio(packet)).is_ok());
                }
            }
            self.listen(&mut talk)?;
            if start.elapsed() >= self.options.talk {
                break;
            }
            std::thread::sleep((PACKET * n).saturating_sub(start.elapsed()));
        }
        talk.cores = (cpu() - used).as_secs_f64() / start.elapsed().as_secs_f64();
        // What is still under way.
        let mut last = Instant::now();
        while talk.total() < talk.expected(self.options.room).iter().sum() && last.elapsed() < LATE {
            std::thread::sleep(PACKET);
            if self.listen(&mut talk)? > 0 {
                last = Instant::now();
            }
        }
        Ok(talk)
    }

    /// Takes what everybody heard meanwhile; how many packets.
    fn listen(&self, talk: &mut Talk) -> Result<u64, Failure> {
        let before = talk.total();
        for (m, heard) in self.members.iter().zip(&mut talk.heard) {
            while let Some(Ok(_)) = m.reader.as_ref().map(|r| r.next(Some(Duration::ZERO))) {
                *heard += 1;
            }
        }
        while self.queue.ready()?.is_some() {}
        Ok(talk.total() - before)
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
    let (room, speakers) = (options.room, options.speakers);
    let (first, all) = (FIRST.next_multiple_of(room), options.count.next_multiple_of(room));
    let (runtime, queue) = (Runtime::new(1)?, Queue::new()?);
    let (joined, connected) = Default::default();
    let mut crowd = Crowd { options, runtime, queue, members: Vec::new(), joined, connected };
    let (mut before, mut joining, used) = (pss()?, Duration::ZERO, cpu());
    for n in 1..=all {
        let start = Instant::now();
        crowd.add()?;
        joining += start.elapsed();
        if n == first && first < all {
            (before, _) = crowd.measure()?;
        }
    }
    let joined = cpu() - used;
    let (after, tracks) = crowd.measure()?;
    let more = if first < all { all - first } else { all };
    let each = after.saturating_sub(before) / more as u64;
    println!("{all} participants: {after} kB, {more} of them: {each} kB each; remote tracks of each: {tracks}");
    println!("all in, one after the other, after {joining:.1?}; CPU time {joined:.1?}");
    if speakers > 0 {
        let talk = crowd.talk()?;
        let (sent, seconds): (u64, _) = (talk.sent.iter().sum(), crowd.options.talk);
        println!("{speakers} speak for {seconds:.1?}: {sent} packets; {:.2} cores, PSS {} kB", talk.cores, pss()?);
        println!("{}", talk.verdict(room, seconds));
    }
    for m in &crowd.members {
        m.client.close(Duration::from_secs(10))?;
    }
    Ok(())
}
