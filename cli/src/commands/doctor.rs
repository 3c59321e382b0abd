//! `swarm doctor`: checks the server and the cluster, and says what to do.

use std::time::Duration;

use libswarm::{ErrorKind, Role, ServerInfo, Snapshot};
use serde_json::json;

use super::status::{task, tasks, without_own};
use crate::connection::{self, Session};
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::times::duration;
use crate::output::{Color, Output, bytes, count, legible};

/// A name for the keys that the checks look at, if no cluster is named.
const NO_CLUSTER: &str = "swarm-doctor";
/// From here on a round trip is slow.
const SLOW: Duration = Duration::from_millis(20);
/// From here on a difference of clocks matters to `run_at` and schedules.
const CLOCK_MS: u64 = 1000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    Warning,
    Error,
}

/// One line of the report.
struct Finding {
    check: &'static str,
    level: Level,
    text: String,
    /// What to do, or "".
    advice: String,
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Level::Ok, text, "");
    }

    fn warning(&mut self, check: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Level::Warning, text, advice);
    }

    fn error(&mut self, check: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Level::Error, text, advice);
    }

    fn add(&mut self, check: &'static str, level: Level, text: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { check, level, text: text.into(), advice: advice.into() });
    }

    fn count(&self, level: Level) -> u64 {
        self.0.iter().filter(|finding| finding.level == level).count() as u64
    }
}

pub(crate) async fn run(_: &Args, global: &Global, output: &Output) -> Result<Exit, Trouble> {
    let name = global.cluster.as_deref();
    let cluster = connection::named(global, name.unwrap_or(NO_CLUSTER))?;
    let mut report = Report::default();
    match cluster.server().await {
        Err(error) => {
            report.error("address", error.message(), advice_for(error.kind()));
        }
        Ok(server) => {
            check_server(&server, &mut report);
            if name.is_some() && server.refusal.is_none() {
                check_cluster(global, &mut report).await?;
            }
        }
    }
    print(&report, name, output)?;
    Ok(if report.count(Level::Error) > 0 { Exit::No } else { Exit::Ok })
}

fn print(report: &Report, name: Option<&str>, output: &Output) -> Result<(), Trouble> {
    let level = |level| match level {
        Level::Ok => ("ok", Color::Green),
        Level::Warning => ("warning", Color::Yellow),
        Level::Error => ("error", Color::Red),
    };
    let (errors, warnings) = (report.count(Level::Error), report.count(Level::Warning));
    if output.json {
        let findings = report.0.iter().map(|finding| {
            json!({ "check": finding.check, "level": level(finding.level).0, "text": finding.text, "advice": finding.advice })
        });
        let findings: Vec<_> = findings.collect();
        return output.json(&json!({ "findings": findings, "errors": errors, "warnings": warnings }));
    }
    for finding in &report.0 {
        let (word, color) = level(finding.level);
        output.line(format!(
            "{} {:<12} {}",
            output.paint(color, &format!("{word:<8}")),
            finding.check,
            legible(&finding.text)
        ))?;
        if !finding.advice.is_empty() {
            output.line(format!("{:>21} -> {}", "", finding.advice))?;
        }
    }
    if name.is_none() {
        output.note("Name a cluster with --cluster to check it, too.");
    }
    output.line(match (errors, warnings) {
        (0, 0) => "No trouble found.".to_owned(),
        _ => format!("{}, {}.", count(errors, "error"), count(warnings, "warning")),
    })
}

/// What to do about an error while connecting. Its own text has the cause.
fn advice_for(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unavailable => "start Redis there, or set --redis; `swarm up` starts a server for development",
        ErrorKind::AuthFailed => "set --username and SWARM_REDIS_PASSWORD, or put the login into the URL",
        ErrorKind::PermissionDenied => "grant the permissions that docs/guides/operations.md lists",
        ErrorKind::Tls => "use a rediss:// URL, and --tls-ca for certificates of your own",
        ErrorKind::UnsupportedVersion => "upgrade the server: Redis 6.2 or newer, or Valkey",
        ErrorKind::ReadOnlyReplica => "use the address of the master, or redis+sentinel://",
        ErrorKind::EvictionPolicy => "redis-cli CONFIG SET maxmemory-policy noeviction, and set it in the configuration file",
        _ => "",
    }
}

