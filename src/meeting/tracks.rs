//! Tracks by their identity, (endpoint id, source name): ours and the others' (design §5.1).

use super::event::{ParticipantKey, Track, TrackKey};
use super::options::TrackOptions;
use crate::env::Env;
use crate::jingle::{MAX_SOURCES_PER_ENDPOINT, SessionKey};
use crate::media::h264::ParameterSets;
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::media::peer::Numbers;
use crate::media::sender::Sender;
use crate::wire::source_info::SourceKind;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Local tracks at most.
pub const MAX_LOCAL_TRACKS: usize = 16;
/// Remote tracks at most; sources past it are not announced.
pub const MAX_REMOTE_TRACKS: usize = 8192;

/// One of our sources.
#[derive(Debug)]
pub struct LocalTrack {
    pub key: TrackKey,
    pub options: TrackOptions,
    /// What it is sent with now: at first what it was made with.
    pub codec: Codec,
    pub muted: bool,
    /// SSRC of each encoding, the smallest first, with that of its repairs for video. The first stands for the track.
    pub encodings: Vec<(u32, Option<u32>)>,
    /// Position among our sources of its media type, for its name.
    pub index: u32,
    /// Last part of its msid.
    pub stream_id: String,
    /// As announced; none before we are in the room.
    pub track: Option<Arc<Track>>,
    /// Where the bridge session before left its streams; nothing before there was one.
    pub left_off: Option<Box<LeftOff>>,
    /// Of each encoding in H.264, whatever way media takes and whether it is sent: key frames without sets of their own get them.
    pub parameter_sets: Vec<ParameterSets>,
}

/// A source's streams at the end of a bridge session: the next one goes on with their RTP time, picture ids and sequence numbers, because
/// those who receive them know nothing of our sessions ([`Numbers`]).
#[derive(Debug)]
pub struct LeftOff {
    pub sender: Sender,
    /// In the sender's order.
    pub numbers: Vec<Option<Numbers>>,
}

impl LocalTrack {
    /// The SSRC that stands for the track.
    pub fn ssrc(&self) -> u32 {
        self.encodings.first().map_or(0, |e| e.0)
    }

    /// A frame as it is to be sent; `None`: it was parameter sets without a picture, or of an encoding that the track has not.
    pub fn complete(&mut self, codec: Codec, encoding: u32, data: &Bytes) -> Option<Bytes> {
        if codec != Codec::H264 {
            return Some(data.clone());
        }
        self.parameter_sets.resize_with(self.encodings.len(), Default::default);
        self.parameter_sets.get_mut(encoding as usize)?.complete(data)
    }

    /// Its source name (docs/protocol/02 §16).
    pub fn source_name(&self, endpoint_id: &str) -> String {
        let letter = if self.options.codec.media_type() == MediaType::Audio { 'a' } else { 'v' };
        format!("{endpoint_id}-{letter}{}", self.index)
    }

    /// Its msid: stream and track id.
    pub fn msid(&self, endpoint_id: &str) -> String {
        let media = self.options.codec.media_type().as_str();
        format!("{endpoint_id}-{media}-{}-1 {}-1", self.index, self.stream_id)
    }

    /// What it is called in events.
    pub fn describe(&self, endpoint_id: &str) -> Track {
        Track {
            key: self.key,
            participant: None,
            endpoint_id: endpoint_id.to_owned(),
            source_name: self.source_name(endpoint_id),
            media: self.options.codec.media_type(),
            video_type: self.options.video_type,
            muted: self.muted,
            local: true,
            codec: Some(self.codec),
        }
    }
}

/// All tracks of a meeting.
#[derive(Debug, Default)]
pub struct Tracks {
    pub local: Vec<LocalTrack>,
    /// Removed while a peer-to-peer session carries them: peers do not signal the removal of a source (docs/protocol/02 §8.3),
    /// so it stays there, muted, until the session ends or a new track of its media takes it over.
    pub retired: Vec<LocalTrack>,
    remote: BTreeMap<(String, String), Remote>,
    /// Sources that presence names no more, of which the bridge may still tell a slot.
    withdrawn: Names,
    /// Sources that the focus took away, which presence may still name.
    unsignalled: Names,
    next_key: u64,
}

