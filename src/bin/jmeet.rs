//! The `jmeet` command. All of it is in `jmeet::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(jmeet::cli::run(std::env::args_os().skip(1)))
}
