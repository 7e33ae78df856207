//! Values that nobody gave: addresses, hosts, ids and placeholders that are in neither the prompt nor the answers, the inventory or the
//! workflow that is edited.

use std::collections::BTreeSet;

use url::Url;

use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::generation::engine::graph::{Flow, each_text};
use crate::generation::hostile::fold;

/// Domains of public interfaces whose names are not those of their services.
const PUBLIC: &[&str] = &[
    "googleapis.com",
    "google.com",
    "amazonaws.com",
    "microsoft.com",
    "microsoftonline.com",
    "office.com",
    "live.com",
    "facebook.com",
    "github.com",
    "githubusercontent.com",
    "firebaseio.com",
    "algolia.com",
    "wikipedia.org",
    "w3.org",
    "schema.org",
    "openstreetmap.org",
    "nasa.gov",
    "atlassian.com",
    "atlassian.net",
    "open-meteo.com",
    "youtube.com",
    "t.me",
    "x.com",
];
/// Hosts that stand for whatever host the user has.
const SAMPLE: &[&str] = &[
    "example.com",
    "example.org",
    "example.net",
    "yourdomain.com",
    "your-domain.com",
    "mydomain.com",
    "company.com",
    "domain.com",
    "acme.com",
    "acme.test",
];
/// Texts of placeholders, in lower case.
const PLACEHOLDERS: &[&str] = &[
    "your_",
    "your-",
    "<your",
    "[your",
    "{your",
    "replace_",
    "replace-",
    "replace_me",
    "changeme",
    "change_me",
    "placeholder",
    "insert_",
    "_here",
    "-here>",
    "xxxx",
    "todo:",
    "my_api_key",
    "dummy_",
];
/// Ids that n8n and services give to every user.
const USUAL: &[&str] = &[
    "sheet1",
    "gid=0",
    "primary",
    "me",
    "root",
    "default",
    "inbox",
    "my drive",
    "mydrive",
    "general",
    "public",
    "main",
    "data",
    "file",
    "chatinput",
    "sessionid",
];

/// Texts in which values were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    folded: String,
    /// The same without spaces, for names of services that are written apart.
    joined: String,
    services: BTreeSet<String>,
}

impl Known {
    /// Collects the texts.
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t str>, catalog: &Catalog) -> Self {
        let folded = texts.map(fold).collect::<Vec<_>>().join("\n");
        let joined = folded.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let services =
            catalog.index().nodes.iter().map(|entry| plain(entry.name.rsplit_once('.').map_or(&entry.name, |(_, short)| short))).collect();
        Self { folded, joined, services }
    }

    fn has(&self, text: &str) -> bool {
        let folded = fold(text);
        folded.is_empty() || self.folded.contains(&folded)
    }

    /// Reports whether a host was given, or belongs to a service that was named or that n8n has.
    fn has_host(&self, host: &str) -> bool {
        let host = host.trim_start_matches("www.").to_lowercase();
        if self.folded.contains(&host) {
            return true;
        }
        let within = |domain: &&str| host == **domain || host.ends_with(&format!(".{domain}"));
        if SAMPLE.iter().any(within) {
            return false;
        }
        let labels: Vec<String> = host.split('.').map(name_in).collect();
        let named = |label: &String| {
            label.len() >= 4
                && !["api", "www", "test", "prod", "app", "server", "host"].contains(&label.as_str())
                && self.joined.contains(label.as_str())
        };
        let service = |label: &String| label.len() >= 4 && self.services.contains(label);
        let own = labels.split_last().map(|(_, rest)| rest).unwrap_or_default();
        PUBLIC.iter().any(within) || own.iter().any(|label| named(label) || service(label))
    }
}

/// Returns the name in a label of a host, without the mark of an interface: `dropboxapi`, `api-eu`.
fn name_in(label: &str) -> String {
    let plain: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = ["apis", "api"].iter().find_map(|mark| plain.strip_suffix(mark).or_else(|| plain.strip_prefix(mark)));
    bare.filter(|bare| bare.len() >= 4).map_or(plain.clone(), str::to_owned)
}

/// Adds a finding for each node with an invented value.
pub(super) fn check(flow: &Flow<'_>, known: &Known, findings: &mut Vec<Finding>) {
    for (at, own, node) in flow.nodes() {
        let mut hits: Vec<(String, String)> = Vec::new();
        let mut look = |path: &str, text: &str| {
            if let Some(what) = invented(path, text, known) {
                hits.push((path.to_owned(), what));
            }
        };
        for (key, value) in node.parameters().into_iter().flatten().filter(|(key, _)| !is_free(key, own.kind.as_str())) {
            each_text(value, &json_path::key("set", key), &mut look);
        }
        for (path, what) in hits.into_iter().take(4) {
            let message = format!("{what} was not given by anybody; put a ?slot in its place, or leave it out");
            let path = format!("{}.{path}", json_path::index("nodes", at));
            findings.push(Finding::error(Code::ValueInvented, path, message).at_node(&own.name));
        }
    }
}

/// Reports whether a parameter is prose, code or a choice of the author.
fn is_free(key: &str, kind: &str) -> bool {
    [
        "model",
        "modelId",
        "path",
        "jsonSchemaExample",
        "inputSchema",
        "jsCode",
        "pythonCode",
        "formTitle",
        "formDescription",
        "formFields",
        "toolDescription",
        "description",
    ]
    .contains(&key)
        || kind.starts_with("stickyNote")
}

