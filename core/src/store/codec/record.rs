//! The packed record of a job, and the messages between members and scripts.
//!
//! Record: flags (1 byte), [crashes (1)], [length (2, big endian), resource], [result ttl in s (4, big endian), length (1), requester], [failed
//! attempts (1), length (2, big endian), extras], payload, [time from which it waits, on the cluster's clock in ms (6, big endian)]. A plain job uses
//! seven bytes more than its payload. Flags: 1 the payload is bytes, not
//! JSON; 2 the result is kept; 4 crashes follow; 8 extras follow; 16 scripts must process some of the extras when the job is assigned;
//! 32 the job is a suspect, because more workers than allowed crashed in a row while they ran it and others; 64 a resource follows, which scripts
//! read without unpacking extras; 128 the time from which it waits follows the payload. Extras are a msgpack map of the options that are set, under the letters below.
//! Payloads, results, checkpoints and errors may be in an envelope; see `store/envelope.rs`.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::msgpack::{Unpack, malformed, write_array, write_integer, write_map, write_signed, write_string, write_string_length};
use crate::model::extras::{Extras, MAX_EXTRAS, OnFailure};
use crate::model::job::{Failure, FailureReason, JobData, Outcome, ResultWanted};
use crate::model::job_options::{DEFAULT_RESULT_TTL, NewJob, Start};
use crate::model::limit::JobLimit;
use crate::model::payload::{ContentType, Payload};
use crate::model::unique::{ON_CONFLICT, OnConflict, Unique, Until, longest_wait};
use crate::store::envelope::{Envelopes, ValueKind};
use libswarm_common::backoff::{Backoff, Growth};
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;

const BYTES: u8 = 1;
const RESULT: u8 = 2;
const CRASHES: u8 = 4;
const EXTRAS: u8 = 8;
const CARE: u8 = 16;
const SUSPECT: u8 = 32;
const RESOURCE: u8 = 64;
const TIMED: u8 = 128;
/// Bytes of the time from which a job waits.
const TIME: usize = 6;

/// Appends the record as a msgpack string. `now`: the cluster's time in ms, if it is known.
pub(crate) fn write_record(out: &mut Vec<u8>, job: &NewJob, requester: &str, now: Option<u64>, envelopes: Envelopes) {
    let sealed = envelopes.seal(ValueKind::Payload, &job.payload.bytes, job.payload.content_type);
    let mut flags = if sealed.is_none() && job.payload.content_type == ContentType::Bytes { BYTES } else { 0 };
    let payload = sealed.as_ref().unwrap_or(&job.payload.bytes);
    let mut length = 1 + payload.len();
    if job.result {
        flags |= RESULT;
        length += 5 + requester.len();
    }
    let (mut resource, mut extras) = ("", Vec::new());
    if let Some(job) = &job.extras {
        if !job.resource.is_empty() {
            resource = &job.resource;
            flags |= RESOURCE;
            length += 2 + resource.len();
        }
        // Writes the extras even if none is set: the job may be delayed, and scripts search plain jobs only in their queue.
        if write_extras(&mut extras, job) || resource.is_empty() {
            flags |= if job.need_admission() { EXTRAS | CARE } else { EXTRAS };
            length += 3 + extras.len();
        }
    }
    let waits_from = now.map(|now| waits_from(job, now));
    if waits_from.is_some() {
        flags |= TIMED;
        length += TIME;
    }
    write_string_length(out, length);
    out.push(flags);
    if flags & RESOURCE != 0 {
        out.extend_from_slice(&(resource.len() as u16).to_be_bytes());
        out.extend_from_slice(resource.as_bytes());
    }
    if job.result {
        let ttl = job.result_ttl.unwrap_or(DEFAULT_RESULT_TTL);
        out.extend_from_slice(&(ttl.as_millis().div_ceil(1000) as u32).to_be_bytes());
        out.push(requester.len() as u8);
        out.extend_from_slice(requester.as_bytes());
    }
    if flags & EXTRAS != 0 {
        out.push(0);
        out.extend_from_slice(&(extras.len() as u16).to_be_bytes());
        out.extend_from_slice(&extras);
    }
    out.extend_from_slice(payload);
    if let Some(time) = waits_from {
        out.extend_from_slice(&time.to_be_bytes()[8 - TIME..]);
    }
}

