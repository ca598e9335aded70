//! The one public error: a stable numeric code, the stage at which it happened, and what the other side said.
//!
//! Each layer has its own error enum beside its machine; `meeting` maps them onto these codes. Codes are the C status
//! values: grouped by hundreds, never reused, never renumbered.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal $c:literal,)*) => {
        /// Stable status codes. 0 is success; 1–99 misuse of the API; then by layer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name = $value,)* }

        impl Code {
            /// Every code, in numeric order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The name of the C constant, without the `JMEET_` prefix.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => $c,)* }
            }
        }
    };
}

codes! {
    /// Success.
    Ok = 0 "OK",
    /// A required pointer was NULL.
    Null = 1 "ERR_NULL",
    /// The handle is stale, freed, of another type, or never was one.
    InvalidHandle = 2 "ERR_INVALID_HANDLE",
    /// The participant or track has gone; its handle stays valid until the removal event is freed.
    Gone = 3 "ERR_GONE",
    /// An argument is out of its range.
    InvalidArgument = 4 "ERR_INVALID_ARGUMENT",
    /// A string is not UTF-8.
    InvalidUtf8 = 5 "ERR_INVALID_UTF8",
    /// The call does not fit the state of the object.
    State = 6 "ERR_STATE",
    /// Another thread is in a call on this object, or too many requests are outstanding.
    Busy = 7 "ERR_BUSY",
    /// Something still uses the object.
    InUse = 8 "ERR_IN_USE",
    /// The caller's header is newer than this library.
    Unsupported = 9 "ERR_UNSUPPORTED",
    /// The event is of another type.
    WrongEvent = 10 "ERR_WRONG_EVENT",
    /// The time given to the call ran out; nothing is wrong.
    Timeout = 11 "ERR_TIMEOUT",
    /// The object was closed.
    Closed = 12 "ERR_CLOSED",
    /// Called in a forked child: nothing works there.
    Forked = 13 "ERR_FORKED",
    /// A defect of this library was caught; the client it happened in is closed.
    Panic = 14 "ERR_PANIC",
    /// The operating system refused memory, threads or sockets.
    Resources = 15 "ERR_RESOURCES",
    /// A text is longer than its limit.
    TooLarge = 16 "ERR_TOO_LARGE",
    /// There is no such participant in the room.
    NoSuchParticipant = 17 "ERR_NO_SUCH_PARTICIPANT",
    /// The options do not make sense together; the text says which.
    Options = 18 "ERR_OPTIONS",
    /// There is no such track in the room.
    NoSuchTrack = 19 "ERR_NO_SUCH_TRACK",

    /// The host name has no address.
    Resolve = 100 "ERR_RESOLVE",
    /// No address of the host accepted the connection.
    Connect = 101 "ERR_CONNECT",
    /// The TLS handshake failed.
    Tls = 102 "ERR_TLS",
    /// The server's certificate is not trusted.
    TlsUntrusted = 103 "ERR_TLS_UNTRUSTED",
    /// The server's certificate is for another host name.
    TlsHostname = 104 "ERR_TLS_HOSTNAME",
    /// The server refused the WebSocket upgrade; the condition is the HTTP status.
    Upgrade = 105 "ERR_UPGRADE",
    /// A secret would have gone over an unencrypted connection.
    Insecure = 106 "ERR_INSECURE",

    /// The server ended the stream with an error; the condition is its name.
    Stream = 200 "ERR_STREAM",
    /// The server serves no such domain (`host-unknown`); the text names the domain tried.
    HostUnknown = 201 "ERR_HOST_UNKNOWN",
    /// The server broke the protocol.
    Protocol = 202 "ERR_PROTOCOL",
    /// The connection was lost.
    Disconnected = 203 "ERR_DISCONNECTED",
    /// Another login took this one's place (`conflict`).
    Replaced = 204 "ERR_REPLACED",
    /// The server did not answer in time, or the join took longer than its timeout; the stage says where.
    ServerTimeout = 205 "ERR_SERVER_TIMEOUT",

    /// Authentication failed; condition and text are the server's.
    Auth = 300 "ERR_AUTH",
    /// The server wants a password or token and none was given.
    CredentialsRequired = 301 "ERR_CREDENTIALS_REQUIRED",
    /// No common authentication mechanism.
    NoMechanism = 302 "ERR_NO_MECHANISM",
    /// The server did not prove that it knows the password.
    ServerProof = 303 "ERR_SERVER_PROOF",
    /// Resource binding failed.
    Bind = 304 "ERR_BIND",

    /// The focus refused the conference request, or none is there.
    ConferenceRequest = 400 "ERR_CONFERENCE_REQUEST",
    /// The focus demands authentication before it makes this room.
    AuthenticationRequired = 401 "ERR_AUTHENTICATION_REQUIRED",
    /// The reservation system refused the room.
    Reservation = 402 "ERR_RESERVATION",
    /// The focus redirects to a visitor node.
    Redirected = 403 "ERR_REDIRECTED",
    /// The meeting is not live.
    NotLive = 404 "ERR_NOT_LIVE",

    /// The room refused the join for a reason without a code of its own.
    Join = 500 "ERR_JOIN",
    /// The room has a password and it was not given, or is wrong.
    RoomPassword = 501 "ERR_ROOM_PASSWORD",
    /// Not allowed to enter.
    NotAllowed = 502 "ERR_NOT_ALLOWED",
    /// The room is full.
    RoomFull = 503 "ERR_ROOM_FULL",
    /// Only members enter; the text is the lobby's address.
    MembersOnly = 504 "ERR_MEMBERS_ONLY",
    /// A display name is required.
    DisplayNameRequired = 505 "ERR_DISPLAY_NAME_REQUIRED",
    /// The room does not exist and guests may not create it.
    RoomDoesNotExist = 506 "ERR_ROOM_DOES_NOT_EXIST",
    /// The nickname is in use.
    NicknameConflict = 507 "ERR_NICKNAME_CONFLICT",
    /// Kicked; the condition is the endpoint id of who did it.
    Kicked = 510 "ERR_KICKED",
    /// The room was destroyed.
    Destroyed = 511 "ERR_DESTROYED",
    /// Removed by the service (shutdown, affiliation change).
    Removed = 512 "ERR_REMOVED",

    /// A request was answered with an error; the condition is its name.
    Request = 600 "ERR_REQUEST",
    /// A request was not answered in time.
    RequestTimeout = 601 "ERR_REQUEST_TIMEOUT",
    /// The meeting ended before the request was answered.
    Cancelled = 602 "ERR_CANCELLED",

    /// No path to the peer was found.
    Ice = 700 "ERR_ICE",
    /// The peer's DTLS handshake failed or its fingerprint is wrong.
    Dtls = 701 "ERR_DTLS",
    /// The peers have no codec in common, or the codec is not in the list that was announced.
    Codec = 702 "ERR_CODEC",
    /// The writer's queue is full; the frame was not taken.
    Full = 703 "ERR_FULL",
    /// The track is muted; the frame was dropped.
    Muted = 704 "ERR_MUTED",
    /// Nobody receives media yet; the frame was dropped.
    NotReady = 705 "ERR_NOT_READY",
    /// The feature belongs to a part that this build leaves out.
    NotBuilt = 706 "ERR_NOT_BUILT",
}

