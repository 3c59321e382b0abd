//! `swarm up`: a private Redis server for development, in the foreground.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use libswarm::Cluster;
use serde_json::json;
use tokio::process::{Child, Command};

use super::run::{can_run, dies_with_parent};
use crate::exit::{Exit, Trouble};
use crate::output::Output;
use crate::signals::Stop;

/// Names of the server, in the order in which they are looked for.
const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];
/// How long the server may take to start, and to stop.
const START: Duration = Duration::from_secs(10);
const END: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The server is the one that SWARM_REDIS_SERVER names, or redis-server or valkey-server on PATH. It listens on 127.0.0.1 only, and
its data is removed at the end, with Ctrl-C or SIGTERM.")]
pub(crate) struct Args {
    /// The port [default: one that is free].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), value_name = "PORT")]
    port: Option<u16>,
}

/// A folder that is removed when this is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) async fn run(args: &Args, output: &Output) -> Result<Exit, Trouble> {
    let server = server()?;
    let folder = Folder(std::env::temp_dir().join(format!("swarm-up-{}", libswarm::random_id())));
    let cannot = |error: std::io::Error| Trouble::no(format!("{} cannot be used: {error}", folder.0.display()));
    std::fs::create_dir(&folder.0).map_err(cannot)?;
    let log = std::fs::File::create(folder.0.join("log")).map_err(cannot)?;
    let port = args.port.map_or_else(free_port, Ok)?;
    let mut stop = Stop::new()?;
    let mut command = Command::new(&server);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no", "--port", &port.to_string()]);
    command
        .arg("--dir")
        .arg(&folder.0)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    dies_with_parent(&mut command);
    let mut child = command.spawn().map_err(|error| Trouble::no(format!("{server} cannot be started: {error}")))?;
    let url = format!("redis://127.0.0.1:{port}");
    let started = tokio::select! {
        started = tokio::time::timeout(START, until_it_answers(&url)) => started.is_ok(),
        _ = child.wait() => false,
        () = stop.requested() => return Ok(Exit::Ok),
    };
    // Another server may have the port, and answer in its place.
    if !started || child.try_wait().ok().flatten().is_some() {
        let log = std::fs::read_to_string(folder.0.join("log")).unwrap_or_default();
        return Err(Trouble::no(format!("{server} did not start on port {port}:\n{}", log.trim_end())));
    }
    if output.json {
        output.json(&json!({ "url": url, "pid": child.id() }))?;
    } else {
        output.line(&url)?;
        output.note(format!("A private {server} runs until Ctrl-C. In another terminal:\n  export SWARM_REDIS_URL={url}"));
    }
    tokio::select! {
        () = stop.requested() => {}
        status = child.wait() => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Err(Trouble::no(format!("the server ended: {status}")));
        }
    }
    end(&mut child).await;
    Ok(Exit::Ok)
}

fn server() -> Result<String, Trouble> {
    let named = std::env::var("SWARM_REDIS_SERVER").ok().filter(|name| !name.is_empty());
    let found = match &named {
        Some(name) => can_run(name).then(|| name.clone()),
        None => SERVERS.iter().find(|name| can_run(name)).map(|name| (*name).to_owned()),
    };
    found.ok_or_else(|| match named {
        Some(name) => Trouble::usage(format!("SWARM_REDIS_SERVER is `{name}`, which cannot be executed")),
        None => Trouble::no(
            "there is no redis-server or valkey-server on PATH: install one (Debian: apt-get install redis-server), or set SWARM_REDIS_SERVER",
        ),
    })
}

fn free_port() -> Result<u16, Trouble> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.map(|address| address.port()).map_err(|error| Trouble::no(format!("no port is free: {error}")))
}

async fn until_it_answers(url: &str) {
    while let Ok(cluster) = Cluster::builder("swarm-up").url(url).build() {
        if cluster.server().await.is_ok() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks the server to stop, and kills it if it does not.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(END, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
