//! Video, with audio or without: WebM, or Matroska where the codec is none of WebM's (RFC 9559).
//!
//! Clusters are written whole, two seconds at most in each, so that a file whose program was killed plays to there. The end adds an
//! index and puts length, size and the index's place into room that was left for them.

use super::codec::{Video, block};
use super::ebml::*;
use super::ogg_opus;
use bytes::Bytes;
use std::io;

/// A cluster ends after so long, µs.
const CLUSTER_US: u64 = 2_000_000;
/// A key frame begins a cluster when the one before lasts so long, µs.
const KEY_CLUSTER_US: u64 = 1_000_000;
/// A cluster ends when it has so many bytes.
const CLUSTER_BYTES: usize = 4 << 20;
/// Room for where the index is.
const SEEK_ROOM: usize = 64;
/// Room for the duration.
const DURATION_ROOM: usize = 11;
/// What a decoder should hear before a place that is sought, ns (RFC 7845 §4.6).
const PRE_ROLL_NS: u64 = 80_000_000;
/// Seconds from 1970 to Matroska's epoch, 2001.
const EPOCH: i64 = 978_307_200;

/// Track numbers.
const VIDEO_TRACK: u8 = 1;
const AUDIO_TRACK: u8 = 2;

/// Bytes to be put over others that were written before.
pub type Patch = (u64, Vec<u8>);

/// One file.
pub struct Matroska {
    video: Video,
    out: Vec<u8>,
    /// Bytes given out, and in `out`.
    written: u64,
    /// Where the content of the segment begins: its places are counted from there.
    segment_at: u64,
    duration_at: u64,
    /// Of the last frame of each track, ms: they never go back.
    last: [u64; 2],
    /// The cluster that is being filled: its start in ms, its blocks.
    cluster: Option<(u64, Elements, bool)>,
    /// Start of clusters that begin with a key frame: ms and place in the segment.
    cues: Vec<(u64, u64)>,
    end_us: u64,
}

impl Matroska {
    /// A file with a video track, and an audio track of so many channels. `unix_us`: when it begins.
    pub fn new(video: Video, audio: Option<u8>, title: &str, uid: u32, unix_us: i64) -> io::Result<Matroska> {
        let head = head(video.is_webm())?;
        let app = concat!("jmeet ", env!("CARGO_PKG_VERSION"));
        let info = Elements::default().uint(TIMESTAMP_SCALE, 1_000_000)?.room(DURATION_ROOM)?;
        // The room stands at the end of what there is of it now.
        let duration = info.len() - DURATION_ROOM;
        let date = (unix_us - EPOCH * 1_000_000).saturating_mul(1000);
        let info = info.bytes(DATE_UTC, &date.to_be_bytes())?.text(TITLE, title)?;
        let info = info.text(MUXING_APP, app)?.text(WRITING_APP, app)?;
        let info_header = {
            let whole = Elements::default().bytes(INFO, &vec![0; info.len()])?;
            whole.len() - info.len()
        };
        let mut tracks = Elements::default().master(TRACK_ENTRY, video_entry(&video, uid)?)?;
        if let Some(channels) = audio {
            tracks = tracks.master(TRACK_ENTRY, audio_entry(channels, uid)?)?;
        }
        let body = Elements::default().room(SEEK_ROOM)?.master(INFO, info)?.master(TRACKS, tracks)?;
        let segment_at = (head.len() + OPEN_SEGMENT.len()) as u64;
        let duration_at = segment_at + (SEEK_ROOM + info_header + duration) as u64;
        let out = [head, OPEN_SEGMENT.to_vec(), body.finish()].concat();
        let written = out.len() as u64;
        let (last, cues) = ([0; 2], Vec::new());
        Ok(Matroska { video, out, written, segment_at, duration_at, last, cluster: None, cues, end_us: 0 })
    }

    /// A video frame that belongs at `at_us` of the file.
    pub fn video(&mut self, at_us: u64, key: bool, frame: &Bytes) -> io::Result<()> {
        let data = block(self.video.codec, frame).into_owned();
        self.block(VIDEO_TRACK, at_us, key, &data)
    }

    /// An Opus packet of the audio track.
    pub fn audio(&mut self, at_us: u64, packet: &Bytes) -> io::Result<()> {
        self.block(AUDIO_TRACK, at_us, true, packet)
    }

