//! Audio alone: Ogg Opus (RFC 3533, RFC 7845), a page each second. A gap is filled with packets that ask the decoder to conceal, as
//! RFC 7845 §4.1 wants it: positions count what is in packets, so nothing else keeps the time.

use crate::media::opus;
use bytes::Bytes;
use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use std::io;

/// Samples per second that positions count.
const RATE: u64 = 48_000;
/// Samples between the ends of pages.
const PAGE: u64 = RATE;
/// The longest packet, samples: 120 ms (RFC 6716 §3.2.5).
const LONGEST: u64 = 5_760;

/// The delay of the usual encoder, samples: a player passes over so much at the beginning.
const PRE_SKIP: u16 = 312;

/// The identification header (RFC 7845 §5.1).
pub fn head(channels: u8, pre_skip: u16) -> Vec<u8> {
    let mut out = b"OpusHead\x01".to_vec();
    out.push(channels);
    out.extend_from_slice(&pre_skip.to_le_bytes());
    out.extend_from_slice(&(RATE as u32).to_le_bytes());
    out.extend_from_slice(&0u16.to_le_bytes());
    out.push(0);
    out
}

/// Channels of an Opus packet (RFC 6716 §3.1).
pub fn channels(packet: &[u8]) -> u8 {
    1 + (packet.first().copied().unwrap_or_default() >> 2 & 1)
}

fn samples(packet: &[u8]) -> u64 {
    opus::duration(packet).map_or(0, |d| d.as_micros() as u64 * RATE / 1_000_000)
}

/// One file.
pub struct OggOpus {
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// The last packet is known to be one only at the end.
    held: Option<Bytes>,
    /// Position after what was given to the page writer.
    position: u64,
    page_end: u64,
}

impl OggOpus {
    /// A file; `serial` should differ from other files'.
    pub fn new(serial: u32, channels: u8, title: &str) -> io::Result<OggOpus> {
        let mut pages = PacketWriter::new(Vec::new());
        pages.write_packet(head(channels, PRE_SKIP), serial, PacketWriteEndInfo::EndPage, 0)?;
        let mut tags = b"OpusTags".to_vec();
        for text in [concat!("jmeet ", env!("CARGO_PKG_VERSION")), &format!("TITLE={title}")] {
            tags.extend_from_slice(&(text.len() as u32).to_le_bytes());
            tags.extend_from_slice(text.as_bytes());
            if text.starts_with("jmeet") {
                tags.extend_from_slice(&1u32.to_le_bytes());
            }
        }
        pages.write_packet(tags, serial, PacketWriteEndInfo::EndPage, 0)?;
        Ok(OggOpus { pages, serial, held: None, position: 0, page_end: PAGE })
    }

    /// A packet that belongs at `at_us` of the file.
    pub fn write(&mut self, at_us: u64, packet: &Bytes) -> io::Result<()> {
        let Some(last) = self.held.replace(packet.clone()) else { return Ok(()) };
        let wanted = at_us * RATE / 1_000_000;
        self.put(&last, PacketWriteEndInfo::NormalPacket)?;
        self.fill(last[0], wanted)
    }

    /// Fills up to a position, as near as whole frames come.
    fn fill(&mut self, toc: u8, wanted: u64) -> io::Result<()> {
        let one = [toc & 0xfc];
        let frame = samples(&one).max(120);
        while wanted >= self.position + frame {
            let frames = ((wanted - self.position) / frame).min(LONGEST / frame);
            if frames == 1 {
                self.put(&one, PacketWriteEndInfo::NormalPacket)?;
            } else {
                // Code 3, the same size for each: none (RFC 6716 §3.2.5).
                self.put(&[one[0] | 3, frames as u8], PacketWriteEndInfo::NormalPacket)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, packet: &[u8], end: PacketWriteEndInfo) -> io::Result<()> {
        self.position += samples(packet);
        let end = if end == PacketWriteEndInfo::NormalPacket && self.position >= self.page_end {
            self.page_end = self.position + PAGE;
            PacketWriteEndInfo::EndPage
        } else {
            end
        };
        self.pages.write_packet(packet.to_vec(), self.serial, end, self.position)
    }

    /// The end of the stream.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some(last) => self.put(&last, PacketWriteEndInfo::EndStream),
            None => Ok(()),
        }
    }

    /// What is complete.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.pages.inner_mut())
    }

    /// How long it is, µs.
    pub fn length_us(&self) -> u64 {
        let samples = self.position + self.held.as_deref().map_or(0, samples);
        samples.saturating_sub(u64::from(PRE_SKIP)) * 1_000_000 / RATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ogg::PacketReader;
    use std::io::Cursor;

    /// One frame of 20 ms, mono, full band.
    const PACKET: &[u8] = &[31 << 3, 1, 2, 3];

    fn packets(file: Vec<u8>) -> Vec<(Vec<u8>, u64, bool)> {
        let mut reader = PacketReader::new(Cursor::new(file));
        let mut out = vec![];
        while let Some(p) = reader.read_packet().unwrap() {
            out.push((p.data.clone(), p.absgp_page(), p.last_in_stream()));
        }
        out
    }

    #[test]
    fn packets_in_a_row_make_pages_of_a_second_and_an_end() {
        let mut o = OggOpus::new(7, 1, "Ann").unwrap();
        for n in 0..100 {
            o.write(n * 20_000, &Bytes::from_static(PACKET)).unwrap();
        }
        assert_eq!(o.length_us(), 1_993_500);
        o.finish().unwrap();
        let all = packets(o.take());
        assert!(all[0].0.starts_with(b"OpusHead") && all[1].0.ends_with(b"TITLE=Ann"));
        assert_eq!(all.len(), 102);
        assert_eq!((all[2].1, all[101].1, all[101].2), (48_000, 96_000, true));
    }

    #[test]
    fn a_gap_is_concealed_for_as_long_as_it_lasts() {
        let mut o = OggOpus::new(7, 1, "").unwrap();
        o.write(0, &Bytes::from_static(PACKET)).unwrap();
        o.write(400_000, &Bytes::from_static(PACKET)).unwrap();
        // Less than a frame is no gap.
        o.write(429_000, &Bytes::from_static(PACKET)).unwrap();
        o.finish().unwrap();
        let all = packets(o.take());
        let sizes: Vec<usize> = all[2..].iter().map(|p| p.0.len()).collect();
        // 380 ms: three of 120 ms and one of 20 ms.
        assert_eq!(sizes, [4, 2, 2, 2, 1, 4, 4]);
        assert_eq!(o.length_us(), 433_500);
        assert!(all[2..].iter().all(|p| opus::duration(&p.0).is_some()));
    }

    #[test]
    fn channels_are_told_by_the_packet() {
        assert_eq!((channels(PACKET), channels(&[31 << 3 | 4]), channels(&[])), (1, 2, 1));
    }
}
