//! A small chat for two people in a terminal. This is the map of the house.
//!
//! ```text
//!  keyboard ─► writer thread ─► socket ─►┐                       ┌─► socket ─► reader thread ─► screen
//!                                        │   chat-server         │
//!                                        ├─► worker ─► relay ────┤
//!  screen ◄─ reader thread ◄─ socket ◄───┘  (bytes, unchanged)   └◄─ socket ◄─ writer thread ◄─ keyboard
//! ```
//!
//! | room | what it does |
//! |---|---|
//! | [`server`] | accept → handshake → lobby → relay |
//! | `peer` | a chat without a server: every node is both |
//! | `tracker` | tells nodes where to find each other |
//! | [`client`] | connects, asks for a nickname, runs the two threads |
//! | [`terminal`] | keyboard and screen: line editing, pipes, foreign text made safe |
//! | [`protocol`] | what travels on the wire, without input or output |
//! | `reception` | takes connections for whoever serves them |
//! | [`net`] | sockets the way we want them |
//! | [`pool`] | a bounded thread pool |
//! | [`stop`] | one orderly stop |
//! | [`logging`], `limits` | log lines; the limit of open files |
//! | [`nickname`], [`text`] | what a nickname may be, which characters may be shown |
//!
//! Arrows go one way: programs → server, client, peer, tracker → reception → protocol, net, pool, stop, terminal → nickname, text.

pub mod client;
#[cfg(all(unix, feature = "descriptor-limit"))]
pub mod limits;
pub mod logging;
pub mod net;
pub mod nickname;
#[cfg(feature = "peer")]
pub mod peer;
pub mod pool;
pub mod protocol;
mod reception;
pub mod server;
pub mod stop;
mod sync;
pub mod terminal;
pub mod text;
#[cfg(feature = "peer")]
pub mod tracker;
