//! `jmeet record`: the recorder with real files and the real clock.

use super::args::Args;
use super::exit::Exit;
use super::record::{FileKey, Output, Recorder, Summary};
use super::report::{Report, safe};
use super::session::{Job, Session};
use crate::client::{Reader, now_us};
use crate::error::Error;
use crate::media::{Codec, MediaType};
use crate::meeting::ReaderOptions;
use crate::meeting::event::{EventKind, Track};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Frames that wait while a disk is slow: 50 packets a second of 40 participants for two seconds.
const QUEUE: u32 = 4096;
/// What is recorded is not decoded here: nobody needs to change codecs because of us.
const CODECS: [Codec; 4] = [Codec::Av1, Codec::Vp9, Codec::Vp8, Codec::H264];
/// Numbers that are tried for a file whose name an earlier recording has.
const MAX_TAKEN: u32 = 100;
/// How long to wait for an event before looking at frames again.
const TICK: Duration = Duration::from_millis(10);

struct Recording<'a> {
    report: &'a Report,
    folder: PathBuf,
    /// With their names.
    files: BTreeMap<FileKey, (File, String)>,
    recorder: Recorder,
    reader: Option<Reader>,
    options: ReaderOptions,
    failed: Option<io::Error>,
    written: usize,
    /// Why the last file that could not be made was not.
    unopened: Option<io::Error>,
}

impl Job for Recording<'_> {
    fn prepare(&mut self, session: &mut Session) -> Result<(), Error> {
        self.reader = Some(session.room.reader(None, self.options.clone())?);
        Ok(())
    }

    fn each(&mut self, session: &mut Session, event: Option<&EventKind>) {
        let mut result = Ok(());
        match event {
            Some(EventKind::ParticipantJoined(p) | EventKind::ParticipantUpdated(p, _)) => {
                self.recorder.participant(&p.endpoint_id, &p.display_name);
            }
            Some(EventKind::TrackAdded(t) | EventKind::TrackUpdated(t)) => self.track(t),
            Some(EventKind::TrackRemoved(t)) => self.recorder.track_removed(&t.endpoint_id, &t.source_name),
            Some(EventKind::ParticipantLeft(l)) => {
                self.frames();
                result = self.recorder.participant_left(&l.participant.endpoint_id);
            }
            _ => {}
        }
        self.frames();
        let result = result.and_then(|()| self.recorder.handle_timeout(now_us())).and_then(|()| self.write());
        if let Err(e) = result {
            self.fail(e);
        }
        if self.failed.is_some() {
            session.leave();
        }
    }

    fn tick(&self) -> Duration {
        TICK
    }
}

