/*
 * What abuse.c does where nobody listens, in a meeting where media flows: wrong handles of every type, NULL for whatever is required,
 * many threads on the same objects, a fork, and calls on what is still held after the client has closed.
 * `abuse_meeting URL DOMAIN`; with a third argument it does not fork: valgrind takes the threads that a child lacks for leaks.
 */
#define _POSIX_C_SOURCE 200809L
#include <jmeet.h>
#include "check.h"
#include "every_call.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, FRAME_MS = 20, ENOUGH_FRAMES = 50, ENOUGH_ROUNDS = 25 };

static const uint8_t OPUS[] = { 0xfc, 0xff, 0xfe }; /* 20 ms of silence */

static jmeet_runtime *runtime;
static jmeet_queue *queue;
static jmeet_client *alice, *bob;
static jmeet_conference *alices, *bobs;
static jmeet_track *microphone; /* Alice's, as she holds it */
static every_handle held;       /* by Bob, but the writer */

static jmeet_event *wait_for(jmeet_client *client, uint32_t type) {
    jmeet_event *event = NULL;
    while (jmeet_queue_next(queue, PATIENCE_MS, &event) == JMEET_OK) {
        if (jmeet_event_client(event) == client && jmeet_event_type(event) == type) return event;
        jmeet_event_free(event);
    }
    fprintf(stderr, "no event %u\n", (unsigned)type);
    return NULL;
}

static jmeet_client *enter(const char *url, const char *domain, const char *nickname, jmeet_conference **room) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_client *client = NULL;
    jmeet_event *event;
    options.runtime = runtime;
    options.url = url;
    options.domain = domain;
    options.room = "c-abuse";
    options.nickname = nickname;
    options.allow_loopback = 1;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_OK);
    check(jmeet_client_join(client, 1, room, NULL) == JMEET_OK);
    event = wait_for(client, JMEET_EVENT_REQUEST_DONE);
    check(jmeet_event_status(event) == JMEET_OK);
    jmeet_event_free(event);
    return client;
}

static jmeet_status write_opus(void) {
    jmeet_outgoing_frame frame = JMEET_OUTGOING_FRAME_INIT;
    frame.data = OPUS;
    frame.size = sizeof OPUS;
    return jmeet_writer_write(held.writer, &frame);
}

/* Whether Bob hears a frame that Alice writes from now on. */
static int heard(void) {
    jmeet_frame frame = JMEET_FRAME_INIT;
    int n;
    while (jmeet_reader_next(held.reader, 0, &frame) == JMEET_OK) {}
    for (n = 0; n < PATIENCE_MS / FRAME_MS; n++) {
        write_opus();
        if (jmeet_reader_next(held.reader, FRAME_MS, &frame) == JMEET_OK) return frame.data.size == sizeof OPUS;
    }
    return 0;
}

/* Whether Bob reads what Alice says. */
static int understood(const char *words) {
    jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
    jmeet_event *event;
    int ok;
    check(jmeet_conference_send_message(alices, words, 0, NULL) == JMEET_OK);
    event = wait_for(bob, JMEET_EVENT_MESSAGE);
    ok = jmeet_event_message(event, &message) == JMEET_OK && strcmp(message.text.data, words) == 0;
    jmeet_event_free(event);
    return ok;
}

/* One handle of each type, all of them good. */
static void take_everything(void) {
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_track_info track = JMEET_TRACK_INFO_INIT;
    jmeet_event *added;
    audio.codec = JMEET_CODEC_OPUS;
    check(jmeet_conference_send_track(alices, &audio, 0, &microphone, NULL) == JMEET_OK);
    check(jmeet_writer_new(microphone, NULL, &held.writer, NULL) == JMEET_OK);
    check(jmeet_conference_reader_new(bobs, NULL, &held.reader, NULL) == JMEET_OK);
    added = wait_for(bob, JMEET_EVENT_TRACK_ADDED);
    check(jmeet_event_track(added, &track) == JMEET_OK);
    check(heard());
    held.runtime = runtime;
    held.queue = queue;
    held.client = bob;
    held.conference = bobs;
    held.event = added;
    held.track = track.track;
    held.participant = track.participant;
    check(jmeet_conference_list_participants(bobs, &held.participant_list) == JMEET_OK);
    check(jmeet_conference_list_tracks(bobs, &held.track_list) == JMEET_OK);
    check(jmeet_conference_stats_new(bobs, PATIENCE_MS, &held.stats, NULL) == JMEET_OK);
    check(jmeet_frame_retain(held.reader, &held.frame_ref) == JMEET_OK);
    check(jmeet_client_join(bob, 0, &bobs, &held.error) == JMEET_ERR_STATE);
}

