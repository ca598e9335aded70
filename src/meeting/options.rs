//! What a user can choose, with its defaults. Plain data; checked by [`ClientOptions::check`] before any I/O.

use crate::error::{Code, Error, Stage};
use crate::media::codec_selection::MAX_CODECS;
use crate::media::encodings::CAPPED_FPS;
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::xmpp::saslprep::saslprep;
use std::time::Duration;

/// Bytes of the longest text option (URL, names, token).
pub const MAX_OPTION_BYTES: usize = 16 * 1024;
/// Bytes of the longest display name. Longer ones are refused, not cut.
pub const MAX_DISPLAY_NAME_BYTES: usize = 512;
/// Time for all of joining, retries included, unless chosen otherwise.
pub const DEFAULT_JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything about one participant. `Default` plus `url` and `room` is enough.
#[derive(Clone, Default)]
pub struct ClientOptions {
    /// `wss://host/xmpp-websocket` (or `ws://` on loopback). `?room=` is added where it is missing (docs/protocol/03 §3.2).
    pub url: String,
    /// Room name without domain; folded to lower case.
    pub room: String,
    /// XMPP domain; empty: the host of the URL.
    pub domain: String,
    /// MUC service; empty: `conference.` + domain.
    pub muc: String,
    /// Conference-request target; empty: `focus.` + domain.
    pub focus: String,
    /// Bare JIDs trusted as focus from the start; the ones that conference requests answer are added (design §7).
    pub focus_users: Vec<String>,
    /// Shown to others; may be empty.
    pub display_name: String,
    /// JWT; sent in the URL, the upgrade request and the conference request. Never logged.
    pub token: String,
    /// User name for SCRAM or PLAIN; empty: anonymous.
    pub username: String,
    /// Its password. Never logged.
    pub password: String,
    /// Password of the room.
    pub room_password: String,
    /// Forces the own endpoint id (8 lower-case hex digits); for tests, where roles must be known.
    pub nickname: String,
    /// Time for all of joining; zero: [`DEFAULT_JOIN_TIMEOUT`].
    pub join_timeout: Duration,
    /// PEM certificates trusted beside the system's.
    pub extra_ca_pem: Vec<u8>,
    /// Accepts any certificate. Anybody on the path can read and change everything.
    pub insecure_skip_tls_verification: bool,
    /// Allows PLAIN, tokens and room passwords over an unencrypted connection that is not loopback.
    pub insecure_allow_plaintext_secrets: bool,
    /// Never start or accept peer-to-peer sessions.
    pub disable_p2p: bool,
    /// Never accept bridge sessions: media flows only while there are two of us.
    pub disable_bridge: bool,
    /// Do not let the bridge choose the SSRCs of what we receive: sources are then all signalled by the focus
    /// (docs/protocol/02 §17).
    pub disable_ssrc_rewriting: bool,
    /// The channel to the bridge over a WebSocket where the bridge offers a data channel, too.
    pub prefer_websocket: bool,
    /// WebSocket URLs of this host are passed over, if the bridge has others; empty: none are.
    pub ignore_channel_domain: String,
    /// Measure how far the other endpoints are, through the bridge and back (docs/protocol/04 §3): a few messages to each.
    pub measure_round_trips: bool,
    /// Video codecs that the program can both make and show, the best first: presence tells them, and which of them is sent is
    /// `CodecWanted`, as others come and go. Empty: those that its tracks are made with, and VP8; each track then stays with its own
    /// unless somebody in the room lacks it.
    pub video_codecs: Vec<Codec>,
    /// Use loopback addresses as ICE candidates: for tests on one machine.
    pub allow_loopback: bool,
    /// Given back with every event of this client.
    pub user_value: u64,
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens and passwords stay out of every log.
        f.debug_struct("ClientOptions").finish_non_exhaustive()
    }
}

