/*
 * A library without media: what the header says of it. Two of us are in a room of a server (its URL and domain are the arguments) and one is given a
 * track by its server once "both are in" was printed; they know each other, the track and each other's words, and what sends or reads media
 * answers JMEET_ERR_NOT_BUILT, before the meeting, in it and with all arguments right.
 */
#include <jmeet.h>
#include "check.h"

#include <string.h>

enum { PATIENCE_MS = 30000 };

static jmeet_queue *queue;
/* Somebody joined whom the first client sees. */
static int met;

/* The next event of a kind, of one of the clients; media must never be spoken of. */
static jmeet_event *await(uint32_t kind, const jmeet_client *client) {
    jmeet_event *event = NULL;
    while (jmeet_queue_next(queue, PATIENCE_MS, &event) == JMEET_OK) {
        uint32_t type = jmeet_event_type(event);
        check(type != JMEET_EVENT_MEDIA && type != JMEET_EVENT_BANDWIDTH && type != JMEET_EVENT_TARGET_BITRATE);
        met += type == JMEET_EVENT_PARTICIPANT_JOINED && jmeet_event_user_value(event) == 0;
        if (type == kind && jmeet_event_client(event) == client) return event;
        check(type != JMEET_EVENT_CLOSED);
        jmeet_event_free(event);
    }
    check(!"it comes");
    return NULL;
}

/* What a program is told that sends or reads all the same. */
static void not_built(jmeet_status status, jmeet_error *error) {
    check(status == JMEET_ERR_NOT_BUILT);
    check(error != NULL && jmeet_error_status(error) == JMEET_ERR_NOT_BUILT && jmeet_error_text(error).size > 0);
    jmeet_error_free(error);
}

static void no_sending_and_no_reading(jmeet_conference *room) {
    jmeet_track_options options = JMEET_TRACK_OPTIONS_INIT;
    jmeet_track *track = NULL;
    jmeet_reader *reader = NULL;
    jmeet_error *error = NULL;
    jmeet_status status;
    options.media = JMEET_MEDIA_AUDIO;
    status = jmeet_conference_send_track(room, &options, 5, &track, &error);
    not_built(status, error);
    error = NULL;
    status = jmeet_conference_reader_new(room, NULL, &reader, &error);
    not_built(status, error);
    check(track == NULL && reader == NULL);
}

int main(int argc, char **argv) {
    static const char *const names[2] = { "aaaa0001", "aaaa0002" };
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_client *clients[2] = { NULL, NULL };
    jmeet_conference *rooms[2] = { NULL, NULL };
    jmeet_event *event;
    int i;
    if (argc < 3) return 2;

    check((jmeet_features() & JMEET_FEATURE_MEDIA) == 0);
    check(strcmp(jmeet_status_name(JMEET_ERR_NOT_BUILT), "ERR_NOT_BUILT") == 0);
    check(jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK);
    options.url = argv[1];
    options.domain = argv[2];
    options.room = "no-media";
    options.allow_loopback = 1;
    for (i = 0; i < 2; i++) {
        options.nickname = names[i];
        options.user_value = (uint64_t)i;
        check(jmeet_client_new(queue, &options, &clients[i], NULL) == JMEET_OK);
        check(jmeet_client_join(clients[i], 1, &rooms[i], NULL) == JMEET_OK);
        no_sending_and_no_reading(rooms[i]);
        jmeet_event_free(await(JMEET_EVENT_REQUEST_DONE, clients[i]));
        check(jmeet_client_state(clients[i]) == JMEET_STATE_JOINED);
        no_sending_and_no_reading(rooms[i]);
    }
    if (!met) jmeet_event_free(await(JMEET_EVENT_PARTICIPANT_JOINED, clients[0]));
    puts("both are in");
    fflush(stdout);

    /* The other one's track, of which its server told. */
    event = await(JMEET_EVENT_TRACK_ADDED, clients[0]);
    if (event) {
        jmeet_track_info info = JMEET_TRACK_INFO_INIT;
        jmeet_track_status how = JMEET_TRACK_STATUS_INIT;
        jmeet_reader *reader = NULL;
        jmeet_error *error = NULL;
        jmeet_writer *writer = NULL;
        jmeet_status status;
        check(jmeet_event_track(event, &info) == JMEET_OK && !info.local && info.track != NULL);
        check(strcmp(info.endpoint_id.data, names[1]) == 0);
        status = jmeet_reader_new(info.track, NULL, &reader, &error);
        not_built(status, error);
        check(reader == NULL);
        /* What is wrong anyway is told as with media. */
        check(jmeet_writer_new(info.track, NULL, &writer, NULL) == JMEET_ERR_INVALID_ARGUMENT);
        check(jmeet_reader_new(NULL, NULL, &reader, NULL) == JMEET_ERR_NULL);
        check(jmeet_track_get_status(info.track, &how) == JMEET_OK);
        jmeet_event_free(event);
    }

    check(jmeet_conference_send_message(rooms[1], "all is well", 0, NULL) == JMEET_OK);
    event = await(JMEET_EVENT_MESSAGE, clients[0]);
    if (event) {
        jmeet_message_info said = JMEET_MESSAGE_INFO_INIT;
        check(jmeet_event_message(event, &said) == JMEET_OK && strcmp(said.text.data, "all is well") == 0);
        jmeet_event_free(event);
    }
    for (i = 0; i < 2; i++) {
        check(jmeet_conference_leave(rooms[i], 0, NULL) == JMEET_OK);
        event = await(JMEET_EVENT_CLOSED, clients[i]);
        check(event != NULL && jmeet_event_status(event) == JMEET_OK);
        jmeet_event_free(event);
        check(jmeet_client_free(clients[i]) == JMEET_OK);
    }
    check(jmeet_queue_free(queue) == JMEET_OK);
    return checked();
}
