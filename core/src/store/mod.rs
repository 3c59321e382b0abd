//! All use of Redis: connections, keys, scripts, records. Other modules use no types of Redis.

#[cfg(test)]
mod bundle;
pub(crate) mod envelope;
mod events;
pub(crate) mod examine;
mod failure;
pub(crate) mod inbox;

pub(crate) mod keys;
mod line;
mod link;

pub(crate) mod codec;
pub(crate) mod script;
#[cfg(feature = "testing")]
mod testing;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::runtime::Handle;

pub(crate) use codec::flow::FlowReply;
pub(crate) use codec::reply::{AddReply, Assigned, Joined, SyncReply};
pub(crate) use codec::slots::Wanted;
use codec::{flow, limit, message, metrics, msgpack, reply, schedule};
pub(crate) use events::{EventReader, Followed};
pub(crate) use failure::Failed;
use failure::Stage;
pub(crate) use inbox::{Entry, Inbox, Read, after};
use line::Line;
pub(crate) use link::too_slow;
use script::{Script, Scripts};
#[cfg(feature = "testing")]
pub(crate) use testing::Look;

use crate::config::options::Options;
use crate::model::flow::{FlowInfo, Input, Plan};
use crate::model::health::Stats;
use crate::model::job_options::{Durability, NewJob};
use crate::model::message::Receipt;
use crate::model::schedule::{Schedule, ScheduleInfo, SchedulePage, Scheduled};
use envelope::Envelopes;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::random_id;
use libswarm_common::language::Language;

pub(crate) static WITH_FLAGS: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(true));
pub(crate) static WITHOUT_FLAGS: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(false));

/// Those of clusters for tests.
static TESTING: LazyLock<[Scripts; 2]> = LazyLock::new(|| [false, true].map(Scripts::testing));

/// The scripts for a server of which it is known whether it supports flags, and for a cluster.
fn scripts(flags: bool, options: &Options) -> &'static Scripts {
    match (options.is_for_tests(), flags) {
        (true, flags) => &TESTING[usize::from(flags)],
        (false, true) => &WITH_FLAGS,
        (false, false) => &WITHOUT_FLAGS,
    }
}

/// Creates global values on the caller's thread: a child that is forked while another thread creates one would wait for it forever.
pub(crate) fn prepare() {
    LazyLock::force(&WITH_FLAGS);
    LazyLock::force(&WITHOUT_FLAGS);
    LazyLock::force(&TESTING);
}

/// One member's command connection. It connects on first use and again after each loss. A call that fails is not repeated here, because only its
/// caller knows whether it may be.
pub(crate) struct Store {
    options: Arc<Options>,
    keys: keys::Keys,
    line: Arc<Line>,
    /// Replaces the scripts in tests.
    #[cfg(test)]
    pub(crate) scripts: Option<&'static Scripts>,
}

/// The arguments of `sync`. See `lua/commands/sync.lua`.
#[derive(Default)]
pub(crate) struct SyncCall {
    pub(crate) number: u64,
    pub(crate) keep_from: String,
    pub(crate) credit: String,
    pub(crate) ended: Vec<u8>,
    /// Free slots to add in each range of priorities, packed; empty bytes if the worker accepts any job without a task.
    pub(crate) quotas: Vec<u8>,
    pub(crate) values: Vec<u8>,
    /// What the worker accepts from now on, packed, or empty if that has not changed.
    pub(crate) accepts: Vec<u8>,
    /// The number of the last batch whose reply arrived.
    pub(crate) answered: u64,
    /// What was measured of the finished jobs, packed, or empty.
    pub(crate) measured: Vec<u8>,
}

/// The arguments of `add`. See `lua/commands/add.lua`.
pub(crate) struct AddCall {
    pub(crate) incarnation: String,
    pub(crate) number: u64,
    pub(crate) jobs: Vec<u8>,
    pub(crate) checked: Vec<u8>,
    pub(crate) largest: usize,
    /// Positions and starts of jobs with extras or a later start.
    pub(crate) extras: Vec<u8>,
}

impl Store {
    /// Its connection uses `runtime`, from any calling thread.
    pub(crate) fn new(options: Arc<Options>, runtime: Handle) -> Self {
        let keys = keys::Keys::new(options.key_prefix());
        let line = Line::new(options.clone(), keys.slot(), runtime);
        Store {
            options,
            keys,
            line,
            #[cfg(test)]
            scripts: None,
        }
    }