/// When a job that is added now begins to wait: now, or when its delay is over.
fn waits_from(job: &NewJob, now: u64) -> u64 {
    let delay = match job.start() {
        Start::Now => Duration::ZERO,
        Start::After(delay) => delay,
        Start::At(time) => time.duration_since(SystemTime::now()).unwrap_or_default(),
    };
    now.saturating_add(delay.as_millis() as u64).min((1 << (8 * TIME)) - 1)
}

/// The part of a record before its payload. Separate, because inspections need not copy the payload.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) content_type: ContentType,
    pub(crate) crashes: u32,
    pub(crate) failed_attempts: u32,
    pub(crate) suspect: bool,
    pub(crate) result: Option<ResultWanted>,
    pub(crate) extras: Option<Box<Extras>>,
    pub(crate) waits_from: Option<u64>,
    /// As it is stored; empty if there is none.
    checkpoint: Vec<u8>,
}

impl Head {
    pub(crate) fn checkpoint(&self, envelopes: Envelopes) -> Result<Option<String>> {
        if self.checkpoint.is_empty() {
            return Ok(None);
        }
        let opened = envelopes.open(ValueKind::Checkpoint, &self.checkpoint, ContentType::Json)?;
        String::from_utf8(opened.bytes).map(Some).map_err(malformed)
    }
}

/// Splits a record into its head and its payload; `None` if it does not have the format of this protocol.
pub(crate) fn split_record(record: &[u8]) -> Option<(Head, &[u8])> {
    let (&flags, mut rest) = record.split_first()?;
    let mut head = Head::default();
    if flags & BYTES != 0 {
        head.content_type = ContentType::Bytes;
    }
    head.suspect = flags & SUSPECT != 0;
    if flags & CRASHES != 0 {
        let (&count, after) = rest.split_first()?;
        (head.crashes, rest) = (u32::from(count), after);
    }
    let mut resource = "";
    if flags & RESOURCE != 0 {
        let (length, after) = rest.split_at_checked(2)?;
        let (text, after) = after.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]])))?;
        (resource, rest) = (std::str::from_utf8(text).ok()?, after);
        check_name("resource", resource).ok()?;
    }
    if flags & RESULT != 0 {
        let (fixed, after) = rest.split_at_checked(5)?;
        let (requester, after) = after.split_at_checked(usize::from(fixed[4]))?;
        let ttl_secs = u32::from_be_bytes([fixed[0], fixed[1], fixed[2], fixed[3]]);
        let requester = std::str::from_utf8(requester).ok()?.to_owned();
        head.result = Some(ResultWanted { ttl_secs, requester });
        rest = after;
    }
    if flags & EXTRAS != 0 {
        let (fixed, after) = rest.split_at_checked(3)?;
        let (extras, after) = after.split_at_checked(usize::from(u16::from_be_bytes([fixed[1], fixed[2]])))?;
        head.failed_attempts = u32::from(fixed[0]);
        let (extras, checkpoint) = read_extras(extras).ok()?;
        (head.extras, head.checkpoint) = (Some(Box::new(extras)), checkpoint.to_vec());
        rest = after;
    }
    if flags & TIMED != 0 {
        let (payload, time) = rest.split_at_checked(rest.len().checked_sub(TIME)?)?;
        head.waits_from = Some(time.iter().fold(0, |time, byte| time << 8 | u64::from(*byte)));
        rest = payload;
    }
    if !resource.is_empty() {
        head.extras.get_or_insert_default().resource = resource.to_owned();
    }
    Some((head, rest))
}

/// Reads a record.
pub(crate) fn read_record(id: &str, fence: u64, record: &[u8], envelopes: Envelopes) -> Result<JobData> {
    let corrupt = || Error::new(ErrorKind::StoreCorrupt, format!("the record of job `{id}` is not one this protocol writes"));
    let (mut head, payload) = split_record(record).ok_or_else(corrupt)?;
    if let Some(checkpoint) = head.checkpoint(envelopes)? {
        head.extras.get_or_insert_default().checkpoint = Some(checkpoint);
    }
    let mut job = JobData::new(id.to_owned(), envelopes.open(ValueKind::Payload, payload, head.content_type)?, fence);
    (job.crashes, job.failed_attempts, job.suspect) = (head.crashes, head.failed_attempts, head.suspect);
    (job.result, job.extras, job.waits_from) = (head.result, head.extras, head.waits_from);
    Ok(job)
}

