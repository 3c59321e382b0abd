//! Transitions of jobs that a master follows.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use libswarm::{
    Backoff, ErrorKind, Event, EventsOptions, JobEvent, JobEventKind, JobEvents, JobState, Limit, Master, NewFlow, NewJob,
    OnConflict, Payload, Schedule, Timing, Unique, Worker,
};
use support::{Redis, master, next_job, pair, soon, until_counts, worker};

use JobEventKind::{
    Added, Assigned, Blocked, Completed, Delayed, Deleted, Failed, Missed, Progress, Released, Replaced, Retrying, ScheduleFired,
    Waiting,
};

const MS: Duration = Duration::from_millis(1);

async fn follow(master: &Master) -> JobEvents {
    master.events(EventsOptions::default()).await.unwrap()
}

async fn follow_after(master: &Master, position: &str) -> JobEvents {
    master.events(EventsOptions::default().after(position)).await.unwrap()
}

async fn next(events: &mut JobEvents) -> JobEvent {
    soon("an event", events.next()).await.expect("the end").unwrap()
}

/// The next events, as many as kinds, each of its kind.
async fn expect(events: &mut JobEvents, kinds: &[JobEventKind]) -> Vec<JobEvent> {
    let mut found = Vec::new();
    for kind in kinds {
        let event = next(events).await;
        assert_eq!(event.kind, *kind, "{event:?} after {found:#?}");
        found.push(event);
    }
    found
}

fn job(id: &str) -> NewJob {
    NewJob::bytes("").id(id)
}

/// The next job, completed.
async fn complete(worker: &Worker) -> String {
    let job = next_job(worker).await;
    job.complete(Payload::default()).await.unwrap();
    job.id.clone()
}

fn length(redis: &Redis) -> u64 {
    redis.ask(&["XLEN", "{test}:events"])
}

