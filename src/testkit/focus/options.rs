//! How the focus makes bridge sessions: Jicofo's configuration, as far as a participant notices it, and the scripts of tests.

use std::collections::BTreeMap;
use std::time::Duration;

/// How bridge sessions are made. May be changed at any time; it holds for what happens from then on.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Sessions are made with this many participants.
    pub min_participants: usize,
    /// Compact JSON sources for those who read them.
    pub json: bool,
    /// SSRC rewriting for those who can.
    pub rewriting: bool,
    /// A data content for those who can.
    pub sctp: bool,
    /// Others get one stream of a simulcast source.
    pub strip_simulcast: bool,
    /// RED is offered.
    pub red: bool,
    /// Rewritten streams carry a `mid` for those who read it; to them the MID header extension is offered.
    pub mid_demux: bool,
    /// The MID header extension is offered to everybody, as Jicofo does.
    pub mid: bool,
    /// Region of the bridge.
    pub region: Option<String>,
    /// Restarts of ICE in place are taken.
    pub ice_restart: bool,
    /// Source changes are gathered for this long before they are told.
    pub source_delay: Duration,
    /// Whoever joins past this many participants starts muted: audio, video.
    pub start_muted_after: (Option<usize>, Option<usize>),
    /// Whoever was muted stays so: the room is moderated (docs/protocol/03 §10.3).
    pub keep_muted: bool,
    /// What others send is told before the answer to the session-accept, as happens with Jicofo.
    pub sources_before_result: bool,
    /// Re-invites by transport-replace instead of a new session.
    pub transport_replace: bool,
    /// Session-initiates are not sent: a focus that has lost interest.
    pub silent: bool,
    /// What holds for single endpoints, by id.
    pub endpoints: BTreeMap<String, EndpointOptions>,
}

impl Default for SessionOptions {
    fn default() -> SessionOptions {
        SessionOptions {
            min_participants: 2,
            json: true,
            rewriting: true,
            sctp: true,
            strip_simulcast: true,
            red: false,
            mid_demux: true,
            mid: false,
            region: None,
            ice_restart: true,
            source_delay: Duration::ZERO,
            start_muted_after: (None, None),
            keep_muted: false,
            sources_before_result: false,
            transport_replace: false,
            silent: false,
            endpoints: BTreeMap::new(),
        }
    }
}

/// What holds for one endpoint instead of what is configured for all: `Some(false)` takes away, `None` changes nothing. What a
/// participant does not announce is never given to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    pub json: Option<bool>,
    pub rewriting: Option<bool>,
    pub sctp: Option<bool>,
}
