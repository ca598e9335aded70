//! Who is in the room: one record per occupant, kept from presence to presence; docs/protocol/03 §6.

use super::source_info::Sources;
use crate::wire::Jid;
use crate::wire::muc::{Affiliation, Item, MucRole};
use crate::wire::presence::OccupantPresence;
use std::collections::BTreeMap;

/// Occupants kept of one room (default 2048); whoever comes past that is not seen, except the focus: a full room must
/// not take it away.
pub const MAX_PARTICIPANTS: usize = 2048;

/// Bit of [`super::RoomEvent::MemberUpdated`]: the display name changed.
pub const CHANGED_DISPLAY_NAME: u32 = 1;
/// The role changed.
pub const CHANGED_ROLE: u32 = 2;
/// The features changed.
pub const CHANGED_FEATURES: u32 = 4;
/// The status text changed.
pub const CHANGED_STATUS: u32 = 8;
/// The hand went up or down.
pub const CHANGED_HAND: u32 = 16;
/// Something else changed: codecs, bot, silence, real address, region.
pub const CHANGED_OTHER: u32 = 32;

/// Another participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub endpoint_id: String,
    /// Address in the room.
    pub occupant: Jid,
    /// The address behind it, where the room shows it.
    pub real_jid: Option<Jid>,
    pub role: MucRole,
    pub affiliation: Affiliation,
    pub display_name: String,
    pub stats_id: String,
    /// Free text.
    pub status: String,
    pub features: Vec<String>,
    /// Codecs in order of preference; empty when not told.
    pub codecs: Vec<String>,
    pub region: String,
    /// When the hand was raised, ms since the Unix epoch as text; empty when it is down.
    pub raised_hand: String,
    pub is_bot: bool,
    /// Joined without audio.
    pub silent: bool,
}

/// Where an occupant stands in the public list.
#[derive(Debug)]
pub(super) struct Occupant {
    pub(super) member: Member,
    pub(super) sources: Sources,
    /// Told to the meeting as a member: not the focus, not one named like it.
    pub(super) announced: bool,
}

/// What a presence changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) bits: u32,
    pub(super) sources: bool,
}

/// All occupants but ourselves, by nickname.
#[derive(Debug, Default)]
pub(super) struct Roster {
    map: BTreeMap<String, Occupant>,
}

impl Roster {
    /// Takes an available presence. None when the occupant is new and there is no place left; the focus has its own.
    pub(super) fn apply(
        &mut self,
        nick: &str,
        occupant: &Jid,
        item: &Item,
        presence: &OccupantPresence,
        is_focus: bool,
    ) -> Option<Change> {
        if !self.map.contains_key(nick) {
            if self.map.len() >= MAX_PARTICIPANTS + usize::from(is_focus) {
                return None;
            }
            let member = Member {
                endpoint_id: nick.to_owned(),
                occupant: occupant.clone(),
                real_jid: None,
                role: MucRole::None,
                affiliation: Affiliation::None,
                display_name: String::new(),
                stats_id: String::new(),
                status: String::new(),
                features: Vec::new(),
                codecs: Vec::new(),
                region: String::new(),
                raised_hand: String::new(),
                is_bot: false,
                silent: false,
            };
            self.map.insert(nick.to_owned(), Occupant { member, sources: Sources::default(), announced: false });
        }
        let o = self.map.get_mut(nick)?;
        let old = o.member.clone();
        let m = &mut o.member;
        // The focus's first presences may lack the real address (§6.1), and an occupant cannot change its own.
        if item.jid.is_some() {
            m.real_jid = item.jid.clone();
        }
        m.role = item.role;
        m.affiliation = item.affiliation;
        m.display_name.clone_from(&presence.display_name);
        m.stats_id.clone_from(&presence.stats_id);
        m.status.clone_from(&presence.status);
        m.features.clone_from(&presence.features);
        m.is_bot = presence.bot.is_some();
        m.silent = presence.silent;
        if let Some(codecs) = presence.codecs() {
            m.codecs = codecs;
        }
        if let Some(region) = presence.property("region") {
            region.clone_into(&mut m.region);
        }
        // A presence is the whole state: without the element the hand is down. Old clients lower it with `false`.
        let hand = presence.property("raisedHand").filter(|h| *h != "false");
        hand.unwrap_or_default().clone_into(&mut m.raised_hand);
        let sources = o.sources.update(nick, presence);
        Some(Change { bits: difference(&old, &o.member), sources })
    }

    /// Takes an occupant out.
    pub(super) fn remove(&mut self, nick: &str) -> Option<Occupant> {
        self.map.remove(nick)
    }

    /// One occupant, member or not.
    pub(super) fn get(&self, nick: &str) -> Option<&Occupant> {
        self.map.get(nick)
    }

    /// The same to change it.
    pub(super) fn get_mut(&mut self, nick: &str) -> Option<&mut Occupant> {
        self.map.get_mut(nick)
    }

    /// All occupants, members or not.
    pub(super) fn occupants(&self) -> impl Iterator<Item = &Occupant> {
        self.map.values()
    }
}

fn difference(old: &Member, new: &Member) -> u32 {
    let mut bits = 0;
    let mut bit = |changed: bool, b| bits |= if changed { b } else { 0 };
    bit(old.display_name != new.display_name, CHANGED_DISPLAY_NAME);
    bit(old.role != new.role, CHANGED_ROLE);
    bit(old.features != new.features, CHANGED_FEATURES);
    bit(old.status != new.status, CHANGED_STATUS);
    bit(old.raised_hand != new.raised_hand, CHANGED_HAND);
    let other = old.real_jid != new.real_jid
        || old.affiliation != new.affiliation
        || old.stats_id != new.stats_id
        || old.codecs != new.codecs
        || old.region != new.region
        || old.is_bot != new.is_bot
        || old.silent != new.silent;
    bit(other, CHANGED_OTHER);
    bits
}
