//! The source table of a session: who owns which source, which SSRC belongs to it (docs/protocol/02 §8.4–8.7, §16).
//!
//! Changes are idempotent. An SSRC or a name that belongs to somebody stays his until it is removed; what claims another
//! owner than it may is refused and counted, the rest of the request is applied.

use crate::wire::jingle::{GroupSemantics, Media, Source, SourceMap, VideoType, source_owner};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Sources of one endpoint (Jicofo allows 20 SSRCs, which is fewer).
pub const MAX_SOURCES_PER_ENDPOINT: usize = 64;
/// SSRCs of one endpoint.
pub const MAX_SSRCS_PER_ENDPOINT: usize = 256;
/// Groups of one source.
pub const MAX_GROUPS_PER_SOURCE: usize = 16;
/// SSRCs of a whole session.
pub const MAX_SSRCS: usize = 16_384;

/// A remote source, or the part of one that a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSource {
    /// Endpoint id of the owner.
    pub owner: Arc<str>,
    pub name: Arc<str>,
    pub media: Media,
    pub video_type: Option<VideoType>,
    pub msid: Option<Arc<str>>,
    pub mid: Option<Arc<str>>,
    /// In the order in which they were signalled.
    pub ssrcs: Vec<u32>,
    pub groups: Vec<(GroupSemantics, Vec<u32>)>,
}

impl RemoteSource {
    /// The same before its first SSRC.
    fn without_ssrcs(&self) -> RemoteSource {
        RemoteSource {
            owner: self.owner.clone(),
            name: self.name.clone(),
            media: self.media,
            video_type: self.video_type,
            msid: self.msid.clone(),
            mid: self.mid.clone(),
            ssrcs: Vec::with_capacity(SSRCS_OF_MOST),
            groups: Vec::new(),
        }
    }

    /// Each SSRC that repairs another: (rtx, primary).
    pub fn repairs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.groups.iter().filter(|(s, _)| *s == GroupSemantics::Fid).map(|(_, m)| (m[1], m[0]))
    }

    /// The SSRCs that carry media themselves.
    pub fn primaries(&self) -> impl Iterator<Item = u32> {
        self.ssrcs.iter().copied().filter(|s| self.repairs().all(|(rtx, _)| rtx != *s))
    }
}

/// Who may be named as owner.
#[derive(Clone, Copy, Debug)]
pub enum Authority<'a> {
    /// The focus speaks for everybody.
    Focus,
    /// A peer speaks for itself only; the value is its endpoint id.
    Peer(&'a str),
}

/// What a change did.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub sources: Vec<RemoteSource>,
    /// SSRCs and groups that were refused.
    pub refused: u32,
}

/// Where each source is in a change, by its number.
#[derive(Default)]
struct Touched(Vec<Option<u32>>);

impl Touched {
    /// The change's entry of this source, made at the first question.
    fn entry<'c>(&mut self, change: &'c mut Change, number: u32, source: &RemoteSource) -> &'c mut RemoteSource {
        let number = number as usize;
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        let at = *self.0[number].get_or_insert_with(|| {
            change.sources.push(source.without_ssrcs());
            change.sources.len() as u32 - 1
        });
        &mut change.sources[at as usize]
    }
}

/// A camera's, and that of its repairs.
const SSRCS_OF_MOST: usize = 2;

#[derive(Debug)]
struct Endpoint {
    id: Arc<str>,
    sources: usize,
    ssrcs: usize,
}

impl Endpoint {
    fn of(id: Arc<str>) -> Endpoint {
        Endpoint { id, sources: 0, ssrcs: 0 }
    }
}

/// The sources of one session.
#[derive(Debug, Default)]
pub struct SourceTable {
    /// By number; a freed number is used again.
    sources: Vec<Option<RemoteSource>>,
    free: Vec<u32>,
    // Only looked up, never walked: their order is no one's business.
    by_name: HashMap<Arc<str>, u32>,
    by_ssrc: HashMap<u32, u32>,
    endpoints: HashMap<Arc<str>, Endpoint>,
}

impl SourceTable {
    /// The source that an SSRC belongs to.
    pub fn by_ssrc(&self, ssrc: u32) -> Option<&RemoteSource> {
        self.get(*self.by_ssrc.get(&ssrc)?)
    }

    /// The source of this name.
    pub fn by_name(&self, name: &str) -> Option<&RemoteSource> {
        self.get(*self.by_name.get(name)?)
    }

    /// All sources.
    pub fn iter(&self) -> impl Iterator<Item = &RemoteSource> {
        self.sources.iter().flatten()
    }

