//! The threads. One runtime may serve a thousand clients; a client without one makes its own.

use crate::error::{Code, Error, Stage};
use std::sync::Arc;
use std::time::Duration;

/// Worker threads unless chosen otherwise.
pub const DEFAULT_THREADS: usize = 2;
/// Worker threads at most.
pub const MAX_THREADS: usize = 64;
/// How long the last handle waits for lingering clients to say good-bye. More than `client::FREE_LINGER`.
const SHUTDOWN: Duration = Duration::from_millis(500);

struct Inner(Option<tokio::runtime::Runtime>);

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(rt) = self.0.take() {
            // The last handle may go inside a callback, which runs on no runtime thread, or on one: then waiting would deadlock.
            if tokio::runtime::Handle::try_current().is_ok() {
                rt.shutdown_background();
            } else {
                rt.shutdown_timeout(SHUTDOWN);
            }
        }
    }
}

/// A set of threads named `jmeet-…` that drives clients. Cloning shares it; the last clone ends it.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

impl Runtime {
    /// Starts `threads` workers (0: [`DEFAULT_THREADS`]).
    pub fn new(threads: usize) -> Result<Runtime, Error> {
        if threads > MAX_THREADS {
            return Err(Error::new(Code::InvalidArgument, Stage::None, format!("at most {MAX_THREADS} threads")));
        }
        let threads = if threads == 0 { DEFAULT_THREADS } else { threads };
        let rt = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(threads.max(4))
            .thread_name("jmeet-worker")
            .enable_all()
            .build()
            .map_err(|e| Error::new(Code::Resources, Stage::None, e.to_string()))?;
        Ok(Runtime(Arc::new(Inner(Some(rt)))))
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(rt) = &self.0.0 {
            rt.spawn(future);
        }
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_bounded() {
        assert!(Runtime::new(MAX_THREADS).is_ok());
        assert_eq!(Runtime::new(MAX_THREADS + 1).err().map(|e| e.code), Some(Code::InvalidArgument));
    }
}
