//! What a large conference costs this machine (docs/performance.md): printed, not judged. Run in release:
//! `cargo test --release --lib jingle::tests::bridge::cost -- --ignored --nocapture`.

use super::*;
use std::time::Instant;

const ENDPOINTS: u32 = 100;

/// An endpoint with a microphone and a camera, as the focus writes it.
fn endpoint(i: u32) -> String {
    let ep = format!("{:08x}", 0x1000_0000 + i);
    let s = 1000 + 10 * i;
    let source = |ssrc: u32, name: &str, msid: &str| {
        format!("{{\"s\":{ssrc},\"n\":\"{ep}-{name}\",\"m\":\"{ep}-{msid}-1 9bb949d4-5abd-4498-98e9-2be1222b8d3e-1\"}}")
    };
    format!(
        "\"{ep}\":[[{},{}],[[\"f\",{},{}]],[{}]]",
        source(s, "v0", "video-0"),
        source(s + 1, "v0", "video-0"),
        s,
        s + 1,
        source(s + 2, "a0", "audio-0")
    )
}

fn message(endpoints: std::ops::Range<u32>) -> String {
    let all: Vec<String> = endpoints.map(endpoint).collect();
    format!("<json-message xmlns='http://jitsi.org/jitmeet'>{{\"sources\":{{{}}}}}</json-message>", all.join(","))
}

fn median(mut runs: Vec<u128>) -> f64 {
    runs.sort_unstable();
    runs[runs.len() / 2] as f64 / 1e6
}

#[test]
#[ignore = "prints figures; run in release"]
fn cost_of_a_large_conference() {
    let text = offer().replace("</jingle>", &format!("{}</jingle>", message(0..ENDPOINTS)));
    let adds: Vec<String> = (1000..1500).map(|i| request("source-add", &message(i..i + 1))).collect();
    let (mut initiate, mut add) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let mut g = Guest::new(REAL, OWN, &["560b777f"]);
        let from = g.jid("focus");
        let started = Instant::now();
        let d = Document::parse_with(&text, ns::CLIENT, &Default::default()).unwrap();
        g.side.j.on_iq(&from, "id1", d.root(), at(1));
        let out = g.side.drain(at(1));
        initiate.push(started.elapsed().as_nanos());
        g.side.answer_all(&out, at(2));
        let started = Instant::now();
        for text in &adds {
            let d = Document::parse_with(text, ns::CLIENT, &Default::default()).unwrap();
            g.side.j.on_iq(&from, "id1", d.root(), at(3));
            while g.side.j.poll_output().is_some() {}
        }
        add.push(started.elapsed().as_nanos());
        assert_eq!(g.side.j.remote_sources(g.key()).unwrap().iter().count(), 2 + 2 * (ENDPOINTS as usize + 500));
    }
    println!(
        "session-initiate of {ENDPOINTS} endpoints ({} kB) to accept: {:.3} ms; 500 source-adds: {:.3} ms",
        text.len() / 1000,
        median(initiate),
        median(add)
    );
}