/* No function takes a handle of another type for its own, and none of them comes to harm. */
static void every_type_for_every_other(void) {
#define OTHERS(type) every_call(held.type, #type, NULL, JMEET_ERR_INVALID_HANDLE);
    OTHERS(runtime) OTHERS(queue) OTHERS(client) OTHERS(conference) OTHERS(participant) OTHERS(participant_list) OTHERS(track)
    OTHERS(track_list) OTHERS(writer) OTHERS(reader) OTHERS(frame_ref) OTHERS(event) OTHERS(error) OTHERS(stats)
#undef OTHERS
    check(heard() && understood("unharmed"));
}

/* Good handles, and NULL for every other pointer that is required. Of the getters of events only those of an event that is at hand: the
 * others begin with the same look at both pointers, and the fuzz target `calls` gives each of them every argument. */
static void required_pointers(void) {
    jmeet_participant *participant = NULL;
    jmeet_track *track = NULL;
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    audio.media = JMEET_MEDIA_AUDIO;
#define REFUSED(call) check((call) == JMEET_ERR_NULL);
    REFUSED(jmeet_queue_next(queue, 0, NULL))
    REFUSED(jmeet_queue_fd(queue, NULL))
    REFUSED(jmeet_client_join(bob, 0, NULL, NULL))
    REFUSED(jmeet_client_conference(bob, NULL))
    REFUSED(jmeet_client_timeline(bob, JMEET_TIMELINE_START, NULL))
    REFUSED(jmeet_client_get_stats(bob, NULL))
    REFUSED(jmeet_conference_send_message(bobs, NULL, 0, NULL))
    REFUSED(jmeet_conference_send_private_message(bobs, NULL, "x", 0, NULL))
    REFUSED(jmeet_conference_send_private_message(bobs, "00000000", NULL, 0, NULL))
    REFUSED(jmeet_conference_send_endpoint_message(bobs, NULL, NULL, 0, NULL))
    REFUSED(jmeet_conference_set_display_name(bobs, NULL, 0, NULL))
    REFUSED(jmeet_conference_room_jid(bobs, NULL))
    REFUSED(jmeet_conference_endpoint_id(bobs, NULL))
    REFUSED(jmeet_conference_list_participants(bobs, NULL))
    REFUSED(jmeet_conference_list_speakers(bobs, NULL))
    REFUSED(jmeet_conference_list_tracks(bobs, NULL))
    REFUSED(jmeet_conference_find_participant(bobs, NULL, &participant))
    REFUSED(jmeet_conference_find_participant(bobs, "00000000", NULL))
    REFUSED(jmeet_conference_find_participant_by_key(bobs, 1, NULL))
    REFUSED(jmeet_conference_find_track(bobs, NULL, &track))
    REFUSED(jmeet_conference_find_track(bobs, "00000000-a0", NULL))
    REFUSED(jmeet_conference_find_track_by_key(bobs, 1, NULL))
    REFUSED(jmeet_conference_get_speaking(bobs, NULL))
    REFUSED(jmeet_conference_stats_new(bobs, 0, NULL, NULL))
    REFUSED(jmeet_conference_send_track(bobs, NULL, 0, &track, NULL))
    REFUSED(jmeet_conference_send_track(bobs, &audio, 0, NULL, NULL))
    REFUSED(jmeet_conference_reader_new(bobs, NULL, NULL, NULL))
    REFUSED(jmeet_participant_endpoint_id(held.participant, NULL))
    REFUSED(jmeet_participant_list_new(held.participant, NULL))
    REFUSED(jmeet_participant_get_status(held.participant, NULL))
    REFUSED(jmeet_participant_get_stats(held.participant, NULL))
    REFUSED(jmeet_participant_list_get(held.participant_list, 0, NULL))
    REFUSED(jmeet_track_get(held.track, NULL))
    REFUSED(jmeet_track_get_status(held.track, NULL))
    REFUSED(jmeet_track_send_tones(microphone, NULL, 0, 0, 0, NULL))
    REFUSED(jmeet_track_list_get(held.track_list, 0, NULL))
    REFUSED(jmeet_writer_new(microphone, NULL, NULL, NULL))
    REFUSED(jmeet_writer_write(held.writer, NULL))
    REFUSED(jmeet_writer_get_stats(held.writer, 0, 0, NULL))
    REFUSED(jmeet_reader_new(held.track, NULL, NULL, NULL))
    REFUSED(jmeet_reader_next(held.reader, 0, NULL))
    REFUSED(jmeet_reader_fd(held.reader, NULL))
    REFUSED(jmeet_reader_get_stats(held.reader, NULL))
    REFUSED(jmeet_frame_retain(held.reader, NULL))
    REFUSED(jmeet_frame_get(held.frame_ref, NULL))
    REFUSED(jmeet_stats_get(held.stats, NULL))
    REFUSED(jmeet_stats_get_track(held.stats, 0, NULL))
    REFUSED(jmeet_event_error(held.event, NULL))
    REFUSED(jmeet_event_track(held.event, NULL))
    REFUSED(jmeet_error_get(held.error, NULL))
#undef REFUSED
    check(participant == NULL && track == NULL && understood("still here"));
}

