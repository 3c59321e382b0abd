//! What a step may change, and what it must.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::snapshot::{Job, Place, Snapshot};
use super::{Step, World};
use crate::model::job::Finish;
use crate::model::unique::Until;
use crate::store::codec::record::{Head, split_record};

pub(super) fn judge(before: &Snapshot, after: &Snapshot, step: &Step, world: &World) -> Result<(), String> {
    if let Some(broken) = after.broken.first() {
        return Err(broken.clone());
    }
    let ids: BTreeSet<&String> = before.jobs.keys().chain(after.jobs.keys()).collect();
    let mut assigned: HashMap<String, u64> = HashMap::new();
    for id in ids {
        let (a, b) = (before.job(id), after.job(id));
        change(id, a, b, before, after, step, world).map_err(|why| format!("`{id}` from {a:?} to {b:?}: {why}"))?;
        if let Place::Active(fence, inc) = &b.place
            && a.place != b.place
        {
            if *fence <= world.newest {
                return Err(format!("`{id}` was assigned with fence {fence}, {} was assigned before", world.newest));
            }
            if !notified(id, *fence, inc, after, step) {
                return Err(format!("`{id}` was assigned to {inc}, which was not notified"));
            }
        }
    }
    let actor = step.answer.jobs.iter().map(|(_, fence)| (&step.actor, *fence));
    let all: BTreeSet<(&String, u64)> = after.notified.iter().map(|(inc, _, fence)| (inc, *fence)).chain(actor).collect();
    for (inc, _) in all.into_iter().filter(|(_, fence)| *fence > world.newest) {
        *assigned.entry(inc.clone()).or_default() += 1;
    }
    credit(before, after, step, world, &assigned)?;
    no_job_waits_beside_free_slots(after, world)?;
    first_come_first_assigned(before, after, step, world)?;
    queued_as_they_came(after, world)?;
    one_at_a_time(after)?;
    one_of_a_key(after)?;
    let counters = &after.counters;
    let there = after.jobs.values().filter(|job| job.place != Place::Nowhere).count() as u64;
    if counters.added + counters.revived != counters.completed + counters.failures + counters.deleted + there {
        return Err(format!("the counters do not sum: {counters:?}, {there} jobs are there"));
    }
    let added = counters.added - before.counters.added;
    let expected = step.adds.len().saturating_sub(step.answer.existed.len());
    if added != expected as u64 {
        return Err(format!("{added} jobs were counted as added, {expected} were"));
    }
    if step.ticks {
        let late = after.jobs.iter().find(|(_, job)| matches!(job.place, Place::Delayed(due) if due <= counters.now as f64));
        if let Some((id, _)) = late {
            return Err(format!("`{id}` is due and still delayed"));
        }
        if counters.now >= counters.grace
            && let Some((inc, _)) = after.leases.iter().find(|(_, end)| **end <= counters.now as f64)
        {
            return Err(format!("the lease of {inc} is over and it is still a member"));
        }
    }
    Ok(())
}

/// Whether the step notified this member that the job was assigned to it.
fn notified(id: &str, fence: u64, inc: &str, after: &Snapshot, step: &Step) -> bool {
    after.notified.contains(&(inc.to_owned(), id.to_owned(), fence))
        || inc == step.actor && step.answer.jobs.contains(&(id.to_owned(), fence))
}

fn head(job: &Job) -> Head {
    split_record(&job.record).map(|(head, _)| head).unwrap_or_default()
}

/// Its group, or empty.
fn group(job: &Job) -> String {
    head(job).extras.map(|extras| extras.group).unwrap_or_default()
}

fn may_be_blocked(job: &Job) -> bool {
    head(job).extras.is_some_and(|extras| !extras.resource.is_empty() || extras.unique.is_some())
}

impl Snapshot {
    /// The cluster's time, in ms.
    fn clock(&self, world: &World) -> f64 {
        (world.clock + self.counters.offset) as f64
    }
}

