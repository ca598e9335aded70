//! Criterion's clock for these benches: CPU time of the measuring thread, so that other work on the machine counts little.

pub mod clock;

use clock::now_ns;
use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// CPU time of the thread, in ns.
pub struct ThreadCpu;

impl Measurement for ThreadCpu {
    type Intermediate = f64;
    type Value = f64;

    fn start(&self) -> f64 {
        now_ns()
    }

    fn end(&self, start: f64) -> f64 {
        now_ns() - start
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        // Nanoseconds as well.
        WallTime.formatter()
    }
}

pub fn criterion() -> Criterion<ThreadCpu> {
    Criterion::default().with_measurement(ThreadCpu).configure_from_args()
}
