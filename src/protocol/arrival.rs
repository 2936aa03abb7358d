//! The server's side of a client that arrives: asked for its nickname, until it has a seat or is sent away.

use std::time::{Duration, Instant};

use super::{HANDSHAKE_LINE, Lines, PROMPT, TRIES, refusal};
use crate::nickname::Nickname;

/// What the server does next for a client that arrives.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Say(String),
    /// Read more, for at most this long, and add it to [`Arrival::lines`]; when nothing came, call [`Arrival::next`] again.
    Read(Duration),
    /// The client has said who it is. Give it a seat, or call [`Arrival::refuse_nickname`].
    Named(Nickname),
    /// Send this and close.
    SendAway(String),
}

/// A client that was asked, by [`PROMPT`], and has not got a seat yet. Knows no socket: bytes and time go in, steps come out.
pub struct Arrival {
    /// What it has sent; behind its nickname, the start of its conversation.
    pub lines: Lines,
    refusals: usize,
    deadline: Instant,
}

impl Arrival {
    /// A client that came at `now` and may take as long as `allowed`, in total, to give a nickname.
    pub fn new(now: Instant, allowed: Duration) -> Self {
        Self { lines: Lines::new(HANDSHAKE_LINE), refusals: 0, deadline: now + allowed }
    }

    /// What to do next.
    pub fn next(&mut self, now: Instant) -> Step {
        match self.lines.next_line() {
            Some(line) if !line.ended => {
                Step::SendAway(refusal(format_args!("a line longer than {HANDSHAKE_LINE} bytes is no nickname")))
            }
            Some(line) => match Nickname::from_bytes(line.text) {
                Ok(nickname) => Step::Named(nickname),
                Err(reason) => self.refuse_nickname(reason),
            },
            None if now >= self.deadline => Step::SendAway(refusal("too slow, no nickname came in time")),
            None => Step::Read(self.deadline - now),
        }
    }

    /// The nickname will not do: says why and asks again, the third time sends the client away.
    pub fn refuse_nickname(&mut self, reason: impl std::fmt::Display) -> Step {
        self.refusals += 1;
        let explained = format!("{}{reason}\n", super::NICKNAME_REFUSED);
        if self.refusals >= TRIES {
            return Step::SendAway(explained + &refusal("three nicknames were refused"));
        }
        Step::Say(explained + PROMPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn asked() -> (Arrival, Instant) {
        let now = Instant::now();
        (Arrival::new(now, LIMIT), now)
    }

    #[test]
    fn a_nickname_is_taken_byte_by_byte_and_the_rest_is_kept() {
        let (mut arrival, now) = asked();
        for &byte in b"Nick1\r" {
            arrival.lines.push(&[byte]);
            assert_eq!(arrival.next(now), Step::Read(LIMIT));
        }
        arrival.lines.push(b"\nhello\nwor");
        assert_eq!(arrival.next(now), Step::Named("Nick1".parse().unwrap()));
        assert_eq!(arrival.lines.rest(), b"hello\nwor");
    }

    #[test]
    fn the_time_is_counted_in_total() {
        let (mut arrival, now) = asked();
        arrival.lines.push(b"Ni");
        assert_eq!(arrival.next(now + LIMIT / 2), Step::Read(LIMIT / 2));
        arrival.lines.push(b"ck");
        let Step::SendAway(said) = arrival.next(now + LIMIT) else { panic!("it may stay for ever") };
        assert_eq!(said, "Chat refused: too slow, no nickname came in time\n");
    }

    #[test]
    fn the_third_bad_nickname_is_the_last() {
        let (mut arrival, now) = asked();
        arrival.lines.push(b"\n/x\na b\nNick1\n");
        let said = [arrival.next(now), arrival.next(now)];
        assert!(said.iter().all(|step| matches!(step, Step::Say(text) if text.ends_with(PROMPT))), "{said:?}");
        let last = arrival.next(now);
        let expected =
            "Nickname refused: a nickname has no white space inside\nChat refused: three nicknames were refused\n";
        assert_eq!(last, Step::SendAway(expected.to_owned()));
    }

    #[test]
    fn a_line_without_end_is_cut_off_at_512_bytes() {
        let (mut arrival, now) = asked();
        arrival.lines.push(&[b'x'; 512]);
        assert!(matches!(arrival.next(now), Step::Read(_)));
        arrival.lines.push(b"x");
        assert!(matches!(arrival.next(now), Step::SendAway(_)));
    }
}
