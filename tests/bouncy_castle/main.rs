//! Our engine before the libraries of the videobridge's transport, in a Java process (tests/interop/java): BouncyCastle's DTLS, set up as
//! the bridge sets it up, and jitsi-srtp, over a real UDP socket.
//!
//! The classes are built by tests/install; tests/parts/37-java runs these tests. The Java side says in a line what it sees, and is told in
//! lines what to send: what is to be expected stands here alone.
#![cfg(feature = "media")]

mod rig;
mod traffic;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use jmeet::media::peer::{Command, DtlsRole, Failure};
use rig::{Deceived, PATIENCE, Rig};

const GCM: &str = "AEAD_AES_128_GCM";
const CM: &str = "AES128_CM_HMAC_SHA1_80";
const ROLES: [DtlsRole; 2] = [DtlsRole::Client, DtlsRole::Server];

fn everything_passes(role: DtlsRole, profile: &str, number: u16) {
    let mut rig = Rig::connected(role, profile);
    // ECDHE on ECDSA with AES-128-GCM: the first of the bridge's list.
    let summary = format!("secure DTLS1.2 0xc02b ems=true srtp={number} ");
    assert!(rig.bridge.says(&summary), "{:?}", rig.bridge.said);
    traffic::our_media_is_read_by_jitsi_srtp(&mut rig);
    traffic::their_media_is_read_by_us(&mut rig);
    traffic::our_rtcp_is_read_by_jitsi_srtp(&mut rig);
    traffic::their_rtcp_is_read_by_us(&mut rig);
    traffic::application_data_passes(&mut rig);
    traffic::forgeries_and_repeats_are_refused(&mut rig);
    if role == DtlsRole::Client {
        rig.command(Command::Close);
        rig.until("our goodbye", |r| r.bridge.says("alert warning close_notify"));
    } else {
        rig.bridge.tell("close", &[]);
        rig.until("their goodbye", |r| r.failure().is_some());
        assert_eq!(rig.failure(), Some(Failure::PeerClosed));
    }
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn as_dtls_client_everything_passes_with_aes_gcm() {
    everything_passes(DtlsRole::Client, GCM, 7);
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn as_dtls_client_everything_passes_with_aes_cm() {
    everything_passes(DtlsRole::Client, CM, 1);
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn as_dtls_server_everything_passes_with_aes_gcm() {
    everything_passes(DtlsRole::Server, GCM, 7);
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn as_dtls_server_everything_passes_with_aes_cm() {
    everything_passes(DtlsRole::Server, CM, 1);
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn of_both_profiles_the_bridge_takes_aes_gcm() {
    for role in ROLES {
        let rig = Rig::connected(role, &format!("{GCM},{CM}"));
        assert!(rig.bridge.said.iter().any(|l| l.contains("srtp=7 ")), "{role:?}: {:?}", rig.bridge.said);
    }
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn a_certificate_that_was_not_signalled_is_refused_by_us() {
    for role in ROLES {
        let mut rig = Rig::new(role, GCM, Deceived::We, Box::new(|_, _| 1));
        rig.until("our refusal", |r| r.failure().is_some());
        assert_eq!(rig.failure(), Some(Failure::Fingerprint), "{role:?}");
        assert!(!rig.is_secure() && !rig.bridge.says("secure"));
    }
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn a_certificate_of_ours_that_was_not_signalled_is_refused_by_them() {
    for (role, silent) in ROLES.into_iter().flat_map(|r| [(r, true), (r, false)]) {
        let mut rig = Rig::new(role, GCM, Deceived::They { silent }, Box::new(|_, _| 1));
        rig.until("their refusal", |r| r.bridge.says("refused "));
        assert_eq!(rig.bridge.says("alert-sent fatal bad_certificate"), !silent, "{:?}", rig.bridge.said);
        // Silence says nothing, and an alert may be forged: only time tells. The engine's goes faster than ours here.
        while rig.failure().is_none() && rig.ahead < PATIENCE {
            rig.ahead += Duration::from_millis(20);
            rig.turn();
        }
        assert_eq!(rig.failure(), Some(Failure::Dtls), "{role:?}");
        assert!(!rig.is_secure() && !rig.bridge.says("secure"));
    }
}

/// Which flight of the full handshake (RFC 6347 §4.2.4, without cookies) a datagram belongs to.
fn flight(from_client: bool, b: &[u8]) -> Option<u8> {
    match (b, from_client) {
        ([22, _, _, 0, 0, _, _, _, _, _, _, _, _, 1, ..], true) => Some(1),
        ([20 | 22, ..], true) => Some(5),
        ([22, _, _, 0, 0, ..], false) => Some(4),
        ([20 | 22, ..], false) => Some(6),
        _ => None,
    }
}

/// A handshake and some media, with a fate for each handshake datagram, by its flight and whether an equal one came before.
fn handshake_through(role: DtlsRole, fate: fn(first_of_flight: bool, first_of_kind: bool) -> usize) {
    let flights = Rc::new(RefCell::new(HashSet::new()));
    let (begun, mut seen) = (flights.clone(), HashSet::new());
    let air = move |ours: bool, b: &[u8]| {
        let Some(flight) = flight(ours == (role == DtlsRole::Client), b) else { return 1 };
        // A repeat has another record number; a message has its own number, type and place, and is encrypted at the end.
        let message = if b[3..5] == [0; 2] && b[0] == 22 { b[13..25].to_vec() } else { vec![b[0]] };
        fate(begun.borrow_mut().insert(flight), seen.insert((flight, message)))
    };
    let mut rig = Rig::new(role, GCM, Deceived::Nobody, Box::new(air));
    rig.connect();
    traffic::our_media_is_read_by_jitsi_srtp(&mut rig);
    assert_eq!(flights.borrow().len(), 4, "{role:?}");
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn the_first_datagram_of_each_flight_may_be_lost() {
    for role in ROLES {
        handshake_through(role, |first_of_flight, _| usize::from(!first_of_flight));
    }
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn each_handshake_datagram_may_be_lost_once() {
    for role in ROLES {
        handshake_through(role, |_, first_of_kind| usize::from(!first_of_kind));
    }
}

#[test]
#[ignore = "needs the classes that tests/install builds"]
fn each_handshake_datagram_may_come_twice() {
    for role in ROLES {
        handshake_through(role, |_, _| 2);
    }
}
