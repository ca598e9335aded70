/*
 * jmeet for C++17: the C ABI of jmeet.h as move-only objects that free themselves. Header only.
 *
 *     jmeet::queue queue;
 *     auto client = jmeet::client::make(queue, jmeet::options(url, "standup").display_name("Parrot")).value();
 *     auto room = client.join().value();
 *     for (auto event : queue)
 *         if (auto message = event.get<jmeet::message>()) room.send(message->text);
 *
 * No exception crosses the ABI. What can fail answers a result: it is tested like a pointer, error() says why, and value() throws
 * jmeet::exception in the caller's code only. Texts in what an event or frame says are views that live as long as it does.
 * Rooms, participants and tracks are borrowed as in C: small values that answer JMEET_ERR_INVALID_HANDLE when they have ended.
 * Destroy clients before their queue and their runtime: declare those first. Destroy a reader before its client, or on the same thread.
 *
 * The library holds what set_callback() was given, and the queue or reader what set_wakeup() was given, until another one or none takes
 * its place, or the queue or reader ends. They run on threads of the library, where nobody could catch anything: an exception that leaves
 * one of them ends the program (std::terminate).
 */
#ifndef JMEET_HPP
#define JMEET_HPP

#include <jmeet.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace jmeet {

/** The library's version, such as "0.1.0". */
inline const char *version() noexcept { return jmeet_version(); }

/** The library's ABI: another one than JMEET_ABI_VERSION cannot be used with these headers. */
inline std::uint32_t abi_version() noexcept { return jmeet_abi_version(); }

/** The clock of every _us value, in microseconds. */
inline std::uint64_t now_us() noexcept { return jmeet_now_us(); }

/** Whether the library sends and reads media; without it tracks of ours and readers answer JMEET_ERR_NOT_BUILT. */
inline bool has_media() noexcept { return (jmeet_features() & JMEET_FEATURE_MEDIA) != 0; }

/** Why something failed; a copy that never expires. */
struct error {
    jmeet_status code = JMEET_OK;
    jmeet_stage stage = JMEET_STAGE_NONE;
    std::string condition, text;

    const char *name() const noexcept { return jmeet_status_name(code); }
    std::string message() const {
        std::string out = name();
        for (const std::string *part : {&condition, &text})
            if (!part->empty()) out += ": " + *part;
        return out;
    }
};

/** What value() throws. */
class exception : public std::runtime_error {
public:
    explicit exception(jmeet::error why) : std::runtime_error(why.message()), error_(std::make_shared<jmeet::error>(std::move(why))) {}
    const jmeet::error &error() const noexcept { return *error_; }
    jmeet_status code() const noexcept { return error_->code; }

private:
    std::shared_ptr<const jmeet::error> error_; // copying an exception must not throw
};

/** A value, or the reason why there is none. */
template <typename T> class [[nodiscard]] result {
public:
    result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    result(jmeet::error why) : held_(std::in_place_index<1>, std::move(why)) {}
    explicit operator bool() const noexcept { return held_.index() == 0; }
    /** Only of a result that failed. */
    const jmeet::error &error() const noexcept { return *std::get_if<1>(&held_); }
    T value() && {
        if (held_.index() == 1) throw exception(std::move(*std::get_if<1>(&held_)));
        return std::move(*std::get_if<0>(&held_));
    }
    T &value() & {
        if (held_.index() == 1) throw exception(*std::get_if<1>(&held_));
        return *std::get_if<0>(&held_);
    }

private:
    std::variant<T, jmeet::error> held_;
};

/** Success, or the reason of a failure. */
template <> class [[nodiscard]] result<void> {
public:
    result() = default;
    result(jmeet::error why) : why_(std::move(why)) {}
    explicit operator bool() const noexcept { return why_.code == JMEET_OK; }
    const jmeet::error &error() const noexcept { return why_; }
    void value() const {
        if (why_.code != JMEET_OK) throw exception(why_);
    }

private:
    jmeet::error why_;
};

namespace detail {

inline std::string_view view(jmeet_str s) noexcept { return s.data ? std::string_view(s.data, s.size) : std::string_view(); }

template <typename T, jmeet_status (*Free)(T *)> struct free_handle {
    void operator()(T *handle) const noexcept { Free(handle); }
};
template <typename T, jmeet_status (*Free)(T *)> using owned = std::unique_ptr<T, free_handle<T, Free>>;

inline error from(const jmeet_error_info &info) {
    return error{static_cast<jmeet_status>(info.status), static_cast<jmeet_stage>(info.stage), std::string(view(info.condition)),
                 std::string(view(info.text))};
}

/** A handle whose wake-up ends before it, also where its own end is refused. */
template <typename T, jmeet_status (*Set)(T *, jmeet_wakeup_callback, void *), jmeet_status (*Free)(T *)> struct free_woken {
    std::unique_ptr<std::function<void()>> wakeup;

    void operator()(T *handle) const noexcept {
        if (wakeup) Set(handle, nullptr, nullptr);
        Free(handle);
    }
    jmeet_status set(T *handle, std::function<void()> next) {
        std::unique_ptr<std::function<void()>> kept;
        if (next) kept = std::make_unique<std::function<void()>>(std::move(next));
        const jmeet_status status = Set(handle, kept ? call : nullptr, kept.get());
        if (status == JMEET_OK) wakeup = std::move(kept); // the one before does not run any more
        return status;
    }

private:
    static void call(void *wakeup) noexcept { (*static_cast<std::function<void()> *>(wakeup))(); }
};
template <typename T, jmeet_status (*Set)(T *, jmeet_wakeup_callback, void *), jmeet_status (*Free)(T *)>
using woken = std::unique_ptr<T, free_woken<T, Set, Free>>;

/** The reason of a failed call; takes what the call filled. */
inline error failure(jmeet_status status, jmeet_error *filled) {
    owned<jmeet_error, jmeet_error_free> keep(filled);
    jmeet_error_info info = JMEET_ERROR_INFO_INIT;
    if (filled && jmeet_error_get(filled, &info) == JMEET_OK) return from(info);
    error out;
    out.code = status;
    return out;
}

inline result<void> done(jmeet_status status, jmeet_error *filled = nullptr) {
    if (status == JMEET_OK) return {};
    return failure(status, filled);
}

/** How an event is read into one of the structs below. */
template <typename T> struct reads;

} // namespace detail

