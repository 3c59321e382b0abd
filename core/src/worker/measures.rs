//! What a worker measures of the jobs of a round: how long they waited and ran.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::job::JobData;
use crate::model::metrics::{Ended, Histogram};
use crate::store::codec::metrics::field;
use crate::store::codec::msgpack::{write_array, write_integer, write_string};

/// How many jobs of a round have which field: outcome, wait, run and task. Most rounds have few fields.
#[derive(Default)]
pub(crate) struct Measures {
    fields: Vec<(Vec<u8>, u64)>,
    positions: HashMap<Vec<u8>, u16>,
    /// The field of the job before: that of the next one, mostly.
    last: u16,
    scratch: Vec<u8>,
}

/// The number of a field, from 1 on; 0 for a job that is not counted.
pub(crate) type Number = u16;

impl Measures {
    /// Counts an end of a job.
    pub(crate) fn count(&mut self, ended: Ended, job: &JobData) -> Number {
        let known = |time: &AtomicU64| Some(time.load(Ordering::Relaxed)).filter(|time| *time > 0);
        let started = known(&job.started);
        let run = started.zip(known(&job.returned)).map(|(started, returned)| returned.saturating_sub(started));
        let first = job.attempt() == 1 && ended != Ended::Released;
        let wait = started.zip(job.waits_from).filter(|_| first).map(|(started, from)| started.saturating_sub(from));
        let bucket = |micros: Option<u64>| micros.map(Histogram::bucket_of);
        self.note(ended, bucket(wait), bucket(run), job.task())
    }

    /// Counts an end of a job of which nothing was measured.
    pub(crate) fn note_unmeasured(&mut self, ended: Ended, task: &str) -> Number {
        self.note(ended, None, None, task)
    }

    fn note(&mut self, ended: Ended, wait: Option<usize>, run: Option<usize>, task: &str) -> Number {
        self.scratch.clear();
        field(&mut self.scratch, ended, wait, run, task);
        if let Some((field, count)) = self.fields.get_mut(usize::from(self.last).wrapping_sub(1))
            && *field == self.scratch
        {
            *count += 1;
            return self.last;
        }
        self.last = match self.positions.get(&self.scratch) {
            Some(known) => {
                self.fields[usize::from(*known) - 1].1 += 1;
                *known
            }
            None => {
                self.fields.push((self.scratch.clone(), 1));
                let number = self.fields.len() as u16;
                self.positions.insert(self.scratch.clone(), number);
                number
            }
        };
        self.last
    }

    /// Packed for `lua/lib/metrics.lua`; `numbers` are those of the jobs in the order of the batch. Empty if nothing is counted.
    pub(crate) fn pack<'a>(&self, numbers: impl Iterator<Item = &'a Number>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.fields.is_empty() {
            return out;
        }
        let numbers: Vec<u8> = numbers.flat_map(|number| number.to_be_bytes()).collect();
        out.reserve(numbers.len() + 16 * self.fields.len() + 8);
        write_array(&mut out, 1 + 2 * self.fields.len());
        write_string(&mut out, &numbers);
        for (field, count) in &self.fields {
            write_string(&mut out, field);
            write_integer(&mut out, *count);
        }
        out
    }
}
