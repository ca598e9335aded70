//! Negotiation against the peer's description: common codecs, under the peer's payload type numbers, and common header
//! extensions (RFC 3264 §6, docs/protocol/02 §5.2, §14.4).

use super::offer::{ABS_SEND_TIME, AUDIO_LEVEL, CODECS, EXTENSIONS, Payload, Section, TRANSPORT_CC};
use super::types::{DtlsRole, ExtensionIds, IceCandidate, Negotiated, NegotiatedPayload, RemoteTransport};
use crate::wire::jingle::{Candidate, Content, Description, Jingle, Senders, Setup};
use std::net::SocketAddr;

/// Contents of one description that are looked at.
pub(super) const MAX_CONTENTS: usize = 64;
/// Fingerprints of one transport that are kept.
pub(super) const MAX_FINGERPRINTS: usize = 8;
/// Longest ICE user name fragment or password, as RFC 8839 §5.4 bounds them.
const MAX_CREDENTIAL_BYTES: usize = 256;

/// The sections of our answer to an offer: one for each audio or video content, in its order.
pub(super) fn sections(offer: &Jingle<'_>) -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    for c in offer.contents.iter().take(MAX_CONTENTS) {
        let (Some(media), Some(d)) = (c.media(), &c.description) else { continue };
        if out.iter().any(|s| s.mid == c.name) {
            continue;
        }
        let mut s = Section::new(c.name.to_owned(), media);
        agree(&mut s, c, d);
        out.push(s);
    }
    out
}

/// Takes the peer's answer into the sections of our offer.
pub(super) fn apply(sections: &mut [Section], answer: &Jingle<'_>) {
    for s in sections {
        match answer.content(&s.mid).and_then(|c| Some((c, c.description.as_ref()?))) {
            Some((c, d)) => agree(s, c, d),
            None => refuse(s, None),
        }
    }
}

fn agree(s: &mut Section, c: &Content<'_>, d: &Description<'_>) {
    s.remote = c.senders.unwrap_or(Senders::Both);
    s.payloads = CODECS.iter().filter(|spec| spec.media == s.media).filter_map(|spec| payload(spec, d)).collect();
    if s.payloads.is_empty() || s.remote == Senders::Rejected {
        return refuse(s, d.payload_types.first().map(|p| (p.id, p.name.to_owned(), p.clockrate.unwrap_or(0))));
    }
    let ours = EXTENSIONS.iter().filter(|(m, ..)| *m == s.media);
    s.extensions = ours
        // Ids above 14 need the two-byte form (RFC 8285), which the engine does not write.
        .filter_map(|(_, _, uri)| d.extensions.iter().find(|x| x.uri == *uri && x.id <= 14).map(|x| (x.id, *uri)))
        .collect();
}

fn refuse(s: &mut Section, payload: Option<(u8, String, u32)>) {
    s.payloads.clear();
    s.extensions.clear();
    s.source = None;
    s.refused = Some(payload.unwrap_or((0, "PCMU".into(), 8_000)));
}

fn payload(spec: &'static super::offer::CodecSpec, d: &Description<'_>) -> Option<Payload> {
    // 64 to 95 would be taken for RTCP (RFC 5761 §4).
    let usable = |id: u8| !(64..96).contains(&id);
    let p = d.payload_types.iter().find(|p| {
        p.name.eq_ignore_ascii_case(spec.name)
            && p.clockrate == Some(spec.clock)
            && p.channels.unwrap_or(1).max(1) == spec.channels
            && usable(p.id)
    })?;
    let rtx = d.payload_types.iter().find(|r| {
        r.name.eq_ignore_ascii_case("rtx")
            && r.clockrate == p.clockrate
            && usable(r.id)
            && r.parameter("apt").and_then(|a| a.parse().ok()) == Some(p.id)
    });
    let offered = |kind: &str, subtype: Option<&str>| {
        p.has_feedback(kind, subtype) || d.feedback.iter().any(|f| f.kind == kind && f.subtype == subtype)
    };
    Some(Payload {
        pt: p.id,
        spec,
        rtx: rtx.map(|r| r.id).filter(|_| spec.rtx.is_some()),
        apt: p.id.to_string(),
        feedback: spec.feedback.iter().copied().filter(|(k, s)| offered(k, *s)).collect(),
    })
}

