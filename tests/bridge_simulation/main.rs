//! Meetings through the videobridge that nobody scripted: seeded interleavings of joins and leaves, tracks that come and go, mutes,
//! source maps with too few slots, sessions that are replaced and restarted, bridges and channels that are lost, packets that are
//! lost, on one virtual clock; and the promises that hold in each of them (design §5).
//!
//! Two kinds of runs: with the fake engine, of which there can be thousands, and with the real one and str0m. Thousands want an
//! optimised build (`tests/run simulation`, or `cargo test --profile simulation --all-features --test bridge_simulation`); without
//! being asked for more, a few are run. `JMEET_SIMULATION_SEEDS=5000,50` runs so many of each, `5000` so many of both,
//! `JMEET_SIMULATION_SEED=17` that one, `JMEET_SIMULATION_LOG=1` with its steps, `JMEET_SIMULATION_EVENTS=0` with what
//! participant 0 was told. A seed that fails prints a test to be pasted here.

mod checks;
#[path = "../promises/mod.rs"]
mod promises;

use jmeet::Env;
use jmeet::media::{Codec, OutgoingFrame, VideoType};
use jmeet::meeting::event::{EventKind, MediaPath, MediaState, Track};
use jmeet::meeting::{ClientOptions, Command, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::link::LinkOptions;
use jmeet::testkit::{BRIDGE, World};
use jmeet::time::Time;
use promises::{Part, number};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Things that happen in one run.
const STEPS: u32 = 30;
/// In the room at once.
const CROWD: usize = 4;
const LOCAL: u64 = 1 << 63;
const READER: ReaderKey = ReaderKey(LOCAL + 0xffff);
const SECOND: Duration = Duration::from_secs(1);
/// Longest time until everything that was broken is whole again.
const QUIET: Duration = Duration::from_secs(90);
/// Seeds that fail before no more are tried.
const MAX_FAILURES: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engines {
    Fake,
    Real,
}

/// One of a participant's own tracks.
#[derive(Clone, Copy)]
struct Own {
    key: TrackKey,
    codec: Codec,
    muted: bool,
}

/// What was done to a participant, and asked of it.
#[derive(Default)]
struct Actor {
    nickname: String,
    /// Something was done to it that may end its meeting with an error.
    may_fail: bool,
    /// Its media was broken so often; past the budget of rejoins its meeting may end.
    troubles: u32,
    leaving: bool,
    /// The focus ended its session for good: while two talk directly nobody misses it.
    abandoned: bool,
    tracks: Vec<Own>,
    next_track: u64,
    /// Key frames that were asked for, by events up to here.
    wanted: BTreeSet<TrackKey>,
    looked_at: usize,
    readers: Vec<ReaderKey>,
    /// Every tag that it was given, and whether it was closed by then.
    tags: Vec<(u64, bool)>,
}

struct Simulation {
    world: World,
    env: Env,
    config: BridgeConfig,
    /// Slots of SSRC rewriting change hands.
    remaps: bool,
    actors: Vec<Actor>,
    next_tag: u64,
    next_reader: u64,
    focus: bool,
    /// A focus that starts again knows nothing of the sessions of the one before.
    focus_lost: bool,
    replaced: Time,
    bridge: bool,
    log: Vec<String>,
}

impl Simulation {
    fn new(engines: Engines, seed: u64) -> Simulation {
        let mut env = Env::seeded(seed ^ 0x0b51_d9e5);
        let mut one_in = |n: u32| env.below(n) == 0;
        let websocket = one_in(3);
        let sessions = SessionOptions {
            json: !one_in(3),
            rewriting: !one_in(3),
            sctp: !websocket,
            sources_before_result: one_in(3),
            transport_replace: one_in(4),
            ice_restart: !one_in(4),
            source_delay: Duration::from_millis(if one_in(2) { 0 } else { 300 }),
            mid_demux: Env::seeded(seed ^ 0x006d_6964).below(4) != 0,
            ..SessionOptions::default()
        };
        let config = BridgeConfig {
            sctp: !websocket,
            websocket: websocket || one_in(2),
            video_slots: if one_in(2) { 1 } else { 50 },
            audio_slots: if one_in(3) { 1 } else { 50 },
            mid_alone: sessions.mid_demux && Env::seeded(seed ^ 0x6d69_6432).below(3) == 0,
            last_n: if one_in(4) { 1 } else { -1 },
            estimate: engines == Engines::Real && one_in(2),
            fake: engines == Engines::Fake,
            ..BridgeConfig::default()
        };
        let mut world = World::with_bridge(seed, sessions, config.clone()).expect("a bridge");
        let mut below = |n: u32| u64::from(env.below(n));
        world.signalling = Duration::from_millis(below(60));
        world.link = LinkOptions {
            delay: Duration::from_millis(below(60)),
            jitter: Duration::from_millis(below(20)),
            loss: below(6) as f64 / 100.0,
            duplicate: below(4) as f64 / 100.0,
        };
        let remaps = config.video_slots == 1 || config.audio_slots == 1;
        if remaps {
            // Of a slot whose owner sent nothing yet nobody can tell packets that come before the map to the next one.
            world.link.delay = world.signalling;
            if engines == Engines::Real {
                world.link.loss = 0.0;
            }
        }
        if config.audio_slots == 1 {
            // Where speech of several shares one slot, its owner changes with each packet, which carries no trace of whose it is: nobody
            // can tell one that the next map overtakes from those of the other source.
            (world.link.jitter, world.link.duplicate) = (Duration::ZERO, 0.0);
        }
        Simulation {
            world,
            env,
            remaps,
            config,
            actors: vec![],
            next_tag: 1,
            next_reader: 0,
            focus: true,
            focus_lost: false,
            replaced: Time::default(),
            bridge: true,
            log: vec![],
        }
    }

    fn closed(&self, who: usize) -> bool {
        self.world.peers[who].saw(|e| matches!(e, EventKind::Closed(_)))
    }

    fn joined(&self, who: usize) -> bool {
        self.world.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))
    }

    fn live(&self) -> Vec<usize> {
        (0..self.actors.len()).filter(|w| !self.closed(*w) && !self.actors[*w].leaving).collect()
    }

    fn tagged(&mut self, who: usize, command: impl FnOnce(u64) -> Command) {
        let tag = self.next_tag;
        self.next_tag += 1;
        let closed = self.closed(who);
        self.actors[who].tags.push((tag, closed));
        self.world.command(who, command(tag));
    }

    fn trouble(&mut self, who: usize) {
        self.actors[who].troubles += 1;
        self.actors[who].may_fail |= self.actors[who].troubles > 3;
    }

    fn trouble_for_all(&mut self) {
        (0..self.actors.len()).for_each(|w| self.trouble(w));
    }

    fn join(&mut self) {
        let who = self.actors.len();
        let nickname = format!("{:08x}", self.env.u32() & 0xffff_ff00 | who as u32);
        let options = ClientOptions {
            nickname: nickname.clone(),
            display_name: format!("N{who}"),
            disable_ssrc_rewriting: self.env.below(4) == 0,
            disable_p2p: self.env.below(3) == 0,
            ..ClientOptions::default()
        };
        assert_eq!(self.world.add(options).expect("options"), who);
        self.actors.push(Actor { nickname, may_fail: !self.focus, ..Actor::default() });
        self.tagged(who, |tag| Command::Join { tag });
        for codec in [Codec::Opus, Codec::Vp8] {
            if self.env.below(5) > 0 {
                self.add_track(who, codec);
            }
        }
        if self.env.below(5) > 0 {
            self.add_reader(who);
        }
    }

    fn add_track(&mut self, who: usize, codec: Codec) {
        let a = &mut self.actors[who];
        // Frames carry the number of their track in one byte.
        if a.tracks.len() >= 5 || a.next_track >= 250 {
            return;
        }
        a.next_track += 1;
        let (key, muted) = (TrackKey(LOCAL + a.next_track), self.env.below(4) == 0);
        a.tracks.push(Own { key, codec, muted });
        let video_type = if self.env.below(2) == 0 { VideoType::Camera } else { VideoType::Desktop };
        let options = TrackOptions { muted, video_type, ..TrackOptions::new(codec) };
        self.tagged(who, |tag| Command::AddTrack { track: key, options, tag });
    }

    fn add_reader(&mut self, who: usize) {
        self.next_reader += 1;
        let reader = ReaderKey(READER.0 + self.next_reader);
        self.actors[who].readers.push(reader);
        let height = [0, 180, 720][self.env.below(3) as usize];
        let options = ReaderOptions { height, ..ReaderOptions::default() };
        self.world.command(who, Command::AddReader { reader, track: None, options });
    }

    fn outage(&mut self, who: usize, loss: f64) {
        for (from, to) in [(who, BRIDGE), (BRIDGE, who)] {
            self.world.link_mut(from, to).options.loss = loss;
        }
    }

    fn kick(&mut self, by: usize, whom: usize) {
        let sent = promises::kick(&mut self.world, by, &self.actors[by].nickname, &self.actors[whom].nickname);
        self.actors[whom].may_fail |= sent;
    }

    /// What another occupant, or a stranger in the focus's name, may send. None of it may change anything.
    fn spoof(&mut self, who: usize, other: usize) {
        let room = self.world.peers[who].meeting.room_jid().to_string();
        let (occupant, owner) = (format!("{room}/{}", self.actors[other].nickname), &self.actors[who].nickname);
        let froms = [occupant, format!("{room}/stranger"), "focus@evil.localhost/focus".to_owned()];
        let from = &froms[self.env.below(3) as usize];
        let inner = ["source-add", "source-remove", "session-terminate", "transport-replace", "session-initiate"]
            [self.env.below(5) as usize];
        let stanza = format!(
            "<iq xmlns='jabber:client' type='set' id='s1' from='{from}' to='me'><jingle xmlns='urn:xmpp:jingle:1' action='{inner}' sid='evil' initiator='{from}'><content creator='initiator' name='video'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='4711' name='{owner}-v9'><ssrc-info xmlns='http://jitsi.org/jitmeet' owner='{owner}'/></source></description></content></jingle></iq>"
        );
        self.world.inject(who, &stanza);
    }

    fn talk(&mut self, frames: u32) {
        for n in 0..frames {
            for who in 0..self.actors.len() {
                self.key_frames_wanted(who);
                for own in self.actors[who].tracks.clone() {
                    let track = (own.key.0 - LOCAL) as u8;
                    let frame = if own.codec == Codec::Opus {
                        // 20 ms of Opus that says whose it is.
                        OutgoingFrame::audio(vec![1 << 3, who as u8, track, n as u8, 0, 0])
                    } else {
                        let wanted = self.actors[who].wanted.remove(&own.key) || n % 10 == 0;
                        let first = if wanted { 0x10 } else { 0x11 };
                        let mut picture = vec![first, 2, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0, who as u8, track];
                        picture.resize(1500, n as u8);
                        OutgoingFrame::video(picture, Duration::from_millis(20))
                    };
                    self.world.frame(who, own.key, frame);
                    if self.remaps {
                        // Not all at once: or all maps would be there before the first of their packets.
                        self.world.run(Duration::from_millis(1));
                    }
                }
            }
            self.world.run(Duration::from_millis(20));
        }
    }

    fn key_frames_wanted(&mut self, who: usize) {
        let (events, a) = (&self.world.peers[who].events, &mut self.actors[who]);
        for (_, e) in &events[a.looked_at..] {
            if let EventKind::KeyFrameWanted { track, .. } = e.kind {
                a.wanted.insert(track);
            }
        }
        a.looked_at = events.len();
    }

    fn step(&mut self) {
        let live = self.live();
        let (all, choice) = (self.actors.len(), self.env.below(32));
        self.log.push(format!("{} us: {choice}, {live:?}", self.world.now.mono_us));
        if live.is_empty() || (live.len() < CROWD && choice < [32, 16, 8, 4][live.len()]) {
            return self.join();
        }
        let mut pick = |from: usize| self.env.below(from as u32) as usize;
        let (who, other, n) = (live[pick(live.len())], pick(all), pick(1000));
        let own = self.actors[who].tracks.get(n % self.actors[who].tracks.len().max(1)).copied();
        match choice {
            4 => {
                self.actors[who].leaving = true;
                self.tagged(who, |tag| Command::Leave { tag });
            }
            5..=8 => {
                let Some(own) = own else { return };
                let muted = choice < 7;
                self.actors[who].tracks.iter_mut().filter(|t| t.key == own.key).for_each(|t| t.muted = muted);
                self.tagged(who, |tag| Command::SetMuted { track: own.key, muted, tag });
            }
            9 | 10 => self.add_track(who, Codec::Vp8),
            11 => self.add_track(who, Codec::Opus),
            12..=14 => {
                let Some(own) = own else { return };
                self.actors[who].tracks.retain(|t| t.key != own.key);
                self.tagged(who, |tag| Command::RemoveTrack { track: own.key, tag });
            }
            15 => self.add_reader(who),
            16 => {
                if let Some(reader) = self.actors[who].readers.pop() {
                    self.world.command(who, Command::RemoveReader { reader });
                }
            }
            17 => {
                let to = if n % 2 == 0 { String::new() } else { self.actors[other].nickname.clone() };
                self.tagged(who, |tag| Command::SendEndpointMessage { to, payload: r#"{"x":1}"#.into(), tag });
            }
            18 => self.tagged(other, |tag| Command::SendMessage { text: "late".into(), tag }),
            19 if self.bridge && n % 2 == 0 => {
                self.trouble_for_all();
                self.bridge = false;
                self.world.kill_bridge();
            }
            19 | 20 if !self.bridge => {
                self.bridge = true;
                self.world.start_bridge(self.config.clone()).expect("a bridge");
            }
            // Two replacements with one sid cannot be told apart: the first has to be through.
            20..=22 if self.world.now < self.replaced + SECOND && self.bridge => {}
            20 => {
                self.replaced = self.world.now;
                self.trouble_for_all();
                self.world.start_bridge(self.config.clone()).expect("a bridge");
            }
            21 | 22 => {
                let now = self.world.now;
                self.replaced = now;
                self.world.server.with_focus(now, |f, now| f.invite_over(&room(), now));
            }
            23 => {
                self.trouble(who);
                self.actors[who].abandoned = true;
                let (now, nick) = (self.world.now, self.actors[who].nickname.clone());
                let reason = ["moving", "gone", "connectivity-error"][n % 3];
                self.world.server.with_focus(now, |f, now| f.end_session(&room(), &nick, reason, "", now));
            }
            24 => {
                self.trouble(who);
                // SCTP would repeat a map later than its packets come.
                if self.config.fake || !self.remaps {
                    self.outage(who, 1.0);
                }
            }
            25 | 26 => self.outage(who, self.world.link.loss),
            // A map that was on its way is lost with its socket.
            27 if !self.remaps => drop(self.world.cut_channel(who)),
            28 if n % 3 == 0 => {
                self.actors[who].may_fail = true;
                self.world.cut(who);
            }
            28 if n % 3 == 1 => self.kick(live[0], who),
            29 if self.focus && n % 4 == 0 => {
                self.actors.iter_mut().for_each(|a| a.may_fail = true);
                (self.focus, self.focus_lost) = (false, true);
                self.world.server.stop_focus(self.world.now);
            }
            29 => self.start_focus(),
            // Before the login nobody but the server can say anything.
            30 if self.joined(who) => self.spoof(who, other),
            _ => {}
        }
    }

    fn start_focus(&mut self) {
        if !self.focus {
            self.focus = true;
            self.world.server.start_focus(self.world.now);
        }
    }

    fn run(&mut self) {
        self.join();
        for _ in 0..STEPS {
            self.step();
            match self.env.below(4) {
                0 => {}
                1 => self.talk(6),
                _ => self.world.run(Duration::from_millis(u64::from(self.env.below(1500)))),
            }
        }
        self.heal();
        self.check_tables();
        self.check_media();
        self.leave_but_one();
        let names = self.names();
        for who in 0..self.actors.len() {
            self.check_order(who);
            promises::check_tags(&self.world, who, &self.part(who));
            self.check_frames(who, &names);
        }
    }

    /// Nothing is broken any more, and nothing new begins.
    fn heal(&mut self) {
        self.start_focus();
        if !self.bridge {
            self.bridge = true;
            self.world.start_bridge(self.config.clone()).expect("a bridge");
        }
        for who in 0..self.actors.len() {
            self.outage(who, 0.0);
        }
        self.world.run(QUIET);
    }

    /// All leave but one: what is left there is only its own.
    fn leave_but_one(&mut self) {
        let live = self.live();
        let last = if live.is_empty() { None } else { Some(live[self.env.below(live.len() as u32) as usize]) };
        for who in live.iter().copied().filter(|w| Some(*w) != last) {
            self.tagged(who, |tag| Command::Leave { tag });
        }
        self.world.run(60 * SECOND);
        if let Some(who) = last.filter(|w| !self.closed(*w)) {
            let held = self.world.peers[who].meeting.held();
            let own = self.actors[who].tracks.len();
            let only = (held.participants, held.tracks, held.heard, held.local_tracks);
            assert_eq!(only, (0, 0, 0, own), "the last one, {who}: {held:?}");
            let media = (held.sessions, held.sources);
            assert!(self.focus_lost || media == (0, 0), "the last one, {who}: {held:?}");
            assert!(held.requests <= 1, "the last one, {who}: {held:?}");
            self.tagged(who, |tag| Command::Leave { tag });
        }
        self.world.run(60 * SECOND);
        for p in &self.world.peers {
            let h = p.meeting.held();
            assert_eq!((h.participants, h.tracks, h.sessions, h.sources, h.requests, h.outputs), (0, 0, 0, 0, 0, 0));
        }
        assert!(self.world.server.endpoints("room").is_empty(), "nobody is left behind in the room");
        assert_eq!(self.world.server.held(), (0, 0, 0), "connections, addresses and rooms of the server");
        assert_eq!(self.world.under_way(), 0, "texts and sockets under way");
        let left: Vec<String> =
            self.world.bridge().map(|b| b.endpoints().map(str::to_owned).collect()).unwrap_or_default();
        assert!(left.is_empty(), "the bridge keeps {left:?}");
    }

    /// The tracks that a participant was told of and that are there, its own or the others'.
    fn tracks(&self, who: usize, local: bool) -> BTreeMap<TrackKey, Track> {
        let mut found = BTreeMap::new();
        for e in self.world.peers[who].kinds() {
            match e {
                EventKind::TrackAdded(t) | EventKind::TrackUpdated(t) if t.local == local => {
                    found.insert(t.key, (**t).clone());
                }
                EventKind::TrackRemoved(t) if t.local == local => drop(found.remove(&t.key)),
                _ => {}
            }
        }
        found
    }

    fn part(&self, who: usize) -> Part<'_> {
        let a = &self.actors[who];
        Part { nickname: &a.nickname, may_fail: a.may_fail, tags: &a.tags }
    }

    /// The names of everybody's own tracks, as they were told.
    fn names(&self) -> BTreeMap<(usize, TrackKey), BTreeSet<String>> {
        let mut names: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (who, p) in self.world.peers.iter().enumerate() {
            for e in p.kinds() {
                if let EventKind::TrackAdded(t) = e
                    && t.local
                {
                    names.entry((who, t.key)).or_default().insert(t.source_name.clone());
                }
            }
        }
        names
    }
}

