//! Programs that a mutator may start from, with good arguments for the most part. Together they call every function of the header.

use super::inits::INITS;
use super::{CALL_BYTES, CALLS, GETTERS, TO_THE_TESTKIT, TO_WAIT};

type Call = [u8; CALL_BYTES];

fn good(calls: &[u8]) -> Vec<u8> {
    calls.iter().flat_map(|n| [*n, 0, 0, 0, 0, 0, 0, 0]).collect()
}

fn with(calls: &[Call]) -> Vec<u8> {
    calls.concat()
}

/// Two of one queue meet in a room of the testkit, straight or through the bridge, and do all that takes two.
fn two_of_us(bridge: bool) -> Vec<u8> {
    let enter = [[1, 0, 0, 0, TO_THE_TESTKIT, if bridge { 15 } else { 0 }, 0, 0], [2, 0, 0, 7, 0, 0, 0, 0]];
    let until = |kind| [41, 0, 0, kind, 0, 0, 0, 0];
    let send = [[23, 0, 0, 0, 0, 0, 0, 0], [31, 0, 0, 0, 0, 0, 0, 0], [23, 0, 0, 1, 0, 0, 0, 0]];
    let before = [good(&[0]), with(&enter), with(&send), with(&enter), with(&[until(3), until(3), until(10)])].concat();
    let persons = (0..6).map(|what| [25, 0, what, 0, 1, 0, 0, 0]);
    let tracks = (0..5).filter(|what| *what != 3).map(|what| [30, 0, what, 0, 0, 0, 0, 0]);
    let ours = [[30, 1, 1, 0, 1, 7, 0, 0], [30, 1, 5, 0, 100, 0, 0, 0], [30, 2, 5, 0, 100, 0, 0, 0]];
    let readers = [[24, 0, 0, 0, 0, 0, 0, 0], [24, 0, 1, 0, 0, 0, 0, 0]];
    let packets = [[32, 0, 0, 0x78, 0, 40, 0, 0]; 8];
    let read = [0, 1, 2, 3].map(|what| [34, 1, what, 0, TO_WAIT, 0, 0, 0]);
    let kept = [[38, 3, 0, 0, 0, 0, 0, 0], [38, 2, 0, 0, 0, 0, 0, 0]];
    let asked = [
        [44, 0, 0, 0, 0, 0, 0, 0],
        [44, 0, 1, 0, 0, 0, 0, 0],
        [45, 0, 0, 0, 0, 15, 0, 0],
        [45, 0, 0, 0, 0, 15, 0, 4],
        [46, 0, 15, 0, 0, 9, 0, 0],
        [22, 0, 7, 0, 0, 0, 0, 0],
        [22, 0, 7, 0, 1, 0, 0, 0],
        [22, 0, 1, 0, 2, 0, 0, 0],
        [32, 0, 0, 0, 2, 0, 0, 0xf0],
    ];
    let figures = (0..4).map(|what| [42, what, 0, 0, 0, 0, 0, 0]);
    let mut all = [before, good(&[15, 17, 19, 20, 26, 21, 27])].concat();
    all.extend(persons.chain(tracks).chain(ours).chain(readers).chain(asked).flatten());
    // Each tells of its session that it begins and that it is up.
    all.extend([until(14); 4].concat());
    all.extend([with(&packets), with(&[read[0], read[3]]), with(&kept), with(&read), good(&[43, 12])].concat());
    all.extend(figures.flatten());
    all.extend([with(&[[18, 0, 0, 7, 0, 0, 0, 0], until(22)]), good(&[13]), with(&[until(22)])].concat());
    all
}

/// What the fuzzers start from.
pub fn corpus() -> Vec<Vec<u8>> {
    let meeting = good(&[
        0, 1, 2, 23, 31, 32, 24, 34, 3, 7, 8, 10, 3, 8, 15, 16, 17, 19, 20, 26, 28, 21, 27, 29, 18, 13, 3, 3, 3, 14, 6,
    ]);
    let callbacks: Vec<u8> = (0..6)
        .flat_map(|what| {
            let set = [4, 0, what, 0, 0, 0, 0, 0];
            [good(&[0]), with(&[set]), good(&[1, 2, 13]), with(&[[13, 0, 7, 0, 0, 0, 0, 0]]), good(&[10, 14, 6])]
                .concat()
        })
        .collect();
    let shared = [
        good(&[0, 38, 12, 39]),
        with(&[[1, 0, 128, 0, 0, 0, 0, 0], [1, 0, 128, 0, 0, 0, 0, 0], [2, 1, 0, 9, 0, 0, 0, 0]]),
        with(&[[38, 1, 0, 0, 0, 0, 0, 0], [14, 0, 0, 0, 0, 0, 0, 0]]),
        good(&[36, 37, 6]),
    ]
    .concat();
    let tracks = [
        good(&[0, 1, 2, 23, 30]),
        with(&[[30, 0, 1, 0, 1, 2, 0, 0], [30, 0, 3, 0, 0, 0, 0, 0]]),
        good(&[31, 32, 33, 3, 10]),
    ]
    .concat();
    let inits = (0..INITS.len()).flat_map(|n| [40, n as u8, 0, 0, 0, 0, 0, 0]).collect();
    // Each of them of an event of its own kind or another's.
    let getters = (0..GETTERS.len()).flat_map(|n| [8, 0, n as u8, 0, 0, 0, 0, 0]);
    let read = [good(&[0, 1, 2, 13, 3]), getters.collect()].concat();
    vec![
        meeting,
        callbacks,
        shared,
        tracks,
        inits,
        read,
        two_of_us(false),
        two_of_us(true),
        good(&(0..CALLS).collect::<Vec<u8>>()),
    ]
}
