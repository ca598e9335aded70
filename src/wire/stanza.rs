//! The envelope of iq, message and presence (RFC 6120 §8), their errors, and replies to them.
//!
//! Errors are read as servers really send them: without a condition, with only the old numeric `code`, with an
//! application condition beside the defined one (docs/protocol/01 §7.6, §11.6).

use super::{Element, Jid, XmlWriter, ns};

/// Attributes kept of an application-specific error condition (default 8); more are passed over.
pub const MAX_CONDITION_ATTRIBUTES: usize = 8;

/// Which of the three stanzas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StanzaKind {
    Iq,
    Message,
    Presence,
}

impl StanzaKind {
    /// The element name.
    pub fn as_str(self) -> &'static str {
        match self {
            StanzaKind::Iq => "iq",
            StanzaKind::Message => "message",
            StanzaKind::Presence => "presence",
        }
    }
}

/// The four types of an iq.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqType {
    Get,
    Set,
    Result,
    Error,
}

impl IqType {
    /// The value of the `type` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            IqType::Get => "get",
            IqType::Set => "set",
            IqType::Result => "result",
            IqType::Error => "error",
        }
    }

    /// The type with this name.
    pub fn parse(s: &str) -> Option<IqType> {
        Some(match s {
            "get" => IqType::Get,
            "set" => IqType::Set,
            "result" => IqType::Result,
            "error" => IqType::Error,
            _ => return None,
        })
    }
}

/// A view of one stanza: the envelope's attributes over the parsed element.
#[derive(Clone, Copy, Debug)]
pub struct Stanza<'a> {
    kind: StanzaKind,
    element: Element<'a>,
}

impl<'a> Stanza<'a> {
    /// The stanza this element is, if it is one (`jabber:client`, or `jabber:component:accept` for the focus side).
    pub fn read(element: Element<'a>) -> Option<Stanza<'a>> {
        if element.ns() != ns::CLIENT && element.ns() != ns::COMPONENT {
            return None;
        }
        let kind = match element.name() {
            "iq" => StanzaKind::Iq,
            "message" => StanzaKind::Message,
            "presence" => StanzaKind::Presence,
            _ => return None,
        };
        Some(Stanza { kind, element })
    }

    /// Which stanza it is.
    pub fn kind(self) -> StanzaKind {
        self.kind
    }

    /// The element itself.
    pub fn element(self) -> Element<'a> {
        self.element
    }

    /// The `type` attribute, empty when there is none (a plain message, an available presence).
    pub fn type_str(self) -> &'a str {
        self.element.attr("type").unwrap_or("")
    }

    /// The type of an iq; none for other stanzas and for types that do not exist.
    pub fn iq_type(self) -> Option<IqType> {
        (self.kind == StanzaKind::Iq).then(|| IqType::parse(self.type_str())).flatten()
    }

    /// Whether this is an iq that wants an answer.
    pub fn is_request(self) -> bool {
        matches!(self.iq_type(), Some(IqType::Get | IqType::Set))
    }

    /// The `id` attribute.
    pub fn id(self) -> Option<&'a str> {
        self.element.attr("id")
    }

    /// The sender's address. None when absent **or** not an address; [`Stanza::from_str`] tells the two apart.
    pub fn from(self) -> Option<Jid> {
        self.from_str().and_then(|s| Jid::parse(s).ok())
    }

    /// The `from` attribute as it stands.
    pub fn from_str(self) -> Option<&'a str> {
        self.element.attr("from")
    }

    /// The receiver's address, when present and well-formed.
    pub fn to(self) -> Option<Jid> {
        self.element.attr("to").and_then(|s| Jid::parse(s).ok())
    }

    /// The first child that is not the error: the payload of an iq.
    pub fn payload(self) -> Option<Element<'a>> {
        let stanza_ns = self.element.ns();
        self.element.children().find(|c| !c.is("error", stanza_ns))
    }

    /// The error, if the stanza's type is `error`. A missing `<error/>` reads as `undefined-condition`.
    pub fn error(self) -> Option<StanzaError> {
        if self.type_str() != "error" {
            return None;
        }
        // Some servers leave the error in no namespace or in that of the request (§7.6).
        Some(self.element.child_named("error").map_or_else(StanzaError::default, StanzaError::read))
    }
}

