//! What a stack must do to be measured.

use std::net::SocketAddr;

/// One end of a connection. Times are µs of a virtual clock.
pub trait End {
    /// Queues packet `n` of this stream.
    fn send(&mut self, stream: u32, n: u32, now_us: u64);
    /// Takes datagrams of the other end that came together, of so many bytes each, the last perhaps shorter, and gives what goes out
    /// for them: as [`End::drain`] does, as often as the stack demands that.
    fn receive(&mut self, data: &[u8], segment: usize, now_us: u64, out: &mut dyn FnMut(&[u8], usize));
    /// Does what is due, and gives all datagrams that are to go out: of so many bytes each, the last perhaps shorter, as many at once
    /// as the stack gives.
    fn drain(&mut self, now_us: u64, out: &mut dyn FnMut(&[u8], usize));
    /// Media can flow.
    fn is_ready(&self) -> bool;
    /// RTP packets given to the application so far.
    fn received(&self) -> u64;
}

/// Two ends that know each other, and the time.
pub struct Pair<E> {
    /// The sender is the first.
    pub ends: [E; 2],
    pub now_us: u64,
}

/// Where the clock begins.
pub const START_US: u64 = 1_000_000;

/// The ends' addresses in memory.
pub fn addresses() -> [SocketAddr; 2] {
    [SocketAddr::from(([10, 0, 0, 1], 1000)), SocketAddr::from(([10, 0, 0, 2], 2000))]
}

/// CPU time of this thread so far, ns.
pub fn thread_cpu_ns() -> f64 {
    cpu_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of this process so far, ns.
#[cfg(feature = "others")]
pub fn process_cpu_ns() -> f64 {
    cpu_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn cpu_ns(clock: libc::clockid_t) -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec.
    let failed = unsafe { libc::clock_gettime(clock, &mut t) };
    assert_eq!(failed, 0, "no clock of CPU time");
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}