/* What the threads below count, and when they end: when there was enough of everything, or anything that should not be. */
static atomic_int written, frames, said, read_by_bob, odd, over;

static void odd_answer(jmeet_status status, int line) {
    fprintf(stderr, "line %d: %s\n", line, jmeet_status_name(status));
    odd++;
    over = 1;
}

/* check() counts without a lock, so threads count what they did not expect. */
#define EXPECT(call, or_else) \
    do { \
        jmeet_status answer = (call); \
        if (answer != JMEET_OK && answer != (or_else)) odd_answer(answer, __LINE__); \
    } while (0)

static void *writes(void *none) {
    (void)none;
    while (!over) {
        jmeet_status status = write_opus();
        if (status == JMEET_OK) written++;
        else if (status != JMEET_ERR_NOT_READY && status != JMEET_ERR_FULL && status != JMEET_ERR_MUTED) odd_answer(status, __LINE__);
        poll(NULL, 0, FRAME_MS);
    }
    return NULL;
}

/* Two of these share a reader, which serves one at a time. */
static void *reads(void *none) {
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_frame_ref *kept = NULL;
    jmeet_reader_stats stats = JMEET_READER_STATS_INIT;
    (void)none;
    while (!over) {
        jmeet_status status = jmeet_reader_next(held.reader, FRAME_MS, &frame);
        if (status == JMEET_OK) frames++;
        else if (status == JMEET_ERR_BUSY) poll(NULL, 0, 1); /* asked again at once it would take the processor from the client */
        else if (status != JMEET_ERR_TIMEOUT) odd_answer(status, __LINE__);
        /* The other one's call may lie between; then it is that call's frame, or none. */
        status = jmeet_frame_retain(held.reader, &kept);
        if (status == JMEET_OK) EXPECT(jmeet_frame_release(kept), JMEET_OK);
        else if (status != JMEET_ERR_STATE && status != JMEET_ERR_BUSY) odd_answer(status, __LINE__);
        EXPECT(jmeet_reader_get_stats(held.reader, &stats), JMEET_OK);
    }
    return NULL;
}

/* Two of these share the queue. */
static void *drains(void *none) {
    jmeet_event *event = NULL;
    (void)none;
    while (!over) {
        jmeet_status status = jmeet_queue_next(queue, FRAME_MS, &event);
        if (status == JMEET_ERR_TIMEOUT) continue;
        if (status != JMEET_OK) {
            odd_answer(status, __LINE__);
            break;
        }
        if (jmeet_event_type(event) == JMEET_EVENT_CLOSED) odd_answer(jmeet_event_status(event), __LINE__);
        if (jmeet_event_type(event) == JMEET_EVENT_MESSAGE && jmeet_event_client(event) == bob) read_by_bob++;
        EXPECT(jmeet_event_retain(event), JMEET_OK);
        EXPECT(jmeet_event_free(event), JMEET_OK);
        EXPECT(jmeet_event_free(event), JMEET_OK);
    }
    return NULL;
}

