//! Finishes, progress, checkpoints and lines of logs from handlers, on their way to the worker's task.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libswarm_common::error::Error;
use libswarm_common::lock::Mutex;
use tokio::sync::Notify;

use crate::model::job::Finish;
use crate::model::log::MAX_LOG_LINES;
use crate::store::codec::msgpack::{write_array, write_integer, write_string};
use crate::util::clock::boottime;
use crate::util::completion::Done;

/// A fence, how the job finishes, and the callback that is called when Redis has accepted it.
pub(crate) type Finished = (u64, Finish, Option<Done<()>>);

/// A finish, and when its handler ended, on the clock of leases.
pub(crate) type Timed = (Finished, Duration);

/// What is stored with an active job; a later value replaces the earlier one, except lines of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    Progress,
    Checkpoint,
    /// Packed by [`pack_lines`].
    Log,
}

/// A line of a log on its way.
struct Line {
    /// Grows with each line, so that scripts recognise lines of a round that is sent again.
    number: u64,
    /// When it was written, on the clock of leases.
    at: Duration,
    /// As it is stored.
    text: Vec<u8>,
}

/// Values of one round that belong to no finish of it, at most.
const MAX_VALUES: usize = 500;
/// Lines of logs in one round, about: those of one more job may follow. Twice as many if jobs finish.
const MAX_LINES: usize = 1000;
/// Bytes of results in one round, about, if the cluster keeps completed jobs.
const MAX_RESULT_BYTES: usize = 4 << 20;

/// Finishes that are gathered while a round is under way.
#[derive(Default)]
pub(crate) struct Finishes {
    gathered: Mutex<Gathered>,
    pub(crate) arrived: Notify,
    /// Wakes those that wait for the end of a job.
    pub(crate) ended: Notify,
    /// The program subscribes to accepted outcomes.
    outcomes: AtomicBool,
}

#[derive(Default)]
struct Gathered {
    list: Vec<Timed>,
    /// Progress and checkpoints, by fence.
    values: HashMap<(u64, Stored), Vec<u8>>,
    /// Lines of logs, by fence; the newest `MAX_LOG_LINES` of each.
    lines: HashMap<u64, VecDeque<Line>>,
    /// The number of the last line.
    last_line: u64,
    /// Set when the worker has ended: the error of every later finish.
    closed: Option<Error>,
    /// Takes everything, for a job of a test.
    #[cfg(feature = "testing")]
    recorder: Option<std::sync::Arc<super::recorder::Recorder>>,
}

impl Gathered {
    /// How many of the first finishes fit into a round, at least one if there are any. `weigh` gives the cost of a fence; they cost `most` together.
    fn fitting(&self, most: usize, keeps_completed: bool, weigh: impl Fn(u64) -> usize) -> usize {
        let (mut lines, mut bytes, mut cost) = (0, 0, 0);
        let fitting = self.list.iter().take_while(|((fence, finish, _), _)| {
            let fits = lines < MAX_LINES && bytes < MAX_RESULT_BYTES && cost < most;
            cost += weigh(*fence);
            lines += self.lines.get(fence).map_or(0, VecDeque::len);
            if let (Finish::Complete(result), true) = (finish, keeps_completed) {
                bytes += result.bytes.len();
            }
            fits
        });
        fitting.count()
    }
}

