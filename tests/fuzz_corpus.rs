//! Recorded traffic, broken in every way: each fuzz target on a corpus under a seeded mutator. The same targets run under
//! libFuzzer in `fuzz/`.
//!
//! `JMEET_FUZZ_MS=60000` fuzzes each target that long, `JMEET_FUZZ_SEED=7` with other mutations. What makes a target panic is
//! printed as a Rust byte string.

use jmeet::Env;
use jmeet::testkit::fuzz::{TARGETS, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// For each target, when nothing else is asked for.
const DEFAULT_MS: u64 = 400;
/// What is never cut away: past it a mutation only shortens.
const MAX_INPUT: usize = 64 * 1024;

/// Pieces that parsers trip over.
const WORDS: [&str; 26] = [
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "&",
    "&#0;",
    "&#x110000;",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "<?a?>",
    "xmlns=''",
    "xmlns:a='b'",
    "a:b",
    "\n",
    "-1",
    "4294967296",
    "18446744073709551616",
    "1e999",
    "[[[[[[",
    "{\"\":",
    "\u{0}",
    "\u{feff}",
    "@/@",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn below(env: &mut Env, n: usize) -> usize {
    env.below(n.max(1) as u32) as usize
}

/// Every frame of every capture.
fn captures() -> Vec<Vec<u8>> {
    let folder = format!("{}/tests/fixtures/captures", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut all = vec![];
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "txt")) {
        let text = std::fs::read_to_string(file).unwrap();
        all.extend(
            text.lines().filter_map(|l| l.get(3..)).filter(|l| l.starts_with('<')).map(|l| l.as_bytes().to_vec()),
        );
    }
    assert!(all.len() > 500, "the captures are there");
    all
}

/// The JSON that stands in the captures.
fn json(captures: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all = vec![];
    for frame in captures {
        let text = String::from_utf8_lossy(frame).replace("&quot;", "\"");
        for from in text.match_indices(">{").map(|m| m.0 + 1) {
            if let Some(to) = text[from..].find('<') {
                all.push(text.as_bytes()[from..from + to].to_vec());
            }
        }
    }
    assert!(!all.is_empty());
    all
}

/// Messages of the bridge channel, both ways.
fn messages() -> Vec<Vec<u8>> {
    let folder = format!("{}/tests/fixtures/captures", env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![];
    for file in
        ["31-bridge-channel", "33-bridge-channel-2022-client", "53-real-bridge-channel", "58-real-ssrc-rewriting"]
    {
        let text = std::fs::read_to_string(format!("{folder}/{file}.txt")).unwrap();
        let messages = text.lines().filter_map(|l| l.get(3..)).filter(|l| l.starts_with('{'));
        all.extend(messages.map(|m| m.as_bytes().to_vec()));
    }
    assert!(all.len() > 100);
    all
}

/// Datagrams as they look before and after the handshake, each with its length before it.
fn datagrams() -> Vec<Vec<u8>> {
    let binding = [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0, 6, 0, 4], b"a:bc"].concat();
    let success =
        [&[1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0, 0x20, 0, 8, 0, 1, 1, 2, 3, 4, 5, 6]].concat();
    let hello =
        [&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 254, 253][..], &[9; 40]]
            .concat();
    let rtp = [&[0x90, 100, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 30, 0, 0][..], &[5; 40]].concat();
    let rtcp = [&[0x81, 201, 0, 7, 0, 0, 0, 1][..], &[1; 40]].concat();
    let parts = [binding, success, hello, vec![20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], rtp, rtcp];
    let framed = |p: &Vec<u8>| [&[p.len() as u8][..], p].concat();
    let mut all: Vec<_> = parts.iter().map(framed).collect();
    all.push(all.concat());
    all
}

