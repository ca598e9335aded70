//! The engine and str0m, both machines, on a virtual path of 20 ms: both ICE and DTLS roles, media both ways, repairs both
//! ways, key-frame requests both ways, and a data channel as with the bridge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jmeet::Time;
use jmeet::media::peer::*;
use jmeet_peers::*;
use str0m::channel::ChannelId;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionValues, RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate as TheirCandidate, Event as TheirEvent, IceCreds, Input, Output as TheirOutput, Rtc, RtcConfig};

const DELAY: Duration = Duration::from_millis(20);
const OUR_AUDIO: u32 = 10;
const OUR_VIDEO: u32 = 20;
const OUR_RTX: u32 = 21;
const THEIR_AUDIO: u32 = 110;
const THEIR_VIDEO: u32 = 120;
const THEIR_RTX: u32 = 121;

struct Net {
    ours: Ours,
    theirs: Rtc,
    base: Instant,
    now: Time,
    addresses: [SocketAddr; 2],
    air: BTreeMap<(u64, u64), (bool, Vec<u8>)>,
    count: u64,
    their_deadline: u64,
    connected: bool,
    received: Vec<RtpPacket>,
    key_frames: usize,
    /// Their data channel, its label, and what came on it.
    channel: Option<(ChannelId, String)>,
    texts: Vec<String>,
    /// Any datagram may be lost, in percent.
    lose: u64,
    dice: u64,
    longest: usize,
    /// First transmissions of video that are lost, each n-th, by direction (ours first).
    lose_each: [u64; 2],
    firsts: [u64; 2],
    lost: [u64; 2],
}

fn their_config() -> RtcConfig {
    let mut c = RtcConfig::new()
        .set_rtp_mode(true)
        .clear_codecs()
        .clear_extension_map()
        .set_extension(1, Extension::AudioLevel)
        .set_extension(3, Extension::AbsoluteSendTime)
        .set_extension(5, Extension::TransportSequenceNumber);
    let opus = FormatParams { min_p_time: Some(10), use_inband_fec: Some(true), ..Default::default() };
    c.codec_config().add_config(AUDIO.into(), None, Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), opus);
    let none = FormatParams::default();
    c.codec_config().add_config(VIDEO.into(), Some(RTX.into()), Codec::Vp8, Frequency::NINETY_KHZ, None, none);
    c
}