#[tokio::test]
async fn a_follower_receives_the_transitions_of_each_job() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let mut events = follow(&master).await;
    let before = SystemTime::now() - 5 * MS;
    master.add(job("a").task("").header("x", "y")).await.unwrap();
    complete(&worker).await;
    let found = expect(&mut events, &[Added, Assigned, Completed]).await;
    assert!(found.iter().all(|event| event.id == "a" && event.time > before && event.time < SystemTime::now() + 5 * MS));
    assert!(found[0].worker.is_empty() && found[0].fence.is_none());
    assert_eq!(Some(&found[1].worker), worker.incarnation().as_ref());
    assert_eq!((&found[1].worker, found[1].fence), (&found[2].worker, found[2].fence));

    // Retries, with progress before.
    let backoff = Backoff { delay: 20 * MS, ..Backoff::default() };
    master.add(job("b").retries(1).backoff(backoff)).await.unwrap();
    let first = next_job(&worker).await;
    first.progress(&[1, 2]).unwrap();
    first.fail("no").await.unwrap();
    next_job(&worker).await.fail("no again").await.unwrap();
    let found = expect(&mut events, &[Added, Assigned, Progress, Retrying, Waiting, Assigned, Failed]).await;
    assert_eq!((&*found[2].text, found[2].fence), ("[1,2]", Some(first.fence)));
    assert_eq!((&*found[3].reason, &*found[3].text, found[3].fence), ("failed", "no", Some(first.fence)));
    assert!(found[3].due_at.unwrap() > found[3].time, "{:?}", found[3]);
    assert_eq!((&*found[6].reason, &*found[6].text, &found[6].worker), ("failed", "no again", &found[5].worker));

    // A failed job that is retried on request, released, and deleted.
    assert_eq!(master.retry_failed(Some(&["b".into()])).await.unwrap(), 1);
    next_job(&worker).await.release().await.unwrap();
    let active = next_job(&worker).await;
    assert!(master.delete("b").await.unwrap());
    let found = expect(&mut events, &[Retrying, Assigned, Released, Assigned, Deleted]).await;
    assert_eq!((&*found[0].reason, found[0].due_at), ("", None));
    assert_eq!(found[2].reason, "");
    active.stopped().await.unwrap();

    // Delays, and deletions of failed jobs.
    master.add(job("c").delay(Duration::from_secs(3600))).await.unwrap();
    assert!(expect(&mut events, &[Added, Delayed]).await[1].due_at.unwrap() > SystemTime::now() + Duration::from_secs(3500));
    assert!(master.delete("c").await.unwrap());
    master.add(job("d")).await.unwrap();
    next_job(&worker).await.fail_permanently("x".repeat(300)).await.unwrap();
    assert_eq!(master.delete_failed(None).await.unwrap(), 1);
    let found = expect(&mut events, &[Deleted, Added, Assigned, Failed, Deleted]).await;
    assert_eq!((found[3].text.len(), &*found[4].id), (libswarm::MAX_EVENT_TEXT, "d"));
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn the_cause_of_a_blocked_job_is_named() {
    let redis = Redis::start();
    let worker = worker(&redis, &[("slots", "10"), ("task", ""), ("task", "t")]).await;
    let master = master(&redis);
    let mut events = follow(&master).await;
    master.add_many(vec![job("a").resource("r"), job("b").resource("r")]).await.unwrap();
    let found = expect(&mut events, &[Added, Added, Blocked, Assigned]).await;
    assert_eq!((&*found[2].id, &*found[2].reason, &*found[2].name), ("b", "resource", "r"));
    complete(&worker).await;
    complete(&worker).await;
    expect(&mut events, &[Completed, Waiting, Assigned, Completed]).await;

    master.limit("api", Limit::concurrent(1)).await.unwrap();
    master.add_many(vec![job("c").limit("api").task("t"), job("d").limit("api").task("t")]).await.unwrap();
    let found = expect(&mut events, &[Added, Added, Blocked, Assigned]).await;
    assert_eq!((&*found[0].task, &*found[2].id, &*found[2].reason, &*found[2].name), ("t", "d", "limit", "api"));
    complete(&worker).await;
    complete(&worker).await;
    expect(&mut events, &[Completed, Waiting, Assigned, Completed]).await;

    let unique = |how| Unique { on_conflict: how, ..Unique::from("key") };
    master.add(job("e").unique("key")).await.unwrap();
    master.add(job("f").unique(unique(OnConflict::Attach))).await.unwrap();
    let found = expect(&mut events, &[Added, Assigned, Added, Blocked]).await;
    assert_eq!((&*found[3].id, &*found[3].reason, &*found[3].name), ("f", "unique", "key"));
    complete(&worker).await;
    let found = expect(&mut events, &[Completed, Completed]).await;
    assert_eq!((&*found[1].id, &*found[1].worker), ("f", ""));
    let late = || job("g").unique(unique(OnConflict::Replace)).delay(Duration::from_secs(60));
    master.add(late()).await.unwrap();
    master.add(late().id("h")).await.unwrap();
    let found = expect(&mut events, &[Added, Delayed, Replaced, Delayed]).await;
    assert!(found.iter().all(|event| event.id == "g"));

    let flow = NewFlow::chain([job("i"), job("j")]);
    master.add_flow(flow).await.unwrap();
    // The jobs that wait for others are stored first.
    let found = expect(&mut events, &[Added, Added]).await;
    let mut rest = [next(&mut events).await, next(&mut events).await];
    rest.sort_by_key(|event| event.kind.name());
    assert_eq!((rest[0].kind, rest[1].kind, &*rest[1].reason, &*rest[1].id), (Assigned, Blocked, "jobs", "j"), "{found:?}");
    complete(&worker).await;
    complete(&worker).await;
    expect(&mut events, &[Completed, Waiting, Assigned, Completed]).await;
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn schedules_timeouts_and_lost_workers_are_seen() {
    let redis = Redis::start();
    let (master, mut events) = {
        let master = master(&redis);
        let events = follow(&master).await;
        (master, events)
    };
    master.schedule("s", Schedule::new(Timing::Every(Duration::from_secs(3600))), NewJob::bytes("")).await.unwrap();
    let id = master.run_schedule("s").await.unwrap().unwrap();
    let found = expect(&mut events, &[ScheduleFired, Added]).await;
    assert_eq!((&*found[0].id, &*found[0].name, &found[1].id), (&*id, "s", &id));
    assert!(master.delete(&id).await.unwrap());
    expect(&mut events, &[Deleted]).await;

    master.add(job("a").assign_timeout(10 * MS)).await.unwrap();
    let found = expect(&mut events, &[Added, Failed]).await;
    assert_eq!((&*found[1].reason, found[1].text.contains("10 ms")), ("assign_timeout", true));

    let lost = worker(&redis, &[]).await;
    master.add(job("b")).await.unwrap();
    next_job(&lost).await;
    master.end_lease(&lost.incarnation().unwrap()).await.unwrap();
    let found = expect(&mut events, &[Added, Assigned, Released]).await;
    assert_eq!((&*found[2].reason, found[2].fence), ("crashed", found[1].fence));
}

#[tokio::test]
async fn a_follower_that_comes_again_continues_where_it_was() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    assert_eq!(length(&redis), 0);
    master.add(job("before")).await.unwrap();
    complete(&worker).await;
    assert_eq!(length(&redis), 0, "nothing is recorded before somebody follows");
    let mut events = follow(&master).await;
    let jobs = (0..1000).map(|number| job(&number.to_string())).collect();
    master.add_many(jobs).await.unwrap();
    let mut positions = Vec::new();
    for number in 0..1000 {
        let event = next(&mut events).await;
        if event.kind == Added {
            assert_eq!(event.id, positions.len().to_string(), "after {number}");
            positions.push(event.position);
        }
    }
    drop(events);
    // Each position continues behind its event, also inside of an entry.
    for at in [0, 1, 98, 99, 100, 101, 555] {
        let mut again = follow_after(&master, &positions[at]).await;
        assert_eq!(next(&mut again).await.id, (at + 1).to_string());
    }
    let mut all = follow_after(&master, "0").await;
    assert_eq!(next(&mut all).await.position, positions[0]);
    for wrong in ["", "x", "-", "1", "1-", "-1-1", "1-x", "+1-1"] {
        let error = master.events(EventsOptions::default().after(wrong)).await.unwrap_err();
        assert_eq!((error.kind(), error.message().contains("after")), (ErrorKind::InvalidArgument, true), "{wrong}: {error}");
    }
    master.close().await.unwrap();
    soon("the end", async { while all.next().await.is_some() {} }).await;
    assert_eq!(master.events(EventsOptions::default()).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn events_that_are_not_kept_are_reported_as_missed() {
    let redis = Redis::start();
    let worker = worker(&redis, &[("events_max", "150"), ("events", "always")]).await;
    let master = master(&redis);
    master.add(job("first")).await.unwrap();
    assert!(length(&redis) > 0, "recorded always");
    let position = {
        let mut events = follow_after(&master, "0").await;
        next(&mut events).await.position
    };
    for from in [0, 300] {
        master.add_many((from..from + 300).map(|number| job(&number.to_string())).collect()).await.unwrap();
    }
    let mut events = follow_after(&master, &position).await;
    let missed = next(&mut events).await;
    assert_eq!((missed.kind, &*missed.id), (Missed, ""));
    let first = next(&mut events).await;
    let mut kept = 1;
    while tokio::time::timeout(200 * MS, events.next()).await.is_ok() {
        kept += 1;
    }
    assert!((150..250).contains(&kept), "{kept}");
    // What stands for the missing events is a position, too.
    assert_eq!(next(&mut follow_after(&master, &missed.position).await).await, first);
    assert_eq!(next(&mut follow_after(&master, "0").await).await, first);
    drop(worker);
}

#[tokio::test]
async fn a_follower_that_takes_no_events_is_sent_few() {
    let redis = Redis::start();
    let _worker = worker(&redis, &[("events_max", "100"), ("task", "none")]).await;
    let master = master(&redis);
    let mut events = follow(&master).await;
    for part in 0..10 {
        master.add_many((0..1000).map(|number| job(&format!("{part}-{number}"))).collect()).await.unwrap();
    }
    let mut found = Vec::new();
    while found.last() != Some(&"9-999".to_owned()) {
        let event = next(&mut events).await;
        found.push(if event.kind == Missed { "missed".into() } else { event.id });
    }
    assert!(found.contains(&"missed".into()) && found.len() < 3000, "{}", found.len());
}

#[tokio::test]
async fn permanent_recording_stops_when_a_member_turns_it_off() {
    let redis = Redis::start();
    let recording = || redis.ask::<Option<String>>(&["HGET", "{test}:meta", "recording"]);
    let _plain = worker(&redis, &[]).await;
    assert_eq!(recording(), None);
    let _always = worker(&redis, &[("events", "always"), ("events_max", "1000")]).await;
    assert_eq!(recording().as_deref(), Some("always"));
    let _plain = worker(&redis, &[]).await;
    let master = master(&redis);
    let mut events = follow(&master).await;
    assert_eq!(recording().as_deref(), Some("always"));
    let _follow = worker(&redis, &[("events", "follow")]).await;
    assert!(recording().unwrap().parse::<u64>().is_ok());
    // Those who follow notice nothing.
    master.add(job("a").task("nobody")).await.unwrap();
    expect(&mut events, &[Added]).await;
}

#[tokio::test]
async fn a_gap_in_the_recording_and_lost_data_are_reported_at_once() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let mut events = follow(&master).await;
    master.add(job("a")).await.unwrap();
    complete(&worker).await;
    let position = expect(&mut events, &[Added, Assigned, Completed]).await.pop().unwrap().position;
    drop(events);
    // As if there had been no follower for long.
    let _: u64 = redis.ask(&["HSET", "{test}:meta", "recording", "1"]);
    master.add(job("unseen")).await.unwrap();
    complete(&worker).await;
    let mut events = follow_after(&master, &position).await;
    let missed = expect(&mut events, &[Missed]).await.pop().unwrap();
    let mut same = follow_after(&master, &missed.position).await;
    master.add(job("b")).await.unwrap();
    for events in [&mut events, &mut same] {
        assert_eq!(expect(events, &[Added]).await[0].id, "b");
    }
    let last = expect(&mut events, &[Assigned]).await.pop().unwrap();
    let _: () = redis.ask(&["FLUSHALL"]);
    assert_eq!(next(&mut events).await.kind, Missed, "after {last:?}");
    until_counts(&master, "the members", |stats| stats.members == 2).await;
    master.add(job("c")).await.unwrap();
    soon("the event of a new job", async { while next(&mut events).await.id != "c" {} }).await;
    drop(worker);
}

#[tokio::test]
async fn a_follower_survives_outages_and_set_backs() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (master, worker) = pair(&redis).await;
    let mut events = follow(&master).await;
    master.add(job("a")).await.unwrap();
    complete(&worker).await;
    let last = expect(&mut events, &[Added, Assigned, Completed]).await.pop().unwrap();
    redis.kill();
    redis.run();
    master.add(job("b")).await.unwrap();
    assert_eq!(expect(&mut events, &[Added]).await[0].id, "b");
    // A replica that lagged has taken over: what was read is not there, and its numbers are used again.
    let meta: Vec<String> = redis.ask(&["HMGET", "{test}:meta", "recorded", "recording"]);
    let _: u64 = redis.ask(&["DEL", "{test}:events"]);
    let number: u64 = meta[0].split('-').next().unwrap().parse().unwrap();
    let set_back = format!("{}-1", number - 4);
    let _: String = redis.ask(&["XADD", "{test}:events", &set_back, "e", ""]);
    let _: u64 = redis.ask(&["HSET", "{test}:meta", "recorded", &set_back]);
    let _: u64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let kinds = |event: &JobEvent| event.kind == Missed;
    soon("the report of lost data", async { while !kinds(&next(&mut events).await) {} }).await;
    master.add(job("c")).await.unwrap();
    soon("the event of a new job", async { while next(&mut events).await.id != "c" {} }).await;
    drop((worker, last));
}