/// Source names by endpoint, [`MAX_SOURCES_PER_ENDPOINT`] of each; the oldest makes room.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, Vec<String>>);

impl Names {
    fn insert(&mut self, endpoint: &str, name: &str) {
        let names = self.0.entry(endpoint.to_owned()).or_default();
        names.retain(|n| n != name);
        if names.len() >= MAX_SOURCES_PER_ENDPOINT {
            names.remove(0);
        }
        names.push(name.to_owned());
    }

    fn retain(&mut self, endpoint: &str, keep: impl Fn(&str) -> bool) {
        if let Some(names) = self.0.get_mut(endpoint) {
            names.retain(|n| keep(n));
        }
    }

    fn contains(&self, endpoint: &str, name: &str) -> bool {
        self.0.get(endpoint).is_some_and(|names| names.iter().any(|n| n == name))
    }
}

/// Who says that a remote track exists. It is there as long as anybody says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A media session signals its SSRCs.
    Session(SessionKey),
    /// Presence names it: with SSRC rewriting nothing else does before it is asked for (docs/protocol/02 §17).
    Presence,
    /// The bridge session that signalled it is over, and the next one is awaited: to the program the track goes on.
    Held,
}

#[derive(Debug)]
struct Remote {
    track: Arc<Track>,
    /// Never empty; one entry per media session and one of each other kind at most.
    origins: Vec<Origin>,
}

impl Tracks {
    /// Adds one of ours. `None` past [`MAX_LOCAL_TRACKS`].
    pub fn add_local(&mut self, key: TrackKey, options: TrackOptions, env: &mut Env) -> Option<&mut LocalTrack> {
        if self.local.len() >= MAX_LOCAL_TRACKS {
            return None;
        }
        let media = options.codec.media_type();
        let same = |t: &LocalTrack| t.options.codec == options.codec && t.options.encodings() == options.encodings();
        if let Some(at) = self.retired.iter().position(same) {
            let old = self.retired.remove(at);
            let muted = options.muted;
            let codec = options.codec;
            self.local.push(LocalTrack { key, options, codec, muted, track: None, parameter_sets: Vec::new(), ..old });
            return self.local.last_mut();
        }
        let used: Vec<u32> =
            self.sources().filter(|t| t.options.codec.media_type() == media).map(|t| t.index).collect();
        let index = (0..).find(|n| !used.contains(n)).unwrap_or_default();
        let mut taken: Vec<u32> =
            self.sources().flat_map(|t| &t.encodings).flat_map(|e| [Some(e.0), e.1]).flatten().collect();
        let mut fresh = || {
            let ssrc = env.ssrc(|n| taken.contains(&n));
            taken.push(ssrc);
            ssrc
        };
        let video = media == MediaType::Video;
        let encodings = (0..options.encodings()).map(|_| (fresh(), video.then(&mut fresh))).collect();
        let (codec, muted) = (options.codec, options.muted);
        let stream_id = uuid(env);
        self.local.push(LocalTrack {
            key,
            options,
            codec,
            muted,
            encodings,
            index,
            stream_id,
            track: None,
            left_off: None,
            parameter_sets: Vec::new(),
        });
        self.local.last_mut()
    }

    /// Everything that is signalled as ours.
    pub fn sources(&self) -> impl Iterator<Item = &LocalTrack> {
        self.local.iter().chain(&self.retired)
    }

    /// A session is over that carried these streams to the bridge.
    pub fn left_off(&mut self, ended: LeftOff) {
        let mut sources = self.local.iter_mut().chain(&mut self.retired);
        if let Some(t) = sources.find(|t| t.ssrc() == ended.sender.ssrc()) {
            t.left_off = Some(Box::new(ended));
        }
    }