impl ClientOptions {
    /// Checks every field on its own and together. Costs no I/O.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |text: &str| Err(Error::new(Code::Options, Stage::None, text));
        let texts = [
            &self.url,
            &self.room,
            &self.domain,
            &self.muc,
            &self.focus,
            &self.token,
            &self.username,
            &self.ignore_channel_domain,
        ];
        if texts.iter().chain([&&self.password, &&self.room_password]).any(|t| t.len() > MAX_OPTION_BYTES) {
            return Err(Error::new(Code::TooLarge, Stage::None, "a text option is over its limit"));
        }
        if self.display_name.len() > MAX_DISPLAY_NAME_BYTES {
            return Err(Error::new(Code::TooLarge, Stage::None, "display_name is over its limit"));
        }
        if !self.url.starts_with("ws://") && !self.url.starts_with("wss://") {
            return bad("url must start with ws:// or wss://");
        }
        if self.room.is_empty() || self.room.contains(['@', '/', ' ', '?', '&', '#']) {
            return bad("room must be a name without domain");
        }
        let hex = |n: &str| n.len() == 8 && n.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !self.nickname.is_empty() && !hex(&self.nickname) {
            return bad("nickname must be 8 lower-case hexadecimal digits");
        }
        if self.video_codecs.iter().any(|c| c.media_type() != MediaType::Video) {
            return bad("video_codecs names a codec of audio");
        }
        if self.video_codecs.len() > MAX_CODECS {
            return bad("video_codecs has too many entries");
        }
        if self.username.is_empty() != self.password.is_empty() {
            return bad("username and password belong together");
        }
        for (what, secret) in [("username", &self.username), ("password", &self.password)] {
            if let (false, Err(e)) = (secret.is_empty(), saslprep(secret)) {
                return bad(&format!("{what}: {e}"));
            }
        }
        Ok(())
    }
}

/// One local source.
#[derive(Clone, Debug)]
pub struct TrackOptions {
    /// What is sent, to begin with: `CodecWanted` tells when it is to be another one. Audio needs an audio codec, video a video codec.
    pub codec: Codec,
    /// Camera or screen, for video.
    pub video_type: VideoType,
    /// Starts muted.
    pub muted: bool,
    /// Frames waiting for the network, at most; zero: [`DEFAULT_WRITER_FRAMES`].
    pub queue_frames: u32,
    /// Video: encodings of the same picture that the program makes, smallest first (simulcast, docs/protocol/04 §11.3); zero or
    /// one: a single one. At most [`MAX_ENCODINGS`].
    pub encodings: u32,
    /// Video: height in pixels of the largest encoding; zero: [`DEFAULT_HEIGHT`]. What each one is to have is told with its bitrate:
    /// a quarter, a half and the whole of it; of 1080 a sixth, a third and the whole, of 2160 a twelfth, a sixth and the whole.
    pub height: u32,
    /// Video: pictures per second at most; zero: 30 of a camera, [`CAPPED_FPS`] of a screen. A screen of at most so many is sent sharp
    /// and slow, in one encoding (docs/protocol/04 §11.3).
    pub max_frame_rate: u32,
}

/// Encodings of one local video track at most.
pub const MAX_ENCODINGS: u32 = 3;
/// Pictures per second of a camera unless told.
pub const DEFAULT_FPS: u32 = 30;
/// Height of the largest encoding unless told.
pub const DEFAULT_HEIGHT: u32 = 720;

impl TrackOptions {
    /// A source of this codec: a camera where it is video, one encoding, not muted.
    pub fn new(codec: Codec) -> TrackOptions {
        let video_type = VideoType::Camera;
        TrackOptions { codec, video_type, muted: false, queue_frames: 0, encodings: 1, height: 0, max_frame_rate: 0 }
    }

    /// Pictures per second at most.
    pub fn frame_rate(&self) -> u32 {
        match (self.max_frame_rate, self.video_type) {
            (0, VideoType::Camera) => DEFAULT_FPS,
            (0, VideoType::Desktop) => CAPPED_FPS,
            (n, _) => n,
        }
    }