/// SCTP chunks, each with its length before it, on a new association and on one with a channel.
fn chunks() -> Vec<Vec<u8>> {
    let init =
        [&[1, 0, 0, 20, 1, 2, 3, 4, 0, 8, 0, 0, 4, 0, 4, 0, 0, 0, 0, 9][..], &[0x80, 8, 0, 6, 192, 130]].concat();
    let data = |flags: u8, stream: u8, ssn: u8, ppid: u8, payload: &[u8]| {
        [&[0, flags, 0, 0, 0, 0, 0, 1, 0, stream, 0, ssn, 0, 0, 0, ppid][..], payload].concat()
    };
    let open = [&[3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1][..], b"ab"].concat();
    let sack = [3, 0, 0, 20, 0, 0, 0, 9, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 3].to_vec();
    let parts = [
        init,
        vec![10, 0, 0, 8, 1, 2, 3, 4],
        data(3, 0, 1, 51, b"text"),
        data(2, 0, 2, 51, b"te"),
        data(1, 0, 2, 51, b"xt"),
        data(7, 0, 0, 53, b"binary"),
        data(3, 2, 0, 50, &open),
        sack,
        vec![192, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 5],
        [&[130, 0, 0, 22, 0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0][..], &[0, 0]].concat(),
        vec![4, 0, 0, 8, 0, 1, 0, 4],
        vec![6, 0, 0, 8, 0, 12, 0, 4],
        vec![7, 0, 0, 8, 0, 0, 0, 9],
    ];
    let framed: Vec<_> = parts.iter().map(|p| [&[p.len() as u8][..], p].concat()).collect();
    let mut all: Vec<_> = framed.iter().map(|p| [&[1][..], p].concat()).collect();
    let most = framed[..framed.len() - 3].concat();
    all.extend([0, 1].map(|first| [&[first][..], &most, &most].concat()));
    all
}

/// Packets as the `rtp` target wants them.
fn packets() -> Vec<Vec<u8>> {
    let key = [16, 1, 1, 0x11, 0x90, 0x80, 1, 0x10, 2, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0];
    let delta = [8, 1, 90, 1, 0x90, 0x80, 2, 0x11, 2];
    let long = [10, 1, 90, 0x10, 0x90, 0xe0, 0x80, 3, 4, 0x20, 1];
    let audio = [6, 1, 20, 2, 8, 1, 2];
    let all = [&key[..], &delta, &long, &audio].concat();
    vec![key.to_vec(), audio.to_vec(), all.repeat(4)]
}

/// Compounds and packets of a peer with the keys, each with its length before it: reports, and each kind of feedback on the stream of ours
/// (SSRC 1) that the target sends.
fn feedback() -> Vec<Vec<u8>> {
    let words = |head: [u8; 2], words: &[u32]| {
        let body: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        [&[head[0], head[1], 0, words.len() as u8][..], &body].concat()
    };
    let block = [1, 0x2000_0001, 0x0001_0007, 30, 0x1234_5678, 0x1000];
    let sender = words([0x81, 200], &[&[7, 0xe000_0000, 0x8000_0000, 9000, 20, 4000][..], &block].concat());
    let receiver = words([0x81, 201], &[&[7][..], &block].concat());
    let name = words([0x81, 202], &[7, 0x0104_6162, 0x6364_0000]);
    let bye = words([0x81, 203], &[7]);
    let nack = words([0x81, 205], &[7, 1, 0x0001_ffff, 0x0012_0003]);
    // Base 0, five packets; one run of five received with small deltas.
    let transport = words([0x8f, 205], &[7, 1, 5, 0x0000_1000, 0x2005_0404, 0x0404_0400]);
    let pli = words([0x81, 206], &[7, 1]);
    let fir = words([0x84, 206], &[7, 0, 1, 0x0100_0000]);
    let estimate = words([0x8f, 206], &[7, 0, 0x5245_4d42, 0x0106_4000, 1]);
    let media =
        [&[0x90, 100, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0xbe, 0xde, 0, 2, 0x51, 0, 1, 0x30, 1, 0, 0, 0][..], &[0x90; 30]]
            .concat();
    let repair = [&[0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 2][..], &[0x90; 30]].concat();
    let compound = [&sender[..], &name, &nack, &transport, &pli].concat();
    let parts = [sender, receiver, name, bye, nack, transport, pli, fir, estimate, media, repair, compound];
    let framed = |p: &Vec<u8>| [&[p.len() as u8][..], p].concat();
    let mut all: Vec<_> = parts.iter().map(framed).collect();
    all.push(all.concat());
    all
}

