//! The link that people share, `https://host[/tenant]/Room`, and what follows from it by Jitsi's defaults (docs/protocol/01 §2.1, §3.2):
//! the socket, the XMPP domain, the rooms' service.

/// Where a link leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Of the socket, without parameters.
    pub url: String,
    pub room: String,
    pub domain: String,
    pub muc: String,
    /// A token that the link carried (`?jwt=`).
    pub token: String,
}

/// Reads a link, or a socket's URL with the room apart. `domain`: the XMPP domain, where it is not the host.
///
/// # Errors
/// For people: what is wrong with it.
pub fn read(link: &str, room: Option<&str>, domain: Option<&str>) -> Result<Place, String> {
    let link = link.split('#').next().unwrap_or_default();
    let (scheme, rest) = link.split_once("://").unwrap_or(("https", link));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // Errors name no parameters: a token may stand there.
    let shown = format!("{scheme}://{authority}/{path}");
    let host = host(authority).ok_or("the link names no host, or more than host:port before its path")?;
    let domain = domain.unwrap_or(host).to_lowercase();
    if scheme == "ws" || scheme == "wss" {
        let Some(room) = room else { return Err("a socket's URL needs --room".into()) };
        let muc = format!("conference.{domain}");
        return Ok(Place { url: link.into(), room: backend_name(room)?, muc, domain, token: String::new() });
    }
    let socket = match scheme {
        "https" => "wss",
        "http" => "ws",
        _ => return Err(format!("a link begins with https:// or wss://, not with {scheme}://")),
    };
    let mut parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let named = match room {
        Some(room) => room.to_owned(),
        None => parts.pop().ok_or("the link names no room: https://host/Room, or --room")?.to_owned(),
    };
    let tenant = match parts[..] {
        [] => None,
        [tenant] => Some(tenant),
        _ => return Err(format!("{shown} has more than a tenant before its room")),
    };
    let (directory, subdomain) = match tenant {
        // As the deployment's own configuration makes the subdomain of it.
        Some(t) => (format!("{t}/"), format!("{}.", backend_name(t)?.replace('.', "_"))),
        None => Default::default(),
    };
    let token = query.split('&').find_map(|p| p.strip_prefix("jwt=")).unwrap_or_default();
    Ok(Place {
        url: format!("{socket}://{authority}/{directory}xmpp-websocket"),
        room: backend_name(&named)?,
        muc: format!("conference.{subdomain}{domain}"),
        domain,
        token: token.into(),
    })
}

/// The host of `host[:port]`, without the brackets of an IPv6 address. Nothing else may stand there: after `user@` another host would
/// follow, which would be sent the token.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '\\' | '[' | ']');
    let port = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    (port && !host.is_empty() && !host.contains(odd)).then_some(host)
}

/// A room's name as the web client writes it in addresses: lower case, everything unusual percent-encoded, also in lower case.
fn backend_name(name: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((b, after)) = rest.split_first() {
        rest = after;
        let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        match (b, rest) {
            (b'%', [h, l, after @ ..]) if hex(*h).is_some() && hex(*l).is_some() => {
                bytes.push(hex(*h).unwrap_or_default() << 4 | hex(*l).unwrap_or_default());
                rest = after;
            }
            _ => bytes.push(*b),
        }
    }
    let name = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?.to_lowercase();
    let mut out = String::new();
    for b in name.bytes() {
        match b {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'(' | b')' => {
                out.push(char::from(b))
            }
            _ => out.push_str(&format!("%{b:02x}")),
        }
    }
    if out.is_empty() { Err("the room has no name".into()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(link: &str) -> [String; 4] {
        let p = read(link, None, None).unwrap();
        [p.url, p.room, p.domain, p.muc]
    }

    #[test]
    fn a_shared_link_leads_where_the_deployment_is_by_default() {
        let want = ["wss://meet.example/xmpp-websocket", "standup", "meet.example", "conference.meet.example"];
        for link in
            ["https://meet.example/StandUp", "meet.example/standup", "https://Meet.example/standup/?x#config.a=1"]
        {
            assert_eq!(place(link).map(|s| s.replace("Meet", "meet")), want, "{link}");
        }
        assert_eq!(place("http://127.0.0.1:8080/r")[0], "ws://127.0.0.1:8080/xmpp-websocket");
        assert_eq!(place("https://[::1]:8443/r")[2], "::1");
    }

    #[test]
    fn a_tenant_is_a_directory_of_the_socket_and_a_subdomain_of_the_rooms() {
        let want = [
            "wss://meet.example/Acme.Corp/xmpp-websocket",
            "standup",
            "meet.example",
            "conference.acme_corp.meet.example",
        ];
        assert_eq!(place("https://meet.example/Acme.Corp/Standup"), want);
        assert!(read("https://meet.example/a/b/c", None, None).is_err());
    }

    #[test]
    fn rooms_are_written_as_the_web_client_writes_them() {
        assert_eq!(place("https://h/My%20R%c3%b6om")[1], "my%20r%c3%b6om");
        assert_eq!(place("https://h/Straße")[1], "stra%c3%9fe");
        assert_eq!(place("https://h/100%")[1], "100%25");
        assert!(read("https://h/%ff", None, None).is_err());
    }

    #[test]
    fn what_is_given_apart_comes_first() {
        let p = read("wss://h/xmpp-websocket?vnode=v1", Some("R"), Some("Meet.Jitsi")).unwrap();
        assert_eq!(
            [&p.url, &p.room, &p.domain, &p.muc].map(String::as_str),
            ["wss://h/xmpp-websocket?vnode=v1", "r", "meet.jitsi", "conference.meet.jitsi"]
        );
        assert_eq!(read("https://h/t/?jwt=abc", Some("r"), None).unwrap().token, "abc");
        for bad in [
            "wss://h/x",
            "https://h/",
            "https:///r",
            "ftp://h/r",
            "https://u@h/r",
            "https://h:x@evil/r",
            "wss://h:1@evil/r",
            "https://[::1]@evil/r",
            "https://h:/r",
        ] {
            assert!(read(bad, None, None).is_err(), "{bad}");
        }
    }
}
