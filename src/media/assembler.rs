//! Packets of one video frame in order → the frame, for each codec. Malformed packets are refused one by one; whether packets are
//! missing is known to the caller.

use super::kind::Codec;
use super::references::Picture;
use super::{av1, h264, vp8, vp9};
use bytes::Bytes;

/// A payload that breaks the rules of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Whether a frame begins with this packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    Yes,
    No,
    /// The format does not say: yes, if the packet before is there.
    Perhaps,
}

/// What a packet tells of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub begins: Begins,
    /// The format says that what it carries is whole after it: a picture, or a layer of it.
    pub ends: bool,
    pub picture: Picture,
}

/// A frame put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    pub data: Bytes,
    pub key: bool,
    pub size: Option<(u16, u16)>,
}

/// What came of the packets of one RTP time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    Whole(Whole),
    /// Parameters for later frames, no picture.
    Nothing,
    /// Its end is missing.
    Damaged,
}

/// The assembler of one stream.
#[derive(Debug)]
pub enum Assembler {
    Vp8(vp8::Assembler),
    Vp9(vp9::Assembler),
    H264(h264::Assembler),
    Av1(av1::Assembler),
}

impl Assembler {
    /// For a codec of video.
    pub fn new(codec: Codec) -> Option<Assembler> {
        Some(match codec {
            Codec::Opus => return None,
            Codec::Vp8 => Assembler::Vp8(vp8::Assembler::default()),
            Codec::Vp9 => Assembler::Vp9(vp9::Assembler::default()),
            Codec::H264 => Assembler::H264(h264::Assembler::default()),
            Codec::Av1 => Assembler::Av1(av1::Assembler::default()),
        })
    }

    /// The next packet of the frame. After a refusal the frame is damaged.
    pub fn push(&mut self, payload: &Bytes) -> Result<Head, Malformed> {
        match self {
            Assembler::Vp8(a) => a.push(payload),
            Assembler::Vp9(a) => a.push(payload),
            Assembler::H264(a) => a.push(payload),
            Assembler::Av1(a) => a.push(payload),
        }
    }

    /// A packet of a frame that is damaged already: what later frames need of it is kept.
    pub fn learn(&mut self, payload: &[u8]) {
        if let Assembler::H264(a) = self {
            a.learn(payload);
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        match self {
            Assembler::Vp8(a) => a.bytes(),
            Assembler::Vp9(a) => a.bytes(),
            Assembler::H264(a) => a.bytes(),
            Assembler::Av1(a) => a.bytes(),
        }
    }

    /// All packets of the frame were there; begins anew.
    pub fn finish(&mut self) -> Finished {
        match self {
            Assembler::Vp8(a) => a.finish(),
            Assembler::Vp9(a) => a.finish(),
            Assembler::H264(a) => a.finish(),
            Assembler::Av1(a) => a.finish(),
        }
    }

    /// Drops what there is of a frame.
    pub fn clear(&mut self) {
        match self {
            Assembler::Vp8(a) => a.clear(),
            Assembler::Vp9(a) => a.clear(),
            Assembler::H264(a) => a.clear(),
            Assembler::Av1(a) => a.clear(),
        }
    }
}

/// Whether a whole frame can be decoded on its own.
pub fn is_key(codec: Codec, frame: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        Codec::Vp8 => vp8::is_key(frame),
        Codec::Vp9 => vp9::is_key(frame),
        Codec::H264 => h264::is_key(frame),
        Codec::Av1 => av1::is_key(frame),
    }
}

/// Width and height of a key frame, where it says so.
pub fn size(codec: Codec, frame: &[u8]) -> Option<(u16, u16)> {
    match codec {
        Codec::Opus => None,
        Codec::Vp8 => vp8::size(frame),
        Codec::Vp9 => vp9::size(frame),
        Codec::H264 => h264::size(frame),
        Codec::Av1 => av1::size(frame),
    }
}
