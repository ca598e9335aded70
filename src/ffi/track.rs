//! `jmeet_track` and lists of them: identity and state of one source, remote or our own. Its data flows through readers and writers.

use super::args::{Struct, Texts, fill, init, jmeet_str, out_of_range, truth, writable};
use super::client::Client;
use super::entry::{about, entry};
use super::error::jmeet_error;
use super::handle::{Object, Table, get, take};
use super::participant::jmeet_participant;
use super::status::jmeet_status;
use crate::client::Writer;
use crate::error::{Code, Error, Stage};
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::meeting::TrackOptions;
use crate::meeting::event::{Track, TrackKey};
use crate::meeting::options::MAX_ENCODINGS;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A source: somebody's microphone, camera or screen, or one of ours. Borrowed, never freed by the program: it stays the same
/// through every change of connection, answers `JMEET_ERR_GONE` once removed, and ends when the TRACK_REMOVED event is freed (or the
/// client).
///
/// Functions: `jmeet_track_get`, `jmeet_track_key`, `jmeet_track_set_muted`, `jmeet_track_remove`, `jmeet_track_request_key_frame`,
/// `jmeet_track_send_tones`, `jmeet_track_get_status`, `jmeet_writer_new`, `jmeet_reader_new`. From `jmeet_event_track`, `jmeet_conference_send_track`, `jmeet_track_list_get`, frames.
pub struct jmeet_track {
    _opaque: [u8; 0],
}

/// Tracks as they were at one moment. Freed by the caller.
///
/// Functions: `jmeet_conference_list_tracks`, `jmeet_track_list_size`, `jmeet_track_list_get`, `jmeet_track_list_free`.
pub struct jmeet_track_list {
    _opaque: [u8; 0],
}

/// What a local track sends. `media` or `codec` is enough.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_track_options {
    pub struct_size: u32,
    /// A `jmeet_media`; unspecified: that of `codec`.
    pub media: u32,
    /// A `jmeet_codec`; unspecified: Opus for audio, VP8 for video. CODEC_WANTED tells when it is to be another one.
    pub codec: u32,
    /// A `jmeet_video_type`; unspecified: a camera.
    pub video_type: u32,
    /// Not 0: starts muted. So does what is added while the focus has its kind muted (MUTED_BY, START_MUTED).
    pub muted: u32,
    /// Frames that may wait for the network; 0: 32.
    pub queue_frames: u32,
    /// Video: how many encodings of one picture are written, smallest first (simulcast); 0: 1, at
    /// most 3. `jmeet_outgoing_frame.encoding` says which one a frame is of. A single peer gets the largest alone, number encodings - 1; the
    /// others have a target of 0 then.
    pub encodings: u32,
    /// Video: height of the largest encoding in pixels; 0: 720. TARGET_BITRATE tells what each encoding is to have: a quarter, a half
    /// and the whole of it; of 1080 and more 180, 360 and the whole.
    pub height: u32,
    /// Video: pictures per second at most; 0: 30 of a camera, 5 of a screen. A screen of at most 5 is sent sharp and slow, in its
    /// largest encoding alone.
    pub max_frame_rate: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_track_options {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_track_options, encodings)];
}

/// What is known of a track. Strings live as long as the event, list or track that it came from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_track_info {
    pub struct_size: u32,
    /// A `jmeet_media`.
    pub media: u32,
    /// A `jmeet_video_type`.
    pub video_type: u32,
    /// Nothing comes from it now.
    pub muted: bool,
    /// One of ours.
    pub local: bool,
    /// Its handle; NULL in a list when it was removed meanwhile.
    pub track: *mut jmeet_track,
    /// Whose; NULL for our own and for participants who have left.
    pub participant: *mut jmeet_participant,
    /// Never used again within this client.
    pub key: u64,
    /// Whose.
    pub endpoint_id: jmeet_str,
    /// Unique in the room, such as "1a2b3c4d-v0".
    pub source_name: jmeet_str,
    /// A `jmeet_codec`: of ours what frames must be now (CODEC_WANTED); of somebody else's video that of the newest frame that was put
    /// together for a reader, UNSPECIFIED before one was.
    pub codec: u32,
    /// Must not be read; 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_track_info {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_track_info, codec)];
}

