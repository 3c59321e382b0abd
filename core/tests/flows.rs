//! Flows: jobs that wait for others.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use libswarm::{
    ErrorKind, Event, Failure, FailureReason, Finish, FlowState, Input, InputOutcome, Job, JobState, Master, NewFlow, NewJob,
    OnFailure, Outcome, Payload, Worker,
};
use support::{Redis, next_job, pair, soon, until};
use tokio::runtime::Handle;

fn job(id: &str) -> NewJob {
    NewJob::json(id).unwrap().id(id)
}

fn after(id: &str, ids: &[&str]) -> NewJob {
    job(id).after(ids.iter().copied())
}

fn of(text: &str) -> Payload {
    Payload::json(text).unwrap()
}

async fn complete(job: &Job, result: &str) {
    soon("complete", job.complete(of(result))).await.unwrap();
}

fn completed(id: &str, result: &str) -> Input {
    Input { id: id.to_owned(), outcome: InputOutcome::Completed(Some(of(result))) }
}

async fn state(master: &Master, id: &str) -> Option<JobState> {
    master.job(id).await.unwrap().map(|job| job.state)
}

/// Waits until the job is in this state.
async fn until_state(master: &Master, id: &str, wanted: JobState) {
    soon(id, async { while state(master, id).await != Some(wanted) {} }).await;
}

async fn failure(master: &Master, id: &str) -> (FailureReason, String) {
    until_state(master, id, JobState::Failed).await;
    let failure = master.job(id).await.unwrap().unwrap().failure.unwrap();
    (failure.reason, failure.message)
}

/// No data of dependencies is left.
fn assert_clean(redis: &Redis) {
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    let left: Vec<&String> = keys
        .iter()
        .filter(|key| {
            let part = key.split_once(':').unwrap().1;
            let parts = ["waits", "uses", "outputs", "settling", "failed_nodes", "stages", "blocked"];
            parts.contains(&part) || part.starts_with("inputs:") || part.starts_with("after:") || part.starts_with("stage:")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_chain_runs_in_order_and_each_job_reads_the_result_before() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let added = soon("add", master.add_flow(NewFlow::chain([job("a"), job("b"), job("c").result(true)]).id("f"))).await.unwrap();
    assert_eq!((added.jobs.len(), added.existed, &*added.id), (3, false, "f"));
    assert_eq!((state(&master, "b").await, state(&master, "c").await), (Some(JobState::Blocked), Some(JobState::Blocked)));
    let a = next_job(&worker).await;
    assert_eq!((&*a.id, a.inputs().await.unwrap()), ("a", vec![]));
    complete(&a, "of a").await;
    let b = next_job(&worker).await;
    assert_eq!((&*b.id, b.inputs().await.unwrap()), ("b", vec![completed("a", "of a")]));
    complete(&b, "of b").await;
    let c = next_job(&worker).await;
    assert_eq!(c.inputs().await.unwrap(), [completed("b", "of b")]);
    complete(&c, "end").await;
    assert_eq!(soon("result", master.result("c")).await.unwrap(), Outcome::Completed(of("end")));
    let flow = master.flow("f").await.unwrap().unwrap();
    let shown: Vec<_> = flow.jobs.iter().map(|job| (&*job.id, job.state, job.after.join(","))).collect();
    let done = FlowState::Completed;
    assert_eq!(shown, [("a", done, String::new()), ("b", done, "a".into()), ("c", done, "b".into())]);
    assert_clean(&redis);
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn one_job_waits_for_all_of_many() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let parts = (0..1500).map(|number| NewJob::json(&number).unwrap());
    soon("add", master.add_flow(NewFlow::fan_in(parts, job("last")))).await.unwrap();
    let mut sum = 0;
    for _ in 0..1500 {
        let part = next_job(&worker).await;
        assert_ne!(part.id, "last");
        sum += part.json::<u64>().unwrap();
        worker.finish(part.fence, Finish::Complete(part.payload.clone()), None);
    }
    let last = next_job(&worker).await;
    let inputs = last.inputs().await.unwrap();
    let numbers = inputs.iter().map(|input| match &input.outcome {
        InputOutcome::Completed(Some(payload)) => payload.to::<u64>().unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!((last.id.as_str(), inputs.len(), numbers.sum::<u64>()), ("last", 1500, sum));
    complete(&last, "").await;
    until("clean", || redis.ask::<u64>(&["HLEN", "{test}:uses"]) == 0).await;
    assert_clean(&redis);
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_failure_fails_what_depends_on_it_unless_it_runs_or_ignores_it() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let jobs = [
        job("a"),
        job("ok"),
        after("b", &["a"]),
        after("c", &["b"]).result(true),
        after("run", &["a", "ok"]).on_failure(OnFailure::Run),
        after("ignore", &["a", "ok", "c"]).on_failure(OnFailure::Ignore),
    ];
    master.add_flow(NewFlow::new(jobs).id("f")).await.unwrap();
    let jobs: BTreeMap<String, Job> = [next_job(&worker).await, next_job(&worker).await].map(|job| (job.id.clone(), job)).into();
    jobs["a"].fail_permanently("broken").await.unwrap();
    assert_eq!(failure(&master, "b").await, (FailureReason::DependencyFailed, "the job `a`, which it waited for, failed".into()));
    assert_eq!(failure(&master, "c").await.1, "the job `b`, which it waited for, failed");
    let error = soon("result", master.result("c")).await.unwrap().into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyFailed);
    complete(&jobs["ok"], "fine").await;
    let jobs: BTreeMap<String, Job> = [next_job(&worker).await, next_job(&worker).await].map(|job| (job.id.clone(), job)).into();
    let failed = Failure { reason: FailureReason::Failed, message: "broken".into() };
    let inputs = jobs["run"].inputs().await.unwrap();
    assert_eq!(inputs, [Input { id: "a".into(), outcome: InputOutcome::Failed(failed) }, completed("ok", "fine")]);
    assert_eq!(jobs["ignore"].inputs().await.unwrap(), [completed("ok", "fine")]);
    complete(&jobs["run"], "").await;
    complete(&jobs["ignore"], "").await;
    let states: Vec<_> = master.flow("f").await.unwrap().unwrap().jobs.into_iter().map(|job| (job.id, job.state)).collect();
    let expected = [("a", FlowState::Failed), ("b", FlowState::Failed), ("c", FlowState::Failed)];
    let expected = expected.into_iter().chain(["ignore", "ok", "run"].map(|id| (id, FlowState::Completed)));
    assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state)).collect::<Vec<_>>());
    // Failed jobs keep their inputs, in case that they are retried.
    master.delete_failed(None).await.unwrap();
    assert_clean(&redis);
}

