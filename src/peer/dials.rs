//! Whom to dial, and when. Pure state: time goes in, addresses come out.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::nickname::Nickname;

/// Addresses that are remembered at once.
const ADDRESSES: usize = 1024;
/// However often an address is announced or told of, it is dialled no more often than this because of that.
const REST: Duration = Duration::from_secs(10);
/// Who was told of and could not be reached is tried again after this; the delay doubles with each try, ...
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// ... up to this, ...
const LAST_DELAY: Duration = Duration::from_secs(60);
/// ... and is given up after so many: about six minutes.
const TRIES: u32 = 10;

/// How long to wait before the try that follows so many failures. `chance` from 0 to 1 spreads the tries of many nodes.
pub(super) fn delay(failures: u32, chance: f64) -> Duration {
    (FIRST_DELAY * (1 << failures.min(6))).min(LAST_DELAY).mul_f64(0.5 + chance / 2.0)
}

/// Whether an address can be dialled, and means the same there as here: each host has a loopback and link-local addresses of its
/// own.
pub(super) fn can_be_told(address: SocketAddr, there: IpAddr) -> bool {
    let link_local = matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local());
    address.port() != 0 && !link_local && (!address.ip().is_loopback() || there.is_loopback())
}

#[derive(Debug)]
struct Dial {
    /// A member or a tracker told us of it, under this name; otherwise it was announced by whoever, and is tried once.
    told: Option<Nickname>,
    state: State,
    failures: u32,
    /// When it was dialled last.
    last: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Due(Instant),
    /// It is being dialled, or is connected.
    Busy,
    Idle,
}

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct Dials(HashMap<SocketAddr, Dial>);

impl Dials {
    /// Learns of an address, from an announcement or (`told`, with the name) from a member or a tracker. `false` when it is not
    /// dialled because of that.
    pub(super) fn learn(&mut self, address: SocketAddr, told: Option<Nickname>, now: Instant) -> bool {
        if let Some(dial) = self.0.get_mut(&address) {
            dial.told = told.or(dial.told.take());
            let idle = dial.state == State::Idle;
            if idle {
                dial.state = State::Due(dial.last.map_or(now, |last| now.max(last + REST)));
                dial.failures = 0;
            }
            return idle;
        }
        if self.0.len() >= ADDRESSES {
            let rests = |dial: &Dial| dial.last.is_some_and(|last| now.duration_since(last) < REST);
            self.0.retain(|_, dial| dial.state != State::Idle || rests(dial));
        }
        let fits = self.0.len() < ADDRESSES;
        if fits {
            self.0.insert(address, Dial { told, state: State::Due(now), failures: 0, last: None });
        }
        fits
    }

    /// Takes an address that is due, or says when the next will be.
    pub(super) fn next(&mut self, now: Instant) -> Result<SocketAddr, Option<Instant>> {
        let first = self.0.iter_mut().filter_map(|(address, dial)| match dial.state {
            State::Due(due) => Some((due, address, dial)),
            State::Busy | State::Idle => None,
        });
        match first.min_by_key(|(due, ..)| *due) {
            Some((due, address, dial)) if due <= now => {
                (dial.state, dial.last) = (State::Busy, Some(now));
                Ok(*address)
            }
            next => Err(next.map(|(due, ..)| due)),
        }
    }

    /// The address could not be reached. Returns the name of whoever was to be there when this is the first time.
    pub(super) fn failed(&mut self, address: SocketAddr, chance: f64, now: Instant) -> Option<Nickname> {
        let dial = self.0.get_mut(&address)?;
        if dial.told.is_none() || dial.failures >= TRIES {
            dial.state = State::Idle;
            return None;
        }
        dial.state = State::Due(now + delay(dial.failures, chance));
        dial.failures += 1;
        dial.told.clone().filter(|_| dial.failures == 1)
    }

    /// There is nobody at the address for us, for now.
    pub(super) fn rest(&mut self, address: SocketAddr) {
        if let Some(dial) = self.0.get_mut(&address) {
            dial.state = State::Idle;
        }
    }

    /// A member that could be dialled there was lost: it is tried again.
    pub(super) fn lost(&mut self, address: SocketAddr, name: Nickname, chance: f64, now: Instant) {
        self.learn(address, Some(name), now);
        if let Some(dial) = self.0.get_mut(&address) {
            (dial.state, dial.failures) = (State::Due(now + delay(0, chance)), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], number))
    }

    fn told() -> Option<Nickname> {
        Some("bob".parse().unwrap())
    }

    #[test]
    fn an_announced_address_is_dialled_once_in_a_while() {
        let (mut dials, now) = (Dials::default(), Instant::now());
        assert!(dials.learn(address(1), None, now));
        assert!(!dials.learn(address(1), None, now));
        assert_eq!(dials.next(now), Ok(address(1)));
        assert!(!dials.learn(address(1), None, now), "while it is dialled");
        assert_eq!(dials.failed(address(1), 0.5, now), None);
        assert_eq!(dials.next(now + LAST_DELAY), Err(None), "it is not tried again by itself");
        assert!(dials.learn(address(1), None, now + REST / 2));
        assert_eq!(dials.next(now + REST / 2), Err(Some(now + REST)));
        assert_eq!(dials.next(now + REST), Ok(address(1)));
    }

    #[test]
    fn who_was_told_of_is_tried_with_growing_delays_reported_once_and_given_up() {
        let (mut dials, mut now) = (Dials::default(), Instant::now());
        dials.learn(address(1), told(), now);
        let (mut reports, mut delays) = (0, Vec::new());
        while let Ok(found) = dials.next(now) {
            reports += u32::from(dials.failed(found, 1.0, now).is_some());
            let Err(Some(due)) = dials.next(now) else { break };
            delays.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(reports, 1);
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn a_lost_member_is_tried_again_soon_and_one_that_left_is_not() {
        let (mut dials, now) = (Dials::default(), Instant::now());
        dials.learn(address(1), None, now);
        assert_eq!(dials.next(now), Ok(address(1)));
        dials.lost(address(1), told().unwrap(), 1.0, now);
        assert_eq!(dials.next(now + FIRST_DELAY), Ok(address(1)));
        dials.rest(address(1));
        assert_eq!(dials.next(now + LAST_DELAY), Err(None));
    }

    #[test]
    fn a_flood_of_addresses_is_remembered_in_bounded_memory() {
        let (mut dials, now) = (Dials::default(), Instant::now());
        for number in 0..u16::MAX {
            dials.learn(address(number), None, now);
        }
        assert_eq!(dials.0.len(), ADDRESSES);
    }
}
