//! Entry points for bytes from an enemy: plain functions, run by a seeded mutator on stable (`tests/fuzz_corpus.rs`) and by
//! libFuzzer (`fuzz/`). None may panic, loop or grow without bound, whatever it gets; some promise more and check it.

use super::World;
use crate::bridge::ping::Ping;
use crate::bridge::source_maps::{MAX_EMPTY_SLOTS, MAX_SLOTS};
use crate::bridge::stats::of_message;
use crate::bridge::{Connectivity, Forwarded, RemoteStats, SourceMaps, Speakers};
use crate::engine::fuzz::{PATH, engine, pieces};
use crate::env::Env;
use crate::jingle::{self, Conference, JingleConfig, Participant};
use crate::media::assembler::{self, Assembler, Finished};
use crate::media::kind::{Codec, MediaType};
use crate::media::peer::{Command, DtlsRole, IncomingRtp, Output, PeerEngine, RemoteTransport};
use crate::media::receiver::{MAX_FRAME_BYTES, Receiver};
use crate::media::references::References;
use crate::media::{av1, dependency_descriptor, h264, opus, vp8, vp9};
use crate::meeting::event::EventKind;
use crate::meeting::{ClientOptions, Command as Ask};
use crate::time::Time;
use crate::wire::colibri::{FromBridge, ToBridge};
use crate::wire::conference_request::ConferenceAnswer;
use crate::wire::disco::Info;
use crate::wire::features::Features;
use crate::wire::framing::Framing;
use crate::wire::jingle::{Jingle, SourceMap, read_compact, write_compact};
use crate::wire::message::RoomMessage;
use crate::wire::muc::MucUser;
use crate::wire::presence::OccupantPresence;
use crate::wire::sasl::Sasl;
use crate::wire::sm::Sm;
use crate::wire::source_info::SourceKind;
use crate::wire::stanza::StanzaError;
use crate::wire::stream_error::StreamErrorElement;
use crate::wire::{Document, Element, Jid, Stanza, XmlWriter, bind, extdisco, message, source_info};
use crate::xmpp::{Input, Stream, StreamOptions};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 11] = [
    ("stanza", stanza),
    ("json", json),
    ("colibri", colibri),
    ("stream", stream),
    ("datagram", datagram),
    ("sctp", crate::engine::fuzz::sctp),
    ("rtp", rtp),
    ("rtcp", crate::engine::fuzz::rtcp),
    ("sessions", sessions),
    ("formats", formats),
    ("meeting", meeting),
];

/// More virtual time than any machine needs to come to an end.
const LONG: Duration = Duration::from_secs(120);

/// Every reader of elements, on every element of a document: a reader must bear what it was not made for.
pub fn stanza(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(document) = Document::parse(&text) else { return };
    let root = document.root();
    if let Some(s) = Stanza::read(root) {
        let _ = (s.kind(), s.iq_type(), s.id(), s.from(), s.to(), s.payload(), s.error());
        if let Some(reply) = crate::wire::stanza::reply_unhandled(s) {
            assert!(Document::parse(&reply).is_ok(), "a reply that nobody can read: {reply}");
        }
    }
    let mut waiting = vec![root];
    while let Some(e) = waiting.pop() {
        waiting.extend(e.children());
        element(e);
    }
    let mut w = XmlWriter::stanza("copy");
    root.write_to(&mut w);
    let copy = w.finish();
    assert!(Document::parse(&copy).is_ok(), "a copy that nobody can read: {copy}");
}

fn element(e: Element<'_>) {
    let text = e.text();
    let _ = (Features::read(e), Framing::read(e), Sasl::read(e), Sm::read(e), StreamErrorElement::read(e));
    let _ = (Info::read(e).map(|i| i.ver()), ConferenceAnswer::read(e), extdisco::read_services(e), bind::bound_jid(e));
    let _ = (RoomMessage::read(e), MucUser::read(e), OccupantPresence::read(e).codecs(), StanzaError::read(e));
    let _ = (Jid::parse(&text), message::parse_stamp(&text), source_info::parse_name(&text));
    for (_, value) in e.attrs() {
        let _ = (Jid::parse(value), message::parse_stamp(value));
    }
    json(text.as_bytes());
    if let Some(j) = Jingle::read(e) {
        let again = j.to_xml();
        assert!(Document::parse(&again).is_ok_and(|d| Jingle::read(d.root()).is_some()), "lost in writing: {again}");
    }
}

/// JSON of presence and of sources.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(entries) = source_info::read(text) {
        assert!(entries.len() <= source_info::MAX_SOURCES);
    }
    let mut sources = SourceMap::default();
    if read_compact(text, &mut sources).is_ok()
        && let Some(again) = write_compact(&sources)
    {
        assert!(read_compact(&again, &mut SourceMap::default()).is_ok(), "lost in writing: {again}");
    }
}

