//! What a call, a request or a meeting came to, and where it was: written out because cbindgen reads no macros. A test holds each equal to
//! its Rust counterpart; values are never reused or renumbered. Structs and functions carry the enums of the header as `uint32_t` (a status
//! as `int32_t`), so that a program can meet a value newer than its header.

use super::entry::entry;
use crate::error::Code;
use std::ffi::c_char;

/// What a call, a request or a meeting came to. 0 is success; 1 to 99 misuse of the API; then by layer. New codes may be added:
/// treat an unknown one as a failure.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_status {
    /// Success.
    JMEET_OK = 0,
    /// A required pointer was NULL.
    JMEET_ERR_NULL = 1,
    /// The handle is stale, freed, of another type, or never was one.
    JMEET_ERR_INVALID_HANDLE = 2,
    /// The participant or track has gone; its handle stays valid until the removal event is freed. (By a name or key that nobody has, or has
    /// any more: NO_SUCH_PARTICIPANT, NO_SUCH_TRACK.)
    JMEET_ERR_GONE = 3,
    /// An argument is out of its range.
    JMEET_ERR_INVALID_ARGUMENT = 4,
    /// A string is not UTF-8.
    JMEET_ERR_INVALID_UTF8 = 5,
    /// The call does not fit the state of the object.
    JMEET_ERR_STATE = 6,
    /// Another thread is in a call on this object, or too many requests are outstanding.
    JMEET_ERR_BUSY = 7,
    /// Something still uses the object.
    JMEET_ERR_IN_USE = 8,
    /// The caller's header is newer than this library.
    JMEET_ERR_UNSUPPORTED = 9,
    /// The event is of another type.
    JMEET_ERR_WRONG_EVENT = 10,
    /// The time given to the call ran out; nothing is wrong.
    JMEET_ERR_TIMEOUT = 11,
    /// The object was closed.
    JMEET_ERR_CLOSED = 12,
    /// Called in a forked child: nothing works there.
    JMEET_ERR_FORKED = 13,
    /// A defect of this library was caught; the client it happened in is closed.
    JMEET_ERR_PANIC = 14,
    /// The operating system refused memory, threads or sockets.
    JMEET_ERR_RESOURCES = 15,
    /// A text is longer than its limit.
    JMEET_ERR_TOO_LARGE = 16,
    /// There is no such participant in the room.
    JMEET_ERR_NO_SUCH_PARTICIPANT = 17,
    /// The options do not make sense together; the text says which.
    JMEET_ERR_OPTIONS = 18,
    /// There is no such track in the room.
    JMEET_ERR_NO_SUCH_TRACK = 19,

    /// The host name has no address.
    JMEET_ERR_RESOLVE = 100,
    /// No address of the host accepted the connection.
    JMEET_ERR_CONNECT = 101,
    /// The TLS handshake failed.
    JMEET_ERR_TLS = 102,
    /// The server's certificate is not trusted.
    JMEET_ERR_TLS_UNTRUSTED = 103,
    /// The server's certificate is for another host name.
    JMEET_ERR_TLS_HOSTNAME = 104,
    /// The server refused the WebSocket upgrade; the condition is the HTTP status.
    JMEET_ERR_UPGRADE = 105,
    /// A secret would have gone over an unencrypted connection.
    JMEET_ERR_INSECURE = 106,

    /// The server ended the stream with an error; the condition is its name.
    JMEET_ERR_STREAM = 200,
    /// The server serves no such domain (`host-unknown`); the text names the domain tried.
    JMEET_ERR_HOST_UNKNOWN = 201,
    /// The server broke the protocol.
    JMEET_ERR_PROTOCOL = 202,
    /// The connection was lost.
    JMEET_ERR_DISCONNECTED = 203,
    /// Another login took this one's place (`conflict`).
    JMEET_ERR_REPLACED = 204,
    /// The server did not answer in time, or the join took longer than its timeout; the stage says where.
    JMEET_ERR_SERVER_TIMEOUT = 205,

    /// Authentication failed; condition and text are the server's.
    JMEET_ERR_AUTH = 300,
    /// The server wants a password or token and none was given.
    JMEET_ERR_CREDENTIALS_REQUIRED = 301,
    /// No common authentication mechanism.
    JMEET_ERR_NO_MECHANISM = 302,
    /// The server did not prove that it knows the password.
    JMEET_ERR_SERVER_PROOF = 303,
    /// Resource binding failed.
    JMEET_ERR_BIND = 304,

    /// The focus refused the conference request, or none is there.
    JMEET_ERR_CONFERENCE_REQUEST = 400,
    /// The focus demands authentication before it makes this room.
    JMEET_ERR_AUTHENTICATION_REQUIRED = 401,
    /// The reservation system refused the room.
    JMEET_ERR_RESERVATION = 402,
    /// The focus redirects to a visitor node.
    JMEET_ERR_REDIRECTED = 403,
    /// The meeting is not live.
    JMEET_ERR_NOT_LIVE = 404,

    /// The room refused the join for a reason without a code of its own.
    JMEET_ERR_JOIN = 500,
    /// The room has a password and it was not given, or is wrong.
    JMEET_ERR_ROOM_PASSWORD = 501,
    /// Not allowed to enter, or to do what was asked: only moderators mute others, and a moderated room keeps one muted.
    JMEET_ERR_NOT_ALLOWED = 502,
    /// The room is full.
    JMEET_ERR_ROOM_FULL = 503,
    /// Only members enter; the text is the lobby's address.
    JMEET_ERR_MEMBERS_ONLY = 504,
    /// A display name is required.
    JMEET_ERR_DISPLAY_NAME_REQUIRED = 505,
    /// The room does not exist and guests may not create it.
    JMEET_ERR_ROOM_DOES_NOT_EXIST = 506,
    /// The nickname is in use.
    JMEET_ERR_NICKNAME_CONFLICT = 507,
    /// Kicked; the condition is the endpoint id of who did it.
    JMEET_ERR_KICKED = 510,
    /// The room was destroyed.
    JMEET_ERR_DESTROYED = 511,
    /// Removed by the service (shutdown, affiliation change).
    JMEET_ERR_REMOVED = 512,

    /// A request was answered with an error; the condition is its name.
    JMEET_ERR_REQUEST = 600,
    /// A request was not answered in time.
    JMEET_ERR_REQUEST_TIMEOUT = 601,
    /// The meeting ended before the request was answered.
    JMEET_ERR_CANCELLED = 602,

    /// No path to the peer was found.
    JMEET_ERR_ICE = 700,
    /// The peer's DTLS handshake failed or its fingerprint is wrong.
    JMEET_ERR_DTLS = 701,
    /// The frame is of a codec that the other side does not take, or of another one than CODEC_WANTED named.
    JMEET_ERR_CODEC = 702,
    /// The writer's queue is full; the frame was not taken.
    JMEET_ERR_FULL = 703,
    /// The track is muted; the frame was dropped.
    JMEET_ERR_MUTED = 704,
    /// Not yet: nobody receives media, or nothing of this encoding is to be sent now, and the frame was dropped; or what was asked for is not
    /// known yet.
    JMEET_ERR_NOT_READY = 705,
    /// The library was built without media, as `jmeet_features` tells: there is no sending and no reading.
    JMEET_ERR_NOT_BUILT = 706,
}

