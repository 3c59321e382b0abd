//! Replies of the scripts, read into plain types.

use std::time::Duration;

use redis::Value;

use super::msgpack::Unpack;
use super::record::{read_record, split_record};
use super::slots::Wanted;
use crate::model::health::Stats;
use crate::model::job::JobData;
use crate::model::orders::Orders;
use crate::store::envelope::Envelopes;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;

/// A job assigned to a member. If its record or its id is unreadable, or its payload cannot be decoded, it is not run.
pub(crate) type Assigned = std::result::Result<JobData, Unreadable>;

#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The bytes in Redis.
    pub(crate) id: Vec<u8>,
    pub(crate) fence: u64,
    pub(crate) error: Error,
    /// Its priority and task, if only its payload cannot be decoded.
    pub(crate) priority: i64,
    pub(crate) task: String,
}

/// The reply of `sync`.
pub(crate) enum SyncReply {
    Done {
        jobs: Vec<Assigned>,
        /// Positions in the batch of jobs that were no longer assigned to the member.
        stale: Vec<usize>,
        /// Positions of jobs that were deleted.
        deleted: Vec<usize>,
        next: Duration,
        /// Credit that was withdrawn, because jobs wait that the call could not assign.
        returned: u64,
        /// The number of jobs that were assigned for the batch. It exceeds `jobs` if the batch was sent again and some were deleted meanwhile.
        taken: u64,
        /// The remaining credit, if the call determined it.
        credit: Option<u64>,
        /// The time over which members should spread their rounds for the next due entry.
        spread: Duration,
        /// The cluster's time in ms.
        now: u64,
        /// Schedules whose next slots this member is to compute.
        wanted: Vec<Wanted>,
        /// The cluster keeps completed jobs.
        keeps_completed: bool,
    },
    /// The lease expired, or Redis lost its data.
    UnknownMember,
    /// A later batch was processed before; this batch is a late duplicate.
    Old,
}

/// A job of a batch that existed, or whose unique key another job had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Existed {
    /// Its position in the batch, from 0.
    pub(crate) position: usize,
    /// The job that has its unique key.
    pub(crate) other: Option<String>,
    /// That job got the payload and the options of this one.
    pub(crate) replaced: bool,
}

/// The reply of `add`.
pub(crate) enum AddReply {
    Done {
        /// Jobs that existed, or whose unique key another job had.
        existed: Vec<Existed>,
        /// The time until the next due entry, if a job may have changed it.
        next: Option<Duration>,
        /// The jobs are stored, but less durably than requested; submissions that requested it fail with this error.
        not_durable: Option<Error>,
    },
    /// The member is unknown in the store of this epoch.
    UnknownMember(String),
}

/// The reply of `join`.
pub(crate) struct Joined {
    /// The epoch of the store.
    pub(crate) epoch: String,
    /// The time until the next due entry.
    pub(crate) next: Duration,
    /// Orders that the worker has not confirmed under its incarnation before.
    pub(crate) orders: Option<Orders>,
    /// The cluster's time in ms.
    pub(crate) now: u64,
}

/// Reads orders as `lua/lib/orders.lua` packs them.
pub(crate) fn read_orders(packed: &[u8]) -> Result<Orders> {
    let mut unpack = Unpack::new(packed);
    if unpack.array()? != 3 {
        return Err(unexpected("order"));
    }
    let (number, slots, pause) = (unpack.integer()?, unpack.integer()?, unpack.integer()?);
    Ok(Orders {
        number: number.max(0) as u64,
        slots: u32::try_from(slots).ok().filter(|slots| *slots > 0),
        paused: [None, Some(false), Some(true)].get(pause as usize).copied().flatten(),
    })
}

pub(crate) fn joined(reply: Value) -> Result<Joined> {
    match array(reply)?.as_mut_slice() {
        [epoch, next, orders, Value::Int(now)] => Ok(Joined {
            epoch: text(epoch)?,
            next: milliseconds(next)?,
            orders: if *orders == Value::Nil { None } else { Some(read_orders(bytes(orders)?)?) },
            now: (*now).max(0) as u64,
        }),
        _ => Err(unexpected("join")),
    }
}

pub(crate) fn synced(reply: Value, envelopes: Envelopes) -> Result<SyncReply> {
    let mut parts = array(reply)?;
    match parts.as_mut_slice() {
        [Value::Int(1)] => Ok(SyncReply::UnknownMember),
        [Value::Int(2)] => Ok(SyncReply::Old),
        [
            Value::Int(0),
            jobs,
            rejected,
            next,
            Value::Int(returned),
            Value::Int(taken),
            Value::Int(credit),
            spread,
            Value::Int(now),
            rest @ ..,
        ] => {
            let mut given = Vec::new();
            match jobs {
                Value::Nil => {}
                Value::BulkString(blob) => read_jobs(blob, &mut given, envelopes)?,
                Value::Array(blobs) => {
                    for blob in blobs {
                        read_jobs(bytes(blob)?, &mut given, envelopes)?;
                    }
                }
                _ => return Err(unexpected("sync")),
            }
            let (mut stale, mut deleted) = (Vec::new(), Vec::new());
            if let Value::BulkString(blob) = rejected {
                let mut unpack = Unpack::new(blob);
                for _ in 0..unpack.array()? {
                    match unpack.integer()? {
                        0 => return Err(unexpected("sync")),
                        position if position > 0 => stale.push(position as usize - 1),
                        position => deleted.push(position.unsigned_abs() as usize - 1),
                    }
                }
            }
            Ok(SyncReply::Done {
                jobs: given,
                stale,
                deleted,
                next: milliseconds(next)?,
                returned: (*returned).max(0) as u64,
                taken: (*taken).max(0) as u64,
                credit: u64::try_from(*credit).ok(),
                spread: milliseconds(spread)?,
                now: (*now).max(0) as u64,
                wanted: match rest.first().map(|packed| bytes(packed)).transpose()? {
                    None | Some(b"") => Vec::new(),
                    Some(packed) => Wanted::read_all(packed)?,
                },
                keeps_completed: rest.len() > 1,
            })
        }
        _ => Err(unexpected("sync")),
    }
}