/// What all sections together mean to the engine.
pub(super) fn negotiated(sections: &[Section]) -> Negotiated {
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
            });
        }
        for (id, uri) in &s.extensions {
            let slot = extension(&mut n.extensions, uri);
            if let Some(slot) = slot.filter(|slot| **slot == 0) {
                *slot = *id;
            }
        }
    }
    n
}

fn extension<'a>(ids: &'a mut ExtensionIds, uri: &str) -> Option<&'a mut u8> {
    match uri {
        AUDIO_LEVEL => Some(&mut ids.audio_level),
        ABS_SEND_TIME => Some(&mut ids.abs_send_time),
        TRANSPORT_CC => Some(&mut ids.transport_cc),
        _ => None,
    }
}

/// The peer's transport: credentials, fingerprints and our DTLS role. The first content that has one speaks for all.
pub(super) fn remote_transport(j: &Jingle<'_>, we_offered: bool) -> Result<RemoteTransport, &'static str> {
    let transports = || j.contents.iter().filter_map(|c| c.transport.as_ref());
    let t = transports().find(|t| t.ufrag.is_some() && t.pwd.is_some()).ok_or("no ICE credentials")?;
    let (ufrag, pwd) = (t.ufrag.unwrap_or(""), t.pwd.unwrap_or(""));
    let bad = |s: &str, least: usize| s.len() < least || s.len() > MAX_CREDENTIAL_BYTES;
    if bad(ufrag, 4) || bad(pwd, 22) {
        return Err("bad ICE credentials");
    }
    let fingerprints: Vec<_> = t.fingerprints.iter().filter(|f| !f.hash.is_empty() && !f.value.is_empty()).collect();
    let first = fingerprints.first().ok_or("no fingerprint")?;
    let dtls = match (first.setup.unwrap_or(Setup::ActPass), we_offered) {
        (Setup::Passive, _) | (Setup::ActPass, false) => DtlsRole::Client,
        // An answer must choose; one that does not is taken for the usual `active`.
        (Setup::Active, _) | (Setup::ActPass, true) => DtlsRole::Server,
    };
    Ok(RemoteTransport {
        ufrag: ufrag.to_owned(),
        pwd: pwd.to_owned(),
        fingerprints: fingerprints
            .iter()
            .take(MAX_FINGERPRINTS)
            .map(|f| (f.hash.to_ascii_lowercase(), f.value.to_ascii_uppercase()))
            .collect(),
        dtls,
    })
}

/// Nothing at all in common.
pub(super) fn is_useless(sections: &[Section]) -> bool {
    sections.iter().all(|s| s.refused.is_some())
}

/// The candidates that an engine can use: UDP, component 1, with an address. Content name, user name fragment and
/// fingerprint of a transport-info are ignored (docs/protocol/02 §9.1).
pub(super) fn candidates(j: &Jingle<'_>) -> Vec<IceCandidate> {
    let all = j.contents.iter().filter_map(|c| c.transport.as_ref()).flat_map(|t| &t.candidates);
    let mut out: Vec<IceCandidate> = Vec::new();
    for c in all.filter_map(candidate) {
        if !out.contains(&c) {
            out.push(c);
        }
    }
    out
}

fn candidate(c: &Candidate<'_>) -> Option<IceCandidate> {
    if c.component != 1 || !c.protocol.eq_ignore_ascii_case("udp") || c.port == 0 {
        return None;
    }
    let related = c.related.as_ref().and_then(|(ip, port)| Some(SocketAddr::new(ip.parse().ok()?, *port)));
    Some(IceCandidate {
        foundation: c.foundation.to_string(),
        priority: c.priority,
        address: c.address()?,
        kind: c.kind,
        related,
    })
}

/// The media types of the first two contents of a peer-to-peer offer are fixed by their names.
pub(super) fn is_p2p(j: &Jingle<'_>) -> bool {
    j.contents.first().is_some_and(|c| matches!(c.name, "0" | "1"))
}
