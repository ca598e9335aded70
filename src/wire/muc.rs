//! Multi-user chat (XEP-0045): what a room says about its occupants, and what is asked of it as moderator or owner;
//! docs/protocol/03 §4.4, §4.6, §9, §10.

use super::{Element, Jid, XmlWriter, ns};

/// Status codes kept of one stanza (default 16).
pub const MAX_STATUSES: usize = 16;
/// Fields kept of a configuration form (default 128); Prosody's has about thirty.
pub const MAX_FORM_FIELDS: usize = 128;

/// An occupant's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MucRole {
    #[default]
    None,
    Visitor,
    Participant,
    Moderator,
}

impl MucRole {
    /// The value of the `role` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            MucRole::None => "none",
            MucRole::Visitor => "visitor",
            MucRole::Participant => "participant",
            MucRole::Moderator => "moderator",
        }
    }

    /// The role of this name; a missing or unknown one counts as none (§6.1).
    pub fn parse(s: &str) -> MucRole {
        match s {
            "moderator" => MucRole::Moderator,
            "participant" => MucRole::Participant,
            "visitor" => MucRole::Visitor,
            _ => MucRole::None,
        }
    }
}

/// A long-lived standing towards the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Affiliation {
    #[default]
    None,
    Outcast,
    Member,
    Admin,
    Owner,
}

impl Affiliation {
    /// The value of the `affiliation` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Affiliation::None => "none",
            Affiliation::Outcast => "outcast",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }

    /// The affiliation of this name; a missing or unknown one counts as none.
    pub fn parse(s: &str) -> Affiliation {
        match s {
            "owner" => Affiliation::Owner,
            "admin" => Affiliation::Admin,
            "member" => Affiliation::Member,
            "outcast" => Affiliation::Outcast,
            _ => Affiliation::None,
        }
    }
}

/// The `item` of a muc#user element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub affiliation: Affiliation,
    pub role: MucRole,
    /// The real address, bare or full, where the room shows it.
    pub jid: Option<Jid>,
    /// The new nickname (status 303).
    pub nick: Option<String>,
    /// Nickname of who did it, or their bare address where no nickname was told; empty when unknown.
    pub actor: String,
    pub reason: String,
}

/// The room is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destroy {
    /// Where the conversation goes on.
    pub alternative: Option<Jid>,
    pub reason: String,
}

/// Everything the room's own muc#user element says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MucUser {
    pub item: Option<Item>,
    pub statuses: Vec<u16>,
    pub destroy: Option<Destroy>,
}

impl MucUser {
    /// Reads the muc#user element of a presence or message; empty when it has none.
    pub fn read(stanza: Element<'_>) -> MucUser {
        let mut user = MucUser::default();
        let Some(x) = stanza.child("x", ns::MUC_USER) else { return user };
        for child in x.children().filter(|c| c.ns() == ns::MUC_USER) {
            match child.name() {
                "item" if user.item.is_none() => user.item = Some(read_item(child)),
                "status" if user.statuses.len() < MAX_STATUSES => {
                    user.statuses.extend(child.attr("code").and_then(|c| c.parse::<u16>().ok()));
                }
                "destroy" if user.destroy.is_none() => {
                    user.destroy = Some(Destroy {
                        alternative: child.attr("jid").and_then(|j| Jid::parse(j).ok()),
                        reason: child_text(child, "reason"),
                    });
                }
                _ => {}
            }
        }
        user
    }

    /// Whether this status code is there.
    pub fn has(&self, status: u16) -> bool {
        self.statuses.contains(&status)
    }
}

fn read_item(item: Element<'_>) -> Item {
    let actor = item.child("actor", ns::MUC_USER);
    let actor = actor.and_then(|a| a.attr("nick").or_else(|| a.attr("jid"))).unwrap_or("");
    Item {
        affiliation: Affiliation::parse(item.attr("affiliation").unwrap_or("")),
        role: MucRole::parse(item.attr("role").unwrap_or("")),
        jid: item.attr("jid").and_then(|j| Jid::parse(j).ok()),
        nick: item.attr("nick").map(str::to_owned),
        actor: actor.to_owned(),
        reason: child_text(item, "reason"),
    }
}

fn child_text(e: Element<'_>, name: &str) -> String {
    e.child_named(name).map_or(String::new(), |c| c.text().into_owned())
}

/// Writes the element that makes a presence a join; the password only when there is one (§4.4). `history`: of so many seconds, instead
/// of what the room tells to everyone.
pub fn write_join(w: &mut XmlWriter, password: &str, history: Option<u64>) {
    w.open("x", ns::MUC);
    if !password.is_empty() {
        w.leaf("password", ns::MUC, password);
    }
    if let Some(seconds) = history {
        w.open("history", ns::MUC).attr_of("seconds", seconds).close();
    }
    w.close();
}