#[tokio::test]
async fn jobs_wait_for_jobs_in_any_state() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add(job("done").result(true)).await.unwrap();
    complete(&next_job(&worker).await, "old").await;
    master.add(job("active")).await.unwrap();
    let active = next_job(&worker).await;
    master.pause(None).await.unwrap();
    master.add(job("waiting")).await.unwrap();
    master.add(job("resource").resource("r").result(true)).await.unwrap();
    let ids = ["done", "active", "waiting", "resource"];
    let added = master.add_many(vec![after("b", &ids), after("c", &["active"])]).await.unwrap();
    assert!(!added[0].existed && added[1].id == "c");
    assert!(master.add(after("b", &["done"])).await.unwrap().existed, "a job that exists is left unchanged");
    active.progress(&1).unwrap();
    complete(&active, "not kept").await;
    master.resume(None).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let job = next_job(&worker).await;
        if job.id == "c" {
            let input = &job.inputs().await.unwrap()[0];
            assert_eq!(input.outcome, InputOutcome::Completed(None), "it was assigned before a job waited for it");
        }
        complete(&job, &format!("of {}", job.id)).await;
        seen.push(job.id.clone());
    }
    seen.sort();
    assert_eq!(seen, ["c", "resource", "waiting"]);
    let b = next_job(&worker).await;
    let active = Input { id: "active".into(), outcome: InputOutcome::Completed(None) };
    let expected = [active, completed("done", "old"), completed("resource", "of resource"), completed("waiting", "of waiting")];
    assert_eq!(b.inputs().await.unwrap(), expected);
    complete(&b, "").await;
    assert_clean(&redis);
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.damaged, stats.completed, stats.waiting, stats.active), (0, 6, 0, 0));
}

