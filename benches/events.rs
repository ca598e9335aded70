//! One event through the C functions, uncontended: pushed by a machine, then next, type, one accessor, free. Target: 200 ns.

mod cpu;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jmeet::ffi::alone::Bench;
use jmeet::ffi::event::{jmeet_event_free, jmeet_event_type};
use jmeet::ffi::event_info::*;
use jmeet::ffi::status::{jmeet_event_kind, jmeet_status};
use jmeet::meeting::event::{ClientState, EventKind, Message};

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
    for (name, kind) in [("state", EventKind::State(ClientState::Joined)), ("message", EventKind::Message(message))] {
        // The machine makes the event; its strings are freed with it.
        g.bench_function(name, |x| {
            x.iter_batched(
                || kind.clone(),
                |kind| {
                    b.push(0, kind);
                    take(&b);
                },
                BatchSize::SmallInput,
            );
        });
    }
    g.finish();
    b.end();
}

criterion_group!(name = benches; config = cpu::criterion(); targets = events);
criterion_main!(benches);
