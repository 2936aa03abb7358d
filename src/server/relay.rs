//! Moves bytes from one client to the other, unchanged.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::session::Guest;
use crate::net::is_timeout;

/// The buffer of a conversation of short lines, in bytes: one page.
const SMALLEST: usize = 4 * 1024;
/// The buffer of a bulk transfer, in bytes: fewer and larger system calls; beyond it nothing was gained.
const LARGEST: usize = 1024 * 1024;
/// A large buffer is given back after this many reads that would have fitted the smallest, ...
const SMALL_READS: u32 = 64;
/// ... or when nothing came for this long.
const QUIET: Duration = Duration::from_secs(1);

/// Relays `words`, and what else is said, until the stream ends or `is_stopped` says so. An error comes with the one who is
/// lost.
pub(super) fn relay<'a>(
    from: &'a Guest,
    to: &'a Guest,
    words: &[u8],
    is_stopped: impl Fn() -> bool,
) -> Result<(), (&'a Guest, io::Error)> {
    let socket = &from.client.socket;
    let pass_on = |words: &[u8]| {
        to.client.socket.send(words).map_err(|error| (to, error))?;
        from.said.fetch_add(words.len() as u64, Ordering::Relaxed);
        Ok(())
    };
    let mut buffer = Buffer::new();
    let mut limited = false;
    pass_on(words)?;
    while !is_stopped() {
        // Only a large buffer is worth a look at the clock: small talk waits without a limit.
        if limited != buffer.is_large() {
            limited = buffer.is_large();
            socket.limit_reads(limited.then_some(QUIET)).map_err(|error| (from, error))?;
        }
        let length = match socket.read(buffer.bytes()) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if limited && is_timeout(&error) => {
                buffer.shrink();
                continue;
            }
            Err(error) => return Err((from, error)),
        };
        pass_on(buffer.bytes().get(..length).unwrap_or_default())?;
        buffer.adapt(length);
    }
    Ok(())
}

/// A buffer that starts small, doubles whenever a read fills it, and is given back when the talk is small again.
/// The small one stands on the worker's stack, which goes when the worker goes.
struct Buffer {
    small: [u8; SMALLEST],
    large: Vec<u8>,
    small_reads: u32,
}

impl Buffer {
    fn new() -> Self {
        Self { small: [0; SMALLEST], large: Vec::new(), small_reads: 0 }
    }

    fn is_large(&self) -> bool {
        !self.large.is_empty()
    }

    fn bytes(&mut self) -> &mut [u8] {
        if self.is_large() { &mut self.large } else { &mut self.small }
    }

    fn adapt(&mut self, length: usize) {
        if length == self.bytes().len() && length < LARGEST {
            self.large = vec![0; length * 2];
        }
        self.small_reads = if length <= SMALLEST { self.small_reads + 1 } else { 0 };
        if self.small_reads >= SMALL_READS {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.large = Vec::new();
        self.small_reads = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_doubles_while_reads_fill_it_up_to_its_largest() {
        let mut buffer = Buffer::new();
        for _ in 0..20 {
            let length = buffer.bytes().len();
            buffer.adapt(length);
        }
        assert_eq!(buffer.bytes().len(), LARGEST);
        buffer.adapt(LARGEST / 2);
        assert_eq!(buffer.bytes().len(), LARGEST);
    }

    #[test]
    fn a_large_buffer_is_given_back_when_the_talk_is_small() {
        let mut buffer = Buffer::new();
        buffer.adapt(SMALLEST);
        assert!(buffer.is_large());
        for _ in 0..SMALL_READS {
            buffer.adapt(64);
        }
        assert_eq!(buffer.bytes().len(), SMALLEST);
    }
}
