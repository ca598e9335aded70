/*
 * Three participants through the testkit's bridge: who speaks, what is forwarded and why not, how everybody's connection is, and
 * messages to endpoints, as a C program sees them.
 */
#include <jmeet.h>
#include <jmeet_testkit.h>
#include "check.h"

#include <string.h>

enum { PEOPLE = 3, PATIENCE_TICKS = 1500 };

static jmeet_queue *queue;
static jmeet_testkit *kit;
static jmeet_client *client[PEOPLE];
static jmeet_conference *room[PEOPLE];
static jmeet_track *microphone[PEOPLE], *camera[PEOPLE];
static jmeet_writer *voice[PEOPLE], *picture[PEOPLE];
static jmeet_reader *reader[PEOPLE];
static const char *const NAMES[PEOPLE] = { "aaaaaaaa", "bbbbbbbb", "cccccccc" };
/* What was told so far, of each. */
static int connected[PEOPLE], channel[PEOPLE], spoke[PEOPLE], streams[PEOPLE], forwarded[PEOPLE], said[PEOPLE], own[PEOPLE], others[PEOPLE];
static uint32_t suspended[PEOPLE], streaming[PEOPLE], inactive_because[PEOPLE];
/* What a camera is to have is told before its first frame is taken. */
static int targeted[PEOPLE], wrote[PEOPLE];
/* Moderation: who muted us, and how requests with these tags ended; -1: not yet. */
enum { MUTE = 100, MUTE_NOT_ALLOWED, UNMUTE, TAGS };
static int moderator, muted_by[PEOPLE], ended[TAGS - MUTE] = { -1, -1, -1 };

static void on_event(const jmeet_event *event) {
    int who = 0;
    while (who < PEOPLE && jmeet_event_client(event) != client[who]) who++;
    if (who == PEOPLE) return;
    switch (jmeet_event_type(event)) {
    case JMEET_EVENT_MEDIA: {
        jmeet_media_info media = JMEET_MEDIA_INFO_INIT;
        check(jmeet_event_media(event, &media) == JMEET_OK);
        connected[who] |= media.path == JMEET_MEDIA_PATH_BRIDGE && media.state == JMEET_MEDIA_STATE_CONNECTED;
        break;
    }
    case JMEET_EVENT_BRIDGE_CHANNEL: {
        jmeet_bridge_channel_info info = JMEET_BRIDGE_CHANNEL_INFO_INIT;
        check(jmeet_event_bridge_channel(event, &info) == JMEET_OK);
        channel[who] = info.state == JMEET_BRIDGE_CHANNEL_DATA_CHANNEL || info.state == JMEET_BRIDGE_CHANNEL_WEBSOCKET;
        break;
    }
    case JMEET_EVENT_SPEAKER: {
        jmeet_speaker_info speaker = JMEET_SPEAKER_INFO_INIT;
        check(jmeet_event_speaker(event, &speaker) == JMEET_OK);
        if (!speaker.only_previous) spoke[who] += strcmp(speaker.endpoint_id.data, NAMES[0]) == 0;
        break;
    }
    case JMEET_EVENT_TRACK_FORWARDED: {
        jmeet_track_forwarded_info info = JMEET_TRACK_FORWARDED_INFO_INIT;
        check(jmeet_event_track_forwarded(event, &info) == JMEET_OK);
        forwarded[who] += info.forwarded;
        if (!info.forwarded) suspended[who] = info.suspended;
        break;
    }
    case JMEET_EVENT_TRACK_STREAMING: {
        jmeet_track_streaming_info info = JMEET_TRACK_STREAMING_INFO_INIT;
        check(jmeet_event_track_streaming(event, &info) == JMEET_OK && info.track != NULL);
        streams[who]++;
        streaming[who] = info.streaming;
        if (info.streaming == JMEET_STREAMING_INACTIVE) inactive_because[who] = info.suspended;
        else check(info.suspended == JMEET_SUSPENDED_NONE);
        break;
    }
    case JMEET_EVENT_ENDPOINT_MESSAGE: {
        jmeet_endpoint_message_info info = JMEET_ENDPOINT_MESSAGE_INFO_INIT;
        check(jmeet_event_endpoint_message(event, &info) == JMEET_OK && strcmp(info.payload.data, "{\"n\":1}") == 0);
        said[who]++;
        break;
    }
    case JMEET_EVENT_LOCAL_STATS: {
        jmeet_local_stats stats = JMEET_LOCAL_STATS_INIT;
        check(jmeet_event_local_stats(event, &stats) == JMEET_OK && stats.path == JMEET_MEDIA_PATH_BRIDGE);
        check(stats.quality <= 100 && stats.loss_upload <= 100);
        own[who]++;
        break;
    }
    case JMEET_EVENT_PARTICIPANT_STATS: {
        jmeet_participant_stats_info stats = JMEET_PARTICIPANT_STATS_INFO_INIT;
        check(jmeet_event_participant_stats(event, &stats) == JMEET_OK && stats.participant != NULL && stats.endpoint_id.size == 8);
        others[who]++;
        break;
    }
    case JMEET_EVENT_TARGET_BITRATE: {
        jmeet_target_bitrate_info info = JMEET_TARGET_BITRATE_INFO_INIT;
        check(jmeet_event_target_bitrate(event, &info) == JMEET_OK && info.track == camera[who] && info.encoding == 0);
        targeted[who] |= info.bits_per_second > 0 && info.height > 0;
        break;
    }
    case JMEET_EVENT_MUTED_BY: {
        jmeet_muted_by_info info = JMEET_MUTED_BY_INFO_INIT;
        check(jmeet_event_muted_by(event, &info) == JMEET_OK && info.kind == JMEET_MUTE_AUDIO);
        check(info.participant != NULL && strcmp(info.endpoint_id.data, NAMES[moderator]) == 0);
        muted_by[who]++;
        break;
    }
    case JMEET_EVENT_REQUEST_DONE:
        if (jmeet_event_tag(event) >= MUTE) ended[jmeet_event_tag(event) - MUTE] = jmeet_event_status(event);
        else check(jmeet_event_status(event) == JMEET_OK);
        break;
    default: break;
    }
}

