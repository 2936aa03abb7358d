//! `chat-client HOST PORT`: chat with whoever comes to the same server.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use p2p_chat::nickname::Nickname;
use p2p_chat::{client, logging};

/// Chats with the other client of a chat server.
#[derive(Parser)]
#[command(
    name = "chat-client",
    version,
    after_help = "Type /help in the chat for what can be typed there. \
    RUST_LOG=debug shows what happens; NO_COLOR switches colours off."
)]
struct Arguments {
    /// Name or address of the server
    host: String,
    /// Port of the server
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Your nickname, 1 to 32 characters; without it you are asked
    #[arg(long, value_name = "NAME")]
    nick: Option<Nickname>,
}

fn main() -> ExitCode {
    let Arguments { host, port, nick } = Arguments::parse();
    logging::start("warn");
    let Err(reason) = client::run(&host, port, nick) else { return ExitCode::SUCCESS };
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr(), "❌ {reason}");
    ExitCode::FAILURE
}
