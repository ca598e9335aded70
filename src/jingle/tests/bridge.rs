//! The bridge session against recorded focuses.

use super::*;

/// The focus of the real captures.
const REAL: &str = "real@conference.meet.localhost";

/// A participant of a capture, with the room's address of that capture.
struct Guest {
    side: Side,
    room: &'static str,
}

impl Guest {
    fn new(room: &'static str, ep: &'static str, others: &[&str]) -> Guest {
        let mut side = Side::new(ep, 7);
        let at_room = |nick: &str| Jid::parse(&format!("{room}/{nick}")).unwrap();
        let conference = Conference {
            own: Some(at_room(ep)),
            focus: Some(at_room("focus")),
            participants: others
                .iter()
                .map(|o| Participant { jid: at_room(o), jigasi: false, poltergeist: false })
                .collect(),
            // Keeps peer to peer out of it.
            needs_bridge: true,
            ..Conference::default()
        };
        side.j.set_conference(conference, at(0));
        side.drain(at(0));
        Guest { side, room }
    }

    fn focus(&mut self, payload: &str, now: Time) -> Vec<Output> {
        let d = Document::parse_with(payload, ns::CLIENT, &Default::default()).unwrap();
        let from = Jid::parse(&format!("{}/focus", self.room)).unwrap();
        self.side.j.on_iq(&from, "id1", d.root(), now);
        self.side.drain(now)
    }
}

#[test]
fn a_recorded_offer_is_accepted_with_all_sources_below_four_kilobytes() {
    let mut g = Guest::new(REAL, "7759b137", &["560b777f"]);
    let mut sources = sources("7759b137", 101);
    sources[1].encodings = vec![(11, Some(12)), (13, Some(14)), (15, Some(16))];
    g.side.j.set_local_sources(sources);
    g.side.j.set_initial_last_n(Some(20));
    let offer = recorded("51-real-session-json-sources", 'A', false, "session-initiate");
    let out = g.focus(&offer, at(1));
    assert_eq!(kinds(&out), ["bridge-starting", "create", "description", "candidates", "added", "ack", "iq"]);
    let Output::CreateEngine { controlling: false, bridge: Some(bridge), .. } = &out[1] else { panic!("{out:?}") };
    assert_eq!((bridge.sctp_port, bridge.websockets.len(), bridge.region.as_deref()), (Some(5000), 1, None));
    assert!(bridge.id.is_some() && !format!("{bridge:?}").contains("pwd"));
    let Output::RemoteDescription { transport, negotiated, .. } = &out[2] else { panic!() };
    assert_eq!(transport.dtls, DtlsRole::Client);
    let pts: Vec<_> = negotiated.payloads.iter().map(|p| (p.codec, p.pt, p.rtx)).collect();
    assert_eq!(
        pts,
        [
            (Codec::Opus, 111, None),
            (Codec::TelephoneEvent, 126, None),
            (Codec::Av1, 41, Some(42)),
            (Codec::Vp8, 100, Some(96)),
            (Codec::H264, 107, Some(99)),
            (Codec::Vp9, 101, Some(97)),
        ]
    );
    assert_eq!(negotiated.payloads[4].parameter("packetization-mode"), Some("1"));
    assert_eq!(
        negotiated.extensions,
        ExtensionIds { audio_level: 1, abs_send_time: 3, transport_cc: 5, mid: 10, dependency_descriptor: 11 }
    );
    let p = payloads(&out).remove(0);
    assert!(p.len() < MAX_FRAME_BYTES - 160, "{}", p.len());
    let d = Document::parse(&p).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    assert_eq!((j.action, j.sources.len(), j.sources.groups().count()), (Action::SessionAccept, 7, 4));
    assert_eq!(j.contents.iter().map(|c| c.name).collect::<Vec<_>>(), ["audio", "video", "data"]);
    assert_eq!(j.contents[1].initial_last_n, Some(20));
    assert!(j.traceparent.is_some() && j.contents.iter().all(|c| c.transport.is_some()));
    assert!(j.contents.iter().flat_map(|c| &c.description).all(|d| d.payload_types.is_empty()));
    assert_eq!(g.side.j.session(SessionKind::Bridge).unwrap().1, SessionState::Active);
}