impl Net {
    fn new(we_control: bool, our_role: DtlsRole) -> Net {
        let base = Instant::now();
        let now = Time::new(1_000_000, 1_800_000_000_000_000);
        let addresses: [SocketAddr; 2] = ["10.0.0.1:1000", "10.0.0.2:2000"].map(|a| a.parse().expect("address"));
        let mut ours = Ours::new(we_control, addresses[0], 7, now);
        let mut theirs = their_config().build(base + Duration::from_micros(now.mono_us));
        let candidate = TheirCandidate::host(addresses[1], "udp").expect("candidate");
        theirs.add_local_candidate(candidate);
        let t = ours.engine.local_transport();
        let (creds, fingerprint) = {
            let mut d = theirs.direct_api();
            d.set_ice_controlling(!we_control);
            d.set_remote_ice_credentials(IceCreds { ufrag: t.credentials.ufrag, pass: t.credentials.pwd });
            let f = format!("{} {}", t.fingerprint.hash, t.fingerprint.value);
            d.set_remote_fingerprint(f.parse().expect("fingerprint"));
            d.start_dtls(our_role == DtlsRole::Server).expect("dtls");
            d.enable_twcc_feedback();
            d.declare_media("a".into(), MediaKind::Audio);
            d.declare_media("v".into(), MediaKind::Video);
            d.declare_stream_tx(THEIR_AUDIO.into(), None, "a".into(), None).set_unpaced(true);
            d.declare_stream_tx(THEIR_VIDEO.into(), Some(THEIR_RTX.into()), "v".into(), None).set_unpaced(true);
            d.expect_stream_rx(OUR_AUDIO.into(), None, "a".into(), None);
            d.expect_stream_rx(OUR_VIDEO.into(), Some(OUR_RTX.into()), "v".into(), None);
            (d.local_ice_credentials(), d.local_dtls_fingerprint().to_string())
        };
        let (hash, value) = fingerprint.split_once(' ').expect("fingerprint");
        let remote = RemoteTransport {
            credentials: IceCredentials { ufrag: creds.ufrag, pwd: creds.pass },
            fingerprints: vec![Fingerprint { hash: hash.into(), value: value.into() }],
            dtls: our_role,
        };
        ours.engine.handle_command(Command::SetRemote(remote), now);
        let (address, kind) = (addresses[1], CandidateKind::Host);
        let c = Candidate { foundation: "1".into(), priority: 1, address, kind, related: None };
        ours.engine.handle_command(Command::AddRemoteCandidate(c), now);
        theirs.add_remote_candidate(TheirCandidate::host(addresses[0], "udp").expect("candidate"));
        for s in [
            Sender { ssrc: OUR_AUDIO, rtx: None, pt: AUDIO },
            Sender { ssrc: OUR_VIDEO, rtx: Some((OUR_RTX, RTX)), pt: VIDEO },
        ] {
            ours.engine.handle_command(Command::AddSender(s), now);
        }
        ours.engine.handle_command(Command::MapRtx { rtx: THEIR_RTX, primary: THEIR_VIDEO }, now);
        Net {
            ours,
            theirs,
            base,
            now,
            addresses,
            air: BTreeMap::new(),
            count: 0,
            their_deadline: now.mono_us,
            connected: false,
            received: vec![],
            key_frames: 0,
            channel: None,
            texts: vec![],
            lose: 0,
            dice: 1,
            longest: 0,
            lose_each: [0; 2],
            firsts: [0; 2],
            lost: [0; 2],
        }
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now.mono_us)
    }

    fn fly(&mut self, to_us: bool, data: Vec<u8>) {
        let side = usize::from(to_us);
        if data[0] >= 128 && data[1] & 0x7f == VIDEO && self.lose_each[side] > 0 {
            self.firsts[side] += 1;
            if self.firsts[side].is_multiple_of(self.lose_each[side]) {
                self.lost[side] += 1;
                return;
            }
        }
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (self.dice >> 33) % 100 < self.lose {
            return;
        }
        if !to_us {
            self.longest = self.longest.max(data.len());
        }
        self.count += 1;
        self.air.insert((self.now.mono_us + DELAY.as_micros() as u64, self.count), (to_us, data));
    }

    fn drain(&mut self) {
        for t in self.ours.drain() {
            self.fly(false, t.data);
        }
        loop {
            match self.theirs.poll_output().expect("str0m works") {
                TheirOutput::Timeout(t) => {
                    self.their_deadline = t.saturating_duration_since(self.base).as_nanos().div_ceil(1000) as u64;
                    return;
                }
                TheirOutput::Transmit(t) => self.fly(true, t.contents.to_vec()),
                TheirOutput::Event(TheirEvent::Connected) => self.connected = true,
                TheirOutput::Event(TheirEvent::RtpPacket(p)) => self.received.push(p),
                TheirOutput::Event(TheirEvent::KeyframeRequest(_)) => self.key_frames += 1,
                TheirOutput::Event(TheirEvent::ChannelOpen(id, label)) => self.channel = Some((id, label)),
                TheirOutput::Event(TheirEvent::ChannelData(d)) => {
                    assert!(!d.binary);
                    self.texts.push(String::from_utf8(d.data).expect("text"));
                }
                TheirOutput::Event(_) => {}
            }
        }
    }

    fn run(&mut self, time: Duration, mut done: impl FnMut(&Net) -> bool) {
        let until = self.now + time;
        loop {
            self.drain();
            if done(self) {
                return;
            }
            let mut next = self.their_deadline.max(self.now.mono_us + 100);
            next = next.min(self.air.first_key_value().map_or(u64::MAX, |(k, _)| k.0));
            next = next.min(self.ours.engine.next_deadline().map_or(u64::MAX, |t| t.mono_us));
            if next > until.mono_us {
                self.now = until;
                return;
            }
            self.now = self.now + Duration::from_micros(next.saturating_sub(self.now.mono_us));
            while let Some(d) = self.air.first_entry().filter(|d| d.key().0 <= self.now.mono_us) {
                let (to_us, data) = d.remove();
                if to_us {
                    self.ours.engine.handle_datagram(self.addresses[0], self.addresses[1], &data, self.now);
                } else if let Ok(contents) = data[..].try_into() {
                    let (source, destination) = (self.addresses[0], self.addresses[1]);
                    let r = Receive { proto: Protocol::Udp, source, destination, contents };
                    self.theirs.handle_input(Input::Receive(self.instant(), r)).expect("str0m takes it");
                }
                self.drain();
            }
            if self.ours.engine.next_deadline().is_some_and(|t| t <= self.now) {
                self.ours.engine.handle_timeout(self.now);
            }
            if self.their_deadline <= self.now.mono_us {
                self.theirs.handle_input(Input::Timeout(self.instant())).expect("str0m takes time");
            }
        }
    }

    fn send_theirs(&mut self, ssrc: u32, pt: u8, n: u32, ts: u32, len: usize, ext: ExtensionValues) {
        let now = self.instant();
        let mut d = self.theirs.direct_api();
        let s = d.stream_tx(&Ssrc::from(ssrc)).expect("declared");
        let w = RtpWrite::new(pt.into(), u64::from(1000 + n).into(), ts, now, vec![n as u8; len]);
        s.write_rtp(w.marker(true).ext_vals(ext).nackable(pt == VIDEO));
    }
}

