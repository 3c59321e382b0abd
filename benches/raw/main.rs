//! The limit: the same server used as leanly as it can be, over blocking sockets, in batches of 100. Each payload is written anew and
//! each entry is taken out of its reply, as any client has to; nothing else is done with them.
//! `bench-raw producer|worker <url> <key>`.

mod connection;

use std::io::Write;

use bench_control::{FIRST, TEXT, monotonic, next_command, say, say_samples, sent_at};
use connection::{Connection, request};

/// Entries in one batch.
const BATCH: usize = 100;
const GROUP: &str = "group";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, url, key] = arguments.as_slice() else { panic!("usage: bench-raw role url key") };
    let address = url.strip_prefix("redis://").expect("a redis:// url");
    let mut connection = Connection::open(address);
    match role.as_str() {
        "producer" => producer(&mut connection, key),
        "worker" => worker(&mut connection, key),
        other => panic!("no role `{other}`"),
    }
}

fn write_payload(out: &mut Vec<u8>, n: u64) {
    out.clear();
    write!(out, r#"{{"n":{n},"to":"somebody@example.org","text":"{TEXT}"}}"#).expect("memory");
}

fn producer(connection: &mut Connection, key: &str) {
    connection.call(&["XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM"]);
    say("ready");
    while let Some(command) = next_command() {
        let begun = monotonic();
        match command.name.as_str() {
            "bulk" => add(connection, key, command.number(0)),
            "dispatch" => hand_over(connection, key, command.number(0), command.number(1)),
            "ping" => {
                say_samples(&ping(connection, command.number(0), command.number(1)));
                continue;
            }
            other => panic!("no command `{other}`"),
        }
        say(&format!("done {}", monotonic() - begun));
    }
}

/// One write and one read per batch of XADD.
fn add(connection: &mut Connection, key: &str, count: u64) {
    let mut head = Vec::new();
    connection::head(&mut head, &["XADD", key, "*", "d"], 1);
    let mut batch = Vec::new();
    let mut payload = Vec::new();
    for from in (0..count).step_by(BATCH) {
        batch.clear();
        for n in from..from + BATCH as u64 {
            write_payload(&mut payload, FIRST + n);
            batch.extend_from_slice(&head);
            connection::word(&mut batch, &payload);
        }
        connection.write(&batch);
        for _ in 0..BATCH {
            connection.skip();
        }
    }
}

fn hand_over(connection: &mut Connection, key: &str, count: u64, pause_us: u64) {
    let mut push = Vec::new();
    connection::head(&mut push, &["LPUSH", &format!("{key}:list")], 1);
    let head = push.len();
    let mut payload = Vec::new();
    for _ in 0..count {
        std::thread::sleep(std::time::Duration::from_micros(pause_us));
        write_payload(&mut payload, monotonic());
        push.truncate(head);
        connection::word(&mut push, &payload);
        connection.write(&push);
        connection.skip();
    }
}

fn ping(connection: &mut Connection, count: u64, pause_us: u64) -> Vec<u64> {
    let ping = request(&["PING"]);
    let round = |_| {
        std::thread::sleep(std::time::Duration::from_micros(pause_us));
        let begun = monotonic();
        connection.write(&ping);
        connection.skip();
        monotonic() - begun
    };
    (0..count).map(round).collect()
}

fn worker(connection: &mut Connection, key: &str) {
    say("ready");
    let Some(command) = next_command() else { return };
    say("started");
    let begun = monotonic();
    match command.name.as_str() {
        "drain" => {
            drain(connection, key, command.number(0));
            say(&format!("done {}", monotonic() - begun));
        }
        "dispatch" => {
            let blpop = request(&["BLPOP", &format!("{key}:list"), "0"]);
            let take = |_| {
                connection.write(&blpop);
                let sent = connection.last_bulk_of_array(sent_at);
                monotonic() - sent
            };
            let samples: Vec<u64> = (0..command.number(0)).map(take).collect();
            say_samples(&samples);
        }
        other => panic!("no command `{other}`"),
    }
    next_command();
}

/// Reads a batch, then acknowledges and deletes it in the write that asks for the next.
fn drain(connection: &mut Connection, key: &str, count: u64) {
    let read = request(&["XREADGROUP", "GROUP", GROUP, "one", "COUNT", &BATCH.to_string(), "BLOCK", "1000", "STREAMS", key, ">"]);
    let mut handled = 0;
    let mut entries = Vec::new();
    let mut out = read.clone();
    while handled < count {
        connection.write(&out);
        if !entries.is_empty() {
            connection.skip();
            connection.skip();
        }
        connection.stream_entries(&mut entries);
        handled += entries.len() as u64;
        out.clear();
        if !entries.is_empty() {
            for words in [["XACK", key, GROUP].as_slice(), ["XDEL", key].as_slice()] {
                connection::head(&mut out, words, entries.len());
                for (id, _) in &entries {
                    connection::word(&mut out, id);
                }
            }
        }
        out.extend_from_slice(&read);
    }
    out.truncate(out.len() - read.len());
    connection.write(&out);
    connection.skip();
    connection.skip();
}
