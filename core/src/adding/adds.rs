//! Jobs on their way to Redis: submissions are gathered here and sent in batches.

use libswarm_common::lock::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::member::panicked;
use crate::messaging::closed;
use crate::model::job_options::{Added, Durability, NewJob, Start};
use crate::store::AddCall;
use crate::store::codec::msgpack::{write_array, write_integer, write_signed, write_string};
use crate::store::codec::record::write_record;
use crate::store::codec::reply::Existed;
use crate::store::envelope::Envelopes;
use crate::util::completion::Done;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::id::Ids;
use libswarm_common::language::option;

/// The limit of jobs in one batch.
const MAX_JOBS: usize = 1000;
/// The limit of payload bytes in one batch; a single job may exceed it.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The jobs of one call to `submit`.
pub(crate) struct Submission {
    jobs: std::vec::IntoIter<NewJob>,
    durability: Durability,
    added: Vec<Added>,
    done: Option<Done<Vec<Added>>>,
    since: Instant,
    /// Bytes of the payloads of its jobs.
    bytes: u64,
    open: Option<Open>,
}

/// Counts a submission as finished when it is dropped.
struct Open {
    answered: Arc<watch::Sender<u64>>,
    pending_bytes: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.pending_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.answered.send_modify(|answered| *answered += 1);
    }
}

impl Submission {
    pub(crate) fn new(jobs: Vec<NewJob>, done: Done<Vec<Added>>) -> Self {
        let durability = jobs.iter().map(|job| job.durability).max().unwrap_or_default();
        Submission {
            added: Vec::with_capacity(jobs.len()),
            durability,
            bytes: jobs.iter().map(NewJob::size).sum(),
            jobs: jobs.into_iter(),
            done: Some(done),
            since: Instant::now(),
            open: None,
        }
    }

    fn succeed(mut self) {
        if let Some(done) = self.done.take() {
            done(Ok(std::mem::take(&mut self.added)));
        }
    }

    /// `stored`: how many of its jobs were stored by earlier batches.
    fn fail(mut self, error: Error, stored: usize) {
        if let Some(done) = self.done.take() {
            done(Err(if stored == 0 { error } else { error.context(format_args!("{stored} of the jobs were added, then")) }));
        }
    }
}

/// A submission that was never finished: the member's task has panicked, or its runtime has ended.
impl Drop for Submission {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(if std::thread::panicking() { panicked("adding jobs") } else { closed() }));
        }
    }
}

/// The queue between the program's threads and the member's task.
pub(crate) struct Adds {
    queue: Mutex<Queue>,
    pub(crate) arrived: Notify,
    /// The number of finished submissions.
    answered: Arc<watch::Sender<u64>>,
    /// Bytes of unfinished submissions, and their limit.
    pending_bytes: Arc<AtomicU64>,
    max_pending_bytes: u64,
}

#[derive(Default)]
struct Queue {
    submissions: VecDeque<Submission>,
    /// The number of submissions.
    pushed: u64,
    /// The error of all later submissions.
    closed: Option<Error>,
}

#[cfg(test)]
impl Default for Adds {
    fn default() -> Self {
        Adds::new(u64::MAX)
    }
}

impl Adds {
    pub(crate) fn new(max_pending_bytes: u64) -> Self {
        Adds {
            queue: Mutex::default(),
            arrived: Notify::new(),
            answered: Arc::new(watch::Sender::new(0)),
            pending_bytes: Arc::default(),
            max_pending_bytes,
        }
    }

    /// Checks all jobs, whose payloads have at most `max_payload` bytes, and queues them. `awaited`: this member awaits their outcomes.
    pub(crate) fn submit(&self, mut jobs: Vec<NewJob>, max_payload: usize, awaited: bool, done: Done<Vec<Added>>) {
        if let Some((position, error)) = jobs.iter().enumerate().find_map(|(at, job)| Some((at, job.check(max_payload).err()?))) {
            return done(Err(if jobs.len() == 1 {
                error
            } else {
                error.context(format_args!("job {position}, none was added"))
            }));
        }
        if jobs.is_empty() {
            return done(Ok(Vec::new()));
        }
        for job in &mut jobs {
            job.awaited = awaited;
        }
        self.push(Submission::new(jobs, done));
    }

