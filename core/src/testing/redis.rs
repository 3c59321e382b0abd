//! A Redis of this process, for tests.

use std::env;
use std::path::{Path, PathBuf};

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::lock::Mutex;

/// Returns the URL of the Redis for the tests of this process: the value of SWARM_REDIS_URL, or a private server that the first call starts.
///
/// The server listens on a Unix socket in a temporary directory and stores nothing on disk. It is the program named by SWARM_REDIS_SERVER, or
/// `redis-server` or `valkey-server` of PATH. It ends when this process has ended, however that ends, and its children that were forked. Blocks up to
/// 10 s. Fails with [`ErrorKind::Unavailable`] if there is no such program, or if it does not start.
pub fn private_redis() -> Result<String> {
    static URL: Mutex<Option<String>> = Mutex::new(None);
    if let Some(url) = env::var("SWARM_REDIS_URL").ok().filter(|url| !url.is_empty()) {
        return Ok(url);
    }
    let mut url = URL.lock();
    if let Some(url) = &*url {
        return Ok(url.clone());
    }
    let started = start(&program()?)?;
    *url = Some(started.clone());
    Ok(started)
}

fn unavailable(message: String) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}

fn program() -> Result<PathBuf> {
    let known = env::var_os("SWARM_REDIS_SERVER").filter(|name| !name.is_empty());
    let names = known.map_or_else(|| vec!["redis-server".into(), "valkey-server".into()], |name| vec![PathBuf::from(name)]);
    find(&names).ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.display())).collect();
        unavailable(format!(
            "there is no {}: install Redis 6.2 or newer (Debian: apt-get install redis-server; macOS: brew install redis), set SWARM_REDIS_SERVER to the path of a server, or SWARM_REDIS_URL to the address of one",
            names.join(" or ")
        ))
    })
}

/// The first of these programs that exists: a path, or a name in PATH.
fn find(names: &[PathBuf]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let places = |name: &Path| match name.components().count() {
        1 => folders.iter().map(|folder| folder.join(name)).collect(),
        _ => vec![name.to_owned()],
    };
    names.iter().flat_map(|name| places(name)).find(|place| place.is_file())
}

#[cfg(unix)]
fn start(program: &Path) -> Result<String> {
    use std::fs::DirBuilder;
    use std::os::unix::fs::DirBuilderExt;
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use libswarm_common::id::random_id;

    /// Ends the server and removes its folder when its input ends, which is when this process has ended. The process group is its own, so that Ctrl-C
    /// in a terminal does not end the server before the tests.
    const GUARD: &str = r#"dir=$1; shift; ("$@" >"$dir/log" 2>&1; : >"$dir/ended") & cat >/dev/null; rm -rf "$dir"; kill -9 0"#;
    const LIMIT: Duration = Duration::from_secs(10);

    let folder = env::temp_dir().join(format!("swarm-{}", random_id()));
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(|error| unavailable(format!("the folder {} cannot be created: {error}", folder.display())))?;
    let socket = folder.join("redis.sock");
    let mut guard = Command::new("/bin/sh")
        .args(["-c", GUARD, "sh"])
        .arg(&folder)
        .arg(program)
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| unavailable(format!("{} cannot be started: {error}", program.display())))?;
    // Stays open until this process ends.
    let input = guard.stdin.take();
    let deadline = Instant::now() + LIMIT;
    while UnixStream::connect(&socket).is_err() {
        if folder.join("ended").exists() || Instant::now() > deadline {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(3).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            drop(input);
            let _ = guard.wait();
            return Err(unavailable(format!("{} did not start: {}", program.display(), last.join("; "))));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    std::mem::forget(input);
    Ok(format!("unix://{}", socket.display()))
}

#[cfg(not(unix))]
fn start(_: &Path) -> Result<String> {
    Err(unavailable("a private Redis needs Unix: set SWARM_REDIS_URL to the address of a server".into()))
}
