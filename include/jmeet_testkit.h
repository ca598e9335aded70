/*
 * jmeet's testkit: a Jitsi deployment in a test tube, for the tests of programs that use jmeet.
 *
 * Generated from the library's source; do not edit. Apache-2.0 OR MIT.
 *
 * Only libraries built with the feature `testkit` have these functions. All rules of jmeet.h hold here too: handles, results,
 * strings, structs, threads.
 */


#ifndef JMEET_TESTKIT_H
#define JMEET_TESTKIT_H

#include <jmeet.h>

/**
 * A Jitsi deployment in a test tube: XMPP server over WebSocket on a free port of 127.0.0.1, rooms and focus, a videobridge where
 * the options ask for one, with faults by order. Clients need `allow_loopback` for media.
 *
 * Functions: `jmeet_testkit_new`, `_free`, `_url`, `_domain`, `_count_endpoints`, `_endpoint`, `_wait_for_endpoints`, `_cut`, `_silence`,
 * `_inject`, `_send_as`, `_end_stream`, `_refuse_login`, `_refuse_join`, `_clear_faults`, `_focus_not_ready`, `_refuse_conference`,
 * `_focus_leaves`, `_stop_focus`, `_start_focus`, `_destroy_room`, `_set_media_link`, `_media_counts`,
 * `_start_bridge`, `_kill_bridge`, `_count_bridge_endpoints`.
 */
typedef struct jmeet_testkit jmeet_testkit;

/** How a deployment is set up. */
typedef struct {
    uint32_t struct_size;
    /** Not 0: the server offers no stream management (XEP-0198). Either way a lost connection ends the meeting. */
    uint32_t no_stream_management;
    /** XMPP domain; NULL: "meet.localhost". */
    const char *domain;
    /** The one user that may log in, part before the `@`; NULL: login is anonymous. */
    const char *user;
    /** The user's password. */
    const char *password;
    /** Occupants of a room at most, the focus counted; 0: 512. */
    uint32_t max_occupants;
    /**
     * A videobridge on free ports of 127.0.0.1, over which everybody in a room gets a session as soon as so many are there, 2 as
     * with Jicofo or more; 0: no bridge, two participants talk peer to peer. Whether two talk peer to peer beside the bridge is the
     * clients' choice (`disable_p2p`).
     */
    uint32_t bridge_participants;
    /**
     * How clients reach the bridge's messages: `JMEET_BRIDGE_CHANNEL_DATA_CHANNEL` or `JMEET_BRIDGE_CHANNEL_WEBSOCKET`; 0: both are
     * offered.
     */
    uint32_t bridge_channel;
    /** Not 0: the SSRCs of senders are signalled to everybody, even to clients that would let the bridge choose. */
    uint32_t no_ssrc_rewriting;
    /** Not 0: sources are signalled as XML, even to clients that read JSON. */
    uint32_t no_json_sources;
    /** Zero. */
    uint32_t reserved;
} jmeet_testkit_options;

/** A bad link, the same in both directions. */
typedef struct {
    uint32_t struct_size;
    /** Every packet takes this long, in milliseconds. */
    uint32_t delay_ms;
    /** And up to this much longer, evenly spread: packets overtake each other. */
    uint32_t jitter_ms;
    /** Of a thousand packets so many are lost, 0 to 1000. */
    uint32_t loss_permille;
    /** Of a thousand packets so many come twice, 0 to 1000. */
    uint32_t duplicate_permille;
} jmeet_testkit_link;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_testkit_options_init(jmeet_testkit_options *options,
                                        size_t size);

/** Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it. */
jmeet_status jmeet_testkit_link_init(jmeet_testkit_link *link,
                                     size_t size);

/**
 * Starts a deployment with a thread of its own. `options` may be NULL. The deployment is the caller's, freed with
 * `jmeet_testkit_free`. Any thread; returns when the server listens, without waiting for any network.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
 */