    pub(crate) fn push(&self, mut submission: Submission) {
        let mut queue = self.queue.lock();
        if let Some(error) = queue.closed.clone() {
            drop(queue);
            return submission.fail(error, 0);
        }
        // Grows only under the lock, so that two submissions cannot exceed the limit together.
        let pending = self.pending_bytes.load(Ordering::Relaxed);
        if pending > 0 && pending + submission.bytes > self.max_pending_bytes {
            drop(queue);
            let error = self.full(pending, submission.bytes);
            return submission.fail(error, 0);
        }
        self.pending_bytes.fetch_add(submission.bytes, Ordering::Relaxed);
        let first = queue.submissions.is_empty();
        queue.pushed += 1;
        let (answered, pending_bytes, bytes) = (self.answered.clone(), self.pending_bytes.clone(), submission.bytes);
        submission.open = Some(Open { answered, pending_bytes, bytes });
        queue.submissions.push_back(submission);
        drop(queue);
        if first {
            self.arrived.notify_one();
        }
    }

    fn full(&self, pending: u64, bytes: u64) -> Error {
        let limit = self.max_pending_bytes;
        let text = format!(
            "{pending} bytes of jobs wait for Redis already, and with {bytes} more they exceed {}, which is {limit}; nothing was \
             added: wait for earlier jobs to be added, or raise the option",
            option("max_pending_bytes")
        );
        Error::new(ErrorKind::BufferFull, text)
    }

    /// Waits until all earlier submissions are finished, so that a later call follows them.
    pub(crate) async fn settled(&self) {
        let pushed = self.queue.lock().pushed;
        // The sender lives as long as this object.
        let _ = self.answered.subscribe().wait_for(|answered| *answered >= pushed).await;
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.lock().submissions.len()
    }

    /// Rejects later submissions.
    pub(crate) fn close(&self, error: &Error) {
        self.queue.lock().closed = Some(error.clone());
    }

    /// Fails the submissions that have waited since before `since`, or all.
    pub(crate) fn fail_waiting(&self, since: Option<Instant>, error: &Error) {
        let failed: Vec<Submission> = {
            let mut queue = self.queue.lock();
            let count =
                queue.submissions.iter().take_while(|submission| since.is_none_or(|since| submission.since < since)).count();
            queue.submissions.drain(..count).collect()
        };
        for submission in failed {
            let stored = submission.added.len();
            submission.fail(error.clone(), stored);
        }
    }

    /// Returns the next batch, numbered, or `None` if nothing waits. `now`: the cluster's time in ms, if it is known. The rest of a submission that is too large stays for the next batch.
    pub(crate) fn next_batch(
        &self,
        incarnation: &str,
        number: u64,
        now: Option<u64>,
        fresh: &mut Ids,
        envelopes: Envelopes,
    ) -> Option<Batch> {
        if self.len() == 0 {
            return None;
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut body = Vec::new();
        let mut checked: Vec<i64> = Vec::new();
        let mut kinds = Kinds::default();
        let (mut count, mut largest) = (0, 0);
        let mut durability = Durability::Memory;
        loop {
            let Some(mut submission) = self.queue.lock().submissions.pop_front() else { break };
            let stored = submission.added.len();
            let mut full = false;
            while let Some(next) = submission.jobs.as_slice().first() {
                if count == MAX_JOBS || count > 0 && body.len() + next.payload.bytes.len() > MAX_BYTES {
                    full = true;
                    break;
                }
                let Some(mut job) = submission.jobs.next() else { break };
                if job.ephemeral {
                    job.extras.get_or_insert_default().ephemeral_of = incarnation.to_owned();
                }
                if job.start() != Start::Now {
                    // So that the record shows that the job does not wait in a plain queue.
                    job.extras.get_or_insert_default();
                }
                kinds.note(count, &job);
                durability = durability.max(job.durability);
                let before = body.len();
                let requester = if job.awaited { incarnation } else { "" };
                let place = count as i64 + 1;
                let keyed = job.extras.as_ref().is_some_and(|extras| extras.unique.is_some());
                if job.id.is_some() && !job.fresh {
                    checked.push(place);
                } else if keyed {
                    checked.push(-place);
                }
                let id = job.id.take().unwrap_or_else(|| fresh.next());
                write_string(&mut body, id.as_bytes());
                write_record(&mut body, &job, requester, now, envelopes);
                largest = largest.max(body.len() - before);
                submission.added.push(Added { id, existed: false, replaced: false });
                count += 1;
            }
            parts.push(Part { submission, stored });
            if full {
                break;
            }
        }
        let mut jobs = Vec::with_capacity(body.len() + 5);
        write_array(&mut jobs, 2 * count);
        jobs.extend_from_slice(&body);
        let mut packed = Vec::new();
        if !checked.is_empty() {
            write_array(&mut packed, checked.len());
            checked.iter().for_each(|place| write_signed(&mut packed, *place));
        }
        let extras = kinds.pack(count);
        let call = AddCall { incarnation: incarnation.to_owned(), number, jobs, checked: packed, largest, extras };
        Some(Batch { call: call.into(), parts, count, durability })
    }

    /// Puts the rest of a submission back in front.
    fn put_back(&self, submission: Submission) {
        self.queue.lock().submissions.push_front(submission);
    }
}

/// The part of a batch that is not plain, in the format of `lua/commands/add.lua`.
#[derive(Default)]
struct Kinds {
    /// Positions by queue: priority, task, and whether the jobs have groups. Those of plain jobs are added only when they are needed.
    queues: BTreeMap<(i64, String, bool), Vec<usize>>,
    in_queues: usize,
    /// Some jobs need special care when they are assigned.
    watched: bool,
    /// Positions and starts of jobs that need care when they are added.
    careful: Vec<(usize, i64)>,
}

impl Kinds {
    fn note(&mut self, position: usize, job: &NewJob) {
        let Some(extras) = &job.extras else { return };
        self.watched |= extras.need_care();
        let start = job.start();
        if extras.need_beginning() || start != Start::Now {
            self.careful.push((position, start.as_millis()));
        }
        let grouped = !extras.group.is_empty();
        if extras.priority != 0 || !extras.task.is_empty() || grouped {
            self.queues.entry((extras.priority, extras.task.clone(), grouped)).or_default().push(position);
            self.in_queues += 1;
        }
    }

