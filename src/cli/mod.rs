//! Layer 7, beside the C ABI: the `jmeet` command, on the Rust API that every program has.
//!
//! One file per verb (`join` is [`session`] alone), [`args`] and [`link`] before them, [`report`] and [`exit`] after; [`record`] is the
//! recording itself, without files and clocks.

mod args;
mod exit;
mod link;
mod media_file;
mod player;
mod probe;
pub mod record;
mod recording;
mod report;
mod send;
mod session;

pub use exit::Exit;
pub use media_file::{MAX_FILE_BYTES, MediaFile};

use args::{Args, Asked, Verb};
use report::Report;
use session::{Present, Session};
use std::ffi::OsString;

/// Runs the command with these arguments (without its own name) and returns the exit code.
pub fn run(args: impl Iterator<Item = OsString>) -> u8 {
    let environment = |name: &str| std::env::var(name).ok();
    let exit = match args::read(args, environment) {
        Ok(Asked::Run(args)) => act(*args),
        Ok(Asked::Help) => print(args::HELP),
        Ok(Asked::Version) => print(concat!("jmeet ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(text) => {
            Report::new(false, false).say(format!("jmeet: {text}"));
            Exit::Usage
        }
    };
    exit as u8
}

fn print(text: &str) -> Exit {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Ok,
        Err(_) => Exit::Local,
    }
}

fn act(mut args: Args) -> Exit {
    let report = Report::new(args.json, args.quiet);
    if let Some(file) = &args.ca {
        match std::fs::read(file) {
            Ok(pem) => args.options.extra_ca_pem = pem,
            Err(e) => {
                report.say(format!("jmeet: {}: {e}", file.display()));
                return Exit::Local;
            }
        }
    }
    match args.verb.clone() {
        Verb::Join => Session::run(&args, &report, &mut Present),
        Verb::Send { files, again, fps } => send::run(&args, &report, &files, again, fps),
        Verb::Record { folder, audio_only, height } => recording::run(args, &report, folder, audio_only, height),
        Verb::Probe { media } => probe::run(&args, &report, media),
    }
}
