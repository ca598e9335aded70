//! The options of a bridge on the command line, the same for `testkit_server` and `focus`:
//! `--bridge N` (sessions from N participants on; Jicofo's number is 2), `--channel sctp|websocket|both`, `--no-rewriting`, `--no-json`,
//! `--last-n N` (video sources that anybody gets at most), `--no-estimate` (bandwidth is endless: on a busy machine late processes look like a full
//! link), `--old-constraints` (takes the constraints of lib-jitsi-meet's 2022 releases), `--tls CERTIFICATE KEY` (PEM files; `wss`).

use jmeet::testkit::{BridgeConfig, BridgePlace, SessionOptions};
use std::io;

/// What was asked for.
#[derive(Clone, Default)]
pub struct BridgeArgs {
    /// There is a bridge.
    pub wanted: bool,
    pub sessions: SessionOptions,
    pub config: BridgeConfig,
    pub place: BridgePlace,
}

impl BridgeArgs {
    /// For the usage line.
    pub const USAGE: &str = "[--bridge N] [--channel sctp|websocket|both] [--no-rewriting] [--no-json] [--last-n N] [--no-estimate] [--old-constraints] [--tls CERT KEY]";

    /// Takes one option with its values from `rest`; `false` when it is none of these.
    pub fn take(&mut self, option: &str, rest: &mut impl Iterator<Item = String>) -> io::Result<bool> {
        let bad = || io::Error::new(io::ErrorKind::InvalidInput, format!("{option} wants a value"));
        match option {
            "--bridge" => {
                self.wanted = true;
                self.sessions.min_participants = rest.next().and_then(|n| n.parse().ok()).ok_or_else(bad)?;
            }
            "--channel" => {
                let channel = rest.next().ok_or_else(bad)?;
                self.config.sctp = channel != "websocket";
                self.config.websocket = channel != "sctp";
                self.sessions.sctp = self.config.sctp;
            }
            "--no-rewriting" => self.sessions.rewriting = false,
            "--no-json" => self.sessions.json = false,
            "--last-n" => self.config.last_n = rest.next().and_then(|n| n.parse().ok()).ok_or_else(bad)?,
            "--no-estimate" => self.config.estimate = false,
            "--old-constraints" => self.config.lib_jitsi_meet_2022 = true,
            "--tls" => {
                let mut file = || std::fs::read(rest.next().ok_or_else(bad)?);
                self.place.tls = Some((file()?, file()?));
                self.place.host = "localhost".into();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
