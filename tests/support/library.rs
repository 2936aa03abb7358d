//! The server inside the test: for limits that would take half a minute in the real one.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use p2p_chat::net;
use p2p_chat::server::{self, Limits};
use p2p_chat::stop::Stop;

use super::LIMIT;

/// A server on a thread of the test; stopped with the value.
#[derive(Debug)]
pub(crate) struct InProcess {
    port: u16,
    stop: Stop,
    ended: Receiver<()>,
}

impl InProcess {
    pub(crate) fn start(sessions: usize, limits: Limits) -> Self {
        let (listeners, port) = net::listen("127.0.0.1", 0).expect("a free port");
        let stop = Stop::default();
        let (end, ended) = channel();
        let stopped = stop.clone();
        thread::spawn(move || {
            server::run(&listeners, sessions, limits, &stopped);
            end.send(()).ok();
        });
        Self { port, stop, ended }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.stop.trigger();
        let ended = self.ended.recv_timeout(LIMIT);
        if !thread::panicking() {
            ended.expect("expected the server to end within the limit");
        }
    }
}
