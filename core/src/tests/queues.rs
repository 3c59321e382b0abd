//! Queues: deletion of ids in a long one, and the bytes that a round moves.

use super::bench::bench;
use crate::model::job_options::NewJob;
use crate::store::SyncReply;

#[tokio::test]
async fn ids_deleted_in_a_long_queue_are_removed_from_it() {
    let b = bench();
    b.join("w", &[]).await;
    let ids: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    for (number, chunk) in ids.chunks(1000).enumerate() {
        let jobs: Vec<(&str, bool)> = chunk.iter().map(|id| (id.as_str(), false)).collect();
        b.add("w", number as u64 + 1, &jobs).await;
    }
    b.store.delete(&["1".into(), "2".into(), "4999".into()]).await.unwrap();
    assert_eq!(b.store.stats().await.unwrap().waiting, 4997);
    b.add("w", 6, &[("2", true)]).await;
    let mut order = Vec::new();
    for number in 1.. {
        let jobs = b.take("w", number, 1000).await;
        if jobs.is_empty() {
            break;
        }
        order.extend(jobs.into_iter().map(|(id, _)| id));
    }
    assert_eq!(order.len(), 4998);
    assert_eq!((order[0].as_str(), order[1].as_str(), order[4997].as_str()), ("0", "3", "2"), "added again means behind all");
    assert_eq!(b.ask::<u64>(&["EXISTS", "{t}:tombstones"]) + b.ask::<u64>(&["HGET", "{t}:meta", "tombstones"]), 0);
}

#[tokio::test]
async fn large_payloads_are_moved_few_at_a_time() {
    let b = bench();
    b.join("w", &[]).await;
    for number in 1..=8 {
        b.add_one("w", number, NewJob::bytes(vec![b'x'; 1_000_000])).await;
    }
    let SyncReply::Done { jobs, returned, .. } = b.sync("w", 1, "100", &[]).await else { panic!("known") };
    assert_eq!((jobs.len(), returned), (4, 96), "4 MiB a call");
}
