//! Layer 1: values ⇄ bytes. XML tree and writer, addresses, and one file per kind of stanza content. No state, no I/O.

pub mod jid;
pub mod ns;
pub mod xml;
pub mod xml_writer;

pub use jid::{Jid, JidError};
pub use xml::{Document, Element, XmlError, XmlLimits};
pub use xml_writer::XmlWriter;
