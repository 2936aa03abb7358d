//! Bytes in, lines out, in bounded memory.

/// A line, or a piece of one that is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The text without its line end (LF or CR LF).
    pub text: &'a [u8],
    /// Whether the line ended here; `false` for a piece that the next one continues.
    pub ended: bool,
}

/// Splits a stream into lines of at most `limit` bytes; a longer line comes in pieces, cut between UTF-8 characters.
pub struct Lines {
    limit: usize,
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
}

impl Lines {
    /// # Panics
    /// Panics when `limit` is below 4, the length of the longest UTF-8 character.
    pub fn new(limit: usize) -> Self {
        assert!(limit >= 4, "a piece must have room for one character");
        Self { limit, buffer: Vec::new(), start: 0 }
    }

    /// Adds what was received. Memory stays bounded when [`Self::next_line`] is called until it returns `None` in between.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, or piece of the limit's length, that is complete.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        // A beginning that comes byte by byte is searched each time: `contains` does that many times faster.
        let end = if pending.contains(&b'\n') { pending.iter().position(|&byte| byte == b'\n') } else { None };
        // A CR just behind the limit may still turn out to be the line's end.
        let room = self.limit + usize::from(pending.get(self.limit) == Some(&b'\r'));
        let (length, ended) = match end {
            Some(end) if end <= room => (end, true),
            None if pending.len() <= room => return None,
            _ => (character_boundary(pending, self.limit), false),
        };
        self.start += length + usize::from(ended);
        let text = pending.get(..length).unwrap_or_default();
        Some(Line { text: text.strip_suffix(b"\r").filter(|_| ended).unwrap_or(text), ended })
    }

    /// Passes over the next `length` bytes.
    pub(super) fn skip(&mut self, length: usize) {
        self.start = (self.start + length).min(self.buffer.len());
    }

    /// What was received behind the last line that was taken.
    pub fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

/// The last place at or before `limit` where no UTF-8 character is cut in two; `limit` itself where the bytes are not UTF-8.
fn character_boundary(bytes: &[u8], limit: usize) -> usize {
    let is_boundary = |&at: &usize| bytes.get(at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    (limit - 3..=limit).rev().find(is_boundary).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All lines, when the bytes arrive in chunks of the given lengths, over and over.
    fn split(bytes: &[u8], limit: usize, chunks: &[usize]) -> (Vec<(Vec<u8>, bool)>, Vec<u8>) {
        let (mut lines, mut found, mut rest) = (Lines::new(limit), Vec::new(), bytes);
        for &length in chunks.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, behind) = rest.split_at(length.clamp(1, rest.len()));
            lines.push(chunk);
            while let Some(line) = lines.next_line() {
                found.push((line.text.to_vec(), line.ended));
            }
            assert!(lines.rest().len() <= limit + 1, "more is kept than the limit");
            rest = behind;
        }
        (found, lines.rest().to_vec())
    }

    #[test]
    fn lines_end_with_lf_or_cr_lf() {
        let (lines, rest) = split(b"one\r\n\ntwo\rthree\nhalf", 100, &[1]);
        assert_eq!(lines, [(b"one".to_vec(), true), (b"".to_vec(), true), (b"two\rthree".to_vec(), true)]);
        assert_eq!(rest, b"half");
    }

    #[test]
    fn a_line_of_just_the_limit_is_whole_and_a_longer_one_comes_in_pieces() {
        assert_eq!(split(b"12345678\r\n", 8, &[1]).0, [(b"12345678".to_vec(), true)]);
        assert_eq!(split(b"123456789\n", 8, &[3]).0, [(b"12345678".to_vec(), false), (b"9".to_vec(), true)]);
    }

    #[test]
    fn a_piece_does_not_cut_a_character() {
        let (lines, rest) = split("aaaaaaébb".as_bytes(), 7, &[100]);
        assert_eq!(lines, [(b"aaaaaa".to_vec(), false)]);
        assert_eq!(rest, "ébb".as_bytes());
    }

    proptest! {
        #[test]
        fn pieces_and_line_ends_give_back_the_bytes(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0xc3), any::<u8>()], 0..300),
            chunks in proptest::collection::vec(1_usize..40, 1..8),
            limit in 4_usize..40,
        ) {
            let (lines, rest) = split(&bytes, limit, &chunks);
            let mut expected = bytes.as_slice();
            for (text, ended) in lines {
                prop_assert!(text.len() <= limit && !text.contains(&b'\n'));
                expected = expected.strip_prefix(text.as_slice()).expect("the text stands in the stream");
                if ended {
                    let behind = expected.strip_prefix(b"\r").filter(|behind| behind.starts_with(b"\n"));
                    expected = behind.unwrap_or(expected).strip_prefix(b"\n").expect("a line end");
                }
            }
            prop_assert_eq!(expected, rest);
        }
    }
}
