//! Flows: jobs that wait for each other and are added together.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::as_json::result;
use super::extras::Node;
use super::job::Failure;
use super::job_options::{Added, Durability, NewJob};
use super::payload::Payload;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::{check_name, random_id};
use libswarm_common::language::{grouped, option};

/// The limit of jobs of a flow, and of the jobs that one of them waits for.
pub const MAX_FLOW_JOBS: usize = 10_000;
/// The limit of ids in `after` of a job that is added without a flow.
pub const MAX_AFTER: usize = 1_000;
/// The limit of the ids in `after` of all jobs of a flow together.
pub const MAX_FLOW_EDGES: usize = 100_000;
/// Ids of a cycle that an error shows.
const SHOWN: usize = 10;

/// Jobs that are added together, all or none: up to 10,000, whose options `after` name each other, or other jobs.
///
/// ```
/// use libswarm::{NewFlow, NewJob};
///
/// let parts = (0..3).map(|part| NewJob::json(&part)).collect::<Result<Vec<_>, _>>()?;
/// let flow = NewFlow::fan_in(parts, NewJob::json("merge")?.result(true)).id("report-7").cancel_rest(true);
/// # Ok::<(), libswarm::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct NewFlow {
    pub(crate) id: Option<String>,
    pub(crate) cancel_rest: bool,
    pub(crate) jobs: Vec<NewJob>,
}

impl NewFlow {
    /// A flow of these jobs.
    pub fn new(jobs: impl IntoIterator<Item = NewJob>) -> Self {
        NewFlow { jobs: jobs.into_iter().collect(), ..NewFlow::default() }
    }

    /// A flow in which each job waits for the one before, besides its own option `after`. Jobs without an id get one.
    pub fn chain(jobs: impl IntoIterator<Item = NewJob>) -> Self {
        let mut flow = NewFlow::new(jobs);
        let mut before: Option<String> = None;
        for job in &mut flow.jobs {
            let id = name(job);
            if let Some(before) = before.replace(id) {
                job.extras.get_or_insert_default().after.push(before);
            }
        }
        flow
    }

    /// A flow in which the last job waits for all others, besides its own option `after`. Jobs without an id get one.
    pub fn fan_in(jobs: impl IntoIterator<Item = NewJob>, mut last: NewJob) -> Self {
        let mut flow = NewFlow::new(jobs);
        let ids: Vec<String> = flow.jobs.iter_mut().map(name).collect();
        last.extras.get_or_insert_default().after.extend(ids);
        flow.jobs.push(last);
        flow
    }

    /// Sets the flow's id, 1 to 200 bytes without control characters; generated if it is not set. While a flow with this id exists, and for an hour
    /// after its last job has ended, adding it again changes nothing and returns `existed`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When one job of the flow fails, deletes those that have not ended.
    pub fn cancel_rest(mut self, cancel: bool) -> Self {
        self.cancel_rest = cancel;
        self
    }
}

/// The id of a job, which gets one if it has none.
fn name(job: &mut NewJob) -> String {
    job.fresh |= job.id.is_none();
    job.id.get_or_insert_with(random_id).clone()
}

/// The result of adding a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct AddedFlow {
    /// The flow's id.
    pub id: String,
    /// A flow with this id existed, and nothing was changed.
    pub existed: bool,
    /// The ids of its jobs, in order, and which existed: these were not added again, and the others wait for them.
    pub jobs: Vec<Added>,
}

impl AddedFlow {
    /// The fields as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The state of a job in a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum FlowState {
    /// It waits for a worker.
    Waiting,
    /// It waits until it is due, after a delay or between attempts.
    Delayed,
    /// It waits for other jobs, or for its resource.
    Blocked,
    /// A worker runs it.
    Active,
    /// It was completed.
    Completed,
    /// It failed permanently.
    Failed,
    /// It was deleted.
    Deleted,
}

impl FlowState {
    /// The name of the state, which is the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            FlowState::Waiting => "waiting",
            FlowState::Delayed => "delayed",
            FlowState::Blocked => "blocked",
            FlowState::Active => "active",
            FlowState::Completed => "completed",
            FlowState::Failed => "failed",
            FlowState::Deleted => "deleted",
        }
    }

    pub(crate) fn from_name(name: &str) -> FlowState {
        match name {
            "delayed" => FlowState::Delayed,
            "blocked" => FlowState::Blocked,
            "active" => FlowState::Active,
            "completed" => FlowState::Completed,
            "failed" => FlowState::Failed,
            "deleted" => FlowState::Deleted,
            _ => FlowState::Waiting,
        }
    }
}