static void *talks(void *none) {
    int n;
    (void)none;
    for (n = 0; !over; n++) {
        jmeet_participant_list *people = NULL;
        jmeet_track_list *tracks = NULL;
        jmeet_stats *stats = NULL;
        jmeet_participant *somebody = NULL;
        if (n < ENOUGH_ROUNDS && jmeet_conference_send_message(alices, "x", 0, NULL) == JMEET_OK) said++;
        EXPECT(jmeet_conference_set_display_name(alices, n % 2 ? "Alice" : "Alicia", 0, NULL), JMEET_OK);
        EXPECT(jmeet_conference_find_participant(bobs, "00000000", &somebody), JMEET_OK);
        EXPECT(jmeet_conference_list_participants(bobs, &people), JMEET_OK);
        EXPECT(jmeet_conference_list_tracks(bobs, &tracks), JMEET_OK);
        EXPECT(jmeet_conference_stats_new(bobs, PATIENCE_MS, &stats, NULL), JMEET_OK);
        if (somebody != held.participant || jmeet_participant_list_size(people) != 1) odd++;
        EXPECT(jmeet_participant_list_free(people), JMEET_OK);
        EXPECT(jmeet_track_list_free(tracks), JMEET_OK);
        EXPECT(jmeet_stats_free(stats), JMEET_OK);
        poll(NULL, 0, FRAME_MS);
    }
    return NULL;
}

static void *turns(void *none) {
    int n;
    (void)none;
    for (n = 0; !over; n++) {
        jmeet_track_info info = JMEET_TRACK_INFO_INIT;
        jmeet_track_status status = JMEET_TRACK_STATUS_INIT;
        jmeet_client_stats stats = JMEET_CLIENT_STATS_INIT;
        jmeet_writer_stats sent = JMEET_WRITER_STATS_INIT;
        jmeet_conference *room = NULL;
        jmeet_writer *writer = NULL;
        jmeet_reader *reader = NULL;
        uint64_t at = 0;
        EXPECT(jmeet_track_get(held.track, &info), JMEET_OK);
        EXPECT(jmeet_track_get_status(held.track, &status), JMEET_OK);
        EXPECT(jmeet_track_set_muted(microphone, n % 8 == 7, 0, NULL), JMEET_OK);
        EXPECT(jmeet_writer_new(microphone, NULL, &writer, NULL), JMEET_OK);
        EXPECT(jmeet_writer_get_stats(writer, 0, PATIENCE_MS, &sent), JMEET_OK);
        EXPECT(jmeet_writer_free(writer), JMEET_OK);
        EXPECT(jmeet_reader_new(held.track, NULL, &reader, NULL), JMEET_OK);
        EXPECT(jmeet_reader_free(reader), JMEET_OK);
        EXPECT(jmeet_client_get_stats(bob, &stats), JMEET_OK);
        EXPECT(jmeet_client_timeline(bob, JMEET_TIMELINE_JOINED, &at), JMEET_OK);
        EXPECT(jmeet_client_conference(bob, &room), JMEET_OK);
        if (room != bobs || at == 0 || jmeet_client_state(bob) != JMEET_STATE_JOINED) odd++;
        poll(NULL, 0, FRAME_MS / 2);
    }
    return NULL;
}

