//! The yardstick: the least a relay can be. Two connections, two threads, 64 KiB buffers, nothing else.
//!
//! It runs as a process of its own, as any relay would, so that its CPU time can be told from the clients'.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

/// What the bench passes to itself to become the bare copy.
pub(crate) const ARGUMENT: &str = "--bare-copy";

/// What stands before the port on its first line.
pub(crate) const READY: &str = "bare copy on port ";

const BUFFER: usize = 64 * 1024;

/// Joins the first two clients, until standard input ends: so it ends with the bench, however that ends.
pub(crate) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || join_two(&listener));
    writeln!(io::stdout(), "{READY}{port}")?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn join_two(listener: &TcpListener) -> io::Result<()> {
    let (a, _) = listener.accept()?;
    let (b, _) = listener.accept()?;
    a.set_nodelay(true)?;
    b.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| copy(&a, &b));
        scope.spawn(|| copy(&b, &a));
    });
    Ok(())
}

/// Not `io::copy`, which on Linux may move the bytes inside the kernel: this is the loop everyone writes by hand.
fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(bytes)?;
    }
}
