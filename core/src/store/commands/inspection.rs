//! Inspections of the cluster and its server.

use std::collections::BTreeMap;

use redis::Value;

use crate::model::health::Stats;
use crate::store::calls::Store;
use crate::store::codec::{metrics, reply};
use crate::store::failure::{Failed, Stage};
use libswarm_common::error::Result;

impl Store {
    pub(crate) async fn stats(&self) -> Result<Stats> {
        reply::stats(self.read(|s| &s.stats, |cmd| cmd).await?)
    }

    /// Inspections; see `lua/commands/inspect.lua`.
    pub(crate) async fn inspect(&self, words: &[&str]) -> Result<Value> {
        self.read(|s| &s.inspect, |cmd| cmd.arg(words)).await
    }

    /// Counts by task; see `lua/commands/metrics.lua`.
    pub(crate) async fn metric_slots(&self, fields: &[String]) -> Result<metrics::Slots> {
        let fields = metrics::pack_slots(fields);
        metrics::slots(&self.read(|s| &s.metrics, |cmd| cmd.arg("slots").arg(&fields[..])).await?)
    }

    /// The greatest age in ms of the waiting jobs of each task.
    pub(crate) async fn oldest(&self) -> Result<BTreeMap<String, u64>> {
        metrics::ages(&self.read(|s| &s.metrics, |cmd| cmd.arg("oldest")).await?)
    }

    /// A section of what the server shows about itself; `None` if its user may not ask for it.
    pub(crate) async fn server_info(&self, section: &str) -> Result<Option<String>> {
        let what = "asking for figures of the server";
        let limit = self.call_limit();
        let mut link = self.line.link(limit).await.map_err(|failed| failed.error)?;
        let mut command = redis::cmd("INFO");
        command.arg(section);
        match tokio::time::timeout(limit, link.connection.send_packed_command(&command)).await {
            Ok(Ok(Value::BulkString(text))) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Ok(Ok(Value::VerbatimString { text, .. })) => Ok(Some(text)),
            Ok(Ok(_)) => Ok(None),
            Ok(Err(error)) => Err(Failed::redis(&self.options, Stage::Calling, what, &error).error),
            Err(_) => Err(Failed::silent(&self.options.address, what, limit).error),
        }
    }
}
