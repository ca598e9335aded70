//! The URL of the connection: what the program gave, with what Jitsi's servers read from it (docs/protocol/01 §2.1).

/// Adds `room` and `token`, unless the URL has them already. The room is what most components find the room by
/// (docs/protocol/03 §3.2).
pub fn with_parameters(url: &str, room: &str, token: &str) -> String {
    let mut out = url.to_owned();
    let query = url.split_once('?').map_or("", |(_, q)| q);
    let has = |name: &str| query.split('&').any(|p| p.split('=').next() == Some(name));
    let mut separator = if query.is_empty() && !url.ends_with('?') { '?' } else { '&' };
    for (name, value) in [("room", room), ("token", token)] {
        if value.is_empty() || has(name) {
            continue;
        }
        out.push(separator);
        out.push_str(name);
        out.push('=');
        encode(value, &mut out);
        separator = '&';
    }
    out
}

fn encode(value: &str, out: &mut String) {
    for b in value.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(b)),
            _ => {
                out.push('%');
                out.push(char::from_digit(u32::from(b >> 4), 16).unwrap_or('0').to_ascii_uppercase());
                out.push(char::from_digit(u32::from(b & 15), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_and_token_are_added_once_and_encoded() {
        for (url, token, want) in [
            ("wss://h/x", "", "wss://h/x?room=a%20b"),
            ("wss://h/x?", "", "wss://h/x?&room=a%20b"),
            ("wss://h/x?vnode=v1", "e.f-g", "wss://h/x?vnode=v1&room=a%20b&token=e.f-g"),
            ("wss://h/x?room=r", "t", "wss://h/x?room=r&token=t"),
        ] {
            assert_eq!(with_parameters(url, "a b", token), want);
        }
    }
}
