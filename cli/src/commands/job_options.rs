//! The options of a job as arguments: all names that `NewJob::set` accepts.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use libswarm::NewJob;

use crate::exit::Trouble;
use crate::output::times::{parse_duration, parse_time};

/// How the value of an option is written.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Flag,
    Time,
    /// A duration, or another word.
    TimeOrWord,
    /// A point in time.
    At,
    /// May be given more than once.
    Many,
}

/// The names of `NewJob::set`, how their values are written, and what they do. `task` is an argument.
const OPTIONS: [(&str, Kind, &str, &str); 29] = [
    ("id", Kind::Text, "ID", "Id of the job; while one with this id exists, nothing is added"),
    ("result", Kind::Flag, "", "Keep the result, so that it can be awaited"),
    ("result_ttl", Kind::Time, "TIME", "How long the result is kept"),
    ("priority", Kind::Text, "NUMBER", "Higher ones are assigned first"),
    ("delay", Kind::Time, "TIME", "Delay the job by this time"),
    ("run_at", Kind::At, "TIME", "Delay the job until this time, as in 2026-11-30T12:00:00Z"),
    ("retries", Kind::Text, "NUMBER", "How many attempts may follow a failed one"),
    ("backoff", Kind::Text, "GROWTH", "Growth of the pauses before retries: fixed or exponential"),
    ("backoff_delay", Kind::Time, "TIME", "The first pause before a retry"),
    ("backoff_max", Kind::Time, "TIME", "The longest pause before a retry"),
    ("backoff_jitter", Kind::Text, "SHARE", "Random share of a pause, 0 to 1"),
    ("resource", Kind::Text, "NAME", "One job of a resource runs at a time"),
    ("limits", Kind::Text, "NAME", "A limit, or a JSON array of limits"),
    ("group", Kind::Text, "NAME", "Groups of jobs take turns"),
    ("weight", Kind::Text, "NUMBER", "How many turns the group has"),
    ("unique", Kind::Text, "KEY", "A key that one job has at a time"),
    ("unique_until", Kind::TimeOrWord, "WHEN", "Until when the job has it: end, start, or a time"),
    ("on_conflict", Kind::Text, "WHAT", "What happens while another job has it: drop, replace, latest or attach"),
    ("debounce", Kind::Time, "TIME", "Delay by this time; an add with the same unique key delays anew"),
    ("max_wait", Kind::Time, "TIME", "The longest time for which debounce delays"),
    ("assign_timeout", Kind::Time, "TIME", "Fails if it is not assigned within this time"),
    ("run_timeout", Kind::Time, "TIME", "Stops an execution after this time"),
    ("total_timeout", Kind::Time, "TIME", "Fails if it has not finished within this time"),
    ("header", Kind::Many, "NAME=VALUE", "A header, which the handler receives; may be repeated"),
    ("ephemeral", Kind::Flag, "", "Delete the job when this command leaves; only useful with --wait"),
    ("durability", Kind::Text, "WHAT", "What the add waits for: memory, fsync or replica"),
    ("after", Kind::Many, "ID", "Wait until this job has ended; may be repeated"),
    ("on_failure", Kind::Text, "WHAT", "What it does if such a job fails: fail, run or ignore"),
    ("keep_completed", Kind::Time, "TIME", "How long it is kept once it is completed"),
];

/// The options that were set, by name, with their values as `NewJob::set` takes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobOptions(Vec<(&'static str, String)>);

impl JobOptions {
    /// Sets them in a job.
    pub(crate) fn apply(&self, job: &mut NewJob) -> Result<(), Trouble> {
        self.0.iter().try_for_each(|(name, value)| Ok(job.set(name, value)?))
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

impl clap::FromArgMatches for JobOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut all = Vec::new();
        for (name, kind, ..) in OPTIONS {
            match kind {
                Kind::Flag if matches.get_flag(name) => all.push((name, "true".to_owned())),
                Kind::Flag => {}
                Kind::Time => all.extend(matches.get_one::<Duration>(name).map(|time| (name, millis(*time)))),
                Kind::At => all.extend(matches.get_one::<u64>(name).map(|ms| (name, ms.to_string()))),
                Kind::Text | Kind::TimeOrWord | Kind::Many => {
                    let values = matches.get_many::<String>(name).unwrap_or_default();
                    all.extend(values.map(|value| (name, value.clone())));
                }
            }
        }
        Ok(JobOptions(all))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for JobOptions {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Options of the job").args(OPTIONS.map(|(name, kind, value, help)| {
            let arg = Arg::new(name).long(name.replace('_', "-")).help(help);
            match kind {
                Kind::Flag => arg.action(ArgAction::SetTrue),
                Kind::Time => arg.value_name(value).value_parser(parse_duration),
                Kind::At => arg.value_name(value).value_parser(parse_time),
                Kind::TimeOrWord => arg.value_name(value).value_parser(|text: &str| {
                    Ok::<String, String>(parse_duration(text).map_or_else(|_| text.to_owned(), millis))
                }),
                Kind::Text => arg.value_name(value).allow_hyphen_values(name == "priority"),
                Kind::Many => arg.value_name(value).action(ArgAction::Append),
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
