//! The recorder: which frame goes into which file.

use super::names::Names;
use super::output::{FileKey, Output};
use super::source::Source;
use super::writer::FileWriter;
use crate::media::{EncodedFrame, MediaType, VideoType};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Frames of all sources that wait for their times, bytes at most; past it those of whoever holds the most get them at once, by what is
/// known: nobody else's files pay for it.
pub const MAX_HELD_BYTES: usize = 64 << 20;
/// Sources that are recorded at once; frames of more are passed over and counted.
pub const MAX_SOURCES: usize = 1024;
/// Those of one participant, so that nobody takes up the places of all.
pub const MAX_OF_PARTICIPANT: usize = 16;
/// Far in the future: everything is due.
const END: u64 = u64::MAX / 4;

/// Where a source goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    endpoint_id: String,
    /// `None`: with the participant's audio and camera.
    further: Option<String>,
}

/// Which sources of a participant share the main file.
#[derive(Debug, Default)]
struct Mine {
    display_name: String,
    audio: Option<String>,
    camera: Option<String>,
    /// Sources that show a screen.
    screens: BTreeSet<String>,
    /// Cameras that are known and not muted: they may still begin.
    cameras_on: BTreeSet<String>,
}

/// A recording.
pub struct Recorder {
    began_us: u64,
    began_unix_us: i64,
    participants: BTreeMap<String, Mine>,
    /// By owner and name, and where each goes. A name alone may be another's later.
    sources: BTreeMap<(Arc<str>, Arc<str>), (Source, Place)>,
    files: BTreeMap<Place, FileWriter>,
    names: Names,
    next_file: u64,
    out: VecDeque<Output>,
    passed_over: u64,
}

impl Recorder {
    /// Begins now: µs of the clock of arrivals, and since the epoch.
    pub fn new(now_us: u64, unix_us: i64) -> Recorder {
        Recorder {
            began_us: now_us,
            began_unix_us: unix_us,
            participants: BTreeMap::new(),
            sources: BTreeMap::new(),
            files: BTreeMap::new(),
            names: Names::default(),
            next_file: 1,
            out: VecDeque::new(),
            passed_over: 0,
        }
    }

    /// What a participant is called; files that begin later are named so.
    pub fn participant(&mut self, endpoint_id: &str, display_name: &str) {
        self.participants.entry(endpoint_id.into()).or_default().display_name = display_name.into();
    }

    /// What is known of a video source: screens get files of their own, and the beginning waits a moment for a camera.
    pub fn track(&mut self, endpoint_id: &str, source: &str, media: MediaType, shows: VideoType, muted: bool) {
        if media == MediaType::Audio {
            return;
        }
        let p = self.participants.entry(endpoint_id.into()).or_default();
        if shows == VideoType::Desktop {
            p.screens.insert(source.into());
        } else if muted {
            p.cameras_on.remove(source);
        } else {
            p.cameras_on.insert(source.into());
        }
    }

    /// A source is gone.
    pub fn track_removed(&mut self, endpoint_id: &str, source: &str) {
        if let Some(p) = self.participants.get_mut(endpoint_id) {
            p.cameras_on.remove(source);
            p.screens.remove(source);
        }
    }

    /// Somebody left: their files end.
    pub fn participant_left(&mut self, endpoint_id: &str) -> io::Result<()> {
        self.place(Some(endpoint_id), END);
        let places: Vec<Place> = self.files.keys().filter(|p| p.endpoint_id == endpoint_id).cloned().collect();
        for place in places {
            if let Some(mut file) = self.files.remove(&place) {
                file.write(END, &mut self.names, &mut self.next_file, &mut self.out)?;
                file.end(&mut self.out)?;
                self.passed_over += file.take_passed_over();
            }
        }
        self.sources.retain(|_, s| s.1.endpoint_id != endpoint_id);
        self.participants.remove(endpoint_id);
        Ok(())
    }

    /// A frame that came.
    pub fn frame(&mut self, frame: EncodedFrame) {
        let key = (frame.endpoint_id.clone(), frame.source_name.clone());
        if !self.sources.contains_key(&key) {
            let of_participant = self.sources.keys().filter(|k| k.0 == key.0).count();
            if self.sources.len() >= MAX_SOURCES || of_participant >= MAX_OF_PARTICIPANT {
                self.passed_over += 1;
                return;
            }
            let place = self.assign(&frame);
            self.sources.insert(key.clone(), (Source::default(), place));
        }
        if let Some((source, _)) = self.sources.get_mut(&key) {
            source.frame(frame);
        }
    }

