//! Servers that cannot be used, each with an error that names the remedy.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{Error, ErrorKind, Event, Master, NewJob, Options, Worker};
use support::{Redis, soon};
use tokio::runtime::Handle;

async fn refusal(options: Options) -> Error {
    let worker = Worker::start(options.clone(), &Handle::current()).unwrap();
    let error = soon("ready", worker.ready()).await.expect_err("the server is not usable");
    let reported = soon("error event", async {
        loop {
            if let Some(Event::Error(error)) = worker.next().await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(reported.kind(), error.kind());
    assert_eq!(worker.health().error.map(|error| error.kind()), Some(error.kind()));
    let master = Master::start(options, &Handle::current()).unwrap();
    let add = soon("add", master.add(NewJob::json(&1).unwrap())).await.unwrap_err();
    assert_eq!(add.kind(), error.kind(), "{add}");
    soon("close", master.close()).await.unwrap();
    soon("terminate", worker.terminate(Duration::ZERO)).await.unwrap();
    error
}

fn with(redis: &Redis, settings: &[(&str, &str)]) -> Options {
    let mut options = redis.options();
    options.set("timeout", "500").unwrap();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    options
}

#[tokio::test]
async fn no_server_at_the_address() {
    let redis = Redis::start();
    let error = refusal(with(&redis, &[("host", "127.0.0.1"), ("port", "1")])).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("127.0.0.1:1") && error.message().contains("Check host and port"), "{error}");
    let error = refusal(with(&redis, &[("socket", "/nonexistent/redis.sock")])).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn wrong_passwords_and_users() {
    let redis = Redis::with(&["--requirepass", "secret"]);
    for settings in [&[][..], &[("password", "wrong")], &[("username", "ann"), ("password", "secret")]] {
        let error = refusal(with_password(&redis, settings)).await;
        assert_eq!(error.kind(), ErrorKind::AuthFailed, "{error}");
        assert!(error.message().contains("password"), "{error}");
    }
    let worker = Worker::start(with_password(&redis, &[("password", "secret")]), &Handle::current()).unwrap();
    soon("ready", worker.ready()).await.unwrap();
}

fn with_password(redis: &Redis, settings: &[(&str, &str)]) -> Options {
    with(redis, settings)
}

#[tokio::test]
async fn evicting_servers_are_refused_unless_allowed() {
    let redis = Redis::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let error = refusal(with(&redis, &[])).await;
    assert_eq!(error.kind(), ErrorKind::EvictionPolicy);
    assert!(error.message().contains("noeviction"), "{error}");
    let worker = Worker::start(with(&redis, &[("eviction", "warn")]), &Handle::current()).unwrap();
    soon("ready", worker.ready()).await.unwrap();
}

#[tokio::test]
async fn policies_that_cannot_evict_jobs_are_no_reason_to_refuse() {
    for args in [&["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"][..], &["--maxmemory-policy", "allkeys-lru"]] {
        let redis = Redis::with(args);
        let worker = Worker::start(with(&redis, &[]), &Handle::current()).unwrap();
        soon("ready", worker.ready()).await.unwrap();
    }
}

#[tokio::test]
async fn replicas_are_refused() {
    let master = Redis::start();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", "1"]);
    let error = refusal(with(&replica, &[])).await;
    assert_eq!(error.kind(), ErrorKind::ReadOnlyReplica, "{error}");
    drop(master);
}

#[tokio::test]
async fn other_servers_are_recognized() {
    let redis = Redis::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = refusal(with(&redis, &[("host", "127.0.0.1"), ("port", &port)])).await;
    assert_eq!(error.kind(), ErrorKind::WrongServer, "{error}");
    let cluster = Redis::with(&["--cluster-enabled", "yes"]);
    assert_eq!(refusal(with(&cluster, &[])).await.kind(), ErrorKind::WrongServer);
}

#[tokio::test]
async fn newer_protocols_are_refused() {
    let redis = Redis::start();
    let _: u64 = redis.ask(&["HSET", "{test}:meta", "protocol", "2"]);
    let error = refusal(with(&redis, &[])).await;
    assert_eq!(error.kind(), ErrorKind::ProtocolVersion, "{error}");
    assert_eq!(redis.ask::<Vec<String>>(&["KEYS", "*"]), ["{test}:meta"], "nothing was written");
}

#[tokio::test]
async fn foreign_keys_under_the_prefix_are_reported() {
    let redis = Redis::start();
    let _: String = redis.ask(&["SET", "{test}:meta", "mine"]);
    let error = refusal(with(&redis, &[])).await;
    assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{error}");
    assert!(error.message().contains("prefix"), "{error}");
}
