//! `jmeet send`: files as tracks.

use super::args::Args;
use super::exit::Exit;
use super::media_file::{MAX_FILE_BYTES, MediaFile, TOO_LARGE};
use super::player::{self, Shared};
use super::report::Report;
use super::session::{Job, Session};
use crate::client::Writer;
use crate::error::Error;
use crate::media::{Codec, VideoType};
use crate::meeting::TrackOptions;
use crate::meeting::event::{EventKind, TrackKey};
use bytes::Bytes;
use serde_json::json;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// What was written last is on its way after this.
const DRAIN: Duration = Duration::from_millis(500);

struct Track {
    key: TrackKey,
    codec: Codec,
    shared: Arc<Shared>,
    name: String,
    player: JoinHandle<(Result<(), Error>, Writer)>,
}

struct Send<'a> {
    report: &'a Report,
    /// Name, content, whether it shows a screen.
    files: Vec<(String, MediaFile, bool)>,
    again: bool,
    tracks: Vec<Track>,
    over: bool,
}

impl Job for Send<'_> {
    fn prepare(&mut self, session: &mut Session) -> Result<(), Error> {
        for (name, file, screen) in self.files.drain(..) {
            let mut options = TrackOptions::new(file.codec);
            if screen {
                options.video_type = VideoType::Desktop;
            }
            options.height = file.size.map_or(0, |s| u32::from(s.1));
            let writer = session.room.send_track(options, 0)?;
            let (key, codec, shared, again) = (writer.track(), file.codec, Arc::new(Shared::default()), self.again);
            let sharing = shared.clone();
            let player = std::thread::spawn(move || {
                let ended = player::play(&file, &writer, again, &sharing);
                sharing.done.store(true, Ordering::Release);
                // The track stays until we leave: its last packets may be on their way.
                (ended, writer)
            });
            self.tracks.push(Track { key, codec, shared, name, player });
        }
        Ok(())
    }

    fn each(&mut self, session: &mut Session, event: Option<&EventKind>) {
        match event {
            Some(EventKind::KeyFrameWanted { track, .. }) => {
                for t in self.tracks.iter().filter(|t| t.key == *track) {
                    t.shared.key_wanted.store(true, Ordering::Relaxed);
                }
            }
            Some(EventKind::CodecWanted { track, codec }) => {
                for t in self.tracks.iter().filter(|t| t.key == *track && t.codec != *codec) {
                    self.report.say(format!("{}: the room would rather have {codec:?}", t.name));
                }
            }
            _ => {}
        }
        for t in &mut self.tracks {
            if t.shared.refused.swap(false, Ordering::Relaxed) {
                self.report.say(format!("{}: nobody here takes {:?}", t.name, t.codec));
                self.report.line(&json!({"event": "refused", "file": t.name, "codec": t.codec.presence_name()}));
            }
        }
        if !self.over && self.tracks.iter().all(|t| t.shared.done.load(Ordering::Acquire)) {
            self.over = true;
            self.report.say("all is sent");
            self.report.line(&json!({"event": "sent"}));
            session.leave_soon(DRAIN);
        }
    }
}

impl Send<'_> {
    /// Ends the players; the first that failed says why.
    fn end(self) -> Result<(), (String, Error)> {
        for t in &self.tracks {
            t.shared.stop.store(true, Ordering::Relaxed);
        }
        let mut result = Ok(());
        for t in self.tracks {
            if let Ok((Err(e), _)) = t.player.join() {
                result = result.and(Err((t.name, e)));
            }
        }
        result
    }
}

/// Sends the files until all have ended, or for ever with `again`.
pub fn run(args: &Args, report: &Report, files: &[(PathBuf, bool)], again: bool, fps: f64) -> Exit {
    let mut send = Send { report, files: Vec::new(), again, tracks: Vec::new(), over: false };
    for (path, screen) in files {
        // Nothing of one that is too large is read; what does not know its size, as a pipe, is read to one byte over the limit.
        let read = |f: File| {
            let mut bytes = Vec::new();
            if f.metadata()?.len() > MAX_FILE_BYTES as u64 {
                return Err(io::Error::other(TOO_LARGE));
            }
            f.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        };
        let file = File::open(path).and_then(read).map_err(|e| e.to_string());
        match file.and_then(|f| MediaFile::read(&Bytes::from(f), fps)) {
            Ok(m) => {
                let name = path.display().to_string();
                report.say(format!("{name}: {:?}, {:.1} s", m.codec, m.length().as_secs_f64()));
                send.files.push((name, m, *screen));
            }
            Err(e) => {
                report.say(format!("jmeet: {}: {e}", path.display()));
                return Exit::Local;
            }
        }
    }
    let exit = Session::run(args, report, &mut send);
    match send.end() {
        Err((name, e)) if exit == Exit::Ok => {
            report.say(format!("jmeet: {name}: {e}"));
            Exit::Local
        }
        _ => exit,
    }
}
