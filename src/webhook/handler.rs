//! Routes of the webhook: reviews come in, answers go out. A review that cannot be answered is an HTTP error, so that the failure policy of
//! the configuration decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, Limited};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use tokio::sync::Semaphore;
use tracing::{debug, error};

use super::facts::Facts;
use super::review::{self, Kind, Review, Unread};
use crate::domain::admission::AdmissionResponse;

/// Path of the reviews.
pub const PATH: &str = "/validate";
/// Maximum length of a body: the API server sends at most two objects of 1.5 MiB.
pub const LARGEST_BODY: usize = 3 * 1024 * 1024;
/// Time limit of a body.
const BODY: Duration = Duration::from_secs(2);
/// Time limit of an answer; the API server waits for 5 s.
const ANSWER: Duration = Duration::from_millis(4_500);
/// Maximum number of bodies that are read, or wait to be examined, at the same time.
const READING: usize = 32;
/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: &[f64] = &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0];

/// Metrics of reviews.
#[derive(Clone, Debug)]
pub struct ReviewMetrics {
    reviews: IntCounterVec,
    seconds: HistogramVec,
}

impl ReviewMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    ///
    /// If they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let reviews = Opts::new("weirkeeper_webhook_reviews_total", "Reviews of the admission webhook by kind and answer.");
        let reviews = IntCounterVec::new(reviews, &["kind", "answer"])?;
        let seconds = HistogramOpts::new("weirkeeper_webhook_review_seconds", "Time to answer a review of the admission webhook.");
        let seconds = HistogramVec::new(seconds.buckets(BUCKETS.to_vec()), &["kind"])?;
        registry.register(Box::new(reviews.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { reviews, seconds })
    }
}

/// State of the routes.
#[derive(Clone)]
struct Reviews {
    facts: Arc<Facts>,
    metrics: ReviewMetrics,
    reading: Arc<Semaphore>,
    examining: Arc<Semaphore>,
}

/// An answer other than a review.
type Failed = (StatusCode, String);

/// Returns the routes of the webhook.
pub fn routes(facts: Arc<Facts>, metrics: ReviewMetrics) -> Router {
    // Examining is work for a processor; more at once only makes each of them slower.
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let reviews =
        Reviews { facts, metrics, reading: Arc::new(Semaphore::new(READING)), examining: Arc::new(Semaphore::new(processors.max(2))) };
    Router::new().route(PATH, post(respond)).with_state(reviews)
}

async fn respond(State(reviews): State<Reviews>, request: Request<Body>) -> Response {
    let answered = tokio::time::timeout(ANSWER, respond_to(&reviews, request)).await;
    let answered = answered.unwrap_or_else(|_| {
        Err((StatusCode::SERVICE_UNAVAILABLE, "the review takes too long; the failure policy of the webhook decides".to_owned()))
    });
    match answered {
        Ok(answer) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
        Err((status, message)) => {
            reviews.metrics.reviews.with_label_values(&["unknown", "failed"]).inc();
            debug!(%status, message, "a review is not answered");
            (status, format!("{message}\n")).into_response()
        }
    }
}

async fn respond_to(reviews: &Reviews, request: Request<Body>) -> Result<Vec<u8>, Failed> {
    let _reading = reviews.reading.acquire().await;
    let body = read_body(request).await?;
    let Ok(examining) = reviews.examining.clone().acquire_owned().await else {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "the operator is shutting down".to_owned()));
    };
    let (facts, metrics) = (reviews.facts.clone(), reviews.metrics.clone());
    // A panic ends this task alone. A review that was given up keeps its permit until it ends.
    let examined = tokio::task::spawn_blocking(move || {
        let _examining = examining;
        examine(&body, &facts, &metrics)
    });
    examined.await.unwrap_or_else(|stopped| {
        error!(%stopped, "examining an object failed; this is a bug");
        Err((
            StatusCode::INTERNAL_SERVER_ERROR,
            "examining the object failed; this is a bug, please report it with the operator's log".to_owned(),
        ))
    })
}

async fn read_body(request: Request<Body>) -> Result<Bytes, Failed> {
    let body = Limited::new(request.into_body(), LARGEST_BODY).collect();
    match tokio::time::timeout(BODY, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {LARGEST_BODY} bytes")))
        }
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body ended early".to_owned())),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body takes too long".to_owned())),
    }
}

