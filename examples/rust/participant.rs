//! A participant on the command line, for people and for tests: joins, sends a clip and a tone, prints one JSON line per event, obeys lines on
//! standard input.
//!
//! `cargo run --example participant --features testkit -- URL ROOM [--domain D] [--muc D] [--focus J] [--name N] [--nickname 8HEX] [--loopback]
//! [--ca FILE] [--user NAME PASSWORD] [--room-password P] [--no-media] [--no-p2p]`
//!
//! Commands: `say TEXT`, `mute audio|video`, `unmute audio|video`, `share` and `unshare` (a screen as a second video), `camera off` and
//! `camera on` (its track is removed, and added anew), `stats`, `dump FILE [SOURCE]` (the VP8 or AV1 frames received from now on, of one source
//! or of the only one, as IVF), `leave`. The end of input leaves too.

use jmeet::client::{Client, Conference, Queue, Reader, Runtime, Writer};
use jmeet::media::peer::StreamStats;
use jmeet::media::{Codec, MediaType, OutgoingFrame, VideoType};
use jmeet::meeting::event::{EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, ReaderOptions, TrackOptions};
use jmeet::testkit::media_files;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Seek, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

#[derive(Default)]
struct Received {
    /// By source name: frames, bytes, key frames, packets lost.
    sources: BTreeMap<String, [u64; 4]>,
    /// File, frames so far, and the source; empty: any.
    dump: Option<(std::fs::File, u32, String)>,
}

/// Wakes those who send video: a key frame that somebody waits for does not wait for the clip's clock.
#[derive(Default)]
struct KeyFrames {
    asked: Mutex<u64>,
    changed: Condvar,
}

impl KeyFrames {
    fn ask(&self) {
        if let Ok(mut asked) = self.asked.lock() {
            *asked += 1;
            self.changed.notify_all();
        }
    }

    /// Until this time, or until one is asked for since it was asked `seen` times, which it tells.
    fn wait(&self, due: Instant, seen: &mut u64) -> bool {
        let Ok(asked) = self.asked.lock() else { return false };
        let left = due.saturating_duration_since(Instant::now());
        let Ok((asked, _)) = self.changed.wait_timeout_while(asked, left, |n| *n == *seen) else { return false };
        std::mem::replace(seen, *asked) != *asked
    }
}

fn print(v: &Value) {
    println!("{v}");
}

fn options() -> Result<(ClientOptions, bool), Failure> {
    let mut words = std::env::args().skip(1);
    let mut o = ClientOptions {
        url: words.next().ok_or("URL is missing")?,
        room: words.next().ok_or("ROOM is missing")?,
        ..Default::default()
    };
    let mut media = true;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--domain" => o.domain = value()?,
            "--muc" => o.muc = value()?,
            "--focus" => o.focus = value()?,
            "--name" => o.display_name = value()?,
            "--nickname" => o.nickname = value()?,
            "--loopback" => o.allow_loopback = true,
            "--ca" => o.extra_ca_pem = std::fs::read(value()?)?,
            "--user" => (o.username, o.password) = (value()?, value()?),
            "--room-password" => o.room_password = value()?,
            "--timeout" => o.join_timeout = Duration::from_millis(value()?.parse()?),
            "--no-media" => media = false,
            "--no-p2p" => o.disable_p2p = true,
            _ => return Err(format!("unknown option {word}").into()),
        }
    }
    Ok((o, media))
}

