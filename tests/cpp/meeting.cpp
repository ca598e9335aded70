// Two participants of one program meet through jmeet.hpp: chat both ways, Opus, mute, leave; errors are typed, and thrown only by
// value(). `meeting URL DOMAIN`; `meeting throws` shows what becomes of an exception that leaves a callback: it ends with TERMINATED.
#include <jmeet.hpp>
#include "check.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <poll.h>
#include <type_traits>

static_assert(!std::is_copy_constructible_v<jmeet::client> && std::is_nothrow_move_constructible_v<jmeet::client>);
static_assert(!std::is_copy_constructible_v<jmeet::event> && std::is_nothrow_move_constructible_v<jmeet::event>);
static_assert(!std::is_copy_constructible_v<jmeet::reader> && !std::is_copy_constructible_v<jmeet::writer>);
static_assert(!std::is_copy_constructible_v<jmeet::queue> && std::is_nothrow_move_constructible_v<jmeet::queue>);
static_assert(!std::is_copy_constructible_v<jmeet::runtime> && !std::is_copy_constructible_v<jmeet::kept_frame>);
// An exception must not get into the library, so a function that may throw is no log callback.
static_assert(!std::is_convertible_v<void (*)(std::uint32_t, jmeet_str, jmeet_str, void *), jmeet::log_callback>);

static const int PATIENCE_MS = 20000;
static const int TERMINATED = 7;

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

static jmeet::client to_nobody(jmeet::queue &queue) {
    return jmeet::client::make(queue, jmeet::options("ws://127.0.0.1:1/x", "room")).value();
}

static bool readable(std::intptr_t fd, int timeout_ms) {
    pollfd p = {static_cast<int>(fd), POLLIN, 0};
    return poll(&p, 1, timeout_ms) == 1;
}

static void library() {
    const std::string version = std::to_string(JMEET_VERSION_MAJOR) + "." + std::to_string(JMEET_VERSION_MINOR) + "." + std::to_string(JMEET_VERSION_PATCH);
    check(jmeet::version() == version && jmeet::abi_version() == JMEET_ABI_VERSION);
    const auto before = jmeet::now_us();
    check(jmeet::now_us() >= before);
    check(jmeet::runtime::make(65).error().code == JMEET_ERR_INVALID_ARGUMENT);

    std::atomic<int> heard = 0;
    const jmeet::log_callback hear = [](std::uint32_t level, jmeet_str target, jmeet_str text, void *user) noexcept {
        if (level <= JMEET_LOG_TRACE && !jmeet::view(target).empty() && !jmeet::view(text).empty()) ++*static_cast<std::atomic<int> *>(user);
    };
    check(jmeet::set_log(JMEET_LOG_TRACE, hear, &heard).operator bool());
    jmeet::queue queue;
    to_nobody(queue);
    check(heard > 0 && jmeet::set_log(JMEET_LOG_OFF, nullptr).operator bool());
    const int then = heard;
    to_nobody(queue);
    check(heard == then);
    check(jmeet::set_log(static_cast<jmeet_log_level>(6), hear).error().code == JMEET_ERR_INVALID_ARGUMENT);
}

// Descriptor, wake-up and callback of a queue; each function is let go when another takes its place, or with the queue.
static void ways_to_events() {
    auto woken = std::make_shared<std::atomic<int>>(0), called = std::make_shared<std::atomic<int>>(0);
    {
        jmeet::queue queue;
        check(queue.set_wakeup([woken] { ++*woken; }).operator bool() && woken.use_count() == 2);
        const auto fd = queue.fd().value();
        check(!readable(fd, 0));
        auto client = to_nobody(queue);
        check(client.conference().error().code == JMEET_ERR_STATE && client.timeline(JMEET_TIMELINE_START) == 0);
        auto room = client.join().value();
        check(client.conference().value().get() == room.get());
        jmeet::event last;
        while (!last && readable(fd, PATIENCE_MS))
            while (auto event = queue.next(0))
                if (event.get<jmeet::closed>()) last = event.retain();
        check(last && *woken > 0 && last.get<jmeet::closed>()->why.code == JMEET_ERR_CONNECT && last.conference() == room.get());
        check(client.timeline(JMEET_TIMELINE_START) > 0 && client.timeline(JMEET_TIMELINE_JOINED) == 0 && !jmeet::event().retain());
        jmeet::queue moved(std::move(queue));
        check(woken.use_count() == 2 && moved.set_wakeup(nullptr).operator bool() && woken.use_count() == 1);
        check(moved.set_wakeup([woken] { ++*woken; }).operator bool() && woken.use_count() == 2);
    }
    check(woken.use_count() == 1);

    jmeet::queue queue;
    std::promise<jmeet::event> ended;
    check(queue.set_callback([&ended, called](jmeet::event event) {
        ++*called;
        if (event.get<jmeet::closed>()) ended.set_value(std::move(event));
    }).operator bool());
    check(!queue.next() && called.use_count() == 2);
    auto client = to_nobody(queue);
    auto room = client.join(1).value();
    auto future = ended.get_future();
    check(future.wait_for(std::chrono::milliseconds(PATIENCE_MS)) == std::future_status::ready);
    auto last = future.get();
    check(last.client() == client.get() && last.conference() == room.get() && last.status() == JMEET_ERR_CONNECT && *called >= 2);
    check(queue.set_callback(nullptr).operator bool() && called.use_count() == 1);
    check(last.get<jmeet::closed>()->why.stage == JMEET_STAGE_CONNECT); // it is ours, although its callback has ended
    for (auto event : queue) check(!event); // the callback counted the end

    // A callback may end its own queue; then it is let go when it comes back.
    std::optional<jmeet::queue> inside(std::in_place);
    std::optional<jmeet::client> guest(to_nobody(*inside));
    jmeet_client *handle = guest->get();
    jmeet_conference *none = nullptr;
    std::promise<void> gone;
    auto let_go = gone.get_future();
    std::shared_ptr<void> witness(nullptr, [&gone](void *) { gone.set_value(); });
    check(inside->set_callback([&inside, &guest, held = std::move(witness)](jmeet::event event) {
        guest.reset();
        inside.reset();
        check(event.type() != JMEET_EVENT_NONE);
    }).operator bool());
    jmeet_client_join(handle, 0, &none, nullptr); // in C, because the callback may end the client meanwhile
    check(let_go.wait_for(std::chrono::milliseconds(PATIENCE_MS)) == std::future_status::ready && !inside && !guest);
}

