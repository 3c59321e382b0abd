//! Jobs on their way to Redis: submissions gather here and leave in batches.

use libswarm_common::lock::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::closed;
use crate::member::panicked;
use crate::model::job_options::{Added, Durability, NewJob, Start};
use crate::store::AddCall;
use crate::store::codec::msgpack::{write_array, write_integer, write_signed, write_string};
use crate::store::codec::record::write_record;
use crate::util::completion::Done;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::id::Ids;
use libswarm_common::language::option;

/// Jobs in one batch, at most.
const MAX_JOBS: usize = 1000;
/// Payload bytes in one batch, at most, unless a single job has more.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What one call to `submit` gave.
pub(crate) struct Submission {
    jobs: std::vec::IntoIter<NewJob>,
    durability: Durability,
    added: Vec<Added>,
    done: Option<Done<Vec<Added>>>,
    since: Instant,
    /// What its jobs hold of the program's.
    bytes: u64,
    open: Option<Open>,
}

/// Counts a submission as answered when it is dropped.
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

    /// `stored`: how many of its jobs earlier batches have stored.
    fn fail(mut self, error: Error, stored: usize) {
        if let Some(done) = self.done.take() {
            done(Err(if stored == 0 { error } else { error.context(format_args!("{stored} of the jobs were added, then")) }));
        }
    }
}

/// One that nobody answered: the master's task has panicked, or its runtime has ended.
impl Drop for Submission {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(if std::thread::panicking() { panicked("adding jobs") } else { closed() }));
        }
    }
}

/// The queue between the program's threads and the master's task.
pub(crate) struct Adds {
    queue: Mutex<Queue>,
    pub(crate) arrived: Notify,
    /// Submissions that were answered so far.
    answered: Arc<watch::Sender<u64>>,
    /// Bytes of those that were not, and how many there may be.
    pending_bytes: Arc<AtomicU64>,
    max_pending_bytes: u64,
}

#[derive(Default)]
struct Queue {
    submissions: VecDeque<Submission>,
    /// Submissions so far.
    pushed: u64,
    /// What later submissions are answered.
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

    pub(crate) fn push(&self, mut submission: Submission) {
        let mut queue = self.queue.lock();
        if let Some(error) = queue.closed.clone() {
            drop(queue);
            return submission.fail(error, 0);
        }
        // Grows under the lock only, so that it is not exceeded by two at once.
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

    /// Waits until all that was submitted before is answered, so that what follows comes after it.
    pub(crate) async fn settled(&self) {
        let pushed = self.queue.lock().pushed;
        // The sender lives as long as this.
        let _ = self.answered.subscribe().wait_for(|answered| *answered >= pushed).await;
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.lock().submissions.len()
    }

    /// Refuses all that comes from now on.
    pub(crate) fn close(&self, error: &Error) {
        self.queue.lock().closed = Some(error.clone());
    }

    /// Fails what has waited since before `since`, or all.
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

    /// The next batch, numbered, or `None` if nothing waits. A submission too large for it stays for the next, with what is left of it.
    pub(crate) fn next_batch(&self, incarnation: &str, number: u64, fresh: &mut Ids) -> Option<Batch> {
        if self.len() == 0 {
            return None;
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut body = Vec::new();
        let mut own: Vec<usize> = Vec::new();
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
                if job.start != Start::Now {
                    // So that the record says that it does not wait in a plain queue.
                    job.extras.get_or_insert_default();
                }
                kinds.note(count, &job);
                durability = durability.max(job.durability);
                let before = body.len();
                let requester = if job.awaited { incarnation } else { "" };
                let id = match job.id.take() {
                    Some(id) => {
                        if !job.fresh {
                            own.push(count);
                        }
                        id
                    }
                    None => fresh.next(),
                };
                write_string(&mut body, id.as_bytes());
                write_record(&mut body, &job, requester);
                largest = largest.max(body.len() - before);
                submission.added.push(Added { id, existed: false });
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
        let mut own_ids = Vec::new();
        if !own.is_empty() {
            write_array(&mut own_ids, own.len());
            for position in own {
                write_integer(&mut own_ids, position as u64 + 1);
            }
        }
        let extras = kinds.pack(count);
        let call = AddCall { incarnation: incarnation.to_owned(), number, jobs, own_ids, largest, extras };
        Some(Batch { call: call.into(), parts, count, durability })
    }

    /// Puts a submission whose jobs are not all stored back in front.
    fn put_back(&self, submission: Submission) {
        self.queue.lock().submissions.push_front(submission);
    }
}

/// What is not plain in a batch, as `lua/commands/add.lua` takes it.
#[derive(Default)]
struct Kinds {
    /// Positions by queue: priority and task. Those of plain jobs are not here until it matters.
    queues: BTreeMap<(i64, String), Vec<usize>>,
    in_queues: usize,
    /// Some are not to be given without a look at them.
    watched: bool,
    /// Positions and starts of jobs with which something is to be done at once: 0 at once, above a pause in ms, below the time in ms since 1970.
    careful: Vec<(usize, i64)>,
}

impl Kinds {
    fn note(&mut self, position: usize, job: &NewJob) {
        let Some(extras) = &job.extras else { return };
        self.watched |= extras.need_care();
        if extras.need_beginning() || job.start != Start::Now {
            let millis = |time: std::time::Duration| (time.as_millis() as i64).min(1 << 53);
            let start = match job.start {
                Start::Now => 0,
                Start::After(pause) => millis(pause),
                Start::At(time) => -millis(time.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default()).max(1),
            };
            self.careful.push((position, start));
        }
        if extras.priority != 0 || !extras.task.is_empty() {
            self.queues.entry((extras.priority, extras.task.clone())).or_default().push(position);
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
            self.queues.insert((0, String::new()), plain);
        }
        write_array(&mut out, 2);
        write_array(&mut out, self.queues.len());
        for ((priority, task), positions) in &self.queues {
            write_array(&mut out, 3);
            write_signed(&mut out, *priority);
            write_string(&mut out, task.as_bytes());
            write_array(&mut out, positions.len());
            positions.iter().for_each(|position| write_integer(&mut out, *position as u64 + 1));
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
    /// Its jobs stored by earlier batches.
    stored: usize,
}

/// Jobs sent together.
pub(crate) struct Batch {
    pub(crate) call: Arc<AddCall>,
    parts: Vec<Part>,
    pub(crate) count: usize,
    /// The most that any of its jobs asks for.
    pub(crate) durability: Durability,
}

impl Batch {
    /// Redis has stored it; `existed` are positions in the batch. If it is `not_durable` enough, submissions that asked for more fail with NOT_DURABLE.
    pub(crate) fn succeed(self, adds: &Adds, existed: &[usize], not_durable: Option<&Error>) {
        let mut first = 0;
        for Part { mut submission, stored } in self.parts {
            let next = first + submission.added.len() - stored;
            for position in existed.iter().filter(|position| (first..next).contains(position)) {
                submission.added[stored + position - first].existed = true;
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

    /// The same jobs under another incarnation and number; only for a batch that was never executed.
    pub(crate) fn renumber(&mut self, incarnation: &str, number: u64) {
        let call = AddCall {
            incarnation: incarnation.to_owned(),
            number,
            jobs: self.call.jobs.clone(),
            own_ids: self.call.own_ids.clone(),
            largest: self.call.largest,
            extras: self.call.extras.clone(),
        };
        self.call = call.into();
    }
}
