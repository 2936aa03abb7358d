//! `chat-tracker [HOST] [PORT]`: tells the members of a room where to find each other.

use std::io;
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
    let arguments = Arguments::parse();
    logging::start("info");
    let Err(reason) = run(arguments) else { return ExitCode::SUCCESS };
    error!(target: LOG_TARGET, "❌ {reason}");
    ExitCode::FAILURE
}

fn run(Arguments { host, port, members }: Arguments) -> io::Result<()> {
    let members = usize::from(members);
    #[cfg(all(unix, feature = "descriptor-limit"))]
    if let Some(advice) = p2p_chat::limits::raise_descriptors(tracker::connections(members)) {
        log::warn!(target: LOG_TARGET, "⚠️ {advice}");
    }
    let stop = Stop::default();
    let stopping = stop.clone();
    stop::on_signal(move || _ = stopping.trigger(), || ())?;
    let (listeners, port) = net::listen(&host, port)?;
    info!(target: LOG_TARGET, "🚀 Chat tracker started on {}", net::place(&host, port));
    tracker::run(&listeners, members, &stop);
    info!(target: LOG_TARGET, "🛑 Tracker stopped");
    Ok(())
}
