//! A member's inbox: a stream, read with a blocking command on its own connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::Value;

use super::codec::message;
use super::codec::msgpack::Unpack;
use super::codec::reply::{Assigned, read_id, read_jobs, read_orders};
use super::envelope::Envelopes;
use super::failure::{Failed, Stage};
use super::keys::Keys;
use super::link;
use crate::config::options::Options;
use crate::model::message::{Change, MemberRef, MessageData, Role};
use crate::model::orders::Orders;
use libswarm_common::error::{Error, ErrorKind, Result};

/// The limit of entries that one read returns. An entry contains up to 1,000 jobs or 4 MiB.
const ENTRIES: usize = 64;

/// An entry of the stream: its id, and the kind and the content of each of its parts.
pub(super) type RawEntry = (String, Vec<(Vec<u8>, Vec<u8>)>);

/// The result of one read.
#[derive(Default)]
pub(crate) struct Read {
    /// The content of the entries, in order.
    pub(crate) said: Vec<Entry>,
    pub(crate) entries: u32,
    /// The id of the last entry.
    pub(crate) last: String,
    /// The connection had ended and is a new one.
    pub(crate) again: bool,
}

/// One part of an entry.
pub(crate) enum Entry {
    /// Jobs assigned to the member.
    Jobs(Vec<Assigned>),
    /// Deletions of active jobs: fence and id.
    Deletes(Vec<(u64, String)>),
    /// Active jobs whose timeout is over: fence and id.
    Timeouts(Vec<(u64, String)>),
    /// Active jobs to be released for other workers: fence and id.
    Moves(Vec<(u64, String)>),
    /// Jobs wait for a choice of workers.
    Choose,
    /// A message.
    Message(MessageData),
    /// A message that cannot be decoded.
    Undecodable(Error),
    /// A member joined, left or was lost.
    Member(Change, Role, MemberRef),
    /// Those of the queried members that are gone.
    Gone(Vec<String>),
    /// The number of messages that were dropped, because this inbox was full.
    Dropped(u64),
    /// An order of a master.
    Order(Orders),
    /// An entry of `due` is earlier than the last round returned.
    Wake,
    /// Awaited results: id and outcome.
    Results(Vec<(String, Vec<u8>)>),
}

/// The reader of one incarnation's inbox.
pub(crate) struct Inbox {
    options: Arc<Options>,
    keys: Keys,
    key: String,
    last: String,
    connection: Option<link::Connection>,
    connected: Arc<AtomicBool>,
    /// A connection attempt or a read has failed since the last success.
    failed: bool,
}

impl Inbox {
    /// Sets `connected` to whether the last read was answered.
    pub(crate) fn new(options: Arc<Options>, incarnation: &str, connected: Arc<AtomicBool>) -> Self {
        let keys = Keys::new(options.key_prefix());
        Inbox { key: keys.inbox(incarnation), keys, options, last: "0-0".into(), connection: None, connected, failed: false }
    }

    /// How long Redis blocks a read without an entry; dead connections are detected after this time plus `timeout`.
    fn block(&self) -> Duration {
        (self.options.lease / 3).clamp(Duration::from_secs(1), Duration::from_secs(4))
    }

    /// Returns the entries after the last ones read; none if none arrived in time. After a failure, the next call reconnects and returns at once,
    /// and the call after it continues with the same entries.
    pub(crate) async fn read(&mut self) -> Result<Read, Failed> {
        let answer = match self.connect().await {
            Ok(()) if std::mem::take(&mut self.failed) => {
                self.connected.store(true, Ordering::Relaxed);
                return Ok(Read { last: self.last.clone(), again: true, ..Read::default() });
            }
            Ok(()) => self.try_read().await,
            Err(failed) => Err(failed),
        };
        self.connected.store(answer.is_ok(), Ordering::Relaxed);
        if answer.is_err() {
            (self.connection, self.failed) = (None, true);
        }
        let answer = answer?;
        let mut read = Read { entries: answer.len() as u32, ..Read::default() };
        for (id, fields) in answer {
            for (kind, blob) in fields {
                match parse(&kind, &blob, Envelopes::of(&self.options)) {
                    Ok(entry) => read.said.push(entry),
                    Err(error) if error.kind() == ErrorKind::Codec => read.said.push(Entry::Undecodable(error)),
                    Err(error) => tracing::error!(%error, id, "skipping an inbox entry"),
                }
            }
            self.last = id;
        }
        read.last.clone_from(&self.last);
        Ok(read)
    }

    async fn connect(&mut self) -> Result<(), Failed> {
        if self.connection.is_none() {
            self.connection = Some(link::connect(&self.options, self.keys.slot(), self.options.timeout).await?);
        }
        Ok(())
    }

    async fn try_read(&mut self) -> Result<Vec<RawEntry>, Failed> {
        let limit = self.options.timeout;
        let block = self.block();
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        connection.log_in_again(&self.options, false).await;
        let mut command = redis::cmd("XREAD");
        command
            .arg("BLOCK")
            .arg(block.as_millis() as u64)
            .arg("COUNT")
            .arg(ENTRIES)
            .arg("STREAMS")
            .arg(&self.key)
            .arg(&self.last);
        let deadline = block + limit.min(Duration::from_secs(2));
        match tokio::time::timeout(deadline, connection.send_packed_command(&command)).await {
            Ok(answer) => {
                let answer = answer
                    .and_then(Value::extract_error)
                    .map_err(|e| Failed::redis(&self.options, Stage::Calling, "reading the inbox", &e))?;
                stream_entries(answer)
                    .ok_or_else(|| Failed::unsent(Error::new(ErrorKind::Internal, "XREAD answered in an unexpected shape")))
            }
            Err(_) => Err(Failed::silent(&self.options.address, "reading the inbox", deadline)),
        }
    }
}

