// Joins a meeting, prints its events, sends an Ogg Opus file, counts what each participant sends, and leaves.
//
//     c++ -std=c++17 -I include examples/cpp/join.cpp -ljmeet -o join && ./join wss://meet.example/xmpp-websocket standup hello.ogg
//
// A fourth argument is the XMPP domain, where that is not the host; then media over loopback is allowed too, for tests.
#include <jmeet.hpp>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <thread>

using bytes = std::vector<std::uint8_t>;

// The packets of an Ogg Opus file (RFC 3533 §6, RFC 7845): pages hold segments of up to 255 bytes; a shorter one ends a packet.
static std::vector<bytes> opus_packets(const bytes &file) {
    std::vector<bytes> packets(1);
    for (std::size_t at = 0; at + 27 <= file.size();) {
        if (std::string_view(reinterpret_cast<const char *>(&file[at]), 4) != "OggS") throw std::runtime_error("not an Ogg file");
        const std::size_t sizes = at + 27, segments = file[at + 26];
        at = sizes + segments;
        if (at > file.size()) throw std::runtime_error("the file ends inside a page");
        for (std::size_t n = 0; n < segments; n++) {
            const std::size_t size = file[sizes + n];
            if (size > file.size() - at) throw std::runtime_error("the file ends inside a packet");
            packets.back().insert(packets.back().end(), &file[0] + at, &file[0] + at + size);
            at += size;
            if (size < 255) packets.emplace_back();
        }
    }
    packets.pop_back();
    if (packets.size() < 3) throw std::runtime_error("there is no Opus in it");
    packets.erase(packets.begin(), packets.begin() + 2); // OpusHead and OpusTags
    return packets;
}

static void send(jmeet::room room, jmeet::writer writer, const std::vector<bytes> &packets) {
    auto due = std::chrono::steady_clock::now();
    std::size_t sent = 0;
    for (std::size_t n = 0; n < packets.size();) {
        std::this_thread::sleep_until(due += std::chrono::milliseconds(20));
        const jmeet_status status = writer.write(packets[n].data(), packets[n].size());
        if (status == JMEET_OK) sent++;
        else if (status != JMEET_ERR_NOT_READY && status != JMEET_ERR_FULL) return; // the meeting is over
        if (sent > 0) n++; // it begins when somebody receives
    }
    std::cout << "sent " << sent << " packets" << std::endl;
    if (auto left = room.leave(); !left) std::cerr << left.error().message() << '\n';
}

static int run(char **argv, int argc) {
    std::ifstream file(argv[3], std::ios::binary);
    const auto packets = opus_packets(bytes(std::istreambuf_iterator<char>(file), {}));
    auto options = jmeet::options(argv[1], argv[2]).display_name("C++");
    if (argc > 4) {
        options.domain(argv[4]);
        options.raw().allow_loopback = 1;
    }
    jmeet::queue queue;
    auto client = jmeet::client::make(queue, options).value();
    auto room = client.join().value();
    auto reader = room.read().value();
    std::map<std::string, unsigned long> heard;
    std::thread sending(send, room, jmeet::writer::make(room.send_audio().value()).value(), std::cref(packets));
    std::thread hearing([&] {
        jmeet::frame frame;
        while (reader.next(frame) == JMEET_OK) heard[std::string(frame.source())]++;
    });
    int failed = 1;
    for (auto event : queue) {
        if (event.get<jmeet::joined>()) std::cout << "joined" << std::endl;
        if (auto here = event.get<jmeet::participant_joined>()) std::cout << here->display_name << " is here" << std::endl;
        if (auto left = event.get<jmeet::participant_left>()) std::cout << left->display_name << " left" << std::endl;
        if (auto said = event.get<jmeet::message>()) std::cout << said->display_name << ": " << said->text << std::endl;
        if (auto end = event.get<jmeet::closed>()) {
            failed = end->why.code != JMEET_OK;
            if (failed) std::cerr << end->why.message() << '\n';
        }
    }
    sending.join();
    hearing.join();
    for (const auto &[source, frames] : heard) std::cout << "heard " << frames << " frames of " << source << '\n';
    return failed;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        std::cerr << "usage: join URL ROOM FILE.ogg [DOMAIN]\n";
        return 2;
    }
    try {
        return run(argv, argc);
    } catch (const std::exception &why) {
        std::cerr << why.what() << '\n';
        return 1;
    }
}
