//! One owner for each webhook path of an instance, across namespaces: the one that serves, then the older object.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The routes of each object, by its UID: a pass must not have to look through those of all others.
    by_object: BTreeMap<String, BTreeSet<Route>>,
}

/// What came of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The first route that belongs to another object.
    pub taken: Option<Route>,
    /// The UID of the object that it belongs to.
    pub owner: Option<String>,
    /// The UIDs of those that wait for a route that the object gave up.
    pub freed: Vec<String>,
}

impl Claims {
    /// Notes which routes an object serves now, and that it serves no others. Who serves a route has it before all who only
    /// wait for it, whoever was asked first.
    pub fn holds(&mut self, uid: &str, created: Timestamp, served: &[Route]) {
        for route in self.by_object.get(uid).into_iter().flatten() {
            for claimant in self.routes.get_mut(route).into_iter().flatten().filter(|claimant| claimant.uid == uid) {
                claimant.serving = served.contains(route);
            }
        }
        for route in served {
            self.claimant(route, uid, created).serving = true;
        }
    }

    /// Puts an object's wish down in place of its earlier ones. What it serves stays its own until it serves something else:
    /// it may have to go back there.
    pub fn claim(&mut self, uid: &str, created: Timestamp, wanted: &[Route]) -> Claimed {
        let serves = |route: &Route| self.routes[route].iter().any(|claimant| claimant.uid == uid && claimant.serving);
        let given_up: Vec<Route> =
            self.by_object.get(uid).into_iter().flatten().filter(|route| !wanted.contains(route) && !serves(route)).cloned().collect();
        let freed = self.give_up(uid, given_up);
        for route in wanted {
            self.claimant(route, uid, created);
        }
        let other = |route: &&Route| Some(((*route).clone(), self.owner(route).filter(|owner| owner.uid != uid)?.uid.clone()));
        let (taken, owner) = wanted.iter().find_map(|route| other(&route)).unzip();
        Claimed { taken, owner, freed }
    }

    /// Notes that an object serves these routes and needs no others. Returns the UIDs of those that wait for one that it had.
    pub fn serves(&mut self, uid: &str, created: Timestamp, routes: &[Route]) -> Vec<String> {
        self.holds(uid, created, routes);
        self.claim(uid, created, routes).freed
    }

    /// Forgets an object and returns the UIDs of those that wait for a route it had.
    pub fn release(&mut self, uid: &str) -> Vec<String> {
        let all = self.by_object.get(uid).into_iter().flatten().cloned().collect();
        self.give_up(uid, all)
    }