/// What the sender of an error advises to do (RFC 6120 §8.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ErrorType {
    Auth,
    #[default]
    Cancel,
    Continue,
    Modify,
    Wait,
}

impl ErrorType {
    /// The value of the `type` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Continue => "continue",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        }
    }

    fn parse(s: &str) -> Option<ErrorType> {
        Some(match s {
            "auth" => ErrorType::Auth,
            "cancel" => ErrorType::Cancel,
            "continue" => ErrorType::Continue,
            "modify" => ErrorType::Modify,
            "wait" => ErrorType::Wait,
            _ => return None,
        })
    }
}

macro_rules! conditions {
    ($($name:ident $text:literal $kind:ident $code:literal,)*) => {
        /// The defined conditions (RFC 6120 §8.3.3). What none of them fits is `UndefinedCondition`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Condition { $($name,)* #[default] UndefinedCondition }

        impl Condition {
            /// The element name.
            pub fn as_str(self) -> &'static str {
                match self { $(Condition::$name => $text,)* Condition::UndefinedCondition => "undefined-condition" }
            }

            /// The condition with this element name.
            pub fn parse(s: &str) -> Option<Condition> {
                Some(match s {
                    $($text => Condition::$name,)*
                    "undefined-condition" => Condition::UndefinedCondition,
                    _ => return None,
                })
            }

            /// The type of error that RFC 6120 gives it.
            pub fn usual_type(self) -> ErrorType {
                match self { $(Condition::$name => ErrorType::$kind,)* Condition::UndefinedCondition => ErrorType::Cancel }
            }

            /// The condition that an old numeric code stands for (XEP-0086); the first of the table for codes with several.
            fn from_code(code: u16) -> Option<Condition> {
                $(if code == $code { return Some(Condition::$name); })*
                None
            }
        }
    };
}

// Code 0: the condition has none of its own, or one that belongs to a condition above it.
conditions! {
    BadRequest "bad-request" Modify 400,
    NotAuthorized "not-authorized" Auth 401,
    Forbidden "forbidden" Auth 403,
    ItemNotFound "item-not-found" Cancel 404,
    NotAllowed "not-allowed" Cancel 405,
    NotAcceptable "not-acceptable" Modify 406,
    RegistrationRequired "registration-required" Auth 407,
    Conflict "conflict" Cancel 409,
    InternalServerError "internal-server-error" Cancel 500,
    FeatureNotImplemented "feature-not-implemented" Cancel 501,
    ServiceUnavailable "service-unavailable" Cancel 503,
    RemoteServerTimeout "remote-server-timeout" Wait 504,
    Gone "gone" Cancel 302,
    JidMalformed "jid-malformed" Modify 0,
    PolicyViolation "policy-violation" Modify 0,
    RecipientUnavailable "recipient-unavailable" Wait 0,
    Redirect "redirect" Modify 0,
    RemoteServerNotFound "remote-server-not-found" Cancel 0,
    ResourceConstraint "resource-constraint" Wait 0,
    SubscriptionRequired "subscription-required" Auth 0,
    UnexpectedRequest "unexpected-request" Wait 0,
}

/// An application's own condition beside the defined one: `session-invalid`, `reservation-error`, Jingle's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationCondition {
    pub name: String,
    pub ns: String,
    /// Its attributes, at most [`MAX_CONDITION_ATTRIBUTES`].
    pub attrs: Vec<(String, String)>,
}

impl ApplicationCondition {
    /// A condition without attributes.
    pub fn new(name: &str, ns: &str) -> ApplicationCondition {
        ApplicationCondition { name: name.into(), ns: ns.into(), attrs: Vec::new() }
    }

    /// The value of one of its attributes.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// The error of a stanza.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StanzaError {
    pub kind: ErrorType,
    pub condition: Condition,
    /// For people; may be empty.
    pub text: String,
    pub application: Option<ApplicationCondition>,
    /// The old numeric code, where one was sent.
    pub code: Option<u16>,
}

impl StanzaError {
    /// An error of this condition with its usual type.
    pub fn new(condition: Condition) -> StanzaError {
        StanzaError { kind: condition.usual_type(), condition, ..StanzaError::default() }
    }

    /// The same with a text for people.
    pub fn with_text(mut self, text: impl Into<String>) -> StanzaError {
        self.text = text.into();
        self
    }