#[tokio::test]
async fn jobs_after_finished_ones_start_or_fail_at_once() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add(job("failed")).await.unwrap();
    next_job(&worker).await.fail("no").await.unwrap();
    master.add(job("done").result(true)).await.unwrap();
    complete(&next_job(&worker).await, "yes").await;
    master.add(after("now", &["done"])).await.unwrap();
    complete(&next_job(&worker).await, "").await;
    master.add(after("never", &["done", "failed"])).await.unwrap();
    assert_eq!(failure(&master, "never").await.0, FailureReason::DependencyFailed);
    master.add(after("anyway", &["failed"]).on_failure(OnFailure::Run)).await.unwrap();
    assert_eq!(next_job(&worker).await.id, "anyway");
}

#[tokio::test]
async fn bad_graphs_are_refused_and_change_nothing() {
    let redis = Redis::start();
    let (master, _worker) = pair(&redis).await;
    let refused = async |jobs: Vec<NewJob>, kind: ErrorKind, text: &str| {
        for error in [
            master.add_flow(NewFlow::new(jobs.clone()).id("f")).await.unwrap_err(),
            master.add_many(jobs.clone()).await.unwrap_err(),
        ] {
            assert!(error.kind() == kind && error.message().contains(text), "{error}");
        }
    };
    let invalid = ErrorKind::InvalidArgument;
    refused(vec![job("a"), after("b", &["a", "nobody"])], invalid, "after of job `b` has `nobody`, which is unknown").await;
    refused(vec![after("a", &["b"]), after("b", &["a"])], invalid, "in a cycle").await;
    refused(vec![job("x"), after("a", &["a"])], invalid, "waits for itself").await;
    refused(vec![job("a"), after("b", &["a"]).unique("s")], invalid, "after and unique exclude each other").await;
    refused(vec![job("a"), after("b", &["a"]).ephemeral(true)], invalid, "cannot be ephemeral").await;
    refused(vec![job("a"), after("b", &["a\n"])], invalid, "after: job id has a control character").await;
    refused(vec![job("a"), after("b", &[&"x".repeat(257)])], ErrorKind::TooLarge, "257 bytes").await;
    let many: Vec<NewJob> = (0..10_001).map(|_| NewJob::bytes("")).collect();
    let error = master.add_flow(NewFlow::new(many)).await.unwrap_err();
    assert!(error.message().contains("10,001 jobs, the limit is 10,000"), "{error}");
    assert!(master.add_flow(NewFlow::new([])).await.unwrap_err().message().contains("no jobs"));
    assert_eq!(master.add_flow(NewFlow::new([job("a")]).id("x".repeat(201))).await.unwrap_err().kind(), ErrorKind::TooLarge);
    let ids = (0..1001).map(|number| number.to_string());
    let error = master.add(job("a").after(ids)).await.unwrap_err();
    assert!(error.message().contains("1,001 ids, the limit is 1,000; a flow may have more"), "{error}");
    let mut job = NewJob::bytes("");
    let error = job.set("on_failure", "stop").unwrap_err();
    assert_eq!(error.message(), "on_failure is `stop`, it must be fail or run or ignore");
    assert!(job.set("afer", "x").unwrap_err().message().contains("`after`"));
    assert_eq!(master.stats().await.unwrap().added, 0);
    assert!(master.flow("f").await.unwrap().is_none());
    assert_clean(&redis);
}

#[tokio::test]
async fn unknown_ids_of_a_large_flow_remove_its_parts() {
    let redis = Redis::start();
    let (master, _worker) = pair(&redis).await;
    master.pause(None).await.unwrap();
    master.add(job("known")).await.unwrap();
    let jobs = (0..300).map(|number| NewJob::json(&number).unwrap().after(["known"])).chain([after("x", &["unknown"])]);
    let error = master.add_flow(NewFlow::new(jobs)).await.unwrap_err();
    assert!(error.message().contains("`unknown`"), "{error}");
    assert_eq!(master.stats().await.unwrap().added, 1);
    assert_clean(&redis);
}