/// Whether one job may have gone from `a` to `b`.
fn change(id: &String, a: &Job, b: &Job, before: &Snapshot, after: &Snapshot, step: &Step, world: &World) -> Result<(), String> {
    let gone = |inc: &String| !after.leases.contains_key(inc);
    let over = |inc: &String| {
        gone(inc) && (step.leaves && step.actor == *inc || before.leases.get(inc).is_none_or(|end| *end <= after.clock(world)))
    };
    let finish = |fence: u64, inc: &String| {
        let position = step.finishes.iter().position(|(other, its, _)| other == id && *its == fence)?;
        (step.actor == *inc).then_some((position, &step.finishes[position].2))
    };
    let new = matches!(b.place, Place::Waiting | Place::Delayed(_) | Place::Blocked | Place::Active(..) | Place::Later);
    let timed = |job: &Job| {
        let extras = head(job).extras.unwrap_or_default();
        extras.assign_timeout.is_some() || extras.total_timeout.is_some()
    };
    let deleted = step.deletes.contains(id);
    // An execution that is to stop has stopped, or its member is gone.
    match (&a.stopping, &b.stopping) {
        (Some((fence, inc)), now)
            if now.as_ref() != Some(&(*fence, inc.clone())) && !over(inc) && finish(*fence, inc).is_none() =>
        {
            return Err("its worker has not stopped it".into());
        }
        // It may have been assigned and, its time over, stopped in one step.
        (None, Some((fence, inc)))
            if a.place != Place::Active(*fence, inc.clone()) && !notified(id, *fence, inc, after, step) =>
        {
            return Err("no member had this execution".into());
        }
        _ => {}
    }
    if let Some((fence, inc)) = &a.stopping
        && let Some((position, how)) = finish(*fence, inc)
    {
        if b.stopping == a.stopping {
            return Err("its worker has stopped it".into());
        }
        if *how != Finish::Stopped && !step.answer.deleted.contains(&position) {
            return Err("its worker was not notified that it had been deleted".into());
        }
    }
    if deleted && (b.failed || b.place != Place::Nowhere) {
        return Err("it was deleted".into());
    }
    if a.failed && !b.failed && !deleted && !step.forgets.contains(id) && !step.retries.contains(id) && !step.adds.contains(id) {
        return Err("no call removed it".into());
    }
    let executing = matches!(a.place, Place::Active(..));
    // The holder of its unique key was deleted before it, in the same call: it may have been assigned between.
    let waited_for_key =
        a.place == Place::Blocked && step.deletes.len() > 1 && head(a).extras.is_some_and(|extras| extras.unique.is_some());
    let ok = match (&a.place, &b.place) {
        (Place::Active(fence, inc), _) if finish(*fence, inc).is_some() => {
            let (position, how) = finish(*fence, inc).unwrap();
            if step.answer.stale.contains(&position) || step.answer.deleted.contains(&position) {
                return Err("its worker was notified that it is no longer its".into());
            }
            let retries = head(a).extras.is_some_and(|extras| extras.retries > head(a).failed_attempts);
            match how {
                Finish::Complete(_) => {
                    let kept = head(a).result.is_none() || after.results.contains(id);
                    b.place == Place::Nowhere && !b.failed && b.stopping.is_none() && kept
                }
                Finish::FailPermanently(_) => b.failed && b.stopping.is_none(),
                Finish::Fail(_) if !retries => b.failed && b.stopping.is_none(),
                _ => new && a.place != b.place && b.stopping.is_none() || timed(a) && b.failed,
            }
        }
        (a_place, b_place) if a_place == b_place => true,
        (Place::Nowhere, _) => new && (step.adds.contains(id) || step.retries.contains(id) && a.failed),
        (_, Place::Nowhere) if deleted => b.stopping.is_some() == executing || a.place == Place::Later || waited_for_key,
        (Place::Active(fence, inc), Place::Later) => {
            let extras = head(a).extras.unwrap_or_default();
            b.stopping.as_ref() == Some(&(*fence, inc.clone()))
                && extras.run_timeout.is_some()
                && extras.retries > head(a).failed_attempts
        }
        (Place::Active(_, inc), Place::Nowhere) => {
            let extras = head(a).extras.unwrap_or_default();
            let poison = over(inc) && head(a).crashes >= 3;
            b.failed && (poison || extras.run_timeout.is_some() || timed(a))
        }
        (Place::Active(_, inc), Place::Waiting | Place::Active(..) | Place::Blocked) => over(inc),
        (_, Place::Nowhere) => b.failed && timed(a),
        (Place::Later, _) => b.stopping.is_none() && new,
        (Place::Delayed(due), Place::Waiting | Place::Active(..) | Place::Blocked) => *due <= after.clock(world),
        (Place::Waiting | Place::Blocked, Place::Waiting | Place::Active(..) | Place::Blocked) => true,
        _ => false,
    };
    if !ok {
        return Err(format!("`{}` may not do that", step.what));
    }
    for (position, (other, fence, _)) in step.finishes.iter().enumerate() {
        let its =
            a.place == Place::Active(*fence, step.actor.clone()) || a.stopping.as_ref() == Some(&(*fence, step.actor.clone()));
        if other == id && !its && !step.answer.stale.contains(&position) {
            return Err(format!("the end of its execution {fence} was accepted, which is not {}'s", step.actor));
        }
    }
    if let Place::Active(_, inc) = &b.place
        && a.place != b.place
    {
        let member = world.members.get(inc).ok_or("it was assigned to an unknown member")?;
        if !member.tasks.contains(&after.task(id)) {
            return Err("it was assigned to a worker that does not take its task".into());
        }
        if world.is_paused(&after.task(id)) {
            return Err("its task is paused".into());
        }
    }
    Ok(())
}

