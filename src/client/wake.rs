//! Telling a foreign event loop that something waits: a readable descriptor, or a callback. One for queues and readers.
//!
//! The descriptor is one end of a socket pair, made at the first [`Wake::fd`]: nobody who does not ask pays for it.

use crate::error::{Code, Error, Stage};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Callback = Arc<dyn Fn() + Send + Sync>;

/// A level: raised while something waits.
#[derive(Default)]
pub(crate) struct Wake {
    /// Whether anybody asked for a descriptor or set a callback: else raising costs one load.
    used: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    callback: Option<Callback>,
    #[cfg(unix)]
    pair: Option<(std::os::unix::net::UnixStream, std::os::unix::net::UnixStream)>,
    raised: bool,
}

impl Wake {
    /// Something waits.
    pub fn raise(&self) {
        if !self.used.load(Ordering::Acquire) {
            return;
        }
        let callback = {
            let mut inner = self.inner.lock();
            inner.set(true);
            inner.callback.clone()
        };
        // No lock is held while user code runs.
        if let Some(f) = callback {
            f();
        }
    }

    /// Nothing waits any more.
    pub fn clear(&self) {
        if self.used.load(Ordering::Acquire) {
            self.inner.lock().set(false);
        }
    }

    /// The descriptor, readable from the start when something is `waiting`. It lives as long as this.
    #[cfg(unix)]
    pub fn fd(&self, waiting: bool) -> Result<i32, Error> {
        use std::os::fd::AsRawFd;
        let mut inner = self.inner.lock();
        if inner.pair.is_none() {
            let fault = |e: std::io::Error| Error::new(Code::Resources, Stage::None, e.to_string());
            let (read, write) = std::os::unix::net::UnixStream::pair().map_err(fault)?;
            read.set_nonblocking(true).map_err(fault)?;
            write.set_nonblocking(true).map_err(fault)?;
            inner.pair = Some((read, write));
            inner.raised = false;
            self.used.store(true, Ordering::Release);
            inner.set(waiting);
        }
        Ok(inner.pair.as_ref().map_or(-1, |p| p.0.as_raw_fd()))
    }

    /// There is no such descriptor here.
    #[cfg(not(unix))]
    pub fn fd(&self, _waiting: bool) -> Result<i32, Error> {
        Err(Error::new(Code::Unsupported, Stage::None, "no descriptors on this system; use the wake-up callback"))
    }

    /// Sets or removes the callback. One that is running may still finish.
    pub fn set_callback(&self, f: Option<Box<dyn Fn() + Send + Sync>>) {
        let mut inner = self.inner.lock();
        inner.callback = f.map(Arc::from);
        if inner.callback.is_some() {
            self.used.store(true, Ordering::Release);
        }
    }
}

impl Inner {
    fn set(&mut self, raised: bool) {
        if self.raised == raised {
            return;
        }
        self.raised = raised;
        #[cfg(unix)]
        if let Some((read, write)) = &mut self.pair {
            use std::io::{Read, Write};
            // One byte is in flight at most, so neither call can block or fall short.
            let _ = if raised { write.write(&[1]) } else { read.read(&mut [0; 8]) };
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn readable(w: &Wake) -> bool {
        let mut inner = w.inner.lock();
        let pair = inner.pair.as_mut().unwrap();
        let mut b = [0; 8];
        pair.0.set_nonblocking(true).unwrap();
        // Peeking is not in std: read and put back.
        match std::io::Read::read(&mut pair.0, &mut b) {
            Ok(n) => {
                assert_eq!(n, 1);
                std::io::Write::write_all(&mut pair.1, &b[..n]).unwrap();
                true
            }
            Err(_) => false,
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no system calls")]
    fn the_descriptor_follows_the_level() {
        let w = Wake::default();
        w.raise();
        w.fd(true).unwrap();
        assert!(readable(&w));
        w.raise();
        w.clear();
        assert!(!readable(&w));
        w.clear();
        w.raise();
        w.raise();
        assert!(readable(&w));
    }

    #[test]
    fn the_callback_runs_on_each_raise_and_may_replace_itself() {
        let (w, n) = (Arc::new(Wake::default()), Arc::new(AtomicU32::new(0)));
        let (w2, n2) = (w.clone(), n.clone());
        w.set_callback(Some(Box::new(move || {
            if n2.fetch_add(1, Ordering::Relaxed) == 1 {
                w2.set_callback(None);
            }
        })));
        for _ in 0..5 {
            w.raise();
        }
        assert_eq!(n.load(Ordering::Relaxed), 2);
    }
}
