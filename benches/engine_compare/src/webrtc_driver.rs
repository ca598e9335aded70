//! The `webrtc` crate: the same project's stack with its own driver, over loopback, in real time. Its threads share the work,
//! so what is counted is the CPU time of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::*;

use crate::end::process_cpu_ns;
use crate::rtc_media::{engine, packet, track};
use crate::{BURST, PAYLOAD};

/// Packets under way at most: as many as a socket's buffer holds without losing any.
const WINDOW: u64 = 60;

#[derive(Default)]
struct Told {
    connected: Notify,
    received: AtomicU64,
    arrived: Notify,
}

struct Handler {
    told: Arc<Told>,
    candidates: mpsc::UnboundedSender<RTCIceCandidateInit>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, e: RTCPeerConnectionIceEvent) {
        if let Ok(c) = e.candidate.to_json() {
            // Nobody listens any more once it is connected.
            let _ = self.candidates.send(c);
        }
    }

    async fn on_connection_state_change(&self, s: RTCPeerConnectionState) {
        if s == RTCPeerConnectionState::Connected {
            self.told.connected.notify_one();
        }
    }

    async fn on_track(&self, t: Arc<dyn TrackRemote>) {
        let told = self.told.clone();
        tokio::spawn(async move {
            while let Some(e) = t.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(_) = e {
                    told.received.fetch_add(1, Ordering::Relaxed);
                    told.arrived.notify_one();
                }
            }
        });
    }
}

/// CPU ns per packet of one connection with so many streams: the least of so many rounds.
pub fn run(streams: u32, packets: u32, rounds: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(measure(streams, packets, rounds))
}

async fn measure(streams: u32, packets: u32, rounds: usize) -> f64 {
    let told = [0; 2].map(|_| Arc::new(Told::default()));
    let (mut ends, mut candidates) = (vec![], vec![]);
    for told in &told {
        let (media, registry) = engine();
        let (tx, rx) = mpsc::unbounded_channel();
        candidates.push(rx);
        let pc = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Handler { told: told.clone(), candidates: tx }))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .expect("a connection");
        ends.push(pc);
    }
    let mut tracks = vec![];
    for stream in 0..streams {
        let t = Arc::new(TrackLocalStaticRTP::new(track(stream)));
        ends[0].add_track(t.clone() as Arc<dyn TrackLocal>).await.expect("a track");
        tracks.push(t);
    }
    let offer = ends[0].create_offer(None).await.expect("offer");
    ends[0].set_local_description(offer.clone()).await.expect("offer");
    ends[1].set_remote_description(offer).await.expect("offer");
    let answer = ends[1].create_answer(None).await.expect("answer");
    ends[1].set_local_description(answer.clone()).await.expect("answer");
    ends[0].set_remote_description(answer).await.expect("answer");
    let connected = async {
        tokio::join!(told[0].connected.notified(), told[1].connected.notified());
    };
    tokio::pin!(connected);
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < limit, "webrtc connects");
        for i in 0..2 {
            while let Ok(c) = candidates[i].try_recv() {
                ends[1 - i].add_ice_candidate(c).await.expect("a candidate");
            }
        }
        if tokio::time::timeout(Duration::from_millis(20), &mut connected).await.is_ok() {
            break;
        }
    }

    let received = &told[1].received;
    let (mut seq, mut ts) = (vec![1000u16; streams as usize], 0u32);
    let payload = vec![7; PAYLOAD];
    // A round before the first makes the tracks known.
    let mut least = f64::MAX;
    for round in 0..=rounds {
        let (start, before, mut sent) = (process_cpu_ns(), received.load(Ordering::Relaxed), 0u64);
        for frame in 0..packets / BURST {
            let stream = (frame % streams) as usize;
            ts = ts.wrapping_add(450);
            for n in 0..BURST {
                seq[stream] = seq[stream].wrapping_add(1);
                let p = packet(stream as u32, seq[stream], ts, n + 1 == BURST, payload.clone());
                tracks[stream].write_rtp(p).await.expect("webrtc takes it");
            }
            sent += u64::from(BURST);
            while sent > received.load(Ordering::Relaxed) - before + WINDOW {
                // A packet may be lost, and those before the track is known are not told.
                if tokio::time::timeout(Duration::from_millis(20), told[1].arrived.notified()).await.is_err() {
                    sent = sent.saturating_sub(WINDOW);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let arrived = received.load(Ordering::Relaxed) - before;
        if round > 0 {
            assert!(arrived * 20 >= u64::from(packets) * 19, "19 of 20 arrive: {arrived} of {packets}");
            least = least.min((process_cpu_ns() - start) / arrived as f64);
        }
    }
    for end in ends {
        end.close().await.expect("close");
    }
    least
}
