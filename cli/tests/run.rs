//! Commands that change a cluster, and `swarm run`.
#![allow(missing_docs)]

mod support;

use rustix::process::Signal;
use support::{Redis, at, swarm, swarm_with, until, worker};

#[test]
fn a_command_runs_for_each_job() {
    let redis = Redis::start();
    let script = r#"
        case $(cat) in
            '"json"') echo "{\"task\": \"$SWARM_TASK\", \"attempt\": $SWARM_ATTEMPT, \"id\": \"$SWARM_JOB_ID\"}"; [ $SWARM_FENCE -gt 0 ] ;;
            '"text"') printf 'two\nlines\n' ;;
            '"nothing"') ;;
            '"again"') if [ $SWARM_ATTEMPT = 1 ]; then echo "not yet" >&2; exit 75; fi; echo $SWARM_ATTEMPT ;;
            '"bad"') echo one >&2; echo "it is bad" >&2; exit 3 ;;
            '"killed"') kill -9 $$ ;;
            '"large"') head -c 200000 /dev/zero | tr '\0' x ;;
            '"behind"') sleep 100 & echo left ;;
        esac"#;
    let _worker = worker(&redis, &["--slots", "2", "--kill-after", "200ms"], script);
    let run = |payload: &str, more: &[&str]| swarm(&redis, &[&["add", "work", payload, "--text", "--wait"], more].concat());
    run("json", &["--id", "j"]).ends_with(0).prints(r#"{"task": "work", "attempt": 1, "id": "j"}"#);
    run("text", &[]).ends_with(0).prints(r#""two\nlines""#);
    run("nothing", &[]).ends_with(0).prints("null");
    run("again", &["--retries", "1", "--backoff-delay", "1ms"]).ends_with(0).prints("2");
    run("again", &[]).ends_with(1).complains("not yet");
    // Fails for good, although retries are left.
    run("bad", &["--retries", "5"]).ends_with(1).complains("one\nit is bad");
    run("killed", &[]).ends_with(1).complains("signal 9");
    run("large", &[]).ends_with(1).complains("131072 bytes");
    // What a command leaves behind does not keep its slot.
    run("behind", &["--json"]).ends_with(0).prints(r#""result":"left""#);
}

#[test]
fn a_deleted_job_gets_sigterm_and_then_sigkill() {
    let redis = Redis::start();
    let dir = redis.dir().display().to_string();
    let script = format!(
        "case $(cat) in
            1) trap 'echo yes > {dir}/termed; exit 0' TERM; echo > {dir}/ready1; while :; do sleep 0.05; done ;;
            2) trap '' TERM; echo $$ > {dir}/ready2; while :; do sleep 0.05; done ;;
        esac"
    );
    let exists = |name: &str| redis.dir().join(name).exists();
    let _worker = worker(&redis, &["--slots", "2", "--kill-after", "300ms"], &script);
    for number in ["1", "2"] {
        swarm(&redis, &["add", "work", number, "--id", number]).ends_with(0);
    }
    until("both run", || exists("ready1") && exists("ready2"));
    swarm(&redis, &["jobs", "--state", "active"]).ends_with(0).prints("WORKER");
    swarm(&redis, &["status"]).ends_with(0).prints("2/2");
    swarm(&redis, &["cancel", "1", "2", "--yes"]).ends_with(0).prints("Deleted 2 jobs.");
    until("the first has handled it", || exists("termed"));
    let active = || swarm(&redis, &["status", "--json"]).json()["stats"].clone();
    until("both have stopped", || active()["deleting"] == 0);
    let pid = std::fs::read_to_string(redis.dir().join("ready2")).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    until("the second is killed", || rustix::process::test_kill_process(pid).is_err());
}

#[test]
fn sigterm_drains_and_a_second_one_stops_what_runs() {
    let redis = Redis::start();
    let go = redis.dir().join("go");
    let script = format!("read x; until [ $x = 2 ] && ! true || [ -e {} ]; do sleep 0.02; done; echo done", go.display());
    let mut first = worker(&redis, &[], &script);
    swarm(&redis, &["add", "work", "1", "--id", "a", "--keep-completed", "1h"]).ends_with(0);
    swarm(&redis, &["add", "work", "1", "--id", "b"]).ends_with(0);
    until("one runs", || swarm(&redis, &["status", "--json"]).json()["stats"]["active"] == 1);
    first.signal(Signal::TERM);
    first.complains("1 job to go");
    std::fs::write(&go, "").unwrap();
    assert_eq!(first.wait(), 0);
    swarm(&redis, &["job", "a"]).ends_with(0).prints("completed");
    swarm(&redis, &["job", "b"]).ends_with(0).prints("waiting");

    std::fs::remove_file(&go).unwrap();
    let mut second = worker(&redis, &[], &script);
    until("b runs", || swarm(&redis, &["job", "b"]).out.contains("active"));
    second.signal(Signal::INT);
    second.complains("1 job to go");
    second.signal(Signal::INT);
    assert_eq!(second.wait(), 0);
    swarm(&redis, &["job", "b"]).ends_with(0).prints("waiting").prints("attempt     1 of 1");
}

