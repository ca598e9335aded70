//! Every `_init` function, with sizes of every kind.

use super::super::{
    bridge_info::*, bridge_states::*, client::*, error::*, event_info::*, frame::*, mute::*, participant::*, queue::*,
    reader::*, refusals::*, runtime::*, stats::*, status::*, tones::*, track::*, writer::*,
};
use super::model::{Sized, Wrong};
use super::run::Run;
use std::ffi::c_void;

/// A function that sets a struct: its name, the size of its struct, and the call.
type Init = (&'static str, usize, unsafe fn(*mut c_void, usize) -> jmeet_status);

macro_rules! inits {
    ($($function:ident $info:ty),* $(,)?) => {
        [$((
            stringify!($function),
            size_of::<$info>(),
            // SAFETY: the caller's promises.
            (|to, size| unsafe { $function(to.cast::<$info>(), size) }) as unsafe fn(*mut c_void, usize) -> jmeet_status,
        )),*]
    };
}

pub(super) const INITS: [Init; 49] = inits!(
    jmeet_error_info_init jmeet_error_info,
    jmeet_runtime_options_init jmeet_runtime_options,
    jmeet_queue_options_init jmeet_queue_options,
    jmeet_state_info_init jmeet_state_info,
    jmeet_joined_info_init jmeet_joined_info,
    jmeet_participant_left_info_init jmeet_participant_left_info,
    jmeet_role_info_init jmeet_role_info,
    jmeet_message_info_init jmeet_message_info,
    jmeet_subject_info_init jmeet_subject_info,
    jmeet_focus_info_init jmeet_focus_info,
    jmeet_bridge_info_init jmeet_bridge_info,
    jmeet_media_info_init jmeet_media_info,
    jmeet_key_frame_wanted_info_init jmeet_key_frame_wanted_info,
    jmeet_target_bitrate_info_init jmeet_target_bitrate_info,
    jmeet_codec_wanted_info_init jmeet_codec_wanted_info,
    jmeet_bandwidth_info_init jmeet_bandwidth_info,
    jmeet_timeline_info_init jmeet_timeline_info,
    jmeet_overrun_info_init jmeet_overrun_info,
    jmeet_client_options_init jmeet_client_options,
    jmeet_client_stats_init jmeet_client_stats,
    jmeet_downlink_info_init jmeet_downlink_info,
    jmeet_track_forwarded_info_init jmeet_track_forwarded_info,
    jmeet_endpoint_message_info_init jmeet_endpoint_message_info,
    jmeet_speaker_info_init jmeet_speaker_info,
    jmeet_bridge_channel_info_init jmeet_bridge_channel_info,
    jmeet_receive_options_init jmeet_receive_options,
    jmeet_speaking_init jmeet_speaking,
    jmeet_track_streaming_info_init jmeet_track_streaming_info,
    jmeet_connectivity_info_init jmeet_connectivity_info,
    jmeet_round_trip_info_init jmeet_round_trip_info,
    jmeet_track_status_init jmeet_track_status,
    jmeet_participant_status_init jmeet_participant_status,
    jmeet_muted_by_info_init jmeet_muted_by_info,
    jmeet_sources_refused_info_init jmeet_sources_refused_info,
    jmeet_start_muted_info_init jmeet_start_muted_info,
    jmeet_restart_refused_info_init jmeet_restart_refused_info,
    jmeet_tone_info_init jmeet_tone_info,
    jmeet_local_stats_init jmeet_local_stats,
    jmeet_participant_stats_info_init jmeet_participant_stats_info,
    jmeet_track_stats_init jmeet_track_stats,
    jmeet_participant_info_init jmeet_participant_info,
    jmeet_track_options_init jmeet_track_options,
    jmeet_track_info_init jmeet_track_info,
    jmeet_writer_options_init jmeet_writer_options,
    jmeet_writer_stats_init jmeet_writer_stats,
    jmeet_reader_options_init jmeet_reader_options,
    jmeet_reader_stats_init jmeet_reader_stats,
    jmeet_frame_init jmeet_frame,
    jmeet_outgoing_frame_init jmeet_outgoing_frame,
);

impl Run {
    /// Sets a struct: as large as it is, as a newer header has it, too small, enormous, or NULL.
    pub fn inits(&mut self, a: [u8; 7]) {
        let (name, real, init) = INITS[a[0] as usize % INITS.len()];
        let mut wrong = Wrong::default();
        let size = match a[1] % 8 {
            0..3 => real,
            3 => real + 24,
            4 => 3,
            5 => 0,
            6 => 5000,
            _ => usize::MAX,
        };
        if a[1] % 8 > 3 {
            wrong.is("ERR_INVALID_ARGUMENT");
        }
        let mut to = Sized::new(real, 0, &mut wrong);
        to.bytes().fill(0x5a);
        let null = a[2] & 1 != 0;
        if null {
            wrong.is("ERR_NULL");
        }
        let pointer = if null { std::ptr::null_mut() } else { to.bytes().as_mut_ptr().cast() };
        // SAFETY: room for every size that is taken.
        let ok = self.answered(name, unsafe { init(pointer, size) }, &wrong);
        let written = if ok { size } else { 0 };
        if ok {
            assert_eq!(to.bytes()[..4], (size as u32).to_ne_bytes(), "{name}");
            assert!(to.bytes()[4..size].iter().all(|b| *b == 0), "{name} left something");
        }
        assert!(to.bytes()[written..].iter().all(|b| *b == 0x5a), "{name} wrote where it must not");
    }
}
