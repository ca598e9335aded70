//! Everything at once, in seeded disorder: what must hold whatever happens.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// What the layers above would know, from the outputs alone.
#[derive(Default)]
struct Above {
    engines: BTreeMap<SessionKey, SessionKind>,
    closed: BTreeSet<SessionKey>,
    sources: BTreeMap<SessionKey, BTreeMap<u32, String>>,
    unanswered: Vec<(IqToken, String)>,
    asked_in_place: Vec<u64>,
    asked_anew: Vec<u64>,
    /// Requests about sources that are unanswered, of the session that exists.
    rejoins: u32,
}

impl Above {
    fn take(&mut self, out: Vec<Output>, now: u64) -> Vec<SessionKey> {
        let mut new = Vec::new();
        for o in out {
            match o {
                Output::CreateEngine { session, bridge, .. } => {
                    let kind = if bridge.is_some() { SessionKind::Bridge } else { SessionKind::P2p };
                    assert!(!self.engines.values().any(|k| *k == kind), "two engines of a kind");
                    assert!(!self.closed.contains(&session), "a key is used again");
                    self.engines.insert(session, kind);
                    new.push(session);
                }
                Output::CloseEngine { session } => {
                    assert!(self.engines.remove(&session).is_some());
                    self.closed.insert(session);
                    assert!(
                        self.sources.remove(&session).is_none_or(|s| s.is_empty()),
                        "sources outlive their session"
                    );
                }
                Output::SourcesAdded { session, sources } => {
                    assert!(self.engines.contains_key(&session));
                    let known = self.sources.entry(session).or_default();
                    for s in sources {
                        for ssrc in s.ssrcs {
                            assert!(known.insert(ssrc, s.name.to_string()).is_none(), "an SSRC twice");
                        }
                    }
                }
                Output::SourcesRemoved { session, sources, .. } => {
                    let known = self.sources.entry(session).or_default();
                    for s in sources {
                        for ssrc in s.ssrcs {
                            assert_eq!(known.remove(&ssrc).as_deref(), Some(&*s.name));
                        }
                    }
                }
                Output::SendIq { token, payload, .. } => {
                    let d = Document::parse(&payload).unwrap();
                    let action = d.root().attr("action").unwrap().to_owned();
                    match &*action {
                        "session-info" => self.asked_in_place.push(now),
                        "session-terminate" if payload.contains("restart='true'") => self.asked_anew.push(now),
                        _ => {}
                    }
                    self.unanswered.push((token, action));
                }
                Output::RemoteDescription { session, .. }
                | Output::RemoteCandidates { session, .. }
                | Output::RestartIce { session, .. } => assert!(self.engines.contains_key(&session)),
                Output::Event(Event::RejoinWanted(_)) => self.rejoins += 1,
                Output::Event(Event::SourcesRefused { .. }) => {}
                _ => {}
            }
        }
        new
    }
}

struct Disorder {
    g: Guest,
    env: Env,
    above: Above,
    /// Who left and is not back.
    left: BTreeSet<String>,
    sid: u32,
    now: u64,
}

impl Disorder {
    fn drain(&mut self) {
        loop {
            let out: Vec<Output> = std::iter::from_fn(|| self.g.side.j.poll_output()).collect();
            if out.is_empty() {
                return;
            }
            let new = self.above.take(out, self.now);
            for key in new {
                // Some engines never answer.
                if self.env.below(8) > 0 {
                    self.g.side.j.local_transport(key, transport("x"), vec![candidate(1)], at(self.now));
                }
            }
        }
    }

