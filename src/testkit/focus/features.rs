//! What a participant's disco answer makes of its session (docs/protocol/02 §2, 04 §6.1).

use crate::wire::disco::Info;

/// The features that shape an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub audio: bool,
    pub video: bool,
    pub sctp: bool,
    pub rtx: bool,
    pub tcc: bool,
    pub remb: bool,
    pub red: bool,
    pub json: bool,
    pub rewriting: bool,
    pub mid_demux: bool,
}

impl Shape {
    /// What is taken of a participant that does not answer.
    pub(super) const UNKNOWN: Shape = Shape {
        audio: true,
        video: true,
        sctp: true,
        rtx: true,
        tcc: true,
        remb: false,
        red: false,
        json: false,
        rewriting: false,
        mid_demux: false,
    };

    pub(super) fn of(info: &Info) -> Shape {
        Shape {
            audio: info.has("urn:xmpp:jingle:apps:rtp:audio"),
            video: info.has("urn:xmpp:jingle:apps:rtp:video"),
            sctp: info.has("urn:xmpp:jingle:transports:dtls-sctp:1"),
            rtx: info.has("urn:ietf:rfc:4588"),
            tcc: info.has("http://jitsi.org/tcc"),
            remb: info.has("http://jitsi.org/remb"),
            red: info.has("http://jitsi.org/opus-red"),
            json: info.has("http://jitsi.org/json-encoded-sources"),
            rewriting: info.has("http://jitsi.org/ssrc-rewriting-1"),
            mid_demux: info.has("http://jitsi.org/rtp-mid-demux"),
        }
    }
}
