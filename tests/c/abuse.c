/*
 * Everything that a C program may do wrong, or at a bad moment, gets its documented status: NULL, stale, double-freed, wrong-type
 * and invented handles, bad UTF-8, wrong struct sizes, calls after close, frees inside a callback, many threads, fork.
 * No server is needed: clients are sent to a port where nobody listens.
 */
#define _POSIX_C_SOURCE 200809L
#include <jmeet.h>
#include "check.h"
#include "every_call.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY "ws://127.0.0.1:1/xmpp-websocket"

static jmeet_client_options to_nobody(void) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    options.url = NOBODY;
    options.room = "room";
    options.join_timeout_ms = 3000;
    return options;
}

static jmeet_queue *new_queue(void) {
    jmeet_queue *queue = NULL;
    check(jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK);
    return queue;
}

static jmeet_client *new_client(jmeet_queue *queue) {
    jmeet_client_options options = to_nobody();
    jmeet_client *client = NULL;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_OK);
    return client;
}

/* An address that is no handle. The library must not look at what is there. */
static void *invented(uintptr_t value) {
    void *p;
    memcpy(&p, &value, sizeof p);
    return p;
}

/* NULL for each handle, and for what a call without a meeting needs beside it; abuse_meeting.c does the rest, where there is everything. */
static void nulls(void) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_queue *queue = new_queue();
    jmeet_client *client = NULL;
    every_call(NULL, "NULL", NULL, JMEET_ERR_NULL);
    check(jmeet_queue_new(NULL, NULL, NULL) == JMEET_ERR_NULL);
    check(jmeet_runtime_new(NULL, NULL, NULL) == JMEET_ERR_NULL);
    check(jmeet_client_new(queue, NULL, &client, NULL) == JMEET_ERR_NULL);
    check(jmeet_client_new(queue, &options, NULL, NULL) == JMEET_ERR_NULL);
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_NULL); /* no url, no room */
    options.url = NOBODY;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_NULL && client == NULL);
    check(jmeet_error_text(NULL).data != NULL && jmeet_error_condition(NULL).data != NULL);
    check(jmeet_queue_free(queue) == JMEET_OK);
}

/* Every function gets every handle that there is without a meeting, but its own, and addresses that are none; abuse_meeting.c has one of
 * each type. What many calls in any order come to is the business of the fuzz target `calls`. */
