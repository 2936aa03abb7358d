//! Log lines: `2026-10-15 15:45:22 - INFO - text`, on stderr, coloured on a terminal only.

use std::io::Write as _;

use env_logger::{Builder, Env};

/// Sets up the log. `RUST_LOG` says what is logged; without it, all from `default` up (`info`, `warn`, ...).
pub fn start(default: &str) {
    // The first call looks the time zone up: here, on the main thread.
    let _ = local_time();
    Builder::from_env(Env::default().default_filter_or(default))
        .format(|line, record| {
            let level = record.level();
            let style = line.default_level_style(level);
            writeln!(line, "{} - {style}{level}{style:#} - {}", local_time(), record.args())
        })
        .init();
}

/// The time of day here as `2026-10-15 15:45:22`.
#[cfg(feature = "local-time")]
#[must_use]
pub fn local_time() -> String {
    // Looked up once: reading the system's zone takes more stack than a worker of the pool has.
    static ZONE: std::sync::OnceLock<jiff::tz::TimeZone> = std::sync::OnceLock::new();
    let zone = ZONE.get_or_init(jiff::tz::TimeZone::system);
    jiff::Timestamp::now().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time in UTC as `2026-10-15 15:45:22`.
#[cfg(not(feature = "local-time"))]
#[must_use]
pub fn local_time() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    utc(now)
}

/// Seconds since 1970 as a date and time, for years to come: days are counted from 1 March of year 0, in eras of 400
/// years, so that the leap day is the last of its year.
#[cfg(any(test, not(feature = "local-time")))]
fn utc(seconds: u64) -> String {
    const DAYS_TO_1970: u64 = 719_468;
    let (days, time) = (seconds / 86_400 + DAYS_TO_1970, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (year, month, day) = (
        era * 400 + year + u64::from(month >= 10),
        if month < 10 { month + 3 } else { month - 9 },
        day - (153 * month + 2) / 5 + 1,
    );
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(utc(1_792_079_122), "2026-10-15 15:45:22");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00");
    }
}
