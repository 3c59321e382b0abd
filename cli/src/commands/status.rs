//! `swarm status`: members, states of jobs and queues in short.

use libswarm::{MemberInfo, Role, Snapshot};

use crate::connection::{MEMBER_NAME, Session};
use crate::exit::{Exit, Trouble};
use crate::output::table::table;
use crate::output::times::{duration, relative};
use crate::output::{Color, Output, count};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut snapshot = session.get(session.master.snapshot()).await?;
    without_own(&mut snapshot, session);
    if output.json {
        output.json(&snapshot)?;
        return Ok(Exit::Ok);
    }
    let title = format!("{} on {}", session.cluster, session.address);
    output.line(output.paint(Color::Bold, &title))?;
    let stats = &snapshot.stats;
    let now = [
        ("waiting", stats.waiting),
        ("active", stats.active + stats.deleting),
        ("delayed", stats.delayed),
        ("blocked", stats.blocked),
        ("failed", stats.failed),
        ("kept", stats.kept),
    ];
    let totals = [
        ("added", stats.added),
        ("completed", stats.completed),
        ("failed", stats.failures),
        ("retried", stats.retries),
        ("deleted", stats.deleted),
        ("crashes", stats.crashes),
    ];
    let line =
        |counts: &[(&str, u64)]| counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join("   ");
    output.line(format!("jobs now    {}", line(&now)))?;
    output.line(format!("in total    {}", line(&totals)))?;
    if stats.damaged > 0 {
        output
            .line(output.paint(Color::Yellow, &format!("damaged     {} repaired or removed", count(stats.damaged, "record"))))?;
    }
    if !snapshot.paused.is_empty() {
        output.line(output.paint(Color::Yellow, &format!("paused      {}", tasks(&snapshot.paused))))?;
    }
    output.line("")?;
    if snapshot.members.is_empty() {
        output.line("No members: no program is connected to this cluster.")?;
    } else {
        output.line(members(output, &snapshot.members))?;
    }
    output.line("")?;
    if snapshot.queues.is_empty() {
        output.line("No jobs wait.")?;
    } else {
        output.line(queues(output, &snapshot))?;
    }
    if snapshot.more_members || snapshot.more_queues {
        output.note("Only a part of the members or queues is shown; `swarm workers` lists all workers.");
    }
    Ok(Exit::Ok)
}

/// Leaves out the master of this command.
pub(crate) fn without_own(snapshot: &mut Snapshot, session: &Session) {
    // Not by its incarnation: Redis may know it before the reply has arrived.
    let (own, name) = (session.master.incarnation(), rustix::system::uname());
    let host = name.nodename().to_string_lossy();
    let is_own = |member: &MemberInfo| {
        let here =
            member.role == Role::Master && member.name == MEMBER_NAME && member.pid == std::process::id() && member.host == host;
        here || own.as_ref() == Some(&member.incarnation)
    };
    let before = snapshot.members.len();
    snapshot.members.retain(|member| !is_own(member));
    snapshot.stats.members -= ((before - snapshot.members.len()) as u64).min(snapshot.stats.members);
}

/// Tasks by their names; `*` stands for all, and "" for jobs without a task.
pub(crate) fn tasks(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().map(|name| task(name)).collect();
    shown.join(", ")
}

pub(crate) fn task(name: &str) -> &str {
    match name {
        "" => "(none)",
        "*" => "(all)",
        name => name,
    }
}

pub(crate) fn slots(member: &MemberInfo) -> String {
    match (member.role, member.slots) {
        (Role::Worker, Some(slots)) => format!("{}/{slots}", member.active),
        (Role::Worker, None) => format!("{}/∞", member.active),
        _ => String::new(),
    }
}

fn members(output: &Output, members: &[MemberInfo]) -> String {
    let rows = members.iter().map(|member| {
        vec![
            member.role.name().to_owned(),
            member.incarnation.clone(),
            member.name.clone(),
            format!("{}:{}", member.host, member.pid),
            slots(member),
            if member.role == Role::Worker { tasks(&member.tasks) } else { String::new() },
            relative(member.joined_at),
            duration(member.lease_left),
            if member.paused { "paused".to_owned() } else { String::new() },
        ]
    });
    table(output, &["MEMBER", "INCARNATION", "NAME", "HOST:PID", ">ACTIVE", "TASKS", "JOINED", "LEASE", ""], rows.collect())
}

fn queues(output: &Output, snapshot: &Snapshot) -> String {
    let rows = snapshot.queues.iter().map(|queue| {
        let paused = snapshot.paused.iter().any(|task| *task == "*" || *task == queue.task);
        let takes = |member: &MemberInfo| member.role == Role::Worker && member.tasks.contains(&queue.task);
        let workers = snapshot.members.iter().filter(|member| takes(member)).count();
        vec![
            task(&queue.task).to_owned(),
            queue.priority.to_string(),
            queue.waiting.to_string(),
            if queue.groups > 0 { queue.groups.to_string() } else { String::new() },
            workers.to_string(),
            if paused { "paused".to_owned() } else { String::new() },
        ]
    });
    table(output, &["TASK", ">PRIORITY", ">WAITING", ">GROUPS", ">WORKERS", ""], rows.collect())
}