/// Changes the role of an occupant; `none` kicks (§10.2).
pub fn set_role(nick: &str, role: MucRole, reason: &str) -> String {
    admin_item(("nick", nick), ("role", role.as_str()), reason)
}

/// Changes the affiliation of a real address (§10.1).
pub fn set_affiliation(jid: &Jid, affiliation: Affiliation) -> String {
    admin_item(("jid", jid.bare_str()), ("affiliation", affiliation.as_str()), "")
}

fn admin_item(who: (&str, &str), what: (&str, &str), reason: &str) -> String {
    let mut w = XmlWriter::new();
    w.open("query", ns::MUC_ADMIN).open_same("item").attr(who.0, who.1).attr(what.0, what.1);
    if !reason.is_empty() {
        w.leaf("reason", ns::MUC_ADMIN, reason);
    }
    w.finish()
}

/// Asks for the room's configuration form.
pub fn owner_query() -> String {
    let mut w = XmlWriter::new();
    w.open("query", ns::MUC_OWNER);
    w.finish()
}

/// The names of the fields in a configuration form, to see what the server knows; empty for another element.
pub fn owner_form_fields(query: Element<'_>) -> Vec<String> {
    let form = query.is("query", ns::MUC_OWNER).then(|| query.child("x", ns::DATA)).flatten();
    let fields = form.into_iter().flat_map(Element::children).filter(|c| c.is("field", ns::DATA));
    fields.filter_map(|f| f.attr("var")).take(MAX_FORM_FIELDS).map(str::to_owned).collect()
}

/// Submits these fields of the room's configuration, each with its values.
pub fn owner_submit(fields: &[(&str, &[&str])]) -> String {
    let mut w = XmlWriter::new();
    w.open("query", ns::MUC_OWNER).open("x", ns::DATA).attr("type", "submit");
    let form_type = ("FORM_TYPE", &[ns::MUC_ROOMCONFIG] as &[&str]);
    for (name, values) in std::iter::once(&form_type).chain(fields) {
        w.open_same("field").attr("var", name);
        for value in *values {
            w.leaf("value", ns::DATA, value);
        }
        w.close();
    }
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    #[test]
    fn item_status_actor_and_destroy_are_read() {
        let doc = Document::parse(
            "<presence xmlns='jabber:client'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/>\
             <item affiliation='owner' role='moderator' jid='A@x/y'><actor nick='4c0f1a2b'/><reason>bye</reason></item>\
             <status code='307'/><status code='x'/><destroy jid='r@c'><reason>over</reason></destroy></x></presence>",
        )
        .unwrap();
        let user = MucUser::read(doc.root());
        assert_eq!(user.statuses, [110, 307]);
        let item = user.item.unwrap();
        assert_eq!((item.role, item.affiliation), (MucRole::Moderator, Affiliation::Owner));
        assert_eq!((item.actor.as_str(), item.reason.as_str()), ("4c0f1a2b", "bye"));
        assert_eq!(item.jid.unwrap().as_str(), "a@x/y");
        assert_eq!(user.destroy.unwrap().reason, "over");
    }

    #[test]
    fn statuses_past_the_limit_are_passed_over() {
        let codes = "<status code='1'/>".repeat(MAX_STATUSES + 1);
        let text = format!("<p><x xmlns='http://jabber.org/protocol/muc#user'>{codes}</x></p>");
        assert_eq!(MucUser::read(Document::parse(&text).unwrap().root()).statuses.len(), MAX_STATUSES);
    }

    #[test]
    fn requests_of_moderator_and_owner_read_back() {
        let kick = set_role("4c0f1a2b", MucRole::None, "Bye & out");
        assert_eq!(
            kick,
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='4c0f1a2b' role='none'>\
             <reason>Bye &amp; out</reason></item></query>"
        );
        let grant = set_affiliation(&Jid::parse("a@b/c").unwrap(), Affiliation::Owner);
        assert!(grant.contains("jid='a@b' affiliation='owner'"), "{grant}");
        let submit = owner_submit(&[("muc#roomconfig_whois", &["anyone"])]);
        let doc = Document::parse(&submit).unwrap();
        assert_eq!(owner_form_fields(doc.root()), ["FORM_TYPE", "muc#roomconfig_whois"]);
    }

    #[test]
    fn form_fields_past_the_limit_are_passed_over() {
        for (n, kept) in [(MAX_FORM_FIELDS, MAX_FORM_FIELDS), (MAX_FORM_FIELDS + 1, MAX_FORM_FIELDS)] {
            let fields = "<field var='a'/>".repeat(n);
            let text = format!("<query xmlns='{}'><x xmlns='{}'>{fields}</x></query>", ns::MUC_OWNER, ns::DATA);
            assert_eq!(owner_form_fields(Document::parse(&text).unwrap().root()).len(), kept);
        }
    }
}
