//! Damaged records, members and keys do no harm beyond themselves.

use super::bench::{bench, done, swept};
use crate::model::job_options::NewJob;
use crate::store::envelope::Envelopes;
use crate::store::{SyncCall, SyncReply, keys};

#[tokio::test]
async fn damaged_records_harm_no_other_job() {
    // A resource that is cut, extras that are cut, extras out of bounds, an empty record.
    let damaged: [&[u8]; 6] = [&[64, 9, 9, b'x'], &[24, 0, 0, 200], b"\x18\x00\x00\x05\x81\xa1n\xcd\xff", b"", &[255], &[4]];
    for (task, record) in damaged.iter().flat_map(|record| [("", record), ("a", record)]) {
        let b = bench();
        b.join("w", &[]).await;
        b.join_for("v", "{'', 'a'}").await;
        for n in 0..300 {
            b.add_one("w", n + 1, NewJob::bytes("").id(n.to_string()).task(task)).await;
        }
        // The client of the tests takes text only.
        let escaped: String = record.iter().map(|byte| format!("\\{byte:03}")).collect();
        let set = format!("return redis.call('HSET', KEYS[1], '150', '{escaped}')");
        let _: u64 = b.ask(&["EVAL", &set, "1", "{t}:jobs"]);
        let call = SyncCall { number: 1, credit: "1000".into(), quotas: vec![0x90], ..SyncCall::default() };
        let SyncReply::Done { jobs, .. } = b.store.sync("v", &call).await.unwrap() else { panic!("known") };
        assert_eq!(jobs.len(), 300, "{record:?} {task}");
        assert_eq!(jobs.iter().filter(|job| job.is_err()).count(), 1, "{record:?}");
        // It can be finished, whatever was in the record.
        let job = jobs.iter().find_map(|job| job.as_ref().err()).unwrap();
        b.fail("v", 2, &("150".into(), job.fence)).await;
        assert_eq!(b.store.stats().await.unwrap().failed, 1);
    }
}

#[tokio::test]
async fn a_damaged_dead_member_does_not_stop_the_recovery_of_others() {
    let damages: [&[&str]; 7] = [
        &["SET", "{t}:active:d", "x"],
        &["HSET", "{t}:member:d", "tasks", "x"],
        &["HSET", "{t}:member:d", "max_crashes", "nan"],
        &["SET", "{t}:member:d", "x"],
        &["SET", "{t}:ephemeral:d", "x"],
        &["HSET", "{t}:meta", "add:d", "x"],
        &["HSET", "{t}:owner", "1", "x"],
    ];
    for damage in damages {
        let b = bench();
        for member in ["d", "e", "w"] {
            b.join(member, &[]).await;
        }
        b.add("w", 1, &[("1", false), ("2", false)]).await;
        assert_eq!(b.take("d", 1, 1).await.len() + b.take("e", 1, 1).await.len(), 2);
        if damage[0] == "SET" {
            let _: u64 = b.ask(&["DEL", damage[1]]);
        }
        let _: redis::Value = b.ask(damage);
        b.expire("d");
        b.expire("e");
        done(b.sync("w", 0, "", &[]).await);
        done(b.sync("w", 0, "", &[]).await);
        assert_eq!(b.ask::<Vec<String>>(&["SMEMBERS", "{t}:members"]), ["w"], "{damage:?}");
        let mut ids = swept(&b, "w").await;
        ids.sort();
        assert_eq!(ids, ["1", "2"], "{damage:?}");
        assert_eq!(b.take("w", 1, 5).await.len(), 2, "{damage:?}");
        assert!(b.store.stats().await.unwrap().damaged > 0 || damage[0] == "HSET", "{damage:?}");
    }
}

#[tokio::test]
async fn a_key_of_a_wrong_type_is_an_error_once() {
    // All keys but `meta`, which names the others.
    let fixed = keys::FIXED.iter().skip(1).chain(&keys::RARE).map(|part| (*part).to_owned());
    let of_member = keys::OF_MEMBER.iter().map(|part| format!("{part}:w"));
    let named =
        ["ready:0:", "ready:0:a", "queues:a", "load:a", "blocked:r", "unique:s", "turns:0:", "group:0:0::g", "weights:0:"]
            .map(str::to_owned);
    for part in fixed.chain(of_member).chain(named) {
        let b = bench();
        b.join("w", &[]).await;
        let mut number = 0;
        // Everything that members do, twice; what is lost with the key is lost.
        let mut errors = Vec::new();
        for turn in 0..8 {
            if turn == 2 {
                let key = format!("{{t}}:{part}");
                let _: u64 = b.ask(&["DEL", &key]);
                let _: () = b.ask(&["SET", &key, "not of this cluster"]);
            }
            if b.store.join("w", &[0x80 | 0x10], &[0x90], "").await.is_err() {
                errors.push(turn);
            }
            let job = || NewJob::bytes("");
            for job in [job().task("a"), job().resource("r"), job().unique("s"), job().group("g").weight(2), job()] {
                number += 1;
                let adds = crate::adding::Adds::default();
                adds.push(crate::adding::Submission::new(vec![job.result(true)], Box::new(|_| ())));
                let batch = adds.next_batch("w", number, None, &mut libswarm_common::id::random_ids(), Envelopes::NONE).unwrap();
                if b.store.add(&batch.call).await.is_err() {
                    errors.push(turn);
                }
            }
            number += 1;
            let call = SyncCall { number, credit: "2".into(), ..SyncCall::default() };
            match b.store.sync("w", &call).await {
                Ok(SyncReply::Done { jobs, .. }) => {
                    for job in jobs.into_iter().flatten() {
                        number += 1;
                        let call = [('c', job.id.as_str(), job.fence)];
                        if turn != 2 {
                            let _ = b.sync("w", number, "", &call).await;
                        }
                    }
                }
                Ok(_) => {}
                Err(_) => errors.push(turn),
            }
            for failed in [
                b.store.stats().await.is_err(),
                b.store.inspect(&["counts", ""]).await.is_err(),
                b.store.inspect(&["jobs", "waiting", "", "10"]).await.is_err(),
                b.store.delete(&["nothing".into()]).await.is_err(),
                b.store.failed("retry", None).await.is_err(),
            ] {
                if failed {
                    errors.push(turn);
                }
            }
        }
        errors.retain(|turn| *turn > 3);
        assert_eq!(errors, [0; 0], "{part}: turns with errors");
        assert!(b.store.stats().await.is_ok());
        // It may be the first to read the key.
        if b.store.obliterate().await.is_err() {
            b.store.obliterate().await.unwrap();
        }
        assert_eq!(b.ask::<Vec<String>>(&["KEYS", "*"]), [""; 0], "{part}");
    }
}