impl jmeet_track_options {
    pub(super) fn read(&self) -> Result<TrackOptions, Error> {
        let bad = |text: &str| Err(Error::new(Code::InvalidArgument, Stage::None, text));
        let codec = match (self.codec, self.media) {
            (0, 1) | (1, 0 | 1) => Codec::Opus,
            (0, 2) | (2, 0 | 2) => Codec::Vp8,
            (3, 0 | 2) => Codec::H264,
            (4, 0 | 2) => Codec::Vp9,
            (5, 0 | 2) => Codec::Av1,
            (0, 0) => return bad("media or codec is needed"),
            _ => return bad("media and codec do not fit, or one is unknown"),
        };
        let video_type = match (self.video_type, codec.media_type()) {
            (0, _) | (1, MediaType::Video) => VideoType::Camera,
            (2, MediaType::Video) => VideoType::Desktop,
            _ => return bad("video_type is unknown, or the track is audio"),
        };
        if self.encodings > MAX_ENCODINGS || (self.encodings > 1 && codec.media_type() == MediaType::Audio) {
            return bad("encodings: at most 3, for video");
        }
        let (muted, queue_frames, max_frame_rate) = (truth(self.muted), self.queue_frames, self.max_frame_rate);
        let (encodings, height) = (self.encodings, self.height);
        Ok(TrackOptions { codec, video_type, muted, queue_frames, encodings, height, max_frame_rate })
    }
}

pub(super) struct Source {
    pub client: Arc<Client>,
    pub key: TrackKey,
    texts: Texts,
    /// Of a track of ours.
    writer: Option<Writer>,
    removed: AtomicBool,
}

impl Source {
    pub fn remote(client: Arc<Client>, key: TrackKey) -> Source {
        Source { client, key, texts: Texts::default(), writer: None, removed: AtomicBool::new(false) }
    }

    pub fn local(client: Arc<Client>, writer: Writer) -> Source {
        let key = writer.track();
        Source { client, key, texts: Texts::default(), writer: Some(writer), removed: AtomicBool::new(false) }
    }

    /// The writing end of a track of ours.
    pub fn writer(&self) -> Result<&Writer, Error> {
        match &self.writer {
            Some(_) if self.removed.load(Ordering::Acquire) => Err(gone()),
            Some(w) => Ok(w),
            None => Err(Error::new(Code::InvalidArgument, Stage::None, "the track is not ours")),
        }
    }
}

impl Object for Source {
    type Handle = jmeet_track;

    fn table() -> &'static Table<Source> {
        static TABLE: Table<Source> = Table::new(7);
        &TABLE
    }
}

pub(super) struct Sources {
    client: Arc<Client>,
    tracks: Vec<(Arc<Track>, Texts)>,
}

impl Sources {
    pub fn new(client: Arc<Client>, tracks: Vec<Arc<Track>>) -> Sources {
        Sources { client, tracks: tracks.into_iter().map(|t| (t, Texts::default())).collect() }
    }
}

impl Object for Sources {
    type Handle = jmeet_track_list;

    fn table() -> &'static Table<Sources> {
        static TABLE: Table<Sources> = Table::wrapping(13);
        &TABLE
    }
}

/// No track with this name or key is in the room.
pub(super) fn no_such_track() -> Error {
    Error::new(Code::NoSuchTrack, Stage::None, "no such track")
}

pub(super) fn gone() -> Error {
    Error::new(Code::Gone, Stage::None, "the track is gone")
}

/// A track handle of C; a panic from here on closes its client.
pub(super) fn track(handle: *const jmeet_track) -> Result<Arc<Source>, Error> {
    let t = get::<Source>(handle)?;
    about(t.client.handle());
    Ok(t)
}

