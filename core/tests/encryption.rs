//! Values that are encrypted and compressed on their way to Redis.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{
    ErrorKind, Event, FailureReason, InputOutcome, JobEventKind, JobState, Master, NewFlow, NewJob, NewMessage, Outcome, Payload,
    Schedule, Scheduled, Timing, To, Worker,
};
use support::{Redis, next_event, next_job, soon, worker};
use tokio::runtime::Handle;

/// A text that no key and no value in Redis may contain.
const SECRET: &str = "plain-text-marker";
/// The base64 of 32 bytes each.
const OLD: &str = "old:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const NEW: &str = "new:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=";
/// The id of the old key with the bytes of the new one.
const WRONG: &str = "old:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=";
const KEYS: &[(&str, &str)] = &[("codec_keys", OLD)];
const ALL: &[(&str, &str)] = &[("codec_keys", OLD), ("codec_required", "true"), ("compress_from", "64")];

fn master(redis: &Redis, settings: &[(&str, &str)]) -> Master {
    let mut options = redis.options();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    Master::start(options, &Handle::current()).unwrap()
}

async fn pair(redis: &Redis, settings: &[(&str, &str)]) -> (Master, Worker) {
    (master(redis, settings), worker(redis, settings).await)
}

fn secret(number: u32) -> String {
    format!("{SECRET} {number}")
}

fn long() -> String {
    SECRET.repeat(100)
}

/// The keys whose values have a text, as Redis writes them to disk.
fn with(redis: &Redis, text: &str) -> Vec<String> {
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert!(!keys.is_empty());
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    keys.into_iter().filter(|key| has(key.as_bytes()) || has(&redis.ask::<Vec<u8>>(&["DUMP", key]))).collect()
}

