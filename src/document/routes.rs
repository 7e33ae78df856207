//! n8n's table of production routes: what it keeps of a trigger's path, and which entry of the table answers a call.
//!
//! Source: `webhook.service.js`, `webhook-entity.js` and `live-webhooks.js` of n8n 2.39.10. The suite compares this model with the
//! real n8n, call by call (`tests/suite/routes.rs`).

/// One entry of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The method, compared letter by letter with that of a call.
    pub method: String,
    /// The path as n8n keeps it. That of a template lacks the `webhookId` that stands before it in its address. Webhooks, forms, chats
    /// and MCP servers share one table: the first part of the URL is no part of it.
    pub path: String,
    /// The `webhookId` before a template: a path with a part that begins with a colon.
    pub id: Option<String>,
    /// Set where the first part of the address is a `webhookId`, so that all addresses below it belong to the same workflow.
    pub owns: bool,
}

impl Route {
    /// The entry that n8n makes of a path. `of_id` tells that the path was itself made from the node's `webhookId`.
    pub fn new(method: &str, path: &str, webhook_id: Option<&str>, of_id: bool) -> Self {
        let path = normalised(path).to_owned();
        let id = webhook_id.filter(|id| is_template(&path) && !id.is_empty()).map(str::to_owned);
        let owns = of_id || id.is_some() || webhook_id == Some(path.as_str());
        Self { method: method.to_owned(), path, id, owns }
    }

    /// The first part of its address.
    pub fn first(&self) -> &str {
        first(self.id.as_deref().unwrap_or(&self.path))
    }

    /// The first part of the other address of a template: n8n answers its path as it is written, too.
    pub fn literal(&self) -> Option<&str> {
        self.id.as_ref().map(|_| first(&self.path))
    }

    fn uses(&self, part: &str) -> bool {
        self.first() == part || self.literal() == Some(part)
    }

    /// The address below `/webhook/`, with its parameters as `:name`.
    pub fn address(&self) -> String {
        self.id.as_ref().map_or_else(|| self.path.clone(), |id| format!("{id}/{}", self.path))
    }

    fn fixed(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|part| !part.starts_with(':'))
    }

    /// Returns by how many fixed parts n8n takes a path for that of this template, if it does. It does not look at their order.
    fn fits(&self, first: &str, others: &[&str]) -> Option<usize> {
        let below = self.id.as_deref() == Some(first) && self.path.split('/').count() == others.len();
        (below && self.fixed().all(|part| others.contains(&part))).then(|| self.fixed().count())
    }
}

/// What the table can make of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'r> {
    /// Nothing has the route.
    Nobody,
    /// This entry.
    One(&'r Route),
    /// One of these templates: which of them depends on the order in which n8n stored them.
    Any(Vec<&'r Route>),
}

/// Finds the entry that answers a call. `path` is that of the URL below its first part, decoded.
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

/// Tells whether two workflows may not both have these: n8n takes only one of them, or a call could reach either.
///
/// This is coarser than n8n. All that begins with the `webhookId` of a route is its workflow's, whatever the method and the length:
/// otherwise the owner of `<id>/users/:id` had to fear each path that somebody writes below it.
pub fn collide(one: &Route, other: &Route) -> bool {
    let same_entry = one.method == other.method && one.path == other.path;
    same_entry || other.owns && one.uses(other.first()) || one.owns && other.uses(one.first())
}

fn first(path: &str) -> &str {
    path.split_once('/').map_or(path, |(first, _)| first)
}

/// Tells whether a path is a template, of which n8n serves the addresses below the `webhookId`.
pub fn is_template(path: &str) -> bool {
    path.starts_with(':') || path.contains("/:")
}

/// A path as n8n stores it: it takes blanks and one slash off each end, twice.
pub fn normalised(path: &str) -> &str {
    trimmed(trimmed(path))
}

/// Tells whether each call of a path ends with an error: n8n stores it as [`normalised`], and looks for it among paths that lost blanks and
/// slashes only once, such as this one.
pub fn is_lost(once: &str) -> bool {
    trimmed(once) != once
}

/// A path without blanks, and one slash, at each end.
pub fn trimmed(path: &str) -> &str {
    let path = path.trim_matches(is_blank);
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

/// Blanks as JavaScript trims them.
fn is_blank(c: char) -> bool {
    c == '\u{feff}' || c != '\u{85}' && c.is_whitespace()
}

#[cfg(test)]
mod tests;
