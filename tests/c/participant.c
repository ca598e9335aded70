/*
 * A participant for the interop tests, on the C ABI alone: joins, sends an IVF and an Ogg Opus file, prints one JSON line per event, obeys
 * lines on standard input. It speaks the same lines as examples/rust/participant.rs, so that the same tests drive both.
 *
 * participant URL ROOM [--domain D] [--name N] [--nickname 8HEX] [--room-password P] [--loopback] [--no-media]
 * [--no-p2p]; files from JMEET_MEDIA.
 */
#define _POSIX_C_SOURCE 200809L
#include <jmeet.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_FRAMES = 1024, MAX_SOURCES = 64 };

typedef struct {
    const uint8_t *data;
    size_t size;
} packet;

static jmeet_queue *queue;
static jmeet_client *client;
static jmeet_conference *room;
static jmeet_track *audio, *screen;
static _Atomic(jmeet_track *) video; /* another one when the camera was off */
static packet audio_packets[MAX_FRAMES], video_frames[MAX_FRAMES];
static int audio_count, video_count;
static atomic_int stopping, key_frame_wanted;

/* What was received, by source name: frames, bytes, key frames, packets lost. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char name[64];
    unsigned long long n[4];
} sources[MAX_SOURCES];
static int source_count;
static FILE *dump;
static char dump_source[64]; /* empty: any */
static uint32_t dumped;

