//! `chat-tracker [HOST] [PORT]`: tells the members of a room where to find each other.

use std::process::ExitCode;

use clap::Parser;
use log::{error, info};
use p2p_chat::stop::{self, Stop};
use p2p_chat::tracker::{self, LOG_TARGET};
use p2p_chat::{logging, net};

/// Tells those who are in the same room where to find each other. Carries no message.
#[derive(Parser)]
#[command(
    name = "chat-tracker",
    version,
    after_help = "RUST_LOG sets the log level (error, warn, info, debug); NO_COLOR switches colours off."
)]
struct Arguments {
    /// Name or address to listen on
    #[arg(default_value = "0.0.0.0", value_parser = host)]
    host: String,
    /// Port to listen on; 0 takes a free one
    #[arg(default_value_t = 7472)]
    port: u16,
    /// How many members all rooms may have together
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..))]
    members: u16,
}

/// A lone number is a port that somebody meant.
fn host(text: &str) -> Result<String, String> {
    if text.parse::<u16>().is_ok() {
        return Err(format!("it comes before the port: chat-tracker 0.0.0.0 {text}"));
    }
    Ok(text.to_owned())
}

fn main() -> ExitCode {
    let Arguments { host, port, members } = Arguments::parse();
    logging::start("info");
    match run(&host, port, members.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!(target: LOG_TARGET, "❌ {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(host: &str, port: u16, members: usize) -> Result<(), String> {
    #[cfg(all(unix, feature = "descriptor-limit"))]
    if let Some(advice) = p2p_chat::limits::raise_descriptors(tracker::connections(members)) {
        log::warn!(target: LOG_TARGET, "⚠️ {advice}");
    }
    let stop = Stop::default();
    let stopping = stop.clone();
    stop::on_signal(move || stopping.trigger(), || ()).map_err(|error| format!("cannot catch Ctrl+C: {error}"))?;
    let (listeners, port) = net::listen(host, port).map_err(|error| error.to_string())?;
    info!(target: LOG_TARGET, "🚀 Chat tracker started on {}", net::place(host, port));
    tracker::run(&listeners, members, &stop);
    info!(target: LOG_TARGET, "🛑 Tracker stopped");
    Ok(())
}
