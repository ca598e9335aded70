//! Layer 1: values ⇄ bytes. XML tree and writer, addresses, and one file per kind of stanza content. No state, no I/O.

pub mod bind;
pub mod colibri;
pub mod conference_request;
pub mod disco;
pub mod extdisco;
pub mod features;
pub mod framing;
pub mod jid;
pub mod jingle;
pub mod message;
pub mod muc;
pub mod mute;
pub mod ns;
pub mod presence;
pub mod sasl;
pub mod sm;
pub mod source_info;
pub mod stanza;
pub mod stream_error;
pub mod xml;
pub mod xml_writer;

pub use jid::{Jid, JidError};
pub use stanza::{Condition, ErrorType, IqType, Stanza, StanzaError, StanzaKind};
pub use xml::{Document, Element, XmlError, XmlLimits};
pub use xml_writer::XmlWriter;