fn check_server(server: &ServerInfo, report: &mut Report) {
    let trip = server.round_trip;
    report.ok("address", format!("{} is reached", server.address));
    let version = format!("{} {}, {}, {}", server.name, server.version, server.mode, server.role.replace("slave", "replica"));
    match &server.refusal {
        Some(error) if error.kind() != ErrorKind::EvictionPolicy => {
            report.error("server", format!("{version}: {}", error.message()), advice_for(error.kind()));
        }
        _ => report.ok("server", version),
    }
    check_eviction(server, report);
    check_persistence(server, report);
    check_memory(server, report);
    let clients = match server.max_clients {
        Some(max) => format!("{} of {max}", server.clients),
        None => server.clients.to_string(),
    };
    match server.max_clients {
        Some(max) if server.clients * 10 > max * 8 => {
            report.warning("connections", clients, "raise maxclients: each member has two connections");
        }
        _ => report.ok("connections", clients),
    }
    let latency = format!("{:.2} ms for a round trip", trip.as_secs_f64() * 1000.0);
    match trip >= SLOW {
        true => report.warning("latency", latency, "run members near the server; each call waits for a round trip"),
        false => report.ok("latency", latency),
    }
    if let Some(ahead) = server.clock_ahead_ms {
        check_clock(ahead, trip, report);
    }
    match &server.denied {
        None => report.ok("permissions", "not asked: ACL DRYRUN needs Redis 7 and a permission of its own"),
        Some(denied) if denied.is_empty() => report.ok("permissions", "the user may call all that libswarm needs"),
        Some(denied) => {
            let grants: Vec<String> = denied.iter().map(|name| format!("+{name}")).collect();
            let text = format!("the user may not call {} on keys of the cluster", denied.join(", "));
            report.error("permissions", text, format!("redis-cli ACL SETUSER <user> '~{{<cluster>}}:*' {}", grants.join(" ")));
        }
    }
}

fn check_clock(ahead: i64, trip: Duration, report: &mut Report) {
    let off = ahead.unsigned_abs();
    if off <= CLOCK_MS.max(trip.as_millis() as u64) {
        return report.ok("clock", format!("within {} of this machine's", duration(Duration::from_millis(off + 1))));
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let text = format!("the server's clock is {} {side} this machine's", duration(Duration::from_millis(off)));
    report.warning("clock", text, "run_at and schedules use the server's clock: synchronize both with NTP");
}

fn check_eviction(server: &ServerInfo, report: &mut Report) {
    let policy = if server.eviction_policy.is_empty() { "not stated" } else { &server.eviction_policy };
    let refused = server.refusal.as_ref().filter(|error| error.kind() == ErrorKind::EvictionPolicy);
    match (refused, server.warnings.first()) {
        (Some(error), _) => report.error("eviction", error.message(), advice_for(ErrorKind::EvictionPolicy)),
        (None, None) => report.ok("eviction", policy),
        (None, Some(_)) => {
            for warning in &server.warnings {
                report.warning("eviction", warning, "set maxmemory-policy noeviction");
            }
        }
    }
}

fn check_persistence(server: &ServerInfo, report: &mut Report) {
    if server.save_failed {
        let text = "the server could not write its data to disk, and may refuse writes";
        report.error("persistence", text, "see its log; it needs free disk and memory, and the right to write to its folder");
    }
    let snapshots = server.snapshots.as_deref();
    match (server.append_only, server.append_fsync.as_deref()) {
        (true, Some("always")) => report.ok("persistence", "append-only file, written at each change"),
        (true, Some("no")) => {
            report.warning(
                "persistence",
                "append-only file, written when the system likes",
                "set appendfsync everysec or always",
            );
        }
        (true, Some(_)) => report.ok("persistence", "append-only file, written each second: a power loss may undo the last 2 s"),
        (true, None) => report.ok("persistence", "append-only file"),
        (false, _) if snapshots == Some("") => {
            let text = "none: a restart of the server loses all jobs";
            report.warning("persistence", text, "set appendonly yes, unless jobs may be lost");
        }
        (false, _) => {
            let text = "snapshots only: a crash of the server loses what came after the last one";
            report.warning("persistence", text, "set appendonly yes, unless jobs may be lost");
        }
    }
}

fn check_memory(server: &ServerInfo, report: &mut Report) {
    let used = bytes(server.used_memory);
    let Some(max) = server.max_memory else {
        return report.ok("memory", format!("{used} used, no limit"));
    };
    let percent = server.used_memory.saturating_mul(100) / max.max(1);
    let text = format!("{used} of {} used ({percent} %)", bytes(max));
    match percent {
        0..80 => report.ok("memory", text),
        80..100 => report.warning("memory", text, "raise maxmemory, or remove jobs: a full server refuses new ones"),
        _ => report.error("memory", text, "the server refuses new jobs: raise maxmemory, or remove jobs (`swarm failed delete`)"),
    }
}

async fn check_cluster(global: &Global, report: &mut Report) -> Result<(), Trouble> {
    let session = Session::open(global)?;
    let ready = session.master.ready().await;
    match &ready {
        Ok(()) => report.ok("protocol", "a member can register, and the versions fit"),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::ProtocolVersion => "upgrade this program: newer members use the cluster",
                kind => advice_for(kind),
            };
            report.error("protocol", error.message(), advice);
        }
    }
    let mut looked = session.get(session.master.snapshot()).await;
    if looked.as_ref().is_err_and(|trouble| trouble.kind == ErrorKind::StoreCorrupt.name()) {
        // The library has repaired it, and counts it.
        looked = session.get(session.master.snapshot()).await;
    }
    match looked {
        Ok(mut snapshot) => {
            without_own(&mut snapshot, &session);
            check_members(&snapshot, report);
        }
        Err(trouble) if ready.is_ok() => report.error("cluster", trouble.message, ""),
        Err(_) => {}
    }
    session.close().await;
    Ok(())
}

