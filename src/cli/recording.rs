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
/// Files that are open at once. The files of a recording are more where many take part; those that were written to longest ago are closed
/// and opened again when there is more for them.
const MAX_OPEN: usize = 128;
/// How long to wait for an event before looking at frames again.
const TICK: Duration = Duration::from_millis(10);

/// The files of a recording that have not ended, no more than [`MAX_OPEN`] of them open.
struct Files {
    folder: PathBuf,
    names: BTreeMap<FileKey, String>,
    /// With the number of their last use.
    open: BTreeMap<FileKey, (File, u64)>,
    uses: u64,
}

impl Files {
    fn new(folder: PathBuf) -> Files {
        Files { folder, names: BTreeMap::new(), open: BTreeMap::new(), uses: 0 }
    }

    fn keep(&mut self, key: FileKey, file: File) {
        if self.open.len() >= MAX_OPEN
            && let Some(oldest) = self.open.iter().min_by_key(|(_, f)| f.1).map(|(key, _)| *key)
        {
            self.open.remove(&oldest);
        }
        self.uses += 1;
        self.open.insert(key, (file, self.uses));
    }

    /// A new file; the name that it got.
    fn create(&mut self, key: FileKey, name: &str) -> io::Result<&str> {
        let (file, name) = create(&self.folder, name)?;
        self.keep(key, file);
        Ok(self.names.entry(key).or_insert(name))
    }

    /// Writes at the end of a file, or over bytes of it; nothing where it could not be made.
    fn write(&mut self, key: FileKey, at: SeekFrom, bytes: &[u8]) -> io::Result<()> {
        let Some(name) = self.names.get(&key) else { return Ok(()) };
        if !self.open.contains_key(&key) {
            let file = OpenOptions::new().write(true).open(self.folder.join(name))?;
            self.keep(key, file);
        }
        self.uses += 1;
        let Some((file, used)) = self.open.get_mut(&key) else { return Ok(()) };
        *used = self.uses;
        file.seek(at)?;
        file.write_all(bytes)
    }

    /// A file has ended: its name. The system writes it out in its time: this thread has to read on.
    fn close(&mut self, key: FileKey) -> Option<String> {
        self.open.remove(&key);
        self.names.remove(&key)
    }
}

struct Recording<'a> {
    report: &'a Report,
    files: Files,
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
            self.report.say(format!("jmeet: {}: {e}", self.files.folder.display()));
            self.report
                .line(&json!({"event": "failed", "stage": "local", "exit": 1, "error": {"text": e.to_string()}}));
            self.failed = Some(e);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(output) = self.recorder.poll_output() {
            match output {
                Output::Open { file, name } => match self.files.create(file, &name) {
                    Ok(name) => {
                        self.report.say(format!("recording {name}"));
                        self.report.line(&json!({"event": "file-opened", "file": name}));
                    }
                    // Names come from the network, and so does the number of files: it costs this one, not the recording.
                    Err(e) => {
                        self.report.say(format!("jmeet: {name} is not recorded: {e}"));
                        self.report
                            .line(&json!({"event": "file-failed", "file": name, "error": {"text": e.to_string()}}));
                        self.unopened = Some(e);
                    }
                },
                Output::Append { file, bytes } => self.files.write(file, SeekFrom::End(0), &bytes)?,
                Output::Patch { file, at, bytes } => self.files.write(file, SeekFrom::Start(at), &bytes)?,
                Output::Close { file, summary } => {
                    if let Some(name) = self.files.close(file) {
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
        files: Files::new(folder),
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
    fn more_files_than_may_be_open_are_all_written_whole() {
        let folder = std::env::temp_dir().join(format!("jmeet-open-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut files = Files::new(folder.clone());
        let keys: Vec<FileKey> = (0..MAX_OPEN as u64 + 2).map(FileKey).collect();
        for k in &keys {
            assert_eq!(files.create(*k, &format!("{}.ogg", k.0)).unwrap(), format!("{}.ogg", k.0));
        }
        for part in ["one ", "two ", "three"] {
            for k in &keys {
                files.write(*k, SeekFrom::End(0), part.as_bytes()).unwrap();
                assert!(files.open.len() <= MAX_OPEN);
            }
        }
        files.write(keys[0], SeekFrom::Start(4), b"TWO").unwrap();
        files.write(FileKey(9), SeekFrom::End(0), b"of none").unwrap();
        let read = |n: u64| fs::read_to_string(folder.join(format!("{n}.ogg"))).unwrap();
        assert_eq!((read(0), read(4)), ("one TWO three".into(), "one two three".into()));
        assert_eq!(keys.iter().filter_map(|k| files.close(*k)).count(), MAX_OPEN + 2);
        assert!(files.open.is_empty() && files.close(keys[0]).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }

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
