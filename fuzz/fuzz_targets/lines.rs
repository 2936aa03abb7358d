//! Lines and pieces of lines give back the bytes, however these arrive, and no more is held than the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::protocol::Lines;

fuzz_target!(|input: (u8, Vec<u8>, &[u8])| {
    let (limit, lengths, bytes) = input;
    let limit = 4 + usize::from(limit % 64);
    let mut lines = Lines::new(limit);
    let mut lengths = lengths.iter().map(|length| usize::from(*length)).chain(std::iter::repeat(usize::MAX));
    let (mut expected, mut coming) = (bytes, bytes);
    while !coming.is_empty() {
        let length = lengths.next().unwrap_or(1).clamp(1, coming.len());
        let (chunk, behind) = coming.split_at(length);
        coming = behind;
        lines.push(chunk);
        while let Some(line) = lines.next_line() {
            assert!(line.text.len() <= limit && !line.text.contains(&b'\n'), "{line:?} with a limit of {limit}");
            assert!(
                line.ended || line.text.len() > limit - 4,
                "a piece of {} with a limit of {limit}",
                line.text.len()
            );
            expected = expected.strip_prefix(line.text).expect("the text stands in the stream");
            if line.ended {
                let behind = expected.strip_prefix(b"\r").filter(|behind| behind.starts_with(b"\n"));
                expected = behind.unwrap_or(expected).strip_prefix(b"\n").expect("a line end");
            }
        }
        assert!(lines.rest().len() <= limit + 1, "{} bytes are held with a limit of {limit}", lines.rest().len());
    }
    assert_eq!(lines.rest(), expected);
});
