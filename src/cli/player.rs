//! Plays one file into a track, each frame when it is due.

use super::media_file::MediaFile;
use crate::client::Writer;
use crate::error::{Code, Error};
use crate::media::{MediaType, OutgoingFrame};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked whether somebody receives, and whether the network has caught up.
const POLL: Duration = Duration::from_millis(5);
/// Further behind than this, a machine slept: what is late is not hurried through.
const BEHIND: Duration = Duration::from_secs(1);
/// Somebody who needs a key frame waits for the file's next one no longer than this; else the last one is played again.
const KEY_WITHIN: Duration = Duration::from_secs(2);

/// So often one key frame is played again for those who need one; after that they wait for the next, or a file with few of them would never
/// get on.
const MAX_REWINDS: u32 = 3;

/// What player and command share.
#[derive(Debug, Default)]
pub struct Shared {
    pub stop: AtomicBool,
    pub key_wanted: AtomicBool,
    pub done: AtomicBool,
    /// The other side takes none of the codec; said once.
    pub refused: AtomicBool,
}

/// Where to go on when somebody needs a key frame at `at`.
fn key_frame(file: &MediaFile, at: usize) -> usize {
    let mut wait = Duration::ZERO;
    for f in &file.frames[at..] {
        if f.key {
            return at;
        }
        wait += f.duration;
        if wait > KEY_WITHIN {
            break;
        }
    }
    (0..=at).rev().find(|n| file.frames[*n].key).unwrap_or(0)
}

/// Which key frame was gone back to, and how often, since another was played.
#[derive(Debug, Default)]
struct Rewinds {
    key: usize,
    times: u32,
}

impl Rewinds {
    /// Where to go on at `at`, where somebody needs a key frame.
    fn wanted(&mut self, file: &MediaFile, at: usize) -> usize {
        let key = key_frame(file, at);
        if key == at {
            return at;
        }
        if key != self.key {
            *self = Rewinds { key, times: 0 };
        }
        self.times += 1;
        if self.times > MAX_REWINDS { at } else { key }
    }

    /// The file begins again.
    fn again(&mut self) {
        self.times = 0;
    }
}

fn outgoing(file: &MediaFile, n: usize) -> OutgoingFrame {
    let frame = &file.frames[n];
    match file.media() {
        MediaType::Audio => OutgoingFrame::audio(frame.data.clone()),
        MediaType::Video => OutgoingFrame::video(frame.data.clone(), frame.duration),
    }
}

/// Plays until the end of the file, for ever with `again`, or until it is stopped. Begins when somebody receives.
///
/// # Errors
/// The track takes no such frames.
pub fn play(file: &MediaFile, writer: &Writer, again: bool, shared: &Shared) -> Result<(), Error> {
    let stopped = || shared.stop.load(Ordering::Relaxed);
    let mut refused = false;
    while !writer.ready() && !stopped() {
        // A track that is not ready takes nothing, but says why.
        let Err(e) = writer.write(outgoing(file, 0)) else { break };
        if e.code == Code::Codec && !refused {
            refused = true;
            shared.refused.store(true, Ordering::Relaxed);
        }
        std::thread::sleep(POLL);
    }
    shared.key_wanted.store(false, Ordering::Relaxed);
    let (mut n, mut due, mut rewinds) = (0, Instant::now(), Rewinds::default());
    while !stopped() {
        if n == file.frames.len() {
            if !again {
                break;
            }
            n = 0;
            rewinds.again();
        }
        if file.media() == MediaType::Video && shared.key_wanted.swap(false, Ordering::Relaxed) {
            n = rewinds.wanted(file, n);
        }
        let frame = &file.frames[n];
        match writer.write(outgoing(file, n)) {
            Err(e) if e.code == Code::Full => {
                std::thread::sleep(POLL);
                continue;
            }
            Err(e) if e.code == Code::Closed => break,
            // Nobody receives for a moment: time goes on.
            Err(e) if !matches!(e.code, Code::NotReady | Code::Muted | Code::Codec) => return Err(e),
            _ => {}
        }
        n += 1;
        due += frame.duration;
        let now = Instant::now();
        if now > due + BEHIND {
            due = now;
        }
        std::thread::sleep(due.saturating_duration_since(now));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_key_frame_that_is_wanted_comes_soon() {
        let clip = Bytes::from_static(include_bytes!("../../tests/fixtures/media/video.ivf"));
        let mut file = MediaFile::read(&clip, 15.0).unwrap();
        assert_eq!([0, 3, 30].map(|at| key_frame(&file, at)), [0, 3, 30], "one comes within a second");
        for f in &mut file.frames[1..] {
            f.key = false;
        }
        assert_eq!([1, 20].map(|at| key_frame(&file, at)), [0, 0]);
    }

    #[test]
    fn a_file_with_few_key_frames_gets_on_however_often_one_is_asked_for() {
        let clip = Bytes::from_static(include_bytes!("../../tests/fixtures/media/video.ivf"));
        let mut file = MediaFile::read(&clip, 15.0).unwrap();
        let half = file.frames.len() / 2;
        for (n, f) in file.frames.iter_mut().enumerate() {
            f.key = n == 0 || n == half;
            f.duration = KEY_WITHIN;
        }
        let (mut rewinds, mut n, mut played) = (Rewinds::default(), 0, 0);
        while n < file.frames.len() {
            n = rewinds.wanted(&file, n) + 1;
            played += 1;
            assert!(played <= file.frames.len() * (1 + MAX_REWINDS as usize), "it never ends");
        }
        assert!(played > file.frames.len(), "it goes back at first");
        assert_eq!(rewinds.wanted(&file, 1), 0, "and does again when it plays again");
    }
}
