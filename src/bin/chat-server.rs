//! `chat-server HOST PORT`: two people meet here and chat.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use log::{error, info};
use p2p_chat::server::{self, LOG_TARGET, Limits};
use p2p_chat::stop::{self, Stop};
use p2p_chat::{logging, net};

/// Waits for two clients and relays what they say to each other.
#[derive(Parser)]
#[command(
    name = "chat-server",
    version,
    after_help = "RUST_LOG sets the log level (error, warn, info, debug); NO_COLOR switches colours off."
)]
struct Arguments {
    /// Name or address to listen on: localhost, 0.0.0.0, ::, ...
    host: String,
    /// Port to listen on; 0 takes a free one
    port: u16,
    /// How many two-party chats are served at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    sessions: u16,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start("info");
    let Err(reason) = run(arguments) else { return ExitCode::SUCCESS };
    error!(target: LOG_TARGET, "❌ {reason}");
    ExitCode::FAILURE
}

fn run(Arguments { host, port, sessions }: Arguments) -> io::Result<()> {
    let sessions = usize::from(sessions);
    let limits = Limits::default();
    #[cfg(all(unix, feature = "descriptor-limit"))]
    if let Some(advice) = p2p_chat::limits::raise_descriptors(sessions * 2 + limits.handshakes) {
        log::warn!(target: LOG_TARGET, "⚠️ {advice}");
    }
    let stop = Stop::default();
    let stopping = stop.clone();
    stop::on_signal(move || _ = stopping.trigger(), || ())?;
    let (listeners, port) = net::listen(&host, port)?;
    info!(target: LOG_TARGET, "🚀 Chat server started on {}", net::place(&host, port));
    server::run(&listeners, sessions, limits, &stop);
    info!(target: LOG_TARGET, "🛑 Server stopped");
    Ok(())
}
