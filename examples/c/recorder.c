/*
 * Records what everybody says, without transcoding: an Ogg Opus file of each audio source. Leaves when the others have left.
 *
 *     cc -I include examples/c/recorder.c -ljmeet -o recorder && ./recorder wss://meet.example/xmpp-websocket standup folder
 *
 * A fourth argument is the XMPP domain, where that is not the host; then media over loopback is allowed too, for tests. The
 * `jmeet record` command does more: video, and one file of all that belongs together.
 */
#include <jmeet.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SOURCES = 64, MAX_PAGE = 65307, WAIT_MS = 20 };

/* An Ogg Opus file (RFC 3533 §6, RFC 7845), one packet a page. */
typedef struct {
    char source[64];
    FILE *file;
    uint32_t pages, timeline;
    uint64_t position, expected;
    size_t last; /* bytes of the last page */
} recording;

static recording recordings[MAX_SOURCES];
static int sources;

static uint32_t checksum(const uint8_t *data, size_t size) {
    uint32_t sum = 0;
    for (size_t n = 0; n < size; n++) {
        sum ^= (uint32_t)data[n] << 24;
        for (int bit = 0; bit < 8; bit++) sum = sum & 0x80000000u ? sum << 1 ^ 0x04C11DB7u : sum << 1;
    }
    return sum;
}

static void put(uint8_t *at, uint64_t value, int bytes) {
    for (int n = 0; n < bytes; n++) at[n] = (uint8_t)(value >> 8 * n);
}

static uint8_t out[MAX_PAGE];

static void page(recording *r, const uint8_t *packet, size_t size, int flags) {
    size_t segments = size / 255 + 1, head = 27 + segments;
    if (head + size > sizeof out || segments > 255) return;
    memset(out, 0, head);
    memcpy(out, "OggS", 4);
    out[5] = (uint8_t)flags;
    put(out + 6, r->position, 8);
    put(out + 14, (uint64_t)(r - recordings) + 1, 4);
    put(out + 18, r->pages++, 4);
    out[26] = (uint8_t)segments;
    memset(out + 27, 255, segments);
    out[head - 1] = (uint8_t)(size % 255);
    memcpy(out + head, packet, size);
    put(out + 22, checksum(out, head + size), 4);
    fwrite(out, 1, head + size, r->file);
    r->last = head + size;
}

/* The last page says that it is the last. */
static int finish(recording *r) {
    int failed = fseek(r->file, -(long)r->last, SEEK_CUR) != 0 || fread(out, 1, r->last, r->file) != r->last;
    if (!failed) {
        out[5] = 4;
        put(out + 22, 0, 4);
        put(out + 22, checksum(out, r->last), 4);
        failed = fseek(r->file, -(long)r->last, SEEK_CUR) != 0 || fwrite(out, 1, r->last, r->file) != r->last;
    }
    return fclose(r->file) != 0 || failed;
}

/* Samples at 48 kHz of one frame, and of a packet (RFC 6716 §3.1). */
static uint64_t frame_samples(uint8_t first) {
    static const uint64_t silk[] = { 480, 960, 1920, 2880 }, celt[] = { 120, 240, 480, 960 };
    int mode = first >> 3;
    return mode < 12 ? silk[mode & 3] : mode < 16 ? silk[mode & 1] : celt[mode & 3];
}

static uint64_t samples(const uint8_t *packet, size_t size) {
    int code = packet[0] & 3;
    return frame_samples(packet[0]) * (code == 0 ? 1u : code < 3 ? 2u : size > 1 ? packet[1] & 63u : 0u);
}

static recording *find(const jmeet_frame *frame, const char *folder) {
    static const uint8_t head[] = "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0", tags[] = "OpusTags\5\0\0\0jmeet\0\0\0";
    char path[512], name[64];
    int n;
    for (n = 0; n < sources; n++)
        if (strcmp(recordings[n].source, frame->source_name.data) == 0) return &recordings[n];
    if (sources == MAX_SOURCES) return NULL;
    recording *r = &recordings[sources];
    snprintf(r->source, sizeof r->source, "%s", frame->source_name.data);
    /* It comes from the network: as a file's name it is not to lead elsewhere. */
    snprintf(name, sizeof name, "%s", r->source);
    for (char *c = name; *c; c++) if (!isalnum((unsigned char)*c) && *c != '-') *c = '_';
    snprintf(path, sizeof path, "%s/%s.ogg", folder, name);
    if ((r->file = fopen(path, "w+b")) == NULL) {
        perror(path);
        return NULL;
    }
    sources++;
    page(r, head, 19, 2);
    page(r, tags, sizeof tags, 0);
    printf("recording %s\n", r->source);
    fflush(stdout);
    return r;
}

