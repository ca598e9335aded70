//! Files that are sent: Ogg Opus (RFC 7845), IVF with VP8, VP9 or AV1, and H.264 in the byte stream format (Annex B). Known by their
//! content, read whole.

use super::args::DEFAULT_FPS;
use crate::media::{Codec, MediaType, av1, h264, opus, vp8, vp9};
use bytes::Bytes;
use std::io::Cursor;
use std::time::Duration;

/// Largest file that is read.
pub const MAX_FILE_BYTES: usize = 1 << 30;
/// What is said of a larger one.
pub const TOO_LARGE: &str = "the file is over 1 GiB";
/// A frame of IVF lasts no longer; the file says otherwise when its times are nonsense.
const MAX_FRAME: Duration = Duration::from_secs(10);

/// A frame of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFrame {
    pub data: Bytes,
    pub key: bool,
    pub duration: Duration,
}

/// A file.
#[derive(Clone, Debug)]
pub struct MediaFile {
    pub codec: Codec,
    pub frames: Vec<FileFrame>,
    /// Of video: pixels, where the file or its first frame says so.
    pub size: Option<(u16, u16)>,
}

impl MediaFile {
    /// Reads a file; `fps`: frames per second of H.264, whose files do not say.
    ///
    /// # Errors
    /// For people: why it is none.
    pub fn read(file: &Bytes, fps: f64) -> Result<MediaFile, String> {
        if file.len() > MAX_FILE_BYTES {
            return Err(TOO_LARGE.into());
        }
        let media = if file.starts_with(b"OggS") {
            ogg_opus(file)?
        } else if file.starts_with(b"DKIF") {
            ivf(file)?
        } else if file.starts_with(&[0, 0, 1]) || file.starts_with(&[0, 0, 0, 1]) {
            annex_b(file, fps)
        } else {
            return Err("neither Ogg Opus nor IVF nor H.264 in byte stream format".into());
        };
        match media.frames.first() {
            None => Err("there is no frame in it".into()),
            Some(f) if !f.key => Err("it does not begin with a key frame".into()),
            Some(_) => Ok(media),
        }
    }

    /// How long it plays.
    pub fn length(&self) -> Duration {
        self.frames.iter().map(|f| f.duration).sum()
    }

    /// Whether it is audio or video.
    pub fn media(&self) -> MediaType {
        self.codec.media_type()
    }
}

fn ogg_opus(file: &Bytes) -> Result<MediaFile, String> {
    let mut reader = ogg::PacketReader::new(Cursor::new(file.as_ref()));
    let (mut stream, mut frames, mut headers) = (None, Vec::new(), 0);
    while let Some(p) = reader.read_packet().map_err(|e| format!("damaged Ogg: {e}"))? {
        if stream.is_none() && p.data.starts_with(b"OpusHead") {
            stream = Some(p.stream_serial());
        }
        if stream != Some(p.stream_serial()) {
            continue;
        }
        headers += 1;
        if headers > 2 {
            let duration = opus::duration(&p.data).ok_or("a packet of it is not Opus")?;
            frames.push(FileFrame { data: p.data.into(), key: true, duration });
        }
    }
    if stream.is_none() {
        return Err("an Ogg file without Opus".into());
    }
    Ok(MediaFile { codec: Codec::Opus, frames, size: None })
}

fn ivf(file: &Bytes) -> Result<MediaFile, String> {
    let cut = "the IVF file is cut off";
    let number = |at: usize, n: usize| -> Result<u64, &str> {
        let bytes = file.get(at..at + n).ok_or(cut)?;
        Ok(bytes.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)))
    };
    let (codec, key): (_, fn(&[u8]) -> bool) = match file.get(8..12) {
        Some(b"VP80") => (Codec::Vp8, vp8::is_key),
        Some(b"VP90") => (Codec::Vp9, vp9::is_key),
        Some(b"AV01") => (Codec::Av1, av1::is_key),
        _ => return Err("an IVF file of another codec than VP8, VP9 and AV1".into()),
    };
    let size = (number(12, 2)? as u16, number(14, 2)? as u16);
    let (rate, scale) = (number(16, 4)?.max(1), number(20, 4)?.max(1));
    let mut at = number(6, 2)? as usize;
    let (mut frames, mut times) = (Vec::<FileFrame>::new(), Vec::new());
    while at < file.len() {
        let (len, time) = (number(at, 4)? as usize, number(at + 4, 8)?);
        let data = at.checked_add(12 + len).filter(|e| *e <= file.len()).ok_or(cut)?;
        let data = file.slice(at + 12..data);
        at += 12 + len;
        if data.is_empty() {
            continue;
        }
        times.push(time);
        frames.push(FileFrame { key: key(&data), data, duration: Duration::ZERO });
    }
    let ticks = |n: u64| {
        let us = u128::from(n) * u128::from(scale) * 1_000_000 / u128::from(rate);
        Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX)).min(MAX_FRAME)
    };
    let mut last = ticks(1);
    for n in 0..frames.len() {
        // The last frame lasts as long as the one before.
        if let Some(next) = times.get(n + 1) {
            last = ticks(next.saturating_sub(times[n]));
        }
        frames[n].duration = last;
    }
    Ok(MediaFile { codec, frames, size: Some(size) })
}

