//! `jmeet_reader`: the receiving end of media.

use super::args::{Struct, fault, fill, init, options_or_default, out, required, timeout, truth, writable};
use super::client::Client;
use super::entry::{about, entry};
use super::error::jmeet_error;
use super::frame::{Frame, jmeet_frame};
use super::gate::Gate;
use super::handle::{Object, Table, get, take};
use super::queue::{jmeet_wakeup_callback, replace_wakeup};
use super::status::jmeet_status;
use super::track::{jmeet_track, track};
use crate::client::Reader;
use crate::error::{Code, Error};
use crate::media::kind::MediaType;
use crate::meeting::ReaderOptions;
use parking_lot::Mutex;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

/// Frames of one track, or of everybody but ourselves. One thread at a time. Freed by the caller; it ends with its client.
///
/// Functions: `jmeet_reader_new`, `jmeet_conference_reader_new`, `jmeet_reader_next`, `jmeet_frame_retain`, `jmeet_reader_fd`,
/// `jmeet_reader_set_wakeup`, `jmeet_reader_get_stats`, `jmeet_reader_free`.
pub struct jmeet_reader {
    _opaque: [u8; 0],
}

/// What a reader delivers and how much it keeps.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_reader_options {
    pub struct_size: u32,
    /// Only this `jmeet_media`; unspecified: both.
    pub media: u32,
    /// Frames kept for a slow reader; 0: 256.
    pub queue_frames: u32,
    /// Not 0: when full the newest frame goes, not the oldest.
    pub drop_newest: u32,
    /// Longest wait for a missing packet, in milliseconds; 0: 200.
    pub jitter_ms: u32,
    /// Wanted height of video in pixels; 0: as large as it comes.
    pub height: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_reader_options {}

/// Counters of a reader.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_reader_stats {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// Frames given out.
    pub delivered: u64,
    /// Frames dropped because nobody took them in time.
    pub dropped: u64,
    /// Frames that wait.
    pub queued: u64,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_reader_stats {}

impl jmeet_reader_options {
    pub(super) fn read(&self) -> Result<ReaderOptions, Error> {
        let media = match self.media {
            0 => None,
            1 => Some(MediaType::Audio),
            2 => Some(MediaType::Video),
            _ => return Err(fault(Code::InvalidArgument, "media is unknown")),
        };
        Ok(ReaderOptions {
            media,
            queue_frames: self.queue_frames,
            drop_newest: truth(self.drop_newest),
            jitter: Duration::from_millis(self.jitter_ms.into()),
            height: self.height,
        })
    }
}

pub(super) struct Reading {
    client: Arc<Client>,
    reader: Reader,
    /// What the pointers of the last `jmeet_frame` point to. Locked during a call: a second thread is told BUSY.
    current: Mutex<Option<Arc<Frame>>>,
    gate: Mutex<Option<Arc<Gate>>>,
}

impl Object for Reading {
    type Handle = jmeet_reader;

    fn table() -> &'static Table<Reading> {
        static TABLE: Table<Reading> = Table::new(9);
        &TABLE
    }
}

fn busy() -> Error {
    fault(Code::Busy, "another thread is in a call on this reader")
}

impl Reading {
    /// A handle for a new reader of this client.
    pub fn make(client: &Arc<Client>, reader: Reader) -> Result<*mut jmeet_reader, Error> {
        let (current, gate) = (Mutex::default(), Mutex::default());
        client.own_reader(Arc::new(Reading { client: client.clone(), reader, current, gate }))
    }

    /// The frame that was given last.
    pub fn current(&self) -> Result<Arc<Frame>, Error> {
        let current = self.current.try_lock().ok_or_else(busy)?;
        current.clone().ok_or_else(|| fault(Code::State, "there is no frame to keep"))
    }

    fn next(&self, timeout: Option<Duration>) -> Result<jmeet_frame, Error> {
        let mut current = self.current.try_lock().ok_or_else(busy)?;
        // The pointers of the frame before end here, as promised.
        *current = None;
        let frame = Arc::new(Frame::new(self.reader.next(timeout)?));
        let info = frame.info();
        *current = Some(frame);
        Ok(info)
    }