/// Returns what is invented in a text, to begin a sentence.
fn invented(path: &str, text: &str, known: &Known) -> Option<String> {
    // A slot, or a text that n8n computes as a whole.
    if text.starts_with('?') || text.is_empty() {
        return None;
    }
    let literal = outside_of_braces(text.strip_prefix('=').unwrap_or(text));
    let folded = literal.to_lowercase();
    if PLACEHOLDERS.iter().any(|part| folded.contains(part)) && !known.has(&literal) {
        return Some("the placeholder".to_owned());
    }
    for word in literal.split(|c: char| c.is_whitespace() || "\"'<>(),;|{}[]".contains(c)) {
        if let Some(host) = host_of(word).filter(|host| !known.has_host(host)) {
            return Some(format!("the host {host}"));
        }
        if is_mail(word) && !known.has(word.trim_end_matches('.')) {
            return Some("the mail address".to_owned());
        }
        if is_telephone(word) && !known.has(word) {
            return Some("the telephone number".to_owned());
        }
    }
    if text == literal
        && is_id_key(path)
        && is_id(text)
        && !known.has(text)
        && !known.has(text.trim_start_matches(['#', '@']))
        && !USUAL.contains(&folded.as_str())
    {
        return Some("the id".to_owned());
    }
    None
}

/// Returns the text without what is between `{{` and `}}`.
fn outside_of_braces(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        out.push(' ');
        rest = after.split_once("}}").map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out
}

fn host_of(word: &str) -> Option<String> {
    let at = word.find("http://").or_else(|| word.find("https://"))?;
    let url = Url::parse(word[at..].split('?').next()?).ok()?;
    let host = url.host_str()?.to_owned();
    let slot = word[at..].contains("://?");
    (host.contains('.') && !slot).then_some(host)
}

fn is_mail(word: &str) -> bool {
    let Some((name, host)) = word.trim_end_matches('.').split_once('@') else { return false };
    let part = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._%+-".contains(c));
    part(name) && part(host) && host.contains('.') && !host.ends_with('.') && !word.contains("://")
}

fn is_telephone(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    word.starts_with('+') && digits >= 8 && word.chars().skip(1).all(|c| c.is_ascii_digit() || "-/".contains(c))
}

/// Reports whether a parameter holds the id or the name of something on the service.
fn is_id_key(path: &str) -> bool {
    let path = path.strip_suffix(".value").unwrap_or(path);
    let key = path.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or(path).trim_matches(['[', '"']);
    let named = [
        "channel",
        "chat",
        "calendar",
        "database",
        "document",
        "table",
        "base",
        "project",
        "team",
        "workspace",
        "guild",
        "board",
        "list",
        "folder",
        "sheet",
        "bucket",
    ];
    key.ends_with("Id") || key.ends_with("ID") || key.ends_with("Ids") || named.contains(&key.to_lowercase().as_str()) || key == "sheetName"
}

/// Reports whether a text looks like an id that a service gave, or the name of a channel.
fn is_id(text: &str) -> bool {
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:./@=".contains(&byte));
    let named = text.starts_with('#') || text.starts_with('@');
    named && text.len() > 1 || plain && digits && text.len() >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_prompt_are_known_and_others_are_not() {
        let prompt = "Read https://shop.example/api/orders, post to Slack #sales, store it in Dropbox, tell anna@acme.test, call Clockify, Hacker News and upload-post.com, sheet 1aB2c3D4";
        let known = Known::of([prompt].into_iter(), Catalog::embedded());
        for (path, text) in [
            ("set.url", "https://shop.example/api/orders?x=1"),
            ("set.url", "=https://api.clockify.me/api/v1/{{ $json.id }}"),
            ("set.url", "https://hacker-news.firebaseio.com/v0/topstories.json"),
            ("set.url", "https://api.upload-post.com/api/upload"),
            ("set.url", "https://api.openai.com/v1/files"),
            ("set.url", "https://api.dropboxapi.com/2/files/upload"),
            ("set.url", "?url"),
            ("set.channelId.value", "#sales"),
            ("set.toEmail", "anna@acme.test"),
            ("set.toEmail", "={{ $json.email }}"),
            ("set.documentId.value", "1aB2c3D4"),
            ("set.sheetName.value", "Sheet1"),
            ("set.text", "Hello at 10:30, 5 items @ 3 EUR"),
        ] {
            assert_eq!(invented(path, text, &known), None, "{path} {text}");
        }
        for (path, text) in [
            ("set.url", "https://api.example.com/orders"),
            ("set.url", "https://someapi.vendorapi.io/v1"),
            ("set.url", "=https://erp.internal-system.de/{{ $json.id }}"),
            ("set.channelId.value", "#general-news"),
            ("set.channelId.value", "C0123456789"),
            ("set.chatId", "-100123456"),
            ("set.toEmail", "user@example.com"),
            ("set.text", "write to support@company.com."),
            ("set.documentId.value", "YOUR_SPREADSHEET_ID"),
            ("set.to", "+4915112345678"),
        ] {
            assert!(invented(path, text, &known).is_some(), "{path} {text}");
        }
    }
}
