/*
 * Three participants of one program meet through the bridge of a deployment in a test tube: everybody hears and sees everybody, each frame says
 * whose it is. The bridge is killed and another comes. All media is this program's own: Opus of silence's form with a level, VP8 whose frames
 * the bridge looks at no further than their headers.
 */
#define _POSIX_C_SOURCE 200809L
#include <jmeet.h>
#include <jmeet_testkit.h>
#include "check.h"

#include <string.h>
#include <time.h>

enum { PEOPLE = 3, PATIENCE_MS = 60000, TICK_MS = 20, ENOUGH = 10 };

static jmeet_queue *queue;
static jmeet_testkit *kit;
static jmeet_client *client[PEOPLE];
static jmeet_conference *room[PEOPLE];
static jmeet_track *tracks[PEOPLE][2];
static jmeet_writer *writers[PEOPLE][2];
static jmeet_reader *readers[PEOPLE];
static const char *const names[PEOPLE] = { "00000001", "00000002", "00000003" };
/* Frames by receiver, sender and kind. */
static int heard[PEOPLE][PEOPLE][2];
/* A client whose session with the bridge is up. */
static int on_bridge[PEOPLE], channel_open[PEOPLE];
static int ticks;

static void pause_ms(long ms) {
    struct timespec t;
    t.tv_sec = ms / 1000;
    t.tv_nsec = ms % 1000 * 1000000L;
    nanosleep(&t, NULL);
}

static int number_of(jmeet_str name) {
    int i;
    for (i = 0; i < PEOPLE; i++)
        if (name.size >= 8 && memcmp(name.data, names[i], 8) == 0) return i;
    return -1;
}

static void enter(int who, jmeet_str url, jmeet_str domain) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_track_options track = JMEET_TRACK_OPTIONS_INIT;
    int kind;
    options.url = url.data;
    options.domain = domain.data;
    options.room = "three";
    options.nickname = names[who];
    options.allow_loopback = 1;
    options.disable_p2p = 1;
    options.user_value = (uint64_t)who;
    check(jmeet_client_new(queue, &options, &client[who], NULL) == JMEET_OK);
    check(jmeet_client_join(client[who], 1, &room[who], NULL) == JMEET_OK);
    for (kind = 0; kind < 2; kind++) {
        track.codec = kind ? JMEET_CODEC_VP8 : JMEET_CODEC_OPUS;
        check(jmeet_conference_send_track(room[who], &track, 0, &tracks[who][kind], NULL) == JMEET_OK);
        check(jmeet_writer_new(tracks[who][kind], NULL, &writers[who][kind], NULL) == JMEET_OK);
    }
    check(jmeet_conference_reader_new(room[who], NULL, &readers[who], NULL) == JMEET_OK);
}

static void take_events(void) {
    jmeet_event *event = NULL;
    while (jmeet_queue_next(queue, 0, &event) == JMEET_OK) {
        jmeet_media_info media = JMEET_MEDIA_INFO_INIT;
        jmeet_bridge_channel_info channel = JMEET_BRIDGE_CHANNEL_INFO_INIT;
        int who = (int)jmeet_event_user_value(event);
        if (jmeet_event_media(event, &media) == JMEET_OK && media.path == JMEET_MEDIA_PATH_BRIDGE)
            on_bridge[who] = media.state == JMEET_MEDIA_STATE_CONNECTED;
        if (jmeet_event_bridge_channel(event, &channel) == JMEET_OK)
            channel_open[who] = channel.state == JMEET_BRIDGE_CHANNEL_DATA_CHANNEL;
        jmeet_event_free(event);
    }
}