static void text(const char *key, jmeet_str s) {
    size_t i;
    printf(",\"%s\":\"", key);
    for (i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 0x20) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

static void begin(const char *event) { flockfile(stdout); printf("{\"event\":\"%s\"", event); }
static void end(void) { puts("}"); fflush(stdout); funlockfile(stdout); }

static const char *stage_name(uint32_t stage) {
    static const char *const names[] = { "None", "Resolve", "Connect", "Tls", "Upgrade", "Stream", "Auth", "Bind",
        "ConferenceRequest", "Join", "Joined", "Media", "Leave" };
    return stage < sizeof names / sizeof *names ? names[stage] : "?";
}

static void error_of(const jmeet_event *event) {
    jmeet_error_info e = JMEET_ERROR_INFO_INIT;
    if (jmeet_event_error(event, &e) != JMEET_OK || e.status == JMEET_OK) {
        printf(",\"error\":null");
        return;
    }
    printf(",\"error\":{\"code\":\"%s\",\"stage\":\"%s\"", jmeet_status_name(e.status), stage_name(e.stage));
    text("condition", e.condition);
    text("text", e.text);
    putchar('}');
}

static uint32_t le32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static uint8_t *load(const char *name, size_t *size) {
    char path[1024];
    const char *folder = getenv("JMEET_MEDIA");
    FILE *f;
    uint8_t *data = malloc(1 << 20);
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/fixtures/media", name);
    f = fopen(path, "rb");
    if (f == NULL || data == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    *size = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

static void load_media(void) {
    size_t size, at = 32, n = 0, i;
    uint8_t *file = load("video.ivf", &size);
    while (at + 12 <= size && video_count < MAX_FRAMES) {
        video_frames[video_count].size = le32(file + at);
        video_frames[video_count++].data = file + at + 12;
        at += 12 + le32(file + at);
    }
    file = load("audio.ogg", &size);
    /* Ogg pages: packets of this file never cross one; the first two pages are headers. */
    for (at = 0; at + 27 <= size; n++) {
        size_t segments = file[at + 26], body = at + 27 + segments, start = body;
        for (i = 0; i < segments; i++) {
            body += file[at + 27 + i];
            if (file[at + 27 + i] < 255) {
                if (n >= 2 && audio_count < MAX_FRAMES) {
                    audio_packets[audio_count].data = file + start;
                    audio_packets[audio_count++].size = body - start;
                }
                start = body;
            }
        }
        at = body;
    }
}

static void pause_until(struct timespec *due, long ns) {
    due->tv_nsec += ns;
    if (due->tv_nsec >= 1000000000L) {
        due->tv_nsec -= 1000000000L;
        due->tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

static void *send_audio(void *unused) {
    jmeet_writer *writer = NULL;
    jmeet_outgoing_frame frame = JMEET_OUTGOING_FRAME_INIT;
    struct timespec due;
    int n = 0;
    (void)unused;
    if (jmeet_writer_new(audio, NULL, &writer, NULL) != JMEET_OK) return NULL;
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (!stopping) {
        frame.data = audio_packets[n % audio_count].data;
        frame.size = audio_packets[n++ % audio_count].size;
        frame.fields = JMEET_FRAME_HAS_AUDIO_LEVEL;
        frame.audio_level = 30;
        frame.voice = 1;
        jmeet_writer_write(writer, &frame); /* not ready and muted drop it, which is what is wanted */
        pause_until(&due, 20000000L);
    }
    jmeet_writer_free(writer);
    return NULL;
}

static void *send_video(void *track) {
    jmeet_writer *writer = NULL;
    jmeet_outgoing_frame frame = JMEET_OUTGOING_FRAME_INIT;
    struct timespec due;
    int n = 0;
    jmeet_status status;
    if (jmeet_writer_new(track, NULL, &writer, NULL) != JMEET_OK) return NULL;
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (!stopping) {
        if (track == video && atomic_exchange(&key_frame_wanted, 0))
            while (video_frames[n % video_count].data[0] & 1) n++; /* a file jumps to its next key frame */
        frame.data = video_frames[n % video_count].data;
        frame.size = video_frames[n % video_count].size;
        frame.rtp_duration = 6000;
        status = jmeet_writer_write(writer, &frame);
        if (status == JMEET_ERR_GONE || status == JMEET_ERR_CLOSED) break; /* the track was removed */
        n = status == JMEET_OK ? n + 1 : 0;
        pause_until(&due, 66666667L);
    }
    jmeet_writer_free(writer);
    return NULL;
}

static void put32(uint32_t v) {
    uint8_t b[4];
    b[0] = (uint8_t)v, b[1] = (uint8_t)(v >> 8), b[2] = (uint8_t)(v >> 16), b[3] = (uint8_t)(v >> 24);
    fwrite(b, 1, 4, dump);
}

static void write_ivf(const jmeet_frame *f) {
    if (dumped == 0) {
        fwrite("DKIF\0\0\x20\0VP80", 1, 12, dump);
        put32((uint32_t)f->width | (uint32_t)f->height << 16);
        put32(15), put32(1), put32(0), put32(0);
    }
    put32((uint32_t)f->data.size), put32(dumped++), put32(0);
    fwrite(f->data.data, 1, f->data.size, dump);
    fflush(dump);
}

static void *listen_to_all(void *unused) {
    jmeet_reader *reader = NULL;
    jmeet_frame f = JMEET_FRAME_INIT;
    jmeet_status status = jmeet_conference_reader_new(room, NULL, &reader, NULL);
    int i;
    (void)unused;
    while (!stopping && (status == JMEET_OK || status == JMEET_ERR_TIMEOUT)) {
        status = jmeet_reader_next(reader, 200, &f);
        if (status != JMEET_OK) continue;
        pthread_mutex_lock(&lock);
        for (i = 0; i < source_count && strcmp(sources[i].name, f.source_name.data) != 0; i++) {}
        if (i == source_count && i < MAX_SOURCES) snprintf(sources[source_count++].name, 64, "%s", f.source_name.data);
        if (i < MAX_SOURCES) {
            sources[i].n[0]++;
            sources[i].n[1] += f.data.size;
            sources[i].n[2] += f.key_frame;
            sources[i].n[3] += f.gap;
        }
        if (dump != NULL && f.codec == JMEET_CODEC_VP8 && (f.key_frame || dumped > 0)
            && (dump_source[0] == 0 || strcmp(dump_source, f.source_name.data) == 0))
            write_ivf(&f);
        pthread_mutex_unlock(&lock);
    }
    jmeet_reader_free(reader);
    return NULL;
}

static void print_stats(void) {
    int i, k;
    pthread_mutex_lock(&lock);
    begin("stats");
    printf(",\"session\":null,\"sources\":{");
    for (i = 0; i < source_count; i++) {
        printf("%s\"%s\":[", i ? "," : "", sources[i].name);
        for (k = 0; k < 4; k++) printf("%s%llu", k ? "," : "", sources[i].n[k]);
        putchar(']');
    }
    putchar('}');
    end();
    pthread_mutex_unlock(&lock);
}

/* Senders make key frames when asked, and seldom else. */
static void ask_key_frames(void) {
    jmeet_track_list *list = NULL;
    size_t i;
    if (jmeet_conference_list_tracks(room, &list) != JMEET_OK) return;
    for (i = 0; i < jmeet_track_list_size(list); i++) {
        jmeet_track_info t = JMEET_TRACK_INFO_INIT;
        if (jmeet_track_list_get(list, i, &t) == JMEET_OK && !t.local && t.media == JMEET_MEDIA_VIDEO)
            jmeet_track_request_key_frame(t.track);
    }
    jmeet_track_list_free(list);
}

/* One more video, sent by a thread of its own until the track is removed. */
static jmeet_track *show(uint32_t type) {
    jmeet_track_options options = JMEET_TRACK_OPTIONS_INIT;
    jmeet_track *track = NULL;
    pthread_t thread;
    options.codec = JMEET_CODEC_VP8;
    options.video_type = type;
    if (jmeet_conference_send_track(room, &options, 0, &track, NULL) == JMEET_OK
        && pthread_create(&thread, NULL, send_video, track) == 0)
        pthread_detach(thread);
    return track;
}

static void *obey(void *unused) {
    char line[4096], *source;
    (void)unused;
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "say ", 4) == 0) jmeet_conference_send_message(room, line + 4, 2, NULL);
        else if (strncmp(line, "tell ", 5) == 0 && strlen(line) > 14) {
            line[13] = 0;
            jmeet_conference_send_private_message(room, line + 5, line + 14, 4, NULL);
        } else if (strncmp(line, "mute ", 5) == 0) jmeet_track_set_muted(line[5] == 'a' ? audio : video, 1, 3, NULL);
        else if (strncmp(line, "unmute ", 7) == 0) jmeet_track_set_muted(line[7] == 'a' ? audio : video, 0, 3, NULL);
        else if (strcmp(line, "share") == 0) screen = show(JMEET_VIDEO_TYPE_DESKTOP);
        else if (strcmp(line, "unshare") == 0) jmeet_track_remove(screen);
        else if (strcmp(line, "camera off") == 0) jmeet_track_remove(video);
        else if (strcmp(line, "camera on") == 0) video = show(JMEET_VIDEO_TYPE_CAMERA);
        else if (strcmp(line, "stats") == 0) print_stats();
        else if (strncmp(line, "dump ", 5) == 0) {
            source = strchr(line + 5, ' ');
            if (source != NULL) *source++ = 0;
            pthread_mutex_lock(&lock);
            snprintf(dump_source, sizeof dump_source, "%s", source != NULL ? source : "");
            dump = fopen(line + 5, "wb");
            dumped = 0;
            pthread_mutex_unlock(&lock);
            ask_key_frames();
        } else if (strcmp(line, "leave") == 0) break;
    }
    jmeet_client_close(client, 8000);
    return NULL;
}

static void describe(const jmeet_event *event) {
    jmeet_joined_info joined = JMEET_JOINED_INFO_INIT;
    jmeet_participant_info who = JMEET_PARTICIPANT_INFO_INIT;
    jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
    jmeet_track_info track = JMEET_TRACK_INFO_INIT;
    jmeet_media_info media = JMEET_MEDIA_INFO_INIT;
    jmeet_bridge_channel_info channel = JMEET_BRIDGE_CHANNEL_INFO_INIT;
    static const char *const channels[] = { "?", "None", "Connecting", "DataChannel", "WebSocket", "Waiting", "Failed" };
    uint32_t type = jmeet_event_type(event);
    switch (type) {
    case JMEET_EVENT_REQUEST_DONE:
        begin("done");
        printf(",\"tag\":%llu", (unsigned long long)jmeet_event_tag(event));
        error_of(event);
        end();
        break;
    case JMEET_EVENT_JOINED:
        if (jmeet_event_joined(event, &joined) != JMEET_OK) break;
        begin("joined");
        text("id", joined.endpoint_id);
        end();
        break;
    case JMEET_EVENT_PARTICIPANT_JOINED:
    case JMEET_EVENT_PARTICIPANT_LEFT:
        if (jmeet_event_participant(event, &who) != JMEET_OK) break;
        begin(type == JMEET_EVENT_PARTICIPANT_JOINED ? "participant-joined" : "participant-left");
        text("id", who.endpoint_id);
        text("name", who.display_name);
        end();
        break;
    case JMEET_EVENT_MESSAGE:
        if (jmeet_event_message(event, &message) != JMEET_OK) break;
        begin("message");
        text("from", message.endpoint_id);
        text("text", message.text);
        printf(",\"delayed\":%s", message.delayed ? "true" : "false");
        end();
        break;
    case JMEET_EVENT_TRACK_ADDED:
    case JMEET_EVENT_TRACK_UPDATED:
    case JMEET_EVENT_TRACK_REMOVED:
        if (jmeet_event_track(event, &track) != JMEET_OK) break;
        begin(type == JMEET_EVENT_TRACK_ADDED ? "track-added" : type == JMEET_EVENT_TRACK_UPDATED ? "track" : "track-removed");
        text("source", track.source_name);
        printf(",\"muted\":%s,\"local\":%s,\"desktop\":%s", track.muted ? "true" : "false", track.local ? "true" : "false",
            track.video_type == JMEET_VIDEO_TYPE_DESKTOP ? "true" : "false");
        end();
        break;
    case JMEET_EVENT_MEDIA:
        if (jmeet_event_media(event, &media) != JMEET_OK) break;
        begin(media.path == JMEET_MEDIA_PATH_BRIDGE ? "bridge" : "p2p");
        printf(",\"state\":\"%s\"", media.state == JMEET_MEDIA_STATE_CONNECTING ? "connecting"
            : media.state == JMEET_MEDIA_STATE_CONNECTED ? "connected" : media.state == JMEET_MEDIA_STATE_ENDED ? "ended" : "recovering");
        text("id", media.endpoint_id);
        text("reason", media.reason);
        end();
        break;
    case JMEET_EVENT_BRIDGE_CHANNEL:
        if (jmeet_event_bridge_channel(event, &channel) != JMEET_OK) break;
        begin("channel");
        printf(",\"state\":\"%s\"", channel.state < sizeof channels / sizeof *channels ? channels[channel.state] : "?");
        end();
        break;
    case JMEET_EVENT_KEY_FRAME_WANTED:
        key_frame_wanted = 1;
        break;
    case JMEET_EVENT_CLOSED:
        begin("closed");
        error_of(event);
        end();
        break;
    default:
        break;
    }
}

int main(int argc, char **argv) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_track_options track = JMEET_TRACK_OPTIONS_INIT;
    jmeet_event *event = NULL;
    pthread_t threads[3], input;
    jmeet_track *camera = NULL;
    int i, media = 1, over = 0, running = 0;

    if (argc < 3) return 2;
    options.url = argv[1];
    options.room = argv[2];
    for (i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--loopback") == 0) options.allow_loopback = 1;
        else if (strcmp(argv[i], "--no-media") == 0) media = 0;
        else if (strcmp(argv[i], "--no-p2p") == 0) options.disable_p2p = 1;
        else if (i + 1 == argc) return 2;
        else if (strcmp(argv[i], "--domain") == 0) options.domain = argv[++i];
        else if (strcmp(argv[i], "--name") == 0) options.display_name = argv[++i];
        else if (strcmp(argv[i], "--nickname") == 0) options.nickname = argv[++i];
        else if (strcmp(argv[i], "--room-password") == 0) options.room_password = argv[++i];
        else return 2;
    }
    if (jmeet_queue_new(NULL, &queue, NULL) != JMEET_OK || jmeet_client_new(queue, &options, &client, NULL) != JMEET_OK
        || jmeet_client_join(client, 1, &room, NULL) != JMEET_OK)
        return 1;
    if (media) {
        load_media();
        track.codec = JMEET_CODEC_OPUS;
        if (jmeet_conference_send_track(room, &track, 0, &audio, NULL) != JMEET_OK) return 1;
        track.codec = JMEET_CODEC_VP8;
        if (jmeet_conference_send_track(room, &track, 0, &camera, NULL) != JMEET_OK) return 1;
        video = camera;
        running = pthread_create(&threads[0], NULL, send_audio, NULL) == 0 && pthread_create(&threads[1], NULL, send_video, camera) == 0
            && pthread_create(&threads[2], NULL, listen_to_all, NULL) == 0;
    }
    if (pthread_create(&input, NULL, obey, NULL) != 0) return 1;
    pthread_detach(input); /* it may sit in fgets when we end */
    while (!over && jmeet_queue_next(queue, -1, &event) == JMEET_OK) {
        describe(event);
        over = jmeet_event_type(event) == JMEET_EVENT_CLOSED;
        jmeet_event_free(event);
    }
    stopping = 1;
    for (i = 0; running && i < 3; i++) pthread_join(threads[i], NULL);
    jmeet_client_free(client);
    jmeet_queue_free(queue);
    return 0;
}