/// Messages on the bridge channel, one per line, in either direction. What is understood is written so that it is understood
/// again, and as the bridge's own rules want it; the tables that follow it stay within their bounds.
pub fn colibri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = Time::new(1_000_000, 1_700_000_000_000_000);
    let (mut maps, mut forwarded) = (SourceMaps::default(), Forwarded::default());
    let (mut speakers, mut connectivity, mut stats) =
        (Speakers::default(), Connectivity::default(), RemoteStats::default());
    for line in text.lines() {
        if let Ok(m) = ToBridge::parse(line) {
            assert!(ToBridge::parse(&m.to_text()).is_ok(), "the bridge would drop what we wrote: {m:?}");
        }
        let Ok(m) = FromBridge::parse(line) else { continue };
        assert!(FromBridge::parse(&m.to_text()).is_ok(), "lost in writing: {m:?}");
        match m {
            FromBridge::VideoSourcesMap(map) => drop(maps.apply(SourceKind::Video, &map, "me")),
            FromBridge::AudioSourcesMap(map) => drop(maps.apply(SourceKind::Audio, &map, "me")),
            FromBridge::ForwardedSources(sources) => drop(forwarded.set(sources)),
            FromBridge::DominantSpeaker(said) => _ = speakers.set(said),
            FromBridge::EndpointConnectivity { endpoint, active } => _ = connectivity.set(&endpoint, active),
            FromBridge::EndpointStats { from, stats: said } => _ = stats.set(&from, &said),
            FromBridge::EndpointMessage { from, payload, .. } => {
                assert!(serde_json::from_str::<serde_json::Value>(&payload).is_ok_and(|v| v.is_object()), "{payload}");
                let _ = (Ping::read(&payload).map(|p| p.answer(&from)), of_message(&payload));
            }
            _ => {}
        }
        assert!(maps.iter().count() <= MAX_SLOTS && maps.empty() <= MAX_EMPTY_SLOTS);
        assert!(maps.iter().all(|s| maps.by_source(&s.source) == Some(s)), "two slots with one source");
    }
    connectivity.opened(now);
    let _ = (connectivity.handle_timeout(now + LONG), speakers.previous().len());
    assert!(maps.clear().len() <= MAX_SLOTS && maps.iter().next().is_none());
}

/// Frames, one per line, for a stream that waits for its server; then silence. It ends in any case.
pub fn stream(data: &[u8]) {
    let now = Time::new(1_000_000, 1_700_000_000_000_000);
    let mut s = Stream::new(StreamOptions::new("meet.localhost"), &mut Env::seeded(1));
    s.handle(Input::TransportOpened, now);
    for line in String::from_utf8_lossy(data).lines() {
        s.handle(Input::Frame(line.to_owned()), now);
        while s.poll_output().is_some() {}
    }
    let mut at = now;
    while let Some(next) = s.next_deadline().filter(|t| t.since(now) < LONG) {
        at = at.max(next) + Duration::from_micros(1);
        s.handle(Input::Timer, at);
        while s.poll_output().is_some() {}
    }
    s.handle(Input::TransportClosed { reason: None }, at);
    while s.poll_output().is_some() {}
}

/// Datagrams for the engine from a stranger: before it knows its peer, and after.
pub fn datagram(data: &[u8]) {
    let mut now = Time::new(1_000_000, 1_700_000_000_000_000);
    for role in [None, Some(DtlsRole::Client), Some(DtlsRole::Server)] {
        let Some((mut engine, identity)) = engine(role == Some(DtlsRole::Client), now) else { return };
        engine.handle_command(Command::AddLocalAddress(PATH.0), now);
        if let Some(dtls) = role {
            let credentials = engine.local_transport().credentials;
            let fingerprints = vec![identity.fingerprint.clone()];
            engine.handle_command(Command::SetRemote(RemoteTransport { credentials, fingerprints, dtls }), now);
        }
        for piece in pieces(data) {
            engine.handle_datagram(PATH.0, PATH.1, piece, now);
            now = now + Duration::from_millis(7);
            if engine.next_deadline().is_some_and(|t| t <= now) {
                engine.handle_timeout(now);
            }
            while let Some(o) = engine.poll_output() {
                let secure = matches!(o, Output::Event(crate::media::peer::Event::Secure));
                assert!(!secure, "a stranger has our keys");
            }
        }
        assert_eq!(engine.stats().rtp_in, 0, "a stranger's packet counts as authentic");
        assert_eq!(engine.stats().streams, 0, "a stranger makes us keep state");
    }
}

