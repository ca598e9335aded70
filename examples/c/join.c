/*
 * Joins a meeting, prints its events, sends an Ogg Opus file, counts what each participant sends, and leaves.
 *
 *     cc -I include examples/c/join.c -ljmeet -o join && ./join wss://meet.example/xmpp-websocket standup hello.ogg
 *
 * A fourth argument is the XMPP domain, where that is not the host; then media over loopback is allowed too, for tests. One
 * thread does it all: the reader's wait of at most 20 ms is the clock of the packets.
 */
#include <jmeet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PACKET = 65025, MAX_SOURCES = 64, PACKET_US = 20000 };

/* An Ogg Opus file (RFC 3533 §6, RFC 7845): pages hold segments of up to 255 bytes; a shorter one ends a packet. */
typedef struct {
    FILE *file;
    uint8_t sizes[255];
    int segments, at, headers;
} ogg;

/* The next packet, or -1 at the end. The two header packets are passed over. */
static long ogg_next(ogg *o, uint8_t *packet) {
    long size = 0;
    for (;;) {
        uint8_t head[27];
        if (o->at == o->segments) {
            if (fread(head, 1, sizeof head, o->file) != sizeof head || memcmp(head, "OggS", 4) != 0) return -1;
            o->segments = head[26];
            o->at = 0;
            if (fread(o->sizes, 1, (size_t)o->segments, o->file) != (size_t)o->segments) return -1;
            continue;
        }
        uint8_t piece = o->sizes[o->at++];
        if (size + piece > MAX_PACKET || fread(packet + size, 1, piece, o->file) != piece) return -1;
        size += piece;
        if (piece == 255) continue;
        if (o->headers == 2) return size;
        o->headers++;
        size = 0;
    }
}

static struct { char name[64]; unsigned long frames; } heard[MAX_SOURCES];

static void count(const jmeet_frame *frame) {
    for (int n = 0; n < MAX_SOURCES; n++) {
        if (heard[n].frames == 0) snprintf(heard[n].name, sizeof heard[n].name, "%s", frame->source_name.data);
        if (strcmp(heard[n].name, frame->source_name.data) == 0) {
            heard[n].frames++;
            return;
        }
    }
}

/* Prints an event; whether it was the last. */
static int show(const jmeet_event *event, int *failed) {
    jmeet_participant_info who = JMEET_PARTICIPANT_INFO_INIT;
    jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
    jmeet_track_info track = JMEET_TRACK_INFO_INIT;
    jmeet_error_info why = JMEET_ERROR_INFO_INIT;
    switch (jmeet_event_type(event)) {
    case JMEET_EVENT_JOINED: printf("joined\n"); break;
    case JMEET_EVENT_PARTICIPANT_JOINED:
    case JMEET_EVENT_PARTICIPANT_LEFT:
        if (jmeet_event_participant(event, &who) == JMEET_OK)
            printf("%s (%s) %s\n", who.display_name.data, who.endpoint_id.data,
                   jmeet_event_type(event) == JMEET_EVENT_PARTICIPANT_JOINED ? "is here" : "left");
        break;
    case JMEET_EVENT_MESSAGE:
        if (jmeet_event_message(event, &message) == JMEET_OK) printf("%s: %s\n", message.display_name.data, message.text.data);
        break;
    case JMEET_EVENT_TRACK_ADDED:
        if (jmeet_event_track(event, &track) == JMEET_OK && !track.local) printf("hears of %s\n", track.source_name.data);
        break;
    case JMEET_EVENT_CLOSED:
        if (jmeet_event_error(event, &why) == JMEET_OK && why.status != JMEET_OK)
            fprintf(stderr, "%s: %s %s\n", jmeet_status_name(why.status), why.condition.data, why.text.data);
        *failed = why.status != JMEET_OK;
        return 1;
    default: break;
    }
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    static uint8_t packet[MAX_PACKET];
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
    jmeet_frame frame = JMEET_FRAME_INIT;
    jmeet_queue *queue = NULL;
    jmeet_client *client = NULL;
    jmeet_conference *room = NULL;
    jmeet_track *microphone = NULL;
    jmeet_writer *writer = NULL;
    jmeet_reader *reader = NULL;
    jmeet_event *event = NULL;
    jmeet_error *error = NULL;
    ogg o = { NULL, { 0 }, 0, 0, 0 };
    int failed = 1, over = 0, leaving = 0;
    unsigned long sent = 0;
    uint64_t due = 0;
    long size;

    if (argc < 4 || (o.file = fopen(argv[3], "rb")) == NULL || (size = ogg_next(&o, packet)) < 0) {
        fprintf(stderr, "usage: join URL ROOM FILE.ogg [DOMAIN]\n");
        return 2;
    }
    options.url = argv[1];
    options.room = argv[2];
    options.display_name = "C";
    if (argc > 4) {
        options.domain = argv[4];
        options.allow_loopback = 1;
    }
    audio.codec = JMEET_CODEC_OPUS;
    if (jmeet_queue_new(NULL, &queue, &error) || jmeet_client_new(queue, &options, &client, &error)
        || jmeet_client_join(client, 0, &room, &error) || jmeet_conference_send_track(room, &audio, 0, &microphone, &error)
        || jmeet_writer_new(microphone, NULL, &writer, &error) || jmeet_conference_reader_new(room, NULL, &reader, &error)) {
        fprintf(stderr, "%s: %s\n", jmeet_status_name(jmeet_error_status(error)), jmeet_error_text(error).data);
        over = 1;
    }
    while (!over) {
        uint64_t now = jmeet_now_us();
        int32_t wait = due > now ? (int32_t)((due - now) / 1000) : 0;
        /* After the reader's end (the meeting is over) the queue is the thing to wait for. */
        jmeet_status status = jmeet_reader_next(reader, wait, &frame);
        if (status == JMEET_OK) count(&frame);
        while (!over && jmeet_queue_next(queue, status == JMEET_OK || status == JMEET_ERR_TIMEOUT ? 0 : 20, &event) == JMEET_OK) {
            over = show(event, &failed);
            jmeet_event_free(event);
        }
        if (leaving || jmeet_now_us() < due) continue;
        due = due + 5 * PACKET_US < jmeet_now_us() ? jmeet_now_us() + PACKET_US : due + PACKET_US;
        out.data = packet;
        out.size = (size_t)size;
        /* It begins when somebody receives; from then on a packet that nobody takes is spoken all the same. */
        if (jmeet_writer_write(writer, &out) == JMEET_OK) sent++;
        else if (sent == 0) continue;
        if ((size = ogg_next(&o, packet)) < 0) {
            printf("sent %lu packets\n", sent);
            jmeet_conference_leave(room, 0, NULL);
            leaving = 1;
        }
    }
    for (int n = 0; n < MAX_SOURCES && heard[n].frames > 0; n++) printf("heard %lu frames of %s\n", heard[n].frames, heard[n].name);
    fclose(o.file);
    jmeet_reader_free(reader);
    jmeet_writer_free(writer);
    jmeet_client_free(client);
    jmeet_queue_free(queue);
    jmeet_error_free(error);
    return failed;
}
