//! The model is complete: what it starts from calls every function that the header declares.

use super::model::{calls_so_far, documented};
use super::{TO_THE_TESTKIT, corpus, run_for};
use std::collections::BTreeSet;
use std::time::Duration;

/// Functions of the header that no program of the model calls, with the reason. There are none.
const NOT_CALLED: [(&str, &str); 0] = [];

#[test]
fn every_function_of_the_header_is_called_or_named_with_the_reason_why_not() {
    for program in corpus() {
        run_for(&program, Duration::from_secs(5));
    }
    let called = calls_so_far();
    let declared: BTreeSet<&str> = documented().keys().map(String::as_str).collect();
    assert!(declared.len() > 170, "the header was read: {}", declared.len());
    let strange: Vec<_> = called.keys().filter(|name| !declared.contains(*name)).collect();
    assert!(strange.is_empty(), "not in the header: {strange:?}");
    for (name, _) in NOT_CALLED {
        assert!(declared.contains(name) && !called.contains_key(name), "{name} is called, or is none");
    }
    let left: Vec<_> =
        declared.iter().filter(|d| !called.contains_key(**d) && !NOT_CALLED.iter().any(|(n, _)| n == *d)).collect();
    assert!(left.is_empty(), "the model of C calls in src/ffi/fuzz calls none of {left:?}");
    // The programs come as far as frames; on a machine that is busy they may need another try.
    let heard = || calls_so_far().get("jmeet_frame_get").is_some_and(|[taken, _]| *taken > 0);
    let two = corpus().into_iter().filter(|program| program.contains(&TO_THE_TESTKIT)).collect::<Vec<_>>();
    for program in two.iter().cycle().take(20) {
        if heard() {
            return;
        }
        run_for(program, Duration::from_secs(10));
    }
    assert!(heard(), "two who meet in the testkit hear each other");
}
