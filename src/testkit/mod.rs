//! A Jitsi deployment in a test tube (feature `testkit`): XMPP server over WebSocket, rooms, focus and bridge, each a machine that
//! runs in virtual time as well as on sockets, and scripted faults. A real server, not a mirror of this library's client:
//! lib-jitsi-meet in a browser joins it too.

pub mod bridge;
mod candidates;
pub mod component;
pub mod deployment;
pub mod faults;
pub mod focus;
pub mod fuzz;
pub mod link;
pub mod media_files;
mod media_proxy;
pub mod server;
mod stanza;
pub mod three;
pub mod world;
pub mod xml_stream;

pub use bridge::{BridgeConfig, BridgePlace};
pub use candidates::MapCandidate;
pub use deployment::Deployment;
pub use faults::{Faults, JoinRefusal, Step};
pub use focus::{EndpointOptions, Refusal, SessionOptions};
pub use link::{Link, LinkOptions};
pub use media_proxy::{MediaCounts, MediaKind};
pub use server::ServerOptions;
pub use server::sasl::User;
pub use world::{BRIDGE, World};

use crate::time::Time;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clocks, for the I/O shells of this module only: machines are given the time.
fn wall_clock() -> Time {
    static START: OnceLock<Instant> = OnceLock::new();
    let mono = START.get_or_init(Instant::now).elapsed().as_micros();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
    Time::new(u64::try_from(mono).unwrap_or(u64::MAX), i64::try_from(unix).unwrap_or(i64::MAX))
}