#[tokio::test]
async fn every_outcome_of_a_dependency_settles_its_edge() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.pause(None).await.unwrap();
    let ms = Duration::from_millis;
    let run = |id: &str, on: &str| after(id, &[on]).on_failure(OnFailure::Run).task("later");
    let jobs = [
        job("deleted"),
        job("late").assign_timeout(ms(20)),
        job("total").total_timeout(ms(20)),
        run("a", "deleted"),
        run("b", "late"),
        run("c", "total"),
        after("d", &["deleted"]),
    ];
    master.add_flow(NewFlow::new(jobs).id("f")).await.unwrap();
    assert!(master.delete("deleted").await.unwrap());
    assert_eq!(failure(&master, "d").await.1, "the job `deleted`, which it waited for, was deleted");
    for id in ["a", "b", "c"] {
        until_state(&master, id, JobState::Waiting).await;
    }
    // A dependent that was deleted does not start, and one that is added again is not mistaken for it.
    master.add_flow(NewFlow::new([job("first"), after("second", &["first"])])).await.unwrap();
    assert!(master.delete("second").await.unwrap());
    master.add_flow(NewFlow::new([job("other"), after("second", &["other"])])).await.unwrap();
    master.resume(None).await.unwrap();
    let jobs: BTreeMap<String, Job> = [next_job(&worker).await, next_job(&worker).await].map(|job| (job.id.clone(), job)).into();
    complete(&jobs["first"], "").await;
    assert_eq!(state(&master, "second").await, Some(JobState::Blocked));
    complete(&jobs["other"], "").await;
    assert_eq!(next_job(&worker).await.id, "second");
}