#[tokio::test]
async fn redis_has_no_plain_text_of_any_value() {
    let redis = Redis::with(&["--rdbcompression", "no"]);
    let (master, worker) = pair(&redis, &[ALL, &[("completed_max", "100"), ("events", "always")]].concat()).await;
    let mut followed = master.events(Default::default()).await.unwrap();
    worker.messages().listen().await.unwrap();

    // Payload, result, progress, checkpoint, log.
    master.add(NewJob::json(&long()).unwrap().id("done").result(true).task("").header("h", "1")).await.unwrap();
    let job = next_job(&worker).await;
    assert_eq!(job.json::<String>().unwrap(), long());
    job.progress(&secret(1)).unwrap();
    job.checkpoint(&secret(2)).unwrap();
    job.log(long());
    job.log(secret(3));
    soon("progress", async {
        while master.job("done").await.unwrap().unwrap().log.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let shown = master.job("done").await.unwrap().unwrap();
    assert_eq!((shown.progress, shown.checkpoint), (Some(format!("{:?}", secret(1))), Some(format!("{:?}", secret(2)))));
    assert_eq!(shown.payload, Payload::json(&long()).unwrap());
    job.complete(Payload::json(&long()).unwrap()).await.unwrap();
    assert_eq!(soon("result", master.result("done")).await.unwrap().json::<String>().unwrap(), long());
    let kept = master.job("done").await.unwrap().unwrap();
    assert_eq!((kept.result, kept.result_omitted), (Some(Payload::json(&long()).unwrap()), false));
    assert!(kept.log[0].text.starts_with(SECRET) && kept.log[1].text == secret(3));

    // Bytes, an attempt that fails, an error with a traceback.
    master.add(NewJob::bytes(secret(4)).id("failed").retries(1).result(true)).await.unwrap();
    next_job(&worker).await.fail(secret(5)).await.unwrap();
    let job = next_job(&worker).await;
    assert_eq!((&job.payload, job.attempt()), (&Payload::bytes(secret(4)), 2));
    job.fail(libswarm::JobError { message: secret(6), traceback: secret(7) }).await.unwrap();
    let failure = master.job("failed").await.unwrap().unwrap().failure.unwrap();
    assert_eq!((failure.message, failure.traceback), (secret(6), Some(secret(7))));
    let Outcome::Failed(failure) = soon("failure", master.result("failed")).await.unwrap() else { panic!() };
    assert_eq!(failure.message, secret(6));

    // A flow, whose dependent reads results.
    let first = NewJob::json(&secret(8)).unwrap().id("a");
    master.add_flow(NewFlow::new(vec![first, NewJob::json(&secret(9)).unwrap().id("b").after(["a"])])).await.unwrap();
    next_job(&worker).await.complete(Payload::bytes(secret(10))).await.unwrap();
    let b = next_job(&worker).await;
    assert_eq!(b.inputs().await.unwrap()[0].outcome, InputOutcome::Completed(Some(Payload::bytes(secret(10)))));
    b.complete(Payload::default()).await.unwrap();

    // A schedule, which is not changed by the same job.
    let every = || Schedule::new(Timing::Every(Duration::from_secs(3600)));
    let scheduled = || NewJob::json(&secret(11)).unwrap();
    assert_eq!(master.schedule("s", every(), scheduled()).await.unwrap(), Scheduled::Created);
    assert_eq!(master.schedule("s", every(), scheduled()).await.unwrap(), Scheduled::Unchanged);
    assert_eq!(master.schedule("s", every(), NewJob::json(&secret(12)).unwrap()).await.unwrap(), Scheduled::Changed);
    master.run_schedule("s").await.unwrap().unwrap();
    assert_eq!(next_job(&worker).await.json::<String>().unwrap(), secret(12));

    // Unique keys: a job that replaces another.
    master.add(NewJob::json(&secret(13)).unwrap().delay(Duration::from_secs(3600)).unique("u")).await.unwrap();
    let unique = libswarm::Unique { key: "u".into(), until: libswarm::Until::End, on_conflict: libswarm::OnConflict::Replace };
    assert!(master.add(NewJob::json(&secret(14)).unwrap().unique(unique)).await.unwrap().replaced);
    assert_eq!(next_job(&worker).await.json::<String>().unwrap(), secret(14));

    // A message and its reply.
    let question = NewMessage::json(To::All, &secret(15)).unwrap().request(Duration::from_secs(10));
    let messages = master.messages();
    let (answer, ()) = tokio::join!(messages.send(question), async {
        let message = next_event(&worker, "a message", |event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        })
        .await;
        assert_eq!(message.json::<String>().unwrap(), secret(15));
        message.reply(Payload::bytes(secret(16))).unwrap();
    });
    assert_eq!(answer.unwrap().replies[0].1, Some(Payload::bytes(secret(16))));

    // Jobs that wait and are delayed stay in Redis.
    worker.accept(Some(1));
    for number in 0..10 {
        master.add(NewJob::json(&long()).unwrap().delay(Duration::from_secs(3600)).priority(number)).await.unwrap();
    }
    let mut texts = Vec::new();
    while texts.len() < 3 {
        let event = soon("an event", followed.next()).await.unwrap().unwrap();
        if !event.text.is_empty() {
            texts.push((event.kind, event.text));
        }
    }
    let kinds = [JobEventKind::Progress, JobEventKind::Retrying, JobEventKind::Failed];
    let expected = kinds.into_iter().zip([format!("{:?}", secret(1)), secret(5), secret(6)]).collect::<Vec<_>>();
    assert_eq!(texts, expected);
    assert_eq!(with(&redis, SECRET), [""; 0]);
    assert!(with(&redis, "failed").len() > 1, "the search finds what is not encrypted");
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn keys_rotate_and_old_plain_values_are_read() {
    let redis = Redis::start();
    let plain = master(&redis, &[]);
    plain.add(NewJob::json(&0).unwrap().id("plain")).await.unwrap();
    let old = master(&redis, KEYS);
    old.add(NewJob::json(&1).unwrap().id("old")).await.unwrap();
    let both = format!("{NEW},{OLD}");
    let (master, worker) = pair(&redis, &[("codec_keys", &both)]).await;
    master.add(NewJob::json(&2).unwrap().id("new")).await.unwrap();
    for number in 0..3 {
        let job = next_job(&worker).await;
        assert_eq!(job.json::<u32>().unwrap(), number);
        job.complete(Payload::default()).await.unwrap();
    }
    master.add(NewJob::json(&3).unwrap().id("again").delay(Duration::from_secs(3600))).await.unwrap();
    let record: Vec<u8> = redis.ask(&["HGET", "{test}:jobs", "again"]);
    assert!(record.windows(4).any(|part| part == b"\x03new"), "the first key writes");
}

#[tokio::test]
async fn a_worker_without_the_key_fails_jobs_that_can_be_retried_later() {
    let redis = Redis::start();
    let sender = master(&redis, KEYS);
    for (without, text) in [
        (&[][..], "the payload is encrypted with the key `old`, which this member does not have: add it to codec_keys"),
        (&[("codec_keys", NEW)][..], "the payload is encrypted with the key `old`, which this member does not have"),
        (
            &[("codec_keys", WRONG)][..],
            "the payload cannot be decrypted with the key `old`: it was encrypted with another key of this id",
        ),
    ] {
        let job = || NewJob::json(&SECRET).unwrap().result(true).retries(2).resource("r").priority(3).task("t").unique("u");
        sender.add(job().id("a")).await.unwrap();
        let blind = worker(&redis, &[without, &[("task", "t")]].concat()).await;
        let Outcome::Failed(failure) = soon("failure", sender.result("a")).await.unwrap() else { panic!() };
        assert_eq!(failure.reason, FailureReason::Undecodable);
        assert!(failure.message.starts_with(text), "{}", failure.message);
        // A member without the key shows the job all the same; one with the key shows all.
        let blind_master = master(&redis, without);
        let page = blind_master.jobs(JobState::Failed, None, 10).await.unwrap().jobs;
        assert_eq!((page.len(), page[0].payload_encoded, &*page[0].task, page[0].attempt), (1, true, "t", 1));
        let json = serde_json::to_value(&page[0]).unwrap();
        assert_eq!((&json["payload_encoded"], json.get("payload")), (&serde_json::Value::Bool(true), None));
        let shown = sender.job("a").await.unwrap().unwrap();
        assert_eq!((shown.payload_encoded, shown.payload), (false, Payload::json(&SECRET).unwrap()));
        blind.terminate(Duration::ZERO).await.unwrap();
        // Its unique key and its resource are free.
        let sighted = worker(&redis, &[KEYS, &[("task", "t")]].concat()).await;
        assert_eq!(sender.retry_failed(None).await.unwrap(), 1);
        let job = next_job(&sighted).await;
        assert_eq!((job.json::<String>().unwrap(), job.attempt(), job.resource()), (SECRET.to_owned(), 1, "r"));
        job.complete(Payload::json(&SECRET).unwrap()).await.unwrap();
        // The result, too, is for members with the key.
        let error = soon("result", blind_master.result("a")).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Codec && error.message().contains("the key `old`"), "{error}");
        assert_eq!(soon("result", sender.result("a")).await.unwrap().json::<String>().unwrap(), SECRET);
        sighted.terminate(Duration::ZERO).await.unwrap();
        sender.delete("a").await.unwrap();
    }
}

#[tokio::test]
async fn values_that_were_altered_or_moved_are_refused() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, KEYS).await;
    let later = Duration::from_secs(3600);
    master.add(NewJob::json(&1).unwrap().id("a").delay(later)).await.unwrap();
    // The last byte of the payload is before the time of six bytes.
    let mut record: Vec<u8> = redis.ask(&["HGET", "{test}:jobs", "a"]);
    let at = record.len() - 7;
    record[at] ^= 1;
    let mut connection = redis::Client::open(format!("unix://{}", redis.socket().display())).unwrap().get_connection().unwrap();
    redis::cmd("HSET").arg("{test}:jobs").arg("b").arg(&record).exec(&mut connection).unwrap();
    redis::cmd("RPUSH").arg("{test}:ready:0").arg("b").exec(&mut connection).unwrap();
    // A result that is put in the place of a payload.
    master.add(NewJob::json(&1).unwrap().id("r").result(true)).await.unwrap();
    let job = next_job(&worker).await;
    assert_eq!(job.id, "r");
    job.complete(Payload::json(&7).unwrap()).await.unwrap();
    soon("result", master.result("r")).await.unwrap();
    let outcome: Vec<u8> = redis.ask(&["HGET", "{test}:results", "r"]);
    let record = [&[0][..], &outcome[1..]].concat();
    redis::cmd("HSET").arg("{test}:jobs").arg("c").arg(&record).exec(&mut connection).unwrap();
    redis::cmd("RPUSH").arg("{test}:ready:0").arg("c").exec(&mut connection).unwrap();
    master.add(NewJob::json(&1).unwrap().id("last")).await.unwrap();
    assert_eq!(next_job(&worker).await.id, "last");
    for id in ["b", "c"] {
        soon("failure", async {
            loop {
                match master.job(id).await.unwrap().and_then(|job| job.failure) {
                    Some(failure) => {
                        assert_eq!(failure.reason, FailureReason::Undecodable);
                        assert!(failure.message.contains("cannot be decrypted with the key `old`"), "{}", failure.message);
                        break;
                    }
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn plain_values_are_refused_if_encryption_is_required() {
    let redis = Redis::start();
    let plain = master(&redis, &[]);
    plain.add(NewJob::json(&SECRET).unwrap().id("a").result(true)).await.unwrap();
    let strict = worker(&redis, ALL).await;
    let Outcome::Failed(failure) = soon("failure", plain.result("a")).await.unwrap() else { panic!() };
    assert_eq!(failure.reason, FailureReason::Undecodable);
    assert!(failure.message.starts_with("the payload is not encrypted, and codec_required is set"), "{}", failure.message);
    // A message that is not encrypted is reported, and dropped.
    strict.messages().listen().await.unwrap();
    plain.messages().send(NewMessage::json(To::All, &SECRET).unwrap()).await.unwrap();
    let error = next_event(&strict, "an error", |event| match event {
        Event::Error(error) => Some(error),
        _ => None,
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.message().contains("was dropped") && error.message().contains("the message is not encrypted"), "{error}");
}

#[tokio::test]
async fn compressed_values_need_no_option_to_be_read() {
    let redis = Redis::start();
    let sender = master(&redis, &[("compress_from", "1000")]);
    let (reader, worker) = pair(&redis, &[]).await;
    for text in [SECRET.to_owned(), SECRET.repeat(10_000)] {
        sender.add(NewJob::json(&text).unwrap().id("a").delay(Duration::from_secs(3600))).await.unwrap();
        let record: Vec<u8> = redis.ask(&["HGET", "{test}:jobs", "a"]);
        assert!(record.len() < 1000, "{}", record.len());
        assert_eq!(reader.job("a").await.unwrap().unwrap().payload, Payload::json(&text).unwrap());
        reader.delete("a").await.unwrap();
    }
    // Limits are for what the program passes.
    let error = sender.add(NewJob::bytes(vec![0; 600_000])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    sender.add(NewJob::bytes(vec![0; 500_000]).id("b").result(true)).await.unwrap();
    let job = next_job(&worker).await;
    assert_eq!(job.payload, Payload::bytes(vec![0; 500_000]));
    job.complete(Payload::bytes(vec![1; 1000])).await.unwrap();
    assert_eq!(soon("result", sender.result("b")).await.unwrap(), Outcome::Completed(Payload::bytes(vec![1; 1000])));
}
