//! Text messages of a room, and the time stamps of delayed delivery (XEP-0203, XEP-0091); docs/protocol/03 §11.

use super::{Element, Jid, XmlWriter, ns};

const DISPLAY_NAME: &str = "http://jitsi.org/protocol/display-name";
const REACTIONS: &str = "urn:xmpp:reactions:0";
const RETRACT: &str = "urn:xmpp:message-retract:1";
const OLD_DELAY: &str = "jabber:x:delay";

/// What a message says, reactions, retractions and JSON apart: those are told by a flag, because the text beside them is
/// not for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomMessage {
    pub body: Option<String>,
    pub subject: Option<String>,
    /// Name that the server gives for the sender.
    pub display_name: Option<String>,
    /// When it was sent, if it was delayed, ms since the Unix epoch. 0 for a stamp that cannot be read.
    pub delayed_ms: Option<i64>,
    /// It carries something else, and its body is at most a fallback.
    pub not_text: bool,
}

impl RoomMessage {
    /// Reads the children of a message stanza.
    pub fn read(message: Element<'_>) -> RoomMessage {
        let mut m = RoomMessage::default();
        for child in message.children() {
            match (child.name(), child.ns()) {
                ("body", n) if n == message.ns() && m.body.is_none() => m.body = Some(child.text().into_owned()),
                ("subject", n) if n == message.ns() && m.subject.is_none() => {
                    m.subject = Some(child.text().into_owned());
                }
                ("display-name", DISPLAY_NAME) => {
                    m.display_name = Some(child.text().into_owned()).filter(|n| !n.is_empty());
                }
                ("delay", ns::DELAY) | ("x", OLD_DELAY) if m.delayed_ms.is_none() => {
                    m.delayed_ms = Some(child.attr("stamp").and_then(parse_stamp).unwrap_or(0));
                }
                ("reactions", REACTIONS) | ("retract", RETRACT) | ("json-message", ns::JITMEET) => m.not_text = true,
                _ => {}
            }
        }
        m
    }
}

/// A text to the whole room.
pub fn group_text(room: &Jid, id: &str, text: &str) -> String {
    text_message("groupchat", room, id, text)
}

/// A text to one occupant.
pub fn private_text(occupant: &Jid, id: &str, text: &str) -> String {
    text_message("chat", occupant, id, text)
}

fn text_message(kind: &str, to: &Jid, id: &str, text: &str) -> String {
    let mut w = XmlWriter::stanza("message");
    w.attr("type", kind).attr("to", to.as_str()).attr("id", id).leaf("body", ns::CLIENT, text);
    w.finish()
}

/// Milliseconds since the Unix epoch of an XEP-0082 date-time (`2026-01-02T03:04:05.678Z`, `…+01:00`) or of XEP-0091's
/// `20260102T03:04:05` (UTC). None for anything else.
pub fn parse_stamp(s: &str) -> Option<i64> {
    let (date, time) = s.split_once('T')?;
    let date: Vec<u8> = date.bytes().filter(|b| *b != b'-').collect();
    if date.len() != 8 || time.len() < 8 || !time.is_ascii() {
        return None;
    }
    let number = |b: &[u8]| -> Option<i64> {
        b.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    };
    let (year, month, day) = (number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?);
    let t = time.as_bytes();
    let (hour, minute, second) = (number(&t[..2])?, number(&t[3..5])?, number(&t[6..8])?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && t[2] == b':'
        && t[5] == b':';
    if !in_range {
        return None;
    }
    let rest = &time[8..];
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(r) => r.split_at(r.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", rest),
    };
    let mut ms = 0;
    for i in 0..3 {
        ms = ms * 10 + fraction.as_bytes().get(i).map_or(0, |d| i64::from(d - b'0'));
    }
    let offset_minutes = match zone.as_bytes() {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let m = number(&[*h1, *h2])? * 60 + number(&[*m1, *m2])?;
            if *sign == b'-' { -m } else { m }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + (minute - offset_minutes) * 60 + second;
    Some(seconds * 1000 + ms)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March put the leap day last.
    let y = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    #[test]
    fn stamps_become_unix_milliseconds() {
        for (s, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-23T19:43:52Z", Some(1_795_463_032_000)),
            ("2000-02-29T23:59:59.5Z", Some(951_868_799_500)),
            ("2026-01-02T03:04:05.6789+01:00", Some(1_767_319_445_678)),
            ("20260102T02:04:05", Some(1_767_319_445_000)),
            ("1969-12-31T23:59:59Z", Some(-1000)),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+1:00", None),
            ("2026-01-01T00-00-00Z", None),
            ("2026-01-01Tééééé", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_stamp(s), ms, "{s}");
        }
    }

    #[test]
    fn text_subject_name_and_delay_are_read() {
        let doc = Document::parse(
            "<message xmlns='jabber:client'><subject>S</subject><body>a &lt; b</body>\
             <display-name xmlns='http://jitsi.org/protocol/display-name' source='guest'>Eve</display-name>\
             <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:01Z'/></message>",
        )
        .unwrap();
        let m = RoomMessage::read(doc.root());
        assert_eq!((m.body.as_deref(), m.subject.as_deref()), (Some("a < b"), Some("S")));
        assert_eq!((m.display_name.as_deref(), m.delayed_ms, m.not_text), (Some("Eve"), Some(1000), false));
    }

    #[test]
    fn reactions_retractions_and_json_are_no_text() {
        for inner in [
            "<reactions xmlns='urn:xmpp:reactions:0' id='m'/>",
            "<retract xmlns='urn:xmpp:message-retract:1' id='m'/><body>fallback</body>",
            "<json-message xmlns='http://jitsi.org/jitmeet'>{}</json-message>",
        ] {
            let text = format!("<message xmlns='jabber:client'>{inner}</message>");
            assert!(RoomMessage::read(Document::parse(&text).unwrap().root()).not_text, "{inner}");
        }
    }

    #[test]
    fn texts_are_escaped() {
        let room = Jid::parse("r@c").unwrap();
        assert_eq!(
            group_text(&room, "m1", "a<b\u{1}"),
            "<message xmlns='jabber:client' type='groupchat' to='r@c' id='m1'><body>a&lt;b</body></message>"
        );
    }
}
