/*
 * jmeet: a native Jitsi participant as one library.
 *
 * Generated from the library's source; do not edit. Apache-2.0 OR MIT.
 *
 * A whole program: it joins a meeting, repeats what it hears said, and leaves when it hears "bye".
 * Build it with: cc -I include parrot.c -ljmeet
 *
 *     #include <jmeet.h>
 *     #include <stdio.h>
 *     #include <string.h>
 *
 *     int main(int argc, char **argv) {
 *         if (argc < 3) return 2;
 *         jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
 *         options.url = argv[1];                    // wss://meet.example/xmpp-websocket
 *         options.room = argv[2];
 *         options.display_name = "Parrot";
 *         jmeet_queue *queue = NULL;
 *         jmeet_client *client = NULL;
 *         jmeet_conference *room = NULL;
 *         jmeet_event *event = NULL;
 *         jmeet_error *error = NULL;
 *         int failed = 1, over = 0;
 *
 *         if (jmeet_queue_new(NULL, &queue, &error) == JMEET_OK
 *             && jmeet_client_new(queue, &options, &client, &error) == JMEET_OK
 *             && jmeet_client_join(client, 0, &room, &error) == JMEET_OK) {
 *             while (!over && jmeet_queue_next(queue, -1, &event) == JMEET_OK) {
 *                 switch (jmeet_event_type(event)) {
 *                 case JMEET_EVENT_MESSAGE: {
 *                     jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
 *                     if (jmeet_event_message(event, &message) != JMEET_OK || message.delayed) break;
 *                     if (strcmp(message.text.data, "bye") == 0) jmeet_conference_leave(room, 0, NULL);
 *                     else jmeet_conference_send_message(room, message.text.data, 0, NULL);
 *                     break;
 *                 }
 *                 case JMEET_EVENT_CLOSED: {        // once, last, whatever happened
 *                     jmeet_error_info why = JMEET_ERROR_INFO_INIT;
 *                     jmeet_event_error(event, &why);
 *                     failed = why.status != JMEET_OK;
 *                     if (failed) fprintf(stderr, "%s: %s\n", jmeet_status_name(why.status), why.text.data);
 *                     over = 1;
 *                     break;
 *                 }
 *                 default: break;                   // newer libraries have more types
 *                 }
 *                 jmeet_event_free(event);
 *             }
 *         }
 *         if (error) fprintf(stderr, "%s\n", jmeet_error_text(error).data);
 *         jmeet_error_free(error);
 *         jmeet_client_free(client);
 *         jmeet_queue_free(queue);
 *         return failed;
 *     }
 *
 * OBJECTS. A queue collects events. A client is one participant: one connection and its main room, a conference. In the
 * conference are participants and tracks. Frames of remote tracks come out of readers, frames of our own tracks go into
 * writers. Whoever makes an object with a _new function (or takes an event, an error or a list) frees it with its _free
 * function; conferences, participants and tracks are borrowed and end with their client. Freeing NULL is fine. A client's
 * free ends everything that was made from it.
 *
 * EVENTS come in one order for each client: a participant before its tracks, a track's end before its participant's, REQUEST_DONE after the
 * state that it caused, CLOSED last. Each type has an accessor that reads what it carries; jmeet_event_kind names it.
 *
 * MEDIA goes straight to the other participant while there are two, and through the videobridge otherwise; JMEET_EVENT_MEDIA says
 * which way and when. A track is the same track on both ways: its readers and writers go on. What is read is what is asked for:
 * nobody reads video, then the bridge sends none. JMEET_EVENT_BRIDGE_CHANNEL tells of the channel to the bridge, on which speakers,
 * video constraints and application messages travel.
 *
 * A library may be built without media, for programs that only chat, moderate or watch; jmeet_features says so before anything is done.
 * It knows participants, and their tracks as they announce them. jmeet_conference_send_track, jmeet_conference_reader_new and
 * jmeet_reader_new answer JMEET_ERR_NOT_BUILT there: no tracks of ours, no writers, no readers, no MEDIA and nothing that follows from it.
 *
 * SENDING. A writer takes what an encoder made. CODEC_WANTED names the codec, once after the track's TRACK_ADDED and with each change;
 * TARGET_BITRATE tells what each encoding of a video track is to have, from before its first frame. Encodings are numbered from 0, the
 * smallest, on every way of media alike. An encoder of video waits for both before its first frame. Make a key frame at the start, when
 * KEY_FRAME_WANTED comes, after a write that answered JMEET_ERR_NOT_READY, JMEET_ERR_MUTED or JMEET_ERR_FULL, when a target rises from 0,
 * and with another height or codec. An encoder that has too little CPU is told of with jmeet_writer_set_limited: another codec, and less to
 * decode, come of it.
 *
 * Nobody is kept from writing another height or more than the target, as a program that plays files may have to: receivers get what is
 * written, and what the path does not carry is lost to them. Such a program does better to leave an encoding out, and to go back to a key
 * frame of its file when one is wanted; in its track's options it names the height and the encodings that its files have.
 *
 * ENDING. A client joins once and ends once, with CLOSED (a join that fails tells the same reason in its REQUEST_DONE before); whoever
 * wants to come back makes a new client, whose handles and keys are new, after some seconds and each time after more. That may help where
 * time does: after JMEET_ERR_RESOLVE, CONNECT, UPGRADE, STREAM, DISCONNECTED, SERVER_TIMEOUT, CONFERENCE_REQUEST, NOT_LIVE, ROOM_FULL,
 * NICKNAME_CONFLICT, REMOVED, ICE, PANIC and RESOURCES. It does not where somebody has decided (KICKED, DESTROYED, REPLACED, NOT_ALLOWED)
 * or where it takes other options (TLS, credentials, passwords and the rest). Losing the way to the bridge, a mute, or a focus that comes
 * and goes ends nothing: where it takes entering the room again the library does so by itself, and only what changed is told.
 *
 * HANDLES are numbers made to look like pointers, never addresses: a freed, stale, invented or wrong-type handle is answered
 * with JMEET_ERR_INVALID_HANDLE. One object has one handle, wherever it came from, as long as it lives: compare them with ==; to
 * remember somebody longer keep the key, which is never used again. Nothing that this header lets you say crashes the program, as
 * long as the strings, structs and buffers that you pass are what they say to be.
 *
 * RESULTS. Functions that can fail return jmeet_status; JMEET_OK is 0. Out-parameters are written only on success. Functions
 * that can fail for reasons outside the program take a jmeet_error ** last (NULL if you do not care), filled on failure.
 * JMEET_ERR_FORKED is the answer to every call in a forked child, and JMEET_ERR_PANIC stands for a caught defect of the
 * library, which closes the client concerned; neither is listed at each function.
 *
 * REQUESTS that need an answer of the server return at once and take a tag of your choice. If it is not 0, exactly one
 * JMEET_EVENT_REQUEST_DONE with it follows when the call returned JMEET_OK, and none when it did not. What a function lists under
 * "Errors:" it returns itself; what is listed behind "REQUEST_DONE:" comes in that event.
 *
 * TIMES. A timeout_ms is the longest wait, in milliseconds: 0 does not wait, JMEET_FOREVER (any negative number) has no limit. Names end
 * with their unit (_ms, _us, _kbps); the times of events and frames are on the clock of jmeet_now_us. A time, rate or size of 0 is not
 * known (yet), where nothing else is said of it.
 *
 * THREADS. Every function may be called from any thread, also inside callbacks, except where it says otherwise: one reader serves
 * one thread at a time. Only functions with a timeout_ms wait, for the network or for the client's own thread, never longer than that.
 * No lock of the library is held while your code runs.
 *
 * STRINGS are UTF-8. Yours are NUL-terminated and copied before the call returns. The library's are a jmeet_str, also
 * NUL-terminated, never NULL, and live as long as the event or object that they came from.
 *
 * STRUCTS start with struct_size. Set them with their INIT macro or _init function (which answers JMEET_ERR_NULL, or
 * JMEET_ERR_INVALID_ARGUMENT when size cannot be that of the struct); zero means default in each field. Programs built with this header
 * work with newer libraries of the same JMEET_ABI_VERSION, and with older ones while they use nothing that those do not know (else
 * JMEET_ERR_UNSUPPORTED, which is not listed at each function). A struct_size that no header gave is JMEET_ERR_INVALID_ARGUMENT; both hold
 * for structs that are filled, too.
 */


#ifndef JMEET_H
#define JMEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Version of this header. */
#define JMEET_VERSION_MAJOR 0

/** Version of this header. */
#define JMEET_VERSION_MINOR 1

/** Version of this header. */
#define JMEET_VERSION_PATCH 0

/** ABI of this header. A library with another one cannot be used with it. */
#define JMEET_ABI_VERSION 1

/** Bit of `jmeet_features`: sending and reading media. */
#define JMEET_FEATURE_MEDIA 1

/** Bit of `jmeet_participant_info.changed`: `display_name`. */
#define JMEET_CHANGED_DISPLAY_NAME 1

/** Bit of `changed`: `role`. */
#define JMEET_CHANGED_ROLE 2

/** Bit of `changed`: `features`. */
#define JMEET_CHANGED_FEATURES 4

/** Bit of `changed`: their status text, which is not told. */
#define JMEET_CHANGED_STATUS 8

/** Bit of `changed`: `raised_hand_ms`. */
#define JMEET_CHANGED_HAND 16

/** Bit of `changed`: `real_jid`, or what is not told. */
#define JMEET_CHANGED_OTHER 32

/** As `timeout_ms`: no limit. Every negative number means the same. */
#define JMEET_FOREVER -1

/** Messages of one client that wait in a queue at most. */
#define JMEET_MAX_MESSAGES 1024

/** How long a client that was freed inside a meeting goes on saying good-bye in its runtime, at most. */
#define JMEET_FREE_LINGER_MS 250

/** Requests of one client that may be under way at once; past it a call answers `JMEET_ERR_BUSY`. */
#define JMEET_MAX_REQUESTS 1024

/** Longest text of a chat message, in bytes. */
#define JMEET_MAX_MESSAGE_BYTES 65536

/** Tracks of ours at once. */
#define JMEET_MAX_LOCAL_TRACKS 16

/** Application messages that wait for the channel to the bridge at most. */
#define JMEET_MAX_WAITING_MESSAGES 64

/** Their bytes in all. */
#define JMEET_MAX_WAITING_MESSAGE_BYTES 262144

/** How long one waits, in milliseconds. */
#define JMEET_WAITING_MESSAGE_MS 30000

/** Longest frame, in bytes. */
#define JMEET_MAX_FRAME_BYTES 4194304

/** `temporal_id` is known. */
#define JMEET_FRAME_HAS_TEMPORAL_ID 1

/** `audio_level` is known. */
#define JMEET_FRAME_HAS_AUDIO_LEVEL 2

/** `capture_unix_us` is known: a sender report has tied the sender's clock to wall time. */
#define JMEET_FRAME_HAS_CAPTURE_TIME 4

/** `width` and `height` are known: of key frames. */
#define JMEET_FRAME_HAS_SIZE 8

/** `participant_key` is known: they are in the room. */
#define JMEET_FRAME_HAS_PARTICIPANT 16

/** `track_key` is known: the track is there. */
#define JMEET_FRAME_HAS_TRACK 32

/**
 * What a call, a request or a meeting came to. 0 is success; 1 to 99 misuse of the API; then by layer. New codes may be added:
 * treat an unknown one as a failure.
 */
enum jmeet_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Success. */
    JMEET_OK = 0,
    /** A required pointer was NULL. */
    JMEET_ERR_NULL = 1,
    /** The handle is stale, freed, of another type, or never was one. */
    JMEET_ERR_INVALID_HANDLE = 2,
    /**
     * The participant or track has gone; its handle stays valid until the removal event is freed. (By a name or key that nobody has, or has
     * any more: NO_SUCH_PARTICIPANT, NO_SUCH_TRACK.)
     */
    JMEET_ERR_GONE = 3,
    /** An argument is out of its range. */
    JMEET_ERR_INVALID_ARGUMENT = 4,
    /** A string is not UTF-8. */
    JMEET_ERR_INVALID_UTF8 = 5,
    /** The call does not fit the state of the object. */
    JMEET_ERR_STATE = 6,
    /** Another thread is in a call on this object, or too many requests are outstanding. */
    JMEET_ERR_BUSY = 7,
    /** Something still uses the object. */
    JMEET_ERR_IN_USE = 8,
    /** The caller's header is newer than this library. */
    JMEET_ERR_UNSUPPORTED = 9,
    /** The event is of another type. */
    JMEET_ERR_WRONG_EVENT = 10,
    /** The time given to the call ran out; nothing is wrong. */
    JMEET_ERR_TIMEOUT = 11,
    /** The object was closed. */
    JMEET_ERR_CLOSED = 12,
    /** Called in a forked child: nothing works there. */
    JMEET_ERR_FORKED = 13,
    /** A defect of this library was caught; the client it happened in is closed. */
    JMEET_ERR_PANIC = 14,
    /** The operating system refused memory, threads or sockets. */
    JMEET_ERR_RESOURCES = 15,
    /** A text is longer than its limit. */
    JMEET_ERR_TOO_LARGE = 16,
    /** There is no such participant in the room. */
    JMEET_ERR_NO_SUCH_PARTICIPANT = 17,
    /** The options do not make sense together; the text says which. */
    JMEET_ERR_OPTIONS = 18,
    /** There is no such track in the room. */
    JMEET_ERR_NO_SUCH_TRACK = 19,
    /** The host name has no address. */
    JMEET_ERR_RESOLVE = 100,
    /** No address of the host accepted the connection. */
    JMEET_ERR_CONNECT = 101,
    /** The TLS handshake failed. */
    JMEET_ERR_TLS = 102,
    /** The server's certificate is not trusted. */
    JMEET_ERR_TLS_UNTRUSTED = 103,
    /** The server's certificate is for another host name. */
    JMEET_ERR_TLS_HOSTNAME = 104,
    /** The server refused the WebSocket upgrade; the condition is the HTTP status. */
    JMEET_ERR_UPGRADE = 105,
    /** A secret would have gone over an unencrypted connection. */
    JMEET_ERR_INSECURE = 106,
    /** The server ended the stream with an error; the condition is its name. */
    JMEET_ERR_STREAM = 200,
    /** The server serves no such domain (`host-unknown`); the text names the domain tried. */
    JMEET_ERR_HOST_UNKNOWN = 201,
    /** The server broke the protocol. */
    JMEET_ERR_PROTOCOL = 202,
    /** The connection was lost. */
    JMEET_ERR_DISCONNECTED = 203,
    /** Another login took this one's place (`conflict`). */
    JMEET_ERR_REPLACED = 204,
    /** The server did not answer in time, or the join took longer than its timeout; the stage says where. */
    JMEET_ERR_SERVER_TIMEOUT = 205,
    /** Authentication failed; condition and text are the server's. */
    JMEET_ERR_AUTH = 300,
    /** The server wants a password or token and none was given. */
    JMEET_ERR_CREDENTIALS_REQUIRED = 301,
    /** No common authentication mechanism. */
    JMEET_ERR_NO_MECHANISM = 302,
    /** The server did not prove that it knows the password. */
    JMEET_ERR_SERVER_PROOF = 303,
    /** Resource binding failed. */
    JMEET_ERR_BIND = 304,
    /** The focus refused the conference request, or none is there. */
    JMEET_ERR_CONFERENCE_REQUEST = 400,
    /** The focus demands authentication before it makes this room. */
    JMEET_ERR_AUTHENTICATION_REQUIRED = 401,
    /** The reservation system refused the room. */
    JMEET_ERR_RESERVATION = 402,
    /** The focus redirects to a visitor node. */
    JMEET_ERR_REDIRECTED = 403,
    /** The meeting is not live. */
    JMEET_ERR_NOT_LIVE = 404,
    /** The room refused the join for a reason without a code of its own. */
    JMEET_ERR_JOIN = 500,
    /** The room has a password and it was not given, or is wrong. */
    JMEET_ERR_ROOM_PASSWORD = 501,
    /** Not allowed to enter, or to do what was asked: only moderators mute others, and a moderated room keeps one muted. */
    JMEET_ERR_NOT_ALLOWED = 502,
    /** The room is full. */
    JMEET_ERR_ROOM_FULL = 503,
    /** Only members enter; the text is the lobby's address. */
    JMEET_ERR_MEMBERS_ONLY = 504,
    /** A display name is required. */
    JMEET_ERR_DISPLAY_NAME_REQUIRED = 505,
    /** The room does not exist and guests may not create it. */
    JMEET_ERR_ROOM_DOES_NOT_EXIST = 506,
    /** The nickname is in use. */
    JMEET_ERR_NICKNAME_CONFLICT = 507,
    /** Kicked; the condition is the endpoint id of who did it. */
    JMEET_ERR_KICKED = 510,
    /** The room was destroyed. */
    JMEET_ERR_DESTROYED = 511,
    /** Removed by the service (shutdown, affiliation change). */
    JMEET_ERR_REMOVED = 512,
    /** A request was answered with an error; the condition is its name. */
    JMEET_ERR_REQUEST = 600,
    /** A request was not answered in time. */
    JMEET_ERR_REQUEST_TIMEOUT = 601,
    /** The meeting ended before the request was answered. */
    JMEET_ERR_CANCELLED = 602,
    /** No path to the peer was found. */
    JMEET_ERR_ICE = 700,
    /** The peer's DTLS handshake failed or its fingerprint is wrong. */
    JMEET_ERR_DTLS = 701,
    /** The frame is of a codec that the other side does not take, or of another one than CODEC_WANTED named. */
    JMEET_ERR_CODEC = 702,
    /** The writer's queue is full; the frame was not taken. */
    JMEET_ERR_FULL = 703,
    /** The track is muted; the frame was dropped. */
    JMEET_ERR_MUTED = 704,
    /**
     * Not yet: nobody receives media, or nothing of this encoding is to be sent now, and the frame was dropped; or what was asked for is not
     * known yet.
     */
    JMEET_ERR_NOT_READY = 705,
    /** The library was built without media, as `jmeet_features` tells: there is no sending and no reading. */
    JMEET_ERR_NOT_BUILT = 706,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_status jmeet_status;
