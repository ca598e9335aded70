//! Payloads put together to a frame. A frame in one packet is a slice of it; copying begins with the second.

use bytes::{Bytes, BytesMut};

/// What there is of a frame.
#[derive(Debug, Default)]
pub struct Joined(State);

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Joined {
    /// Adds a payload at the end.
    pub fn push(&mut self, more: Bytes) {
        match &mut self.0 {
            State::None => self.0 = State::One(more),
            State::Many(b) => b.extend_from_slice(&more),
            State::One(first) => {
                let mut b = BytesMut::with_capacity((first.len() + more.len()) * 4);
                b.extend_from_slice(first);
                b.extend_from_slice(&more);
                self.0 = State::Many(b);
            }
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        match &self.0 {
            State::None => 0,
            State::One(b) => b.len(),
            State::Many(b) => b.len(),
        }
    }

    /// The whole, and empty again.
    pub fn take(&mut self) -> Bytes {
        match std::mem::take(&mut self.0) {
            State::None => Bytes::new(),
            State::One(b) => b,
            State::Many(b) => b.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_payload_is_not_copied_and_several_are_joined() {
        let mut j = Joined::default();
        let one = Bytes::from(vec![1, 2, 3]);
        j.push(one.clone());
        assert_eq!(j.take().as_ptr(), one.as_ptr());
        for part in [&b"a"[..], b"bc", b"d"] {
            j.push(Bytes::from(part));
        }
        assert_eq!((j.len(), &j.take()[..], j.len()), (4, &b"abcd"[..], 0));
    }
}