/* Lets 20 ms pass, in which the first speaks, the others are silent, and all show something. */
static void tick(void) {
    static const uint8_t opus[] = { 0xfc, 0xff, 0xfe };
    /* A key frame of 16 x 16 points, as far as its header says. */
    static const uint8_t vp8[] = { 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00, 0x00, 0x47, 0x08, 0x85, 0x85, 0x88 };
    static int n;
    jmeet_event *event = NULL;
    jmeet_frame frame = JMEET_FRAME_INIT;
    int who;
    for (who = 0; who < PEOPLE; who++) {
        jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
        out.data = opus;
        out.size = sizeof opus;
        out.fields = JMEET_FRAME_HAS_AUDIO_LEVEL;
        out.audio_level = who == 0 ? 10 : 127;
        out.voice = who == 0;
        jmeet_writer_write(voice[who], &out);
        if (n % 4 == 0) {
            out.fields = 0;
            out.data = vp8;
            out.size = sizeof vp8;
            out.rtp_duration = 7200;
            wrote[who] |= jmeet_writer_write(picture[who], &out) == JMEET_OK;
        }
        while (reader[who] != NULL && jmeet_reader_next(reader[who], 0, &frame) == JMEET_OK) {}
    }
    n++;
    if (jmeet_queue_next(queue, 20, &event) != JMEET_OK) return;
    do {
        on_event(event);
        jmeet_event_free(event);
    } while (jmeet_queue_next(queue, 0, &event) == JMEET_OK);
    for (who = 0; who < PEOPLE; who++) check(!wrote[who] || targeted[who]);
}

static int all(const int *told) { return told[0] > 0 && told[1] > 0 && told[2] > 0; }

static void until(const char *what, const int *told) {
    int n;
    for (n = 0; n < PATIENCE_TICKS && !all(told); n++) tick();
    if (!all(told)) fprintf(stderr, "not all: %s\n", what);
    check(all(told));
}

static void start(int who, jmeet_str url, jmeet_str domain) {
    jmeet_client_options options = JMEET_CLIENT_OPTIONS_INIT;
    jmeet_track_options track = JMEET_TRACK_OPTIONS_INIT;
    options.url = url.data;
    options.domain = domain.data;
    options.room = "bridge";
    options.nickname = NAMES[who];
    options.allow_loopback = 1;
    options.disable_p2p = 1;
    check(jmeet_client_new(queue, &options, &client[who], NULL) == JMEET_OK);
    check(jmeet_client_join(client[who], 0, &room[who], NULL) == JMEET_OK);
    track.media = JMEET_MEDIA_AUDIO;
    check(jmeet_conference_send_track(room[who], &track, 0, &microphone[who], NULL) == JMEET_OK);
    track.media = JMEET_MEDIA_VIDEO;
    check(jmeet_conference_send_track(room[who], &track, 0, &camera[who], NULL) == JMEET_OK);
    check(jmeet_writer_new(microphone[who], NULL, &voice[who], NULL) == JMEET_OK);
    check(jmeet_writer_new(camera[who], NULL, &picture[who], NULL) == JMEET_OK);
    check(jmeet_conference_reader_new(room[who], NULL, &reader[who], NULL) == JMEET_OK);
}

