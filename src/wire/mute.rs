//! Mute requests of moderators, as they go to the focus and as they come from it (docs/protocol/03 §10.3).

use super::{Element, Jid, XmlWriter};

/// What of a participant is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum MuteKind {
    /// Every microphone.
    Audio = 1,
    /// Every camera.
    Camera = 2,
    /// Every screen.
    Desktop = 3,
}

impl MuteKind {
    /// All of them.
    pub const ALL: [MuteKind; 3] = [MuteKind::Audio, MuteKind::Camera, MuteKind::Desktop];

    /// The namespace that says so.
    pub fn namespace(self) -> &'static str {
        match self {
            MuteKind::Audio => "http://jitsi.org/jitmeet/audio",
            MuteKind::Camera => "http://jitsi.org/jitmeet/video",
            MuteKind::Desktop => "http://jitsi.org/jitmeet/desktop",
        }
    }
}

/// The payload of a request to the focus: of whom.
pub fn request(kind: MuteKind, target: &Jid, muted: bool) -> String {
    let mut w = XmlWriter::new();
    w.open("mute", kind.namespace()).attr("jid", target.as_str()).text(if muted { "true" } else { "false" });
    w.finish()
}

/// What the focus says to whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MuteNotice {
    pub kind: MuteKind,
    pub muted: bool,
    /// The occupant who asked for it; none: the focus by itself.
    pub actor: Option<Jid>,
}

impl MuteNotice {
    /// Reads a payload; `None` when it is another one.
    pub fn read(e: Element<'_>) -> Option<MuteNotice> {
        let kind = MuteKind::ALL.into_iter().find(|k| e.is("mute", k.namespace()))?;
        let actor = e.attr("actor").and_then(|a| Jid::parse(a).ok());
        Some(MuteNotice { kind, muted: e.text().trim() == "true", actor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Document, XmlLimits};

    #[test]
    fn requests_and_notices_are_as_the_protocol_shows_them() {
        let bob = Jid::parse("r@c.x/9d8e7f6a").unwrap();
        for (kind, name) in [(MuteKind::Audio, "audio"), (MuteKind::Camera, "video"), (MuteKind::Desktop, "desktop")] {
            let ns = format!("http://jitsi.org/jitmeet/{name}");
            let xml = request(kind, &bob, true);
            assert_eq!(xml, format!("<mute xmlns='{ns}' jid='r@c.x/9d8e7f6a'>true</mute>"));
            let read = |xml: &str| {
                let d = Document::parse_with(xml, "jabber:client", &XmlLimits::default()).unwrap();
                MuteNotice::read(d.root())
            };
            let notice = MuteNotice { kind, muted: true, actor: None };
            assert_eq!(read(&xml), Some(notice.clone()));
            let by = format!("<mute xmlns='{ns}' actor='r@c.x/9d8e7f6a'>true</mute>");
            assert_eq!(read(&by), Some(MuteNotice { actor: Some(bob.clone()), ..notice.clone() }));
            let bad = format!("<mute xmlns='{ns}' actor='@'>maybe</mute>");
            assert_eq!(read(&bad), Some(MuteNotice { muted: false, ..notice }));
        }
    }
}