/// Payloads of each video format as the `formats` target wants them, and frames.
fn formats() -> Vec<Vec<u8>> {
    let av1 = [8, 1, 0x18, 0x0a, 1, 2, 0x32, 7, 8, 5, 0, 0x50, 0x30, 1, 2, 3, 1, 0x90, 9];
    let h264 = [
        6, 1, 0x67, 0x42, 0xc0, 0x0c, 0xd9, 9, 0, 24, 0, 2, 0x68, 0xcb, 0, 1, 5, 0, 28, 0x85, 0x88, 1, 4, 1, 28, 0x45,
        7,
    ];
    let vp9 = [12, 0, 0xba, 0x81, 1, 0x10, 0x18, 1, 64, 0, 180, 0x82, 0x49, 6, 1, 0xf4, 0x81, 2, 0, 2, 9];
    let annex_b = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0c, 0xd9, 1, 0, 0, 1, 0x68, 0xcb, 1, 0, 0, 1, 0x65, 0x88, 7];
    let unit = [0x12, 0, 0x0a, 11, 0, 0, 0, 4, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40, 0x32, 3, 0x10, 0, 0x81];
    let superframe = [0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x30, 0x86, 1, 2, 0xc1, 9, 3, 0xc1];
    let long = [&annex_b[..], &[0x55; 400]].concat();
    let all = [&av1[..], &h264, &vp9].concat();
    // K-SVC of three layers: a key picture of all, then the uppermost alone.
    let ksvc = [
        8, 0, 0xbe, 0x80, 1, 0, 0x40, 0x82, 0x49, 6, 0, 0xbc, 0x80, 1, 3, 0x86, 6, 1, 0xbd, 0x80, 1, 5, 0x86, 7, 1,
        0xfd, 0x80, 2, 4, 2, 0x86,
    ];
    vec![
        av1.to_vec(),
        h264.to_vec(),
        vp9.to_vec(),
        ksvc.to_vec(),
        annex_b.to_vec(),
        unit.to_vec(),
        superframe.to_vec(),
        long,
        all,
    ]
}

fn mutate(corpus: &[Vec<u8>], lines: bool, env: &mut Env) -> Vec<u8> {
    let mut data = corpus[below(env, corpus.len())].clone();
    if lines {
        for _ in 0..below(env, 6) {
            data.push(b'\n');
            data.extend_from_slice(&corpus[below(env, corpus.len())]);
        }
    }
    for _ in 0..below(env, 8) {
        let at = below(env, data.len());
        let n = (1 << below(env, 10)).min(data.len() - at);
        match env.below(8) {
            0 if !data.is_empty() => data[at] ^= 1 << env.below(8),
            1 if !data.is_empty() => data[at] = env.u32() as u8,
            2 => drop(data.drain(at..at + n)),
            3 => {
                let piece = data[at..at + n].to_vec();
                let to = below(env, data.len());
                data.splice(to..to, piece);
            }
            4 => {
                let word = WORDS[below(env, WORDS.len())].as_bytes();
                data.splice(at..at, word.iter().copied());
            }
            5 => data.truncate(at),
            6 => {
                let other = &corpus[below(env, corpus.len())];
                let from = below(env, other.len());
                let to = (from + n).min(other.len());
                data.splice(at..at, other[from..to].iter().copied());
            }
            // Many times the same piece: children, attributes, digits, brackets.
            _ => {
                let piece = data[at..at + n.min(64)].repeat(1 << below(env, 9));
                data.splice(at..at, piece);
            }
        }
        data.truncate(MAX_INPUT);
    }
    data
}

