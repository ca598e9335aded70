//! jmeet: a native Jitsi participant as one library.
//!
//! Layers (each uses only those before it): [`wire`] → [`xmpp`] → [`jingle`], [`bridge`], [`media`] → conference, engine →
//! meeting → client → ffi. See `docs/architecture.md`.

pub mod bridge;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
pub mod conference;
#[cfg(feature = "media")]
pub mod engine;
pub mod env;
pub mod error;
mod few;
#[cfg(feature = "capi")]
pub mod ffi;
pub mod jingle;
pub mod log;
pub mod media;
pub mod meeting;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod time;
pub mod wire;
pub mod xmpp;

pub use env::Env;
pub use error::{Code, Error, Stage};

pub use time::Time;
