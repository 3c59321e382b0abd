//! Whether what was written is durable.

use std::collections::HashMap;

use redis::Value;

use crate::model::job_options::Durability;
use crate::store::calls::Store;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::language::Language;

impl Store {
    /// Waits until earlier writes have the requested durability.
    pub(crate) async fn make_durable(&self, level: Durability) -> Result<()> {
        let limit = self.options.timeout;
        let not = |why: String| Error::new(ErrorKind::NotDurable, format!("the jobs were added, but {why}"));
        let mut link = self.line.link(limit).await.map_err(|failed| not(failed.error.message().to_owned()))?;
        let wait_ms = (limit.as_millis() as u64 / 2).max(1);
        let command = match level {
            Durability::Memory => return Ok(()),
            Durability::Replica => redis::cmd("WAIT").arg(1).arg(wait_ms).to_owned(),
            Durability::Fsync => redis::cmd("WAITAOF").arg(1).arg(0).arg(wait_ms).to_owned(),
        };
        let answer = tokio::time::timeout(limit, link.connection.send_packed_command(&command)).await;
        match (level, answer) {
            (Durability::Replica, Ok(Ok(Value::Int(1..)))) => Ok(()),
            (Durability::Replica, Ok(Ok(_))) => Err(not(format!("no replica confirmed them within {wait_ms} ms"))),
            (_, Ok(Ok(Value::Array(counts)))) if matches!(counts.first(), Some(Value::Int(1..))) => Ok(()),
            (_, Ok(Ok(Value::ServerError(_)) | Err(_))) if level == Durability::Fsync => {
                // Before Redis 7.2: with `appendfsync always`, data is on disk when Redis replies.
                let mut ask = redis::cmd("CONFIG");
                let ask = ask.arg("GET").arg("append*");
                let settings = tokio::time::timeout(limit, link.connection.send_packed_command(ask)).await;
                let settings: HashMap<String, String> =
                    settings.ok().and_then(Result::ok).and_then(|value| redis::from_redis_value(value).ok()).unwrap_or_default();
                let is = |name: &str, value: &str| settings.get(name).is_some_and(|set| set == value);
                if is("appendonly", "yes") && is("appendfsync", "always") {
                    return Ok(());
                }
                Err(not("it is unknown whether Redis has written them to disk: use Redis 7.2 with appendonly, or `appendfsync always`".into()))
            }
            (_, Ok(Ok(_))) => Err(not(format!("Redis did not write them to disk within {wait_ms} ms; is `appendonly` on?"))),
            (_, Ok(Err(error))) => Err(not(error.to_string())),
            (_, Err(_)) => Err(not(format!("Redis did not answer within {}", Language::current().duration(limit)))),
        }
    }
}
