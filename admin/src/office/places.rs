//! Who has a place at the listener: no address has all of them, and whoever takes nothing of his answer loses his.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use socket2::SockRef;

use crate::access;

/// The places of each address. Clones are the same.
#[derive(Clone)]
pub(super) struct Places {
    /// Of one address at once; more are closed before they are heard.
    of_address_max: usize,
    /// How long a peer may take nothing.
    timeout: Duration,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place that is taken. It is free when this is dropped.
pub(super) struct Place {
    address: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Places {
    /// Of `places_max` places one address has `of_address_max` at most, and never all of them unless there is but one.
    pub(super) fn new(places_max: usize, of_address_max: usize, timeout: Duration) -> Self {
        let three_quarters = places_max - places_max.div_ceil(4);
        Self {
            of_address_max: of_address_max.min(three_quarters).max(1),
            timeout,
            taken: Arc::default(),
        }
    }

    /// Takes a place for a connection, or closes it: its address has as many as it may.
    pub(super) fn seat(&self, connection: &TcpStream) -> Option<Place> {
        let socket = SockRef::from(connection);
        // actix waits for as long as it takes to write. The kernel does not: it ends the connection of a peer that
        // acknowledges nothing, or has no room for more, for so long.
        if let Err(error) = socket.set_tcp_user_timeout(Some(self.timeout)) {
            tracing::debug!(%error, "an operator's connection has no time limit for what is written");
        }
        let address = connection.peer_addr().ok()?.ip();
        let place = self.take(access::network(address.to_canonical()));
        if place.is_none() {
            tracing::debug!(%address, "closed: the address has admin.address_connections_max connections");
            // One that is gone already is closed as well.
            let _ = socket.shutdown(Shutdown::Both);
        }
        place
    }

    fn take(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&address).copied().unwrap_or(0);
        if count >= self.of_address_max {
            return None;
        }
        taken.insert(address, count + 1);
        Some(Place {
            address,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(taken.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gives_them_back() {
        let places = Places::new(8, 2, Duration::from_secs(1));
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().expect("an address"));
        let first = places.take(one).expect("a place");
        let _second = places.take(one).expect("a place");
        assert!(places.take(one).is_none());
        assert!(places.take(other).is_some());
        drop(first);
        assert!(places.take(one).is_some());
        assert_eq!(
            places.taken.lock().expect("no panic").len(),
            1,
            "who has gone is forgotten"
        );
    }

    #[test]
    fn an_address_leaves_a_quarter_of_the_places_to_others() {
        for (places_max, asked, granted) in [
            (128, 96, 96),
            (128, 4, 4),
            (20, 96, 15),
            (6, 6, 4),
            (2, 9, 1),
            (1, 1, 1),
        ] {
            let places = Places::new(places_max, asked, Duration::from_secs(1));
            assert_eq!(places.of_address_max, granted, "{asked} of {places_max}");
        }
    }
}
