//! Responses of the stand-in, and the few pages that n8n sends as HTML.

use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response before it is serialised.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// Handlers return refusals as `Err`, so that `?` ends them; on the wire both are the same.
pub(crate) type Answer = Result<Reply, Reply>;

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: content_type.to_owned(), headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::json_text(status, value.to_string())
    }

    pub(crate) fn json_text(status: u16, text: String) -> Self {
        Self::new(status, "application/json; charset=utf-8", text)
    }

    /// Returns a refusal of the public API in its usual shape.
    pub(crate) fn message(status: u16, message: impl Into<String>) -> Self {
        Self::json(status, &json!({ "message": message.into() }))
    }

    /// Express's own error page, which n8n sends if none of its handlers was reached.
    pub(crate) fn error_page(status: u16, text: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n\
             <body>\n<pre>{text}</pre>\n</body>\n</html>\n"
        );
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub(crate) fn cannot(method: &str, path: &str) -> Self {
        Self::error_page(404, &format!("Cannot {method} {path}"))
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the body as JSON, if it is.
    pub(crate) fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn into_response(self) -> hyper::Response<UnsyncBoxBody<Bytes, BoxError>> {
        let body = Full::new(self.body.clone()).map_err(|never| match never {}).boxed_unsync();
        self.into_response_with(body)
    }

    /// Returns the head of this response with another body, for responses that break off.
    pub(crate) fn into_response_with(self, body: UnsyncBoxBody<Bytes, BoxError>) -> hyper::Response<UnsyncBoxBody<Bytes, BoxError>> {
        let mut response =
            hyper::Response::builder().status(self.status).header("content-type", self.content_type).header("keep-alive", "timeout=5");
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(body).expect("an answer with a valid head")
    }
}

/// Writes a JSON object piece by piece, so that definitions that are already text are never parsed or
/// copied as values: lists of 250 workflows stay cheap in a debug build.
pub(crate) struct ObjectText(String);

impl ObjectText {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    fn comma(&mut self) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
    }

    pub(crate) fn field(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        let text = serde_json::to_string(value).expect("a value that serialises");
        self.comma();
        self.0.push_str(&format!("\"{name}\":{text}"));
        self
    }

    /// A field whose value is already JSON.
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.comma();
        self.0.push_str(&format!("\"{name}\":"));
        self.0.push_str(value);
        self
    }

    /// Several fields that are already JSON: `"a":1,"b":2`.
    pub(crate) fn fields(mut self, fields: &str) -> Self {
        if !fields.is_empty() {
            self.comma();
            self.0.push_str(fields);
        }
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A page of a list.
pub(crate) fn page(items: &[String], next_cursor: Option<String>) -> Reply {
    let cursor = serde_json::to_string(&next_cursor).expect("a cursor that serialises");
    Reply::json_text(200, format!("{{\"data\":[{}],\"nextCursor\":{cursor}}}", items.join(",")))
}
