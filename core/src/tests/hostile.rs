//! What comes from Redis may be anything: no reader panics, none allocates for a length that is only claimed, and what a reader accepts can be used.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use redis::Value;

use crate::model::job_options::NewJob;
use crate::model::payload::Payload;
use crate::store::codec::msgpack::{write_array, write_integer, write_string};
use crate::store::codec::record::{read_outcome, read_record, split_record, write_record};
use crate::store::codec::{choices, inspect, message, reply};
use crate::store::envelope::Envelopes;
use crate::store::inbox;
use libswarm_common::backoff::Backoff;

const KINDS: [&str; 12] = ["j", "d", "t", "m", "w", "c", "e", "n", "g", "o", "r", "?"];

/// Bytes that begin like msgpack more often than chance would have it.
fn blob() -> impl Strategy<Value = Vec<u8>> {
    let item = prop_oneof![
        any::<i64>().prop_map(|number| {
            let mut out = Vec::new();
            crate::store::codec::msgpack::write_signed(&mut out, number);
            out
        }),
        vec(any::<u8>(), 0..40).prop_map(|bytes| {
            let mut out = Vec::new();
            write_string(&mut out, &bytes);
            out
        }),
        "[a-z\n\0é]{0,8}".prop_map(|text| {
            let mut out = Vec::new();
            write_string(&mut out, text.as_bytes());
            out
        }),
        (0u32..20).prop_map(|length| {
            let mut out = Vec::new();
            write_array(&mut out, length as usize);
            out
        }),
        // Lengths that nothing follows.
        Just(vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        Just(vec![0xdb, 0xff, 0xff, 0xff, 0xff]),
        Just(vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
    ];
    prop_oneof![vec(any::<u8>(), 0..80), vec(item, 0..16).prop_map(|items| items.concat())]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        (0i64..3).prop_map(Value::Int),
        blob().prop_map(Value::BulkString),
        Just(Value::Okay),
    ];
    leaf.prop_recursive(2, 24, 9, |inner| vec(inner, 0..9).prop_map(Value::Array))
}

fn valid_record() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), 0u32..200, any::<i32>(), 0.0..=1.0f64, vec(any::<u8>(), 0..20)).prop_map(
        |(result, retries, priority, jitter, payload)| {
            let backoff = Backoff { jitter, ..Backoff::default() };
            let job = NewJob::new(Payload::bytes(payload))
                .result(result)
                .retries(retries)
                .priority(priority.into())
                .resource("r")
                .backoff(backoff);
            let mut out = Vec::new();
            write_record(&mut out, &job, "requester", Some(7), Envelopes::NONE);
            crate::store::codec::msgpack::Unpack::new(&out).string().unwrap().to_vec()
        },
    )
}

/// Whatever a worker does with an assigned job.
fn use_record(record: &[u8]) {
    let Ok(job) = read_record("id", 7, record, Envelopes::NONE) else { return };
    let backoff = job.extras.as_ref().and_then(|extras| extras.backoff).unwrap_or_default();
    for attempt in [1, 2, 64, 1100] {
        backoff.pause(attempt);
    }
    let timeouts =
        job.extras.iter().flat_map(|extras| [extras.run_timeout, extras.assign_timeout, extras.total_timeout]).flatten();
    for timeout in timeouts {
        // As a task reckons with it.
        assert!(tokio::time::Instant::now().checked_add(timeout).is_some());
    }
    let _ = (job.attempt(), job.retries_left(), job.headers().count());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_read_or_refused(record in blob()) {
        use_record(&record);
        let _ = split_record(&record);
        let _ = read_outcome("id", &record, Envelopes::NONE);
    }

    #[test]
    fn an_altered_record_is_read_or_refused(mut record in valid_record(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let at = at.index(record.len());
        record[at] = byte;
        if cut {
            record.truncate(at);
        }
        use_record(&record);
    }

    #[test]
    fn any_inbox_entry_is_read_or_refused(kind in prop::sample::select(&KINDS[..]), blob in blob()) {
        let _ = inbox::parse(kind.as_bytes(), &blob, Envelopes::NONE);
        let _ = message::read_blob(&blob, Envelopes::NONE);
        let _ = message::read_news(&blob);
    }

    #[test]
    fn a_fence_of_any_size_is_read(fence in any::<u64>(), count in 1usize..4) {
        let mut out = Vec::new();
        write_array(&mut out, 1 + 2 * count);
        write_integer(&mut out, fence);
        for _ in 0..count {
            write_string(&mut out, b"id");
            write_string(&mut out, &[0]);
        }
        let _ = reply::read_jobs(&out, &mut Vec::new(), Envelopes::NONE);
    }

    #[test]
    fn any_answer_of_a_script_is_read_or_refused(value in value()) {
        let _ = reply::joined(value.clone());
        let _ = reply::synced(value.clone(), Envelopes::NONE);
        let _ = reply::added(value.clone());
        let _ = reply::stats(value.clone());
        let _ = reply::strings(value.clone());
        let _ = reply::flags(value.clone());
        let _ = inspect::job(&value, Envelopes::NONE);
        let _ = inspect::page(&value, Envelopes::NONE);
        let _ = inspect::queues(&value, &mut crate::model::info::Queues::default());
        let _ = inspect::members(&value);
        let _ = choices::read(&value, Envelopes::NONE);
        let _ = choices::assigned(value.clone());
        let _ = message::receipts(value);
    }

    #[test]
    fn an_answer_of_the_right_shape_with_any_numbers_is_read_or_refused(numbers in vec(any::<i64>(), 4), blob in blob()) {
        let int = |at: usize| Value::Int(numbers[at]);
        let zero = Value::Int(0);
        let mut positions = Vec::new();
        write_array(&mut positions, 2);
        write_integer(&mut positions, 0);
        crate::store::codec::msgpack::write_signed(&mut positions, numbers[0]);
        let positions = Value::BulkString(positions);
        let _ = reply::synced(Value::Array(vec![zero.clone(), Value::Nil, positions.clone(), int(0), int(1), int(2), int(3), int(0)]), Envelopes::NONE);
        let _ = reply::added(Value::Array(vec![zero.clone(), positions, int(0)]));
        let blob = Value::BulkString(blob);
        let _ = reply::synced(Value::Array(vec![zero.clone(), blob.clone(), blob.clone(), int(0), int(1), int(2), int(3), int(0)]), Envelopes::NONE);
        let _ = reply::added(Value::Array(vec![zero.clone(), blob.clone(), int(0)]));
        let _ = message::receipts(Value::Array(vec![zero, blob]));
    }
}
