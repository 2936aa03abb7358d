//! What is understood as a line between peers is written as a line that is understood the same way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::protocol::PeerLine;

fuzz_target!(|bytes: &[u8]| {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Some(parsed) = PeerLine::parse(line) {
        let written = parsed.to_bytes();
        let again = written.strip_suffix(b"\n").expect("a line end");
        assert!(!again.contains(&b'\n'), "more than one line: {again:?}");
        assert_eq!(PeerLine::parse(again), Some(parsed));
    }
});