/// A job of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct FlowJob {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: FlowState,
    /// Ids of the jobs that it waits for, or waited for.
    pub after: Vec<String>,
}

/// A flow at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct FlowInfo {
    /// The flow's id.
    pub id: String,
    /// The option of the flow.
    pub cancel_rest: bool,
    /// Its jobs, by their ids.
    pub jobs: Vec<FlowJob>,
}

impl FlowInfo {
    /// The fields as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How a job that another one waited for ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum InputOutcome {
    /// It was completed. `None`: its result is not known, because it was assigned before a job waited for it, without the option `result`.
    Completed(Option<Payload>),
    /// It failed permanently.
    Failed(Failure),
    /// It was deleted.
    Deleted,
}

/// What a job gets of one that it waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Input {
    /// The id of that job.
    pub id: String,
    /// How it ended.
    pub outcome: InputOutcome,
}

impl Serialize for InputOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            InputOutcome::Completed(None) => serializer.collect_map([("state", "completed")]),
            InputOutcome::Completed(Some(payload)) => result(payload, serializer),
            InputOutcome::Failed(failure) => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("state", "failed")?;
                map.serialize_entry("reason", failure.reason.name())?;
                map.serialize_entry("error", &failure.message)?;
                map.end()
            }
            InputOutcome::Deleted => serializer.collect_map([("state", "deleted")]),
        }
    }
}

/// Inputs as a JSON object by id.
#[cfg(feature = "bindings")]
pub fn inputs_to_json(inputs: &[Input]) -> String {
    let map: std::collections::BTreeMap<&str, &InputOutcome> = inputs.iter().map(|input| (&*input.id, &input.outcome)).collect();
    serde_json::to_string(&map).unwrap_or_default()
}

/// A checked flow: its jobs in an order in which none comes before one that waits for it.
pub(crate) struct Plan {
    pub(crate) nonce: String,
    /// The id of the flow; empty for jobs that belong to none.
    pub(crate) flow: String,
    pub(crate) cancel_rest: bool,
    pub(crate) durability: Durability,
    /// Ids in the order in which the jobs were passed.
    pub(crate) ids: Vec<String>,
    pub(crate) jobs: Vec<PlannedJob>,
    /// Ids of jobs outside of the flow that some of its jobs wait for.
    pub(crate) outside: Vec<String>,
}

pub(crate) struct PlannedJob {
    pub(crate) job: NewJob,
    pub(crate) id: String,
    pub(crate) node: String,
    /// The jobs that it waits for, with the node of those in the flow, else "".
    pub(crate) after: Vec<(String, String)>,
}

