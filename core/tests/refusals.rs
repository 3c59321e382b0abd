//! What a real server refuses, and that a member goes on by itself when it no longer does.
#![allow(missing_docs)]

mod support;

use std::net::{TcpListener, UdpSocket};

use libswarm::{Error, ErrorKind, Event, Master, NewJob, Options, Worker};
use support::{Redis, soon, trouble};
use tokio::runtime::Handle;

fn with(redis: &Redis, settings: &[(&str, &str)]) -> Options {
    let mut options = redis.options();
    options.set("timeout", "300").unwrap();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    options
}

fn master(redis: &Redis, settings: &[(&str, &str)]) -> Master {
    Master::start(with(redis, settings), &Handle::current()).unwrap()
}

async fn add(master: &Master) -> Result<(), Error> {
    soon("add", master.add(NewJob::json(&1).unwrap())).await.map(drop)
}

/// The error of an addition, once it is one of this kind: the first may have been sent before.
async fn refused(master: &Master, kind: ErrorKind) -> Error {
    soon("a refusal", async {
        loop {
            match add(master).await {
                Err(error) if error.kind() == kind => return error,
                // It was under way when the server closed the connection.
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::OutcomeUnknown),
                    "not {kind:?}, but {:?}: {error}",
                    error.kind()
                ),
                Ok(()) => {}
            }
        }
    })
    .await
}