/// Members are assigned as many jobs as they asked for.
fn credit(
    before: &Snapshot,
    after: &Snapshot,
    step: &Step,
    world: &World,
    assigned: &HashMap<String, u64>,
) -> Result<(), String> {
    for (inc, member) in world.members.iter().filter(|(inc, _)| after.leases.contains_key(*inc)) {
        let was = before.credit(inc, &member.tasks[0]);
        for task in &member.tasks {
            let mut expected = was;
            if *inc == step.actor && step.what == "round" && !step.answer.unknown {
                expected = step.grant.map_or(0, |grant| expected + grant);
                expected = expected.saturating_sub(step.answer.returned);
            }
            let assigned = assigned.get(inc).copied().unwrap_or(0);
            if *inc == step.actor && step.grant.is_none() && step.what == "round" {
                // What it had asked for before may be assigned in the same call.
                if assigned > was || after.credit(inc, task) > 0 {
                    return Err(format!("{inc} asked for no more jobs, and got {assigned}"));
                }
                continue;
            }
            let Some(expected) = expected.checked_sub(assigned) else {
                return Err(format!("{inc} asked for {expected} jobs and got {assigned}"));
            };
            if after.credit(inc, task) != expected {
                return Err(format!(
                    "{inc} has credit for {} jobs of task `{task}`, expected {expected}",
                    after.credit(inc, task)
                ));
            }
        }
    }
    Ok(())
}

/// A job that waits is one that no member with credit takes, but for members that have not renewed lately.
fn no_job_waits_beside_free_slots(after: &Snapshot, world: &World) -> Result<(), String> {
    for (id, _) in after.jobs.iter().filter(|(_, job)| job.place == Place::Waiting) {
        let task = after.task(id);
        if world.is_paused(&task) {
            continue;
        }
        for inc in after.loads.get(&task).into_iter().flat_map(|load| load.keys()) {
            let lease_left = after.leases.get(inc).map_or(0.0, |end| end - after.clock(world));
            if lease_left >= super::LEASE as f64 / 2.0 {
                return Err(format!("`{id}` waits beside {inc}, which has credit for it"));
            }
        }
    }
    Ok(())
}