/** A text of the C header. */
using detail::view;

/** Hears a text of the log; its type has no place for an exception. */
using log_callback = void (*)(std::uint32_t level, jmeet_str target, jmeet_str text, void *user_data) noexcept;

/** Has the log of the whole process heard up to a level, on any thread; nullptr ends it. `user_data` must live until then. */
inline result<void> set_log(jmeet_log_level level, log_callback hear, void *user_data = nullptr) {
    return detail::done(jmeet_log_set_callback(level, hear, user_data));
}

/** Threads that many clients share: options::runtime(). Its end is that of its clients. */
class runtime {
public:
    /** With so many threads; 0: two. */
    static result<runtime> make(std::uint32_t threads = 0) {
        jmeet_runtime_options options = JMEET_RUNTIME_OPTIONS_INIT;
        options.threads = threads;
        jmeet_runtime *handle = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_runtime_new(&options, &handle, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return runtime(handle);
    }
    jmeet_runtime *get() const noexcept { return handle_.get(); }

private:
    explicit runtime(jmeet_runtime *taken) noexcept : handle_(taken) {}
    detail::owned<jmeet_runtime, jmeet_runtime_free> handle_;
};

class participant_snapshot;
struct track_info;

/** Somebody else; borrowed. */
class participant {
public:
    participant(jmeet_participant *handle = nullptr) noexcept : handle_(handle) {}
    jmeet_participant *get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    std::uint64_t key() const noexcept { return jmeet_participant_key(handle_); }
    std::string endpoint_id() const {
        jmeet_str out = {nullptr, 0};
        return jmeet_participant_endpoint_id(handle_, &out) == JMEET_OK ? std::string(detail::view(out)) : std::string();
    }
    /** What is known of them now. */
    result<participant_snapshot> info() const;
    /** How their connection does now; all at rest once they have left. */
    jmeet_participant_status status() const noexcept {
        jmeet_participant_status out = JMEET_PARTICIPANT_STATUS_INIT;
        jmeet_participant_get_status(handle_, &out);
        return out;
    }
    /** What they said last of their connection; JMEET_ERR_NOT_READY: nothing yet. Its strings live as long as the handle. */
    result<jmeet_participant_stats_info> stats() const {
        jmeet_participant_stats_info out = JMEET_PARTICIPANT_STATS_INFO_INIT;
        const jmeet_status status = jmeet_participant_get_stats(handle_, &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return out;
    }
    /** Mutes them for everybody, as a moderator; request_done with `tag` says whether the focus did it. */
    result<void> mute(jmeet_mute_kind kind, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_participant_mute(handle_, kind, tag, &why);
        return detail::done(status, why);
    }
    friend bool operator==(participant a, participant b) noexcept { return a.handle_ == b.handle_; }
    friend bool operator!=(participant a, participant b) noexcept { return a.handle_ != b.handle_; }

private:
    jmeet_participant *handle_;
};

/** A microphone, camera or screen, somebody's or ours; borrowed. */
class track {
public:
    track(jmeet_track *handle = nullptr) noexcept : handle_(handle) {}
    jmeet_track *get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    std::uint64_t key() const noexcept { return jmeet_track_key(handle_); }
    /** What is known of it now; its views live as long as the track. JMEET_ERR_NOT_READY: the room does not know ours yet. */
    result<track_info> info() const;
    result<void> set_muted(bool muted, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_track_set_muted(handle_, muted, tag, &why);
        return detail::done(status, why);
    }
    /** Presses keys of a telephone, such as "123#", in our audio; 0 ms is 200. */
    result<void> send_tones(std::string_view keys, std::uint32_t held_ms = 0, std::uint32_t gap_ms = 0, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_track_send_tones(handle_, std::string(keys).c_str(), held_ms, gap_ms, tag, &why);
        return detail::done(status, why);
    }
    result<void> remove() const { return detail::done(jmeet_track_remove(handle_)); }
    result<void> request_key_frame() const { return detail::done(jmeet_track_request_key_frame(handle_)); }
    /** How somebody's track does now; all at rest of our own and of one that is gone. */
    jmeet_track_status status() const noexcept {
        jmeet_track_status out = JMEET_TRACK_STATUS_INIT;
        jmeet_track_get_status(handle_, &out);
        return out;
    }
    friend bool operator==(track a, track b) noexcept { return a.handle_ == b.handle_; }
    friend bool operator!=(track a, track b) noexcept { return a.handle_ != b.handle_; }

private:
    jmeet_track *handle_;
};

// What events say: event.get<jmeet::message>() and so on.

struct request_done { std::uint64_t tag; jmeet::error why; };
struct state_changed { jmeet_state state; };
struct joined { std::string_view endpoint_id; jmeet_role role; };
struct participant_info {
    jmeet::participant participant;
    std::uint64_t key;
    std::string_view endpoint_id, display_name, real_jid, features;
    jmeet_role role;
    std::int64_t raised_hand_ms;
    std::uint32_t changed;
};
struct participant_joined : participant_info {};
struct participant_updated : participant_info {};
struct participant_left : participant_info { bool kicked, vanished, we_left; std::string_view reason; };
struct role_changed { jmeet_role role; };
struct message {
    participant sender; /**< None once they have left. */
    std::string_view endpoint_id, display_name, text, id;
    bool is_private, delayed;
    std::int64_t sent_ms;
};
struct subject_changed { std::string_view subject; };
struct track_info {
    jmeet::track track;
    jmeet::participant participant;
    std::uint64_t key;
    std::string_view endpoint_id, source_name;
    jmeet_media media;
    jmeet_video_type video_type;
    bool muted, local;
    jmeet_codec codec; /**< UNSPECIFIED of somebody's video before a frame was read. */
};
struct track_added : track_info {};
struct track_updated : track_info {};
struct track_removed : track_info {};
struct focus_changed { bool present; };
struct media_changed { jmeet_media_path path; jmeet_media_state state; bool by_peer; std::string_view endpoint_id, reason, text; jmeet_status status; };
struct bridge_offered {};
struct bridge_channel { jmeet_bridge_channel state; };
/** Endpoint ids of earlier speakers, the latest first, with a space between them. */
struct speaker { jmeet::participant participant; std::string_view endpoint_id, previous; bool silence, only_previous; };
struct endpoint_message { jmeet::participant participant; std::string_view endpoint_id, payload; bool is_private; };
struct track_forwarded { jmeet::track track; bool forwarded; jmeet_suspended suspended; };
struct track_streaming { jmeet::track track; jmeet_streaming streaming; jmeet_suspended suspended; };
struct connectivity { jmeet::participant participant; std::string_view endpoint_id; bool active; };
struct round_trip { jmeet::participant participant; std::string_view endpoint_id; std::uint64_t round_trip_us; };
/** Source names of our tracks, with a space between them. */
struct sources_refused { jmeet_source_refusal why; jmeet_media_path path; std::string_view source_names, condition, text; };
struct start_muted { bool audio, video; };
/** Who had us muted: none, and an empty id, when the focus did it by itself. */
struct muted_by { jmeet::participant participant; std::string_view endpoint_id; jmeet_mute_kind kind; };
struct restart_refused { std::string_view condition; };
/** As in jmeet_participant_stats_info, with its numbers. */
struct participant_stats { jmeet::participant participant; std::string_view endpoint_id, server_region; jmeet_participant_stats_info raw; };
struct local_stats { jmeet_local_stats raw; };
struct downlink { std::uint64_t bits_per_second; };
struct bridge_changed { bool available; };
struct tone { jmeet::participant participant; jmeet::track track; std::string_view endpoint_id; char key; };
struct key_frame_wanted { jmeet::track track; std::uint32_t encoding; };
struct target_bitrate { jmeet::track track; std::uint32_t encoding; std::uint64_t bits_per_second; std::uint32_t height; };
struct codec_wanted { jmeet::track track; jmeet_codec codec; };
struct bandwidth { std::uint64_t bits_per_second; };
struct timeline { jmeet_timeline_stage stage; std::uint64_t time_us; };
struct overrun { std::uint64_t dropped; };
struct closed { jmeet::error why; };

/** Something that happened to a client. */
class event {
public:
    explicit event(jmeet_event *taken = nullptr) noexcept : handle_(taken) {}
    jmeet_event *get() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    jmeet_event_kind type() const noexcept { return static_cast<jmeet_event_kind>(jmeet_event_type(get())); }
    jmeet_client *client() const noexcept { return jmeet_event_client(get()); }
    jmeet_conference *conference() const noexcept { return jmeet_event_conference(get()); }
    std::uint64_t user_value() const noexcept { return jmeet_event_user_value(get()); }
    std::uint64_t tag() const noexcept { return jmeet_event_tag(get()); }
    jmeet_status status() const noexcept { return jmeet_event_status(get()); }
    jmeet::error error() const {
        jmeet_error_info info = JMEET_ERROR_INFO_INIT;
        return jmeet_event_error(get(), &info) == JMEET_OK ? detail::from(info) : detail::failure(JMEET_ERR_INVALID_HANDLE, nullptr);
    }
    /** What it says, if it is one of these; its views live as long as the event. */
    template <typename T> std::optional<T> get() const { return detail::reads<T>::read(*this); }
    /** The same event once more, for another owner; what it says lives as long as any of them. None, of none. */
    event retain() const noexcept { return event(jmeet_event_retain(get()) == JMEET_OK ? get() : nullptr); }

private:
    detail::owned<jmeet_event, jmeet_event_free> handle_;
};

namespace detail {

template <typename Info> bool fill(jmeet_status (*accessor)(const jmeet_event *, Info *), const event &e, Info &info) {
    info = Info();
    info.struct_size = sizeof info;
    return accessor(e.get(), &info) == JMEET_OK;
}

/** For what is one struct of the C header: its accessor, and how its fields come over. */
#define JMEET_HPP_READS(type_, kind_, accessor_, info_, ...)                                          \
    template <> struct reads<type_> {                                                                 \
        static std::optional<type_> read(const event &e) {                                            \
            info_ i;                                                                                  \
            if (e.type() != kind_ || !fill(accessor_, e, i)) return std::nullopt;                     \
            return type_ __VA_ARGS__;                                                                 \
        }                                                                                             \
    };

inline participant_info from(const jmeet_participant_info &i) {
    return {i.participant, i.key, view(i.endpoint_id), view(i.display_name), view(i.real_jid), view(i.features),
            static_cast<jmeet_role>(i.role), i.raised_hand_ms, i.changed};
}
inline track_info from(const jmeet_track_info &i) {
    return {i.track, i.participant, i.key, view(i.endpoint_id), view(i.source_name), static_cast<jmeet_media>(i.media),
            static_cast<jmeet_video_type>(i.video_type), i.muted, i.local, static_cast<jmeet_codec>(i.codec)};
}

JMEET_HPP_READS(state_changed, JMEET_EVENT_STATE, jmeet_event_state, jmeet_state_info, {static_cast<jmeet_state>(i.state)})
JMEET_HPP_READS(joined, JMEET_EVENT_JOINED, jmeet_event_joined, jmeet_joined_info, {view(i.endpoint_id), static_cast<jmeet_role>(i.role)})
JMEET_HPP_READS(participant_joined, JMEET_EVENT_PARTICIPANT_JOINED, jmeet_event_participant, jmeet_participant_info, {from(i)})
JMEET_HPP_READS(participant_updated, JMEET_EVENT_PARTICIPANT_UPDATED, jmeet_event_participant, jmeet_participant_info, {from(i)})
JMEET_HPP_READS(role_changed, JMEET_EVENT_ROLE, jmeet_event_role, jmeet_role_info, {static_cast<jmeet_role>(i.role)})
JMEET_HPP_READS(message, JMEET_EVENT_MESSAGE, jmeet_event_message, jmeet_message_info,
                {i.participant, view(i.endpoint_id), view(i.display_name), view(i.text), view(i.id), i.is_private, i.delayed, i.sent_ms})
JMEET_HPP_READS(subject_changed, JMEET_EVENT_SUBJECT, jmeet_event_subject, jmeet_subject_info, {view(i.subject)})
JMEET_HPP_READS(track_added, JMEET_EVENT_TRACK_ADDED, jmeet_event_track, jmeet_track_info, {from(i)})
JMEET_HPP_READS(track_updated, JMEET_EVENT_TRACK_UPDATED, jmeet_event_track, jmeet_track_info, {from(i)})
JMEET_HPP_READS(track_removed, JMEET_EVENT_TRACK_REMOVED, jmeet_event_track, jmeet_track_info, {from(i)})
JMEET_HPP_READS(focus_changed, JMEET_EVENT_FOCUS, jmeet_event_focus, jmeet_focus_info, {i.present})
JMEET_HPP_READS(bridge_changed, JMEET_EVENT_BRIDGE, jmeet_event_bridge, jmeet_bridge_info, {i.available})
JMEET_HPP_READS(media_changed, JMEET_EVENT_MEDIA, jmeet_event_media, jmeet_media_info,
                {static_cast<jmeet_media_path>(i.path), static_cast<jmeet_media_state>(i.state), i.by_peer, view(i.endpoint_id), view(i.reason), view(i.text),
                 static_cast<jmeet_status>(i.status)})
JMEET_HPP_READS(bridge_channel, JMEET_EVENT_BRIDGE_CHANNEL, jmeet_event_bridge_channel, jmeet_bridge_channel_info,
                {static_cast<jmeet_bridge_channel>(i.state)})
JMEET_HPP_READS(speaker, JMEET_EVENT_SPEAKER, jmeet_event_speaker, jmeet_speaker_info,
                {i.participant, view(i.endpoint_id), view(i.previous), i.silence, i.only_previous})
JMEET_HPP_READS(endpoint_message, JMEET_EVENT_ENDPOINT_MESSAGE, jmeet_event_endpoint_message, jmeet_endpoint_message_info,
                {i.participant, view(i.endpoint_id), view(i.payload), i.is_private})
JMEET_HPP_READS(track_forwarded, JMEET_EVENT_TRACK_FORWARDED, jmeet_event_track_forwarded, jmeet_track_forwarded_info,
                {i.track, i.forwarded, static_cast<jmeet_suspended>(i.suspended)})
JMEET_HPP_READS(track_streaming, JMEET_EVENT_TRACK_STREAMING, jmeet_event_track_streaming, jmeet_track_streaming_info,
                {i.track, static_cast<jmeet_streaming>(i.streaming), static_cast<jmeet_suspended>(i.suspended)})
JMEET_HPP_READS(connectivity, JMEET_EVENT_CONNECTIVITY, jmeet_event_connectivity, jmeet_connectivity_info,
                {i.participant, view(i.endpoint_id), i.active})
JMEET_HPP_READS(round_trip, JMEET_EVENT_ROUND_TRIP, jmeet_event_round_trip, jmeet_round_trip_info,
                {i.participant, view(i.endpoint_id), i.round_trip_us})
JMEET_HPP_READS(sources_refused, JMEET_EVENT_SOURCES_REFUSED, jmeet_event_sources_refused, jmeet_sources_refused_info,
                {static_cast<jmeet_source_refusal>(i.why), static_cast<jmeet_media_path>(i.path), view(i.source_names), view(i.condition), view(i.text)})
JMEET_HPP_READS(start_muted, JMEET_EVENT_START_MUTED, jmeet_event_start_muted, jmeet_start_muted_info, {i.audio, i.video})
JMEET_HPP_READS(muted_by, JMEET_EVENT_MUTED_BY, jmeet_event_muted_by, jmeet_muted_by_info,
                {i.participant, view(i.endpoint_id), static_cast<jmeet_mute_kind>(i.kind)})
JMEET_HPP_READS(restart_refused, JMEET_EVENT_RESTART_REFUSED, jmeet_event_restart_refused, jmeet_restart_refused_info, {view(i.condition)})
JMEET_HPP_READS(participant_stats, JMEET_EVENT_PARTICIPANT_STATS, jmeet_event_participant_stats, jmeet_participant_stats_info,
                {i.participant, view(i.endpoint_id), view(i.server_region), i})
JMEET_HPP_READS(local_stats, JMEET_EVENT_LOCAL_STATS, jmeet_event_local_stats, jmeet_local_stats, {i})
JMEET_HPP_READS(downlink, JMEET_EVENT_DOWNLINK, jmeet_event_downlink, jmeet_downlink_info, {i.bits_per_second})
JMEET_HPP_READS(tone, JMEET_EVENT_TONE, jmeet_event_tone, jmeet_tone_info, {i.participant, i.track, view(i.endpoint_id), static_cast<char>(i.key)})
JMEET_HPP_READS(key_frame_wanted, JMEET_EVENT_KEY_FRAME_WANTED, jmeet_event_key_frame_wanted, jmeet_key_frame_wanted_info, {i.track, i.encoding})
JMEET_HPP_READS(target_bitrate, JMEET_EVENT_TARGET_BITRATE, jmeet_event_target_bitrate, jmeet_target_bitrate_info,
                {i.track, i.encoding, i.bits_per_second, i.height})
JMEET_HPP_READS(codec_wanted, JMEET_EVENT_CODEC_WANTED, jmeet_event_codec_wanted, jmeet_codec_wanted_info, {i.track, static_cast<jmeet_codec>(i.codec)})
JMEET_HPP_READS(bandwidth, JMEET_EVENT_BANDWIDTH, jmeet_event_bandwidth, jmeet_bandwidth_info, {i.bits_per_second})
JMEET_HPP_READS(timeline, JMEET_EVENT_TIMELINE, jmeet_event_timeline, jmeet_timeline_info, {static_cast<jmeet_timeline_stage>(i.stage), i.time_us})
JMEET_HPP_READS(overrun, JMEET_EVENT_OVERRUN, jmeet_event_overrun, jmeet_overrun_info, {i.dropped})
#undef JMEET_HPP_READS

template <> struct reads<participant_left> {
    static std::optional<participant_left> read(const event &e) {
        jmeet_participant_info who;
        jmeet_participant_left_info how;
        if (!fill(jmeet_event_participant_left, e, how) || !fill(jmeet_event_participant, e, who)) return std::nullopt;
        return participant_left{from(who), how.kicked, how.vanished, how.we_left, view(how.reason)};
    }
};
template <> struct reads<request_done> {
    static std::optional<request_done> read(const event &e) {
        if (e.type() != JMEET_EVENT_REQUEST_DONE) return std::nullopt;
        return request_done{e.tag(), e.error()};
    }
};
template <> struct reads<closed> {
    static std::optional<closed> read(const event &e) {
        if (e.type() != JMEET_EVENT_CLOSED) return std::nullopt;
        return closed{e.error()};
    }
};
template <> struct reads<bridge_offered> {
    static std::optional<bridge_offered> read(const event &e) {
        if (e.type() != JMEET_EVENT_BRIDGE_OFFERED) return std::nullopt;
        return bridge_offered{};
    }
};

} // namespace detail

/** What was known of somebody at one moment; its views live as long as any copy of it. */
class participant_snapshot : public participant_info {
private:
    friend class participant;
    using list = detail::owned<jmeet_participant_list, jmeet_participant_list_free>;
    participant_snapshot(const participant_info &said, list from)
        : participant_info(said), keep_(std::make_shared<list>(std::move(from))) {}
    std::shared_ptr<list> keep_;
};

inline result<participant_snapshot> participant::info() const {
    jmeet_participant_list *taken = nullptr;
    jmeet_status status = jmeet_participant_list_new(handle_, &taken);
    if (status != JMEET_OK) return detail::failure(status, nullptr);
    participant_snapshot::list keep(taken);
    jmeet_participant_info info = JMEET_PARTICIPANT_INFO_INIT;
    status = jmeet_participant_list_get(taken, 0, &info);
    if (status != JMEET_OK) return detail::failure(status, nullptr);
    return participant_snapshot(detail::from(info), std::move(keep));
}

inline result<track_info> track::info() const {
    jmeet_track_info info = JMEET_TRACK_INFO_INIT;
    const jmeet_status status = jmeet_track_get(handle_, &info);
    if (status != JMEET_OK) return detail::failure(status, nullptr);
    return detail::from(info);
}

/** A queue of events. `for (auto event : queue)` ends when every client that joined through this header has closed. */
class queue {
public:
    /** Throws where make() would fail. */
    queue() : queue(make().value()) {}
    static result<queue> make() {
        jmeet_queue *handle = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_queue_new(nullptr, &handle, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return queue(handle);
    }
    jmeet_queue *get() const noexcept { return handle_.get(); }
    /** The next event, or none within `timeout_ms` (negative: for ever) or because the queue ended. */
    event next(std::int32_t timeout_ms = JMEET_FOREVER) {
        jmeet_event *taken = nullptr;
        if (jmeet_queue_next(get(), timeout_ms, &taken) != JMEET_OK) return event();
        event out(taken);
        if (out.type() == JMEET_EVENT_CLOSED) --*open_;
        return out;
    }

    /** Readable while an event waits: then call next(0) until there is none. It belongs to the queue. */
    result<std::intptr_t> fd() const {
        std::intptr_t out = -1;
        const jmeet_status status = jmeet_queue_fd(get(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return out;
    }
    /** Called when the queue stops being empty; none: no more. It signals and calls nothing of the library. Set by one thread at a time. */
    result<void> set_wakeup(std::function<void()> wakeup) { return detail::done(handle_.get_deleter().set(get(), std::move(wakeup))); }
    /** Gets every event instead of next(), on a thread of its own; none: no more. It may keep the event, and end clients and this queue. */
    result<void> set_callback(std::function<void(event)> callback) {
        if (!callback) return detail::done(jmeet_queue_set_callback(get(), nullptr, nullptr, nullptr));
        auto kept = std::make_unique<listener>(listener{std::move(callback), open_});
        const jmeet_status status = jmeet_queue_set_callback(get(), listener::call, kept.get(), listener::destroy);
        if (status == JMEET_OK) kept.release(); // destroy() takes it
        return detail::done(status);
    }

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = event;
        using difference_type = std::ptrdiff_t;
        using pointer = event *;
        using reference = event;
        explicit iterator(queue *from = nullptr) : from_(from) { ++*this; }
        event operator*() { return std::move(now_); }
        iterator &operator++() {
            if (from_) now_ = *from_->open_ > 0 ? from_->next() : event();
            if (!now_) from_ = nullptr;
            return *this;
        }
        friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.from_ == b.from_; }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.from_ != b.from_; }

    private:
        queue *from_;
        event now_;
    };
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

private:
    friend class client;
    struct listener {
        std::function<void(event)> callback;
        std::shared_ptr<std::atomic<int>> open;

