//! content-modify: what each side wants of the other's video (docs/protocol/02 §13).

use crate::jingle::types::Role;
use crate::wire::jingle::{Action, Content, FrameHeight, Jingle, Senders};

/// Heights that one request may carry.
pub const MAX_HEIGHTS: usize = 256;

/// What we want of the peer's video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::jingle) struct Wanted {
    /// Any video at all; it also tells whether we send ours (`lastN` is not 0).
    pub video: bool,
    /// Remote source name and greatest height in pixels; `None` until set.
    pub heights: Option<Vec<(String, u32)>>,
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted { video: true, heights: None }
    }
}

impl Wanted {
    /// Differs from what a peer assumes that was told nothing.
    pub(in crate::jingle) fn is_special(&self) -> bool {
        !self.video || self.heights.is_some()
    }

    /// The request.
    pub(in crate::jingle) fn request(&self, sid: &str, initiator: &str) -> String {
        let mut j = Jingle::new(Action::ContentModify, sid);
        j.initiator = Some(initiator);
        let heights = self.heights.iter().flatten().take(MAX_HEIGHTS);
        j.contents.push(Content {
            // The literal word, although the contents are named by mid.
            name: "video",
            senders: Some(if self.video { Senders::Both } else { Senders::None }),
            frame_heights: heights.map(|(source, h)| FrameHeight { source, max_height: *h }).collect(),
            ..Content::default()
        });
        j.to_xml()
    }
}

/// What a content-modify of the peer says.
pub(in crate::jingle) struct Received {
    pub heights: Vec<(String, u32)>,
    /// Whether it wants our video; `None` when it said nothing understandable.
    pub active: Option<bool>,
}

/// Reads one.
pub(in crate::jingle) fn read(j: &Jingle<'_>, role: Role) -> Received {
    let Some(c) = j.content("video") else { return Received { heights: Vec::new(), active: None } };
    let heights = c.frame_heights.iter().take(MAX_HEIGHTS).map(|h| (h.source.to_owned(), h.max_height)).collect();
    let active = c.senders.filter(|s| *s != Senders::Rejected).map(|s| match s {
        Senders::Both => true,
        Senders::Initiator => role == Role::Initiator,
        Senders::Responder => role == Role::Responder,
        Senders::None | Senders::Rejected => false,
    });
    Received { heights, active }
}
