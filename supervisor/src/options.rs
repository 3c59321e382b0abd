//! The options of a supervisor.

use std::time::Duration;

use libswarm_common::backoff::{Backoff, Growth};
use libswarm_common::error::Result;
use libswarm_common::language::{Language, Listed};
use libswarm_common::value::{bounded, choice, parse_bool, parse_ms, share, unknown, whole, within};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const MS: Duration = Duration::from_millis(1);

/// Options of a [`Supervisor`](super::Supervisor), for all its processes. Change them by name with [`SupervisorOptions::set`] or field by field.
/// They are checked once at the start.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisorOptions {
    /// The time between TERM and KILL; default 5 s, 0 to 1 hour.
    pub grace: Duration,
    /// The pause before a process that failed is restarted; default 0.1 s doubling to 30 s, of which the last 20 % are random. `delay` 1 ms to 1
    /// hour, `max` from `delay` to 1 day, `jitter` 0 to 1.
    pub backoff: Backoff,
    /// The pauses restart from the first after a process was ready for this time; default 60 s, 0 to 1 day.
    pub healthy: Duration,
    /// After this many respawns within [`respawn_window`](Self::respawn_window), a process that fails again is not restarted any more; default 10,
    /// at most 10,000, 0 for no limit.
    pub max_respawns: u32,
    /// The time window of [`max_respawns`](Self::max_respawns); default 60 s, 1 ms to 1 day.
    pub respawn_window: Duration,
    /// Whether output of processes is written to stdout and stderr of this process, each line with the prefix `[name pid] `; default true.
    pub forward: bool,
    /// Whether output of processes is reported by [`SupervisorEvent::Line`](super::SupervisorEvent::Line); default false.
    pub lines: bool,
    /// The limit of bytes of lines that the program has not taken, 64 more for each line; default 1 MiB, 64 KiB to 1 GiB. Further lines are dropped
    /// and counted.
    pub line_buffer: usize,
}

impl Default for SupervisorOptions {
    fn default() -> Self {
        SupervisorOptions {
            grace: Duration::from_secs(5),
            backoff: Backoff {
                growth: Growth::Exponential,
                delay: Duration::from_millis(100),
                max: Duration::from_secs(30),
                jitter: 0.2,
            },
            healthy: Duration::from_secs(60),
            max_respawns: 10,
            respawn_window: Duration::from_secs(60),
            forward: true,
            lines: false,
            line_buffer: 1024 * 1024,
        }
    }
}

impl SupervisorOptions {
    /// Sets one option by its name, which is the same in every language: the names of the fields, and `backoff` (`fixed` or `exponential`),
    /// `backoff_delay`, `backoff_max`, `backoff_jitter`. Durations are in milliseconds, booleans are `true` or `false`.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name is unknown or the value cannot be parsed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "grace" => self.grace = parse_ms(name, value)?,
            "backoff" => {
                self.backoff.growth = choice(name, value, &[("fixed", Growth::Fixed), ("exponential", Growth::Exponential)])?;
            }
            "backoff_delay" => self.backoff.delay = parse_ms(name, value)?,
            "backoff_max" => self.backoff.max = parse_ms(name, value)?,
            "backoff_jitter" => self.backoff.jitter = share(name, value)?,
            "healthy" => self.healthy = parse_ms(name, value)?,
            "max_respawns" => self.max_respawns = whole(name, value, 0, 10_000)?,
            "respawn_window" => self.respawn_window = parse_ms(name, value)?,
            "forward" => self.forward = parse_bool(name, value)?,
            "lines" => self.lines = parse_bool(name, value)?,
            "line_buffer" => self.line_buffer = whole(name, value, 64 * 1024, 1024 * 1024 * 1024)?,
            _ => {
                return Err(unknown(
                    "option of a supervisor",
                    name,
                    &[
                        "grace",
                        "backoff",
                        "backoff_delay",
                        "backoff_max",
                        "backoff_jitter",
                        "healthy",
                        "max_respawns",
                        "respawn_window",
                        "forward",
                        "lines",
                        "line_buffer",
                    ],
                    Language::current().options_page(Listed::Process),
                ));
            }
        }
        Ok(())
    }

    /// Checks the bounds. Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument).
    pub fn check(&self) -> Result<()> {
        within("grace", self.grace, Duration::ZERO, HOUR)?;
        self.backoff.check(["backoff_delay", "backoff_max", "backoff_jitter"])?;
        within("backoff_delay", self.backoff.delay, MS, HOUR)?;
        within("backoff_max", self.backoff.max, self.backoff.delay, DAY)?;
        within("healthy", self.healthy, Duration::ZERO, DAY)?;
        within("respawn_window", self.respawn_window, MS, DAY)?;
        bounded("max_respawns", self.max_respawns, 0, 10_000)?;
        bounded("line_buffer", self.line_buffer, 64 * 1024, 1024 * 1024 * 1024)
    }
}