static void many_threads(void) {
    void *(*const work[])(void *) = { writes, writes, reads, reads, drains, drains, talks, turns, turns };
    pthread_t threads[sizeof work / sizeof *work];
    jmeet_writer_stats before = JMEET_WRITER_STATS_INIT, after = JMEET_WRITER_STATS_INIT;
    size_t n;
    int waited;
    check(jmeet_writer_get_stats(held.writer, 0, PATIENCE_MS, &before) == JMEET_OK);
    for (n = 0; n < sizeof work / sizeof *work; n++) check(pthread_create(&threads[n], NULL, work[n], NULL) == 0);
    for (waited = 0; waited < PATIENCE_MS && !over && (frames < ENOUGH_FRAMES || said < ENOUGH_ROUNDS || read_by_bob < said); waited += 10)
        poll(NULL, 0, 10);
    over = 1;
    for (n = 0; n < sizeof work / sizeof *work; n++) pthread_join(threads[n], NULL);
    check(jmeet_writer_get_stats(held.writer, 0, PATIENCE_MS, &after) == JMEET_OK);
    /* Each write that was taken is counted once; what was read may have been written before the threads began. */
    check(after.taken - before.taken == (uint64_t)written && written > 0);
    check(odd == 0 && after.taken >= (uint64_t)frames && frames >= ENOUGH_FRAMES);
    check(said == ENOUGH_ROUNDS && read_by_bob == said);
    check(jmeet_track_set_muted(microphone, 0, 0, NULL) == JMEET_OK && heard() && understood("in one piece"));
}

