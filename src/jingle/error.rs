//! The errors that Jingle requests are answered with (XEP-0166 §10, docs/protocol/02 §3.2).

use crate::wire::{Condition, ErrorType, IqType, Jid, StanzaError, ns, stanza};

/// Why a request is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IqRefusal {
    /// No such session, or not with this sender.
    UnknownSession,
    /// A session of this id exists.
    DuplicateSession,
    /// An action that nobody knows, or that makes no sense here.
    UnknownAction,
    /// An action that is not implemented.
    NotImplemented,
}

impl IqRefusal {
    /// The condition's name.
    pub fn as_str(self) -> &'static str {
        self.error().condition.as_str()
    }

    fn error(self) -> StanzaError {
        let condition = match self {
            IqRefusal::UnknownSession => Condition::ItemNotFound,
            IqRefusal::DuplicateSession => Condition::ServiceUnavailable,
            IqRefusal::UnknownAction => Condition::BadRequest,
            IqRefusal::NotImplemented => Condition::FeatureNotImplemented,
        };
        let error = StanzaError { kind: ErrorType::Cancel, ..StanzaError::new(condition) };
        match self {
            IqRefusal::UnknownSession => error.with_application("unknown-session", ns::JINGLE_ERRORS),
            _ => error,
        }
    }

    /// The whole answer.
    pub(super) fn reply(self, to: &Jid, id: &str) -> String {
        let mut w = stanza::iq(IqType::Error, Some(to.as_str()), id);
        self.error().write(&mut w);
        w.finish()
    }
}

/// The acknowledgement.
pub(super) fn acknowledge(to: &Jid, id: &str) -> String {
    stanza::iq(IqType::Result, Some(to.as_str()), id).finish()
}