fn check_members(snapshot: &Snapshot, report: &mut Report) {
    let stats = &snapshot.stats;
    match stats.damaged {
        0 => report.ok("damage", "none"),
        damaged => {
            let text = format!(
                "{} had another format, and were removed, replaced or repaired since the cluster was created",
                count(damaged, "record")
            );
            report.warning("damage", text, "find who else writes to the keys of the cluster; the log of members names them");
        }
    }
    let workers: Vec<_> = snapshot.members.iter().filter(|member| member.role == Role::Worker).collect();
    let masters = snapshot.members.len() - workers.len();
    let members = format!("{}, {}", count(workers.len() as u64, "worker"), count(masters as u64, "master"));
    match (workers.is_empty(), stats.waiting) {
        (true, waiting) if waiting > 0 => {
            report.warning("members", format!("{members}; {} for a worker", waits(waiting)), "start a worker");
        }
        _ => report.ok("members", members),
    }
    if !workers.is_empty() && !snapshot.more_members {
        let alone: Vec<String> = snapshot
            .queues
            .iter()
            .filter(|queue| !workers.iter().any(|worker| worker.tasks.contains(&queue.task)))
            .map(|queue| task(&queue.task).to_owned())
            .collect();
        if !alone.is_empty() {
            let text = format!("no worker takes jobs that wait: {}", alone.join(", "));
            report.warning("tasks", text, "start a worker with these tasks, or check their spelling");
        }
    }
    if !snapshot.paused.is_empty() {
        report.warning("pauses", format!("paused: {}", tasks(&snapshot.paused)), "`swarm resume` ends a pause");
    }
    let resting: Vec<&str> = workers.iter().filter(|worker| worker.paused).map(|worker| &*worker.incarnation).collect();
    if !resting.is_empty() {
        report.warning("pauses", format!("paused workers: {}", resting.join(", ")), "`swarm workers resume` ends a pause");
    }
    let dropped: u64 = snapshot.members.iter().map(|member| member.dropped).sum();
    if dropped > 0 {
        report.warning("messages", format!("{} were dropped", count(dropped, "message")), "a member does not read its inbox");
    }
    if stats.failed > 0 {
        report.ok("failed jobs", format!("{}; `swarm failed` groups them by error", stats.failed));
    }
}

fn waits(number: u64) -> String {
    format!("{} {}", count(number, "job"), if number == 1 { "waits" } else { "wait" })
}