impl From<Code> for jmeet_status {
    fn from(code: Code) -> jmeet_status {
        match code {
            Code::Ok => jmeet_status::JMEET_OK,
            Code::Null => jmeet_status::JMEET_ERR_NULL,
            Code::InvalidHandle => jmeet_status::JMEET_ERR_INVALID_HANDLE,
            Code::Gone => jmeet_status::JMEET_ERR_GONE,
            Code::InvalidArgument => jmeet_status::JMEET_ERR_INVALID_ARGUMENT,
            Code::InvalidUtf8 => jmeet_status::JMEET_ERR_INVALID_UTF8,
            Code::State => jmeet_status::JMEET_ERR_STATE,
            Code::Busy => jmeet_status::JMEET_ERR_BUSY,
            Code::InUse => jmeet_status::JMEET_ERR_IN_USE,
            Code::Unsupported => jmeet_status::JMEET_ERR_UNSUPPORTED,
            Code::WrongEvent => jmeet_status::JMEET_ERR_WRONG_EVENT,
            Code::Timeout => jmeet_status::JMEET_ERR_TIMEOUT,
            Code::Closed => jmeet_status::JMEET_ERR_CLOSED,
            Code::Forked => jmeet_status::JMEET_ERR_FORKED,
            Code::Panic => jmeet_status::JMEET_ERR_PANIC,
            Code::Resources => jmeet_status::JMEET_ERR_RESOURCES,
            Code::TooLarge => jmeet_status::JMEET_ERR_TOO_LARGE,
            Code::NoSuchParticipant => jmeet_status::JMEET_ERR_NO_SUCH_PARTICIPANT,
            Code::NoSuchTrack => jmeet_status::JMEET_ERR_NO_SUCH_TRACK,
            Code::Options => jmeet_status::JMEET_ERR_OPTIONS,
            Code::Resolve => jmeet_status::JMEET_ERR_RESOLVE,
            Code::Connect => jmeet_status::JMEET_ERR_CONNECT,
            Code::Tls => jmeet_status::JMEET_ERR_TLS,
            Code::TlsUntrusted => jmeet_status::JMEET_ERR_TLS_UNTRUSTED,
            Code::TlsHostname => jmeet_status::JMEET_ERR_TLS_HOSTNAME,
            Code::Upgrade => jmeet_status::JMEET_ERR_UPGRADE,
            Code::Insecure => jmeet_status::JMEET_ERR_INSECURE,
            Code::Stream => jmeet_status::JMEET_ERR_STREAM,
            Code::HostUnknown => jmeet_status::JMEET_ERR_HOST_UNKNOWN,
            Code::Protocol => jmeet_status::JMEET_ERR_PROTOCOL,
            Code::Disconnected => jmeet_status::JMEET_ERR_DISCONNECTED,
            Code::Replaced => jmeet_status::JMEET_ERR_REPLACED,
            Code::ServerTimeout => jmeet_status::JMEET_ERR_SERVER_TIMEOUT,
            Code::Auth => jmeet_status::JMEET_ERR_AUTH,
            Code::CredentialsRequired => jmeet_status::JMEET_ERR_CREDENTIALS_REQUIRED,
            Code::NoMechanism => jmeet_status::JMEET_ERR_NO_MECHANISM,
            Code::ServerProof => jmeet_status::JMEET_ERR_SERVER_PROOF,
            Code::Bind => jmeet_status::JMEET_ERR_BIND,
            Code::ConferenceRequest => jmeet_status::JMEET_ERR_CONFERENCE_REQUEST,
            Code::AuthenticationRequired => jmeet_status::JMEET_ERR_AUTHENTICATION_REQUIRED,
            Code::Reservation => jmeet_status::JMEET_ERR_RESERVATION,
            Code::Redirected => jmeet_status::JMEET_ERR_REDIRECTED,
            Code::NotLive => jmeet_status::JMEET_ERR_NOT_LIVE,
            Code::Join => jmeet_status::JMEET_ERR_JOIN,
            Code::RoomPassword => jmeet_status::JMEET_ERR_ROOM_PASSWORD,
            Code::NotAllowed => jmeet_status::JMEET_ERR_NOT_ALLOWED,
            Code::RoomFull => jmeet_status::JMEET_ERR_ROOM_FULL,
            Code::MembersOnly => jmeet_status::JMEET_ERR_MEMBERS_ONLY,
            Code::DisplayNameRequired => jmeet_status::JMEET_ERR_DISPLAY_NAME_REQUIRED,
            Code::RoomDoesNotExist => jmeet_status::JMEET_ERR_ROOM_DOES_NOT_EXIST,
            Code::NicknameConflict => jmeet_status::JMEET_ERR_NICKNAME_CONFLICT,
            Code::Kicked => jmeet_status::JMEET_ERR_KICKED,
            Code::Destroyed => jmeet_status::JMEET_ERR_DESTROYED,
            Code::Removed => jmeet_status::JMEET_ERR_REMOVED,
            Code::Request => jmeet_status::JMEET_ERR_REQUEST,
            Code::RequestTimeout => jmeet_status::JMEET_ERR_REQUEST_TIMEOUT,
            Code::Cancelled => jmeet_status::JMEET_ERR_CANCELLED,
            Code::Ice => jmeet_status::JMEET_ERR_ICE,
            Code::Dtls => jmeet_status::JMEET_ERR_DTLS,
            Code::Codec => jmeet_status::JMEET_ERR_CODEC,
            Code::Full => jmeet_status::JMEET_ERR_FULL,
            Code::Muted => jmeet_status::JMEET_ERR_MUTED,
            Code::NotReady => jmeet_status::JMEET_ERR_NOT_READY,
            Code::NotBuilt => jmeet_status::JMEET_ERR_NOT_BUILT,
        }
    }
}

