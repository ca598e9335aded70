//! Which occupant is the focus, and what to do while it is missing; docs/protocol/03 §2, §8.2, design §7.

use super::request::backoff;
use crate::wire::Jid;
use crate::{Env, Time};
use std::time::Duration;

/// Addresses in the trust set (default 16); what further answers name is not added.
pub const MAX_TRUSTED_FOCUS: usize = 16;
/// Longest random pause before the first request for a missing focus (default 4 s), so that a whole room does not ask at
/// once.
pub const FOCUS_LOST_JITTER: Duration = Duration::from_secs(4);

/// The trust set, the focus in the room, and the requests for a missing one.
#[derive(Debug, Default)]
pub(super) struct Focus {
    /// Bare addresses whose occupants are the focus.
    trusted: Vec<Jid>,
    /// The occupant that is the focus.
    pub(super) current: Option<Jid>,
    /// When to ask for it, while it is missing.
    pub(super) ask_at: Option<Time>,
    /// The request that is under way.
    pub(super) token: Option<u64>,
    asked: u32,
}

impl Focus {
    /// A trust set of these addresses.
    pub(super) fn new(trusted: &[Jid]) -> Focus {
        let mut f = Focus::default();
        for jid in trusted {
            f.trust(jid);
        }
        f
    }

    /// Adds an address; true when it is new.
    pub(super) fn trust(&mut self, jid: &Jid) -> bool {
        let bare = jid.bare();
        let new = self.trusted.len() < MAX_TRUSTED_FOCUS && !self.trusted.contains(&bare);
        if new {
            self.trusted.push(bare);
        }
        new
    }

    /// Whether an occupant with this real address is the focus.
    pub(super) fn trusts(&self, real: Option<&Jid>) -> bool {
        real.is_some_and(|r| self.trusted.iter().any(|t| t.as_str() == r.bare_str()))
    }

    /// It is missing: ask soon.
    pub(super) fn missing(&mut self, now: Time, env: &mut Env) {
        let jitter = env.below(FOCUS_LOST_JITTER.as_millis() as u32);
        self.ask_at = Some(now + Duration::from_millis(u64::from(jitter) + 500));
        self.asked = 0;
    }

    /// It is there: stop asking.
    pub(super) fn found(&mut self) {
        self.ask_at = None;
        self.asked = 0;
    }

    /// A request was answered, or not, and it is still missing.
    pub(super) fn ask_again(&mut self, now: Time) {
        self.asked = self.asked.saturating_add(1);
        // One step longer than for a join: nobody waits behind a closed door.
        self.ask_at = Some(now + backoff(self.asked.saturating_add(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_goes_by_the_bare_real_address_and_is_limited() {
        let jid = |s: &str| Jid::parse(s).unwrap();
        let mut f = Focus::new(&[jid("focus@auth.x/res")]);
        assert!(f.trusts(Some(&jid("focus@auth.x/other"))) && f.trusts(Some(&jid("focus@auth.x"))));
        assert!(!f.trusts(Some(&jid("focus@auth.x.evil/focus"))) && !f.trusts(None));
        for i in 1..MAX_TRUSTED_FOCUS {
            assert!(f.trust(&jid(&format!("focus{i}@auth.x"))));
        }
        assert!(!f.trust(&jid("one-more@auth.x")) && !f.trusts(Some(&jid("one-more@auth.x"))));
    }
}
