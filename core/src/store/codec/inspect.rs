//! Answers of `lua/commands/inspect.lua`, read into plain types.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::Value;

use super::msgpack::Unpack;
use super::record::{read_outcome, split_record};
use super::reply::{bytes, unexpected};
use crate::model::health::Stats;
use crate::model::info::{JobInfo, JobPage, JobState, MemberInfo, QueueCount, Queues, Snapshot};
use crate::model::job::{FailureReason, JobFailure, Outcome};
use crate::model::log::{FailedAttempt, LogLine};
use crate::model::message::Role;
use crate::model::payload::{ContentType, Payload};
use crate::store::envelope::{Envelopes, ValueKind};
use libswarm_common::error::{Error, ErrorKind, Result};

pub(crate) fn job(reply: &Value, envelopes: Envelopes) -> Result<Option<JobInfo>> {
    match bytes(reply)? {
        b"" => Ok(None),
        packed => read_job(&mut Unpack::new(packed), envelopes).map(Some),
    }
}

pub(crate) fn page(reply: &Value, envelopes: Envelopes) -> Result<JobPage> {
    let mut unpack = Unpack::new(bytes(reply)?);
    let count = unpack.array()?;
    let next = unpack.text()?.to_owned();
    let jobs = (1..count).map(|_| read_job(&mut unpack, envelopes)).collect::<Result<_>>()?;
    Ok(JobPage { jobs, next: (!next.is_empty()).then_some(next) })
}

/// Reads a page of queues and adds them to those of earlier pages. Returns the cursor of the next page.
pub(crate) fn queues(reply: &Value, all: &mut Queues) -> Result<String> {
    read_queues(&mut Unpack::new(bytes(reply)?), all)
}

fn read_queues(unpack: &mut Unpack, all: &mut Queues) -> Result<String> {
    if unpack.array()? != 4 {
        return Err(unexpected("inspect"));
    }
    for _ in 0..unpack.array()? {
        unpack.array()?;
        let (priority, task) = (number(unpack.text()?)?, legible(unpack.string()?));
        let (waiting, groups) = (unpack.integer()?.max(0) as u64, unpack.integer()?.max(0) as u64);
        all.queues.push(QueueCount { priority, task, waiting, groups });
    }
    for _ in 0..unpack.array()? {
        all.paused.push(legible(unpack.string()?));
    }
    all.chooser = Some(legible(unpack.string()?)).filter(|chooser| !chooser.is_empty());
    Ok(unpack.text()?.to_owned())
}

/// Reads a page of members. Returns the cursor of the next page, too.
pub(crate) fn members(reply: &Value) -> Result<(Vec<MemberInfo>, String)> {
    read_members(&mut Unpack::new(bytes(reply)?))
}

fn read_members(unpack: &mut Unpack) -> Result<(Vec<MemberInfo>, String)> {
    let count = unpack.array()?;
    let next = unpack.text()?.to_owned();
    let members = (1..count).map(|_| read_member(unpack)).collect::<Result<_>>()?;
    Ok((members, next))
}

pub(crate) fn snapshot(reply: &Value) -> Result<Snapshot> {
    let mut unpack = Unpack::new(bytes(reply)?);
    if unpack.array()? != 4 {
        return Err(unexpected("inspect"));
    }
    let counts: Vec<u64> = (0..unpack.array()?).map(|_| Ok(unpack.integer()?.max(0) as u64)).collect::<Result<_>>()?;
    let mut queues = Queues::default();
    let more_queues = read_queues(&mut unpack, &mut queues)?;
    let (mut members, more_members) = read_members(&mut unpack)?;
    queues.put_in_order();
    members.sort_by(|a, b| (a.joined_at, &a.incarnation).cmp(&(b.joined_at, &b.incarnation)));
    Ok(Snapshot {
        stats: Stats::from_counts(&counts).ok_or_else(|| unexpected("inspect"))?,
        queues: queues.queues,
        paused: queues.paused,
        members,
        more_queues: !more_queues.is_empty(),
        more_members: !more_members.is_empty(),
        first_waiting: Some(legible(unpack.string()?)).filter(|id| !id.is_empty()),
    })
}