/// The room as focus and bridge name it.
fn room() -> String {
    "room@conference.meet.localhost".into()
}

/// What a run came to: those who joined, bridge sessions that connected, frames.
fn run(engines: Engines, seed: u64) -> [u64; 3] {
    let mut s = Simulation::new(engines, seed);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| s.run()));
    if result.is_err() || number("JMEET_SIMULATION_LOG").is_some() {
        s.log.iter().for_each(|line| eprintln!("{line}"));
    }
    if let Some(who) = number("JMEET_SIMULATION_EVENTS").and_then(|w| s.world.peers.get(w as usize)) {
        who.events.iter().for_each(|(at, e)| eprintln!("{} us: {e:?}", at.mono_us));
    }
    if let Err(panic) = result {
        let name = format!("{engines:?}").to_lowercase();
        eprintln!("#[test]\nfn {name}_seed_{seed}() {{\n    run(Engines::{engines:?}, {seed});\n}}");
        std::panic::resume_unwind(panic);
    }
    let path = |e: &&EventKind| matches!(e, EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. }));
    let connected = s.world.peers.iter().flat_map(|p| p.kinds()).filter(path).count() as u64;
    let joined = (0..s.actors.len()).filter(|w| s.joined(*w)).count() as u64;
    [joined, connected, s.world.peers.iter().map(|p| p.frames.len() as u64).sum()]
}