#else
typedef int32_t jmeet_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Where on the way into, through, or out of a meeting something happened. */
enum jmeet_stage
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Not tied to a stage. */
    JMEET_STAGE_NONE = 0,
    /** Looking up the host name. */
    JMEET_STAGE_RESOLVE = 1,
    /** Connecting to the host. */
    JMEET_STAGE_CONNECT = 2,
    /** The TLS handshake. */
    JMEET_STAGE_TLS = 3,
    /** The WebSocket upgrade. */
    JMEET_STAGE_UPGRADE = 4,
    /** The XMPP stream. */
    JMEET_STAGE_STREAM = 5,
    /** Logging in. */
    JMEET_STAGE_AUTH = 6,
    /** Binding the resource. */
    JMEET_STAGE_BIND = 7,
    /** Asking the focus for the conference. */
    JMEET_STAGE_CONFERENCE_REQUEST = 8,
    /** Entering the room. */
    JMEET_STAGE_JOIN = 9,
    /** In the meeting. */
    JMEET_STAGE_JOINED = 10,
    /** Setting up or running media. */
    JMEET_STAGE_MEDIA = 11,
    /** On the way out. */
    JMEET_STAGE_LEAVE = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_stage jmeet_stage;
#else
typedef uint32_t jmeet_stage;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Types of events, as `jmeet_event_type` answers them. Skip what you do not know: newer libraries have more.
 *
 * "The newest counts": while one waits in a queue that is not drained, a newer one of the same object (participant, track, encoding, way of
 * media) takes its place. So it is with every type but REQUEST_DONE, MESSAGE, ENDPOINT_MESSAGE, TONE, SOURCES_REFUSED, CLOSED and those that
 * tell who and what came and went.
 */
enum jmeet_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Answer to an invalid handle; never delivered. */
    JMEET_EVENT_NONE = 0,
    /** A call with a tag has finished: `jmeet_event_tag`, `jmeet_event_status`, `jmeet_event_error`. */
    JMEET_EVENT_REQUEST_DONE = 1,
    /** The client went a step further: `jmeet_event_state`. Only the newest of several waiting ones is kept. */
    JMEET_EVENT_STATE = 2,
    /** We are in the room, told once: `jmeet_event_joined`. Those who were there before us come before it, whoever comes after it is new. */
    JMEET_EVENT_JOINED = 3,
    /** Somebody is here, or was before us: `jmeet_event_participant`. */
    JMEET_EVENT_PARTICIPANT_JOINED = 4,
    /** Something about a participant changed: `jmeet_event_participant`, with `changed`. */
    JMEET_EVENT_PARTICIPANT_UPDATED = 5,
    /**
     * Somebody left: `jmeet_event_participant` and `jmeet_event_participant_left`. Freeing this event ends the participant's
     * handle. When we leave, or are made to, it comes for everybody, with `we_left`.
     */
    JMEET_EVENT_PARTICIPANT_LEFT = 6,
    /** Our own role changed: `jmeet_event_role`. */
    JMEET_EVENT_ROLE = 7,
    /** Somebody said something, never ourselves: `jmeet_event_message`. Rooms that keep what was said send it to whoever joins, as `delayed`. */
    JMEET_EVENT_MESSAGE = 8,
    /** The subject of the room: `jmeet_event_subject`. */
    JMEET_EVENT_SUBJECT = 9,
    /** A source appeared: `jmeet_event_track`. Always after its participant's PARTICIPANT_JOINED. */
    JMEET_EVENT_TRACK_ADDED = 10,
    /**
     * Mute state, video type or codec of a track changed: `jmeet_event_track`. Of our own only what others brought about: what the program
     * did itself its REQUEST_DONE tells. The newest of each track counts.
     */
    JMEET_EVENT_TRACK_UPDATED = 11,
    /**
     * A source went, always before its participant's PARTICIPANT_LEFT: `jmeet_event_track`. Freeing this event ends the track's
     * handle.
     */
    JMEET_EVENT_TRACK_REMOVED = 12,
    /** The conference focus came or went: `jmeet_event_focus`. Media that flows goes on without it. */
    JMEET_EVENT_FOCUS = 13,
    /** The media session: `jmeet_event_media`. */
    JMEET_EVENT_MEDIA = 14,
    /** The focus offered a session with the bridge, which `disable_bridge` refuses. */
    JMEET_EVENT_BRIDGE_OFFERED = 15,
    /**
     * A receiver needs a key frame of an encoding of a local track, or it begins to be sent again or goes another way:
     * `jmeet_event_key_frame_wanted`. Where media goes through the bridge again, after it went directly or nowhere, nothing goes out before
     * that key frame. The newest of each encoding counts.
     */
    JMEET_EVENT_KEY_FRAME_WANTED = 16,
    /**
     * Send about this much, and this high, on an encoding of a local video track: `jmeet_event_target_bitrate`. For every encoding one comes
     * before its first write is taken, and then with each change. Never for audio. The newest of each encoding counts.
     */
    JMEET_EVENT_TARGET_BITRATE = 17,
    /**
     * The codec that frames of a local track must be from now on, for everybody in the room takes it: once after its TRACK_ADDED, and
     * with each change: `jmeet_event_codec_wanted`. The next frame must be a key frame. It follows who comes and goes after a second,
     * so readers may get some frames of a codec that they did not name.
     */
    JMEET_EVENT_CODEC_WANTED = 18,
    /** The estimate of what the path carries: `jmeet_event_bandwidth`. */
    JMEET_EVENT_BANDWIDTH = 19,
    /** A stage between the join call and the first frame was reached: `jmeet_event_timeline`. */
    JMEET_EVENT_TIMELINE = 20,
    /** Messages were dropped here because nobody drained the queue: `jmeet_event_overrun`. */
    JMEET_EVENT_OVERRUN = 21,
    /**
     * The client is finished: `jmeet_event_status` and `jmeet_event_error` say why, `JMEET_OK` that we left. Comes exactly once
     * and last for its client, also after a failed join. When to come back is under ENDING above.
     */
    JMEET_EVENT_CLOSED = 22,
    /** Where the channel to the bridge stands; `jmeet_event_bridge_channel`. The newest counts. */
    JMEET_EVENT_BRIDGE_CHANNEL = 23,
    /** Another dominant speaker, ourselves included, or silence; `jmeet_event_speaker`. The newest counts. */
    JMEET_EVENT_SPEAKER = 24,
    /** An application message of another endpoint; `jmeet_event_endpoint_message`. */
    JMEET_EVENT_ENDPOINT_MESSAGE = 25,
    /** The bridge began to send us a video track, or suspended it; `jmeet_event_track_forwarded`. The newest of each track counts. */
    JMEET_EVENT_TRACK_FORWARDED = 26,
    /** What the bridge thinks that our downlink carries; `jmeet_event_downlink`. The newest counts. */
    JMEET_EVENT_DOWNLINK = 27,
    /** The focus has no videobridge for the room, or has one again: `jmeet_event_bridge`. A state, not an end. */
    JMEET_EVENT_BRIDGE = 28,
    /** A remote video track does otherwise than before: `jmeet_event_track_streaming`. The newest of each track counts. */
    JMEET_EVENT_TRACK_STREAMING = 29,
    /** The bridge hears nothing of an endpoint any more, or hears it again: `jmeet_event_connectivity`. The newest of each counts. */
    JMEET_EVENT_CONNECTIVITY = 30,
    /** How far another endpoint is, once for each: `jmeet_event_round_trip`. Only with `jmeet_client_options.measure_round_trips`. */
    JMEET_EVENT_ROUND_TRIP = 31,
    /** Tracks of ours are not sent over one of the ways: `jmeet_event_sources_refused`. */
    JMEET_EVENT_SOURCES_REFUSED = 32,
    /**
     * The focus had us begin muted: `jmeet_event_start_muted`. Our tracks of that kind are muted already (TRACK_UPDATED);
     * `jmeet_track_set_muted` asks to be heard.
     */
    JMEET_EVENT_START_MUTED = 33,
    /**
     * The focus refused to look for another path within the bridge session: `jmeet_event_restart_refused`. When the path is lost
     * another session follows, which MEDIA tells.
     */
    JMEET_EVENT_RESTART_REFUSED = 34,
    /** Somebody pressed a key of a telephone, in the audio of a track that is read: `jmeet_event_tone`. */
    JMEET_EVENT_TONE = 35,
    /**
     * What a participant says of their connection, every ten seconds, through the bridge: `jmeet_event_participant_stats`. The newest of each
     * counts. In meetings of more than 20 the bridge passes on those of whom we look at only; where there is no bridge none come.
     */
    JMEET_EVENT_PARTICIPANT_STATS = 36,
    /** Our own connection in the last ten seconds, as the others are told of it: `jmeet_event_local_stats`. The newest counts. */
    JMEET_EVENT_LOCAL_STATS = 37,
    /**
     * A moderator, or the focus by itself, had us muted: `jmeet_event_muted_by`. Our tracks of that kind are muted already (TRACK_UPDATED);
     * `jmeet_track_set_muted` asks to be heard again. The newest of each kind counts.
     */
    JMEET_EVENT_MUTED_BY = 38,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_event_kind jmeet_event_kind;
#else
typedef uint32_t jmeet_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Where a client stands. */
enum jmeet_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Answer to an invalid handle. */
    JMEET_STATE_UNSPECIFIED = 0,
    /** Made, not joined. */
    JMEET_STATE_NEW = 1,
    /** Transport, TLS, login. */
    JMEET_STATE_CONNECTING = 2,
    /** Conference request and room. */
    JMEET_STATE_JOINING = 3,
    /** In the room. */
    JMEET_STATE_JOINED = 4,
    /** On the way out. */
    JMEET_STATE_LEAVING = 5,
    /** Finished. */
    JMEET_STATE_CLOSED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_state jmeet_state;
#else
typedef uint32_t jmeet_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What a participant may do. */
enum jmeet_role
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Not known, or none. */
    JMEET_ROLE_NONE = 0,
    /** Listens only. */
    JMEET_ROLE_VISITOR = 1,
    /** Takes part. */
    JMEET_ROLE_PARTICIPANT = 2,
    /** May mute and remove others. */
    JMEET_ROLE_MODERATOR = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_role jmeet_role;
#else
typedef uint32_t jmeet_role;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Kinds of media. */
enum jmeet_media
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** In options: any. */
    JMEET_MEDIA_UNSPECIFIED = 0,
    JMEET_MEDIA_AUDIO = 1,
    JMEET_MEDIA_VIDEO = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_media jmeet_media;
#else
typedef uint32_t jmeet_media;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What a video track shows. */
enum jmeet_video_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** In options: a camera. In infos: not video. */
    JMEET_VIDEO_TYPE_UNSPECIFIED = 0,
    JMEET_VIDEO_TYPE_CAMERA = 1,
    /** A screen or window. */
    JMEET_VIDEO_TYPE_DESKTOP = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_video_type jmeet_video_type;
#else
typedef uint32_t jmeet_video_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What keeps an encoder of the program's from making all that it is to make. */
enum jmeet_limitation
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Not an answer. */
    JMEET_LIMITATION_UNSPECIFIED = 0,
    /** Nothing does. */
    JMEET_LIMITATION_NONE = 1,
    /** Too little CPU. */
    JMEET_LIMITATION_CPU = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_limitation jmeet_limitation;
#else
typedef uint32_t jmeet_limitation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Codecs of frames. */
enum jmeet_codec
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** In options: Opus for audio, VP8 for video. */
    JMEET_CODEC_UNSPECIFIED = 0,
    /** One Opus packet a frame (RFC 6716), RTP clock 48000 Hz. */
    JMEET_CODEC_OPUS = 1,
    /** One VP8 frame (RFC 6386), RTP clock 90000 Hz. */
    JMEET_CODEC_VP8 = 2,
    /**
     * One H.264 access unit with Annex B start codes. One that is read has four-byte start codes and no access unit delimiter; a key frame
     * brings its parameter sets. Sets that are written stay with their encoding of the track, and key frames that are written without
     * both get them. They may be written by themselves, also muted, not ready, or while another codec is wanted (`JMEET_ERR_FULL`: again):
     * then they take no time (`rtp_duration` 0 will do) and count as no frame. RTP clock 90000 Hz.
     */
    JMEET_CODEC_H264 = 3,
    /** One VP9 frame, or the superframe of a picture's spatial layers, RTP clock 90000 Hz. */
    JMEET_CODEC_VP9 = 4,
    /** One AV1 temporal unit of OBUs with sizes (low-overhead format), RTP clock 90000 Hz. */
    JMEET_CODEC_AV1 = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_codec jmeet_codec;
#else
typedef uint32_t jmeet_codec;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Which way media travels. */
enum jmeet_media_path
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_MEDIA_PATH_UNSPECIFIED = 0,
    /** Straight to the one other participant. */
    JMEET_MEDIA_PATH_PEER_TO_PEER = 1,
    /** Through the videobridge. */
    JMEET_MEDIA_PATH_BRIDGE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_media_path jmeet_media_path;
#else
typedef uint32_t jmeet_media_path;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Where the channel to the bridge stands: video constraints, speakers and application messages travel on it. */
enum jmeet_bridge_channel
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_BRIDGE_CHANNEL_UNSPECIFIED = 0,
    /** There is no bridge session, or it offers none. */
    JMEET_BRIDGE_CHANNEL_NONE = 1,
    JMEET_BRIDGE_CHANNEL_CONNECTING = 2,
    /** Open, over SCTP. */
    JMEET_BRIDGE_CHANNEL_DATA_CHANNEL = 3,
    /** Open, over a WebSocket. */
    JMEET_BRIDGE_CHANNEL_WEBSOCKET = 4,
    /** It broke and is tried again. */
    JMEET_BRIDGE_CHANNEL_WAITING = 5,
    /** Only a new session brings it back; without it the bridge sends no video. */
    JMEET_BRIDGE_CHANNEL_FAILED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_bridge_channel jmeet_bridge_channel;