    /// How many encodings there are.
    pub fn encodings(&self) -> u32 {
        if self.codec.media_type() == MediaType::Video { self.encodings.clamp(1, MAX_ENCODINGS) } else { 1 }
    }
}

/// Frames that wait in a writer unless chosen otherwise.
pub const DEFAULT_WRITER_FRAMES: u32 = 32;

/// What a reader delivers and how much it keeps.
#[derive(Clone, Debug, Default)]
pub struct ReaderOptions {
    /// Only this media type; `None`: both.
    pub media: Option<MediaType>,
    /// Frames kept for a slow reader; zero: [`DEFAULT_READER_FRAMES`].
    pub queue_frames: u32,
    /// What goes when the queue is full.
    pub drop_newest: bool,
    /// Longest time a frame waits for the ones before it; zero: [`DEFAULT_JITTER`].
    pub jitter: Duration,
    /// Wanted height of video in pixels; zero: as large as it comes.
    pub height: u32,
}

/// Frames that wait in a reader unless chosen otherwise.
pub const DEFAULT_READER_FRAMES: u32 = 256;
/// Longest wait for a missing packet unless chosen otherwise.
pub const DEFAULT_JITTER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ClientOptions {
        ClientOptions { url: "ws://localhost/x".into(), room: "r".into(), ..Default::default() }
    }

    #[test]
    fn a_video_track_has_up_to_three_encodings_and_an_audio_track_one() {
        let of = |codec, encodings| TrackOptions { encodings, ..TrackOptions::new(codec) }.encodings();
        assert_eq!(
            [0, 1, MAX_ENCODINGS, MAX_ENCODINGS + 1].map(|n| of(Codec::Vp8, n)),
            [1, 1, MAX_ENCODINGS, MAX_ENCODINGS]
        );
        assert_eq!(of(Codec::Opus, MAX_ENCODINGS), 1);
    }

    #[test]
    fn each_field_is_checked() {
        assert!(options().check().is_ok());
        for (o, code) in [
            (ClientOptions { url: "http://x".into(), ..options() }, Code::Options),
            (ClientOptions { room: String::new(), ..options() }, Code::Options),
            (ClientOptions { room: "a@b".into(), ..options() }, Code::Options),
            (ClientOptions { nickname: "ABCDEF01".into(), ..options() }, Code::Options),
            (ClientOptions { username: "u".into(), ..options() }, Code::Options),
            (ClientOptions { video_codecs: vec![Codec::Vp8, Codec::Opus], ..options() }, Code::Options),
            (ClientOptions { video_codecs: vec![Codec::Vp8; MAX_CODECS + 1], ..options() }, Code::Options),
            (ClientOptions { username: "u".into(), password: "p\u{7}".into(), ..options() }, Code::Options),
            (ClientOptions { username: "\u{ad}".into(), password: "p".into(), ..options() }, Code::Options),
            (ClientOptions { display_name: "x".repeat(MAX_DISPLAY_NAME_BYTES + 1), ..options() }, Code::TooLarge),
            (ClientOptions { token: "x".repeat(MAX_OPTION_BYTES + 1), ..options() }, Code::TooLarge),
        ] {
            assert_eq!(o.check().map_err(|e| e.code), Err(code));
        }
        assert!(ClientOptions { display_name: "x".repeat(MAX_DISPLAY_NAME_BYTES), ..options() }.check().is_ok());
        assert!(ClientOptions { token: "x".repeat(MAX_OPTION_BYTES), ..options() }.check().is_ok());
        assert!(ClientOptions { video_codecs: vec![Codec::Av1; MAX_CODECS], ..options() }.check().is_ok());
        assert!(ClientOptions { nickname: "0000000f".into(), ..options() }.check().is_ok());
    }
}
