//! What a session-initiate of a large conference costs: from text to typed values and the source table, beside one pass of
//! `quick-xml` that resolves all names and decodes all attributes and text, which no reader can go below. Target: twice that.
//!
//! The offer is a recorded one; its sources are a hundred, of fifty participants with simulcast, as Jicofo writes them.

mod cpu;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jmeet::jingle::{Authority, SourceTable};
use jmeet::wire::Document;
use jmeet::wire::jingle::{GroupSemantics, Jingle, Media, NO_CONTENT, Source, SourceMap};
use quick_xml::events::Event;
use quick_xml::{NsReader, XmlVersion};

const PARTICIPANTS: u32 = 50;
const LAYERS: u32 = 3;
/// Each ratio is of the least of so many.
const ROUNDS: usize = 300;

/// A camera in three layers with repairs, and a microphone, of each participant.
fn sources(json: bool) -> SourceMap {
    let mut map = SourceMap::default();
    for p in 0..PARTICIPANTS {
        let id = format!("{:08x}", 0x1a2b_3c4d_u32.wrapping_mul(2 * p + 1));
        let owner = Some(if json { id.clone() } else { format!("room@conference.meet.example.com/{id}") });
        let first = 1_000_000_000 + p * 64;
        for (media, letter, ssrcs) in [(Media::Audio, 'a', 1), (Media::Video, 'v', 2 * LAYERS)] {
            let content = if json { NO_CONTENT } else { u32::from(media == Media::Video) };
            let first = first + u32::from(media == Media::Video);
            let (name, msid) = (format!("{id}-{letter}0"), format!("{id}-{letter}0-1 {id}-{letter}0-track-1"));
            for ssrc in first..first + ssrcs {
                map.push(Source {
                    media,
                    ssrc,
                    name: Some(&name),
                    owner: owner.as_deref(),
                    msid: Some(&msid),
                    mid: None,
                    cname: None,
                    video_type: None,
                    content,
                });
            }
            if media == Media::Video {
                let group_owner = owner.as_deref().filter(|_| json);
                map.push_group(media, GroupSemantics::Sim, first..first + LAYERS, content, group_owner);
                for layer in first..first + LAYERS {
                    map.push_group(media, GroupSemantics::Fid, [layer, layer + LAYERS], content, group_owner);
                }
            }
        }
    }
    map
}

/// A recorded bridge offer with these sources in the place of its own.
fn offer(sources: SourceMap) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/captures/57-real-session-xml-sources.txt");
    let capture = std::fs::read_to_string(path).expect("the capture");
    let frame = capture.lines().find(|l| l.contains("session-initiate") && l.contains("focus")).expect("an offer");
    let document = Document::parse(frame[frame.find('<').expect("a stanza")..][1..].trim_start()).expect("XML");
    let mut jingle = document.root().children().find_map(Jingle::read).expect("jingle");
    jingle.sources = sources;
    jingle.to_xml()
}

/// The pass that nothing can avoid; gives the text of the largest element, the JSON.
fn pass(text: &str) -> String {
    let mut reader = NsReader::from_str(text);
    let mut json = String::new();
    loop {
        let (ns, event) = reader.read_resolved_event().expect("XML");
        black_box(ns);
        match event {
            Event::Start(s) | Event::Empty(s) => {
                for a in s.attributes() {
                    let a = a.expect("an attribute");
                    black_box(reader.resolver().resolve_attribute(a.key));
                    black_box(a.normalized_value(XmlVersion::Implicit1_0).expect("a value"));
                }
            }
            Event::Text(t) => json.push_str(&t.xml10_content()),
            Event::GeneralRef(_) => json.push('"'),
            Event::Eof => return json,
            _ => {}
        }
    }
}

/// What the library does.
fn decode(text: &str) -> SourceTable {
    let document = Document::parse(text).expect("XML");
    let jingle = Jingle::read(document.root()).expect("jingle");
    let mut table = SourceTable::default();
    black_box(table.add(&jingle.sources, Authority::Focus));
    table
}

/// The same offer as XML, as JSON, and as JSON with entities; and the JSON by itself.
fn forms() -> ([(&'static str, String); 3], String) {
    let json = offer(sources(true));
    let (head, rest) = json.split_once("<json-message").expect("JSON");
    let (message, tail) = rest.split_once("</json-message>").expect("JSON");
    let (opening, body) = message.split_once('>').expect("JSON");
    let raw = body.replace("&quot;", "\"");
    let with = |body: &str| format!("{head}<json-message{opening}>{body}</json-message>{tail}");
    let forms = [
        ("xml", offer(sources(false))),
        // As Jicofo's own XML library writes it.
        ("json with entities", with(&raw.replace('"', "&quot;"))),
        ("json", with(&raw)),
    ];
    (forms, raw)
}

/// The least time of many rounds of each, in turns, ns.
fn least<const N: usize>(mut each: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut least = [f64::MAX; N];
    for _ in 0..ROUNDS {
        for (f, least) in each.iter_mut().zip(&mut least) {
            let start = cpu::clock::now_ns();
            f();
            *least = least.min(cpu::clock::now_ns() - start);
        }
    }
    least
}

/// Ratios, which is what the targets are about.
fn ratios(_: &mut Criterion<cpu::ThreadCpu>) {
    let (forms, raw) = forms();
    for (name, text) in forms {
        let [ours, xml, both] = least([
            &mut || drop(black_box(decode(black_box(&text)))),
            &mut || drop(black_box(pass(black_box(&text)))),
            &mut || {
                black_box(pass(black_box(&text)));
                black_box(serde_json::from_str::<serde_json::Value>(&raw).expect("JSON"));
            },
        ]);
        let with_json =
            if name == "xml" { String::new() } else { format!(", {:.2} of that and serde_json", ours / both) };
        println!("session-initiate, 100 sources, {name}: {:.2} of an NsReader pass{with_json}", ours / xml);
    }
}

fn decoding(c: &mut Criterion<cpu::ThreadCpu>) {
    let (forms, raw) = forms();
    for (name, text) in forms {
        assert_eq!(decode(&text).iter().count() as u32, 2 * PARTICIPANTS, "{name}");
        let mut g = c.benchmark_group(format!("session-initiate, 100 sources, {name}"));
        g.throughput(Throughput::Bytes(text.len() as u64));
        g.bench_function("decode", |b| b.iter(|| decode(black_box(&text))));
        g.bench_function("NsReader", |b| b.iter(|| pass(black_box(&text))));
        if name != "xml" {
            g.bench_function("NsReader and serde_json", |b| {
                b.iter(|| {
                    black_box(pass(black_box(&text)));
                    serde_json::from_str::<serde_json::Value>(&raw).expect("JSON")
                });
            });
        }
    }
}

criterion_group!(name = benches; config = cpu::criterion(); targets = ratios, decoding);
criterion_main!(benches);
