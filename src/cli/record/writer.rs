//! One place of the recording: a participant's main file, or that of a further source; file 2 and so on follow when the codec changes.

use super::codec::Video;
use super::matroska::Matroska;
use super::names::Names;
use super::ogg_opus::{OggOpus, channels};
use super::output::{FileKey, Output, Summary};
use super::recorder::next_key;
use super::source::{FRAME_COST, Timed};
use crate::media::{Codec, MediaType, opus};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// Frames wait so long after they were made until they are written: by then those that were made before, on the other track, have come.
pub const ORDER: Duration = Duration::from_millis(1500);
/// Files of one place: each change of codec begins another, and who sends decides on that. Past it frames of another codec are passed
/// over.
pub const MAX_FILES: u32 = 64;
/// A file waits so long for a camera that is on, before it begins with audio alone.
const CAMERA: Duration = Duration::from_secs(4);

enum Container {
    Ogg(Box<OggOpus>),
    Matroska(Box<Matroska>),
}

struct Open {
    key: FileKey,
    container: Container,
    summary: Summary,
}

/// The place.
pub struct FileWriter {
    display_name: String,
    endpoint_id: String,
    further: Option<String>,
    /// Of the recording: on the clock of arrivals, and since the epoch.
    began_us: u64,
    began_unix_us: i64,
    /// A camera is on that has sent nothing yet.
    pub expects_camera: bool,
    audio: VecDeque<Timed>,
    video: VecDeque<Timed>,
    bytes: usize,
    open: Option<Open>,
    files: u32,
    passed_over: u64,
    /// Between the last two video frames.
    interval_us: u64,
    last_video_us: Option<u64>,
}

fn us(d: Duration) -> u64 {
    d.as_micros() as u64
}

impl FileWriter {
    /// A place without a file yet.
    pub fn new(
        display_name: String,
        endpoint_id: String,
        further: Option<String>,
        began_us: u64,
        began_unix_us: i64,
    ) -> FileWriter {
        FileWriter {
            display_name,
            endpoint_id,
            further,
            began_us,
            began_unix_us,
            expects_camera: false,
            audio: VecDeque::new(),
            video: VecDeque::new(),
            bytes: 0,
            open: None,
            files: 0,
            passed_over: 0,
            interval_us: 0,
            last_video_us: None,
        }
    }

    /// A frame with its time.
    pub fn add(&mut self, frame: Timed) {
        self.bytes += frame.data.len() + FRAME_COST;
        match frame.codec.media_type() {
            MediaType::Audio => self.audio.push_back(frame),
            MediaType::Video => self.video.push_back(frame),
        }
    }

    /// Bytes that wait, with [`FRAME_COST`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that belong into a file past [`MAX_FILES`], since this was asked last.
    pub fn take_passed_over(&mut self) -> u64 {
        std::mem::take(&mut self.passed_over)
    }

    fn waits_for_camera(&self) -> bool {
        self.open.is_none() && self.expects_camera && self.video.is_empty()
    }

    fn oldest(&self) -> Option<u64> {
        let times = [self.audio.front(), self.video.front()];
        times.into_iter().flatten().map(|f| f.at_us).min()
    }

    /// When [`FileWriter::write`] has something to do, on the clock of arrivals.
    pub fn next_deadline(&self) -> Option<u64> {
        let wait = if self.waits_for_camera() { ORDER + CAMERA } else { ORDER };
        Some(self.began_us + self.oldest()? + us(wait))
    }

    /// Writes what is old enough by now, on the clock of arrivals.
    pub fn write(
        &mut self,
        now_us: u64,
        names: &mut Names,
        next: &mut u64,
        out: &mut VecDeque<Output>,
    ) -> io::Result<()> {
        let due = |wait: Duration| now_us.checked_sub(self.began_us + us(wait));
        if self.waits_for_camera() && due(ORDER + CAMERA).is_none_or(|d| self.oldest().is_none_or(|o| o > d)) {
            return Ok(());
        }
        let Some(due) = due(ORDER) else { return Ok(()) };
        while let Some(at) = self.oldest().filter(|at| *at <= due) {
            let audio_first = self.audio.front().is_some_and(|a| a.at_us == at);
            let queue = if audio_first { &mut self.audio } else { &mut self.video };
            let Some(frame) = queue.pop_front() else { break };
            self.bytes -= frame.data.len() + FRAME_COST;
            if audio_first {
                self.audio_frame(&frame, names, next, out)?;
            } else {
                self.video_frame(&frame, names, next, out)?;
            }
        }
        if let Some(Open { key, container, summary }) = &mut self.open {
            if let Container::Matroska(m) = container {
                m.flush(due.saturating_sub(summary.start_us))?;
            }
            append(*key, container, out);
        }
        Ok(())
    }

