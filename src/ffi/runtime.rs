//! `jmeet_runtime`: the threads that drive clients.

use super::args::{Struct, init, options_or_default, out, required};
use super::client::Client;
use super::entry::entry;
use super::error::jmeet_error;
use super::handle::{Object, Table, make, pointer, take};
use super::status::jmeet_status;
use crate::client::Runtime;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;

/// The threads that drive clients; their names start with "jmeet-". A thousand clients can share one. A client without one has
/// threads of its own.
///
/// Functions: `jmeet_runtime_new`, `jmeet_runtime_free`.
pub struct jmeet_runtime {
    _opaque: [u8; 0],
}

/// How a runtime is made.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_runtime_options {
    pub struct_size: u32,
    /// Worker threads, 1 to 64; 0: two.
    pub threads: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_runtime_options {}

pub(super) struct Threads {
    runtime: Runtime,
    /// Handles of the clients that it drives.
    clients: Mutex<HashSet<usize>>,
}

impl Object for Threads {
    type Handle = jmeet_runtime;

    fn table() -> &'static Table<Threads> {
        static TABLE: Table<Threads> = Table::new(1);
        &TABLE
    }
}

impl Threads {
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub fn adopt(&self, client: usize) {
        self.clients.lock().insert(client);
    }

    pub fn dismiss(&self, client: usize) {
        self.clients.lock().remove(&client);
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_runtime_options_init(options: *mut jmeet_runtime_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Makes a runtime and starts its threads. `options` may be NULL. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_runtime_new(
    options: *const jmeet_runtime_options,
    runtime: *mut *mut jmeet_runtime,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(runtime)?;
        let options = options_or_default(options)?;
        let threads = Runtime::new(options.threads as usize)?;
        out(runtime, make(Arc::new(Threads { runtime: threads, clients: Mutex::default() }))?)
    })
}

/// Frees a runtime and first every client that it drives, as `jmeet_client_free` does. Its threads end after the last client's
/// good-bye, at most `JMEET_FREE_LINGER_MS` later. NULL is fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_runtime_free(runtime: *mut jmeet_runtime) -> jmeet_status {
    entry!({
        if let Some(threads) = take::<Threads>(runtime)? {
            let clients: Vec<usize> = threads.clients.lock().drain().collect();
            for client in clients {
                // Freed by somebody else in between: all the same.
                if let Ok(Some(c)) = take::<Client>(pointer::<Client>(client)) {
                    c.end();
                }
            }
        }
        Ok(())
    })
}
