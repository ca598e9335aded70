//! `jmeet_writer`: the sending end of media.

use super::args::{Struct, fault, init, options, options_or_default, out, required};
use super::client::Client;
use super::entry::{about, entry};
use super::error::jmeet_error;
use super::frame::jmeet_outgoing_frame;
use super::handle::{Object, Table, get, take};
use super::status::jmeet_status;
use super::track::{jmeet_track, track};
use crate::client::Writer;
use crate::error::Code;
use std::sync::Arc;

/// Writes frames of one of our tracks. Freed by the caller, which leaves the track; it ends with its client.
///
/// Functions: `jmeet_writer_new`, `jmeet_writer_write`, `jmeet_writer_free`.
pub struct jmeet_writer {
    _opaque: [u8; 0],
}

/// How a writer is made. No choices yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_writer_options {
    pub struct_size: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_writer_options {}

pub(super) struct Writing {
    client: Arc<Client>,
    writer: Writer,
}

impl Object for Writing {
    type Handle = jmeet_writer;

    fn table() -> &'static Table<Writing> {
        static TABLE: Table<Writing> = Table::new(8);
        &TABLE
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_options_init(options: *mut jmeet_writer_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Makes a writer of a track of ours. `options` may be NULL. Freed by the caller. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track is not ours. `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_new(
    track: *mut jmeet_track,
    options: *const jmeet_writer_options,
    writer: *mut *mut jmeet_writer,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(writer)?;
        if options_or_default(options)?.reserved != 0 {
            return Err(fault(Code::Unsupported, "reserved must be 0"));
        }
        let t = self::track(track)?;
        let made = Writing { client: t.client.clone(), writer: t.writer()?.clone() };
        out(writer, t.client.own_writer(Arc::new(made))?)
    })
}

/// Hands a frame over; it is copied. Never blocks: pacing frames is the caller's, pacing packets ours. Any thread, one at a time per
/// track: frames go out in the order of the calls.
///
/// Errors: `JMEET_ERR_MUTED` and `JMEET_ERR_NOT_READY` (nobody receives media yet, or nothing of this encoding is to be sent now:
/// TARGET_BITRATE 0): dropped, nothing is wrong. `JMEET_ERR_FULL`: not taken,
/// the network is behind. `JMEET_ERR_TOO_LARGE`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_CODEC` (the other
/// side takes none of this codec, or CODEC_WANTED named another one), `JMEET_ERR_CLOSED` (the track was removed,
/// or the meeting is over), `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_write(
    writer: *mut jmeet_writer,
    frame: *const jmeet_outgoing_frame,
) -> jmeet_status {
    entry!({
        let frame = options(frame)?;
        let w = get::<Writing>(writer)?;
        about(w.client.handle());
        w.writer.write(frame.read(w.writer.codec())?)
    })
}

/// Frees a writer. Its track stays; `jmeet_track_remove` removes it. NULL is fine. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_free(writer: *mut jmeet_writer) -> jmeet_status {
    entry!({
        if let Some(w) = take::<Writing>(writer)? {
            w.client.disown_writer(writer.addr());
        }
        Ok(())
    })
}
