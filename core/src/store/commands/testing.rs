//! Calls for the tests of programs; see `lua/commands/testing.lua`.

use redis::Value;

use crate::store::calls::Store;
use crate::store::codec::msgpack::{Unpack, packed_strings, write_array, write_integer, write_string};
use crate::store::codec::reply::{array, bytes, unexpected};
use crate::store::codec::slots::Wanted;
use crate::store::script::{Script, Scripts};
use libswarm_common::error::Result;

/// What is left to do in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) waiting: u64,
    /// With those that were deleted and have not stopped.
    pub(crate) active: u64,
    /// Entries of `due` that jobs wait for.
    pub(crate) due: u64,
    /// ms until the next entry of `due`.
    pub(crate) next: Option<u64>,
}

impl Store {
    async fn test(&self, what: &str, more: &[&[u8]]) -> Result<Value> {
        let script: fn(&Scripts) -> &Script = |scripts| &scripts.testing;
        self.call_idempotent(script, |cmd| cmd.arg(what).arg(more)).await
    }

    /// Asks members to renew their leases. Returns each with the end of its lease.
    pub(crate) async fn wake_members(&self) -> Result<Vec<(String, u64)>> {
        let reply = self.test("wake", &[]).await?;
        let mut unpack = Unpack::new(bytes(&reply)?);
        let length = unpack.array()?;
        (0..length / 2).map(|_| Ok((unpack.text()?.to_owned(), unpack.integer()?.max(0) as u64))).collect()
    }

    /// Those of the members whose leases do not end as they did.
    pub(crate) async fn renewed(&self, leases: &[(String, u64)]) -> Result<Vec<String>> {
        let mut packed = Vec::new();
        write_array(&mut packed, 2 * leases.len());
        for (incarnation, ends) in leases {
            write_string(&mut packed, incarnation.as_bytes());
            write_integer(&mut packed, *ends);
        }
        let reply = self.test("renewed", &[&packed]).await?;
        let mut unpack = Unpack::new(bytes(&reply)?);
        (0..unpack.array()?).map(|_| Ok(unpack.text()?.to_owned())).collect()
    }

    /// The offset of the cluster's clock, in ms.
    pub(crate) async fn testing_offset(&self) -> Result<u64> {
        match self.test("offset", &[]).await? {
            Value::Int(offset) => Ok(offset.max(0) as u64),
            _ => Err(unexpected("testing")),
        }
    }

    /// Sets the offset of the cluster's clock, with which the leases of these members move.
    pub(crate) async fn shift_clock(&self, offset: u64, live: &[String]) -> Result<()> {
        self.test("shift", &[offset.to_string().as_bytes(), &packed_strings(live)]).await.map(drop)
    }

    /// Wakes the members, so that they learn when something is due next.
    pub(crate) async fn rouse_members(&self) -> Result<()> {
        self.test("rouse", &[]).await.map(drop)
    }

    /// Processes what is due, stores slots of schedules that are wanted, and returns what is left.
    pub(crate) async fn look(&self, live: &[String]) -> Result<Look> {
        let lease = self.options.lease.as_millis().to_string();
        loop {
            let reply = array(self.test("look", &[lease.as_bytes(), &packed_strings(live)]).await?)?;
            let [Value::Int(waiting), Value::Int(active), Value::Int(due), Value::Int(next), Value::BulkString(slots)] =
                &reply[..]
            else {
                return Err(unexpected("testing"));
            };
            if slots.is_empty() {
                let [waiting, active, due] = [*waiting, *active, *due].map(|count| count.max(0) as u64);
                return Ok(Look { waiting, active, due, next: u64::try_from(*next).ok() });
            }
            for wanted in Wanted::read_all(slots)? {
                self.extend_schedule(&wanted).await?;
            }
        }
    }
}
