//! The sources of a conference as Jicofo holds them: read from a client's Jingle, checked by its rules with its words
//! (docs/protocol/02 §8.6), stripped of simulcast for receivers that get one stream (§5.2), compared for what to signal.

use crate::wire::jingle::{GroupSemantics, Media, VideoType};
use crate::wire::{Element, ns};
use std::collections::{BTreeMap, BTreeSet};

/// SSRCs of one endpoint (Jicofo's `max-ssrcs-per-user`).
pub const MAX_SSRCS: usize = 20;
/// SSRC groups of one endpoint.
pub const MAX_GROUPS: usize = 20;

/// One SSRC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSource {
    pub media: Media,
    pub ssrc: u32,
    pub name: Option<String>,
    pub msid: Option<String>,
    pub video_type: Option<VideoType>,
}

/// A group of SSRCs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointGroup {
    pub media: Media,
    pub semantics: GroupSemantics,
    pub ssrcs: Vec<u32>,
}

/// What one endpoint sends, in the order in which it said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSources {
    pub sources: Vec<EndpointSource>,
    pub groups: Vec<EndpointGroup>,
}

/// Why sources cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Jicofo's parser throws at this word, and nobody is answered (§8.6).
    Word,
    /// Refused with this text.
    Invalid(String),
}

impl EndpointSources {
    /// Nothing at all.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.groups.is_empty()
    }

    /// Reads the sources of all contents of a `jingle` element.
    pub fn read(jingle: Element<'_>) -> Result<EndpointSources, Unreadable> {
        let mut all = EndpointSources::default();
        for content in jingle.children().filter(|c| c.name() == "content") {
            let Some(d) = content.child("description", ns::JINGLE_RTP) else { continue };
            let name = content.attr("name").unwrap_or_default();
            let Some(media) = Media::parse(d.attr("media").unwrap_or(name)) else { continue };
            for e in d.children().filter(|e| e.ns() == ns::JINGLE_SSMA) {
                match e.name() {
                    "source" => all.sources.push(read_source(e, media)?),
                    "ssrc-group" => all.groups.push(read_group(e, media)?),
                    _ => {}
                }
            }
        }
        Ok(all)
    }

    /// What a receiver without simulcast of its own gets: of each SIM group the first SSRC, with its retransmission.
    pub fn stripped(&self) -> EndpointSources {
        let mut dropped = BTreeSet::new();
        for g in self.groups.iter().filter(|g| g.semantics == GroupSemantics::Sim) {
            dropped.extend(g.ssrcs.iter().skip(1).copied());
        }
        for g in self.groups.iter().filter(|g| g.semantics == GroupSemantics::Fid) {
            if g.ssrcs.first().is_some_and(|s| dropped.contains(s)) {
                dropped.extend(g.ssrcs.iter().copied());
            }
        }
        let kept =
            |g: &&EndpointGroup| g.semantics == GroupSemantics::Fid && !g.ssrcs.iter().any(|s| dropped.contains(s));
        EndpointSources {
            sources: self.sources.iter().filter(|s| !dropped.contains(&s.ssrc)).cloned().collect(),
            groups: self.groups.iter().filter(kept).cloned().collect(),
        }
    }

    /// What is here and not in `other`.
    pub fn without(&self, other: &EndpointSources) -> EndpointSources {
        EndpointSources {
            sources: self.sources.iter().filter(|s| other.sources.iter().all(|o| o.ssrc != s.ssrc)).cloned().collect(),
            groups: self.groups.iter().filter(|g| !other.groups.contains(g)).cloned().collect(),
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &EndpointSources) {
        self.sources.extend(other.sources.iter().cloned());
        self.groups.extend(other.groups.iter().cloned());
    }

    /// Rules that hold for the sources of an endpoint by themselves.
    fn check(&self) -> Result<(), String> {
        for media in [Media::Audio, Media::Video] {
            let msid_of = |ssrc: u32| self.sources.iter().find(|s| s.ssrc == ssrc && s.media == media);
            // SSRCs that belong together by groups, with their msid.
            let mut clusters: Vec<(BTreeSet<u32>, &str)> = Vec::new();
            for g in self.groups.iter().filter(|g| g.media == media) {
                if g.semantics == GroupSemantics::Fid && g.ssrcs.len() != 2 {
                    return Err(format!("Invalid FID group: {} SSRCs.", g.ssrcs.len()));
                }
                let mut common: Option<&str> = None;
                for ssrc in &g.ssrcs {
                    let Some(s) = msid_of(*ssrc) else {
                        return Err(format!("An SSRC group contains an SSRC that is no source: {ssrc}."));
                    };
                    let Some(msid) = s.msid.as_deref() else {
                        return Err("Required source parameter 'msid' is not present.".into());
                    };
                    if *common.get_or_insert(msid) != msid {
                        return Err(format!("SsrcGroup contains sources with different msids: {msid}."));
                    }
                }
                let mut cluster = (g.ssrcs.iter().copied().collect::<BTreeSet<_>>(), common.unwrap_or_default());
                clusters.retain(|c| {
                    let same = !c.0.is_disjoint(&cluster.0);
                    if same {
                        cluster.0.extend(&c.0);
                    }
                    !same
                });
                clusters.push(cluster);
            }
            let grouped = |ssrc: u32| clusters.iter().any(|c| c.0.contains(&ssrc));
            let single = self.sources.iter().filter(|s| s.media == media && !grouped(s.ssrc));
            let mut msids = BTreeSet::new();
            let all = clusters.iter().map(|c| c.1).chain(single.filter_map(|s| s.msid.as_deref()));
            for msid in all {
                if !msids.insert(msid) {
                    return Err(format!("MSID is already used: {msid}."));
                }
            }
        }
        Ok(())
    }
}

