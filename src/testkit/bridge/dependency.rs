//! The AV1 dependency descriptor on its way through the bridge: kept as it stands on packets that carry one
//! (docs/protocol/04 §6.4). str0m takes foreign header extensions through a trait.

use bytes::Bytes;
use str0m::rtp::{ExtensionSerializer, ExtensionValues};

/// The extension's name.
pub(super) const URI: &str = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// The bytes of one descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DependencyDescriptor(pub Bytes);

/// Reads and writes it unchanged.
#[derive(Debug)]
pub(super) struct Passthrough;

impl ExtensionSerializer for Passthrough {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(d) = ev.user_values.get::<DependencyDescriptor>() else { return 0 };
        let Some(room) = buf.get_mut(..d.0.len()) else { return 0 };
        room.copy_from_slice(&d.0);
        d.0.len()
    }

    fn parse_value(&self, buf: &[u8], ev: &mut ExtensionValues) -> bool {
        ev.user_values.set(DependencyDescriptor(Bytes::copy_from_slice(buf)));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, ev: &ExtensionValues) -> bool {
        ev.user_values.get::<DependencyDescriptor>().is_some_and(|d| d.0.len() > 16)
    }
}
