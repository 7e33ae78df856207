//! Base URLs, and the URLs below them.

use percent_encoding::percent_decode_str;
use url::Url;

/// Checks that a URL is a plain base URL; the error says what is wrong with it.
///
/// # Errors
/// If it is no HTTP URL, or has a user, a query or a fragment.
pub fn check_base(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        Err("must start with http:// or https://")
    } else if url.host_str().is_none_or(str::is_empty) || url.cannot_be_a_base() {
        Err("must name a host")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("must not contain a user name or password")
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("must not have a query or fragment")
    } else {
        Ok(())
    }
}

/// Returns the URL of a path below a base; the segments may contain any character that a server distinguishes. The URL is parsed again as
/// the server will parse it: the parser drops some characters and resolves dots, so only the finished URL shows its target.
///
/// # Errors
/// If the URL would not be below the base; the error says why.
pub fn below(base: &Url, path: &[&str]) -> Result<Url, &'static str> {
    if path.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err("a path segment is empty or consists of dots");
    }
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| "the URL has no path")?.pop_if_empty().extend(path);
    let finished = Url::parse(url.as_str()).map_err(|_| "the path does not form a URL")?;
    let kept = base.path().trim_end_matches('/').split('/').count();
    let below = finished.path().split('/').skip(kept).map(|part| percent_decode_str(part).collect::<Vec<u8>>());
    let same = finished.origin() == base.origin()
        && finished.path().starts_with(base.path().trim_end_matches('/'))
        && (path.is_empty() || below.eq(path.iter().map(|part| part.as_bytes().to_vec())));
    if same { Ok(url) } else { Err("the path contains a character that URLs cannot contain, and would lead elsewhere") }
}
