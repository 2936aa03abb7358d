//! A server is understood the same way however its bytes arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::protocol::{HANDSHAKE_LINE, Lines, Said};

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (lengths, bytes) = input;
    assert_eq!(hear(&lengths, bytes), hear(&[], bytes));
});

/// All that was said, when the bytes arrive in chunks of these lengths, and then all at once.
fn hear(lengths: &[u8], mut bytes: &[u8]) -> Vec<Said> {
    let (mut server, mut asked, mut heard) = (Lines::new(HANDSHAKE_LINE), false, Vec::new());
    let mut lengths = lengths.iter().map(|length| usize::from(*length)).chain(std::iter::repeat(usize::MAX));
    while !bytes.is_empty() {
        let (chunk, behind) = bytes.split_at(lengths.next().unwrap_or(1).clamp(1, bytes.len()));
        bytes = behind;
        server.push(chunk);
        while let Some(said) = Said::next(&mut server, asked) {
            asked |= said == Said::Asked;
            // Of something strange, as much is quoted as has come.
            let said = if let Said::Strange(_) = said { Said::Strange(String::new()) } else { said };
            let over = matches!(said, Said::Connected(_) | Said::Strange(_) | Said::ChatRefused(_));
            heard.push(said);
            if over {
                return heard;
            }
        }
    }
    heard
}
