//! Members that the user names.

use libswarm::{MemberInfo, Role};

use crate::connection::Session;
use crate::exit::Trouble;

/// The workers of the cluster.
pub(crate) async fn workers(session: &Session) -> Result<Vec<MemberInfo>, Trouble> {
    let mut members = session.get(session.master.members()).await?;
    members.retain(|member| member.role == Role::Worker);
    Ok(members)
}

/// The one worker whose incarnation, name, `host:pid` or process id is this, or whose incarnation begins with it.
pub(crate) fn one<'a>(workers: &'a [MemberInfo], text: &str) -> Result<&'a MemberInfo, Trouble> {
    let rules: [&dyn Fn(&MemberInfo) -> bool; 3] = [
        &|worker| worker.incarnation == text,
        &|worker| worker.name == text || format!("{}:{}", worker.host, worker.pid) == text || worker.pid.to_string() == text,
        &|worker| text.len() >= 4 && worker.incarnation.starts_with(text),
    ];
    for rule in rules {
        let found: Vec<&MemberInfo> = workers.iter().filter(|worker| rule(worker)).collect();
        match &found[..] {
            [] => {}
            [one] => return Ok(one),
            many => {
                let all: Vec<&str> = many.iter().map(|worker| &*worker.incarnation).collect();
                return Err(Trouble::usage(format!("`{text}` may be any of {} workers: {}", many.len(), all.join(", "))));
            }
        }
    }
    Err(Trouble::not_found(format!("there is no worker `{text}`; `swarm workers` lists them by incarnation, name and host:pid")))
}
