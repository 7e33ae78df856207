//! The instance itself: its readiness, its version, the scopes of the key.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{ETAG, LAST_MODIFIED};
use serde::Deserialize;

use super::answer::{Answer, Health, find};
use super::client::N8nClient;
use super::error::{N8nError, present};
use super::operation::Operation;
use super::send::Request;
use crate::domain::remote::Scopes;

/// Maximum size of the start page or of the metrics that is read.
const LARGEST_PAGE: usize = 4 * 1024 * 1024;

impl N8nClient {
    /// Succeeds if n8n is ready: `GET /healthz/readiness` reports it or, if that is hidden or moved, the API itself answers.
    ///
    /// # Errors
    /// `NotReady` while n8n starts; if neither answers, the error of the API.
    pub async fn readiness(&self) -> Result<(), N8nError> {
        match self.health().await? {
            Health::Ready => Ok(()),
            Health::NotReady(error) => Err(error),
            Health::Silent => {
                let request = self.api(Operation::Discover, Method::GET, &["discover"])?.small();
                self.send_raw(&request).await?.accept(Operation::Discover, request.http.limit).map(drop)
            }
        }
    }

    /// Calls n8n's own health check.
    pub(super) async fn health(&self) -> Result<Health, N8nError> {
        let operation = Operation::Readiness;
        let mut request = self.public(operation, &["healthz", "readiness"])?;
        request.http.limit = 64 * 1024;
        let mut observed = self.inner.metrics.observe(operation);
        let result = match self.exchange(&request, &mut observed).await {
            Ok(answer) => health(&answer),
            Err(error) => Err(error),
        };
        observed.end(match &result {
            Ok(Health::NotReady(error)) => error.outcome(),
            _ => super::send::outcome(&result),
        });
        result
    }

    /// Returns n8n's version, such as `2.39.10`. `None` if it cannot be determined: the JSON API does not report it, so this reads the
    /// start page and then, if they are enabled, the metrics.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn version(&self) -> Result<Option<String>, N8nError> {
        let page = self.send_raw(&self.public(Operation::Version, &[])?).await?;
        if let Some(version) = page.status.is_success().then(|| version_in_page(&page.body)).flatten() {
            return Ok(Some(version));
        }
        Ok(self.metrics().await?.and_then(|metrics| version_in_metrics(&metrics)))
    }

    /// Returns a mark that changes when n8n is started again. `None` if nothing tells. Only a login shows when n8n was started; but at each
    /// start it writes the files of its editor anew, so the `ETag` of one of them, which has the time of the file, is another one (2.39.10,
    /// measured). Without an editor the metrics tell, if they are enabled.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn start_mark(&self) -> Result<Option<String>, N8nError> {
        let page = self.send_raw(&self.public(Operation::Version, &[])?).await?;
        let asset = page.status.is_success().then(|| asset_in_page(&page.body)).flatten();
        if let Some(path) = asset {
            let mut request = self.public(Operation::Version, &[])?;
            request.http.method = Method::HEAD;
            request.http.url.set_path(&path);
            let head = self.send_raw(&request).await?;
            let tag = head.headers.get(ETAG).or(head.headers.get(LAST_MODIFIED)).and_then(|value| value.to_str().ok());
            if let Some(tag) = tag.filter(|_| head.status.is_success()) {
                return Ok(Some(format!("{path} {tag}")));
            }
        }
        Ok(self.metrics().await?.and_then(|metrics| started_in_metrics(&metrics)))
    }

    async fn metrics(&self) -> Result<Option<Vec<u8>>, N8nError> {
        let metrics = self.send_raw(&self.public(Operation::Version, &["metrics"])?).await?;
        Ok(metrics.status.is_success().then_some(metrics.body))
    }

    /// Returns the scopes of the key. `None` if this n8n has no such call.
    ///
    /// # Errors
    /// `Unauthorized` if n8n does not accept the key.
    pub async fn discover(&self) -> Result<Option<Scopes>, N8nError> {
        #[derive(Deserialize)]
        struct Discovered {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            scopes: BTreeSet<String>,
        }
        let request = self.api(Operation::Discover, Method::GET, &["discover"])?.small();
        let found: Option<Discovered> = present(self.send_json(request).await)?;
        Ok(found.map(|found| Scopes(found.data.scopes)))
    }

    fn public(&self, operation: Operation, path: &[&str]) -> Result<Request, N8nError> {
        let mut request = self.plain(operation, Method::GET, &self.inner.settings.url, path)?;
        request.http.limit = LARGEST_PAGE;
        Ok(request)
    }
}