/// The state of a job after its events.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Gone,
    Waiting,
    Delayed,
    Blocked,
    Active(u64),
    Failed,
}

/// The state after an event; `None` if the event cannot follow.
fn after(state: State, event: &JobEvent) -> Option<State> {
    let waits = matches!(state, State::Waiting | State::Delayed | State::Blocked);
    let owner = State::Active(event.fence.unwrap_or(0));
    let (fits, next) = match event.kind {
        Added => (matches!(state, State::Gone | State::Failed), State::Waiting),
        Replaced => (waits, State::Waiting),
        Delayed => (state == State::Waiting, State::Delayed),
        Blocked => (state == State::Waiting, State::Blocked),
        Waiting => (matches!(state, State::Delayed | State::Blocked), State::Waiting),
        Assigned => (state == State::Waiting, owner),
        Progress => (state == owner, owner),
        Released => (state == owner, State::Waiting),
        Retrying if event.reason.is_empty() => (state == State::Failed, State::Waiting),
        Retrying => (state == owner, if event.due_at.is_some() { State::Delayed } else { State::Waiting }),
        Completed => (state == owner || state == State::Blocked && event.worker.is_empty(), State::Gone),
        Failed => (state == owner || waits && event.worker.is_empty(), State::Failed),
        Deleted => (state != State::Gone, State::Gone),
        ScheduleFired => (matches!(state, State::Gone | State::Failed), state),
        _ => (false, state),
    };
    fits.then_some(next)
}

