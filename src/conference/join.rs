//! Entering the room: what a refusal means, and the pause before another try; docs/protocol/03 §9.4.

use super::error::{NotAllowed, RoomError};
use crate::Env;
use crate::wire::{Condition, Element, Jid, Stanza, ns};
use std::time::Duration;

/// How long the room may take to answer the join presence (default 30 s).
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How often request and join are repeated when the room does not exist yet (default 3).
pub const MAX_JOIN_RETRIES: u32 = 3;

const VISITORS: &str = "jitsi:visitors";

/// What the room's refusal asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The room does not exist yet; the focus may be about to make it.
    CreationRestricted(String),
    Final(RoomError),
}

/// Reads an error presence. `visitors` is what the focus said of places for visitors.
pub(super) fn refusal(presence: Element<'_>, visitors: bool) -> Refusal {
    let error = Stanza::read(presence).and_then(Stanza::error).unwrap_or_default();
    let element = presence.child_named("error");
    let find = |name: &str, ns: &str| element.and_then(|e| e.child(name, ns));
    let has = |name: &str, ns: &str| find(name, ns).is_some();
    let text = error.text.clone();
    Refusal::Final(match error.condition {
        Condition::NotAuthorized => RoomError::PasswordRequired { text },
        Condition::NotAllowed => {
            let restricted = text == "Room creation is restricted" || has("room-does-not-exist", ns::JITMEET);
            let kind = if restricted {
                return Refusal::CreationRestricted(text);
            } else if has("authentication-required", ns::JITMEET) {
                NotAllowed::AuthenticationRequired
            } else if has("no-main-participants", VISITORS) {
                NotAllowed::NoMainParticipants
            } else if has("promotion-not-allowed", VISITORS) {
                NotAllowed::PromotionNotAllowed
            } else if has("no-visitors-lobby", VISITORS) {
                NotAllowed::NoVisitorsLobby
            } else {
                NotAllowed::General
            };
            RoomError::NotAllowed { kind, text }
        }
        Condition::ServiceUnavailable => RoomError::RoomFull { visitors, text },
        Condition::RegistrationRequired => {
            // In the error, and for old clients beside it without a namespace: the local name decides.
            let named = |e: Element<'_>| e.child_named("lobbyroom").map(|l| l.text().into_owned());
            let lobby = element.and_then(named).or_else(|| named(presence));
            RoomError::MembersOnly {
                lobby: lobby.and_then(|l| Jid::parse(l.trim()).ok()),
                waiting_for_host: has("waiting-for-host", ns::JITMEET),
                text,
            }
        }
        Condition::Conflict => RoomError::NicknameConflict { text },
        _ => match find("displayname-required", ns::JITMEET) {
            Some(e) => RoomError::DisplayNameRequired { lobby: e.attr("lobby") == Some("true"), text },
            None => RoomError::JoinRefused(error),
        },
    })
}

/// The pause before the n-th repetition, n from 1: between 0.5 s and 1.5ⁿ s.
pub(super) fn retry_pause(n: u32, env: &mut Env) -> Duration {
    let longest = (1000.0 * 1.5_f64.powi(n.min(8) as i32)) as u32;
    Duration::from_millis(u64::from(500 + env.below(longest.saturating_sub(500))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(error: &str) -> Refusal {
        let text = format!("<presence xmlns='jabber:client' type='error'>{error}</presence>");
        refusal(Document::parse(&text).unwrap().root(), true)
    }

    fn error(kind: &str, condition: &str, more: &str) -> Refusal {
        read(&format!("<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{more}</error>"))
    }

    fn text(t: &str) -> String {
        format!("<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{t}</text>")
    }

    #[test]
    fn every_row_of_the_table_has_its_own_error() {
        let last = Refusal::Final;
        for words in ["", "why"] {
            let (more, text) = (if words.is_empty() { String::new() } else { text(words) }, words.to_owned());
            let got = |kind, condition| error(kind, condition, &more);
            assert_eq!(got("auth", "not-authorized"), last(RoomError::PasswordRequired { text: text.clone() }));
            let full = RoomError::RoomFull { visitors: true, text: text.clone() };
            assert_eq!(got("cancel", "service-unavailable"), last(full));
            assert_eq!(got("cancel", "conflict"), last(RoomError::NicknameConflict { text: text.clone() }));
        }
        let required = "<displayname-required xmlns='http://jitsi.org/jitmeet' lobby='true'/>";
        assert_eq!(
            error("modify", "not-acceptable", required),
            last(RoomError::DisplayNameRequired { lobby: true, text: String::new() })
        );
        for (more, kind) in [
            ("", NotAllowed::General),
            ("<authentication-required xmlns='http://jitsi.org/jitmeet'/>", NotAllowed::AuthenticationRequired),
            ("<no-main-participants xmlns='jitsi:visitors'/>", NotAllowed::NoMainParticipants),
            ("<promotion-not-allowed xmlns='jitsi:visitors'/>", NotAllowed::PromotionNotAllowed),
            ("<no-visitors-lobby xmlns='jitsi:visitors'/>", NotAllowed::NoVisitorsLobby),
        ] {
            let want = RoomError::NotAllowed { kind, text: "why".into() };
            assert_eq!(error("cancel", "not-allowed", &(text("why") + more)), last(want), "{more}");
        }
        let restricted = "Room creation is restricted";
        assert_eq!(error("cancel", "not-allowed", &text(restricted)), Refusal::CreationRestricted(restricted.into()));
        let absent = "<room-does-not-exist xmlns='http://jitsi.org/jitmeet'/>";
        assert_eq!(error("cancel", "not-allowed", absent), Refusal::CreationRestricted(String::new()));
        for other in ["forbidden", "item-not-found", "jid-malformed"] {
            assert!(matches!(error("cancel", other, ""), Refusal::Final(RoomError::JoinRefused(_))), "{other}");
        }
        assert!(matches!(read(""), Refusal::Final(RoomError::JoinRefused(_))));
    }

    #[test]
    fn the_lobby_is_found_in_both_places() {
        let lobby = Some(Jid::parse("room@lobby.x").unwrap());
        let inside = "<waiting-for-host xmlns='http://jitsi.org/jitmeet'/>\
                      <lobbyroom xmlns='http://jitsi.org/jitmeet'>room@lobby.x</lobbyroom>";
        let got = error("auth", "registration-required", inside);
        assert_eq!(
            got,
            Refusal::Final(RoomError::MembersOnly {
                lobby: lobby.clone(),
                waiting_for_host: true,
                text: String::new()
            })
        );
        let got = read(
            "<error type='auth'><registration-required xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>\
             <lobbyroom>room@lobby.x</lobbyroom>",
        );
        assert_eq!(got, Refusal::Final(RoomError::MembersOnly { lobby, waiting_for_host: false, text: String::new() }));
    }

    #[test]
    fn the_pause_is_within_its_bounds() {
        let mut env = Env::seeded(1);
        for (n, longest) in [(1, 1500), (2, 2250), (3, 3375)] {
            for _ in 0..200 {
                let ms = retry_pause(n, &mut env).as_millis();
                assert!((500..longest).contains(&ms), "{n}: {ms}");
            }
        }
    }
}
