//! One event through the C functions, uncontended: pushed by a machine, then next, type, one accessor, free. Target: 200 ns, for one
//! at a time. A burst of a thousand that wait at once is printed apart: there the memory of all of them is walked; and so is the wake-up of a thread that waits.

mod cpu;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jmeet::ffi::alone::Bench;
use jmeet::ffi::event::{jmeet_event_free, jmeet_event_type};
use jmeet::ffi::event_info::*;
use jmeet::ffi::event_kind::jmeet_event_kind;
use jmeet::ffi::queue::jmeet_queue_next;
use jmeet::ffi::status::jmeet_status;
use jmeet::meeting::event::{ClientState, EventKind, Message};
use std::time::{Duration, Instant};

/// Messages that wait at once; fewer than a queue holds of one client.
const BURST: usize = 1000;
const WAKE_UPS: usize = 2000;

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

/// How long a thread that waits in `jmeet_queue_next` takes to come back with an event, by the clock on the wall: the scheduler's part, which
/// is why it is no part of the figures above.
fn wake_up(_: &mut Criterion<cpu::ThreadCpu>) {
    let b = Bench::new();
    let queue = b.queue as usize;
    let (tell, told) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        for _ in 0..WAKE_UPS {
            let mut event = std::ptr::null_mut();
            // SAFETY: a handle and a valid pointer.
            let status = unsafe { jmeet_queue_next(queue as *mut _, -1, &raw mut event) };
            let at = Instant::now();
            assert_eq!(status, jmeet_status::JMEET_OK);
            // SAFETY: the event is this thread's.
            unsafe { jmeet_event_free(event) };
            tell.send(at).expect("somebody who measures");
        }
    });
    let mut times: Vec<_> = (0..WAKE_UPS)
        .map(|_| {
            // Long enough to be asleep again.
            std::thread::sleep(Duration::from_micros(300));
            let pushed = Instant::now();
            b.push(0, EventKind::State(ClientState::Joined));
            told.recv().expect("the event").duration_since(pushed)
        })
        .collect();
    waiting.join().expect("a thread");
    b.end();
    times.sort_unstable();
    let (median, late) = (times[WAKE_UPS / 2], times[WAKE_UPS * 99 / 100]);
    println!("wake-up of a thread in jmeet_queue_next: median {median:?}, 99 of 100 within {late:?}");
}

criterion_group!(name = benches; config = cpu::criterion(); targets = events, wake_up);
criterion_main!(benches);
