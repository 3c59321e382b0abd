//! Errors name options, and write times, as the language of the program does. One test: the language is the whole process'.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{Backoff, Choosing, JobState, Language, Master, NewJob, NewMessage, Options, Result, To, Unique, Until, Worker};
use libswarm_supervisor::{Program, SupervisorOptions};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Larger than a quarter of the budget of `offline`, smaller than the default of `max_payload`.
const LARGE: usize = 500 * 1024;

/// Options of a member that never reaches a server.
fn offline() -> Options {
    with(&[("url", "redis://127.0.0.1:1"), ("timeout", "100"), ("max_pending_bytes", "1048576")])
}

fn with(settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new("spelling");
    settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
    options
}

fn set(name: &str, value: &str) -> Result<()> {
    NewJob::bytes("").set(name, value)
}

fn check(job: NewJob) -> Result<()> {
    job.check(8)
}

fn supervisor(name: &str, value: &str) -> Result<()> {
    let mut options = SupervisorOptions::default();
    options.set(name, value)?;
    options.check()
}

async fn adding(master: &Master) -> Result<()> {
    let (sender, answer) = oneshot::channel();
    // Nothing takes them, so that one of these is too much.
    for _ in 0..2 {
        master.submit(vec![NewJob::bytes(vec![0; LARGE])], Box::new(|_| ()));
    }
    master.submit(vec![NewJob::bytes(vec![0; LARGE])], Box::new(|added| drop(sender.send(added))));
    support::soon("the third is refused", answer).await.unwrap().map(drop)
}

async fn sending(master: &Master) -> Result<()> {
    for _ in 0..20 {
        let (sender, answer) = oneshot::channel();
        master.messages().submit(NewMessage::bytes(To::All, vec![0; 64 * 1024]), Box::new(|sent| drop(sender.send(sent))));
        tokio::select! {
            biased;
            sent = answer => return sent.unwrap().map(drop),
            () = tokio::task::yield_now() => {}
        }
    }
    Ok(())
}

