//! Messages between members, and subscriptions.

use crate::model::message::Receipt;
use crate::store::calls::{Store, internal};
use crate::store::codec::{message, msgpack};
use crate::store::failure::Failed;
use libswarm_common::error::Result;

impl Store {
    /// Sends messages, packed for `lua/commands/send.lua`; `None` if the member is unknown.
    pub(crate) async fn send(&self, incarnation: &str, number: u64, messages: &[u8]) -> Result<Option<Vec<Receipt>>, Failed> {
        let reply = self.call(|s| &s.send, |cmd| cmd.arg(incarnation).arg(number).arg(messages)).await?;
        message::receipts(reply).map_err(internal)
    }

    /// Sets a subscription of a member, or its data; see `lua/commands/listen.lua`.
    pub(crate) async fn listen(&self, incarnation: &str, what: &str, data: &str) -> Result<()> {
        self.call_idempotent(|s| &s.listen, |cmd| cmd.arg(incarnation).arg(what).arg(data)).await.map(drop)
    }

    /// Requests that the inbox reports which of these members are gone; see `lua/commands/listen.lua`.
    pub(crate) async fn ask_who_is_gone(&self, incarnation: &str, members: &[String]) -> Result<(), Failed> {
        let members = msgpack::packed_strings(members);
        self.call(|s| &s.listen, |cmd| cmd.arg(incarnation).arg("absent").arg(&members[..])).await.map(drop)
    }
}