    fn envelopes(&self) -> Envelopes<'_> {
        Envelopes::of(&self.options)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.line.is_connected()
    }

    /// The number of connections that have ended.
    pub(crate) fn losses(&self) -> u64 {
        *self.line.losses().borrow()
    }

    /// Resolves when more than `known` connections have ended, even if no call is made; returns how many have.
    pub(crate) async fn lost(&self, known: u64) -> u64 {
        let mut losses = self.line.losses().subscribe();
        let lost = losses.wait_for(|losses| *losses > known).await;
        // The sender lives as long as this object.
        lost.map_or(known, |losses| *losses)
    }

    /// How long one call waits: short enough that a dead connection is replaced before the lease is in danger.
    fn call_limit(&self) -> Duration {
        (self.options.lease / 3).max(Duration::from_millis(500)).min(self.options.timeout)
    }

    /// As [`Store::call_limit`], for a command that costs Redis nothing: if it is not answered in time, the connection is dead and not only busy.
    fn check_limit(&self) -> Duration {
        self.call_limit().min(Duration::from_secs(2))
    }

    /// The longest pause between attempts: within it every member reconnects after an outage and can renew its lease.
    pub(crate) fn longest_backoff(&self) -> Duration {
        (self.options.lease / 6).min(Duration::from_secs(1))
    }

    /// `before`: the incarnation of the worker before, or empty.
    pub(crate) async fn join(&self, incarnation: &str, fields: &[u8], settings: &[u8], before: &str) -> Result<Joined, Failed> {
        let lease = self.options.lease.as_millis() as u64;
        let reply = self.call(|s| &s.join, |cmd| cmd.arg(incarnation).arg(lease).arg(fields).arg(settings).arg(before)).await?;
        reply::joined(reply).map_err(internal)
    }

    pub(crate) async fn sync(&self, incarnation: &str, call: &SyncCall) -> Result<SyncReply, Failed> {
        let lease = self.options.lease.as_millis() as u64;
        let reply = self
            .call(
                |s| &s.sync,
                |cmd| {
                    cmd.arg(incarnation).arg(call.number).arg(lease).arg(&call.keep_from).arg(&call.credit);
                    cmd.arg(&call.ended[..]).arg(&call.quotas[..]).arg(&call.values[..]).arg(&call.accepts[..]);
                    cmd.arg(call.answered).arg(&call.measured[..])
                },
            )
            .await?;
        reply::synced(reply, self.envelopes()).map_err(internal)
    }

    pub(crate) async fn add(&self, call: &AddCall) -> Result<AddReply, Failed> {
        let reply = self
            .call(
                |s| &s.add,
                |cmd| {
                    cmd.arg(&call.incarnation).arg(call.number).arg(&call.jobs[..]).arg(&call.checked[..]);
                    cmd.arg(call.largest).arg(&call.extras[..])
                },
            )
            .await?;
        reply::added(reply).map_err(internal)
    }

    /// Whether the member is removed. If not, jobs must still be requeued: call it again.
    pub(crate) async fn leave(&self, incarnation: &str) -> Result<bool, Failed> {
        let reply = self.call(|s| &s.leave, |cmd| cmd.arg(incarnation).arg(0)).await?;
        Ok(reply == Value::Int(1))
    }

    /// Ends the lease of another member, whose process has died.
    pub(crate) async fn end_lease(&self, incarnation: &str) -> Result<()> {
        while self.call_idempotent(|s| &s.leave, |cmd| cmd.arg(incarnation).arg(1)).await? != Value::Int(1) {}
        Ok(())
    }

    /// Whether the member is registered. A cheap query without effects, for members that make no other calls for a while.
    pub(crate) async fn is_member(&self, incarnation: &str) -> Result<bool, Failed> {
        let limit = self.check_limit();
        let mut link = self.line.link(limit).await?;
        let mut command = redis::cmd("ZSCORE");
        command.arg(self.keys.due()).arg(format!("L:{incarnation}"));
        let failed = match tokio::time::timeout(limit, link.connection.send_packed_command(&command)).await {
            Ok(Ok(Value::ServerError(error))) => {
                Failed::redis(&self.options, Stage::Calling, "asking for the lease", &error.into())
            }
            Ok(Ok(value)) => return Ok(value != Value::Nil),
            Ok(Err(error)) => Failed::redis(&self.options, Stage::Calling, "asking for the lease", &error),
            Err(_) => Failed::silent(&self.options.address, "asking for the lease", limit),
        };
        if failed.disconnect {
            self.line.drop_link(link.number);
        }
        Err(failed)
    }

    /// At most 100 ids a call.
    pub(crate) async fn delete(&self, ids: &[String]) -> Result<Vec<bool>> {
        let ids = msgpack::packed_strings(ids);
        let reply = self.call_idempotent(|s| &s.delete, |cmd| cmd.arg(&ids[..])).await?;
        reply::flags(reply)
    }

    /// The answer for each id: see `lua/commands/await.lua`. At most 100 ids a call.
    pub(crate) async fn awaiting(&self, incarnation: &str, ids: &[String]) -> Result<Vec<Vec<u8>>, Failed> {
        let ids = msgpack::packed_strings(ids);
        let reply = self.call(|s| &s.awaiting, |cmd| cmd.arg(incarnation).arg(&ids[..])).await?;
        reply::strings(reply).map_err(internal)
    }

    pub(crate) async fn stats(&self) -> Result<Stats> {
        reply::stats(self.read(|s| &s.stats, |cmd| cmd).await?)
    }

    pub(crate) async fn obliterate(&self) -> Result<()> {
        while self.call_idempotent(|s| &s.obliterate, |cmd| cmd).await? == Value::Int(1) {}
        Ok(())
    }

    /// Creates or changes a schedule; see `lua/commands/schedule.lua`.
    pub(crate) async fn put_schedule(&self, id: &str, schedule: &Schedule, job: &NewJob) -> Result<Scheduled> {
        let (route, record, options) =
            (schedule::pack_route(job), schedule::record_of(job, self.envelopes())?, schedule::pack_options(schedule));
        let (nonce, timing) = (random_id(), schedule.timing_text());
        let reply = self
            .call_idempotent(
                |s| &s.schedule,
                |cmd| cmd.arg("put").arg(id).arg(&nonce).arg(&timing).arg(&route[..]).arg(&record[..]).arg(&options[..]),
            )
            .await?;
        let (how, wanted) = schedule::put(reply, id, schedule)?;
        if how != Scheduled::Unchanged && schedule.has_slots_ahead() {
            self.extend_schedule(&wanted).await?;
        }
        Ok(how)
    }

    /// Stores the next slots of a schedule.
    pub(crate) async fn extend_schedule(&self, wanted: &Wanted) -> Result<()> {
        let (slots, ended) = wanted.slots()?;
        self.call_idempotent(
            |s| &s.schedule,
            |cmd| cmd.arg("extend").arg(&wanted.id).arg(&wanted.timing).arg(wanted.known).arg(&slots[..]).arg(u8::from(ended)),
        )
        .await
        .map(drop)
    }

    async fn ask_schedules(&self, words: &[&str]) -> Result<Value> {
        self.call_idempotent(|s| &s.schedule, |cmd| cmd.arg(words)).await
    }

    /// Removes, pauses or resumes a schedule; whether there is one.
    pub(crate) async fn change_schedule(&self, what: &str, id: &str) -> Result<bool> {
        Ok(self.ask_schedules(&[what, id]).await? == Value::Int(1))
    }

    /// Adds the job of a schedule: `None` if there is no such schedule, an empty id if it was skipped.
    pub(crate) async fn run_schedule(&self, id: &str) -> Result<Option<String>> {
        match self.ask_schedules(&["run", id, &random_id()]).await? {
            Value::Nil => Ok(None),
            answer => Ok(Some(String::from_utf8_lossy(reply::bytes(&answer)?).into_owned())),
        }
    }

    pub(crate) async fn schedule_info(&self, id: &str) -> Result<Option<ScheduleInfo>> {
        match self.ask_schedules(&["show", id]).await? {
            Value::Nil => Ok(None),
            answer => Ok(schedule::info(reply::bytes(&answer)?)),
        }
    }

    pub(crate) async fn schedules(&self, after: &str, limit: u32) -> Result<SchedulePage> {
        schedule::page(self.ask_schedules(&["page", after, &limit.to_string()]).await?)
    }

    /// Sets or removes the figures of a limit; see `lua/commands/limit.lua`. Whether it had figures.
    pub(crate) async fn change_limit(&self, what: &str, name: &str, figures: &[u8]) -> Result<bool> {
        let (mut existed, mut cursor) = (None, "0".to_owned());
        loop {
            let reply = self.call_idempotent(|s| &s.limit, |cmd| cmd.arg(what).arg(name).arg(figures).arg(&cursor)).await?;
            let (before, next) = limit::changed(&reply)?;
            let existed = *existed.get_or_insert(before);
            if next == "0" {
                return Ok(existed);
            }
            cursor = next;
        }
    }

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
        for (number, part) in parts.iter().enumerate() {
            self.call_flow("stage", nonce, &[number.to_string().as_bytes(), part]).await?;
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
        let (mut list, mut cursor) = (std::collections::BTreeMap::new(), String::new());
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

    /// Inspections; see `lua/commands/inspect.lua`.
    pub(crate) async fn inspect(&self, words: &[&str]) -> Result<Value> {
        self.read(|s| &s.inspect, |cmd| cmd.arg(words)).await
    }

    /// Counts by task; see `lua/commands/metrics.lua`.
    pub(crate) async fn metric_slots(&self, fields: &[String]) -> Result<metrics::Slots> {
        let fields = metrics::pack_slots(fields);
        metrics::slots(&self.read(|s| &s.metrics, |cmd| cmd.arg("slots").arg(&fields[..])).await?)
    }

    /// The greatest age in ms of the waiting jobs of each task.
    pub(crate) async fn oldest(&self) -> Result<BTreeMap<String, u64>> {
        metrics::ages(&self.read(|s| &s.metrics, |cmd| cmd.arg("oldest")).await?)
    }

    /// A section of what the server shows about itself; `None` if its user may not ask for it.
    pub(crate) async fn server_info(&self, section: &str) -> Result<Option<String>> {
        let what = "asking for figures of the server";
        let limit = self.call_limit();
        let mut link = self.line.link(limit).await.map_err(|failed| failed.error)?;
        let mut command = redis::cmd("INFO");
        command.arg(section);
        match tokio::time::timeout(limit, link.connection.send_packed_command(&command)).await {
            Ok(Ok(Value::BulkString(text))) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Ok(Ok(Value::VerbatimString { text, .. })) => Ok(Some(text)),
            Ok(Ok(_)) => Ok(None),
            Ok(Err(error)) => Err(Failed::redis(&self.options, Stage::Calling, what, &error).error),
            Err(_) => Err(Failed::silent(&self.options.address, what, limit).error),
        }
    }

    /// Pauses or resumes a task; `*` stands for all.
    pub(crate) async fn pause(&self, task: &str, on: bool) -> Result<()> {
        let mut cursor = Vec::new();
        loop {
            let reply = self.call_idempotent(|s| &s.pause, |cmd| cmd.arg(task).arg(u8::from(on)).arg(&cursor[..])).await?;
            cursor = reply::bytes(&reply)?.to_vec();
            if cursor.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sets the slots of a worker, or pauses (1) or resumes (0) it. Fails if it guarantees more slots. Returns whether there is such a worker.
    pub(crate) async fn order(&self, incarnation: &str, what: &str, value: u32) -> Result<bool> {
        let nonce = random_id();
        match self.call_idempotent(|s| &s.order, |cmd| cmd.arg(incarnation).arg(what).arg(value).arg(&nonce)).await? {
            Value::Int(answer) if answer >= 0 => Ok(answer == 1),
            Value::Int(least) => Err(invalid(format!(
                "slots is {value}, but worker `{incarnation}` guarantees {} to ranges of priorities; that is the least",
                -least
            ))),
            _ => Err(reply::unexpected("order")),
        }
    }

    /// The calls of a master that chooses workers; see `lua/commands/choose.lua`.
    pub(crate) async fn choose(&self, what: &str, incarnation: &str, more: &[u8]) -> Result<Value> {
        self.call_idempotent(|s| &s.choose, |cmd| cmd.arg(what).arg(incarnation).arg(more)).await
    }

    /// Sends messages, packed for `lua/commands/send.lua`; `None` if the member is unknown.
    pub(crate) async fn send(&self, incarnation: &str, number: u64, messages: &[u8]) -> Result<Option<Vec<Receipt>>, Failed> {
        let reply = self.call(|s| &s.send, |cmd| cmd.arg(incarnation).arg(number).arg(messages)).await?;
        message::receipts(reply).map_err(internal)
    }

    /// Sets a subscription of a member, or its data; see `lua/commands/listen.lua`.
    pub(crate) async fn listen(&self, incarnation: &str, what: &str, data: &str) -> Result<()> {
        self.call_idempotent(|s| &s.listen, |cmd| cmd.arg(incarnation).arg(what).arg(data)).await.map(drop)
    }

    /// Requests that the inbox reports which of these members are gone; see `lua/commands/listen.lua`.
    pub(crate) async fn ask_who_is_gone(&self, incarnation: &str, members: &[String]) -> Result<(), Failed> {
        let members = msgpack::packed_strings(members);
        self.call(|s| &s.listen, |cmd| cmd.arg(incarnation).arg("absent").arg(&members[..])).await.map(drop)
    }

    /// Requeues or deletes failed jobs, or deletes completed ones that are kept: those with the ids or all. Returns their number, which is too small if a reply was lost.
    pub(crate) async fn failed(&self, what: &str, ids: Option<&[String]>) -> Result<u64> {
        let mut total = 0;
        let mut left = ids;
        let mut bound = Vec::new();
        loop {
            let some = left.map(|ids| &ids[..ids.len().min(200)]);
            let packed = some.map(msgpack::packed_strings).unwrap_or_default();
            let reply = self.call_idempotent(|s| &s.failed, |cmd| cmd.arg(what).arg(&packed[..]).arg(&bound[..])).await?;
            let (count, more) = match reply::array(reply)?.as_slice() {
                [Value::Int(count), Value::Int(more), Value::BulkString(last)] => {
                    bound.clone_from(last);
                    (*count, *more == 1)
                }
                _ => return Err(reply::unexpected("failed")),
            };
            total += count.max(0) as u64;
            left = left.map(|ids| if more && count > 0 { ids } else { &ids[ids.len().min(200)..] });
            if left.map_or(!more, <[String]>::is_empty) {
                return Ok(total);
            }
        }
    }

    /// Requests that workers with more jobs than the mean release some for a worker that joined. Returns whether the load is still uneven.
    pub(crate) async fn rebalance(&self, incarnation: &str) -> Result<bool> {
        let mut state = Vec::new();
        loop {
            let reply = self.call_idempotent(|s| &s.rebalance, |cmd| cmd.arg(incarnation).arg(&state[..])).await?;
            match reply::array(reply)?.as_slice() {
                [Value::BulkString(next), Value::Int(uneven)] if next.is_empty() => return Ok(*uneven == 1),
                [Value::BulkString(next), Value::Int(_)] => state.clone_from(next),
                _ => return Err(reply::unexpected("rebalance")),
            }
        }
    }

    /// Waits until earlier writes have the requested durability.
    pub(crate) async fn make_durable(&self, level: Durability) -> Result<()> {
        let limit = self.options.timeout;
        let not = |why: String| Error::new(ErrorKind::NotDurable, format!("the jobs were added, but {why}"));
        let mut link = self.line.link(limit).await.map_err(|failed| not(failed.error.message().to_owned()))?;
        let wait_ms = (limit.as_millis() as u64 / 2).max(1);
        let command = match level {
            Durability::Memory => return Ok(()),
            Durability::Replica => redis::cmd("WAIT").arg(1).arg(wait_ms).to_owned(),
            Durability::Fsync => redis::cmd("WAITAOF").arg(1).arg(0).arg(wait_ms).to_owned(),
        };
        let answer = tokio::time::timeout(limit, link.connection.send_packed_command(&command)).await;
        match (level, answer) {
            (Durability::Replica, Ok(Ok(Value::Int(1..)))) => Ok(()),
            (Durability::Replica, Ok(Ok(_))) => Err(not(format!("no replica confirmed them within {wait_ms} ms"))),
            (_, Ok(Ok(Value::Array(counts)))) if matches!(counts.first(), Some(Value::Int(1..))) => Ok(()),
            (_, Ok(Ok(Value::ServerError(_)) | Err(_))) if level == Durability::Fsync => {
                // Before Redis 7.2: with `appendfsync always`, data is on disk when Redis replies.
                let mut ask = redis::cmd("CONFIG");
                let ask = ask.arg("GET").arg("append*");
                let settings = tokio::time::timeout(limit, link.connection.send_packed_command(ask)).await;
                let settings: std::collections::HashMap<String, String> =
                    settings.ok().and_then(Result::ok).and_then(|value| redis::from_redis_value(value).ok()).unwrap_or_default();
                let is = |name: &str, value: &str| settings.get(name).is_some_and(|set| set == value);
                if is("appendonly", "yes") && is("appendfsync", "always") {
                    return Ok(());
                }
                Err(not("it is unknown whether Redis has written them to disk: use Redis 7.2 with appendonly, or `appendfsync always`".into()))
            }
            (_, Ok(Ok(_))) => Err(not(format!("Redis did not write them to disk within {wait_ms} ms; is `appendonly` on?"))),
            (_, Ok(Err(error))) => Err(not(error.to_string())),
            (_, Err(_)) => Err(not(format!("Redis did not answer within {}", Language::current().duration(limit)))),
        }
    }

    /// Calls a read-only script. It cannot repair damage that it finds, so another script does.
    async fn read(&self, script: fn(&Scripts) -> &Script, args: impl Fn(&mut Cmd) -> &mut Cmd) -> Result<Value> {
        let answer = self.call_idempotent(script, args).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::StoreCorrupt) {
            // The caller receives the first error.
            if let Err(failed) = self.call(|s| &s.repair, |cmd| cmd).await {
                tracing::warn!(kind = failed.error.kind().name(), "the damage could not be repaired: {}", failed.error);
            }
        }
        answer
    }

    /// Repeats a call without a second effect until it is answered, an error is permanent, or the time is over.
    async fn call_idempotent(&self, script: fn(&Scripts) -> &Script, args: impl Fn(&mut Cmd) -> &mut Cmd) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + self.options.timeout;
        let mut backoff = crate::util::reconnect::ReconnectDelay::new(self.longest_backoff());
        loop {
            let failed = match self.call(script, &args).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            let pause = backoff.next();
            if !failed.error.kind().is_retryable()
                || failed.error.kind() == ErrorKind::StoreFull
                || tokio::time::Instant::now() + pause > deadline
            {
                return Err(failed.error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub(crate) async fn call(
        &self,
        script: fn(&Scripts) -> &Script,
        args: impl Fn(&mut Cmd) -> &mut Cmd,
    ) -> Result<Value, Failed> {
        let limit = self.call_limit();
        let mut link = self.line.link(limit).await?;
        let scripts = link.scripts;
        #[cfg(test)]
        let scripts = self.scripts.unwrap_or(scripts);
        let script = script(scripts);
        let answered = tokio::time::timeout(limit, async {
            let keys = self.keys.fixed();
            let mut by_digest = redis::cmd("EVALSHA");
            args(by_digest.arg(script.digest()).arg(keys.len()).arg(keys));
            match link.connection.send_packed_command(&by_digest).await.and_then(Value::extract_error) {
                Err(e) if e.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript) => {
                    // This also loads the script. The source is sent, because the cache may be flushed again at any time.
                    let mut whole = redis::cmd("EVAL");
                    args(whole.arg(script.source()).arg(keys.len()).arg(keys));
                    link.connection.send_packed_command(&whole).await.and_then(Value::extract_error)
                }
                other => other,
            }
        });
        let failed = match answered.await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(e)) => Failed::redis(&self.options, Stage::Calling, script.name, &e),
            Err(_) => Failed::silent(&self.options.address, script.name, limit),
        };
        if failed.disconnect {
            self.line.drop_link(link.number);
        }
        Err(failed)
    }
}

/// A reply that could not be parsed: the call was executed, and the connection is intact.
fn internal(error: Error) -> Failed {
    Failed { maybe_executed: true, disconnect: false, ..Failed::unsent(error) }
}
