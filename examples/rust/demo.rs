//! The first thing to run: `cargo run --release --example demo`.
//!
//! Starts a Jitsi deployment in this process. Three participants meet and send each other Opus and VP8 through its bridge, chat, mute and
//! unmute, share a screen; one leaves, and the other two go on peer to peer until it is back. Prints what happens while it happens, then
//! a timeline, and draws it as `target/demo-timeline.svg`.
//!
//! `cargo run --release --example demo -- --url wss://meet.example/xmpp-websocket --room NAME [--domain D] [--token JWT]` does the same
//! in a real deployment; with `--loopback` in one on this machine.

use jmeet::client::{Client, Conference, Queue, Reader, Runtime, Writer};
use jmeet::media::{Codec, OutgoingFrame, VideoType};
use jmeet::meeting::event::{EventKind, MediaPath, MediaState, TimelineStage, TrackKey};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use jmeet::testkit::{BridgeConfig, Deployment, ServerOptions, SessionOptions, media_files};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const NAMES: [&str; 3] = ["Ada", "Grace", "Edsger"];
/// How long media flows in each part.
const TALK: Duration = Duration::from_millis(1500);

type Failure = Box<dyn std::error::Error>;

struct Args {
    url: Option<String>,
    room: String,
    domain: String,
    token: String,
    loopback: bool,
}

fn args() -> Result<Args, Failure> {
    let mut a = Args { url: None, room: "demo".into(), domain: String::new(), token: String::new(), loopback: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--url" => a.url = Some(value()?),
            "--room" => a.room = value()?,
            "--domain" => a.domain = value()?,
            "--token" => a.token = value()?,
            "--loopback" => a.loopback = true,
            _ => {
                return Err(format!("unknown option {word}; there are --url --room --domain --token --loopback").into());
            }
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
    screen_in: AtomicU64,
    bytes_in: AtomicU64,
}

struct Person {
    client: Client,
    room: Conference,
    microphone: Writer,
    camera: Writer,
    counts: Arc<Counts>,
    /// By track: the next frame shall be a key frame.
    key_frames: HashMap<TrackKey, Arc<AtomicBool>>,
    reader: Reader,
    /// Ends the threads of this person.
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

struct Stage {
    args: Args,
    deployment: Option<Deployment>,
    runtime: Runtime,
    queue: Queue,
    people: Vec<Person>,
    /// Who is connected which way.
    connected: HashSet<(usize, MediaPath)>,
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
            EventKind::TrackRemoved(t) if !t.local => self.say(who, format!("loses track {}", t.source_name)),
            EventKind::Media(path, MediaState::Connected { .. }) => {
                self.connected.insert((who, *path));
                self.say(who, format!("is connected {}", way(*path)))
            }
            EventKind::Media(path, MediaState::Ended(end)) => {
                self.connected.remove(&(who, *path));
                self.say(who, format!("is no longer connected {}: {}", way(*path), end.reason))
            }
            EventKind::KeyFrameWanted { track, .. } => {
                if let Some(wanted) = self.people.get(who).and_then(|p| p.key_frames.get(track)) {
                    wanted.store(true, Ordering::Relaxed);
                }
            }
            EventKind::Closed(None) => self.say(who, "has left"),
            _ => {}
        }
    }
}

fn way(path: MediaPath) -> &'static str {
    match path {
        MediaPath::PeerToPeer => "peer to peer",
        MediaPath::Bridge => "through the bridge",
    }
}

fn main() -> Result<(), Failure> {
    let args = args()?;
    let deployment = match &args.url {
        None => {
            let sessions = Some(SessionOptions::default());
            let deployment = Deployment::start(ServerOptions { sessions, ..Default::default() })?;
            deployment.start_bridge(BridgeConfig::default())?;
            Some(deployment)
        }
        Some(_) => None,
    };
    println!("{}", if deployment.is_some() { "a Jitsi deployment in this process" } else { "a real deployment" });
    let (runtime, queue, start) = (Runtime::new(2)?, Queue::new()?, Instant::now());
    let (people, connected, log) = (Vec::new(), HashSet::new(), Vec::new());
    let mut stage = Stage { args, deployment, runtime, queue, people, connected, start, log };

    for who in 0..NAMES.len() {
        stage.enter(who)?;
    }
    stage.until_connected(&[0, 1, 2], MediaPath::Bridge, true)?;
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
    stage.share_a_screen(0)?;
    let timelines: Vec<_> = stage.people.iter().map(|p| p.client.timeline()).collect();

    stage.exit(2)?;
    stage.until_connected(&[0, 1], MediaPath::PeerToPeer, true)?;
    stage.listen_for(TALK);
    stage.enter(2)?;
    stage.until_connected(&[0, 1], MediaPath::PeerToPeer, false)?;
    stage.until_connected(&[0, 1, 2], MediaPath::Bridge, true)?;
    stage.listen_for(TALK);
    for who in 0..NAMES.len() {
        stage.exit(who)?;
    }

    report(&stage, &timelines)?;
    let some = |c: &AtomicU64| c.load(Ordering::Relaxed) > 0;
    let heard = stage.people.iter().all(|p| some(&p.counts.audio_in) && some(&p.counts.video_in));
    let shown = stage.people[1..].iter().all(|p| some(&p.counts.screen_in));
    if heard && shown { Ok(()) } else { Err("somebody received nothing".into()) }
}

