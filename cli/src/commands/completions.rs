//! `swarm completions`: completions for a shell.

use clap::Command;
use clap_complete::Shell;

use crate::exit::{Exit, Trouble};
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell: bash, zsh, fish, elvish or powershell.
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut program: Command, output: &Output) -> Result<Exit, Trouble> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "swarm", &mut text);
    output.line(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Exit::Ok)
}