    /// One of ours.
    pub fn local_mut(&mut self, key: TrackKey) -> Option<&mut LocalTrack> {
        self.local.iter_mut().find(|t| t.key == key)
    }

    /// The source name of one of ours; empty when there is none such.
    pub fn name_of_local(&self, key: TrackKey, endpoint_id: &str) -> String {
        self.sources().find(|t| t.key == key).map_or_else(String::new, |t| t.source_name(endpoint_id))
    }

    /// A remote track by its identity.
    pub fn remote(&self, endpoint_id: &str, source_name: &str) -> Option<&Arc<Track>> {
        self.remote.get(&(endpoint_id.to_owned(), source_name.to_owned())).map(|r| &r.track)
    }

    /// All remote tracks.
    pub fn remote_tracks(&self) -> impl Iterator<Item = &Track> {
        self.remote.values().map(|r| &*r.track)
    }

    /// A remote track by its key.
    pub fn remote_by_key(&self, key: TrackKey) -> Option<&Arc<Track>> {
        self.remote.values().map(|r| &r.track).find(|t| t.key == key)
    }

    /// Takes note that `origin` knows a remote track; the track, when it is to be announced: not when it is known already,
    /// or there are too many.
    pub fn add_remote(&mut self, mut track: Track, origin: Origin) -> Option<Arc<Track>> {
        let id = (track.endpoint_id.clone(), track.source_name.clone());
        match origin {
            Origin::Presence if self.unsignalled.contains(&id.0, &id.1) => return None,
            Origin::Session(_) => self.unsignalled.retain(&id.0, |n| n != id.1),
            _ => {}
        }
        let full = self.remote.len() >= MAX_REMOTE_TRACKS;
        match self.remote.entry(id) {
            Entry::Occupied(mut known) => {
                let origins = &mut known.get_mut().origins;
                if !origins.contains(&origin) {
                    origins.push(origin);
                }
                None
            }
            Entry::Vacant(_) if full => None,
            Entry::Vacant(new) => {
                self.next_key += 1;
                track.key = TrackKey(self.next_key);
                let track = Arc::new(track);
                new.insert(Remote { track: track.clone(), origins: vec![origin] });
                Some(track)
            }
        }
    }

    /// Applies what presence says of a remote track; the track as it is now, when that changed it.
    pub fn update_remote(
        &mut self,
        endpoint: &str,
        name: &str,
        muted: bool,
        video_type: VideoType,
    ) -> Option<Arc<Track>> {
        let t = &mut self.remote.get_mut(&(endpoint.to_owned(), name.to_owned()))?.track;
        if t.muted == muted && t.video_type == video_type {
            return None;
        }
        *t = Arc::new(Track { muted, video_type, ..(**t).clone() });
        Some(t.clone())
    }

    /// A frame of a remote track came; the track as it is now, when its codec is another than before.
    pub fn codec_seen(&mut self, endpoint: &str, name: &str, codec: Codec) -> Option<Arc<Track>> {
        let t = &mut self.remote.get_mut(&(endpoint.to_owned(), name.to_owned()))?.track;
        *t = Arc::new(Track { codec: Some(codec), ..(**t).clone() });
        Some(t.clone())
    }

    /// `origin` knows the track no more; the track, when nobody else does either: then it is gone.
    pub fn remove_remote(&mut self, endpoint: &str, name: &str, origin: Origin) -> Option<Arc<Track>> {
        let Entry::Occupied(mut known) = self.remote.entry((endpoint.to_owned(), name.to_owned())) else { return None };
        known.get_mut().origins.retain(|o| *o != origin);
        known.get().origins.is_empty().then(|| known.remove().track)
    }

