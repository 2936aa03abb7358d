//! Who waits and who meets whom. Pure state: knows no socket and no thread.

use crate::nickname::Nickname;

/// The seats of a server: two for each session that may go on at once.
pub(super) struct Lobby<Session> {
    free: usize,
    /// The nickname of a client that waits for a companion, and its session.
    waiting: Option<(Nickname, Session)>,
    sessions: u64,
}

/// Why a client got no seat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoSeat {
    Full,
    NicknameTaken,
}

impl<Session: Clone> Lobby<Session> {
    pub(super) fn new(sessions: usize) -> Self {
        Self { free: sessions * 2, waiting: None, sessions: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free == 0
    }

    /// The session to join: that of the client that waits, or a new one, which `open` makes of its number.
    pub(super) fn take_seat(&mut self, nickname: &Nickname, open: impl Fn(u64) -> Session) -> Result<Session, NoSeat> {
        if self.is_full() {
            return Err(NoSeat::Full);
        }
        if self.waiting.as_ref().is_some_and(|(other, _)| other.is_like(nickname)) {
            return Err(NoSeat::NicknameTaken);
        }
        self.free -= 1;
        if let Some((_, session)) = self.waiting.take() {
            return Ok(session);
        }
        self.sessions += 1;
        let session = open(self.sessions);
        self.waiting = Some((nickname.clone(), session.clone()));
        Ok(session)
    }

    /// The client that waits leaves, if this is its session: nobody can join it any more.
    pub(super) fn leave(&mut self, is_it: impl Fn(&Session) -> bool) {
        if self.waiting.take_if(|(_, session)| is_it(session)).is_some() {
            self.free += 1;
        }
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

    fn take_seat(lobby: &mut Lobby<u64>, nickname: &str) -> Result<u64, NoSeat> {
        lobby.take_seat(&name(nickname), |number| number)
    }

    #[test]
    fn two_meet_and_a_third_finds_no_seat() {
        let mut lobby = Lobby::new(1);
        assert_eq!(take_seat(&mut lobby, "Nick1"), Ok(1));
        assert_eq!(take_seat(&mut lobby, "Nick2"), Ok(1));
        assert_eq!(take_seat(&mut lobby, "Nick3"), Err(NoSeat::Full));
        lobby.end_session();
        assert_eq!(take_seat(&mut lobby, "Nick3"), Ok(2));
    }

    #[test]
    fn the_second_may_not_have_the_name_of_the_first() {
        let mut lobby = Lobby::new(1);
        take_seat(&mut lobby, "Nick").unwrap();
        assert_eq!(take_seat(&mut lobby, "NICK"), Err(NoSeat::NicknameTaken));
        assert!(!lobby.is_full());
    }

    #[test]
    fn who_leaves_while_waiting_frees_its_seat_and_who_has_a_companion_does_not() {
        let mut lobby = Lobby::new(1);
        take_seat(&mut lobby, "Nick1").unwrap();
        lobby.leave(|&session| session == 2);
        assert_eq!(take_seat(&mut lobby, "Nick1"), Err(NoSeat::NicknameTaken));
        lobby.leave(|&session| session == 1);
        assert_eq!(take_seat(&mut lobby, "Nick1"), Ok(2));
        assert_eq!(take_seat(&mut lobby, "Nick2"), Ok(2));
        lobby.leave(|&session| session == 2);
        assert!(lobby.is_full());
    }

    #[test]
    fn several_sessions_go_on_at_once() {
        let mut lobby = Lobby::new(2);
        let sessions: Vec<_> = (0..4).map(|client| take_seat(&mut lobby, &format!("Nick{client}")).unwrap()).collect();
        assert_eq!(sessions, [1, 1, 2, 2]);
        assert!(lobby.is_full());
    }
}