/// Where on the way into, through, or out of a meeting something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Stage {
    /// Not tied to a stage.
    #[default]
    None = 0,
    Resolve = 1,
    Connect = 2,
    Tls = 3,
    Upgrade = 4,
    Stream = 5,
    Auth = 6,
    Bind = 7,
    ConferenceRequest = 8,
    Join = 9,
    /// In the meeting.
    Joined = 10,
    Media = 11,
    Leave = 12,
}

/// A failure. Never holds a token, a password or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub stage: Stage,
    /// The protocol's own name for it: a stanza, stream or SASL condition, an HTTP status. May be empty.
    pub condition: String,
    /// For people: the other side's text, or ours. May be empty.
    pub text: String,
}

impl Error {
    /// An error of this code, with a text for people.
    pub fn new(code: Code, stage: Stage, text: impl Into<String>) -> Error {
        Error { code, stage, condition: String::new(), text: text.into() }
    }

    /// The same with the protocol's condition.
    pub fn with_condition(mut self, condition: impl Into<String>) -> Error {
        self.condition = condition.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        if self.stage != Stage::None {
            write!(f, " at {:?}", self.stage)?;
        }
        if !self.condition.is_empty() {
            write!(f, " ({})", self.condition)?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted() {
        let n: Vec<i32> = Code::ALL.iter().map(|c| *c as i32).collect();
        assert!(n.windows(2).all(|w| w[0] < w[1]), "{n:?}");
    }
}
