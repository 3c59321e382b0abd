//! What a program learns of a server and of a cluster with one call.
#![allow(missing_docs)]

mod support;

use libswarm::{Cluster, ErrorKind, NewJob, Role, ServerInfo};
use support::{Redis, master, next_job, pair, until_counts};

async fn server(redis: &Redis, settings: &[(&str, &str)]) -> libswarm::Result<ServerInfo> {
    let url = format!("unix://{}", redis.socket().display());
    let builder = settings.iter().fold(Cluster::builder("test").url(&url), |builder, (name, value)| builder.option(name, value));
    builder.build()?.server().await
}

#[tokio::test]
async fn a_server_states_what_it_is() {
    let redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb"]);
    let info = server(&redis, &[]).await.unwrap();
    assert_eq!((&*info.mode, &*info.role, &*info.eviction_policy), ("standalone", "master", "noeviction"));
    assert_eq!((info.append_only, info.append_fsync.as_deref(), info.snapshots.as_deref()), (true, Some("always"), Some("")));
    assert_eq!((info.max_memory, info.refusal, info.save_failed), (Some(100 << 20), None, false));
    assert!(info.used_memory > 0 && !info.version.is_empty() && info.round_trip.as_nanos() > 0);
    assert!(info.clock_ahead_ms.unwrap().abs() < 1000);
    assert_eq!(redis.ask::<i64>(&["DBSIZE"]), 0, "nothing was changed");
}

#[tokio::test]
async fn a_server_that_is_refused_is_described_too() {
    let redis = Redis::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let info = server(&redis, &[]).await.unwrap();
    assert_eq!(info.refusal.map(|error| error.kind()), Some(ErrorKind::EvictionPolicy));
    let info = server(&redis, &[("eviction", "warn")]).await.unwrap();
    assert_eq!((info.refusal, info.warnings.len()), (None, 1));
    let replica = Redis::with(&["--replicaof", "127.0.0.1 1"]);
    let info = server(&replica, &[]).await.unwrap();
    assert_eq!(info.refusal.map(|error| error.kind()), Some(ErrorKind::ReadOnlyReplica));
    let error = server(&redis, &[("host", "127.0.0.1"), ("port", "1")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn missing_permissions_are_named() {
    let redis = Redis::start();
    if redis.try_ask(&["ACL", "DRYRUN", "default", "ping"]).is_none() {
        return;
    }
    assert_eq!(server(&redis, &[]).await.unwrap().denied, Some(Vec::new()));
    redis.ask::<()>(&["ACL", "SETUSER", "ann", "on", ">secret", "~{test}:*", "+@all", "-xadd", "-zpopmin", "-time"]);
    let login = [("username", "ann"), ("password", "secret")];
    let info = server(&redis, &login).await.unwrap();
    assert_eq!(info.denied, Some(vec!["zpopmin".into(), "xadd".into(), "time".into()]));
    assert_eq!(info.clock_ahead_ms, None);
    redis.ask::<()>(&["ACL", "SETUSER", "ann", "-acl"]);
    assert_eq!(server(&redis, &login).await.unwrap().denied, None);
}

#[tokio::test]
async fn a_snapshot_has_counts_queues_and_members() {
    let redis = Redis::start();
    let empty = master(&redis);
    let snapshot = empty.snapshot().await.unwrap();
    assert_eq!((snapshot.stats.waiting, snapshot.queues.len(), snapshot.first_waiting), (0, 0, None));
    let (master, worker) = pair(&redis).await;
    master.pause(Some("mail")).await.unwrap();
    let job = |task: &str, id: &str| NewJob::json(&1).unwrap().task(task).id(id);
    master.add_many(vec![job("", "a"), job("mail", "b"), job("mail", "c").priority(2)]).await.unwrap();
    let active = next_job(&worker).await;
    until_counts(&master, "two wait", |stats| stats.waiting == 2).await;
    let snapshot = master.snapshot().await.unwrap();
    assert_eq!(snapshot.stats, master.stats().await.unwrap());
    assert_eq!(snapshot.queues, master.queues().await.unwrap().queues);
    assert_eq!((&snapshot.paused[..], snapshot.first_waiting.as_deref()), (&["mail".to_owned()][..], Some("c")));
    let found = snapshot.members.iter().find(|member| member.role == Role::Worker).unwrap();
    assert_eq!((found.active, snapshot.more_members, snapshot.more_queues), (1, false, false));
    active.complete(libswarm::Payload::json(&1).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_of_many_queues_is_a_part() {
    let redis = Redis::start();
    let master = master(&redis);
    let jobs = (0..1500).map(|number| NewJob::json(&1).unwrap().task(format!("task-{number}"))).collect();
    master.add_many(jobs).await.unwrap();
    let snapshot = master.snapshot().await.unwrap();
    assert_eq!((snapshot.queues.len(), snapshot.more_queues, snapshot.stats.waiting), (1000, true, 1500));
    assert_eq!(master.queues().await.unwrap().queues.len(), 1500);
}
