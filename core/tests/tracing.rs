//! Spans of adds and attempts, with the SDK of OpenTelemetry.
#![allow(missing_docs)]

mod support;

use std::sync::LazyLock;
use std::time::Duration;

use libswarm::{Batching, Cluster, DeleteReason, Job, Master, NewJob, Outcome, Trace, Worker};
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceContextExt, TraceId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use support::{Redis, soon, until};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

/// The spans that have ended in this process, whose subscriber is one for all tests.
static SPANS: LazyLock<InMemorySpanExporter> = LazyLock::new(|| {
    let exporter = InMemorySpanExporter::default();
    let tracer = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build().tracer("program");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    exporter
});

/// A cluster with a name of its own, by which its spans are known.
async fn started(redis: &Redis, name: &str) -> (Master, Worker) {
    LazyLock::force(&SPANS);
    let cluster = Cluster::builder(name).option("socket", redis.socket().to_str().unwrap()).build().unwrap();
    let mut worker = cluster.worker();
    for task in ["mail", "next", "x", "y"] {
        worker = worker.option("task", task).unwrap();
    }
    (soon("master", cluster.master()).await.unwrap(), soon("worker", worker.start()).await.unwrap())
}

fn attribute(span: &SpanData, name: &str) -> String {
    span.attributes.iter().find(|attribute| attribute.key.as_str() == name).map_or(String::new(), |found| found.value.to_string())
}

/// The spans with this name that have ended in a cluster.
fn ended(cluster: &str, name: &str) -> Vec<SpanData> {
    let spans = SPANS.get_finished_spans().unwrap();
    spans.into_iter().filter(|span| span.name == name && attribute(span, "swarm.cluster") == cluster).collect()
}