    /// The UIDs of all objects that want or serve a route.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.by_object.keys().map(String::as_str)
    }

    fn claimant(&mut self, route: &Route, uid: &str, created: Timestamp) -> &mut Claimant {
        self.by_object.entry(uid.to_owned()).or_default().insert(route.clone());
        let claimants = self.routes.entry(route.clone()).or_default();
        let at = claimants.iter().position(|claimant| claimant.uid == uid).unwrap_or_else(|| {
            claimants.push(Claimant { uid: uid.to_owned(), created, serving: false });
            claimants.len() - 1
        });
        &mut claimants[at]
    }

    fn give_up(&mut self, uid: &str, routes: Vec<Route>) -> Vec<String> {
        let mut waiting = BTreeSet::new();
        for route in routes {
            if let Some(claimants) = self.routes.get_mut(&route) {
                claimants.retain(|claimant| claimant.uid != uid);
                waiting.extend(claimants.iter().map(|claimant| claimant.uid.clone()));
                if claimants.is_empty() {
                    self.routes.remove(&route);
                }
            }
            if let Some(own) = self.by_object.get_mut(uid) {
                own.remove(&route);
                if own.is_empty() {
                    self.by_object.remove(uid);
                }
            }
        }
        waiting.into_iter().collect()
    }

    fn owner(&self, route: &Route) -> Option<&Claimant> {
        let rank = |claimant: &&Claimant| (!claimant.serving, self.blocked(&claimant.uid), claimant.created, claimant.uid.clone());
        self.routes.get(route)?.iter().min_by_key(rank)
    }

    /// Whether another object serves a route that this one wants: then it goes nowhere for now, and must not keep what it does
    /// not use from those that could.
    fn blocked(&self, uid: &str) -> bool {
        let served_by_another = |route| self.routes[route].iter().any(|other| other.serving && other.uid != uid);
        self.by_object.get(uid).into_iter().flatten().any(served_by_another)
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

    /// Whether a claim was granted whole.
    fn granted(claims: &mut Claims, uid: &str, second: i64, path: &str) -> bool {
        claims.claim(uid, at(second), &[route(path)]).taken.is_none()
    }

    #[test]
    fn the_one_that_serves_wins_and_then_the_older() {
        let mut claims = Claims::default();
        assert!(granted(&mut claims, "young", 2, "a"));
        assert!(granted(&mut claims, "old", 1, "a"));
        assert!(!granted(&mut claims, "young", 2, "a"));
        claims.release("old");
        assert!(granted(&mut claims, "young", 2, "a"));
        claims.serves("young", at(2), &[route("a")]);
        let claimed = claims.claim("old", at(1), &[route("a")]);
        assert_eq!((claimed.taken, claimed.owner.as_deref()), (Some(route("a")), Some("young")));
    }

    #[test]
    fn the_one_that_is_found_to_serve_gets_the_route_back_from_one_that_asked_first() {
        let mut claims = Claims::default();
        assert!(granted(&mut claims, "old", 1, "a"));
        claims.holds("young", at(2), &[route("a")]);
        assert!(granted(&mut claims, "young", 2, "a"));
        assert!(!granted(&mut claims, "old", 1, "a"));
        // Somebody unpublished it: nobody serves any more, so the older one is next.
        claims.holds("young", at(2), &[]);
        assert!(granted(&mut claims, "old", 1, "a"));
    }

    #[test]
    fn what_serves_is_kept_until_something_else_serves() {
        let mut claims = Claims::default();
        claims.serves("mover", at(2), &[route("a")]);
        claims.claim("rival", at(1), &[route("a")]);
        assert_eq!(claims.claim("mover", at(2), &[route("b")]), Claimed::default());
        assert!(!granted(&mut claims, "rival", 1, "a"));
        assert!(granted(&mut claims, "mover", 2, "a"), "it goes back");
        claims.claim("mover", at(2), &[route("b")]);
        assert_eq!(claims.serves("mover", at(2), &[route("b")]), ["rival"]);
        assert!(granted(&mut claims, "rival", 1, "a"));
    }

    #[test]
    fn who_waits_for_what_serves_keeps_nothing_from_others() {
        let mut claims = Claims::default();
        claims.serves("young", at(2), &[route("x")]);
        // The older one wants both, and goes nowhere while the younger serves one of them.
        assert_eq!(claims.claim("old", at(1), &[route("y"), route("x")]).taken, Some(route("x")));
        assert_eq!(claims.claim("young", at(2), &[route("x"), route("y")]).taken, None);
        claims.serves("young", at(2), &[route("x"), route("y")]);
        assert_eq!(claims.serves("young", at(2), &[route("z")]), ["old"]);
        assert_eq!(claims.claim("old", at(1), &[route("y"), route("x")]).taken, None);
    }

    #[test]
    fn a_freed_route_names_those_that_wait_for_it() {
        let mut claims = Claims::default();
        claims.claim("first", at(1), &[route("a"), route("b")]);
        claims.claim("second", at(2), &[route("b")]);
        assert_eq!(claims.objects().collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(claims.release("first"), ["second"]);
        assert!(granted(&mut claims, "second", 2, "b"));
        assert!(claims.release("nobody").is_empty());
        claims.release("second");
        assert!(claims.routes.is_empty() && claims.by_object.is_empty());
    }
}
