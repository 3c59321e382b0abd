//! `swarm dashboard`: the cluster in a browser.

use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use tokio::net::TcpListener;

use crate::connection::{self, Session};
use crate::dashboard::{Access, Redaction, Rules, serve};
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::Output;
use crate::signals::Stop;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The address to listen at. Without a token only the own machine can connect: 127.0.0.1 or ::1.
    #[arg(long, default_value = "127.0.0.1:8800", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Let viewers change the cluster: retry, delete, pause, run schedules, set slots. Each action is written to the standard error stream.
    #[arg(long)]
    write: bool,
    /// What viewers have to know, 16 characters or more. Set the variable instead: arguments are visible to other users of the machine.
    #[arg(long, env = "SWARM_DASHBOARD_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// A name of this server, for a proxy in front of it. May be repeated.
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Show no payloads, results, progress and checkpoints, also not when a viewer asks for them.
    #[arg(long)]
    no_payloads: bool,
    /// Hide these parts of payloads: a JSON path such as $.user.email or $..token. May be repeated.
    #[arg(long, env = "SWARM_REDACT", value_delimiter = ',', value_name = "PATH")]
    redact: Vec<String>,
}

/// The shortest token.
const TOKEN: usize = 16;

pub(crate) async fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Trouble> {
    let rules = rules(args)?;
    let mut stop = Stop::new()?;
    let (session, cluster) = (Session::open(global)?, connection::cluster(global)?);
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Trouble::no(format!("the dashboard cannot listen at {}: {error}; choose another with --listen", args.listen))
    })?;
    let address = listener.local_addr().unwrap_or(args.listen);
    let url = format!("http://{}/", shown(address));
    if output.json {
        output.json(&json!({ "url": url, "write": args.write }))?;
    } else {
        output.line(&url)?;
        output.note(if args.write {
            "Viewers may change the cluster."
        } else {
            "It only reads; --write lets viewers change the cluster."
        });
        if rules.access.token.is_some() {
            output.note("Open it with the token once: add ?token=TOKEN to the address.");
        }
    }
    serve(listener, session, cluster, rules, &mut stop).await?;
    Ok(Exit::Ok)
}

fn rules(args: &Args) -> Result<Rules, Trouble> {
    let token = args.token.clone().filter(|token| !token.is_empty());
    if let Some(token) = &token {
        let plain = token.chars().all(|character| character.is_ascii_alphanumeric() || "-._~".contains(character));
        if token.len() < TOKEN || !plain {
            return Err(Trouble::usage(format!("the token must have {TOKEN} characters or more, of a-z, A-Z, 0-9 and -._~")));
        }
    } else if !args.listen.ip().is_loopback() {
        return Err(Trouble::usage(format!(
            "anybody who reaches {} could see the jobs: set a token (SWARM_DASHBOARD_TOKEN), or listen at 127.0.0.1",
            args.listen
        )));
    }
    Ok(Rules {
        access: Access { token, hosts: args.allow_host.clone() },
        write: args.write,
        payloads: !args.no_payloads,
        redaction: Redaction::new(&args.redact).map_err(Trouble::usage)?,
    })
}

/// An address that a browser can open.
fn shown(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    format!("{ip}:{}", address.port())
}
