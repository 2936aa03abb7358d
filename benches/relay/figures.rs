//! What is measured of each relay, and the numbers of all turns: medians, and ratios to the bare copy.

use crate::peers::Peer;
use std::collections::BTreeMap;
use std::io;

/// One kind of traffic. It yields one or two figures, and succeeds or fails as a whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    RoundTrip,
    Lines,
    OneWay,
    BothWays,
}

impl Test {
    pub(crate) const ALL: [Self; 4] = [Self::RoundTrip, Self::Lines, Self::OneWay, Self::BothWays];

    /// How often each relay has its turn in a round.
    ///
    /// A stream of lines settles into one of several rhythms, by which core the system puts each end on. So the bare
    /// copy beside a second bare copy differed by up to two times from turn to turn, and only the median of some
    /// fifty short turns came within 2 % of 1.
    pub(crate) fn turns(self) -> usize {
        match self {
            Self::Lines => 24,
            Self::RoundTrip | Self::OneWay | Self::BothWays => 1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round trip",
            Self::Lines => "lines a second",
            Self::OneWay => "bulk one way",
            Self::BothWays => "bulk both ways",
        }
    }
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    RoundTripMedian,
    RoundTripTail,
    Lines,
    OneWay,
    OneWayCpu,
    BothWays,
    BothWaysCpu,
}

impl Figure {
    pub(crate) const ALL: [Self; 7] = [
        Self::RoundTripMedian,
        Self::RoundTripTail,
        Self::Lines,
        Self::OneWay,
        Self::OneWayCpu,
        Self::BothWays,
        Self::BothWaysCpu,
    ];

    pub(crate) fn test(self) -> Test {
        match self {
            Self::RoundTripMedian | Self::RoundTripTail => Test::RoundTrip,
            Self::Lines => Test::Lines,
            Self::OneWay | Self::OneWayCpu => Test::OneWay,
            Self::BothWays | Self::BothWaysCpu => Test::BothWays,
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::RoundTripMedian => "round trip p50, µs",
            Self::RoundTripTail => "p99, µs",
            Self::Lines => "lines/s",
            Self::OneWay => "one way, MiB/s",
            Self::OneWayCpu => "CPU s/GiB",
            Self::BothWays => "both ways, MiB/s",
            Self::BothWaysCpu => "CPU s/GiB",
        }
    }

    /// Digits behind the point that mean something.
    pub(crate) fn decimals(self) -> usize {
        match self {
            Self::RoundTripMedian | Self::RoundTripTail => 1,
            Self::Lines | Self::OneWay | Self::BothWays => 0,
            Self::OneWayCpu | Self::BothWaysCpu => 3,
        }
    }
}

/// The numbers of all turns, in the order of the turns.
#[derive(Default)]
pub(crate) struct Results {
    turns: BTreeMap<(Peer, Figure), Vec<f64>>,
    failures: BTreeMap<(Peer, Test), String>,
}

/// A ratio to the bare copy, taken within each turn, since what disturbs one disturbs the other.
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Results {
    pub(crate) fn add(&mut self, peer: Peer, figures: &[(Figure, f64)]) {
        for &(figure, value) in figures {
            self.turns.entry((peer, figure)).or_default().push(value);
        }
    }

    pub(crate) fn fail(&mut self, peer: Peer, test: Test, error: &io::Error) {
        self.failures.insert((peer, test), error.to_string());
    }

    pub(crate) fn failure(&self, peer: Peer, test: Test) -> Option<&str> {
        self.failures.get(&(peer, test)).map(String::as_str)
    }

    /// The median of all turns; none if one of them failed.
    pub(crate) fn median(&self, peer: Peer, figure: Figure) -> Option<f64> {
        self.values(peer, figure).map(median)
    }

    /// The ratio to the bare copy.
    pub(crate) fn ratio(&self, peer: Peer, figure: Figure) -> Option<Ratio> {
        let values = self.values(peer, figure)?;
        let bare = self.values(Peer::BareCopy, figure)?;
        let ratios: Vec<f64> = values.iter().zip(bare).map(|(value, bare)| value / bare).collect();
        // Nothing by nothing, when a short run costs less CPU time than can be told.
        if !ratios.iter().all(|ratio| ratio.is_finite()) {
            return None;
        }
        Some(Ratio {
            median: median(&ratios),
            lowest: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            highest: ratios.iter().copied().fold(0.0, f64::max),
        })
    }

    fn values(&self, peer: Peer, figure: Figure) -> Option<&[f64]> {
        if self.failure(peer, figure.test()).is_some() {
            return None;
        }
        self.turns.get(&(peer, figure)).map(Vec::as_slice)
    }
}

/// The middle value; of an even number, the mean of the middle two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(half) } else { (at(half.wrapping_sub(1)) + at(half)) / 2.0 }
}