static void record(const jmeet_frame *frame, const char *folder) {
    const uint8_t *packet = frame->data.data;
    size_t size = frame->data.size;
    recording *r = find(frame, folder);
    if (r == NULL || size == 0) return;
    uint8_t conceal = packet[0] & 0xfc;
    /* Times of another timeline do not compare: after a switch it goes on without a gap. What is lost or was not said is
     * filled with packets that ask the decoder to conceal (RFC 7845 §4.1). */
    if (r->timeline == frame->timeline)
        for (; r->expected + frame_samples(conceal) <= frame->rtp_time; r->expected += frame_samples(conceal)) {
            r->position += frame_samples(conceal);
            page(r, &conceal, 1, 0);
        }
    r->position += samples(packet, size);
    page(r, packet, size, 0);
    r->timeline = frame->timeline;
    r->expected = frame->rtp_time + samples(packet, size);
}

int main(int argc, char **argv) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_reader_options wanted = JMEET_READER_OPTIONS_INIT;
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_error_info why = JMEET_ERROR_INFO_INIT;
    jmeet_queue *queue = NULL;
    jmeet_client *client = NULL;
    jmeet_conference *room = NULL;
    jmeet_reader *reader = NULL;
    jmeet_event *event = NULL;
    jmeet_error *error = NULL;
    int failed = 1, over = 0, others = 0;

    if (argc < 4) {
        fprintf(stderr, "usage: recorder URL ROOM FOLDER [DOMAIN]\n");
        return 2;
    }
    options.url = argv[1];
    options.room = argv[2];
    options.display_name = "Recorder";
    if (argc > 4) {
        options.domain = argv[4];
        options.allow_loopback = 1;
    }
    wanted.media = JMEET_MEDIA_AUDIO;
    if (jmeet_queue_new(NULL, &queue, &error) || jmeet_client_new(queue, &options, &client, &error)
        || jmeet_client_join(client, 0, &room, &error) || jmeet_conference_reader_new(room, &wanted, &reader, &error)) {
        fprintf(stderr, "%s: %s\n", jmeet_status_name(jmeet_error_status(error)), jmeet_error_text(error).data);
        over = 1;
    }
    while (!over) {
        jmeet_status status = jmeet_reader_next(reader, WAIT_MS, &frame);
        if (status == JMEET_OK) record(&frame, argv[3]);
        /* After the reader's end (the meeting is over) the queue is the thing to wait for. */
        int32_t wait = status == JMEET_OK || status == JMEET_ERR_TIMEOUT ? 0 : WAIT_MS;
        while (!over && jmeet_queue_next(queue, wait, &event) == JMEET_OK) {
            switch (jmeet_event_type(event)) {
            case JMEET_EVENT_PARTICIPANT_JOINED: others++; break;
            case JMEET_EVENT_PARTICIPANT_LEFT:
                if (--others == 0) jmeet_conference_leave(room, 0, NULL);
                break;
            case JMEET_EVENT_CLOSED:
                if (jmeet_event_error(event, &why) == JMEET_OK && why.status != JMEET_OK)
                    fprintf(stderr, "%s: %s %s\n", jmeet_status_name(why.status), why.condition.data, why.text.data);
                failed = why.status != JMEET_OK;
                over = 1;
                break;
            default: break;
            }
            jmeet_event_free(event);
        }
    }
    for (int n = 0; n < sources; n++) {
        if (finish(&recordings[n])) failed = 1;
    }
    jmeet_reader_free(reader);
    jmeet_client_free(client);
    jmeet_queue_free(queue);
    jmeet_error_free(error);
    return failed;
}