/// What is refused, with the option that the text must name in Rust, C, Python and Node.
async fn refusals(master: &Master, worker: &Worker) -> Vec<(Result<()>, [&'static str; 4])> {
    let far = Duration::from_secs(1 << 40);
    let same = |name| [name; 4];
    let backoff = |backoff| check(NewJob::bytes("").backoff(backoff));
    let message = |message: NewMessage| async move { master.messages().send(message).await.map(drop) };
    let to = || NewMessage::bytes(To::All, "");
    let many: Vec<_> = (0..101).map(|_| ("task", "t")).collect();
    let one_program = Program { ready_timeout: Duration::ZERO, ..Program::new("true") };
    vec![
        (check(NewJob::bytes([0; 9])), ["max_payload", "max_payload", "max_payload", "maxPayload"]),
        (check(NewJob::bytes("").result_ttl(far)), ["result_ttl", "result_ttl", "result_ttl", "resultTtl"]),
        (set("run_at", "soon"), ["run_at", "run_at", "run_at", "runAt"]),
        (check(NewJob::bytes("").delay(far)), same("delay")),
        (check(NewJob::bytes("").retries(201)), same("retries")),
        (set("backoff", "odd"), ["backoff", "backoff", r#"backoff["type"]"#, "backoff.type"]),
        (set("backoff_delay", "-1"), ["backoff_delay", "backoff_delay", r#"backoff["delay"]"#, "backoff.delay"]),
        (set("backoff_max", "x"), ["backoff_max", "backoff_max", r#"backoff["max"]"#, "backoff.max"]),
        (set("backoff_jitter", "2"), ["backoff_jitter", "backoff_jitter", r#"backoff["jitter"]"#, "backoff.jitter"]),
        (
            backoff(Backoff { delay: far, ..Backoff::default() }),
            ["backoff_delay", "backoff_delay", r#"backoff["delay"]"#, "backoff.delay"],
        ),
        (backoff(Backoff { max: far, ..Backoff::default() }), ["backoff_max", "backoff_max", r#"backoff["max"]"#, "backoff.max"]),
        (
            backoff(Backoff { jitter: 2.0, ..Backoff::default() }),
            ["backoff_jitter", "backoff_jitter", r#"backoff["jitter"]"#, "backoff.jitter"],
        ),
        (set("unique_until", "x"), ["unique_until", "unique_until", r#"unique["until"]"#, "unique.until"]),
        (set("on_conflict", "x"), ["on_conflict", "on_conflict", r#"unique["on_conflict"]"#, "unique.onConflict"]),
        (
            check(NewJob::bytes("").unique(Unique { until: Until::Time(far), ..Unique::from("k") })),
            ["unique_until", "unique_until", r#"unique["until"]"#, "unique.until"],
        ),
        (check(NewJob::bytes("").debounce(far)), same("set unique")),
        (check(NewJob::bytes("").unique("k").max_wait(far)), ["max_wait", "max_wait", "max_wait", "maxWait"]),
        (
            check(NewJob::bytes("").assign_timeout(far)),
            ["assign_timeout", "assign_timeout", r#"timeouts["assign"]"#, "timeouts.assign"],
        ),
        (set("run_timeout", "x"), ["run_timeout", "run_timeout", r#"timeouts["run"]"#, "timeouts.run"]),
        (
            check(NewJob::bytes("").total_timeout(Duration::ZERO)),
            ["total_timeout", "total_timeout", r#"timeouts["total"]"#, "timeouts.total"],
        ),
        (with(&many).check(), ["task ", "task ", "tasks ", "tasks "]),
        (with(&[("stop_grace", "1")]).check(), ["stop_grace", "stop_grace", "stop_grace", "stopGrace"]),
        (with(&[("failed_ttl", "1")]).check(), ["failed_ttl", "failed_ttl", "failed_ttl", "failedTtl"]),
        (with(&[("priority_slots", "1:30")]).check(), ["priority_slots", "priority_slots", "priority_slots", "prioritySlots"]),
        (Options::new("x").set("failed_tll", "1"), ["`failed_ttl`", "`failed_ttl`", "`failed_ttl`", "`failedTtl`"]),
        (one_program.check(), ["ready_timeout", "ready_timeout", "ready_timeout", "readyTimeout"]),
        (supervisor("backoff_delay", "0"), ["backoff_delay", "backoff_delay", "backoff_delay", "backoff.delay"]),
        (supervisor("backoff_max", "1"), ["backoff_max", "backoff_max", "backoff_max", "backoff.max"]),
        (supervisor("backoff_jitter", "2"), ["backoff_jitter", "backoff_jitter", "backoff_jitter", "backoff.jitter"]),
        (supervisor("respawn_window", "0"), ["respawn_window", "respawn_window", "respawn_window", "respawnWindow"]),
        (supervisor("line_buffer", "1"), ["line_buffer", "line_buffer", "line_buffer", "lineBuffer"]),
        (master.jobs(JobState::Active, None, 0).await.map(drop), same("limit is `0`")),
        (
            message(to().acknowledged(Duration::ZERO)).await,
            ["acknowledged is", "acknowledged_ms is", "acknowledged is", "acknowledged is"],
        ),
        (message(to().request(far)).await, ["request is", "request_ms is", "request is", "request is"]),
        (
            master.start_choosing(Choosing { within: far, tasks: Vec::new() }).await,
            ["within is", "within_ms is", "within is", "within is"],
        ),
        (worker.terminate(far).await, ["grace is", "grace_ms is", "grace is", "grace is"]),
        (adding(master).await, ["max_pending_bytes", "max_pending_bytes", "max_pending_bytes", "maxPendingBytes"]),
        (sending(master).await, ["max_pending_bytes", "max_pending_bytes", "max_pending_bytes", "maxPendingBytes"]),
    ]
}

#[tokio::test]
async fn errors_name_options_as_the_language_of_the_program_does() {
    for (index, language) in [Language::Rust, Language::C, Language::Python, Language::Node].into_iter().enumerate() {
        language.make_current();
        let master = Master::start(offline(), &Handle::current()).unwrap();
        let worker = Worker::start(offline(), &Handle::current()).unwrap();
        for (refused, names) in refusals(&master, &worker).await {
            let error = refused.expect_err(names[0]);
            let text = error.message();
            assert!(text.contains(names[index]), "{language:?} names {}: {text}", names[index]);
            // Nor does it spell another.
            let snake = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.contains('_'));
            let written = text.contains("failed_tll");
            assert!(language != Language::Node || written || snake.is_none(), "{text}");
        }
        // The error of a server that is not there: times in the unit of the options.
        let late = support::soon("ready", worker.ready()).await.unwrap_err();
        assert!(!late.message().contains(if language == Language::Python { " ms" } else { " s;" }), "{late}");
    }
}