#[tokio::test]
async fn the_rest_of_a_flow_is_deleted_if_the_option_asks_for_it() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let parts = (0..120).map(|number| NewJob::json(&number).unwrap());
    let flow = NewFlow::fan_in(parts, job("last").on_failure(OnFailure::Run).result(true)).id("f").cancel_rest(true);
    master.add_flow(flow).await.unwrap();
    let first = next_job(&worker).await;
    complete(&first, "").await;
    let second = next_job(&worker).await;
    let last = tokio::spawn({
        let master = master.clone();
        async move { master.result("last").await }
    });
    until("the wait", || redis.ask::<u64>(&["HLEN", "{test}:waiters"]) > 0).await;
    second.fail_permanently("no").await.unwrap();
    let error = soon("the last", last).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::JobDeleted);
    soon("all finished", async {
        loop {
            let flow = master.flow("f").await.unwrap().unwrap();
            let count = |state| flow.jobs.iter().filter(|job| job.state == state).count();
            if count(FlowState::Deleted) == 119 {
                assert_eq!((count(FlowState::Completed), count(FlowState::Failed), flow.cancel_rest), (1, 1, true));
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_flow_with_the_id_of_another_and_jobs_that_exist_change_nothing() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.pause(None).await.unwrap();
    master.add(job("old").priority(5)).await.unwrap();
    master.add(after("old2", &["old"])).await.unwrap();
    let flow = || NewFlow::new([job("old"), job("old2"), after("new", &["old", "old2"])]).id("f");
    let added = master.add_flow(flow()).await.unwrap();
    let existed: Vec<bool> = added.jobs.iter().map(|job| job.existed).collect();
    assert_eq!((added.existed, existed), (false, vec![true, true, false]));
    assert!(master.add_flow(flow()).await.unwrap().existed);
    assert_eq!(master.flow("new").await.unwrap().unwrap().id, "f");
    master.resume(None).await.unwrap();
    for id in ["old", "old2", "new"] {
        let job = next_job(&worker).await;
        assert_eq!((&*job.id, job.priority()), (id, if id == "old" { 5 } else { 0 }));
        complete(&job, id).await;
    }
    assert_clean(&redis);
}

#[tokio::test]
async fn a_delay_begins_when_the_dependencies_have_finished() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let jobs = [job("a"), after("b", &["a"]).delay(Duration::from_millis(400)).assign_timeout(Duration::from_secs(10))];
    master.add_flow(NewFlow::new(jobs)).await.unwrap();
    let a = next_job(&worker).await;
    let finished = Instant::now();
    complete(&a, "").await;
    assert_eq!(state(&master, "b").await, Some(JobState::Delayed));
    let b = next_job(&worker).await;
    assert!(finished.elapsed() >= Duration::from_millis(400));
    complete(&b, "").await;
}

#[tokio::test]
async fn retried_jobs_wait_again_for_those_that_are_retried_too() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add_flow(NewFlow::chain([job("a"), job("b"), job("c")]).id("f")).await.unwrap();
    next_job(&worker).await.fail("no").await.unwrap();
    failure(&master, "c").await;
    assert_eq!(master.retry_failed(None).await.unwrap(), 3);
    assert_eq!((state(&master, "b").await, state(&master, "c").await), (Some(JobState::Blocked), Some(JobState::Blocked)));
    let a = next_job(&worker).await;
    complete(&a, "now").await;
    let b = next_job(&worker).await;
    assert_eq!(b.inputs().await.unwrap(), [completed("a", "now")]);
    b.fail("later").await.unwrap();
    failure(&master, "c").await;
    assert_eq!(master.retry_failed(Some(&["b".to_owned()])).await.unwrap(), 1);
    let b = next_job(&worker).await;
    assert_eq!(b.inputs().await.unwrap(), [completed("a", "now")], "the inputs of a failed job are kept");
    complete(&b, "fixed").await;
    assert_eq!(state(&master, "c").await, Some(JobState::Failed));
    assert_eq!(master.retry_failed(Some(&["c".to_owned()])).await.unwrap(), 1);
    let c = next_job(&worker).await;
    complete(&c, "").await;
    assert!(master.flow("f").await.unwrap().unwrap().jobs.iter().all(|job| job.state == FlowState::Completed));
    assert_clean(&redis);
}

#[tokio::test]
async fn a_dependency_that_is_lost_counts_as_failed() {
    let redis = Redis::start();
    let (master, _worker) = pair(&redis).await;
    master.pause(None).await.unwrap();
    let flow = [job("a"), after("b", &["a"]), job("x"), job("w"), after("y", &["x", "w"]), after("z", &["w"])];
    master.add_flow(NewFlow::new(flow)).await.unwrap();
    let _: u64 = redis.ask(&["HDEL", "{test}:jobs", "a"]);
    let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
    assert_eq!(failure(&master, "b").await.0, FailureReason::DependencyFailed);
    // Lost dependents are restored: first all lists, then what is known of `w`.
    let lists: Vec<String> = redis.ask(&["KEYS", "*after:*"]);
    for list in &lists {
        let _: u64 = redis.ask(&["DEL", list]);
    }
    let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
    until("the list", || !redis.ask::<Vec<String>>(&["KEYS", "*after:*"]).is_empty()).await;
    assert!(master.delete("x").await.unwrap());
    assert_eq!(failure(&master, "y").await.1, "the job `x`, which it waited for, was deleted");
    let _: u64 = redis.ask(&["DEL", "{test}:uses"]);
    let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
    until("the dependents", || redis.ask::<u64>(&["EXISTS", "{test}:uses"]) == 1).await;
    assert!(master.delete("w").await.unwrap());
    assert_eq!(failure(&master, "z").await.1, "the job `w`, which it waited for, was deleted");
}

/// More pages of the sweep than these few jobs have.
async fn sweep_all(redis: &Redis) {
    let swept = || redis.ask::<Option<u64>>(&["HGET", "{test}:meta", "swept"]);
    for _ in 0..4 {
        let before = swept();
        let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
        until("a sweep", || swept() != before).await;
    }
}

#[tokio::test]
async fn a_retried_job_waits_for_those_that_run_whatever_became_of_the_others() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add_flow(NewFlow::new([job("a"), job("b"), after("c", &["a", "b"])])).await.unwrap();
    let (a, b) = (next_job(&worker).await, next_job(&worker).await);
    a.fail_permanently("no").await.unwrap();
    assert_eq!(failure(&master, "c").await.1, "the job `a`, which it waited for, failed");
    assert_eq!(master.retry_failed(Some(&["c".into()])).await.unwrap(), 1);
    sweep_all(&redis).await;
    assert_eq!((state(&master, "c").await, master.stats().await.unwrap().damaged), (Some(JobState::Blocked), 0));
    complete(&b, "").await;
    let c = next_job(&worker).await;
    assert_eq!(c.id.as_str(), "c");
    complete(&c, "").await;
    master.delete_failed(None).await.unwrap();
    soon("the end", async { while !event_is_idle(&master).await {} }).await;
    assert_clean(&redis);
}

