//! How many connections one client may have: a client is a network address, of IPv6 its first 64
//! bits. Whoever comes through a Unix socket has none and is not counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::Address;
use crate::clients::key;

/// The connections of each client, over all listeners that share this.
#[derive(Debug)]
pub struct PerClient {
    /// The largest number stands for no bound.
    max: AtomicUsize,
    /// Those that have one: there is no entry without an open connection. Nobody is counted while
    /// there is no bound.
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection among those of its client; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    among: Arc<PerClient>,
    client: IpAddr,
}

/// The client has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl PerClient {
    /// So many connections for each client; none: as many as it likes.
    pub fn new(max: Option<NonZeroUsize>) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(number(max)),
            open: Mutex::default(),
        })
    }

    /// Changes how many. Connections that are open stay, and count if they did so far.
    pub fn set_max(&self, max: Option<NonZeroUsize>) {
        self.max.store(number(max), Relaxed);
    }

    /// A place for a connection of this client; none is needed where its address is not known.
    pub(crate) fn take(self: &Arc<Self>, client: &Address) -> Result<Option<Place>, TooMany> {
        let max = self.max.load(Relaxed);
        let Some(client) = client.ip().map(key).filter(|_| max != usize::MAX) else {
            return Ok(None);
        };
        let mut open = self.lock();
        let count = open.entry(client).or_default();
        if *count >= max {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Some(Place {
            among: Arc::clone(self),
            client,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(max: Option<NonZeroUsize>) -> usize {
    max.map_or(usize::MAX, NonZeroUsize::get)
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.among.lock().entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ip: &str) -> Address {
        Address::Tcp((ip.parse::<IpAddr>().unwrap(), 4000).into())
    }

    #[test]
    fn each_client_has_so_many_and_what_ends_makes_room() {
        let clients = PerClient::new(NonZeroUsize::new(2));
        let first = clients.take(&address("192.0.2.1")).unwrap();
        let second = clients.take(&address("::ffff:192.0.2.1")).unwrap();
        assert!(first.is_some() && second.is_some());
        assert_eq!(clients.take(&address("192.0.2.1")).unwrap_err(), TooMany);
        let other = clients.take(&address("192.0.2.2")).unwrap();
        drop(first);
        let again = clients.take(&address("192.0.2.1")).unwrap();
        assert!(clients.take(&address("192.0.2.1")).is_err());
        drop((second, other, again));
        assert!(clients.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_unix_socket_none() {
        let clients = PerClient::new(Some(NonZeroUsize::MIN));
        let _one = clients.take(&address("2001:db8::1")).unwrap();
        assert!(clients.take(&address("2001:db8::ffff:2")).is_err());
        assert!(clients.take(&address("2001:db8:0:1::1")).unwrap().is_some());
        for _ in 0..2 {
            assert!(clients.take(&Address::Unix(None)).unwrap().is_none());
        }
    }

    #[test]
    fn the_bound_can_be_set_changed_and_lifted() {
        let clients = PerClient::new(None);
        let take = || clients.take(&address("192.0.2.1"));
        // What came while there was no bound is not counted.
        assert!(take().unwrap().is_none());
        clients.set_max(NonZeroUsize::new(1));
        let first = take().unwrap();
        assert!(first.is_some());
        assert_eq!(take().unwrap_err(), TooMany);
        clients.set_max(NonZeroUsize::new(2));
        let second = take().unwrap();
        assert!(take().is_err());
        clients.set_max(None);
        assert!(take().unwrap().is_none());
        drop((first, second));
        assert!(clients.lock().is_empty());
    }
}