#[test]
fn jobs_have_the_options_of_the_command_line() {
    let redis = Redis::start();
    let added = swarm(&redis, &["add", "mail", "{\"a\":1}", "--json", "--priority", "-3", "--resource", "r", "--retries", "4"]);
    let id = added.ends_with(0).json()["id"].as_str().unwrap().to_owned();
    let job = swarm(&redis, &["job", &id, "--json", "--payload"]).ends_with(0).json();
    assert_eq!((&job["priority"], &job["resource"], &job["retries"]), (&(-3).into(), &"r".into(), &4.into()));
    assert_eq!(job["payload"]["a"], 1);
    swarm(&redis, &["add", "", "--id", "x", "--delay", "2h"]).ends_with(0);
    swarm(&redis, &["add", "", "--id", "x"]).ends_with(0).complains("nothing was added");
    swarm(&redis, &["jobs", "--state", "delayed"]).ends_with(0).prints("(none)").prints("in 1h 59m");
    swarm(&redis, &["add", "mail", "--unique", "k", "--unique-until", "1h", "--on-conflict", "replace"]).ends_with(0);
    swarm(&redis, &["add", "mail", "--unique", "k", "--unique-until", "1h", "--on-conflict", "replace"])
        .ends_with(0)
        .complains("replaced");
    swarm_with(&redis, &["add", "mail", "-", "--id", "in"], b"[1, 2]").ends_with(0);
    assert_eq!(swarm(&redis, &["job", "in", "--json", "--payload"]).json()["payload"][1], 2);
    swarm_with(&redis, &["add", "mail", "-", "--bytes", "--id", "raw"], b"\xff\x00").ends_with(0);
    assert_eq!(swarm(&redis, &["job", "raw", "--json", "--payload"]).json()["payload_base64"], "/wA=");
    swarm_with(&redis, &["add", "mail", "-"], b"\xff").ends_with(2).complains("--bytes");
}

#[test]
fn workers_are_paused_resized_and_drained() {
    let redis = Redis::start();
    let go = redis.dir().join("go");
    let running =
        worker(&redis, &["--name", "w1", "--group", "eu"], &format!("until [ -e {} ]; do sleep 0.02; done", go.display()));
    swarm(&redis, &["workers"]).ends_with(0).prints("w1").prints("eu").prints("0/1").prints("work");
    swarm(&redis, &["workers", "--task", "other"]).ends_with(0).prints("No worker matches.");
    swarm(&redis, &["workers", "set-slots", "w1", "7"]).ends_with(0).prints("has 7 slots");
    until("it has them", || swarm(&redis, &["workers", "--json"]).json()["workers"][0]["slots"] == 7);
    let incarnation = swarm(&redis, &["workers", "--json"]).json()["workers"][0]["incarnation"].as_str().unwrap().to_owned();
    swarm(&redis, &["workers", "pause", &incarnation[..8]]).ends_with(0);
    until("it is paused", || swarm(&redis, &["workers"]).out.contains("paused"));
    swarm(&redis, &["workers", "resume", &running.pid().to_string()]).ends_with(0);
    swarm(&redis, &["add", "work", "1"]).ends_with(0);
    until("it runs", || swarm(&redis, &["status", "--json"]).json()["stats"]["active"] == 1);
    swarm(&redis, &["drain", "w1", "--wait", "50ms"]).ends_with(1).prints("still runs 1 job");
    std::fs::write(&go, "").unwrap();
    swarm(&redis, &["drain", "w1"]).ends_with(0).prints("stop its program now");
    swarm(&redis, &["add", "work", "1"]).ends_with(0);
    assert_eq!(swarm(&redis, &["status", "--json"]).json()["stats"]["waiting"], 1);
}

#[test]
fn tasks_are_paused_and_resumed() {
    let redis = Redis::start();
    swarm(&redis, &["pause", "work"]).ends_with(0).prints("`work` is paused");
    let _worker = worker(&redis, &[], "echo 1");
    swarm(&redis, &["add", "work", "1"]).ends_with(0);
    swarm(&redis, &["status"]).ends_with(0).prints("paused      work");
    swarm(&redis, &["pause", "--json"]).ends_with(0).prints(r#""task":null"#);
    swarm(&redis, &["resume"]).ends_with(0).prints("All jobs are resumed");
    swarm(&redis, &["resume", "work"]).ends_with(0);
    until("it ran", || swarm(&redis, &["status", "--json"]).json()["stats"]["completed"] == 1);
}

#[tokio::test]
async fn messages_reach_members() {
    let redis = Redis::start();
    let master = support::master(&redis).await;
    master.messages().listen().await.unwrap();
    let answering = tokio::spawn({
        let master = master.clone();
        async move {
            while let Some(event) = master.next().await {
                if let libswarm::Event::Message(message) = event {
                    let _ = message.reply(libswarm::Payload::json("pong").unwrap());
                }
            }
        }
    });
    let done = |args: &[&str]| {
        let mut command = at(&redis);
        command.args(args);
        tokio::task::spawn_blocking(move || support::end(command))
    };
    done(&["send", "\"ping\"", "--all"]).await.unwrap().ends_with(0).prints("Sent to 1 member.");
    done(&["send", "\"ping\"", "--all", "--request", "5s"]).await.unwrap().ends_with(0).prints("\"pong\"");
    let replied = done(&["send", "ping", "--text", "--all", "--request", "5s", "--json"]).await.unwrap().ends_with(0).json();
    assert_eq!(replied["replies"][0]["payload"], "pong");
    done(&["send", "1", "--group", "nobody"]).await.unwrap().ends_with(1).prints("No recipient");
    master.close().await.unwrap();
    answering.await.unwrap();
}