fn read_job(unpack: &mut Unpack, envelopes: Envelopes) -> Result<JobInfo> {
    if unpack.array()? != 12 {
        return Err(unexpected("inspect"));
    }
    let id = legible(unpack.string()?);
    let state = JobState::from_name(unpack.text()?).ok_or_else(|| unexpected("inspect"))?;
    let record = unpack.string()?;
    let owner = String::from_utf8_lossy(unpack.string()?);
    let due = unpack.integer()?;
    // What cannot be decoded is left out.
    let progress = match unpack.string()? {
        b"" => None,
        stored => envelopes.open(ValueKind::Progress, stored, ContentType::Json).ok(),
    };
    let (reason, error) = (legible(unpack.string()?), envelopes.open_text(ValueKind::Error, unpack.string()?));
    let ended_at = unpack.integer()?;
    let traceback = envelopes.open_text(ValueKind::Traceback, unpack.string()?);
    let outcome = unpack.string()?;
    let result = match read_outcome(&id, outcome, envelopes) {
        Ok(Outcome::Completed(result)) => Some(result),
        _ => None,
    };
    let (log, failed_attempts) = read_log(unpack.string()?, envelopes);
    let completed = state == JobState::Completed;
    let mut parts = owner.split(':');
    let fence: u64 = parts.next().and_then(|fence| fence.parse().ok()).unwrap_or(0);
    let ended_at = (ended_at > 0).then(|| time(ended_at as u64));
    let failure = (!completed && (!reason.is_empty() || ended_at.is_some())).then(|| JobFailure {
        reason: FailureReason::from_name(&reason),
        message: error,
        traceback: Some(traceback).filter(|traceback| !traceback.is_empty()),
        at: ended_at,
    });
    Ok(JobInfo {
        state,
        holder: parts.next().filter(|holder| !holder.is_empty()).map(str::to_owned),
        fence: (fence > 0).then_some(fence),
        // A fence is the time of the assignment in µs, or a little more.
        assigned_at: (fence > 0).then(|| time(fence / 1000)),
        due_at: (due > 0).then(|| time(due as u64)),
        progress: progress.map(|progress| String::from_utf8_lossy(&progress.bytes).into_owned()),
        failure,
        completed_at: ended_at.filter(|_| completed),
        result_omitted: completed && outcome.is_empty(),
        result,
        log,
        failed_attempts,
        ..waiting_job(id, record, envelopes)
    })
}

/// Reads a job from its record. A job that is being deleted has no record; of a damaged record, the readable part is returned.
pub(crate) fn waiting_job(id: String, record: &[u8], envelopes: Envelopes) -> JobInfo {
    let (head, stored) = split_record(record).unwrap_or_default();
    let checkpoint = head.checkpoint(envelopes).ok().flatten();
    let payload = envelopes.open(ValueKind::Payload, stored, head.content_type);
    let extras = head.extras.unwrap_or_default();
    JobInfo {
        id,
        state: JobState::Waiting,
        payload_encoded: payload.is_err(),
        payload: payload.unwrap_or_else(|_| Payload::bytes(stored)),
        priority: extras.priority,
        task: extras.task,
        resource: extras.resource,
        group: extras.group,
        limits: extras.limits.into_iter().map(|limit| limit.name).collect(),
        headers: extras.headers,
        checkpoint,
        attempt: head.failed_attempts + 1,
        retries: extras.retries,
        crashes: head.crashes,
        holder: None,
        fence: None,
        assigned_at: None,
        due_at: None,
        progress: None,
        failure: None,
        completed_at: None,
        result: None,
        result_omitted: false,
        log: Vec::new(),
        failed_attempts: Vec::new(),
    }
}

