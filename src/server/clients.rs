//! Everyone who is connected: numbers for the log, and a hand on each socket for stop and overload.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::{net::Socket, sync::lock};

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    /// The smallest number that was free when it came, from 1.
    pub(super) number: usize,
    pub(super) socket: Socket,
    arrived: Instant,
    seated: AtomicBool,
    evicted: AtomicBool,
}

impl Client {
    /// It has a seat, and no longer gives way to others.
    pub(super) fn sit_down(&self) {
        self.seated.store(true, Ordering::Relaxed);
    }

    /// Whether it has to give way to newcomers.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }
}

/// The clients by number.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<Vec<Option<Arc<Client>>>>);

impl Clients {
    pub(super) fn add(&self, socket: Socket) -> Arc<Client> {
        let mut slots = lock(&self.0);
        let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        let client = Arc::new(Client {
            number: free + 1,
            socket,
            arrived: Instant::now(),
            seated: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
        });
        match slots.get_mut(free) {
            Some(slot) => *slot = Some(Arc::clone(&client)),
            None => slots.push(Some(Arc::clone(&client))),
        }
        client
    }

    pub(super) fn remove(&self, client: &Client) {
        if let Some(slot) = lock(&self.0).get_mut(client.number - 1) {
            *slot = None;
        }
    }

    /// The one that has been longest without a seat gives way.
    pub(super) fn evict_longest_silent(&self) {
        let longest = {
            let slots = lock(&self.0);
            let giving_way = slots
                .iter()
                .flatten()
                .filter(|client| !client.seated.load(Ordering::Relaxed) && !client.evicted.load(Ordering::Relaxed));
            giving_way.min_by_key(|client| client.arrived).cloned()
        };
        if let Some(client) = longest {
            client.evicted.store(true, Ordering::Relaxed);
            client.socket.stop_reading();
        }
    }

    pub(super) fn for_each(&self, act: impl Fn(&Client)) {
        let clients: Vec<_> = lock(&self.0).iter().flatten().cloned().collect();
        clients.iter().for_each(|client| act(client));
    }
}
