//! The ICE-UDP transport with DTLS fingerprints, SCTP and the bridge's WebSocket (XEP-0176, XEP-0320, XEP-0343,
//! docs/protocol/02 §9.2).

use crate::wire::xml_writer::XmlWriter;
use crate::wire::{Element, ns};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

/// One `transport`.
#[derive(Clone, Default)]
pub struct Transport<'a> {
    pub ufrag: Option<&'a str>,
    /// Never printed.
    pub pwd: Option<&'a str>,
    /// Raw, because a bad one must be told from none (docs/protocol/02 §10.3).
    pub ice_generation: Option<&'a str>,
    pub candidates: Vec<Candidate<'a>>,
    pub fingerprints: Vec<Fingerprint<'a>>,
    pub sctp: Option<SctpMap<'a>>,
    /// URLs of the bridge channel, each with its password: never printed.
    pub web_sockets: Vec<&'a str>,
    pub rtcp_mux: bool,
}

impl std::fmt::Debug for Transport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("ufrag", &self.ufrag)
            .field("candidates", &self.candidates)
            .field("fingerprints", &self.fingerprints)
            .field("sctp", &self.sctp)
            .finish_non_exhaustive()
    }
}

impl<'a> Transport<'a> {
    pub(super) fn read(e: Element<'a>, ignored: &mut u32) -> Transport<'a> {
        let mut t = Transport {
            ufrag: e.attr("ufrag"),
            pwd: e.attr("pwd"),
            ice_generation: e.attr("ice-generation"),
            ..Transport::default()
        };
        for x in e.children() {
            match x.name() {
                "candidate" => match Candidate::read(x) {
                    Some(c) => t.candidates.push(c),
                    None => *ignored += 1,
                },
                "fingerprint" if x.ns() == ns::JINGLE_DTLS => t.fingerprints.push(Fingerprint::read(x)),
                "sctpmap" if x.ns() == ns::JINGLE_SCTP => t.sctp = Some(SctpMap::read(x)),
                "web-socket" => match x.attr("url") {
                    Some(url) => t.web_sockets.push(url),
                    None => *ignored += 1,
                },
                "rtcp-mux" => t.rtcp_mux = true,
                _ => *ignored += 1,
            }
        }
        t
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("transport", ns::JINGLE_ICE_UDP).attr_opt("ufrag", self.ufrag).attr_opt("pwd", self.pwd);
        w.attr_opt("ice-generation", self.ice_generation);
        if let Some(s) = &self.sctp {
            s.write(w);
        }
        for c in &self.candidates {
            c.write(w);
        }
        for url in &self.web_sockets {
            w.open("web-socket", ns::COLIBRI).attr("url", url).close();
        }
        for f in &self.fingerprints {
            f.write(w);
        }
        if self.rtcp_mux {
            w.open("rtcp-mux", ns::JINGLE_ICE_UDP).close();
        }
        w.close();
    }
}

/// Where a candidate's address comes from (RFC 8445 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateType {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relayed,
}

impl CandidateType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            CandidateType::Host => "host",
            CandidateType::ServerReflexive => "srflx",
            CandidateType::PeerReflexive => "prflx",
            CandidateType::Relayed => "relay",
        }
    }

    /// The type of that word.
    pub fn parse(s: &str) -> Option<CandidateType> {
        Some(match s {
            "host" => CandidateType::Host,
            "srflx" => CandidateType::ServerReflexive,
            "prflx" => CandidateType::PeerReflexive,
            "relay" => CandidateType::Relayed,
            _ => return None,
        })
    }
}

/// One ICE candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub foundation: Cow<'a, str>,
    pub component: u16,
    /// `udp`, `tcp` or `ssltcp`.
    pub protocol: &'a str,
    pub priority: u32,
    /// An address, or an mDNS name.
    pub ip: Cow<'a, str>,
    pub port: u16,
    pub kind: CandidateType,
    pub related: Option<(Cow<'a, str>, u16)>,
    pub tcp_type: Option<&'a str>,
    pub generation: Option<&'a str>,
    pub network: Option<&'a str>,
    pub id: Option<Cow<'a, str>>,
}