/// Access units (H.264 §7.4.1.2.3): a new one begins with the first unit after a slice that is no slice of the same picture.
fn annex_b(file: &Bytes, fps: f64) -> MediaFile {
    const SLICES: std::ops::RangeInclusive<u8> = 1..=5;
    let fps = if fps.is_finite() && fps >= 1.0 { fps } else { DEFAULT_FPS };
    let duration = Duration::from_secs_f64(1.0 / fps);
    let mut starts = Vec::new();
    let mut sliced = true;
    for r in h264::nal_units(file) {
        let (kind, first) = (file[r.start] & 31, file.get(r.start + 1).is_some_and(|b| b & 0x80 != 0));
        let begins = match kind {
            k if SLICES.contains(&k) => first,
            6..=9 | 14..=18 => true,
            _ => false,
        };
        if begins && sliced {
            starts.push(r.start - 3);
            sliced = false;
        }
        sliced |= SLICES.contains(&kind);
    }
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    let frames: Vec<FileFrame> = starts
        .iter()
        .zip(ends)
        .map(|(from, to)| file.slice(*from..to))
        .map(|data| FileFrame { key: h264::is_key(&data), data, duration })
        .collect();
    let size = frames.first().and_then(|f| h264::size(&f.data));
    MediaFile { codec: Codec::H264, frames, size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8]) -> Result<MediaFile, String> {
        MediaFile::read(&Bytes::from_static(bytes), 15.0)
    }

    #[test]
    fn each_kind_of_file_is_known_by_its_content() {
        for (file, codec, frames, ms) in [
            (&include_bytes!("../../tests/fixtures/media/audio.ogg")[..], Codec::Opus, 200..=202, 20),
            (&include_bytes!("../../tests/fixtures/media/video.ivf")[..], Codec::Vp8, 60..=60, 66),
            (&include_bytes!("../../tests/fixtures/media/video-vp9.ivf")[..], Codec::Vp9, 30..=30, 66),
            (&include_bytes!("../../tests/fixtures/media/video-av1.ivf")[..], Codec::Av1, 30..=30, 66),
            (&include_bytes!("../../tests/fixtures/media/video.h264")[..], Codec::H264, 30..=30, 66),
        ] {
            let m = read(file).unwrap();
            assert!(m.codec == codec && frames.contains(&m.frames.len()), "{codec:?}: {}", m.frames.len());
            assert!(m.frames.iter().all(|f| f.duration.as_millis() == ms), "{codec:?}");
            if m.media() == MediaType::Video {
                assert_eq!(m.size, Some((320, 180)));
                let keys: Vec<usize> = (0..m.frames.len()).filter(|n| m.frames[*n].key).collect();
                assert_eq!(keys[..2], [0, 15], "{codec:?}");
            }
            assert_eq!(m.length(), m.frames[0].duration * m.frames.len() as u32);
        }
    }

    #[test]
    fn times_that_are_nonsense_hold_nothing_up() {
        let mut ivf = include_bytes!("../../tests/fixtures/media/video.ivf").to_vec();
        let second = 32 + 12 + u32::from_le_bytes([ivf[32], ivf[33], ivf[34], ivf[35]]) as usize;
        // 15 ticks are a second.
        for (ticks, seconds) in [(150_u64, 10.0), (151, MAX_FRAME.as_secs_f64()), (u64::MAX, MAX_FRAME.as_secs_f64())] {
            ivf[second + 4..second + 12].copy_from_slice(&ticks.to_le_bytes());
            let m = MediaFile::read(&Bytes::from(ivf.clone()), 15.0).unwrap();
            assert_eq!(m.frames[0].duration.as_secs_f64(), seconds);
            assert_eq!(m.frames[1].duration, Duration::ZERO, "time went back");
        }
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let ivf = include_bytes!("../../tests/fixtures/media/video.ivf");
        for bad in [&b""[..], b"RIFF", b"OggS", b"DKIF", &ivf[..20], &ivf[..100], b"\0\0\x01\x65", b"\0\0\x01\x41\x80"]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let zeros = |n: usize| MediaFile::read(&Bytes::from(vec![0; n]), 15.0).unwrap_err();
        assert!(zeros(MAX_FILE_BYTES + 1).contains("1 GiB"));
        assert!(!zeros(1 << 20).contains("GiB"));
    }
}
