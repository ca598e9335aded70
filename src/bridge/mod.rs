//! Layer 3: the channel to the videobridge and what is said on it; docs/protocol/04 §1–§4, §10, §17.
//!
//! Machines and tables, one per idea: [`channel`] the transport and its retries, [`outbox`] what waits for it, [`constraints`] what we ask for and are asked
//! for, [`source_maps`] the slots of SSRC rewriting, [`forwarded`] which sources reach us and why not, [`streaming`] whether a
//! track streams, [`speakers`] who speaks, [`connectivity`] whom the bridge hears nothing of, [`stats`] statistics of endpoints,
//! [`quality`] that of our connection, [`ping`] end-to-end pings and [`pinger`] our own ones.

pub mod channel;
pub mod connectivity;
pub mod constraints;
pub mod forwarded;
pub mod outbox;
pub mod ping;
pub mod pinger;
pub mod quality;
pub mod source_maps;
pub mod speakers;
pub mod stats;
pub mod streaming;

pub use channel::{Channel, ChannelState, Offer, Transport};
pub use connectivity::Connectivity;
pub use constraints::{AllConstraints, Receive, SenderHeights};
pub use forwarded::{Forwarded, Suspended};
pub use outbox::Outbox;
pub use pinger::Pinger;
pub use quality::Quality;
pub use source_maps::{MapChange, Slot, SourceMaps};
pub use speakers::{SpeakerChange, Speakers};
pub use stats::{RemoteStats, StatsClock};
pub use streaming::{Streaming, TrackStreaming};