#else
typedef uint32_t jmeet_bridge_channel;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** How a remote video track does. */
enum jmeet_streaming
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_STREAMING_UNSPECIFIED = 0,
    /**
     * Frames come, or none are to be expected: it is muted, or we want no video at all (no reader reads any, or `last_n` is negative).
     * Audio is always this.
     */
    JMEET_STREAMING_ACTIVE = 1,
    /**
     * The bridge does not forward it, and `jmeet_suspended` says why: others come first, the bandwidth is too small, or this track is not
     * wanted while others are.
     */
    JMEET_STREAMING_INACTIVE = 2,
    /** It should come and does not: for 10 s through the bridge, for 2.5 s from a peer. */
    JMEET_STREAMING_INTERRUPTED = 3,
    /** The bridge forwards it again; it has 10 s to begin. */
    JMEET_STREAMING_RESTORING = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_streaming jmeet_streaming;
#else
typedef uint32_t jmeet_streaming;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Why the bridge does not forward a video track. It does not say so itself: this follows from what we know. */
enum jmeet_suspended
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** It is forwarded, or nothing is known against it. */
    JMEET_SUSPENDED_NONE = 0,
    /** It is not there any more. */
    JMEET_SUSPENDED_GONE = 1,
    /** Its owner has muted it. */
    JMEET_SUSPENDED_MUTED = 2,
    /** We ask for none of it: no reader reads it, or `jmeet_receive_options` leaves it out. */
    JMEET_SUSPENDED_NOT_WANTED = 3,
    /** Others come first, and no more than our last-N are sent. */
    JMEET_SUSPENDED_LAST_N = 4,
    /** It does not fit into the bandwidth that the bridge sees. */
    JMEET_SUSPENDED_BANDWIDTH = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_suspended jmeet_suspended;
#else
typedef uint32_t jmeet_suspended;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Why tracks of ours are not sent. */
enum jmeet_source_refusal
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_SOURCE_REFUSAL_UNSPECIFIED = 0,
    /** The other side refused them, with `condition` and `text`. */
    JMEET_SOURCE_REFUSAL_REFUSED = 1,
    /** The other side did not answer. */
    JMEET_SOURCE_REFUSAL_NOT_ANSWERED = 2,
    /** One endpoint may have so many streams and no more: fewer tracks, or fewer encodings. */
    JMEET_SOURCE_REFUSAL_TOO_MANY = 3,
    /** A stream of them has the number of another one. */
    JMEET_SOURCE_REFUSAL_CONFLICT = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_source_refusal jmeet_source_refusal;
#else
typedef uint32_t jmeet_source_refusal;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** What of a participant is muted, all of one kind at once. */
enum jmeet_mute_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_MUTE_UNSPECIFIED = 0,
    /** Every microphone. */
    JMEET_MUTE_AUDIO = 1,
    /** Every camera. */
    JMEET_MUTE_CAMERA = 2,
    /** Every screen. */
    JMEET_MUTE_DESKTOP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_mute_kind jmeet_mute_kind;
#else
typedef uint32_t jmeet_mute_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** How far a media session is. */
enum jmeet_media_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_MEDIA_STATE_UNSPECIFIED = 0,
    /** Being set up. */
    JMEET_MEDIA_STATE_CONNECTING = 1,
    /** Frames flow. */
    JMEET_MEDIA_STATE_CONNECTED = 2,
    /** Over; `reason` says why. Another may follow. */
    JMEET_MEDIA_STATE_ENDED = 3,
    /** The path was lost, or is being replaced, and another is sought; CONNECTED or ENDED follows. */
    JMEET_MEDIA_STATE_RECOVERING = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_media_state jmeet_media_state;
#else
typedef uint32_t jmeet_media_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/** Stages between the join call and the first frames. */
enum jmeet_timeline_stage
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    JMEET_TIMELINE_UNSPECIFIED = 0,
    /** The join call. */
    JMEET_TIMELINE_START = 1,
    /** Socket, TLS and HTTP upgrade done. */
    JMEET_TIMELINE_TRANSPORT_OPEN = 2,
    /** Logged in. */
    JMEET_TIMELINE_AUTHENTICATED = 3,
    /** Resource bound. */
    JMEET_TIMELINE_BOUND = 4,
    /** Conference request sent. */
    JMEET_TIMELINE_CONFERENCE_REQUEST_SENT = 5,
    /** Conference request answered. */
    JMEET_TIMELINE_CONFERENCE_READY = 6,
    /** Presence sent to the room. */
    JMEET_TIMELINE_JOIN_SENT = 7,
    /** In the room. */
    JMEET_TIMELINE_JOINED = 8,
    /** Media session offered, by either side. */
    JMEET_TIMELINE_SESSION_INITIATE = 9,
    /** Media session accepted, by either side. */
    JMEET_TIMELINE_SESSION_ACCEPT = 10,
    /** A network path works. */
    JMEET_TIMELINE_ICE_CONNECTED = 11,
    /** Keys agreed: media may flow. */
    JMEET_TIMELINE_DTLS_CONNECTED = 12,
    /** First audio frame sent. */
    JMEET_TIMELINE_FIRST_AUDIO_SENT = 13,
    /** First video frame sent. */
    JMEET_TIMELINE_FIRST_VIDEO_SENT = 14,
    /** First audio frame received. */
    JMEET_TIMELINE_FIRST_AUDIO_RECEIVED = 15,
    /** First video frame received. */
    JMEET_TIMELINE_FIRST_VIDEO_RECEIVED = 16,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_timeline_stage jmeet_timeline_stage;
#else
typedef uint32_t jmeet_timeline_stage;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much a log text matters. Above DEBUG (that is, in ERROR, WARN and INFO) no text holds names of people or rooms, tokens, network
 * addresses or keys.
 */
enum jmeet_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Nothing: the default. */
    JMEET_LOG_OFF = 0,
    /** Defects of the library. */
    JMEET_LOG_ERROR = 1,
    /** What should not happen, and was survived. */
    JMEET_LOG_WARN = 2,
    /** The course of each client: connections, states, requests, media sessions, the bridge channel, and how it ended. */
    JMEET_LOG_INFO = 3,
    /** And who comes and goes, tracks, the stages of connecting, other people's texts of errors. */
    JMEET_LOG_DEBUG = 4,
    /**
     * And what each stanza and each message over the bridge's WebSocket is: type, sender and size, never what it says; no tokens, passwords
     * or keys.
     */
    JMEET_LOG_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum jmeet_log_level jmeet_log_level;
#else
typedef uint32_t jmeet_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A participant: one connection and its main room.
 *
 * Functions: `jmeet_client_new`, `jmeet_client_join`, `jmeet_client_conference`, `jmeet_client_state`, `jmeet_client_timeline`,
 * `jmeet_client_get_stats`, `jmeet_client_close`, `jmeet_client_free`.
 */
typedef struct jmeet_client jmeet_client;

/**
 * A room: the main room of a client. Borrowed: it ends with the client.
 *
 * Functions: `jmeet_conference_send_message`, `_send_private_message`, `_set_display_name`, `_leave`, `_room_jid`, `_endpoint_id`,
 * `_list_participants`, `_find_participant`, `_find_participant_by_key`, `_list_tracks`, `_find_track`, `_find_track_by_key`, `_send_track`,
 * `_reader_new`, `_set_receive`, `_send_endpoint_message`, `_get_speaking`, `_list_speakers`, `_stats_new`.
 */
typedef struct jmeet_conference jmeet_conference;

/**
 * Why a call failed: made by functions that end with `jmeet_error **error`, freed by the caller with `jmeet_error_free`.
 * Never holds a password, a token or a key.
 */
typedef struct jmeet_error jmeet_error;

/**
 * Something that happened to a client. Everything that an event says, strings included, lives until it is freed.
 *
 * Any thread may use it. Order, per client: a participant before its tracks, a track removed before its participant leaves, a
 * request done after the state that it caused, CLOSED once and last. Getters of other objects may be ahead of the queue.
 *
 * Functions: `jmeet_event_type`, `_client`, `_conference`, `_user_value`, `_tag`, `_status`, `_error`, `_retain`, `_free`, and for what it
 * carries one per type, named in `jmeet_event_kind`.
 */
typedef struct jmeet_event jmeet_event;

/** A frame kept for later, with all its pointers. Freed with `jmeet_frame_release`. */
typedef struct jmeet_frame_ref jmeet_frame_ref;

/**
 * Somebody else in the room. Borrowed, never freed by the program: it stays the same through every change of connection, answers
 * `JMEET_ERR_GONE` once they left, and ends when the PARTICIPANT_LEFT event is freed (or the client).
 *
 * Functions: `jmeet_participant_endpoint_id`, `jmeet_participant_key`, `jmeet_participant_get_status`, `jmeet_participant_get_stats`,
 * `jmeet_participant_mute`, `jmeet_participant_list_new`. From `jmeet_event_participant`, `jmeet_conference_find_participant`,
 * `jmeet_participant_list_get`.
 */
typedef struct jmeet_participant jmeet_participant;

/**
 * Participants as they were at one moment. Freed by the caller.
 *
 * Functions: `jmeet_conference_list_participants`, `jmeet_participant_list_new`, `jmeet_participant_list_size`, `jmeet_participant_list_get`,
 * `jmeet_participant_list_free`.
 */
typedef struct jmeet_participant_list jmeet_participant_list;

/**
 * A queue of events. One can serve many clients: events name their client.
 *
 * A queue that nobody drains stays small. A participant that came and went is not mentioned; of state events the newest per
 * object is kept; of messages the newest `JMEET_MAX_MESSAGES` per client, the loss is counted in an OVERRUN event.
 *
 * Functions: `jmeet_queue_new`, `jmeet_queue_next`, `jmeet_queue_fd`, `jmeet_queue_set_wakeup`, `jmeet_queue_set_callback`,
 * `jmeet_queue_free`.
 */
typedef struct jmeet_queue jmeet_queue;

/**
 * Frames of one track, or of everybody but ourselves. One thread at a time. Freed by the caller; it ends with its client.
 *
 * Functions: `jmeet_reader_new`, `jmeet_conference_reader_new`, `jmeet_reader_next`, `jmeet_frame_retain`, `jmeet_reader_fd`,
 * `jmeet_reader_set_wakeup`, `jmeet_reader_get_stats`, `jmeet_reader_free`.
 */
typedef struct jmeet_reader jmeet_reader;

/**
 * The threads that drive clients; their names start with "jmeet-". A thousand clients can share one. A client without one has
 * threads of its own.
 *
 * Functions: `jmeet_runtime_new`, `jmeet_runtime_free`.
 */
typedef struct jmeet_runtime jmeet_runtime;

/**
 * Statistics at one moment. Freed by the caller.
 *
 * Functions: `jmeet_conference_stats_new`, `jmeet_stats_get`, `jmeet_stats_size`, `jmeet_stats_get_track`, `jmeet_stats_free`.
 */
typedef struct jmeet_stats jmeet_stats;

/**
 * A source: somebody's microphone, camera or screen, or one of ours. Borrowed, never freed by the program: it stays the same
 * through every change of connection, answers `JMEET_ERR_GONE` once removed, and ends when the TRACK_REMOVED event is freed (or the
 * client).
 *
 * Functions: `jmeet_track_get`, `jmeet_track_key`, `jmeet_track_set_muted`, `jmeet_track_remove`, `jmeet_track_request_key_frame`,
 * `jmeet_track_send_tones`, `jmeet_track_get_status`, `jmeet_writer_new`, `jmeet_reader_new`. From `jmeet_event_track`, `jmeet_conference_send_track`, `jmeet_track_list_get`, frames.
 */
typedef struct jmeet_track jmeet_track;

/**
 * Tracks as they were at one moment. Freed by the caller.
 *
 * Functions: `jmeet_conference_list_tracks`, `jmeet_track_list_size`, `jmeet_track_list_get`, `jmeet_track_list_free`.
 */
typedef struct jmeet_track_list jmeet_track_list;

/**
 * Writes frames of one of our tracks. Freed by the caller, which leaves the track; it ends with its client.
 *
 * Functions: `jmeet_writer_new`, `jmeet_writer_write`, `jmeet_writer_set_limited`, `jmeet_writer_get_stats`, `jmeet_writer_free`.
 */
typedef struct jmeet_writer jmeet_writer;

/**
 * A string of the library: UTF-8, `size` bytes, followed by a NUL that `size` does not count. `data` is never NULL. It lives
 * as long as the object or event that it came from.
 */
typedef struct {
    const char *data;
    size_t size;
} jmeet_str;

/** What a failure says of itself. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_status`. */
    int32_t status;
    /** A `jmeet_stage`. */
    uint32_t stage;
    /** The protocol's own name for it: a stanza, stream or login condition, an HTTP status. May be empty. */
    jmeet_str condition;
    /** For people: the other side's text, or ours. May be empty. */
    jmeet_str text;
} jmeet_error_info;

/**
 * Gets a text of the log. Called on any thread, several at a time; it must not block and may call nothing of this library but
 * `jmeet_log_set_callback`. The strings live until it returns.
 */
typedef void (*jmeet_log_callback)(uint32_t level, jmeet_str target, jmeet_str text, void *user_data);

/** How a runtime is made. */
typedef struct {
    uint32_t struct_size;
    /** Worker threads, 1 to 64; 0: two. */
    uint32_t threads;
} jmeet_runtime_options;

/** How a queue is made. No choices yet. */
typedef struct {
    uint32_t struct_size;
    /** Must be 0. */
    uint32_t reserved;
} jmeet_queue_options;

/** Says that something waits. Runs on a thread of the library: signal another thread and return; call nothing of this library. */
typedef void (*jmeet_wakeup_callback)(void *user_data);

/**
 * Gets an event. `event` is borrowed until the function returns; `jmeet_event_retain` keeps it longer. Runs on the queue's
 * dispatcher thread, one call at a time, with no lock of the library held: it may call every function of this header, also
 * those that free the client, the queue, or replace this callback. No C++ exception may leave it.
 */
typedef void (*jmeet_event_callback)(jmeet_event *event, void *user_data);

/** Frees what a callback's `user_data` points to. Called once, after the last call of that callback. */
typedef void (*jmeet_destroy_callback)(void *user_data);

/** Of STATE. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_state`. */
    uint32_t state;
} jmeet_state_info;

/** Of JOINED. */
typedef struct {
    uint32_t struct_size;
    /** Our `jmeet_role`. */
    uint32_t role;
    /** Our endpoint id: eight hexadecimal digits. */
    jmeet_str endpoint_id;
} jmeet_joined_info;

/** What is known of a participant. Strings live as long as the event or list that it came from. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_role`. */
    uint32_t role;
    /** Its handle; NULL in a list when they have left meanwhile. */
    jmeet_participant *participant;
    /** Never used again within this client. */
    uint64_t key;
    /** Eight hexadecimal digits. */
    jmeet_str endpoint_id;
    /** May be empty. */
    jmeet_str display_name;
    /** The real address; empty where the room hides it. */
    jmeet_str real_jid;
    /** What their client says it can do: names separated by newlines. */
    jmeet_str features;
    /** Since when the hand is up, in milliseconds since 1970; 0: it is down. */
    int64_t raised_hand_ms;
    /** PARTICIPANT_UPDATED: which of these changed, bits `JMEET_CHANGED_…`, of every update since the last one that was taken; else 0. */
    uint32_t changed;
    /** Must not be read; 0. */
    uint32_t reserved;
} jmeet_participant_info;

/** Of PARTICIPANT_LEFT, beside what `jmeet_event_participant` says. */
typedef struct {
    uint32_t struct_size;
    /** Removed by a moderator. */
    bool kicked;
    /** The connection was lost; no good-bye came. */
    bool vanished;
    /** It is we who left, or were made to: they are still there, as far as we know. */
    bool we_left;
    /** Their words, or the reason of the kick; may be empty. */
    jmeet_str reason;
} jmeet_participant_left_info;