        static void call(jmeet_event *lent, void *user) noexcept {
            listener &self = *static_cast<listener *>(user);
            if (jmeet_event_type(lent) == JMEET_EVENT_CLOSED) --*self.open;
            if (jmeet_event_retain(lent) == JMEET_OK) self.callback(event(lent));
        }
        static void destroy(void *user) noexcept { delete static_cast<listener *>(user); }
    };
    explicit queue(jmeet_queue *handle) : handle_(handle), open_(std::make_shared<std::atomic<int>>(0)) {}
    detail::woken<jmeet_queue, jmeet_queue_set_wakeup, jmeet_queue_free> handle_;
    std::shared_ptr<std::atomic<int>> open_; /* clients that joined and have not closed */
};

/** A frame of somebody; its views live until the next call on its reader, or as long as the kept_frame that it was read from. */
struct frame : jmeet_frame {
    frame() noexcept : jmeet_frame() { struct_size = sizeof(jmeet_frame); }
    std::string_view endpoint() const noexcept { return detail::view(endpoint_id); }
    std::string_view source() const noexcept { return detail::view(source_name); }
    bool has(std::uint32_t field) const noexcept { return (fields & field) != 0; }
};

/** A frame that outlives its reader. */
class kept_frame {
public:
    explicit kept_frame(jmeet_frame_ref *taken) noexcept : handle_(taken) {}
    jmeet_frame_ref *get() const noexcept { return handle_.get(); }
    result<frame> read() const {
        frame out;
        const jmeet_status status = jmeet_frame_get(get(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return out;
    }

private:
    detail::owned<jmeet_frame_ref, jmeet_frame_release> handle_;
};

/** Frames of one track, or of everybody. One thread at a time. */
class reader {
public:
    explicit reader(jmeet_reader *taken) noexcept : handle_(taken) {}
    jmeet_reader *get() const noexcept { return handle_.get(); }
    /** JMEET_OK, JMEET_ERR_TIMEOUT, or JMEET_ERR_CLOSED at the end. */
    jmeet_status next(frame &out, std::int32_t timeout_ms = JMEET_FOREVER) noexcept {
        out.struct_size = sizeof(jmeet_frame);
        return jmeet_reader_next(get(), timeout_ms, &out);
    }
    /** Keeps the frame that next() gave last. */
    result<kept_frame> retain() const {
        jmeet_frame_ref *out = nullptr;
        const jmeet_status status = jmeet_frame_retain(get(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return kept_frame(out);
    }
    /** Readable while a frame waits, or the end: then call next(…, 0) until JMEET_ERR_TIMEOUT. It belongs to the reader. */
    result<std::intptr_t> fd() const {
        std::intptr_t out = -1;
        const jmeet_status status = jmeet_reader_fd(get(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return out;
    }
    /** Called when a frame arrives, or the end; none: no more. It signals and calls nothing of the library. Set by one thread at a time. */
    result<void> set_wakeup(std::function<void()> wakeup) { return detail::done(handle_.get_deleter().set(get(), std::move(wakeup))); }
    result<jmeet_reader_stats> stats() const {
        jmeet_reader_stats out = JMEET_READER_STATS_INIT;
        const jmeet_status status = jmeet_reader_get_stats(get(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return out;
    }

private:
    detail::woken<jmeet_reader, jmeet_reader_set_wakeup, jmeet_reader_free> handle_;
};

/** Writes frames of one of our tracks. */
class writer {
public:
    static result<writer> make(track of) {
        jmeet_writer *handle = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_writer_new(of.get(), nullptr, &handle, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return writer(handle);
    }
    jmeet_writer *get() const noexcept { return handle_.get(); }
    /** JMEET_ERR_MUTED, _NOT_READY and _FULL are everyday answers, so this one is a status. */
    jmeet_status write(const jmeet_outgoing_frame &frame) noexcept { return jmeet_writer_write(get(), &frame); }
    /** What the encoder does: what limits it, and the height of the largest picture that it makes; see jmeet_writer_set_limited. */
    jmeet_status set_limited(jmeet_limitation limitation, std::uint32_t height = 0) noexcept {
        return jmeet_writer_set_limited(get(), static_cast<std::uint32_t>(limitation), height);
    }
    jmeet_status write(const std::uint8_t *data, std::size_t size, std::uint32_t rtp_duration = 0) noexcept {
        jmeet_outgoing_frame out = JMEET_OUTGOING_FRAME_INIT;
        out.data = data;
        out.size = size;
        out.rtp_duration = rtp_duration;
        return write(out);
    }
    /** Counters of one encoding; waits for the client's thread, for `timeout_ms` at most. */
    result<jmeet_writer_stats> stats(std::uint32_t encoding = 0, std::int32_t timeout_ms = 1000) const {
        jmeet_writer_stats out = JMEET_WRITER_STATS_INIT;
        const jmeet_status status = jmeet_writer_get_stats(get(), encoding, timeout_ms, &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return out;
    }

private:
    explicit writer(jmeet_writer *taken) noexcept : handle_(taken) {}
    detail::owned<jmeet_writer, jmeet_writer_free> handle_;
};

/** Statistics of our own at one moment: what was summed up last, and every stream of every track as of now. */
struct statistics {
    jmeet_local_stats own = JMEET_LOCAL_STATS_INIT;
    std::vector<jmeet_track_stats> tracks; /**< Their strings live as long as any copy of this. */

private:
    friend class room;
    std::shared_ptr<detail::owned<jmeet_stats, jmeet_stats_free>> keep_;
};

/** A room; borrowed from its client. */
class room {
public:
    explicit room(jmeet_conference *handle = nullptr) noexcept : handle_(handle) {}
    jmeet_conference *get() const noexcept { return handle_; }
    result<void> send(std::string_view text, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_send_message(handle_, std::string(text).c_str(), tag, &why);
        return detail::done(status, why);
    }
    result<void> send_private(std::string_view endpoint_id, std::string_view text, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status =
            jmeet_conference_send_private_message(handle_, std::string(endpoint_id).c_str(), std::string(text).c_str(), tag, &why);
        return detail::done(status, why);
    }
    /** A JSON object to one endpoint through the bridge. */
    result<void> send_endpoint_message(std::string_view endpoint_id, std::string_view payload, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_send_endpoint_message(
            handle_, std::string(endpoint_id).c_str(), std::string(payload).c_str(), tag, &why);
        return detail::done(status, why);
    }
    /** A JSON object to all others through the bridge. */
    result<void> broadcast(std::string_view payload, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_send_endpoint_message(handle_, nullptr, std::string(payload).c_str(), tag, &why);
        return detail::done(status, why);
    }
    /** Which video the bridge is to send; nullptr: what is read. */
    result<void> set_receive(const jmeet_receive_options *options) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_set_receive(handle_, options, &why);
        return detail::done(status, why);
    }
    result<void> set_display_name(std::string_view name, std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_set_display_name(handle_, std::string(name).c_str(), tag, &why);
        return detail::done(status, why);
    }
    result<void> leave(std::uint64_t tag = 0) const {
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_leave(handle_, tag, &why);
        return detail::done(status, why);
    }
    std::string jid() const {
        jmeet_str out = {nullptr, 0};
        return jmeet_conference_room_jid(handle_, &out) == JMEET_OK ? std::string(detail::view(out)) : std::string();
    }
    /** Empty until we are in. */
    std::string endpoint_id() const {
        jmeet_str out = {nullptr, 0};
        return jmeet_conference_endpoint_id(handle_, &out) == JMEET_OK ? std::string(detail::view(out)) : std::string();
    }
    /** Everybody else now. */
    result<std::vector<participant>> participants() const { return people(jmeet_conference_list_participants); }
    /** All tracks now, ours included. */
    result<std::vector<track>> tracks() const {
        jmeet_track_list *list = nullptr;
        const jmeet_status status = jmeet_conference_list_tracks(handle_, &list);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        detail::owned<jmeet_track_list, jmeet_track_list_free> keep(list);
        std::vector<track> out;
        for (std::size_t n = 0; n < jmeet_track_list_size(list); n++) {
            jmeet_track_info info = JMEET_TRACK_INFO_INIT;
            if (jmeet_track_list_get(list, n, &info) == JMEET_OK && info.track) out.emplace_back(info.track);
        }
        return out;
    }
    /** Those of the others who spoke, the latest first. */
    result<std::vector<participant>> speakers() const { return people(jmeet_conference_list_speakers); }
    /** Statistics; waits for the client's thread, for `timeout_ms` at most. */
    result<statistics> stats(std::int32_t timeout_ms = 1000) const {
        jmeet_stats *taken = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_stats_new(handle_, timeout_ms, &taken, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        detail::owned<jmeet_stats, jmeet_stats_free> keep(taken);
        statistics out;
        jmeet_stats_get(taken, &out.own);
        for (std::size_t n = 0; n < jmeet_stats_size(taken); n++) {
            jmeet_track_stats one = JMEET_TRACK_STATS_INIT;
            if (jmeet_stats_get_track(taken, n, &one) == JMEET_OK) out.tracks.push_back(one);
        }
        out.keep_ = std::make_shared<detail::owned<jmeet_stats, jmeet_stats_free>>(std::move(keep));
        return out;
    }
    /** Who speaks now. */
    jmeet_speaking speaking() const noexcept {
        jmeet_speaking out = JMEET_SPEAKING_INIT;
        jmeet_conference_get_speaking(handle_, &out);
        return out;
    }
    /** By its endpoint id, or by the key that frames and infos carry. */
    result<participant> find_participant(const std::string &endpoint_id) const {
        jmeet_participant *out = nullptr;
        const jmeet_status status = jmeet_conference_find_participant(handle_, endpoint_id.c_str(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return participant(out);
    }
    result<participant> find_participant(std::uint64_t key) const {
        jmeet_participant *out = nullptr;
        const jmeet_status status = jmeet_conference_find_participant_by_key(handle_, key, &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return participant(out);
    }
    /** By its source name, or by the key that frames and infos carry. */
    result<track> find_track(const std::string &source_name) const {
        jmeet_track *out = nullptr;
        const jmeet_status status = jmeet_conference_find_track(handle_, source_name.c_str(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return track(out);
    }
    result<track> find_track(std::uint64_t key) const {
        jmeet_track *out = nullptr;
        const jmeet_status status = jmeet_conference_find_track_by_key(handle_, key, &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return track(out);
    }
    result<track> send_track(const jmeet_track_options &options, std::uint64_t tag = 0) const {
        jmeet_track *out = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_send_track(handle_, &options, tag, &out, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return track(out);
    }
    result<track> send_audio(std::uint64_t tag = 0) const { return send(JMEET_MEDIA_AUDIO, tag); }
    result<track> send_video(std::uint64_t tag = 0) const { return send(JMEET_MEDIA_VIDEO, tag); }
    /** Frames of everybody else. */
    result<reader> read(jmeet_media only = JMEET_MEDIA_UNSPECIFIED) const {
        jmeet_reader_options options = JMEET_READER_OPTIONS_INIT;
        options.media = only;
        jmeet_reader *out = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_conference_reader_new(handle_, &options, &out, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return reader(out);
    }
    /** Frames of one track. */
    result<reader> read(track of) const {
        jmeet_reader *out = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_reader_new(of.get(), nullptr, &out, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return reader(out);
    }

private:
    result<std::vector<participant>> people(jmeet_status (*list_of)(const jmeet_conference *, jmeet_participant_list **)) const {
        jmeet_participant_list *list = nullptr;
        const jmeet_status status = list_of(handle_, &list);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        detail::owned<jmeet_participant_list, jmeet_participant_list_free> keep(list);
        std::vector<participant> out;
        for (std::size_t n = 0; n < jmeet_participant_list_size(list); n++) {
            jmeet_participant_info info = JMEET_PARTICIPANT_INFO_INIT;
            if (jmeet_participant_list_get(list, n, &info) == JMEET_OK && info.participant) out.emplace_back(info.participant);
        }
        return out;
    }
    result<track> send(jmeet_media media, std::uint64_t tag) const {
        jmeet_track_options options = JMEET_TRACK_OPTIONS_INIT;
        options.media = media;
        return send_track(options, tag);
    }
    jmeet_conference *handle_;
};

/** Everything about a client; address and room are enough. What has no setter here is a field of raw(). */
class options {
public:
    options(std::string url, std::string room) {
        set(&jmeet_client_options::url, std::move(url));
        set(&jmeet_client_options::room, std::move(room));
    }
    options &display_name(std::string s) { return set(&jmeet_client_options::display_name, std::move(s)); }
    options &domain(std::string s) { return set(&jmeet_client_options::domain, std::move(s)); }
    options &token(std::string s) { return set(&jmeet_client_options::token, std::move(s)); }
    options &username(std::string s) { return set(&jmeet_client_options::username, std::move(s)); }
    options &password(std::string s) { return set(&jmeet_client_options::password, std::move(s)); }
    options &room_password(std::string s) { return set(&jmeet_client_options::room_password, std::move(s)); }
    options &extra_ca_pem(std::string s) { return set(&jmeet_client_options::extra_ca_pem, std::move(s)); }
    /** Runs on these threads instead of its own. */
    options &runtime(const jmeet::runtime &shared) {
        raw_.runtime = shared.get();
        return *this;
    }
    /** Any other text of the C options, copied: `set(&jmeet_client_options::muc, "…")`. */
    options &set(const char *jmeet_client_options::*field, std::string s) {
        texts_.emplace_back(field, std::move(s));
        return *this;
    }
    /** The fields that are no texts. */
    jmeet_client_options &raw() noexcept { return raw_; }
    /** As the C ABI takes it; its pointers live as long as this object is not changed. */
    jmeet_client_options c() const noexcept {
        jmeet_client_options out = raw_;
        for (const auto &text : texts_) out.*text.first = text.second.c_str();
        return out;
    }

private:
    jmeet_client_options raw_ = JMEET_CLIENT_OPTIONS_INIT;
    std::vector<std::pair<const char *jmeet_client_options::*, std::string>> texts_;
};

/** A participant: one connection and its main room. Its end leaves the meeting; close() leaves and waits. */
class client {
public:
    static result<client> make(queue &events, const options &how) {
        const jmeet_client_options raw = how.c();
        jmeet_client *handle = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_client_new(events.get(), &raw, &handle, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        return client(handle, events.open_);
    }
    jmeet_client *get() const noexcept { return handle_.get(); }
    /** Joins; with a `tag` its request_done says that we are in, or why not. */
    result<room> join(std::uint64_t tag = 0) {
        jmeet_conference *out = nullptr;
        jmeet_error *why = nullptr;
        const jmeet_status status = jmeet_client_join(get(), tag, &out, &why);
        if (status != JMEET_OK) return detail::failure(status, why);
        ++*open_;
        return room(out);
    }
    jmeet_state state() const noexcept { return static_cast<jmeet_state>(jmeet_client_state(get())); }
    /** The room again, as join() gave it. */
    result<room> conference() const {
        jmeet_conference *out = nullptr;
        const jmeet_status status = jmeet_client_conference(get(), &out);
        if (status != JMEET_OK) return detail::failure(status, nullptr);
        return room(out);
    }
    /** When it got so far, on the clock of now_us(); 0: not yet. */
    std::uint64_t timeline(jmeet_timeline_stage stage) const noexcept {
        std::uint64_t out = 0;
        jmeet_client_timeline(get(), stage, &out);
        return out;
    }
    /** What came from the server and was passed over; all zero if the client is none. */
    jmeet_client_stats stats() const noexcept {
        jmeet_client_stats out = JMEET_CLIENT_STATS_INIT;
        jmeet_client_get_stats(get(), &out);
        return out;
    }
    result<void> close(std::int32_t timeout_ms) { return detail::done(jmeet_client_close(get(), timeout_ms)); }

private:
    client(jmeet_client *handle, std::shared_ptr<std::atomic<int>> open) noexcept : handle_(handle), open_(std::move(open)) {}
    detail::owned<jmeet_client, jmeet_client_free> handle_;
    std::shared_ptr<std::atomic<int>> open_;
};

} // namespace jmeet

#endif