fn read_source(e: Element<'_>, media: Media) -> Result<EndpointSource, Unreadable> {
    let text = e.attr("ssrc").unwrap_or_default();
    let ssrc = text.parse::<u32>().ok().filter(|n| *n != 0);
    let ssrc = ssrc.ok_or_else(|| Unreadable::Invalid(format!("Invalid SSRC: {text}.")))?;
    let video_type = match e.attr("videoType") {
        None => None,
        Some("camera") => Some(VideoType::Camera),
        Some("desktop") => Some(VideoType::Desktop),
        Some(_) => return Err(Unreadable::Word),
    };
    let msid = e.children().find(|p| p.name() == "parameter" && p.attr("name") == Some("msid"));
    Ok(EndpointSource {
        media,
        ssrc,
        name: e.attr("name").map(str::to_owned),
        msid: msid.and_then(|p| p.attr("value")).map(str::to_owned),
        video_type,
    })
}

fn read_group(e: Element<'_>, media: Media) -> Result<EndpointGroup, Unreadable> {
    let semantics = match e.attr("semantics").map(str::to_ascii_uppercase).as_deref() {
        Some("FID") => GroupSemantics::Fid,
        Some("SIM") => GroupSemantics::Sim,
        _ => return Err(Unreadable::Word),
    };
    let members = e.children().filter(|s| s.name() == "source");
    let ssrcs = members.map(|s| s.attr("ssrc").and_then(|s| s.parse().ok()).unwrap_or(0)).collect();
    Ok(EndpointGroup { media, semantics, ssrcs })
}

/// The sources of everybody.
#[derive(Clone, Debug, Default)]
pub struct ConferenceSources {
    endpoints: BTreeMap<String, EndpointSources>,
}

impl ConferenceSources {
    /// What this endpoint sends.
    pub fn of(&self, endpoint: &str) -> EndpointSources {
        self.endpoints.get(endpoint).cloned().unwrap_or_default()
    }

