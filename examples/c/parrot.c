/*
 * The Parrot: joins a meeting, repeats what it hears said, and leaves when it hears "bye".
 *
 *     cc -I include examples/c/parrot.c -ljmeet -o parrot && ./parrot wss://meet.example/xmpp-websocket standup
 *
 * A third argument is the XMPP domain, where that is not the host; then media over loopback is allowed too, for tests.
 */
#include <jmeet.h>

#include <stdio.h>
#include <string.h>

static void report(const jmeet_event *event) {
    jmeet_error_info why = JMEET_ERROR_INFO_INIT;
    if (jmeet_event_error(event, &why) == JMEET_OK)
        fprintf(stderr, "%s: %s %s\n", jmeet_status_name(why.status), why.condition.data, why.text.data);
}

static void describe(const jmeet_event *event) {
    jmeet_track_info track = JMEET_TRACK_INFO_INIT;
    if (jmeet_event_track(event, &track) == JMEET_OK)
        printf("%s sends %s %s\n", track.endpoint_id.data, track.media == JMEET_MEDIA_AUDIO ? "audio" : "video", track.source_name.data);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: parrot URL ROOM [DOMAIN]\n");
        return 2;
    }
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    options.url = argv[1];
    options.room = argv[2];
    options.display_name = "Parrot";
    if (argc > 3) {
        options.domain = argv[3];
        options.allow_loopback = 1;
    }
    jmeet_queue *queue = NULL;      /* one queue can serve many clients */
    jmeet_client *client = NULL;
    jmeet_conference *room = NULL;
    jmeet_event *event = NULL;
    jmeet_error *error = NULL;
    int failed = 1, over = 0;

    if (jmeet_queue_new(NULL, &queue, &error) || jmeet_client_new(queue, &options, &client, &error)
        || jmeet_client_join(client, 1 /* tag */, &room, &error)) goto out;

    while (!over && jmeet_queue_next(queue, -1, &event) == JMEET_OK) {
        switch (jmeet_event_type(event)) {
        case JMEET_EVENT_REQUEST_DONE: /* tag 1: joined, or the one reason why not */
            if (jmeet_event_tag(event) == 1 && jmeet_event_status(event) != JMEET_OK) report(event);
            break;
        case JMEET_EVENT_MESSAGE: {    /* never our own words; history is marked as such */
            jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
            if (jmeet_event_message(event, &message) != JMEET_OK || message.delayed) break;
            if (strcmp(message.text.data, "bye") == 0) jmeet_conference_leave(room, 0, NULL);
            else jmeet_conference_send_message(room, message.text.data, 0 /* no completion wanted */, NULL);
            break;
        }
        case JMEET_EVENT_TRACK_ADDED:
            describe(event);
            break;
        case JMEET_EVENT_CLOSED:       /* once, last, whatever happened */
            failed = jmeet_event_status(event) != JMEET_OK;
            over = 1;
            break;
        default: break;                /* newer libraries have more types */
        }
        jmeet_event_free(event);
    }
out:
    if (error) fprintf(stderr, "%s: %s\n", jmeet_status_name(jmeet_error_status(error)), jmeet_error_text(error).data);
    if (client) jmeet_client_close(client, 2000); /* leave is confirmed or bounded in time */
    jmeet_client_free(client);
    jmeet_queue_free(queue);
    jmeet_error_free(error);
    return failed;
}