    /// The same with an application condition.
    pub fn with_application(mut self, name: &str, ns: &str) -> StanzaError {
        self.application = Some(ApplicationCondition::new(name, ns));
        self
    }

    /// Reads an `<error/>` element.
    pub fn read(error: Element<'_>) -> StanzaError {
        let mut condition = None;
        let mut text = None;
        let mut application = None;
        for child in error.children() {
            // Jicofo's stand-ins and old components leave the namespace of condition and text away.
            let defined = child.ns() == ns::STANZA_ERRORS || child.ns() == error.ns();
            if defined && child.name() == "text" {
                text.get_or_insert_with(|| child.text().into_owned());
            } else if let (true, Some(c)) = (defined, Condition::parse(child.name())) {
                condition.get_or_insert(c);
            } else if application.is_none() {
                let attrs = child.attrs().take(MAX_CONDITION_ATTRIBUTES);
                application = Some(ApplicationCondition {
                    name: child.name().to_owned(),
                    ns: child.ns().to_owned(),
                    attrs: attrs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
                });
            }
        }
        let code = error.attr("code").and_then(|c| c.parse().ok());
        let condition = condition.or_else(|| Condition::from_code(code.filter(|c| *c != 0)?)).unwrap_or_default();
        let kind = error.attr("type").and_then(ErrorType::parse).unwrap_or(condition.usual_type());
        StanzaError { kind, condition, text: text.unwrap_or_default(), application, code }
    }

    /// Writes the `<error/>` element into an open stanza.
    pub fn write(&self, w: &mut XmlWriter) {
        w.open_same("error").attr("type", self.kind.as_str());
        if let Some(code) = self.code {
            w.attr_of("code", code);
        }
        w.open(self.condition.as_str(), ns::STANZA_ERRORS).close();
        if !self.text.is_empty() {
            w.leaf("text", ns::STANZA_ERRORS, &self.text);
        }
        if let Some(a) = &self.application {
            w.open(&a.name, &a.ns);
            for (n, v) in &a.attrs {
                w.attr(n, v);
            }
            w.close();
        }
        w.close();
    }
}

impl std::fmt::Display for StanzaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.application.as_ref().map_or(self.condition.as_str(), |a| &a.name))?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// Opens an iq; the payload is written into what this returns.
pub fn iq(kind: IqType, to: Option<&str>, id: &str) -> XmlWriter {
    let mut w = XmlWriter::stanza("iq");
    w.attr("type", kind.as_str()).attr_opt("to", to).attr("id", id);
    w
}

/// Opens the result of a request, addressed to its sender; finish it at once for an empty one. None for a stanza that
/// takes no answer.
pub fn result_of(request: Stanza<'_>) -> Option<XmlWriter> {
    answer(request, IqType::Result)
}

/// The error answer to a request. None for a stanza that takes no answer.
pub fn error_of(request: Stanza<'_>, error: &StanzaError) -> Option<String> {
    let mut w = answer(request, IqType::Error)?;
    error.write(&mut w);
    Some(w.finish())
}

/// What a request gets for which nobody is there: `service-unavailable` (RFC 6120 §8.2.3, docs/protocol/01 §1.5), or
/// `bad-request` when it does not even have exactly one payload.
pub fn reply_unhandled(request: Stanza<'_>) -> Option<String> {
    let condition = match request.element().children().count() {
        1 => Condition::ServiceUnavailable,
        _ => Condition::BadRequest,
    };
    error_of(request, &StanzaError::new(condition))
}

