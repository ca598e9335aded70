//! A look at JSON text that needs no tree: how deep it is, whether an object names a key twice (docs/protocol/04 §1.6), and what
//! a member looks like as it was written.

use std::borrow::Cow;
use std::collections::HashSet;

/// Index of the quote that ends the string that begins at `start`; the length of the text if none does.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < json.len() && json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at.min(json.len())
}

/// Whether brackets stand within each other no deeper than `max`. Of any text, also of what is no JSON.
pub(super) fn depth_within(json: &str, max: usize) -> bool {
    let json = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < json.len() {
        match json[at] {
            b'"' => at = string_end(json, at),
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    true
}

/// Whether any object of this text, which is JSON, has the same key twice.
pub(super) fn names_a_key_twice(json: &str) -> bool {
    let bytes = json.as_bytes();
    // The keys of each open object; none for an array.
    let mut open: Vec<Option<HashSet<Cow<'_, str>>>> = Vec::new();
    let (mut at, mut key_is_next) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                if std::mem::take(&mut key_is_next)
                    && let (Some(Some(keys)), Some(key)) = (open.last_mut(), json.get(at..=end))
                    && !keys.insert(unescaped(key))
                {
                    return true;
                }
                at = end;
            }
            b'{' => {
                open.push(Some(HashSet::new()));
                key_is_next = true;
            }
            b'[' => open.push(None),
            b'}' | b']' => {
                open.pop();
                key_is_next = false;
            }
            b',' => key_is_next = matches!(open.last(), Some(Some(_))),
            _ => {}
        }
        at += 1;
    }
    false
}

/// The text of the value that this key has in an object, which is JSON; the last one counts, as for every reader.
pub(super) fn member<'a>(object: &'a str, wanted: &str) -> Option<&'a str> {
    let bytes = object.as_bytes();
    let (mut at, mut depth, mut key_is_next) = (0, 0_usize, false);
    // Where the value of the wanted key begins, while it goes on.
    let (mut begun, mut found) = (None, None);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                if depth == 1 && std::mem::take(&mut key_is_next) && unescaped(object.get(at..=end)?) == wanted {
                    begun = Some(end + 1 + object.get(end + 1..)?.find(':')? + 1);
                }
                at = end;
            }
            b'{' | b'[' => {
                depth += 1;
                key_is_next = depth == 1;
            }
            c @ (b'}' | b']' | b',') => {
                if depth == 1
                    && let Some(begun) = begun.take()
                {
                    found = object.get(begun..at).map(str::trim);
                }
                if c == b',' {
                    key_is_next = depth == 1;
                } else {
                    depth = depth.saturating_sub(1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// What a string in its quotes says.
fn unescaped(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\')
        && let Ok(said) = serde_json::from_str::<String>(quoted)
    {
        return Cow::Owned(said);
    }
    Cow::Borrowed(quoted.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (json, depth) in [("1", 0), ("{}", 1), ("[[],[]]", 2), (r#"{"[[[\"[":[{}]}"#, 3), ("]]]][", 1), ("\"[", 0)]
        {
            assert!(depth_within(json, depth), "{json}");
            assert!(depth == 0 || !depth_within(json, depth - 1), "{json}");
        }
    }

    #[test]
    fn a_member_is_found_as_it_was_written() {
        let json = r#"{"a":{"p":1},"p":[0], "\u0070" : { "x":"}\"," , "y":[1.50, 9007199254740993] } ,"q":"p","n":-1}"#;
        assert_eq!(member(json, "p"), Some(r#"{ "x":"}\"," , "y":[1.50, 9007199254740993] }"#));
        assert_eq!((member(json, "q"), member(json, "n"), member(json, "x")), (Some("\"p\""), Some("-1"), None));
        for odd in ["", "{}", "[\"p\",1]", "\"p\"", "{\"p\"", "{\"p\":1", "\"", "{\"\\", "}}]],"] {
            assert_eq!(member(odd, "p"), None, "{odd}");
        }
    }

    #[test]
    fn the_same_key_counts_within_one_object_alone_however_it_is_written() {
        for json in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":1,"c":[],"a":2}}]"#, r#"{"a":1,"\u0061":2}"#, r#"{"":{},"":{}}"#]
        {
            assert!(names_a_key_twice(json), "{json}");
        }
        for json in [r#"{"a":{"a":"a"},"b":["a","a"]}"#, r#"[{"a":1},{"a":1}]"#, r#"{"a\"":1,"a":"a,\"a"}"#, "[]", "\""]
        {
            assert!(!names_a_key_twice(json), "{json}");
        }
    }
}
