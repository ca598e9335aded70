//! Participants: found, asked, muted; and who speaks.

use super::super::args::jmeet_str;
use super::super::{bridge_states::*, conference::*, mute::*, participant::*, stats::*};
use super::model::{Kind, Life, Wrong, called, check_text, extreme};
use super::run::Run;
use std::ptr::null;

impl Run {
    /// Somebody whom a getter showed; NULL is nobody.
    pub fn meets(&mut self, participant: *mut jmeet_participant) {
        self.adopt_borrowed(Kind::Person, participant.addr());
    }

    pub fn person(&mut self, a: [u8; 7], mut wrong: Wrong) {
        let w = &mut wrong;
        // SAFETY: handles may be anything; structs are as long as they say.
        unsafe {
            if a[1] % 6 == 5 {
                let r = w.handle(self.pick(Kind::Room, a[0]));
                let name = "jmeet_conference_find_participant_by_key";
                return self.makes(name, Kind::Person, 0, a[2], wrong, |p, _| {
                    jmeet_conference_find_participant_by_key(r.get(), extreme(a[3]), p.cast())
                });
            }
            let p = w.handle(self.borrowed(Kind::Person, a[0]));
            called("jmeet_participant_key", true);
            assert!(p.life != Life::Ended || jmeet_participant_key(p.get()) == 0);
            match a[1] % 6 {
                0 => {
                    let mut text = jmeet_str { data: null(), size: 0 };
                    let status = jmeet_participant_endpoint_id(p.get(), &raw mut text);
                    if self.answered("jmeet_participant_endpoint_id", status, w) {
                        check_text(text);
                    }
                }
                1 => self.makes("jmeet_participant_list_new", Kind::People, 0, a[2], wrong, |l, _| {
                    jmeet_participant_list_new(p.get(), l.cast())
                }),
                2 => {
                    let size = size_of::<jmeet_participant_status>();
                    self.fills("jmeet_participant_get_status", size, a[2], wrong, |s| {
                        jmeet_participant_get_status(p.get(), s.cast())
                    });
                }
                3 => {
                    let size = size_of::<jmeet_participant_stats_info>();
                    let info = self.fills("jmeet_participant_get_stats", size, a[2], wrong, |s| {
                        jmeet_participant_get_stats(p.get(), s.cast())
                    });
                    if let Some(mut info) = info {
                        let info = *info.get::<jmeet_participant_stats_info>();
                        check_text(info.endpoint_id);
                        check_text(info.server_region);
                    }
                }
                _ => {
                    let kind = extreme(a[3]) as u32;
                    if !(1..=3).contains(&kind) {
                        w.is("ERR_INVALID_ARGUMENT");
                    }
                    // Whether they are still there is told first.
                    w.may_be(&["ERR_GONE", "ERR_STATE", "ERR_CLOSED"]);
                    self.asks("jmeet_participant_mute", a[2], &wrong, |e| {
                        jmeet_participant_mute(p.get(), kind, extreme(a[4]), e)
                    });
                }
            }
        }
    }

    pub fn speakers(&mut self, a: [u8; 7], mut wrong: Wrong) {
        let r = wrong.handle(self.pick(Kind::Room, a[0]));
        // SAFETY: handles may be anything; structs are as long as they say.
        unsafe {
            if a[1] & 1 == 0 {
                let size = size_of::<jmeet_speaking>();
                let info = self.fills("jmeet_conference_get_speaking", size, a[2], wrong, |s| {
                    jmeet_conference_get_speaking(r.get(), s.cast())
                });
                if let Some(mut info) = info {
                    self.meets((*info.get::<jmeet_speaking>()).participant);
                }
            } else {
                self.makes("jmeet_conference_list_speakers", Kind::People, 0, a[2], wrong, |l, _| {
                    jmeet_conference_list_speakers(r.get(), l.cast())
                });
            }
        }
    }
}