/** Of ROLE. */
typedef struct {
    uint32_t struct_size;
    /** Our `jmeet_role`. */
    uint32_t role;
} jmeet_role_info;

/** Of MESSAGE. */
typedef struct {
    uint32_t struct_size;
    /** To us alone; answer with `jmeet_conference_send_private_message`. */
    bool is_private;
    /** From before we came: the room's history. */
    bool delayed;
    /** Who said it, while they are in the room; else NULL. */
    jmeet_participant *participant;
    /** Endpoint id of the sender, also when they have left. */
    jmeet_str endpoint_id;
    /** Their display name at the time; may be empty. */
    jmeet_str display_name;
    jmeet_str text;
    /** Of the message; empty when it had none. */
    jmeet_str id;
    /** When it was sent, in milliseconds since 1970. */
    int64_t sent_ms;
} jmeet_message_info;

/** Of SUBJECT. */
typedef struct {
    uint32_t struct_size;
    /** Empty: none. */
    jmeet_str subject;
} jmeet_subject_info;

/** What is known of a track. Strings live as long as the event, list or track that it came from. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_media`. */
    uint32_t media;
    /** A `jmeet_video_type`. */
    uint32_t video_type;
    /** Nothing comes from it now. */
    bool muted;
    /** One of ours. */
    bool local;
    /** Its handle; NULL in a list when it was removed meanwhile. */
    jmeet_track *track;
    /** Whose; NULL for our own and for participants who have left. */
    jmeet_participant *participant;
    /** Never used again within this client. */
    uint64_t key;
    /** Whose. */
    jmeet_str endpoint_id;
    /** Unique in the room, such as "1a2b3c4d-v0". */
    jmeet_str source_name;
    /**
     * A `jmeet_codec`: of ours what frames must be now (CODEC_WANTED); of somebody else's video that of the newest frame that was put
     * together for a reader, UNSPECIFIED before one was.
     */
    uint32_t codec;
    /** Must not be read; 0. */
    uint32_t reserved;
} jmeet_track_info;

/** Of FOCUS. */
typedef struct {
    uint32_t struct_size;
    /** It is there. */
    bool present;
} jmeet_focus_info;

/** Of BRIDGE. */
typedef struct {
    uint32_t struct_size;
    /** The focus has a videobridge for the room. While it has none, media flows only between two participants. */
    bool available;
} jmeet_bridge_info;

/** Of MEDIA. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_media_state`. */
    uint32_t state;
    /** ENDED: the other side ended it. */
    bool by_peer;
    /** The other participant; empty for the bridge. */
    jmeet_str endpoint_id;
    /** ENDED: the protocol's reason, such as "success"; else empty. */
    jmeet_str reason;
    /** ENDED: a sentence for people; may be empty. */
    jmeet_str text;
    /** A `jmeet_media_path`. */
    uint32_t path;
    /**
     * ENDED: a `jmeet_status`, what failed here: `JMEET_ERR_ICE` (no path to the other side), `JMEET_ERR_DTLS` (its handshake failed, or its
     * certificate is not the one that was signalled). Else `JMEET_OK`: the reason tells.
     */
    uint32_t status;
} jmeet_media_info;

/** Of KEY_FRAME_WANTED. */
typedef struct {
    uint32_t struct_size;
    /** Which encoding, as in `jmeet_outgoing_frame.encoding`. */
    uint32_t encoding;
    /** The local track; NULL once it is removed. */
    jmeet_track *track;
} jmeet_key_frame_wanted_info;

/** Of TARGET_BITRATE. */
typedef struct {
    uint32_t struct_size;
    /** Which encoding, as in `jmeet_outgoing_frame.encoding`. */
    uint32_t encoding;
    /** The local track; NULL once it is removed. */
    jmeet_track *track;
    /**
     * 0: send nothing of this encoding, for it is muted, nobody wants it or the path does not carry it; writes answer `JMEET_ERR_NOT_READY`
     * (`JMEET_ERR_MUTED`). After it the first frame must be a key frame.
     */
    uint64_t bits_per_second;
    /** Pixels that the picture is to be high, so that nobody gets more than is wanted; 0 with a rate of 0. Another height needs a key frame. */
    uint32_t height;
    /** Must not be read; 0. */
    uint32_t reserved;
} jmeet_target_bitrate_info;

/** Of CODEC_WANTED. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_codec`. */
    uint32_t codec;
    /** The local track; NULL once it is removed. */
    jmeet_track *track;
} jmeet_codec_wanted_info;

/** Of BANDWIDTH. */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** Of all that we send together. */
    uint64_t bits_per_second;
} jmeet_bandwidth_info;

/** Of TIMELINE. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_timeline_stage`. */
    uint32_t stage;
    /** When, on the clock of `jmeet_now_us`. */
    uint64_t time_us;
} jmeet_timeline_info;

/** Of OVERRUN. */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** Messages that were dropped at this place. */
    uint64_t dropped;
} jmeet_overrun_info;

/**
 * Everything about a participant. `url` and `room` are enough. All strings are UTF-8, NULL or empty for the default, of 16384 bytes at most
 * where nothing else is said (`focus_users` and certificates may be longer), and copied before `jmeet_client_new` returns.
 */
typedef struct {
    uint32_t struct_size;
    /** Time for all of joining, retries included, in milliseconds; 0: 30 s. */
    uint32_t join_timeout_ms;
    /** Whose threads drive it; NULL: threads of its own. */
    jmeet_runtime *runtime;
    /** Given back by each of its events (`jmeet_event_user_value`). */
    uint64_t user_value;
    /** Required: "wss://host/xmpp-websocket", or "ws://…", over which passwords and tokens go only on this machine. "?room=" is added. */
    const char *url;
    /** Required: the room's name, without domain. */
    const char *room;
    /** XMPP domain; default: the host of `url`. */
    const char *domain;
    /** Where rooms are; default: "conference." and the domain. */
    const char *muc;
    /** Where conferences are asked for; default: "focus." and the domain. */
    const char *focus;
    /** Addresses trusted as focus from the start, separated by spaces; those that the server names are added. */
    const char *focus_users;
    /** What others see; at most 512 bytes. */
    const char *display_name;
    /** JWT. */
    const char *token;
    /**
     * Login; default: anonymous. With `password`. Both are normalised (SASLprep, RFC 4013), so that it does not matter how an
     * accented letter was typed; control characters and mixed writing directions are refused (`JMEET_ERR_OPTIONS`).
     */
    const char *username;
    /** With `username`. */
    const char *password;
    /** Password of the room. */
    const char *room_password;
    /** Our own endpoint id, eight lower-case hexadecimal digits: for tests. Default: random. */
    const char *nickname;
    /** Certificates trusted beside the system's, PEM: for the server and for the channel to the bridge. */
    const char *extra_ca_pem;
    /** Not 0: takes any certificate. Anybody on the path can then read and change everything. */
    uint32_t insecure_skip_tls_verification;
    /** Not 0: sends passwords and tokens over unencrypted connections that are not loopback. */
    uint32_t insecure_allow_plaintext_secrets;
    /** Not 0: no media sessions directly with another participant. */
    uint32_t disable_p2p;
    /** Not 0: media over loopback addresses, for tests on one machine: without it two programs there that have no other address never connect. */
    uint32_t allow_loopback;
    /** Not 0: no media sessions with the bridge: media flows only while there are two of us. */
    uint32_t disable_bridge;
    /** Not 0: the bridge does not choose the SSRCs of what we receive; sources are then all signalled by the focus. */
    uint32_t disable_ssrc_rewriting;
    /**
     * Not 0: measures how far the other endpoints are, by a few messages to each through the bridge; ROUND_TRIP tells. Of two who do,
     * the one with the greater endpoint id asks; in meetings of more than 200 nobody does.
     */
    uint32_t measure_round_trips;
    /** Not 0: the channel to the bridge over a WebSocket also where the bridge offers a data channel. */
    uint32_t prefer_websocket;
    /**
     * Video codecs that the program can both make and show, the best first, separated by commas or spaces: "av1,vp9,vp8,h264", in any case;
     * another name is refused (`JMEET_ERR_OPTIONS`). The others are told, and which of them each of our tracks is sent with comes as
     * CODEC_WANTED, as people come and go, whatever the track was made with: frames of another codec answer `JMEET_ERR_CODEC`. Default: those
     * that our tracks are made with, and VP8; each track then stays with its own unless somebody in the room lacks it.
     */
    const char *video_codecs;
    /** WebSocket URLs of the bridge at this host are passed over, if there are others. Default: none are. */
    const char *ignore_channel_domain;
} jmeet_client_options;

/**
 * What came from the server and was passed over, over the life of a client. Numbers that grow and grow mean that the server speaks of
 * what this library does not know, or that somebody tries things; a few are from words that crossed on their way.
 */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** Frames that are no stanza. */
    uint64_t unknown_frames;
    /** Frames past a limit of size, depth or number, dropped. */
    uint64_t oversized_frames;
    /** Answers to nothing that was asked, or from another than was asked. */
    uint64_t stray_answers;
    /**
     * Stanzas of other rooms and strangers, requests that were answered with an error (also those about a media session that ended
     * while they were on their way), and messages of the bridge that are not known.
     */
    uint64_t unhandled_stanzas;
    /** RTP packets that came after the bridge had given their SSRC to another source, dropped: no reader gets them as the other's. */
    uint64_t late_packets;
    /** RTP packets on an SSRC whose owner nobody named within 2 s, or that came while too many of them waited, dropped. */
    uint64_t unclaimed_packets;
    /**
     * Datagrams of media that were refused: STUN with a wrong user name or integrity, SRTP and SRTCP that is not authentic or came twice,
     * what is nothing that is known here, and what came before the handshake was done.
     */
    uint64_t refused_datagrams;
} jmeet_client_stats;

/** What a local track sends. `media` or `codec` is enough. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_media`; unspecified: that of `codec`. */
    uint32_t media;
    /** A `jmeet_codec`; unspecified: Opus for audio, VP8 for video. CODEC_WANTED tells when it is to be another one. */
    uint32_t codec;
    /** A `jmeet_video_type`; unspecified: a camera. */
    uint32_t video_type;
    /** Not 0: starts muted. So does what is added while the focus has its kind muted (MUTED_BY, START_MUTED). */
    uint32_t muted;
    /** Frames that may wait for the network; 0: 32. */
    uint32_t queue_frames;
    /**
     * Video: how many encodings of one picture are written, smallest first (simulcast); 0: 1, at
     * most 3. `jmeet_outgoing_frame.encoding` says which one a frame is of. A single peer gets the largest alone, number encodings - 1; the
     * others have a target of 0 then.
     */
    uint32_t encodings;
    /**
     * Video: height of the largest encoding in pixels; 0: 720. TARGET_BITRATE tells what each encoding is to have: a quarter, a half
     * and the whole of it; of 1080 and more 180, 360 and the whole.
     */
    uint32_t height;
    /**
     * Video: pictures per second at most; 0: 30 of a camera, 5 of a screen. A screen of at most 5 is sent sharp and slow, in its
     * largest encoding alone.
     */
    uint32_t max_frame_rate;
} jmeet_track_options;

/** What a reader delivers and how much it keeps. */
typedef struct {
    uint32_t struct_size;
    /** Only this `jmeet_media`; unspecified: both. */
    uint32_t media;
    /** Frames kept for a slow reader; 0: 256. */
    uint32_t queue_frames;
    /** Not 0: when full the newest frame goes, not the oldest. */
    uint32_t drop_newest;
    /** Longest wait for a missing packet, in milliseconds; 0: 200. */
    uint32_t jitter_ms;
    /** Wanted height of video in pixels; 0: as large as it comes. */
    uint32_t height;
} jmeet_reader_options;

/** Of BRIDGE_CHANNEL. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_bridge_channel`. */
    uint32_t state;
} jmeet_bridge_channel_info;

/** Of SPEAKER. */
typedef struct {
    uint32_t struct_size;
    /** Nobody speaks any more, where the bridge looks for that. */
    bool silence;
    /** Only `previous` is news: the dominant speaker and the silence are as before. */
    bool only_previous;
    /** Who, while they are in the room; NULL for ourselves. */
    jmeet_participant *participant;
    /** The dominant speaker's endpoint id; may be ours. */
    jmeet_str endpoint_id;
    /** Endpoint ids of earlier speakers, the latest first, with a space between them. */
    jmeet_str previous;
} jmeet_speaker_info;

/** Of ENDPOINT_MESSAGE. */
typedef struct {
    uint32_t struct_size;
    /** To us alone. */
    bool is_private;
    /** Who sent it, while they are in the room; else NULL. */
    jmeet_participant *participant;
    /** Endpoint id of the sender, as the bridge tells it. */
    jmeet_str endpoint_id;
    /** A JSON object. */
    jmeet_str payload;
} jmeet_endpoint_message_info;

/** Of TRACK_FORWARDED. */
typedef struct {
    uint32_t struct_size;
    /** The bridge sends it to us now. */
    bool forwarded;
    /** A `jmeet_suspended`: why it does so no more; NONE while it does. */
    uint32_t suspended;
    /** The remote track; NULL once it is removed. */
    jmeet_track *track;
} jmeet_track_forwarded_info;

/** Of DOWNLINK. */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** What the bridge thinks that the way to us carries. */
    uint64_t bits_per_second;
} jmeet_downlink_info;

/** Which video is wanted; see `jmeet_conference_set_receive`. Source names are those of tracks. */
typedef struct {
    uint32_t struct_size;
    /** Greatest number of sources; 0: no limit, negative: none at all. */
    int32_t last_n;
    /** Greatest height in pixels of sources that `sources` does not name; 0: no limit, negative: none of them. */
    int32_t default_height;
    /** Must be 0. */
    uint32_t reserved;
    /**
     * Most important sources, most important first, with spaces between them; they get what they want before the others
     * get anything. May be NULL.
     */
    const char *on_stage;
    /** Sources that come after those. May be NULL. */
    const char *selected;
    /** Greatest height of single sources: "1a2b3c4d-v0=720 5e6f7a8b-v0=180". May be NULL. */
    const char *sources;
} jmeet_receive_options;

/** Of TRACK_STREAMING. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_streaming`. */
    uint32_t streaming;
    /** The remote track; NULL once it is removed. */
    jmeet_track *track;
    /** INACTIVE: a `jmeet_suspended`, why; else NONE. */
    uint32_t suspended;
    /** Must not be read; 0. */
    uint32_t reserved;
} jmeet_track_streaming_info;

/** Of CONNECTIVITY. */
typedef struct {
    uint32_t struct_size;
    /** The bridge hears the endpoint again. Not: it has heard nothing of it for some seconds. */
    bool active;
    /** Who, while they are in the room; NULL for ourselves. */
    jmeet_participant *participant;
    /** Whose connection it is; may be ours. */
    jmeet_str endpoint_id;
} jmeet_connectivity_info;

/** Of ROUND_TRIP. */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** To whom, while they are in the room; else NULL. */
    jmeet_participant *participant;
    /** To whom. */
    jmeet_str endpoint_id;
    /** The shortest of five, through the bridge and back, in microseconds. */
    uint64_t round_trip_us;
} jmeet_round_trip_info;

/** Who speaks now; see `jmeet_conference_get_speaking`. */
typedef struct {
    uint32_t struct_size;
    /** Nobody speaks any more, where the bridge looks for that; the rest is then about who spoke last. */
    bool silence;
    /** We are the dominant speaker ourselves. */
    bool ours;
    /** The dominant speaker; NULL for ourselves (`ours`), for one who has left, and before anybody spoke. */
    jmeet_participant *participant;
} jmeet_speaking;