fn all() -> impl Iterator<Item = (bool, DtlsRole)> {
    [false, true].into_iter().flat_map(|c| [DtlsRole::Client, DtlsRole::Server].map(|r| (c, r)))
}

#[test]
fn media_flows_both_ways_in_every_role() {
    for (control, role) in all() {
        let mut net = Net::new(control, role);
        net.run(Duration::from_secs(20), |n| n.connected && n.ours.secure);
        assert!(net.connected && net.ours.secure, "control {control} {role:?} {:?}", net.ours.engine.stats());
        for n in 0..100 {
            net.ours.engine.send_rtp(audio(OUR_AUDIO, n), net.now);
            net.ours.engine.send_rtp(video(OUR_VIDEO, n), net.now);
            let level = ExtensionValues { audio_level: Some(-30), voice_activity: Some(true), ..Default::default() };
            net.send_theirs(THEIR_AUDIO, AUDIO, n, n * 960, 80, level);
            net.send_theirs(THEIR_VIDEO, VIDEO, n, n * 3000, 1000, ExtensionValues::default());
            net.run(Duration::from_millis(20), |_| false);
        }
        net.run(Duration::from_secs(3), |_| false);
        let expected: Vec<u8> = (0..100).collect();
        for ssrc in [THEIR_AUDIO, THEIR_VIDEO] {
            assert_eq!(net.ours.in_order(ssrc), expected, "{ssrc} control {control} {role:?}");
        }
        let first = net.ours.received.iter().find(|p| p.ssrc == THEIR_AUDIO).expect("audio");
        assert_eq!(first.level, Some(AudioLevel { level: 30, voice: true }));
        for ssrc in [OUR_AUDIO, OUR_VIDEO] {
            let got: Vec<_> = net.received.iter().filter(|p| *p.header.ssrc == ssrc).collect();
            assert_eq!(
                got.iter().map(|p| p.payload[0]).collect::<Vec<_>>(),
                expected,
                "{ssrc} control {control} {role:?}"
            );
            if ssrc == OUR_AUDIO {
                assert_eq!(got[0].header.ext_vals.audio_level, Some(-30));
            }
        }
        let s = net.ours.engine.stats();
        assert_eq!((s.srtp_errors, s.nacks_out), (0, 0), "{s:?}");
        assert!(s.rtt.is_some_and(|r| (30..80).contains(&r.as_millis())), "{s:?}");
        assert!(s.transport_cc_in > 10 && s.transport_cc_out > 10 && net.ours.estimate.is_some(), "{s:?}");
        assert!(net.ours.reports.iter().any(|r| r.ssrc == THEIR_VIDEO));
    }
}

