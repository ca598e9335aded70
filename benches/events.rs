//! One event through the C functions, uncontended: pushed by a machine, then next, type, one accessor, free. Target: 200 ns, for one
//! at a time. A burst of a thousand that wait at once is printed apart: there the memory of all of them is walked.

mod cpu;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jmeet::ffi::alone::Bench;
use jmeet::ffi::event::{jmeet_event_free, jmeet_event_type};
use jmeet::ffi::event_info::*;
use jmeet::ffi::event_kind::jmeet_event_kind;
use jmeet::ffi::status::jmeet_status;
use jmeet::meeting::event::{ClientState, EventKind, Message};

/// Messages that wait at once; fewer than a queue holds of one client.
const BURST: usize = 1000;

fn take(b: &Bench) {
    let event = b.next();
    // SAFETY: valid pointers and handles; all-zero is a value of these structs.
    let status = unsafe {
        let status = if jmeet_event_type(event) == jmeet_event_kind::JMEET_EVENT_MESSAGE as u32 {
            let mut m: jmeet_message_info = std::mem::zeroed();
            m.struct_size = size_of::<jmeet_message_info>() as u32;
            jmeet_event_message(event, &raw mut m)
        } else {
            let mut s: jmeet_state_info = std::mem::zeroed();
            s.struct_size = size_of::<jmeet_state_info>() as u32;
            jmeet_event_state(event, &raw mut s)
        };
        jmeet_event_free(event);
        status
    };
    assert_eq!(status, jmeet_status::JMEET_OK);
}

fn events(c: &mut Criterion<cpu::ThreadCpu>) {
    let message = Message {
        participant: None,
        endpoint_id: "0000000a".into(),
        display_name: "Alice".into(),
        text: "hello".into(),
        id: "1".into(),
        private: false,
        delayed: false,
        sent_ms: 0,
    };
    let b = Bench::new();
    let mut g = c.benchmark_group("event through the C functions");
    g.bench_function("state", |x| {
        x.iter(|| {
            b.push(0, EventKind::State(ClientState::Joined));
            take(&b);
        });
    });
    g.bench_function("message, with its four strings made", |x| {
        x.iter(|| {
            b.push(0, EventKind::Message(Box::new(message.clone())));
            take(&b);
        });
    });
    // Their strings were made before, and are freed with them.
    g.throughput(Throughput::Elements(BURST as u64));
    g.bench_function("messages, a burst of 1,000", |x| {
        x.iter_batched(
            || vec![EventKind::Message(Box::new(message.clone())); BURST],
            |all| {
                let count = all.len();
                all.into_iter().for_each(|kind| b.push(0, kind));
                (0..count).for_each(|_| take(&b));
            },
            BatchSize::PerIteration,
        );
    });
    g.finish();
    b.end();
}

criterion_group!(name = benches; config = cpu::criterion(); targets = events);
criterion_main!(benches);
