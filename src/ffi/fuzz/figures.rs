//! Statistics: of a room and of a writer.

use super::super::{stats::*, writer::*};
use super::model::{Kind, Life, Wrong, called, check_text, extreme};
use super::run::Run;

/// As `timeout_ms` of a call that waits for the client's thread alone.
fn timeout(choice: u8) -> i32 {
    match choice % 8 {
        0..3 => i32::MAX,
        3 => -1,
        4 => i32::MIN,
        n => i32::from(n) - 5,
    }
}

impl Run {
    pub fn statistics(&mut self, a: [u8; 7], mut wrong: Wrong) {
        let w = &mut wrong;
        // SAFETY: handles may be anything; structs are as long as they say.
        unsafe {
            match a[0] % 4 {
                0 => {
                    let r = w.handle(self.pick(Kind::Room, a[1]));
                    self.makes("jmeet_conference_stats_new", Kind::Stats, 0, a[2], wrong, |s, e| {
                        jmeet_conference_stats_new(r.get(), timeout(a[3]), s.cast(), e)
                    });
                }
                1 => {
                    let s = w.handle(self.pick(Kind::Stats, a[1]));
                    self.fills("jmeet_stats_get", size_of::<jmeet_local_stats>(), a[2], wrong, |own| {
                        jmeet_stats_get(s.get(), own.cast())
                    });
                }
                2 => {
                    let s = w.handle(self.pick(Kind::Stats, a[1]));
                    called("jmeet_stats_size", true);
                    let all = jmeet_stats_size(s.get());
                    assert!(s.life != Life::Ended || all == 0);
                    let size = size_of::<jmeet_track_stats>();
                    let info = self.fills("jmeet_stats_get_track", size, a[2], wrong, |t| {
                        jmeet_stats_get_track(s.get(), extreme(a[3]) as usize, t.cast())
                    });
                    if let Some(mut info) = info {
                        let of = *info.get::<jmeet_track_stats>();
                        check_text(of.source_name);
                        self.adopt_borrowed(Kind::Track, of.track.addr());
                    }
                }
                _ => self.frees("jmeet_stats_free", self.pick(Kind::Stats, a[1]), jmeet_stats_free),
            }
        }
    }

    pub fn stats_of_a_writer(&mut self, a: [u8; 7], mut wrong: Wrong) {
        let h = wrong.handle(self.pick(Kind::Writer, a[0]));
        let size = size_of::<jmeet_writer_stats>();
        // SAFETY: the handle may be anything; the struct is as long as it says.
        self.fills("jmeet_writer_get_stats", size, a[1], wrong, |s| unsafe {
            jmeet_writer_get_stats(h.get(), extreme(a[2]) as u32, timeout(a[3]), s.cast())
        });
    }
}
