//! The local network: nodes that shout find each other.
//!
//! A node announces itself when it starts (three times, since a datagram may be lost), and then about every 30 s, so that one
//! that was out of reach is found within half a minute of its return. On a network of 100 that is 3.3 datagrams of about 60
//! bytes a second in all. A newcomer is answered with our own announcement, to it alone, and dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io, thread};

use if_addrs::{IfAddr, Interface, get_if_addrs};
use socket2::{Domain, Protocol, Socket, Type};

use super::node::{Node, chance};
use super::tokens::Tokens;
use crate::protocol::Announcement;
use crate::protocol::announcement::ANNOUNCEMENT;
use crate::sync::lock;

/// Link-local, transient (RFC 4291, 2.7).
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x7473);

/// How often a node announces itself.
const INTERVAL: Duration = Duration::from_secs(30);
/// The first announcements, by the time since the start.
const FIRST: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Who is heard by IPv6 gets this long to be met by IPv4.
const AFTER_IPV4: Duration = Duration::from_millis(500);

/// How many strangers a node dials, or answers, at once because of announcements, and how many more each second: a forged
/// flood costs no more than this.
const BURST: f64 = 32.0;
const PER_SECOND: f64 = 2.0;

/// Where and how to announce.
#[derive(Clone, Copy, Debug)]
pub struct Lan {
    /// The UDP port.
    pub port: u16,
    /// Only on the interface with this address.
    pub host: Option<IpAddr>,
    /// To this address instead of each interface's own broadcast address.
    pub broadcast: Option<IpAddr>,
}

/// The sockets of the local network. Either may be missing.
#[derive(Debug)]
struct Air {
    v4: Option<Arc<UdpSocket>>,
    v6: Option<Arc<UdpSocket>>,
}

/// Announces the node and dials whom it hears, on threads of its own as long as the program runs.
pub(super) fn start(node: &Arc<Node>, lan: Lan) {
    let air = match open(lan) {
        Ok(air) => air,
        Err(error) => return complain(node, &error.to_string()),
    };
    node.status("📡", &format!("Looking for others on the local network (UDP port {})", lan.port));
    let (tokens, near) = (Arc::new(Mutex::new(Tokens::new(BURST, PER_SECOND))), Near::of(lan.host));
    for socket in [&air.v4, &air.v6].into_iter().flatten() {
        let (node, socket, tokens) = (Arc::clone(node), Arc::clone(socket), Arc::clone(&tokens));
        thread::spawn(move || hear(&node, &socket, near, &tokens));
    }
    let node = Arc::clone(node);
    thread::spawn(move || announce(&node, &air, lan));
}

fn complain(node: &Node, reason: &str) {
    node.status("📡", &format!("Cannot announce on the local network: {reason}; try --connect HOST:PORT"));
}

/// Several nodes of one machine share the port. An error when neither kind of address works.
fn open(lan: Lan) -> io::Result<Air> {
    let v4 = || bind(Domain::IPV4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, lan.port))).map(Arc::new);
    let v6 = || bind(Domain::IPV6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, lan.port))).map(Arc::new);
    match lan.host {
        Some(IpAddr::V6(_)) => Ok(Air { v4: None, v6: Some(v6()?) }),
        Some(IpAddr::V4(_)) => Ok(Air { v4: Some(v4()?), v6: None }),
        None if lan.broadcast.is_some() => Ok(Air { v4: Some(v4()?), v6: None }),
        None => match (v4(), v6()) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Air { v4: v4.ok(), v6: v6.ok() }),
        },
    }
}

fn bind(domain: Domain, address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    // Elsewhere than on Linux it takes this for all to hear a broadcast; there it would be heard by one alone.
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    if domain == Domain::IPV4 {
        socket.set_broadcast(true)?;
    }
    Ok(socket)
}