/// Writes the options that are set, except the resource, into an empty buffer. Returns whether there are any.
fn write_extras(out: &mut Vec<u8>, extras: &Extras) -> bool {
    let millis = |time: Duration| (time.as_millis() as u64).min(1 << 53);
    // The head of a map of up to 255 entries: their number is written at the end.
    out.extend_from_slice(&[0xde, 0, 0]);
    let mut field = |name: &str, write: &dyn Fn(&mut Vec<u8>)| {
        write_string(out, name.as_bytes());
        write(out);
        out[2] += 1;
    };
    if extras.priority != 0 {
        field("p", &|out| write_signed(out, extras.priority));
    }
    for (name, text) in [("k", &extras.task), ("o", &extras.ephemeral_of), ("y", &extras.schedule)] {
        if !text.is_empty() {
            field(name, &|out| write_string(out, text.as_bytes()));
        }
    }
    if let Some(unique) = &extras.unique {
        field("u", &|out| write_unique(out, unique, extras));
    }
    if extras.then_next {
        field("z", &|out| write_integer(out, 1));
    }
    if extras.retries > 0 {
        field("n", &|out| write_integer(out, u64::from(extras.retries)));
    }
    if let Some(backoff) = &extras.backoff {
        field("b", &|out| {
            write_array(out, 4);
            write_integer(out, u64::from(backoff.growth == Growth::Exponential));
            write_integer(out, millis(backoff.delay));
            write_integer(out, millis(backoff.max));
            write_integer(out, (backoff.jitter * 1000.0) as u64);
        });
    }
    for (name, limit) in [("a", extras.assign_timeout), ("t", extras.run_timeout), ("e", extras.total_timeout)] {
        if let Some(limit) = limit {
            field(name, &|out| write_integer(out, millis(limit)));
        }
    }
    if !extras.limits.is_empty() {
        field("l", &|out| {
            write_array(out, 2 * extras.limits.len());
            for limit in &extras.limits {
                write_string(out, limit.name.as_bytes());
                write_integer(out, u64::from(limit.cost));
            }
        });
    }
    if !extras.group.is_empty() {
        field("g", &|out| {
            write_array(out, 2);
            write_string(out, extras.group.as_bytes());
            write_integer(out, u64::from(extras.weight.unwrap_or(0)));
        });
    }
    if !extras.headers.is_empty() {
        field("h", &|out| {
            write_map(out, extras.headers.len());
            for (name, value) in &extras.headers {
                write_string(out, name.as_bytes());
                write_string(out, value.as_bytes());
            }
        });
    }
    if let Some(age) = extras.keep {
        field("r", &|out| write_integer(out, millis(age)));
    }
    // Last: scripts read the options before it, which many jobs have in common, once for all of these.
    if !extras.node.name.is_empty() {
        field("d", &|out| {
            write_array(out, 4);
            write_string(out, extras.node.name.as_bytes());
            write_integer(out, extras.node.on_failure as u64);
            write_string(out, extras.node.flow.as_bytes());
            write_integer(out, u64::from(extras.node.watched));
        });
    }
    debug_assert!(out.len() <= MAX_EXTRAS, "checked when the job was added");
    out[2] > 0
}

/// `[key, letter of on_conflict, 0 until it ends, -1 until it starts, or ms]`, and for a debounced job `debounce, max_wait` in ms. Scripts append when
/// it was first added.
fn write_unique(out: &mut Vec<u8>, unique: &Unique, extras: &Extras) {
    let millis = |time: Duration| (time.as_millis() as u64).min(1 << 53);
    write_array(out, if extras.debounce.is_some() { 5 } else { 3 });
    write_string(out, unique.key.as_bytes());
    write_string(out, letter_of(unique.on_conflict).as_bytes());
    match unique.until {
        Until::End => write_integer(out, 0),
        Until::Start => write_signed(out, -1),
        Until::Time(time) => write_integer(out, millis(time)),
    }
    if let Some(debounce) = extras.debounce {
        write_integer(out, millis(debounce));
        write_integer(out, millis(longest_wait(debounce, extras.max_wait)));
    }
}

/// The letter of a value of `on_conflict` in records.
fn letter_of(on_conflict: OnConflict) -> &'static str {
    match on_conflict {
        OnConflict::Drop => "d",
        OnConflict::Replace => "r",
        OnConflict::Attach => "a",
        OnConflict::Latest => "l",
    }
}