/// Where on the way into, through, or out of a meeting something happened.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_stage {
    /// Not tied to a stage.
    JMEET_STAGE_NONE = 0,
    /// Looking up the host name.
    JMEET_STAGE_RESOLVE = 1,
    /// Connecting to the host.
    JMEET_STAGE_CONNECT = 2,
    /// The TLS handshake.
    JMEET_STAGE_TLS = 3,
    /// The WebSocket upgrade.
    JMEET_STAGE_UPGRADE = 4,
    /// The XMPP stream.
    JMEET_STAGE_STREAM = 5,
    /// Logging in.
    JMEET_STAGE_AUTH = 6,
    /// Binding the resource.
    JMEET_STAGE_BIND = 7,
    /// Asking the focus for the conference.
    JMEET_STAGE_CONFERENCE_REQUEST = 8,
    /// Entering the room.
    JMEET_STAGE_JOIN = 9,
    /// In the meeting.
    JMEET_STAGE_JOINED = 10,
    /// Setting up or running media.
    JMEET_STAGE_MEDIA = 11,
    /// On the way out.
    JMEET_STAGE_LEAVE = 12,
}

/// The name of a status without the prefix that all share, such as "ERR_ROOM_PASSWORD" for `JMEET_ERR_ROOM_PASSWORD`; "UNKNOWN" for a number
/// that is none. A constant: never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn jmeet_status_name(status: i32) -> *const c_char {
    entry!(or c"UNKNOWN".as_ptr(); {
        Ok(NAMES.iter().find(|(c, _)| *c as i32 == status).map_or(c"UNKNOWN".as_ptr(), |(_, n)| n.as_ptr()))
    })
}