fn answer(request: Stanza<'_>, kind: IqType) -> Option<XmlWriter> {
    // An answer to an answer would bounce for ever, and one without id reaches nobody.
    let id = request.id().filter(|_| request.is_request())?;
    Some(iq(kind, request.from_str(), id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn error_in(xml: &str) -> StanzaError {
        let d = Document::parse_with(
            &format!("<iq type='error' id='1'>{xml}</iq>"),
            ns::CLIENT,
            &crate::wire::XmlLimits::default(),
        );
        Stanza::read(d.unwrap().root()).unwrap().error().unwrap()
    }

    #[test]
    fn the_envelope_is_read() {
        let d = Document::parse(
            "<iq xmlns='jabber:client' type='set' id='a' from='R@c.x/f' to='u@x/y'><q xmlns='urn:q'/></iq>",
        );
        let d = d.unwrap();
        let s = Stanza::read(d.root()).unwrap();
        assert_eq!(
            (s.kind(), s.iq_type(), s.id(), s.is_request()),
            (StanzaKind::Iq, Some(IqType::Set), Some("a"), true)
        );
        assert_eq!(s.from().unwrap().as_str(), "r@c.x/f");
        assert_eq!(s.to().unwrap().as_str(), "u@x/y");
        assert!(s.payload().unwrap().is("q", "urn:q"));
        assert_eq!(s.error(), None);
        for other in ["<iq xmlns='urn:other'/>", "<body xmlns='jabber:client'/>"] {
            assert!(Stanza::read(Document::parse(other).unwrap().root()).is_none(), "{other}");
        }
    }

    #[test]
    fn errors_are_read_as_servers_send_them() {
        let e = error_in(
            "<error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>why</text>\
             <session-invalid xmlns='http://jitsi.org/protocol/focus'/></error>",
        );
        assert_eq!((e.kind, e.condition, &*e.text), (ErrorType::Auth, Condition::NotAuthorized, "why"));
        assert_eq!(e.application, Some(ApplicationCondition::new("session-invalid", ns::FOCUS)));
        // No condition at all, only a code; nothing at all; an application condition alone.
        assert_eq!(error_in("<error code='404'/>").condition, Condition::ItemNotFound);
        assert_eq!(error_in("<error code='0'/>").condition, Condition::UndefinedCondition);
        assert_eq!(error_in("<error/>"), StanzaError::default());
        assert_eq!(error_in(""), StanzaError::default());
        let e = error_in(
            "<error type='cancel'><reservation-error xmlns='http://jitsi.org/protocol/focus' error-code='409'/></error>",
        );
        assert_eq!(e.application.as_ref().and_then(|a| a.attr("error-code")), Some("409"));
        assert_eq!(e.to_string(), "reservation-error");
    }

    #[test]
    fn attributes_of_an_application_condition_are_bounded() {
        let attrs = |n: usize| (0..n).map(|i| format!(" a{i}='1'")).collect::<String>();
        let kept =
            |n| error_in(&format!("<error><x xmlns='urn:x'{}/></error>", attrs(n))).application.unwrap().attrs.len();
        assert_eq!(kept(MAX_CONDITION_ATTRIBUTES), MAX_CONDITION_ATTRIBUTES);
        assert_eq!(kept(MAX_CONDITION_ATTRIBUTES + 1), MAX_CONDITION_ATTRIBUTES);
    }

    #[test]
    fn an_error_written_is_read_back_the_same() {
        let e = StanzaError { code: Some(403), ..StanzaError::new(Condition::Forbidden) }
            .with_text("no <way>")
            .with_application("unknown-session", ns::JINGLE_ERRORS);
        let d = Document::parse("<iq xmlns='jabber:client' type='get' id='7' from='a@b/c'><q xmlns='urn:q'/></iq>")
            .unwrap();
        let answer = error_of(Stanza::read(d.root()).unwrap(), &e).unwrap();
        let d = Document::parse(&answer).unwrap();
        let s = Stanza::read(d.root()).unwrap();
        assert_eq!((s.id(), s.to().unwrap().as_str()), (Some("7"), "a@b/c"));
        assert_eq!(s.error(), Some(e));
    }

    #[test]
    fn only_requests_are_answered() {
        let reply = |xml: &str| reply_unhandled(Stanza::read(Document::parse(xml).unwrap().root()).unwrap());
        assert_eq!(
            reply("<iq xmlns='jabber:client' type='get' id='1'><q xmlns='urn:q'/></iq>").as_deref(),
            Some(
                "<iq xmlns='jabber:client' type='error' id='1'><error type='cancel'>\
                  <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            )
        );
        assert!(reply("<iq xmlns='jabber:client' type='set' id='1'/>").unwrap().contains("bad-request"));
        for silent in [
            "<iq xmlns='jabber:client' type='result' id='1'/>",
            "<iq xmlns='jabber:client' type='error' id='1'/>",
            "<iq xmlns='jabber:client' type='get'><q xmlns='urn:q'/></iq>",
            "<message xmlns='jabber:client' type='get' id='1'/>",
        ] {
            assert_eq!(reply(silent), None, "{silent}");
        }
    }
}
