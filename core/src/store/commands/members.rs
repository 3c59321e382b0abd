//! The members of a cluster: they join, make rounds, and leave.

use redis::Value;

use crate::store::calls::{Store, internal};
use crate::store::codec::reply::{self, Joined, SyncReply};
use crate::store::failure::{Failed, Stage};
use libswarm_common::error::Result;

/// The arguments of `sync`. See `lua/commands/sync.lua`.
#[derive(Default)]
pub(crate) struct SyncCall {
    pub(crate) number: u64,
    pub(crate) keep_from: String,
    pub(crate) credit: String,
    pub(crate) ended: Vec<u8>,
    /// Free slots to add in each range of priorities, packed; empty bytes if the worker accepts any job without a task.
    pub(crate) quotas: Vec<u8>,
    pub(crate) values: Vec<u8>,
    /// What the worker accepts from now on, packed, or empty if that has not changed.
    pub(crate) accepts: Vec<u8>,
    /// The number of the last batch whose reply arrived.
    pub(crate) answered: u64,
    /// What was measured of the finished jobs, packed, or empty.
    pub(crate) measured: Vec<u8>,
}

impl Store {
    /// `before`: the incarnation of the worker before, or empty.
    pub(crate) async fn join(&self, incarnation: &str, fields: &[u8], settings: &[u8], before: &str) -> Result<Joined, Failed> {
        let lease = self.options.lease.as_millis() as u64;
        let reply = self.call(|s| &s.join, |cmd| cmd.arg(incarnation).arg(lease).arg(fields).arg(settings).arg(before)).await?;
        reply::joined(reply).map_err(internal)
    }

    pub(crate) async fn sync(&self, incarnation: &str, call: &SyncCall) -> Result<SyncReply, Failed> {
        let lease = self.options.lease.as_millis() as u64;
        let reply = self
            .call(
                |s| &s.sync,
                |cmd| {
                    cmd.arg(incarnation).arg(call.number).arg(lease).arg(&call.keep_from).arg(&call.credit);
                    cmd.arg(&call.ended[..]).arg(&call.quotas[..]).arg(&call.values[..]).arg(&call.accepts[..]);
                    cmd.arg(call.answered).arg(&call.measured[..])
                },
            )
            .await?;
        reply::synced(reply, self.envelopes()).map_err(internal)
    }

    /// Whether the member is removed. If not, jobs must still be requeued: call it again.
    pub(crate) async fn leave(&self, incarnation: &str) -> Result<bool, Failed> {
        let reply = self.call(|s| &s.leave, |cmd| cmd.arg(incarnation).arg(0)).await?;
        Ok(reply == Value::Int(1))
    }

    /// Ends the lease of another member, whose process has died.
    pub(crate) async fn end_lease(&self, incarnation: &str) -> Result<()> {
        while self.call_idempotent(|s| &s.leave, |cmd| cmd.arg(incarnation).arg(1)).await? != Value::Int(1) {}
        Ok(())
    }

    /// Whether the member is registered. A cheap query without effects, for members that make no other calls for a while.
    pub(crate) async fn is_member(&self, incarnation: &str) -> Result<bool, Failed> {
        let limit = self.check_limit();
        let mut link = self.line.link(limit).await?;
        let mut command = redis::cmd("ZSCORE");
        command.arg(self.keys.due()).arg(format!("L:{incarnation}"));
        let failed = match tokio::time::timeout(limit, link.connection.send_packed_command(&command)).await {
            Ok(Ok(Value::ServerError(error))) => {
                Failed::redis(&self.options, Stage::Calling, "asking for the lease", &error.into())
            }
            Ok(Ok(value)) => return Ok(value != Value::Nil),
            Ok(Err(error)) => Failed::redis(&self.options, Stage::Calling, "asking for the lease", &error),
            Err(_) => Failed::silent(&self.options.address, "asking for the lease", limit),
        };
        if failed.disconnect {
            self.line.drop_link(link.number);
        }
        Err(failed)
    }

    /// Requests that workers with more jobs than the mean release some for a worker that joined. Returns whether the load is still uneven.
    pub(crate) async fn rebalance(&self, incarnation: &str) -> Result<bool> {
        let mut state = Vec::new();
        loop {
            let reply = self.call_idempotent(|s| &s.rebalance, |cmd| cmd.arg(incarnation).arg(&state[..])).await?;
            match reply::array(reply)?.as_slice() {
                [Value::BulkString(next), Value::Int(uneven)] if next.is_empty() => return Ok(*uneven == 1),
                [Value::BulkString(next), Value::Int(_)] => state.clone_from(next),
                _ => return Err(reply::unexpected("rebalance")),
            }
        }
    }
}
