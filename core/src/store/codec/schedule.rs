//! Arguments and answers of `lua/commands/schedule.lua`.

use redis::Value;

use super::msgpack::{Unpack, write_array, write_integer, write_signed, write_string};
use super::record::write_record;
use super::reply::{array, bytes, unexpected};
use super::slots::Wanted;
use crate::model::job_options::NewJob;
use crate::model::schedule::{Schedule, ScheduleInfo, SchedulePage, Scheduled, Timing};
use crate::store::envelope::Envelopes;
use libswarm_common::error::Result;

/// The answer to a schedule that was set, and what is to be computed for it.
pub(crate) fn put(reply: Value, id: &str, schedule: &Schedule) -> Result<(Scheduled, Wanted)> {
    let [Value::BulkString(how), Value::Int(anchor), Value::Int(known), Value::Int(now)] = &array(reply)?[..] else {
        return Err(unexpected("schedule"));
    };
    let how = match &how[..] {
        b"created" => Scheduled::Created,
        b"changed" => Scheduled::Changed,
        b"same" => Scheduled::Unchanged,
        _ => return Err(unexpected("schedule")),
    };
    let wanted = Wanted {
        id: id.to_owned(),
        timing: schedule.timing_text(),
        anchor: (*anchor).max(0) as u64,
        known: (*known).max(0) as u64,
        catch_up: schedule.catch_up,
        now: (*now).max(0) as u64,
    };
    Ok((how, wanted))
}

/// Where the jobs of a schedule go: `{priority, task, 1 if scripts process their extras, 1 if they have a group}`.
pub(crate) fn pack_route(job: &NewJob) -> Vec<u8> {
    let mut out = Vec::new();
    let extras = job.extras.as_deref();
    write_array(&mut out, 4);
    write_signed(&mut out, extras.map_or(0, |extras| extras.priority));
    write_string(&mut out, extras.map_or("", |extras| &extras.task).as_bytes());
    write_integer(&mut out, u64::from(extras.is_some_and(|extras| extras.need_beginning())));
    write_integer(&mut out, u64::from(extras.is_some_and(|extras| !extras.group.is_empty())));
    out
}

/// The record of the jobs of a schedule, the same for the same job: scripts compare it with the one before.
pub(crate) fn record_of(job: &NewJob, envelopes: Envelopes) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    write_record(&mut packed, job, "", None, envelopes.repeatable());
    Ok(Unpack::new(&packed).string()?.to_vec())
}

/// `{overlap, catch_up, after_end, limit}`
pub(crate) fn pack_options(schedule: &Schedule) -> Vec<u8> {
    let mut out = Vec::new();
    write_array(&mut out, 4);
    write_string(&mut out, schedule.overlap.name().as_bytes());
    write_string(&mut out, schedule.catch_up.name().as_bytes());
    let after_end = if let Timing::AfterEnd(pause) = schedule.timing { pause.as_millis() as u64 } else { 0 };
    write_integer(&mut out, after_end);
    write_integer(&mut out, schedule.limit.unwrap_or(0));
    out
}

/// Reads a page.
pub(crate) fn page(reply: Value) -> Result<SchedulePage> {
    let parts = array(reply)?;
    let Some((next, shown)) = parts.split_first() else { return Err(unexpected("schedule")) };
    let schedules = shown.iter().map(|one| Ok(info(bytes(one)?))).filter_map(Result::transpose).collect::<Result<_>>()?;
    let next = String::from_utf8_lossy(bytes(next)?).into_owned();
    Ok(SchedulePage { schedules, next: Some(next).filter(|next| !next.is_empty()) })
}

/// Reads a schedule; `None` if it is damaged.
pub(crate) fn info(packed: &[u8]) -> Option<ScheduleInfo> {
    let mut unpack = Unpack::new(packed);
    let mut read = || -> Result<Option<ScheduleInfo>> {
        if unpack.array()? != 18 {
            return Ok(None);
        }
        let id = unpack.text()?.to_owned();
        let Some(mut schedule) = Schedule::from_timing(unpack.text()?) else { return Ok(None) };
        unpack.array()?;
        let (priority, task) = (unpack.integer()?, unpack.text()?.to_owned());
        unpack.integer()?;
        unpack.integer()?;
        schedule.overlap = unpack.text()?.parse()?;
        schedule.catch_up = unpack.text()?.parse()?;
        unpack.integer()?;
        let limit = unpack.integer()?.max(0) as u64;
        schedule.limit = (limit > 0).then_some(limit);
        unpack.integer()?;
        let mut slots = Vec::new();
        for _ in 0..unpack.array()? {
            slots.push(unpack.integer()?.max(0) as u64);
        }
        unpack.integer()?;
        let added = unpack.integer()?.max(0) as u64;
        let last = unpack.integer()?.max(0) as u64;
        let last_job = unpack.text()?.to_owned();
        let (paused, ended) = (unpack.integer()? == 1, unpack.integer()? == 1);
        let skipped = unpack.integer()?.max(0) as u64;
        Ok(Some(ScheduleInfo {
            id,
            schedule,
            task,
            priority,
            next_at: slots.first().copied(),
            last_at: (last > 0).then_some(last),
            last_job,
            paused,
            ended: ended && slots.is_empty(),
            added,
            skipped,
        }))
    };
    read().ok().flatten()
}
