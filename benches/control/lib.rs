//! What every measured program shares: its commands on standard input, its answers on standard output, the clock and the payload.
//! README.md in this folder's parent describes the commands; the programs in other languages follow it too.

use std::io::{BufRead, Write};

/// Jobs in one call that adds in bulk.
pub const CALL: u64 = 10_000;
/// Adds under way at once when jobs are added one by one.
pub const IN_FLIGHT: u64 = 1000;
/// Slots of every worker, and the most events it takes at once.
pub const SLOTS: u32 = 1000;

/// Nanoseconds on the clock that all processes of the machine share.
pub fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of this frame, which the call only writes.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// One command: its name and its numbers.
pub struct Command {
    /// The first word.
    pub name: String,
    numbers: Vec<u64>,
}

impl Command {
    /// The first number, 0 if there is none.
    pub fn count(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }

    /// The number at this place, from 0.
    pub fn number(&self, at: usize) -> u64 {
        *self.numbers.get(at).unwrap_or_else(|| panic!("`{}` lacks number {at}", self.name))
    }
}

/// The next command; `None` when the harness has closed its end.
pub fn next_command() -> Option<Command> {
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).expect("standard input") == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    Some(Command { name, numbers: words.map(|word| word.parse().expect("a number")).collect() })
}

/// Answers the harness.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("standard output");
}

/// Answers with samples in nanoseconds.
pub fn say_samples(samples: &[u64]) {
    let words: Vec<String> = samples.iter().map(u64::to_string).collect();
    say(&format!("done {}", words.join(" ")));
}

/// The text that makes a payload 115 bytes long as JSON without spaces.
pub const TEXT: &str = "the quick brown fox jumps over the lazy dog, every single day";
/// The number of the first job; all have as many digits.
pub const FIRST: u64 = 1_000_000_000;

/// The time that a payload of the dispatch workload carries, and nothing else does.
pub fn sent_at(payload: &[u8]) -> u64 {
    let digits = payload.iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