fn health(answer: &Answer) -> Result<Health, N8nError> {
    let operation = Operation::Readiness;
    match answer.status.as_u16() {
        503 => Ok(Health::NotReady(answer.not_ready(operation))),
        _ if answer.is_starting() => Ok(Health::NotReady(answer.not_ready(operation))),
        200 if answer.json().is_some() => Ok(Health::Ready),
        429 | 500..=599 => Err(answer.error(operation)),
        _ => Ok(Health::Silent),
    }
}

/// Reads the version from the start page: n8n sends it to its editor in a `meta` element with JSON in base64.
fn version_in_page(page: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        release: String,
    }
    let from = find(page, b"n8n:config:sentry")?;
    let rest = page.get(from..from + 4096).or_else(|| page.get(from..))?;
    let rest = std::str::from_utf8(rest.split(|byte| *byte == b'>').next()?).ok()?;
    let encoded = rest.split_once("content=")?.1.trim_matches(['"', '\'', '/', ' ']);
    let config: Config = serde_json::from_slice(&STANDARD.decode(encoded).ok()?).ok()?;
    checked(config.release.strip_prefix("n8n@")?)
}

/// Returns the path of a script of the editor, which the start page refers to.
fn asset_in_page(page: &[u8]) -> Option<String> {
    let page = std::str::from_utf8(page).ok()?;
    let paths = page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut scripts =
        paths.filter(|path| path.starts_with('/') && !path.starts_with("//") && path.contains("/assets/") && path.ends_with(".js"));
    scripts.next().filter(|path| path.len() <= 200).map(str::to_owned)
}

fn started_in_metrics(metrics: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(metrics).ok()?;
    let line = text.lines().find(|line| !line.starts_with('#') && line.contains("process_start_time_seconds"))?;
    line.rsplit(' ').next().filter(|time| time.len() <= 40).map(str::to_owned)
}

fn version_in_metrics(metrics: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(metrics).ok()?;
    let line = text.lines().find(|line| !line.starts_with('#') && line.contains("version_info{"))?;
    let version = line.split_once("version=\"")?.1.split('"').next()?;
    checked(version.strip_prefix('v').unwrap_or(version))
}

/// Returns the version if it looks like one; nothing else may reach status and metrics.
fn checked(version: &str) -> Option<String> {
    let fits = (1..=40).contains(&version.len())
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    fits.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(config: &str) -> Vec<u8> {
        let encoded = STANDARD.encode(config);
        format!(
            "<!DOCTYPE html><html><head><title>n8n</title><meta name=\"n8n:config:rest-endpoint\" \
             content=\"cmVzdA==\"><meta name=\"n8n:config:sentry\" content=\"{encoded}\"></head></html>"
        )
        .into_bytes()
    }

    #[test]
    fn the_version_is_read_from_the_start_page() {
        let found = |config| version_in_page(&page(config));
        assert_eq!(found(r#"{"dsn":"","environment":"x","release":"n8n@2.39.10"}"#).as_deref(), Some("2.39.10"));
        assert_eq!(found(r#"{"release":"n8n@1.2.3-rc.1"}"#).as_deref(), Some("1.2.3-rc.1"));
        assert_eq!(found(r#"{"release":"n8n@<script>"}"#), None);
        assert_eq!(found("{}"), None);
        assert_eq!(version_in_page(b"<html>"), None);
        assert_eq!(version_in_page(b"n8n:config:sentry"), None);
    }

    #[test]
    fn a_script_of_the_editor_or_the_metrics_tell_when_n8n_was_started() {
        let page = br#"<link href="/assets/a.css"><script src="/static/base-path.js"></script><script src="/n8n/assets/index-EOJ.js">"#;
        assert_eq!(asset_in_page(page).as_deref(), Some("/n8n/assets/index-EOJ.js"));
        assert_eq!(asset_in_page(br#"<script src="//elsewhere.example/assets/index.js">"#), None);
        assert_eq!(asset_in_page(br#"<script src="https://elsewhere.example/assets/index.js">"#), None);
        let metrics = b"# HELP n8n_process_start_time_seconds x\nn8n_process_start_time_seconds 1764488487\n";
        assert_eq!(started_in_metrics(metrics).as_deref(), Some("1764488487"));
        assert_eq!(started_in_metrics(b"up 1\n"), None);
    }

    #[test]
    fn the_version_is_read_from_the_metrics() {
        let text = b"# HELP n8n_version_info n8n version info.\n# TYPE n8n_version_info gauge\n\
            n8n_version_info{version=\"v2.39.10\",major=\"2\",minor=\"39\",patch=\"10\"} 1\n";
        assert_eq!(version_in_metrics(text).as_deref(), Some("2.39.10"));
        assert_eq!(version_in_metrics(b"up 1\n"), None);
    }
}
