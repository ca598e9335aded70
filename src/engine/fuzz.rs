//! Chunks of an enemy for an SCTP association: before it is up, and behind a channel that is open. What the enemy cannot know by
//! heart (tag, checksum, where the numbers stand) is put right, or nothing would get past the first look.

use std::time::{Duration, Instant};

use super::sctp::{MAX_MESSAGE, MAX_PACKET, Sctp, SctpOutput, checksum};

const PORT: [u8; 2] = 5000u16.to_be_bytes();
/// After one that had nothing to say.
const STEP: Duration = Duration::from_millis(20);

/// Runs chunks, each with its length before it; the first byte's low bit says on which association.
pub fn sctp(data: &[u8]) {
    let now = Instant::now();
    let Some((first, mut rest)) = data.split_first() else { return };
    let (mut end, mut tag, mut tsn, mut now) = if first & 1 == 0 {
        let mut end = Sctp::new(5000);
        end.start(false, now);
        (end, 0, 0, now)
    } else {
        let Some(connected) = connected(now) else { return };
        connected
    };
    while let Some((&len, more)) = rest.split_first() {
        let (chunk, more) = more.split_at(usize::from(len).min(more.len()));
        rest = more;
        end.handle(packet(tag, &mut tsn, chunk), now);
        now += STEP;
        end.handle_timeout(now);
        while let Some(o) = end.poll() {
            match o {
                SctpOutput::Packet(p) => {
                    assert!(p.len() <= MAX_PACKET);
                    // The answer to an INIT tells the tag.
                    if let Some(t) = p.get(16..20).filter(|_| p[12] == 2) {
                        tag = u32::from_be_bytes([t[0], t[1], t[2], t[3]]);
                    }
                }
                SctpOutput::Text(t) => assert!(t.len() <= MAX_MESSAGE),
                SctpOutput::Open | SctpOutput::Closed => {}
            }
        }
        end.send("text".into(), now);
    }
    // Whatever it was, it does not keep anybody awake at one moment.
    for _ in 0..100 {
        let Some(due) = end.deadline() else { return };
        now = now.max(due);
        end.handle_timeout(now);
        while end.poll().is_some() {}
        assert!(end.deadline().is_none_or(|t| t > now), "a deadline that does not move");
    }
}

/// The server's side of an association with a channel, the tag to reach it, and the newest number it has seen.
fn connected(mut now: Instant) -> Option<(Sctp, u32, u32, Instant)> {
    let mut ends = [Sctp::new(5000), Sctp::new(5000)];
    ends[0].start(true, now);
    ends[1].start(false, now);
    ends[0].open("label".into(), "protocol".into(), now);
    let (mut tag, mut tsn) = (0, 0);
    for _ in 0..20 {
        for i in [0, 1] {
            while let Some(o) = ends[i].poll() {
                let SctpOutput::Packet(p) = o else { continue };
                let at = |i: usize| p.get(i..i + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
                if i == 0 {
                    tag = at(4).max(tag);
                    if p[12] == 0 {
                        tsn = at(16);
                    }
                }
                ends[1 - i].handle(p.to_vec(), now);
            }
        }
        now += STEP;
        ends.iter_mut().for_each(|e| e.handle_timeout(now));
    }
    let [_, end] = ends;
    (tag != 0).then_some((end, tag, tsn, now))
}

fn packet(tag: u32, tsn: &mut u32, chunk: &[u8]) -> Vec<u8> {
    let tag = if chunk.first() == Some(&1) { 0 } else { tag };
    let mut b = [PORT, PORT].concat();
    b.extend_from_slice(&tag.to_be_bytes());
    b.extend_from_slice(&[0; 4]);
    b.extend_from_slice(chunk);
    let c = &mut b[12..];
    if let [0 | 192, _, high, low, a, x, y, z, ..] = c {
        // Numbers near those that are due; an odd one is the next.
        let near = tsn.wrapping_add(1).wrapping_add(u32::from(*z >> 1) * u32::from(*z & 1 == 0));
        *tsn = near;
        [*a, *x, *y, *z] = near.to_be_bytes();
        [*high, *low] = (chunk.len() as u16).to_be_bytes();
    }
    let padded = b.len().next_multiple_of(4);
    b.resize(padded, 0);
    let sum = checksum(&b);
    b[8..12].copy_from_slice(&sum);
    b
}