    /// Presence names a source no more. The bridge keeps its slot for it until another needs it (docs/protocol/04 §10.2): a map
    /// that is late, or told again, does not bring the track back.
    pub fn withdraw(&mut self, endpoint: &str, name: &str) {
        self.withdrawn.insert(endpoint, name);
    }

    /// What presence names now.
    pub fn named(&mut self, endpoint: &str, names: &[(String, SourceKind)]) {
        let named = |name: &str| names.iter().any(|n| n.0 == name);
        self.withdrawn.retain(endpoint, |n| !named(n));
        self.unsignalled.retain(endpoint, named);
    }

    /// Whether presence took the source away.
    pub fn is_withdrawn(&self, endpoint: &str, name: &str) -> bool {
        self.withdrawn.contains(endpoint, name)
    }

    /// The focus took a source away by signalling. Not everybody's presence follows (docs/protocol/02 §18): what it goes on naming is
    /// no track before a session knows it again. The track, when nobody knows it now.
    pub fn unsignal(&mut self, endpoint: &str, name: &str) -> Option<Arc<Track>> {
        self.unsignalled.insert(endpoint, name);
        self.remove_remote(endpoint, name, Origin::Presence)
    }

    /// The names of the remote tracks of an endpoint that an origin knows of.
    pub fn names_known_to(&self, endpoint: &str, origin: Origin) -> Vec<String> {
        let known = self.of_endpoint(endpoint).filter(|(_, r)| r.origins.contains(&origin));
        known.map(|(id, _)| id.1.clone()).collect()
    }

    /// The session is over, and its tracks wait for the next one.
    pub fn hold(&mut self, endpoint: &str, name: &str, session: SessionKey) {
        if let Some(r) = self.remote.get_mut(&(endpoint.to_owned(), name.to_owned())) {
            r.origins.retain(|o| *o != Origin::Session(session));
            if !r.origins.contains(&Origin::Held) {
                r.origins.push(Origin::Held);
            }
        }
    }

    /// We leave the room to join it again: every track waits.
    pub fn hold_all(&mut self) {
        for r in self.remote.values_mut() {
            r.origins = vec![Origin::Held];
        }
    }

    /// Nobody is waited for any more: the tracks that did not come back.
    pub fn release_held(&mut self) -> Vec<Arc<Track>> {
        let held = self.remote.iter().filter(|(_, r)| r.origins.contains(&Origin::Held));
        let ids: Vec<_> = held.map(|(id, _)| id.clone()).collect();
        ids.iter().filter_map(|id| self.remove_remote(&id.0, &id.1, Origin::Held)).collect()
    }

    /// The names of the remote tracks of an endpoint.
    pub fn names_of(&self, endpoint: &str) -> Vec<String> {
        self.of_endpoint(endpoint).map(|(id, _)| id.1.clone()).collect()
    }

    /// The remote tracks of an endpoint: they follow each other.
    fn of_endpoint(&self, endpoint: &str) -> impl Iterator<Item = (&(String, String), &Remote)> {
        let from = (endpoint.to_owned(), String::new());
        self.remote.range(from..).take_while(move |(id, _)| id.0 == endpoint)
    }

    /// Removes all remote tracks of an endpoint.
    pub fn remove_endpoint(&mut self, endpoint: &str) -> Vec<Arc<Track>> {
        self.withdrawn.0.remove(endpoint);
        self.unsignalled.0.remove(endpoint);
        let ids: Vec<_> = self.of_endpoint(endpoint).map(|(id, _)| id.clone()).collect();
        ids.iter().filter_map(|id| self.remote.remove(id)).map(|r| r.track).collect()
    }

    /// Removes everything, for the end.
    pub fn drain(&mut self) -> Vec<Arc<Track>> {
        let remote = std::mem::take(&mut self.remote).into_values().map(|r| r.track);
        self.retired.clear();
        self.withdrawn.0.clear();
        self.unsignalled.0.clear();
        let local = self.local.drain(..).filter_map(|t| t.track);
        remote.chain(local).collect()
    }
}

