//! Messages to many members, and the bounds of an inbox.

use super::bench::bench;
use crate::store::codec::msgpack::{write_array, write_integer, write_string};

/// A batch of messages to all, each of so many bytes.
fn messages_to_all(count: usize, size: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    write_array(&mut packed, 4 * count);
    for _ in 0..count {
        write_string(&mut packed, b"a");
        write_string(&mut packed, b"");
        write_integer(&mut packed, 0);
        write_string(&mut packed, &vec![b'x'; size]);
    }
    packed
}

#[tokio::test]
async fn messages_to_many_members_take_several_calls() {
    let b = bench();
    b.join("m", &[]).await;
    for n in 0..60 {
        b.join(&format!("w{n}"), &[("subscriptions", "l")]).await;
    }
    let entries = || b.ask::<Vec<(String, Vec<(String, String)>)>>(&["XRANGE", "{t}:inbox:w59", "-", "+"]);
    let received = || entries().iter().flat_map(|(_, fields)| fields).filter(|(kind, _)| kind == "e").count();
    let batch = messages_to_all(100, 10);
    let answers = b.store.send("m", 1, &batch).await.unwrap().unwrap();
    // The 84th is that with which 5,000 deliveries are reached.
    assert_eq!((answers.len(), received()), (84, 84));
    assert!(answers.iter().all(|receipt| receipt.recipients.len() == 60));
    // The reply was lost: nothing is delivered twice, and no more is answered than was delivered.
    assert_eq!(b.store.send("m", 1, &batch).await.unwrap().unwrap().len(), 84);
    assert_eq!(received(), 84);
    assert_eq!(b.store.send("m", 2, &messages_to_all(16, 10)).await.unwrap().unwrap().len(), 16);
    assert_eq!(received(), 100);
}

#[tokio::test]
async fn an_inbox_has_64_mib_of_unread_messages() {
    let b = bench();
    b.join("m", &[]).await;
    b.join("slow", &[("subscriptions", "l")]).await;
    b.join("other", &[("subscriptions", "l")]).await;
    let send = async |number: u64, count: usize, size: usize| {
        b.store.send("m", number, &messages_to_all(count, size)).await.unwrap().unwrap()
    };
    let mut reached = 0;
    for number in 1..=60 {
        let receipts = send(number, 4, 1 << 20).await;
        reached += receipts.iter().filter(|receipt| receipt.recipients.iter().any(|inc| inc == "slow")).count();
        // This one reads.
        let _: u64 = b.ask(&["XTRIM", "{t}:inbox:other", "MAXLEN", "0"]);
        assert!(receipts.iter().all(|receipt| receipt.recipients.iter().any(|inc| inc == "other")), "batch {number}");
    }
    assert_eq!(reached << 20, 64 << 20);
    assert!(b.ask::<u64>(&["MEMORY", "USAGE", "{t}:inbox:slow", "SAMPLES", "0"]) < 112 << 20, "with what the allocator adds");
    // It reads half, and then all; what was dropped is reported.
    let length: usize = b.ask(&["XLEN", "{t}:inbox:slow"]);
    let _: u64 = b.ask(&["XTRIM", "{t}:inbox:slow", "MAXLEN", &(length / 2).to_string()]);
    let receipts = send(100, 40, 1 << 20).await;
    let reached = receipts.iter().filter(|receipt| receipt.recipients.iter().any(|inc| inc == "slow")).count();
    assert!((28..=32).contains(&reached), "{reached}");
    assert_eq!(b.ask::<u64>(&["HGET", "{t}:member:slow", "dropped"]), 60 * 4 - 64);
    for inbox in ["{t}:inbox:slow", "{t}:inbox:other"] {
        let _: u64 = b.ask(&["XTRIM", inbox, "MAXLEN", "0"]);
    }
    assert_eq!(send(101, 1, 65 << 20).await[0].recipients.len(), 2, "a single message is always accepted");
    assert_eq!(send(102, 1, 1).await[0].dropped, 2);
}