fn read_unique(unpack: &mut Unpack<'_>, extras: &mut Extras) -> Result<()> {
    let parts = unpack.array()?;
    let key = unpack.text()?.to_owned();
    let letter = unpack.text()?;
    let on_conflict = ON_CONFLICT.iter().map(|(_, value)| *value).find(|value| letter_of(*value) == letter);
    let on_conflict = on_conflict.ok_or_else(|| malformed("a unique key has an unknown letter"))?;
    let millis = |number: i64| u64::try_from(number).map(Duration::from_millis).map_err(malformed);
    let until = match unpack.integer()? {
        0 => Until::End,
        -1 => Until::Start,
        time => Until::Time(millis(time)?),
    };
    if parts >= 5 {
        extras.debounce = Some(millis(unpack.integer()?)?);
        extras.max_wait = Some(millis(unpack.integer()?)?);
    }
    match parts {
        3 | 5 => {}
        6 => drop(unpack.integer()?),
        _ => return Err(malformed("a unique key has three, five or six parts")),
    }
    extras.unique = Some(Unique { key, until, on_conflict });
    Ok(())
}

/// The options, and the checkpoint as it is stored.
fn read_extras(packed: &[u8]) -> Result<(Extras, &[u8])> {
    let mut unpack = Unpack::new(packed);
    let (mut extras, mut checkpoint) = (Extras::default(), &[][..]);
    for _ in 0..unpack.map()? {
        let name = unpack.text()?;
        let millis =
            |unpack: &mut Unpack| Ok::<_, Error>(Duration::from_millis(u64::try_from(unpack.integer()?).map_err(malformed)?));
        match name {
            "p" => extras.priority = unpack.integer()?,
            "k" => extras.task = unpack.text()?.to_owned(),
            "u" => read_unique(&mut unpack, &mut extras)?,
            "o" => {
                extras.ephemeral_of = unpack.text()?.to_owned();
                check_name("member", &extras.ephemeral_of)?;
            }
            "n" => extras.retries = u32::try_from(unpack.integer()?).map_err(malformed)?,
            "b" => {
                if unpack.array()? != 4 {
                    return Err(malformed("a backoff has four parts"));
                }
                extras.backoff = Some(Backoff {
                    growth: if unpack.integer()? == 1 { Growth::Exponential } else { Growth::Fixed },
                    delay: millis(&mut unpack)?,
                    max: millis(&mut unpack)?,
                    jitter: unpack.integer()? as f64 / 1000.0,
                });
            }
            "a" => extras.assign_timeout = Some(millis(&mut unpack)?),
            "t" => extras.run_timeout = Some(millis(&mut unpack)?),
            "e" => extras.total_timeout = Some(millis(&mut unpack)?),
            "h" => {
                for _ in 0..unpack.map()? {
                    extras.headers.insert(unpack.text()?.to_owned(), unpack.text()?.to_owned());
                }
            }
            "l" => {
                for _ in 0..unpack.array()? / 2 {
                    let name = unpack.text()?.to_owned();
                    extras.limits.push(JobLimit { name, cost: u32::try_from(unpack.integer()?).map_err(malformed)? });
                }
            }
            "g" => {
                if unpack.array()? != 2 {
                    return Err(malformed("a group has two parts"));
                }
                extras.group = unpack.text()?.to_owned();
                let weight = u32::try_from(unpack.integer()?).map_err(malformed)?;
                extras.weight = (weight > 0).then_some(weight);
            }
            "y" => extras.schedule = unpack.text()?.to_owned(),
            "z" => extras.then_next = unpack.integer()? == 1,
            "d" => {
                if unpack.array()? != 4 {
                    return Err(malformed("a node has four parts"));
                }
                extras.node.name = unpack.text()?.to_owned();
                check_name("node", &extras.node.name)?;
                let on_failure = usize::try_from(unpack.integer()?).ok().and_then(|at| OnFailure::ALL.get(at));
                extras.node.on_failure = on_failure.ok_or_else(|| malformed("it is no on_failure"))?.1;
                extras.node.flow = unpack.text()?.to_owned();
                extras.node.watched = unpack.integer()? == 1;
            }
            "c" => checkpoint = unpack.string()?,
            "r" => extras.keep = Some(millis(&mut unpack)?),
            "j" => extras.logged = unpack.integer()? == 1,
            other => return Err(malformed(format!("`{other}` is no option of a job"))),
        }
    }
    // The same checks as when a job is added: no value out of its bounds is used in calculations.
    extras.check().map_err(|error| malformed(error.message()))?;
    Ok((extras, checkpoint))
}

