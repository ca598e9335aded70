//! `jmeet probe`: does a meeting work there? Two participants of our own join, one after the other, and send silence to each other;
//! what is not reached in time is the stage that failed.

use super::args::Args;
use super::exit::Exit;
use super::report::Report;
use super::session::{Session, stop_flag};
use crate::client::{Reader, Runtime, Writer};
use crate::error::Error;
use crate::media::{Codec, OutgoingFrame};
use crate::meeting::event::{EventKind, MediaState, TimelineStage};
use crate::meeting::options::DEFAULT_JOIN_TIMEOUT;
use crate::meeting::{ReaderOptions, TrackOptions};
use serde_json::json;
use std::time::{Duration, Instant};

/// 20 ms of silence.
const SILENCE: &[u8] = &[0xf8, 0xff, 0xfe];
const FRAME: Duration = Duration::from_millis(20);
/// What can be reached, in this order.
const MEDIA_STAGES: [Exit; 4] = [Exit::Jingle, Exit::Ice, Exit::Dtls, Exit::Media];

struct Probe<'a> {
    report: &'a Report,
    began: Instant,
    last: Instant,
    /// How many of [`MEDIA_STAGES`] are reached.
    reached: usize,
}

impl Probe<'_> {
    fn passed(&mut self, stage: &str) {
        let now = Instant::now();
        let ms = (now - self.last).as_secs_f64() * 1e3;
        self.last = now;
        self.report.say(format!("ok  {stage:<24} {ms:8.1} ms"));
        self.report.line(&json!({"event": "stage", "stage": stage, "ok": true, "ms": (ms * 10.0).round() / 10.0}));
    }

    fn failed(&self, exit: Exit) -> Exit {
        self.report.say(format!("FAILED  {}", exit.name()));
        self.report.line(&json!({"event": "probe", "ok": false, "stage": exit.name(), "exit": exit as u8}));
        exit
    }

    fn reach(&mut self, stage: usize) {
        while self.reached <= stage && self.reached < MEDIA_STAGES.len() {
            self.passed(MEDIA_STAGES[self.reached].name());
            self.reached += 1;
        }
    }

    fn event(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Timeline(TimelineStage::TransportOpen, _) => self.passed("dns, tcp, tls, websocket"),
            EventKind::Timeline(TimelineStage::Authenticated, _) => self.passed("auth"),
            EventKind::Timeline(TimelineStage::Bound, _) => self.passed("bind"),
            EventKind::Timeline(TimelineStage::ConferenceReady, _) => self.passed("focus"),
            EventKind::Timeline(TimelineStage::Joined, _) => self.passed("muc"),
            EventKind::Media(_, MediaState::Connecting { .. }) => self.reach(0),
            EventKind::Timeline(TimelineStage::IceConnected, _) => self.reach(1),
            EventKind::Media(_, MediaState::Connected { .. }) => self.reach(2),
            _ => {}
        }
    }
}

/// Both, and what they hear.
struct Ends<'a> {
    first: Session<'a>,
    second: Session<'a>,
    reader: Reader,
    writers: [Writer; 2],
}

impl<'a> Ends<'a> {
    fn new(args: &Args, report: &'a Report, quiet: &'a Report) -> Result<Ends<'a>, Error> {
        let runtime = Runtime::new(1)?;
        let stop = stop_flag().map_err(|e| Error::new(crate::Code::Resources, crate::Stage::None, e.to_string()))?;
        let mut options = args.options.clone();
        if options.display_name.is_empty() {
            options.display_name = "jmeet probe".into();
        }
        let first = Session::new(options.clone(), report, Some(&runtime), stop.clone())?;
        options.nickname.clear();
        let second = Session::new(options, quiet, Some(&runtime), stop)?;
        let track = || TrackOptions::new(Codec::Opus);
        let writers = [first.room.send_track(track(), 0)?, second.room.send_track(track(), 0)?];
        let reader = first.room.reader(None, ReaderOptions::default())?;
        Ok(Ends { first, second, reader, writers })
    }

    fn leave(mut self) {
        for session in [&mut self.first, &mut self.second] {
            session.leave();
            // At the end, or after the time that a leave may take.
            while session.next(FRAME).is_ok() {}
        }
    }
}

/// Probes the place; `media`: also what follows the join.
pub fn run(args: &Args, report: &Report, media: bool) -> Exit {
    // Of the second participant only failures are told.
    let quiet = Report::new(false, false);
    let mut ends = match Ends::new(args, report, &quiet) {
        Ok(e) => e,
        Err(e) => return super::session::failed(report, &e, args.options.url.split('?').next().unwrap_or_default()),
    };
    report.say(format!("probing {}", ends.first.tried()));
    let now = Instant::now();
    let mut probe = Probe { report, began: now, last: now, reached: 0 };
    let exit = match stages(args, &mut ends, &mut probe, media) {
        Ok(()) => {
            let ms = probe.began.elapsed().as_secs_f64() * 1e3;
            report.say(format!("everything works, {ms:.0} ms in all"));
            report.line(&json!({"event": "probe", "ok": true, "exit": 0}));
            Exit::Ok
        }
        Err(exit) => probe.failed(exit),
    };
    ends.leave();
    exit
}

fn stages(args: &Args, ends: &mut Ends, probe: &mut Probe, media: bool) -> Result<(), Exit> {
    let begin = |s: &Session, probe: &Probe| s.join().map_err(|e| super::session::failed(probe.report, &e, s.tried()));
    // What ends a participant before it is through is the failure; a signal is none of the place's.
    let ended = |exit: Exit| if exit == Exit::Ok { Exit::Local } else { exit };
    begin(&ends.first, probe)?;
    loop {
        let Some(kind) = ends.first.next(FRAME).map_err(ended)? else { continue };
        probe.event(&kind);
        if matches!(kind, EventKind::Joined(_)) {
            break;
        }
    }
    if !media {
        return Ok(());
    }
    begin(&ends.second, probe)?;
    let patience = match args.options.join_timeout {
        Duration::ZERO => DEFAULT_JOIN_TIMEOUT,
        t => t,
    };
    let mut stage_began = Instant::now();
    while probe.reached < MEDIA_STAGES.len() {
        let before = probe.reached;
        if let Some(kind) = ends.first.next(FRAME).map_err(ended)? {
            probe.event(&kind);
        }
        while ends.second.next(Duration::ZERO).map_err(ended)?.is_some() {}
        for w in &ends.writers {
            // Not ready until somebody receives: that is what is waited for.
            let _ = w.write(OutgoingFrame::audio(SILENCE));
        }
        if ends.reader.next(Some(Duration::ZERO)).is_ok() {
            probe.reach(3);
        }
        if probe.reached > before {
            stage_began = Instant::now();
        } else if stage_began.elapsed() > patience {
            return Err(MEDIA_STAGES[probe.reached]);
        }
    }
    Ok(())
}
