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
/// So many are dialled at once, ...
const AT_ONCE: usize = 16;
/// ... and so many of one host: those that a member made up do not keep others waiting.
const OF_ONE_HOST: usize = 4;
/// Who was lost after a shorter stay than this has failed once more.
pub(super) const STAY: Duration = Duration::from_secs(60);

/// How long to wait before the try that follows so many failures. `chance` from 0 to 1 spreads the tries of many nodes.
pub(super) fn delay(failures: u32, chance: f64) -> Duration {
    (FIRST_DELAY * (1 << failures.min(6))).min(LAST_DELAY).mul_f64(0.5 + chance / 2.0)
}

/// An address that can be dialled, and means the same there as here: each host has a loopback and link-local addresses of its
/// own. One that is written in several ways comes out in one.
pub(super) fn common(address: SocketAddr, there: IpAddr) -> Option<SocketAddr> {
    let ip = address.ip().to_canonical();
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let is_somebody = address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_link_local;
    (is_somebody && (!ip.is_loopback() || there.is_loopback())).then(|| SocketAddr::new(ip, address.port()))
}

#[derive(Debug)]
struct Dial {
    /// A member or a tracker told us of it, under this name; otherwise it was announced by whoever, and is tried once.
    told: Option<Nickname>,
    state: State,
    failures: u32,
    /// It was said that it cannot be reached.
    reported: bool,
    /// When it was dialled last.
    last: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Due(Instant),
    Dialling,
    Connected,
    Idle,
}

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct Dials(HashMap<SocketAddr, Dial>);

impl Dials {
    /// Whether learning of the address would make it be dialled at once.
    pub(super) fn is_news(&self, address: SocketAddr, now: Instant) -> bool {
        self.0
            .get(&address)
            .is_none_or(|dial| dial.state == State::Idle && dial.last.is_none_or(|last| now >= last + REST))
    }

    /// Learns of an address, from an announcement or (`told`, with the name) from a member or a tracker. `false` when it is not
    /// dialled because of that.
    pub(super) fn learn(&mut self, address: SocketAddr, told: Option<Nickname>, now: Instant) -> bool {
        if let Some(dial) = self.0.get_mut(&address) {
            dial.told = told.or(dial.told.take());
            let idle = dial.state == State::Idle;
            if idle {
                dial.state = State::Due(dial.last.map_or(now, |last| now.max(last + REST)));
                (dial.failures, dial.reported) = (0, false);
            }
            return idle;
        }
        if self.0.len() >= ADDRESSES {
            let rests = |dial: &Dial| dial.last.is_some_and(|last| now.duration_since(last) < REST);
            self.0.retain(|_, dial| dial.state != State::Idle || rests(dial));
        }
        if self.0.len() >= ADDRESSES && told.is_some() {
            // Who could not be reached so far gives way.
            let failed = self.0.iter().filter(|(_, dial)| matches!(dial.state, State::Due(_)) && dial.failures > 0);
            if let Some(address) = failed.max_by_key(|(_, dial)| dial.failures).map(|(address, _)| *address) {
                self.0.remove(&address);
            }
        }
        let fits = self.0.len() < ADDRESSES;
        if fits {
            self.0.insert(address, Dial { told, state: State::Due(now), failures: 0, reported: false, last: None });
        }
        fits
    }