/// Waits for spans, in the order in which they ended.
async fn spans(cluster: &str, name: &str, count: usize) -> Vec<SpanData> {
    until(&format!("{count} spans `{name}`"), || ended(cluster, name).len() >= count).await;
    let found = ended(cluster, name);
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

async fn span(cluster: &str, name: &str) -> SpanData {
    spans(cluster, name, 1).await.remove(0)
}

fn links(span: &SpanData) -> Vec<(TraceId, SpanId)> {
    span.links.iter().map(|link| (link.span_context.trace_id(), link.span_context.span_id())).collect()
}

fn ids(span: &SpanData) -> (TraceId, SpanId) {
    (span.span_context.trace_id(), span.span_context.span_id())
}

fn mail(payload: &str) -> NewJob {
    NewJob::json(payload).unwrap().task("mail")
}

#[tokio::test]
async fn an_attempt_has_a_link_to_the_add() {
    let redis = Redis::start();
    let (master, worker) = started(&redis, "link").await;
    let (sender, mut current) = mpsc::unbounded_channel();
    let handler = move |_: Job| {
        // In the part before the future, too.
        let before = tracing::Span::current().context().span().span_context().span_id();
        let sender = sender.clone();
        async move {
            tokio::task::yield_now().await;
            sender.send((before, tracing::Span::current().context().span().span_context().span_id())).unwrap();
            Ok::<_, String>(1)
        }
    };
    tokio::spawn(worker.process(handler).until(std::future::pending()));
    let request = info_span!("request");
    let parent = request.context().span().span_context().span_id();
    soon("run", master.run(mail("a").id("one")).instrument(request)).await.unwrap();

    let (added, processed) = (span("link", "add mail").await, span("link", "process mail").await);
    assert_eq!((added.span_kind.clone(), processed.span_kind.clone()), (SpanKind::Producer, SpanKind::Consumer));
    assert_eq!((added.parent_span_id, processed.parent_span_id), (parent, SpanId::INVALID));
    assert_eq!(links(&processed), [ids(&added)]);
    let own = processed.span_context.span_id();
    assert_eq!(current.recv().await, Some((own, own)));
    for (name, value) in [("messaging.operation.name", "add"), ("messaging.operation.type", "send")] {
        assert_eq!(attribute(&added, name), value);
    }
    for (name, value) in [
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("swarm.attempt", "1"),
        ("swarm.outcome", "completed"),
    ] {
        assert_eq!(attribute(&processed, name), value);
    }
    for span in [&added, &processed] {
        assert_eq!(attribute(span, "messaging.system"), "libswarm");
        assert_eq!(attribute(span, "messaging.destination.name"), "mail");
        assert_eq!(attribute(span, "messaging.message.id"), "one");
    }
    assert_eq!(processed.status, Status::Unset);
}

#[tokio::test]
async fn with_parent_an_attempt_is_a_child_and_what_it_adds_is_in_the_same_trace() {
    let redis = Redis::start();
    let (master, worker) = started(&redis, "parent").await;
    let handler = |job: Job| async move {
        if job.json::<String>()? == "first" {
            job.add(NewJob::json("second")?.task("next")).await?;
        }
        Ok::<_, libswarm::Error>(())
    };
    tokio::spawn(worker.process(handler).trace(Trace::Parent).until(std::future::pending()));
    soon("add", master.add(mail("first")).instrument(info_span!("request"))).await.unwrap();
    let (added, first) = (span("parent", "add mail").await, span("parent", "process mail").await);
    let (nested, second) = (span("parent", "add next").await, span("parent", "process next").await);
    for (child, parent) in [(&first, &added), (&nested, &first), (&second, &nested)] {
        assert_eq!(child.parent_span_id, parent.span_context.span_id());
        assert_eq!(child.span_context.trace_id(), added.span_context.trace_id());
    }
    assert_eq!(links(&second), []);
}

#[tokio::test]
async fn errors_panics_and_stops_are_outcomes() {
    let redis = Redis::start();
    let (master, worker) = started(&redis, "outcomes").await;
    let handler = |job: Job| async move {
        match job.json::<String>().unwrap().as_str() {
            "panics" => panic!("on purpose"),
            "own" => job.fail_permanently("by the handler").await.map_err(|error| error.to_string()),
            "waits" => std::future::pending().await,
            "stops" => {
                // It may end before it is dropped.
                job.cancelled().await;
                assert_eq!(job.delete_reason(), Some(DeleteReason::TimedOut));
                Ok(())
            }
            _ => Err("no such mailbox".to_owned()),
        }
    };
    tokio::spawn(worker.process(handler).until(std::future::pending()));
    let retried = mail("fails").retries(1);
    for (job, outcomes) in [
        (retried, &["retrying", "failed"][..]),
        (mail("panics"), &["failed"]),
        (mail("own"), &[""]),
        (mail("waits").run_timeout(Duration::from_millis(100)), &["timed_out"]),
        (mail("stops").run_timeout(Duration::from_millis(100)), &["timed_out"]),
    ] {
        let before = ended("outcomes", "process mail").len();
        let outcome = soon("run", master.run(job)).await.unwrap();
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        let found = spans("outcomes", "process mail", before + outcomes.len()).await.split_off(before);
        let seen: Vec<_> = found.iter().map(|span| attribute(span, "swarm.outcome")).collect();
        assert_eq!(seen, outcomes);
    }
    let found = ended("outcomes", "process mail");
    let errors: Vec<_> = found.iter().map(|span| attribute(span, "error.type")).collect();
    assert_eq!(errors, ["alloc::string::String", "alloc::string::String", "panic", "", "timed_out", "timed_out"]);
    assert_eq!(found[0].status, Status::error("no such mailbox"));
    assert_eq!(found[0].events.len(), 1);
    assert_eq!(found[2].status, Status::error("the handler panicked: on purpose"));
    assert_eq!(found[3].status, Status::Unset);
    // Without an active span, adding has none, and the attempt has no link.
    assert_eq!((ended("outcomes", "add mail").len(), links(&found[0])), (0, Vec::new()));
}

#[tokio::test]
async fn a_batch_has_a_link_for_each_add_and_a_flow_has_a_span() {
    let redis = Redis::start();
    let (master, worker) = started(&redis, "batch").await;
    for jobs in [vec![mail("a"), mail("b")], vec![mail("c")]] {
        soon("add", master.add_many(jobs).instrument(info_span!("request"))).await.unwrap();
    }
    let (taken, took) = oneshot::channel();
    let taken = std::sync::Mutex::new(Some(taken));
    let handler = move |jobs: Vec<Job>| {
        if let Some(taken) = taken.lock().unwrap().take() {
            taken.send(jobs.len()).unwrap();
        }
        async { Ok::<_, String>(()) }
    };
    let batching = Batching::new(3).wait(Duration::from_secs(20));
    tokio::spawn(worker.process_batches(batching, handler).unwrap().until(std::future::pending()));
    assert_eq!(soon("a batch", took).await.unwrap(), 3);
    let processed = span("batch", "process mail").await;
    let added = spans("batch", "add mail", 2).await;
    assert_eq!(links(&processed), [ids(&added[0]), ids(&added[1])]);
    assert_eq!(attribute(&processed, "messaging.batch.message_count"), "3");
    assert_eq!(attribute(&added[0], "messaging.batch.message_count"), "2");

    let flow = libswarm::NewFlow::chain([NewJob::json("x").unwrap().task("x"), NewJob::json("y").unwrap().task("y")]);
    soon("flow", master.add_flow(flow).instrument(info_span!("request"))).await.unwrap();
    assert_eq!(attribute(&span("batch", "add").await, "messaging.batch.message_count"), "2");
}

#[tokio::test]
async fn a_header_of_the_program_is_kept_and_a_refused_add_is_an_error() {
    let redis = Redis::start();
    let (master, _worker) = started(&redis, "own").await;
    let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let jobs = vec![mail("a").id("own").header("traceparent", own), mail("b").id("new")];
    soon("add", master.add_many(jobs).instrument(info_span!("request"))).await.unwrap();
    let added = span("own", "add mail").await;
    let header = async |id: &str| master.job(id).await.unwrap().unwrap().headers["traceparent"].clone();
    assert_eq!(header("own").await, own);
    let (trace, span_id) = ids(&added);
    assert_eq!(header("new").await, format!("00-{trace}-{span_id}-01"));
    let refused = master.add(mail("c").id("")).instrument(info_span!("request"));
    assert_eq!(soon("add", refused).await.unwrap_err().kind(), libswarm::ErrorKind::InvalidArgument);
    let added = spans("own", "add mail", 2).await.remove(1);
    assert!(matches!(added.status, Status::Error { .. }), "{added:?}");
    assert_eq!(attribute(&added, "error.type"), "INVALID_ARGUMENT");
}