/**
 * How a remote track does now; see `jmeet_track_get_status`. Only of video: an audio track is always ACTIVE, not forwarded, NONE, for the
 * bridge does not speak of audio; whether any comes is seen by its frames and statistics.
 */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_streaming`. */
    uint32_t streaming;
    /** The bridge has said that it forwards the track to us. Never of audio, and not of what comes straight from a peer. */
    bool forwarded;
    /**
     * A `jmeet_suspended`: why the bridge does not. NONE while it does, while it has said nothing of its video yet, and of what comes
     * straight from a peer. Of a track that was never forwarded it is there once the track is INACTIVE.
     */
    uint32_t suspended;
} jmeet_track_status;

/** How a participant's connection does now; see `jmeet_participant_get_status`. */
typedef struct {
    uint32_t struct_size;
    /** The bridge hears something of them; true until it says otherwise. */
    bool active;
    /** They have said how good their connection is. */
    bool has_quality;
    /** How good, from 0 to 100. */
    uint32_t quality;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** Through the bridge to them and back, in microseconds; 0: not measured (yet). `jmeet_client_options.measure_round_trips`. */
    uint64_t round_trip_us;
} jmeet_participant_status;

/** Of MUTED_BY. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_mute_kind`: all of our tracks of this kind are muted now. */
    uint32_t kind;
    /** Who asked for it, while they are in the room; NULL when the focus did it by itself, as where the room is moderated. */
    jmeet_participant *participant;
    /** Endpoint id of who asked for it; empty when the focus did it by itself. */
    jmeet_str endpoint_id;
} jmeet_muted_by_info;

/** Of SOURCES_REFUSED. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_source_refusal`. */
    uint32_t why;
    /** A `jmeet_media_path`: the tracks may well be sent the other way. */
    uint32_t path;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** Source names of our tracks, with a space between them (`jmeet_conference_find_track`). */
    jmeet_str source_names;
    /** REFUSED: the protocol's condition, such as "resource-constraint"; else empty. */
    jmeet_str condition;
    /** REFUSED: a sentence for people; may be empty. */
    jmeet_str text;
} jmeet_sources_refused_info;

/** Of START_MUTED. */
typedef struct {
    uint32_t struct_size;
    /** Our microphones begin muted. */
    bool audio;
    /** Our cameras and screens begin muted. */
    bool video;
} jmeet_start_muted_info;

/** Of RESTART_REFUSED. */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** The protocol's condition, such as "service-unavailable". */
    jmeet_str condition;
} jmeet_restart_refused_info;

/** Of TONE. */
typedef struct {
    uint32_t struct_size;
    /** The key as a character: '0' to '9', '*', '#', 'A' to 'D'. */
    uint32_t key;
    /** In whose audio it was; NULL when they have left. */
    jmeet_participant *participant;
    /** In which; NULL when it was removed meanwhile. */
    jmeet_track *track;
    /** Whose audio it was. */
    jmeet_str endpoint_id;
} jmeet_tone_info;

/** Of PARTICIPANT_STATS. What they did not say is 0. */
typedef struct {
    uint32_t struct_size;
    /** How good their connection is, from 0 to 100. */
    uint32_t quality;
    /** Whose, while they are in the room; else NULL. */
    jmeet_participant *participant;
    /** Whose. */
    jmeet_str endpoint_id;
    /** Where their bridge is; may be empty. */
    jmeet_str server_region;
    /** From them to their bridge and back, in microseconds (they tell it in whole milliseconds); 0: not known. */
    uint64_t round_trip_us;
    /** Greatest height that they send, in pixels; 0: none, or not known. */
    uint32_t max_height;
    /** Audio that they send, in kbit/s. */
    uint32_t audio_upload_kbps;
    /** Audio that they get. */
    uint32_t audio_download_kbps;
    /** Video that they send. */
    uint32_t video_upload_kbps;
    /** Video that they get. */
    uint32_t video_download_kbps;
    /** Of what they send, lost packets in percent. */
    uint32_t loss_upload;
    /** Of what they get, lost packets in percent. */
    uint32_t loss_download;
    /** Must not be read; 0. */
    uint32_t reserved;
} jmeet_participant_stats_info;

/** Our own connection in the last ten seconds. All 0 before the first of them are over (`path` is UNSPECIFIED then). */
typedef struct {
    uint32_t struct_size;
    /**
     * How good it is, from 0 to 100: what we send compared with what we should be able to send by now, or loss alone where no
     * camera is sent.
     */
    uint32_t quality;
    /** A `jmeet_media_path`: the way that carries our media. */
    uint32_t path;
    /** Greatest height that we send, in pixels; 0: no video. */
    uint32_t max_height;
    /** To the other end of it and back, in microseconds; 0: not known. */
    uint64_t round_trip_us;
    /** Payload of audio that went out, in kbit/s. */
    uint32_t audio_upload_kbps;
    /** Payload of audio that came. */
    uint32_t audio_download_kbps;
    /** Payload of video that went out. */
    uint32_t video_upload_kbps;
    /** Payload of video that came. */
    uint32_t video_download_kbps;
    /** Of what we sent, lost packets in percent, as the other end reports them. */
    uint32_t loss_upload;
    /** Of what came, lost packets in percent, repaired ones not counted. */
    uint32_t loss_download;
} jmeet_local_stats;

/** One stream of one track on one way. Our tracks have one for each encoding; a track that two ways know has one for each. */
typedef struct {
    uint32_t struct_size;
    /** A `jmeet_media`. */
    uint32_t media;
    /** A `jmeet_media_path`. */
    uint32_t path;
    /** A `jmeet_codec`; UNSPECIFIED before a frame was sent, or put together for a reader. */
    uint32_t codec;
    /** Of ours: which encoding. */
    uint32_t encoding;
    /** One of ours: it is sent, and lost packets and jitter are as the other end reports them. */
    bool local;
    /** `jmeet_track_get` tells whose it is. NULL when it was removed meanwhile; `source_name` says then which it was. */
    jmeet_track *track;
    /** As in its info. */
    uint64_t track_key;
    /** RTP packets, each once: those that came only as a repair count, what we sent again does not. */
    uint64_t packets;
    /** Of their payloads, without headers. */
    uint64_t bytes;
    /** Packets that never came, repairs allowed for; of ours as the other end counts them. */
    uint64_t lost;
    /** Of somebody else's: how many of `packets` came only as a repair. Of ours: how many were sent again, beside `packets`. */
    uint64_t repaired;
    /** How uneven packets arrive (RFC 3550), in microseconds. */
    uint64_t jitter_us;
    /** Of payload, in the last second. */
    uint64_t bits_per_second;
    /** Whole frames. Of somebody else's only while a reader reads them. */
    uint64_t frames;
    /** Frames that could not be put together, or not be decoded without one that could not. */
    uint64_t damaged;
    /** In the last second. */
    uint32_t frames_per_second;
    /** Of the last key frame, in pixels; 0: not known. */
    uint32_t width;
    uint32_t height;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** To the other end of its way and back, in microseconds; 0: not known. */
    uint64_t round_trip_us;
    /** Of our video on the way that carries it now: what TARGET_BITRATE told of this encoding; else 0. */
    uint64_t target_bits_per_second;
    /** Which track, as in its info. Lives as long as the statistics. */
    jmeet_str source_name;
} jmeet_track_stats;

/** How a writer is made. No choices yet. */
typedef struct {
    uint32_t struct_size;
    /** Must be 0. */
    uint32_t reserved;
} jmeet_writer_options;

/** A frame to send. */
typedef struct {
    uint32_t struct_size;
    /** Which of the optional fields are given: bits `JMEET_FRAME_HAS_TEMPORAL_ID`, `JMEET_FRAME_HAS_AUDIO_LEVEL`. */
    uint32_t fields;
    /** The frame as the encoder made it; copied before the call returns. */
    const uint8_t *data;
    size_t size;
    /**
     * How long it lasts, in units of the codec's clock: of video 90000 divided by the frame rate, such as 3000 at 30 pictures a second; not
     * 0, but of parameter sets by themselves. Of a screen whose pictures come as they change: as at its greatest frame rate. An Opus packet
     * says it itself: 0 will do. RTP time is the sum of these; after a pause (muted, or nothing to show) of more than 300 ms past the end of
     * a frame it goes on by the clock.
     */
    uint32_t rtp_duration;
    /** Temporal layer, 0 to 7. Without it: no layers. */
    uint32_t temporal_id;
    /**
     * Loudness in -dBov: 0 is loudest, 127 silence. Who is shown as speaker follows from it; without it speech of medium loudness
     * is told.
     */
    uint32_t audio_level;
    /** With `audio_level`: not 0 if it is speech. */
    uint32_t voice;
    /** Which encoding of the track, 0 is the smallest; see `jmeet_track_options.encodings`. */
    uint32_t encoding;
    /**
     * A `jmeet_codec`: what it is, after a CODEC_WANTED; 0: what the track was made with. Another one than is wanted now is refused with
     * `JMEET_ERR_CODEC`.
     */
    uint32_t codec;
} jmeet_outgoing_frame;

/** Counters of one encoding of a track of ours, whichever of its writers wrote the frames. */
typedef struct {
    uint32_t struct_size;
    /** Frames of the track that wait. */
    uint32_t queued;
    /** Frames that `jmeet_writer_write` took. */
    uint64_t taken;
    /** Frames that it answered with `JMEET_ERR_MUTED` or `JMEET_ERR_NOT_READY`. */
    uint64_t dropped;
    /** Frames that it answered with `JMEET_ERR_FULL`. */
    uint64_t full;
    /**
     * A `jmeet_media_path`: the way that carries our media now, of which all that follows is; UNSPECIFIED before the
     * first packet of this encoding went out on it: then all that follows is 0.
     */
    uint32_t path;
    /** A `jmeet_codec`: of the newest frame that went out; UNSPECIFIED before one did. */
    uint32_t codec;
    /** Frames that went out, since the way is there. */
    uint64_t frames;
    /** RTP packets, what was sent again not counted. */
    uint64_t packets;
    /** Of their payloads, without headers. */
    uint64_t bytes;
    /** Packets that were sent again because the other end missed them. */
    uint64_t retransmitted;
    /** Packets that never came, as the other end counts them. */
    uint64_t lost;
    /** How uneven they arrive there (RFC 3550), in microseconds. */
    uint64_t jitter_us;
    /** To the other end and back, in microseconds; 0: not known. */
    uint64_t round_trip_us;
    /** Of payload, in the last second. */
    uint64_t bits_per_second;
    /** What TARGET_BITRATE told of this encoding; 0 for audio, and while nothing is to be sent of it. */
    uint64_t target_bits_per_second;
    /** In the last second. */
    uint32_t frames_per_second;
    /** Must not be read; 0. */
    uint32_t reserved;
} jmeet_writer_stats;

/** Counters of a reader. */
typedef struct {
    uint32_t struct_size;
    /** Must not be read; 0. */
    uint32_t reserved;
    /** Frames given out. */
    uint64_t delivered;
    /** Frames dropped because nobody took them in time. */
    uint64_t dropped;
    /** Frames that wait. */
    uint64_t queued;
} jmeet_reader_stats;

/** Bytes of the library, such as a media frame. `data` is never NULL. */
typedef struct {
    const uint8_t *data;
    size_t size;
} jmeet_bytes;

/** A frame of somebody. Strings and data live until the next call on its reader, or its free; `jmeet_frame_retain` keeps them longer. */
typedef struct {
    uint32_t struct_size;
    /** Which of the optional fields are known: bits `JMEET_FRAME_HAS_…`. */
    uint32_t fields;
    /** A `jmeet_media`. */
    uint32_t media;
    /** A `jmeet_codec`. */
    uint32_t codec;
    /** Which of the sender's encodings; 0 when there is one. */
    uint32_t encoding;
    /** Temporal layer, 0 to 7 (`JMEET_FRAME_HAS_TEMPORAL_ID`). */
    uint32_t temporal_id;
    /** Loudness in -dBov: 0 is loudest, 127 silence (`JMEET_FRAME_HAS_AUDIO_LEVEL`). */
    uint32_t audio_level;
    /** The sender takes it for speech (`JMEET_FRAME_HAS_AUDIO_LEVEL`). */
    bool voice;
    /** Decodable without frames before it. Always for audio. */
    bool key_frame;
    /** Pixels (`JMEET_FRAME_HAS_SIZE`). */
    uint16_t width;
    /** Pixels (`JMEET_FRAME_HAS_SIZE`). */
    uint16_t height;
    /** Grows whenever RTP time starts anew (the sender's source or connection was replaced): compare `rtp_time` only within one. */
    uint32_t timeline;
    /** Packets lost for good since the frame before, where they can be counted: not those before a new `timeline`. */
    uint32_t gap;
    /** Media time in units of the codec's clock, 64 bits, without wrap-around. */
    uint64_t rtp_time;
    /** When its last packet came to the socket, on the clock of `jmeet_now_us`. */
    uint64_t arrival_us;
    /** When it was captured, in microseconds since 1970 (`JMEET_FRAME_HAS_CAPTURE_TIME`). */
    int64_t capture_unix_us;
    /** Whose: eight hexadecimal digits (`jmeet_conference_find_participant`). */
    jmeet_str endpoint_id;
    /** Of which track, such as "1a2b3c4d-a0" (`jmeet_conference_find_track`). */
    jmeet_str source_name;
    /** The frame as the encoder made it; of H.264 as `JMEET_CODEC_H264` says. */
    jmeet_bytes data;
    /**
     * The key of whose it is (`JMEET_FRAME_HAS_PARTICIPANT`): `jmeet_participant_info.key`,
     * `jmeet_conference_find_participant_by_key`.
     */
    uint64_t participant_key;
    /** The key of the track (`JMEET_FRAME_HAS_TRACK`): `jmeet_track_info.key`, `jmeet_conference_find_track_by_key`. */
    uint64_t track_key;
} jmeet_frame;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/** The library's version, such as "0.1.0". A constant: never NULL, never freed. Any thread, also before everything else. */
const char *jmeet_version(void);

/** The library's ABI; compare it with `JMEET_ABI_VERSION`. 0 in a forked child. */
uint32_t jmeet_abi_version(void);

/**
 * What the library was built with, as bits `JMEET_FEATURE_…`; bits that you do not know are newer features. 0 in a forked child. Any
 * thread, also before everything else.
 */
uint32_t jmeet_features(void);

/** The monotonic clock of every `_us` value of this library, in microseconds. It starts near zero at its first use in the process. */
uint64_t jmeet_now_us(void);

/**
 * The name of a status without the prefix that all share, such as "ERR_ROOM_PASSWORD" for `JMEET_ERR_ROOM_PASSWORD`; "UNKNOWN" for a number
 * that is none. A constant: never NULL, never freed.
 */
const char *jmeet_status_name(int32_t status);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_error_info_init(jmeet_error_info *info,
                                   size_t size);

/** The status that the failed call answered; `JMEET_ERR_NULL` or `JMEET_ERR_INVALID_HANDLE` if `error` is none. */
jmeet_status jmeet_error_status(const jmeet_error *error);

/** The `jmeet_stage` at which it failed; 0 if it is tied to none. */
uint32_t jmeet_error_stage(const jmeet_error *error);

/** The protocol's own name for the failure, such as "not-authorized". May be empty. Lives as long as `error`. */
jmeet_str jmeet_error_condition(const jmeet_error *error);

/** A sentence for people. May be empty. Lives as long as `error`. */
jmeet_str jmeet_error_text(const jmeet_error *error);

/**
 * All of it at once. The strings live as long as `error`.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_error_get(const jmeet_error *error, jmeet_error_info *info);

/**
 * Frees an error and its strings. NULL is fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_error_free(jmeet_error *error);

/**
 * Hears what the library does, up to a level (`jmeet_log_level`); for the whole process. NULL or `JMEET_LOG_OFF` ends it: off is
 * the default, and nothing is ever written to stdout or stderr. When this returns the callback before it does not run and will
 * not run again, but the call that this was called from. Any thread.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT` for an unknown level.
 */
jmeet_status jmeet_log_set_callback(uint32_t level,
                                    jmeet_log_callback callback,
                                    void *user_data);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_runtime_options_init(jmeet_runtime_options *options,
                                        size_t size);

