//! Flows: graphs of jobs, and what the jobs of one receive from those before.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;

use crate::model::flow::{FlowInfo, Input, Plan};
use crate::store::calls::Store;
use crate::store::codec::flow::FlowReply;
use crate::store::codec::{flow, msgpack, reply};
use libswarm_common::error::Result;

/// Parts of a flow that are sent in one call; each has at most 256 KiB, or one job.
const PARTS_AT_ONCE: usize = 8;

impl Store {
    /// Stores a flow, or the jobs of a call of which some wait for others; see `lua/commands/flow.lua`. `now`: the cluster's time in ms, if it is known.
    pub(crate) async fn add_flow(&self, plan: &Plan, incarnation: &str, now: Option<u64>) -> Result<FlowReply> {
        // Longer than a call is repeated.
        let ttl = self.options.timeout + Duration::from_secs(60);
        let packed = flow::pack(plan, incarnation, ttl.as_millis() as u64, now, self.envelopes());
        let (nonce, header) = (&*plan.nonce, &packed.header);
        if let [part] = &*packed.parts {
            let outside = msgpack::packed_strings(&plan.outside);
            let args = [&header[..], &outside, part];
            let answer = flow::answer(&self.call_flow("add", nonce, &args).await?)?;
            if !matches!(answer, FlowReply::TooLarge) {
                return Ok(answer);
            }
        }
        let answer = self.add_parts(plan, nonce, header, &packed.parts).await;
        if matches!(answer, Ok(FlowReply::Unknown(_))) {
            // If this fails, the parts are removed by an entry of `due`.
            drop(self.call_flow("drop", nonce, &[]).await);
        }
        answer
    }

    async fn add_parts(&self, plan: &Plan, nonce: &str, header: &[u8], parts: &[Vec<u8>]) -> Result<FlowReply> {
        let mut held = 0;
        while held < plan.outside.len() {
            let ids = msgpack::packed_strings(&plan.outside[held..plan.outside.len().min(held + 100)]);
            match self.call_flow("hold", nonce, &[&ids, held.to_string().as_bytes()]).await? {
                Value::Int(count @ 1..) => held += count as usize,
                other => return flow::answer(&other),
            }
        }
        for (number, some) in parts.chunks(PARTS_AT_ONCE).enumerate() {
            let first = (number * PARTS_AT_ONCE).to_string();
            let args: Vec<&[u8]> = std::iter::once(first.as_bytes()).chain(some.iter().map(Vec::as_slice)).collect();
            self.call_flow("stage", nonce, &args).await?;
        }
        let count = parts.len().to_string();
        let mut answer = flow::answer(&self.call_flow("commit", nonce, &[count.as_bytes(), header]).await?)?;
        while matches!(answer, FlowReply::More) {
            answer = flow::answer(&self.call_flow("build", nonce, &[]).await?)?;
        }
        Ok(answer)
    }

    async fn call_flow(&self, what: &str, nonce: &str, args: &[&[u8]]) -> Result<Value> {
        self.call_idempotent(|s| &s.flow, |cmd| cmd.arg(what).arg(nonce).arg(args)).await
    }

    /// A flow with all its jobs, by its id or that of a job.
    pub(crate) async fn flow(&self, id: &str) -> Result<Option<FlowInfo>> {
        let mut info = FlowInfo { id: id.to_owned(), cancel_rest: false, jobs: Vec::new() };
        let mut cursor = String::new();
        loop {
            match flow::page(&self.inspect(&["flow", &info.id, &cursor]).await?, &mut info)? {
                None => return Ok(None),
                Some(next) if next.is_empty() => return Ok(Some(info)),
                Some(next) => cursor = next,
            }
        }
    }

    /// How the jobs ended that the job with this node waited for, by their ids.
    pub(crate) async fn inputs(&self, node: &str) -> Result<Vec<Input>> {
        let (mut list, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let page = flow::inputs(&self.inspect(&["inputs", node, &cursor]).await?)?;
            let shown = page.list.into_iter().filter(|(_, letter, _)| !page.completed_only || *letter == 'c');
            list.extend(shown.map(|(id, letter, node)| (id, (letter, node))));
            cursor = page.next;
            if cursor.is_empty() {
                break;
            }
        }
        let list: Vec<_> = list.into_iter().map(|(id, (letter, node))| (id, letter, node)).collect();
        let mut all = Vec::with_capacity(list.len());
        while all.len() < list.len() {
            let some = &list[all.len()..list.len().min(all.len() + 500)];
            let nodes: Vec<String> = some.iter().map(|(_, _, node)| node.clone()).collect();
            let nodes = flow::pack_nodes(&nodes);
            let reply = self.read(|s| &s.inspect, |cmd| cmd.arg("outputs").arg(&nodes[..])).await?;
            if flow::outputs(&reply, some, &mut all, self.envelopes())? == 0 {
                return Err(reply::unexpected("inspect"));
            }
        }
        Ok(all)
    }
}
