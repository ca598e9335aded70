//! What the focus offers: a session-initiate, or a transport-replace, read into values (docs/protocol/02 §5, §12,
//! docs/protocol/04 §6).

use crate::jingle::codecs::{self, MAX_EXTENSION_ID, Negotiated};
use crate::jingle::describe::{self, MAX_REMOTE_CANDIDATES};
use crate::jingle::types::{BridgeOffer, IceCandidate, RemoteTransport};
use crate::wire::jingle::{Jingle, Media};

/// URLs of the bridge channel that are kept.
pub const MAX_WEB_SOCKETS: usize = 8;

/// The contents that are offered, and will be answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub audio: bool,
    pub video: bool,
    pub data: Option<Data>,
}

impl Contents {
    pub(super) fn has(&self, media: Media) -> bool {
        match media {
            Media::Audio => self.audio,
            Media::Video => self.video,
        }
    }
}

/// The data content's SCTP association, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Data {
    pub number: String,
    pub protocol: String,
}

/// Trace ids, copied into our answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    pub trace_id: String,
    pub parent_id: String,
    pub flags: String,
}

/// An offer.
#[derive(Debug)]
pub(super) struct Offer {
    pub contents: Contents,
    pub trace: Option<Trace>,
    pub transport: RemoteTransport,
    pub candidates: Vec<IceCandidate>,
    pub negotiated: Negotiated,
    pub bridge: BridgeOffer,
}

/// Reads one; else why it cannot be used, as the condition and the text of a refusal.
pub(super) fn read(j: &Jingle<'_>) -> Result<Offer, (&'static str, &'static str)> {
    let transport = describe::remote_transport(j, false).map_err(|why| ("failed-transport", why))?;
    let negotiated = negotiated(j);
    let contents = contents(j);
    if negotiated.payloads.is_empty() && contents.data.is_none() {
        return Err(("incompatible-parameters", "no codec in common"));
    }
    let mut candidates = describe::candidates(j);
    candidates.truncate(MAX_REMOTE_CANDIDATES);
    let trace = j.traceparent.map(|t| Trace {
        trace_id: t.trace_id.to_owned(),
        parent_id: t.parent_id.to_owned(),
        flags: t.flags.to_owned(),
    });
    Ok(Offer { bridge: bridge(j, &contents), contents, trace, transport, candidates, negotiated })
}

fn contents(j: &Jingle<'_>) -> Contents {
    let rtp = |media| j.contents.iter().any(|c| c.description.is_some() && c.media() == Some(media));
    let data = j.content("data").map(|c| {
        let sctp = c.transport.as_ref().and_then(|t| t.sctp);
        Data {
            number: sctp.and_then(|s| s.number).unwrap_or("").to_owned(),
            protocol: sctp.and_then(|s| s.protocol).unwrap_or("webrtc-datachannel").to_owned(),
        }
    });
    Contents { audio: rtp(Media::Audio), video: rtp(Media::Video), data }
}

fn bridge(j: &Jingle<'_>, contents: &Contents) -> BridgeOffer {
    let session = j.bridge_session.unwrap_or_default();
    let mut websockets: Vec<String> = Vec::new();
    // Each content repeats the same transport.
    for url in j.contents.iter().filter_map(|c| c.transport.as_ref()).flat_map(|t| &t.web_sockets) {
        if websockets.len() < MAX_WEB_SOCKETS && !websockets.iter().any(|known| known == url) {
            websockets.push((*url).to_owned());
        }
    }
    BridgeOffer {
        id: session.id.map(str::to_owned),
        region: session.region.map(str::to_owned),
        websockets,
        sctp_port: contents.data.as_ref().and_then(|d| d.number.parse().ok()).filter(|port| *port != 0),
        start_muted: j.start_muted.map(|s| (s.audio, s.video)),
    }
}

/// Everything that we know of what is offered, under the numbers of the offer: the bridge takes these from the focus and
/// never looks at an answer (docs/protocol/04 §6).
fn negotiated(j: &Jingle<'_>) -> Negotiated {
    let mut n = Negotiated::default();
    for c in &j.contents {
        let (Some(media), Some(d)) = (c.media(), &c.description) else { continue };
        for p in &d.payload_types {
            if n.payloads.iter().all(|known| known.pt != p.id) {
                n.payloads.extend(codecs::negotiate(d, p, media));
            }
        }
        for x in d.extensions.iter().filter(|x| x.id <= MAX_EXTENSION_ID) {
            if let Some(slot) = codecs::extension(&mut n.extensions, x.uri).filter(|slot| **slot == 0) {
                *slot = x.id;
            }
        }
    }
    n
}