/**
 * Makes a runtime and starts its threads. `options` may be NULL. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_runtime_new(const jmeet_runtime_options *options,
                               jmeet_runtime **runtime,
                               jmeet_error **error);

/**
 * Frees a runtime and first every client that it drives, as `jmeet_client_free` does. Its threads end after the last client's
 * good-bye, at most `JMEET_FREE_LINGER_MS` later. NULL is fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_runtime_free(jmeet_runtime *runtime);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_queue_options_init(jmeet_queue_options *options,
                                      size_t size);

/**
 * Makes a queue. `options` may be NULL. Starts no thread. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_queue_new(const jmeet_queue_options *options, jmeet_queue **queue, jmeet_error **error);

/**
 * Takes the next event, or waits for one at most `timeout_ms` (0: not at all; `JMEET_FOREVER`). The event is the caller's, who
 * frees it with `jmeet_event_free`. Several threads may wait; each event goes to one of them. Blocks up to the timeout.
 *
 * Errors: `JMEET_ERR_TIMEOUT`: none came. `JMEET_ERR_CLOSED`: the queue was freed meanwhile. `JMEET_ERR_STATE`: the queue has a
 * callback. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_queue_next(jmeet_queue *queue,
                              int32_t timeout_ms,
                              jmeet_event **event);

/**
 * A descriptor that is readable while an event waits, for poll, select and event loops. It belongs to the queue: never read or
 * close it. When it is readable call `jmeet_queue_next(queue, 0, …)` until `JMEET_ERR_TIMEOUT`. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_UNSUPPORTED` where the system has no such descriptors, `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_queue_fd(jmeet_queue *queue,
                            intptr_t *fd);

/**
 * Has `wakeup` called whenever the queue stops being empty; NULL ends it. Drain the queue once after setting it: what waits
 * already makes no call. When this returns the wake-up before it does not run and will not run again, but the call that this was
 * called from. Any thread.
 *
 * Errors: `JMEET_ERR_NULL` for the queue, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_queue_set_wakeup(jmeet_queue *queue,
                                    jmeet_wakeup_callback wakeup,
                                    void *user_data);

/**
 * Has every event delivered to `callback` by one dispatcher thread ("jmeet-events"), instead of `jmeet_queue_next`. NULL ends
 * it. `destroy` (may be NULL) is called once with `user_data` after the last call, on the dispatcher thread; it has run
 * when the call that ends the callback returns, unless that call was made inside the callback; not at all when
 * this function fails.
 *
 * When this returns the callback before it does not run and will not run again, but the call that this was called from; a new
 * one starts after that has returned. Any thread; blocks while the callback before it runs. Never call it while holding a lock
 * that your callback takes.
 *
 * Errors: `JMEET_ERR_CLOSED`, `JMEET_ERR_BUSY`: another thread sets a callback. `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL` for the queue,
 * `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_queue_set_callback(jmeet_queue *queue,
                                      jmeet_event_callback callback,
                                      void *user_data,
                                      jmeet_destroy_callback destroy);

/**
 * Frees a queue. Blocked calls of `jmeet_queue_next` wake with `JMEET_ERR_CLOSED`; a callback ends as in
 * `jmeet_queue_set_callback`. Events in the program's hands stay good. NULL is fine. Any thread, also inside its callback.
 *
 * Errors: `JMEET_ERR_IN_USE`: free its clients first; nothing was done. `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_queue_free(jmeet_queue *queue);

/** Its `jmeet_event_kind`; `JMEET_EVENT_NONE` if `event` is none. Skip what you do not know. */
uint32_t jmeet_event_type(const jmeet_event *event);

/** Whose event it is; NULL if `event` is none. Not the caller's to free. */
jmeet_client *jmeet_event_client(const jmeet_event *event);

/** The room that it is about, as `jmeet_client_join` gave it; NULL if it is about none, or once the client is freed. Not the caller's to free. */
jmeet_conference *jmeet_event_conference(const jmeet_event *event);

/** The `user_value` that its client was made with; 0 if `event` is none. */
uint64_t jmeet_event_user_value(const jmeet_event *event);

/** The tag of the call that a REQUEST_DONE completes; 0 for every other event. */
uint64_t jmeet_event_tag(const jmeet_event *event);

/**
 * What a REQUEST_DONE or CLOSED came to; `JMEET_OK` for every other event. `JMEET_ERR_NULL` or `JMEET_ERR_INVALID_HANDLE` if `event`
 * is none.
 */
jmeet_status jmeet_event_status(const jmeet_event *event);

/**
 * The same with stage, condition and text. All zero and empty when nothing failed.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT`.
 */
jmeet_status jmeet_event_error(const jmeet_event *event, jmeet_error_info *info);

/**
 * Keeps an event: it needs one more `jmeet_event_free`. In a callback the way to keep the event after returning.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`: more than half a million references to one event.
 */
jmeet_status jmeet_event_retain(jmeet_event *event);

/**
 * Frees an event, once for `jmeet_queue_next` and once for each `jmeet_event_retain`; with the last, its strings end. NULL is
 * fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`: freed already. `JMEET_ERR_STATE`: a callback's event that was not retained; it stays good
 * until the callback returns.
 */
jmeet_status jmeet_event_free(jmeet_event *event);

/**
 * Reads a STATE. Errors of this and the following accessors: `JMEET_ERR_WRONG_EVENT` for an event of another type, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size). They do not block, on any thread; strings live as long as the
 * event.
 */
jmeet_status jmeet_event_state(const jmeet_event *event,
                               jmeet_state_info *info);

/** Reads a JOINED. */
jmeet_status jmeet_event_joined(const jmeet_event *event, jmeet_joined_info *info);

/** Reads the participant of a PARTICIPANT_JOINED, PARTICIPANT_UPDATED or PARTICIPANT_LEFT. */
jmeet_status jmeet_event_participant(const jmeet_event *event, jmeet_participant_info *info);

/** Reads how somebody left, of a PARTICIPANT_LEFT. */
jmeet_status jmeet_event_participant_left(const jmeet_event *event, jmeet_participant_left_info *info);

/** Reads a ROLE. */
jmeet_status jmeet_event_role(const jmeet_event *event, jmeet_role_info *info);

/** Reads a MESSAGE. */
jmeet_status jmeet_event_message(const jmeet_event *event, jmeet_message_info *info);

/** Reads a SUBJECT. */
jmeet_status jmeet_event_subject(const jmeet_event *event, jmeet_subject_info *info);

/** Reads the track of a TRACK_ADDED, TRACK_UPDATED or TRACK_REMOVED. */
jmeet_status jmeet_event_track(const jmeet_event *event, jmeet_track_info *info);

/** Reads a FOCUS. */
jmeet_status jmeet_event_focus(const jmeet_event *event, jmeet_focus_info *info);

/** Reads a BRIDGE. */
jmeet_status jmeet_event_bridge(const jmeet_event *event, jmeet_bridge_info *info);

/** Reads a MEDIA. */
jmeet_status jmeet_event_media(const jmeet_event *event, jmeet_media_info *info);

/** Reads a KEY_FRAME_WANTED. */
jmeet_status jmeet_event_key_frame_wanted(const jmeet_event *event, jmeet_key_frame_wanted_info *info);

/** Reads a TARGET_BITRATE. */
jmeet_status jmeet_event_target_bitrate(const jmeet_event *event, jmeet_target_bitrate_info *info);

/** Reads a CODEC_WANTED. */
jmeet_status jmeet_event_codec_wanted(const jmeet_event *event, jmeet_codec_wanted_info *info);

/** Reads a BANDWIDTH. */
jmeet_status jmeet_event_bandwidth(const jmeet_event *event, jmeet_bandwidth_info *info);

/** Reads a TIMELINE. */
jmeet_status jmeet_event_timeline(const jmeet_event *event, jmeet_timeline_info *info);