    /// Takes an address that is due, or says when the next will be.
    pub(super) fn next(&mut self, now: Instant) -> Result<SocketAddr, Option<Instant>> {
        let dialling = self.0.iter().filter(|(_, dial)| dial.state == State::Dialling).map(|(address, _)| address.ip());
        let dialling: Vec<_> = dialling.collect();
        let is_busy = |host: IpAddr| dialling.iter().filter(|other| **other == host).count() >= OF_ONE_HOST;
        if dialling.len() >= AT_ONCE {
            return Err(None);
        }
        let first = self.0.iter_mut().filter_map(|(address, dial)| match dial.state {
            State::Due(due) if !is_busy(address.ip()) => Some((due, address, dial)),
            _ => None,
        });
        match first.min_by_key(|(due, ..)| *due) {
            Some((due, address, dial)) if due <= now => {
                (dial.state, dial.last) = (State::Dialling, Some(now));
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
        let is_new = !std::mem::replace(&mut dial.reported, true);
        dial.told.clone().filter(|_| is_new)
    }

    /// The node at the address is a member now.
    pub(super) fn connected(&mut self, address: SocketAddr) {
        if let Some(dial) = self.0.get_mut(&address) {
            (dial.state, dial.reported) = (State::Connected, false);
        }
    }

    /// There is nobody at the address for us, for now.
    pub(super) fn rest(&mut self, address: SocketAddr) {
        if let Some(dial) = self.0.get_mut(&address) {
            dial.state = State::Idle;
        }
    }

    /// A member that could be dialled there was lost after it had stayed for a while: it is tried again.
    pub(super) fn lost(&mut self, address: SocketAddr, name: Nickname, stay: Duration, chance: f64, now: Instant) {
        self.learn(address, Some(name), now);
        let Some(dial) = self.0.get_mut(&address) else { return };
        if stay >= STAY {
            dial.failures = 0;
        }
        let soon = now + delay(dial.failures, chance);
        dial.failures += 1;
        let rested = dial.last.map_or(soon, |last| soon.max(last + REST));
        dial.state = if dial.failures <= TRIES { State::Due(rested) } else { State::Idle };
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
        dials.connected(address(1));
        let later = now + STAY;
        dials.lost(address(1), told().unwrap(), STAY, 1.0, later);
        assert_eq!(dials.next(later + FIRST_DELAY), Ok(address(1)));
        dials.rest(address(1));
        assert_eq!(dials.next(later + LAST_DELAY), Err(None));
    }

    #[test]
    fn who_comes_and_is_lost_again_and_again_is_tried_with_growing_delays_and_given_up() {
        let (mut dials, mut now) = (Dials::default(), Instant::now());
        dials.learn(address(1), told(), now);
        let mut delays = Vec::new();
        while let Ok(found) = dials.next(now) {
            dials.lost(found, told().unwrap(), Duration::from_secs(1), 1.0, now);
            let Err(Some(due)) = dials.next(now) else { break };
            delays.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(delays, [10, 10, 10, 10, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn what_is_told_is_one_address_that_means_the_same_here() {
        let common = |address: &str, there: &str| common(address.parse().unwrap(), there.parse().unwrap());
        for nobody in
            ["10.0.0.1:0", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "[fe80::1]:1", "[::ffff:127.0.0.1]:1"]
        {
            assert_eq!(common(nobody, "10.0.0.2"), None, "{nobody}");
        }
        let one = Some("127.0.0.1:1".parse().unwrap());
        assert_eq!([common("127.0.0.1:1", "::1"), common("[::ffff:127.0.0.1%7]:1", "127.0.0.1")], [one, one]);
    }

    #[test]
    fn only_so_many_are_dialled_at_once_and_who_fails_makes_room() {
        let (mut dials, now) = (Dials::default(), Instant::now());
        let host = |number: u16| SocketAddr::from(([10, 0, 1, u8::try_from(number / 8).unwrap()], number % 8 + 1));
        let learned = (0..2000).filter(|&number| dials.learn(host(number), told(), now)).count();
        assert_eq!(learned, ADDRESSES);
        let dialling: Vec<_> = std::iter::from_fn(|| dials.next(now).ok()).collect();
        assert_eq!(dialling.len(), AT_ONCE);
        for one in &dialling {
            assert!(dialling.iter().filter(|other| other.ip() == one.ip()).count() <= OF_ONE_HOST);
        }
        dials.failed(dialling[0], 1.0, now);
        assert!(dials.next(now).is_ok());
        assert!(dials.learn(SocketAddr::from(([10, 0, 0, 2], 1)), told(), now));
        assert_eq!(dials.0.len(), ADDRESSES);
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
