//! The server in virtual time, spoken to as clients speak (captures 01, 02, 15, 17, 18, 41).

use super::*;
use crate::testkit::faults::JoinRefusal;
use crate::testkit::focus::Refusal;

const ROOM: &str = "r@conference.meet.localhost";

struct Bed {
    server: Server,
    now: Time,
    inbox: BTreeMap<ConnId, Vec<String>>,
    closed: Vec<Output>,
}

impl Bed {
    fn new() -> Bed {
        Bed::with(ServerOptions::default())
    }

    fn with(options: ServerOptions) -> Bed {
        let now = Time::new(1_000_000, 1_795_549_381_000_000);
        Bed { server: Server::new(options, Env::seeded(1)), now, inbox: BTreeMap::new(), closed: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(o) = self.server.poll_output() {
            match o {
                Output::Send(c, text) => self.inbox.entry(c).or_default().push(text),
                o => self.closed.push(o),
            }
        }
    }

    /// Sends a frame and returns what the same client got for it.
    fn say(&mut self, c: ConnId, text: &str) -> Vec<String> {
        self.server.receive(c, text, self.now);
        self.drain();
        self.got(c)
    }

    fn got(&mut self, c: ConnId) -> Vec<String> {
        std::mem::take(self.inbox.entry(c).or_default())
    }

    /// Logs in and returns the address.
    fn login(&mut self, c: ConnId) -> Jid {
        self.server.connected(c);
        let open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='meet.localhost' version='1.0'/>";
        let features = self.say(c, open);
        assert!(features[1].contains("<mechanism>ANONYMOUS</mechanism>"), "{features:?}");
        assert!(
            self.say(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>")[0]
                .contains("<success")
        );
        assert!(self.say(c, open)[1].contains("xmpp-bind"));
        let bound = self.say(c, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        let d = Document::parse(&bound[0]).unwrap();
        let bind = d.root().child("bind", ns::BIND).unwrap();
        Jid::parse(&bind.child_named("jid").unwrap().text()).unwrap()
    }

    fn request(&mut self, c: ConnId) -> Vec<String> {
        self.say(
            c,
            &format!(
                "<iq type='set' id='c' to='focus.meet.localhost'><conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}'/></iq>"
            ),
        )
    }

    fn join(&mut self, c: ConnId, nick: &str) -> Vec<String> {
        assert!(self.request(c)[0].contains("ready='true'"));
        self.join_with(c, nick, "")
    }

    fn join_with(&mut self, c: ConnId, nick: &str, x: &str) -> Vec<String> {
        let p = format!(
            "<presence to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'>{x}</x>\
             <nick xmlns='http://jabber.org/protocol/nick'>{nick}</nick><SourceInfo>{{}}</SourceInfo></presence>"
        );
        self.say(c, &p)
    }
}

#[test]
fn a_client_joins_and_becomes_moderator() {
    let mut b = Bed::new();
    let me = b.login(1);
    let got = b.join(1, "aaaa0000");
    assert!(
        got[0].contains(&format!("from='{ROOM}/focus'")) && got[0].contains("jid='focus@focus.meet.localhost/focus'")
    );
    assert!(got[1].contains("code='100'") && got[1].contains("code='110'") && got[1].contains(me.as_str()));
    assert!(got[1].contains("<SourceInfo>{}</SourceInfo>") && !got[1].contains("code='201'"));
    let promoted = got.iter().find(|s| s.contains("role='moderator'") && s.contains("aaaa0000")).unwrap();
    assert!(promoted.contains("affiliation='owner'") && promoted.contains("<actor nick='focus'/>"));
    assert!(got.iter().any(|s| s.contains("<subject")));
}

#[test]
fn two_clients_see_each_other_chat_and_leave() {
    let mut b = Bed::new();
    b.login(1);
    b.login(2);
    b.join(1, "aaaa0000");
    let second = b.join(2, "bbbb0000");
    let order: Vec<_> = second.iter().filter(|s| s.starts_with("<presence")).collect();
    assert!(order[0].contains("/aaaa0000'") && order[1].contains("/focus'") && order[2].contains("code='110'"));
    assert!(b.got(1)[0].contains(&format!("from='{ROOM}/bbbb0000'")));
    let own = b.say(1, &format!("<message to='{ROOM}' type='groupchat' id='m1'><body>hi</body></message>"));
    assert!(own[0].contains("id='m1'") && own[0].contains("<body>hi</body>"), "the room reflects messages");
    assert!(b.got(2)[0].contains(&format!("from='{ROOM}/aaaa0000'")));
    b.say(2, &format!("<message to='{ROOM}/aaaa0000' type='chat' id='p'><body>psst</body></message>"));
    let private = b.got(1);
    assert!(private[0].contains("type='chat'") && private[0].contains(&format!("from='{ROOM}/bbbb0000'")));
    let left = b.say(2, &format!("<presence type='unavailable' to='{ROOM}/bbbb0000'><status>bye</status></presence>"));
    assert!(left[0].contains("code='110'") && left[0].contains("<status>bye</status>"));
    assert!(b.got(1)[0].contains("type='unavailable'"));
    assert_eq!(b.server.endpoints("r"), ["aaaa0000"]);
}

#[test]
fn an_iq_between_occupants_comes_back_to_the_asker_under_its_own_id() {
    let mut b = Bed::new();
    b.login(1);
    b.login(2);
    b.join(1, "aaaa0000");
    b.join(2, "bbbb0000");
    b.got(1);
    b.say(1, &format!("<iq to='{ROOM}/bbbb0000' type='set' id='j1'><jingle xmlns='urn:xmpp:jingle:1' sid='s'/></iq>"));
    let request = b.got(2).remove(0);
    let d = Document::parse(&request).unwrap();
    assert_eq!(d.root().attr("from"), Some(&*format!("{ROOM}/aaaa0000")));
    let id = d.root().attr("id").unwrap();
    assert_ne!(id, "j1", "the room gives requests ids of its own");
    b.say(2, &format!("<iq to='{ROOM}/aaaa0000' type='result' id='{id}'/>"));
    let answer = b.got(1).remove(0);
    assert!(answer.contains("id='j1'") && answer.contains(&format!("from='{ROOM}/bbbb0000'")));
    b.say(2, &format!("<iq to='{ROOM}/aaaa0000' type='result' id='forged'/>"));
    assert!(b.got(1).is_empty());
}

#[test]
fn a_late_joiner_gets_history_with_stamps_and_the_subject() {
    let mut b = Bed::with(ServerOptions { history: 2, ..ServerOptions::default() });
    b.login(1);
    b.join(1, "aaaa0000");
    for text in ["one", "two", "three"] {
        b.say(1, &format!("<message to='{ROOM}' type='groupchat'><body>{text}</body></message>"));
    }
    b.say(1, &format!("<message to='{ROOM}' type='groupchat'><json-message xmlns='http://jitsi.org/jitmeet'>{{}}</json-message></message>"));
    b.say(1, &format!("<message to='{ROOM}' type='groupchat'><subject>Plan</subject></message>"));
    b.login(2);
    let got = b.join(2, "bbbb0000");
    let messages: Vec<_> = got.iter().filter(|s| s.starts_with("<message")).collect();
    assert_eq!(messages.len(), 3);
    assert!(messages[0].contains("two") && messages[0].contains("stamp='2026-11-24T19:43:01Z'"));
    assert!(messages[1].contains("three") && messages[2].contains("<subject>Plan</subject>"));
}

#[test]
fn kick_password_conflict_and_destruction_are_told_as_prosody_tells_them() {
    let mut b = Bed::new();
    b.login(1);
    b.login(2);
    b.join(1, "aaaa0000");
    assert!(b.request(2)[0].contains("ready='true'"));
    assert!(b.join_with(2, "aaaa0000", "")[0].contains("<conflict"));
    b.say(1, &format!(
        "<iq type='set' id='o' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
         <field var='muc#roomconfig_roomsecret'><value>s</value></field>\
         <field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field></x></query></iq>"
    ));
    assert!(b.join_with(2, "bbbb0000", "")[0].contains("<not-authorized"));
    let joined = b.join_with(2, "bbbb0000", "<password>s</password>");
    assert!(joined.iter().any(|s| s.contains("code='110'")));
    let kick = |nick: &str| {
        format!(
            "<iq type='set' id='k' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item nick='{nick}' role='none'><reason>bye</reason></item></query></iq>"
        )
    };
    assert!(b.say(2, &kick("aaaa0000"))[0].contains("<not-allowed"));
    b.say(1, &kick("bbbb0000"));
    let kicked = b.got(2);
    assert!(
        kicked[0].contains("code='307'")
            && kicked[0].contains("<actor nick='aaaa0000'/>")
            && kicked[0].contains("code='110'")
    );
    b.got(1);
    b.server.destroy_room("r", "over", b.now);
    b.drain();
    assert!(b.got(1)[0].contains("<destroy><reason>over</reason></destroy>"));
    assert!(b.server.endpoints("r").is_empty());
}

#[test]
fn the_room_answers_whom_it_was_asked_by() {
    let mut b = Bed::new();
    let me = b.login(1);
    b.join(1, "aaaa0000");
    let disco = b.say(
        1,
        &format!("<iq type='get' id='d' to='{ROOM}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"),
    );
    assert!(
        disco[0].contains("id='d'") && disco[0].contains(&format!("to='{me}'")) && disco[0].contains("muc_unsecured")
    );
    let form = b.say(
        1,
        &format!("<iq type='get' id='f' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>"),
    );
    assert!(form[0].contains("muc#roomconfig_roomsecret"));
}

#[test]
fn a_cut_connection_leaves_the_room_with_333() {
    let mut b = Bed::new();
    b.login(1);
    b.login(2);
    b.join(1, "aaaa0000");
    b.join(2, "bbbb0000");
    b.got(1);
    let conn = b.server.find("bbbb0000").unwrap();
    b.server.cut(conn, b.now);
    b.drain();
    assert_eq!(b.closed, [Output::Cut(2)]);
    assert!(b.got(1)[0].contains("code='333'"));
}

#[test]
fn the_moderator_leaves_and_the_next_one_is_made() {
    let mut b = Bed::new();
    b.login(1);
    b.login(2);
    b.join(1, "aaaa0000");
    b.join(2, "bbbb0000");
    b.say(1, &format!("<presence type='unavailable' to='{ROOM}/aaaa0000'/>"));
    assert!(b.got(2).iter().any(|s| s.contains("/bbbb0000'") && s.contains("role='moderator'")));
    b.say(2, "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    assert_eq!(b.closed, [Output::Close(2)]);
    assert!(b.server.rooms.is_empty(), "the focus leaves with the last participant");
}

#[test]
fn stanzas_are_counted_both_ways() {
    let mut b = Bed::new();
    b.login(1);
    assert!(b.say(1, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>")[0].contains("<enabled"));
    for i in 0..4 {
        assert_eq!(b.say(1, &format!("<iq type='get' id='{i}'><ping xmlns='urn:xmpp:ping'/></iq>")).len(), 1);
    }
    let fifth = b.say(1, "<iq type='get' id='5'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(fifth.len(), 2, "the fifth unacknowledged stanza is followed by a request");
    assert!(b.say(1, "<r xmlns='urn:xmpp:sm:3'/>")[0].contains("h='5'"));
    assert!(b.say(1, "<a xmlns='urn:xmpp:sm:3' h='5'/>").is_empty());
    assert!(b.say(1, "<a xmlns='urn:xmpp:sm:3' h='6'/>")[0].contains("stream:error"));
}

#[test]
fn what_breaks_the_stream_ends_it_with_its_error() {
    for (text, condition) in [
        ("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "not-authorized"),
        ("<iq", "not-well-formed"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='other' version='1.0'/>", "host-unknown"),
    ] {
        let mut b = Bed::new();
        b.server.connected(1);
        let got = b.say(1, text);
        assert!(got.iter().any(|s| s.contains(condition)), "{condition}: {got:?}");
        assert_eq!(b.closed, [Output::Close(1)]);
    }
}

#[test]
fn scripted_faults_do_what_they_say() {
    let mut b = Bed::new();
    b.login(1);
    b.server.faults.refuse_join = Some(JoinRefusal::members_only("r@lobby.meet.localhost", true));
    b.server.faults.refuse_join_times = Some(1);
    assert!(b.request(1)[0].contains("ready='true'"));
    let refused = b.join_with(1, "aaaa0000", "").remove(0);
    assert!(
        refused.contains("registration-required")
            && refused.contains("waiting-for-host")
            && refused.contains(">r@lobby.meet.localhost<")
    );
    assert!(b.join_with(1, "aaaa0000", "").iter().any(|s| s.contains("code='110'")));
    b.server.focus().unwrap().refuse(Some(Refusal::NotReady(1)));
    assert!(b.request(1)[0].contains("ready='false'"));
    assert!(b.request(1)[0].contains("ready='true'"));
    b.server.stop_focus(b.now);
    b.drain();
    assert!(b.got(1).iter().any(|s| s.contains("/focus'") && s.contains("unavailable")));
    assert!(b.request(1)[0].contains("service-unavailable"));
    b.server.start_focus(b.now);
    assert!(b.request(1).iter().any(|s| s.contains("ready='true'")));
    b.server.faults.refuse_login = Some(("not-allowed".into(), Some("token expired".into())));
    b.server.connected(2);
    b.say(2, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='meet.localhost' version='1.0'/>");
    let failure = b.say(2, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>").remove(0);
    assert!(failure.contains("<not-allowed/>") && failure.contains("token expired"));
    let conn = b.server.find("aaaa0000").unwrap();
    b.server.silence(conn, true);
    assert!(b.say(1, "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>").is_empty());
}

#[test]
fn two_clients_get_sessions_of_the_bridge_and_hear_of_each_others_sources() {
    let sessions = Some(crate::testkit::focus::SessionOptions::default());
    let mut b = Bed::with(ServerOptions { sessions, ..ServerOptions::default() });
    b.server.set_bridge(Box::new(crate::testkit::focus::DryBridge::new(Env::seeded(2))), b.now);
    let mut sids = Vec::new();
    for (conn, nick) in [(1, "aaaa0000"), (2, "bbbb0000")] {
        b.login(conn);
        let got = b.join(conn, nick);
        let ask = got.iter().find(|s| s.contains("disco#info")).expect("the focus asks what it can");
        let id = Document::parse(ask).unwrap().root().attr("id").unwrap().to_owned();
        let features = ["urn:xmpp:jingle:apps:rtp:audio", "http://jitsi.org/json-encoded-sources"];
        let features: String = features.iter().map(|f| format!("<feature var='{f}'/>")).collect();
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{features}</query>");
        b.say(conn, &format!("<iq type='result' to='{ROOM}/focus' id='{id}'>{query}</iq>"));
        b.drain();
    }
    // Both offers came with the second answer to disco, which took the second client's out of its inbox.
    for nick in ["aaaa0000", "bbbb0000"] {
        let focus = b.server.focus().unwrap();
        sids.push(focus.session_of(ROOM, nick).expect("a session").0.to_owned());
    }
    assert!(b.got(1).iter().any(|s| s.contains("session-initiate") && s.contains(&format!("from='{ROOM}/focus'"))));
    let accept = |sid: &str, nick: &str, ssrc: u32| {
        format!(
            "<iq type='set' to='{ROOM}/focus' id='acc'><jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='{sid}'>\
             <content name='audio'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
             <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{ssrc}' name='{nick}-a0'/></description></content></jingle></iq>"
        )
    };
    assert!(b.say(1, &accept(&sids[0], "aaaa0000", 1)).iter().any(|s| s.contains("type='result'")));
    let answers = b.say(2, &accept(&sids[1], "bbbb0000", 2));
    assert!(answers.iter().any(|s| s.contains("type='result'")));
    assert!(answers.iter().any(|s| s.contains("source-add") && s.contains("aaaa0000-a0")));
    assert!(b.got(1).iter().any(|s| s.contains("source-add") && s.contains("bbbb0000-a0")));
    b.server.kill_bridge(b.now);
    b.drain();
    let told = b.got(1);
    assert!(told.iter().any(|s| s.contains("moving")) && told.iter().any(|s| s.contains("bridgeNotAvailable")));
}
