//! A server is understood the same way however its bytes arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::protocol::{Greeting, Said};

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (lengths, bytes) = input;
    assert_eq!(hear(&lengths, bytes), hear(&[], bytes));
});

/// All that was said, when the bytes arrive in chunks of these lengths, and then all at once.
fn hear(lengths: &[u8], mut bytes: &[u8]) -> Vec<Said> {
    let mut greeting = Greeting::default();
    let mut heard = Vec::new();
    let mut lengths = lengths.iter().map(|length| usize::from(*length)).chain(std::iter::repeat(usize::MAX));
    while !bytes.is_empty() {
        let (chunk, behind) = bytes.split_at(lengths.next().unwrap_or(1).clamp(1, bytes.len()));
        bytes = behind;
        greeting.received(chunk);
        while let Some(said) = greeting.next_said() {
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
