//! Which video codec each of our tracks is sent with: our own order without what somebody in the room, or the session, does not take
//! (docs/protocol/04 §12). Frames come encoded, so a change is told to the program, and frames of another codec are refused.

use super::event::EventKind;
use super::machine::Meeting;
use super::tracks::LocalTrack;
use crate::jingle;
use crate::media::codec_selection::{self, Selected};
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::time::Time;
use std::sync::Arc;

/// The same codec in Jingle's words.
pub(super) fn to_jingle(c: Codec) -> jingle::Codec {
    match c {
        Codec::Opus => jingle::Codec::Opus,
        Codec::Vp8 => jingle::Codec::Vp8,
        Codec::H264 => jingle::Codec::H264,
        Codec::Vp9 => jingle::Codec::Vp9,
        Codec::Av1 => jingle::Codec::Av1,
    }
}

impl Meeting {
    /// Our codecs in order of preference: those of the options; else those that our tracks were made with, and VP8.
    fn own_codecs(&self) -> Vec<Codec> {
        if !self.options.video_codecs.is_empty() {
            return self.options.video_codecs.clone();
        }
        let of_tracks = self.tracks.local.iter().map(|t| t.options.codec);
        let mut own = Vec::new();
        for c in of_tracks.chain([Codec::Vp8]).filter(|c| c.media_type() == MediaType::Video) {
            if !own.contains(&c) {
                own.push(c);
            }
        }
        own
    }

    /// The codec list of presence.
    pub(super) fn codecs(&self) -> Vec<String> {
        self.own_codecs().into_iter().map(|c| c.presence_name().to_owned()).collect()
    }

    /// Our own order may have changed, with our tracks: everybody who negotiates by it is told.
    pub(super) fn own_codecs_changed(&mut self, now: Time) {
        let own = self.own_codecs();
        let offered = std::iter::once(Codec::Opus).chain(own.iter().copied()).map(to_jingle);
        self.jingle.set_p2p_codecs(offered.collect());
        self.selection.set_order(own);
        self.select_codecs(now);
    }

    /// Somebody came or went, or takes other codecs than before.
    pub(super) fn members_changed(&mut self, now: Time) {
        self.selection.changed(now);
    }

    /// Works out what is sent, and has it sent.
    pub(super) fn select_codecs(&mut self, now: Time) {
        let names = |m: &crate::conference::Member| codec_selection::read_list(m.codecs.iter().map(String::as_str));
        let mut lists: Vec<Vec<Codec>> = self.room.iter().flat_map(|r| r.members()).map(names).collect();
        let session = self.medias.active().or_else(|| self.medias.iter().find(|m| m.video_codecs().next().is_some()));
        lists.extend(session.map(|m| m.video_codecs().collect()));
        self.selection.select(lists.iter().map(Vec::as_slice), self.visitor_codecs.as_deref());
        let selected = self.selection.selected().cloned();
        let may_choose = !self.options.video_codecs.is_empty();
        let endpoint = self.endpoint_id();
        let mut changed = Vec::new();
        for t in self.tracks.local.iter_mut().filter(|t| t.codec.media_type() == MediaType::Video) {
            let wanted = selected.as_ref().map_or(t.options.codec, |s| wanted(t, s, may_choose));
            if std::mem::replace(&mut t.codec, wanted) != wanted
                && let (true, Some(endpoint)) = (t.track.is_some(), &endpoint)
            {
                let track = Arc::new(t.describe(endpoint));
                t.track = Some(track.clone());
                changed.push((track, wanted));
            }
        }
        for m in self.medias.iter_mut() {
            m.sync_senders(&self.tracks, &mut self.env, now);
        }
        for (track, codec) in changed {
            let key = track.key;
            self.emit(EventKind::TrackUpdated(track));
            self.emit(EventKind::CodecWanted { track: key, codec });
        }
        self.tell_writers();
    }
}

/// The codec of a track. A program that named no codecs of its own makes each track in one: it changes only when it must.
fn wanted(t: &LocalTrack, s: &Selected, may_choose: bool) -> Codec {
    let made = t.options.codec;
    match t.options.video_type {
        _ if !may_choose && s.order.contains(&made) => made,
        VideoType::Desktop if may_choose => s.screen_share,
        _ => s.order.first().copied().unwrap_or(made),
    }
}