    /// Everybody who sends.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &EndpointSources)> {
        self.endpoints.iter().map(|(e, s)| (e.as_str(), s))
    }

    /// Adds what an endpoint says that it sends, or refuses all of it with Jicofo's words.
    pub fn add(&mut self, endpoint: &str, mut new: EndpointSources) -> Result<(), String> {
        let own = self.of(endpoint);
        let mut groups: Vec<EndpointGroup> = Vec::new();
        for g in new.groups {
            if !g.ssrcs.is_empty() && !own.groups.contains(&g) && !groups.contains(&g) {
                groups.push(g);
            }
        }
        new.groups = groups;
        let mut seen = BTreeSet::new();
        for s in &new.sources {
            let used = self.endpoints.values().any(|e| e.sources.iter().any(|o| o.ssrc == s.ssrc));
            if used || !seen.insert(s.ssrc) {
                return Err(format!("SSRC is already used: {}.", s.ssrc));
            }
            let others = self.endpoints.iter().filter(|(e, _)| *e != endpoint);
            if let Some(msid) = &s.msid
                && others.flat_map(|(_, e)| &e.sources).any(|o| o.msid.as_ref() == Some(msid))
            {
                return Err(format!("MSID is already used: {msid}."));
            }
        }
        let mut all = own;
        all.extend(&new);
        if all.sources.len() > MAX_SSRCS {
            return Err(format!("SSRC limit ({MAX_SSRCS}) exceeded."));
        }
        if all.groups.len() > MAX_GROUPS {
            return Err(format!("ssrc-group limit ({MAX_GROUPS}) exceeded."));
        }
        all.check()?;
        if !all.is_empty() {
            self.endpoints.insert(endpoint.to_owned(), all);
        }
        Ok(())
    }

    /// Takes away what an endpoint sends no longer: by SSRC alone, with the groups that these are in.
    pub fn remove(&mut self, endpoint: &str, gone: &EndpointSources) -> Result<(), String> {
        let mut own = self.of(endpoint);
        for s in &gone.sources {
            if own.sources.iter().all(|o| o.ssrc != s.ssrc) {
                return Err(format!("Source does not exist or is not owned by endpoint (ssrc={}).", s.ssrc));
            }
        }
        for g in gone.groups.iter().filter(|g| !g.ssrcs.is_empty()) {
            if !own.groups.contains(g) {
                return Err("Source group does not exist or is not owned by endpoint.".into());
            }
        }
        own.sources.retain(|o| gone.sources.iter().all(|s| s.ssrc != o.ssrc));
        own.groups.retain(|g| !gone.groups.contains(g) && gone.sources.iter().all(|s| !g.ssrcs.contains(&s.ssrc)));
        own.check()?;
        if own.is_empty() {
            self.endpoints.remove(endpoint);
        } else {
            self.endpoints.insert(endpoint.to_owned(), own);
        }
        Ok(())
    }

    /// Takes away all of an endpoint.
    pub fn clear(&mut self, endpoint: &str) -> EndpointSources {
        self.endpoints.remove(endpoint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(media: &str, inner: &str) -> Result<EndpointSources, Unreadable> {
        let xml = format!(
            "<jingle xmlns='urn:xmpp:jingle:1'><content name='{media}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>\
             {inner}</description></content></jingle>"
        );
        EndpointSources::read(Document::parse(&xml).unwrap().root())
    }

    fn source(ssrc: u64, msid: &str) -> String {
        format!(
            "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{ssrc}' name='a-v0'><parameter name='msid' value='{msid}'/></source>"
        )
    }

    fn group(semantics: &str, ssrcs: &[u32]) -> String {
        let members: String = ssrcs.iter().map(|s| format!("<source ssrc='{s}'/>")).collect();
        format!("<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='{semantics}'>{members}</ssrc-group>")
    }

    fn simulcast() -> EndpointSources {
        let sources: String = (1..=6).map(|n| source(n, "m")).collect();
        let groups = [group("FID", &[1, 4]), group("SIM", &[1, 2, 3]), group("FID", &[2, 5]), group("FID", &[3, 6])];
        read("video", &(sources + &groups.concat())).unwrap()
    }

    #[test]
    fn simulcast_is_one_stream_with_its_retransmission_for_others() {
        let s = simulcast().stripped();
        assert_eq!(s.sources.iter().map(|s| s.ssrc).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(s.groups.len(), 1);
        assert_eq!(s.groups[0].ssrcs, [1, 4]);
    }

    #[test]
    fn each_broken_rule_is_named() {
        let refused = |inner: &str| {
            let mut c = ConferenceSources::default();
            c.add("b", read("video", &source(900, "theirs")).unwrap()).unwrap();
            c.add("a", simulcast()).unwrap();
            match read("video", inner) {
                Ok(s) => c.add("a", s).unwrap_err(),
                Err(Unreadable::Invalid(text)) => text,
                Err(Unreadable::Word) => "no answer".into(),
            }
        };
        assert_eq!(refused(&source(0, "x")), "Invalid SSRC: 0.");
        assert_eq!(refused(&source(1 << 32, "x")), "Invalid SSRC: 4294967296.");
        assert_eq!(refused(&source(1, "x")), "SSRC is already used: 1.");
        assert_eq!(refused(&source(900, "x")), "SSRC is already used: 900.");
        assert_eq!(refused(&(source(7, "x") + &source(7, "y"))), "SSRC is already used: 7.");
        assert_eq!(refused(&source(7, "theirs")), "MSID is already used: theirs.");
        assert_eq!(refused(&source(7, "m")), "MSID is already used: m.");
        let many: String = (100..115).map(|n| source(n, &n.to_string())).collect();
        assert_eq!(refused(&many), "SSRC limit (20) exceeded.");
        let groups: String = (0..17).map(|n| group("SIM", &[1, 2 + n % 2, n])).collect();
        assert_eq!(refused(&groups), "ssrc-group limit (20) exceeded.");
        assert!(refused(&(source(7, "x") + &group("FID", &[7, 8]))).starts_with("An SSRC group contains an SSRC"));
        assert!(refused(&(source(7, "x") + &group("FID", &[7]))).starts_with("Invalid FID group"));
        let bare = "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='7'/><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='8'/>";
        assert!(refused(&(bare.to_owned() + &group("FID", &[7, 8]))).starts_with("Required source parameter 'msid'"));
        let mixed = source(7, "x") + &source(8, "y") + &group("FID", &[7, 8]);
        assert!(refused(&mixed).starts_with("SsrcGroup contains"));
        assert_eq!(refused(&(source(7, "x") + &group("FEC-FR", &[7]))), "no answer");
        let high = "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='7' videoType='desktop_high_fps'/>";
        assert_eq!(refused(high), "no answer");
    }

    #[test]
    fn twenty_ssrcs_are_let_in() {
        let mut c = ConferenceSources::default();
        let twenty: String = (1..=20).map(|n| source(n, &n.to_string())).collect();
        c.add("a", read("audio", &twenty).unwrap()).unwrap();
        assert_eq!(c.of("a").sources.len(), MAX_SSRCS);
        assert_eq!(c.add("a", read("audio", &source(21, "21")).unwrap()).unwrap_err(), "SSRC limit (20) exceeded.");
    }

    #[test]
    fn removal_goes_by_ssrc_and_takes_groups_with_it() {
        let mut c = ConferenceSources::default();
        c.add("a", simulcast()).unwrap();
        c.add("b", read("audio", &source(900, "theirs")).unwrap()).unwrap();
        let text = c.remove("a", &read("audio", &source(900, "theirs")).unwrap()).unwrap_err();
        assert_eq!(text, "Source does not exist or is not owned by endpoint (ssrc=900).");
        let wrong = read("video", &group("FID", &[1, 5])).unwrap();
        assert!(c.remove("a", &wrong).unwrap_err().starts_with("Source group does not exist"));
        let layer = read("video", &(source(3, "") + &source(6, ""))).unwrap();
        assert_eq!(c.remove("a", &layer).unwrap_err(), "MSID is already used: m.", "two streams of one source remain");
        let before = c.of("a");
        c.add("a", read("video", &(source(7, "n") + &source(8, "n") + &group("FID", &[7, 8]))).unwrap()).unwrap();
        c.remove("a", &read("video", &source(8, "")).unwrap()).unwrap();
        let after = c.of("a");
        assert_eq!(after.groups, before.groups, "the FID group went with its member");
        assert_eq!(after.without(&before).sources.len(), 1);
        let all = c.of("a");
        c.remove("a", &all).unwrap();
        assert!(c.of("a").is_empty() && c.iter().count() == 1);
    }

    #[test]
    fn empty_and_repeated_groups_are_ignored() {
        let mut c = ConferenceSources::default();
        c.add("a", simulcast()).unwrap();
        c.add("a", read("video", &(group("FID", &[1, 4]) + &group("sim", &[]))).unwrap()).unwrap();
        assert_eq!(c.of("a").groups.len(), 4);
        c.add("c", EndpointSources::default()).unwrap();
        assert_eq!(c.iter().count(), 1);
    }
}