    /// Empty if all `count` jobs of the batch are plain.
    fn pack(mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::new();
        if self.careful.is_empty() && self.in_queues == 0 && !self.watched {
            return out;
        }
        if self.in_queues < count {
            let mut elsewhere = vec![false; count];
            self.queues.values().flatten().for_each(|position| elsewhere[*position] = true);
            let plain = (0..count).filter(|position| !elsewhere[*position]).collect();
            self.queues.insert((0, String::new(), false), plain);
        }
        write_array(&mut out, 2);
        write_array(&mut out, self.queues.len());
        for ((priority, task, grouped), positions) in &self.queues {
            write_array(&mut out, 4);
            write_signed(&mut out, *priority);
            write_string(&mut out, task.as_bytes());
            write_array(&mut out, positions.len());
            positions.iter().for_each(|position| write_integer(&mut out, *position as u64 + 1));
            write_integer(&mut out, u64::from(*grouped));
        }
        write_array(&mut out, 2 * self.careful.len());
        for (position, start) in &self.careful {
            write_integer(&mut out, *position as u64 + 1);
            write_signed(&mut out, *start);
        }
        out
    }
}

/// A submission in a batch.
struct Part {
    submission: Submission,
    /// The number of its jobs that earlier batches have stored.
    stored: usize,
}

/// Jobs that are sent together.
pub(crate) struct Batch {
    pub(crate) call: Arc<AddCall>,
    parts: Vec<Part>,
    pub(crate) count: usize,
    /// The highest durability that any of its jobs requests.
    pub(crate) durability: Durability,
}

impl Batch {
    /// Redis has stored the batch; `existed` is about jobs of it. With `not_durable`, submissions that requested a durability fail with
    /// NOT_DURABLE.
    pub(crate) fn succeed(self, adds: &Adds, existed: Vec<Existed>, not_durable: Option<&Error>) {
        let mut first = 0;
        let mut existed = existed.into_iter().peekable();
        for Part { mut submission, stored } in self.parts {
            let next = first + submission.added.len() - stored;
            while let Some(job) = existed.next_if(|job| job.position < next) {
                let place = (stored + job.position).checked_sub(first);
                let Some(added) = place.and_then(|place| submission.added.get_mut(place)) else { continue };
                (added.existed, added.replaced) = (true, job.replaced);
                if let Some(other) = job.other {
                    added.id = other;
                }
            }
            first = next;
            if let Some(error) = not_durable
                && submission.durability > Durability::Memory
            {
                submission.fail(error.clone(), 0);
            } else if submission.jobs.as_slice().is_empty() {
                submission.succeed();
            } else {
                adds.put_back(submission);
            }
        }
    }

    pub(crate) fn fail(self, error: &Error) {
        for Part { submission, stored } in self.parts {
            submission.fail(error.clone(), stored);
        }
    }

    /// Sends the same jobs under another incarnation and number; only for a batch that was never executed.
    pub(crate) fn renumber(&mut self, incarnation: &str, number: u64) {
        let call = AddCall {
            incarnation: incarnation.to_owned(),
            number,
            jobs: self.call.jobs.clone(),
            checked: self.call.checked.clone(),
            largest: self.call.largest,
            extras: self.call.extras.clone(),
        };
        self.call = call.into();
    }
}
