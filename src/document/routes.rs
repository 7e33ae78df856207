//! n8n's table of production routes: the entries that it stores for a trigger's path, and the entry that answers a call.
//!
//! Source: `webhook.service.js`, `webhook-entity.js` and `live-webhooks.js` of n8n 2.39.10. A scenario compares this model with the real
//! n8n, call by call (`tests/e2e/scenarios/routes.rs`).

/// An entry of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Method, compared case-sensitively with that of a call.
    pub method: String,
    /// Path as n8n stores it. A template lacks the `webhookId` that precedes it in its address. Webhooks, forms, chats and MCP servers
    /// share one table: the first segment of the URL is not part of it.
    pub path: String,
    /// The `webhookId` before a template, which is a path with a segment that begins with a colon.
    pub id: Option<String>,
    /// True if the first segment of the address is a `webhookId`, so that all addresses below it belong to the same workflow.
    pub owns: bool,
}

impl Route {
    /// Returns the entry that n8n makes of a path. `of_id` says that the path was itself made from the node's `webhookId`.
    pub fn new(method: &str, path: &str, webhook_id: Option<&str>, of_id: bool) -> Self {
        let path = normalised(path).to_owned();
        let id = webhook_id.filter(|id| is_template(&path) && !id.is_empty()).map(str::to_owned);
        let owns = of_id || id.is_some() || webhook_id == Some(path.as_str());
        Self { method: method.to_owned(), path, id, owns }
    }

    /// Returns the first segment of its address.
    pub fn first(&self) -> &str {
        first(self.id.as_deref().unwrap_or(&self.path))
    }

    /// Returns the first segment of the other address of a template: n8n also answers its path as it is written.
    pub fn literal(&self) -> Option<&str> {
        self.id.as_ref().map(|_| first(&self.path))
    }

    fn uses(&self, part: &str) -> bool {
        self.first() == part || self.literal() == Some(part)
    }

    /// Returns the address below `/webhook/`, with its parameters as `:name`.
    pub fn address(&self) -> String {
        self.id.as_ref().map_or_else(|| self.path.clone(), |id| format!("{id}/{}", self.path))
    }

    fn fixed(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|part| !part.starts_with(':'))
    }

    /// Returns the number of fixed segments that match, if n8n accepts a path as one of this template. n8n ignores their order.
    fn fits(&self, first: &str, others: &[&str]) -> Option<usize> {
        let below = self.id.as_deref() == Some(first) && self.path.split('/').count() == others.len();
        (below && self.fixed().all(|part| others.contains(&part))).then(|| self.fixed().count())
    }
}

/// Result of looking up a call in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'r> {
    /// No entry has the route.
    Nobody,
    /// This entry.
    One(&'r Route),
    /// One of these templates: which one depends on the order in which n8n stored them.
    Any(Vec<&'r Route>),
}

/// Finds the entry that answers a call. `path` is the URL's path below its first segment, decoded.
pub fn answers<'r>(table: &'r [Route], method: &str, path: &str) -> Answer<'r> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut of_method = table.iter().filter(|route| route.method == method);
    if let Some(found) = of_method.clone().find(|route| route.path == path) {
        return Answer::One(found);
    }
    let Some((first, rest)) = path.split_once('/') else { return Answer::Nobody };
    let others: Vec<&str> = rest.split('/').collect();
    let fitting: Vec<(usize, &Route)> = of_method.by_ref().filter_map(|route| Some((route.fits(first, &others)?, route))).collect();
    let most = fitting.iter().map(|(fixed, _)| *fixed).max().unwrap_or_default();
    let mut best = fitting.into_iter().filter(|(fixed, _)| *fixed == most).map(|(_, route)| route);
    match (best.next(), best.next()) {
        (None, _) => Answer::Nobody,
        (Some(one), None) => Answer::One(one),
        (Some(one), Some(two)) => Answer::Any([one, two].into_iter().chain(best).collect()),
    }
}

/// Reports whether two workflows may not both have these routes: n8n accepts only one of them, or a call could reach either.
///
/// This is coarser than n8n. Every path that begins with the `webhookId` of a route belongs to its workflow, whatever the method and the
/// length: otherwise any path that another author writes below `<id>` could take calls from the owner of `<id>/users/:id`.
pub fn collide(one: &Route, other: &Route) -> bool {
    let same_entry = one.method == other.method && one.path == other.path;
    same_entry || other.owns && one.uses(other.first()) || one.owns && other.uses(one.first())
}

fn first(path: &str) -> &str {
    path.split_once('/').map_or(path, |(first, _)| first)
}

/// Reports whether a path is a template, which n8n serves below the `webhookId`.
pub fn is_template(path: &str) -> bool {
    path.starts_with(':') || path.contains("/:")
}

/// Returns a path as n8n stores it: n8n removes whitespace and one slash at each end, twice.
pub fn normalised(path: &str) -> &str {
    trimmed(trimmed(path))
}

/// Reports whether every call of a path ends with an error: n8n stores it as [`normalised`], and looks it up among paths from which
/// whitespace and slashes were removed only once, such as this one.
pub fn is_lost(once: &str) -> bool {
    trimmed(once) != once
}

/// Returns a path without whitespace, and without one slash, at each end.
pub fn trimmed(path: &str) -> &str {
    let path = path.trim_matches(is_blank);
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

/// Whitespace as JavaScript trims it.
fn is_blank(c: char) -> bool {
    c == '\u{feff}' || c != '\u{85}' && c.is_whitespace()
}

#[cfg(test)]
mod tests;
