//! Method, host and path -> the most specific route.

use std::sync::Arc;

use http::Method;

use super::Route;
use crate::id::RouteName;

/// Routes in the order in which they are tried: narrow before wide. A look-up walks it and compares
/// path segments, so its cost grows with the number of routes; a thousand take some microseconds.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    is_guarded: bool,
}

/// Why routes do not make a table. The numbers are places in the list given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two routes have one name.
    #[error("the name '{name}' is taken by an earlier route")]
    SameName {
        /// The name.
        name: RouteName,
        /// The earlier route.
        first: usize,
        /// The later route.
        second: usize,
    },
    /// Two routes match the same requests.
    #[error("this matches the same requests as route '{name}'")]
    SamePattern {
        /// The earlier route's name.
        name: RouteName,
        /// The earlier route.
        first: usize,
        /// The later route.
        second: usize,
    },
}

impl RouteTable {
    /// A table of these routes, or every reason why not.
    pub fn new(routes: Vec<Route>) -> Result<Self, Vec<TableError>> {
        let mut errors = Vec::new();
        for (second, route) in routes.iter().enumerate() {
            for (first, earlier) in routes[..second].iter().enumerate() {
                let name = earlier.name.clone();
                if earlier.name == route.name {
                    errors.push(TableError::SameName {
                        name: name.clone(),
                        first,
                        second,
                    });
                }
                if earlier.pattern.collides(&route.pattern) {
                    errors.push(TableError::SamePattern {
                        name,
                        first,
                        second,
                    });
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
        routes.sort_by_cached_key(|route| route.pattern.rank());
        let guards = |route: &Arc<Route>| {
            let rewrite = route.rewrite.as_deref();
            rewrite.is_some_and(|rewrite| !rewrite.access.is_open())
        };
        Ok(Self {
            is_guarded: routes.iter().any(guards),
            routes,
        })
    }

    /// The most specific route for a request. `host` is lower case and has no port.
    pub fn find(&self, method: &Method, host: &str, path: &str) -> Option<&Arc<Route>> {
        self.routes
            .iter()
            .find(|route| route.pattern.matches(method, host, path))
    }

    /// Whether some route does not serve everybody.
    pub fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// The route with this name.
    pub fn named(&self, name: &RouteName) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.name == *name)
    }

    /// All routes, narrow before wide.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter()
    }
}