/// Waits until additions succeed again.
async fn accepted(master: &Master) {
    soon("an addition", async { while add(master).await.is_err() {} }).await;
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_many_clients() {
    for settings in [&[][..], &[("password", "secret")], &[("db", "3")]] {
        let redis = Redis::with(&[
            "--maxclients",
            "1",
            "--requirepass",
            settings.iter().find(|(name, _)| *name == "password").map_or("", |(_, value)| value),
        ]);
        let others = redis.hold();
        let master = master(&redis, settings);
        let error = refused(&master, ErrorKind::TooManyClients).await;
        assert!(error.kind().is_retryable() && error.message().contains("maxclients"), "{error}");
        assert_eq!(trouble(&master.health()), Some(ErrorKind::TooManyClients));
        drop(others);
        accepted(&master).await;
        soon("close", master.close()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn protected_mode() {
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing: it only chooses the address that this machine has towards others.
    probe.connect("192.0.2.1:9").expect("this test needs a network interface besides that of the machine itself");
    let outside = probe.local_addr().unwrap().ip().to_string();
    let port = free_port();
    let redis = Redis::with(&["--port", &port, "--bind", "0.0.0.0", "--protected-mode", "yes"]);
    let settings = [("host", outside.as_str()), ("port", &port)];
    for more in [&[][..], &[("db", "1")]] {
        let master = master(&redis, &[&settings, more].concat());
        let error = soon("ready", master.ready()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProtectedMode, "{error}");
        assert!(error.message().contains("requirepass") && error.message().len() < 800, "{error}");
    }
    let ready = master(&redis, &settings);
    assert_eq!(refused(&ready, ErrorKind::ProtectedMode).await.kind(), ErrorKind::ProtectedMode);
    let _: String = redis.ask(&["CONFIG", "SET", "protected-mode", "no"]);
    accepted(&ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_few_replicas() {
    let redis = Redis::start();
    let master = master(&redis, &[]);
    accepted(&master).await;
    let _: String = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let error = refused(&master, ErrorKind::NotEnoughReplicas).await;
    assert!(error.kind().is_retryable() && error.message().contains("min-replicas-to-write"), "{error}");
    let _: String = redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    accepted(&master).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_cannot_be_written() {
    let redis = Redis::start();
    let lost = redis.dir().join("lost");
    std::fs::create_dir(&lost).unwrap();
    // Its folder is gone: not even root can write there.
    let redis = Redis::with(&["--dir", lost.to_str().unwrap(), "--save", "1 1"]);
    let master = master(&redis, &[]);
    accepted(&master).await;
    std::fs::remove_dir_all(&lost).unwrap();
    soon("a failed save", async {
        while !redis.ask::<String>(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err") {
            let _: Option<redis::Value> = redis.try_ask(&["BGSAVE"]);
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = refused(&master, ErrorKind::PersistenceFailed).await;
    assert!(error.kind().is_retryable() && error.message().contains("disk"), "{error}");
    assert_eq!(trouble(&master.health()), Some(ErrorKind::PersistenceFailed));
    let _: String = redis.ask(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    accepted(&master).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_busy_script() {
    let redis = Redis::with(&["--lua-time-limit", "10"]);
    let master = master(&redis, &[]);
    accepted(&master).await;
    let looping = redis.ask_later(&["EVAL", "while true do end", "0"]);
    let error = refused(&master, ErrorKind::Unavailable).await;
    let error = if error.message().contains("BUSY") { error } else { refused(&master, ErrorKind::Unavailable).await };
    assert!(error.message().contains("SCRIPT KILL"), "{error}");
    let _: String = redis.ask(&["SCRIPT", "KILL"]);
    accepted(&master).await;
    looping.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_reads_its_data() {
    let mut redis = Redis::with(&["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024"]);
    let _: () = redis.ask(&["EVAL", "for n = 1, 2000 do redis.call('SET', n, string.rep('x', 100)) end", "0"]);
    let _: String = redis.ask(&["SAVE"]);
    redis.kill();
    redis.run();
    let master = master(&redis, &[]);
    let error = refused(&master, ErrorKind::Unavailable).await;
    assert!(error.message().contains("LOADING") && error.message().contains("reading its data"), "{error}");
    accepted(&master).await;
}

/// Connections of users that were let in stay, whatever becomes of the password; new ones are refused, until it is as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_that_is_changed_meanwhile() {
    let redis = Redis::start();
    let user = |rules: &[&str]| redis.ask::<String>(&[&["ACL", "SETUSER", "swarm"], rules].concat());
    user(&["on", ">first", "~*", "+@all"]);
    let settings = [("username", "swarm"), ("password", "first")];
    let worker = Worker::start(with(&redis, &settings), &Handle::current()).unwrap();
    soon("ready", worker.ready()).await.unwrap();
    let master = master(&redis, &settings);
    accepted(&master).await;
    user(&["<first", ">second"]);
    accepted(&master).await;
    let _: u64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "USER", "swarm"]);
    let error = refused(&master, ErrorKind::AuthFailed).await;
    assert!(error.message().contains("password") && !error.message().contains("first"), "{error}");
    soon("the worker's error", async {
        loop {
            if let Some(Event::Error(error)) = worker.next().await
                && error.kind() == ErrorKind::AuthFailed
            {
                return;
            }
        }
    })
    .await;
    user(&[">first"]);
    accepted(&master).await;
    soon("a healthy worker", async {
        while !worker.health().healthy {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // A user that is removed loses its connections too.
    let _: u64 = redis.ask(&["ACL", "DELUSER", "swarm"]);
    refused(&master, ErrorKind::AuthFailed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_gets_a_password_meanwhile() {
    let redis = Redis::start();
    let master = master(&redis, &[]);
    accepted(&master).await;
    let _: String = redis.ask(&["CONFIG", "SET", "requirepass", "new"]);
    // As after a restart: those that were let in before stay.
    let _: u64 = redis.ask_as("new", &["CLIENT", "KILL", "TYPE", "normal"]);
    let error = refused(&master, ErrorKind::AuthFailed).await;
    assert!(error.message().contains("set password"), "{error}");
    let _: String = redis.ask_as("new", &["CONFIG", "SET", "requirepass", ""]);
    accepted(&master).await;
    let error = soon("ready", self::master(&redis, &[("password", "needless")]).ready()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthFailed, "{error}");
    assert!(error.message().contains("leave password out") && !error.message().contains("needless"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn permissions_that_are_taken_away_meanwhile() {
    let redis = Redis::start();
    let user = |rules: &[&str]| redis.ask::<String>(&[&["ACL", "SETUSER", "swarm"], rules].concat());
    user(&["on", ">secret", "~*", "+@all"]);
    let master = master(&redis, &[("username", "swarm"), ("password", "secret")]);
    accepted(&master).await;
    user(&["-evalsha"]);
    let error = refused(&master, ErrorKind::PermissionDenied).await;
    assert!(error.message().contains("evalsha") && !error.message().contains("may have been added"), "{error}");
    user(&["+evalsha"]);
    accepted(&master).await;
    // The script is let in and stopped half way.
    user(&["-hset"]);
    let error = refused(&master, ErrorKind::PermissionDenied).await;
    assert!(error.message().contains("may have been added"), "{error}");
    user(&["+hset"]);
    accepted(&master).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_database_that_the_server_does_not_have() {
    let redis = Redis::start();
    let error = soon("ready", master(&redis, &[("db", "16")]).ready()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.message().contains("databases"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cluster_that_serves_no_slots_yet() {
    let port = free_port();
    let redis = Redis::with(&["--port", &port, "--cluster-enabled", "yes"]);
    let master = master(&redis, &[("nodes", &format!("127.0.0.1:{port}"))]);
    let error = refused(&master, ErrorKind::Unavailable).await;
    assert!(error.message().contains("hash slot"), "{error}");
    for slot in 0..16_384 / 1024 {
        let slots: Vec<String> = (slot * 1024..(slot + 1) * 1024).map(|slot| slot.to_string()).collect();
        let words: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
        let _: String = redis.ask(&words);
    }
    accepted(&master).await;
}

/// A Sentinel or node that does not answer does not use up the time of those that do.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_silent_sentinel_among_others() {
    let (data, watch) = (free_port(), free_port());
    let redis = Redis::with(&["--port", &data]);
    let conf = redis.dir().join("sentinel.conf");
    std::fs::write(&conf, format!("port {watch}\nsentinel monitor main 127.0.0.1 {data} 1\n")).unwrap();
    let _sentinel = Redis::sentinel(&conf, watch.parse().unwrap());
    // It accepts connections and does not answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let sentinels = format!("127.0.0.1:{},127.0.0.1:{watch}", silent.local_addr().unwrap().port());
    let master = master(&redis, &[("sentinels", &sentinels), ("sentinel_master", "main"), ("timeout", "2000")]);
    accepted(&master).await;
    let wrong = [("sentinels", sentinels.as_str()), ("sentinel_master", "other"), ("timeout", "2000")];
    let error = soon("ready", self::master(&redis, &wrong).ready()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::WrongServer && error.message().contains("sentinel_master"), "{error}");
}
