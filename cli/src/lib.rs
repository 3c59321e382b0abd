//! The command line `swarm`: inspects a cluster, repairs it, adds jobs and runs them.
//!
//! It uses the public API of `libswarm` only. [`run`] is the whole program, so that other packages can have it as a command, too.

mod args;
mod commands;
mod confirm;
mod connection;
mod dashboard;
mod exit;
mod failures;
mod find;
mod global;
mod output;
mod payload;
mod recent;
mod signals;
mod top;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::Cli;
use output::Output;

/// Runs the program with these arguments, of which the first is its name, and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and versions are no errors. If nobody reads the text, there is nothing left to do.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let output = Output::new(&cli.global);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&exit::Trouble::no(format!("the program cannot start: {error}")));
            return exit::Exit::No.into();
        }
    };
    let done = runtime.block_on(commands::run(cli, &output));
    // Not waited for: a thread may still read from the terminal.
    runtime.shutdown_background();
    match done {
        Ok(exit) => exit.into(),
        Err(trouble) => {
            output.error(&trouble);
            trouble.exit.into()
        }
    }
}

/// The description of the command line: for completions, man pages and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}
