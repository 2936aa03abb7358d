//! Moves bytes from one client to the other, unchanged.

use std::{io, time::Duration};

use crate::net::{Socket, is_timeout};

/// The buffer of a conversation of short lines, in bytes: one page.
const SMALLEST: usize = 4 * 1024;
/// The buffer of a bulk transfer, in bytes: fewer and larger system calls; beyond it nothing was gained.
const LARGEST: usize = 1024 * 1024;
/// A large buffer is given back after this many reads that would have fitted the smallest, ...
const SMALL_READS: u32 = 64;
/// ... or when nothing came for this long.
const QUIET: Duration = Duration::from_secs(1);

/// Why a relay ended before the end of the stream.
#[derive(Debug)]
pub(super) enum Broken {
    Reading(io::Error),
    Writing(io::Error),
}

/// Relays until the stream ends or `cut` says so. Adds what was relayed to `bytes`.
pub(super) fn relay(from: &Socket, to: &Socket, cut: impl Fn() -> bool, bytes: &mut u64) -> Result<(), Broken> {
    let mut buffer = Buffer::new();
    let mut limited = false;
    while !cut() {
        // Only a large buffer is worth a look at the clock: small talk waits without a limit.
        if limited != buffer.is_large() {
            limited = buffer.is_large();
            from.limit_reads(limited.then_some(QUIET)).map_err(Broken::Reading)?;
        }
        let length = match from.read(&mut buffer.bytes) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if limited && is_timeout(&error) => {
                buffer = Buffer::new();
                continue;
            }
            Err(error) => return Err(Broken::Reading(error)),
        };
        to.send(buffer.bytes.get(..length).unwrap_or_default()).map_err(Broken::Writing)?;
        *bytes += length as u64;
        buffer.adapt(length);
    }
    Ok(())
}

/// A buffer that starts small, doubles whenever a read fills it, and is given back when the talk is small again.
struct Buffer {
    bytes: Vec<u8>,
    small_reads: u32,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; SMALLEST], small_reads: 0 }
    }

    fn is_large(&self) -> bool {
        self.bytes.len() > SMALLEST
    }

    fn adapt(&mut self, length: usize) {
        if length == self.bytes.len() && length < LARGEST {
            self.bytes = vec![0; length * 2];
        }
        self.small_reads = if length <= SMALLEST { self.small_reads + 1 } else { 0 };
        if self.small_reads >= SMALL_READS {
            self.small_reads = 0;
            if self.is_large() {
                *self = Self::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_doubles_while_reads_fill_it_up_to_its_largest() {
        let mut buffer = Buffer::new();
        for _ in 0..20 {
            buffer.adapt(buffer.bytes.len());
        }
        assert_eq!(buffer.bytes.len(), LARGEST);
        buffer.adapt(LARGEST / 2);
        assert_eq!(buffer.bytes.len(), LARGEST);
    }

    #[test]
    fn a_large_buffer_is_given_back_when_the_talk_is_small() {
        let mut buffer = Buffer::new();
        buffer.adapt(SMALLEST);
        assert!(buffer.is_large());
        for _ in 0..SMALL_READS {
            buffer.adapt(64);
        }
        assert_eq!(buffer.bytes.len(), SMALLEST);
    }
}
