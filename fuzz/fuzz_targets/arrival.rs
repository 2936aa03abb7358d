//! A client that arrives is treated the same way however its bytes arrive, and does not stay for ever.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use p2p_chat::{
    nickname::Nickname,
    protocol::{Arrival, Step, TRIES},
};

const ALLOWED: Duration = Duration::from_secs(30);

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (lengths, bytes) = input;
    let (said, named, rest) = receive(&lengths, bytes);
    assert!(said.len() <= TRIES + 1, "{said:?}");
    assert!(bytes.ends_with(&rest), "{rest:?} is not the rest");
    assert_eq!((said, named, rest), receive(&[], bytes));
});

/// What the client was told, its nickname, and what came or is still to come behind that.
fn receive(lengths: &[u8], mut bytes: &[u8]) -> (Vec<String>, Option<Nickname>, Vec<u8>) {
    let start = Instant::now();
    let mut now = start;
    let mut arrival = Arrival::new(start, ALLOWED);
    let mut lengths = lengths.iter().map(|length| usize::from(*length)).chain(std::iter::repeat(usize::MAX));
    let mut said = Vec::new();
    loop {
        match arrival.next(now) {
            Step::Say(words) => said.push(words),
            Step::Read(limit) if bytes.is_empty() => now += limit,
            Step::Read(_) => {
                let (chunk, behind) = bytes.split_at(lengths.next().unwrap_or(1).clamp(1, bytes.len()));
                bytes = behind;
                arrival.lines.push(chunk);
            }
            Step::Named(name) => return (said, Some(name), [arrival.lines.rest(), bytes].concat()),
            Step::SendAway(words) => {
                said.push(words);
                return (said, None, Vec::new());
            }
        }
    }
}
