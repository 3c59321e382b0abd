//! Limits, pauses, orders to workers, and the choice of workers by masters.

use redis::Value;

use crate::store::calls::Store;
use crate::store::codec::{limit, reply};
use libswarm_common::error::{Result, invalid};
use libswarm_common::id::random_id;

impl Store {
    /// Sets or removes the figures of a limit; see `lua/commands/limit.lua`. Whether it had figures.
    pub(crate) async fn change_limit(&self, what: &str, name: &str, figures: &[u8]) -> Result<bool> {
        let (mut existed, mut cursor) = (None, "0".to_owned());
        loop {
            let reply = self.call_idempotent(|s| &s.limit, |cmd| cmd.arg(what).arg(name).arg(figures).arg(&cursor)).await?;
            let (before, next) = limit::changed(&reply)?;
            let existed = *existed.get_or_insert(before);
            if next == "0" {
                return Ok(existed);
            }
            cursor = next;
        }
    }

    /// Pauses or resumes a task; `*` stands for all.
    pub(crate) async fn pause(&self, task: &str, on: bool) -> Result<()> {
        let mut cursor = Vec::new();
        loop {
            let reply = self.call_idempotent(|s| &s.pause, |cmd| cmd.arg(task).arg(u8::from(on)).arg(&cursor[..])).await?;
            cursor = reply::bytes(&reply)?.to_vec();
            if cursor.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sets the slots of a worker, or pauses (1) or resumes (0) it. Fails if it guarantees more slots. Returns whether there is such a worker.
    pub(crate) async fn order(&self, incarnation: &str, what: &str, value: u32) -> Result<bool> {
        let nonce = random_id();
        match self.call_idempotent(|s| &s.order, |cmd| cmd.arg(incarnation).arg(what).arg(value).arg(&nonce)).await? {
            Value::Int(answer) if answer >= 0 => Ok(answer == 1),
            Value::Int(least) => Err(invalid(format!(
                "slots is {value}, but worker `{incarnation}` guarantees {} to ranges of priorities; that is the least",
                -least
            ))),
            _ => Err(reply::unexpected("order")),
        }
    }

    /// The calls of a master that chooses workers; see `lua/commands/choose.lua`.
    pub(crate) async fn choose(&self, what: &str, incarnation: &str, more: &[u8]) -> Result<Value> {
        self.call_idempotent(|s| &s.choose, |cmd| cmd.arg(what).arg(incarnation).arg(more)).await
    }
}