#[tokio::test]
async fn jobs_of_a_flow_wait_for_one_that_existed() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add(job("a")).await.unwrap();
    let a = next_job(&worker).await;
    // Now it has a node, and gets another one in the flow.
    master.add(after("x", &["a"])).await.unwrap();
    master.add_flow(NewFlow::new([job("a"), job("b"), after("c", &["a", "b"]), after("d", &["a"])])).await.unwrap();
    let b = next_job(&worker).await;
    sweep_all(&redis).await;
    for id in ["x", "c", "d"] {
        assert_eq!((state(&master, id).await, master.stats().await.unwrap().damaged), (Some(JobState::Blocked), 0));
    }
    complete(&a, "").await;
    complete(&b, "").await;
    for _ in ["x", "c", "d"] {
        complete(&next_job(&worker).await, "").await;
    }
    soon("the end", async { while !event_is_idle(&master).await {} }).await;
    assert_clean(&redis);
}

#[tokio::test]
async fn a_job_after_others_may_wait_for_its_resource_then() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add_flow(NewFlow::new([job("a").resource("r"), job("b"), after("c", &["b"]).resource("r")])).await.unwrap();
    let (a, b) = (next_job(&worker).await, next_job(&worker).await);
    complete(&b, "").await;
    until_state(&master, "c", JobState::Blocked).await;
    sweep_all(&redis).await;
    assert_eq!(state(&master, "c").await, Some(JobState::Blocked));
    complete(&a, "").await;
    let c = next_job(&worker).await;
    assert_eq!((c.id.as_str(), master.stats().await.unwrap().damaged), ("c", 0));
    complete(&c, "").await;
    soon("the end", async { while !event_is_idle(&master).await {} }).await;
    assert_clean(&redis);
}

#[tokio::test]
async fn the_parts_of_a_lost_producer_are_removed() {
    let redis = Redis::start();
    let (master, _worker) = pair(&redis).await;
    let _: u64 = redis.ask(&["HSET", "{test}:stages", "n", ""]);
    let _: u64 = redis.ask(&["HSET", "{test}:stage:n", "0", "x"]);
    let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "G:n"]);
    until("removed", || redis.ask::<u64>(&["EXISTS", "{test}:stage:n", "{test}:stages"]) == 0).await;
    assert_eq!(master.stats().await.unwrap().damaged, 0);
    master.obliterate().await.unwrap();
}

#[tokio::test]
async fn obliterating_removes_flows() {
    let redis = Redis::start();
    let (master, _worker) = pair(&redis).await;
    master.pause(None).await.unwrap();
    let parts = (0..300).map(|number| NewJob::json(&number).unwrap());
    master.add_flow(NewFlow::fan_in(parts, job("last"))).await.unwrap();
    master.obliterate().await.unwrap();
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert!(keys.iter().all(|key| !key.contains("after") && !key.contains("inputs") && !key.contains("flow")), "{keys:?}");
}