static void handles(void) {
    jmeet_runtime *runtime = NULL;
    jmeet_queue *queue = new_queue();
    jmeet_client *client;
    jmeet_conference *room = NULL;
    jmeet_error *error = NULL;
    jmeet_event *event = NULL;
    jmeet_client_options options = to_nobody();
    uintptr_t values[] = { 1, 8, 4096, 0xdeadbeefu, UINTPTR_MAX, UINTPTR_MAX / 2 };
    size_t n;
    check(jmeet_runtime_new(NULL, &runtime, NULL) == JMEET_OK);
    options.runtime = runtime;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_OK);
    check(jmeet_client_join(client, 0, &room, NULL) == JMEET_OK);
    check(jmeet_queue_next(queue, 10000, &event) == JMEET_OK);
    check(jmeet_client_join(client, 0, &room, &error) == JMEET_ERR_STATE);
    every_call(runtime, "runtime", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(queue, "queue", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(client, "client", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(room, "conference", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(event, "event", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(error, "error", NULL, JMEET_ERR_INVALID_HANDLE);
    for (n = 0; n < sizeof values / sizeof *values; n++) every_call(invented(values[n]), "invented", NULL, JMEET_ERR_INVALID_HANDLE);
    check(jmeet_error_free(error) == JMEET_OK && jmeet_event_free(event) == JMEET_OK);
    check(jmeet_queue_free(queue) == JMEET_ERR_IN_USE);
    check(jmeet_client_free(client) == JMEET_OK);
    check(jmeet_queue_free(queue) == JMEET_OK && jmeet_runtime_free(runtime) == JMEET_OK);
    every_call(runtime, "freed", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(queue, "freed", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(client, "freed", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(room, "freed", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(event, "freed", NULL, JMEET_ERR_INVALID_HANDLE);
    every_call(error, "freed", NULL, JMEET_ERR_INVALID_HANDLE);
    /* The slot is used again, the old key is not. */
    {
        jmeet_queue *again = new_queue();
        check(again != queue);
        check(jmeet_queue_next(queue, 0, &event) == JMEET_ERR_INVALID_HANDLE);
        check(jmeet_queue_next(again, 0, &event) == JMEET_ERR_TIMEOUT);
        check(jmeet_queue_free(again) == JMEET_OK);
    }
}

static void strings_and_structs(void) {
    jmeet_queue *queue = new_queue();
    jmeet_client *client = NULL;
    jmeet_error *error = NULL;
    jmeet_client_options options = to_nobody();
    jmeet_runtime *runtime = NULL;
    struct {
        jmeet_client_options known;
        uint64_t newer;
    } wide;
    char *longest;

    options.display_name = "\xff\xfe";
    check(jmeet_client_new(queue, &options, &client, &error) == JMEET_ERR_INVALID_UTF8);
    check(jmeet_error_status(error) == JMEET_ERR_INVALID_UTF8 && jmeet_error_text(error).size > 0);
    check(jmeet_error_free(error) == JMEET_OK && jmeet_error_free(error) == JMEET_ERR_INVALID_HANDLE);
    options.display_name = "\xed\xa0\x80"; /* half a surrogate pair */
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_INVALID_UTF8);

    longest = (char *)malloc(514);
    if (longest == NULL) abort();
    memset(longest, 'x', 513);
    longest[513] = 0;
    options.display_name = longest;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_TOO_LARGE);
    longest[512] = 0;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_OK);
    check(jmeet_client_free(client) == JMEET_OK);
    client = NULL;
    free(longest);

    options = to_nobody();
    options.url = "http://meet.example/";
    check(jmeet_client_new(queue, &options, &client, &error) == JMEET_ERR_OPTIONS);
    check(strstr(jmeet_error_text(error).data, "url") != NULL);
    jmeet_error_free(error);
    options = to_nobody();
    options.runtime = (jmeet_runtime *)(void *)queue;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_INVALID_HANDLE);

    options = to_nobody();
    options.struct_size = 0;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    options.struct_size = offsetof(jmeet_client_options, disable_bridge) - 1; /* less than in the first release */
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    options.struct_size = sizeof options - sizeof(void *) / 2; /* half of its last pointer */
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    options.struct_size = UINT32_MAX;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    memset(&wide, 0, sizeof wide);
    wide.known = to_nobody();
    wide.known.struct_size = sizeof wide;
    wide.newer = 1;
    check(jmeet_client_new(queue, &wide.known, &client, NULL) == JMEET_ERR_UNSUPPORTED);
    wide.newer = 0;
    check(client == NULL);
    check(jmeet_client_new(queue, &wide.known, &client, NULL) == JMEET_OK);
    check(jmeet_client_free(client) == JMEET_OK);

    {
        jmeet_runtime_options many = JMEET_RUNTIME_OPTIONS_INIT;
        many.threads = 65;
        check(jmeet_runtime_new(&many, &runtime, NULL) == JMEET_ERR_INVALID_ARGUMENT && runtime == NULL);
        check(jmeet_runtime_options_init(&many, 3) == JMEET_ERR_INVALID_ARGUMENT);
        check(jmeet_runtime_options_init(NULL, sizeof many) == JMEET_ERR_NULL);
        check(jmeet_runtime_options_init(&many, sizeof many) == JMEET_OK && many.threads == 0);
    }
    check(strcmp(jmeet_status_name(JMEET_ERR_ROOM_PASSWORD), "ERR_ROOM_PASSWORD") == 0);
    check(strcmp(jmeet_status_name(-5), "UNKNOWN") == 0);
    check(jmeet_abi_version() == JMEET_ABI_VERSION);
    check(jmeet_log_set_callback(6, NULL, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_queue_free(queue) == JMEET_OK);
}

/* Joins, fails, closes: each exactly once, and everything after is refused. */
static void failed_join(void) {
    jmeet_queue *queue = new_queue();
    jmeet_client *client = new_client(queue);
    jmeet_conference *room = NULL, *again = NULL;
    jmeet_event *event = NULL;
    jmeet_str text = { NULL, 0 };
    jmeet_participant *nobody = NULL;
    jmeet_participant_list *list = NULL;
    jmeet_track *track = NULL, *none = NULL;
    jmeet_writer *writer = NULL;
    jmeet_reader *reader = NULL;
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_frame_ref *kept = NULL;
    jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
    int done = 0, closed = 0, after = 0;

    check(jmeet_client_conference(client, &again) == JMEET_ERR_STATE);
    check(jmeet_client_join(client, 42, &room, NULL) == JMEET_OK);
    check(jmeet_client_join(client, 43, &again, NULL) == JMEET_ERR_STATE && again == NULL);
    check(jmeet_client_conference(client, &again) == JMEET_OK && again == room);
    check(jmeet_conference_send_message(room, "\xc0\x80", 0, NULL) == JMEET_ERR_INVALID_UTF8);
    check(jmeet_conference_send_message(room, NULL, 0, NULL) == JMEET_ERR_NULL);
    check(jmeet_conference_room_jid(room, &text) == JMEET_OK && strncmp(text.data, "room@", 5) == 0);
    check(jmeet_conference_find_participant(room, "0000000a", &nobody) == JMEET_ERR_NO_SUCH_PARTICIPANT);
    check(jmeet_conference_find_track(room, "0000000a-a0", &none) == JMEET_ERR_NO_SUCH_TRACK);
    check(jmeet_conference_list_participants(room, &list) == JMEET_OK);
    check(jmeet_participant_list_size(list) == 0);
    {
        jmeet_participant_info info = JMEET_PARTICIPANT_INFO_INIT;
        check(jmeet_participant_list_get(list, 0, &info) == JMEET_ERR_INVALID_ARGUMENT);
    }
    check(jmeet_participant_list_free(list) == JMEET_OK && jmeet_participant_list_free(list) == JMEET_ERR_INVALID_HANDLE);

    check(jmeet_conference_send_track(room, &audio, 0, &track, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    audio.media = JMEET_MEDIA_AUDIO;
    audio.codec = JMEET_CODEC_VP8;
    check(jmeet_conference_send_track(room, &audio, 0, &track, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    audio.codec = 99;
    check(jmeet_conference_send_track(room, &audio, 0, &track, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    audio.codec = 0;

    while (jmeet_queue_next(queue, 10000, &event) == JMEET_OK) {
        check(!closed);
        check(jmeet_event_client(event) == client);
        if (jmeet_event_type(event) == JMEET_EVENT_REQUEST_DONE) {
            jmeet_error_info why = JMEET_ERROR_INFO_INIT;
            check(jmeet_event_tag(event) == 42);
            check(jmeet_event_status(event) == JMEET_ERR_CONNECT);
            check(jmeet_event_error(event, &why) == JMEET_OK && why.stage == JMEET_STAGE_CONNECT);
            done++;
        } else if (jmeet_event_type(event) == JMEET_EVENT_CLOSED) {
            check(jmeet_event_status(event) != JMEET_OK);
            closed++;
        }
        check(jmeet_event_free(event) == JMEET_OK);
        if (closed) break;
    }
    check(done == 1 && closed == 1);
    check(jmeet_queue_next(queue, 50, &event) == JMEET_ERR_TIMEOUT);
    check(jmeet_client_state(client) == JMEET_STATE_CLOSED);

    /* After the end. */
    check(jmeet_client_close(client, 0) == JMEET_OK && jmeet_client_close(client, 1000) == JMEET_OK);
    check(jmeet_conference_send_message(room, "late", 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_set_display_name(room, "late", 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_leave(room, 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_send_track(room, &audio, 0, &track, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_reader_new(room, NULL, &reader, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_writer_new(track, NULL, &writer, NULL) == JMEET_ERR_NULL);
    check(jmeet_writer_write(writer, &out) == JMEET_ERR_NULL);
    check(jmeet_reader_next(reader, 0, &frame) == JMEET_ERR_NULL);
    check(jmeet_frame_retain(reader, &kept) == JMEET_ERR_NULL);
    while (jmeet_queue_next(queue, 50, &event) == JMEET_OK) {
        after++;
        jmeet_event_free(event);
    }
    check(after == 0);
    check(jmeet_client_free(client) == JMEET_OK);
    check(jmeet_conference_send_message(room, "freed", 1, NULL) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_queue_free(queue) == JMEET_OK);
}

/* Tracks, writers and readers exist from the join call on, also while it fails. */
static void media_without_a_meeting(void) {
    jmeet_queue *queue = new_queue();
    jmeet_client *client = new_client(queue);
    jmeet_conference *room = NULL;
    jmeet_track *track = NULL;
    jmeet_writer *writer = NULL, *second = NULL;
    jmeet_reader *reader = NULL;
    jmeet_track_options options = JMEET_TRACK_OPTIONS_INIT;
    jmeet_track_info info = JMEET_TRACK_INFO_INIT;
    jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_frame_ref *kept = NULL;
    jmeet_reader_stats stats = JMEET_READER_STATS_INIT;
    uint8_t byte = 0xfc;
    intptr_t fd = -1;
    jmeet_status status;

    check(jmeet_client_join(client, 0, &room, NULL) == JMEET_OK);
    options.codec = JMEET_CODEC_OPUS;
    status = jmeet_conference_send_track(room, &options, 0, &track, NULL);
    check(status == JMEET_OK || status == JMEET_ERR_CLOSED);
    if (status == JMEET_OK) {
        check(jmeet_track_key(track) != 0);
        status = jmeet_track_get(track, &info);
        check(status == JMEET_ERR_NOT_READY || status == JMEET_ERR_CLOSED);
        check(jmeet_reader_new(track, NULL, &reader, NULL) != JMEET_OK && reader == NULL);
        check(jmeet_writer_new(track, NULL, &writer, NULL) == JMEET_OK);
        check(jmeet_writer_new(track, NULL, &second, NULL) == JMEET_OK && second != writer);
        check(jmeet_writer_write(writer, &out) == JMEET_ERR_NULL);
        out.data = &byte;
        check(jmeet_writer_write(writer, &out) != JMEET_OK);
        out.size = 1;
        out.fields = 0x80000000u;
        check(jmeet_writer_write(writer, &out) == JMEET_ERR_UNSUPPORTED);
        out.fields = JMEET_FRAME_HAS_AUDIO_LEVEL;
        out.audio_level = 128;
        check(jmeet_writer_write(writer, &out) == JMEET_ERR_INVALID_ARGUMENT);
        out.audio_level = 127;
        out.size = SIZE_MAX;
        check(jmeet_writer_write(writer, &out) == JMEET_ERR_TOO_LARGE);
        out.size = 1;
        status = jmeet_writer_write(writer, &out);
        check(status == JMEET_ERR_NOT_READY || status == JMEET_ERR_CLOSED);
        check(jmeet_writer_free(second) == JMEET_OK && jmeet_writer_free(second) == JMEET_ERR_INVALID_HANDLE);
        check(jmeet_track_remove(track) == JMEET_OK);
        check(jmeet_track_remove(track) == JMEET_ERR_GONE);
        check(jmeet_track_set_muted(track, 1, 0, NULL) == JMEET_ERR_GONE);
        check(jmeet_writer_write(writer, &out) == JMEET_ERR_CLOSED);
        check(jmeet_writer_set_limited(writer, JMEET_LIMITATION_CPU, 0) == JMEET_ERR_CLOSED);
    }
    status = jmeet_conference_reader_new(room, NULL, &reader, NULL);
    check(status == JMEET_OK || status == JMEET_ERR_CLOSED);
    if (status == JMEET_OK) {
        check(jmeet_reader_fd(reader, &fd) == JMEET_OK && fd >= 0);
        check(jmeet_frame_retain(reader, &kept) == JMEET_ERR_STATE);
        check(jmeet_reader_get_stats(reader, &stats) == JMEET_OK && stats.delivered == 0);
        /* Ends with the failed join. */
        check(jmeet_reader_next(reader, 10000, &frame) == JMEET_ERR_CLOSED);
        check(jmeet_frame_retain(reader, &kept) == JMEET_ERR_STATE);
    }
    /* The client's end is that of its readers and writers. */
    check(jmeet_client_free(client) == JMEET_OK);
    check(reader == NULL || jmeet_reader_next(reader, 0, &frame) == JMEET_ERR_INVALID_HANDLE);
    check(writer == NULL || jmeet_writer_free(writer) == JMEET_ERR_INVALID_HANDLE);
    check(track == NULL || jmeet_track_key(track) == 0);
    check(jmeet_queue_free(queue) == JMEET_OK);
}

typedef struct {
    atomic_int calls, destroyed, closed;
    jmeet_queue *queue;
    jmeet_client *client;
    atomic_uintptr_t kept;
} seen;

static void on_destroy(void *user) { ((seen *)user)->destroyed++; }

static void free_inside(jmeet_event *event, void *user) {
    seen *s = (seen *)user;
    jmeet_event *none = NULL;
    s->calls++;
    check(jmeet_event_free(event) == JMEET_ERR_STATE);
    check(jmeet_queue_next(s->queue, -1, &none) == JMEET_ERR_STATE);
    if (s->calls == 1) {
        check(jmeet_event_retain(event) == JMEET_OK);
        s->kept = (uintptr_t)(void *)event;
        check(jmeet_client_free(s->client) == JMEET_OK);
        check(jmeet_client_free(s->client) == JMEET_ERR_INVALID_HANDLE);
        check(jmeet_queue_free(s->queue) == JMEET_OK);
        check(jmeet_event_type(event) != JMEET_EVENT_NONE);
    }
}

static void frees_inside_a_callback(void) {
    seen s;
    jmeet_conference *room = NULL;
    jmeet_event *kept;
    jmeet_status status;
    int n;
    memset(&s, 0, sizeof s);
    s.queue = new_queue();
    s.client = new_client(s.queue);
    check(jmeet_queue_set_callback(s.queue, free_inside, &s, on_destroy) == JMEET_OK);
    /* The callback may have freed the client before join comes back. */
    status = jmeet_client_join(s.client, 1, &room, NULL);
    check(status == JMEET_OK || status == JMEET_ERR_INVALID_HANDLE);
    for (n = 0; n < 1000 && !s.destroyed; n++) poll(NULL, 0, 10);
    check(s.destroyed == 1 && s.calls == 1);
    kept = (jmeet_event *)invented(s.kept);
    check(jmeet_event_type(kept) != JMEET_EVENT_NONE);
    check(jmeet_event_free(kept) == JMEET_OK);
    check(jmeet_event_free(kept) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_queue_free(s.queue) == JMEET_ERR_INVALID_HANDLE);
}

/* A port where a connection is taken and nothing is answered: a client stays where it is. */
static int silent_port(int *port) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(listener >= 0 && bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 8) == 0);
    check(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    *port = ntohs(at.sin_port);
    return listener;
}

typedef struct {
    atomic_int calls, destroyed, woken;
    jmeet_runtime *runtime;
    jmeet_queue *queue;
    jmeet_client *clients[2];
    jmeet_reader *reader;
    jmeet_writer *writer;
} everything_at_hand;

static void all_destroyed(void *user) { ((everything_at_hand *)user)->destroyed++; }

static void *reads_on(void *user) {
    everything_at_hand *s = (everything_at_hand *)user;
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_status status = jmeet_reader_next(s->reader, JMEET_FOREVER, &frame);
    check(status == JMEET_ERR_CLOSED || status == JMEET_ERR_INVALID_HANDLE);
    s->woken++;
    return NULL;
}

/* From the smallest to the runtime, whose end is that of the client that the event is about. */
static void free_all_inside(jmeet_event *event, void *user) {
    everything_at_hand *s = (everything_at_hand *)user;
    jmeet_client *own = jmeet_event_client(event);
    jmeet_client *other = own == s->clients[0] ? s->clients[1] : s->clients[0];
    if (s->calls++ > 0) return;
    check(jmeet_writer_free(s->writer) == JMEET_OK && jmeet_writer_free(s->writer) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_reader_free(s->reader) == JMEET_OK && jmeet_reader_free(s->reader) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_client_free(other) == JMEET_OK && jmeet_client_free(other) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_queue_free(s->queue) == JMEET_ERR_IN_USE);
    check(jmeet_runtime_free(s->runtime) == JMEET_OK && jmeet_runtime_free(s->runtime) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_client_free(own) == JMEET_ERR_INVALID_HANDLE && jmeet_event_client(event) == own);
    check(jmeet_queue_set_callback(s->queue, NULL, NULL, NULL) == JMEET_OK && s->destroyed == 0);
    check(jmeet_queue_free(s->queue) == JMEET_OK && jmeet_queue_free(s->queue) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_event_type(event) != JMEET_EVENT_NONE);
}

static void everything_freed_inside_a_callback(void) {
    everything_at_hand s;
    jmeet_client_options options = to_nobody();
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_conference *room = NULL;
    jmeet_track *track = NULL;
    pthread_t thread;
    char url[64];
    int n, port = 0, listener = silent_port(&port);
    memset(&s, 0, sizeof s);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/xmpp-websocket", port);
    options.url = url;
    audio.codec = JMEET_CODEC_OPUS;
    s.queue = new_queue();
    check(jmeet_runtime_new(NULL, &s.runtime, NULL) == JMEET_OK);
    options.runtime = s.runtime;
    for (n = 0; n < 2; n++) {
        check(jmeet_client_new(s.queue, &options, &s.clients[n], NULL) == JMEET_OK);
        check(jmeet_client_join(s.clients[n], 1, &room, NULL) == JMEET_OK);
    }
    check(jmeet_conference_send_track(room, &audio, 0, &track, NULL) == JMEET_OK);
    check(jmeet_writer_new(track, NULL, &s.writer, NULL) == JMEET_OK);
    check(jmeet_conference_reader_new(room, NULL, &s.reader, NULL) == JMEET_OK);
    check(pthread_create(&thread, NULL, reads_on, &s) == 0);
    check(jmeet_queue_set_callback(s.queue, free_all_inside, &s, all_destroyed) == JMEET_OK);
    for (n = 0; n < 1000 && !s.destroyed; n++) poll(NULL, 0, 10);
    pthread_join(thread, NULL);
    check(s.calls == 1 && s.destroyed == 1 && s.woken == 1);
    close(listener);
}

static void count(jmeet_event *event, void *user) {
    seen *s = (seen *)user;
    s->calls++;
    if (jmeet_event_type(event) == JMEET_EVENT_CLOSED) s->closed++;
}

static void callbacks_end(void) {
    seen s, other;
    jmeet_conference *room = NULL;
    int before;
    memset(&s, 0, sizeof s);
    memset(&other, 0, sizeof other);
    s.queue = new_queue();
    s.client = new_client(s.queue);
    check(jmeet_queue_set_callback(s.queue, count, &s, on_destroy) == JMEET_OK);
    check(jmeet_client_join(s.client, 1, &room, NULL) == JMEET_OK);
    check(jmeet_client_free(s.client) == JMEET_OK);
    before = s.calls;
    poll(NULL, 0, 100);
    check(s.calls == before); /* silence after the client's free */
    check(jmeet_queue_set_callback(s.queue, count, &other, on_destroy) == JMEET_OK);
    check(s.destroyed == 1);
    check(jmeet_queue_set_callback(s.queue, NULL, NULL, NULL) == JMEET_OK);
    check(other.destroyed == 1);
    check(jmeet_queue_set_callback(s.queue, count, &other, on_destroy) == JMEET_OK);
    check(jmeet_queue_free(s.queue) == JMEET_OK);
    check(other.destroyed == 2 && other.calls == 0);
    check(jmeet_queue_set_callback(s.queue, count, &other, on_destroy) == JMEET_ERR_INVALID_HANDLE);
    check(other.destroyed == 2);
}

static void on_wakeup(void *user) { ((seen *)user)->calls++; }

static void descriptor_and_wakeup(void) {
    seen s;
    jmeet_conference *room = NULL;
    jmeet_event *event = NULL;
    struct pollfd p;
    intptr_t fd = -1;
    int events = 0;
    memset(&s, 0, sizeof s);
    s.queue = new_queue();
    s.client = new_client(s.queue);
    check(jmeet_queue_fd(s.queue, &fd) == JMEET_OK && fd >= 0);
    check(jmeet_queue_set_wakeup(s.queue, on_wakeup, &s) == JMEET_OK);
    p.fd = (int)fd;
    p.events = POLLIN;
    p.revents = 0;
    check(poll(&p, 1, 0) == 0);
    check(jmeet_client_join(s.client, 1, &room, NULL) == JMEET_OK);
    while (!s.closed && poll(&p, 1, 10000) == 1) {
        while (jmeet_queue_next(s.queue, 0, &event) == JMEET_OK) {
            events++;
            if (jmeet_event_type(event) == JMEET_EVENT_CLOSED) s.closed++;
            jmeet_event_free(event);
        }
    }
    check(events > 0 && s.closed == 1 && s.calls > 0);
    while (jmeet_queue_next(s.queue, 0, &event) == JMEET_OK) jmeet_event_free(event);
    check(poll(&p, 1, 0) == 0);
    check(jmeet_queue_set_wakeup(s.queue, NULL, NULL) == JMEET_OK);
    check(jmeet_client_free(s.client) == JMEET_OK && jmeet_queue_free(s.queue) == JMEET_OK);
}

/* A thread that waits for events wakes when the queue is freed. */
static void *waits(void *user) {
    jmeet_event *event = NULL;
    jmeet_status status = jmeet_queue_next((jmeet_queue *)user, -1, &event);
    check(status == JMEET_ERR_CLOSED || status == JMEET_ERR_INVALID_HANDLE);
    return NULL;
}

static void a_blocked_thread_wakes(void) {
    jmeet_queue *queue = new_queue();
    pthread_t thread;
    check(pthread_create(&thread, NULL, waits, queue) == 0);
    poll(NULL, 0, 50);
    check(jmeet_queue_free(queue) == JMEET_OK);
    pthread_join(thread, NULL);
}

/* Many threads do everything at once to the same handles; one of them frees. */
typedef struct {
    jmeet_queue *queue;
    jmeet_client *client;
    jmeet_conference *room;
    atomic_int frees;
} shared;

static void *everything(void *user) {
    shared *s = (shared *)user;
    int n;
    for (n = 0; n < 200; n++) {
        jmeet_event *event = NULL;
        jmeet_participant_list *list = NULL;
        jmeet_reader *reader = NULL;
        jmeet_str text = { NULL, 0 };
        uint64_t at = 0;
        if (jmeet_queue_next(s->queue, 0, &event) == JMEET_OK) {
            jmeet_event_type(event);
            jmeet_event_free(event);
            jmeet_event_free(event);
        }
        jmeet_client_state(s->client);
        jmeet_client_timeline(s->client, JMEET_TIMELINE_START, &at);
        jmeet_conference_send_message(s->room, "x", (uint64_t)n, NULL);
        jmeet_conference_room_jid(s->room, &text);
        if (jmeet_conference_list_participants(s->room, &list) == JMEET_OK) jmeet_participant_list_free(list);
        if (jmeet_conference_reader_new(s->room, NULL, &reader, NULL) == JMEET_OK && n % 2) jmeet_reader_free(reader);
        if (n == 150 && jmeet_client_free(s->client) == JMEET_OK) s->frees++;
    }
    return NULL;
}

static void many_threads(void) {
    int round, n;
    for (round = 0; round < 3; round++) {
        pthread_t threads[8];
        shared s;
        memset(&s, 0, sizeof s);
        s.queue = new_queue();
        s.client = new_client(s.queue);
        check(jmeet_client_join(s.client, 1, &s.room, NULL) == JMEET_OK);
        for (n = 0; n < 8; n++) check(pthread_create(&threads[n], NULL, everything, &s) == 0);
        for (n = 0; n < 8; n++) pthread_join(threads[n], NULL);
        check(s.frees == 1);
        check(jmeet_queue_free(s.queue) == JMEET_OK);
    }
}

static void forked(void) {
    jmeet_queue *queue = new_queue();
    jmeet_client *client = new_client(queue);
    pid_t child = fork();
    int status = -1;
    if (child == 0) {
        jmeet_event *event = NULL;
        jmeet_queue *other = NULL;
        jmeet_runtime *runtime = NULL;
        int ok = jmeet_queue_next(queue, -1, &event) == JMEET_ERR_FORKED && jmeet_client_free(client) == JMEET_ERR_FORKED
                 && jmeet_queue_new(NULL, &other, NULL) == JMEET_ERR_FORKED && jmeet_queue_free(NULL) == JMEET_ERR_FORKED
                 && jmeet_runtime_new(NULL, &runtime, NULL) == JMEET_ERR_FORKED && other == NULL && runtime == NULL
                 && jmeet_log_set_callback(JMEET_LOG_OFF, NULL, NULL) == JMEET_ERR_FORKED
                 && jmeet_now_us() == 0 && jmeet_abi_version() == 0 && jmeet_features() == 0 && jmeet_event_type(event) == JMEET_EVENT_NONE;
        _exit(ok ? 0 : 1);
    }
    check(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check(jmeet_client_free(client) == JMEET_OK && jmeet_queue_free(queue) == JMEET_OK);
}

static atomic_int logged;

static void on_log(uint32_t level, jmeet_str target, jmeet_str text, void *user) {
    (void)user;
    check(level >= JMEET_LOG_ERROR && level <= JMEET_LOG_TRACE);
    check(target.size == strlen(target.data) && text.size == strlen(text.data));
    logged++;
}

static void logging(void) {
    jmeet_queue *queue = new_queue();
    jmeet_client *client;
    int before;
    check(jmeet_log_set_callback(JMEET_LOG_TRACE, on_log, NULL) == JMEET_OK);
    client = new_client(queue);
    check(jmeet_client_free(client) == JMEET_OK);
    check(logged > 0);
    check(jmeet_log_set_callback(JMEET_LOG_OFF, NULL, NULL) == JMEET_OK);
    before = logged;
    client = new_client(queue);
    check(jmeet_client_free(client) == JMEET_OK && jmeet_queue_free(queue) == JMEET_OK);
    check(logged == before);
}

static void one_runtime_for_many(void) {
    jmeet_runtime *runtime = NULL;
    jmeet_queue *queue = new_queue();
    jmeet_client *clients[20];
    jmeet_conference *room = NULL;
    jmeet_event *event = NULL;
    int closed = 0, n;
    check(jmeet_runtime_new(NULL, &runtime, NULL) == JMEET_OK);
    for (n = 0; n < 20; n++) {
        jmeet_client_options options = to_nobody();
        options.runtime = runtime;
        options.user_value = (uint64_t)n + 100;
        check(jmeet_client_new(queue, &options, &clients[n], NULL) == JMEET_OK);
        check(jmeet_client_join(clients[n], 0, &room, NULL) == JMEET_OK);
    }
    while (closed < 20 && jmeet_queue_next(queue, 10000, &event) == JMEET_OK) {
        uint64_t value = jmeet_event_user_value(event);
        check(value >= 100 && value < 120 && jmeet_event_client(event) == clients[value - 100]);
        if (jmeet_event_type(event) == JMEET_EVENT_CLOSED) closed++;
        jmeet_event_free(event);
    }
    check(closed == 20);
    check(jmeet_queue_free(queue) == JMEET_ERR_IN_USE);
    check(jmeet_runtime_free(runtime) == JMEET_OK);
    check(jmeet_client_free(clients[0]) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_queue_free(queue) == JMEET_OK);
    check(jmeet_runtime_free(runtime) == JMEET_ERR_INVALID_HANDLE);
}

/* With an argument it does not fork: valgrind takes the threads that a child lacks for leaks. */
int main(int argc, char **argv) {
    (void)argv;
    nulls();
    handles();
    strings_and_structs();
    failed_join();
    media_without_a_meeting();
    frees_inside_a_callback();
    everything_freed_inside_a_callback();
    callbacks_end();
    descriptor_and_wakeup();
    a_blocked_thread_wakes();
    many_threads();
    logging();
    one_runtime_for_many();
    if (argc < 2) forked();
    return checked();
}