    /// How long it is, up to the end of what was written.
    pub fn lasts_until(&mut self, end_us: u64) {
        self.end_us = self.end_us.max(end_us);
    }

    fn block(&mut self, track: u8, at_us: u64, key: bool, data: &[u8]) -> io::Result<()> {
        let last = &mut self.last[usize::from(track == AUDIO_TRACK)];
        let ms = (at_us.saturating_add(500) / 1000).max(*last);
        *last = ms;
        let key_video = key && track == VIDEO_TRACK;
        if let Some((start, blocks, _)) = &self.cluster {
            let age_us = ms.saturating_sub(*start) * 1000;
            // Block times are 16 bits; what came late stands before its cluster's start.
            let far = ms.abs_diff(*start) > 30_000;
            if far || age_us >= CLUSTER_US || blocks.len() >= CLUSTER_BYTES || key_video && age_us >= KEY_CLUSTER_US {
                self.end_cluster()?;
            }
        }
        let (start, blocks, _) = self.cluster.get_or_insert_with(|| (ms, Elements::default(), key_video));
        let apart = (ms as i64 - *start as i64) as i16;
        let mut content = vec![0x80 | track];
        content.extend_from_slice(&apart.to_be_bytes());
        content.push(if key { 0x80 } else { 0 });
        content.extend_from_slice(data);
        *blocks = std::mem::take(blocks).bytes(SIMPLE_BLOCK, &content)?;
        Ok(())
    }

    fn end_cluster(&mut self) -> io::Result<()> {
        let Some((start, blocks, key)) = self.cluster.take() else { return Ok(()) };
        if key {
            self.cues.push((start, self.written - self.segment_at));
        }
        let blocks = blocks.finish();
        let content = [Elements::default().uint(TIMESTAMP, start)?.finish(), blocks].concat();
        self.push(Elements::default().bytes(CLUSTER, &content)?.finish());
        Ok(())
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.written += bytes.len() as u64;
        self.out.extend_from_slice(&bytes);
    }

    /// Writes out a cluster that is old enough at this time of the file, though nothing follows it.
    pub fn flush(&mut self, now_us: u64) -> io::Result<()> {
        match &self.cluster {
            Some((start, ..)) if now_us.saturating_sub(start * 1000) >= CLUSTER_US => self.end_cluster(),
            _ => Ok(()),
        }
    }

    /// The end: the index, and what becomes known now.
    pub fn finish(&mut self) -> io::Result<Vec<Patch>> {
        self.end_cluster()?;
        let at = self.segment_at;
        let mut patches = vec![];
        let duration = Elements::default().float(DURATION, self.length_us() as f64 / 1000.0)?.finish();
        patches.push((self.duration_at, duration));
        if !self.cues.is_empty() {
            let place = self.written - at;
            let mut points = Elements::default();
            for (ms, cluster) in std::mem::take(&mut self.cues) {
                let track = Elements::default().uint(CUE_TRACK, u64::from(VIDEO_TRACK))?;
                let positions = track.uint(CUE_CLUSTER_POSITION, cluster)?;
                let point = Elements::default().uint(CUE_TIME, ms)?.master(CUE_TRACK_POSITIONS, positions)?;
                points = points.master(CUE_POINT, point)?;
            }
            self.push(Elements::default().master(CUES, points)?.finish());
            let seek = Elements::default().bytes(SEEK_ID, &(CUES as u32).to_be_bytes())?.uint(SEEK_POSITION, place)?;
            let head = Elements::default().master(SEEK_HEAD, Elements::default().master(SEEK, seek)?)?;
            let left = SEEK_ROOM - head.len();
            patches.push((at, head.room(left)?.finish()));
        }
        patches.push((at - 8, segment_size(self.written - at).to_vec()));
        Ok(patches)
    }

    /// What is complete.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// How long it is, µs.
    pub fn length_us(&self) -> u64 {
        self.end_us
    }
}

fn head(webm: bool) -> io::Result<Vec<u8>> {
    let e = Elements::default().uint(EBML_VERSION, 1)?.uint(EBML_READ_VERSION, 1)?.uint(EBML_LONGEST_ID, 4)?;
    let e = e.uint(EBML_LONGEST_SIZE, 8)?.text(DOC_TYPE, if webm { "webm" } else { "matroska" })?;
    let e = e.uint(DOC_TYPE_VERSION, 4)?.uint(DOC_TYPE_READ_VERSION, 2)?;
    Ok(Elements::default().master(EBML, e)?.finish())
}

