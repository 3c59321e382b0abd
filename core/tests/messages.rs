//! Messages between members, and who comes and goes.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{Change, ErrorKind, Event, Master, MemberRef, Message, NewMessage, Options, Payload, Receipt, Role, To, Worker};
use support::{Redis, next_event, soon};
use tokio::runtime::Handle;

fn named(redis: &Redis, name: &str, group: &str) -> Options {
    let mut options = redis.options();
    options.set("name", name).unwrap();
    options.set("group", group).unwrap();
    options
}

/// A worker that subscribes to messages.
async fn listener(redis: &Redis, name: &str, group: &str) -> Worker {
    let worker = Worker::start(named(redis, name, group), &Handle::current()).unwrap();
    worker.messages().listen().await.unwrap();
    worker
}

async fn sender(redis: &Redis) -> Master {
    let master = Master::start(named(redis, "sender", "masters"), &Handle::current()).unwrap();
    master.ready().await.unwrap();
    master
}

async fn next_message(worker: &Worker) -> Message {
    next_event(worker, "a message", |event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    })
    .await
}

async fn text(worker: &Worker) -> String {
    next_message(worker).await.json().unwrap()
}

fn incarnations(members: &[&Worker]) -> Vec<String> {
    let mut all: Vec<_> = members.iter().map(|member| member.incarnation().unwrap()).collect();
    all.sort();
    all
}

fn recipients(receipt: &Receipt) -> Vec<String> {
    let mut all = receipt.recipients.clone();
    all.sort();
    all
}

#[tokio::test]
async fn messages_reach_their_recipients_and_name_their_sender() {
    let redis = Redis::start();
    let (ann, bob, eve) =
        (listener(&redis, "ann", "a").await, listener(&redis, "bob", "a").await, listener(&redis, "eve", "b").await);
    let unsubscribed = Worker::start(named(&redis, "unsubscribed", "a"), &Handle::current()).unwrap();
    unsubscribed.ready().await.unwrap();
    let master = sender(&redis).await;
    let send = |to: To, text: &'static str| {
        let messages = master.messages();
        async move { messages.send(NewMessage::json(to, text).unwrap()).await.unwrap() }
    };
    assert_eq!(
        recipients(&send(To::All, "all").await),
        incarnations(&[&ann, &bob, &eve]),
        "who does not subscribe receives nothing"
    );
    assert_eq!(recipients(&send(To::Group("a".into()), "group").await), incarnations(&[&ann, &bob]));
    assert_eq!(send(To::Name("eve".into()), "name").await.recipients, incarnations(&[&eve]));
    assert_eq!(send(To::Member(bob.incarnation().unwrap()), "member").await.recipients, incarnations(&[&bob]));
    let process = To::Process { pid: std::process::id(), host: String::new() };
    assert_eq!(send(process, "process").await.recipients.len(), 3);
    assert!(send(To::Name("nobody".into()), "lost").await.recipients.is_empty());
    for (member, expected) in [
        (&ann, &["all", "group", "process"][..]),
        (&bob, &["all", "group", "member", "process"]),
        (&eve, &["all", "name", "process"]),
    ] {
        for expected in expected {
            let message = next_message(member).await;
            assert_eq!(message.json::<String>().unwrap(), *expected);
            let MemberRef { incarnation, name, group, pid, .. } = message.from().clone();
            assert_eq!(
                (incarnation, name.as_str(), group.as_str(), pid),
                (master.incarnation().unwrap(), "sender", "masters", std::process::id())
            );
        }
    }
    // The sender itself, if it wants to.
    let own = ann.messages().send(NewMessage::bytes(To::Group("a".into()), [0xff]).to_self(true)).await.unwrap();
    assert_eq!(recipients(&own), incarnations(&[&ann, &bob]));
    assert_eq!(next_message(&ann).await.payload().bytes, [0xff]);
}

