//! Tapes of clients that are not there, the longest gone first to be forgotten.

use std::collections::{BTreeMap, HashMap};

use broker::line::Peer;

use super::{Record, Tape};

/// One client's tape, and whose it is.
#[derive(Debug)]
pub(super) struct Entry {
    client_id: Box<str>,
    peer: Box<str>,
    pub(super) tape: Tape,
    number: u64,
}

impl Entry {
    pub(super) fn new(client_id: &str, peer: &Peer, tape: Tape) -> Self {
        Self {
            client_id: client_id.into(),
            peer: peer.to_string().into_boxed_str(),
            tape,
            number: 0,
        }
    }
}

/// One who was refused goes by its name and its host: its port is another each time.
pub(super) fn key_of(client_id: &str, peer: &Peer) -> Box<str> {
    let host = match peer {
        Peer::Address(address) => address.ip().to_string(),
        Peer::Local(name) => name.clone(),
    };
    format!("{client_id}\0{host}").into_boxed_str()
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shelf {
    entries: HashMap<Box<str>, Entry>,
    order: BTreeMap<u64, Box<str>>,
    next: u64,
    entries_max: usize,
}

impl Shelf {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            entries_max,
        }
    }

    /// Takes an entry out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.number);
        Some(entry)
    }

    /// Takes the oldest entry out.
    pub(super) fn take_oldest(&mut self) -> Option<Entry> {
        let (_, key) = self.order.pop_first()?;
        self.entries.remove(&key)
    }

    /// Puts an entry in, as the youngest; returns what had to go for it.
    pub(super) fn put(&mut self, key: Box<str>, mut entry: Entry) -> Vec<Entry> {
        let mut gone: Vec<Entry> = self.take(&key).into_iter().collect();
        while self.entries.len() >= self.entries_max {
            match self.take_oldest() {
                Some(oldest) => gone.push(oldest),
                None => break,
            }
        }
        entry.number = self.next;
        self.next += 1;
        self.order.insert(entry.number, key.clone());
        self.entries.insert(key, entry);
        gone
    }

    /// The entries of a client, or of an address with or without its port.
    pub(super) fn find(&self, name: &str, found: &mut Vec<(String, String, Vec<Record>)>) {
        for entry in self.entries.values() {
            let host = entry
                .peer
                .rsplit_once(':')
                .map(|(host, _)| host.trim_matches(['[', ']']));
            if *entry.client_id == *name || *entry.peer == *name || host == Some(name) {
                let records = entry.tape.records();
                found.push((entry.client_id.to_string(), entry.peer.to_string(), records));
            }
        }
    }
}
