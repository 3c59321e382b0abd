//! What the tests of the command line share: a private server, and the real program.
#![allow(dead_code, missing_docs)]

#[path = "../../../core/tests/support/server.rs"]
mod server;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use libswarm::{Cluster, Master};
use serde_json::Value;

pub use server::Redis;

const LIMIT: Duration = Duration::from_secs(20);

/// What a command printed, and its exit code.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Fails the test unless the code is this one.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Done {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Fails the test unless the output has this text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Done {
        assert!(self.out.contains(text), "no {text:?} in {self:?}");
        self
    }

    /// Fails the test unless the error output has this text.
    #[track_caller]
    pub fn complains(self, text: &str) -> Done {
        assert!(self.err.contains(text), "no {text:?} in {self:?}");
        self
    }

    /// The output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The program, with nothing of the environment that it reads.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm"));
    for name in
        ["SWARM_REDIS_URL", "SWARM_CLUSTER", "SWARM_REDIS_USERNAME", "SWARM_REDIS_PASSWORD", "SWARM_REDIS_SERVER", "NO_COLOR"]
    {
        command.env_remove(name);
    }
    command
}

/// The program for cluster `test` of this server.
pub fn at(redis: &Redis) -> Command {
    let mut command = program();
    command.env("SWARM_REDIS_URL", url(redis)).env("SWARM_CLUSTER", "test");
    command
}

pub fn url(redis: &Redis) -> String {
    format!("unix://{}", redis.socket().display())
}

/// Runs a command to its end.
pub fn end(mut command: Command) -> Done {
    let done = command.stdin(Stdio::null()).output().unwrap();
    Done {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Runs `swarm` with these arguments at this server.
pub fn swarm(redis: &Redis, args: &[&str]) -> Done {
    let mut command = at(redis);
    command.args(args);
    end(command)
}

/// As [`swarm`], with this input.
pub fn swarm_with(redis: &Redis, args: &[&str], input: &[u8]) -> Done {
    let mut child = at(redis).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: done.status.code().unwrap_or(-1), out: text(done.stdout), err: text(done.stderr) }
}

/// A command that runs on, with its lines. It is killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let errors = lines_of(child.stderr.take().unwrap());
        Running { child, lines, errors }
    }

    /// The next line of the output.
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a line")
    }

    /// Waits for a line of the error output that has this text.
    #[track_caller]
    pub fn complains(&self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        let mut before = Vec::new();
        while let Ok(line) = self.errors.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return line;
            }
            before.push(line);
        }
        panic!("no {text:?} in {before:?}");
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; returns the exit code.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code().unwrap_or(-1),
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits until `holds` returns true.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A master of the test itself.
pub async fn master(redis: &Redis) -> Master {
    Cluster::builder("test").url(&url(redis)).build().unwrap().master().await.unwrap()
}

/// The worker that `swarm run` is, for these commands of a shell.
pub fn worker(redis: &Redis, options: &[&str], script: &str) -> Running {
    let mut command = at(redis);
    command.args(["run", "work"]).args(options).args(["--", "sh", "-c", script]);
    let running = Running::start(command);
    running.complains("is ready");
    running
}
