/*
 * Every function that takes a handle, once, with good arguments beside it: for handles that are none, and for good ones in a forked child.
 * tests/parts/40-c-abi says which function of jmeet.h is missing.
 */
#ifndef EVERY_CALL_H
#define EVERY_CALL_H

#include <jmeet.h>
#include "check.h"

#include <string.h>

/* One handle of each type. */
typedef struct {
    jmeet_runtime *runtime;
    jmeet_queue *queue;
    jmeet_client *client;
    jmeet_conference *conference;
    jmeet_participant *participant;
    jmeet_participant_list *participant_list;
    jmeet_track *track;
    jmeet_track_list *track_list;
    jmeet_writer *writer;
    jmeet_reader *reader;
    jmeet_frame_ref *frame_ref;
    jmeet_event *event;
    jmeet_error *error;
    jmeet_stats *stats;
} every_handle;

/* X(the type of `h`, what is true of the call). `refused` is the status; freeing NULL is fine, so `not_freed` is another then. */
#define EVERY_CALL(X) \
    X(error, jmeet_error_status(h) == refused) \
    X(error, jmeet_error_stage(h) == 0) \
    X(error, jmeet_error_condition(h).size == 0) \
    X(error, jmeet_error_text(h).size == 0) \
    X(error, jmeet_error_get(h, &(jmeet_error_info)JMEET_ERROR_INFO_INIT) == refused) \
    X(error, jmeet_error_free(h) == not_freed) \
    X(runtime, jmeet_runtime_free(h) == not_freed) \
    X(queue, jmeet_queue_next(h, 0, &made.event) == refused) \
    X(queue, jmeet_queue_fd(h, &fd) == refused) \
    X(queue, jmeet_queue_set_wakeup(h, NULL, NULL) == refused) \
    X(queue, jmeet_queue_set_callback(h, NULL, NULL, NULL) == refused) \
    X(queue, jmeet_client_new(h, &options, &made.client, NULL) == refused) \
    X(queue, jmeet_queue_free(h) == not_freed) \
    X(client, jmeet_client_join(h, 0, &made.conference, NULL) == refused) \
    X(client, jmeet_client_conference(h, &made.conference) == refused) \
    X(client, jmeet_client_state(h) == JMEET_STATE_UNSPECIFIED) \
    X(client, jmeet_client_timeline(h, JMEET_TIMELINE_START, &number) == refused) \
    X(client, jmeet_client_get_stats(h, &(jmeet_client_stats)JMEET_CLIENT_STATS_INIT) == refused) \
    X(client, jmeet_client_close(h, 0) == refused) \
    X(client, jmeet_client_free(h) == not_freed) \
    X(conference, jmeet_conference_send_message(h, "x", 0, NULL) == refused) \
    X(conference, jmeet_conference_send_private_message(h, "00000000", "x", 0, NULL) == refused) \
    X(conference, jmeet_conference_send_endpoint_message(h, NULL, "{}", 0, NULL) == refused) \
    X(conference, jmeet_conference_set_display_name(h, "x", 0, NULL) == refused) \
    X(conference, jmeet_conference_set_receive(h, NULL, NULL) == refused) \
    X(conference, jmeet_conference_leave(h, 0, NULL) == refused) \
    X(conference, jmeet_conference_room_jid(h, &text) == refused) \
    X(conference, jmeet_conference_endpoint_id(h, &text) == refused) \
    X(conference, jmeet_conference_list_participants(h, &made.participant_list) == refused) \
    X(conference, jmeet_conference_list_speakers(h, &made.participant_list) == refused) \
    X(conference, jmeet_conference_list_tracks(h, &made.track_list) == refused) \
    X(conference, jmeet_conference_find_participant(h, "00000000", &made.participant) == refused) \
    X(conference, jmeet_conference_find_participant_by_key(h, 1, &made.participant) == refused) \
    X(conference, jmeet_conference_find_track(h, "00000000-a0", &made.track) == refused) \
    X(conference, jmeet_conference_find_track_by_key(h, 1, &made.track) == refused) \
    X(conference, jmeet_conference_get_speaking(h, &(jmeet_speaking)JMEET_SPEAKING_INIT) == refused) \
    X(conference, jmeet_conference_stats_new(h, 0, &made.stats, NULL) == refused) \
    X(conference, jmeet_conference_send_track(h, &audio, 0, &made.track, NULL) == refused) \
    X(conference, jmeet_conference_reader_new(h, NULL, &made.reader, NULL) == refused) \
    X(participant, jmeet_participant_endpoint_id(h, &text) == refused) \
    X(participant, jmeet_participant_key(h) == 0) \
    X(participant, jmeet_participant_list_new(h, &made.participant_list) == refused) \
    X(participant, jmeet_participant_get_status(h, &(jmeet_participant_status)JMEET_PARTICIPANT_STATUS_INIT) == refused) \
    X(participant, jmeet_participant_get_stats(h, &(jmeet_participant_stats_info)JMEET_PARTICIPANT_STATS_INFO_INIT) == refused) \
    X(participant, jmeet_participant_mute(h, JMEET_MUTE_AUDIO, 0, NULL) == refused) \
    X(participant_list, jmeet_participant_list_size(h) == 0) \
    X(participant_list, jmeet_participant_list_get(h, 0, &(jmeet_participant_info)JMEET_PARTICIPANT_INFO_INIT) == refused) \
    X(participant_list, jmeet_participant_list_free(h) == not_freed) \
    X(track, jmeet_track_get(h, &(jmeet_track_info)JMEET_TRACK_INFO_INIT) == refused) \
    X(track, jmeet_track_key(h) == 0) \
    X(track, jmeet_track_get_status(h, &(jmeet_track_status)JMEET_TRACK_STATUS_INIT) == refused) \
    X(track, jmeet_track_set_muted(h, 1, 0, NULL) == refused) \
    X(track, jmeet_track_send_tones(h, "1", 0, 0, 0, NULL) == refused) \
    X(track, jmeet_track_request_key_frame(h) == refused) \
    X(track, jmeet_track_remove(h) == refused) \
    X(track, jmeet_writer_new(h, NULL, &made.writer, NULL) == refused) \
    X(track, jmeet_reader_new(h, NULL, &made.reader, NULL) == refused) \
    X(track_list, jmeet_track_list_size(h) == 0) \
    X(track_list, jmeet_track_list_get(h, 0, &(jmeet_track_info)JMEET_TRACK_INFO_INIT) == refused) \
    X(track_list, jmeet_track_list_free(h) == not_freed) \
    X(writer, jmeet_writer_write(h, &frame) == refused) \
    X(writer, jmeet_writer_set_limited(h, JMEET_LIMITATION_NONE, 0) == refused) \
    X(writer, jmeet_writer_get_stats(h, 0, 0, &(jmeet_writer_stats)JMEET_WRITER_STATS_INIT) == refused) \
    X(writer, jmeet_writer_free(h) == not_freed) \
    X(reader, jmeet_reader_next(h, 0, &(jmeet_frame)JMEET_FRAME_INIT) == refused) \
    X(reader, jmeet_reader_fd(h, &fd) == refused) \
    X(reader, jmeet_reader_set_wakeup(h, NULL, NULL) == refused) \
    X(reader, jmeet_reader_get_stats(h, &(jmeet_reader_stats)JMEET_READER_STATS_INIT) == refused) \
    X(reader, jmeet_frame_retain(h, &made.frame_ref) == refused) \
    X(reader, jmeet_reader_free(h) == not_freed) \
    X(frame_ref, jmeet_frame_get(h, &(jmeet_frame)JMEET_FRAME_INIT) == refused) \
    X(frame_ref, jmeet_frame_release(h) == not_freed) \
    X(stats, jmeet_stats_get(h, &(jmeet_local_stats)JMEET_LOCAL_STATS_INIT) == refused) \
    X(stats, jmeet_stats_size(h) == 0) \
    X(stats, jmeet_stats_get_track(h, 0, &(jmeet_track_stats)JMEET_TRACK_STATS_INIT) == refused) \
    X(stats, jmeet_stats_free(h) == not_freed) \
    X(event, jmeet_event_type(h) == JMEET_EVENT_NONE) \
    X(event, jmeet_event_client(h) == NULL) \
    X(event, jmeet_event_conference(h) == NULL) \
    X(event, jmeet_event_user_value(h) == 0) \
    X(event, jmeet_event_tag(h) == 0) \
    X(event, jmeet_event_status(h) == refused) \
    X(event, jmeet_event_retain(h) == refused) \
    X(event, jmeet_event_error(h, &(jmeet_error_info)JMEET_ERROR_INFO_INIT) == refused) \
    X(event, jmeet_event_state(h, &(jmeet_state_info)JMEET_STATE_INFO_INIT) == refused) \
    X(event, jmeet_event_joined(h, &(jmeet_joined_info)JMEET_JOINED_INFO_INIT) == refused) \
    X(event, jmeet_event_participant(h, &(jmeet_participant_info)JMEET_PARTICIPANT_INFO_INIT) == refused) \
    X(event, jmeet_event_participant_left(h, &(jmeet_participant_left_info)JMEET_PARTICIPANT_LEFT_INFO_INIT) == refused) \
    X(event, jmeet_event_role(h, &(jmeet_role_info)JMEET_ROLE_INFO_INIT) == refused) \
    X(event, jmeet_event_message(h, &(jmeet_message_info)JMEET_MESSAGE_INFO_INIT) == refused) \
    X(event, jmeet_event_subject(h, &(jmeet_subject_info)JMEET_SUBJECT_INFO_INIT) == refused) \
    X(event, jmeet_event_track(h, &(jmeet_track_info)JMEET_TRACK_INFO_INIT) == refused) \
    X(event, jmeet_event_focus(h, &(jmeet_focus_info)JMEET_FOCUS_INFO_INIT) == refused) \
    X(event, jmeet_event_bridge(h, &(jmeet_bridge_info)JMEET_BRIDGE_INFO_INIT) == refused) \
    X(event, jmeet_event_media(h, &(jmeet_media_info)JMEET_MEDIA_INFO_INIT) == refused) \
    X(event, jmeet_event_key_frame_wanted(h, &(jmeet_key_frame_wanted_info)JMEET_KEY_FRAME_WANTED_INFO_INIT) == refused) \
    X(event, jmeet_event_target_bitrate(h, &(jmeet_target_bitrate_info)JMEET_TARGET_BITRATE_INFO_INIT) == refused) \
    X(event, jmeet_event_codec_wanted(h, &(jmeet_codec_wanted_info)JMEET_CODEC_WANTED_INFO_INIT) == refused) \
    X(event, jmeet_event_bandwidth(h, &(jmeet_bandwidth_info)JMEET_BANDWIDTH_INFO_INIT) == refused) \
    X(event, jmeet_event_timeline(h, &(jmeet_timeline_info)JMEET_TIMELINE_INFO_INIT) == refused) \
    X(event, jmeet_event_overrun(h, &(jmeet_overrun_info)JMEET_OVERRUN_INFO_INIT) == refused) \
    X(event, jmeet_event_bridge_channel(h, &(jmeet_bridge_channel_info)JMEET_BRIDGE_CHANNEL_INFO_INIT) == refused) \
    X(event, jmeet_event_speaker(h, &(jmeet_speaker_info)JMEET_SPEAKER_INFO_INIT) == refused) \
    X(event, jmeet_event_endpoint_message(h, &(jmeet_endpoint_message_info)JMEET_ENDPOINT_MESSAGE_INFO_INIT) == refused) \
    X(event, jmeet_event_track_forwarded(h, &(jmeet_track_forwarded_info)JMEET_TRACK_FORWARDED_INFO_INIT) == refused) \
    X(event, jmeet_event_downlink(h, &(jmeet_downlink_info)JMEET_DOWNLINK_INFO_INIT) == refused) \
    X(event, jmeet_event_track_streaming(h, &(jmeet_track_streaming_info)JMEET_TRACK_STREAMING_INFO_INIT) == refused) \
    X(event, jmeet_event_connectivity(h, &(jmeet_connectivity_info)JMEET_CONNECTIVITY_INFO_INIT) == refused) \
    X(event, jmeet_event_round_trip(h, &(jmeet_round_trip_info)JMEET_ROUND_TRIP_INFO_INIT) == refused) \
    X(event, jmeet_event_muted_by(h, &(jmeet_muted_by_info)JMEET_MUTED_BY_INFO_INIT) == refused) \
    X(event, jmeet_event_sources_refused(h, &(jmeet_sources_refused_info)JMEET_SOURCES_REFUSED_INFO_INIT) == refused) \
    X(event, jmeet_event_start_muted(h, &(jmeet_start_muted_info)JMEET_START_MUTED_INFO_INIT) == refused) \
    X(event, jmeet_event_restart_refused(h, &(jmeet_restart_refused_info)JMEET_RESTART_REFUSED_INFO_INIT) == refused) \
    X(event, jmeet_event_tone(h, &(jmeet_tone_info)JMEET_TONE_INFO_INIT) == refused) \
    X(event, jmeet_event_participant_stats(h, &(jmeet_participant_stats_info)JMEET_PARTICIPANT_STATS_INFO_INIT) == refused) \
    X(event, jmeet_event_local_stats(h, &(jmeet_local_stats)JMEET_LOCAL_STATS_INIT) == refused) \
    X(event, jmeet_event_free(h) == not_freed)

