//! The first thing to run: `cargo run --release --example demo`.
//!
//! Starts a Jitsi deployment in this process; two participants meet, talk, send each other Opus and VP8 peer to peer, mute, unmute and
//! leave. Prints what happens while it happens, then a timeline, and draws it as `target/demo-timeline.svg`.
//!
//! `cargo run --release --example demo -- --url wss://meet.example/xmpp-websocket --room NAME [--domain D] [--token JWT]` does the same
//! in a real deployment.

use jmeet::client::{Client, Conference, Queue, Reader, Runtime, Writer};
use jmeet::media::{Codec, OutgoingFrame};
use jmeet::meeting::event::{EventKind, MediaState, TimelineStage};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use jmeet::testkit::{Deployment, media_files};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const NAMES: [&str; 2] = ["Ada", "Grace"];
/// How long media flows before and after the mute.
const TALK: Duration = Duration::from_millis(2500);

type Failure = Box<dyn std::error::Error>;

struct Args {
    url: Option<String>,
    room: String,
    domain: String,
    token: String,
}

fn args() -> Result<Args, Failure> {
    let mut a = Args { url: None, room: "demo".into(), domain: String::new(), token: String::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--url" => a.url = Some(value()?),
            "--room" => a.room = value()?,
            "--domain" => a.domain = value()?,
            "--token" => a.token = value()?,
            _ => return Err(format!("unknown option {word}; there are --url --room --domain --token").into()),
        }
    }
    Ok(a)
}

/// What one participant sent and received, counted by media.
#[derive(Default)]
struct Counts {
    audio_out: AtomicU64,
    video_out: AtomicU64,
    audio_in: AtomicU64,
    video_in: AtomicU64,
    bytes_in: AtomicU64,
}

struct Person {
    name: &'static str,
    client: Client,
    room: Conference,
    microphone: Writer,
    camera: Writer,
    counts: Arc<Counts>,
    key_frame: Arc<AtomicBool>,
    reader: Reader,
}

struct Stage {
    queue: Queue,
    people: Vec<Person>,
    start: Instant,
    /// (who, when in ms, what) for the picture.
    log: Vec<(usize, f64, String)>,
}

impl Stage {
    fn say(&mut self, who: usize, what: impl Into<String>) {
        let (ms, what) = (self.start.elapsed().as_secs_f64() * 1e3, what.into());
        println!("{ms:8.1} ms  {:<6} {what}", NAMES[who]);
        self.log.push((who, ms, what));
    }

    /// Handles events until `done` says so, or fails after 30 s.
    fn until(&mut self, what: &str, mut done: impl FnMut(usize, &EventKind, u64) -> bool) -> Result<(), Failure> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("waited 30 s for {what}").into());
            }
            let Ok(e) = self.queue.next(Some(left)) else { continue };
            let who = e.user_value as usize;
            self.tell(who, &e.event.kind);
            if let EventKind::Closed(Some(error)) = &e.event.kind {
                return Err(format!("{} closed: {error}", NAMES[who]).into());
            }
            if done(who, &e.event.kind, e.event.tag) {
                return Ok(());
            }
        }
    }

    /// Handles what happens meanwhile.
    fn listen_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(e) = self.queue.next(Some(end.saturating_duration_since(Instant::now()))) {
            self.tell(e.user_value as usize, &e.event.kind);
        }
    }

    fn tell(&mut self, who: usize, kind: &EventKind) {
        match kind {
            EventKind::Joined(j) => self.say(who, format!("is in the room as {}", j.endpoint_id)),
            EventKind::ParticipantJoined(p) => self.say(who, format!("sees {}", p.display_name)),
            EventKind::ParticipantLeft(l) => self.say(who, format!("sees {} leave", l.participant.display_name)),
            EventKind::Message(m) => self.say(who, format!("hears {} say “{}”", m.display_name, m.text)),
            EventKind::TrackAdded(t) if !t.local => self.say(who, format!("gets track {}", t.source_name)),
            EventKind::TrackUpdated(t) if !t.local => {
                self.say(who, format!("sees {} {}", t.source_name, if t.muted { "muted" } else { "unmuted" }))
            }
            EventKind::Media(_, MediaState::Connected { endpoint_id }) => {
                self.say(who, format!("is connected to {endpoint_id} peer to peer"))
            }
            EventKind::Media(_, MediaState::Ended { reason, .. }) => {
                self.say(who, format!("peer to peer ended: {reason}"))
            }
            EventKind::KeyFrameWanted { .. } => self.people[who].key_frame.store(true, Ordering::Relaxed),
            EventKind::Closed(None) => self.say(who, "has left"),
            _ => {}
        }
    }
}

