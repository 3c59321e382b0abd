//! The programs that a supervisor runs.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::system::Cpus;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::language::{Language, Listed};
use libswarm_common::value::{bounded, choice, parse_bool, parse_ms, unknown, whole, within};

/// When a process counts as ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadyBy {
    /// When it has been started.
    #[default]
    Start,
    /// When it reports it, by [`supervised::ready`](crate::supervised::ready) or by a byte written to the descriptor whose number is in
    /// `SWARM_READY_FD`.
    Explicit,
}

/// A program, and how to run it. Change it by name with [`Program::set`] or field by field. It is checked once by
/// [`Supervisor::spawn`](super::Supervisor::spawn).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The path of the executable, or its name to be searched in `PATH`. No shell is involved.
    pub command: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables added to those of this process. If a name occurs more than once, the last value is used.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory; default that of this process.
    pub dir: Option<PathBuf>,
    /// Numbers of the CPUs it may run on, 0 to 1023; if empty, all CPUs of this process. Only on Linux; refused on other systems.
    pub cpus: Vec<usize>,
    /// Its name in events, lists and prefixes and in `SWARM_PROCESS_NAME`; 1 to 256 bytes, default the file name of the command.
    pub name: Option<String>,
    /// The number of its processes; default 1, at most 1,000.
    pub count: u32,
    /// Whether a process that failed is restarted; default true.
    pub respawn: bool,
    /// When a process counts as ready; default when it has been started.
    pub ready: ReadyBy,
    /// The time in which it must report that it is ready. After it, the process is stopped and counts as failed. Default 30 s, 1 ms to 1 day.
    pub ready_timeout: Duration,
}

impl Program {
    /// One process of `command` without arguments.
    pub fn new(command: impl Into<OsString>) -> Self {
        Program {
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            cpus: Vec::new(),
            name: None,
            count: 1,
            respawn: true,
            ready: ReadyBy::Start,
            ready_timeout: Duration::from_secs(30),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets one option by its name, which is the same in every language: `arg` adds one argument, `env` one `NAME=value`, `cpus` is a list such as
    /// `0,2-3`, `ready` is `start` or `explicit`, and `dir`, `name`, `count`, `respawn`, `ready_timeout` (milliseconds) are the fields.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`] if the name is unknown or the value cannot be parsed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "arg" => self.args.push(value.into()),
            "env" => {
                let (variable, value) = value.split_once('=').ok_or_else(|| invalid("env has no `=`, it must be NAME=value"))?;
                self.env.push((variable.into(), value.into()));
            }
            "dir" => self.dir = Some(value.into()),
            "cpus" => self.cpus = cpus(value)?,
            "name" => self.name = Some(value.to_owned()),
            "count" => self.count = whole(name, value, 1, 1000)?,
            "respawn" => self.respawn = parse_bool(name, value)?,
            "ready" => self.ready = choice(name, value, &[("start", ReadyBy::Start), ("explicit", ReadyBy::Explicit)])?,
            "ready_timeout" => self.ready_timeout = parse_ms(name, value)?,
            _ => {
                return Err(unknown(
                    "option of a program",
                    name,
                    &["arg", "env", "dir", "cpus", "name", "count", "respawn", "ready", "ready_timeout"],
                    Language::current().options_page(Listed::Process),
                ));
            }
        }
        Ok(())
    }

    /// Checks the program as far as possible without starting it. Fails with [`ErrorKind::InvalidArgument`], or with [`ErrorKind::TooLarge`] if a
    /// name is too long. Whether the command exists is only detected when it is started.
    pub fn check(&self) -> Result<()> {
        check_name("name of the program", &self.shown_name())?;
        if self.command.is_empty() {
            return Err(invalid("the command is empty"));
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("")).as_os_str();
        let texts = [&*self.command, dir].into_iter().chain(self.args.iter().map(|arg| &**arg));
        let variables = self.env.iter().flat_map(|(name, value)| [&**name, &**value]);
        // The invalid text is not shown: it may be a secret.
        if texts.chain(variables).any(|text| text.as_bytes().contains(&0)) {
            return Err(invalid(
                "the command, an argument, the directory or a variable has a byte 0, which the system does not allow",
            ));
        }
        if let Some((name, _)) = self.env.iter().find(|(name, _)| name.is_empty() || name.as_bytes().contains(&b'=')) {
            return Err(invalid(format!("the environment variable's name {name:?} is empty or has a `=`")));
        }
        bounded("count", self.count, 1, 1000)?;
        within("ready_timeout", self.ready_timeout, Duration::from_millis(1), Duration::from_secs(86_400))?;
        Cpus::new(&self.cpus).map(drop)
    }

    /// The name, or its default.
    pub(super) fn shown_name(&self) -> String {
        let file = || Path::new(&self.command).file_name().unwrap_or(&self.command).to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(file)
    }
}

/// Parses `0,2-3`.
fn cpus(value: &str) -> Result<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in value.split(',').filter(|part| !part.trim().is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) =
            (whole("cpus", first, 0, Cpus::MAX_CPUS - 1)?, whole("cpus", last, 0, Cpus::MAX_CPUS - 1)?);
        if first > last || last >= Cpus::MAX_CPUS {
            let text =
                format!("cpus has `{part}`, it must be numbers below {} and ranges of them, such as 0,2-3", Cpus::MAX_CPUS);
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        cpus.extend(first..=last);
    }
    Ok(cpus)
}