    fn step(&mut self) {
        let ep = ["a", "b", "c", "f60b777f"][self.env.below(4) as usize];
        let sid = format!("s{}", self.sid - self.env.below(2).min(self.sid));
        let keys: Vec<SessionKey> = self.above.engines.keys().chain(&self.above.closed).copied().collect();
        let any = self.env.u32() as usize;
        let key = keys.get(any % keys.len().max(1)).copied().unwrap_or(SessionKey(0));
        let ssrc = 1 + self.env.below(40);
        let now = at(self.now);
        let focus = |d: &mut Disorder, text: &str| {
            let doc = Document::parse_with(&text.replace(SID, &sid), ns::CLIENT, &Default::default()).unwrap();
            let from = d.g.jid("focus");
            d.g.side.j.on_iq(&from, "i", doc.root(), now);
        };
        match self.env.below(24) {
            0 => {
                self.sid += 1;
                let text = offer().replace(SID, &format!("s{}", self.sid));
                focus(self, &text);
            }
            1 => focus(self, &offer().replace("session-initiate", "transport-replace")),
            2 => focus(self, &request("session-terminate", "<reason><success/><text>moving</text></reason>")),
            3..=5 => focus(self, &request("source-add", &json(ep, &[ssrc, ssrc + 1]))),
            6..=7 => focus(self, &request("source-remove", &json(ep, &[ssrc, ssrc + 1]))),
            8 => {
                let n = self.env.below(4);
                let t = format!(
                    "<content name='audio'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='9z8y' pwd='1a2s3d4f5g6h7j8k9l0q1w2e3r' ice-generation='{n}'/></content>"
                );
                focus(self, &request("transport-info", &t));
            }
            9..=12 => {
                let n = self.above.unanswered.len();
                if n > 0 {
                    let (token, _) = self.above.unanswered.remove(any % n);
                    let answer = match self.env.below(6) {
                        0 => IqAnswer::Timeout,
                        1 => error(Condition::ItemNotFound),
                        2 => error(Condition::ResourceConstraint),
                        _ => IqAnswer::Result,
                    };
                    self.g.side.j.on_iq_answer(token, answer, now);
                }
            }
            13 => {
                let others: Vec<&str> =
                    ["a", "b", "c", "f60b777f"].into_iter().filter(|_| self.env.below(2) == 0).collect();
                let participant = |o: &&str| Participant { jid: self.g.jid(o), jigasi: false, poltergeist: false };
                for p in &self.g.conference.participants {
                    self.left.insert(p.jid.resource().unwrap().to_owned());
                }
                self.left.retain(|l| !others.contains(&&**l));
                self.g.conference.participants = others.iter().map(participant).collect();
                self.g.conference.needs_bridge = self.env.below(3) == 0;
                self.g.conference.bridge_not_available = self.env.below(6) == 0;
                self.g.side.j.set_conference(self.g.conference.clone(), now);
            }
            14 => {
                let mut all = sources(OWN, 100 + 3 * self.env.below(3));
                all.truncate(self.env.below(3) as usize);
                if self.env.below(2) == 0 {
                    all.push(desktop(OWN, 200 + 2 * self.env.below(3)));
                }
                self.g.side.j.set_local_sources(all);
            }
            15 | 16 => self.g.side.j.ice_connected(key, now),
            17 => self.g.side.j.ice_failed(key, now),
            18 => self.g.side.j.media_failed(key, now),
            19 => drop(self.g.side.j.request_ice_restart(key, now)),
            20 => drop(self.g.side.j.restart_session(key, now)),
            21 => self.g.side.j.ice_restarted(key, u64::from(ssrc % 4), transport("y")),
            22 => {
                let text = initiate(&format!("p{}", self.env.below(3)));
                let doc = Document::parse_with(&text, ns::CLIENT, &Default::default()).unwrap();
                let from = self.g.jid("f60b777f");
                self.g.side.j.on_iq(&from, "i", doc.root(), now);
            }
            _ => self.g.side.j.set_online(self.env.below(4) > 0, now),
        }
    }

    fn check(&self) {
        for kind in [SessionKind::Bridge, SessionKind::P2p] {
            let session = self.g.side.j.session(kind).map(|(k, _)| k);
            let engine = self.above.engines.iter().find(|(_, k)| **k == kind).map(|(k, _)| *k);
            assert_eq!(session, engine, "an engine for each session and no other");
            let Some(key) = session else { continue };
            let table = self.g.side.j.remote_sources(key).unwrap();
            let known: BTreeMap<u32, String> =
                table.iter().flat_map(|s| s.ssrcs.iter().map(|x| (*x, s.name.to_string()))).collect();
            assert_eq!(known, self.above.sources.get(&key).cloned().unwrap_or_default());
            if kind == SessionKind::Bridge {
                assert!(table.iter().all(|s| !self.left.contains(&*s.owner)), "who left has sources");
            }
        }
        assert!(self.g.side.j.pending.len() <= MAX_PENDING);
    }
}

#[test]
fn whatever_happens_engines_and_sources_balance_and_budgets_hold() {
    for seed in 0..30 {
        let mut g = Guest::new(REAL, OWN, &["a", "b"]);
        g.side.out.clear();
        let mut d =
            Disorder { g, env: Env::seeded(seed), above: Above::default(), left: BTreeSet::new(), sid: 0, now: 10 };
        for _ in 0..250 {
            d.now += u64::from(d.env.below(1500));
            let until = at(d.now);
            while let Some(deadline) = d.g.side.j.next_deadline().filter(|t| *t <= until) {
                d.g.side.j.handle_timeout(deadline);
                d.drain();
                assert!(d.g.side.j.next_deadline() != Some(deadline), "seed {seed}: a deadline that stays");
            }
            d.step();
            d.drain();
            d.check();
        }
        for asked in [&d.above.asked_in_place, &d.above.asked_anew] {
            let apart = |w: &[u64]| w[1] - w[0] >= MIN_BETWEEN_RESTARTS.as_millis() as u64;
            assert!(asked.windows(2).all(apart), "seed {seed}: {asked:?}");
            let window = |w: &[u64]| w[MAX_RESTARTS_IN_WINDOW] - w[0] >= RESTART_WINDOW.as_millis() as u64;
            assert!(asked.windows(MAX_RESTARTS_IN_WINDOW + 1).all(window), "seed {seed}: {asked:?}");
        }
        d.g.side.j.leave();
        d.drain();
        assert!(d.above.engines.is_empty() && d.above.sources.values().all(BTreeMap::is_empty));
        assert!(d.g.side.j.next_deadline().is_none(), "seed {seed}");
    }
}