/// A job with options of all kinds, by a number.
fn any_job(number: usize) -> NewJob {
    let job = job(&number.to_string()).priority((number % 3) as i64 - 1);
    match number % 11 {
        0 => job.resource(format!("r{}", number % 2)),
        1 => job.limit("api").limit("other"),
        2 => job.limit("api").resource("r1").retries(2).backoff(Backoff { delay: 5 * MS, ..Backoff::default() }),
        3 => job.delay((number % 50) as u32 * MS),
        4 => job.unique(Unique { on_conflict: OnConflict::Replace, ..Unique::from("replace") }).delay(3 * MS),
        5 => job.unique(Unique { on_conflict: OnConflict::Attach, ..Unique::from("attach") }),
        6 => job.unique(Unique { on_conflict: OnConflict::Latest, ..Unique::from("latest") }).limit("api"),
        7 => job.after([(number - 7).to_string(), (number - 4).to_string()]),
        8 => job.total_timeout(20 * MS).task("nobody"),
        9 => job.run_timeout(30 * MS).retries(1),
        _ => job.task(""),
    }
}

/// A job that is not where its events end.
async fn misfit(master: &Master, states: &HashMap<String, (State, Vec<JobEvent>)>) -> Option<String> {
    for (id, (state, path)) in states {
        let found = master.job(id).await.unwrap();
        let shown = found.as_ref().map(|job| job.state);
        let fits = match state {
            State::Gone => shown.is_none() || shown == Some(JobState::Deleting),
            State::Waiting => shown == Some(JobState::Waiting),
            State::Delayed => shown == Some(JobState::Delayed),
            State::Blocked => shown == Some(JobState::Blocked),
            State::Active(fence) => shown == Some(JobState::Active) && found.unwrap().fence == Some(*fence),
            // One that fails with the job that had its unique key is not kept.
            State::Failed => shown == Some(JobState::Failed) || shown.is_none() && path[path.len() - 1].worker.is_empty(),
        };
        if !fits {
            return Some(format!("`{id}` is {shown:?}, its events end in {state:?}: {path:#?}"));
        }
    }
    None
}

