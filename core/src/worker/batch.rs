//! Finished jobs gathered into one round, in the format of `lua/commands/sync.lua`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::measures::{Measures, Number};
use super::outcome::{TARGET, log_failure, reporting};
use crate::member::Shared;
use crate::model::event::AcceptedOutcome;
use crate::model::extras::Extras;
use crate::model::job::{Finish, JobData, JobError};
use crate::model::limit::JobLimit;
use crate::model::metrics::Ended;
use crate::model::payload::{MAX_KEPT_RESULT, MAX_RESULT};
use crate::store::codec::msgpack::{write_array, write_integer, write_signed, write_string, write_string_length};
use crate::store::codec::record::{seal_outcome, write_outcome};
use crate::store::codec::reply::Unreadable;
use crate::store::envelope::{Envelopes, ValueKind};
use crate::util::completion::Done;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::id::check_name;

/// The limit of jobs that finish in one round.
pub(crate) const MAX_FINISHES: usize = 1000;
/// The longest pause before a retry that a handler can request; longer pauses are cut.
const MAX_PAUSE: Duration = Duration::from_secs(365 * 86_400);

/// How a job finishes, with all that the script needs.
enum End {
    Complete,
    /// Frees its resource or its limits for other jobs.
    CompleteAndFree(Freed),
    CompleteWithResult {
        ttl_secs: u32,
        requester: String,
        outcome: Vec<u8>,
    },
    /// The job has options that scripts must process, such as its resource.
    CompleteWithCare {
        job: Arc<JobData>,
        outcome: Vec<u8>,
    },
    /// Scripts read the record: the job is kept once it is completed, or has a log.
    CompleteAndKeep {
        job: Arc<JobData>,
        /// Empty if nobody awaits the result and it is too long to be kept.
        outcome: Vec<u8>,
    },
    Fail {
        careful: bool,
        reason: &'static str,
        error: JobError,
    },
    Retry {
        pause: Duration,
        error: JobError,
    },
    /// The limit, or all limits of the job, start no jobs for this time.
    Limited {
        pause: Duration,
        limit: String,
    },
    Release {
        careful: bool,
    },
    Stopped,
}

impl End {
    /// How it is counted; `None` if scripts have counted it.
    fn ended(&self) -> Option<Ended> {
        match self {
            End::Complete
            | End::CompleteAndFree(_)
            | End::CompleteWithResult { .. }
            | End::CompleteWithCare { .. }
            | End::CompleteAndKeep { .. } => Some(Ended::Completed),
            End::Fail { .. } => Some(Ended::Failed),
            End::Retry { .. } => Some(Ended::Retried),
            End::Limited { .. } | End::Release { .. } => Some(Ended::Released),
            End::Stopped => None,
        }
    }

    /// The event for a program that subscribes to outcomes.
    fn outcome(&self) -> Option<AcceptedOutcome> {
        match self {
            End::Complete
            | End::CompleteAndFree(_)
            | End::CompleteWithResult { .. }
            | End::CompleteWithCare { .. }
            | End::CompleteAndKeep { .. } => Some(AcceptedOutcome::Completed),
            End::Fail { error, .. } => Some(AcceptedOutcome::Failed(error.clone())),
            End::Retry { pause, error } => Some(AcceptedOutcome::Retrying(error.clone(), *pause)),
            End::Limited { .. } | End::Release { .. } | End::Stopped => None,
        }
    }
}

/// What a completed job frees, if scripts must process nothing else of it.
enum Freed {
    Resource(String),
    Limits(Arc<JobData>),
}

/// Builds the batch of one round.
#[derive(Default)]
pub(crate) struct Batch {
    plain: Vec<(String, u64)>,
    /// Completed without a result, with the limits that become free.
    limited: Vec<(String, u64, Arc<JobData>)>,
    /// Completed without a result, with the resource that becomes free.
    freeing: Vec<(String, u64, String)>,
    /// Ids are the bytes in Redis, because jobs with unreadable ids are released or failed, too.
    detailed: Vec<(Vec<u8>, u64, End)>,
    /// Callbacks by position in each of these lists.
    plain_dones: Dones,
    limited_dones: Dones,
    freeing_dones: Dones,
    detailed_dones: Dones,
    /// What is counted of the jobs, and its numbers by position in each of these lists.
    measures: Measures,
    plain_numbers: Vec<Number>,
    limited_numbers: Vec<Number>,
    freeing_numbers: Vec<Number>,
    detailed_numbers: Vec<Number>,
}

