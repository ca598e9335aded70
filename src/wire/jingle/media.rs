//! The closed words of sources, and the rule that ties a source name to its endpoint (docs/protocol/02 §16).

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Media {
    Audio,
    Video,
}

impl Media {
    /// The word of `description@media`.
    pub fn as_str(self) -> &'static str {
        match self {
            Media::Audio => "audio",
            Media::Video => "video",
        }
    }

    /// The media type of that word.
    pub fn parse(s: &str) -> Option<Media> {
        match s {
            "audio" => Some(Media::Audio),
            "video" => Some(Media::Video),
            _ => None,
        }
    }
}

/// What a video source shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoType {
    Camera,
    Desktop,
}

impl VideoType {
    /// The word of `source@videoType`.
    pub fn as_str(self) -> &'static str {
        match self {
            VideoType::Camera => "camera",
            VideoType::Desktop => "desktop",
        }
    }

    /// The type of that word; `desktop_high_fps` is a desktop (docs/protocol/02 §8.7).
    pub fn parse(s: &str) -> Option<VideoType> {
        match s {
            "camera" => Some(VideoType::Camera),
            "desktop" | "desktop_high_fps" => Some(VideoType::Desktop),
            _ => None,
        }
    }
}

/// The endpoint and media type that a source name speaks of: `<endpoint>-<a|v><index>`, with `.<language>` behind it for
/// translated audio. `None` for any other text.
pub fn source_owner(name: &str) -> Option<(&str, Media)> {
    let base = match name.rsplit_once('.') {
        // An endpoint id may hold a dot itself; only one behind the last dash marks a language.
        Some((base, language)) if !language.is_empty() && !language.contains('-') => base,
        _ => name,
    };
    let (owner, tail) = base.rsplit_once('-')?;
    let media = match tail.as_bytes().first()? {
        b'a' => Media::Audio,
        b'v' => Media::Video,
        _ => return None,
    };
    let index = &tail[1..];
    (!owner.is_empty() && !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit())).then_some((owner, media))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_source_name_is_found() {
        assert_eq!(source_owner("1a2b3c4d-a0"), Some(("1a2b3c4d", Media::Audio)));
        assert_eq!(source_owner("my-ep-v12"), Some(("my-ep", Media::Video)));
        assert_eq!(source_owner("ep-a0.de"), Some(("ep", Media::Audio)));
        assert_eq!(source_owner("e.p-v0"), Some(("e.p", Media::Video)));
        for bad in ["", "-a0", "x-a", "x-b0", "xa0", "x-v0x", "x-"] {
            assert_eq!(source_owner(bad), None, "{bad}");
        }
    }
}