    /// The first audio and the first camera share a file.
    fn assign(&mut self, frame: &EncodedFrame) -> Place {
        let (endpoint_id, name) = (frame.endpoint_id.to_string(), frame.source_name.to_string());
        let p = self.participants.entry(endpoint_id.clone()).or_default();
        let main = match frame.media {
            MediaType::Audio => p.audio.is_none().then_some(&mut p.audio),
            MediaType::Video if p.screens.contains(&name) => None,
            MediaType::Video => p.camera.is_none().then_some(&mut p.camera),
        };
        let further = match main {
            Some(slot) => {
                *slot = Some(name);
                None
            }
            None => Some(name),
        };
        Place { endpoint_id, further }
    }

    /// Gives waiting frames their times and hands them to their files.
    fn place(&mut self, only: Option<&str>, now_us: u64) {
        for (source, place) in self.sources.values_mut().filter(|s| only.is_none_or(|o| o == s.1.endpoint_id)) {
            while let Some(timed) = source.next(self.began_us, now_us) {
                let (key, began, unix) = (place.clone(), self.began_us, self.began_unix_us);
                let name = self.participants.get(&place.endpoint_id).map_or("", |p| &p.display_name);
                let file = self.files.entry(key).or_insert_with(|| {
                    FileWriter::new(name.into(), place.endpoint_id.clone(), place.further.clone(), began, unix)
                });
                file.add(timed);
            }
        }
    }

    /// Time went on: µs of the clock of arrivals.
    ///
    /// # Errors
    /// The container refused what it got; nothing of the network can do that.
    pub fn handle_timeout(&mut self, now_us: u64) -> io::Result<()> {
        let hurried = self.over_the_limit();
        self.place(None, now_us);
        for id in &hurried {
            self.place(Some(id), END);
        }
        for (place, file) in &mut self.files {
            let now = if hurried.contains(&place.endpoint_id) { END } else { now_us };
            file.expects_camera = place.further.is_none()
                && self.participants.get(&place.endpoint_id).is_some_and(|p| !p.cameras_on.is_empty());
            file.write(now, &mut self.names, &mut self.next_file, &mut self.out)?;
            self.passed_over += file.take_passed_over();
        }
        Ok(())
    }

    /// Those who hold so much that it is too much in all; the greatest first, and no more of them than need be.
    fn over_the_limit(&self) -> BTreeSet<String> {
        let mut held = BTreeMap::<&str, usize>::new();
        let sources = self.sources.values().map(|(s, place)| (place, s.bytes()));
        for (place, bytes) in sources.chain(self.files.iter().map(|(place, f)| (place, f.bytes()))) {
            *held.entry(&place.endpoint_id).or_default() += bytes;
        }
        let mut all: usize = held.values().sum();
        let mut hurried = BTreeSet::new();
        while all > MAX_HELD_BYTES {
            let Some((id, bytes)) = held.iter().max_by_key(|h| h.1).map(|(id, bytes)| (*id, *bytes)) else { break };
            held.remove(id);
            hurried.insert(id.to_owned());
            all -= bytes;
        }
        hurried
    }

    /// When to call [`Recorder::handle_timeout`] although nothing comes.
    pub fn next_deadline(&self) -> Option<u64> {
        let sources = self.sources.values().filter_map(|s| s.0.next_deadline());
        sources.chain(self.files.values().filter_map(FileWriter::next_deadline)).min()
    }

    /// The end: everything that waits is written, every file ends.
    pub fn finish(&mut self) -> io::Result<()> {
        let everybody: BTreeSet<String> = self.files.keys().map(|p| p.endpoint_id.clone()).collect();
        let everybody: BTreeSet<String> =
            everybody.into_iter().chain(self.sources.values().map(|s| s.1.endpoint_id.clone())).collect();
        everybody.iter().try_for_each(|id| self.participant_left(id))
    }

    /// What is to be done with files.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Frames of sources over [`MAX_SOURCES`] and [`MAX_OF_PARTICIPANT`], and of files over [`MAX_FILES`](super::MAX_FILES).
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// How long frames wait before they are written.
    pub fn latency() -> Duration {
        super::writer::ORDER
    }
}

/// The key that the next file gets.
pub(super) fn next_key(next: &mut u64) -> FileKey {
    *next += 1;
    FileKey(*next - 1)
}