/* Makes every call: with `handle`, but those of its own `type`; where `handle` is NULL and `good` is not, with the good handle of its type.
 * Nothing is written to where results would go. */
static void every_call(void *handle, const char *type, const every_handle *good, jmeet_status refused) {
    jmeet_status not_freed = refused == JMEET_ERR_NULL ? JMEET_OK : refused;
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_outgoing_frame frame = JMEET_OUTGOING_FRAME_INIT;
    every_handle made, untouched;
    jmeet_str text = { NULL, 0 };
    uint8_t opus = 0xfc;
    uint64_t number = 7;
    intptr_t fd = -7;
    memset(&made, 0, sizeof made);
    memset(&untouched, 0, sizeof untouched);
    options.url = "ws://127.0.0.1:1/xmpp-websocket";
    options.room = "room";
    audio.media = JMEET_MEDIA_AUDIO;
    frame.data = &opus;
    frame.size = 1;
#define ONE_CALL(of, holds) \
    if (strcmp(type, #of) != 0) { \
        jmeet_##of *h = good != NULL ? good->of : (jmeet_##of *)handle; \
        check_one((holds) ? 1 : 0, #holds, type, __LINE__); \
    }
    EVERY_CALL(ONE_CALL)
#undef ONE_CALL
    check(memcmp(&made, &untouched, sizeof made) == 0 && text.data == NULL && number == 7 && fd == -7);
}

#endif
