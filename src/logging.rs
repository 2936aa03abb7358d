//! Log lines: `2026-10-15 15:45:22 - INFO - text`, on stderr, coloured on a terminal only.

use std::io::Write as _;

use env_logger::{Builder, Env};

/// Sets up the log. `RUST_LOG` says what is logged; without it, all from `default` up (`info`, `warn`, ...).
pub fn start(default: &str) {
    #[cfg(feature = "local-time")]
    std::sync::LazyLock::force(&ZONE);
    Builder::from_env(Env::default().default_filter_or(default))
        .format(|line, record| {
            let level = record.level();
            let style = line.default_level_style(level);
            #[cfg(feature = "local-time")]
            let time = local_time(std::time::SystemTime::now());
            #[cfg(not(feature = "local-time"))]
            let time = line.timestamp_seconds().to_string().replace('T', " ").replace('Z', "");
            writeln!(line, "{time} - {style}{level}{style:#} - {}", record.args())
        })
        .init();
}

/// Looked up once, on the main thread: reading the system's zone takes more stack than a worker of the pool has.
#[cfg(feature = "local-time")]
static ZONE: std::sync::LazyLock<jiff::tz::TimeZone> = std::sync::LazyLock::new(jiff::tz::TimeZone::system);

/// A moment in the time of day here, as `2026-10-15 15:45:22`.
#[cfg(feature = "local-time")]
pub fn local_time(moment: std::time::SystemTime) -> String {
    // Moments thousands of years away are beyond the calendar, and not worth an error.
    let moment = jiff::Timestamp::try_from(moment).unwrap_or_default();
    moment.to_zoned(ZONE.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