#[tokio::test]
async fn the_events_of_each_job_lead_to_its_state() {
    let redis = Redis::start();
    let master = master(&redis);
    let mut events = follow(&master).await;
    master.limit("api", Limit::rate(500, Duration::from_secs(1)).burst(20).concurrency(3)).await.unwrap();
    let workers = [worker(&redis, &[("slots", "8")]).await, worker(&redis, &[("slots", "8"), ("requeue", "back")]).await];
    for (which, worker) in workers.iter().cloned().enumerate() {
        tokio::spawn(async move {
            let mut number = which;
            while let Some(event) = worker.next().await {
                let Event::Add(job) = event else { continue };
                number += 1;
                tokio::spawn(async move {
                    let _ = job.progress(&number);
                    // An error: the job was deleted, or its time was over.
                    let _ = match number % 9 {
                        0 => job.fail("no").await,
                        1 => job.release().await,
                        2 => job.rate_limited(5 * MS, (number % 2 == 0).then_some("api")).await,
                        3 => job.fail_permanently("never").await,
                        4 => {
                            tokio::time::timeout(200 * MS, job.cancelled()).await.ok();
                            job.stopped().await
                        }
                        _ => job.complete(Payload::default()).await,
                    };
                });
            }
        });
    }
    for part in 0..20 {
        for number in part * 22 + 11..part * 22 + 33 {
            let job = any_job(number);
            // What it waits for may be gone.
            let _ = master.add(job).await;
            // Another page of the sweep, which must find nothing to repair.
            let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
        }
        let ids = [part * 22 + 11, part * 22 + 14, part * 22 + 20].map(|number: usize| number.to_string());
        master.delete_many(ids.to_vec()).await.unwrap();
        master.retry_failed(None).await.unwrap();
        if part == 10 {
            master.end_lease(&workers[1].incarnation().unwrap()).await.unwrap();
        }
    }
    let id = "the last";
    master.add(job(id).task("nobody")).await.unwrap();
    let mut states: HashMap<String, (State, Vec<JobEvent>)> = HashMap::new();
    // Until nothing changes any more: jobs of tasks without a worker time out.
    let settled = async {
        loop {
            while let Ok(event) = tokio::time::timeout(700 * MS, events.next()).await {
                let event = event.unwrap().unwrap();
                let (state, path) = states.entry(event.id.clone()).or_default();
                *state = after(*state, &event).unwrap_or_else(|| panic!("{event:#?} follows {state:?} in {path:#?}"));
                path.push(event);
            }
            // On a busy machine, what is due may come later.
            match misfit(&master, &states).await {
                Some(what) => println!("{what}"),
                None => break,
            }
        }
    };
    soon("every job is where its events end; see above", settled).await;
    assert!(states.len() > 300 && states.contains_key(id), "{}", states.len());
    assert_eq!(master.stats().await.unwrap().damaged, 0, "{:?}", redis.ask::<Vec<String>>(&["HGETALL", "{test}:damaged"]));
}