static void speakers(void) {
    jmeet_speaking speaking = JMEET_SPEAKING_INIT;
    jmeet_participant_list *list = NULL;
    jmeet_participant_info info = JMEET_PARTICIPANT_INFO_INIT;
    jmeet_str id = { NULL, 0 };
    check(jmeet_conference_get_speaking(room[0], &speaking) == JMEET_OK && speaking.ours && speaking.participant == NULL);
    check(jmeet_conference_get_speaking(room[1], &speaking) == JMEET_OK && !speaking.ours && !speaking.silence);
    check(jmeet_participant_endpoint_id(speaking.participant, &id) == JMEET_OK && strcmp(id.data, NAMES[0]) == 0);
    check(jmeet_conference_list_speakers(room[1], &list) == JMEET_OK && jmeet_participant_list_size(list) == 1);
    check(jmeet_participant_list_get(list, 0, &info) == JMEET_OK && strcmp(info.endpoint_id.data, NAMES[0]) == 0);
    check(jmeet_participant_list_free(list) == JMEET_OK);
    speaking.struct_size = 0;
    check(jmeet_conference_get_speaking(room[1], &speaking) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_conference_get_speaking(room[1], NULL) == JMEET_ERR_NULL);
}

static void states(void) {
    jmeet_track_status track = JMEET_TRACK_STATUS_INIT;
    jmeet_participant_status who = JMEET_PARTICIPANT_STATUS_INIT;
    jmeet_participant *participant = NULL;
    jmeet_track *theirs = NULL;
    jmeet_receive_options none = JMEET_RECEIVE_OPTIONS_INIT;
    int n;
    check(jmeet_conference_find_track(room[2], "aaaaaaaa-v0", &theirs) == JMEET_OK);
    check(jmeet_track_get_status(theirs, &track) == JMEET_OK && track.forwarded && track.suspended == JMEET_SUSPENDED_NONE);
    check(jmeet_track_get_status(camera[2], &track) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_conference_find_participant(room[2], NAMES[0], &participant) == JMEET_OK);
    check(jmeet_participant_get_status(participant, &who) == JMEET_OK && who.active && who.round_trip_us == 0);
    /* No video: it is suspended because we do not want it. */
    none.default_height = -1;
    check(jmeet_conference_set_receive(room[2], &none, NULL) == JMEET_OK);
    for (n = 0; n < PATIENCE_TICKS && (suspended[2] != JMEET_SUSPENDED_NOT_WANTED || streaming[2] != JMEET_STREAMING_INACTIVE); n++) tick();
    check(suspended[2] == JMEET_SUSPENDED_NOT_WANTED && streaming[2] == JMEET_STREAMING_INACTIVE);
    check(inactive_because[2] == JMEET_SUSPENDED_NOT_WANTED);
    check(jmeet_track_get_status(theirs, &track) == JMEET_OK && !track.forwarded && track.suspended == JMEET_SUSPENDED_NOT_WANTED);
    check(jmeet_conference_find_track(room[2], "aaaaaaaa-a0", &theirs) == JMEET_OK);
    check(jmeet_track_get_status(theirs, &track) == JMEET_OK && track.streaming == JMEET_STREAMING_ACTIVE && !track.forwarded);
    check(jmeet_conference_find_track(room[2], "aaaaaaaa-v9", &theirs) == JMEET_ERR_NO_SUCH_TRACK);
    check(jmeet_conference_find_track_by_key(room[2], 4711, &theirs) == JMEET_ERR_NO_SUCH_TRACK);
    check(jmeet_conference_set_receive(room[2], NULL, NULL) == JMEET_OK);
}

static int is_moderator(int who) {
    jmeet_participant *seen = NULL;
    jmeet_participant_list *list = NULL;
    jmeet_participant_info info = JMEET_PARTICIPANT_INFO_INIT;
    check(jmeet_conference_find_participant(room[(who + 1) % PEOPLE], NAMES[who], &seen) == JMEET_OK);
    check(jmeet_participant_list_new(seen, &list) == JMEET_OK && jmeet_participant_list_get(list, 0, &info) == JMEET_OK);
    check(jmeet_participant_list_free(list) == JMEET_OK);
    return info.role == JMEET_ROLE_MODERATOR;
}

