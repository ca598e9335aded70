//! Which codecs a meeting sends video with: our own order, without what somebody in the room cannot decode (docs/protocol/04 §12).
//! The order is worked out again one second after somebody came or went, once for a burst of them.

use super::kind::{Codec, MediaType};
use crate::time::Time;
use std::time::Duration;

/// From the first of a burst of joins and leaves to the new order; later ones do not put it off.
pub const SETTLE: Duration = Duration::from_secs(1);
/// Codecs of a list that are looked at.
pub const MAX_CODECS: usize = 16;

/// The camera's codecs from the most to the least expensive to encode.
const CAMERA_COST: [Codec; 3] = [Codec::Av1, Codec::Vp9, Codec::Vp8];
/// Of a screen: AV1 has tools for it.
const DESKTOP_COST: [Codec; 3] = [Codec::Vp9, Codec::Vp8, Codec::Av1];

/// What the application prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// The whole order; what is not in it is not sent. Empty: the default order.
    pub order: Vec<Codec>,
    /// Without an order: this one first.
    pub preferred: Option<Codec>,
    /// Without an order: never this one. VP8 cannot be disabled.
    pub disabled: Option<Codec>,
    /// For screens; else AV1 if everybody has it, else the camera's.
    pub screen_share: Option<Codec>,
}

impl Preference {
    /// Our order of those that we have an encoder for; VP8 if there is none.
    pub fn own(&self, supported: &[Codec]) -> Vec<Codec> {
        let has = |c: &Codec| supported.contains(c) && c.media_type() == MediaType::Video;
        let mut order: Vec<Codec>;
        if self.order.is_empty() {
            order = [Codec::Av1, Codec::Vp9, Codec::Vp8, Codec::H264].into_iter().filter(has).collect();
            if let Some(at) = self.preferred.and_then(|p| order.iter().position(|c| *c == p)) {
                order[..=at].rotate_right(1);
            }
            order.retain(|c| self.disabled != Some(*c) || *c == Codec::Vp8);
        } else {
            order = Vec::new();
            for c in self.order.iter().filter(|c| has(c)) {
                if !order.contains(c) {
                    order.push(*c);
                }
            }
        }
        if order.is_empty() {
            order.push(Codec::Vp8);
        }
        order
    }
}

/// The codecs of a participant's list in presence; none known: the participant does not count.
pub fn read_list<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Codec> {
    let all = names.into_iter().take(MAX_CODECS).filter_map(|n| Codec::from_rtp_name(n.trim()));
    all.filter(|c| c.media_type() == MediaType::Video).collect()
}

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The first is the camera's.
    pub order: Vec<Codec>,
    pub screen_share: Codec,
}

/// The choice of a conference.
#[derive(Debug)]
pub struct CodecSelection {
    preference: Preference,
    own: Vec<Codec>,
    encrypted: bool,
    selected: Option<Selected>,
    due: Option<Time>,
}

impl CodecSelection {
    /// With what we have encoders for.
    pub fn new(preference: Preference, supported: &[Codec]) -> CodecSelection {
        let own = preference.own(supported);
        CodecSelection { preference, own, encrypted: false, selected: None, due: None }
    }

    /// Our own order, as presence tells it.
    pub fn own(&self) -> &[Codec] {
        if self.encrypted { &[Codec::Vp8] } else { &self.own }
    }

    /// Another order of ours, with what an overloaded encoder had changed of it forgotten if it is news. To be followed by
    /// [`CodecSelection::select`].
    pub fn set_order(&mut self, order: Vec<Codec>) {
        if self.preference.order != order {
            self.preference.order = order;
            self.own = self.preference.own(&Codec::ALL);
        }
    }

    /// End-to-end encryption is on or off: with it, VP8 alone.
    pub fn set_encrypted(&mut self, on: bool) {
        self.encrypted = on;
    }

    /// Somebody came or went: the order is worked out [`SETTLE`] from the first of them.
    pub fn changed(&mut self, now: Time) {
        self.due.get_or_insert(now + SETTLE);
    }

