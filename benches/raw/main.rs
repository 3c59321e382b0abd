//! The limit: the same server used as leanly as it can be, with blocking sockets and requests encoded beforehand. Batches of 100.
//! `bench-raw producer|worker <url> <key>`.

mod connection;

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

fn payload(n: u64) -> String {
    format!(r#"{{"n":{n},"to":"somebody@example.org","text":"{TEXT}"}}"#)
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
    let batch: Vec<u8> = (0..BATCH).flat_map(|n| request(&["XADD", key, "*", "d", &payload(FIRST + n as u64)])).collect();
    for _ in 0..count as usize / BATCH {
        connection.write(&batch);
        for _ in 0..BATCH {
            connection.skip();
        }
    }
}

fn hand_over(connection: &mut Connection, key: &str, count: u64, pause_us: u64) {
    for _ in 0..count {
        std::thread::sleep(std::time::Duration::from_micros(pause_us));
        connection.call(&["LPUSH", &format!("{key}:list"), &payload(monotonic())]);
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
    let mut out = read.clone();
    let mut ids = Vec::new();
    let mut unread_replies = 0;
    while handled < count || unread_replies > 0 {
        connection.write(&out);
        for _ in 0..unread_replies {
            connection.skip();
        }
        out.clear();
        unread_replies = 0;
        if handled == count {
            break;
        }
        ids.clear();
        let entries = connection.stream_ids(&mut ids);
        if entries > 0 {
            for head in [["XACK", key, GROUP].as_slice(), ["XDEL", key].as_slice()] {
                connection::head(&mut out, head, entries);
                out.extend_from_slice(&ids);
            }
            unread_replies = 2;
        }
        handled += entries as u64;
        if handled < count {
            out.extend_from_slice(&read);
        }
    }
}
