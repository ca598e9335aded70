//! The conference request to the focus and its answer; docs/protocol/01 §7.2, §7.3.

use super::{Element, Jid, XmlWriter, ns};

/// The content of a conference request.
#[derive(Clone, PartialEq, Eq)]
pub struct ConferenceRequest<'a> {
    pub room: &'a Jid,
    pub machine_uid: &'a str,
    /// Session from an earlier answer; empty for none.
    pub session_id: &'a str,
    /// JWT; empty for none.
    pub token: &'a str,
}

impl ConferenceRequest<'_> {
    /// Writes the payload of the iq.
    pub fn write(&self) -> String {
        let mut w = XmlWriter::new();
        let some = |s: &'static str, v| (s, Some(v).filter(|v: &&str| !v.is_empty()));
        w.open("conference", ns::FOCUS).attr("room", self.room.as_str()).attr("machine-uid", self.machine_uid);
        for (name, value) in [some("token", self.token), some("session-id", self.session_id)] {
            w.attr_opt(name, value);
        }
        // The server records call statistics unless told not to; visitors-version says that we understand `vnode`.
        for (name, value) in [("rtcstatsEnabled", "false"), ("visitors-version", "1")] {
            w.open_same("property").attr("name", name).attr("value", value).close();
        }
        w.finish()
    }
}

/// The answer of the focus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceAnswer {
    pub ready: bool,
    pub focus_jid: Option<Jid>,
    pub session_id: Option<String>,
    pub identity: Option<String>,
    /// Visitor node to go to instead.
    pub vnode: Option<String>,
    /// Property `live` was not `false`.
    pub live: bool,
    pub authentication: bool,
    pub sip_gateway: bool,
    pub visitors_supported: bool,
}

impl ConferenceAnswer {
    /// Reads the `conference` element; None for another one.
    pub fn read(e: Element<'_>) -> Option<ConferenceAnswer> {
        if !e.is("conference", ns::FOCUS) {
            return None;
        }
        let property = |name: &str| {
            let mut all = e.children().filter(|c| c.name() == "property");
            all.find(|p| p.attr("name") == Some(name)).and_then(|p| p.attr("value"))
        };
        let text = |name| e.attr(name).filter(|v| !v.is_empty()).map(str::to_owned);
        Some(ConferenceAnswer {
            ready: e.attr("ready") == Some("true"),
            focus_jid: e.attr("focusjid").and_then(|j| Jid::parse(j).ok()),
            session_id: text("session-id"),
            identity: text("identity"),
            vnode: text("vnode"),
            live: property("live") != Some("false"),
            authentication: property("authentication") == Some("true"),
            sip_gateway: property("sipGatewayEnabled") == Some("true"),
            visitors_supported: property("visitors-supported") == Some("true"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    #[test]
    fn the_request_is_what_a_recorded_client_sent() {
        let room = Jid::parse("p2p@conference.meet.localhost").unwrap();
        let mut r = ConferenceRequest { room: &room, machine_uid: "9d4b", session_id: "", token: "" };
        assert_eq!(
            r.write(),
            "<conference xmlns='http://jitsi.org/protocol/focus' room='p2p@conference.meet.localhost' machine-uid='9d4b'>\
             <property name='rtcstatsEnabled' value='false'/><property name='visitors-version' value='1'/></conference>"
        );
        (r.session_id, r.token) = ("s", "t");
        assert!(r.write().contains("token='t' session-id='s'"));
    }

    #[test]
    fn the_answer_is_read_with_its_properties() {
        let doc = Document::parse(
            "<conference xmlns='http://jitsi.org/protocol/focus' ready='true' focusjid='focus@auth.x' vnode='v1' session-id=''>\
             <property name='live' value='false'/><property name='visitors-supported' value='true'/></conference>",
        )
        .unwrap();
        let a = ConferenceAnswer::read(doc.root()).unwrap();
        assert!(a.ready && !a.live && a.visitors_supported && !a.authentication);
        assert_eq!((a.vnode.as_deref(), a.session_id), (Some("v1"), None));
        assert_eq!(a.focus_jid.unwrap().as_str(), "focus@auth.x");
        assert_eq!(ConferenceAnswer::read(Document::parse("<conference/>").unwrap().root()), None);
    }
}