impl Finishes {
    pub(crate) fn push(&self, finishes: impl IntoIterator<Item = Finished>) {
        let mut gathered = self.gathered.lock();
        if let Some(error) = gathered.closed.clone() {
            drop(gathered);
            return refuse(finishes, &error);
        }
        #[cfg(feature = "testing")]
        if let Some(recorder) = gathered.recorder.clone() {
            drop(gathered);
            return self.record(finishes, &recorder);
        }
        let first = gathered.list.is_empty();
        let now = boottime();
        gathered.list.extend(finishes.into_iter().map(|finish| (finish, now)));
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn any(&self) -> bool {
        !self.gathered.lock().list.is_empty()
    }

    /// Removes and returns up to `most` of the gathered finishes.
    pub(crate) fn take(&self, most: usize) -> Vec<Finished> {
        self.take_timed(most).into_iter().map(|(finish, _)| finish).collect()
    }

    fn take_timed(&self, most: usize) -> Vec<Timed> {
        let mut gathered = self.gathered.lock();
        if gathered.list.len() <= most {
            return std::mem::take(&mut gathered.list);
        }
        gathered.list.drain(..most).collect()
    }

    /// As `take`, for a round: fewer if their jobs have many lines of logs, long results that are kept, or, with `weigh`, options that scripts must
    /// process.
    pub(crate) fn take_for_round(&self, most: usize, keeps_completed: bool, weigh: Option<impl Fn(u64) -> usize>) -> Vec<Timed> {
        let gathered = self.gathered.lock();
        let most = match weigh {
            Some(weigh) => gathered.fitting(most, keeps_completed, weigh),
            None if gathered.lines.is_empty() && !keeps_completed => most,
            None => gathered.fitting(most, keeps_completed, |_| 1),
        };
        drop(gathered);
        self.take_timed(most)
    }

    pub(crate) fn push_line(&self, fence: u64, text: Vec<u8>) {
        let mut gathered = self.gathered.lock();
        if gathered.closed.is_some() {
            return;
        }
        #[cfg(feature = "testing")]
        if let Some(recorder) = &gathered.recorder {
            return recorder.line(String::from_utf8_lossy(&text).into_owned());
        }
        let first = gathered.lines.is_empty();
        gathered.last_line += 1;
        let line = Line { number: gathered.last_line, at: boottime(), text };
        let lines = gathered.lines.entry(fence).or_default();
        if lines.len() == MAX_LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn push_value(&self, fence: u64, kind: Stored, value: Vec<u8>) {
        let mut gathered = self.gathered.lock();
        #[cfg(feature = "testing")]
        if let Some(recorder) = &gathered.recorder {
            return match kind {
                Stored::Progress => recorder.progress(value),
                Stored::Checkpoint => recorder.checkpoint(value),
                Stored::Log => {}
            };
        }
        let first = gathered.values.is_empty();
        gathered.values.insert((fence, kind), value);
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn report_outcomes(&self, report: bool) {
        self.outcomes.store(report, Ordering::Relaxed);
    }

    pub(crate) fn reports_outcomes(&self) -> bool {
        self.outcomes.load(Ordering::Relaxed)
    }

    pub(crate) fn has_values(&self) -> bool {
        let gathered = self.gathered.lock();
        !gathered.values.is_empty() || !gathered.lines.is_empty()
    }

    /// Removes and returns the values of a job that finishes: they were stored before.
    pub(crate) fn take_values_of(&self, fence: u64) -> Vec<(Stored, Vec<u8>)> {
        let mut gathered = self.gathered.lock();
        let of_kind = |kind| Some((kind, gathered.values.remove(&(fence, kind))?));
        let mut values: Vec<_> = [Stored::Progress, Stored::Checkpoint].into_iter().filter_map(of_kind).collect();
        values.extend(gathered.lines.remove(&fence).map(|lines| (Stored::Log, pack_lines(&lines))));
        values
    }

    /// Removes and returns values, as many as a round takes.
    pub(crate) fn take_values(&self) -> Vec<(u64, Stored, Vec<u8>)> {
        let mut gathered = self.gathered.lock();
        let some: Vec<_> = gathered.values.keys().take(MAX_VALUES).copied().collect();
        let of_kind = |(fence, kind)| Some((fence, kind, gathered.values.remove(&(fence, kind))?));
        let mut values: Vec<_> = some.into_iter().filter_map(of_kind).collect();
        let mut taken = 0;
        while taken < MAX_LINES
            && let Some(fence) = gathered.lines.keys().next().copied()
            && let Some(lines) = gathered.lines.remove(&fence)
        {
            taken += lines.len();
            values.push((fence, Stored::Log, pack_lines(&lines)));
        }
        values
    }

    /// Records everything from now on.
    #[cfg(feature = "testing")]
    pub(crate) fn record_by(&self, recorder: std::sync::Arc<super::recorder::Recorder>) {
        self.gathered.lock().recorder = Some(recorder);
    }

    #[cfg(feature = "testing")]
    fn record(&self, finishes: impl IntoIterator<Item = Finished>, recorder: &super::recorder::Recorder) {
        for (fence, finish, done) in finishes {
            let stopped = finish == Finish::Stopped;
            let first = recorder.finish(finish);
            self.ended.notify_waiters();
            if let Some(done) = done {
                done(if first || stopped { Ok(()) } else { Err(super::stale(fence)) });
            }
        }
    }

    /// Rejects later finishes.
    pub(crate) fn close(&self, error: Error) {
        self.gathered.lock().closed = Some(error);
    }
}

/// Lines of a log as `lua/lib/logs.lua` reads them: number, age in ms, text, and so on.
fn pack_lines(lines: &VecDeque<Line>) -> Vec<u8> {
    let (mut out, now) = (Vec::new(), boottime());
    write_array(&mut out, 3 * lines.len());
    for line in lines {
        write_integer(&mut out, line.number);
        write_integer(&mut out, now.saturating_sub(line.at).as_millis() as u64);
        write_string(&mut out, &line.text);
    }
    out
}

/// Rejects finishes whose jobs are no longer assigned to this execution. A `Stopped` succeeds nevertheless.
pub(crate) fn refuse(finishes: impl IntoIterator<Item = Finished>, error: &Error) {
    for (_, finish, done) in finishes {
        if let Some(done) = done {
            done(if finish == Finish::Stopped { Ok(()) } else { Err(error.clone()) });
        }
    }
}