/// A source of numbers; the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Random graphs whose jobs end in random ways, on workers that are killed now and then: all jobs end.
async fn random_graph(seed: u64, size: usize) {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let mut dice = Dice(seed);
    let names: Vec<String> = (0..size).map(|number| format!("j{number}")).collect();
    let mut jobs = Vec::new();
    for number in 0..size {
        let mut new = NewJob::json(&dice.below(20)).unwrap().id(&names[number]).retries(dice.below(2) as u32);
        if number > 0 {
            new = new.after((0..dice.below(4)).map(|_| names[dice.below(number)].clone()).collect::<Vec<_>>());
        }
        let on_failure = [OnFailure::Fail, OnFailure::Run, OnFailure::Ignore][dice.below(3)];
        jobs.push(new.on_failure(on_failure));
    }
    let half = jobs.split_off(size / 2);
    soon("add", master.add_flow(NewFlow::new(jobs).id("f"))).await.unwrap();
    let mut workers: HashMap<usize, Worker> = HashMap::new();
    for number in 0..3 {
        let worker = Worker::start(redis.options(), &Handle::current()).unwrap();
        worker.ready().await.unwrap();
        workers.insert(number, worker);
    }
    // The second half waits for jobs of the first that are in any state, or over.
    for rest in half.chunks(50) {
        if let Err(error) = master.add_many(rest.to_vec()).await {
            assert!(error.message().contains("which is unknown"), "{error}");
        }
    }
    // Another flow has some of them, which may have finished, and jobs that wait for these.
    let mut shared: Vec<String> = (0..20).map(|number| names[number * (size / 20) + dice.below(size / 20)].clone()).collect();
    let mut jobs: Vec<NewJob> = shared.iter().map(|id| job(id)).collect();
    for number in 0..size / 10 {
        let after: Vec<String> = (0..1 + dice.below(3)).map(|_| shared[dice.below(shared.len())].clone()).collect();
        let id = format!("g{number}");
        jobs.push(job(&id).after(after));
        shared.push(id);
    }
    soon("add", master.add_flow(NewFlow::new(jobs).id("g"))).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut retries = 10;
    loop {
        if dice.below(4) == 0 {
            // Another page of the sweep, which must find nothing to repair.
            let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
        }
        let number = dice.below(3);
        let event = tokio::time::timeout(Duration::from_millis(5), workers[&number].next()).await;
        if let Ok(Some(Event::Add(job))) = event {
            let finish = match dice.below(20) {
                0 => Finish::Fail("failed".into()),
                1 => Finish::FailPermanently("failed".into()),
                2 => Finish::Release,
                3 => {
                    drop(master.delete(names[dice.below(size)].clone()).await);
                    Finish::Complete(of("x"))
                }
                // It is killed with its jobs.
                4 if dice.below(3) == 0 => {
                    let incarnation = workers[&number].incarnation().unwrap();
                    master.end_lease(&incarnation).await.unwrap();
                    continue;
                }
                5 if retries > 0 => {
                    retries -= 1;
                    master.retry_failed(None).await.unwrap();
                    Finish::Complete(of("x"))
                }
                _ => Finish::Complete(job.payload.clone()),
            };
            workers[&number].finish(job.fence, finish, None);
        }
        if event_is_idle(&master).await {
            break;
        }
        assert!(Instant::now() < deadline, "jobs are left: {:?}", master.jobs(JobState::Blocked, None, 10).await.unwrap());
    }
    for (id, number) in [("f", size / 2), ("g", shared.len())] {
        let flow = master.flow(id).await.unwrap().unwrap();
        let finished = [FlowState::Completed, FlowState::Failed, FlowState::Deleted];
        let left: Vec<_> = flow.jobs.iter().filter(|job| !finished.contains(&job.state)).collect();
        assert!(left.is_empty() && flow.jobs.len() == number, "{id} {left:?}");
    }
    master.delete_failed(None).await.unwrap();
    until("clean", || redis.ask::<u64>(&["EXISTS", "{test}:settling"]) == 0).await;
    assert_clean(&redis);
    let damage: Vec<String> = redis.ask(&["HGETALL", "{test}:damaged"]);
    assert_eq!(master.stats().await.unwrap().damaged, 0, "seed {seed}: {damage:?}");
}

async fn event_is_idle(master: &Master) -> bool {
    let stats = master.stats().await.unwrap();
    stats.waiting + stats.active + stats.delayed + stats.blocked + stats.deleting == 0
}

#[tokio::test]
async fn all_jobs_of_random_graphs_finish() {
    for seed in [1, 2, 29] {
        random_graph(seed, 300).await;
    }
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn all_jobs_of_large_random_graphs_finish() {
    for seed in 10..15 {
        random_graph(seed, 2000).await;
    }
}

/// A job waits for 9,999 others, which all end in the same way.
async fn large_fan_in(fail: bool) {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let parts = (0..9_999).map(|number| NewJob::json(&number).unwrap());
    master.add_flow(NewFlow::fan_in(parts, job("last").result(true))).await.unwrap();
    let working = tokio::spawn(async move {
        while let Some(event) = worker.next().await {
            if let Event::Add(job) = event {
                let finish = if fail { Finish::FailPermanently("no".into()) } else { Finish::Complete(job.payload.clone()) };
                worker.finish(job.fence, finish, None);
            }
        }
    });
    let outcome = tokio::time::timeout(Duration::from_secs(120), master.result("last")).await.unwrap().unwrap();
    assert_eq!(matches!(outcome, Outcome::Failed(_)), fail);
    working.abort();
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_job_waits_for_nearly_10_000_others() {
    large_fan_in(false).await;
    large_fan_in(true).await;
}