/// Reads a log: lines, `<fence>:<number>:<time in ms>:<text>` each, and attempts, `<fence>:<reason>:<time in ms>:<incarnation>:<error text>`. Those that
/// are damaged are left out.
fn read_log(packed: &[u8], envelopes: Envelopes) -> (Vec<LogLine>, Vec<FailedAttempt>) {
    let mut unpack = Unpack::new(packed);
    let count = if packed.is_empty() { 0 } else { unpack.array().unwrap_or(0) };
    let (mut lines, mut attempts) = (Vec::new(), Vec::new());
    for entry in (0..count).map_while(|_| unpack.string().ok()) {
        if let Some(attempt) = read_attempt(entry, envelopes) {
            attempts.push(attempt);
        } else if let Some(line) = read_line(entry, envelopes) {
            lines.push(line);
        }
    }
    (lines, attempts)
}

fn read_line(entry: &[u8], envelopes: Envelopes) -> Option<LogLine> {
    let mut parts = entry.splitn(4, |byte| *byte == b':').skip(2);
    let at = ascii(parts.next()?)?.parse().ok()?;
    Some(LogLine { time: time(at), text: envelopes.open_text(ValueKind::Log, parts.next()?) })
}

fn read_attempt(entry: &[u8], envelopes: Envelopes) -> Option<FailedAttempt> {
    let mut parts = entry.splitn(5, |byte| *byte == b':');
    let fence: u64 = ascii(parts.next()?)?.parse().ok()?;
    let reason = ascii(parts.next()?)?.to_owned();
    if !reason.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        return None;
    }
    let failed_at = time(ascii(parts.next()?)?.parse().ok()?);
    let holder = ascii(parts.next()?)?.to_owned();
    let error = envelopes.open_text(ValueKind::Error, parts.next()?);
    // A fence is the time of the assignment in µs, or a little more.
    Some(FailedAttempt { fence, holder, reason, error, assigned_at: time(fence / 1000), failed_at })
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn read_member(unpack: &mut Unpack) -> Result<MemberInfo> {
    let count = unpack.array()?;
    let mut member = MemberInfo {
        incarnation: legible(unpack.string()?),
        lease_left: Duration::from_millis(unpack.integer()?.max(0) as u64),
        active: unpack.integer()?.max(0) as u64,
        free: unpack.integer()?.max(0) as u64,
        role: Role::Unknown,
        name: String::new(),
        group: String::new(),
        host: String::new(),
        pid: 0,
        language: String::new(),
        version: String::new(),
        slots: None,
        paused: false,
        tasks: Vec::new(),
        joined_at: UNIX_EPOCH,
        data: None,
        dropped: 0,
    };
    for _ in 0..count.saturating_sub(4) / 2 {
        let (name, value) = (unpack.string()?, unpack.string()?);
        let text = || legible(value);
        match &*String::from_utf8_lossy(name) {
            "role" => member.role = Role::from_name(&text()),
            "name" => member.name = text(),
            "group" => member.group = text(),
            "host" => member.host = text(),
            "language" => member.language = text(),
            "version" => member.version = text(),
            "pid" => member.pid = text().parse().unwrap_or(0),
            // JSON, which escapes line breaks.
            "data" => member.data = Some(text()).filter(|data| !data.is_empty()),
            "dropped" => member.dropped = text().parse().unwrap_or(0),
            "slots" => member.slots = text().parse().ok().filter(|slots| *slots > 0),
            "paused" => member.paused = value == b"1",
            "joined" => {
                let micros = (text().parse().unwrap_or(0.0) * 1000.0) as u64;
                member.joined_at = UNIX_EPOCH.checked_add(Duration::from_micros(micros)).unwrap_or(UNIX_EPOCH);
            }
            "tasks" => {
                let mut tasks = Unpack::new(value);
                let read = tasks.array().and_then(|count| (0..count).map(|_| Ok(legible(tasks.string()?))).collect());
                member.tasks = read.unwrap_or_default();
            }
            _ => {}
        }
    }
    if member.role == Role::Worker && member.tasks.is_empty() {
        member.tasks.push(String::new());
    }
    Ok(member)
}

/// Text for people and for formats that use lines: invalid bytes and control characters are replaced.
fn legible(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(char::is_control, "\u{fffd}")
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::new(ErrorKind::StoreCorrupt, format!("`{text}` is no priority")))
}

/// A time in ms since 1970; 1970 if it is out of range.
fn time(ms: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(UNIX_EPOCH)
}