/// The names with the NUL that C wants.
static NAMES: &[(Code, &std::ffi::CStr)] = &[
    (Code::Ok, c"OK"),
    (Code::Null, c"ERR_NULL"),
    (Code::InvalidHandle, c"ERR_INVALID_HANDLE"),
    (Code::Gone, c"ERR_GONE"),
    (Code::InvalidArgument, c"ERR_INVALID_ARGUMENT"),
    (Code::InvalidUtf8, c"ERR_INVALID_UTF8"),
    (Code::State, c"ERR_STATE"),
    (Code::Busy, c"ERR_BUSY"),
    (Code::InUse, c"ERR_IN_USE"),
    (Code::Unsupported, c"ERR_UNSUPPORTED"),
    (Code::WrongEvent, c"ERR_WRONG_EVENT"),
    (Code::Timeout, c"ERR_TIMEOUT"),
    (Code::Closed, c"ERR_CLOSED"),
    (Code::Forked, c"ERR_FORKED"),
    (Code::Panic, c"ERR_PANIC"),
    (Code::Resources, c"ERR_RESOURCES"),
    (Code::TooLarge, c"ERR_TOO_LARGE"),
    (Code::NoSuchParticipant, c"ERR_NO_SUCH_PARTICIPANT"),
    (Code::Options, c"ERR_OPTIONS"),
    (Code::NoSuchTrack, c"ERR_NO_SUCH_TRACK"),
    (Code::Resolve, c"ERR_RESOLVE"),
    (Code::Connect, c"ERR_CONNECT"),
    (Code::Tls, c"ERR_TLS"),
    (Code::TlsUntrusted, c"ERR_TLS_UNTRUSTED"),
    (Code::TlsHostname, c"ERR_TLS_HOSTNAME"),
    (Code::Upgrade, c"ERR_UPGRADE"),
    (Code::Insecure, c"ERR_INSECURE"),
    (Code::Stream, c"ERR_STREAM"),
    (Code::HostUnknown, c"ERR_HOST_UNKNOWN"),
    (Code::Protocol, c"ERR_PROTOCOL"),
    (Code::Disconnected, c"ERR_DISCONNECTED"),
    (Code::Replaced, c"ERR_REPLACED"),
    (Code::ServerTimeout, c"ERR_SERVER_TIMEOUT"),
    (Code::Auth, c"ERR_AUTH"),
    (Code::CredentialsRequired, c"ERR_CREDENTIALS_REQUIRED"),
    (Code::NoMechanism, c"ERR_NO_MECHANISM"),
    (Code::ServerProof, c"ERR_SERVER_PROOF"),
    (Code::Bind, c"ERR_BIND"),
    (Code::ConferenceRequest, c"ERR_CONFERENCE_REQUEST"),
    (Code::AuthenticationRequired, c"ERR_AUTHENTICATION_REQUIRED"),
    (Code::Reservation, c"ERR_RESERVATION"),
    (Code::Redirected, c"ERR_REDIRECTED"),
    (Code::NotLive, c"ERR_NOT_LIVE"),
    (Code::Join, c"ERR_JOIN"),
    (Code::RoomPassword, c"ERR_ROOM_PASSWORD"),
    (Code::NotAllowed, c"ERR_NOT_ALLOWED"),
    (Code::RoomFull, c"ERR_ROOM_FULL"),
    (Code::MembersOnly, c"ERR_MEMBERS_ONLY"),
    (Code::DisplayNameRequired, c"ERR_DISPLAY_NAME_REQUIRED"),
    (Code::RoomDoesNotExist, c"ERR_ROOM_DOES_NOT_EXIST"),
    (Code::NicknameConflict, c"ERR_NICKNAME_CONFLICT"),
    (Code::Kicked, c"ERR_KICKED"),
    (Code::Destroyed, c"ERR_DESTROYED"),
    (Code::Removed, c"ERR_REMOVED"),
    (Code::Request, c"ERR_REQUEST"),
    (Code::RequestTimeout, c"ERR_REQUEST_TIMEOUT"),
    (Code::Cancelled, c"ERR_CANCELLED"),
    (Code::Ice, c"ERR_ICE"),
    (Code::Dtls, c"ERR_DTLS"),
    (Code::Codec, c"ERR_CODEC"),
    (Code::Full, c"ERR_FULL"),
    (Code::Muted, c"ERR_MUTED"),
    (Code::NotReady, c"ERR_NOT_READY"),
    (Code::NotBuilt, c"ERR_NOT_BUILT"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Stage;

    #[test]
    fn every_code_is_a_status_of_the_same_value_and_name() {
        assert_eq!(NAMES.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = jmeet_status::from(*code);
            assert_eq!(status as i32, *code as i32);
            assert_eq!(format!("{status:?}"), format!("JMEET_{}", code.name()));
            // SAFETY: a constant string.
            let name = unsafe { std::ffi::CStr::from_ptr(jmeet_status_name(*code as i32)) };
            assert_eq!(name.to_str(), Ok(code.name()));
        }
        // SAFETY: a constant string.
        assert_eq!(unsafe { std::ffi::CStr::from_ptr(jmeet_status_name(99_999)) }, c"UNKNOWN");
    }

    #[test]
    fn every_stage_has_the_value_of_its_rust_counterpart() {
        let pairs = [
            (jmeet_stage::JMEET_STAGE_NONE as u32, Stage::None as u32),
            (jmeet_stage::JMEET_STAGE_AUTH as u32, Stage::Auth as u32),
            (jmeet_stage::JMEET_STAGE_LEAVE as u32, Stage::Leave as u32),
        ];
        for (n, (c, rust)) in pairs.into_iter().enumerate() {
            assert_eq!(c, rust, "pair {n}");
        }
    }
}