fn main() -> Result<(), Failure> {
    let (options, media) = options()?;
    let runtime = Runtime::new(1)?;
    let queue = Queue::new()?;
    let client = Client::new(Some(&runtime), &queue, options)?;
    let room = client.conference();
    let received = Arc::new(Mutex::new(Received::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let key_frames = Arc::new(KeyFrames::default());
    let mut writers = None;
    if media {
        let audio = room.send_track(TrackOptions::new(Codec::Opus), 0)?;
        let camera = show(&room, VideoType::Camera, &key_frames)?;
        send_audio(&audio, &stop)?;
        let (reader, counts, stopping) = (room.reader(None, ReaderOptions::default())?, received.clone(), stop.clone());
        std::thread::spawn(move || listen(&reader, &counts, &stopping));
        writers = Some((audio, camera));
    }
    client.join(1)?;
    let input = client.clone();
    let (at_input, commands) = (received, room);
    let wanted = key_frames.clone();
    std::thread::spawn(move || obey(&commands, writers, &at_input, &input, &wanted));
    while let Ok(e) = queue.next(None) {
        // A stream begins with a key frame, once somebody receives.
        if matches!(e.event.kind, EventKind::KeyFrameWanted { .. } | EventKind::Media(_, MediaState::Connected { .. }))
        {
            key_frames.ask();
        }
        if let Some(v) = describe(&e.event.kind, e.event.tag) {
            print(&v);
        }
        if matches!(e.event.kind, EventKind::Closed(_)) {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    Ok(())
}

/// A video of ours, and what ends its sending.
type Shown = (Writer, Arc<AtomicBool>);

fn obey(
    room: &Conference,
    mut writers: Option<(Writer, Shown)>,
    received: &Mutex<Received>,
    client: &Client,
    key_frames: &Arc<KeyFrames>,
) {
    let mut screen: Option<Shown> = None;
    let hide = |(writer, stop): &Shown| {
        stop.store(true, Ordering::Relaxed);
        writer.close();
    };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let result = match (word, &mut writers) {
            ("say", _) => room.send_message(rest, 2),
            ("mute" | "unmute", Some((audio, (video, _)))) => {
                let track = if rest == "audio" { audio } else { video };
                track.set_muted(word == "mute", 3)
            }
            ("share", _) => show(room, VideoType::Desktop, &Arc::default()).map(|s| screen = Some(s)),
            ("unshare", _) => {
                screen.take().iter().for_each(hide);
                Ok(())
            }
            ("camera", Some((_, camera))) if rest == "on" => {
                hide(camera);
                show(room, VideoType::Camera, key_frames).map(|s| *camera = s)
            }
            ("camera", Some((_, camera))) => {
                hide(camera);
                Ok(())
            }
            ("stats", _) => {
                let session = room.media_stats(Duration::from_secs(1)).map(|s| {
                    let path = s.path.map(|p| [p.local.to_string(), p.remote.to_string()]);
                    let kinds = s.path.map(|p| [p.local_kind.as_str(), p.remote_kind.as_str()]);
                    json!({"rtp_in": s.rtp_in, "rtp_out": s.rtp_out, "rtx_out": s.rtx_out, "recovered": s.recovered,
                        "unrecovered": s.unrecovered, "nacks_out": s.nacks_out, "path": path, "kinds": kinds})
                });
                let streams = room.stats(Some(Duration::from_secs(10))).map(|all| {
                    let now = all.tracks.into_iter().filter(|t| Some(t.path) == all.active);
                    let counts = |s: StreamStats| json!({"packets": s.packets, "lost": s.lost, "repaired": s.repaired});
                    now.map(|t| (t.source_name.to_string(), counts(t.stream))).collect::<BTreeMap<_, _>>()
                });
                if let Ok(r) = received.lock() {
                    let streams = streams.ok();
                    print(&json!({"event": "stats", "sources": r.sources, "session": session, "streams": streams}));
                }
                Ok(())
            }
            ("dump", _) => {
                let (file, source) = rest.split_once(' ').unwrap_or((rest, ""));
                if let (Ok(mut r), Ok(file)) = (received.lock(), std::fs::File::create(file)) {
                    r.dump = Some((file, 0, source.to_owned()));
                }
                // Senders make key frames when asked, and seldom else.
                let mut remote = room.tracks().into_iter().filter(|t| !t.local && t.media == MediaType::Video);
                remote.try_for_each(|t| room.request_key_frame(t.key))
            }
            ("leave", _) => break,
            _ => {
                print(&json!({"event": "error", "text": format!("unknown command {word}")}));
                Ok(())
            }
        };
        if let Err(e) = result {
            print(&json!({"event": "error", "code": e.code.name(), "text": e.text}));
        }
    }
    if client.close(Duration::from_secs(8)).is_err() {
        print(&json!({"event": "error", "text": "closing takes long"}));
    }
}

fn describe(kind: &EventKind, tag: u64) -> Option<Value> {
    let error = |e: &Option<Box<jmeet::Error>>| match e {
        None => Value::Null,
        Some(e) => {
            json!({"code": e.code.name(), "stage": format!("{:?}", e.stage), "condition": e.condition, "text": e.text})
        }
    };
    Some(match kind {
        EventKind::RequestDone(e) => json!({"event": "done", "tag": tag, "error": error(e)}),
        EventKind::State(s) => json!({"event": "state", "state": format!("{s:?}")}),
        EventKind::Joined(j) => json!({"event": "joined", "id": j.endpoint_id, "role": format!("{:?}", j.role)}),
        EventKind::ParticipantJoined(p) => {
            json!({"event": "participant-joined", "id": p.endpoint_id, "name": p.display_name})
        }
        EventKind::ParticipantUpdated(p, _) => {
            json!({"event": "participant", "id": p.endpoint_id, "name": p.display_name, "role": format!("{:?}", p.role)})
        }
        EventKind::ParticipantLeft(l) => json!({"event": "participant-left", "id": l.participant.endpoint_id}),
        EventKind::Role(r) => json!({"event": "role", "role": format!("{r:?}")}),
        EventKind::Message(m) => {
            json!({"event": "message", "from": m.endpoint_id, "text": m.text, "delayed": m.delayed})
        }
        EventKind::TrackAdded(t) => {
            let desktop = t.video_type == VideoType::Desktop;
            json!({"event": "track-added", "source": t.source_name, "muted": t.muted, "local": t.local, "desktop": desktop})
        }
        EventKind::TrackUpdated(t) => {
            let desktop = t.video_type == VideoType::Desktop;
            json!({"event": "track", "source": t.source_name, "muted": t.muted, "desktop": desktop})
        }
        EventKind::TrackRemoved(t) => json!({"event": "track-removed", "source": t.source_name}),
        EventKind::Focus(present) => json!({"event": "focus", "present": present}),
        EventKind::Media(path, MediaState::Connecting { endpoint_id }) => {
            json!({"event": path_name(*path), "state": "connecting", "id": endpoint_id})
        }
        EventKind::Media(path, MediaState::Connected { endpoint_id }) => {
            json!({"event": path_name(*path), "state": "connected", "id": endpoint_id})
        }
        EventKind::Media(path, MediaState::Ended(end)) => {
            json!({"event": path_name(*path), "state": "ended", "id": end.endpoint_id, "reason": end.reason, "text": end.text, "by_peer": end.by_peer})
        }
        EventKind::BridgeChannel(c) => json!({"event": "channel", "state": format!("{c:?}")}),
        EventKind::BridgeOffered => json!({"event": "bridge-offered"}),
        EventKind::KeyFrameWanted { track, .. } => json!({"event": "key-frame-wanted", "track": track.0}),
        EventKind::Timeline(stage, at) => json!({"event": "timeline", "stage": format!("{stage:?}"), "us": at}),
        EventKind::Closed(e) => json!({"event": "closed", "error": error(e)}),
        _ => return None,
    })
}

fn send_audio(audio: &Writer, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let packets = media_files::read_ogg_opus(include_bytes!("../../tests/fixtures/media/audio.ogg"))?;
    let (audio, stopping) = (audio.clone(), stop.clone());
    std::thread::spawn(move || {
        let mut due = Instant::now();
        for packet in packets.iter().cycle().take_while(|_| !stopping.load(Ordering::Relaxed)) {
            // Not ready and muted drop the frame, which is what is wanted.
            let _ = audio.write(OutgoingFrame::audio(packet.clone()));
            due += Duration::from_millis(20);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    Ok(())
}

fn send_video(video: &Writer, clip: media_files::Clip, stop: &Arc<AtomicBool>, key_frames: &Arc<KeyFrames>) {
    let (video, stopping, key_frames) = (video.clone(), stop.clone(), key_frames.clone());
    std::thread::spawn(move || {
        let (mut n, mut seen, mut due, each) = (0, 0, Instant::now(), clip.frame_duration());
        while !stopping.load(Ordering::Relaxed) {
            if key_frames.wait(due, &mut seen) {
                n = (n..n + clip.frames.len()).find(|i| clip.frames[i % clip.frames.len()].key).unwrap_or(0);
                due = Instant::now();
            }
            let frame = OutgoingFrame::video(clip.frames[n % clip.frames.len()].data.clone(), each);
            // As above; what was not taken leaves the stream to begin again with a key frame.
            n = if video.write(frame).is_ok() { n + 1 } else { 0 };
            due += each;
        }
    });
}

/// One more video, sent until it is told to stop.
fn show(room: &Conference, video_type: VideoType, key_frames: &Arc<KeyFrames>) -> Result<Shown, jmeet::Error> {
    let clip = media_files::read_ivf(include_bytes!("../../tests/fixtures/media/video.ivf"));
    let clip = clip.map_err(|e| jmeet::Error::new(jmeet::Code::InvalidArgument, jmeet::Stage::None, e.to_string()))?;
    let writer = room.send_track(TrackOptions { video_type, ..TrackOptions::new(Codec::Vp8) }, 0)?;
    let stop = Arc::new(AtomicBool::new(false));
    send_video(&writer, clip, &stop, key_frames);
    Ok((writer, stop))
}

fn path_name(path: MediaPath) -> &'static str {
    match path {
        MediaPath::PeerToPeer => "p2p",
        MediaPath::Bridge => "bridge",
    }
}

fn listen(reader: &Reader, received: &Mutex<Received>, stopping: &AtomicBool) {
    while !stopping.load(Ordering::Relaxed) {
        let Ok(f) = reader.next(Some(Duration::from_millis(200))) else { continue };
        let Ok(mut r) = received.lock() else { return };
        let c = r.sources.entry(f.source_name.to_string()).or_default();
        *c = [c[0] + 1, c[1] + f.data.len() as u64, c[2] + u64::from(f.key), c[3] + u64::from(f.gap)];
        let wanted = |d: &&mut (std::fs::File, u32, String)| {
            matches!(f.codec, Codec::Vp8 | Codec::Av1)
                && (f.key || d.1 > 0)
                && (d.2.is_empty() || d.2 == *f.source_name)
        };
        if let Some((file, n, _)) = r.dump.as_mut().filter(wanted) {
            let (w, h) = f.size.unwrap_or((320, 180));
            // A disk that is full makes a short file, which the reader of it sees.
            let _ = write_ivf(file, *n, if f.codec == Codec::Av1 { b"AV01" } else { b"VP80" }, (w, h), &f.data);
            *n += 1;
        }
    }
}

fn write_ivf(file: &mut std::fs::File, n: u32, codec: &[u8; 4], size: (u16, u16), data: &[u8]) -> std::io::Result<()> {
    if n == 0 {
        let mut head = b"DKIF\0\0\x20\0".to_vec();
        head.extend(codec);
        head.extend([size.0.to_le_bytes(), size.1.to_le_bytes()].concat());
        head.extend([15u32, 1, 0, 0].map(u32::to_le_bytes).concat());
        file.write_all(&head)?;
    }
    file.write_all(&[(data.len() as u32).to_le_bytes().as_slice(), &u64::from(n).to_le_bytes(), data].concat())?;
    file.seek(std::io::SeekFrom::Start(24))?;
    file.write_all(&(n + 1).to_le_bytes())?;
    file.seek(std::io::SeekFrom::End(0)).map(drop)
}
