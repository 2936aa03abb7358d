//! What is understood as a tracker's line is written as a line that is understood the same way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::protocol::TrackerLine;

fuzz_target!(|bytes: &[u8]| {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(mut parsed) = TrackerLine::parse(line) else { return };
    if let TrackerLine::Refused(reason) = parsed {
        // It is written as text, whatever it was.
        parsed = TrackerLine::Refused(String::from_utf8_lossy(&reason).into_owned().into_bytes());
    }
    let written = parsed.to_string();
    let again = written.strip_suffix('\n').expect("a line end");
    assert!(!again.contains('\n'), "more than one line: {again:?}");
    assert_eq!(TrackerLine::parse(again.as_bytes()), Some(parsed));
});