/// A worker that asks is assigned the jobs of the highest priority that it takes, and of these those that were added first, whatever their task: of jobs
/// with groups, those of the same group and task.
fn first_come_first_assigned(before: &Snapshot, after: &Snapshot, step: &Step, world: &World) -> Result<(), String> {
    let Some(member) = world.members.get(&step.actor) else { return Ok(()) };
    // One with a resource may have been set aside in a step that also freed the resource: it goes on at the front, and was seen waiting throughout.
    let waited = |id: &str| before.job(id).place == Place::Waiting && !may_be_blocked(before.job(id));
    let rank = |id: &str, snapshot: &Snapshot| {
        let priority = head(snapshot.job(id)).extras.map_or(0, |extras| extras.priority);
        world.order.get(id).map(|order| (-priority, *order))
    };
    let assigned: Vec<_> = step.answer.jobs.iter().filter(|(id, fence)| *fence > world.newest && waited(id)).collect();
    for (id, job) in after.jobs.iter().filter(|(id, job)| job.place == Place::Waiting && waited(id)) {
        let task = after.task(id);
        let takes = member.tasks.contains(&task) && !world.is_paused(&task);
        let Some(own) = rank(id, after).filter(|_| takes) else { continue };
        for (latest, _) in &assigned {
            let Some(other) = rank(latest, before) else { continue };
            let turns = !group(job).is_empty() || !group(before.job(latest)).is_empty();
            let same = group(job) == group(before.job(latest)) && before.task(latest) == task;
            let behind = if turns && !same { own.0 >= other.0 } else { own >= other };
            if behind {
                continue;
            }
            let (a, b) = (before.job(latest), before.job(id));
            return Err(format!(
                "`{latest}` ({a:?}) was assigned before `{id}` ({b:?}), which waited longer or has a higher priority; the queues were {:?}, dead {:?}",
                before.queues, before.tombstones
            ));
        }
    }
    Ok(())
}

/// Jobs of one priority that have waited since they were added are queued in the order in which they were, whatever their task.
fn queued_as_they_came(after: &Snapshot, world: &World) -> Result<(), String> {
    let mut orders: BTreeMap<i64, Vec<(usize, f64, &String)>> = BTreeMap::new();
    for (queue, (ids, scores)) in &after.queues {
        for (at, id) in ids.iter().enumerate() {
            let extras = head(after.job(id)).extras;
            if let Some(order) = world.order.get(id)
                && !may_be_blocked(after.job(id))
                && !after.tombstones.contains_key(id)
            {
                // The list comes before the sorted sets.
                let score = scores.get(at).copied().unwrap_or(f64::NEG_INFINITY);
                orders.entry(extras.map_or(0, |extras| extras.priority)).or_default().push((*order, score, id));
            }
        }
        if queue == "0" && !scores.is_empty() {
            return Err("the queue of plain jobs is a sorted set".into());
        }
    }
    for jobs in orders.values_mut() {
        jobs.sort_by_key(|job| job.0);
        if let Some(pair) = jobs.windows(2).find(|pair| pair[0].1 > pair[1].1) {
            let ((_, _, first), (_, _, second)) = (pair[0], pair[1]);
            return Err(format!("`{first}` waits behind `{second}`, which was added later; the queues are {:?}", after.queues));
        }
    }
    Ok(())
}

/// Of the jobs that have a unique key until they end, one is not blocked.
fn one_of_a_key(after: &Snapshot) -> Result<(), String> {
    let mut holders: HashMap<String, &String> = HashMap::new();
    for (id, job) in after.jobs.iter().filter(|(_, job)| !job.blocked) {
        let Some(unique) = head(job).extras.and_then(|extras| extras.unique) else { continue };
        if unique.until == Until::End
            && let Some(other) = holders.insert(unique.key.clone(), id)
        {
            return Err(format!("`{other}` and `{id}` both have the unique key `{}`", unique.key));
        }
    }
    Ok(())
}

/// Of the jobs of a resource, one has an execution that is not over.
fn one_at_a_time(after: &Snapshot) -> Result<(), String> {
    let mut holders: HashMap<String, &String> = HashMap::new();
    for (id, job) in &after.jobs {
        let resource = head(job).extras.map(|extras| extras.resource).unwrap_or_default();
        if matches!(job.place, Place::Active(..)) && !resource.is_empty() {
            if let Some(other) = holders.insert(resource.clone(), id) {
                return Err(format!("`{other}` and `{id}` both run with the resource `{resource}`"));
            }
            if after.resources.get(&resource) != Some(id) {
                return Err(format!("`{id}` runs, but its resource `{resource}` is {:?}'s", after.resources.get(&resource)));
            }
        }
    }
    Ok(())
}
