//! The children that Jitsi puts into an occupant's presence; docs/protocol/03 §5.2, §5.6, §8.1.
//!
//! Only values are read here. Whether the sender may say them is for the room to judge.

use super::{Element, ns};

/// Features kept of one presence (default 128).
pub const MAX_PRESENCE_FEATURES: usize = 128;
/// `jitsi_participant_*` properties kept of one presence (default 64).
pub const MAX_PARTICIPANT_PROPERTIES: usize = 64;
/// Conference properties kept of the focus (default 64).
pub const MAX_CONFERENCE_PROPERTIES: usize = 64;
/// Codecs kept of a codec list (default 16).
pub const MAX_CODECS: usize = 16;
/// Bytes kept of any text in a presence (default 4096); longer ones are cut at a character.
pub const MAX_PRESENCE_TEXT: usize = 4096;

const PROPERTY: &str = "jitsi_participant_";

/// What an available or unavailable presence says, apart from the room's own muc#user element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OccupantPresence {
    pub display_name: String,
    pub stats_id: String,
    pub status: String,
    pub features: Vec<String>,
    /// JSON text of `SourceInfo`.
    pub source_info: Option<String>,
    pub silent: bool,
    /// Type of a bot; None when the element is absent.
    pub bot: Option<String>,
    /// `jitsi_participant_*` without the prefix, in document order. A missing element keeps the old value at receivers.
    pub properties: Vec<(String, String)>,
    /// Codec of senders from before the codec list.
    pub codec_type: String,
    /// State of senders from before `SourceInfo`.
    pub legacy: LegacyMedia,
    /// Properties of the conference; the focus alone may set them.
    pub conference_properties: Option<Vec<(String, String)>>,
    /// The focus has no bridge for the room.
    pub bridge_not_available: bool,
    /// The whole (unavailable) presence is to be passed over.
    pub ignore: bool,
}

/// `audiomuted`, `videomuted` and `videoType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegacyMedia {
    pub audio_muted: Option<bool>,
    pub video_muted: Option<bool>,
    pub desktop: bool,
}

impl OccupantPresence {
    /// Reads the children of a presence stanza. Where an element is repeated, the last one counts, except for features.
    pub fn read(presence: Element<'_>) -> OccupantPresence {
        let mut p = OccupantPresence::default();
        for child in presence.children() {
            match (child.name(), child.ns()) {
                ("nick", ns::NICK) => p.display_name = text(child),
                ("stats-id", _) => p.stats_id = text(child),
                ("status", n) if n == presence.ns() => p.status = text(child),
                ("features", _) => {
                    let all = child.children().filter(|c| c.name() == "feature").filter_map(|c| c.attr("var"));
                    let room = MAX_PRESENCE_FEATURES.saturating_sub(p.features.len());
                    p.features.extend(all.take(room).map(str::to_owned));
                }
                // Not cut: half a JSON text is none, and its own limit is checked where it is read.
                ("SourceInfo", _) => p.source_info = Some(child.text().into_owned()),
                ("silent", _) => p.silent = !child.text().is_empty(),
                ("bot", _) => p.bot = Some(cut(child.attr("type").unwrap_or(""))),
                ("audiomuted", _) => p.legacy.audio_muted = Some(child.text() == "true"),
                ("videomuted", _) => p.legacy.video_muted = Some(child.text() == "true"),
                ("videoType", _) => p.legacy.desktop = child.text() == "desktop",
                ("jitsi_participant_codecType", _) => p.codec_type = text(child),
                ("conference-properties", ns::FOCUS) => p.conference_properties = Some(properties(child)),
                ("bridgeNotAvailable", ns::FOCUS) => p.bridge_not_available = true,
                ("ignore", "http://jitsi.org/jitmeet/") => p.ignore = true,
                (name, _) => {
                    if let Some(name) = name.strip_prefix(PROPERTY)
                        && p.properties.len() < MAX_PARTICIPANT_PROPERTIES
                    {
                        p.properties.push((name.to_owned(), text(child)));
                    }
                }
            }
        }
        p
    }

    /// The value of a participant property; None when the element is absent.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The codecs in order of preference; None when the presence says nothing of them.
    pub fn codecs(&self) -> Option<Vec<String>> {
        let list = self.property("codecList").or(Some(self.codec_type.as_str()).filter(|c| !c.is_empty()))?;
        let codecs = list.split(',').map(str::trim).filter(|c| !c.is_empty());
        Some(codecs.take(MAX_CODECS).map(str::to_ascii_lowercase).collect())
    }
}