fn main() -> Result<(), Failure> {
    let args = args()?;
    let deployment = match &args.url {
        None => Some(Deployment::start(Default::default())?),
        Some(_) => None,
    };
    let url = args.url.clone().or(deployment.as_ref().map(|d| d.url())).unwrap_or_default();
    let domain = match &deployment {
        Some(d) => d.domain().to_owned(),
        None => args.domain.clone(),
    };
    println!("{}", if deployment.is_some() { "a Jitsi deployment in this process" } else { "a real deployment" });

    let runtime = Runtime::new(2)?;
    let mut stage = Stage { queue: Queue::new()?, people: Vec::new(), start: Instant::now(), log: Vec::new() };
    for (n, name) in NAMES.into_iter().enumerate() {
        let options = ClientOptions {
            url: url.clone(),
            room: args.room.clone(),
            domain: domain.clone(),
            token: args.token.clone(),
            display_name: name.into(),
            allow_loopback: deployment.is_some(),
            user_value: n as u64,
            ..Default::default()
        };
        let client = Client::new(Some(&runtime), &stage.queue, options)?;
        let room = client.join(1)?;
        let track = |codec| TrackOptions::new(codec);
        let (microphone, camera) = (room.send_track(track(Codec::Opus), 0)?, room.send_track(track(Codec::Vp8), 0)?);
        // Reading is what asks for media: nobody reads, nothing is sent.
        let reader = room.reader(None, ReaderOptions::default())?;
        let (counts, key_frame) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        stage.people.push(Person { name, client, room, microphone, camera, counts, key_frame, reader });
        let mut failed = None;
        stage.until("the join", |who, kind, tag| match kind {
            EventKind::RequestDone(error) if who == n && tag == 1 => {
                failed = error.clone();
                true
            }
            _ => false,
        })?;
        if let Some(e) = failed {
            return Err(format!("{name} could not join: {e}").into());
        }
    }

    let mut connected = 0;
    stage.until("peer to peer", |_, kind, _| {
        connected += usize::from(matches!(kind, EventKind::Media(_, MediaState::Connected { .. })));
        connected == 2
    })?;
    let stop = Arc::new(AtomicBool::new(false));
    let threads = start_media(&stage, &stop)?;

    stage.people[0].room.send_message("hello", 0)?;
    stage.until("the hello", |who, kind, _| who == 1 && matches!(kind, EventKind::Message(_)))?;
    stage.people[1].room.send_message("hello yourself", 0)?;
    stage.until("the answer", |who, kind, _| who == 0 && matches!(kind, EventKind::Message(_)))?;
    stage.listen_for(TALK);
    for muted in [true, false] {
        stage.people[0].camera.set_muted(muted, 0)?;
        stage.until("the mute", |who, kind, _| {
            who == 1 && matches!(kind, EventKind::TrackUpdated(t) if t.muted == muted)
        })?;
    }
    stage.listen_for(TALK);
    stop.store(true, Ordering::Relaxed);
    for t in threads {
        t.join().map_err(|_| "a media thread failed")?;
    }

    let timelines: Vec<_> = stage.people.iter().map(|p| p.client.timeline()).collect();
    stage.people[1].room.leave(2)?;
    let mut gone = (false, false);
    stage.until("the good-bye", |who, kind, _| {
        gone.0 |= who == 1 && matches!(kind, EventKind::Closed(None));
        gone.1 |= who == 0 && matches!(kind, EventKind::ParticipantLeft(_));
        gone == (true, true)
    })?;
    stage.people[0].room.leave(3)?;
    stage.until("the end", |who, kind, _| who == 0 && matches!(kind, EventKind::Closed(None)))?;

    report(&stage, &timelines)?;
    let heard = stage
        .people
        .iter()
        .all(|p| p.counts.audio_in.load(Ordering::Relaxed) > 0 && p.counts.video_in.load(Ordering::Relaxed) > 0);
    if heard { Ok(()) } else { Err("somebody received nothing".into()) }
}

