//! The seam for whole-frame transforms (design §5.7): between the frame API and the packetiser on the way out, between reassembly
//! and readers on the way in. End-to-end encryption goes here.

use super::kind::Codec;
use bytes::Bytes;

/// Changes whole frames. Runs on the driver's thread: it may not block.
pub trait FrameTransform: Send {
    /// A frame of one of our sources on its way out; `None` drops it. What comes back and is no frame of its codec any more
    /// ([`is_frame`](super::frame::is_frame)), or as an Opus packet too long for one datagram, is dropped as well.
    fn outgoing(&mut self, source_name: &str, codec: Codec, data: Bytes) -> Option<Bytes>;

    /// A frame of somebody's source on its way in; `None` drops it.
    fn incoming(&mut self, endpoint_id: &str, source_name: &str, codec: Codec, data: Bytes) -> Option<Bytes>;
}
