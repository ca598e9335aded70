//! Layer 2: one XMPP stream as a sans-I/O machine: login, bind, stream management, IQ table, ping, discovery
//! (docs/protocol/01 §1–6, §9, §11). The transport below carries one element per message (WebSocket, RFC 7395); what opens
//! and closes a stream is made in `wire::framing` alone, so BOSH and TCP can take its place.

pub mod auth;
pub mod caps;
pub mod error;
pub mod iq;
pub mod management;
pub mod options;
pub mod output;
pub mod ping;
pub mod saslprep;
pub mod scram;
pub mod stream;

pub use caps::Caps;
pub use error::{Step, StreamError};
pub use iq::{IqError, IqToken};
pub use options::{Credentials, StreamOptions};
pub use output::{Input, Output};
pub use stream::{NotBound, Stream, StreamStats};
