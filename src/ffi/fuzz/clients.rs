//! Clients: with options of every kind, sent where nobody listens or into the testkit.

use super::super::client::*;
use super::model::{Kind, Sized, Wrong, string, url};
use super::run::Run;
use super::{MAX_ALIVE, TO_THE_TESTKIT};
use crate::testkit::{BridgeConfig, Deployment, ServerOptions, SessionOptions};
use std::ffi::CString;
use std::sync::OnceLock;

/// The server of all runs, with a bridge; `None` where it cannot listen.
fn testkit() -> Option<&'static (Deployment, [CString; 2])> {
    static KIT: OnceLock<Option<(Deployment, [CString; 2])>> = OnceLock::new();
    KIT.get_or_init(|| {
        let options = ServerOptions { sessions: Some(SessionOptions::default()), ..ServerOptions::default() };
        let kit = Deployment::start(options).ok()?;
        kit.start_bridge(BridgeConfig::default()).ok()?;
        let words = [CString::new(kit.url()).ok()?, CString::new(kit.domain()).ok()?];
        Some((kit, words))
    })
    .as_ref()
}

impl Run {
    /// A client for anywhere, with an option of any kind.
    pub fn new_client(&mut self, a: [u8; 7]) {
        if self.alive(Kind::Client) >= MAX_ALIVE {
            return;
        }
        let mut wrong = Wrong::default();
        wrong.may_be(&["ERR_OPTIONS", "ERR_TOO_LARGE"]);
        let queue = wrong.handle(self.pick(Kind::Queue, a[0]));
        let runtime = (a[1] >= 128).then(|| self.pick(Kind::Runtime, a[1] - 128));
        let mut options = Sized::new(size_of::<jmeet_client_options>(), a[2], &mut wrong);
        let o = options.get::<jmeet_client_options>();
        let kit = if a[3] & TO_THE_TESTKIT != 0 { testkit() } else { None };
        // SAFETY: room for the struct, every string NUL-terminated or NULL.
        unsafe {
            (*o).url = url(a[3]);
            if let Some((_, [url, domain])) = kit {
                ((*o).url, (*o).domain) = (url.as_ptr(), domain.as_ptr());
                (*o).allow_loopback = 1;
            }
            (*o).room = self.room.as_ptr();
            (*o).join_timeout_ms = 2000;
            (*o).user_value = 7;
            if let Some(r) = runtime.filter(|r| r.key != 0) {
                wrong.handle(r);
                (*o).runtime = r.get();
            }
            let odd = |wrong: &mut Wrong, required| string(a[5], wrong, required);
            match a[4] % 16 {
                0..4 => {}
                4 => (*o).room = odd(&mut wrong, true),
                5 => (*o).domain = odd(&mut wrong, false),
                6 => (*o).muc = odd(&mut wrong, false),
                7 => (*o).focus = odd(&mut wrong, false),
                8 => (*o).focus_users = odd(&mut wrong, false),
                9 => (*o).display_name = odd(&mut wrong, false),
                10 => (*o).token = odd(&mut wrong, false),
                11 => ((*o).username, (*o).password) = (c"ada".as_ptr(), odd(&mut wrong, false)),
                12 => (*o).room_password = odd(&mut wrong, false),
                13 => (*o).nickname = odd(&mut wrong, false),
                14 => (*o).extra_ca_pem = odd(&mut wrong, false),
                _ => ((*o).disable_p2p, (*o).allow_loopback) = (1, 1),
            }
        }
        let parent = runtime.map_or(0, |r| r.key);
        self.makes("jmeet_client_new", Kind::Client, parent, a[6], wrong, |client, error| {
            // SAFETY: as above.
            unsafe { jmeet_client_new(queue.get(), o, client.cast(), error) }
        });
    }
}
