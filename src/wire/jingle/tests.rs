//! Every Jingle frame ever captured is read without loss and written back as the same infoset.

use super::*;
use crate::wire::Document;
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn captured() -> Vec<(String, String)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/captures");
    let mut out = Vec::new();
    for f in std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()) {
        let name = f.file_name().unwrap().to_str().unwrap().to_owned();
        for line in std::fs::read_to_string(&f).unwrap().lines() {
            let Some((_, frame)) = line.split_once([' ']).filter(|(p, _)| p.ends_with(['>', '<'])) else { continue };
            if frame.contains("<jingle") && !frame.starts_with("<body") {
                out.push((name.clone(), frame.replace("&#10;", "\n")));
            }
        }
    }
    out
}

/// The element as text that does not depend on the order of attributes and children, with namespaces spelled out.
fn canonical(e: Element<'_>) -> String {
    let mut attrs: Vec<_> = e.attrs().collect();
    attrs.sort_unstable();
    let mut children: Vec<String> = e.children().map(canonical).collect();
    children.sort_unstable();
    let mut out = String::new();
    // The parameters of a source stand in one of two namespaces, which nobody tells apart (docs/protocol/02 §2).
    let ns = if e.name() == "parameter" { "" } else { e.ns() };
    write!(out, "<{} {ns} {attrs:?}>", e.name()).unwrap();
    if e.name() == "json-message" {
        let mut v: serde_json::Value = serde_json::from_str(&e.text()).unwrap_or(serde_json::Value::Null);
        if let Some(owners) = v.get_mut("sources").and_then(|s| s.as_object_mut()) {
            for parts in owners.values_mut().filter_map(|o| o.as_array_mut()) {
                // Empty lists at the end mean the same as none.
                while parts.len() > 3 && parts.last().is_some_and(|p| p.as_array().is_some_and(Vec::is_empty)) {
                    parts.pop();
                }
            }
        }
        write!(out, "{v}").unwrap();
    } else {
        out.push_str(e.text().trim());
    }
    out.push_str(&children.concat());
    out
}

#[test]
fn every_captured_jingle_frame_is_read_without_loss() {
    let frames = captured();
    assert!(frames.len() > 200, "{}", frames.len());
    let mut raw = BTreeSet::new();
    for (file, frame) in &frames {
        let d = Document::parse_with(frame, ns::CLIENT, &Default::default()).unwrap();
        let Some(e) = d.root().child("jingle", ns::JINGLE) else { continue };
        let j = Jingle::read(e).unwrap();
        if j.ignored > 0 {
            raw.insert((file.as_str(), e.attr("action").map(str::to_owned), j.ignored));
            continue;
        }
        if frame.contains("desktop_high_fps") {
            // Sent once to see what Jicofo makes of it; it means desktop.
            continue;
        }
        let again = j.to_xml();
        let d2 = Document::parse(&again).unwrap();
        let (a, b) = (canonical(e), canonical(d2.root()));
        let differ = a.bytes().zip(b.bytes()).position(|(a, b)| a != b).unwrap_or(0).saturating_sub(80);
        assert!(a == b, "{file}: {:.200} became {:.200}", &a[differ..], &b[differ..]);
    }
    // The capture that sends Jicofo nonsense on purpose is the only one with something unknown.
    assert!(raw.iter().all(|(f, ..)| f.starts_with("61-")), "{raw:?}");
}

#[test]
fn both_encodings_of_a_source_give_the_same_value() {
    let json = "<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='s'><json-message xmlns='http://jitsi.org/jitmeet'>{&quot;sources&quot;:{\"9c0d1e2f\":[[{\"s\":620660772,\"n\":\"9c0d1e2f-v1\",\"m\":\"9c0d1e2f-video-1-1 x-1\",\"v\":\"d\"},{\"s\":2306112481,\"n\":\"9c0d1e2f-v1\",\"m\":\"9c0d1e2f-video-1-1 x-1\",\"v\":\"d\"}],[[\"f\",620660772,2306112481]],[]]}}</json-message></jingle>";
    let one = "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='620660772' name='9c0d1e2f-v1' videoType='desktop'><ssrc-info xmlns='http://jitsi.org/jitmeet' owner='9c0d1e2f'/><parameter xmlns='urn:xmpp:jingle:apps:rtp:1' name='msid' value='9c0d1e2f-video-1-1 x-1'/></source>";
    let xml = format!(
        "<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='s'><content name='video'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>{one}{}<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'><source ssrc='620660772'/><source ssrc='2306112481'/></ssrc-group></description></content></jingle>",
        one.replace("620660772", "2306112481")
    );
    let values = |text: &str| {
        let d = Document::parse(text).unwrap();
        let j = Jingle::read(d.root()).unwrap();
        assert_eq!(j.ignored, 0);
        let s: Vec<String> = j.sources.iter().map(|s| format!("{:?}", Source { content: 0, ..s })).collect();
        let g: Vec<_> = j.sources.groups().map(|g| (g.media, g.semantics, g.ssrcs.to_vec())).collect();
        (s, g)
    };
    assert_eq!(values(json), values(&xml));
}

#[test]
fn bad_values_are_counted_and_the_rest_survives() {
    let text = "<jingle xmlns='urn:xmpp:jingle:1' action='fly' sid='s'><x xmlns='urn:x'/><json-message xmlns='http://jitsi.org/jitmeet'>{</json-message>\
        <content name='0' senders='everybody'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='300' name='opus'/><payload-type id='0'/>\
        <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='(.+)+$'/><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='99999999999999999999'/><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1234'/>\
        <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='(.+)+$'><source ssrc='1234'/></ssrc-group></description>\
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'><candidate ip='1.2.3.4'/></transport></content></jingle>";
    let d = Document::parse(text).unwrap();
    let j = Jingle::read(d.root()).unwrap();
    assert_eq!((j.action, j.ignored), (Action::Other("fly"), 7));
    assert_eq!(j.sources.iter().map(|s| s.ssrc).collect::<Vec<_>>(), [1234]);
    assert_eq!(j.sources.groups().count(), 0);
    assert!(j.contents[0].bad_senders && j.contents[0].senders.is_none());
    assert_eq!(j.contents[0].description.as_ref().unwrap().payload_types.len(), 1);
}

#[test]
fn a_parameter_hidden_behind_semicolons_is_found() {
    let p = PayloadType {
        id: 107,
        name: "H264",
        clockrate: Some(90_000),
        channels: None,
        parameters: vec![Parameter {
            name: Some("profile-level-id"),
            value: "42e01f;level-asymmetry-allowed=1;packetization-mode=1;",
        }],
        feedback: Vec::new(),
    };
    assert_eq!((p.parameter("profile-level-id"), p.parameter("packetization-mode")), (Some("42e01f"), Some("1")));
    assert_eq!(p.parameter("apt"), None);
}