pub(crate) fn added(reply: Value) -> Result<AddReply> {
    match array(reply)?.as_mut_slice() {
        [Value::Int(0), existed, Value::Int(next)] => {
            let next = u64::try_from(*next).ok().map(Duration::from_millis);
            let existed = match existed {
                Value::Nil => Vec::new(),
                blob => {
                    let mut unpack = Unpack::new(bytes(blob)?);
                    let mut left = unpack.array()?;
                    let mut existed = Vec::new();
                    while left > 0 {
                        let position = unpack.integer()?;
                        let of_key = position < 0;
                        let (other, replaced) =
                            if of_key { (Some(unpack.text()?.to_owned()), unpack.integer()? == 1) } else { (None, false) };
                        let position = usize::try_from(position.unsigned_abs()).ok().and_then(|position| position.checked_sub(1));
                        existed.push(Existed { position: position.ok_or_else(|| unexpected("add"))?, other, replaced });
                        left = left.saturating_sub(if of_key { 3 } else { 1 });
                    }
                    existed
                }
            };
            Ok(AddReply::Done { existed, next, not_durable: None })
        }
        [Value::Int(1), epoch] => Ok(AddReply::UnknownMember(text(epoch)?)),
        _ => Err(unexpected("add")),
    }
}

/// Jobs of one message: the fence of the first, then the id and the record of each.
pub(crate) fn read_jobs(blob: &[u8], given: &mut Vec<Assigned>, envelopes: Envelopes) -> Result<()> {
    let mut unpack = Unpack::new(blob);
    let length = unpack.array()?;
    let fence = unpack.integer()? as u64;
    for position in 0..(length.saturating_sub(1) / 2) as u64 {
        let (id, record) = (unpack.string()?, unpack.string()?);
        let fence = fence.saturating_add(position);
        let job = read_id(id).and_then(|id| read_record(id, fence, record, envelopes));
        given.push(job.map_err(|error| {
            let extras = split_record(record).and_then(|(head, _)| head.extras).unwrap_or_default();
            Unreadable { id: id.to_vec(), fence, error, priority: extras.priority, task: extras.task }
        }));
    }
    Ok(())
}

/// An id or name that can be passed to programs, some of which separate ids by line breaks.
pub(crate) fn read_id(id: &[u8]) -> Result<&str> {
    let damaged = |why: &str| Error::new(ErrorKind::StoreCorrupt, format!("`{}` {why}", id.escape_ascii()));
    let text = std::str::from_utf8(id).map_err(|_| damaged("is no id: it is not UTF-8"))?;
    check_name("job id", text).map_err(|error| damaged(error.message()))?;
    Ok(text)
}

pub(crate) fn flags(reply: Value) -> Result<Vec<bool>> {
    Ok(array(reply)?.into_iter().map(|value| value == Value::Int(1)).collect())
}

pub(crate) fn strings(reply: Value) -> Result<Vec<Vec<u8>>> {
    array(reply)?.iter().map(|value| bytes(value).map(<[u8]>::to_vec)).collect()
}

pub(crate) fn stats(reply: Value) -> Result<Stats> {
    let counts: Vec<u64> = array(reply)?
        .iter()
        .map(|count| match count {
            Value::Int(count) => (*count).max(0) as u64,
            _ => 0,
        })
        .collect();
    Stats::from_counts(&counts).ok_or_else(|| unexpected("stats"))
}

pub(crate) fn array(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(unexpected("a script")),
    }
}

pub(crate) fn bytes(value: &Value) -> Result<&[u8]> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(unexpected("a script")),
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(String::from_utf8_lossy(bytes(value)?).into_owned())
}

fn milliseconds(value: &Value) -> Result<Duration> {
    match value {
        Value::Int(ms) => Ok(Duration::from_millis((*ms).max(0) as u64)),
        _ => Err(unexpected("a script")),
    }
}

pub(crate) fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("{what} answered in an unexpected shape; is every member of a compatible version?"))
}

#[cfg(test)]
mod tests {
    use super::super::msgpack::{write_array, write_integer, write_string};
    use super::*;

    #[test]
    fn an_id_that_cannot_be_read_harms_no_other_job() {
        let ids: [&[u8]; 6] = [b"1", b"a\nb", b"", &[0xff, 0xfe], &[b'x'; 257], b"2"];
        let mut blob = Vec::new();
        write_array(&mut blob, 1 + 2 * ids.len());
        write_integer(&mut blob, 7);
        for id in ids {
            write_string(&mut blob, id);
            write_string(&mut blob, b"\x01payload");
        }
        let mut given = Vec::new();
        read_jobs(&blob, &mut given, Envelopes::NONE).unwrap();
        let seen: Vec<_> = given
            .iter()
            .map(|job| match job {
                Ok(job) => (true, job.id.as_bytes().to_vec(), job.fence),
                Err(job) => (false, job.id.clone(), job.fence),
            })
            .collect();
        let wanted: Vec<_> = ids.iter().zip(7..).map(|(id, fence)| (id.len() == 1, id.to_vec(), fence)).collect();
        assert_eq!(seen, wanted);
    }
}