impl<'a> Candidate<'a> {
    fn read(e: Element<'a>) -> Option<Candidate<'a>> {
        let related_ip = e.attr("rel-addr");
        let related_port = e.attr("rel-port").and_then(|p| p.parse().ok());
        Some(Candidate {
            foundation: e.attr("foundation")?.into(),
            component: e.attr("component")?.parse().ok()?,
            protocol: e.attr("protocol")?,
            priority: e.attr("priority")?.parse().ok()?,
            ip: e.attr("ip")?.into(),
            port: e.attr("port")?.parse().ok()?,
            kind: CandidateType::parse(e.attr("type")?)?,
            related: related_ip.zip(related_port).map(|(a, p)| (a.into(), p)),
            tcp_type: e.attr("tcptype"),
            generation: e.attr("generation"),
            network: e.attr("network"),
            id: e.attr("id").map(Into::into),
        })
    }

    fn write(&self, w: &mut XmlWriter) {
        w.open("candidate", ns::JINGLE_ICE_UDP).attr_of("component", self.component);
        w.attr("foundation", &self.foundation).attr_opt("generation", self.generation);
        w.attr_opt("id", self.id.as_deref()).attr("ip", &self.ip).attr_opt("network", self.network);
        w.attr_of("port", self.port).attr_of("priority", self.priority).attr("protocol", self.protocol);
        if let Some((address, port)) = &self.related {
            w.attr("rel-addr", address).attr_of("rel-port", port);
        }
        w.attr_opt("tcptype", self.tcp_type).attr("type", self.kind.as_str()).close();
    }

    /// The socket address, unless the candidate is an mDNS name.
    pub fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.ip.parse::<IpAddr>().ok()?, self.port))
    }
}

/// DTLS role in the describer's words (RFC 4145, RFC 5763).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    ActPass,
    Active,
    Passive,
}

impl Setup {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Setup::ActPass => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
        }
    }

    /// The role of that word.
    pub fn parse(s: &str) -> Option<Setup> {
        Some(match s {
            "actpass" => Setup::ActPass,
            "active" => Setup::Active,
            "passive" => Setup::Passive,
            _ => return None,
        })
    }
}

/// A certificate fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    pub hash: &'a str,
    pub value: Cow<'a, str>,
    pub setup: Option<Setup>,
    pub required: Option<bool>,
    pub cryptex: Option<bool>,
}

impl<'a> Fingerprint<'a> {
    fn read(e: Element<'a>) -> Fingerprint<'a> {
        let flag = |name| match e.attr(name)? {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        Fingerprint {
            hash: e.attr("hash").unwrap_or(""),
            value: match e.text() {
                Cow::Borrowed(s) => Cow::Borrowed(s.trim()),
                Cow::Owned(s) => Cow::Owned(s.trim().to_owned()),
            },
            setup: e.attr("setup").and_then(Setup::parse),
            required: flag("required"),
            cryptex: flag("cryptex"),
        }
    }

    fn write(&self, w: &mut XmlWriter) {
        let flag = |b: bool| if b { "true" } else { "false" };
        w.open("fingerprint", ns::JINGLE_DTLS).attr("hash", self.hash);
        w.attr_opt("setup", self.setup.map(Setup::as_str)).attr_opt("required", self.required.map(flag));
        w.attr_opt("cryptex", self.cryptex.map(flag)).text(&self.value).close();
    }
}

/// The SCTP association of a data content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpMap<'a> {
    pub number: Option<&'a str>,
    pub protocol: Option<&'a str>,
    pub streams: Option<&'a str>,
}

impl<'a> SctpMap<'a> {
    fn read(e: Element<'a>) -> SctpMap<'a> {
        SctpMap { number: e.attr("number"), protocol: e.attr("protocol"), streams: e.attr("streams") }
    }

    fn write(&self, w: &mut XmlWriter) {
        w.open("sctpmap", ns::JINGLE_SCTP).attr_opt("number", self.number).attr_opt("protocol", self.protocol);
        w.attr_opt("streams", self.streams).close();
    }
}
