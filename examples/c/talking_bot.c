/*
 * A bot that talks: to whoever says "hello" in the chat it answers in words, and speaks an Ogg Opus file. It leaves when it reads "bye".
 *
 *     cc -I include examples/c/talking_bot.c -ljmeet -o talking_bot && ./talking_bot wss://meet.example/xmpp-websocket standup hello.ogg
 *
 * A fourth argument is the XMPP domain, where that is not the host; then media over loopback is allowed too, for tests. One
 * thread does it all: while it speaks, the queue's wait ends when the next packet is due.
 */
#include <jmeet.h>

#include <stdio.h>
#include <string.h>

enum { MAX_PACKET = 65025, PACKET_US = 20000 };

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

/* Begins the file anew; -1: it is none. */
static long ogg_first(ogg *o, uint8_t *packet) {
    FILE *file = o->file;
    rewind(file);
    memset(o, 0, sizeof *o);
    o->file = file;
    return ogg_next(o, packet);
}

int main(int argc, char **argv) {
    static uint8_t packet[MAX_PACKET];
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_track_options audio = JMEET_TRACK_OPTIONS_INIT;
    jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
    jmeet_error_info why = JMEET_ERROR_INFO_INIT;
    jmeet_queue *queue = NULL;
    jmeet_client *client = NULL;
    jmeet_conference *room = NULL;
    jmeet_track *voice = NULL;
    jmeet_writer *writer = NULL;
    jmeet_event *event = NULL;
    jmeet_error *error = NULL;
    ogg o = { NULL, { 0 }, 0, 0, 0 };
    int failed = 1, over = 0, speaking = 0;
    uint64_t due = 0;
    long size;

    if (argc < 4 || (o.file = fopen(argv[3], "rb")) == NULL || (size = ogg_first(&o, packet)) < 0) {
        fprintf(stderr, "usage: talking_bot URL ROOM FILE.ogg [DOMAIN]\n");
        return 2;
    }
    options.url = argv[1];
    options.room = argv[2];
    options.display_name = "Bot";
    if (argc > 4) {
        options.domain = argv[4];
        options.allow_loopback = 1;
    }
    audio.codec = JMEET_CODEC_OPUS;
    if (jmeet_queue_new(NULL, &queue, &error) || jmeet_client_new(queue, &options, &client, &error)
        || jmeet_client_join(client, 0, &room, &error) || jmeet_conference_send_track(room, &audio, 0, &voice, &error)
        || jmeet_writer_new(voice, NULL, &writer, &error)) {
        fprintf(stderr, "%s: %s\n", jmeet_status_name(jmeet_error_status(error)), jmeet_error_text(error).data);
        over = 1;
    }
    while (!over) {
        uint64_t now = jmeet_now_us();
        if (speaking && now >= due) {
            out.data = packet;
            out.size = (size_t)size;
            /* What nobody receives is spoken all the same. */
            jmeet_writer_write(writer, &out);
            due += PACKET_US;
            if ((size = ogg_next(&o, packet)) < 0) {
                printf("spoke\n");
                fflush(stdout);
                speaking = 0;
            }
            continue;
        }
        int32_t wait = speaking ? (int32_t)((due - now + 999) / 1000) : -1;
        if (jmeet_queue_next(queue, wait, &event) != JMEET_OK) continue;
        switch (jmeet_event_type(event)) {
        case JMEET_EVENT_MESSAGE: {
            jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
            char answer[600];
            if (jmeet_event_message(event, &message) != JMEET_OK || message.delayed) break;
            if (strcmp(message.text.data, "bye") == 0) jmeet_conference_leave(room, 0, NULL);
            if (strcmp(message.text.data, "hello") != 0) break;
            snprintf(answer, sizeof answer, "hello %s", message.display_name.data);
            jmeet_conference_send_message(room, answer, 0, NULL);
            speaking = (size = ogg_first(&o, packet)) >= 0;
            due = jmeet_now_us();
            break;
        }
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
    fclose(o.file);
    jmeet_writer_free(writer);
    jmeet_client_free(client);
    jmeet_queue_free(queue);
    jmeet_error_free(error);
    return failed;
}
