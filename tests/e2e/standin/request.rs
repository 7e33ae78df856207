//! A request as seen by the handlers, with n8n's refusals of its content.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::schema::{Kind, as_javascript, check_body, not_one_of};

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: String,
    /// Decoded neither here nor in the log.
    pub path: String,
    pub raw_query: String,
    query: HashMap<String, String>,
    pub headers: HashMap<String, String>,
    pub body: Bytes,
    /// The body as JSON, if its type says so; `Err` if it does not parse.
    json: Result<Option<Value>, ()>,
}

fn media_type(header: &str) -> String {
    let media = header.split(';').next();
    media.unwrap_or_default().trim().to_lowercase()
}

/// Parses once, since a definition is large. An empty body counts as an empty object.
fn parse(media_type: &str, body: &Bytes) -> Result<Option<Value>, ()> {
    if media_type != "application/json" {
        return Ok(None);
    }
    if body.is_empty() {
        return Ok(Some(json!({})));
    }
    let value = serde_json::from_slice(body).map_err(|_| ())?;
    Ok(Some(as_javascript(value)))
}

impl Request {
    pub(crate) fn new(parts: &hyper::http::request::Parts, body: Bytes) -> Self {
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let pairs = url::form_urlencoded::parse(raw_query.as_bytes()).into_owned();
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let kind = parts.headers.get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Self {
            json: parse(&media_type(kind), &body),
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: pairs.collect(),
            raw_query,
            headers: parts.headers.iter().filter_map(header).collect(),
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn queries(&self) -> &HashMap<String, String> {
        &self.query
    }

    /// Reports whether the body is JSON by its type and does not parse: n8n fails on it before any handler.
    pub(crate) fn is_malformed(&self) -> bool {
        self.json.is_err()
    }

    fn json(&self) -> Option<&Value> {
        self.json.as_ref().ok()?.as_ref()
    }

    /// Returns the body, checked against a schema.
    pub(crate) fn body(&self, kind: &Kind) -> Result<&Value, Reply> {
        self.check_media_type(true)?;
        let body = self.json();
        check_body(kind, body).map_err(|message| Reply::message(400, message))?;
        Ok(body.unwrap_or(&Value::Null))
    }

    /// The same for requests that work without a body.
    pub(crate) fn optional_body(&self, kind: &Kind) -> Result<Value, Reply> {
        self.check_media_type(false)?;
        let body = self.json().cloned().unwrap_or_else(|| json!({}));
        check_body(kind, Some(&body)).map_err(|message| Reply::message(400, message))?;
        Ok(body)
    }

    fn check_media_type(&self, required: bool) -> Result<(), Reply> {
        let media = media_type(self.header("content-type"));
        match media.as_str() {
            "application/json" => Ok(()),
            "" if !required => Ok(()),
            "" => Err(Reply::message(415, "unsupported media type undefined")),
            other => Err(Reply::message(415, format!("unsupported media type {other}"))),
        }
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Reply> {
        match self.query(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => {
                let message = not_one_of(&["true", "false"], other);
                Err(Reply::message(400, format!("request/query/{name} {message}")))
            }
        }
    }

    pub(crate) fn time(&self, name: &str) -> Result<Option<jiff::Timestamp>, Reply> {
        let Some(text) = self.query(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(Reply::message(400, format!("request/query/{name} Invalid datetime"))),
        }
    }

    /// Returns offset and limit, from the cursor if there is one. A limit of 0 is taken literally.
    pub(crate) fn paging(&self) -> Result<(usize, usize), Reply> {
        let (mut offset, mut limit) = (self.count("offset", 0)?, self.count("limit", 100)?.min(250));
        if let Some(cursor) = self.cursor()? {
            let number = |name: &str| cursor.get(name).and_then(Value::as_u64);
            offset = number("offset").map_or(offset, |number| number as usize);
            limit = number("limit").map_or(limit, |number| number as usize);
        }
        Ok((offset, limit))
    }

    /// Returns the last id and the limit, for lists in the order of ids.
    pub(crate) fn keyset(&self) -> Result<(Option<u64>, usize), Reply> {
        let limit = self.count("limit", 100)?.min(250);
        let Some(cursor) = self.cursor()? else {
            return Ok((None, limit));
        };
        let last = cursor.get("lastId").and_then(|id| match id {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        });
        let limit = cursor.get("limit").and_then(Value::as_u64);
        Ok((last, limit.map_or(100, |limit| limit.clamp(1, 250) as usize)))
    }

    fn count(&self, name: &str, default: usize) -> Result<usize, Reply> {
        let refuse = |what: &str| {
            let message = format!("request/query/{name} Param `{name}` must be a {what}");
            Reply::message(400, message)
        };
        match self.query(name).filter(|text| !text.is_empty()) {
            None => Ok(default),
            Some(text) => match text.parse::<i64>() {
                Err(_) => Err(refuse("valid integer")),
                Ok(number) if number < 0 => Err(refuse("non-negative integer")),
                Ok(number) => Ok(number as usize),
            },
        }
    }

    fn cursor(&self) -> Result<Option<Map<String, Value>>, Reply> {
        let Some(text) = self.query("cursor").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let decoded = STANDARD.decode(text).ok();
        let value = decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match value {
            Some(Value::Object(cursor)) => Ok(Some(cursor)),
            _ => Err(Reply::message(400, "An invalid cursor was provided")),
        }
    }
}

/// Encodes a cursor as n8n does.
pub(crate) fn cursor(value: &Value) -> String {
    STANDARD.encode(value.to_string())
}

/// Returns the cursor of the next page.
pub(crate) fn next_offset(offset: usize, limit: usize, total: usize) -> Option<String> {
    (total > offset + limit).then(|| cursor(&json!({ "limit": limit, "offset": offset + limit })))
}
