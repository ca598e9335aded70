//! EBML elements as bytes (RFC 8794), and the numbers of those of Matroska (RFC 9559) that a recording needs. The encoding of numbers and
//! sizes is ebml-iterable's; we build from the inside out, so that each element is written once its size is known.

use ebml_iterable::TagWriter;
use std::io;

pub const EBML: u64 = 0x1a45_dfa3;
pub const EBML_VERSION: u64 = 0x4286;
pub const EBML_READ_VERSION: u64 = 0x42f7;
pub const EBML_LONGEST_ID: u64 = 0x42f2;
pub const EBML_LONGEST_SIZE: u64 = 0x42f3;
pub const DOC_TYPE: u64 = 0x4282;
pub const DOC_TYPE_VERSION: u64 = 0x4287;
pub const DOC_TYPE_READ_VERSION: u64 = 0x4285;
pub const VOID: u64 = 0xec;
pub const SEEK_HEAD: u64 = 0x114d_9b74;
pub const SEEK: u64 = 0x4dbb;
pub const SEEK_ID: u64 = 0x53ab;
pub const SEEK_POSITION: u64 = 0x53ac;
pub const INFO: u64 = 0x1549_a966;
pub const TIMESTAMP_SCALE: u64 = 0x002a_d7b1;
pub const DURATION: u64 = 0x4489;
pub const DATE_UTC: u64 = 0x4461;
pub const TITLE: u64 = 0x7ba9;
pub const MUXING_APP: u64 = 0x4d80;
pub const WRITING_APP: u64 = 0x5741;
pub const TRACKS: u64 = 0x1654_ae6b;
pub const TRACK_ENTRY: u64 = 0xae;
pub const TRACK_NUMBER: u64 = 0xd7;
pub const TRACK_UID: u64 = 0x73c5;
pub const TRACK_TYPE: u64 = 0x83;
pub const FLAG_LACING: u64 = 0x9c;
pub const LANGUAGE: u64 = 0x0022_b59c;
pub const CODEC_ID: u64 = 0x86;
pub const CODEC_PRIVATE: u64 = 0x63a2;
pub const CODEC_DELAY: u64 = 0x56aa;
pub const SEEK_PRE_ROLL: u64 = 0x56bb;
pub const VIDEO: u64 = 0xe0;
pub const PIXEL_WIDTH: u64 = 0xb0;
pub const PIXEL_HEIGHT: u64 = 0xba;
pub const AUDIO: u64 = 0xe1;
pub const SAMPLING_FREQUENCY: u64 = 0xb5;
pub const CHANNELS: u64 = 0x9f;
pub const CLUSTER: u64 = 0x1f43_b675;
pub const TIMESTAMP: u64 = 0xe7;
pub const SIMPLE_BLOCK: u64 = 0xa3;
pub const CUES: u64 = 0x1c53_bb6b;
pub const CUE_POINT: u64 = 0xbb;
pub const CUE_TIME: u64 = 0xb3;
pub const CUE_TRACK_POSITIONS: u64 = 0xb7;
pub const CUE_TRACK: u64 = 0xf7;
pub const CUE_CLUSTER_POSITION: u64 = 0xf1;

/// A segment whose size is not known yet: its number and the size in eight bytes, which [`segment_size`] replaces.
pub const OPEN_SEGMENT: [u8; 12] = [0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// The size of a segment in eight bytes.
pub fn segment_size(bytes: u64) -> [u8; 8] {
    (bytes & (u64::MAX >> 8) | 1 << 56).to_be_bytes()
}

/// Elements one after another.
#[derive(Debug, Default)]
pub struct Elements(Vec<u8>);

impl Elements {
    /// Adds one of bytes.
    pub fn bytes(mut self, id: u64, data: &[u8]) -> io::Result<Elements> {
        let mut writer = TagWriter::new(&mut self.0);
        writer.write_raw(id, data).map_err(io::Error::other)?;
        drop(writer);
        Ok(self)
    }

    /// Adds one that holds others.
    pub fn master(self, id: u64, children: Elements) -> io::Result<Elements> {
        self.bytes(id, &children.0)
    }

    /// Adds a number in as few bytes as it needs.
    pub fn uint(self, id: u64, v: u64) -> io::Result<Elements> {
        let bytes = v.to_be_bytes();
        let zeros = (v.leading_zeros() as usize / 8).min(7);
        self.bytes(id, &bytes[zeros..])
    }

    /// Adds a fraction.
    pub fn float(self, id: u64, v: f64) -> io::Result<Elements> {
        self.bytes(id, &v.to_be_bytes())
    }

    /// Adds a text.
    pub fn text(self, id: u64, v: &str) -> io::Result<Elements> {
        self.bytes(id, v.as_bytes())
    }

    /// Adds room for later: an element to pass over of `total` bytes, 2 to 127.
    pub fn room(self, total: usize) -> io::Result<Elements> {
        self.bytes(VOID, &vec![0; total.saturating_sub(2)])
    }

    /// What there is.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_number_size_and_content() {
        let inner = Elements::default().uint(TRACK_NUMBER, 1).unwrap().uint(TRACK_UID, 0x1234).unwrap();
        let outer = Elements::default().master(TRACK_ENTRY, inner).unwrap().uint(TIMESTAMP, 0).unwrap();
        assert_eq!(outer.finish(), [0xae, 0x88, 0xd7, 0x81, 1, 0x73, 0xc5, 0x82, 0x12, 0x34, 0xe7, 0x81, 0]);
    }

    #[test]
    fn room_and_sizes_have_the_length_that_is_asked_for() {
        for total in [2, 3, 90] {
            assert_eq!(Elements::default().room(total).unwrap().len(), total);
        }
        assert_eq!(segment_size(5), [1, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(Elements::default().text(DOC_TYPE, "webm").unwrap().finish()[..3], [0x42, 0x82, 0x84]);
        assert_eq!(Elements::default().float(DURATION, 1.0).unwrap().len(), 11);
    }
}
