//! `chat-peer NAME`: chat without a server.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use clap::Parser;
use p2p_chat::logging;
use p2p_chat::nickname::Nickname;
use p2p_chat::peer::{self, Lan, Place, Settings};

/// Chats without a server: on the local network, by direct dial, or with those whom a tracker names.
#[derive(Parser)]
#[command(
    name = "chat-peer",
    version,
    after_help = "Without --listen, --connect and --tracker it is the local network; --lan adds it to these. \
    Type /help in the chat for what can be typed there. NO_COLOR switches colours off."
)]
struct Arguments {
    /// What the others see you as, 1 to 32 characters
    name: Nickname,
    /// Wait here for whoever dials; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Place>,
    /// Dial this node; can be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = there)]
    connect: Vec<Place>,
    /// Ask this tracker who is in the room; can be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = there)]
    tracker: Vec<Place>,
    /// The conversation; upper and lower case are not the same
    #[arg(long, value_name = "NAME", default_value = "lobby", value_parser = room)]
    room: Nickname,
    /// Find others on the local network, too
    #[arg(long)]
    lan: bool,
    /// Only on the interface with this address
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// UDP port of the announcements on the local network
    #[arg(long, value_name = "PORT", default_value_t = 7473, value_parser = clap::value_parser!(u16).range(1..))]
    lan_port: u16,
    /// Announce to this address instead of each interface's own broadcast address
    #[arg(long, value_name = "ADDRESS")]
    broadcast: Option<IpAddr>,
    /// For scripts: send nothing until so many others have come, up to 128 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=128))]
    wait: Option<u16>,
}

fn room(text: &str) -> Result<Nickname, String> {
    text.parse().map_err(|reason: &str| reason.replace("nickname", "room's name"))
}

/// A place where somebody can be.
fn there(text: &str) -> Result<Place, String> {
    let place: Place = text.parse()?;
    if place.port == 0 { Err("nobody is at port 0".to_owned()) } else { Ok(place) }
}

fn main() -> ExitCode {
    let Arguments { name, listen, connect, tracker, room, lan, host, lan_port, broadcast, wait } = Arguments::parse();
    // What it has to say to a person it says in the chat: a log line would break the line being typed.
    logging::start(if io::stdin().is_terminal() { "off" } else { "warn" });
    let lan = lan || (listen.is_none() && connect.is_empty() && tracker.is_empty());
    let lan = lan.then_some(Lan { port: lan_port, host, broadcast });
    let Err(reason) =
        peer::run(Settings { name, room, listen, host, connect, trackers: tracker, lan, wait: wait.map(usize::from) })
    else {
        return ExitCode::SUCCESS;
    };
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr(), "❌ {reason}");
    ExitCode::FAILURE
}
