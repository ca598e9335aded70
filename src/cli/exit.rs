//! Exit codes: where on the way into the meeting it failed. Documented in `jmeet --help`; a number is never given another meaning.

use crate::error::{Code, Error, Stage};

/// A stage with its exit code and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was told to do.
    Ok = 0,
    /// Something on this side: a file, the system, a defect.
    Local = 1,
    /// The command line.
    Usage = 2,
    Dns = 10,
    Tcp = 11,
    Tls = 12,
    WebSocket = 13,
    /// The XMPP stream: no such domain, or it broke.
    Stream = 14,
    Auth = 15,
    Bind = 16,
    /// The conference request.
    Focus = 17,
    /// The room: password, members only, full …
    Muc = 18,
    /// In the room, but nobody offered a media session.
    Jingle = 19,
    Ice = 20,
    Dtls = 21,
    /// Connected, but no frame arrived.
    Media = 22,
    /// Put out of the meeting, or it was lost for good.
    Ended = 23,
}

impl Exit {
    /// All of them.
    pub const ALL: [Exit; 17] = [
        Exit::Ok,
        Exit::Local,
        Exit::Usage,
        Exit::Dns,
        Exit::Tcp,
        Exit::Tls,
        Exit::WebSocket,
        Exit::Stream,
        Exit::Auth,
        Exit::Bind,
        Exit::Focus,
        Exit::Muc,
        Exit::Jingle,
        Exit::Ice,
        Exit::Dtls,
        Exit::Media,
        Exit::Ended,
    ];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Local => "local",
            Exit::Usage => "usage",
            Exit::Dns => "dns",
            Exit::Tcp => "tcp",
            Exit::Tls => "tls",
            Exit::WebSocket => "websocket",
            Exit::Stream => "stream",
            Exit::Auth => "auth",
            Exit::Bind => "bind",
            Exit::Focus => "focus",
            Exit::Muc => "muc",
            Exit::Jingle => "jingle",
            Exit::Ice => "ice",
            Exit::Dtls => "dtls",
            Exit::Media => "media",
            Exit::Ended => "ended",
        }
    }

    /// Where this error belongs.
    pub fn of(e: &Error) -> Exit {
        match (e.code, e.stage) {
            (Code::Ice, _) => Exit::Ice,
            (Code::Dtls, _) => Exit::Dtls,
            (Code::Kicked | Code::Destroyed | Code::Removed, _) => Exit::Ended,
            (_, Stage::Resolve) => Exit::Dns,
            (_, Stage::Connect) => Exit::Tcp,
            (_, Stage::Tls) => Exit::Tls,
            (_, Stage::Upgrade) => Exit::WebSocket,
            (_, Stage::Stream) => Exit::Stream,
            (_, Stage::Auth) => Exit::Auth,
            (_, Stage::Bind) => Exit::Bind,
            (_, Stage::ConferenceRequest) => Exit::Focus,
            (_, Stage::Join) => Exit::Muc,
            (_, Stage::Media) => Exit::Media,
            (_, Stage::Joined | Stage::Leave) => Exit::Ended,
            (Code::Options | Code::TooLarge | Code::InvalidArgument, _) => Exit::Usage,
            _ => Exit::Local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_a_number_and_a_name_of_its_own() {
        for (i, a) in Exit::ALL.iter().enumerate() {
            for b in &Exit::ALL[..i] {
                assert!(*a as u8 != *b as u8 && a.name() != b.name(), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn errors_name_the_stage_at_which_they_happened() {
        for (code, stage, exit) in [
            (Code::Resolve, Stage::Resolve, Exit::Dns),
            (Code::ServerTimeout, Stage::Connect, Exit::Tcp),
            (Code::TlsUntrusted, Stage::Tls, Exit::Tls),
            (Code::Upgrade, Stage::Upgrade, Exit::WebSocket),
            (Code::HostUnknown, Stage::Stream, Exit::Stream),
            (Code::Auth, Stage::Auth, Exit::Auth),
            (Code::ConferenceRequest, Stage::ConferenceRequest, Exit::Focus),
            (Code::RoomPassword, Stage::Join, Exit::Muc),
            (Code::Kicked, Stage::Joined, Exit::Ended),
            (Code::Ice, Stage::Media, Exit::Ice),
            (Code::Options, Stage::None, Exit::Usage),
            (Code::Panic, Stage::None, Exit::Local),
        ] {
            assert_eq!(Exit::of(&Error::new(code, stage, "")), exit, "{code:?}");
        }
    }
}
