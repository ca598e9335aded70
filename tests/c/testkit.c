/*
 * A program tested offline: a deployment in a test tube, two participants who chat, a stream replaced, a room destroyed, a
 * participant cut off, joins and logins refused: each with one CLOSED that says why.
 */
#include <jmeet.h>
#include <jmeet_testkit.h>
#include "check.h"

#include <string.h>

enum { PATIENCE_MS = 20000 };

static jmeet_queue *queue;
static jmeet_testkit *kit;
static jmeet_str url, domain;

static jmeet_client *start(const char *room, const char *nickname, jmeet_conference **conference) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_client *client = NULL;
    options.url = url.data;
    options.domain = domain.data;
    options.room = room;
    options.nickname = nickname;
    options.allow_loopback = 1;
    check(jmeet_client_new(queue, &options, &client, NULL) == JMEET_OK);
    check(jmeet_client_join(client, 1, conference, NULL) == JMEET_OK);
    return client;
}

/* Waits for an event of a client; others are freed on the way. The caller frees it. */
static jmeet_event *wait_for(jmeet_client *client, uint32_t type) {
    jmeet_event *event = NULL;
    while (jmeet_queue_next(queue, PATIENCE_MS, &event) == JMEET_OK) {
        if (jmeet_event_client(event) == client && jmeet_event_type(event) == type) return event;
        jmeet_event_free(event);
    }
    fprintf(stderr, "no event %u\n", (unsigned)type);
    return NULL;
}

/* The client's one CLOSED says this; then it is freed. */
static void closed_with(jmeet_client *client, jmeet_status status, const char *condition) {
    jmeet_error_info why = JMEET_ERROR_INFO_INIT;
    jmeet_event *event = wait_for(client, JMEET_EVENT_CLOSED);
    int more = 0;
    check(jmeet_event_error(event, &why) == JMEET_OK);
    if (why.status != status) fprintf(stderr, "%s, not %s\n", jmeet_status_name(why.status), jmeet_status_name(status));
    check(why.status == status);
    if (condition != NULL) check(why.condition.data != NULL && strcmp(why.condition.data, condition) == 0);
    jmeet_event_free(event);
    while (jmeet_queue_next(queue, 50, &event) == JMEET_OK) {
        more += jmeet_event_client(event) == client;
        jmeet_event_free(event);
    }
    check(more == 0);
    check(jmeet_client_free(client) == JMEET_OK);
}

static void misuse(void) {
    jmeet_testkit_link link = JMEET_TESTKIT_LINK_INIT;
    jmeet_str text = { NULL, 0 };
    size_t count = 7;
    check(jmeet_testkit_new(NULL, NULL, NULL) == JMEET_ERR_NULL);
    check(jmeet_testkit_free(NULL) == JMEET_OK);
    check(jmeet_testkit_url(NULL, &text) == JMEET_ERR_NULL && jmeet_testkit_url(kit, NULL) == JMEET_ERR_NULL);
    check(jmeet_testkit_url((jmeet_testkit *)queue, &text) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_testkit_free((jmeet_testkit *)queue) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_testkit_cut(kit, "nobody") == JMEET_ERR_NO_SUCH_PARTICIPANT && jmeet_testkit_cut(kit, NULL) == JMEET_ERR_NULL);
    check(jmeet_testkit_cut(kit, "\xff") == JMEET_ERR_INVALID_UTF8);
    check(jmeet_testkit_refuse_join(kit, "<not/>", NULL, 0) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_testkit_count_endpoints(kit, "empty", &count) == JMEET_OK && count == 0);
    check(jmeet_testkit_endpoint(kit, "empty", 0, &text) == JMEET_ERR_INVALID_ARGUMENT && text.data == NULL);
    check(jmeet_testkit_wait_for_endpoints(kit, "empty", 1, 0) == JMEET_ERR_TIMEOUT);
    link.loss_permille = 1001;
    check(jmeet_testkit_set_media_link(kit, &link) == JMEET_ERR_INVALID_ARGUMENT);
    link.struct_size = 0;
    check(jmeet_testkit_set_media_link(kit, &link) == JMEET_ERR_INVALID_ARGUMENT);
}