/// An outcome as it is stored and sent: `j` JSON, `b` bytes, `f` reason, newline, message; `d` deleted.
pub(crate) fn write_outcome(payload: &Payload) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + payload.bytes.len());
    out.push(if payload.content_type == ContentType::Bytes { b'b' } else { b'j' });
    out.extend_from_slice(&payload.bytes);
    out
}

/// An outcome of [`write_outcome`] as it is stored.
pub(crate) fn seal_outcome<'a>(outcome: &'a [u8], envelopes: Envelopes) -> Cow<'a, [u8]> {
    let Some((letter, result)) = outcome.split_first() else { return outcome.into() };
    let content_type = if *letter == b'b' { ContentType::Bytes } else { ContentType::Json };
    match envelopes.seal(ValueKind::Result, result, content_type) {
        Some(sealed) => [b"j", &sealed[..]].concat().into(),
        None => outcome.into(),
    }
}

/// Reads an outcome of job `id`.
pub(crate) fn read_outcome(id: &str, bytes: &[u8], envelopes: Envelopes) -> Result<Outcome> {
    let result = |stored, content_type| {
        let result = envelopes.open(ValueKind::Result, stored, content_type);
        result.map(Outcome::Completed).map_err(|error| error.context(format_args!("job `{id}`")))
    };
    match bytes.split_first() {
        Some((b'j', rest)) => result(rest, ContentType::Json),
        Some((b'b', rest)) => result(rest, ContentType::Bytes),
        Some((b'f', rest)) => {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let message = envelopes.open_text(ValueKind::Error, rest.get(end + 1..).unwrap_or_default());
            let reason = FailureReason::from_name(&String::from_utf8_lossy(&rest[..end]));
            Ok(Outcome::Failed(Failure { reason, message }))
        }
        Some((b'd', _)) => Err(Error::new(ErrorKind::JobDeleted, format!("job `{id}` was deleted"))),
        _ => Err(Error::new(ErrorKind::StoreCorrupt, format!("the result of job `{id}` is not one this protocol writes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libswarm_common::value::YEAR;

    fn round_trip(job: &NewJob, requester: &str) -> JobData {
        let mut out = Vec::new();
        write_record(&mut out, job, requester, None, Envelopes::NONE);
        read_record("id", 7, Unpack::new(&out).string().unwrap(), Envelopes::NONE).unwrap()
    }

    #[test]
    fn records_come_back_as_they_were() {
        for size in [0, 1, 30, 31, 255, 70_000] {
            let job = NewJob::bytes(vec![b'\xff'; size]);
            let read = round_trip(&job, "");
            assert_eq!((&read.payload, read.fence, read.crashes, &read.result), (&job.payload, 7, 0, &None));
        }
        let job = NewJob::json("x").unwrap().result(true).result_ttl(std::time::Duration::from_millis(1500));
        let wanted = ResultWanted { ttl_secs: 2, requester: "abc".into() };
        assert_eq!(round_trip(&job, "abc").result, Some(wanted));
        let second = Duration::from_secs(1);
        let backoff = Backoff { growth: Growth::Exponential, delay: second, max: 9 * second, jitter: 0.25 };
        let job = NewJob::bytes("x")
            .priority(-3)
            .task("t")
            .resource("r")
            .group("g")
            .weight(3)
            .unique("s")
            .retries(200)
            .backoff(backoff)
            .header("a", "b");
        let job = job.assign_timeout(second).run_timeout(2 * second).total_timeout(3 * second).result(true);
        let read = round_trip(&job, "abc");
        assert_eq!((&read.extras, &read.payload, read.attempt()), (&job.extras, &job.payload, 1));
        for (until, on_conflict) in [
            (Until::End, OnConflict::Latest),
            (Until::Start, OnConflict::Replace),
            (Until::Time(YEAR), OnConflict::Drop),
            (Until::End, OnConflict::Attach),
        ] {
            let job = NewJob::bytes("").unique(Unique { key: "k".into(), until, on_conflict });
            assert_eq!(round_trip(&job, "").extras, job.extras);
        }
        for age in [Duration::ZERO, second] {
            let job = NewJob::bytes("").keep_completed(age);
            assert_eq!(round_trip(&job, "").extras, job.extras);
        }
        let job = NewJob::bytes("").unique("k").debounce(second).max_wait(second);
        assert_eq!(round_trip(&job, "").extras, job.extras);
        let read = round_trip(&NewJob::bytes("").unique("k").debounce(YEAR), "");
        assert_eq!(read.extras.unwrap().max_wait, Some(10 * YEAR));
    }

    #[test]
    fn extras_out_of_bounds_are_corrupt() {
        let record = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut extras = vec![0x81];
            write(&mut extras);
            let mut record = vec![8, 0];
            record.extend_from_slice(&(extras.len() as u16).to_be_bytes());
            record.extend_from_slice(&extras);
            record
        };
        let field = |name: &'static str, value: i64| {
            record(&move |out| {
                write_string(out, name.as_bytes());
                write_signed(out, value);
            })
        };
        let backoff = |parts: [i64; 4]| {
            record(&move |out| {
                write_string(out, b"b");
                write_array(out, 4);
                parts.iter().for_each(|part| write_signed(out, *part));
            })
        };
        for sound in [field("p", 1 << 53), field("n", 200), field("e", 1), backoff([1, 0, 31_536_000_000, 1000])] {
            let job = read_record("id", 1, &sound, Envelopes::NONE).unwrap();
            assert!(job.extras.unwrap().backoff.unwrap_or_default().pause(255) <= YEAR);
        }
        let (least, most) = (i64::MIN, i64::MAX);
        let mut damaged: Vec<Vec<u8>> = vec![backoff([0, 0, 0, 1001]), backoff([0, 0, 0, -1]), backoff([0, -1, 0, 0])];
        damaged.extend([backoff([0, most, 0, 0]), backoff([1, 0, most, 0]), backoff([1, 0, 0, least])]);
        damaged.extend([field("p", (1 << 53) + 1), field("p", least), field("n", 201), field("n", -1), field("n", most)]);
        for timeout in ["a", "t", "e"] {
            damaged.extend([0, -1, least, most].map(|value| field(timeout, value)));
        }
        for name in ["k", "o"] {
            for text in [&b"a\nb"[..], b"\0", &[0xff], &[b'x'; 257]] {
                damaged.push(record(&move |out| {
                    write_string(out, name.as_bytes());
                    write_string(out, text);
                }));
            }
        }
        for (key, letter, numbers) in [
            ("", "d", &[0][..]),
            ("a\nb", "d", &[0]),
            ("a", "x", &[0]),
            ("a", "d", &[]),
            ("a", "d", &[-2]),
            ("a", "d", &[most]),
            ("a", "a", &[-1]),
            ("a", "d", &[0, 1]),
            ("a", "d", &[0, 0, 1]),
            ("a", "d", &[0, 2, 1]),
            ("a", "d", &[0, 1, 1, 1, 1]),
        ] {
            damaged.push(record(&move |out| {
                write_string(out, b"u");
                write_array(out, 2 + numbers.len());
                write_string(out, key.as_bytes());
                write_string(out, letter.as_bytes());
                numbers.iter().for_each(|number| write_signed(out, *number));
            }));
        }
        for value in [f64::NAN, f64::INFINITY, 1e300] {
            damaged.push(record(&move |out| {
                write_string(out, b"t");
                out.push(0xcb);
                out.extend_from_slice(&value.to_be_bytes());
            }));
        }
        for bytes in damaged {
            assert_eq!(read_record("id", 1, &bytes, Envelopes::NONE).unwrap_err().kind(), ErrorKind::StoreCorrupt, "{bytes:?}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_parsed_is_corrupt() {
        for bytes in [
            &b""[..],
            &[64],
            &[8],
            &[8, 0, 0, 1],
            &[8, 0, 0, 4, 0x81, 0xa1, b'?', 0],
            &[4],
            &[2, 0, 0],
            &[2, 0, 0, 0, 1, 9, b'a'],
            &[2, 0, 0, 0, 1, 1, 0xff],
        ] {
            assert_eq!(read_record("id", 1, bytes, Envelopes::NONE).unwrap_err().kind(), ErrorKind::StoreCorrupt, "{bytes:?}");
        }
        for bytes in [&b""[..], &[0xc0], &[0xa5, b'a'], &[0xdb, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(Unpack::new(bytes).string().unwrap_err().kind(), ErrorKind::StoreCorrupt, "{bytes:?}");
        }
    }
}