#[test]
fn losses_are_repaired_both_ways_by_rtx() {
    let mut net = Net::new(false, DtlsRole::Client);
    net.run(Duration::from_secs(20), |n| n.connected && n.ours.secure);
    // A stream's first packet must come, or nobody knows that it is missing.
    let both = |net: &mut Net, n| {
        net.ours.engine.send_rtp(video(OUR_VIDEO, n), net.now);
        net.send_theirs(THEIR_VIDEO, VIDEO, n, n * 3000, 1000, ExtensionValues::default());
        net.run(Duration::from_millis(20), |_| false);
    };
    for n in 0..10 {
        both(&mut net, n);
    }
    net.lose_each = [9, 7];
    for n in 10..240 {
        both(&mut net, n);
    }
    net.lose_each = [0; 2];
    for n in 240..250 {
        both(&mut net, n);
    }
    net.run(Duration::from_secs(3), |_| false);
    let expected: Vec<u8> = (0..250).map(|n| n as u8).collect();
    assert_eq!(net.ours.in_order(THEIR_VIDEO), expected);
    let mut got: Vec<_> = net.received.iter().map(|p| (*p.seq_no, p.payload[0])).collect();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.iter().map(|p| p.1).collect::<Vec<_>>(), expected);
    let s = net.ours.engine.stats();
    assert!(net.lost[0] > 20 && net.lost[1] > 20, "{:?}", net.lost);
    assert_eq!((s.recovered, s.unrecovered), (net.lost[1], 0), "{s:?}");
    assert!(s.rtx_out >= net.lost[0], "{s:?}");
}

#[test]
fn key_frames_are_asked_for_both_ways() {
    let mut net = Net::new(true, DtlsRole::Server);
    net.run(Duration::from_secs(20), |n| n.connected && n.ours.secure);
    net.ours.engine.send_rtp(video(OUR_VIDEO, 0), net.now);
    net.send_theirs(THEIR_VIDEO, VIDEO, 0, 0, 1000, ExtensionValues::default());
    net.run(Duration::from_millis(100), |_| false);
    net.ours.engine.handle_command(Command::RequestKeyFrame(THEIR_VIDEO), net.now);
    net.theirs.direct_api().send_pli_feedback(1u32.into(), OUR_VIDEO.into());
    net.run(Duration::from_secs(1), |_| false);
    assert_eq!(net.ours.key_frames, [OUR_VIDEO]);
    assert_eq!(net.key_frames, 1);
}

/// As the bridge does: they wait for our INIT and for our channel.
fn open_channel(net: &mut Net) {
    net.theirs.direct_api().start_sctp(false);
    let (label, protocol) = ("JVB data channel".into(), "http://jitsi.org/protocols/colibri".into());
    net.ours.engine.handle_command(Command::OpenChannel { label, protocol }, net.now);
    net.run(Duration::from_secs(30), |n| n.ours.channel_open == 1 && n.channel.is_some());
    assert_eq!(net.channel.as_ref().map(|c| c.1.as_str()), Some("JVB data channel"), "{:?}", net.ours.engine.stats());
}

#[test]
fn a_channel_opens_to_a_side_that_waits_and_carries_texts_through_loss() {
    for (lose, role) in [(0, DtlsRole::Client), (15, DtlsRole::Client), (15, DtlsRole::Server)] {
        let mut net = Net::new(false, role);
        net.lose = lose;
        open_channel(&mut net);
        let id = net.channel.as_ref().expect("open").0;
        let texts: Vec<String> = [0, 1, 50, 1171, 1200, 5000, 60_000].map(|n| "x".repeat(n)).into();
        for t in &texts {
            net.ours.engine.handle_command(Command::SendText(t.clone()), net.now);
            // An empty message of str0m's blocks its stream for good.
            if !t.is_empty() {
                let written = net.theirs.channel(id).expect("channel").write(false, t.as_bytes()).expect("fits");
                assert!(written, "{}", t.len());
            }
            net.run(Duration::from_secs(1), |_| false);
        }
        net.run(Duration::from_secs(200), |n| n.texts.len() == texts.len() && n.ours.texts.len() >= texts.len() - 1);
        assert_eq!(net.texts, texts, "loss {lose} {role:?}");
        assert_eq!(net.ours.texts, texts[1..], "loss {lose} {role:?}");
        assert!(net.longest <= 1232, "{}", net.longest);
        assert_eq!((net.ours.channel_closed, net.ours.failed), (0, None));
    }
}

#[test]
fn a_channel_that_they_close_is_told_closed_and_the_connection_goes_on() {
    let mut net = Net::new(false, DtlsRole::Client);
    open_channel(&mut net);
    let id = net.channel.as_ref().expect("open").0;
    net.theirs.direct_api().close_data_channel(id);
    net.run(Duration::from_secs(5), |n| n.ours.channel_closed == 1);
    assert_eq!((net.ours.channel_closed, net.ours.failed), (1, None));
    net.ours.engine.handle_command(Command::SendText("late".into()), net.now);
    assert_eq!(net.ours.engine.stats().texts_dropped, 1);
}