/// A remote track before it has a key.
pub fn remote(
    participant: Option<ParticipantKey>,
    endpoint_id: &str,
    source_name: &str,
    media: MediaType,
    video_type: VideoType,
    muted: bool,
) -> Track {
    let (endpoint_id, source_name) = (endpoint_id.to_owned(), source_name.to_owned());
    // All audio is Opus.
    let codec = (media == MediaType::Audio).then_some(Codec::Opus);
    Track { key: TrackKey(0), participant, endpoint_id, source_name, media, video_type, muted, local: false, codec }
}

fn uuid(env: &mut Env) -> String {
    let h = env.hex(32);
    format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(codec: Codec) -> TrackOptions {
        TrackOptions::new(codec)
    }

    #[test]
    fn local_tracks_are_named_by_media_and_index_and_a_freed_index_is_used_again() {
        let (mut t, mut env) = (Tracks::default(), Env::seeded(1));
        for (n, codec) in [Codec::Opus, Codec::Vp8, Codec::Vp8].into_iter().enumerate() {
            t.add_local(TrackKey(n as u64), options(codec), &mut env).unwrap();
        }
        let names: Vec<_> = t.local.iter().map(|l| l.source_name("aabbccdd")).collect();
        assert_eq!(names, ["aabbccdd-a0", "aabbccdd-v0", "aabbccdd-v1"]);
        t.local.remove(1);
        assert_eq!(t.add_local(TrackKey(9), options(Codec::Vp8), &mut env).map(|l| l.index), Some(0));
        for n in t.local.len()..MAX_LOCAL_TRACKS {
            assert!(t.add_local(TrackKey(10 + n as u64), options(Codec::Opus), &mut env).is_some());
        }
        assert!(t.add_local(TrackKey(99), options(Codec::Opus), &mut env).is_none());
        let mut ssrcs: Vec<u32> =
            t.local.iter().flat_map(|l| &l.encodings).flat_map(|e| [Some(e.0), e.1]).flatten().collect();
        let n = ssrcs.len();
        ssrcs.sort_unstable();
        ssrcs.dedup();
        assert_eq!(ssrcs.len(), n);
    }

    #[test]
    fn remote_tracks_are_bounded() {
        let mut t = Tracks::default();
        let origin = Origin::Session(SessionKey(1));
        let mut add = |n: usize| {
            let name = format!("aa-a{n}");
            t.add_remote(remote(None, "aa", &name, MediaType::Audio, VideoType::Camera, false), origin).is_some()
        };
        assert!((0..MAX_REMOTE_TRACKS).all(&mut add));
        assert!(!add(MAX_REMOTE_TRACKS));
    }

    #[test]
    fn a_remote_track_keeps_its_key_until_it_is_removed_and_never_gives_it_to_another() {
        let mut t = Tracks::default();
        let make = |name: &str| remote(None, "aa", name, MediaType::Audio, VideoType::Camera, false);
        let (peer, bridge) = (Origin::Session(SessionKey(1)), Origin::Session(SessionKey(2)));
        let first = t.add_remote(make("aa-a0"), peer).unwrap();
        for known in [bridge, bridge] {
            assert!(t.add_remote(make("aa-a0"), known).is_none());
        }
        assert!(t.update_remote("aa", "aa-a0", false, VideoType::Camera).is_none());
        assert_eq!(
            t.update_remote("aa", "aa-a0", true, VideoType::Camera).map(|t| (t.key, t.muted)),
            Some((first.key, true))
        );
        for still in [peer, peer] {
            assert!(t.remove_remote("aa", "aa-a0", still).is_none());
        }
        assert_eq!(t.remove_remote("aa", "aa-a0", bridge).map(|t| t.key), Some(first.key));
        let second = t.add_remote(make("aa-a0"), peer).unwrap();
        assert_ne!(second.key, first.key);
        assert_eq!(t.remove_endpoint("aa").len(), 1);
    }
}