    /// When [`CodecSelection::select`] is to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        self.due
    }

    /// Whether that time has come.
    pub fn is_due(&self, now: Time) -> bool {
        self.due.is_some_and(|t| now >= t)
    }

    /// Works the order out from everybody's lists: those of participants who published one, and what visitors can decode.
    /// `Some`, if it is another one than before. Without a codec that all have, what was selected stays.
    pub fn select<'a>(
        &mut self,
        remotes: impl IntoIterator<Item = &'a [Codec]>,
        visitors: Option<&'a [Codec]>,
    ) -> Option<&Selected> {
        self.due = None;
        let mut order = self.own().to_vec();
        for list in remotes.into_iter().chain(visitors).filter(|l| !l.is_empty()) {
            order.retain(|c| list.contains(c));
        }
        let camera = *order.first()?;
        let share = self.preference.screen_share.filter(|c| order.contains(c));
        let av1 = order.contains(&Codec::Av1).then_some(Codec::Av1);
        let new = Selected { screen_share: share.or(av1).unwrap_or(camera), order };
        if self.selected.as_ref() == Some(&new) {
            return None;
        }
        self.selected = Some(new);
        self.selected.as_ref()
    }

    /// What is selected now.
    pub fn selected(&self) -> Option<&Selected> {
        self.selected.as_ref()
    }

    /// The encoder of a camera or a screen (`desktop`) has too little CPU for this codec: the next cheaper one that everybody
    /// takes moves to the front of our order. `false`: there is none. To be followed by [`CodecSelection::select`].
    pub fn overloaded(&mut self, desktop: bool, current: Codec) -> bool {
        let Some(place) = self.cheaper(desktop, current) else { return false };
        self.own[..=place].rotate_right(1);
        true
    }

    /// Whether there is a cheaper one that would then be sent.
    pub fn has_cheaper(&self, desktop: bool, current: Codec) -> bool {
        self.cheaper(desktop, current).is_some()
    }

    /// Its place in our order.
    fn cheaper(&self, desktop: bool, current: Codec) -> Option<usize> {
        let costs = if desktop { DESKTOP_COST } else { CAMERA_COST };
        // A codec that is not in the list has no cheaper one: changing to the most expensive would be the wrong way.
        let at = costs.iter().position(|c| *c == current)?;
        let taken = |c: &&Codec| self.selected.as_ref().is_none_or(|s| s.order.contains(c));
        costs[at + 1..].iter().filter(taken).find_map(|c| self.own.iter().position(|o| o == c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Codec::*;

    const ALL: [Codec; 4] = [Av1, Vp9, Vp8, H264];

    fn at(ms: u64) -> Time {
        Time::new(1_000_000 + ms * 1000, ms as i64 * 1000)
    }

    fn order(p: Preference, remotes: &[&[Codec]]) -> Vec<Codec> {
        let mut s = CodecSelection::new(p, &ALL);
        s.select(remotes.iter().copied(), None).map(|s| s.order.clone()).unwrap_or_default()
    }

    fn prefers(order: &[Codec]) -> Preference {
        Preference { order: order.to_vec(), ..Preference::default() }
    }

    #[test]
    fn the_order_is_ours_without_what_somebody_lacks() {
        let p = Preference { screen_share: Some(Vp9), ..prefers(&[Vp9, Vp8, H264]) };
        let mut s = CodecSelection::new(p, &ALL);
        s.changed(at(0));
        assert_eq!(s.next_deadline(), Some(at(1000)));
        let got = s.select([&[Vp9, Vp8][..]], None).cloned();
        assert_eq!(got, Some(Selected { order: vec![Vp9, Vp8], screen_share: Vp9 }));
        assert_eq!(s.select([&[Vp8, Vp9][..]], None), None);
    }

    #[test]
    fn who_comes_and_goes_within_the_second_changes_nothing_and_a_burst_is_one_call() {
        let mut s = CodecSelection::new(prefers(&[Vp9, Vp8]), &ALL);
        assert!(s.select([&[Vp9, Vp8][..]], None).is_some());
        for ms in [0, 10, 900] {
            s.changed(at(ms));
        }
        assert!(!s.is_due(at(999)) && s.is_due(at(1000)));
        // The one with VP8 alone has left again.
        assert_eq!(s.select([&[Vp9, Vp8][..]], None), None);
        assert_eq!(s.next_deadline(), None);
        assert_eq!(s.selected().map(|s| s.order[0]), Some(Vp9));
    }

    #[test]
    fn an_old_client_names_one_codec() {
        assert_eq!(order(Preference::default(), &[&read_list(["vp8"])]), [Vp8]);
        assert_eq!(read_list(["AV1", "h264 ", "opus", "vp7"]), [Av1, H264]);
        assert_eq!(read_list(std::iter::repeat_n("vp8", MAX_CODECS + 1)).len(), MAX_CODECS);
    }

    #[test]
    fn a_disabled_codec_is_not_sent() {
        let p = Preference { preferred: Some(Vp9), disabled: Some(H264), ..Preference::default() };
        assert_eq!(p.own(&ALL), [Vp9, Av1, Vp8]);
        assert_eq!(order(p, &[&[H264, Vp8]]), [Vp8]);
        let p = Preference { disabled: Some(Vp8), ..Preference::default() };
        assert_eq!(p.own(&ALL), ALL);
    }

    #[test]
    fn an_overloaded_encoder_gets_the_next_cheaper_codec() {
        let mut s = CodecSelection::new(prefers(&[Av1, Vp9, Vp8]), &ALL);
        assert!(s.overloaded(false, Av1));
        assert_eq!(s.own(), [Vp9, Av1, Vp8]);
        assert!(s.overloaded(false, Vp9));
        assert_eq!(s.own(), [Vp8, Vp9, Av1]);
        assert!(!s.overloaded(false, Vp8));
        assert!(!s.overloaded(false, H264));
        assert_eq!(s.own(), [Vp8, Vp9, Av1]);
        // One that somebody does not take would change nothing.
        let mut s = CodecSelection::new(prefers(&[Av1, Vp9, Vp8]), &ALL);
        s.select([&[Av1, Vp8][..]], None);
        assert!(s.has_cheaper(false, Av1) && s.overloaded(false, Av1) && !s.has_cheaper(false, Vp8));
        assert_eq!(s.own(), [Vp8, Av1, Vp9]);
        let mut s = CodecSelection::new(prefers(&[Vp9, Vp8, Av1]), &ALL);
        assert!(s.overloaded(true, Vp8));
        assert_eq!(s.own(), [Av1, Vp9, Vp8]);
    }

    #[test]
    fn who_publishes_nothing_does_not_count_and_visitors_do() {
        let mut s = CodecSelection::new(Preference::default(), &ALL);
        assert_eq!(s.select([&[][..]], None).map(|s| s.order.clone()), Some(ALL.to_vec()));
        assert_eq!(s.select([&[][..]], Some(&[Vp8])).map(|s| s.order.clone()), Some(vec![Vp8]));
    }

    #[test]
    fn without_a_common_codec_the_selection_stays() {
        let mut s = CodecSelection::new(prefers(&[Vp9]), &ALL);
        s.select([&[Vp9][..]], None);
        assert_eq!(s.select([&[Vp8][..]], None), None);
        assert_eq!(s.selected().map(|s| s.order.clone()), Some(vec![Vp9]));
    }

    #[test]
    fn encryption_means_vp8() {
        let mut s = CodecSelection::new(Preference::default(), &ALL);
        s.set_encrypted(true);
        assert_eq!(s.own(), [Vp8]);
        assert_eq!(s.select([&ALL[..]], None).map(|s| s.order.clone()), Some(vec![Vp8]));
    }

    #[test]
    fn a_screen_gets_the_configured_codec_or_av1_or_the_camera_s() {
        let share = |p: Preference, list: &[Codec]| {
            let mut s = CodecSelection::new(p, &ALL);
            s.select([list], None).map(|s| s.screen_share)
        };
        let p = |screen_share| Preference { screen_share, ..prefers(&[Vp8, Vp9, Av1]) };
        assert_eq!(share(p(Some(Vp9)), &ALL), Some(Vp9));
        assert_eq!(share(p(Some(Vp9)), &[Vp8, Av1]), Some(Av1));
        assert_eq!(share(p(None), &ALL), Some(Av1));
        assert_eq!(share(p(None), &[Vp9, Vp8]), Some(Vp8));
    }

    #[test]
    fn another_order_of_ours_counts_from_the_next_selection_on() {
        let mut s = CodecSelection::new(prefers(&[Vp8]), &ALL);
        s.select([&ALL[..]], None);
        s.set_order(vec![H264, Vp8]);
        assert_eq!(s.own(), [H264, Vp8]);
        assert_eq!(s.select([&ALL[..]], None).map(|s| s.order.clone()), Some(vec![H264, Vp8]));
    }

    #[test]
    fn without_an_encoder_that_we_know_it_is_vp8() {
        assert_eq!(Preference::default().own(&[Opus]), [Vp8]);
        assert_eq!(prefers(&[H264, H264, Vp8]).own(&[H264]), [H264]);
    }
}
