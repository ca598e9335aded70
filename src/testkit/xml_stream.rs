//! Cuts the byte stream of an XMPP connection over TCP (RFC 6120 §4) into its header and the elements below it, each of
//! which is then parsed as a document of its own. It counts tags and quotes; that they are well-formed is the parser's to say.

use std::fmt;

/// Longest element or header, bytes.
pub const MAX_ELEMENT_BYTES: usize = 1 << 20;

/// One piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The opening `<stream:stream …>` tag.
    Header(String),
    /// A whole element below the stream.
    Stanza(String),
    /// `</stream:stream>`.
    End,
}

/// Why the stream cannot be read on.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamError {
    /// Longer than [`MAX_ELEMENT_BYTES`].
    TooLarge,
    /// Bytes that are no UTF-8, or an end tag without a beginning.
    Malformed,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StreamError::TooLarge => "an element past the size limit",
            StreamError::Malformed => "not an XML stream",
        })
    }
}

impl std::error::Error for StreamError {}

/// The cutter. Bytes in, pieces out.
#[derive(Default)]
pub struct XmlStream {
    buffer: Vec<u8>,
    /// Read so far without completing a piece.
    at: usize,
    depth: usize,
    headed: bool,
    /// Inside a tag: where it began, and the quote that is open.
    tag: Option<(usize, Option<u8>)>,
}

impl XmlStream {
    /// Adds bytes from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete piece, or `None` when more bytes are needed.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, StreamError> {
        while self.at < self.buffer.len() {
            let b = self.buffer[self.at];
            self.at += 1;
            let Some((start, quote)) = self.tag else {
                if b == b'<' {
                    self.tag = Some((self.at - 1, None));
                }
                continue;
            };
            match (quote, b) {
                (None, b'\'' | b'"') => self.tag = Some((start, Some(b))),
                (Some(q), _) if q == b => self.tag = Some((start, None)),
                (None, b'>') => {
                    self.tag = None;
                    let tag = &self.buffer[start..self.at];
                    let closing = tag.starts_with(b"</");
                    let empty = tag.ends_with(b"/>");
                    if tag.starts_with(b"<?") {
                        self.take();
                    } else if !self.headed {
                        self.headed = true;
                        return self.take_text().map(|s| Some(Piece::Header(s)));
                    } else if closing && self.depth == 0 {
                        self.take();
                        return Ok(Some(Piece::End));
                    } else {
                        if closing {
                            self.depth -= 1;
                        } else if !empty {
                            self.depth += 1;
                        }
                        if self.depth == 0 {
                            return self.take_text().map(|s| Some(Piece::Stanza(s)));
                        }
                    }
                }
                _ => {}
            }
        }
        if self.buffer.len() > MAX_ELEMENT_BYTES {
            return Err(StreamError::TooLarge);
        }
        Ok(None)
    }

    fn take(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.at);
        self.at = 0;
        std::mem::replace(&mut self.buffer, rest)
    }

    fn take_text(&mut self) -> Result<String, StreamError> {
        let text = String::from_utf8(self.take()).map_err(|_| StreamError::Malformed)?;
        // White space between stanzas keeps connections alive and says nothing.
        Ok(text.trim_start().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_whole_however_the_bytes_arrive() {
        let text = "<?xml version='1.0'?><stream:stream id='a>b'><x/> <iq a='\"/>'><q><r/></q>t</iq>\n<m>é</m></stream:stream>";
        for step in [1, 3, 1000] {
            let (mut s, mut got) = (XmlStream::default(), Vec::new());
            for chunk in text.as_bytes().chunks(step) {
                s.push(chunk);
                while let Some(p) = s.next_piece().unwrap() {
                    got.push(p);
                }
            }
            let stanza = |t: &str| Piece::Stanza(t.into());
            assert_eq!(
                got,
                [
                    Piece::Header("<stream:stream id='a>b'>".into()),
                    stanza("<x/>"),
                    stanza("<iq a='\"/>'><q><r/></q>t</iq>"),
                    stanza("<m>é</m>"),
                    Piece::End
                ]
            );
        }
    }

    #[test]
    fn an_endless_element_is_refused_at_the_limit() {
        let mut s = XmlStream::default();
        s.push(b"<s><a>");
        assert!(s.next_piece().unwrap().is_some());
        s.push(&vec![b'x'; MAX_ELEMENT_BYTES - 3]);
        assert_eq!(s.next_piece(), Ok(None));
        s.push(b"x");
        assert_eq!(s.next_piece(), Err(StreamError::TooLarge));
    }
}
