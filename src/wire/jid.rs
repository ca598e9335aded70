//! XMPP addresses (RFC 7622), as Jitsi uses them: ASCII-folded local part and domain, opaque resource.
//!
//! No full PRECIS preparation: servers prepare what they emit, and every address compared here came from one.

use std::fmt;

/// Longest part of an address, bytes (RFC 7622 §3.1).
pub const MAX_JID_PART_BYTES: usize = 1023;
/// Longest address, bytes: three parts and what stands between them.
pub const MAX_JID_BYTES: usize = 3 * MAX_JID_PART_BYTES + 2;

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JidError {
    /// Nothing, or nothing where a part must be.
    Empty,
    /// A part is longer than 1023 bytes.
    TooLong,
    /// A character that the part may not contain.
    BadCharacter,
}

impl fmt::Display for JidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JidError::Empty => "empty address part",
            JidError::TooLong => "address part over 1023 bytes",
            JidError::BadCharacter => "character not allowed in an address",
        })
    }
}

impl std::error::Error for JidError {}

/// `[local@]domain[/resource]`, stored as one string.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid {
    text: Box<str>,
    /// Bytes of the local part; 0 when there is none (then no `@` either).
    at: u32,
    /// Byte position of the `/`, or the length.
    slash: u32,
}

impl Jid {
    /// Parses an address. Local part and domain are ASCII-lower-cased.
    pub fn parse(s: &str) -> Result<Jid, JidError> {
        let (bare, resource) = match s.split_once('/') {
            Some((_, "")) => return Err(JidError::Empty),
            Some((b, r)) => (b, Some(r)),
            None => (s, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some(("", _)) => return Err(JidError::Empty),
            Some((l, d)) => (Some(l), d),
            None => (None, bare),
        };
        if domain.is_empty() {
            return Err(JidError::Empty);
        }
        for part in [local, Some(domain), resource].into_iter().flatten() {
            if part.len() > MAX_JID_PART_BYTES {
                return Err(JidError::TooLong);
            }
            if part.chars().any(char::is_control) {
                return Err(JidError::BadCharacter);
            }
        }
        let bad = |c: char| matches!(c, '"' | '&' | '\'' | '<' | '>' | '@' | '/' | ':') || c.is_whitespace();
        if local.is_some_and(|l| l.contains(bad)) || domain.contains(|c: char| c == '@' || c.is_whitespace()) {
            return Err(JidError::BadCharacter);
        }
        let mut text = bare.to_ascii_lowercase();
        let slash = text.len();
        if let Some(r) = resource {
            text.push('/');
            text.push_str(r);
        }
        Ok(Jid { text: text.into(), at: local.map_or(0, str::len) as u32, slash: slash as u32 })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before `@`.
    pub fn local(&self) -> Option<&str> {
        (self.at > 0).then(|| &self.text[..self.at as usize])
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        let from = if self.at > 0 { self.at as usize + 1 } else { 0 };
        &self.text[from..self.slash as usize]
    }

    /// The part after `/`: in a room, the nickname, which is the endpoint id.
    pub fn resource(&self) -> Option<&str> {
        self.text.get(self.slash as usize + 1..)
    }

    /// The address without its resource, as text.
    pub fn bare_str(&self) -> &str {
        &self.text[..self.slash as usize]
    }

    /// The address without its resource.
    pub fn bare(&self) -> Jid {
        Jid { text: self.bare_str().into(), at: self.at, slash: self.slash }
    }

    /// The same bare address with this resource.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        Jid::parse(&format!("{}/{resource}", self.bare_str()))
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jid({})", self.text)
    }
}

impl std::str::FromStr for Jid {
    type Err = JidError;

    fn from_str(s: &str) -> Result<Jid, JidError> {
        Jid::parse(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_and_folded() {
        let j = Jid::parse("Room@Conference.Meet.example/AbC/d@e").unwrap();
        assert_eq!(j.as_str(), "room@conference.meet.example/AbC/d@e");
        assert_eq!((j.local(), j.domain(), j.resource()), (Some("room"), "conference.meet.example", Some("AbC/d@e")));
        assert_eq!(j.bare().as_str(), "room@conference.meet.example");
        let d = Jid::parse("focus.meet.example").unwrap();
        assert_eq!((d.local(), d.domain(), d.resource()), (None, "focus.meet.example", None));
        assert_eq!(d.with_resource("x").unwrap().as_str(), "focus.meet.example/x");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (s, e) in [
            ("", JidError::Empty),
            ("@d", JidError::Empty),
            ("a@", JidError::Empty),
            ("a@d/", JidError::Empty),
            ("a b@d", JidError::BadCharacter),
            ("a@b@c", JidError::BadCharacter),
            ("d/\u{1}", JidError::BadCharacter),
        ] {
            assert_eq!(Jid::parse(s), Err(e), "{s:?}");
        }
        assert_eq!(Jid::parse(&"x".repeat(1023)).map(|j| j.domain().len()), Ok(1023));
        assert_eq!(Jid::parse(&"x".repeat(1024)), Err(JidError::TooLong));
    }

    #[test]
    fn parts_are_bounded_and_with_them_the_whole() {
        let part = "x".repeat(MAX_JID_PART_BYTES);
        let longest = format!("{part}@{part}/{part}");
        assert_eq!(Jid::parse(&longest).map(|j| j.as_str().len()), Ok(MAX_JID_BYTES));
        for one in [format!("x{part}@d/r"), format!("l@x{part}/r"), format!("l@d/x{part}")] {
            assert_eq!(Jid::parse(&one), Err(JidError::TooLong));
        }
    }
}