/// The callbacks of a round under way, by position in its batch.
pub(crate) type Dones = Vec<(usize, Done<()>)>;

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.limited.len() + self.freeing.len() + self.detailed.len()
    }

    /// Finishes an active job as its program requested. A result that is too large is an error of the program: `done` is called with it, or if
    /// there is no `done`, the job fails with it. `report`: the member whose program receives an event of the outcome. `keeps_completed`: the cluster
    /// keeps completed jobs. Returns whether the job is finished; if not, it is still active.
    pub(crate) fn finish(
        &mut self,
        job: &Arc<JobData>,
        deleted: bool,
        finish: Finish,
        done: Option<Done<()>>,
        report: Option<&Arc<Shared>>,
        keeps_completed: bool,
    ) -> bool {
        let careful = is_careful(job);
        let end = match finish {
            _ if deleted => End::Stopped,
            Finish::Complete(payload) if payload.bytes.len() > MAX_RESULT && wants_outcome(job) => {
                let text = format!("the result has {} bytes, the limit is {MAX_RESULT}", payload.bytes.len());
                if let Some(done) = done {
                    done(Err(Error::new(ErrorKind::TooLarge, text)));
                    return false;
                }
                End::Fail { careful, reason: "failed", error: text.into() }
            }
            Finish::Complete(payload) if keeps_completed || job.is_recorded() => {
                let sent = wants_outcome(job) || payload.bytes.len() <= MAX_KEPT_RESULT;
                End::CompleteAndKeep { job: job.clone(), outcome: if sent { write_outcome(&payload) } else { Vec::new() } }
            }
            Finish::Complete(_) if frees_resource_only(job) => {
                let resource = job.extras.as_ref().map_or_else(String::new, |extras| extras.resource.clone());
                End::CompleteAndFree(Freed::Resource(resource))
            }
            Finish::Complete(_) if frees_limits_only(job) => End::CompleteAndFree(Freed::Limits(job.clone())),
            Finish::Complete(payload) if careful => {
                let outcome = if wants_outcome(job) { write_outcome(&payload) } else { Vec::new() };
                End::CompleteWithCare { job: job.clone(), outcome }
            }
            Finish::Complete(payload) => match &job.result {
                Some(wanted) => End::CompleteWithResult {
                    ttl_secs: wanted.ttl_secs,
                    requester: wanted.requester.clone(),
                    outcome: write_outcome(&payload),
                },
                None => End::Complete,
            },
            Finish::Fail(error) if job.retries_left() > 0 => {
                let backoff = job.extras.as_ref().and_then(|extras| extras.backoff).unwrap_or_default();
                End::Retry { pause: backoff.pause(job.attempt()), error: error.cut() }
            }
            Finish::Retry(error, pause) if job.retries_left() > 0 => {
                End::Retry { pause: pause.min(MAX_PAUSE), error: error.cut() }
            }
            Finish::RateLimited { pause, limit } => {
                match limit.as_deref().map_or(Ok(()), |name| check_name("name of a limit", name)) {
                    Ok(()) => End::Limited { pause: pause.min(MAX_PAUSE), limit: limit.unwrap_or_default() },
                    Err(error) => {
                        if let Some(done) = done {
                            done(Err(error));
                            return false;
                        }
                        End::Fail { careful: true, reason: "failed", error: error.to_string().into() }
                    }
                }
            }
            Finish::Fail(error) | Finish::Retry(error, _) | Finish::FailPermanently(error) => {
                End::Fail { careful: job.extras.is_some() || careful, reason: "failed", error: error.cut() }
            }
            // The job was not deleted, so it is requeued.
            Finish::Release | Finish::Stopped => End::Release { careful: job.extras.is_some() || careful },
        };
        match &end {
            End::Fail { error, .. } => log_failure(job, error, None),
            End::Retry { pause, error } => log_failure(job, error, Some(*pause)),
            _ => {}
        }
        let outcome = report.and_then(|shared| Some((shared, end.outcome()?)));
        let done = match outcome {
            Some((shared, outcome)) => Some(reporting(shared, job, outcome, done)),
            None => done,
        };
        let number = end.ended().map_or(0, |ended| self.measures.count(ended, job));
        self.push(job.id.clone(), job.fence, end, done, number);
        true
    }

    /// Releases a job that the program has not received.
    pub(crate) fn release(&mut self, job: &JobData) {
        let number = self.measures.note_unmeasured(Ended::Released, job.task());
        self.push_detailed(job.id.clone().into_bytes(), job.fence, End::Release { careful: true }, number);
    }

    /// As `release`, for a job whose record is not known.
    pub(crate) fn release_unread(&mut self, id: Vec<u8>, fence: u64) {
        let number = self.measures.note_unmeasured(Ended::Released, "");
        self.push_detailed(id, fence, End::Release { careful: true }, number);
    }

    /// Fails a job whose record or id cannot be read, or whose payload cannot be decoded. Its record stays as it is, for a retry on request.
    pub(crate) fn unreadable(&mut self, job: Unreadable) {
        let undecodable = job.error.kind() == ErrorKind::Codec;
        let reason = if undecodable { "undecodable" } else { "corrupt" };
        let number = self.measures.note_unmeasured(Ended::Failed, &job.task);
        let error = job.error.message().to_owned().into();
        self.push_detailed(job.id, job.fence, End::Fail { careful: undecodable, reason, error }, number);
    }

    /// Confirms the deletion of a job that is not active.
    pub(crate) fn stopped(&mut self, id: String, fence: u64) {
        self.push(id, fence, End::Stopped, None, 0);
    }

    fn push_detailed(&mut self, id: Vec<u8>, fence: u64, end: End, number: Number) {
        self.detailed.push((id, fence, end));
        self.detailed_numbers.push(number);
    }

    fn push(&mut self, id: String, fence: u64, end: End, done: Option<Done<()>>, number: Number) {
        let (position, dones) = match end {
            End::Complete => {
                self.plain.push((id, fence));
                self.plain_numbers.push(number);
                (self.plain.len() - 1, &mut self.plain_dones)
            }
            End::CompleteAndFree(Freed::Limits(job)) => {
                self.limited.push((id, fence, job));
                self.limited_numbers.push(number);
                (self.limited.len() - 1, &mut self.limited_dones)
            }
            End::CompleteAndFree(Freed::Resource(resource)) => {
                self.freeing.push((id, fence, resource));
                self.freeing_numbers.push(number);
                (self.freeing.len() - 1, &mut self.freeing_dones)
            }
            end => {
                self.push_detailed(id.into_bytes(), fence, end, number);
                (self.detailed.len() - 1, &mut self.detailed_dones)
            }
        };
        if let Some(done) = done {
            dones.push((position, done));
        }
    }

    /// A summary of the batch for the log; empty if there is nothing to log, or if the level is off. At the finest level each job has a record.
    pub(crate) fn summary(&self) -> String {
        if self.is_empty() || !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
            return String::new();
        }
        let mut counts = [
            ("completed", self.plain.len() + self.limited.len() + self.freeing.len()),
            ("failed", 0),
            ("retried", 0),
            ("released", 0),
            ("stopped", 0),
        ];
        for (_, _, end) in &self.detailed {
            let kind = match end {
                End::Complete
                | End::CompleteAndFree(_)
                | End::CompleteWithResult { .. }
                | End::CompleteWithCare { .. }
                | End::CompleteAndKeep { .. } => 0,
                End::Fail { .. } => 1,
                End::Retry { .. } => 2,
                End::Limited { .. } | End::Release { .. } => 3,
                End::Stopped => 4,
            };
            counts[kind].1 += 1;
        }
        if tracing::enabled!(target: TARGET, tracing::Level::TRACE) {
            let plain = self.plain.iter().map(|(id, fence)| (id.as_bytes(), fence));
            let freeing = self.freeing.iter().map(|(id, fence, _)| (id.as_bytes(), fence));
            let limited = self.limited.iter().map(|(id, fence, _)| (id.as_bytes(), fence));
            for (id, fence) in
                plain.chain(limited).chain(freeing).chain(self.detailed.iter().map(|(id, fence, _)| (&id[..], fence)))
            {
                tracing::trace!(target: TARGET, "job `{}` ends under fence {fence}", String::from_utf8_lossy(id));
            }
        }
        let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}"));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// What was measured of the jobs, packed for `lua/commands/sync.lua`; empty if nothing is counted.
    pub(crate) fn pack_measures(&self) -> Vec<u8> {
        let Batch { plain_numbers, limited_numbers, freeing_numbers, detailed_numbers, .. } = self;
        let numbers = plain_numbers.iter().chain(limited_numbers).chain(freeing_numbers).chain(detailed_numbers);
        self.measures.pack(numbers)
    }

    /// The packed batch, plain jobs first and those with details last, and the callbacks by position.
    pub(crate) fn pack(mut self, incarnation: &str, envelopes: Envelopes) -> (Vec<u8>, Dones) {
        let count = self.len();
        if count == 0 {
            return (Vec::new(), Vec::new());
        }
        let mut out = Vec::with_capacity(count * (24 + 42) + 16);
        write_array(&mut out, 4);
        write_array(&mut out, count);
        let all = || {
            let plain = self.plain.iter().map(|(id, fence)| (id.as_bytes(), fence));
            let limited = self.limited.iter().map(|(id, fence, _)| (id.as_bytes(), fence));
            let freeing = self.freeing.iter().map(|(id, fence, _)| (id.as_bytes(), fence));
            plain.chain(limited).chain(freeing).chain(self.detailed.iter().map(|(id, fence, _)| (&id[..], fence)))
        };
        for (id, _) in all() {
            write_string(&mut out, id);
        }
        write_array(&mut out, count);
        let mut digits = itoa::Buffer::new();
        for (_, fence) in all() {
            let fence = digits.format(*fence).as_bytes();
            write_string_length(&mut out, fence.len() + 1 + incarnation.len());
            out.extend_from_slice(fence);
            out.push(b':');
            out.extend_from_slice(incarnation.as_bytes());
        }
        write_array(&mut out, self.detailed.len());
        for (_, _, end) in &self.detailed {
            match end {
                End::CompleteWithResult { ttl_secs, requester, outcome } => {
                    write_array(&mut out, 4);
                    write_string(&mut out, b"c");
                    write_integer(&mut out, u64::from(*ttl_secs));
                    write_string(&mut out, requester.as_bytes());
                    write_string(&mut out, &seal_outcome(outcome, envelopes));
                }
                End::CompleteWithCare { job, outcome } => {
                    let extras = job.extras.as_deref();
                    let text = |which: fn(&Extras) -> &String| extras.map_or("", |extras| which(extras)).as_bytes();
                    let limits = extras.map_or(&[][..], |extras| &extras.limits);
                    write_array(&mut out, if limits.is_empty() { 13 } else { 14 });
                    write_completion(&mut out, b"C", job, &seal_outcome(outcome, envelopes));
                    write_string(&mut out, text(|extras| &extras.resource));
                    write_string(&mut out, text(Extras::unique_key));
                    write_string(&mut out, text(|extras| &extras.ephemeral_of));
                    write_integer(&mut out, u64::from(extras.is_some_and(Extras::has_timeouts)));
                    write_integer(&mut out, u64::from(job.suspect));
                    write_string(&mut out, text(Extras::then_next_of));
                    write_integer(&mut out, u64::from(extras.is_some_and(Extras::has_key_for_a_time)));
                    write_string(&mut out, text(|extras| &extras.node.name));
                    write_string(&mut out, text(|extras| &extras.node.flow));
                    if !limits.is_empty() {
                        write_limits(&mut out, limits);
                    }
                }
                End::CompleteAndKeep { job, outcome } => {
                    write_array(&mut out, 4);
                    write_completion(&mut out, b"K", job, &seal_outcome(outcome, envelopes));
                }
                End::Fail { careful, reason, error } => {
                    write_array(&mut out, 4);
                    write_string(&mut out, if *careful { b"F" } else { b"f" });
                    write_string(&mut out, reason.as_bytes());
                    // Any member may read why a job was not run.
                    let own = *reason != "failed";
                    write_error(&mut out, error, if own { Envelopes::NONE } else { envelopes });
                }
                End::Retry { pause, error } => {
                    write_array(&mut out, 4);
                    write_string(&mut out, b"T");
                    write_integer(&mut out, pause.as_millis() as u64);
                    write_error(&mut out, error, envelopes);
                }
                End::Limited { pause, limit } => {
                    write_array(&mut out, 3);
                    write_string(&mut out, b"L");
                    write_integer(&mut out, pause.as_millis().max(1) as u64);
                    write_string(&mut out, limit.as_bytes());
                }
                End::Release { careful } => {
                    write_array(&mut out, 1);
                    write_string(&mut out, if *careful { b"R" } else { b"r" });
                }
                End::Stopped => {
                    write_array(&mut out, 1);
                    write_string(&mut out, b"S");
                }
                End::Complete | End::CompleteAndFree(_) => unreachable!("they have no details"),
            }
        }
        write_array(&mut out, self.limited.len() + self.freeing.len());
        for (_, _, job) in &self.limited {
            write_limits(&mut out, job.extras.as_ref().map_or(&[], |extras| &extras.limits));
        }
        for (_, _, resource) in &self.freeing {
            write_string(&mut out, resource.as_bytes());
        }
        let mut dones = self.plain_dones;
        let mut offset = self.plain.len();
        dones.extend(self.limited_dones.drain(..).map(|(position, done)| (position + offset, done)));
        offset += self.limited.len();
        dones.extend(self.freeing_dones.drain(..).map(|(position, done)| (position + offset, done)));
        offset += self.freeing.len();
        dones.extend(self.detailed_dones.drain(..).map(|(position, done)| (position + offset, done)));
        (out, dones)
    }
}

