//! Flows as `lua/commands/flow.lua` reads them, and its answers.

use redis::Value;

use super::msgpack::{Unpack, packed_strings, write_array, write_integer, write_signed, write_string};
use super::record::{read_outcome, write_record};
use super::reply::{bytes, unexpected};
use crate::model::flow::{FlowInfo, FlowJob, FlowState, Input, InputOutcome, Plan};
use crate::model::job::Outcome;
use crate::store::envelope::Envelopes;
use libswarm_common::error::Result;

/// The limits of one part: jobs and edges, and bytes of records. A single job may exceed the latter.
const MAX_ITEMS: usize = 125;
const MAX_BYTES: usize = 256 * 1024;
/// Edges in one item.
const MAX_EDGES: usize = 100;

/// A flow, packed.
pub(crate) struct Packed {
    pub(crate) header: Vec<u8>,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Items of the part that is written.
#[derive(Default)]
struct Writer {
    parts: Vec<Vec<u8>>,
    body: Vec<u8>,
    items: usize,
    cost: usize,
}

impl Writer {
    fn item(&mut self, cost: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.items > 0 && (self.cost + cost > MAX_ITEMS || self.body.len() > MAX_BYTES) {
            self.close();
        }
        write(&mut self.body);
        self.items += 1;
        self.cost += cost;
    }