int main(void) {
    jmeet_conference *room[3] = { NULL, NULL, NULL };
    jmeet_client *client[3];
    jmeet_message_info message = JMEET_MESSAGE_INFO_INIT;
    jmeet_testkit_link link = JMEET_TESTKIT_LINK_INIT;
    jmeet_event *event;
    jmeet_str id = { NULL, 0 };
    uint64_t passed = 1, dropped = 1;
    size_t count = 0;

    check(jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK);
    check(jmeet_testkit_new(NULL, &kit, NULL) == JMEET_OK);
    check(jmeet_testkit_url(kit, &url) == JMEET_OK && strncmp(url.data, "ws://127.0.0.1:", 15) == 0);
    check(jmeet_testkit_domain(kit, &domain) == JMEET_OK && strcmp(domain.data, "meet.localhost") == 0);
    misuse();

    /* Two join, although the focus is not ready at first, and chat; one of them is made to say more. */
    link.delay_ms = 5;
    check(jmeet_testkit_set_media_link(kit, &link) == JMEET_OK);
    check(jmeet_testkit_media_counts(kit, &passed, &dropped) == JMEET_OK && passed == 0 && dropped == 0);
    check(jmeet_testkit_focus_not_ready(kit, 1) == JMEET_OK);
    client[0] = start("tube", "00000000", &room[0]);
    client[1] = start("tube", "ffffffff", &room[1]);
    check(jmeet_testkit_wait_for_endpoints(kit, "tube", 2, PATIENCE_MS) == JMEET_OK);
    check(jmeet_testkit_count_endpoints(kit, "tube", &count) == JMEET_OK && count == 2);
    check(jmeet_testkit_endpoint(kit, "tube", 0, &id) == JMEET_OK && id.size == 8);
    jmeet_event_free(wait_for(client[1], JMEET_EVENT_REQUEST_DONE));
    check(jmeet_conference_send_message(room[1], "hello", 0, NULL) == JMEET_OK);
    event = wait_for(client[0], JMEET_EVENT_MESSAGE);
    check(jmeet_event_message(event, &message) == JMEET_OK && strcmp(message.text.data, "hello") == 0);
    jmeet_event_free(event);
    check(jmeet_testkit_send_as(kit, "ffffffff", "<message type='groupchat' to='tube@conference.meet.localhost'>"
                                                 "<body>psst</body></message>") == JMEET_OK);
    event = wait_for(client[0], JMEET_EVENT_MESSAGE);
    check(jmeet_event_message(event, &message) == JMEET_OK && strcmp(message.text.data, "psst") == 0);
    jmeet_event_free(event);

    /* A stranger's stanza changes nothing; a stream that another login takes over ends one of them, the room's end the other. */
    check(jmeet_testkit_inject(kit, "00000000", "<message from='mallory@elsewhere.example'><body>x</body></message>") == JMEET_OK);
    check(jmeet_testkit_end_stream(kit, "ffffffff", "conflict") == JMEET_OK);
    closed_with(client[1], JMEET_ERR_REPLACED, "conflict");
    check(jmeet_testkit_wait_for_endpoints(kit, "tube", 1, PATIENCE_MS) == JMEET_OK);
    check(jmeet_testkit_destroy_room(kit, "tube", "over") == JMEET_OK);
    closed_with(client[0], JMEET_ERR_DESTROYED, NULL);

    /* Refusals are typed. */
    check(jmeet_testkit_refuse_join(kit, "not-authorized", NULL, 0) == JMEET_OK);
    closed_with(start("tube", "00000000", &room[0]), JMEET_ERR_ROOM_PASSWORD, "not-authorized");
    check(jmeet_testkit_refuse_join(kit, "service-unavailable", "full", 1) == JMEET_OK);
    closed_with(start("tube", "00000000", &room[0]), JMEET_ERR_ROOM_FULL, "service-unavailable");
    check(jmeet_testkit_refuse_login(kit, "account-disabled", "paid?") == JMEET_OK);
    closed_with(start("tube", "00000000", &room[0]), JMEET_ERR_AUTH, "account-disabled");

    /* Cut without a word: one CLOSED that says so. */
    check(jmeet_testkit_clear_faults(kit) == JMEET_OK);
    client[2] = start("tube", "88888888", &room[2]);
    jmeet_event_free(wait_for(client[2], JMEET_EVENT_REQUEST_DONE));
    check(jmeet_testkit_cut(kit, "88888888") == JMEET_OK);
    closed_with(client[2], JMEET_ERR_DISCONNECTED, NULL);

    check(jmeet_testkit_free(kit) == JMEET_OK);
    check(jmeet_testkit_free(kit) == JMEET_ERR_INVALID_HANDLE && jmeet_testkit_url(kit, &id) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_queue_free(queue) == JMEET_OK);
    return checked();
}