static int throws() {
    std::set_terminate([] { std::_Exit(TERMINATED); });
    jmeet::queue queue;
    std::promise<void> never;
    queue.set_callback([](jmeet::event) { throw 1; }).value();
    auto client = to_nobody(queue);
    client.join().value();
    never.get_future().wait_for(std::chrono::milliseconds(PATIENCE_MS));
    return 1;
}

int main(int argc, char **argv) {
    if (argc == 2 && std::strcmp(argv[1], "throws") == 0) return throws();
    if (argc < 3) return 2;
    errors();
    library();
    ways_to_events();
    check(jmeet::has_media());
    jmeet::queue queue;
    auto threads = jmeet::runtime::make(1).value();
    auto options = jmeet::options(argv[1], "cpp-meeting").domain(argv[2]).display_name("Alice").runtime(threads);
    options.raw().allow_loopback = 1;
    check(options.c().runtime == threads.get());
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
    check(event.conference() == alices.get() && bob.conference().value().get() == bobs.get());
    const auto known = others[0].info().value();
    const auto copy = known;
    check(copy.display_name == "Bob" && copy.key == others[0].key() && copy.participant == others[0] && copy.endpoint_id == bobs.endpoint_id());
    check(jmeet::participant().info().error().code == JMEET_ERR_NULL);
    check(bob.timeline(JMEET_TIMELINE_JOINED) > 0 && bob.timeline(JMEET_TIMELINE_JOINED) <= jmeet::now_us());
    check(alices.send_private(bobs.endpoint_id(), "psst").operator bool());
    event = wait_for<jmeet::message>(queue, bob);
    said = event.get<jmeet::message>();
    check(said && said->text == "psst" && said->is_private);

    auto microphone = alices.send_audio().value();
    auto writer = jmeet::writer::make(microphone).value();
    std::optional<jmeet::reader> reader(bobs.read(JMEET_MEDIA_AUDIO).value());
    auto woken = std::make_shared<std::atomic<int>>(0);
    check(reader->set_wakeup([woken] { ++*woken; }).operator bool() && woken.use_count() == 2);
    check(!readable(reader->fd().value(), 0) && reader->stats().value().delivered == 0);
    event = wait_for<jmeet::track_added>(queue, bob);
    auto added = event.get<jmeet::track_added>();
    check(added && added->media == JMEET_MEDIA_AUDIO && added->endpoint_id == alices.endpoint_id());
    const std::uint8_t opus[] = {0xfc, 0xff, 0xfe};
    check(added && added->track.info().value().source_name == added->source_name && microphone.info().value().local);
    auto tracks = bobs.tracks().value();
    check(tracks.size() == 1 && added && tracks[0] == added->track && jmeet::track().info().error().code == JMEET_ERR_NULL);
    jmeet::frame frame;
    check(reader->retain().error().code == JMEET_ERR_STATE);
    for (int n = 0; n < PATIENCE_MS / 20; n++) {
        writer.write(opus, sizeof opus);
        if (readable(reader->fd().value(), 20)) break;
    }
    check(reader->next(frame, 0) == JMEET_OK && *woken > 0 && reader->stats().value().delivered == 1);
    const auto kept = reader->retain().value();
    reader.reset();
    check(woken.use_count() == 1); // what the wake-up held ends with the reader, a kept frame does not
    check(kept.read().value().data.data == frame.data.data && kept.read().value().rtp_time == frame.rtp_time);
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
