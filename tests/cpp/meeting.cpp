// Two participants of one program meet through jmeet.hpp: chat both ways, Opus, mute, leave; errors are typed, and thrown only by
// value(). `meeting URL DOMAIN`.
#include <jmeet.hpp>
#include "check.h"

#include <cstring>
#include <type_traits>

static_assert(!std::is_copy_constructible_v<jmeet::client> && std::is_nothrow_move_constructible_v<jmeet::client>);
static_assert(!std::is_copy_constructible_v<jmeet::event> && std::is_nothrow_move_constructible_v<jmeet::event>);
static_assert(!std::is_copy_constructible_v<jmeet::reader> && !std::is_copy_constructible_v<jmeet::writer>);
static_assert(!std::is_copy_constructible_v<jmeet::queue>);

static const int PATIENCE_MS = 20000;

// The next event of this kind about `who`; others are passed over.
template <typename T> static jmeet::event wait_for(jmeet::queue &queue, const jmeet::client &who) {
    while (auto event = queue.next(PATIENCE_MS))
        if (event.client() == who.get() && event.get<T>()) return event;
    return jmeet::event();
}

static void errors() {
    jmeet::queue queue;
    auto refused = jmeet::client::make(queue, jmeet::options("http://127.0.0.1/", "room"));
    check(!refused && refused.error().code == JMEET_ERR_OPTIONS && !refused.error().text.empty());
    try {
        auto never = std::move(refused).value();
        check(false);
    } catch (const jmeet::exception &why) {
        check(why.code() == JMEET_ERR_OPTIONS && std::strstr(why.what(), "ERR_OPTIONS") != nullptr);
    }
    auto client = jmeet::client::make(queue, jmeet::options("ws://127.0.0.1:1/x", "room")).value();
    auto room = client.join(1).value();
    check(client.join().error().code == JMEET_ERR_STATE);
    bool done = false, closed = false;
    for (auto event : queue) { // ends by itself
        if (auto request = event.get<jmeet::request_done>()) done = request->tag == 1 && request->why.code == JMEET_ERR_CONNECT;
        if (auto end = event.get<jmeet::closed>()) closed = end->why.code == JMEET_ERR_CONNECT && end->why.stage == JMEET_STAGE_CONNECT;
        check(!event.get<jmeet::message>());
    }
    check(done && closed && room.endpoint_id().empty());
    for (auto event : queue) check(!event);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    errors();
    check(jmeet::has_media());
    jmeet::queue queue;
    auto options = jmeet::options(argv[1], "cpp-meeting").domain(argv[2]).display_name("Alice");
    options.raw().allow_loopback = 1;
    auto alice = jmeet::client::make(queue, options).value();
    auto alices = alice.join(1).value();
    check(wait_for<jmeet::request_done>(queue, alice).status() == JMEET_OK);
    auto bob = jmeet::client::make(queue, options.display_name("Bob")).value();
    auto bobs = bob.join(1).value();
    check(wait_for<jmeet::request_done>(queue, bob).status() == JMEET_OK && bob.state() == JMEET_STATE_JOINED);

    check(bobs.send("hello").operator bool());
    auto event = wait_for<jmeet::message>(queue, alice);
    auto said = event.get<jmeet::message>();
    check(said && said->text == "hello" && said->display_name == "Bob" && said->endpoint_id == bobs.endpoint_id() && !said->is_private);
    auto others = alices.participants().value();
    check(others.size() == 1 && said && others[0] == said->sender);
    check(alices.send_private(bobs.endpoint_id(), "psst").operator bool());
    event = wait_for<jmeet::message>(queue, bob);
    said = event.get<jmeet::message>();
    check(said && said->text == "psst" && said->is_private);

    auto microphone = alices.send_audio().value();
    auto writer = jmeet::writer::make(microphone).value();
    auto reader = bobs.read(JMEET_MEDIA_AUDIO).value();
    event = wait_for<jmeet::track_added>(queue, bob);
    auto added = event.get<jmeet::track_added>();
    check(added && added->media == JMEET_MEDIA_AUDIO && added->endpoint_id == alices.endpoint_id());
    const std::uint8_t opus[] = {0xfc, 0xff, 0xfe};
    jmeet::frame frame;
    for (int n = 0; n < PATIENCE_MS / 20; n++) {
        writer.write(opus, sizeof opus);
        if (reader.next(frame, 20) == JMEET_OK) break;
    }
    check(frame.data.size == sizeof opus && std::memcmp(frame.data.data, opus, sizeof opus) == 0);
    check(frame.endpoint() == alices.endpoint_id() && added && frame.source() == added->source_name);
    check(frame.has(JMEET_FRAME_HAS_TRACK) && bobs.find_track(frame.track_key).value() == added->track);
    check(bobs.find_track(std::string(added->source_name)).value() == added->track);
    check(bobs.find_participant(frame.participant_key).value() == bobs.find_participant(alices.endpoint_id()).value());
    check(!bobs.find_participant(std::uint64_t(0)) && bob.stats().unknown_frames == 0);

    auto counted = alices.stats().value();
    check(!counted.tracks.empty() && counted.tracks[0].local && counted.tracks[0].frames > 0 && counted.tracks[0].track == microphone.get());
    check(counted.tracks[0].source_name.data == std::string(alices.endpoint_id()) + "-a0");
    auto heard = bobs.stats().value();
    check(!heard.tracks.empty() && !heard.tracks[0].local && heard.tracks[0].packets > 0 && heard.tracks[0].track == added->track.get());

    // There is no bridge here, so nothing goes out, and the answers are those of a meeting of two.
    auto refused = alices.send_endpoint_message("", "{}");
    check(!refused && refused.error().code == JMEET_ERR_INVALID_ARGUMENT);
    check(alices.send_endpoint_message(bobs.endpoint_id(), "{}", 7).operator bool() && alices.broadcast("{}", 8).operator bool());
    for (std::uint64_t tag = 7; tag <= 8; tag++) {
        event = wait_for<jmeet::request_done>(queue, alice);
        check(event.status() == JMEET_ERR_NOT_READY && event.tag() == tag);
    }
    jmeet_receive_options wanted = JMEET_RECEIVE_OPTIONS_INIT;
    wanted.default_height = 180;
    check(bobs.set_receive(&wanted).operator bool() && bobs.set_receive(nullptr).operator bool());

    check(microphone.set_muted(true).operator bool() && writer.write(opus, sizeof opus) == JMEET_ERR_MUTED);
    bool muted = false;
    while (!muted) {
        event = wait_for<jmeet::track_updated>(queue, bob);
        if (!event) break;
        muted = event.get<jmeet::track_updated>()->muted;
    }
    check(muted);

    // The first in the room is its moderator; nobody else mutes.
    check(others[0].mute(JMEET_MUTE_CAMERA, 9).operator bool());
    check(bobs.find_participant(alices.endpoint_id()).value().mute(JMEET_MUTE_AUDIO, 10).operator bool());
    bool muted_by = false, done = false, refused_to_bob = false;
    while (!(muted_by && done && refused_to_bob)) {
        event = queue.next(PATIENCE_MS);
        if (!event) break;
        if (auto by = event.get<jmeet::muted_by>())
            muted_by = event.client() == bob.get() && by->kind == JMEET_MUTE_CAMERA && by->endpoint_id == alices.endpoint_id() && by->participant;
        if (event.get<jmeet::request_done>() && event.tag() == 9) done = event.status() == JMEET_OK;
        if (event.get<jmeet::request_done>() && event.tag() == 10) refused_to_bob = event.status() == JMEET_ERR_NOT_ALLOWED;
    }
    check(muted_by && done && refused_to_bob);
    auto sent = writer.stats().value();
    check(sent.path == JMEET_MEDIA_PATH_PEER_TO_PEER && sent.frames > 0 && sent.taken >= sent.frames && sent.dropped > 0);
    check(writer.stats(1).error().code == JMEET_ERR_INVALID_ARGUMENT);
    check(writer.set_limited(JMEET_LIMITATION_CPU, 90) == JMEET_ERR_INVALID_ARGUMENT); // it is audio
    check(!others[0].stats() && bobs.find_track("nobody-v0").error().code == JMEET_ERR_NO_SUCH_TRACK);

    check(alices.leave().operator bool());
    event = wait_for<jmeet::participant_left>(queue, bob);
    auto left = event.get<jmeet::participant_left>();
    check(left && left->display_name == "Alice" && !left->kicked);
    check(bobs.leave().operator bool());
    for (auto last : queue)
        if (auto end = last.get<jmeet::closed>()) check(end->why.code == JMEET_OK);
    check(alice.state() == JMEET_STATE_CLOSED && bob.state() == JMEET_STATE_CLOSED);
    return checked();
}
