//! One participant of the command, from joining to the end: events are printed, signals and limits of time end it properly.

use super::args::Args;
use super::exit::Exit;
use super::report::{Report, error_value, safe};
use crate::client::{Client, Conference, Queue, Runtime};
use crate::error::{Code, Error};
use crate::meeting::ClientOptions;
use crate::meeting::event::EventKind;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often signals and times are looked at.
const TICK: Duration = Duration::from_millis(50);
/// A leave takes no longer: then the connection is simply dropped.
const LEAVE: Duration = Duration::from_secs(5);
/// Exit code of a second signal.
const INTERRUPTED: i32 = 130;

/// A flag that SIGINT and SIGTERM raise; a second one ends the process.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag still down.
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

/// What a verb adds to being there.
pub trait Job {
    /// Before joining.
    fn prepare(&mut self, _: &mut Session) -> Result<(), Error> {
        Ok(())
    }

    /// With every event, and without one at least each [`Job::tick`].
    fn each(&mut self, _: &mut Session, _: Option<&EventKind>) {}

    /// How long to wait for an event.
    fn tick(&self) -> Duration {
        TICK
    }
}

/// Being there and nothing else: `jmeet join`.
pub struct Present;

impl Job for Present {}

/// A participant.
pub struct Session<'a> {
    report: &'a Report,
    queue: Queue,
    client: Client,
    pub room: Conference,
    stop: Arc<AtomicBool>,
    leave_at: Option<Instant>,
    until_alone: bool,
    others: BTreeSet<String>,
    leaving: Option<Instant>,
    /// What was tried, for errors.
    tried: String,
}

impl<'a> Session<'a> {
    /// Makes one; [`Session::join`] goes in.
    pub fn new(
        options: ClientOptions,
        report: &'a Report,
        runtime: Option<&Runtime>,
        stop: Arc<AtomicBool>,
    ) -> Result<Session<'a>, Error> {
        // Without parameters: a token may stand there.
        let url = options.url.split('?').next().unwrap_or_default();
        let tried = format!("{url}, domain {}, room {}@{}", options.domain, options.room, options.muc);
        let queue = Queue::new()?;
        let client = Client::new(runtime, &queue, options)?;
        let room = client.conference();
        let others = BTreeSet::new();
        Ok(Session {
            report,
            queue,
            client,
            room,
            stop,
            leave_at: None,
            until_alone: false,
            others,
            leaving: None,
            tried,
        })
    }

    /// Connects and joins.
    pub fn join(&self) -> Result<(), Error> {
        self.client.join(1).map(drop)
    }

    /// The whole life of a session.
    pub fn run(args: &Args, report: &'a Report, job: &mut dyn Job) -> Exit {
        let stop = match stop_flag() {
            Ok(stop) => stop,
            Err(e) => {
                report.say(format!("jmeet: signals: {e}"));
                return Exit::Local;
            }
        };
        let mut session = match Session::new(args.options.clone(), report, None, stop) {
            Ok(s) => s,
            Err(e) => return failed(report, &e, args.options.url.split('?').next().unwrap_or_default()),
        };
        session.until_alone = args.until_alone;
        if let Err(e) = job.prepare(&mut session).and_then(|()| session.join()) {
            return failed(report, &e, &session.tried);
        }
        report.say(format!("joining {}", session.tried));
        session.leave_at = args.stay.map(|t| Instant::now() + t);
        loop {
            match session.next(job.tick()) {
                Ok(kind) => {
                    if let Some(kind) = &kind {
                        report.event(kind);
                    }
                    job.each(&mut session, kind.as_ref());
                }
                Err(end) => return end,
            }
        }
    }

    /// The next event, `None` if none came in `wait`; at the end the exit code.
    pub fn next(&mut self, wait: Duration) -> Result<Option<EventKind>, Exit> {
        let now = Instant::now();
        if self.stop.load(Ordering::Relaxed) || self.leave_at.is_some_and(|t| now >= t) {
            self.leave();
        }
        if self.leaving.is_some_and(|t| now >= t + LEAVE) {
            return Err(Exit::Ok);
        }
        let kind = match self.queue.next(Some(wait)) {
            Ok(e) => e.event.kind,
            Err(e) if e.code == Code::Timeout => return Ok(None),
            Err(e) => return Err(failed(self.report, &e, &self.tried)),
        };
        match &kind {
            EventKind::ParticipantJoined(p) => {
                self.others.insert(p.endpoint_id.clone());
            }
            EventKind::ParticipantLeft(l) => {
                let left = self.others.remove(&l.participant.endpoint_id);
                if left && self.others.is_empty() && self.until_alone {
                    self.leave();
                }
            }
            EventKind::Closed(error) => {
                self.report.event(&kind);
                return Err(match error {
                    None => Exit::Ok,
                    Some(e) => failed(self.report, e, &self.tried),
                });
            }
            _ => {}
        }
        Ok(Some(kind))
    }

    /// Leaves; the end follows.
    pub fn leave(&mut self) {
        if self.leaving.is_none() {
            self.leaving = Some(Instant::now());
            // A client that is closed already has said so.
            let _ = self.client.close(Duration::ZERO);
        }
    }

    /// Leaves in a moment, so that what was written last gets out.
    pub fn leave_soon(&mut self, after: Duration) {
        let at = Instant::now() + after;
        self.leave_at = Some(self.leave_at.map_or(at, |t| t.min(at)));
    }

    /// What was tried.
    pub fn tried(&self) -> &str {
        &self.tried
    }
}

/// Says what went wrong, and where it was tried.
pub fn failed(report: &Report, e: &Error, tried: &str) -> Exit {
    let exit = Exit::of(e);
    // Texts of servers and of who kicked us are in it.
    report.say(format!("jmeet: {}: {}\n(tried {})", exit.name(), safe(&e.to_string()), safe(tried)));
    if e.code == Code::HostUnknown {
        report.say("The XMPP domain is not the host of the link; --domain and --muc name it.");
    }
    report.line(
        &json!({"event": "failed", "stage": exit.name(), "exit": exit as u8, "error": error_value(e), "tried": tried}),
    );
    exit
}