/// Two senders and one listener per person.
fn start_media(stage: &Stage, stop: &Arc<AtomicBool>) -> Result<Vec<std::thread::JoinHandle<()>>, Failure> {
    let audio = Arc::new(media_files::read_ogg_opus(include_bytes!("../../tests/fixtures/media/audio.ogg"))?);
    let video = Arc::new(media_files::read_ivf(include_bytes!("../../tests/fixtures/media/video.ivf"))?);
    let mut threads = Vec::new();
    for p in &stage.people {
        let (reader, counts, stopping) = (p.reader.clone(), p.counts.clone(), stop.clone());
        threads.push(std::thread::spawn(move || listen(&reader, &counts, &stopping)));

        let (microphone, packets, counts, stopping) =
            (p.microphone.clone(), audio.clone(), p.counts.clone(), stop.clone());
        threads.push(std::thread::spawn(move || {
            let mut due = Instant::now();
            for packet in packets.iter().cycle() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                if microphone.write(OutgoingFrame::audio(packet.clone())).is_ok() {
                    counts.audio_out.fetch_add(1, Ordering::Relaxed);
                }
                due += Duration::from_millis(20);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }));

        let (camera, clip, counts, stopping) = (p.camera.clone(), video.clone(), p.counts.clone(), stop.clone());
        let wanted = p.key_frame.clone();
        threads.push(std::thread::spawn(move || {
            let (mut n, mut due) = (0, Instant::now());
            while !stopping.load(Ordering::Relaxed) {
                if wanted.swap(false, Ordering::Relaxed) {
                    // A file cannot make a key frame: it jumps to the next one.
                    n = (n..n + clip.frames.len()).find(|i| clip.frames[i % clip.frames.len()].key).unwrap_or(0);
                }
                let frame = &clip.frames[n % clip.frames.len()];
                let outgoing = OutgoingFrame::video(frame.data.clone(), clip.frame_duration());
                // What nobody receives begins again, with a key frame.
                let taken = camera.write(outgoing).is_ok();
                counts.video_out.fetch_add(u64::from(taken), Ordering::Relaxed);
                n = if taken { n + 1 } else { 0 };
                due += clip.frame_duration();
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }));
    }
    Ok(threads)
}

fn listen(reader: &Reader, counts: &Counts, stopping: &AtomicBool) {
    while !stopping.load(Ordering::Relaxed) {
        let Ok(frame) = reader.next(Some(Duration::from_millis(100))) else { continue };
        let count = match frame.codec {
            Codec::Opus => &counts.audio_in,
            _ => &counts.video_in,
        };
        count.fetch_add(1, Ordering::Relaxed);
        counts.bytes_in.fetch_add(frame.data.len() as u64, Ordering::Relaxed);
    }
}

const STAGES: [(TimelineStage, &str); 14] = [
    (TimelineStage::Start, "join called"),
    (TimelineStage::TransportOpen, "socket open"),
    (TimelineStage::Authenticated, "logged in"),
    (TimelineStage::Bound, "bound"),
    (TimelineStage::ConferenceReady, "focus ready"),
    (TimelineStage::Joined, "in the room"),
    (TimelineStage::SessionInitiate, "session-initiate"),
    (TimelineStage::SessionAccept, "session-accept"),
    (TimelineStage::IceConnected, "ICE connected"),
    (TimelineStage::DtlsConnected, "DTLS done"),
    (TimelineStage::FirstAudioSent, "first audio sent"),
    (TimelineStage::FirstVideoSent, "first video sent"),
    (TimelineStage::FirstAudioReceived, "first audio heard"),
    (TimelineStage::FirstVideoReceived, "first video seen"),
];

fn report(stage: &Stage, timelines: &[Vec<(TimelineStage, u64)>]) -> Result<(), Failure> {
    println!("\n{:<20}{:>12}{:>12}", "ms after join", NAMES[0], NAMES[1]);
    let at: Vec<HashMap<TimelineStage, f64>> = timelines
        .iter()
        .map(|t| {
            let start = t.iter().find(|s| s.0 == TimelineStage::Start).map_or(0, |s| s.1);
            t.iter().map(|s| (s.0, s.1.saturating_sub(start) as f64 / 1e3)).collect()
        })
        .collect();
    for (s, label) in STAGES {
        let cell = |n: usize| at[n].get(&s).map_or("–".to_owned(), |v| format!("{v:.1}"));
        println!("{label:<20}{:>12}{:>12}", cell(0), cell(1));
    }
    println!();
    for p in &stage.people {
        let n = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let c = &p.counts;
        println!(
            "{:<6} sent {} audio and {} video frames, received {} and {} ({} kB)",
            p.name,
            n(&c.audio_out),
            n(&c.video_out),
            n(&c.audio_in),
            n(&c.video_in),
            n(&c.bytes_in) / 1000
        );
    }
    let path = std::path::Path::new("target/demo-timeline.svg");
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, svg(stage, &at))?;
    println!("\nthe timeline as a picture: {}", path.display());
    Ok(())
}

