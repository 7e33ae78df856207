//! Ownership of webhook paths on an instance, across namespaces: the object that serves a path owns it, and otherwise the oldest object.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::document::finding::cut;
use crate::document::routes::Route;

/// Maximum length, in characters, of a path in a message.
const LONGEST: usize = 200;

/// A part of an instance's route table that can have only one owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The instance, as namespace/name.
    pub instance: String,
    /// The claimed part of the route table.
    pub what: What,
}

/// Claimed part of a route table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// An entry of the route table.
    Entry {
        /// The HTTP method.
        method: String,
        /// The path as n8n keeps it.
        path: String,
    },
    /// All addresses that begin with this segment, which is a `webhookId`.
    All(String),
    /// Some address that begins with this segment.
    Some(String),
}

impl Claim {
    /// Returns the claims that a workflow needs for its routes. Two workflows can hold their claims side by side exactly if none of their
    /// routes [collide](crate::document::routes::collide).
    pub fn of<'r>(instance: &str, routes: impl IntoIterator<Item = &'r Route>) -> Vec<Self> {
        let mut found = BTreeSet::new();
        for route in routes {
            let first = route.first().to_owned();
            found.insert(What::Entry { method: route.method.clone(), path: route.path.clone() });
            found.insert(if route.owns { What::All(first) } else { What::Some(first) });
            found.extend(route.literal().map(|first| What::Some(first.to_owned())));
        }
        found.into_iter().map(|what| Self { instance: instance.to_owned(), what }).collect()
    }

    /// Returns the claims that conflict with this one.
    fn colliding(&self) -> Vec<Self> {
        let claim = |what| Self { instance: self.instance.clone(), what };
        match &self.what {
            What::Entry { .. } => vec![self.clone()],
            What::All(first) => vec![self.clone(), claim(What::Some(first.clone()))],
            What::Some(first) => vec![claim(What::All(first.clone()))],
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { method, path } => write!(f, "{method} {}", cut(path, LONGEST)),
            Self::All(first) | Self::Some(first) => write!(f, "the addresses that begin with {}", cut(first, LONGEST)),
        }
    }
}

/// An object that claims a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its UID.
    pub uid: Arc<str>,
    /// Creation time of the object.
    pub created: Timestamp,
    /// True if it serves the route at present.
    pub published: bool,
}

/// All claims, with the objects that claim and serve each route.
#[derive(Debug, Default)]
pub struct Claims {
    routes: BTreeMap<Arc<Claim>, Vec<Claimant>>,
    /// The routes of each object, by its UID, so that a reconciliation does not search those of all other objects.
    by_object: BTreeMap<Arc<str>, Vec<Arc<Claim>>>,
}

/// Result of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The first route that belongs to another object.
    pub taken: Option<Claim>,
    /// The UID of the object that it belongs to.
    pub owner: Option<String>,
    /// The UIDs of the objects that wait for a route that this object gave up.
    pub freed: Vec<String>,
}

impl Claims {
    /// Records which routes an object serves now, and that it serves no others. An object that serves a route owns it before all that wait
    /// for it, whichever was reconciled first.
    pub fn record_published(&mut self, uid: &str, created: Timestamp, published_routes: &[Claim]) {
        for route in self.by_object.get(uid).into_iter().flatten() {
            for claimant in self.routes.get_mut(route).into_iter().flatten().filter(|claimant| *claimant.uid == *uid) {
                claimant.published = published_routes.contains(route);
            }
        }
        for route in published_routes {
            self.claimant(route, uid, created).published = true;
        }
    }

    /// Replaces an object's earlier claims. It keeps the routes that it serves until it serves others, because it may have to return to
    /// them.
    pub fn claim(&mut self, uid: &str, created: Timestamp, wanted: &[Claim]) -> Claimed {
        let serves = |route: &Claim| self.routes[route].iter().any(|claimant| *claimant.uid == *uid && claimant.published);
        let given_up: Vec<Arc<Claim>> =
            self.by_object.get(uid).into_iter().flatten().filter(|route| !wanted.contains(route) && !serves(route)).cloned().collect();
        let freed = self.give_up(uid, given_up);
        for route in wanted {
            self.claimant(route, uid, created);
        }
        let taken = wanted.iter().filter_map(|claim| Some((claim, self.owner(claim, uid)?)));
        // The object that serves the route is named as the cause; others may wait for the same route.
        let (taken, owner) =
            taken.min_by_key(|(_, owner)| !owner.published).map(|(claim, owner)| (claim.clone(), owner.uid.to_string())).unzip();
        Claimed { taken, owner, freed }
    }

    /// Records that an object serves these routes and needs no others. Returns the UIDs of the objects that wait for a route that it gave
    /// up.
    pub fn keep_only(&mut self, uid: &str, created: Timestamp, routes: &[Claim]) -> Vec<String> {
        self.record_published(uid, created, routes);
        self.claim(uid, created, routes).freed
    }