    fn close(&mut self) {
        let mut part = Vec::with_capacity(self.body.len() + 5);
        write_array(&mut part, self.items);
        part.append(&mut self.body);
        self.parts.push(part);
        (self.items, self.cost) = (0, 0);
    }
}

/// Packs the jobs. `requester`: the incarnation that awaits the results of those that are awaited; `ttl_ms`: how long the answer is kept; `now`: the
/// cluster's time in ms, if it is known.
pub(crate) fn pack(plan: &Plan, requester: &str, ttl_ms: u64, now: Option<u64>, envelopes: Envelopes) -> Packed {
    let mut writer = Writer::default();
    for planned in &plan.jobs {
        let job = &planned.job;
        writer.item(1, |out| {
            write_array(out, 9);
            write_string(out, b"j");
            write_string(out, planned.id.as_bytes());
            write_record(out, job, if job.awaited { requester } else { "" }, now, envelopes);
            write_string(out, planned.node.as_bytes());
            write_integer(out, u64::from(!job.fresh));
            write_signed(out, job.start.as_millis());
            write_integer(out, planned.after.len() as u64);
            let on_failure = job.extras.as_ref().map_or(0, |extras| extras.node.on_failure as u8);
            write_string(out, &[b'0' + on_failure]);
            write_integer(out, u64::from(job.extras.as_ref().is_some_and(|extras| extras.count_while_blocked())));
        });
        for (number, some) in planned.after.chunks(MAX_EDGES).enumerate() {
            writer.item(some.len(), |out| {
                write_array(out, 5);
                write_string(out, b"e");
                write_string(out, planned.id.as_bytes());
                write_string(out, planned.node.as_bytes());
                write_integer(out, number as u64);
                write_array(out, 2 * some.len());
                for (id, node) in some {
                    write_string(out, id.as_bytes());
                    write_string(out, node.as_bytes());
                }
            });
        }
    }
    writer.close();
    let mut header = Vec::new();
    write_array(&mut header, 4);
    write_string(&mut header, plan.flow.as_bytes());
    write_integer(&mut header, u64::from(plan.cancel_rest));
    write_integer(&mut header, plan.jobs.len() as u64);
    write_integer(&mut header, ttl_ms);
    Packed { header, parts: writer.parts }
}

/// What became of a flow.
pub(crate) enum FlowReply {
    /// It is stored; ids of jobs that existed.
    Stored(Vec<String>),
    /// A flow with this id exists.
    Existed,
    /// There is no job with this id.
    Unknown(String),
    /// The next part is to be stored.
    More,
    /// It must be sent in parts.
    TooLarge,
    /// Its parts are not there any more.
    Gone,
}

pub(crate) fn answer(reply: &Value) -> Result<FlowReply> {
    match reply {
        Value::Nil => Ok(FlowReply::Gone),
        Value::Array(list) => match list.first() {
            Some(id) => Ok(FlowReply::Unknown(String::from_utf8_lossy(bytes(id)?).into_owned())),
            None => Ok(FlowReply::TooLarge),
        },
        packed => {
            let packed = bytes(packed)?;
            if packed.is_empty() {
                return Ok(FlowReply::More);
            }
            let mut unpack = Unpack::new(packed);
            unpack.array()?;
            if unpack.integer()? != 0 {
                return Ok(FlowReply::Existed);
            }
            // Lua packs an empty list as an array, too.
            let existed = (0..unpack.array()?).map(|_| Ok(unpack.text()?.to_owned())).collect::<Result<_>>()?;
            Ok(FlowReply::Stored(existed))
        }
    }
}

/// Reads a page of a flow and adds it to those of earlier pages; returns the cursor of the next one. `None`: there is no such flow.
pub(crate) fn page(reply: &Value, info: &mut FlowInfo) -> Result<Option<String>> {
    let packed = bytes(reply)?;
    if packed.is_empty() {
        return Ok(None);
    }
    let mut unpack = Unpack::new(packed);
    if unpack.array()? != 5 {
        return Err(unexpected("inspect"));
    }
    unpack.text()?.clone_into(&mut info.id);
    let next = unpack.text()?.to_owned();
    info.cancel_rest = unpack.text()? != "0";
    for _ in 0..unpack.array()? / 2 {
        let (id, state) = (unpack.text()?.to_owned(), FlowState::from_name(unpack.text()?));
        info.jobs.push(FlowJob { id, state, after: Vec::new() });
    }
    if next.starts_with('e') || info.jobs.is_empty() {
        info.jobs.sort_by(|a, b| a.id.cmp(&b.id));
        info.jobs.dedup_by(|a, b| a.id == b.id);
    }
    for _ in 0..unpack.array()? / 2 {
        let id = unpack.text()?;
        let place = info.jobs.binary_search_by(|job| job.id.as_str().cmp(id));
        for _ in 0..unpack.array()? {
            let other = unpack.text()?;
            if let Ok(place) = place {
                info.jobs[place].after.push(other.to_owned());
            }
        }
    }
    Ok(Some(next))
}

/// Inputs without their results: ids, letters and nodes.
pub(crate) struct InputPage {
    pub(crate) next: String,
    /// Jobs that were not completed are not shown.
    pub(crate) completed_only: bool,
    pub(crate) list: Vec<(String, char, String)>,
}

pub(crate) fn inputs(reply: &Value) -> Result<InputPage> {
    let mut unpack = Unpack::new(bytes(reply)?);
    let count = unpack.array()?.saturating_sub(2) / 2;
    let next = unpack.text()?.to_owned();
    let completed_only = unpack.text()? == "2";
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        let id = unpack.text()?.to_owned();
        let mut edge = unpack.text()?.chars();
        if let Some(letter) = edge.next() {
            list.push((id, letter, edge.as_str().to_owned()));
        }
    }
    Ok(InputPage { next, completed_only, list })
}

pub(crate) fn pack_nodes(nodes: &[String]) -> Vec<u8> {
    packed_strings(nodes)
}

/// The outcomes of the first of the inputs; how many there are.
pub(crate) fn outputs(
    reply: &Value,
    list: &[(String, char, String)],
    all: &mut Vec<Input>,
    envelopes: Envelopes,
) -> Result<usize> {
    let mut unpack = Unpack::new(bytes(reply)?);
    let count = unpack.array()?.min(list.len());
    for (id, letter, _) in &list[..count] {
        let stored = unpack.string()?;
        let (letter, outcome) = stored.split_first().map_or((*letter, stored), |(first, rest)| (char::from(*first), rest));
        let outcome = match letter {
            'd' => InputOutcome::Deleted,
            'c' if outcome.is_empty() => InputOutcome::Completed(None),
            _ if outcome.is_empty() => InputOutcome::Deleted,
            _ => match read_outcome(id, outcome, envelopes)? {
                Outcome::Completed(payload) => InputOutcome::Completed(Some(payload)),
                Outcome::Failed(failure) => InputOutcome::Failed(failure),
            },
        };
        all.push(Input { id: id.clone(), outcome });
    }
    Ok(count)
}