impl Recording<'_> {
    fn track(&mut self, t: &Track) {
        if !t.local {
            self.recorder.track(&t.endpoint_id, &t.source_name, t.media, t.video_type, t.muted);
        }
    }

    fn frames(&mut self) {
        while let Some(Ok(frame)) = self.reader.as_ref().map(|r| r.next(Some(Duration::ZERO))) {
            self.recorder.frame(frame);
        }
    }

    fn fail(&mut self, e: io::Error) {
        if self.failed.is_none() {
            self.report.say(format!("jmeet: {}: {e}", self.folder.display()));
            self.report
                .line(&json!({"event": "failed", "stage": "local", "exit": 1, "error": {"text": e.to_string()}}));
            self.failed = Some(e);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(output) = self.recorder.poll_output() {
            match output {
                Output::Open { file, name } => match create(&self.folder, &name) {
                    Ok((opened, name)) => {
                        self.report.say(format!("recording {name}"));
                        self.report.line(&json!({"event": "file-opened", "file": name}));
                        self.files.insert(file, (opened, name));
                    }
                    // Names come from the network, and so does the number of files: it costs this one, not the recording.
                    Err(e) => {
                        self.report.say(format!("jmeet: {name} is not recorded: {e}"));
                        self.report
                            .line(&json!({"event": "file-failed", "file": name, "error": {"text": e.to_string()}}));
                        self.unopened = Some(e);
                    }
                },
                Output::Append { file, bytes } => {
                    if let Some((f, _)) = self.files.get_mut(&file) {
                        f.write_all(&bytes)?;
                    }
                }
                Output::Patch { file, at, bytes } => {
                    if let Some((f, _)) = self.files.get_mut(&file) {
                        f.seek(SeekFrom::Start(at))?;
                        f.write_all(&bytes)?;
                        f.seek(SeekFrom::End(0))?;
                    }
                }
                Output::Close { file, summary } => {
                    if let Some((f, name)) = self.files.remove(&file) {
                        // The system writes it out in its time: this thread has to read on.
                        drop(f);
                        self.written += 1;
                        self.closed(&Summary { name, ..summary });
                    }
                }
            }
        }
        Ok(())
    }

    fn closed(&self, s: &Summary) {
        let codecs: Vec<String> = s.codecs.iter().map(|c| c.presence_name().into()).collect();
        let seconds = |us: u64| us as f64 / 1e6;
        self.report.say(format!("{}: {:.1} s of {}", s.name, seconds(s.length_us), codecs.join(" and ")));
        self.report.line(&json!({"event": "file", "file": s.name, "id": s.endpoint_id, "codecs": codecs,
            "start": seconds(s.start_us), "length": seconds(s.length_us)}));
    }

    fn finish(mut self) -> Option<Exit> {
        self.frames();
        if let Err(e) = self.recorder.finish().and_then(|()| self.write()) {
            self.fail(e);
        }
        let dropped = self.reader.as_ref().map_or(0, |r| r.stats().dropped) + self.recorder.passed_over();
        if dropped > 0 {
            self.report.say(format!("{dropped} frames were lost here: the disk or the machine is too slow"));
            self.report.line(&json!({"event": "dropped", "frames": dropped}));
        }
        if self.written == 0 && self.failed.is_none() && self.unopened.is_none() {
            self.report.say("nobody sent anything");
        }
        // A folder in which no file can be made is a failure.
        let none = self.unopened.filter(|_| self.written == 0);
        self.failed.or(none).map(|_| Exit::Local)
    }
}

/// A new file, under the next number where an earlier recording has the name.
fn create(folder: &Path, name: &str) -> io::Result<(File, String)> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut name = name.to_owned();
    for n in 1..=MAX_TAKEN {
        match OpenOptions::new().write(true).create_new(true).open(folder.join(&name)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => name = format!("{stem}.{n}.{extension}"),
            opened => return opened.map(|f| (f, name)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Records until it is told to end, or the meeting does.
pub fn run(mut args: Args, report: &Report, folder: Option<PathBuf>, audio_only: bool, height: u32) -> Exit {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let folder = folder.unwrap_or_else(|| format!("{}-{}", safe(&args.options.room), unix.as_secs()).into());
    if let Err(e) = fs::create_dir_all(&folder) {
        report.say(format!("jmeet: {}: {e}", folder.display()));
        return Exit::Local;
    }
    let media = audio_only.then_some(MediaType::Audio);
    let options = ReaderOptions { media, queue_frames: QUEUE, height, ..ReaderOptions::default() };
    let mut recording = Recording {
        report,
        folder,
        files: BTreeMap::new(),
        recorder: Recorder::new(now_us(), i64::try_from(unix.as_micros()).unwrap_or(i64::MAX)),
        reader: None,
        options,
        failed: None,
        written: 0,
        unopened: None,
    };
    args.options.video_codecs = CODECS.to_vec();
    let exit = Session::run(&args, report, &mut recording);
    match recording.finish() {
        Some(failed) if exit == Exit::Ok => failed,
        _ => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_earlier_recording_stay_and_the_numbers_end() {
        let folder = std::env::temp_dir().join(format!("jmeet-recording-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(create(&folder, "Ann-1.webm").unwrap().1, "Ann-1.webm");
        for n in 1..MAX_TAKEN {
            assert_eq!(create(&folder, "Ann-1.webm").unwrap().1, format!("Ann-1.{n}.webm"));
        }
        assert_eq!(create(&folder, "Ann-1.webm").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(create(&folder, "Bob-2.webm").unwrap().1, "Bob-2.webm");
        fs::remove_dir_all(&folder).unwrap();
    }
}