/// The info of a track whose strings `texts` keeps.
pub(super) fn info(
    t: &Track,
    participant: *mut jmeet_participant,
    track: *mut jmeet_track,
    texts: &Texts,
) -> jmeet_track_info {
    let [endpoint_id, source_name] = texts.get([&t.endpoint_id, &t.source_name]);
    jmeet_track_info {
        struct_size: 0,
        media: t.media as u32,
        video_type: if t.media == MediaType::Video { t.video_type as u32 } else { 0 },
        muted: t.muted,
        local: t.local,
        track,
        participant,
        key: t.key.0,
        endpoint_id,
        source_name,
        codec: t.codec.map_or(0, |c| c as u32),
        reserved: 0,
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_options_init(options: *mut jmeet_track_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_info_init(info: *mut jmeet_track_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// What is known of a track now, which may be ahead of the queue. The strings live as long as the track. Any thread; does not
/// block.
///
/// Errors: `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_NOT_READY`: it is ours and the room does not know it yet; `JMEET_ERR_CLOSED`: nor will it,
/// the meeting is over. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_get(track: *mut jmeet_track, info: *mut jmeet_track_info) -> jmeet_status {
    entry!({
        writable(info)?;
        let t = self::track(track)?;
        let room = t.client.conference()?;
        let now = match &t.writer {
            Some(_) => t.writer().and_then(|_| room.own_track(t.key))?,
            None => room.track(t.key).ok_or_else(gone)?,
        };
        fill(info, self::info(&now, t.client.participant_or_null(now.participant), track, &t.texts))
    })
}

/// The number of a track, never used again within its client; 0 if `track` is none. Also of one that is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_key(track: *const jmeet_track) -> u64 {
    entry!(or 0; { Ok(get::<Source>(track)?.key.0) })
}

/// Mutes (`muted` not 0) or unmutes a track of ours, so that others see it. While it is muted writes answer `JMEET_ERR_MUTED`. With a `tag`
/// a REQUEST_DONE comes at once when it was taken: the room is told then, or with the join where that is not done. What the focus muted (MUTED_BY, START_MUTED)
/// is unmuted, and done, when the focus consents; until then it stays muted. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: not ours. `JMEET_ERR_GONE`, `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`. REQUEST_DONE: `JMEET_ERR_NOT_ALLOWED`: the room is moderated and we are to stay muted. `JMEET_ERR_REQUEST`,
/// `JMEET_ERR_REQUEST_TIMEOUT`: the focus refused for another reason, or did not answer; muted still. `JMEET_ERR_CANCELLED`: muted again
/// meanwhile, or the meeting ended. `JMEET_ERR_GONE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_set_muted(
    track: *mut jmeet_track,
    muted: u32,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; { self::track(track)?.writer()?.set_muted(truth(muted), tag) })
}

/// Removes a track of ours. Its writers answer `JMEET_ERR_CLOSED` from now on. A peer that receives it sees it muted, because peers do
/// not signal that a source is gone; a new track of the same codec takes its place. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: not ours. `JMEET_ERR_GONE`: removed already. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_remove(track: *mut jmeet_track) -> jmeet_status {
    entry!({
        let t = self::track(track)?;
        let writer = t.writer()?;
        t.removed.store(true, Ordering::Release);
        writer.close();
        Ok(())
    })
}

/// Asks the sender of somebody's video track for a key frame. Asking often is fine: requests are spread out. Any thread; does not
/// block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track is ours. `JMEET_ERR_GONE`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_request_key_frame(track: *mut jmeet_track) -> jmeet_status {
    entry!({
        let t = self::track(track)?;
        t.client.conference()?.request_key_frame(t.key)
    })
}

/// How many there are; 0 if `list` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_list_size(list: *const jmeet_track_list) -> usize {
    entry!(or 0; { Ok(get::<Sources>(list)?.tracks.len()) })
}

/// Reads number `index` of a list, from 0. The strings live as long as the list. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many, or struct_size. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_list_get(
    list: *const jmeet_track_list,
    index: usize,
    info: *mut jmeet_track_info,
) -> jmeet_status {
    entry!({
        writable(info)?;
        let l = get::<Sources>(list)?;
        let (t, texts) = l.tracks.get(index).ok_or_else(out_of_range)?;
        let participant = l.client.participant_or_null(t.participant);
        fill(info, self::info(t, participant, l.client.track_or_null(t.key), texts))
    })
}

/// Frees a list and its strings. NULL is fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_list_free(list: *mut jmeet_track_list) -> jmeet_status {
    entry!({ take::<Sources>(list).map(drop) })
}
