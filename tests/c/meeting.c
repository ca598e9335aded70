/*
 * Two participants of one program meet, on one queue: roster, chat both ways, private words, media both ways, mute, leave. What a
 * handle answers before and after somebody left. `meeting URL DOMAIN`: any server where a room can be made.
 */
#define _POSIX_C_SOURCE 200809L
#include <jmeet.h>
#include "check.h"

#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static jmeet_queue *queue;
static jmeet_client *client[3];
static jmeet_conference *room[3];
static int closed[3];

/* Counts the end of a client, which may come while something else is waited for. */
static void count_closed(const jmeet_event *event) {
    int n;
    if (jmeet_event_type(event) != JMEET_EVENT_CLOSED) return;
    check(jmeet_event_status(event) == JMEET_OK);
    for (n = 0; n < 3; n++) closed[n] += jmeet_event_client(event) == client[n];
}

/* Waits for an event of client `who`; other events are freed on the way. The caller frees it. */
static jmeet_event *wait_for(int who, uint32_t type, uint64_t tag) {
    jmeet_event *event = NULL;
    while (jmeet_queue_next(queue, PATIENCE_MS, &event) == JMEET_OK) {
        count_closed(event);
        if (jmeet_event_client(event) == client[who] && jmeet_event_type(event) == type && jmeet_event_tag(event) == tag)
            return event;
        jmeet_event_free(event);
    }
    fprintf(stderr, "client %d: no event %u with tag %u\n", who, (unsigned)type, (unsigned)tag);
    return NULL;
}

static void enter(int who, const char *url, const char *domain, const char *name) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_event *event;
    options.url = url;
    options.domain = domain;
    options.room = "c-meeting";
    options.display_name = name;
    options.allow_loopback = 1;
    options.user_value = (uint64_t)who + 10;
    options.nickname = who == 0 ? "00000000" : who == 1 ? "ffffffff" : "88888888";
    check(jmeet_client_new(queue, &options, &client[who], NULL) == JMEET_OK);
    check(jmeet_client_join(client[who], 1, &room[who], NULL) == JMEET_OK);
    event = wait_for(who, JMEET_EVENT_REQUEST_DONE, 1);
    check(jmeet_event_status(event) == JMEET_OK);
    check(jmeet_event_user_value(event) == options.user_value && jmeet_event_conference(event) == room[who]);
    check(jmeet_client_state(client[who]) == JMEET_STATE_JOINED);
    jmeet_event_free(event);
}

static int is(jmeet_str s, const char *text) { return s.size == strlen(text) && strcmp(s.data, text) == 0; }

