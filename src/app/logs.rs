//! The operator's log. Only its own lines are written, at any level: libraries log what they send and receive (kube's client logs the whole
//! answer that it cannot decode), which contains the definitions and Secrets of every tenant.

use tracing::{Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use super::settings::LogFormat;

/// Crate of the operator's own lines.
const OWN: &str = env!("CARGO_PKG_NAME");

/// Returns a subscriber that writes the operator's own lines that pass `filter`.
pub(super) fn subscriber<W>(filter: EnvFilter, format: LogFormat, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter.and(filter_fn(own))))
}

fn own(metadata: &Metadata<'_>) -> bool {
    metadata.target().split("::").next() == Some(OWN)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn at_every_level_only_the_operators_own_lines_are_logged() {
        for format in [LogFormat::Json, LogFormat::Text] {
            let kept = Kept::default();
            let writer = kept.clone();
            let subscriber = subscriber(EnvFilter::new("trace,kube_client=trace,hyper=trace"), format, move || writer.clone());
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!("a line of ours");
                tracing::trace!(target: "weirkeeper::n8n", "a detail of ours");
                tracing::warn!(target: "kube_client::client", "the body of a list");
                tracing::error!(target: "hyper::proto::h1", "the body of a list");
                tracing::error!(target: "weirkeeper_like", "the body of a list");
            });
            let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert!(log.contains("a line of ours") && log.contains("a detail of ours"), "{log}");
            assert!(!log.contains("the body"), "{log}");
        }
    }
}
