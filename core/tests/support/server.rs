//! A private redis-server on a Unix socket, stopped when dropped. Shared by the unit and the integration tests.
#![allow(dead_code, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

pub struct Redis {
    dir: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    pub fn start() -> Redis {
        Redis::with(&[])
    }

    /// With further arguments, such as `--maxmemory 5mb`.
    pub fn with(args: &[&str]) -> Redis {
        // In the tree; a socket's path must stay below 108 bytes.
        let name = format!("r{}-{}", std::process::id(), COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/tmp").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let mut redis = Redis { dir, args: args.iter().map(|arg| (*arg).to_owned()).collect(), child: None };
        redis.run();
        redis
    }

    pub fn run(&mut self) {
        let server = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        let child = Command::new(&server)
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.dir)
            .args(&self.args)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{server} cannot be started ({e}); install redis-server or set REDIS_SERVER"));
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.answers() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::yield_now();
        }
    }

    /// Kills the server; what it had not written is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it answers at all, be it that a password is needed.
    fn answers(&self) -> bool {
        let client = redis::Client::open(format!("unix://{}", self.socket().display())).unwrap();
        match client.get_connection().and_then(|mut connection| redis::cmd("PING").query::<()>(&mut connection)) {
            Ok(()) => true,
            Err(error) => matches!(error.code(), Some("NOAUTH" | "LOADING")),
        }
    }

    pub fn try_ask(&self, words: &[&str]) -> Option<redis::Value> {
        ask(&self.socket(), "", words)
    }

    /// One command of the user `default` with this password.
    pub fn ask_as<T: redis::FromRedisValue>(&self, password: &str, words: &[&str]) -> T {
        let value = ask(&self.socket(), password, words).unwrap_or_else(|| panic!("{words:?} failed"));
        redis::from_redis_value(value).ok().unwrap()
    }

    /// Sends a command that may be answered late or never.
    pub fn ask_later(&self, words: &[&str]) -> std::thread::JoinHandle<()> {
        let (socket, words) = (self.socket(), words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        std::thread::spawn(move || drop(ask(&socket, "", &words.iter().map(String::as_str).collect::<Vec<_>>())))
    }

    /// A connection of somebody else.
    pub fn hold(&self) -> std::os::unix::net::UnixStream {
        std::os::unix::net::UnixStream::connect(self.socket()).unwrap()
    }

    /// A Sentinel with this configuration, which names its port.
    pub fn sentinel(conf: &Path, port: u16) -> Sentinel {
        let server = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        let child = Command::new(server).arg(conf).arg("--sentinel").stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the Sentinel does not answer");
            std::thread::yield_now();
        }
        Sentinel(child)
    }

    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let value = self.try_ask(words).unwrap_or_else(|| panic!("{words:?} failed"));
        redis::from_redis_value(value).ok().unwrap()
    }
}

/// Stopped when dropped.
pub struct Sentinel(Child);

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(socket: &Path, password: &str, words: &[&str]) -> Option<redis::Value> {
    let login = if password.is_empty() { String::new() } else { format!("?pass={password}") };
    let client = redis::Client::open(format!("unix://{}{login}", socket.display())).unwrap();
    let mut connection = client.get_connection().ok()?;
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query(&mut connection).ok()
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
