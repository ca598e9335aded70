//! SASLprep (RFC 4013 over RFC 3454): user names and passwords that look the same are the same bytes, as SCRAM (RFC 5802 §2.2)
//! and PLAIN (RFC 4616 §2) ask and as servers do on their side. The tables are those of `stringprep`; its own `saslprep` refuses
//! every character newer than Unicode 3.2, so a password with a later emoji could never log in. A login is a query, where
//! RFC 3454 §7 lets such characters through.

use std::borrow::Cow;
use std::fmt;
use stringprep::tables;
use unicode_normalization::UnicodeNormalization as _;

/// Why a user name or password cannot be used. Says nothing of the characters themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prohibited {
    /// A control character, or one that is private, invisible, or changes how others are shown (RFC 4013 §2.3).
    Character,
    /// Left-to-right and right-to-left text mixed (RFC 3454 §6).
    Directions,
    /// Nothing is left of it.
    Empty,
}

impl fmt::Display for Prohibited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Prohibited::Character => "a character of it may not be in logins",
            Prohibited::Directions => "left-to-right and right-to-left text may not be mixed in logins",
            Prohibited::Empty => "it is empty, or made of invisible characters only",
        })
    }
}

impl std::error::Error for Prohibited {}

/// The string as both sides of a login use it.
///
/// # Errors
/// What [`Prohibited`] says.
pub fn saslprep(s: &str) -> Result<Cow<'_, str>, Prohibited> {
    if s.is_empty() {
        return Err(Prohibited::Empty);
    }
    if s.bytes().all(|b| b.is_ascii() && !b.is_ascii_control()) {
        return Ok(Cow::Borrowed(s));
    }
    let mapped = s.chars().filter(|c| !tables::commonly_mapped_to_nothing(*c));
    let spaced = mapped.map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c });
    let prepared: String = spaced.nfkc().collect();
    if prepared.is_empty() {
        return Err(Prohibited::Empty);
    }
    if prepared.chars().any(prohibited) {
        return Err(Prohibited::Character);
    }
    if mixes_directions(&prepared) {
        return Err(Prohibited::Directions);
    }
    Ok(Cow::Owned(prepared))
}

/// RFC 4013 §2.3; surrogates are no `char`.
fn prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// RFC 3454 §6: with right-to-left text no left-to-right, and right-to-left at both ends.
fn mixes_directions(s: &str) -> bool {
    let rtl = tables::bidi_r_or_al;
    s.contains(rtl) && (s.contains(tables::bidi_l) || !s.starts_with(rtl) || !s.ends_with(rtl))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(s: &str) -> Result<String, Prohibited> {
        saslprep(s).map(Cow::into_owned)
    }

    #[test]
    fn the_examples_of_rfc_4013() {
        for (given, result) in [
            ("I\u{ad}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{aa}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("\u{7}", Err(Prohibited::Character)),
            ("\u{627}1", Err(Prohibited::Directions)),
        ] {
            assert_eq!(prepared(given), result.map(str::to_owned), "{given:?}");
        }
    }

    #[test]
    fn what_looks_the_same_is_the_same() {
        assert_eq!(prepared("pa\u{df}wort\u{a0}\u{fb01}"), Ok("paßwort fi".into()));
        assert_eq!(prepared("u\u{308}"), prepared("ü"));
        assert_eq!(prepared("\u{627}1\u{628}"), Ok("\u{627}1\u{628}".into()), "right-to-left at both ends");
    }

    #[test]
    fn each_kind_of_prohibited_character_is_refused() {
        // Controls of both kinds, private use, no character, replacement, description, display order, tag.
        for c in
            "\u{0}\u{1f}\u{7f}\u{80}\u{2028}\u{e000}\u{fffe}\u{1ffff}\u{fffd}\u{2ff0}\u{200e}\u{202e}\u{e0041}".chars()
        {
            assert_eq!(prepared(&format!("a{c}b")), Err(Prohibited::Character), "{c:?}");
        }
        assert_eq!(prepared(""), Err(Prohibited::Empty));
        assert_eq!(prepared("\u{ad}\u{200b}"), Err(Prohibited::Empty));
    }

    #[test]
    fn characters_newer_than_the_tables_may_log_in() {
        assert_eq!(prepared("\u{1f980}"), Ok("\u{1f980}".into()));
    }
}
