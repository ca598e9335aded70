//! Whose packets are whose, in the receiving half of a media session: SSRCs that are found by their `mid` ([`mids`](super::mids)), packets that
//! came before their owner was told, and those of an owner in doubt ([`unclear`](super::unclear)). Who owns a slot is said by signalling and
//! source maps alone (docs/protocol/04 §10).

use super::MediaSession;
use super::incoming::Incoming;
use crate::media::peer::{Command, IncomingRtp, Mid};
use crate::media::takeover::{Takeover, Verdict};
use crate::time::Time;

impl Incoming {
    /// What is known of the packets of an SSRC, where it is a slot's.
    fn takeover(&mut self, ssrc: u32) -> Option<&mut Takeover> {
        let found = self.found.iter_mut().find(|f| f.0 == ssrc).map(|f| &mut f.1);
        found.or(self.takeover.as_mut())
    }
}

impl MediaSession {
    /// What waited for the owner of an SSRC.
    pub(super) fn take_early(&mut self, at: usize, ssrc: u32, now: Time) {
        for p in self.unclear.early.take(ssrc, now) {
            if self.is_owned(at, &p, now) {
                self.deliver(at, p, now);
            }
        }
    }

    /// A slot has an owner: so has what is known, or seen now, to be the slot's by its `mid`.
    pub(super) fn take_found(&mut self, at: usize, slot: u32, mid: Option<Mid>, now: Time) {
        let mut found = self.mids.found_of(slot);
        if let Some(mid) = mid {
            // Another slot's so far: what was found by it is not that one's any more.
            for ssrc in self.mids.holder(mid).filter(|o| *o != slot).map_or(vec![], |o| self.mids.found_of(o)) {
                self.leave_found(ssrc, now);
            }
        }
        if let Some(mid) = mid
            && self.mids.name(mid, slot)
        {
            let waiting = self.unclear.early.on_mid(mid);
            found.extend(waiting.into_iter().filter(|ssrc| self.mids.slot(*ssrc, Some(mid)) == Some(slot)));
        }
        for ssrc in found {
            self.find(at, slot, ssrc, now);
        }
        self.map_repairs(slot, now);
    }

    /// Repairs that a slot's `mid` alone tells count in the numbers of the SSRC that its packets come on.
    fn map_repairs(&mut self, slot: u32, now: Time) {
        if let Some(mid) = self.mids.of(slot) {
            self.engine.handle_command(Command::MapMid { mid, primary: self.mids.numbered_by(slot) }, now);
        }
    }

    /// An SSRC is this slot's: it goes where the slot goes, until a map names it.
    fn find(&mut self, at: usize, slot: u32, ssrc: u32, now: Time) {
        if self.by_ssrc.contains_key(&ssrc) {
            return;
        }
        if let Some(oldest) = self.mids.crowded() {
            self.lose_found(oldest, now);
            self.unclear.forget(oldest);
        }
        self.mids.find(ssrc, slot);
        let Some(i) = &mut self.incoming[at] else { return };
        // A map that gave the slot away before anything came on this SSRC gave it away as well.
        let untouched = i.takeover.as_ref().and_then(Takeover::untouched).filter(|_| !self.unclear.knows(ssrc));
        let known = untouched.unwrap_or_else(|| self.unclear.taken_over(ssrc, i.media, now));
        i.found.push((ssrc, known));
        self.by_ssrc.insert(ssrc, at);
        self.map_repairs(slot, now);
        self.take_early(at, ssrc, now);
    }

    /// A found SSRC is its slot's no more, and may be another's.
    pub(super) fn leave_found(&mut self, ssrc: u32, now: Time) {
        if let Some(t) = self.lose_found(ssrc, now) {
            self.unclear.left(ssrc, t);
        }
    }

    /// A found SSRC is its slot's no more; what is known of its packets.
    fn lose_found(&mut self, ssrc: u32, now: Time) -> Option<Takeover> {
        let slot = self.mids.unfind(ssrc)?;
        self.map_repairs(slot, now);
        let i = self.by_ssrc.get(&ssrc).and_then(|at| self.incoming[*at].as_mut())?;
        let at = i.found.iter().position(|f| f.0 == ssrc)?;
        self.by_ssrc.remove(&ssrc);
        Some(i.found.swap_remove(at).1)
    }

    /// The source of the slot whose `mid` a packet carries, where nobody named its SSRC.
    #[cold]
    pub(super) fn by_mid(&mut self, p: &IncomingRtp, now: Time) -> Option<usize> {
        let slot = self.mids.slot(p.ssrc, p.mid)?;
        let at = self.by_ssrc.get(&slot).copied()?;
        self.find(at, slot, p.ssrc, now);
        Some(at)
    }

    /// Whether a packet is of the source that its SSRC stands for now. If that is in doubt, it waits.
    pub(super) fn is_owned(&mut self, at: usize, p: &IncomingRtp, now: Time) -> bool {
        let Some(i) = &mut self.incoming[at] else { return false };
        let (codec, keeps_time) = (i.receiver.codec(p.pt), i.receiver.keeps_time(p.pt));
        let Some(t) = i.takeover(p.ssrc) else { return true };
        match t.packet(p, codec, keeps_time) {
            Verdict::Known => true,
            Verdict::Settled => {
                self.owned_after_all(at, p.ssrc, now);
                true
            }
            Verdict::Anew => {
                i.receiver.restart();
                self.unclear.discard(p.ssrc, now);
                true
            }
            Verdict::Doubtful => {
                self.unclear.doubtful(p.clone(), now);
                false
            }
            Verdict::Late => {
                self.unclear.late();
                false
            }
        }
    }

    /// The owner of an SSRC was in doubt, and is who it was.
    fn owned_after_all(&mut self, at: usize, ssrc: u32, now: Time) {
        for p in self.unclear.early.take(ssrc, now) {
            self.deliver(at, p, now);
        }
    }

    /// No map came in time for what was in doubt.
    pub(super) fn settle_doubts(&mut self, now: Time) {
        for at in 0..self.incoming.len() {
            let Some(i) = &mut self.incoming[at] else { continue };
            let slot = i.ssrcs.first().copied().zip(i.takeover.as_mut());
            let mut settled = Vec::new();
            for (ssrc, t) in slot.into_iter().chain(i.found.iter_mut().map(|(ssrc, t)| (*ssrc, t))) {
                if t.doubtful_since().is_some_and(|since| !self.unclear.keeps_waiting(since, now)) {
                    settled.push((ssrc, t.settle()));
                }
            }
            for (ssrc, owned) in settled {
                if owned {
                    self.owned_after_all(at, ssrc, now);
                } else {
                    self.unclear.discard(ssrc, now);
                    self.engine.handle_command(Command::RequestKeyFrame(ssrc), now);
                }
            }
        }
    }
}