/// Two lanes of stages on a square-root scale (the interesting part is the first second), and the event log below.
fn svg(stage: &Stage, at: &[HashMap<TimelineStage, f64>]) -> String {
    let last = at.iter().flat_map(|t| t.values()).fold(1.0_f64, |a, b| a.max(*b));
    let x = |ms: f64| 120.0 + (ms / last).sqrt() * 850.0;
    let height = 470 + stage.log.len() * 18;
    let mut s = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1140 {height}' font-family='system-ui,sans-serif' font-size='12'>\
         <rect width='1140' height='{height}' fill='#fbfbf8'/>\
         <text x='32' y='40' font-size='22' font-weight='600' fill='#1d2733'>Two participants meet</text>\
         <text x='32' y='62' fill='#5b6672'>milliseconds after each one's join call, square-root scale</text>"
    );
    for ms in [10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0] {
        if ms < last {
            s += &format!(
                "<line x1='{0:.1}' x2='{0:.1}' y1='86' y2='410' stroke='#e4e4dc'/>\
                 <text x='{0:.1}' y='426' text-anchor='middle' fill='#8a939c'>{ms}</text>",
                x(ms)
            );
        }
    }
    for (lane, stages) in at.iter().enumerate() {
        let y = 150.0 + lane as f64 * 165.0;
        let color = ["#2563a8", "#b0492f"][lane % 2];
        s += &format!(
            "<text x='32' y='{:.1}' font-size='15' font-weight='600' fill='{color}'>{}</text>\
             <line x1='120' x2='970' y1='{y}' y2='{y}' stroke='{color}' stroke-width='2' opacity='.35'/>",
            y + 5.0,
            NAMES[lane]
        );
        let mut placed: Vec<_> = STAGES.iter().filter_map(|(st, l)| stages.get(st).map(|ms| (*ms, *l))).collect();
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = [0.0_f64; 8];
        for (ms, label) in placed {
            let (px, width) = (x(ms), label.len() as f64 * 6.6 + 52.0);
            // The first row whose last label ends before this one: above and below the line in turn.
            let row = free.iter().position(|end| *end < px).unwrap_or(free.len() - 1);
            free[row] = px + width;
            let level = (row / 2 + 1) as f64 * 15.0;
            let ty = if row % 2 == 0 { y - level } else { y + level + 9.0 };
            s += &format!(
                "<line x1='{px:.1}' x2='{px:.1}' y1='{y}' y2='{ty:.1}' stroke='{color}' opacity='.35'/>\
                 <circle cx='{px:.1}' cy='{y}' r='4' fill='{color}'/>\
                 <text x='{:.1}' y='{ty:.1}' fill='#1d2733'>{label} <tspan fill='#8a939c'>{ms:.0}</tspan></text>",
                px + 4.0
            );
        }
    }
    for (n, (who, ms, what)) in stage.log.iter().enumerate() {
        let color = ["#2563a8", "#b0492f"][who % 2];
        let what = what.replace('&', "&amp;").replace('<', "&lt;");
        s += &format!(
            "<text x='100' y='{0}' text-anchor='end' fill='#8a939c'>{ms:.0} ms</text>\
             <text x='120' y='{0}' fill='{color}' font-weight='600'>{1}</text><text x='176' y='{0}' fill='#1d2733'>{what}</text>",
            460 + n * 18,
            NAMES[*who]
        );
    }
    s + "</svg>\n"
}
