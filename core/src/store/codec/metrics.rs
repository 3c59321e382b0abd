//! Counts of ends by task, as `lua/lib/metrics.lua` and `lua/lib/metric_folding.lua` keep them.

use std::collections::BTreeMap;

use redis::Value;

use super::msgpack::{Unpack, write_array, write_string};
use super::reply::bytes;
use crate::model::metrics::{BUCKETS, Ended, Histogram, TaskCounts};
use libswarm_common::error::Result;

/// Counts by task. A task has no own counts if it is none of the first 100.
pub(crate) type ByTask = BTreeMap<String, TaskCounts>;

/// The name of the counts of all other tasks.
const OTHER: &str = "other";
/// The numbers of a task in a slot, and the first of its buckets of waits and of runs.
const WIDTH: u64 = 64;
const WAIT: usize = 5;
const RUN: usize = WAIT + BUCKETS;
/// The character of no bucket; the one after it is that of bucket 0.
const ZERO: u8 = b'0';

/// Appends the field under which an end is counted: the letter of the outcome, the buckets of the wait and of the run as characters from `1` on, `0`
/// for one that was not measured, and the task.
pub(crate) fn field(out: &mut Vec<u8>, ended: Ended, wait: Option<usize>, run: Option<usize>, task: &str) {
    let character = |bucket: Option<usize>| bucket.map_or(ZERO, |bucket| ZERO + 1 + bucket as u8);
    out.extend_from_slice(&[ended as u8, character(wait), character(run)]);
    out.extend_from_slice(task.as_bytes());
}

/// Fields of the hash `metrics`, packed for `lua/commands/metrics.lua`.
pub(crate) fn pack_slots(fields: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    write_array(&mut out, fields.len());
    fields.iter().for_each(|field| write_string(&mut out, field.as_bytes()));
    out
}

/// The reply to a question for slots.
pub(crate) struct Slots {
    /// Redis' clock in ms.
    pub(crate) now: u64,
    /// What was asked for, in the same order.
    pub(crate) slots: Vec<ByTask>,
    /// Minutes since 1970 whose counts are in no slot yet, and these.
    pub(crate) minutes: Vec<(u64, ByTask)>,
}

pub(crate) fn slots(reply: &Value) -> Result<Slots> {
    let mut unpack = Unpack::new(bytes(reply)?);
    unpack.array()?;
    let now = unpack.text()?.parse().unwrap_or(0);
    let tasks = read_tasks(unpack.string()?);
    let slots = (0..unpack.array()?).map(|_| Ok(read_slot(unpack.string()?, &tasks))).collect::<Result<_>>()?;
    let mut minutes = Vec::new();
    for _ in 0..unpack.array()? / 2 {
        let minute = unpack.text()?.parse().unwrap_or(0);
        let mut counts = ByTask::new();
        for _ in 0..unpack.array()? / 2 {
            let (field, count) = (unpack.string()?, String::from_utf8_lossy(unpack.string()?));
            read_field(field, count.parse().unwrap_or(0), &tasks, &mut counts);
        }
        minutes.push((minute, counts));
    }
    Ok(Slots { now, slots, minutes })
}

/// The greatest age in ms of the waiting jobs of each task.
pub(crate) fn ages(reply: &Value) -> Result<BTreeMap<String, u64>> {
    let mut unpack = Unpack::new(bytes(reply)?);
    let mut ages = BTreeMap::new();
    for _ in 0..unpack.array()? / 2 {
        let (task, age) = (legible(unpack.string()?), unpack.integer()?.max(0) as u64);
        let oldest = ages.entry(task).or_insert(age);
        *oldest = age.max(*oldest);
    }
    Ok(ages)
}

/// The names of the tasks that have counts of their own, by their indexes. What is damaged counts for no task.
fn read_tasks(packed: &[u8]) -> Vec<String> {
    let mut unpack = Unpack::new(packed);
    let count = if packed.is_empty() { 0 } else { unpack.array().unwrap_or(0) };
    let mut tasks = vec![OTHER.to_owned()];
    tasks.extend((0..count).map_while(|_| unpack.string().ok().map(legible)));
    tasks
}

fn read_slot(packed: &[u8], tasks: &[String]) -> ByTask {
    let mut counts = ByTask::new();
    let mut unpack = Unpack::new(packed);
    let entries = if packed.is_empty() { 0 } else { unpack.map().unwrap_or(0) };
    for _ in 0..entries {
        let (Ok(at), Ok(count)) = (unpack.integer(), unpack.integer()) else { break };
        let (Ok(at), Ok(count)) = (u64::try_from(at), u64::try_from(count)) else { continue };
        let Some(task) = (at / WIDTH).checked_sub(1).and_then(|index| tasks.get(index as usize)) else { continue };
        let counts = counts.entry(task.clone()).or_default();
        match (at % WIDTH) as usize {
            0 => counts.completed += count,
            1 => counts.failed += count,
            2 => counts.retried += count,
            3 => counts.released += count,
            4 => counts.deleted += count,
            wait @ WAIT..RUN => counts.wait.buckets[wait - WAIT] += count,
            run => note(&mut counts.run, Some(run - RUN), count),
        }
    }
    counts
}

fn read_field(field: &[u8], count: u64, tasks: &[String], counts: &mut ByTask) {
    let [outcome, wait, run, task @ ..] = field else { return };
    let task = legible(task);
    let task = if tasks.contains(&task) { task } else { OTHER.to_owned() };
    let counts = counts.entry(task).or_default();
    match outcome {
        b'c' => counts.completed += count,
        b'f' => counts.failed += count,
        b'r' => counts.retried += count,
        b'l' => counts.released += count,
        b'd' => counts.deleted += count,
        _ => return,
    }
    let bucket = |character: u8| character.checked_sub(ZERO + 1).map(usize::from);
    note(&mut counts.wait, bucket(*wait), count);
    note(&mut counts.run, bucket(*run), count);
}

fn note(histogram: &mut Histogram, bucket: Option<usize>, count: u64) {
    if let Some(sum) = bucket.and_then(|bucket| histogram.buckets.get_mut(bucket)) {
        *sum += count;
    }
}

fn legible(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(char::is_control, "\u{fffd}")
}
