//! What containers want to know of a video codec, and the form in which they want its frames: Matroska's codec mappings for VP8, VP9,
//! H.264 (`avcC`, ISO/IEC 14496-15 §5.3.3) and AV1 (`av1C`, AV1 in ISOBMFF §2.3).

use crate::media::bits::Bits;
use crate::media::{Codec, h264};
use std::borrow::Cow;

/// One video stream of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    pub codec: Codec,
    pub size: (u16, u16),
    /// The container's own header of the codec; empty where there is none.
    pub private: Vec<u8>,
}

impl Video {
    /// Of a key frame; `None`: it does not tell enough to begin a file.
    pub fn of(codec: Codec, size: Option<(u16, u16)>, key_frame: &[u8]) -> Option<Video> {
        let private = match codec {
            Codec::H264 => avc_configuration(key_frame)?,
            Codec::Av1 => av1_configuration(key_frame)?,
            Codec::Opus | Codec::Vp8 | Codec::Vp9 => Vec::new(),
        };
        Some(Video { codec, size: size?, private })
    }

    /// Its name in Matroska.
    pub fn codec_id(&self) -> &'static str {
        match self.codec {
            Codec::Vp8 => "V_VP8",
            Codec::Vp9 => "V_VP9",
            Codec::Av1 => "V_AV1",
            Codec::H264 => "V_MPEG4/ISO/AVC",
            Codec::Opus => "A_OPUS",
        }
    }

    /// WebM knows the royalty-free codecs only.
    pub fn is_webm(&self) -> bool {
        self.codec != Codec::H264
    }
}

/// A frame as it stands in a block.
pub fn block(codec: Codec, frame: &[u8]) -> Cow<'_, [u8]> {
    match codec {
        Codec::H264 => Cow::Owned(with_lengths(frame)),
        // Without the temporal delimiter.
        Codec::Av1 => Cow::Borrowed(frame.strip_prefix(&[0x12, 0]).unwrap_or(frame)),
        Codec::Opus | Codec::Vp8 | Codec::Vp9 => Cow::Borrowed(frame),
    }
}

const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;

/// NAL units after their lengths instead of start codes.
fn with_lengths(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len() + 16);
    for range in h264::nal_units(frame) {
        let nal = &frame[range];
        if !matches!(nal[0] & 31, DELIMITER | FILLER) {
            out.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            out.extend_from_slice(nal);
        }
    }
    out
}

fn avc_configuration(frame: &[u8]) -> Option<Vec<u8>> {
    let all = |kind| h264::nal_units(frame).map(|r| &frame[r]).filter(move |n| n[0] & 31 == kind);
    let first = all(SPS).next().filter(|s| s.len() >= 4)?;
    // Sizes of lengths: four bytes.
    let mut out = vec![1, first[1], first[2], first[3], 0xff];
    for (kind, marker, most) in [(SPS, 0xe0, 31), (PPS, 0, 255)] {
        let sets: Vec<&[u8]> = all(kind).take(most).collect();
        if sets.is_empty() {
            return None;
        }
        out.push(marker | sets.len() as u8);
        for set in sets {
            out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            out.extend_from_slice(set);
        }
    }
    Some(out)
}

fn av1_configuration(unit: &[u8]) -> Option<Vec<u8>> {
    let (obu, payload) = sequence_header(unit)?;
    let mut b = Bits::new(payload);
    let profile = b.take(3)? as u8;
    b.skip(1)?;
    let reduced = b.bit()?;
    let (mut level, mut tier) = (0, false);
    if reduced {
        level = b.take(5)? as u8;
    } else {
        // Timing and decoder models do not occur in real-time streams; with them the level is left at its lowest.
        let timing = b.bit()?;
        if !timing {
            b.skip(1 + 5 + 12)?;
            level = b.take(5)? as u8;
            tier = level > 7 && b.bit()?;
        }
    }
    // 4:2:0 in profile 0, 4:4:4 in profile 1; depth and the rest stand in the sequence header below.
    let subsampling = if profile == 1 { 0 } else { 0x0c };
    let mut out = vec![0x81, profile << 5 | level, u8::from(tier) << 7 | subsampling, 0];
    out.extend_from_slice(obu);
    Some(out)
}

/// The sequence header of a temporal unit, whole and its payload. All OBUs have sizes.
fn sequence_header(unit: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    while let Some(header) = unit.get(at) {
        let from = at;
        at += if header & 4 == 0 { 1 } else { 2 };
        let mut len = 0_usize;
        for n in 0.. {
            let b = *unit.get(at).filter(|_| n < 4)?;
            at += 1;
            len |= usize::from(b & 0x7f) << (7 * n);
            if b & 0x80 == 0 {
                break;
            }
        }
        let payload = unit.get(at..at + len)?;
        at += len;
        if header >> 3 & 15 == 1 {
            return Some((&unit[from..at], payload));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const H264: &[u8] = include_bytes!("../../../tests/fixtures/media/video.h264");
    const AV1: &[u8] = include_bytes!("../../../tests/fixtures/media/video-av1.ivf");

    #[test]
    fn h264_gets_its_parameter_sets_and_lengths() {
        let end = H264.windows(5).skip(6).position(|w| w == [0, 0, 0, 1, 9]).unwrap() + 6;
        let v = Video::of(Codec::H264, Some((320, 180)), &H264[..end]).unwrap();
        assert_eq!((v.private[0], v.private[4], v.private[5], v.is_webm()), (1, 0xff, 0xe1, false));
        let b = block(Codec::H264, &H264[..end]);
        let first = u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
        assert_eq!((b[4] & 31, b[4 + first..].len() > 4), (SPS, true));
        assert_eq!(Video::of(Codec::H264, Some((1, 1)), &[0, 0, 1, 5, 1]), None);
    }

    #[test]
    fn av1_gets_its_sequence_header_and_loses_the_delimiter() {
        let frame = &AV1[44..];
        let v = Video::of(Codec::Av1, Some((320, 180)), frame).unwrap();
        assert_eq!((v.private[0], v.private[1] >> 5, v.private[2]), (0x81, 0, 0x0c));
        assert_eq!(v.private[4] >> 3, 1);
        assert_eq!(block(Codec::Av1, frame), &frame[2..]);
        assert_eq!(Video::of(Codec::Av1, Some((1, 1)), &[0x12, 0, 0x0a, 0xff]), None);
    }

    #[test]
    fn a_frame_without_a_size_begins_no_file() {
        assert_eq!(Video::of(Codec::Vp8, None, &[0]), None);
        assert!(Video::of(Codec::Vp9, Some((2, 2)), &[]).is_some_and(|v| v.codec_id() == "V_VP9" && v.is_webm()));
    }
}
