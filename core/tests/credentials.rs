//! Credentials that change while members run.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libswarm::{Credentials, CredentialsSource, ErrorKind, Event, Job, Master, NewJob, Options, Result, Worker};
use support::Redis;
use tokio::runtime::Handle;

const SOON: Duration = Duration::from_secs(20);

fn add_user(redis: &Redis, user: &str, password: &str) {
    redis.ask::<String>(&["ACL", "SETUSER", user, "on", &format!(">{password}"), "~*", "+@all"]);
}

/// Replaces the file as a tool for secrets does.
fn write(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

fn json(user: &str, password: &str) -> String {
    format!(r#"{{"username": "{user}", "password": "{password}"}}"#)
}

fn options(redis: &Redis, source: CredentialsSource) -> Options {
    let mut options = Options::new("secrets");
    options.set("socket", redis.socket().to_str().unwrap()).unwrap();
    options.set("lease", "3000").unwrap();
    options.credentials = Some(source);
    options.credentials_interval = Duration::from_millis(100);
    options
}

/// The ids of the connections of a user.
fn connections(redis: &Redis, user: &str) -> Vec<String> {
    let list: String = redis.ask(&["CLIENT", "LIST"]);
    let of_user = list.lines().filter(|line| line.split(' ').any(|part| part == format!("user={user}")));
    let mut ids: Vec<String> = of_user.filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
    ids.sort();
    ids
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn start(options: Options) -> Result<(Master, Worker)> {
    let worker = Worker::start(options.clone(), &Handle::current())?;
    tokio::spawn(worker.process(|job: Job| async move { job.json::<u64>() }).until(std::future::pending()));
    let master = Master::start(options, &Handle::current())?;
    master.ready().await?;
    worker.ready().await?;
    Ok((master, worker))
}

/// A redis whose user `default` has no password, so that tests can ask it, and the file of the members.
fn server() -> (Redis, PathBuf) {
    let redis = Redis::start();
    let file = redis.dir().join("credentials.json");
    (redis, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connections_authenticate_again_when_the_file_changes() -> Result<()> {
    let (redis, file) = server();
    add_user(&redis, "old", "p1");
    add_user(&redis, "new", "p2");
    write(&file, &json("old", "p1"));
    let (master, worker) = start(options(&redis, CredentialsSource::file(&file))).await?;
    assert_eq!(master.run(NewJob::json(&1)?).await?.json::<u64>()?, 1);
    until("both members have two connections", || connections(&redis, "old").len() == 4).await;
    let before = connections(&redis, "old");
    write(&file, &json("new", "p2"));
    until("all connections have the new user", || connections(&redis, "new") == before).await;
    redis.ask::<i64>(&["ACL", "DELUSER", "old"]);
    for number in 0..50 {
        assert_eq!(master.run(NewJob::json(&number)?).await?.json::<u64>()?, number);
    }
    assert_eq!((master.health().registrations, worker.health().registrations), (1, 1));
    assert_eq!(connections(&redis, "new"), before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_when_the_old_password_is_removed_and_connections_are_killed() -> Result<()> {
    let (redis, file) = server();
    add_user(&redis, "app", "p1");
    write(&file, &json("app", "p1"));
    let (master, worker) = start(options(&redis, CredentialsSource::file(&file))).await?;
    for round in 2..6 {
        let jobs: Vec<_> = (0..100).map(|number| NewJob::json(&number)).collect::<Result<_>>()?;
        let running = tokio::spawn({
            let master = master.clone();
            async move { master.run_many(jobs).await }
        });
        let password = format!("p{round}");
        add_user(&redis, "app", &password);
        write(&file, &json("app", &password));
        redis.ask::<String>(&["ACL", "SETUSER", "app", &format!("<p{}", round - 1)]);
        redis.ask::<i64>(&["CLIENT", "KILL", "USER", "app"]);
        let outcomes = running.await.unwrap()?;
        for (number, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(outcome?.json::<u64>()?, number as u64);
        }
    }
    assert_eq!(master.stats().await?.completed, 400);
    assert_eq!(worker.health().registrations, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_is_reported_and_the_connections_keep_what_they_have() -> Result<()> {
    let (redis, file) = server();
    add_user(&redis, "app", "p1");
    write(&file, &json("app", "p1"));
    let (master, _worker) = start(options(&redis, CredentialsSource::file(&file))).await?;
    for (text, part) in [(Some("{\"password\": hunter2"), "is not JSON"), (None, "No such file")] {
        match text {
            Some(text) => write(&file, text),
            None => std::fs::remove_file(&file).unwrap(),
        }
        until("the problem is in the health", || {
            let error = master.health().error;
            error.is_some_and(|error| error.kind() == ErrorKind::AuthFailed && error.message().contains(part))
        })
        .await;
        let error = master.health().error.unwrap();
        assert!(error.message().contains("credentials.json") && !error.message().contains("hunter2"), "{error}");
        assert_eq!(master.run(NewJob::json(&1)?).await?.json::<u64>()?, 1);
    }
    while !matches!(master.next().await, Some(Event::Error(error)) if error.kind() == ErrorKind::AuthFailed) {}
    // A connection that is lost meanwhile is made with what was known last.
    redis.ask::<i64>(&["CLIENT", "KILL", "USER", "app"]);
    assert_eq!(master.run(NewJob::json(&1)?).await?.json::<u64>()?, 1);
    // Credentials that the server rejects.
    write(&file, &json("app", "wrong"));
    until("the rejection is in the health", || master.health().error.is_some_and(|error| error.message().contains("WRONGPASS")))
        .await;
    assert_eq!(master.run(NewJob::json(&1)?).await?.json::<u64>()?, 1);
    // The server learns the password later.
    add_user(&redis, "app", "wrong");
    until("the problem has gone", || master.health().error.is_none()).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_returns_the_credentials() -> Result<()> {
    let (redis, _) = server();
    add_user(&redis, "app", "p1");
    add_user(&redis, "next", "p2");
    let current = Arc::new(Mutex::new(Ok(Credentials { username: Some("app".into()), password: "p1".into() })));
    let source = current.clone();
    let (master, _worker) = start(options(&redis, CredentialsSource::callback(move || source.lock().unwrap().clone()))).await?;
    assert_eq!(master.run(NewJob::json(&1)?).await?.json::<u64>()?, 1);
    *current.lock().unwrap() = Err("the vault is sealed".to_owned());
    until("the problem is in the health", || {
        master.health().error.is_some_and(|error| error.message().contains("the vault is sealed"))
    })
    .await;
    *current.lock().unwrap() = Ok(Credentials { username: Some("next".into()), password: "p2".into() });
    until("the new user is used", || connections(&redis, "app").is_empty() && connections(&redis, "next").len() == 4).await;
    until("the problem has gone", || master.health().error.is_none()).await;
    Ok(())
}

#[tokio::test]
async fn a_source_without_credentials_fails_at_once() -> Result<()> {
    let (redis, file) = server();
    let master = Master::start(options(&redis, CredentialsSource::file(&file)), &Handle::current())?;
    let error = master.ready().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthFailed);
    assert!(error.message().contains("the credentials cannot be read"), "{error}");

    let mut both = options(&redis, CredentialsSource::file(&file));
    both.password = Some("p".into());
    assert_eq!(both.check().unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut often = options(&redis, CredentialsSource::file(&file));
    often.credentials_interval = Duration::from_millis(99);
    assert!(often.check().unwrap_err().message().contains("credentials_interval"));
    Ok(())
}