impl Stage {
    /// Joins, and sends and listens from then on.
    fn enter(&mut self, who: usize) -> Result<(), Failure> {
        let options = ClientOptions {
            url: self.args.url.clone().or(self.deployment.as_ref().map(|d| d.url())).unwrap_or_default(),
            room: self.args.room.clone(),
            domain: self.deployment.as_ref().map_or(self.args.domain.clone(), |d| d.domain().to_owned()),
            token: self.args.token.clone(),
            display_name: NAMES[who].into(),
            allow_loopback: self.args.loopback || self.deployment.is_some(),
            user_value: who as u64,
            ..Default::default()
        };
        let client = Client::new(Some(&self.runtime), &self.queue, options)?;
        let room = client.join(1)?;
        let microphone = room.send_track(TrackOptions::new(Codec::Opus), 0)?;
        let camera = room.send_track(TrackOptions::new(Codec::Vp8), 0)?;
        // Reading is what asks for media: nobody reads, nothing is sent.
        let reader = room.reader(None, ReaderOptions::default())?;
        // Whoever comes back counts on.
        let counts = self.people.get(who).map(|p| p.counts.clone()).unwrap_or_default();
        let (key_frames, stop, threads) = (HashMap::new(), Arc::default(), Vec::new());
        let mut p = Person { client, room, microphone, camera, counts, key_frames, reader, stop, threads };
        p.start_media()?;
        match self.people.get_mut(who) {
            Some(place) => *place = p,
            None => self.people.push(p),
        }
        let mut failed = None;
        self.until("the join", |n, kind, tag| match kind {
            EventKind::RequestDone(error) if n == who && tag == 1 => {
                failed = error.clone();
                true
            }
            _ => false,
        })?;
        failed.map_or(Ok(()), |e| Err(format!("{} could not join: {e}", NAMES[who]).into()))
    }

    fn exit(&mut self, who: usize) -> Result<(), Failure> {
        let p = &mut self.people[who];
        p.stop.store(true, Ordering::Relaxed);
        for t in std::mem::take(&mut p.threads) {
            t.join().map_err(|_| "a media thread failed")?;
        }
        p.room.leave(2)?;
        self.until("the good-bye", |n, kind, _| n == who && matches!(kind, EventKind::Closed(None)))?;
        self.connected.retain(|(n, _)| *n != who);
        Ok(())
    }

    /// Waits until all of these are connected this way, or none is any more.
    fn until_connected(&mut self, who: &[usize], path: MediaPath, wanted: bool) -> Result<(), Failure> {
        while who.iter().any(|w| self.connected.contains(&(*w, path)) != wanted) {
            self.until(way(path), |_, kind, _| matches!(kind, EventKind::Media(..)))?;
        }
        Ok(())
    }

    /// A screen is one more video, which comes and goes.
    fn share_a_screen(&mut self, who: usize) -> Result<(), Failure> {
        let options = TrackOptions { video_type: VideoType::Desktop, ..TrackOptions::new(Codec::Vp8) };
        let screen = self.people[who].room.send_track(options, 0)?;
        let (stop, key_frame): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        self.people[who].key_frames.insert(screen.track(), key_frame.clone());
        let thread = send_video(screen.clone(), stop.clone(), key_frame, Arc::default())?;
        let (mut came, mut went) = (0, 0);
        self.until("the screen", |_, kind, _| {
            let shown = matches!(kind, EventKind::TrackAdded(t) if !t.local && t.video_type == VideoType::Desktop);
            came += usize::from(shown);
            came == NAMES.len() - 1
        })?;
        self.listen_for(TALK);
        stop.store(true, Ordering::Relaxed);
        thread.join().map_err(|_| "a media thread failed")?;
        screen.close();
        self.until("its end", |_, kind, _| {
            went += usize::from(matches!(kind, EventKind::TrackRemoved(t) if !t.local));
            went == NAMES.len() - 1
        })
    }
}

