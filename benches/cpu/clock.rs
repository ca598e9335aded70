//! The clock of all benches.

/// CPU time of this thread so far, in ns.
pub fn now_ns() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    assert_eq!(failed, 0, "no clock of CPU time");
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}