jmeet_status jmeet_testkit_new(const jmeet_testkit_options *options,
                               jmeet_testkit **testkit,
                               jmeet_error **error);

/**
 * Stops a deployment; its clients lose their connections. Blocks until its thread has ended, which takes milliseconds; a call that
 * another thread is in ends first. NULL is fine. Any thread.
 *
 * Errors: `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_free(jmeet_testkit *testkit);

/**
 * The WebSocket URL that clients take, without a room. Lives as long as the deployment. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_url(const jmeet_testkit *testkit,
                               jmeet_str *url);

/**
 * The XMPP domain that clients take. Lives as long as the deployment. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_domain(const jmeet_testkit *testkit, jmeet_str *domain);

/**
 * How many endpoints are in a room (its name, without domain), the focus left out; 0 when there is no such room. Any thread; waits
 * for the server's thread, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_count_endpoints(const jmeet_testkit *testkit,
                                           const char *room,
                                           size_t *count);

/**
 * The id of endpoint number `index` of a room as it is now, from 0. Lives as long as the deployment. Any thread; waits for the
 * server's thread, which takes microseconds.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many. `JMEET_ERR_RESOURCES`: more than 60 different ids were asked for.
 * `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_endpoint(const jmeet_testkit *testkit,
                                    const char *room,
                                    size_t index,
                                    jmeet_str *endpoint_id);

/**
 * Waits until a room holds exactly `count` endpoints. Waits for `timeout_ms` at most (0: only looks; `JMEET_FOREVER`). Any thread.
 *
 * Errors: `JMEET_ERR_TIMEOUT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_wait_for_endpoints(const jmeet_testkit *testkit,
                                              const char *room,
                                              size_t count,
                                              int32_t timeout_ms);

/**
 * Cuts a client's socket without a word. `who` is its endpoint id in some room, or its address. Any thread; returns when the server
 * has done it, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_cut(jmeet_testkit *testkit,
                               const char *who);

/**
 * Lets nothing pass between server and client any more while the socket stays open, or with `silent` 0 lets it pass again. `who`,
 * threads, blocking and errors: as `jmeet_testkit_cut`.
 */
jmeet_status jmeet_testkit_silence(jmeet_testkit *testkit,
                                   const char *who,
                                   uint32_t silent);

/**
 * Sends a frame to a client as it stands: stray, spoofed and broken stanzas. `who`, threads, blocking and errors: as
 * `jmeet_testkit_cut`.
 */
jmeet_status jmeet_testkit_inject(jmeet_testkit *testkit,
                                  const char *who,
                                  const char *frame);

/**
 * Handles a stanza as if the client had sent it: a participant that does what this library would not. What is not XML is ignored.
 * `who`, threads, blocking and errors: as `jmeet_testkit_cut`.
 */
jmeet_status jmeet_testkit_send_as(jmeet_testkit *testkit,
                                   const char *who,
                                   const char *stanza);

/**
 * Ends a client's stream with a stream error ("conflict", "system-shutdown" …). `who`, threads and blocking: as `jmeet_testkit_cut`.
 *
 * Errors: as `jmeet_testkit_cut`, and `JMEET_ERR_INVALID_ARGUMENT`: not the name of a condition.
 */
jmeet_status jmeet_testkit_end_stream(jmeet_testkit *testkit,
                                      const char *who,
                                      const char *condition);

/**
 * Refuses logins from now on with a SASL condition ("not-authorized", "account-disabled" …) and `words` for people, which may be
 * NULL. A NULL `condition` lets them in again. Any thread; returns when the server knows it, which takes microseconds.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`: not the name of a condition. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_refuse_login(jmeet_testkit *testkit,
                                        const char *condition,
                                        const char *words);

/**
 * Refuses joins from now on with a stanza condition, as rooms do: "not-authorized" (a password is wanted), "not-allowed",
 * "service-unavailable" (full), "registration-required" (members only), "conflict" …, and `words` for people, which may be NULL.
 * After `times` refusals joins are let in again; 0: never. A NULL `condition` lets them in at once. Any thread; returns when the
 * server knows it, which takes microseconds.
 *
 * Errors: as `jmeet_testkit_refuse_login`.
 */
