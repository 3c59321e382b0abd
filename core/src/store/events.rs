//! The stream of events of jobs, read with a blocking command on its own connection.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::calls::{Store, internal};
use super::codec::events::{self, EventEntry, Position};
use super::codec::reply;
use super::envelope::Envelopes;
use super::failure::{Failed, Stage};
use super::inbox::stream_entries;
use super::keys::Keys;
use super::link;
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind, Result};

/// The limit of entries that one read returns. An entry contains up to 100 events.
const ENTRIES: usize = 10;
/// How long Redis blocks a read without an entry; dead connections are detected after this time plus 2 s.
const BLOCK: Duration = Duration::from_secs(2);

/// Reads events.
pub(crate) struct EventReader {
    options: Arc<Options>,
    keys: Keys,
    connection: Option<link::Connection>,
}

impl EventReader {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        EventReader { keys: Keys::new(options.key_prefix()), options, connection: None }
    }

    /// Returns the entries with events after a position; none if none arrived in time. After a failure, the next call reconnects.
    pub(crate) async fn read(&mut self, after: Position) -> Result<Vec<EventEntry>, Failed> {
        let answer = self.try_read(after).await;
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    async fn try_read(&mut self, after: Position) -> Result<Vec<EventEntry>, Failed> {
        if self.connection.is_none() {
            self.connection = Some(link::connect(&self.options, self.keys.slot(), self.options.timeout).await?);
        }
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        connection.log_in_again(&self.options, false).await;
        let mut command = redis::cmd("XREAD");
        command.arg("BLOCK").arg(BLOCK.as_millis() as u64).arg("COUNT").arg(ENTRIES);
        command.arg("STREAMS").arg(self.keys.events()).arg(after.to_string());
        let deadline = BLOCK + self.options.timeout.min(Duration::from_secs(2));
        let answer = match tokio::time::timeout(deadline, connection.send_packed_command(&command)).await {
            Ok(answer) => answer
                .and_then(Value::extract_error)
                .map_err(|e| Failed::redis(&self.options, Stage::Calling, "reading events", &e))?,
            Err(_) => return Err(Failed::silent(&self.options.address, "reading events", deadline)),
        };
        let unexpected = || internal(Error::new(ErrorKind::Internal, "XREAD answered in an unexpected shape"));
        let mut entries = Vec::new();
        for (id, fields) in stream_entries(answer).ok_or_else(unexpected)? {
            let packed = fields.first().map_or(&[][..], |(_, packed)| packed);
            let last = Position::of_id(&id).map_err(internal)?;
            let events = events::read(last, packed, Envelopes::of(&self.options)).unwrap_or_else(|error| {
                // Its numbers are missing, which the follower notices.
                tracing::error!(%error, id, "skipping an entry of events");
                Vec::new()
            });
            entries.push(EventEntry { last, events });
        }
        Ok(entries)
    }
}

/// The answer to a renewal of the recording.
pub(crate) enum Followed {
    /// There is no cluster at this time.
    Nothing,
    /// The event at the follower's position was lost.
    Lost,
    /// The position of the last event.
    Until(Position),
}

impl Store {
    /// Records events for a time. `at`: the last event that the follower has read, if any. See `lua/commands/follow.lua`.
    pub(crate) async fn follow(&self, time: Duration, at: Option<Position>) -> Result<Followed, Failed> {
        let args = arguments(time, at);
        followed(&self.call(|s| &s.follow, |cmd| cmd.arg(&args)).await?).map_err(internal)
    }

    /// As `follow`, until it is answered, an error is permanent, or the option `timeout` is over.
    pub(crate) async fn begin_to_follow(&self, time: Duration, at: Option<Position>) -> Result<Followed> {
        let args = arguments(time, at);
        followed(&self.call_idempotent(|s| &s.follow, |cmd| cmd.arg(&args)).await?)
    }
}

fn arguments(time: Duration, at: Option<Position>) -> [String; 3] {
    let (number, ms) = at.map(|at| (at.number.to_string(), at.ms.to_string())).unwrap_or_default();
    [time.as_millis().to_string(), number, ms]
}

fn followed(answer: &Value) -> Result<Followed> {
    match answer {
        Value::Nil => Ok(Followed::Nothing),
        Value::Array(answer) if matches!(answer.get(1), Some(Value::Int(1))) => Ok(Followed::Lost),
        Value::Array(answer) if answer.len() == 2 => {
            Position::of_id(&String::from_utf8_lossy(reply::bytes(&answer[0])?)).map(Followed::Until)
        }
        _ => Err(Error::new(ErrorKind::Internal, "follow answered in an unexpected shape")),
    }
}
