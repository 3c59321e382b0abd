//! Flows: jobs that wait for each other.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;

use super::master::{Front, Master};
use super::spans;
use crate::model::flow::{AddedFlow, FlowInfo, MAX_AFTER, MAX_FLOW_JOBS, NewFlow, Plan};
use crate::model::job_options::{Added, Durability, NewJob};
use crate::store::FlowReply;
use crate::util::completion::Done;

impl Master {
    /// Adds a flow: up to 10,000 jobs that wait for each other, all or none. No job is assigned before all of them are in Redis. A job whose id exists
    /// is left unchanged, and those after it wait for the existing one. Fails with [`ErrorKind::InvalidArgument`] if jobs wait for each other in a
    /// cycle or for an id that is unknown; the error names the ids, and nothing is added.
    pub async fn add_flow(&self, mut flow: NewFlow) -> Result<AddedFlow> {
        let Front { shared, flows, .. } = &*self.front;
        let span = spans::adding(&shared.options.cluster, &mut flow.jobs, Box::new(drop));
        let added = async {
            let plan = Plan::new(flow, true, MAX_FLOW_JOBS, shared.options.max_payload)?;
            let _open = flows.read().await;
            add(&self.front, plan).await
        };
        let added = added.await;
        span(added.as_ref().map(|added| added.jobs.clone()).map_err(Clone::clone));
        added
    }

    /// Returns a flow with the states of its jobs, by its id or by that of a job that has not been completed or deleted; `None` if there is none. A
    /// flow is kept for an hour after its last job has ended. States are read in pages, so that they may be of slightly different moments.
    pub async fn flow(&self, id: &str) -> Result<Option<FlowInfo>> {
        check_name("id of the flow", id)?;
        self.front.shared.open_store()?.flow(id).await
    }

    /// Adds jobs of which some wait for others.
    pub(super) fn submit_waiting(&self, jobs: Vec<NewJob>, done: Done<Vec<Added>>) {
        let plan = match Plan::new(NewFlow::new(jobs), false, MAX_AFTER, self.front.shared.options.max_payload) {
            Ok(plan) => plan,
            Err(error) => return done(Err(error)),
        };
        let front = self.front.clone();
        // Taken now, so that `close` waits for it.
        let open = front.flows.clone().try_read_owned();
        self.front.runtime.spawn(async move {
            let added = match open {
                Ok(_open) => add(&front, plan).await,
                Err(_) => Err(Error::new(ErrorKind::Closed, "the master is closed")),
            };
            done(added.map(|added| added.jobs));
        });
    }
}

/// Stores a plan, after the jobs that were submitted before.
async fn add(front: &Arc<Front>, mut plan: Plan) -> Result<AddedFlow> {
    let shared = &front.shared;
    shared.ready().await?;
    front.adds.settled().await;
    let (ids, flow, durability) = (std::mem::take(&mut plan.ids), plan.flow.clone(), plan.durability);
    let store = shared.open_store()?;
    let (existed, all) = match store.add_flow(&plan, &shared.incarnation(), shared.clock.now()).await? {
        FlowReply::Stored(existed) => (existed.into_iter().collect::<HashSet<_>>(), false),
        FlowReply::Existed => (HashSet::new(), true),
        FlowReply::Unknown(id) => return Err(plan.unknown(&id)),
        FlowReply::More | FlowReply::TooLarge | FlowReply::Gone => {
            let text = "storing the flow took so long that its parts were removed; nothing was added";
            return Err(Error::new(ErrorKind::Timeout, text));
        }
    };
    let jobs: Vec<Added> = ids
        .into_iter()
        .map(|id| {
            let existed = all || existed.contains(&id);
            Added { id, existed, replaced: false }
        })
        .collect();
    let added = jobs.iter().filter(|job| !job.existed).count();
    shared.counts.added.fetch_add(added as u64, Ordering::Relaxed);
    if durability > Durability::Memory {
        store.make_durable(durability).await?;
    }
    // A delay or timeout may be due before all else.
    shared.round_wanted.notify_one();
    Ok(AddedFlow { id: flow, existed: all, jobs })
}
