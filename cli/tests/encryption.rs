//! Encrypted values, with the keys of SWARM_CODEC_KEYS.
#![allow(missing_docs)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{Done, Redis, Running, at, end};

const KEYS: &str = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const SECRET: &str = "plain-text-marker";

fn swarm(redis: &Redis, keys: &str, args: &[&str]) -> Done {
    let mut command = at(redis);
    command.env("SWARM_CODEC_KEYS", keys).args(args);
    end(command)
}

#[test]
fn jobs_are_encrypted_and_shown_with_the_keys_of_the_environment() {
    let redis = Redis::start();
    let payload = format!("\"{SECRET}\"");
    swarm(&redis, KEYS, &["add", "mail", &payload, "--id", "a"]).ends_with(0);
    let record: Vec<u8> = redis.ask(&["HGET", "{test}:jobs", "a"]);
    assert!(!record.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
    for look in [&["jobs", "--payload"][..], &["job", "a", "--payload"]] {
        swarm(&redis, KEYS, look).ends_with(0).prints(SECRET);
        let done = swarm(&redis, "", look).ends_with(0).prints("(encoded: SWARM_CODEC_KEYS has no key for it)");
        assert!(!done.out.contains(SECRET), "{done:?}");
    }
    let shown = swarm(&redis, "", &["job", "a", "--json"]).ends_with(0).json();
    assert_eq!((&shown["payload_encoded"], &shown["task"]), (&true.into(), &"mail".into()));
    let shown = swarm(&redis, KEYS, &["job", "a", "--json", "--payload"]).ends_with(0).json();
    assert_eq!((&shown["payload"], shown.get("payload_encoded")), (&SECRET.into(), None));
    // Keys that cannot be read are not shown.
    let done = swarm(&redis, "k1:hunter2", &["status"]).complains("codec_keys");
    assert!(done.code != 0 && !done.err.contains("hunter2"), "{done:?}");
}

#[test]
fn the_dashboard_decrypts_with_the_keys_of_the_environment() {
    let redis = Redis::start();
    swarm(&redis, KEYS, &["add", "mail", &format!("\"{SECRET}\""), "--id", "a"]).ends_with(0);
    for (keys, text) in [(KEYS, SECRET), ("", "(encoded: SWARM_CODEC_KEYS has no key for it)")] {
        let mut command = at(&redis);
        command.env("SWARM_CODEC_KEYS", keys).args(["dashboard", "--listen", "127.0.0.1:0"]);
        let server = Running::start(command);
        let url = server.line();
        let address = url.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned();
        let mut connection = TcpStream::connect(&address).unwrap();
        let request = "GET /api/job?id=a&payload=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(text), "{answer}");
    }
}
