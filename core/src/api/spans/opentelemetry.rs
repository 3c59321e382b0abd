//! Spans of `tracing` that its layer for OpenTelemetry exports.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::model::execution::DeleteReason;
use crate::model::job::{Finish, JobData};
use crate::model::job_options::{Added, NewJob};
use crate::util::completion::Done;

/// The header of W3C Trace Context that is always set.
const TRACEPARENT: &str = "traceparent";

/// How the span of an attempt refers to the span that added its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trace {
    /// It has a trace of its own, and a link.
    #[default]
    Link,
    /// It is a child, in the same trace.
    Parent,
}

/// In an active span: begins the span of a call that adds jobs, puts its context into their headers, and ends it before `done` is called.
pub(in crate::api) fn adding(cluster: &str, jobs: &mut [NewJob], done: Done<Vec<Added>>) -> Done<Vec<Added>> {
    if !in_span() || jobs.iter().all(has_context) {
        return done;
    }
    let task = common_task(jobs);
    let span = info_span!("add", otel.name = name_of("add", task), otel.kind = "producer");
    describe(&span, cluster, task, "add", "send");
    let one = jobs.len() == 1;
    if !one {
        span.set_attribute("messaging.batch.message_count", count(jobs.len()));
    }
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut fields);
    // Without a tracestate, its field is empty.
    fields.retain(|_, value: &mut String| !value.is_empty());
    for job in jobs.iter_mut().filter(|job| !has_context(job)) {
        job.extras.get_or_insert_default().headers.extend(fields.clone());
    }
    Box::new(move |added| {
        match &added {
            Ok(added) if one => span.set_attribute("messaging.message.id", added[0].id.clone()),
            Ok(_) => {}
            Err(error) => {
                span.set_attribute("error.type", error.kind().name());
                span.set_status(Status::error(error.to_string()));
            }
        }
        drop(span);
        done(added);
    })
}

/// Whether a span of `tracing` or of OpenTelemetry itself is active.
fn in_span() -> bool {
    Span::current().context().span().span_context().is_valid() || Context::current().span().span_context().is_valid()
}

/// Whether the program has set the header itself.
fn has_context(job: &NewJob) -> bool {
    job.extras.as_ref().is_some_and(|extras| extras.headers.contains_key(TRACEPARENT))
}

/// The task that all have in common; empty if there is none.
fn common_task(jobs: &[NewJob]) -> &str {
    let mut tasks = jobs.iter().map(|job| job.extras.as_ref().map_or("", |extras| &extras.task));
    let first = tasks.next().unwrap_or("");
    if tasks.all(|task| task == first) { first } else { "" }
}

fn name_of(operation: &str, task: &str) -> String {
    if task.is_empty() { operation.to_owned() } else { format!("{operation} {task}") }
}

/// The attributes that both kinds of spans have.
fn describe(span: &Span, cluster: &str, task: &str, operation: &'static str, kind: &'static str) {
    span.set_attribute("messaging.system", "libswarm");
    span.set_attribute("messaging.operation.name", operation);
    span.set_attribute("messaging.operation.type", kind);
    span.set_attribute("swarm.cluster", cluster.to_owned());
    if !task.is_empty() {
        span.set_attribute("messaging.destination.name", task.to_owned());
    }
}

fn count(jobs: usize) -> i64 {
    i64::try_from(jobs).unwrap_or(i64::MAX)
}

/// The span of one attempt of a job, or of one batch. It ends with the last clone.
#[derive(Clone)]
pub(in crate::api) struct Attempt {
    span: Span,
    jobs: Arc<[Arc<JobData>]>,
}

impl Attempt {
    pub(in crate::api) fn begin(cluster: &str, trace: Trace, job: &Arc<JobData>) -> Self {
        let attempt = Self::new(cluster, vec![job.clone()]);
        let added = context_of(job);
        match trace {
            Trace::Link => attempt.span.add_link(added.span().span_context().clone()),
            // Fails if the program's subscriber exports no spans.
            Trace::Parent => drop(attempt.span.set_parent(added)),
        }
        attempt.span.set_attribute("messaging.message.id", job.id.clone());
        attempt.span.set_attribute("swarm.attempt", i64::from(job.attempt()));
        attempt.span.set_attribute("swarm.fence", i64::try_from(job.fence).unwrap_or(i64::MAX));
        attempt
    }

    /// With a link for each span that has added jobs.
    pub(in crate::api) fn begin_batch(cluster: &str, jobs: Vec<Arc<JobData>>) -> Self {
        let attempt = Self::new(cluster, jobs);
        let mut linked = HashSet::new();
        for added in attempt.jobs.iter().map(|job| context_of(job)) {
            let added = added.span().span_context().clone();
            if linked.insert(added.span_id()) {
                attempt.span.add_link(added);
            }
        }
        attempt.span.set_attribute("messaging.batch.message_count", count(attempt.jobs.len()));
        attempt
    }

    fn new(cluster: &str, jobs: Vec<Arc<JobData>>) -> Self {
        let task = jobs.first().map_or("", |job| job.task());
        // Not a child of the span in which the worker was started, which is not the cause of the job.
        let span = info_span!(parent: None, "process", otel.name = name_of("process", task), otel.kind = "consumer");
        describe(&span, cluster, task, "process", "process");
        Attempt { span, jobs: jobs.into() }
    }

    /// Calls the handler in the span.
    pub(in crate::api) fn call<R>(&self, handler: impl FnOnce() -> R) -> R {
        self.span.in_scope(handler)
    }

    /// The future of the handler, in the span.
    pub(in crate::api) fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.span.clone())
    }

    /// Notes the error that the handler has returned, or its panic.
    pub(in crate::api) fn raised(&self, class: &'static str, text: &str) {
        self.span.set_attribute("error.type", class);
        let attributes = vec![KeyValue::new("exception.type", class), KeyValue::new("exception.message", text.to_owned())];
        self.span.add_event("exception", attributes);
    }

    /// Notes the outcome: how the jobs finish, of those that the handler has not finished itself.
    pub(in crate::api) fn ended(&self, finishes: &[Finish]) {
        let reason = self.jobs.iter().map(|job| job.delete_reason()).reduce(|one, other| other.and(one)).flatten();
        let stopped = finishes.iter().all(|finish| matches!(finish, Finish::Stopped));
        // While the worker leaves, results and errors are accepted.
        let reason = reason.filter(|reason| stopped || !matches!(reason, DeleteReason::Terminated));
        let open = || self.jobs.iter().zip(finishes).filter(|(job, _)| !job.execution.is_over() || job.delete_reason().is_some());
        let outcome = if let Some(reason) = reason {
            let name = reason.name();
            if matches!(reason, DeleteReason::TimedOut | DeleteReason::LeaseLost) {
                self.span.set_attribute("error.type", name);
                self.span.set_status(Status::error(name));
            }
            name
        } else if let Some(Finish::Fail(error)) =
            open().map(|(_, finish)| finish).find(|finish| matches!(finish, Finish::Fail(_)))
        {
            self.span.set_status(Status::error(error.message.clone()));
            if open().any(|(job, _)| job.retries_left() > 0) { "retrying" } else { "failed" }
        } else if open().any(|(_, finish)| matches!(finish, Finish::Complete(_))) {
            "completed"
        } else {
            return;
        };
        self.span.set_attribute("swarm.outcome", outcome);
    }
}

/// The context in which a job was added; without a span if there is none, or it cannot be read.
fn context_of(job: &JobData) -> Context {
    let headers: HashMap<String, String> = job.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    TraceContextPropagator::new().extract_with_context(&Context::new(), &headers)
}
