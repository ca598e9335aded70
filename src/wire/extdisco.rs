//! External services (XEP-0215) as ICE servers (docs/protocol/01 §9).

use super::{Element, XmlWriter, ns};
use std::fmt;

/// ICE servers kept of one answer (default 32).
pub const MAX_ICE_SERVERS: usize = 32;

/// What an ICE server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IceServerKind {
    Stun,
    Turn,
    /// TURN over TLS.
    Turns,
}

impl IceServerKind {
    /// The kind of this name; other services are none of ours.
    pub fn parse(s: &str) -> Option<IceServerKind> {
        Some(match s {
            "stun" => IceServerKind::Stun,
            "turn" => IceServerKind::Turn,
            "turns" => IceServerKind::Turns,
            _ => return None,
        })
    }

    /// The URI scheme.
    pub fn as_str(self) -> &'static str {
        match self {
            IceServerKind::Stun => "stun",
            IceServerKind::Turn => "turn",
            IceServerKind::Turns => "turns",
        }
    }
}

/// The transport to an ICE server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IceTransport {
    #[default]
    Udp,
    Tcp,
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    pub kind: IceServerKind,
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// The port; that of the scheme (3478, 5349 for turns) when none was given.
    pub port: u16,
    pub transport: IceTransport,
    pub username: Option<String>,
    pub password: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceServer({}{})", self.url(), if self.password.is_some() { ", with credentials" } else { "" })
    }
}

impl IceServer {
    /// A server from the members of a service, whether they came as attributes or as JSON (§9.1). None for other kinds of
    /// service, and for one without a usable host or port.
    pub fn from_members<'a>(member: impl Fn(&str) -> Option<&'a str>) -> Option<IceServer> {
        let kind = IceServerKind::parse(member("type")?)?;
        let host = member("host")?.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let port = match member("port") {
            None | Some("") => {
                if kind == IceServerKind::Turns {
                    5349
                } else {
                    3478
                }
            }
            Some(p) => p.parse().ok().filter(|p| *p != 0)?,
        };
        let transport = match member("transport") {
            Some("tcp" | "tls") => IceTransport::Tcp,
            // TURN over TLS without a transport means TLS over TCP (RFC 7065 §3).
            None if kind == IceServerKind::Turns => IceTransport::Tcp,
            _ => IceTransport::Udp,
        };
        // STUN takes no credentials (§9.2).
        let secret = |n| member(n).filter(|v| kind != IceServerKind::Stun && !v.is_empty()).map(str::to_owned);
        let (username, password) = (secret("username"), secret("password"));
        Some(IceServer { kind, host: host.to_owned(), port, transport, username, password })
    }

    /// The server as an ICE URI, IPv6 bracketed.
    pub fn url(&self) -> String {
        let scheme = self.kind.as_str();
        let query = if self.transport == IceTransport::Tcp { "?transport=tcp" } else { "" };
        match self.host.contains(':') {
            true => format!("{scheme}:[{}]:{}{query}", self.host, self.port),
            false => format!("{scheme}:{}:{}{query}", self.host, self.port),
        }
    }

    /// Whether it is for the session with the bridge: TURN over TCP, with `udp` any TURN; never STUN (§9.2). A peer-to-peer
    /// session takes every server.
    pub fn is_for_bridge(&self, udp: bool) -> bool {
        self.kind != IceServerKind::Stun && (udp || self.transport == IceTransport::Tcp)
    }
}

/// The ICE servers of a `services` element of either version; None for another element.
pub fn read_services(services: Element<'_>) -> Option<Vec<IceServer>> {
    if services.name() != "services" || (services.ns() != ns::EXTDISCO && services.ns() != ns::EXTDISCO_1) {
        return None;
    }
    let all = services.children().filter(|s| s.name() == "service");
    Some(all.filter_map(|s| IceServer::from_members(|n| s.attr(n))).take(MAX_ICE_SERVERS).collect())
}

/// The question for all services, in the given version's namespace.
pub fn services_query(version_ns: &str) -> String {
    let mut w = XmlWriter::new();
    w.open("services", version_ns);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(services: &str) -> Vec<IceServer> {
        let xml = format!("<services xmlns='urn:xmpp:extdisco:2'>{services}</services>");
        read_services(Document::parse(&xml).unwrap().root()).unwrap()
    }

    #[test]
    fn services_become_ice_servers_and_others_are_passed_over() {
        let all = read(
            "<service type='stun' host='t.example' port='3478' transport='udp' username='x' password='y'/>\
             <service type='turn' host='t.example' port='3478' transport='udp' username='u' password='p'/>\
             <service type='turn' host='t.example' port='443' transport='tcp' username='u' password='p'/>\
             <service type='turns' host='2001:db8::1' transport='tcp' username='u' password='p'/>\
             <service type='sip' host='s.example' port='5060'/>",
        );
        let urls: Vec<String> = all.iter().map(IceServer::url).collect();
        let expected = [
            "stun:t.example:3478",
            "turn:t.example:3478",
            "turn:t.example:443?transport=tcp",
            "turns:[2001:db8::1]:5349?transport=tcp",
        ];
        assert_eq!(urls, expected);
        assert_eq!((all[0].username.as_deref(), all[1].password.as_deref()), (None, Some("p")));
        let bridge = |udp| all.iter().filter(|s| s.is_for_bridge(udp)).map(IceServer::url).collect::<Vec<_>>();
        assert_eq!(bridge(false), expected[2..]);
        assert_eq!(bridge(true), expected[1..]);
    }

    #[test]
    fn services_without_usable_host_or_port_are_passed_over() {
        for bad in [
            "<service type='stun'/>",
            "<service type='stun' host=''/>",
            "<service type='stun' host='a b'/>",
            "<service type='stun' host='h' port='0'/>",
            "<service type='stun' host='h' port='65536'/>",
            "<service host='h'/>",
        ] {
            assert_eq!(read(bad), [], "{bad}");
        }
        assert!(read_services(Document::parse("<services xmlns='urn:x'/>").unwrap().root()).is_none());
    }

    #[test]
    fn ice_servers_are_bounded() {
        let list = |n: usize| read(&"<service type='stun' host='h'/>".repeat(n)).len();
        assert_eq!((list(MAX_ICE_SERVERS), list(MAX_ICE_SERVERS + 1)), (MAX_ICE_SERVERS, MAX_ICE_SERVERS));
    }

    #[test]
    fn credentials_never_reach_debug_output() {
        let s = read("<service type='turn' host='h' username='secret-u' password='secret-p'/>");
        let text = format!("{s:?}");
        assert!(!text.contains("secret") && text.contains("turn:h:3478"), "{text}");
    }
}
