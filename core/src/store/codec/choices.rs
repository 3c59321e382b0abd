//! Answers of `lua/commands/choose.lua`, read into plain types.

use redis::Value;

use super::inspect::waiting_job;
use super::msgpack::{Unpack, packed_strings, write_array, write_integer, write_string};
use super::reply::{array, bytes, unexpected};
use crate::model::choices::{Candidate, Choices, Range};
use crate::model::choosing::Choosing;
use crate::store::envelope::Envelopes;
use libswarm_common::error::Result;

/// Returns `None` if no job waits for a choice.
pub(crate) fn read(reply: &Value, envelopes: Envelopes) -> Result<Option<Choices>> {
    let packed = bytes(reply)?;
    if packed.is_empty() {
        return Ok(None);
    }
    let mut unpack = Unpack::new(packed);
    if unpack.array()? != 2 {
        return Err(unexpected("choose"));
    }
    let jobs = (0..unpack.array()? / 2)
        .map(|_| Ok(waiting_job(String::from_utf8_lossy(unpack.string()?).into_owned(), unpack.string()?, envelopes)))
        .collect::<Result<_>>()?;
    let workers = (0..unpack.array()?).map(|_| read_worker(&mut unpack)).collect::<Result<_>>()?;
    Ok(Some(Choices::new(jobs, workers)))
}

/// Returns which of the pairs were assigned.
pub(crate) fn assigned(reply: Value) -> Result<Vec<bool>> {
    Ok(array(reply)?.iter().map(|given| *given == Value::Int(1)).collect())
}

fn read_worker(unpack: &mut Unpack) -> Result<Candidate> {
    if unpack.array()? != 11 {
        return Err(unexpected("choose"));
    }
    // The score of the ranking.
    unpack.integer()?;
    let incarnation = unpack.text()?.to_owned();
    let (active, free) = (unpack.integer()?.max(0) as u64, unpack.integer()?.max(0) as u64);
    let mut tasks = strings(unpack.string()?)?;
    if tasks.is_empty() {
        tasks.push(String::new());
    }
    let (from, room) = (integers(unpack.string()?)?, integers(unpack.string()?)?);
    let ranges = from
        .iter()
        .enumerate()
        .map(|(at, from)| Range { from: *from, free: room.get(at).map_or(0, |room| (*room).max(0) as u64) });
    let mut text = || Ok::<_, crate::Error>(unpack.text()?.to_owned());
    let (name, group, host, pid) = (text()?, text()?, text()?, text()?);
    Ok(Candidate { incarnation, name, group, host, pid: pid.parse().unwrap_or(0), tasks, active, free, ranges: ranges.collect() })
}

/// A packed array of strings, or an empty text.
fn strings(packed: &[u8]) -> Result<Vec<String>> {
    if packed.is_empty() {
        return Ok(Vec::new());
    }
    let mut unpack = Unpack::new(packed);
    (0..unpack.array()?).map(|_| Ok(unpack.text()?.to_owned())).collect()
}

fn integers(packed: &[u8]) -> Result<Vec<i64>> {
    if packed.is_empty() {
        return Ok(Vec::new());
    }
    let mut unpack = Unpack::new(packed);
    (0..unpack.array()?).map(|_| unpack.integer()).collect()
}

/// The options of a chooser, packed for `choose.lua`.
pub(crate) fn pack_choosing(choosing: &Choosing, incarnation: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_array(&mut out, 3);
    write_string(&mut out, incarnation.as_bytes());
    write_integer(&mut out, choosing.within.as_millis() as u64);
    out.extend_from_slice(&packed_strings(&choosing.tasks));
    out
}