fn fuzz(name: &str, target: Target, corpus: &[Vec<u8>], lines: bool) {
    let mut env = Env::seeded(number("JMEET_FUZZ_SEED", 1));
    let end = Instant::now() + Duration::from_millis(number("JMEET_FUZZ_MS", DEFAULT_MS));
    let (mut runs, mut slowest) = (0_u64, Duration::ZERO);
    let mut once = |data: &[u8]| {
        let start = Instant::now();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(data))) {
            eprintln!("{name}: this input fails: b\"{}\"", data.escape_ascii());
            std::panic::resume_unwind(panic);
        }
        runs += 1;
        slowest = slowest.max(start.elapsed());
    };
    // As recorded, for half of the time; then broken.
    let half = end - (end - Instant::now()) / 2;
    for data in corpus.iter().take_while(|_| Instant::now() < half) {
        once(data);
    }
    while Instant::now() < end {
        once(&mutate(corpus, lines, &mut env));
    }
    eprintln!("{name}: {runs} runs, slowest {slowest:?}");
    assert!(runs > 0 && slowest < Duration::from_secs(20), "{name}: {slowest:?} for one input");
}

/// Every target with what its mutations start from, and whether lines of it may follow each other.
fn targets() -> Vec<(&'static str, Target, Vec<Vec<u8>>, bool)> {
    let captures = captures();
    let of = |name: &str| match name {
        "json" => (json(&captures), false),
        "colibri" => (messages(), true),
        "datagram" => (datagrams(), false),
        "rtp" => (packets(), false),
        "rtcp" => (feedback(), false),
        "sctp" => (chunks(), false),
        "formats" => (formats(), false),
        "stanza" => (captures.clone(), false),
        "sessions" => {
            let jingle = |f: &&Vec<u8>| String::from_utf8_lossy(f).contains("<jingle");
            (captures.iter().filter(jingle).cloned().collect(), true)
        }
        _ => (captures.clone(), true),
    };
    let mut all: Vec<_> = TARGETS.iter().map(|(name, target)| (*name, *target, of(name).0, of(name).1)).collect();
    all.push(("calls", jmeet::ffi::fuzz::calls, jmeet::ffi::fuzz::corpus(), false));
    all
}

fn run(name: &str) {
    let (name, target, corpus, lines) = targets().into_iter().find(|t| t.0 == name).unwrap();
    fuzz(name, target, &corpus, lines);
}

#[test]
fn stanzas_of_an_enemy_are_read_or_refused() {
    run("stanza");
}

#[test]
fn json_of_an_enemy_is_read_or_refused() {
    run("json");
}

#[test]
fn messages_of_an_enemy_on_the_bridge_channel_are_read_or_refused() {
    run("colibri");
}

#[test]
fn sessions_bear_any_requests_and_end() {
    run("sessions");
}

#[test]
fn a_stream_bears_any_frames_and_ends() {
    run("stream");
}

#[test]
fn a_stranger_s_datagrams_leave_no_state_and_no_media() {
    run("datagram");
}

#[test]
fn an_association_bears_any_chunks() {
    run("sctp");
}

#[test]
fn hostile_media_makes_no_frame_beyond_the_limits() {
    run("rtp");
}

#[test]
fn reports_and_feedback_of_a_peer_with_the_keys_make_us_send_no_more_than_was_asked_for() {
    run("rtcp");
}

#[test]
fn a_meeting_bears_any_stanzas_and_can_be_left() {
    run("meeting");
}

#[test]
fn no_sequence_of_c_calls_crashes_and_each_answers_what_the_header_says() {
    run("calls");
}

/// `fuzz/` has a program for each target, and `JMEET_WRITE_CORPUS=folder` writes what they start from.
#[test]
fn every_target_runs_under_libfuzzer_too() {
    for (name, _, corpus, lines) in targets() {
        let program = format!("{}/fuzz/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::read_to_string(program).unwrap().contains(&format!("fuzz::{name}(data)")), "{name}");
        let Some(folder) = std::env::var_os("JMEET_WRITE_CORPUS") else { continue };
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let joined = corpus.chunks(if lines { 8 } else { 1 }).map(|c| c.join(&b'\n'));
        for (n, data) in joined.enumerate() {
            std::fs::write(folder.join(n.to_string()), data).unwrap();
        }
    }
}

#[test]
fn payloads_of_every_video_format_are_borne_and_ours_are_understood() {
    run("formats");
}
