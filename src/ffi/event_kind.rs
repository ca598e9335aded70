//! The types of events. A program skips what it does not know; values are never reused or renumbered. Their order here is that of their
//! release, not of their topic.

/// Types of events, as `jmeet_event_type` answers them. Skip what you do not know: newer libraries have more.
///
/// "The newest counts": while one waits in a queue that is not drained, a newer one of the same object (participant, track, encoding, way of
/// media) takes its place. So it is with every type but REQUEST_DONE, MESSAGE, ENDPOINT_MESSAGE, TONE, SOURCES_REFUSED, CLOSED and those that
/// tell who and what came and went.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_event_kind {
    /// Answer to an invalid handle; never delivered.
    JMEET_EVENT_NONE = 0,
    /// A call with a tag has finished: `jmeet_event_tag`, `jmeet_event_status`, `jmeet_event_error`.
    JMEET_EVENT_REQUEST_DONE = 1,
    /// The client went a step further: `jmeet_event_state`. Only the newest of several waiting ones is kept.
    JMEET_EVENT_STATE = 2,
    /// We are in the room, told once: `jmeet_event_joined`. Those who were there before us come before it, whoever comes after it is new.
    JMEET_EVENT_JOINED = 3,
    /// Somebody is here, or was before us: `jmeet_event_participant`.
    JMEET_EVENT_PARTICIPANT_JOINED = 4,
    /// Something about a participant changed: `jmeet_event_participant`, with `changed`.
    JMEET_EVENT_PARTICIPANT_UPDATED = 5,
    /// Somebody left: `jmeet_event_participant` and `jmeet_event_participant_left`. Freeing this event ends the participant's
    /// handle. When we leave, or are made to, it comes for everybody, with `we_left`.
    JMEET_EVENT_PARTICIPANT_LEFT = 6,
    /// Our own role changed: `jmeet_event_role`.
    JMEET_EVENT_ROLE = 7,
    /// Somebody said something, never ourselves: `jmeet_event_message`. Rooms that keep what was said send it to whoever joins, as `delayed`.
    JMEET_EVENT_MESSAGE = 8,
    /// The subject of the room: `jmeet_event_subject`.
    JMEET_EVENT_SUBJECT = 9,
    /// A source appeared: `jmeet_event_track`. Always after its participant's PARTICIPANT_JOINED.
    JMEET_EVENT_TRACK_ADDED = 10,
    /// Mute state, video type or codec of a track changed: `jmeet_event_track`. Of our own only what others brought about: what the program
    /// did itself its REQUEST_DONE tells. The newest of each track counts.
    JMEET_EVENT_TRACK_UPDATED = 11,
    /// A source went, always before its participant's PARTICIPANT_LEFT: `jmeet_event_track`. Freeing this event ends the track's
    /// handle.
    JMEET_EVENT_TRACK_REMOVED = 12,
    /// The conference focus came or went: `jmeet_event_focus`. Media that flows goes on without it.
    JMEET_EVENT_FOCUS = 13,
    /// The media session: `jmeet_event_media`.
    JMEET_EVENT_MEDIA = 14,
    /// The focus offered a session with the bridge, which `disable_bridge` refuses.
    JMEET_EVENT_BRIDGE_OFFERED = 15,
    /// A receiver needs a key frame of an encoding of a local track, or it begins to be sent again or goes another way:
    /// `jmeet_event_key_frame_wanted`. Where media goes through the bridge again, after it went directly or nowhere, nothing goes out before
    /// that key frame. The newest of each encoding counts.
    JMEET_EVENT_KEY_FRAME_WANTED = 16,
    /// Send about this much, and this high, on an encoding of a local video track: `jmeet_event_target_bitrate`. For every encoding one comes
    /// before its first write is taken, and then with each change. Never for audio. The newest of each encoding counts.
    JMEET_EVENT_TARGET_BITRATE = 17,
    /// The codec that frames of a local track must be from now on, for everybody in the room takes it: once after its TRACK_ADDED, and
    /// with each change: `jmeet_event_codec_wanted`. The next frame must be a key frame. It follows who comes and goes after a second,
    /// so readers may get some frames of a codec that they did not name.
    JMEET_EVENT_CODEC_WANTED = 18,
    /// The estimate of what the path carries: `jmeet_event_bandwidth`.
    JMEET_EVENT_BANDWIDTH = 19,
    /// A stage between the join call and the first frame was reached: `jmeet_event_timeline`.
    JMEET_EVENT_TIMELINE = 20,
    /// Messages were dropped here because nobody drained the queue: `jmeet_event_overrun`.
    JMEET_EVENT_OVERRUN = 21,
    /// The client is finished: `jmeet_event_status` and `jmeet_event_error` say why, `JMEET_OK` that we left. Comes exactly once
    /// and last for its client, also after a failed join. When to come back is under ENDING above.
    JMEET_EVENT_CLOSED = 22,
    /// Where the channel to the bridge stands; `jmeet_event_bridge_channel`. The newest counts.
    JMEET_EVENT_BRIDGE_CHANNEL = 23,
    /// Another dominant speaker, ourselves included, or silence; `jmeet_event_speaker`. The newest counts.
    JMEET_EVENT_SPEAKER = 24,
    /// An application message of another endpoint; `jmeet_event_endpoint_message`.
    JMEET_EVENT_ENDPOINT_MESSAGE = 25,
    /// The bridge began to send us a video track, or suspended it; `jmeet_event_track_forwarded`. The newest of each track counts.
    JMEET_EVENT_TRACK_FORWARDED = 26,
    /// What the bridge thinks that our downlink carries; `jmeet_event_downlink`. The newest counts.
    JMEET_EVENT_DOWNLINK = 27,
    /// The focus has no videobridge for the room, or has one again: `jmeet_event_bridge`. A state, not an end.
    JMEET_EVENT_BRIDGE = 28,
    /// A remote video track does otherwise than before: `jmeet_event_track_streaming`. The newest of each track counts.
    JMEET_EVENT_TRACK_STREAMING = 29,
    /// The bridge hears nothing of an endpoint any more, or hears it again: `jmeet_event_connectivity`. The newest of each counts.
    JMEET_EVENT_CONNECTIVITY = 30,
    /// How far another endpoint is, once for each: `jmeet_event_round_trip`. Only with `jmeet_client_options.measure_round_trips`.
    JMEET_EVENT_ROUND_TRIP = 31,
    /// Tracks of ours are not sent over one of the ways: `jmeet_event_sources_refused`.
    JMEET_EVENT_SOURCES_REFUSED = 32,
    /// The focus had us begin muted: `jmeet_event_start_muted`. Our tracks of that kind are muted already (TRACK_UPDATED);
    /// `jmeet_track_set_muted` asks to be heard.
    JMEET_EVENT_START_MUTED = 33,
    /// The focus refused to look for another path within the bridge session: `jmeet_event_restart_refused`. When the path is lost
    /// another session follows, which MEDIA tells.
    JMEET_EVENT_RESTART_REFUSED = 34,
    /// Somebody pressed a key of a telephone, in the audio of a track that is read: `jmeet_event_tone`.
    JMEET_EVENT_TONE = 35,
    /// What a participant says of their connection, every ten seconds, through the bridge: `jmeet_event_participant_stats`. The newest of each
    /// counts. In meetings of more than 20 the bridge passes on those of whom we look at only; where there is no bridge none come.
    JMEET_EVENT_PARTICIPANT_STATS = 36,
    /// Our own connection in the last ten seconds, as the others are told of it: `jmeet_event_local_stats`. The newest counts.
    JMEET_EVENT_LOCAL_STATS = 37,
    /// A moderator, or the focus by itself, had us muted: `jmeet_event_muted_by`. Our tracks of that kind are muted already (TRACK_UPDATED);
    /// `jmeet_track_set_muted` asks to be heard again. The newest of each kind counts.
    JMEET_EVENT_MUTED_BY = 38,
}