    fn audio_frame(
        &mut self,
        f: &Timed,
        names: &mut Names,
        next: &mut u64,
        out: &mut VecDeque<Output>,
    ) -> io::Result<()> {
        if self.open.is_none() {
            // The picture that comes with it decides on the kind of the file.
            let video = self.video.iter().find_map(|v| v.key.then(|| Video::of(v.codec, v.size, &v.data))).flatten();
            self.begin(f.at_us, video, Some(channels(&f.data)), names, next, out)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let at = f.at_us.saturating_sub(open.summary.start_us);
        match &mut open.container {
            Container::Ogg(o) => o.write(at, &f.data),
            Container::Matroska(m) => {
                m.lasts_until(at + opus::duration(&f.data).map_or(0, us));
                m.audio(at, &f.data)
            }
        }
    }

    fn video_frame(
        &mut self,
        f: &Timed,
        names: &mut Names,
        next: &mut u64,
        out: &mut VecDeque<Output>,
    ) -> io::Result<()> {
        let fits = self.open.as_ref().is_some_and(|o| o.summary.codecs.contains(&f.codec));
        if !fits && self.files >= MAX_FILES {
            self.passed_over += 1;
            return Ok(());
        }
        if !fits {
            let Some(video) = f.key.then(|| Video::of(f.codec, f.size, &f.data)).flatten() else { return Ok(()) };
            self.end(out)?;
            let audio = self.further.is_none().then(|| self.audio.front().map_or(2, |a| channels(&a.data)));
            self.begin(f.at_us, Some(video), audio, names, next, out)?;
        }
        // A pause is no frame rate.
        if let Some(interval) = self.last_video_us.map(|l| f.at_us.saturating_sub(l)).filter(|i| *i < 500_000) {
            self.interval_us = interval;
        }
        self.last_video_us = Some(f.at_us);
        let Some(open) = &mut self.open else { return Ok(()) };
        let at = f.at_us.saturating_sub(open.summary.start_us);
        if let Container::Matroska(m) = &mut open.container {
            m.lasts_until(at + self.interval_us);
            m.video(at, f.key, &f.data)?;
        }
        Ok(())
    }

    fn begin(
        &mut self,
        start_us: u64,
        video: Option<Video>,
        audio: Option<u8>,
        names: &mut Names,
        next: &mut u64,
        out: &mut VecDeque<Output>,
    ) -> io::Result<()> {
        let extension = match &video {
            None => "ogg",
            Some(v) if v.is_webm() => "webm",
            Some(_) => "mkv",
        };
        let name = names.next(&self.display_name, &self.endpoint_id, self.further.as_deref(), extension);
        let key = next_key(next);
        let mut codecs: Vec<Codec> = audio.map(|_| Codec::Opus).into_iter().collect();
        codecs.extend(video.as_ref().map(|v| v.codec));
        let unix = self.began_unix_us.saturating_add(i64::try_from(start_us).unwrap_or(i64::MAX));
        let container = match video {
            None => {
                let ogg = OggOpus::new(key.0 as u32, audio.unwrap_or(1), &self.display_name)?;
                Container::Ogg(Box::new(ogg))
            }
            Some(v) => Container::Matroska(Box::new(Matroska::new(v, audio, &self.display_name, key.0 as u32, unix)?)),
        };
        let endpoint_id = self.endpoint_id.clone();
        out.push_back(Output::Open { file: key, name: name.clone() });
        let summary = Summary { name, endpoint_id, codecs, start_us, length_us: 0 };
        self.open = Some(Open { key, container, summary });
        self.files += 1;
        Ok(())
    }

    /// Ends the file, if there is one.
    pub fn end(&mut self, out: &mut VecDeque<Output>) -> io::Result<()> {
        let Some(Open { key, mut container, mut summary }) = self.open.take() else { return Ok(()) };
        let patches = match &mut container {
            Container::Ogg(o) => {
                o.finish()?;
                Vec::new()
            }
            Container::Matroska(m) => m.finish()?,
        };
        append(key, &mut container, out);
        out.extend(patches.into_iter().map(|(at, bytes)| Output::Patch { file: key, at, bytes }));
        summary.length_us = match &container {
            Container::Ogg(o) => o.length_us(),
            Container::Matroska(m) => m.length_us(),
        };
        out.push_back(Output::Close { file: key, summary });
        Ok(())
    }
}

fn append(file: FileKey, container: &mut Container, out: &mut VecDeque<Output>) {
    let bytes = match container {
        Container::Ogg(o) => o.take(),
        Container::Matroska(m) => m.take(),
    };
    if !bytes.is_empty() {
        out.push_back(Output::Append { file, bytes });
    }
}