#[tokio::test]
async fn a_program_can_be_asked_to_exit() {
    let redis = Redis::start();
    let ann = listener(&redis, "ann", "").await;
    let master = sender(&redis).await;
    assert_eq!(master.messages().kill(To::Name("ann".into()), 3).await.unwrap().recipients, incarnations(&[&ann]));
    let asked = next_event(&ann, "the end", |event| match event {
        Event::Kill { code, from } => Some((code, from.name)),
        _ => None,
    });
    assert_eq!(asked.await, (3, "sender".into()));
}

#[tokio::test]
async fn messages_of_one_sender_keep_their_order_and_come_once() {
    let redis = Redis::start();
    let (ann, bob) = (listener(&redis, "ann", "").await, listener(&redis, "bob", "").await);
    let master = sender(&redis).await;
    let messages = master.messages();
    let (sent, mut receipts) = tokio::sync::mpsc::unbounded_channel();
    // Those of one batch, some for the same and some not.
    let everybody = [ann.incarnation().unwrap(), bob.incarnation().unwrap()];
    for n in 0..3000 {
        let (to, expected) = if n % 3 == 0 { (To::All, &everybody[..]) } else { (To::Name("ann".into()), &everybody[..1]) };
        let (sent, expected) = (sent.clone(), expected.to_vec());
        let done = move |receipt: libswarm::Result<Receipt>| {
            let mut recipients = receipt.unwrap().recipients;
            recipients.sort_by_key(|inc| *inc != expected[0]);
            sent.send(recipients == expected).unwrap();
        };
        messages.submit(NewMessage::json(to, &n).unwrap(), Box::new(done));
    }
    for n in 0..3000 {
        assert_eq!(next_message(&ann).await.json::<u32>().unwrap(), n);
        assert_eq!(receipts.recv().await, Some(true), "who receives message {n}");
    }
    for n in (0..3000).step_by(3) {
        assert_eq!(next_message(&bob).await.json::<u32>().unwrap(), n);
    }
    // What was submitted is sent before a member leaves.
    messages.submit(NewMessage::json(To::All, "last").unwrap(), Box::new(|_| ()));
    master.close().await.unwrap();
    assert_eq!(text(&ann).await, "last");
    let late = messages.send(NewMessage::json(To::All, "late").unwrap()).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn messages_to_many_members_all_arrive_in_their_order() {
    let redis = Redis::start();
    // More deliveries than one call of the script makes.
    let (members, count) = (60, 200_u32);
    let starting = (0..members).map(|n| {
        let options = named(&redis, &format!("w{n}"), "");
        tokio::spawn(async move {
            let worker = Worker::start(options, &Handle::current()).unwrap();
            worker.messages().listen().await.unwrap();
            worker
        })
    });
    let mut workers = Vec::new();
    for worker in starting.collect::<Vec<_>>() {
        workers.push(worker.await.unwrap());
    }
    let master = sender(&redis).await;
    let (sent, mut receipts) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..count {
        let sent = sent.clone();
        let done = move |receipt: libswarm::Result<Receipt>| sent.send(receipt.unwrap().recipients.len()).unwrap();
        master.messages().submit(NewMessage::json(To::All, &n).unwrap(), Box::new(done));
    }
    for n in 0..count {
        assert_eq!(receipts.recv().await, Some(members), "who receives message {n}");
    }
    for worker in &workers {
        for n in 0..count {
            assert_eq!(next_message(worker).await.json::<u32>().unwrap(), n);
        }
    }
}

#[tokio::test]
async fn acknowledgements_and_replies_are_collected_and_those_missing_named() {
    let redis = Redis::start();
    let (ann, bob) = (listener(&redis, "ann", "").await, listener(&redis, "bob", "").await);
    let master = sender(&redis).await;
    let messages = master.messages();
    let (acknowledged, ()) =
        tokio::join!(messages.send(NewMessage::json(To::All, "one").unwrap().acknowledged(Duration::from_secs(20))), async {
            assert_eq!(text(&ann).await, "one");
            assert_eq!(text(&bob).await, "one");
        });
    let acknowledged = acknowledged.unwrap();
    assert_eq!((acknowledged.replies.len(), acknowledged.missing.len()), (2, 0));
    assert!(acknowledged.replies.iter().all(|(_, payload)| payload.is_none()));
    let (asked, ()) =
        tokio::join!(messages.send(NewMessage::json(To::All, "who").unwrap().request(Duration::from_millis(300))), async {
            for (worker, replies) in [(&ann, true), (&bob, false)] {
                let question = next_message(worker).await;
                assert!(question.wants_reply());
                if replies {
                    question.reply(Payload::json("me").unwrap()).unwrap();
                    question.reply(Payload::json("again").unwrap()).unwrap();
                }
            }
        });
    let asked = asked.unwrap();
    assert_eq!(asked.missing, incarnations(&[&bob]));
    let [(from, Some(payload))] = &asked.replies[..] else { panic!("{asked:?}") };
    assert_eq!((from.name.as_str(), payload.bytes.as_slice()), ("ann", &b"\"me\""[..]));
    // Without a recipient: at once.
    let none = messages.send(NewMessage::json(To::Name("x".into()), "x").unwrap().request(Duration::from_secs(3600)));
    assert!(soon("an answer", none).await.unwrap().recipients.is_empty());
    let large = messages.send(NewMessage::bytes(To::All, vec![0; 65_537])).await;
    assert_eq!(large.unwrap_err().kind(), ErrorKind::TooLarge);
    let nameless = messages.send(NewMessage::bytes(To::Group(String::new()), "")).await;
    assert_eq!(nameless.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn confirmations_count_distinct_members() {
    let redis = Redis::start();
    let (ann, bob) = (listener(&redis, "ann", "").await, listener(&redis, "bob", "").await);
    let master = sender(&redis).await;
    let waiting = tokio::spawn({
        let messages = master.messages();
        async move { messages.confirmations(2, "ready").await }
    });
    soon("a listener", async {
        while redis.ask::<Vec<String>>(&["SMEMBERS", "{test}:listeners"]).len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for (member, name) in [(&ann, "ready"), (&ann, "ready"), (&bob, "other")] {
        member.messages().confirm(name).await.unwrap();
    }
    assert!(!waiting.is_finished());
    bob.messages().confirm("ready").await.unwrap();
    let names: Vec<_> = soon("both", waiting).await.unwrap().unwrap().into_iter().map(|member| member.name).collect();
    assert_eq!(names, ["ann", "bob"]);
}

#[tokio::test]
async fn members_that_join_leave_and_are_lost_are_reported_to_watchers() {
    let redis = Redis::start();
    let watcher = Worker::start(named(&redis, "watcher", ""), &Handle::current()).unwrap();
    watcher.messages().watch().await.unwrap();
    let next = || {
        next_event(&watcher, "a change", |event| match event {
            Event::Member { change, role, member } => Some((change, role, member.name, member.incarnation)),
            _ => None,
        })
    };
    let master = sender(&redis).await;
    let incarnation = master.incarnation().unwrap();
    assert_eq!(next().await, (Change::Joined, Role::Master, "sender".into(), incarnation.clone()));
    master.messages().set_data("{\"shard\":7}").await.unwrap();
    let found = master.members().await.unwrap().into_iter().find(|member| member.name == "sender").unwrap();
    assert_eq!(found.data.as_deref(), Some("{\"shard\":7}"));
    assert_eq!(master.messages().set_data("{").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    master.close().await.unwrap();
    assert_eq!(next().await, (Change::Left, Role::Master, "sender".into(), incarnation));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let dying = Worker::start(named(&redis, "dying", ""), runtime.handle()).unwrap();
    assert_eq!(next().await.0, Change::Joined);
    dying.ready().await.unwrap();
    let incarnation = dying.incarnation().unwrap();
    runtime.shutdown_background();
    assert_eq!(next().await, (Change::Lost, Role::Worker, "dying".into(), incarnation));
}

#[tokio::test]
async fn a_member_that_registers_again_receives_again_and_missed_messages_are_reported() {
    let redis = Redis::start();
    let ann = listener(&redis, "ann", "").await;
    let master = sender(&redis).await;
    let before = ann.incarnation().unwrap();
    redis.ask::<String>(&["FLUSHALL"]);
    soon("a new incarnation", async {
        while ann.incarnation().unwrap() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let receipt = master.messages().send(NewMessage::json(To::Name("ann".into()), "again").unwrap()).await.unwrap();
    assert_eq!(receipt.recipients, [ann.incarnation().unwrap()]);
    assert_eq!(text(&ann).await, "again");
}

#[tokio::test]
async fn an_inbox_that_is_not_read_is_bounded_and_both_sides_are_notified() {
    let redis = Redis::start();
    let master = sender(&redis).await;
    let ann = listener(&redis, "ann", "").await;
    // The program does not take its events: what is beyond the bound is dropped here.
    let messages = master.messages();
    for n in 0..10_100 {
        let last = n == 10_099;
        let message = NewMessage::json(To::Name("ann".into()), &n).unwrap();
        if last || n % 100 == 99 {
            messages.send(message).await.unwrap();
        } else {
            messages.submit(message, Box::new(|_| ()));
        }
    }
    let inbox = format!("{{test}}:inbox:{}", ann.incarnation().unwrap());
    soon("all are read", async {
        while redis.ask::<u64>(&["XLEN", &inbox]) > 64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let text = next_event(&ann, "the news of it", |event| match event {
        Event::Error(error) if error.kind() == ErrorKind::MessagesDropped => Some(error.message().to_owned()),
        _ => None,
    })
    .await;
    assert!(text.contains("messages were dropped"), "{text}");
    // The same for one that does not read at all.
    let fill = "for _ = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'w', '') end return 1";
    let sent = {
        redis.ask::<i64>(&["EVAL", fill, "1", &inbox]);
        messages.send(NewMessage::json(To::Name("ann".into()), "x").unwrap()).await.unwrap()
    };
    assert_eq!((sent.recipients.len(), sent.dropped), (0, 1));
}

#[tokio::test]
async fn no_sender_waits_for_members_that_are_gone() {
    let redis = Redis::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let dying = Worker::start(named(&redis, "dying", ""), runtime.handle()).unwrap();
    dying.messages().listen().await.unwrap();
    let (ann, bob) = (listener(&redis, "ann", "").await, listener(&redis, "bob", "").await);
    let gone = [bob.incarnation().unwrap(), dying.incarnation().unwrap()];
    let master = sender(&redis).await;
    let messages = master.messages();
    let question = NewMessage::json(To::All, "who").unwrap().request(Duration::from_secs(3600));
    let (asked, late) = tokio::join!(soon("an answer", messages.send(question)), async {
        next_message(&ann).await.reply(Payload::json("me").unwrap()).unwrap();
        let late = next_message(&bob).await;
        bob.terminate(Duration::ZERO).await.unwrap();
        runtime.shutdown_background();
        late
    });
    let mut asked = asked.unwrap();
    asked.missing.sort_by_key(|member| gone.iter().position(|gone| gone == member));
    assert_eq!((asked.replies.len(), asked.missing), (1, gone.to_vec()));
    assert_eq!(late.reply(Payload::default()).unwrap_err().kind(), ErrorKind::Closed);
    // What was acknowledged before the end counts.
    let (acknowledged, ()) =
        tokio::join!(messages.send(NewMessage::json(To::All, "x").unwrap().acknowledged(Duration::from_secs(3600))), async {
            next_message(&ann).await;
            ann.terminate(Duration::ZERO).await.unwrap();
        });
    assert_eq!(acknowledged.unwrap().replies.len(), 1);
}

#[tokio::test]
async fn answers_to_an_incarnation_that_is_gone_are_not_waited_for() {
    let redis = Redis::start();
    let ann = listener(&redis, "ann", "").await;
    let master = sender(&redis).await;
    let messages = master.messages();
    let question = NewMessage::json(To::All, "who").unwrap().request(Duration::from_secs(3600));
    let (asked, ()) = tokio::join!(soon("an answer", messages.send(question)), async {
        next_message(&ann).await;
        redis.ask::<String>(&["FLUSHALL"]);
    });
    assert_eq!(asked.unwrap().replies.len(), 0);
}
