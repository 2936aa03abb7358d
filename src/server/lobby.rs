//! Who waits and who meets whom. Pure state: knows no socket and no thread.

use crate::nickname::Nickname;

/// The seats of a server: two for each chat that may go on at once.
pub(super) struct Lobby<Seat> {
    free: usize,
    waiting: Option<(Nickname, Seat)>,
    sessions: u64,
}

/// Where a client that took a seat found itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seated<Seat> {
    /// The first of session number `.0`.
    First(u64),
    /// The second of session number `.0`, opposite the one that waited.
    Second(u64, Seat),
}

/// Why a client got no seat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoSeat {
    Full,
    NicknameTaken,
}

impl<Seat> Lobby<Seat> {
    pub(super) fn new(sessions: usize) -> Self {
        Self { free: sessions * 2, waiting: None, sessions: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free == 0
    }

    pub(super) fn take_seat(&mut self, nickname: &Nickname, seat: Seat) -> Result<Seated<Seat>, NoSeat> {
        if self.is_full() {
            return Err(NoSeat::Full);
        }
        if self.waiting.as_ref().is_some_and(|(other, _)| other.is_like(nickname)) {
            return Err(NoSeat::NicknameTaken);
        }
        self.free -= 1;
        if let Some((_, companion)) = self.waiting.take() {
            return Ok(Seated::Second(self.sessions, companion));
        }
        self.sessions += 1;
        self.waiting = Some((nickname.clone(), seat));
        Ok(Seated::First(self.sessions))
    }

    /// The client that waits for a companion.
    pub(super) fn waiting(&self) -> Option<&Seat> {
        self.waiting.as_ref().map(|(_, seat)| seat)
    }

    /// The client that waits for a companion leaves. `false`: it does not wait, its companion has come.
    pub(super) fn leave(&mut self, is_it: impl Fn(&Seat) -> bool) -> bool {
        let waits = self.waiting.take_if(|(_, seat)| is_it(seat)).is_some();
        self.free += usize::from(waits);
        waits
    }

    /// A session has ended: two seats are free again.
    pub(super) fn end_session(&mut self) {
        self.free += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Nickname {
        text.parse().unwrap()
    }

    #[test]
    fn two_meet_and_a_third_finds_no_seat() {
        let mut lobby = Lobby::new(1);
        assert_eq!(lobby.take_seat(&name("Nick1"), 1), Ok(Seated::First(1)));
        assert_eq!(lobby.take_seat(&name("Nick2"), 2), Ok(Seated::Second(1, 1)));
        assert_eq!(lobby.take_seat(&name("Nick3"), 3), Err(NoSeat::Full));
        lobby.end_session();
        assert_eq!(lobby.take_seat(&name("Nick3"), 3), Ok(Seated::First(2)));
    }

    #[test]
    fn the_second_may_not_have_the_name_of_the_first() {
        let mut lobby = Lobby::new(1);
        lobby.take_seat(&name("Nick"), 1).unwrap();
        assert_eq!(lobby.take_seat(&name("NICK"), 2), Err(NoSeat::NicknameTaken));
        assert!(!lobby.is_full());
    }

    #[test]
    fn who_leaves_while_waiting_frees_its_seat_and_who_has_a_companion_does_not() {
        let mut lobby = Lobby::new(1);
        lobby.take_seat(&name("Nick1"), 1).unwrap();
        assert!(!lobby.leave(|&seat| seat == 2));
        assert!(lobby.leave(|&seat| seat == 1));
        lobby.take_seat(&name("Nick1"), 1).unwrap();
        lobby.take_seat(&name("Nick2"), 2).unwrap();
        assert!(!lobby.leave(|&seat| seat == 1) && lobby.is_full());
    }

    #[test]
    fn several_sessions_go_on_at_once() {
        let mut lobby = Lobby::new(2);
        for client in 0..4 {
            lobby.take_seat(&name(&format!("Nick{client}")), client).unwrap();
        }
        assert!(lobby.is_full());
    }
}