/// How many plain jobs the finish of a job costs in a script, about: rounds have at most `MAX_FINISHES` of these.
pub(crate) fn weight(job: &JobData) -> usize {
    match &job.extras {
        Some(extras) if !extras.node.name.is_empty() => 12,
        Some(extras) if extras.need_care() => 2,
        _ => 1,
    }
}

fn write_error(out: &mut Vec<u8>, error: &JobError, envelopes: Envelopes) {
    for (kind, text) in [(ValueKind::Error, &error.message), (ValueKind::Traceback, &error.traceback)] {
        match envelopes.seal_text(kind, text) {
            Some(sealed) => write_string(out, &sealed),
            None => write_string(out, text.as_bytes()),
        }
    }
}

/// Whether scripts must process options of the job when it finishes.
fn is_careful(job: &JobData) -> bool {
    job.suspect || job.extras.as_ref().is_some_and(|extras| extras.need_care()) || job.progressed.load(Ordering::Relaxed)
}

/// Whether the resource is all that scripts must process when the job is completed.
fn frees_resource_only(job: &JobData) -> bool {
    frees_only(job, |extras| !extras.resource.is_empty() && !extras.need_decoding())
}

/// Whether limits are all that scripts must process when the job is completed.
fn frees_limits_only(job: &JobData) -> bool {
    frees_only(job, |extras| extras.resource.is_empty() && !extras.limits.is_empty() && !extras.need_beginning())
}

fn frees_only(job: &JobData, only: impl FnOnce(&Extras) -> bool) -> bool {
    job.extras.as_deref().is_some_and(only) && job.result.is_none() && !job.suspect && !job.progressed.load(Ordering::Relaxed)
}

/// The first parts of the details of a completed job: kind, ttl of its result or -1, requester, outcome.
fn write_completion(out: &mut Vec<u8>, kind: &[u8], job: &JobData, outcome: &[u8]) {
    write_string(out, kind);
    write_signed(out, job.result.as_ref().map_or(-1, |wanted| i64::from(wanted.ttl_secs)));
    write_string(out, job.result.as_ref().map_or("", |wanted| &wanted.requester).as_bytes());
    write_string(out, outcome);
}

fn write_limits(out: &mut Vec<u8>, limits: &[JobLimit]) {
    write_array(out, limits.len());
    limits.iter().for_each(|limit| write_string(out, limit.name.as_bytes()));
}

/// Whether the result has recipients: a master that awaits it, or jobs that wait for this one.
fn wants_outcome(job: &JobData) -> bool {
    job.wants_result() || job.extras.as_ref().is_some_and(|extras| extras.unique.is_some())
}