int main(int argc, char **argv) {
    jmeet_event *event;
    jmeet_participant *alice = NULL, *same = NULL;
    jmeet_participant_list *list = NULL;
    jmeet_participant_info who = JMEET_PARTICIPANT_INFO_INIT;
    jmeet_participant_left_info left = JMEET_PARTICIPANT_LEFT_INFO_INIT;
    jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
    jmeet_track_options options = JMEET_TRACK_OPTIONS_INIT;
    jmeet_track *mine = NULL, *hers = NULL;
    jmeet_track_info track = JMEET_TRACK_INFO_INIT;
    jmeet_writer *writer = NULL;
    jmeet_reader *reader = NULL;
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_frame_ref *kept = NULL;
    jmeet_client_stats stats = JMEET_CLIENT_STATS_INIT;
    jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
    jmeet_str text = { NULL, 0 };
    uint8_t opus[] = { 0xfc, 0xff, 0xfe }; /* 20 ms of silence */
    uint64_t at = 0;
    int n;

    if (argc < 3) return 2;
    check(jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK);
    enter(0, argv[1], argv[2], "Alice");
    enter(1, argv[1], argv[2], "Bob");

    /* Bob finds Alice, by getter and by endpoint id: one handle. */
    check(jmeet_conference_find_participant(room[1], "00000000", &alice) == JMEET_OK);
    check(jmeet_conference_find_participant(room[1], "12345678", &same) == JMEET_ERR_NO_SUCH_PARTICIPANT);
    check(jmeet_conference_list_participants(room[1], &list) == JMEET_OK && jmeet_participant_list_size(list) == 1);
    check(jmeet_participant_list_get(list, 0, &who) == JMEET_OK);
    check(who.participant == alice && is(who.endpoint_id, "00000000") && is(who.display_name, "Alice"));
    check(jmeet_participant_list_free(list) == JMEET_OK);
    check(jmeet_conference_endpoint_id(room[1], &text) == JMEET_OK && is(text, "ffffffff"));
    check(jmeet_client_timeline(client[1], JMEET_TIMELINE_JOINED, &at) == JMEET_OK && at > 0 && at <= jmeet_now_us());

    /* Chat: our own words complete their request, the other hears them. */
    check(jmeet_conference_send_message(room[1], "hello", 2, NULL) == JMEET_OK);
    event = wait_for(0, JMEET_EVENT_MESSAGE, 0);
    check(jmeet_event_message(event, &message) == JMEET_OK && is(message.text, "hello") && !message.is_private);
    check(is(message.endpoint_id, "ffffffff") && message.participant != NULL && !message.delayed);
    jmeet_event_free(event);
    check(jmeet_conference_send_private_message(room[0], "ffffffff", "psst", 3, NULL) == JMEET_OK);
    event = wait_for(1, JMEET_EVENT_MESSAGE, 0);
    check(jmeet_event_message(event, &message) == JMEET_OK && is(message.text, "psst") && message.is_private);
    check(message.participant == alice);
    jmeet_event_free(event);

    /* Nothing was passed over that should have been understood. */
    check(jmeet_client_get_stats(client[1], &stats) == JMEET_OK);
    check(stats.unknown_frames == 0 && stats.oversized_frames == 0 && stats.stray_answers == 0);
    check(stats.late_packets == 0 && stats.unclaimed_packets == 0);

    /* Media: Alice sends, Bob hears everybody. */
    options.codec = JMEET_CODEC_OPUS;
    check(jmeet_conference_send_track(room[0], &options, 0, &mine, NULL) == JMEET_OK);
    check(jmeet_writer_new(mine, NULL, &writer, NULL) == JMEET_OK);
    check(jmeet_conference_reader_new(room[1], NULL, &reader, NULL) == JMEET_OK);
    event = wait_for(1, JMEET_EVENT_TRACK_ADDED, 0);
    check(jmeet_event_track(event, &track) == JMEET_OK && track.media == JMEET_MEDIA_AUDIO && !track.local);
    check(track.participant == alice);
    hers = track.track;
    jmeet_event_free(event);
    out.data = opus;
    out.size = sizeof opus;
    out.fields = JMEET_FRAME_HAS_AUDIO_LEVEL;
    out.audio_level = 20;
    out.voice = 1;
    for (n = 0; n < PATIENCE_MS / 20; n++) {
        jmeet_status status = jmeet_writer_write(writer, &out);
        check(status == JMEET_OK || status == JMEET_ERR_NOT_READY || status == JMEET_ERR_FULL);
        if (jmeet_reader_next(reader, 20, &frame) == JMEET_OK) break;
    }
    check(frame.data.size == sizeof opus && memcmp(frame.data.data, opus, sizeof opus) == 0);
    check(is(frame.endpoint_id, "00000000") && frame.codec == JMEET_CODEC_OPUS && frame.key_frame);
    check((frame.fields & JMEET_FRAME_HAS_AUDIO_LEVEL) && frame.audio_level == 20 && frame.voice);
    check(frame.arrival_us > 0 && frame.arrival_us <= jmeet_now_us());
    check((frame.fields & JMEET_FRAME_HAS_PARTICIPANT) && frame.participant_key == jmeet_participant_key(alice));
    check((frame.fields & JMEET_FRAME_HAS_TRACK) && frame.track_key == track.key);
    check(jmeet_conference_find_participant_by_key(room[1], frame.participant_key, &same) == JMEET_OK && same == alice);
    check(jmeet_conference_find_participant_by_key(room[1], 0, &same) == JMEET_ERR_NO_SUCH_PARTICIPANT);
    check(jmeet_conference_find_track_by_key(room[1], frame.track_key, &hers) == JMEET_OK && hers == track.track);
    check(jmeet_conference_find_track_by_key(room[1], 0, &hers) == JMEET_ERR_NO_SUCH_TRACK);
    check(jmeet_conference_find_track(room[1], frame.source_name.data, &hers) == JMEET_OK && hers == track.track);
    check(jmeet_frame_retain(reader, &kept) == JMEET_OK);
    check(jmeet_reader_free(reader) == JMEET_OK);
    check(memcmp(frame.data.data, opus, sizeof opus) == 0 && jmeet_frame_release(kept) == JMEET_OK);

    /* Mute that the other sees. */
    check(jmeet_track_set_muted(mine, 1, 4, NULL) == JMEET_OK && jmeet_writer_write(writer, &out) == JMEET_ERR_MUTED);
    do {
        event = wait_for(1, JMEET_EVENT_TRACK_UPDATED, 0);
        check(jmeet_event_track(event, &track) == JMEET_OK && track.track == hers);
        jmeet_event_free(event);
    } while (event != NULL && !track.muted);

    /* Alice leaves: her handles answer GONE until their removal events are freed. */
    check(jmeet_conference_leave(room[0], 0, NULL) == JMEET_OK);
    event = wait_for(1, JMEET_EVENT_TRACK_REMOVED, 0);
    check(jmeet_track_get(hers, &track) == JMEET_ERR_GONE);
    check(jmeet_event_free(event) == JMEET_OK && jmeet_track_get(hers, &track) == JMEET_ERR_INVALID_HANDLE);
    event = wait_for(1, JMEET_EVENT_PARTICIPANT_LEFT, 0);
    check(jmeet_event_participant(event, &who) == JMEET_OK && who.participant == alice);
    check(jmeet_participant_list_new(alice, &list) == JMEET_ERR_GONE);
    check(jmeet_participant_endpoint_id(alice, &text) == JMEET_OK && is(text, "00000000"));
    check(jmeet_event_free(event) == JMEET_OK);
    check(jmeet_participant_list_new(alice, &list) == JMEET_ERR_INVALID_HANDLE);

    /* Carol is freed inside the meeting, without close: her good-bye arrives all the same. */
    enter(2, argv[1], argv[2], "Carol");
    check(jmeet_client_free(client[2]) == JMEET_OK);
    event = wait_for(1, JMEET_EVENT_PARTICIPANT_LEFT, 0);
    check(jmeet_event_participant_left(event, &left) == JMEET_OK && !left.vanished && !left.kicked && !left.we_left);
    jmeet_event_free(event);

    /* Both end, each with one CLOSED that was no failure. */
    check(jmeet_client_close(client[1], 5000) == JMEET_OK);
    check(jmeet_client_close(client[0], 5000) == JMEET_OK);
    while (jmeet_queue_next(queue, 100, &event) == JMEET_OK) {
        count_closed(event);
        jmeet_event_free(event);
    }
    check(closed[0] == 1 && closed[1] == 1 && closed[2] == 0); /* Carol was freed, which drops hers */
    for (n = 0; n < 2; n++) check(jmeet_client_free(client[n]) == JMEET_OK);
    check(jmeet_queue_free(queue) == JMEET_OK);
    return checked();
}
