//! Unique keys in repeated batches.

use super::bench::{bench, done};
use crate::model::job_options::NewJob;
use crate::model::unique::{OnConflict, Unique};
use crate::store::AddReply;
use crate::store::envelope::Envelopes;

#[tokio::test]
async fn a_repeated_batch_with_unique_keys_gets_the_same_answer() {
    let b = bench();
    b.join("w", &[]).await;
    let job = |id: &str, on_conflict| NewJob::bytes("").id(id).unique(Unique { on_conflict, ..Unique::from("k") });
    b.add_one("w", 1, job("active", OnConflict::Drop)).await;
    assert_eq!(done(b.sync("w", 2, "1", &[]).await).0.len(), 1);
    let hows = [OnConflict::Drop, OnConflict::Latest, OnConflict::Replace, OnConflict::Latest, OnConflict::Attach];
    let jobs = (0..).zip(hows).map(|(n, how)| job(&format!("j{n}"), how)).collect();
    let adds = crate::adding::Adds::default();
    adds.push(crate::adding::Submission::new(jobs, Box::new(|_| ())));
    let batch = adds.next_batch("w", 3, None, &mut libswarm_common::id::random_ids(), Envelopes::NONE).unwrap();
    for _ in 0..2 {
        let AddReply::Done { existed, .. } = b.store.add(&batch.call).await.unwrap() else { panic!("known") };
        let answers: Vec<_> = existed.iter().map(|job| (job.position, job.other.as_deref().unwrap(), job.replaced)).collect();
        assert_eq!(answers, [(0, "active", false), (2, "active", false), (3, "j1", true)]);
        let stats = b.store.stats().await.unwrap();
        assert_eq!((stats.added, stats.blocked, stats.active), (3, 2, 1), "{stats:?}");
    }
}