impl Plan {
    /// Checks everything that can be checked without Redis. `max_after`: how many jobs one may wait for. With `flow`, the jobs belong to it.
    pub(crate) fn new(flow: NewFlow, with_id: bool, max_after: usize, max_payload: usize) -> Result<Plan> {
        let NewFlow { id, cancel_rest, mut jobs } = flow;
        check_size(&jobs)?;
        let flow = if with_id { id.unwrap_or_else(random_id) } else { String::new() };
        if with_id {
            check_flow_id(&flow)?;
        }
        let many = jobs.len() > 1;
        for (position, job) in jobs.iter().enumerate() {
            check_job(job, max_after, max_payload)
                .map_err(|error| if many { error.context(format_args!("job {position}, none was added")) } else { error })?;
        }
        let ids: Vec<String> = jobs.iter_mut().map(name).collect();
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(ids.len());
        for (position, id) in ids.iter().enumerate() {
            if places.insert(id, position).is_some() {
                return Err(invalid(format!("the id `{id}` is given to two jobs, none was added; each needs an id of its own")));
            }
        }
        let after: Vec<Vec<String>> = jobs.iter_mut().map(take_after).collect();
        let order = in_order(&ids, &after, &places)?;
        let nonce = random_id();
        let node_of = |position: usize| format!("{nonce}.{position}");
        let watched: HashSet<usize> = after.iter().flatten().filter_map(|id| places.get(&**id).copied()).collect();
        let mut outside: Vec<String> = Vec::new();
        let mut known: HashSet<&str> = HashSet::new();
        for id in after.iter().flatten() {
            if !places.contains_key(&**id) && known.insert(id) {
                outside.push(id.clone());
            }
        }
        let durability = jobs.iter().map(|job| job.durability).max().unwrap_or_default();
        let mut waiting: Vec<Option<NewJob>> = jobs.into_iter().map(Some).collect();
        let mut planned = Vec::with_capacity(order.len());
        for position in order {
            let Some(mut job) = waiting[position].take() else { continue };
            let dependencies = &after[position];
            if !flow.is_empty() || !dependencies.is_empty() || watched.contains(&position) {
                let node = &mut job.extras.get_or_insert_default().node;
                let (name, watched) = (node_of(position), watched.contains(&position));
                *node = Node { name, flow: flow.clone(), watched, on_failure: node.on_failure };
            }
            let after = dependencies
                .iter()
                .map(|id| (id.clone(), places.get(&**id).map_or_else(String::new, |at| node_of(*at))))
                .collect();
            planned.push(PlannedJob { job, id: ids[position].clone(), node: node_of(position), after });
        }
        Ok(Plan { nonce, flow, cancel_rest, durability, ids, jobs: planned, outside })
    }

    /// The error for an id outside of the flow that is unknown.
    pub(crate) fn unknown(&self, id: &str) -> Error {
        let waiting = self.jobs.iter().find(|job| job.after.iter().any(|(other, _)| other == id));
        let waiting = waiting.map_or("", |job| &job.id);
        invalid(format!(
            "{} of job `{waiting}` has `{id}`, which is unknown: there is no such job here or in the cluster, and no result or \
             failure of one; nothing was added",
            option("after")
        ))
    }
}

