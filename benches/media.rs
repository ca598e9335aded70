//! The parts of the media path alone: SRTP there and back, and the jitter buffer.

mod cpu;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jmeet::Time;
use jmeet::engine::alone::{SrtpPair, SrtpProfile};
use jmeet::media::jitter::Jitter;
use jmeet::media::peer::IncomingRtp;

const PAYLOAD: usize = 1100;

fn srtp(c: &mut Criterion<cpu::ThreadCpu>) {
    let mut g = c.benchmark_group("SRTP of 1100 bytes, protect and unprotect");
    g.throughput(Throughput::Bytes(PAYLOAD as u64));
    for (name, profile) in [
        ("AEAD_AES_128_GCM", SrtpProfile::Aead128),
        ("AEAD_AES_256_GCM", SrtpProfile::Aead256),
        ("AES128_CM_HMAC_SHA1_80", SrtpProfile::CounterMode),
    ] {
        let (mut pair, payload) = (SrtpPair::new(profile), vec![7; PAYLOAD]);
        g.bench_function(name, |b| b.iter(|| assert!(pair.there_and_back(black_box(&payload)))));
    }
}

fn jitter(c: &mut Criterion<cpu::ThreadCpu>) {
    let payload = Bytes::from(vec![7; PAYLOAD]);
    let mut g = c.benchmark_group("jitter buffer, per packet");
    // Every eighth packet comes two places late, or none does.
    for (name, late) in [("in order", u64::MAX), ("an eighth late", 8)] {
        let (mut buffer, mut n, mut held) = (Jitter::new(Duration::from_millis(100)), 0u64, None);
        g.bench_function(name, |b| {
            b.iter(|| {
                let now = Time::new(n * 1000, n as i64 * 1000);
                let p = IncomingRtp {
                    ssrc: 1,
                    pt: 100,
                    seq: 65_536 + n,
                    ts: n as u32 * 90,
                    marker: true,
                    recovered: false,
                    arrival: now,
                    waited_us: 0,
                    level: None,
                    mid: None,
                    dependency_descriptor: None,
                    payload: payload.clone(),
                };
                if n % late == late - 1 {
                    held = Some(p);
                } else {
                    buffer.push(p);
                    if n % late == 1 {
                        held.take().map(|p| buffer.push(p));
                    }
                }
                n += 1;
                while let Some(p) = buffer.pop(now) {
                    black_box(p);
                }
            });
        });
        assert_eq!(buffer.stats().lost, 0);
    }
}

criterion_group!(name = benches; config = cpu::criterion(); targets = srtp, jitter);
criterion_main!(benches);