/** Reads an OVERRUN. */
jmeet_status jmeet_event_overrun(const jmeet_event *event, jmeet_overrun_info *info);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_state_info_init(jmeet_state_info *info,
                                   size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_joined_info_init(jmeet_joined_info *info,
                                    size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_participant_left_info_init(jmeet_participant_left_info *info,
                                              size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_role_info_init(jmeet_role_info *info,
                                  size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_message_info_init(jmeet_message_info *info,
                                     size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_subject_info_init(jmeet_subject_info *info,
                                     size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_focus_info_init(jmeet_focus_info *info,
                                   size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_bridge_info_init(jmeet_bridge_info *info,
                                    size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_media_info_init(jmeet_media_info *info,
                                   size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_key_frame_wanted_info_init(jmeet_key_frame_wanted_info *info,
                                              size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_target_bitrate_info_init(jmeet_target_bitrate_info *info,
                                            size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_codec_wanted_info_init(jmeet_codec_wanted_info *info,
                                          size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_bandwidth_info_init(jmeet_bandwidth_info *info,
                                       size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_timeline_info_init(jmeet_timeline_info *info,
                                      size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_overrun_info_init(jmeet_overrun_info *info,
                                     size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_client_options_init(jmeet_client_options *options,
                                       size_t size);

/**
 * Makes a client whose events go to `queue`. No network yet; without `options.runtime` it starts threads. It is a child of its
 * runtime, and the queue cannot be freed before it. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_OPTIONS`, `JMEET_ERR_TOO_LARGE` (the error's text says which), `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_NULL` (also for
 * `url` and `room`), `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_client_new(jmeet_queue *queue,
                              const jmeet_client_options *options,
                              jmeet_client **client,
                              jmeet_error **error);

/**
 * Connects and joins the room. Returns at once; a REQUEST_DONE with `tag` (if it is not 0) says that we are in, or the one reason
 * why not. When it fails CLOSED follows. `room` receives the main room, which is borrowed: it ends with the client. Any thread.
 *
 * Errors: `JMEET_ERR_STATE`: a client joins once. `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_client_join(jmeet_client *client,
                               uint64_t tag,
                               jmeet_conference **room,
                               jmeet_error **error);

/**
 * The main room again, as `jmeet_client_join` gave it. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_STATE`: not joined yet. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_client_conference(const jmeet_client *client, jmeet_conference **room);

/** Its `jmeet_state`, which may be ahead of the queue; `JMEET_STATE_UNSPECIFIED` if `client` is none. Any thread; does not block. */
uint32_t jmeet_client_state(const jmeet_client *client);

/**
 * When a `jmeet_timeline_stage` was reached, on the clock of `jmeet_now_us`; 0: not yet. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_client_timeline(const jmeet_client *client,
                                   uint32_t stage,
                                   uint64_t *time_us);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_client_stats_init(jmeet_client_stats *stats,
                                     size_t size);

/**
 * Counters so far; they stay when it has closed. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_client_get_stats(const jmeet_client *client, jmeet_client_stats *stats);

/**
 * Leaves the room, closes the connection and waits at most `timeout_ms` until CLOSED is in the queue: 0: not at all, OK then says that it
 * has begun; `JMEET_FOREVER`: as long as it takes, which is some seconds where the server does not answer. Either way CLOSED is delivered,
 * once. Closing again is fine. Blocks up to the timeout; any thread, also inside a callback.
 *
 * Errors: `JMEET_ERR_TIMEOUT`: it goes on closing and CLOSED follows. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_client_close(jmeet_client *client,
                                int32_t timeout_ms);

/**
 * Frees a client with its room, participants, tracks, writers and readers; their handles are invalid from now on, and a reader
 * that blocks wakes with `JMEET_ERR_CLOSED`. Its undelivered events are dropped, those in the program's hands stay good. Inside a
 * meeting it says good-bye without waiting: nobody sees a ghost of it. NULL is fine.
 *
 * When this returns no callback with an event of this client runs or will run, but the one that this was called from. Blocks
 * while such a callback runs on another thread: never call it while holding a lock that your callback takes. Any thread.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_client_free(jmeet_client *client);

/**
 * Says something to everybody. Returns at once; with a `tag` a REQUEST_DONE comes when the room has taken it, or why not. Our own
 * words are no MESSAGE event. Any thread.
 *
 * Errors: `JMEET_ERR_STATE`: not in the room. `JMEET_ERR_TOO_LARGE` (`JMEET_MAX_MESSAGE_BYTES`), `JMEET_ERR_INVALID_ARGUMENT` (empty), `JMEET_ERR_INVALID_UTF8`,
 * `JMEET_ERR_BUSY` (`JMEET_MAX_REQUESTS`), `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`. A call that fails makes no event.
 */
jmeet_status jmeet_conference_send_message(jmeet_conference *room,
                                           const char *text,
                                           uint64_t tag,
                                           jmeet_error **error);

/**
 * Says something to one participant. With a `tag` a REQUEST_DONE comes when the room has passed it on, or why it did not.
 *
 * Errors: as `jmeet_conference_send_message`, and `JMEET_ERR_NO_SUCH_PARTICIPANT`.
 */
jmeet_status jmeet_conference_send_private_message(jmeet_conference *room,
                                                   const char *endpoint_id,
                                                   const char *text,
                                                   uint64_t tag,
                                                   jmeet_error **error);

/**
 * Changes the name that others see; empty removes it. Returns at once; with a `tag` a REQUEST_DONE comes when it is on its way. Any thread.
 *
 * Errors: `JMEET_ERR_TOO_LARGE` (512 bytes), `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_set_display_name(jmeet_conference *room,
                                               const char *name,
                                               uint64_t tag,
                                               jmeet_error **error);

/**
 * Leaves the room and closes the connection. Returns at once; with a `tag` a REQUEST_DONE comes when we have left, and CLOSED follows in any
 * case. Any thread.
 *
 * Errors: `JMEET_ERR_CLOSED`, `JMEET_ERR_BUSY`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_leave(jmeet_conference *room,
                                    uint64_t tag,
                                    jmeet_error **error);

/**
 * The room's address. Lives as long as the room. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_room_jid(const jmeet_conference *room, jmeet_str *jid);

/**
 * Our own endpoint id. Lives as long as the room. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_STATE`: not in the room yet. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_endpoint_id(const jmeet_conference *room, jmeet_str *endpoint_id);

/**
 * Everybody else in the room now, which may be ahead of the queue. The list is the caller's, freed with
 * `jmeet_participant_list_free`. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_conference_list_participants(const jmeet_conference *room, jmeet_participant_list **list);

/**
 * The participant with an endpoint id, which may be ahead of the queue. Borrowed. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_find_participant(const jmeet_conference *room,
                                               const char *endpoint_id,
                                               jmeet_participant **participant);

/**
 * The participant with a key, as frames and infos carry it. Borrowed. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_find_participant_by_key(const jmeet_conference *room,
                                                      uint64_t key,
                                                      jmeet_participant **participant);

/**
 * All tracks now, ours included, which may be ahead of the queue. The list is the caller's, freed with `jmeet_track_list_free`. Any
 * thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_conference_list_tracks(const jmeet_conference *room,
                                          jmeet_track_list **list);

/**
 * The track with a source name, which may be ahead of the queue. Borrowed. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NO_SUCH_TRACK`: there is none, or not any more. `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_find_track(const jmeet_conference *room,
                                         const char *source_name,
                                         jmeet_track **track);

/**
 * The track with a key, as frames and infos carry it. Borrowed. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NO_SUCH_TRACK`: there is none, or not any more. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_find_track_by_key(const jmeet_conference *room,
                                                uint64_t key,
                                                jmeet_track **track);

/**
 * Adds a local track: a microphone, camera or screen that others see. Frames go through a writer made from it
 * (`jmeet_writer_new`). Allowed as soon as join was called; then it is part of the first offer. (It may answer
 * `JMEET_ERR_CLOSED` already, where the connection was refused at once: the queue has the reason.) The track is borrowed: it ends with
 * `jmeet_track_remove` or the client. With a `tag` a REQUEST_DONE comes at once when it was taken: the room is told then, or with the join where
 * that is not done. TRACK_ADDED follows when the room is told. `options` names at least `media` or `codec`. A codec that the other side does not
 * take, or that is not in `jmeet_client_options.video_codecs`, is no error: CODEC_WANTED names another one at once. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: media, codec and video type do not fit. `JMEET_ERR_NOT_BUILT`: the library has no media.
 * `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`. REQUEST_DONE:
 * `JMEET_ERR_RESOURCES`: there are `JMEET_MAX_LOCAL_TRACKS` tracks of ours. `JMEET_ERR_CLOSED`, `JMEET_ERR_CANCELLED`.
 */
jmeet_status jmeet_conference_send_track(jmeet_conference *room,
                                         const jmeet_track_options *options,
                                         uint64_t tag,
                                         jmeet_track **track,
                                         jmeet_error **error);

/**
 * Makes a reader of everybody but ourselves, also before we are in: one thread hears the whole room. What is read is what is asked for:
 * without readers of video the bridge sends us none (audio it sends always, and without readers it is dropped here). `options` may be NULL.
 * The reader is the caller's, freed with `jmeet_reader_free`. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: an option. `JMEET_ERR_NOT_BUILT`: the library has no media. `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
 */
jmeet_status jmeet_conference_reader_new(jmeet_conference *room,
                                         const jmeet_reader_options *options,
                                         jmeet_reader **reader,
                                         jmeet_error **error);

/** Reads a BRIDGE_CHANNEL. */
jmeet_status jmeet_event_bridge_channel(const jmeet_event *event, jmeet_bridge_channel_info *info);

/** Reads a SPEAKER. */
jmeet_status jmeet_event_speaker(const jmeet_event *event, jmeet_speaker_info *info);

/** Reads an ENDPOINT_MESSAGE. */
jmeet_status jmeet_event_endpoint_message(const jmeet_event *event, jmeet_endpoint_message_info *info);

/** Reads a TRACK_FORWARDED. */
jmeet_status jmeet_event_track_forwarded(const jmeet_event *event, jmeet_track_forwarded_info *info);

/** Reads a DOWNLINK. */
jmeet_status jmeet_event_downlink(const jmeet_event *event, jmeet_downlink_info *info);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_downlink_info_init(jmeet_downlink_info *info,
                                      size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_track_forwarded_info_init(jmeet_track_forwarded_info *info,
                                             size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_endpoint_message_info_init(jmeet_endpoint_message_info *info,
                                              size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_speaker_info_init(jmeet_speaker_info *info,
                                     size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_bridge_channel_info_init(jmeet_bridge_channel_info *info,
                                            size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_receive_options_init(jmeet_receive_options *options,
                                        size_t size);

/**
 * Says which video the bridge is to send, instead of what follows from the readers. It makes no reader: what is sent and not read is
 * dropped here, at the cost of our downlink, and what is read and not sent does not come. A peer hears nothing of it: of what comes straight
 * from one the readers decide. `options` NULL: the readers decide again. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: `sources` is not as described. `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
 */
jmeet_status jmeet_conference_set_receive(jmeet_conference *room,
                                          const jmeet_receive_options *options,
                                          jmeet_error **error);

/**
 * Sends a JSON object (at most 65536 bytes) to one endpoint through the bridge, or to all others when `endpoint_id` is
 * NULL. REQUEST_DONE comes when it is on its way to the bridge; nobody confirms that it arrived. While the channel to the bridge opens,
 * or opens again after an outage, it waits: up to `JMEET_MAX_WAITING_MESSAGES` with `JMEET_MAX_WAITING_MESSAGE_BYTES` in all, and each
 * for `JMEET_WAITING_MESSAGE_MS` at most. Messages are sent in their order. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: no JSON object, or an empty `endpoint_id`, which may be a forgotten one. `JMEET_ERR_TOO_LARGE`.
 * `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_STATE`: not in the room. `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_BUSY`,
 * `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`. REQUEST_DONE: `JMEET_ERR_FULL`: too much waits. `JMEET_ERR_NOT_READY`: there is no channel to the bridge, or it did not open in
 * time. `JMEET_ERR_CANCELLED`: the meeting ended first. What was refused or given up is not sent.
 */
jmeet_status jmeet_conference_send_endpoint_message(jmeet_conference *room,
                                                    const char *endpoint_id,
                                                    const char *payload,
                                                    uint64_t tag,
                                                    jmeet_error **error);

/** Reads a TRACK_STREAMING. */
jmeet_status jmeet_event_track_streaming(const jmeet_event *event, jmeet_track_streaming_info *info);

/** Reads a CONNECTIVITY. */
jmeet_status jmeet_event_connectivity(const jmeet_event *event, jmeet_connectivity_info *info);

/** Reads a ROUND_TRIP. */
jmeet_status jmeet_event_round_trip(const jmeet_event *event, jmeet_round_trip_info *info);

/**
 * Who speaks now, as the bridge hears it, which may be ahead of the queue. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_conference_get_speaking(const jmeet_conference *room, jmeet_speaking *speaking);

/**
 * Who spoke last, the dominant speaker first and then the earlier ones, the latest first: those of the others who are still here. We
 * ourselves are never in it, for there is no `jmeet_participant` of us: `jmeet_speaking.ours`, and SPEAKER names us by our endpoint id.
 * The list is the caller's, freed with `jmeet_participant_list_free`. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_conference_list_speakers(const jmeet_conference *room,
                                            jmeet_participant_list **list);

/**
 * How a remote track does now, which may be ahead of the queue. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_INVALID_ARGUMENT`: it is ours, or struct_size. `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_track_get_status(const jmeet_track *track,
                                    jmeet_track_status *status);

/**
 * How a participant's connection does now, which may be ahead of the queue. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_GONE`: they have left. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_participant_get_status(const jmeet_participant *participant,
                                          jmeet_participant_status *status);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_speaking_init(jmeet_speaking *speaking,
                                 size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_track_streaming_info_init(jmeet_track_streaming_info *info,
                                             size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_connectivity_info_init(jmeet_connectivity_info *info,
                                          size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_round_trip_info_init(jmeet_round_trip_info *info,
                                        size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_track_status_init(jmeet_track_status *status,
                                     size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_participant_status_init(jmeet_participant_status *status,
                                           size_t size);

/**
 * Mutes somebody for everybody, which moderators may (`JMEET_ROLE_MODERATOR`): all of their tracks of a `jmeet_mute_kind`. Nobody can be
 * unmuted by others. Returns at once; with a `tag` a REQUEST_DONE comes when the focus has answered; that they are muted is seen by the
 * TRACK_UPDATED of their tracks. Any thread.
 *
 * Errors: `JMEET_ERR_GONE`: they have left. `JMEET_ERR_INVALID_ARGUMENT`: no such kind. `JMEET_ERR_STATE`: not in the room. `JMEET_ERR_BUSY`,
 * `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`. REQUEST_DONE: `JMEET_ERR_NOT_ALLOWED`: we are no moderator, or they are one
 * who cannot be muted. `JMEET_ERR_NO_SUCH_PARTICIPANT`: they left first. `JMEET_ERR_STATE`: no focus is in the room, or we are not any more.
 * `JMEET_ERR_REQUEST`: the focus refused, the condition says how. `JMEET_ERR_REQUEST_TIMEOUT`: it did not answer. `JMEET_ERR_CANCELLED`: the
 * meeting ended first.
 */
jmeet_status jmeet_participant_mute(jmeet_participant *participant,
                                    uint32_t kind,
                                    uint64_t tag,
                                    jmeet_error **error);

/** Reads a MUTED_BY. */
jmeet_status jmeet_event_muted_by(const jmeet_event *event, jmeet_muted_by_info *info);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_muted_by_info_init(jmeet_muted_by_info *info,
                                      size_t size);

/** Reads a SOURCES_REFUSED. */
jmeet_status jmeet_event_sources_refused(const jmeet_event *event, jmeet_sources_refused_info *info);

/** Reads a START_MUTED. */
jmeet_status jmeet_event_start_muted(const jmeet_event *event, jmeet_start_muted_info *info);

/** Reads a RESTART_REFUSED. */
jmeet_status jmeet_event_restart_refused(const jmeet_event *event, jmeet_restart_refused_info *info);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_sources_refused_info_init(jmeet_sources_refused_info *info,
                                             size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_start_muted_info_init(jmeet_start_muted_info *info,
                                         size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_restart_refused_info_init(jmeet_restart_refused_info *info,
                                             size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_tone_info_init(jmeet_tone_info *info,
                                  size_t size);

/** Reads a TONE. */
jmeet_status jmeet_event_tone(const jmeet_event *event, jmeet_tone_info *info);

/**
 * Presses keys of a telephone on an audio track of ours, one after the other, as events in its audio (RFC 4733): `keys` such as "123#", of
 * '0' to '9', '*', '#', 'A' to 'D', at most 128. Each is held for `held_ms` (40 to 6000; 0: 200), with a pause of `gap_ms` (30 to 6000; 0: 200)
 * after it. While one is held, frames of the track are not sent. With a `tag` a REQUEST_DONE comes when the last was released, or why not:
 * `JMEET_ERR_MUTED`, `JMEET_ERR_NOT_READY` (nobody receives media yet, or any more), `JMEET_ERR_CODEC` (the other side takes none),
 * `JMEET_ERR_BUSY` (those before are not done), `JMEET_ERR_GONE`, `JMEET_ERR_CANCELLED`. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: not ours, not audio, no such key, or a time out of range. `JMEET_ERR_TOO_LARGE`: too many keys.
 * `JMEET_ERR_GONE`, `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_track_send_tones(jmeet_track *track,
                                    const char *keys,
                                    uint32_t held_ms,
                                    uint32_t gap_ms,
                                    uint64_t tag,
                                    jmeet_error **error);

/** Reads a PARTICIPANT_STATS. */
jmeet_status jmeet_event_participant_stats(const jmeet_event *event, jmeet_participant_stats_info *info);

/**
 * What a participant said last of their connection, as PARTICIPANT_STATS told it, which may be ahead of the queue. The strings live as
 * long as the participant's handle. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NOT_READY`: they have said nothing yet. `JMEET_ERR_GONE`: they have left. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`,
 * `JMEET_ERR_INVALID_ARGUMENT` (struct_size), `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_participant_get_stats(jmeet_participant *participant,
                                         jmeet_participant_stats_info *info);

/** Reads a LOCAL_STATS. */
jmeet_status jmeet_event_local_stats(const jmeet_event *event, jmeet_local_stats *stats);

/**
 * Takes statistics of every track on every way, as of now. Counters run from the first packet of a stream; what there is in a time is
 * the difference of two looks. Waits for the client's thread, which takes microseconds, for `timeout_ms` at most
 * (`JMEET_FOREVER`: as long as it takes), never for the network. Any thread.
 *
 * Errors: `JMEET_ERR_TIMEOUT`, `JMEET_ERR_CLOSED`, `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_conference_stats_new(const jmeet_conference *room,
                                        int32_t timeout_ms,
                                        jmeet_stats **stats,
                                        jmeet_error **error);

/**
 * Our own connection as it was summed up last, which happens every ten seconds while media flows. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_stats_get(const jmeet_stats *stats,
                             jmeet_local_stats *own);

/** How many streams there are; 0 if `stats` is none. */
size_t jmeet_stats_size(const jmeet_stats *stats);

/**
 * Reads stream number `index`, from 0. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many, or struct_size. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_stats_get_track(const jmeet_stats *stats,
                                   size_t index,
                                   jmeet_track_stats *track);

/**
 * Frees statistics. NULL is fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_stats_free(jmeet_stats *stats);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_local_stats_init(jmeet_local_stats *stats,
                                    size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_participant_stats_info_init(jmeet_participant_stats_info *info,
                                               size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_track_stats_init(jmeet_track_stats *stats,
                                    size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_participant_info_init(jmeet_participant_info *info,
                                         size_t size);

/**
 * The endpoint id, which never changes. Also of one who has left. Lives as long as the handle. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_participant_endpoint_id(const jmeet_participant *participant,
                                           jmeet_str *endpoint_id);

/** The number of a participant, never used again within its client; 0 if `participant` is none. Also of one who has left. */
uint64_t jmeet_participant_key(const jmeet_participant *participant);

/**
 * A list of this one, as it is now: what changes of a participant is read from a list, whose strings stay. Freed by the caller.
 * Any thread; does not block.
 *
 * Errors: `JMEET_ERR_GONE`: they have left. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_participant_list_new(const jmeet_participant *participant,
                                        jmeet_participant_list **list);

/** How many there are; 0 if `list` is none. */
size_t jmeet_participant_list_size(const jmeet_participant_list *list);

/**
 * Reads number `index` of a list, from 0. The strings live as long as the list. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many, or struct_size. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_participant_list_get(const jmeet_participant_list *list,
                                        size_t index,
                                        jmeet_participant_info *info);

/**
 * Frees a list and its strings. NULL is fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_participant_list_free(jmeet_participant_list *list);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_track_options_init(jmeet_track_options *options,
                                      size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_track_info_init(jmeet_track_info *info,
                                   size_t size);

/**
 * What is known of a track now, which may be ahead of the queue. The strings live as long as the track. Any thread; does not
 * block.
 *
 * Errors: `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_NOT_READY`: it is ours and the room does not know it yet; `JMEET_ERR_CLOSED`: nor will it,
 * the meeting is over. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_track_get(jmeet_track *track,
                             jmeet_track_info *info);

/** The number of a track, never used again within its client; 0 if `track` is none. Also of one that is gone. */
uint64_t jmeet_track_key(const jmeet_track *track);

/**
 * Mutes (`muted` not 0) or unmutes a track of ours, so that others see it. While it is muted writes answer `JMEET_ERR_MUTED`. With a `tag`
 * a REQUEST_DONE comes at once when it was taken: the room is told then, or with the join where that is not done. What the focus muted (MUTED_BY, START_MUTED)
 * is unmuted, and done, when the focus consents; until then it stays muted. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: not ours. `JMEET_ERR_GONE`, `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`. REQUEST_DONE: `JMEET_ERR_NOT_ALLOWED`: the room is moderated and we are to stay muted. `JMEET_ERR_REQUEST`,
 * `JMEET_ERR_REQUEST_TIMEOUT`: the focus refused for another reason, or did not answer; muted still. `JMEET_ERR_CANCELLED`: muted again
 * meanwhile, or the meeting ended. `JMEET_ERR_GONE`.
 */
jmeet_status jmeet_track_set_muted(jmeet_track *track,
                                   uint32_t muted,
                                   uint64_t tag,
                                   jmeet_error **error);

/**
 * Removes a track of ours. Its writers answer `JMEET_ERR_CLOSED` from now on. A peer that receives it sees it muted, because peers do
 * not signal that a source is gone; a new track of the same codec takes its place. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: not ours. `JMEET_ERR_GONE`: removed already. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_track_remove(jmeet_track *track);

/**
 * Asks the sender of somebody's video track for a key frame. Asking often is fine: requests are spread out. Any thread; does not
 * block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track is ours. `JMEET_ERR_GONE`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_track_request_key_frame(jmeet_track *track);

/** How many there are; 0 if `list` is none. */
size_t jmeet_track_list_size(const jmeet_track_list *list);

/**
 * Reads number `index` of a list, from 0. The strings live as long as the list. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many, or struct_size. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_track_list_get(const jmeet_track_list *list,
                                  size_t index,
                                  jmeet_track_info *info);

/**
 * Frees a list and its strings. NULL is fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_track_list_free(jmeet_track_list *list);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_writer_options_init(jmeet_writer_options *options,
                                       size_t size);

/**
 * Makes a writer of a track of ours. `options` may be NULL. Freed by the caller. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track is not ours. `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_writer_new(jmeet_track *track,
                              const jmeet_writer_options *options,
                              jmeet_writer **writer,
                              jmeet_error **error);

/**
 * Hands a frame over; it is copied. Never blocks: pacing frames is the caller's, pacing packets ours. Any thread: frames of one encoding go
 * out in the order of the calls, so write those from one thread, or in an order of your own; different encodings, and different writers of
 * one track, may be written at the same time.
 *
 * Video that did not go out is missing to what follows: after each of these three answers the next frame must be a key frame, or after FULL
 * the same frame again. Where KEY_FRAME_WANTED says that media goes another way, what comes before that key frame answers OK and is not
 * sent; the event is repeated meanwhile. Audio is not held up by that; what is on its way in that moment may be lost. Of H.264 the parameter
 * sets are kept even so (JMEET_CODEC_H264).
 *
 * Errors: `JMEET_ERR_MUTED` and `JMEET_ERR_NOT_READY` (nobody receives media yet, or nothing of this encoding is to be sent now:
 * TARGET_BITRATE 0): dropped, nothing is wrong. `JMEET_ERR_FULL`: not taken, the network is behind. `JMEET_ERR_TOO_LARGE`
 * (`JMEET_MAX_FRAME_BYTES`; of Opus 1180), `JMEET_ERR_INVALID_ARGUMENT` (empty, no such encoding, no Opus packet, neither a picture nor
 * parameter sets of H.264, no temporal unit of AV1 with more than a delimiter, video without a duration, a temporal layer or level out of
 * range), `JMEET_ERR_CODEC` (the other side takes none of this codec, or CODEC_WANTED named another one), `JMEET_ERR_CLOSED` (the track was
 * removed, or the meeting is over), `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
 */
jmeet_status jmeet_writer_write(jmeet_writer *writer,
                                const jmeet_outgoing_frame *frame);

/**
 * Says what the encoder of a video track does, which the library cannot see: whether it has too little CPU, and the `height` of the largest
 * picture that it makes now. 0: as high as TARGET_BITRATE says; with `JMEET_LIMITATION_CPU`: less than that. Say it when it changes; saying the
 * same again changes nothing. A program that never calls it is never limited. `limitation`: a `jmeet_limitation`.
 *
 * While the encoder is limited by CPU and makes less than the height of TARGET_BITRATE, this happens, as in Jitsi's own clients:
 * 1. If `video_codecs` of the client's options names a codec that is cheaper to encode (of a camera AV1, VP9, VP8 from dear to cheap, of a
 *    screen VP9, VP8, AV1) and everybody takes, CODEC_WANTED names it after 60 s, during which none of the following happens.
 * 2. Else fewer videos are asked of the bridge: half of those that come, at least 3.
 * 3. Where no more than 3 may come already, smaller ones: a level of 2160, 1080, 720, 540, 480, 360, 270, 180 less. 2 and 3 go on every 10 s.
 *
 * When no track is limited any more, one video is asked for again every 60 s, then a level of height; a limit that comes back meanwhile ends
 * that for good, for this client. All this is beside what readers and `jmeet_conference_set_receive` want, which is never exceeded. Any
 * thread; does not block.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: audio, or not a `jmeet_limitation`. `JMEET_ERR_CLOSED`: the track was removed, or the meeting is over.
 * `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_writer_set_limited(jmeet_writer *writer,
                                      uint32_t limitation,
                                      uint32_t height);

/**
 * Counters of one encoding of the writer's track, from 0, the smallest. Waits for the client's thread, which takes microseconds, for
 * `timeout_ms` at most (`JMEET_FOREVER`: as long as it takes), never for the network. Any thread.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track has not so many encodings, or struct_size. `JMEET_ERR_TIMEOUT`. `JMEET_ERR_CLOSED`: the track
 * was removed, or the meeting is over. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_writer_get_stats(const jmeet_writer *writer,
                                    uint32_t encoding,
                                    int32_t timeout_ms,
                                    jmeet_writer_stats *stats);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_writer_stats_init(jmeet_writer_stats *stats,
                                     size_t size);

/**
 * Frees a writer. Its track stays; `jmeet_track_remove` removes it. NULL is fine. Any thread.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_writer_free(jmeet_writer *writer);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_reader_options_init(jmeet_reader_options *options,
                                       size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_reader_stats_init(jmeet_reader_stats *stats,
                                     size_t size);

/**
 * Makes a reader of one remote track. Several may read one track, each with its own bound. `options` may be NULL. Freed by the
 * caller. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_GONE`: the track was removed. `JMEET_ERR_INVALID_ARGUMENT`: the track is ours, or an option. `JMEET_ERR_NOT_BUILT`: the library
 * has no media. `JMEET_ERR_CLOSED`,
 * `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
 */
jmeet_status jmeet_reader_new(jmeet_track *track,
                              const jmeet_reader_options *options,
                              jmeet_reader **reader,
                              jmeet_error **error);

/**
 * Gives the next frame, or waits for one at most `timeout_ms` (0: not at all; `JMEET_FOREVER`). The frame's pointers live until the
 * next call on this reader, whatever it answers, or its free. One thread at a time; blocks up to the timeout.
 *
 * Errors: `JMEET_ERR_TIMEOUT`: none came. `JMEET_ERR_CLOSED`: the track, the meeting or the reader has ended and all frames were given.
 * `JMEET_ERR_BUSY`: another thread is in a call on this reader. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`,
 * `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_reader_next(jmeet_reader *reader,
                               int32_t timeout_ms,
                               jmeet_frame *frame);

/**
 * A descriptor that is readable while a frame waits, or the end. It belongs to the reader: never read or close it. When it is
 * readable call `jmeet_reader_next(reader, 0, …)` until `JMEET_ERR_TIMEOUT`. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_UNSUPPORTED` where the system has no such descriptors, `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`,
 * `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_reader_fd(jmeet_reader *reader,
                             intptr_t *fd);

/**
 * Has `wakeup` called whenever a frame arrives, or the end; NULL ends it. When this returns the wake-up before it does not run and
 * will not run again, but the call that this was called from. Any thread.
 *
 * Errors: `JMEET_ERR_NULL` for the reader, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_reader_set_wakeup(jmeet_reader *reader,
                                     jmeet_wakeup_callback wakeup,
                                     void *user_data);

/**
 * Counters so far. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_reader_get_stats(const jmeet_reader *reader, jmeet_reader_stats *stats);

/**
 * Frees a reader; when nobody else reads the track, nothing of it is asked for any more. A thread that blocks in `jmeet_reader_next`
 * wakes with `JMEET_ERR_CLOSED`. NULL is fine. Any thread.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_reader_free(jmeet_reader *reader);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_frame_init(jmeet_frame *frame,
                              size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_outgoing_frame_init(jmeet_outgoing_frame *frame,
                                       size_t size);

/**
 * Keeps the frame that the last `jmeet_reader_next` of this reader gave: all its pointers live until `jmeet_frame_release`, also after
 * the reader's end. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_STATE`: the last call gave no frame. `JMEET_ERR_BUSY`: another thread is in a call on this reader.
 * `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_frame_retain(jmeet_reader *reader,
                                jmeet_frame_ref **frame);

/**
 * Reads a kept frame. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
 */
jmeet_status jmeet_frame_get(const jmeet_frame_ref *frame, jmeet_frame *out);

/**
 * Lets a kept frame go. NULL is fine.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_frame_release(jmeet_frame_ref *frame);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/** A `jmeet_error_info` with every field at its default. */
#define JMEET_ERROR_INFO_INIT \
    { (uint32_t)sizeof(jmeet_error_info), 0, 0, { NULL, 0 }, { NULL, 0 } }

/** A `jmeet_runtime_options` with every field at its default. */
#define JMEET_RUNTIME_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_runtime_options), 0 }

/** A `jmeet_queue_options` with every field at its default. */
#define JMEET_QUEUE_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_queue_options), 0 }

/** A `jmeet_state_info` with every field at its default. */
#define JMEET_STATE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_state_info), 0 }

/** A `jmeet_joined_info` with every field at its default. */
#define JMEET_JOINED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_joined_info), 0, { NULL, 0 } }

/** A `jmeet_participant_info` with every field at its default. */
#define JMEET_PARTICIPANT_INFO_INIT \
    { (uint32_t)sizeof(jmeet_participant_info), 0, NULL, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0, 0, 0 }

/** A `jmeet_participant_left_info` with every field at its default. */
#define JMEET_PARTICIPANT_LEFT_INFO_INIT \
    { (uint32_t)sizeof(jmeet_participant_left_info), false, false, false, { NULL, 0 } }

/** A `jmeet_role_info` with every field at its default. */
#define JMEET_ROLE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_role_info), 0 }

/** A `jmeet_message_info` with every field at its default. */
#define JMEET_MESSAGE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_message_info), false, false, NULL, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0 }

/** A `jmeet_subject_info` with every field at its default. */
#define JMEET_SUBJECT_INFO_INIT \
    { (uint32_t)sizeof(jmeet_subject_info), { NULL, 0 } }

/** A `jmeet_track_info` with every field at its default. */
#define JMEET_TRACK_INFO_INIT \
    { (uint32_t)sizeof(jmeet_track_info), 0, 0, false, false, NULL, NULL, 0, { NULL, 0 }, { NULL, 0 }, 0, 0 }

/** A `jmeet_focus_info` with every field at its default. */
#define JMEET_FOCUS_INFO_INIT \
    { (uint32_t)sizeof(jmeet_focus_info), false }

/** A `jmeet_bridge_info` with every field at its default. */
#define JMEET_BRIDGE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_bridge_info), false }

/** A `jmeet_media_info` with every field at its default. */
#define JMEET_MEDIA_INFO_INIT \
    { (uint32_t)sizeof(jmeet_media_info), 0, false, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0, 0 }

/** A `jmeet_key_frame_wanted_info` with every field at its default. */
#define JMEET_KEY_FRAME_WANTED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_key_frame_wanted_info), 0, NULL }

/** A `jmeet_target_bitrate_info` with every field at its default. */
#define JMEET_TARGET_BITRATE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_target_bitrate_info), 0, NULL, 0, 0, 0 }

/** A `jmeet_codec_wanted_info` with every field at its default. */
#define JMEET_CODEC_WANTED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_codec_wanted_info), 0, NULL }

/** A `jmeet_bandwidth_info` with every field at its default. */
#define JMEET_BANDWIDTH_INFO_INIT \
    { (uint32_t)sizeof(jmeet_bandwidth_info), 0, 0 }

/** A `jmeet_timeline_info` with every field at its default. */
#define JMEET_TIMELINE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_timeline_info), 0, 0 }

/** A `jmeet_overrun_info` with every field at its default. */
#define JMEET_OVERRUN_INFO_INIT \
    { (uint32_t)sizeof(jmeet_overrun_info), 0, 0 }

/** A `jmeet_client_options` with every field at its default. */
#define JMEET_CLIENT_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_client_options), 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL }

/** A `jmeet_client_stats` with every field at its default. */
#define JMEET_CLIENT_STATS_INIT \
    { (uint32_t)sizeof(jmeet_client_stats), 0, 0, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_track_options` with every field at its default. */
#define JMEET_TRACK_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_track_options), 0, 0, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_reader_options` with every field at its default. */
#define JMEET_READER_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_reader_options), 0, 0, 0, 0, 0 }

/** A `jmeet_bridge_channel_info` with every field at its default. */
#define JMEET_BRIDGE_CHANNEL_INFO_INIT \
    { (uint32_t)sizeof(jmeet_bridge_channel_info), 0 }

/** A `jmeet_speaker_info` with every field at its default. */
#define JMEET_SPEAKER_INFO_INIT \
    { (uint32_t)sizeof(jmeet_speaker_info), false, false, NULL, { NULL, 0 }, { NULL, 0 } }

/** A `jmeet_endpoint_message_info` with every field at its default. */
#define JMEET_ENDPOINT_MESSAGE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_endpoint_message_info), false, NULL, { NULL, 0 }, { NULL, 0 } }

/** A `jmeet_track_forwarded_info` with every field at its default. */
#define JMEET_TRACK_FORWARDED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_track_forwarded_info), false, 0, NULL }

/** A `jmeet_downlink_info` with every field at its default. */
#define JMEET_DOWNLINK_INFO_INIT \
    { (uint32_t)sizeof(jmeet_downlink_info), 0, 0 }

/** A `jmeet_receive_options` with every field at its default. */
#define JMEET_RECEIVE_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_receive_options), 0, 0, 0, NULL, NULL, NULL }

/** A `jmeet_track_streaming_info` with every field at its default. */
#define JMEET_TRACK_STREAMING_INFO_INIT \
    { (uint32_t)sizeof(jmeet_track_streaming_info), 0, NULL, 0, 0 }

/** A `jmeet_connectivity_info` with every field at its default. */
#define JMEET_CONNECTIVITY_INFO_INIT \
    { (uint32_t)sizeof(jmeet_connectivity_info), false, NULL, { NULL, 0 } }

/** A `jmeet_round_trip_info` with every field at its default. */
#define JMEET_ROUND_TRIP_INFO_INIT \
    { (uint32_t)sizeof(jmeet_round_trip_info), 0, NULL, { NULL, 0 }, 0 }

/** A `jmeet_speaking` with every field at its default. */
#define JMEET_SPEAKING_INIT \
    { (uint32_t)sizeof(jmeet_speaking), false, false, NULL }

/** A `jmeet_track_status` with every field at its default. */
#define JMEET_TRACK_STATUS_INIT \
    { (uint32_t)sizeof(jmeet_track_status), 0, false, 0 }

/** A `jmeet_participant_status` with every field at its default. */
#define JMEET_PARTICIPANT_STATUS_INIT \
    { (uint32_t)sizeof(jmeet_participant_status), false, false, 0, 0, 0 }

/** A `jmeet_muted_by_info` with every field at its default. */
#define JMEET_MUTED_BY_INFO_INIT \
    { (uint32_t)sizeof(jmeet_muted_by_info), 0, NULL, { NULL, 0 } }

/** A `jmeet_sources_refused_info` with every field at its default. */
#define JMEET_SOURCES_REFUSED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_sources_refused_info), 0, 0, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } }

/** A `jmeet_start_muted_info` with every field at its default. */
#define JMEET_START_MUTED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_start_muted_info), false, false }

/** A `jmeet_restart_refused_info` with every field at its default. */
#define JMEET_RESTART_REFUSED_INFO_INIT \
    { (uint32_t)sizeof(jmeet_restart_refused_info), 0, { NULL, 0 } }

/** A `jmeet_tone_info` with every field at its default. */
#define JMEET_TONE_INFO_INIT \
    { (uint32_t)sizeof(jmeet_tone_info), 0, NULL, NULL, { NULL, 0 } }

/** A `jmeet_participant_stats_info` with every field at its default. */
#define JMEET_PARTICIPANT_STATS_INFO_INIT \
    { (uint32_t)sizeof(jmeet_participant_stats_info), 0, NULL, { NULL, 0 }, { NULL, 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_local_stats` with every field at its default. */
#define JMEET_LOCAL_STATS_INIT \
    { (uint32_t)sizeof(jmeet_local_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_track_stats` with every field at its default. */
#define JMEET_TRACK_STATS_INIT \
    { (uint32_t)sizeof(jmeet_track_stats), 0, 0, 0, 0, false, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { NULL, 0 } }

/** A `jmeet_writer_options` with every field at its default. */
#define JMEET_WRITER_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_writer_options), 0 }

/** A `jmeet_outgoing_frame` with every field at its default. */
#define JMEET_OUTGOING_FRAME_INIT \
    { (uint32_t)sizeof(jmeet_outgoing_frame), 0, NULL, 0, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_writer_stats` with every field at its default. */
#define JMEET_WRITER_STATS_INIT \
    { (uint32_t)sizeof(jmeet_writer_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_reader_stats` with every field at its default. */
#define JMEET_READER_STATS_INIT \
    { (uint32_t)sizeof(jmeet_reader_stats), 0, 0, 0, 0 }

/** A `jmeet_frame` with every field at its default. */
#define JMEET_FRAME_INIT \
    { (uint32_t)sizeof(jmeet_frame), 0, 0, 0, 0, 0, 0, false, false, 0, 0, 0, 0, 0, 0, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0, 0 }

#endif  /* JMEET_H */