    /// Removes an object and returns the UIDs of the objects that wait for a route that it had.
    pub fn release(&mut self, uid: &str) -> Vec<String> {
        let all = self.by_object.get(uid).into_iter().flatten().cloned().collect();
        self.give_up(uid, all)
    }

    /// Reports whether an object serves all routes that it wants.
    pub fn publishes_all(&self, uid: &str, wanted: &[Claim]) -> bool {
        let serves = |claim| self.routes.get(claim).into_iter().flatten().any(|claimant| *claimant.uid == *uid && claimant.published);
        wanted.iter().all(serves)
    }

    /// Reports whether an object claims or serves any route.
    pub fn knows(&self, uid: &str) -> bool {
        self.by_object.contains_key(uid)
    }

    /// Returns the UIDs of all objects that claim or serve a route.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.by_object.keys().map(|uid| &**uid)
    }

    fn claimant(&mut self, route: &Claim, uid: &str, created: Timestamp) -> &mut Claimant {
        let known = self.routes.get_key_value(route).map(|(route, _)| route.clone());
        let route = known.unwrap_or_else(|| Arc::new(route.clone()));
        let uid = self.by_object.get_key_value(uid).map_or_else(|| uid.into(), |(uid, _)| uid.clone());
        let own = self.by_object.entry(uid.clone()).or_default();
        if !own.contains(&route) {
            own.reserve_exact(1);
            own.push(route.clone());
        }
        // Nearly all routes have one claimant.
        let claimants = self.routes.entry(route).or_insert_with(|| Vec::with_capacity(1));
        let at = claimants.iter().position(|claimant| claimant.uid == uid).unwrap_or_else(|| {
            claimants.push(Claimant { uid, created, published: false });
            claimants.len() - 1
        });
        &mut claimants[at]
    }

    fn give_up(&mut self, uid: &str, routes: Vec<Arc<Claim>>) -> Vec<String> {
        let mut waiting = BTreeSet::new();
        for route in routes {
            if let Some(claimants) = self.routes.get_mut(&route) {
                claimants.retain(|claimant| *claimant.uid != *uid);
                if claimants.is_empty() {
                    self.routes.remove(&route);
                }
            }
            waiting.extend(self.contenders(&route).filter(|claimant| *claimant.uid != *uid).map(|claimant| claimant.uid.to_string()));
            if let Some(own) = self.by_object.get_mut(uid) {
                own.retain(|other| *other != route);
                if own.is_empty() {
                    self.by_object.remove(uid);
                }
            }
        }
        waiting.into_iter().collect()
    }

    /// Returns the claimants of this claim and of all that conflict with it.
    fn contenders(&self, claim: &Claim) -> impl Iterator<Item = &Claimant> {
        claim.colliding().into_iter().flat_map(|other| self.routes.get(&other).into_iter().flatten())
    }

    /// Returns the owner of a claim, if it is another object.
    fn owner(&self, claim: &Claim, uid: &str) -> Option<&Claimant> {
        let rank = |claimant: &&Claimant| (!claimant.published, self.blocked(&claimant.uid), claimant.created, claimant.uid.clone());
        let own = self.routes.get(claim).into_iter().flatten().find(|claimant| *claimant.uid == *uid);
        let best = self.contenders(claim).filter(|claimant| *claimant.uid != *uid).min_by_key(rank)?;
        own.is_none_or(|own| rank(&best) < rank(&own)).then_some(best)
    }

    /// Reports whether another object serves a route that this object wants. Then this object cannot be published for now, and must not
    /// keep routes that it does not use from others that could use them.
    fn blocked(&self, uid: &str) -> bool {
        let served_by_another = |claim: &Arc<Claim>| self.contenders(claim).any(|other| other.published && *other.uid != *uid);
        self.by_object.get(uid).into_iter().flatten().any(served_by_another)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Claim {
        Claim { instance: "ops/main".into(), what: What::Entry { method: "POST".into(), path: path.into() } }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Reports whether a claim was granted as a whole.
    fn granted(claims: &mut Claims, uid: &str, second: i64, path: &str) -> bool {
        claims.claim(uid, at(second), &[route(path)]).taken.is_none()
    }

    #[test]
    fn the_object_that_serves_wins_and_then_the_older() {
        let mut claims = Claims::default();
        assert!(granted(&mut claims, "young", 2, "a"));
        assert!(granted(&mut claims, "old", 1, "a"));
        assert!(!granted(&mut claims, "young", 2, "a"));
        claims.release("old");
        assert!(granted(&mut claims, "young", 2, "a"));
        claims.keep_only("young", at(2), &[route("a")]);
        let claimed = claims.claim("old", at(1), &[route("a")]);
        assert_eq!((claimed.taken, claimed.owner.as_deref()), (Some(route("a")), Some("young")));
    }

    #[test]
    fn an_object_found_to_serve_gets_the_route_back_from_one_that_claimed_first() {
        let mut claims = Claims::default();
        assert!(granted(&mut claims, "old", 1, "a"));
        claims.record_published("young", at(2), &[route("a")]);
        assert!(granted(&mut claims, "young", 2, "a"));
        assert!(!granted(&mut claims, "old", 1, "a"));
        // The younger object was unpublished: nobody serves the route, so the older object is next.
        claims.record_published("young", at(2), &[]);
        assert!(granted(&mut claims, "old", 1, "a"));
    }

    #[test]
    fn a_served_route_is_kept_until_the_object_serves_another() {
        let mut claims = Claims::default();
        claims.keep_only("mover", at(2), &[route("a")]);
        claims.claim("other", at(1), &[route("a")]);
        assert_eq!(claims.claim("mover", at(2), &[route("b")]), Claimed::default());
        assert!(!granted(&mut claims, "other", 1, "a"));
        assert!(granted(&mut claims, "mover", 2, "a"), "it returns to its route");
        claims.claim("mover", at(2), &[route("b")]);
        assert_eq!(claims.keep_only("mover", at(2), &[route("b")]), ["other"]);
        assert!(granted(&mut claims, "other", 1, "a"));
    }

    #[test]
    fn an_object_that_waits_for_a_served_route_keeps_no_route_from_others() {
        let mut claims = Claims::default();
        claims.keep_only("young", at(2), &[route("x")]);
        // The older object wants both, and cannot be published while the younger serves one of them.
        assert_eq!(claims.claim("old", at(1), &[route("y"), route("x")]).taken, Some(route("x")));
        assert_eq!(claims.claim("young", at(2), &[route("x"), route("y")]).taken, None);
        claims.keep_only("young", at(2), &[route("x"), route("y")]);
        assert_eq!(claims.keep_only("young", at(2), &[route("z")]), ["old"]);
        assert_eq!(claims.claim("old", at(1), &[route("y"), route("x")]).taken, None);
    }

    #[test]
    fn freeing_a_route_returns_the_objects_that_wait_for_it() {
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

    #[test]
    fn the_owner_of_a_webhook_id_owns_all_addresses_below_it() {
        let of = |path: &str, id: &str| Claim::of("ops/main", &[super::Route::new("GET", path, Some(id), false)]);
        let mut claims = Claims::default();
        claims.keep_only("victim", at(2), &of("user/:id", "W"));
        for (path, id) in [(":x/42", "W"), ("W/user/42", "x"), ("W", "x"), ("user/:id", "y")] {
            let claimed = claims.claim("older", at(1), &of(path, id));
            assert_eq!(claimed.owner.as_deref(), Some("victim"), "{path} {id}");
        }
        assert_eq!(claims.claim("other", at(3), &of("orders/:id", "x")).taken, None);
        // Plain paths with the same beginning coexist until a workflow has that beginning as its webhookId.
        claims.keep_only("one", at(3), &of("shop/a", "p"));
        assert_eq!(claims.claim("two", at(4), &of("shop/b", "q")).taken, None);
        assert_eq!(claims.claim("three", at(1), &of(":c", "shop")).owner.as_deref(), Some("one"));
        assert_eq!(claims.release("one"), ["three"]);
        assert_eq!(claims.release("victim"), ["older"]);
        assert_eq!(claims.claim("older", at(1), &of(":x/42", "W")).taken, None);
    }

    #[test]
    fn claims_stand_side_by_side_exactly_where_routes_do_not_collide() {
        let parts = ["W", "V", "user", ":id"];
        let paths =
            parts.iter().flat_map(|one| parts.map(|two| format!("{one}/{two}"))).chain(parts.map(str::to_owned)).chain(["".to_owned()]);
        let routes: Vec<super::Route> = paths
            .flat_map(|path| {
                ["W", "user"].map(|id| super::Route::new("GET", if path.is_empty() { id } else { &path }, Some(id), path.is_empty()))
            })
            .collect();
        for (one, other) in routes.iter().flat_map(|one| routes.iter().map(move |other| (one, other))) {
            let mut claims = Claims::default();
            claims.keep_only("one", at(1), &Claim::of("ops/main", [one]));
            let taken = claims.claim("other", at(2), &Claim::of("ops/main", [other])).taken;
            assert_eq!(taken.is_some(), crate::document::routes::collide(one, other), "{one:?} {other:?}");
            assert_eq!(claims.claim("elsewhere", at(2), &Claim::of("ops/second", [other])).taken, None);
        }
    }
}
