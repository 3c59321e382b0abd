//! Jobs are added, deleted, awaited, and requeued or removed after their end.

use redis::Value;

use crate::store::calls::{Store, internal};
use crate::store::codec::msgpack;
use crate::store::codec::reply::{self, AddReply};
use crate::store::failure::Failed;
use libswarm_common::error::Result;

/// The arguments of `add`. See `lua/commands/add.lua`.
pub(crate) struct AddCall {
    pub(crate) incarnation: String,
    pub(crate) number: u64,
    pub(crate) jobs: Vec<u8>,
    pub(crate) checked: Vec<u8>,
    pub(crate) largest: usize,
    /// Positions and starts of jobs with extras or a later start.
    pub(crate) extras: Vec<u8>,
}

impl Store {
    pub(crate) async fn add(&self, call: &AddCall) -> Result<AddReply, Failed> {
        let reply = self
            .call(
                |s| &s.add,
                |cmd| {
                    cmd.arg(&call.incarnation).arg(call.number).arg(&call.jobs[..]).arg(&call.checked[..]);
                    cmd.arg(call.largest).arg(&call.extras[..])
                },
            )
            .await?;
        reply::added(reply).map_err(internal)
    }

    /// At most 100 ids a call.
    pub(crate) async fn delete(&self, ids: &[String]) -> Result<Vec<bool>> {
        let ids = msgpack::packed_strings(ids);
        let reply = self.call_idempotent(|s| &s.delete, |cmd| cmd.arg(&ids[..])).await?;
        reply::flags(reply)
    }

    /// The answer for each id: see `lua/commands/await.lua`. At most 100 ids a call.
    pub(crate) async fn awaiting(&self, incarnation: &str, ids: &[String]) -> Result<Vec<Vec<u8>>, Failed> {
        let ids = msgpack::packed_strings(ids);
        let reply = self.call(|s| &s.awaiting, |cmd| cmd.arg(incarnation).arg(&ids[..])).await?;
        reply::strings(reply).map_err(internal)
    }

    /// Requeues or deletes failed jobs, or deletes completed ones that are kept: those with the ids or all. Returns their number, which is too small if a reply was lost.
    pub(crate) async fn failed(&self, what: &str, ids: Option<&[String]>) -> Result<u64> {
        let mut total = 0;
        let mut left = ids;
        let mut bound = Vec::new();
        loop {
            let some = left.map(|ids| &ids[..ids.len().min(200)]);
            let packed = some.map(msgpack::packed_strings).unwrap_or_default();
            let reply = self.call_idempotent(|s| &s.failed, |cmd| cmd.arg(what).arg(&packed[..]).arg(&bound[..])).await?;
            let (count, more) = match reply::array(reply)?.as_slice() {
                [Value::Int(count), Value::Int(more), Value::BulkString(last)] => {
                    bound.clone_from(last);
                    (*count, *more == 1)
                }
                _ => return Err(reply::unexpected("failed")),
            };
            total += count.max(0) as u64;
            left = left.map(|ids| if more && count > 0 { ids } else { &ids[ids.len().min(200)..] });
            if left.map_or(!more, <[String]>::is_empty) {
                return Ok(total);
            }
        }
    }

    pub(crate) async fn obliterate(&self) -> Result<()> {
        while self.call_idempotent(|s| &s.obliterate, |cmd| cmd).await? == Value::Int(1) {}
        Ok(())
    }
}
