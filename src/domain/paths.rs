//! One owner for each webhook path of an instance, across namespaces: the one that serves, then the older object.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// A method and a path on an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The instance, as namespace/name.
    pub instance: String,
    /// The HTTP method.
    pub method: String,
    /// The path as n8n serves it, without a leading slash.
    pub path: String,
}

/// An object that wants a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its UID.
    pub uid: String,
    /// When the object was created.
    pub created: Timestamp,
    /// Whether it serves the route now.
    pub serving: bool,
}

/// Who wants and who serves which route.
#[derive(Debug, Default)]
pub struct Claims {
    routes: BTreeMap<Route, Vec<Claimant>>,
}

impl Claims {
    /// Puts an object's wish down, in place of its earlier ones, and returns the first route that belongs to another.
    pub fn claim(&mut self, uid: &str, created: Timestamp, wanted: &[Route]) -> Option<Route> {
        self.routes.retain(|route, claimants| {
            if !wanted.contains(route) {
                claimants.retain(|claimant| claimant.uid != uid);
            }
            !claimants.is_empty()
        });
        for route in wanted {
            let claimants = self.routes.entry(route.clone()).or_default();
            if !claimants.iter().any(|claimant| claimant.uid == uid) {
                claimants.push(Claimant { uid: uid.to_owned(), created, serving: false });
            }
        }
        wanted.iter().find(|route| self.owner(route).is_some_and(|owner| owner.uid != uid)).cloned()
    }

    /// Notes that an object serves all routes that it claimed.
    pub fn serves(&mut self, uid: &str) {
        for claimant in self.routes.values_mut().flatten().filter(|claimant| claimant.uid == uid) {
            claimant.serving = true;
        }
    }

    /// Forgets an object and returns the UIDs of those that wait for a route it had.
    pub fn release(&mut self, uid: &str) -> Vec<String> {
        let mut waiting = Vec::new();
        self.routes.retain(|_, claimants| {
            let before = claimants.len();
            claimants.retain(|claimant| claimant.uid != uid);
            if claimants.len() < before {
                waiting.extend(claimants.iter().map(|claimant| claimant.uid.clone()));
            }
            !claimants.is_empty()
        });
        waiting.sort_unstable();
        waiting.dedup();
        waiting
    }

    fn owner(&self, route: &Route) -> Option<&Claimant> {
        self.routes.get(route)?.iter().min_by_key(|claimant| (!claimant.serving, claimant.created, claimant.uid.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Route {
        Route { instance: "ops/main".into(), method: "POST".into(), path: path.into() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_one_that_serves_wins_and_then_the_older() {
        let mut claims = Claims::default();
        assert_eq!(claims.claim("young", at(2), &[route("a")]), None);
        assert_eq!(claims.claim("old", at(1), &[route("a")]), None);
        assert_eq!(claims.claim("young", at(2), &[route("a")]), Some(route("a")));
        claims.release("old");
        assert_eq!(claims.claim("young", at(2), &[route("a")]), None);
        claims.serves("young");
        assert_eq!(claims.claim("old", at(1), &[route("a")]), Some(route("a")));
    }

    #[test]
    fn a_freed_route_names_those_that_wait_for_it() {
        let mut claims = Claims::default();
        claims.claim("first", at(1), &[route("a"), route("b")]);
        claims.claim("second", at(2), &[route("b")]);
        assert_eq!(claims.release("first"), ["second"]);
        assert_eq!(claims.claim("second", at(2), &[route("b")]), None);
        assert!(claims.release("nobody").is_empty());
    }
}
