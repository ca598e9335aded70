//! A door that calls into user code go through, so that it can be shut for good: when [`Gate::shut`] returns, no call runs or
//! will run, but the one that it was called from (design §6, "Lifecycle").

use parking_lot::{Condvar, Mutex};
use std::ffi::c_void;
use std::thread::ThreadId;

#[derive(Default)]
struct State {
    shut: bool,
    inside: Vec<ThreadId>,
}

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

impl Gate {
    /// Runs `f` unless the gate is shut.
    pub fn pass(&self, f: impl FnOnce()) {
        let me = std::thread::current().id();
        {
            let mut s = self.state.lock();
            if s.shut {
                return;
            }
            s.inside.push(me);
        }
        f();
        let mut s = self.state.lock();
        if let Some(at) = s.inside.iter().position(|t| *t == me) {
            s.inside.swap_remove(at);
        }
        drop(s);
        self.left.notify_all();
    }

    /// Shuts it and waits for those inside, oneself excepted.
    pub fn shut(&self) {
        let me = std::thread::current().id();
        let mut s = self.state.lock();
        s.shut = true;
        while s.inside.iter().any(|t| *t != me) {
            self.left.wait(&mut s);
        }
    }
}

/// The program's own pointer: given back to it, never looked at.
#[derive(Clone, Copy)]
pub(super) struct UserData(*mut c_void);

// SAFETY: the header says that the callbacks run on other threads; what the pointer means there is the program's affair.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub fn new(p: *mut c_void) -> UserData {
        UserData(p)
    }

    pub fn get(self) -> *mut c_void {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    #[test]
    fn shut_waits_for_those_inside_and_lets_nobody_in() {
        let gate = Arc::new(Gate::default());
        let done = Arc::new(AtomicBool::new(false));
        let (entered, wait) = mpsc::channel();
        let (go, held) = mpsc::channel::<()>();
        let t = std::thread::spawn({
            let (gate, done) = (gate.clone(), done.clone());
            move || {
                gate.pass(|| {
                    entered.send(()).unwrap();
                    held.recv().unwrap();
                    done.store(true, Ordering::SeqCst);
                });
            }
        });
        wait.recv().unwrap();
        go.send(()).unwrap();
        gate.shut();
        assert!(done.load(Ordering::SeqCst));
        gate.pass(|| unreachable!("it is shut"));
        t.join().unwrap();
    }

    #[test]
    fn shut_from_inside_does_not_wait_for_itself() {
        let gate = Gate::default();
        let mut ran = false;
        gate.pass(|| {
            gate.shut();
            ran = true;
        });
        assert!(ran);
    }
}
