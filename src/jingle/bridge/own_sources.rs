//! Our sources towards the focus: its rules, checked before it is asked, and what changed since it was told
//! (docs/protocol/02 §8.3, §8.6).

use crate::jingle::describe::{filtered, push_source};
use crate::jingle::sources::SourceTable;
use crate::jingle::types::{LocalSource, SourceRefusal};
use crate::wire::jingle::{Action, Content, Description, Jingle, Media};
use std::collections::HashSet;

/// SSRCs that the focus lets one endpoint have (`max-ssrcs-per-user`).
pub const MAX_SSRCS_OF_OURS: usize = 20;
/// Groups that the focus lets one endpoint have (`max-ssrc-groups-per-user`).
pub const MAX_GROUPS_OF_OURS: usize = 20;

/// The same to the focus: it compares names and SSRCs, and mute state and video type are presence's business.
pub(super) fn same(a: &LocalSource, b: &LocalSource) -> bool {
    a.name == b.name && a.encodings == b.encodings
}

/// The sources that the focus would take, in order, and each of the others with the rule that it breaks. What it was told
/// before is ours, whatever it says of others now.
pub(super) fn checked<'a>(
    sources: impl Iterator<Item = &'a LocalSource>,
    told: &[LocalSource],
    others: &SourceTable,
) -> (Vec<&'a LocalSource>, Vec<(&'a LocalSource, SourceRefusal)>) {
    let (mut good, mut bad): (Vec<&LocalSource>, Vec<_>) = (Vec::new(), Vec::new());
    let mut used: HashSet<u32> = HashSet::new();
    let mut groups = 0;
    for s in sources {
        let theirs = |ssrc| others.by_ssrc(ssrc).is_some() && !told.iter().any(|t| same(t, s));
        match check(s, &good, &used, groups, theirs) {
            Ok(()) => {
                used.extend(s.ssrcs());
                groups += groups_of(s);
                good.push(s);
            }
            Err(why) => bad.push((s, why)),
        }
    }
    (good, bad)
}

fn check(
    s: &LocalSource,
    before: &[&LocalSource],
    used: &HashSet<u32>,
    groups: usize,
    theirs: impl Fn(u32) -> bool,
) -> Result<(), SourceRefusal> {
    let mut own = HashSet::new();
    if let Some(bad) = s.ssrcs().find(|x| *x == 0 || used.contains(x) || !own.insert(*x) || theirs(*x)) {
        return Err(SourceRefusal::BadSsrc(bad));
    }
    let msid = filtered(&s.msid);
    if msid.is_empty() || before.iter().any(|b| b.media == s.media && filtered(&b.msid) == msid) {
        return Err(SourceRefusal::BadMsid);
    }
    if used.len() + own.len() > MAX_SSRCS_OF_OURS {
        return Err(SourceRefusal::TooManySsrcs);
    }
    if groups + groups_of(s) > MAX_GROUPS_OF_OURS {
        return Err(SourceRefusal::TooManyGroups);
    }
    Ok(())
}

/// An FID group for each encoding with retransmissions, and one SIM group over several encodings.
fn groups_of(s: &LocalSource) -> usize {
    s.encodings.iter().filter(|(_, rtx)| rtx.is_some()).count() + usize::from(s.encodings.len() > 1)
}

/// Requests for these sources, each as long as the budget allows, and with at least one source.
pub(super) fn requests(
    action: Action<'_>,
    sid: &str,
    initiator: &str,
    sources: &[LocalSource],
    budget: usize,
) -> Vec<(Vec<LocalSource>, String)> {
    let mut out: Vec<(Vec<LocalSource>, String)> = Vec::new();
    for s in sources {
        if let Some((together, xml)) = out.last_mut() {
            together.push(s.clone());
            let longer = request(action, sid, initiator, together);
            if longer.len() <= budget {
                *xml = longer;
                continue;
            }
            together.pop();
        }
        let alone = vec![s.clone()];
        let xml = request(action, sid, initiator, &alone);
        out.push((alone, xml));
    }
    out
}

fn request(action: Action<'_>, sid: &str, initiator: &str, sources: &[LocalSource]) -> String {
    let mut j = Jingle::new(action, sid);
    j.initiator = Some(initiator);
    for media in [Media::Audio, Media::Video] {
        let index = j.contents.len() as u32;
        let mut mine = sources.iter().filter(|s| s.media == media).peekable();
        if mine.peek().is_none() {
            continue;
        }
        let description = Description { media: Some(media.as_str()), ..Description::default() };
        j.contents.push(Content { name: media.as_str(), description: Some(description), ..Content::default() });
        for s in mine {
            push_source(&mut j, index, s, &s.encodings);
        }
    }
    j.to_xml()
}