/// Reads a review, decides, and writes the answer.
fn examine(body: &[u8], facts: &Facts, metrics: &ReviewMetrics) -> Result<Vec<u8>, Failed> {
    let started = Instant::now();
    let (uid, kind, decision) = match review::read(body) {
        Ok(Review { uid, kind, request }) => {
            let decision = facts.decide(&kind, &request);
            (uid, kind, decision.map_err(|waiting| (StatusCode::SERVICE_UNAVAILABLE, waiting))?)
        }
        Err(Unread::NoReview(message)) => return Err((StatusCode::BAD_REQUEST, message)),
        Err(Unread::NoObject { uid, message }) => (uid, Kind::Other(String::new()), AdmissionResponse::denied(message)),
    };
    let answer = match (&decision.denied, decision.warnings.is_empty()) {
        (Some(_), _) => "denied",
        (None, false) => "warned",
        (None, true) => "allowed",
    };
    metrics.reviews.with_label_values(&[kind.label(), answer]).inc();
    metrics.seconds.with_label_values(&[kind.label()]).observe(started.elapsed().as_secs_f64());
    Ok(review::answer(&uid, &decision).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::stream;
    use kube::Client;

    use super::*;
    use crate::kubernetes::catalogs::Catalogs;
    use crate::kubernetes::scope::Scope;
    use crate::kubernetes::stores::Stores;

    /// Returns the state of the routes with these numbers of places, and an API server that never answers.
    fn reviews(reading: usize, examining: usize) -> Reviews {
        let silent = tower::service_fn(|_: Request<kube::client::Body>| futures::future::pending::<io::Result<Response<Body>>>());
        let client = Client::new(silent, "default");
        let stores = Arc::new(Stores::start(&client, Scope::default(), 60));
        Reviews {
            facts: Arc::new(Facts::new(stores, Catalogs::new(client))),
            metrics: ReviewMetrics::register(&Registry::new()).unwrap(),
            reading: Arc::new(Semaphore::new(reading)),
            examining: Arc::new(Semaphore::new(examining)),
        }
    }

    /// The API server waits for 5 s, and says nothing of use then: the answer comes before that, whatever the review waits for.
    #[tokio::test(start_paused = true)]
    async fn an_answer_is_bounded_in_time() {
        let workflow = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","namespace":"n",
            "name":"a","kind":{"group":"weirkeeper.dev","version":"v1alpha1","kind":"Workflow"},"object":{"spec":{}}}}"#;
        for (reading, examining, seconds, status, part) in [
            (0, 1, 4.5, StatusCode::SERVICE_UNAVAILABLE, "the review takes too long; the failure policy of the webhook decides"),
            (1, 0, 4.5, StatusCode::SERVICE_UNAVAILABLE, "the review takes too long; the failure policy of the webhook decides"),
            (1, 1, 0.0, StatusCode::SERVICE_UNAVAILABLE, "the caches are not synced yet"),
        ] {
            let reviews = reviews(reading, examining);
            let started = tokio::time::Instant::now();
            let answer = respond(State(reviews.clone()), Request::new(Body::from(workflow))).await;
            let took = started.elapsed().as_secs_f64();
            assert!((took - seconds).abs() < 0.1, "{took} s");
            assert_eq!(answer.status(), status);
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&text).contains(part), "{text:?}");
            assert_eq!(reviews.metrics.reviews.with_label_values(&["unknown", "failed"]).get(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_bounded_in_length_and_in_time() {
        let never = stream::pending::<Result<Bytes, io::Error>>();
        let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(io::Error::other("gone"))]);
        for (body, wanted) in [
            (Body::from(vec![b' '; LARGEST_BODY]), Ok(LARGEST_BODY)),
            (Body::from(vec![b' '; LARGEST_BODY + 1]), Err((StatusCode::PAYLOAD_TOO_LARGE, "the body has more than 3145728 bytes"))),
            (Body::from_stream(broken), Err((StatusCode::BAD_REQUEST, "the body ended early"))),
            (Body::from_stream(never), Err((StatusCode::REQUEST_TIMEOUT, "the body takes too long"))),
        ] {
            let read = read_body(Request::new(body)).await;
            assert_eq!(read.map(|bytes| bytes.len()), wanted.map_err(|(status, message)| (status, message.to_owned())));
        }
    }
}
