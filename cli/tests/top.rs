//! `swarm top` in a pseudo terminal.
#![allow(missing_docs)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use support::{Redis, at, swarm, until};

const ROWS: usize = 30;
const COLUMNS: usize = 120;

/// A terminal, and all that was written to it.
struct Terminal {
    master: File,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn open() -> (Terminal, File) {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: ROWS as u16, ws_col: COLUMNS as u16, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let master = File::from(master);
        let seen: Arc<Mutex<String>> = Arc::default();
        let (mut reader, writes) = (master.try_clone().unwrap(), seen.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                writes.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        (Terminal { master, seen }, slave)
    }

    fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        until(&format!("the screen shows {text:?}"), || screen(&self.seen.lock().unwrap()).contains(text));
    }
}

/// What is on the screen: letters at the places to which the cursor was moved.
fn screen(written: &str) -> String {
    let mut cells = vec![vec![' '; COLUMNS]; ROWS];
    let (mut row, mut column) = (0, 0);
    for part in written.split('\x1b') {
        let (sequence, text) = match part.strip_prefix('[') {
            Some(rest) => rest.split_at(rest.find(|letter: char| letter.is_ascii_alphabetic()).map_or(rest.len(), |end| end + 1)),
            None => ("", part),
        };
        if let Some(place) = sequence.strip_suffix('H') {
            let mut numbers = place.split(';').map(|number| number.parse().unwrap_or(1));
            (row, column) = (numbers.next().unwrap_or(1) - 1, numbers.next().unwrap_or(1) - 1);
        }
        for letter in text.chars() {
            if let Some(cell) = cells.get_mut(row).and_then(|cells| cells.get_mut(column)) {
                *cell = letter;
            }
            column += 1;
        }
    }
    cells.into_iter().map(|line| line.into_iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}

#[test]
fn top_shows_the_cluster_and_pauses_a_task() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    swarm(&redis, &["add", "mail", "1"]).ends_with(0);
    let (mut terminal, slave) = Terminal::open();
    let mut command = at(&redis);
    command.args(["top", "--every", "200ms", "--timeout", "500ms"]).env("TERM", "xterm");
    let (input, output) = (slave.try_clone().unwrap(), slave.try_clone().unwrap());
    let mut child = command.stdin(input).stdout(output).stderr(slave).spawn().unwrap();
    terminal.shows("mail");
    terminal.types("?");
    terminal.shows("pause the task or worker");
    terminal.types("x");
    // Down, to the task behind the row of all.
    terminal.types("\x1b[B");
    terminal.types("p");
    terminal.shows("Pause the task mail?");
    assert!(swarm(&redis, &["status", "--json"]).json()["paused"].as_array().unwrap().is_empty());
    terminal.types("y");
    until("it is paused", || swarm(&redis, &["status", "--json"]).json()["paused"][0] == "mail");
    redis.kill();
    terminal.shows("no answer for");
    redis.run();
    swarm(&redis, &["add", "later", "1"]).ends_with(0);
    terminal.shows("later");
    terminal.types("q");
    assert!(child.wait().unwrap().success());
    until("the screen is left", || terminal.seen.lock().unwrap().contains("\x1b[?1049l"));
}
