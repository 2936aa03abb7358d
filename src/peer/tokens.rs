//! How often something may happen that others can cause.

use std::time::Instant;

/// A bucket of permissions that fills with time.
#[derive(Debug)]
pub(super) struct Tokens {
    most: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Tokens {
    /// So many at once, and so many more each second.
    pub(super) fn new(most: f64, per_second: f64) -> Self {
        Self { most, per_second, left: most, at: Instant::now() }
    }

    /// Takes one, when there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * self.per_second).min(self.most);
        self.at = now;
        let has = self.left >= 1.0;
        self.left -= f64::from(u8::from(has));
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_let_through_at_a_trickle() {
        let mut tokens = Tokens::new(32.0, 2.0);
        let start = tokens.at;
        let through = (0..100_000_u64).filter(|n| tokens.take(start + Duration::from_micros(n * 100))).count();
        assert!((51..=53).contains(&through), "{through} of 100,000 in 10 s");
    }
}