/* A child of a program in a meeting is told so by every function, and the meeting goes on without it. */
static void forked(void) {
    pid_t child = fork();
    int status = -1;
    if (child == 0) {
        check_bad = 0;
        every_call(NULL, "forked", &held, JMEET_ERR_FORKED);
        _exit(check_bad != 0);
    }
    check(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check(heard() && understood("after the fork"));
}

/* What is held of a client that has closed stays good, and says so. */
static void after_close(void) {
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_reader_stats counted = JMEET_READER_STATS_INIT;
    jmeet_client_stats stats = JMEET_CLIENT_STATS_INIT;
    jmeet_writer_stats sent = JMEET_WRITER_STATS_INIT;
    jmeet_participant_status status = JMEET_PARTICIPANT_STATUS_INIT;
    jmeet_track_status how = JMEET_TRACK_STATUS_INIT;
    jmeet_track_info info = JMEET_TRACK_INFO_INIT;
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_participant_list *people = NULL;
    jmeet_track_list *tracks = NULL;
    jmeet_stats *none = NULL;
    jmeet_track *track = NULL;
    jmeet_reader *reader = NULL;
    jmeet_writer *writer = NULL;
    jmeet_conference *room = NULL;
    jmeet_str text = { NULL, 0 };
    intptr_t fd = -1;
    jmeet_status answer;
    audio.codec = JMEET_CODEC_OPUS;

    check(jmeet_client_close(bob, PATIENCE_MS) == JMEET_OK && jmeet_client_close(bob, 0) == JMEET_OK);
    check(jmeet_client_close(alice, PATIENCE_MS) == JMEET_OK);
    check(jmeet_client_state(bob) == JMEET_STATE_CLOSED && jmeet_client_get_stats(bob, &stats) == JMEET_OK);
    check(jmeet_client_join(bob, 0, &room, NULL) == JMEET_ERR_STATE);
    check(jmeet_client_conference(bob, &room) == JMEET_OK && room == bobs);

    check(jmeet_conference_send_message(bobs, "late", 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_send_private_message(bobs, "00000000", "late", 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_send_endpoint_message(bobs, NULL, "{}", 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_set_display_name(bobs, "late", 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_set_receive(bobs, NULL, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_leave(bobs, 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_conference_send_track(bobs, &audio, 1, &track, NULL) == JMEET_ERR_CLOSED && track == NULL);
    check(jmeet_conference_reader_new(bobs, NULL, &reader, NULL) == JMEET_ERR_CLOSED && reader == NULL);
    check(jmeet_conference_stats_new(bobs, PATIENCE_MS, &none, NULL) == JMEET_ERR_CLOSED && none == NULL);
    check(jmeet_conference_room_jid(bobs, &text) == JMEET_OK && text.size > 0);
    check(jmeet_conference_list_participants(bobs, &people) == JMEET_OK && jmeet_participant_list_free(people) == JMEET_OK);
    check(jmeet_conference_list_tracks(bobs, &tracks) == JMEET_OK && jmeet_track_list_free(tracks) == JMEET_OK);

    /* What came before the end is given out. */
    do answer = jmeet_reader_next(held.reader, 0, &frame);
    while (answer == JMEET_OK);
    check(answer == JMEET_ERR_CLOSED && jmeet_reader_next(held.reader, JMEET_FOREVER, &frame) == JMEET_ERR_CLOSED);
    check(jmeet_frame_retain(held.reader, &held.frame_ref) == JMEET_ERR_STATE);
    check(jmeet_reader_fd(held.reader, &fd) == JMEET_OK && jmeet_reader_set_wakeup(held.reader, NULL, NULL) == JMEET_OK);
    check(jmeet_reader_get_stats(held.reader, &counted) == JMEET_OK && counted.delivered >= ENOUGH_FRAMES && counted.queued == 0);

    check(write_opus() == JMEET_ERR_CLOSED);
    check(jmeet_writer_get_stats(held.writer, 0, PATIENCE_MS, &sent) == JMEET_ERR_CLOSED);

    check(jmeet_track_get(microphone, &info) == JMEET_ERR_CLOSED && jmeet_track_key(microphone) != 0);
    check(jmeet_track_set_muted(microphone, 1, 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_track_send_tones(microphone, "1", 0, 0, 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_writer_new(microphone, NULL, &writer, NULL) == JMEET_OK && jmeet_writer_set_limited(writer, JMEET_LIMITATION_NONE, 0) == JMEET_ERR_CLOSED);
    check(jmeet_writer_free(writer) == JMEET_OK && jmeet_track_remove(microphone) == JMEET_OK && jmeet_track_remove(microphone) == JMEET_ERR_GONE);
    check(jmeet_track_get(microphone, &info) == JMEET_ERR_GONE && write_opus() == JMEET_ERR_CLOSED);

    /* Nobody is there any more, and the events that say so wait in the queue. */
    check(jmeet_track_get(held.track, &info) == JMEET_ERR_GONE && jmeet_track_get_status(held.track, &how) == JMEET_ERR_GONE);
    check(jmeet_track_request_key_frame(held.track) == JMEET_ERR_GONE);
    check(jmeet_reader_new(held.track, NULL, &reader, NULL) == JMEET_ERR_GONE && reader == NULL);
    check(jmeet_participant_get_status(held.participant, &status) == JMEET_ERR_GONE);
    check(jmeet_participant_list_new(held.participant, &people) == JMEET_ERR_GONE);
    check(jmeet_participant_mute(held.participant, JMEET_MUTE_AUDIO, 1, NULL) == JMEET_ERR_CLOSED);
    check(jmeet_participant_endpoint_id(held.participant, &text) == JMEET_OK && strcmp(text.data, "00000000") == 0);

    /* A kept frame, a list, statistics, an event and an error are the program's, however the client ends. */
    check(jmeet_client_free(bob) == JMEET_OK && jmeet_client_free(alice) == JMEET_OK);
    check(jmeet_frame_get(held.frame_ref, &frame) == JMEET_OK && frame.data.size == sizeof OPUS && memcmp(frame.data.data, OPUS, sizeof OPUS) == 0);
    check(jmeet_frame_release(held.frame_ref) == JMEET_OK);
    check(jmeet_participant_list_size(held.participant_list) == 1 && jmeet_participant_list_free(held.participant_list) == JMEET_OK);
    check(jmeet_track_list_size(held.track_list) == 1 && jmeet_track_list_free(held.track_list) == JMEET_OK);
    check(jmeet_stats_size(held.stats) > 0 && jmeet_stats_free(held.stats) == JMEET_OK);
    check(jmeet_event_track(held.event, &info) == JMEET_OK && jmeet_event_free(held.event) == JMEET_OK);
    check(jmeet_error_status(held.error) == JMEET_ERR_STATE && jmeet_error_free(held.error) == JMEET_OK);
    check(jmeet_reader_free(held.reader) == JMEET_ERR_INVALID_HANDLE && jmeet_writer_free(held.writer) == JMEET_ERR_INVALID_HANDLE);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    check(jmeet_runtime_new(NULL, &runtime, NULL) == JMEET_OK && jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK);
    alice = enter(argv[1], argv[2], "00000000", &alices);
    bob = enter(argv[1], argv[2], "ffffffff", &bobs);
    take_everything();
    every_type_for_every_other();
    required_pointers();
    many_threads();
    if (argc == 3) forked();
    after_close();
    check(jmeet_queue_free(queue) == JMEET_OK && jmeet_runtime_free(runtime) == JMEET_OK);
    return checked();
}