/// The next possible id: trimming up to `id` keeps the entries from it on.
pub(crate) fn after(id: &str) -> String {
    match id.split_once('-') {
        Some((ms, sequence)) => format!("{ms}-{}", sequence.parse::<u64>().map_or(0, |n| n + 1)),
        None => id.to_owned(),
    }
}

pub(crate) fn parse(kind: &[u8], blob: &[u8], envelopes: Envelopes) -> Result<Entry> {
    match kind {
        b"j" => {
            let mut jobs = Vec::new();
            read_jobs(blob, &mut jobs, envelopes).map(|()| Entry::Jobs(jobs))
        }
        b"d" => pairs(blob, execution).map(Entry::Deletes),
        b"t" => pairs(blob, execution).map(Entry::Timeouts),
        b"m" => pairs(blob, execution).map(Entry::Moves),
        b"s" => read_orders(blob).map(Entry::Order),
        b"w" => Ok(Entry::Wake),
        b"c" => Ok(Entry::Choose),
        b"e" => message::read_blob(blob, envelopes).map(Entry::Message),
        b"n" => message::read_news(blob).map(|(change, role, member)| Entry::Member(change, role, member)),
        b"g" => strings(blob).map(Entry::Gone),
        b"o" => Ok(Entry::Dropped(std::str::from_utf8(blob).ok().and_then(|text| text.parse().ok()).unwrap_or(1))),
        b"r" => pairs(blob, result).map(Entry::Results),
        _ => Err(Error::new(ErrorKind::StoreCorrupt, "it is of an unknown kind")),
    }
}

/// `[[key, [[id, [field, value, …]], …]]]`, or nil when none came.
pub(super) fn stream_entries(answer: Value) -> Option<Vec<RawEntry>> {
    let streams = match answer {
        Value::Nil => return Some(Vec::new()),
        Value::Array(streams) => streams,
        _ => return None,
    };
    let Some(Value::Array(stream)) = streams.into_iter().next() else { return None };
    let Some(Value::Array(entries)) = stream.into_iter().nth(1) else { return None };
    entries
        .into_iter()
        .map(|entry| {
            let Value::Array(entry) = entry else { return None };
            let mut entry = entry.into_iter();
            let (Some(Value::BulkString(id)), Some(Value::Array(fields))) = (entry.next(), entry.next()) else { return None };
            let mut fields = fields.into_iter();
            let mut said = Vec::with_capacity(fields.len() / 2);
            while let Some(kind) = fields.next() {
                let (Value::BulkString(kind), Some(Value::BulkString(blob))) = (kind, fields.next()) else { return None };
                said.push((kind, blob));
            }
            Some((String::from_utf8(id).ok()?, said))
        })
        .collect()
}

/// `None` for an unreadable id, which was never passed to a program.
fn execution(unpack: &mut Unpack) -> Result<Option<(u64, String)>> {
    let (fence, id) = (unpack.integer()? as u64, unpack.string()?);
    Ok(read_id(id).ok().map(|id| (fence, id.to_owned())))
}

fn strings(blob: &[u8]) -> Result<Vec<String>> {
    let mut unpack = Unpack::new(blob);
    (0..unpack.array()?).map(|_| Ok(unpack.text()?.to_owned())).collect()
}

fn result(unpack: &mut Unpack) -> Result<Option<(String, Vec<u8>)>> {
    let (id, outcome) = (unpack.string()?, unpack.string()?);
    Ok(read_id(id).ok().map(|id| (id.to_owned(), outcome.to_vec())))
}

/// Skips unreadable pairs.
fn pairs<T>(blob: &[u8], read: impl Fn(&mut Unpack) -> Result<Option<T>>) -> Result<Vec<T>> {
    let mut unpack = Unpack::new(blob);
    let length = unpack.array()?;
    (0..length / 2).filter_map(|_| read(&mut unpack).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::codec::msgpack::{write_array, write_integer, write_string};
    use super::*;

    #[test]
    fn an_id_that_cannot_be_read_hides_no_other() {
        let mut blob = Vec::new();
        write_array(&mut blob, 6);
        for (fence, id) in [(1, &b"a"[..]), (2, b"a\nb"), (3, b"c")] {
            write_integer(&mut blob, fence);
            write_string(&mut blob, id);
        }
        assert!(
            matches!(parse(b"d", &blob, Envelopes::NONE), Ok(Entry::Deletes(deletes)) if deletes == [(1, "a".into()), (3, "c".into())])
        );
        assert!(parse(b"d", &blob[..4], Envelopes::NONE).is_err() && parse(b"?", &blob, Envelopes::NONE).is_err());
    }

    #[test]
    fn the_next_id_follows() {
        assert_eq!(super::after("1700000000000-4"), "1700000000000-5");
    }
}