/* Sends a frame of each kind for each, and takes what came. */
static void tick(void) {
    /* Key frames of 320x180 all: whoever comes may begin with any. */
    static const uint8_t picture[64] = { 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00 };
    static const uint8_t sound[40] = { 0x78 };
    int who, kind;
    for (who = 0; who < PEOPLE; who++) {
        jmeet_frame in = JMEET_FRAME_INIT;
        for (kind = 0; kind < 2; kind++) {
            jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
            jmeet_status status;
            if (kind && ticks % 3) continue;
            out.data = kind ? picture : sound;
            out.size = kind ? sizeof picture : sizeof sound;
            out.rtp_duration = kind ? 5400 : 960;
            if (!kind) {
                out.fields = JMEET_FRAME_HAS_AUDIO_LEVEL;
                out.audio_level = 30;
            }
            status = jmeet_writer_write(writers[who][kind], &out);
            if (status != JMEET_OK && status != JMEET_ERR_NOT_READY && status != JMEET_ERR_FULL) check(status == JMEET_OK);
        }
        while (jmeet_reader_next(readers[who], 0, &in) == JMEET_OK) {
            int from = number_of(in.endpoint_id);
            check(from >= 0 && from != who && number_of(in.source_name) == from);
            if (from >= 0) heard[who][from][in.media == JMEET_MEDIA_VIDEO]++;
        }
    }
    take_events();
    ticks++;
    pause_ms(TICK_MS);
}

/* Everybody gets some frames more of everybody. */
static int all_hear_all(void) {
    int left, a, b, missing = 1;
    memset(heard, 0, sizeof heard);
    for (left = PATIENCE_MS / TICK_MS; missing && left > 0; left--) {
        tick();
        missing = 0;
        for (a = 0; a < PEOPLE; a++)
            for (b = 0; b < PEOPLE; b++) missing += a != b && (heard[a][b][0] < ENOUGH || heard[a][b][1] < ENOUGH);
    }
    return !missing;
}

static int until(const int *flags, int value) {
    int left;
    for (left = PATIENCE_MS / TICK_MS; left > 0; left--) {
        if (flags[0] == value && flags[1] == value && flags[2] == value) return 1;
        tick();
    }
    return 0;
}

int main(void) {
    jmeet_testkit_options options = JMEET_TESTKIT_OPTIONS_INIT;
    jmeet_str url = { NULL, 0 }, domain = { NULL, 0 };
    size_t count = 9;
    int who, kind;

    check(jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK);

    /* What makes no sense is refused; a deployment without a bridge starts none. */
    options.bridge_participants = 1;
    check(jmeet_testkit_new(&options, &kit, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    options.bridge_participants = 2;
    options.bridge_channel = JMEET_BRIDGE_CHANNEL_FAILED;
    check(jmeet_testkit_new(&options, &kit, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_testkit_new(NULL, &kit, NULL) == JMEET_OK);
    check(jmeet_testkit_start_bridge(kit) == JMEET_ERR_STATE);
    check(jmeet_testkit_kill_bridge(kit) == JMEET_OK && jmeet_testkit_kill_bridge(NULL) == JMEET_ERR_NULL);
    check(jmeet_testkit_count_bridge_endpoints(kit, &count) == JMEET_OK && count == 0);
    check(jmeet_testkit_count_bridge_endpoints(kit, NULL) == JMEET_ERR_NULL);
    check(jmeet_testkit_free(kit) == JMEET_OK);

    options.bridge_channel = JMEET_BRIDGE_CHANNEL_DATA_CHANNEL;
    check(jmeet_testkit_new(&options, &kit, NULL) == JMEET_OK);
    check(jmeet_testkit_url(kit, &url) == JMEET_OK && jmeet_testkit_domain(kit, &domain) == JMEET_OK);
    for (who = 0; who < PEOPLE; who++) enter(who, url, domain);
    check(all_hear_all());
    check(until(on_bridge, 1) && until(channel_open, 1));
    check(jmeet_testkit_count_bridge_endpoints(kit, &count) == JMEET_OK && count == PEOPLE);

    check(jmeet_testkit_kill_bridge(kit) == JMEET_OK);
    check(until(on_bridge, 0));
    check(jmeet_testkit_start_bridge(kit) == JMEET_OK);
    check(until(on_bridge, 1));
    check(all_hear_all());

    for (who = 0; who < PEOPLE; who++) {
        for (kind = 0; kind < 2; kind++) check(jmeet_writer_free(writers[who][kind]) == JMEET_OK);
        check(jmeet_reader_free(readers[who]) == JMEET_OK);
        check(jmeet_client_close(client[who], PATIENCE_MS) == JMEET_OK);
        check(jmeet_client_free(client[who]) == JMEET_OK);
    }
    check(jmeet_testkit_free(kit) == JMEET_OK);
    check(jmeet_queue_free(queue) == JMEET_OK);
    return checked();
}