impl Person {
    /// Two senders and one listener.
    fn start_media(&mut self) -> Result<(), Failure> {
        let packets = media_files::read_ogg_opus(include_bytes!("../../tests/fixtures/media/audio.ogg"))?;
        let (microphone, counts, stopping) = (self.microphone.clone(), self.counts.clone(), self.stop.clone());
        self.threads.push(std::thread::spawn(move || {
            let mut due = Instant::now();
            for packet in packets.iter().cycle().take_while(|_| !stopping.load(Ordering::Relaxed)) {
                let taken = microphone.write(OutgoingFrame::audio(packet.clone())).is_ok();
                counts.audio_out.fetch_add(u64::from(taken), Ordering::Relaxed);
                due += Duration::from_millis(20);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }));
        let (camera, stop, key_frame) = (self.camera.clone(), self.stop.clone(), Arc::<AtomicBool>::default());
        self.key_frames.insert(camera.track(), key_frame.clone());
        self.threads.push(send_video(camera, stop, key_frame, self.counts.clone())?);
        let (reader, counts, stopping) = (self.reader.clone(), self.counts.clone(), self.stop.clone());
        self.threads.push(std::thread::spawn(move || listen(&reader, &counts, &stopping)));
        Ok(())
    }
}

fn send_video(
    track: Writer,
    stop: Arc<AtomicBool>,
    key_frame: Arc<AtomicBool>,
    counts: Arc<Counts>,
) -> Result<std::thread::JoinHandle<()>, Failure> {
    let clip = media_files::read_ivf(include_bytes!("../../tests/fixtures/media/video.ivf"))?;
    Ok(std::thread::spawn(move || {
        let (mut n, mut due) = (0, Instant::now());
        while !stop.load(Ordering::Relaxed) {
            if key_frame.swap(false, Ordering::Relaxed) {
                // A file cannot make a key frame: it jumps to the next one.
                n = (n..n + clip.frames.len()).find(|i| clip.frames[i % clip.frames.len()].key).unwrap_or(0);
            }
            let frame = &clip.frames[n % clip.frames.len()];
            // What nobody receives begins again, with a key frame.
            let taken = track.write(OutgoingFrame::video(frame.data.clone(), clip.frame_duration())).is_ok();
            counts.video_out.fetch_add(u64::from(taken), Ordering::Relaxed);
            n = if taken { n + 1 } else { 0 };
            due += clip.frame_duration();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }))
}

fn listen(reader: &Reader, counts: &Counts, stopping: &AtomicBool) {
    while !stopping.load(Ordering::Relaxed) {
        let Ok(frame) = reader.next(Some(Duration::from_millis(100))) else { continue };
        let count = match frame.codec {
            Codec::Opus => &counts.audio_in,
            _ if frame.source_name.ends_with("-v1") => &counts.screen_in,
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
    println!("\n{:<20}{:>12}{:>12}{:>12}", "ms after join", NAMES[0], NAMES[1], NAMES[2]);
    let at: Vec<HashMap<TimelineStage, f64>> = timelines
        .iter()
        .map(|t| {
            let start = t.iter().find(|s| s.0 == TimelineStage::Start).map_or(0, |s| s.1);
            t.iter().map(|s| (s.0, s.1.saturating_sub(start) as f64 / 1e3)).collect()
        })
        .collect();
    for (s, label) in STAGES {
        let cell = |n: usize| at[n].get(&s).map_or("–".to_owned(), |v| format!("{v:.1}"));
        println!("{label:<20}{:>12}{:>12}{:>12}", cell(0), cell(1), cell(2));
    }
    println!();
    for (p, name) in stage.people.iter().zip(NAMES) {
        let n = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let c = &p.counts;
        println!(
            "{name:<6} sent {} audio and {} video frames, received {}, {} and {} of a screen ({} kB)",
            n(&c.audio_out),
            n(&c.video_out),
            n(&c.audio_in),
            n(&c.video_in),
            n(&c.screen_in),
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
    let height = 635 + stage.log.len() * 18;
    let mut s = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1140 {height}' font-family='system-ui,sans-serif' font-size='12'>\
         <rect width='1140' height='{height}' fill='#fbfbf8'/>\
         <text x='32' y='40' font-size='22' font-weight='600' fill='#1d2733'>Three participants meet</text>\
         <text x='32' y='62' fill='#5b6672'>milliseconds after each one's join call, square-root scale</text>"
    );
    for ms in [10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0] {
        if ms < last {
            s += &format!(
                "<line x1='{0:.1}' x2='{0:.1}' y1='86' y2='575' stroke='#e4e4dc'/>\
                 <text x='{0:.1}' y='591' text-anchor='middle' fill='#8a939c'>{ms}</text>",
                x(ms)
            );
        }
    }
    for (lane, stages) in at.iter().enumerate() {
        let y = 150.0 + lane as f64 * 165.0;
        let color = ["#2563a8", "#b0492f", "#3d7a3a"][lane % 3];
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
        let color = ["#2563a8", "#b0492f", "#3d7a3a"][who % 3];
        let what = what.replace('&', "&amp;").replace('<', "&lt;");
        s += &format!(
            "<text x='100' y='{0}' text-anchor='end' fill='#8a939c'>{ms:.0} ms</text>\
             <text x='120' y='{0}' fill='{color}' font-weight='600'>{1}</text><text x='176' y='{0}' fill='#1d2733'>{what}</text>",
            625 + n * 18,
            NAMES[*who]
        );
    }
    s + "</svg>\n"
}
