//! How much one client may ask for: requests per time, for a route or for all of them.
//!
//! A client is a network address: the one that trusted proxies tell, otherwise the other end of the
//! connection; of IPv6 the first 64 bits, as that is what one customer gets. The table has a bound:
//! beyond it new addresses share one budget, so that a flood of them costs no memory and gets no
//! more than one client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use raincheck_core::id::RouteName;
use raincheck_core::limits;
use raincheck_core::rate::Rate;

/// What is asked for too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften {
    /// What is allowed.
    pub(crate) rate: Rate,
    /// When the next request will be.
    pub(crate) after: Duration,
}

/// The budgets of all clients. Costs one load of a flag as long as no rate is set.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// Whether there is a rate over all routes.
    overall_on: AtomicBool,
    overall: RwLock<Option<Arc<Budgets>>>,
    routes: RwLock<HashMap<RouteName, Arc<Budgets>>>,
}

impl Clients {
    /// Sets the rate over all routes. A rate that stays keeps what it has counted.
    pub(crate) fn set_overall(&self, rate: Option<Rate>) {
        let mut overall = self.overall.write().unwrap_or_else(PoisonError::into_inner);
        if overall.as_ref().map(|budgets| budgets.rate) != rate {
            *overall = rate.map(|rate| Arc::new(Budgets::new(rate)));
        }
        self.overall_on.store(rate.is_some(), Relaxed);
    }

    /// Whether anything is to be asked at all.
    pub(crate) fn is_on(&self, route: Option<Rate>) -> bool {
        route.is_some() || self.overall_on.load(Relaxed)
    }

    /// Takes one request of this client from its budgets.
    pub(crate) fn take(
        &self,
        client: IpAddr,
        route: &RouteName,
        rate: Option<Rate>,
    ) -> Result<(), TooOften> {
        let client = key(client);
        if let Some(rate) = rate {
            self.of_route(route, rate).take(client)?;
        }
        let overall = self.overall.read().unwrap_or_else(PoisonError::into_inner);
        match overall.clone() {
            Some(budgets) => budgets.take(client),
            None => Ok(()),
        }
    }

    /// The budgets of a route: those of before, unless its rate has changed.
    fn of_route(&self, route: &RouteName, rate: Rate) -> Arc<Budgets> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = routes.get(route).filter(|known| known.rate == rate) {
            return Arc::clone(known);
        }
        drop(routes);
        let fresh = Arc::new(Budgets::new(rate));
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        match routes.get(route).filter(|known| known.rate == rate) {
            Some(known) => Arc::clone(known),
            None => {
                routes.insert(route.clone(), Arc::clone(&fresh));
                fresh
            }
        }
    }
}

type Limiter = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

/// The budgets of all clients for one rate.
#[derive(Debug)]
struct Budgets {
    rate: Rate,
    limiter: Limiter,
}

impl Budgets {
    fn new(rate: Rate) -> Self {
        let count = NonZeroU32::new(rate.count).unwrap_or(NonZeroU32::MIN);
        let each = (rate.per / count.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(each).unwrap_or_else(|| Quota::per_second(count));
        Self {
            rate,
            limiter: RateLimiter::hashmap(quota.allow_burst(count)),
        }
    }

    fn take(&self, client: IpAddr) -> Result<(), TooOften> {
        let client = match self.limiter.len() < limits::RATE_CLIENTS {
            true => client,
            false => self.beyond(client),
        };
        self.limiter.check_key(&client).map_err(|early| TooOften {
            rate: self.rate,
            after: early.wait_time_from(DefaultClock::default().now()),
        })
    }

    /// The table is full: those who have all of their budget again are forgotten. If that does not
    /// help, everybody shares one.
    fn beyond(&self, client: IpAddr) -> IpAddr {
        self.limiter.retain_recent();
        match self.limiter.len() < limits::RATE_CLIENTS {
            true => client,
            false => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// What of an address is one client.
pub(crate) fn key(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: u32) -> Rate {
        Rate {
            count,
            per: Duration::from_secs(3600),
        }
    }

    fn takes(clients: &Clients, client: &str, rate: Option<Rate>) -> bool {
        let name = "a".parse().unwrap();
        clients.take(client.parse().unwrap(), &name, rate).is_ok()
    }

    #[test]
    fn each_client_has_a_budget_of_its_own() {
        let clients = Clients::default();
        assert!(!clients.is_on(None));
        for _ in 0..2 {
            assert!(takes(&clients, "192.0.2.1", Some(rate(2))));
        }
        assert!(!takes(&clients, "192.0.2.1", Some(rate(2))));
        assert!(!takes(&clients, "::ffff:192.0.2.1", Some(rate(2))));
        assert!(takes(&clients, "192.0.2.2", Some(rate(2))));
        // Of IPv6 a whole network is one client.
        assert!(takes(&clients, "2001:db8::1", Some(rate(1))));
        assert!(!takes(&clients, "2001:db8::ffff:2", Some(rate(1))));
        assert!(takes(&clients, "2001:db8:0:1::1", Some(rate(1))));
    }

    #[test]
    fn a_rate_over_all_routes_can_be_set_and_stays_when_set_again() {
        let clients = Clients::default();
        clients.set_overall(Some(rate(1)));
        assert!(clients.is_on(None));
        assert!(takes(&clients, "192.0.2.1", None));
        clients.set_overall(Some(rate(1)));
        let early = clients.take("192.0.2.1".parse().unwrap(), &"a".parse().unwrap(), None);
        let early = early.unwrap_err();
        assert!(early.after > Duration::from_secs(3500), "{early:?}");
        clients.set_overall(None);
        assert!(takes(&clients, "192.0.2.1", None));
    }

    #[test]
    fn more_clients_than_the_table_holds_share_a_budget() {
        let budgets = Budgets::new(rate(1));
        for number in 0..u32::try_from(limits::RATE_CLIENTS).unwrap() {
            let client = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number));
            assert!(budgets.take(client).is_ok());
        }
        let first = |last: u8| budgets.take(IpAddr::from([192, 0, 2, last]));
        assert!(first(1).is_ok());
        assert!(first(2).is_err());
        assert!(budgets.limiter.len() <= limits::RATE_CLIENTS + 1);
    }
}