    /// Ends it; its handle is gone already.
    pub fn end(&self) {
        self.reader.close();
        replace_wakeup(&self.gate, None, std::ptr::null_mut(), |w| self.reader.set_wakeup(w));
    }
}

fn reading(handle: *const jmeet_reader) -> Result<Arc<Reading>, Error> {
    let r = get::<Reading>(handle)?;
    about(r.client.handle());
    Ok(r)
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_options_init(options: *mut jmeet_reader_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_stats_init(stats: *mut jmeet_reader_stats, size: usize) -> jmeet_status {
    entry!({ init(stats, size) })
}

/// Makes a reader of one remote track. Several may read one track, each with its own bound. `options` may be NULL. Freed by the
/// caller. Any thread; does not block.
///
/// Errors: `JMEET_ERR_GONE`: the track was removed. `JMEET_ERR_INVALID_ARGUMENT`: the track is ours, or an option. `JMEET_ERR_NOT_BUILT`: the library
/// has no media. `JMEET_ERR_CLOSED`,
/// `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_new(
    track: *mut jmeet_track,
    options: *const jmeet_reader_options,
    reader: *mut *mut jmeet_reader,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(reader)?;
        let o = options_or_default(options)?.read()?;
        let t = self::track(track)?;
        out(reader, Reading::make(&t.client, t.client.conference()?.reader(Some(t.key), o)?)?)
    })
}

/// Gives the next frame, or waits for one at most `timeout_ms` (0: not at all; `JMEET_FOREVER`). The frame's pointers live until the
/// next call on this reader, whatever it answers, or its free. One thread at a time; blocks up to the timeout.
///
/// Errors: `JMEET_ERR_TIMEOUT`: none came. `JMEET_ERR_CLOSED`: the track, the meeting or the reader has ended and all frames were given.
/// `JMEET_ERR_BUSY`: another thread is in a call on this reader. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`,
/// `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_next(
    reader: *mut jmeet_reader,
    timeout_ms: i32,
    frame: *mut jmeet_frame,
) -> jmeet_status {
    entry!({
        writable(frame)?;
        fill(frame, reading(reader)?.next(timeout(timeout_ms))?)
    })
}

/// A descriptor that is readable while a frame waits, or the end. It belongs to the reader: never read or close it. When it is
/// readable call `jmeet_reader_next(reader, 0, …)` until `JMEET_ERR_TIMEOUT`. Any thread; does not block.
///
/// Errors: `JMEET_ERR_UNSUPPORTED` where the system has no such descriptors, `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_fd(reader: *mut jmeet_reader, fd: *mut isize) -> jmeet_status {
    entry!({
        required(fd)?;
        out(fd, reading(reader)?.reader.fd()? as isize)
    })
}

/// Has `wakeup` called whenever a frame arrives, or the end; NULL ends it. When this returns the wake-up before it does not run and
/// will not run again, but the call that this was called from. Any thread.
///
/// Errors: `JMEET_ERR_NULL` for the reader, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_set_wakeup(
    reader: *mut jmeet_reader,
    wakeup: jmeet_wakeup_callback,
    user_data: *mut c_void,
) -> jmeet_status {
    entry!({
        let r = reading(reader)?;
        replace_wakeup(&r.gate, wakeup, user_data, |w| r.reader.set_wakeup(w));
        Ok(())
    })
}

/// Counters so far. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_get_stats(
    reader: *const jmeet_reader,
    stats: *mut jmeet_reader_stats,
) -> jmeet_status {
    entry!({
        writable(stats)?;
        let s = reading(reader)?.reader.stats();
        let (delivered, dropped, queued) = (s.delivered, s.dropped, s.queued);
        fill(stats, jmeet_reader_stats { struct_size: 0, reserved: 0, delivered, dropped, queued })
    })
}

/// Frees a reader; when nobody else reads the track, nothing of it is asked for any more. A thread that blocks in `jmeet_reader_next`
/// wakes with `JMEET_ERR_CLOSED`. NULL is fine. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_reader_free(reader: *mut jmeet_reader) -> jmeet_status {
    entry!({
        if let Some(r) = take::<Reading>(reader)? {
            r.client.disown_reader(reader.addr());
            r.end();
        }
        Ok(())
    })
}