/// How many of one kind are to be run: `JMEET_SIMULATION_SEEDS` names fake ones, and real ones after a comma.
fn asked_for(engines: Engines) -> Option<u64> {
    let text = std::env::var("JMEET_SIMULATION_SEEDS").ok()?;
    let (fake, real) = text.split_once(',').unwrap_or((&text, &text));
    let number = if engines == Engines::Fake { fake } else { real };
    Some(number.trim().parse().expect("a number of seeds"))
}

/// Runs seeds on every core.
fn run_all(engines: Engines, seeds: u64) {
    let only = number("JMEET_SIMULATION_SEED");
    let (first, last) = only.map_or((0, asked_for(engines).unwrap_or(seeds)), |s| (s, s + 1));
    let (next, sums) = (AtomicU64::new(first), [const { AtomicU64::new(0) }; 3]);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last || failed.lock().unwrap().len() >= MAX_FAILURES {
                        return;
                    }
                    match std::panic::catch_unwind(|| run(engines, seed)) {
                        Ok(counts) => {
                            sums.iter().zip(counts).for_each(|(sum, n)| _ = sum.fetch_add(n, Ordering::Relaxed))
                        }
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{engines:?} seeds that fail: {failed:?}");
    let [joined, connected, frames] = sums.map(AtomicU64::into_inner);
    eprintln!("{engines:?}: {joined} joined, {connected} bridge sessions connected, {frames} frames received");
    // The chaos must not be so great that nothing is tried at all.
    assert!(only.is_some() || (joined > 0 && connected > 0 && frames > 0));
}

#[test]
fn promises_hold_through_a_bridge_of_values_in_whatever_order_things_happen() {
    run_all(Engines::Fake, 40);
}

#[test]
fn promises_hold_with_real_engines_and_another_stack_at_the_bridge() {
    run_all(Engines::Real, 2);
}
