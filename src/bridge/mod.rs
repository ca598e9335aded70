//! Layer 3: the channel to the videobridge and what is said on it; docs/protocol/04 §1–§4, §10, §17.
//!
//! Machines and tables, one per idea: [`channel`] the transport and its retries, [`constraints`] what we ask for and are asked
//! for, [`source_maps`] the slots of SSRC rewriting, [`forwarded`] which sources reach us, [`ping`] end-to-end pings.

pub mod channel;
pub mod constraints;
pub mod forwarded;
pub mod ping;
pub mod source_maps;

pub use channel::{Channel, ChannelState, Offer, Transport};
pub use constraints::{AllConstraints, Receive, SenderHeights};
pub use forwarded::Forwarded;
pub use source_maps::{MapChange, Slot, SourceMaps};