/// Packets of one video and one audio track, decrypted: hostile payloads from a peer that has the keys. Each piece is
/// sequence step, time step, flags and payload.
pub fn rtp(data: &[u8]) {
    let name: Arc<str> = "aabbccdd".into();
    let mut now = Time::new(1_000_000, 1_700_000_000_000_000);
    for codec in Codec::ALL {
        let media = codec.media_type();
        let mut r = Receiver::new(name.clone(), name.clone(), media, Duration::from_millis(200));
        r.set_payload_types(vec![(100, codec), (111, codec)]);
        r.set_audio_extras(Some(112), Some((126, 8000)));
        let (mut seq, mut ts) = (65_536_u64, 0_u32);
        for piece in pieces(data) {
            let [step, time, flags, payload @ ..] = piece else { continue };
            seq = seq.wrapping_add_signed(i64::from(*step as i8)).max(1);
            ts = ts.wrapping_add(u32::from(*time) << (flags >> 4));
            now = now + Duration::from_millis(u64::from(flags & 15));
            let _ = (vp8::Descriptor::parse(payload), opus::duration(payload));
            let packet = IncomingRtp {
                ssrc: u32::from(flags & 8),
                pt: if media == MediaType::Video { 100 } else { [111, 112, 111, 126][usize::from(flags >> 1 & 3)] },
                seq,
                ts,
                marker: flags & 1 != 0,
                recovered: false,
                arrival: now,
                waited_us: 0,
                level: None,
                mid: None,
                dependency_descriptor: (flags & 2 != 0).then(|| Bytes::copy_from_slice(payload)),
                payload: Bytes::copy_from_slice(payload),
            };
            r.packet(packet, now);
            while let Some(f) = r.poll_frame() {
                assert!(f.data.len() <= MAX_FRAME_BYTES);
            }
        }
    }
}

/// Jingle requests, one per line, from the focus and from a peer at once, for a participant in a room with both; answers
/// good and bad, lost paths, silence. Whatever is said to the others can be read, and each engine is closed once.
pub fn sessions(data: &[u8]) {
    let jid = |nick: &str| Jid::parse(&format!("r@c/{nick}")).ok();
    let (Some(own), Some(focus), Some(peer)) = (jid("60000000"), jid("focus"), jid("50000000")) else { return };
    let mut now = Time::new(1_000_000, 1_700_000_000_000_000);
    let mut j = jingle::Jingle::new(JingleConfig::default(), Env::seeded(1));
    let participants = vec![Participant { jid: peer.clone(), jigasi: false, poltergeist: false }];
    let (own, focus_here) = (Some(own), Some(focus.clone()));
    j.set_conference(Conference { own, focus: focus_here, participants, ..Conference::default() }, now);
    j.set_local_sources(vec![jingle::LocalSource {
        name: "60000000-v0".into(),
        media: crate::wire::jingle::Media::Video,
        video_type: None,
        encodings: vec![(1, Some(2)), (3, None)],
        msid: "m t".into(),
    }]);
    let mut engines = Vec::new();
    let mut asked = 0_u32;
    let mut drain = |j: &mut jingle::Jingle, now: Time| {
        while let Some(o) = j.poll_output() {
            match o {
                jingle::Output::CreateEngine { session, .. } => {
                    engines.push(session);
                    let (ufrag, pwd) = ("abcd".to_owned(), "0123456789012345678901".to_owned());
                    let (hash, fingerprint) = ("sha-256".to_owned(), "AA".to_owned());
                    j.local_transport(
                        session,
                        jingle::LocalTransport { ufrag, pwd, hash, fingerprint },
                        Vec::new(),
                        now,
                    );
                }
                jingle::Output::CloseEngine { session } => {
                    let at = engines.iter().position(|e| *e == session);
                    assert!(at.is_some(), "closed twice, or never made");
                    engines.retain(|e| *e != session);
                }
                jingle::Output::Reply(text) => assert!(Document::parse(&text).is_ok(), "a reply that nobody can read"),
                jingle::Output::SendIq { token, payload, .. } => {
                    assert!(Document::parse(&payload).is_ok(), "a request that nobody can read: {payload}");
                    asked += 1;
                    match asked % 4 {
                        0 => j.on_iq_answer(token, jingle::IqAnswer::Timeout, now),
                        1 | 2 => j.on_iq_answer(token, jingle::IqAnswer::Result, now),
                        _ => {}
                    }
                }
                jingle::Output::RestartIce { session, .. } => j.ice_connected(session, now),
                _ => {}
            }
            assert!(engines.len() <= 2, "an engine for each session");
        }
    };
    drain(&mut j, now);
    for (i, line) in String::from_utf8_lossy(data).lines().enumerate() {
        let Ok(document) = Document::parse_with(line, crate::wire::ns::CLIENT, &Default::default()) else { continue };
        let root = document.root();
        let payload = root.children().find(|c| c.name() == "jingle").unwrap_or(root);
        for from in [&focus, &peer] {
            j.on_iq(from, "id", payload, now);
            drain(&mut j, now);
        }
        if let Some((session, _)) = j.session(jingle::SessionKind::Bridge).filter(|_| i % 3 == 2) {
            j.ice_failed(session, now);
        }
        now = now + Duration::from_millis(700);
        if j.next_deadline().is_some_and(|t| t <= now) {
            j.handle_timeout(now);
        }
        drain(&mut j, now);
    }
    j.leave();
    drain(&mut j, now);
    assert!(j.next_deadline().is_none(), "something is left to be done");
    assert!(engines.is_empty(), "an engine is left");
}

