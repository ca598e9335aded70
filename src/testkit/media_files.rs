//! Reads the two files that tests and the demo send: VP8 in IVF, Opus in Ogg (RFC 3533, RFC 7845). A page walk, no demuxer: files
//! that were made for this, whole in memory.

use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// The bytes are not such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSuchAFile(&'static str);

impl fmt::Display for NotSuchAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}", self.0)
    }
}

impl std::error::Error for NotSuchAFile {}

/// One video frame.
#[derive(Clone, Debug)]
pub struct ClipFrame {
    pub data: Bytes,
    pub key: bool,
}

/// A VP8 clip.
#[derive(Clone, Debug)]
pub struct Clip {
    pub frames: Vec<ClipFrame>,
    pub width: u16,
    pub height: u16,
    /// Frames per second as a fraction.
    pub rate: (u32, u32),
}

impl Clip {
    /// How long each frame is shown.
    pub fn frame_duration(&self) -> Duration {
        Duration::from_secs(1) * self.rate.1.max(1) / self.rate.0.max(1)
    }
}

/// Reads an IVF file of VP8.
pub fn read_ivf(file: &[u8]) -> Result<Clip, NotSuchAFile> {
    const NO: NotSuchAFile = NotSuchAFile("an IVF file of VP8");
    let u16_at = |at: usize| file.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes).ok_or(NO);
    let u32_at = |at: usize| file.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or(NO);
    if file.get(..4) != Some(b"DKIF") || file.get(8..12) != Some(b"VP80") {
        return Err(NO);
    }
    let mut clip = Clip { frames: vec![], width: u16_at(12)?, height: u16_at(14)?, rate: (u32_at(16)?, u32_at(20)?) };
    let mut at = usize::from(u16_at(6)?);
    while at < file.len() {
        let size = u32_at(at)? as usize;
        let data = file.get(at + 12..at + 12 + size).ok_or(NO)?;
        clip.frames.push(ClipFrame { key: crate::media::vp8::is_key(data), data: Bytes::copy_from_slice(data) });
        at += 12 + size;
    }
    Ok(clip)
}

/// Reads the packets of an Ogg Opus file, without its two headers.
pub fn read_ogg_opus(file: &[u8]) -> Result<Vec<Bytes>, NotSuchAFile> {
    const NO: NotSuchAFile = NotSuchAFile("an Ogg Opus file");
    let (mut packets, mut packet, mut at) = (Vec::new(), Vec::new(), 0);
    while at < file.len() {
        let header = file.get(at..at + 27).filter(|h| h.starts_with(b"OggS")).ok_or(NO)?;
        let lacing = file.get(at + 27..at + 27 + usize::from(header[26])).ok_or(NO)?;
        at += 27 + lacing.len();
        for size in lacing {
            let n = usize::from(*size);
            packet.extend_from_slice(file.get(at..at + n).ok_or(NO)?);
            at += n;
            // A segment of 255 goes on in the next, over pages too.
            if n < 255 {
                packets.push(Bytes::from(std::mem::take(&mut packet)));
            }
        }
    }
    if !packets.first().is_some_and(|p| p.starts_with(b"OpusHead")) || packets.len() < 2 {
        return Err(NO);
    }
    Ok(packets.split_off(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::opus;

    #[test]
    fn the_fixtures_are_what_their_readme_says() {
        let clip = read_ivf(include_bytes!("../../tests/fixtures/media/video.ivf")).unwrap();
        assert_eq!((clip.width, clip.height, clip.frames.len()), (320, 180, 60));
        assert_eq!(clip.frame_duration(), Duration::from_secs(1) / 15);
        let keys: Vec<usize> = (0..60).filter(|n| clip.frames[*n].key).collect();
        assert_eq!(keys, [0, 15, 30, 45]);
        let packets = read_ogg_opus(include_bytes!("../../tests/fixtures/media/audio.ogg")).unwrap();
        assert!(packets.len() >= 200 && packets.len() <= 202, "{}", packets.len());
        assert!(packets.iter().all(|p| opus::duration(p) == Some(Duration::from_millis(20))));
    }

    #[test]
    fn cut_files_are_refused() {
        assert!(read_ivf(&include_bytes!("../../tests/fixtures/media/video.ivf")[..100]).is_err());
        assert!(read_ogg_opus(&include_bytes!("../../tests/fixtures/media/audio.ogg")[..100]).is_err());
        assert!(read_ogg_opus(b"").is_err());
    }
}
