//! Which statements a piece of work runs, for tests that compare them. SQLx logs each where it runs it: on a thread of
//! its own, in the span of whoever asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::{Event, Instrument as _, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The span of work that is recorded.
const SPAN: &str = "work whose statements are recorded";

/// By the ids of their spans.
static STATEMENTS: LazyLock<Mutex<BTreeMap<u64, Vec<String>>>> = LazyLock::new(Mutex::default);

struct Recorder;

#[derive(Default)]
struct Sql {
    summary: String,
    whole: String,
}

impl Visit for Sql {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        metadata.name() == SPAN || metadata.target() == "sqlx::query"
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let mut sql = Sql::default();
        event.record(&mut sql);
        // A short statement is its own summary.
        let sql = if sql.whole.trim().is_empty() { sql.summary } else { sql.whole };
        // A connection that is opened meanwhile has its own.
        if !sql.contains("PRAGMA") {
            let words: Vec<&str> = sql.split_whitespace().collect();
            STATEMENTS.lock().unwrap().entry(span.id().into_u64()).or_default().push(words.join(" "));
        }
    }
}

/// Does the work, and says which statements it ran, in order. A transaction's are all known when it has ended.
pub(crate) async fn recorded<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Recorder);
        tracing::subscriber::set_global_default(subscriber).expect("no other test has one for all threads");
    });
    let span = tracing::info_span!(SPAN);
    let id = span.id().expect("the recorder wants it").into_u64();
    let done = work.instrument(span).await;
    let statements = STATEMENTS.lock().unwrap().remove(&id).unwrap_or_default();
    (done, statements)
}