/// Payloads for each assembler of video, and the same bytes as a frame to be packetised: what is sent is understood. The first
/// byte of a piece says whether a frame ends with it.
pub fn formats(data: &[u8]) {
    descriptors(data);
    let frame = Bytes::copy_from_slice(data);
    for codec in Codec::ALL {
        let _ = (assembler::is_key(codec, data), assembler::size(codec, data));
        let Some(mut a) = Assembler::new(codec) else { continue };
        let mut sum = 0;
        for piece in pieces(data) {
            let [flags, payload @ ..] = piece else { continue };
            sum += 3 * payload.len() + 16;
            let refused = a.push(&Bytes::copy_from_slice(payload)).is_err();
            assert!(a.bytes() <= sum, "more than was given");
            if refused {
                a.clear();
            } else if flags & 1 != 0 {
                let _ = a.finish();
            }
        }
        a.clear();
        if codec == Codec::H264 {
            // Without any, a key frame is no frame.
            for set in [&[0x67, 0x42, 0xc0, 0x0c, 0x80][..], &[0x68, 0xc0]] {
                let _ = a.push(&Bytes::copy_from_slice(set));
            }
            let _ = a.finish();
        }
        let mut understood = true;
        let push = |p: Bytes, _| understood &= a.push(&p).is_ok();
        let sent = match codec {
            Codec::H264 => {
                let mut kept = h264::ParameterSets::default();
                if let Some(sets) = h264::parameter_sets(&frame) {
                    assert_eq!(kept.complete(&sets), None, "there is a picture before the picture");
                }
                let whole = kept.complete(&frame);
                assert_eq!(whole.is_some(), h264::has_picture(&frame));
                whole.is_some_and(|w| h264::packetise(&w, 100, push))
            }
            Codec::Av1 => av1::packetise(&frame, 100, push),
            Codec::Vp9 if !data.is_empty() => {
                vp9::packetise(&frame, &vp9::Outgoing::default(), 100, push);
                true
            }
            _ => continue,
        };
        assert!(!sent || understood, "{codec:?}: a packet of ours is refused");
        assert!(!sent || a.finish() != Finished::Damaged, "{codec:?}: a frame of ours is damaged");
    }
}

/// Dependency descriptors, one behind the other: what leans on what by them stays within its bounds.
fn descriptors(data: &[u8]) {
    let (mut known, mut references) = (None, References::default());
    for piece in pieces(data) {
        let Some(d) = dependency_descriptor::Descriptor::parse(piece, known.as_ref()) else { continue };
        assert!(d.fdiffs.len() <= dependency_descriptor::MAX_FDIFFS);
        let decodable = references.settle(&d.picture(None), false, true);
        assert!(decodable || !d.is_key(), "a key picture leans on nothing");
        known = d.structure.or(known);
    }
}

/// Frames, one per line, for a participant that is in a room with another; then it leaves, and that works.
pub fn meeting(data: &[u8]) {
    let mut w = World::new(1);
    let who: Vec<usize> = ["00000000", "ffffffff"]
        .into_iter()
        .filter_map(|n| w.add(ClientOptions { nickname: n.into(), ..ClientOptions::default() }).ok())
        .collect();
    for p in &who {
        w.command(*p, Ask::Join { tag: 1 });
        w.run(Duration::from_secs(1));
    }
    let me = who[0];
    for line in String::from_utf8_lossy(data).lines() {
        w.inject(me, line);
        w.run(Duration::from_millis(20));
    }
    w.command(me, Ask::Leave { tag: 2 });
    w.run(LONG);
    let closed = w.peers[me].kinds().filter(|e| matches!(e, EventKind::Closed(_))).count();
    assert_eq!(closed, 1, "CLOSED comes once");
    let done = w.peers[me].events.iter().filter(|e| e.1.tag == 2).count();
    assert_eq!(done, 1, "leaving is completed once");
}
