//! What descriptions of both kinds have in common: transport, candidates, sources (docs/protocol/02 §6, §8.3, §9.2, §16).

use super::types::{DtlsRole, IceCandidate, LocalSource, LocalTransport, RemoteTransport};
use crate::wire::jingle::{Candidate, Fingerprint, GroupSemantics, Jingle, Setup, Source, Transport};
use std::net::SocketAddr;

/// Candidates of the other side that are used in one session, or in one generation of its ICE agent.
pub const MAX_REMOTE_CANDIDATES: usize = 64;
/// Fingerprints of one transport that are kept.
pub(super) const MAX_FINGERPRINTS: usize = 8;
/// Longest ICE user name fragment or password, as RFC 8839 §5.4 bounds them.
const MAX_CREDENTIAL_BYTES: usize = 256;

/// Our transport, as every request describes it.
pub(super) fn transport<'a>(
    t: &'a LocalTransport,
    setup: Option<Setup>,
    candidates: &'a [IceCandidate],
    ids: &'a [String],
) -> Transport<'a> {
    Transport {
        ufrag: Some(&t.ufrag),
        pwd: Some(&t.pwd),
        candidates: candidates.iter().zip(ids).map(|(c, id)| candidate(c, id)).collect(),
        fingerprints: vec![Fingerprint {
            hash: &t.hash,
            value: t.fingerprint.as_str().into(),
            setup,
            // In a transport-info the fingerprint says `required` and no role (docs/protocol/02 §9.1).
            required: setup.is_none().then_some(true),
            cryptex: None,
        }],
        ..Transport::default()
    }
}

fn candidate<'a>(c: &'a IceCandidate, id: &'a str) -> Candidate<'a> {
    Candidate {
        foundation: c.foundation.as_str().into(),
        component: 1,
        protocol: "udp",
        priority: c.priority,
        ip: c.address.ip().to_string().into(),
        port: c.address.port(),
        kind: c.kind,
        related: c.related.map(|r| (r.ip().to_string().into(), r.port())),
        tcp_type: None,
        generation: Some("0"),
        network: Some("1"),
        id: Some(id.into()),
    }
}

/// Adds a source with these of its encodings to a content.
pub(super) fn push_source(j: &mut Jingle<'_>, content: u32, s: &LocalSource, encodings: &[(u32, Option<u32>)]) {
    let msid = filtered(&s.msid);
    for (ssrc, rtx) in encodings {
        for ssrc in [Some(*ssrc), *rtx].into_iter().flatten() {
            j.sources.push(Source {
                media: s.media,
                ssrc,
                name: Some(&s.name),
                owner: None,
                msid: Some(&msid),
                mid: None,
                cname: None,
                video_type: s.video_type,
                content,
            });
        }
    }
    if encodings.len() > 1 {
        j.sources.push_group(s.media, GroupSemantics::Sim, encodings.iter().map(|e| e.0), content, None);
    }
    for (ssrc, rtx) in encodings {
        if let Some(rtx) = rtx {
            j.sources.push_group(s.media, GroupSemantics::Fid, [*ssrc, *rtx], content, None);
        }
    }
}

/// An msid without the characters that are never sent in one (docs/protocol/02 §15.5).
pub(super) fn filtered(msid: &str) -> String {
    msid.chars().filter(|c| !matches!(c, '\\' | '/' | '{' | ',' | '}' | '+')).collect()
}

/// Whether these can be ICE credentials (RFC 8839 §5.4).
pub(super) fn credentials_are_good(ufrag: &str, pwd: &str) -> bool {
    let good = |s: &str, least: usize| s.len() >= least && s.len() <= MAX_CREDENTIAL_BYTES;
    good(ufrag, 4) && good(pwd, 22)
}

/// The other side's transport: credentials, fingerprints and our DTLS role. The first content that has one speaks for all.
pub(super) fn remote_transport(j: &Jingle<'_>, we_offered: bool) -> Result<RemoteTransport, &'static str> {
    let transports = || j.contents.iter().filter_map(|c| c.transport.as_ref());
    let t = transports().find(|t| t.ufrag.is_some() && t.pwd.is_some()).ok_or("no ICE credentials")?;
    let (ufrag, pwd) = (t.ufrag.unwrap_or(""), t.pwd.unwrap_or(""));
    if !credentials_are_good(ufrag, pwd) {
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

/// `setup` of our answer, given our role.
pub(super) fn setup_of(dtls: DtlsRole) -> Setup {
    match dtls {
        DtlsRole::Client => Setup::Active,
        DtlsRole::Server => Setup::Passive,
    }
}

/// The candidates that an engine can use: UDP, component 1, with an address. Content name, user name fragment and
/// fingerprint of a transport-info are ignored (docs/protocol/02 §9.1).
pub(super) fn candidates(j: &Jingle<'_>) -> Vec<IceCandidate> {
    let all = j.contents.iter().filter_map(|c| c.transport.as_ref()).flat_map(|t| &t.candidates);
    let mut out: Vec<IceCandidate> = Vec::new();
    for c in all.filter_map(usable) {
        if !out.contains(&c) {
            out.push(c);
        }
    }
    out
}

fn usable(c: &Candidate<'_>) -> Option<IceCandidate> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_as_long_as_the_standard_lets_them_be() {
        let of = |n: usize| "x".repeat(n);
        for (ufrag, pwd, good) in [
            (4, 22, true),
            (3, 22, false),
            (4, 21, false),
            (MAX_CREDENTIAL_BYTES, MAX_CREDENTIAL_BYTES, true),
            (MAX_CREDENTIAL_BYTES + 1, 22, false),
            (4, MAX_CREDENTIAL_BYTES + 1, false),
        ] {
            assert_eq!(credentials_are_good(&of(ufrag), &of(pwd)), good, "{ufrag} {pwd}");
        }
    }
}