jmeet_status jmeet_testkit_refuse_join(jmeet_testkit *testkit,
                                       const char *condition,
                                       const char *words,
                                       uint32_t times);

/**
 * Logins and joins are let in again, and the focus does its work, if it was not stopped. Any thread; returns when the server knows
 * it, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_clear_faults(jmeet_testkit *testkit);

/**
 * The focus answers the next `times` conference requests that it is not ready yet. Any thread; returns when the server knows it,
 * which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_focus_not_ready(jmeet_testkit *testkit,
                                           uint32_t times);

/**
 * The focus refuses conference requests from now on with a stanza condition ("not-authorized", "not-acceptable" …). A NULL
 * `condition` makes it do its work again. Any thread; returns when the server knows it, which takes microseconds.
 *
 * Errors: as `jmeet_testkit_refuse_login`.
 */
jmeet_status jmeet_testkit_refuse_conference(jmeet_testkit *testkit,
                                             const char *condition);

/**
 * The focus leaves all rooms, and comes back when it is asked. Any thread; returns when it has, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_focus_leaves(jmeet_testkit *testkit);

/**
 * The focus is killed; requests are answered "service-unavailable". Any thread; returns when it is, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_stop_focus(jmeet_testkit *testkit);

/**
 * A new focus, which knows nothing of what was. Any thread; returns when it is there, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_start_focus(jmeet_testkit *testkit);

/**
 * Destroys a room (its name, without domain), as a moderator who ends the meeting for all; `reason` may be NULL. Any thread; returns
 * when it is gone, which takes microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_destroy_room(jmeet_testkit *testkit,
                                        const char *room,
                                        const char *reason);

/**
 * Puts a bad link between participants that meet from now on, and between them and the bridge: their media passes through it. Called
 * again it changes the link, also for media under way. Any thread; returns when the server knows it, which takes microseconds.
 *
 * Errors: `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
 */
jmeet_status jmeet_testkit_set_media_link(jmeet_testkit *testkit,
                                          const jmeet_testkit_link *link);

/**
 * How many datagrams the bad link let pass and how many it lost so far. Any thread; does not block.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_media_counts(const jmeet_testkit *testkit, uint64_t *passed, uint64_t *dropped);

/**
 * The bridge is killed: its sockets close, the focus ends everybody's session with it ("moving") and shows that it has no bridge. Any
 * thread; returns when it is dead, which takes microseconds. Nothing happens where there is none.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_kill_bridge(jmeet_testkit *testkit);

/**
 * A new bridge, in the place of one that was killed or that runs: everybody who is to have a session gets a new one. Any thread;
 * returns when it listens, without waiting for any network.
 *
 * Errors: `JMEET_ERR_STATE`: the options asked for none. `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_start_bridge(jmeet_testkit *testkit);

/**
 * How many endpoints the bridge holds, of all rooms; 0 when there is no bridge. Any thread; waits for the server's thread, which takes
 * microseconds.
 *
 * Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
 */
jmeet_status jmeet_testkit_count_bridge_endpoints(const jmeet_testkit *testkit,
                                                  size_t *count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/** A `jmeet_testkit_options` with every field at its default. */
#define JMEET_TESTKIT_OPTIONS_INIT \
    { (uint32_t)sizeof(jmeet_testkit_options), 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0 }

/** A `jmeet_testkit_link` with every field at its default. */
#define JMEET_TESTKIT_LINK_INIT \
    { (uint32_t)sizeof(jmeet_testkit_link), 0, 0, 0, 0 }

#endif  /* JMEET_TESTKIT_H */