/// Announces the node on every interface, again and again.
fn announce(node: &Node, air: &Air, lan: Lan) {
    let message = own_announcement(node);
    let started = Instant::now();
    let mut first = FIRST.iter();
    let mut complained = false;
    loop {
        match send_everywhere(air, lan, message.as_bytes()) {
            Err(error) if !complained => {
                complained = true;
                complain(node, &error.to_string());
            }
            Err(_) => {}
            Ok(()) => complained = false,
        }
        let pause = match first.next() {
            Some(at) => at.saturating_sub(started.elapsed()),
            // Not in step with others that were started at the same moment.
            None => INTERVAL.mul_f64(0.9 + chance() * 0.2),
        };
        if node.leave.wait_for(pause) {
            return;
        }
    }
}

fn own_announcement(node: &Node) -> String {
    Announcement { id: node.id, port: node.port, room: node.room.clone() }.to_string()
}

/// An error when nothing could be sent on any interface.
fn send_everywhere(air: &Air, lan: Lan, message: &[u8]) -> io::Result<()> {
    let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "no interface can broadcast"));
    let mut sent = |outcome: io::Result<usize>| match outcome {
        Ok(_) => result = Ok(()),
        Err(error) if result.is_err() => result = Err(error),
        Err(_) => {}
    };
    if let (Some(v4), Some(address)) = (&air.v4, lan.broadcast) {
        sent(v4.send_to(message, (address, lan.port)));
        return result;
    }
    for interface in get_if_addrs()? {
        if lan.host.is_some_and(|host| host != interface.ip()) {
            continue;
        }
        match (&interface.addr, &air.v4, &air.v6) {
            (IfAddr::V4(address), Some(v4), _) => {
                // Where none is set (always on loopback), the network's last address is one; Linux then gives our own instead.
                let last = address.ip.to_bits() | !address.netmask.to_bits();
                let broadcast = address.broadcast.filter(|broadcast| *broadcast != address.ip);
                sent(v4.send_to(message, (broadcast.unwrap_or(Ipv4Addr::from_bits(last)), lan.port)));
            }
            (IfAddr::V6(address), _, Some(v6)) if address.ip.is_unicast_link_local() => {
                let index = interface.index.unwrap_or_default();
                // An error says that we have joined already.
                let _ = v6.join_multicast_v6(&GROUP, index);
                sent(v6.send_to(message, SocketAddrV6::new(GROUP, lan.port, 0, index)));
            }
            _ => {}
        }
    }
    result
}

/// Where announcements count: everywhere, or on the network of one interface.
#[derive(Clone, Copy, Debug)]
struct Near {
    network: Ipv4Addr,
    mask: Ipv4Addr,
}

impl Near {
    fn of(host: Option<IpAddr>) -> Self {
        let everywhere = Self { network: Ipv4Addr::UNSPECIFIED, mask: Ipv4Addr::UNSPECIFIED };
        let is_it = |interface: &Interface| Some(interface.ip()) == host;
        match get_if_addrs().unwrap_or_default().into_iter().find(is_it).map(|interface| interface.addr) {
            Some(IfAddr::V4(own)) => Self { network: own.ip & own.netmask, mask: own.netmask },
            _ => everywhere,
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => address & self.mask == self.network,
            IpAddr::V6(_) => true,
        }
    }
}

/// Dials whoever announces itself, and answers it once.
fn hear(node: &Node, socket: &UdpSocket, near: Near, tokens: &Mutex<Tokens>) {
    let mut buffer = [0; ANNOUNCEMENT + 1];
    let answer = own_announcement(node);
    while !node.leave.is_set() {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some(heard) = buffer.get(..length).and_then(Announcement::parse) else { continue };
        let known = heard.id == node.id || lock(&node.mesh).get(heard.id).is_some();
        let mut address = from;
        address.set_port(heard.port);
        let is_news = lock(&node.dials).is_news(address, Instant::now());
        if known || heard.room != node.room || !near.contains(from.ip()) || !is_news {
            continue;
        }
        // Taken last, so that an announcement that is repeated uses nothing up.
        if !lock(tokens).take(Instant::now()) {
            continue;
        }
        // People tell each other by IPv4 addresses where they can: these come first.
        let later = if address.is_ipv6() { AFTER_IPV4 } else { Duration::ZERO };
        if node.learn(address, None, Instant::now() + later) {
            // Best effort: when it cannot be dialled from here, it may dial us.
            let _ = socket.send_to(answer.as_bytes(), from);
        }
    }
}
