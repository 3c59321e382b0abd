//! The arguments of all commands.

use clap::{Parser, Subcommand};

use crate::commands::{
    add, cancel, completions, dashboard, doctor, drain, events, failed, job, jobs, limits, man, metrics, pause, run, schedules,
    send, status, top, up, workers,
};
use crate::global::Global;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer is no: not found, a job failed, or the doctor found an error
  2  the arguments are wrong
  3  Redis cannot be reached, or did not answer in time
  4  Redis refused: login, permission, version, eviction policy, replica, full

Examples:
  swarm doctor
  swarm -c mail status
  swarm -c mail add send '{\"to\": \"ada@example.org\"}' --retries 3
  swarm -c mail run send --slots 4 -- ./send-mail.sh
  swarm -c mail failed retry --reason run_timeout --yes";

/// Inspect, repair and use clusters of libswarm.
#[derive(Debug, Parser)]
#[command(name = "swarm", version, after_help = EXIT_CODES, propagate_version = false, infer_long_args = false, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the server and the cluster, and say what to do.
    Doctor(doctor::Args),
    /// Show members, states of jobs and queues in short.
    Status(status::Args),
    /// Watch the cluster: rates, states, workers and tasks.
    Top(top::Args),
    /// List jobs in a state.
    Jobs(Box<jobs::Args>),
    /// Show a job and its timeline.
    Job(job::Args),
    /// Add a job.
    Add(Box<add::Args>),
    /// Delete jobs in any state; a worker that runs one stops.
    Cancel(cancel::Args),
    /// Show failed jobs grouped by error; run them again or delete them.
    Failed(Box<failed::Args>),
    /// List schedules; run, pause, resume or remove one.
    Schedules(schedules::Args),
    /// List limits; set or remove the figures of one.
    Limits(limits::Args),
    /// Pause a task, or all jobs: none starts until it is resumed.
    Pause(pause::Args),
    /// Resume a task, or all jobs.
    Resume(pause::Args),
    /// Pause a worker and wait until its jobs have ended.
    Drain(drain::Args),
    /// List workers; change the slots of one, pause or resume it.
    Workers(workers::Args),
    /// Follow what becomes of all jobs.
    Events(events::Args),
    /// Send a message to members.
    Send(send::Args),
    /// Run a command for each job of a task.
    Run(run::Args),
    /// Print metrics for Prometheus, or serve them.
    Metrics(metrics::Args),
    /// Show the cluster in a browser.
    Dashboard(Box<dashboard::Args>),
    /// Run a private Redis server for development.
    Up(up::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Write the man pages to a folder.
    Man(man::Args),
}