    fn get(&self, number: u32) -> Option<&RemoteSource> {
        self.sources.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut RemoteSource> {
        self.sources.get_mut(number as usize)?.as_mut()
    }

    fn take(&mut self, number: u32) -> Option<RemoteSource> {
        let source = self.sources.get_mut(number as usize)?.take()?;
        self.by_name.remove(&source.name);
        self.free.push(number);
        Some(source)
    }

    /// Applies a source-add. The change holds what is new: whole sources, or new SSRCs and groups of known ones.
    pub fn add(&mut self, map: &SourceMap, by: Authority<'_>) -> Change {
        let mut change = Change::default();
        let mut touched = Touched::default();
        let ssrcs = map.len().min(MAX_SSRCS);
        self.by_ssrc.reserve(ssrcs);
        // Most sources have two SSRCs, a camera's and that of its repairs, or one.
        change.sources.reserve(ssrcs.div_ceil(2));
        self.sources.reserve(ssrcs.div_ceil(2));
        let mut last = None;
        for s in map.iter() {
            last = self.place(&s, by, last, &mut touched, &mut change);
            change.refused += u32::from(last.is_none());
        }
        for g in map.groups() {
            let number = g.ssrcs.first().and_then(|s| self.by_ssrc.get(s)).copied();
            let source = number.and_then(|n| Some((n, self.get_mut(n)?)));
            let Some((number, source)) = source else {
                change.refused += 1;
                continue;
            };
            let whole = g.ssrcs.iter().all(|s| source.ssrcs.contains(s));
            let right_size = if g.semantics == GroupSemantics::Fid { g.ssrcs.len() == 2 } else { g.ssrcs.len() > 1 };
            let allowed = match by {
                Authority::Focus => true,
                Authority::Peer(id) => *source.owner == *id,
            };
            if !whole || !right_size || !allowed {
                change.refused += 1;
                continue;
            }
            if source.groups.iter().any(|(s, m)| *s == g.semantics && m == g.ssrcs) {
                continue;
            }
            if source.groups.len() >= MAX_GROUPS_PER_SOURCE {
                change.refused += 1;
                continue;
            }
            source.groups.push((g.semantics, g.ssrcs.to_vec()));
            touched.entry(&mut change, number, source).groups.push((g.semantics, g.ssrcs.to_vec()));
        }
        change
    }

    /// Gives an SSRC to its source, which is made when it is new; the number of that, `None` when it may not be. `last` is the number of
    /// the SSRC before it, most often the right one.
    fn place(
        &mut self,
        s: &Source<'_>,
        by: Authority<'_>,
        last: Option<u32>,
        touched: &mut Touched,
        change: &mut Change,
    ) -> Option<u32> {
        let owner = match by {
            Authority::Focus => s.owner_id()?,
            Authority::Peer(id) if s.owner_id().is_none_or(|o| o == id) => id,
            Authority::Peer(_) => return None,
        };
        if s.ssrc == 0 || owner.is_empty() {
            return None;
        }
        let made;
        let name = match s.name {
            Some(name) => name,
            None => {
                // What clients call it that do not signal names (docs/protocol/02 §8.7).
                made = format!("{owner}-{}0", if s.media == Media::Audio { 'a' } else { 'v' });
                &made
            }
        };
        if source_owner(name).is_some_and(|(o, media)| o != owner || media != s.media) {
            return None;
        }
        let guess = last.filter(|n| self.get(*n).is_some_and(|s| *s.name == *name));
        let known = guess.or_else(|| self.by_name.get(name).copied());
        if let Some(source) = known.and_then(|n| self.get(n))
            && (*source.owner != *owner || source.media != s.media)
        {
            return None;
        }
        let full = self.by_ssrc.len() >= MAX_SSRCS;
        let vacant = match self.by_ssrc.entry(s.ssrc) {
            Entry::Occupied(holder) => return known.filter(|k| k == holder.get()),
            Entry::Vacant(_) if full => return None,
            Entry::Vacant(vacant) => vacant,
        };
        let endpoint = match self.endpoints.get_mut(owner) {
            Some(e) => e,
            None => self.endpoints.entry(owner.into()).or_insert_with_key(|owner| Endpoint::of(owner.clone())),
        };
        if endpoint.ssrcs >= MAX_SSRCS_PER_ENDPOINT {
            return None;
        }
        let number = match known {
            Some(number) => number,
            None if endpoint.sources >= MAX_SOURCES_PER_ENDPOINT => return None,
            None => {
                endpoint.sources += 1;
                let name: Arc<str> = name.into();
                let number = self.free.pop().unwrap_or_else(|| {
                    self.sources.push(None);
                    self.sources.len() as u32 - 1
                });
                self.by_name.insert(name.clone(), number);
                self.sources[number as usize] = Some(RemoteSource {
                    owner: endpoint.id.clone(),
                    name,
                    media: s.media,
                    video_type: s.video_type.or((s.media == Media::Video).then_some(VideoType::Camera)),
                    msid: s.msid.map(Into::into),
                    mid: s.mid.map(Into::into),
                    ssrcs: Vec::with_capacity(SSRCS_OF_MOST),
                    groups: Vec::new(),
                });
                number
            }
        };
        let source = self.sources.get_mut(number as usize)?.as_mut()?;
        vacant.insert(number);
        endpoint.ssrcs += 1;
        source.ssrcs.push(s.ssrc);
        touched.entry(change, number, source).ssrcs.push(s.ssrc);
        Some(number)
    }

    /// Applies a source-remove, matched by SSRC. The change holds what went.
    pub fn remove(&mut self, map: &SourceMap, by: Authority<'_>) -> Change {
        let mut change = Change::default();
        let mut touched = Touched::default();
        for s in map.iter() {
            let Some(number) = self.by_ssrc.get(&s.ssrc).copied() else { continue };
            let Some(source) = self.sources.get_mut(number as usize).and_then(Option::as_mut) else { continue };
            let allowed = match by {
                Authority::Focus => s.owner_id().is_none_or(|o| *source.owner == *o),
                Authority::Peer(id) => *source.owner == *id,
            };
            if !allowed {
                change.refused += 1;
                continue;
            }
            self.by_ssrc.remove(&s.ssrc);
            source.ssrcs.retain(|x| *x != s.ssrc);
            let (gone, left) = std::mem::take(&mut source.groups).into_iter().partition(|(_, m)| m.contains(&s.ssrc));
            source.groups = left;
            let gone: Vec<_> = gone;
            let changed = touched.entry(&mut change, number, source);
            changed.ssrcs.push(s.ssrc);
            changed.groups.extend(gone);
            let (owner, empty) = (source.owner.clone(), source.ssrcs.is_empty());
            if empty {
                self.take(number);
            }
            self.release(&owner, 1, usize::from(empty));
        }
        change
    }

    /// Drops everything of an endpoint: nobody signals that when it leaves (docs/protocol/02 §8.5).
    pub fn remove_owner(&mut self, owner: &str) -> Vec<RemoteSource> {
        let owned = |n: &u32| self.get(*n).is_some_and(|s| *s.owner == *owner);
        let numbers: Vec<u32> = (0..self.sources.len() as u32).filter(owned).collect();
        let gone: Vec<RemoteSource> = numbers.iter().filter_map(|n| self.take(*n)).collect();
        for s in &gone {
            for ssrc in &s.ssrcs {
                self.by_ssrc.remove(ssrc);
            }
        }
        self.endpoints.remove(owner);
        gone
    }

    /// Empties the table.
    pub fn drain(&mut self) -> Vec<RemoteSource> {
        std::mem::take(self).sources.into_iter().flatten().collect()
    }

    fn release(&mut self, owner: &str, ssrcs: usize, sources: usize) {
        if let Some(e) = self.endpoints.get_mut(owner) {
            e.ssrcs -= ssrcs;
            e.sources -= sources;
            if e.ssrcs == 0 {
                self.endpoints.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::jingle::NO_CONTENT;

    fn source(ssrc: u32, name: &'static str, owner: Option<&'static str>) -> Source<'static> {
        let media = if name.contains("-a") { Media::Audio } else { Media::Video };
        let name = (!name.is_empty()).then_some(name);
        let rest = (None, None, None);
        Source {
            media,
            ssrc,
            name,
            owner,
            msid: rest.0,
            mid: rest.1,
            cname: rest.2,
            video_type: None,
            content: NO_CONTENT,
        }
    }

    fn map(sources: &[Source<'_>], groups: &[(GroupSemantics, &[u32])]) -> SourceMap {
        let mut m = SourceMap::default();
        sources.iter().for_each(|s| m.push(*s));
        groups.iter().for_each(|(s, g)| m.push_group(Media::Video, *s, g.iter().copied(), NO_CONTENT, None));
        m
    }

    #[test]
    fn adding_twice_and_removing_twice_changes_once() {
        let mut t = SourceTable::default();
        let m =
            map(&[source(1, "e-v0", Some("e")), source(2, "e-v0", Some("r@c/e"))], &[(GroupSemantics::Fid, &[1, 2])]);
        let c = t.add(&m, Authority::Focus);
        assert_eq!((c.sources.len(), c.refused), (1, 0));
        assert_eq!(c.sources[0].primaries().collect::<Vec<_>>(), [1]);
        assert_eq!(c.sources[0].repairs().collect::<Vec<_>>(), [(2, 1)]);
        assert_eq!(t.by_ssrc(2).map(|s| &*s.name), Some("e-v0"));
        let c = t.add(&m, Authority::Focus);
        assert_eq!((c.sources.len(), c.refused), (0, 0));
        let c = t.remove(&m, Authority::Focus);
        assert_eq!((c.sources.len(), &*c.sources[0].ssrcs, c.sources[0].groups.len()), (1, &[1, 2][..], 1));
        assert!(t.remove(&m, Authority::Focus).sources.is_empty());
        assert!(t.by_name("e-v0").is_none() && t.endpoints.is_empty() && t.by_ssrc.is_empty());
    }

    #[test]
    fn nobody_takes_what_belongs_to_another() {
        let mut t = SourceTable::default();
        t.add(&map(&[source(1, "e-v0", Some("e"))], &[]), Authority::Focus);
        for thief in [
            source(1, "f-v0", Some("f")),
            source(2, "e-v0", Some("f")),
            source(3, "e-v1", Some("f")),
            source(0, "f-v0", Some("f")),
        ] {
            assert_eq!(t.add(&map(&[thief], &[]), Authority::Focus).refused, 1, "{thief:?}");
        }
        // A peer speaks for itself, whatever owner it names.
        assert_eq!(t.add(&map(&[source(4, "x-v0", Some("x"))], &[]), Authority::Peer("p")).refused, 1);
        assert_eq!(t.add(&map(&[source(4, "x-v0", None)], &[]), Authority::Peer("p")).refused, 1);
        assert_eq!(t.add(&map(&[source(4, "p-v0", None)], &[]), Authority::Peer("p")).refused, 0);
        assert_eq!(t.remove(&map(&[source(1, "", None)], &[]), Authority::Peer("p")).refused, 1);
        assert_eq!(t.remove(&map(&[source(1, "", Some("f"))], &[]), Authority::Focus).refused, 1);
        assert!(t.by_ssrc(1).is_some());
        // Groups hold SSRCs of one source; an FID group two of them.
        t.add(&map(&[source(5, "p-v1", None), source(6, "p-v1", None)], &[]), Authority::Peer("p"));
        for g in [&[4, 5][..], &[5], &[5, 6, 4], &[9, 8], &[]] {
            assert_eq!(t.add(&map(&[], &[(GroupSemantics::Fid, g)]), Authority::Peer("p")).refused, 1, "{g:?}");
        }
        assert_eq!(t.add(&map(&[], &[(GroupSemantics::Fid, &[5, 6])]), Authority::Peer("p")).sources.len(), 1);
    }

    #[test]
    fn unnamed_sources_get_the_name_older_clients_have() {
        let mut t = SourceTable::default();
        let c = t.add(&map(&[source(1, "", Some("e")), source(2, "", Some("e"))], &[]), Authority::Focus);
        assert_eq!((c.sources.len(), &*c.sources[0].name), (1, "e-v0"));
        assert_eq!(c.sources[0].video_type, Some(VideoType::Camera));
        assert_eq!(t.remove_owner("e").len(), 1);
        assert!(t.remove_owner("e").is_empty() && t.by_ssrc(1).is_none());
    }

    #[test]
    fn each_limit_holds_at_and_past_its_value() {
        let names: Vec<String> = (0..=MAX_SOURCES_PER_ENDPOINT).map(|i| format!("e-v{i}")).collect();
        let mut m = SourceMap::default();
        for (i, name) in names.iter().enumerate() {
            m.push(Source { name: Some(name), ..source(i as u32 + 1, "", Some("e")) });
        }
        let mut t = SourceTable::default();
        let c = t.add(&m, Authority::Focus);
        assert_eq!((c.sources.len(), c.refused), (MAX_SOURCES_PER_ENDPOINT, 1));

        let mut m = SourceMap::default();
        let ssrcs: Vec<u32> = (1..=MAX_SSRCS_PER_ENDPOINT as u32 + 1).collect();
        ssrcs.iter().for_each(|s| m.push(source(*s, "e-v0", Some("e"))));
        for i in 0..=MAX_GROUPS_PER_SOURCE as u32 {
            m.push_group(Media::Video, GroupSemantics::Fid, [2 * i + 1, 2 * i + 2], NO_CONTENT, None);
        }
        let mut t = SourceTable::default();
        let c = t.add(&m, Authority::Focus);
        assert_eq!(
            (c.sources[0].ssrcs.len(), c.sources[0].groups.len()),
            (MAX_SSRCS_PER_ENDPOINT, MAX_GROUPS_PER_SOURCE)
        );
        assert_eq!(c.refused, 2);

        let mut t = SourceTable::default();
        let mut refused = 0;
        for i in 0..=MAX_SSRCS as u32 {
            let owner = format!("e{}", i / 32);
            let name = format!("{owner}-v0");
            let mut m = SourceMap::default();
            m.push(Source { name: Some(&name), owner: Some(&owner), ..source(i + 1, "", None) });
            refused += t.add(&m, Authority::Focus).refused;
        }
        assert_eq!((t.by_ssrc.len(), refused), (MAX_SSRCS, 1));
    }
}
