//! Moves bytes from one client to the other, unchanged, through a buffer that is as large as the talk is.

use std::io;
use std::time::Duration;

use crate::net::{Socket, is_timeout};

/// The buffer of a conversation of short lines, in bytes: one page.
const SMALLEST: usize = 4 * 1024;
/// The buffer of a bulk transfer, in bytes: fewer and larger system calls; beyond it nothing was gained.
const LARGEST: usize = 1024 * 1024;
/// A large buffer is given back after this many reads in a row that would have fitted the smallest, ...
const SMALL_READS: u32 = 64;
/// ... or when nothing came for this long.
const QUIET: Duration = Duration::from_secs(1);

/// Passes on what is said until its stream ends or `is_over` says so.
pub(super) fn relay(from: &Socket, pass_on: impl Fn(&[u8]), is_over: impl Fn() -> bool) -> io::Result<()> {
    let (mut buffer, mut small_reads) = (vec![0; SMALLEST], 0);
    while !is_over() {
        let size = buffer.len();
        let length = match from.read(&mut buffer) {
            Ok([]) => break,
            Ok(words) => {
                pass_on(words);
                words.len()
            }
            // Only a large buffer is worth a look at the clock: small talk waits without a limit.
            Err(error) if size > SMALLEST && is_timeout(&error) => 0,
            Err(error) => return Err(error),
        };
        small_reads = if size > SMALLEST && length <= SMALLEST { small_reads + 1 } else { 0 };
        let next = next_size(size, length, small_reads);
        if next != size {
            buffer = vec![0; next];
            from.limit_reads((next > SMALLEST).then_some(QUIET))?;
        }
    }
    Ok(())
}

/// A buffer doubles whenever a read fills it, and is given back when the talk is small again.
fn next_size(size: usize, length: usize, small_reads: u32) -> usize {
    if length == size {
        (size * 2).min(LARGEST)
    } else if length == 0 || small_reads >= SMALL_READS {
        SMALLEST
    } else {
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_doubles_while_reads_fill_it_up_to_its_largest() {
        let size = (0..20).fold(SMALLEST, |size, _| next_size(size, size, 0));
        assert_eq!(size, LARGEST);
        assert_eq!(next_size(LARGEST, LARGEST / 2, 0), LARGEST);
    }

    #[test]
    fn a_large_buffer_is_given_back_when_the_talk_is_small_or_nothing_comes() {
        assert_eq!(next_size(LARGEST, 64, SMALL_READS - 1), LARGEST);
        assert_eq!(next_size(LARGEST, 64, SMALL_READS), SMALLEST);
        assert_eq!(next_size(LARGEST, 0, 1), SMALLEST);
    }
}
