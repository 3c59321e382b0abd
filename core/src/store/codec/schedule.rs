//! Arguments and answers of `lua/commands/schedule.lua`.

use redis::Value;

use super::msgpack::{Unpack, write_array, write_integer, write_signed, write_string};
use super::record::write_record;
use super::reply::{array, bytes, unexpected};
use crate::model::job_options::NewJob;
use crate::model::schedule::{AHEAD, CatchUp, MAX_CAUGHT_UP, Schedule, ScheduleInfo, SchedulePage, Scheduled, Timing};
use libswarm_common::error::Result;
use rand::Rng;

/// A schedule whose next slots are to be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) id: String,
    pub(crate) timing: String,
    anchor: u64,
    /// Slots up to this time were computed.
    pub(crate) known: u64,
    catch_up: CatchUp,
    /// The server's time, in ms.
    now: u64,
}

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

/// Where the jobs of a schedule go: `{priority, task, 1 if scripts process their extras}`.
pub(crate) fn pack_route(job: &NewJob) -> Vec<u8> {
    let mut out = Vec::new();
    let extras = job.extras.as_deref();
    write_array(&mut out, 3);
    write_signed(&mut out, extras.map_or(0, |extras| extras.priority));
    write_string(&mut out, extras.map_or("", |extras| &extras.task).as_bytes());
    write_integer(&mut out, u64::from(extras.is_some_and(|extras| extras.need_beginning())));
    out
}

/// The record of the jobs of a schedule.
pub(crate) fn record_of(job: &NewJob) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    write_record(&mut packed, job, "");
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

impl Wanted {
    /// Reads what a round was answered.
    pub(crate) fn read_all(packed: &[u8]) -> Result<Vec<Wanted>> {
        let mut unpack = Unpack::new(packed);
        (0..unpack.array()?).map(|_| Wanted::read(&mut unpack)).collect()
    }

    fn read(unpack: &mut Unpack) -> Result<Wanted> {
        if unpack.array()? != 6 {
            return Err(unexpected("sync"));
        }
        Ok(Wanted {
            id: unpack.text()?.to_owned(),
            timing: unpack.text()?.to_owned(),
            anchor: unpack.integer()?.max(0) as u64,
            known: unpack.integer()?.max(0) as u64,
            catch_up: unpack.text()?.parse()?,
            now: unpack.integer()?.max(0) as u64,
        })
    }

    /// The next slots, each with the delay of its job in ms, packed; and whether no more follow. Of slots that have passed, those that the
    /// schedule does not catch up with are left out.
    pub(crate) fn slots(&self) -> Result<(Vec<u8>, bool)> {
        let Some(schedule) = Schedule::from_timing(&self.timing) else { return Err(unexpected("schedule")) };
        let most = if self.catch_up == CatchUp::All { MAX_CAUGHT_UP } else { 1 };
        let mut slots = schedule.missed(self.anchor, self.known, self.now, most)?;
        let ahead = schedule.slots(self.anchor, self.known.max(self.now), AHEAD)?;
        let ended = ahead.len() < AHEAD;
        slots.extend(ahead);
        let jitter = schedule.jitter.as_millis() as u64;
        let mut out = Vec::new();
        write_array(&mut out, 2 * slots.len());
        for slot in &slots {
            write_integer(&mut out, *slot);
            let late = if jitter > 0 { rand::rng().random_range(0..=jitter) } else { 0 };
            write_integer(&mut out, late);
        }
        Ok((out, ended))
    }
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
