//! Negotiation against the peer's description: common codecs, under the peer's payload type numbers, and common header
//! extensions (RFC 3264 §6, docs/protocol/02 §5.2, §14.4).

use super::offer::{Payload, Section};
use crate::jingle::codecs::{self, Codec, CodecSpec, EXTENSIONS, MAX_EXTENSION_ID, Negotiated, NegotiatedPayload};
use crate::wire::jingle::{Content, Description, Jingle, Senders};

/// Contents of one description that are looked at.
pub(in crate::jingle) const MAX_CONTENTS: usize = 64;

/// The sections of our answer to an offer: one for each audio or video content, in its order.
pub(in crate::jingle) fn sections(offer: &Jingle<'_>, codecs: &[Codec]) -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    for c in offer.contents.iter().take(MAX_CONTENTS) {
        let (Some(media), Some(d)) = (c.media(), &c.description) else { continue };
        if out.iter().any(|s| s.mid == c.name) {
            continue;
        }
        let mut s = Section::new(c.name.to_owned(), media, codecs);
        agree(&mut s, c, d);
        out.push(s);
    }
    out
}

/// Takes the peer's answer into the sections of our offer.
pub(in crate::jingle) fn apply(sections: &mut [Section], answer: &Jingle<'_>) {
    for s in sections {
        match answer.content(&s.mid).and_then(|c| Some((c, c.description.as_ref()?))) {
            Some((c, d)) => agree(s, c, d),
            None => refuse(s, None),
        }
    }
}

fn agree(s: &mut Section, c: &Content<'_>, d: &Description<'_>) {
    s.remote = c.senders.unwrap_or(Senders::Both);
    // Of those that it had: what we offered, or could have.
    s.payloads = s.payloads.iter().filter_map(|p| payload(p.spec, d)).collect();
    if s.payloads.is_empty() || s.remote == Senders::Rejected {
        return refuse(s, d.payload_types.first().map(|p| (p.id, p.name.to_owned(), p.clockrate.unwrap_or(0))));
    }
    let ours = EXTENSIONS.iter().filter(|(m, ..)| *m == s.media);
    s.extensions = ours
        .filter_map(|(_, _, uri)| {
            let known = |x: &&crate::wire::jingle::HeaderExtension<'_>| x.uri == *uri && x.id <= MAX_EXTENSION_ID;
            d.extensions.iter().find(known).map(|x| (x.id, *uri))
        })
        .collect();
}

fn refuse(s: &mut Section, payload: Option<(u8, String, u32)>) {
    s.payloads.clear();
    s.extensions.clear();
    s.source = None;
    s.refused = Some(payload.unwrap_or((0, "PCMU".into(), 8_000)));
}

fn payload(spec: &'static CodecSpec, d: &Description<'_>) -> Option<Payload> {
    let p = d.payload_types.iter().find(|p| {
        p.name.eq_ignore_ascii_case(spec.name)
            && p.clockrate == Some(spec.clock)
            && p.channels.unwrap_or(1).max(1) == spec.channels
            && codecs::usable(p.id)
            && spec.fits(p)
    })?;
    let offered = |kind, subtype| codecs::has_feedback(d, p, kind, subtype);
    Some(Payload {
        pt: p.id,
        spec,
        rtx: codecs::rtx_of(d, p).filter(|_| spec.rtx.is_some()),
        apt: p.id.to_string(),
        feedback: spec.feedback.iter().copied().filter(|(k, s)| offered(k, *s)).collect(),
    })
}

/// What all sections together mean to the engine.
pub(in crate::jingle) fn negotiated(sections: &[Section]) -> Negotiated {
    let mut n = Negotiated::default();
    for s in sections {
        for p in &s.payloads {
            if n.payloads.iter().any(|known| known.pt == p.pt) {
                continue;
            }
            let has = |kind, subtype| p.feedback.contains(&(kind, subtype));
            n.payloads.push(NegotiatedPayload {
                pt: p.pt,
                codec: p.spec.codec,
                clock: p.spec.clock,
                rtx: p.rtx,
                nack: has("nack", None),
                pli: has("nack", Some("pli")),
                fir: has("ccm", Some("fir")),
                transport_cc: has("transport-cc", None),
                parameters: p.spec.parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            });
        }
        for (id, uri) in &s.extensions {
            let slot = codecs::extension(&mut n.extensions, uri);
            if let Some(slot) = slot.filter(|slot| **slot == 0) {
                *slot = *id;
            }
        }
    }
    n
}

/// Nothing at all in common.
pub(in crate::jingle) fn is_useless(sections: &[Section]) -> bool {
    sections.iter().all(|s| s.refused.is_some())
}

/// The media types of the first two contents of a peer-to-peer offer are fixed by their names.
pub(in crate::jingle) fn is_p2p(j: &Jingle<'_>) -> bool {
    j.contents.first().is_some_and(|c| matches!(c.name, "0" | "1"))
}