/* Who came first is the moderator: it mutes another one, who may ask to be heard again and may not mute others. */
static void moderation(void) {
    jmeet_participant *other = NULL, *back = NULL;
    jmeet_track *theirs = NULL;
    jmeet_track_info info = JMEET_TRACK_INFO_INIT;
    char source[16];
    int n, who, third;
    while (moderator < PEOPLE - 1 && !is_moderator(moderator)) moderator++;
    check(is_moderator(moderator));
    who = (moderator + 1) % PEOPLE;
    third = (moderator + 2) % PEOPLE;
    snprintf(source, sizeof source, "%s-a0", NAMES[who]);
    check(jmeet_conference_find_participant(room[moderator], NAMES[who], &other) == JMEET_OK);
    check(jmeet_conference_find_participant(room[who], NAMES[moderator], &back) == JMEET_OK);
    check(jmeet_participant_mute(other, JMEET_MUTE_UNSPECIFIED, MUTE, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_participant_mute(other, 4, MUTE, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_participant_mute(NULL, JMEET_MUTE_AUDIO, MUTE, NULL) == JMEET_ERR_NULL);
    check(jmeet_participant_mute(back, JMEET_MUTE_AUDIO, MUTE_NOT_ALLOWED, NULL) == JMEET_OK);
    check(jmeet_participant_mute(other, JMEET_MUTE_AUDIO, MUTE, NULL) == JMEET_OK);
    for (n = 0; n < PATIENCE_TICKS && (ended[0] < 0 || ended[1] < 0 || muted_by[who] == 0); n++) tick();
    check(ended[0] == JMEET_OK && ended[1] == JMEET_ERR_NOT_ALLOWED);
    check(muted_by[who] == 1 && muted_by[moderator] == 0 && muted_by[third] == 0);
    check(jmeet_track_get(microphone[who], &info) == JMEET_OK && info.muted && info.codec == JMEET_CODEC_OPUS);
    check(jmeet_conference_find_track(room[third], source, &theirs) == JMEET_OK);
    for (n = 0; n < PATIENCE_TICKS && !(jmeet_track_get(theirs, &info) == JMEET_OK && info.muted); n++) tick();
    check(info.muted && info.track == theirs);
    check(jmeet_track_set_muted(microphone[who], 0, UNMUTE, NULL) == JMEET_OK);
    for (n = 0; n < PATIENCE_TICKS && ended[2] < 0; n++) tick();
    check(ended[2] == JMEET_OK);
    for (n = 0; n < PATIENCE_TICKS && !(jmeet_track_get(theirs, &info) == JMEET_OK && !info.muted); n++) tick();
    check(!info.muted);
}

static void writers(void) {
    jmeet_writer_stats stats = JMEET_WRITER_STATS_INIT;
    check(jmeet_writer_get_stats(voice[0], 0, 5000, &stats) == JMEET_OK && stats.path == JMEET_MEDIA_PATH_BRIDGE);
    check(stats.codec == JMEET_CODEC_OPUS && stats.taken >= stats.frames && stats.frames > 0 && stats.packets >= stats.frames);
    check(stats.bytes >= stats.packets && stats.target_bits_per_second == 0);
    check(jmeet_writer_get_stats(picture[0], 0, JMEET_FOREVER, &stats) == JMEET_OK && stats.codec == JMEET_CODEC_VP8);
    check(stats.taken > 0 && stats.dropped > 0 && stats.target_bits_per_second > 0);
    check(jmeet_writer_get_stats(voice[0], 1, 5000, &stats) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_writer_set_limited(picture[0], JMEET_LIMITATION_CPU, 90) == JMEET_OK);
    check(jmeet_writer_set_limited(picture[0], JMEET_LIMITATION_NONE, 0) == JMEET_OK);
    check(jmeet_writer_set_limited(picture[0], JMEET_LIMITATION_UNSPECIFIED, 0) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_writer_set_limited(picture[0], 3, 0) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_writer_set_limited(voice[0], JMEET_LIMITATION_CPU, 90) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_writer_set_limited(NULL, JMEET_LIMITATION_CPU, 90) == JMEET_ERR_NULL);
    check(jmeet_writer_get_stats(NULL, 0, 5000, &stats) == JMEET_ERR_NULL);
    check(jmeet_writer_get_stats(voice[0], 0, 5000, NULL) == JMEET_ERR_NULL);
}

static void statistics(void) {
    jmeet_stats *stats = NULL;
    jmeet_local_stats summary = JMEET_LOCAL_STATS_INIT;
    jmeet_track_stats one = JMEET_TRACK_STATS_INIT;
    jmeet_participant_status who = JMEET_PARTICIPANT_STATUS_INIT;
    jmeet_participant_stats_info said_last = JMEET_PARTICIPANT_STATS_INFO_INIT;
    jmeet_participant *participant = NULL;
    size_t n, ours = 0, theirs = 0;
    until("own statistics", own);
    until("statistics of the others", others);
    check(jmeet_conference_find_participant(room[1], NAMES[0], &participant) == JMEET_OK);
    /* Those that came may have been of somebody else. */
    for (n = 0; n < PATIENCE_TICKS && jmeet_participant_get_status(participant, &who) == JMEET_OK && !who.has_quality; n++) tick();
    check(who.has_quality && who.quality <= 100);
    check(jmeet_participant_get_stats(participant, &said_last) == JMEET_OK && said_last.participant == participant);
    check(said_last.quality <= 100 && strcmp(said_last.endpoint_id.data, NAMES[0]) == 0);
    /* Rates are of the last seconds, in which a slow machine may have sent nothing. */
    for (n = 0; n < PATIENCE_TICKS && summary.audio_upload_kbps == 0; n++) {
        check(jmeet_stats_free(stats) == JMEET_OK);
        tick();
        check(jmeet_conference_stats_new(room[1], 5000, &stats, NULL) == JMEET_OK);
        check(jmeet_stats_get(stats, &summary) == JMEET_OK && summary.path == JMEET_MEDIA_PATH_BRIDGE);
    }
    check(summary.audio_upload_kbps > 0);
    for (n = 0; n < jmeet_stats_size(stats); n++) {
        check(jmeet_stats_get_track(stats, n, &one) == JMEET_OK && one.path == JMEET_MEDIA_PATH_BRIDGE && one.track_key != 0 && one.source_name.size > 8);
        if (one.media != JMEET_MEDIA_AUDIO) continue;
        ours += one.local && one.track == microphone[1] && one.packets > 100 && one.frames > 100 && one.codec == JMEET_CODEC_OPUS;
        theirs += !one.local && one.track != NULL && one.packets > 0;
    }
    check(ours == 1 && theirs >= 1);
    check(jmeet_stats_get_track(stats, n, &one) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_stats_free(stats) == JMEET_OK && jmeet_stats_free(stats) == JMEET_ERR_INVALID_HANDLE);
    check(jmeet_stats_free(NULL) == JMEET_OK && jmeet_stats_size(stats) == 0);
}

int main(void) {
    jmeet_testkit_options options = JMEET_TESTKIT_OPTIONS_INIT;
    jmeet_str url = { NULL, 0 }, domain = { NULL, 0 };
    int who;
    options.bridge_participants = 2;
    check(jmeet_queue_new(NULL, &queue, NULL) == JMEET_OK && jmeet_testkit_new(&options, &kit, NULL) == JMEET_OK);
    check(jmeet_testkit_url(kit, &url) == JMEET_OK && jmeet_testkit_domain(kit, &domain) == JMEET_OK);
    for (who = 0; who < PEOPLE; who++) start(who, url, domain);
    until("media", connected);
    until("the channel", channel);
    until("the speaker", spoke);
    until("forwarded tracks", forwarded);
    speakers();
    check(jmeet_conference_send_endpoint_message(room[0], "", "{}", 5, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_conference_send_endpoint_message(room[0], NULL, "[1]", 5, NULL) == JMEET_ERR_INVALID_ARGUMENT);
    check(jmeet_conference_send_endpoint_message(room[0], NULL, "{\"n\":1}", 5, NULL) == JMEET_OK);
    said[0] = 1;
    until("the message", said);
    states();
    moderation();
    writers();
    statistics();
    for (who = 0; who < PEOPLE; who++) {
        check(jmeet_reader_free(reader[who]) == JMEET_OK && jmeet_client_free(client[who]) == JMEET_OK);
    }
    check(jmeet_testkit_free(kit) == JMEET_OK && jmeet_queue_free(queue) == JMEET_OK);
    return checked();
}