fn properties(e: Element<'_>) -> Vec<(String, String)> {
    let pairs = e.children().filter(|c| c.name() == "property");
    let pairs = pairs.filter_map(|c| Some((cut(c.attr("key")?), cut(c.attr("value").unwrap_or("")))));
    pairs.take(MAX_CONFERENCE_PROPERTIES).collect()
}

fn text(e: Element<'_>) -> String {
    cut(&e.text())
}

fn cut(s: &str) -> String {
    let mut end = s.len().min(MAX_PRESENCE_TEXT);
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    s[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(inner: &str) -> OccupantPresence {
        let text = format!("<presence xmlns='jabber:client'>{inner}</presence>");
        OccupantPresence::read(Document::parse(&text).unwrap().root())
    }

    #[test]
    fn the_registered_children_are_read() {
        let p = read(
            "<nick xmlns='http://jabber.org/protocol/nick'>Ada</nick><stats-id>Ada-x1</stats-id><status>away</status>\
             <features><feature var='f1'/></features><SourceInfo>{}</SourceInfo><silent xmlns='s'>true</silent>\
             <bot type='transcriber'/><jitsi_participant_codecList>VP9, vp8,,h264</jitsi_participant_codecList>\
             <jitsi_participant_raisedHand>17</jitsi_participant_raisedHand>\
             <conference-properties xmlns='http://jitsi.org/protocol/focus'><property key='bridge-count' value='2'/>\
             </conference-properties><bridgeNotAvailable xmlns='http://jitsi.org/protocol/focus'/>",
        );
        assert_eq!((p.display_name.as_str(), p.stats_id.as_str(), p.status.as_str()), ("Ada", "Ada-x1", "away"));
        assert_eq!(p.features, ["f1"]);
        assert_eq!(p.source_info.as_deref(), Some("{}"));
        assert!(p.silent && p.bridge_not_available && !p.ignore);
        assert_eq!(p.bot.as_deref(), Some("transcriber"));
        assert_eq!(p.codecs().unwrap(), ["vp9", "vp8", "h264"]);
        assert_eq!(p.property("raisedHand"), Some("17"));
        assert_eq!(p.conference_properties.unwrap(), [("bridge-count".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn legacy_senders_are_understood() {
        let p = read("<audiomuted>true</audiomuted><videomuted>false</videomuted><videoType>desktop</videoType>");
        assert_eq!(p.legacy, LegacyMedia { audio_muted: Some(true), video_muted: Some(false), desktop: true });
        assert_eq!(p.codecs(), None);
        let p = read("<jitsi_participant_codecType>VP8</jitsi_participant_codecType>");
        assert_eq!(p.codecs().unwrap(), ["vp8"]);
        assert!(read("<ignore xmlns='http://jitsi.org/jitmeet/'/>").ignore);
    }

    #[test]
    fn texts_and_lists_are_cut_at_their_limits() {
        let long = "é".repeat(MAX_PRESENCE_TEXT);
        assert_eq!(read(&format!("<stats-id>{long}</stats-id>")).stats_id.len(), MAX_PRESENCE_TEXT);
        let odd = format!("x{long}");
        assert_eq!(read(&format!("<stats-id>{odd}</stats-id>")).stats_id.len(), MAX_PRESENCE_TEXT - 1);
        let n = MAX_PRESENCE_FEATURES;
        let features = |n| format!("<features>{}</features>", "<feature var='f'/>".repeat(n));
        assert_eq!(read(&features(n)).features.len(), n);
        assert_eq!(read(&features(n + 1)).features.len(), n);
        let properties = "<jitsi_participant_p/>".repeat(MAX_PARTICIPANT_PROPERTIES + 1);
        assert_eq!(read(&properties).properties.len(), MAX_PARTICIPANT_PROPERTIES);
        let many = "<property key='k'/>".repeat(MAX_CONFERENCE_PROPERTIES + 1);
        let p = read(&format!(
            "<conference-properties xmlns='http://jitsi.org/protocol/focus'>{many}</conference-properties>"
        ));
        assert_eq!(p.conference_properties.unwrap().len(), MAX_CONFERENCE_PROPERTIES);
        let codecs = vec!["c"; MAX_CODECS + 1].join(",");
        let p = read(&format!("<jitsi_participant_codecList>{codecs}</jitsi_participant_codecList>"));
        assert_eq!(p.codecs().unwrap().len(), MAX_CODECS);
    }
}