fn check_size(jobs: &[NewJob]) -> Result<()> {
    if jobs.is_empty() {
        return Err(invalid("the flow has no jobs"));
    }
    if jobs.len() > MAX_FLOW_JOBS {
        let text = format!("the flow has {} jobs, the limit is {}", grouped(jobs.len()), grouped(MAX_FLOW_JOBS));
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    let edges: usize = jobs.iter().filter_map(|job| job.extras.as_ref()).map(|extras| extras.after.len()).sum();
    if edges > MAX_FLOW_EDGES {
        let text = format!(
            "{} of all jobs together has {} ids, the limit is {}",
            option("after"),
            grouped(edges),
            grouped(MAX_FLOW_EDGES)
        );
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    Ok(())
}

fn check_flow_id(id: &str) -> Result<()> {
    check_name("id of the flow", id)?;
    if id.len() > 200 {
        return Err(Error::new(ErrorKind::TooLarge, format!("the id of the flow has {} bytes, the limit is 200", id.len())));
    }
    Ok(())
}

fn check_job(job: &NewJob, max_after: usize, max_payload: usize) -> Result<()> {
    job.check(max_payload)?;
    if job.ephemeral {
        return Err(invalid(format!(
            "a job with {} or in a flow cannot be ephemeral; remove `ephemeral`, or delete the job yourself",
            option("after")
        )));
    }
    if job.extras.as_ref().is_some_and(|extras| extras.unique.is_some()) {
        let (after, unique) = (option("after"), option("unique"));
        return Err(invalid(format!("{after} and {unique} exclude each other, also in one call or flow; remove one of them")));
    }
    let Some(extras) = job.extras.as_ref().filter(|extras| !extras.after.is_empty()) else { return Ok(()) };
    if extras.after.len() > max_after {
        let text = format!(
            "{} has {} ids, the limit is {}{}",
            option("after"),
            grouped(extras.after.len()),
            grouped(max_after),
            if max_after < MAX_FLOW_JOBS { "; a flow may have more" } else { "" }
        );
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    Ok(())
}

/// Removes and returns the ids that a job waits for, each once.
fn take_after(job: &mut NewJob) -> Vec<String> {
    let mut after = job.extras.as_mut().map(|extras| std::mem::take(&mut extras.after)).unwrap_or_default();
    if after.len() > 1 {
        let mut seen = HashSet::new();
        let first: Vec<bool> = after.iter().map(|id| seen.insert(id.clone())).collect();
        let mut first = first.into_iter();
        after.retain(|_| first.next().unwrap_or(true));
    }
    after
}

/// Positions of the jobs, each before those that it waits for.
fn in_order(ids: &[String], after: &[Vec<String>], places: &HashMap<&str, usize>) -> Result<Vec<usize>> {
    let inside: Vec<Vec<usize>> =
        after.iter().map(|ids| ids.iter().filter_map(|id| places.get(&**id).copied()).collect()).collect();
    let mut dependents = vec![0_usize; ids.len()];
    for position in inside.iter().flatten() {
        dependents[*position] += 1;
    }
    let mut free: VecDeque<usize> = (0..ids.len()).filter(|position| dependents[*position] == 0).collect();
    let mut order = Vec::with_capacity(ids.len());
    while let Some(position) = free.pop_front() {
        order.push(position);
        for other in &inside[position] {
            dependents[*other] -= 1;
            if dependents[*other] == 0 {
                free.push_back(*other);
            }
        }
    }
    if order.len() < ids.len() { Err(cycle(ids, &inside, &dependents)) } else { Ok(order) }
}

/// The error for jobs that wait for each other. `dependents` is not 0 for those in a cycle, and those that a cycle waits for.
fn cycle(ids: &[String], inside: &[Vec<usize>], dependents: &[usize]) -> Error {
    // Each job that is left has a dependent that is left: walking to dependents meets one of them twice.
    let mut dependent_of: HashMap<usize, usize> = HashMap::new();
    for (position, others) in inside.iter().enumerate().filter(|(position, _)| dependents[*position] > 0) {
        for other in others {
            dependent_of.insert(*other, position);
        }
    }
    let (mut seen, mut walked) = (HashMap::new(), Vec::new());
    let mut at = dependents.iter().position(|count| *count > 0).unwrap_or(0);
    while !seen.contains_key(&at) {
        seen.insert(at, walked.len());
        walked.push(at);
        at = dependent_of.get(&at).copied().unwrap_or(at);
    }
    // From a job to those that it waits for.
    let mut names: Vec<String> =
        walked[seen.get(&at).copied().unwrap_or(0)..].iter().rev().map(|at| format!("`{}`", ids[*at])).collect();
    let first = names[0].clone();
    let many = names.len();
    names.truncate(SHOWN);
    if many > SHOWN {
        names.push(format!("{} more", many - SHOWN));
    }
    names.push(first);
    invalid(format!("jobs wait for each other in a cycle, none was added: {}", names.join(" after ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, after: &[&str]) -> NewJob {
        NewJob::bytes("").id(id).after(after.iter().copied())
    }

    fn plan(jobs: Vec<NewJob>) -> Result<Plan> {
        Plan::new(NewFlow::new(jobs), true, MAX_FLOW_JOBS, 100)
    }

    #[test]
    fn dependents_come_first() {
        let plan = plan(vec![job("a", &["x"]), job("c", &["b", "a", "b"]), job("b", &["a"])]).unwrap();
        let order: Vec<&str> = plan.jobs.iter().map(|job| &*job.id).collect();
        assert_eq!((order, plan.outside), (vec!["c", "b", "a"], vec!["x".to_owned()]));
        assert_eq!(plan.jobs[0].after.len(), 2, "each id counts once");
        assert_eq!(plan.jobs[0].after[1].1, plan.jobs[2].node);
    }

    #[test]
    fn cycles_are_named() {
        let error = |jobs| plan(jobs).err().map(|error| error.message().to_owned()).unwrap_or_default();
        let text =
            error(vec![job("start", &[]), job("a", &["c", "start"]), job("b", &["a"]), job("c", &["b"]), job("end", &["c"])]);
        assert!(
            text.contains("`a` after `c` after `b` after `a`") || text.contains("`c` after `b` after `a` after `c`"),
            "{text}"
        );
        assert!(!text.contains("start") && !text.contains("end"), "{text}");
        assert!(error(vec![job("a", &["a"])]).contains("waits for itself"));
        assert!(error(vec![job("a", &[]), job("a", &[])]).contains("given to two jobs"));
    }
}