fn entry(number: u8, kind: u64, codec: &str, private: &[u8], uid: u32) -> io::Result<Elements> {
    let e = Elements::default().uint(TRACK_NUMBER, u64::from(number))?;
    let e = e.uint(TRACK_UID, u64::from(uid) << 8 | u64::from(number))?.uint(TRACK_TYPE, kind)?;
    let e = e.uint(FLAG_LACING, 0)?.text(LANGUAGE, "und")?.text(CODEC_ID, codec)?;
    if private.is_empty() { Ok(e) } else { e.bytes(CODEC_PRIVATE, private) }
}

fn video_entry(video: &Video, uid: u32) -> io::Result<Elements> {
    let (width, height) = video.size;
    let size = Elements::default().uint(PIXEL_WIDTH, u64::from(width))?.uint(PIXEL_HEIGHT, u64::from(height))?;
    entry(VIDEO_TRACK, 1, video.codec_id(), &video.private, uid)?.master(VIDEO, size)
}

/// Nothing is passed over at the beginning, so that sound and picture keep their times: the recording begins in the middle of a
/// stream anyway.
fn audio_entry(channels: u8, uid: u32) -> io::Result<Elements> {
    let e = entry(AUDIO_TRACK, 2, "A_OPUS", &ogg_opus::head(channels, 0), uid)?;
    let e = e.uint(CODEC_DELAY, 0)?.uint(SEEK_PRE_ROLL, PRE_ROLL_NS)?;
    let audio = Elements::default().float(SAMPLING_FREQUENCY, 48_000.0)?.uint(CHANNELS, u64::from(channels))?;
    e.master(AUDIO, audio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    fn video(codec: Codec) -> Video {
        Video { codec, size: (320, 180), private: vec![] }
    }

    #[test]
    fn the_segment_stands_where_the_patches_look_for_it() {
        for (codec, name) in [(Codec::Vp8, "webm"), (Codec::H264, "matroska")] {
            let mut m = Matroska::new(video(codec), Some(2), "Ann", 1, 1_700_000_000_000_000).unwrap();
            m.video(0, true, &Bytes::from_static(b"abc")).unwrap();
            m.lasts_until(66_000);
            let patches = m.finish().unwrap();
            let file = m.take();
            let at = m.segment_at as usize;
            assert_eq!(file[at - 12..at - 8], OPEN_SEGMENT[..4]);
            assert!(file[..at].windows(name.len()).any(|w| w == name.as_bytes()));
            for (place, bytes) in &patches {
                let old = &file[*place as usize..][..bytes.len()];
                assert!(old[0] == VOID as u8 || old == &OPEN_SEGMENT[4..], "{old:02x?}");
            }
            assert_eq!(patches[2].1, segment_size((file.len() - at) as u64));
            assert_eq!(patches[0].1[3..], 66.0_f64.to_be_bytes());
        }
    }

    #[test]
    fn clusters_come_out_whole_and_in_time() {
        let mut m = Matroska::new(video(Codec::Vp8), None, "", 1, 0).unwrap();
        let head = m.take().len();
        let frame = Bytes::from_static(b"abc");
        for n in 0..60 {
            m.video(n * 66_667, n % 30 == 0, &frame).unwrap();
        }
        // The second key frame ended the first cluster.
        let first = m.take();
        assert_eq!(first[..4], (CLUSTER as u32).to_be_bytes());
        m.flush(3_900_000).unwrap();
        assert!(m.take().is_empty());
        m.flush(4_000_000).unwrap();
        assert!(!m.take().is_empty());
        assert!(head > 100);
    }

    #[test]
    fn a_frame_from_before_stands_in_the_cluster_and_time_never_goes_back() {
        let mut m = Matroska::new(video(Codec::Vp8), Some(1), "", 1, 0).unwrap();
        m.take();
        m.video(1_000_000, true, &Bytes::from_static(b"v")).unwrap();
        m.audio(990_000, &Bytes::from_static(b"a")).unwrap();
        m.audio(980_000, &Bytes::from_static(b"b")).unwrap();
        m.finish().unwrap();
        let out = m.take();
        let block = |data: u8, rel: i16| {
            let [h, l] = rel.to_be_bytes();
            out.windows(7).any(|w| w == [0xa3, 0x85, 0x82, h, l, 0x80, data])
        };
        assert!(block(b'a', -10) && block(b'b', -10));
    }
}
