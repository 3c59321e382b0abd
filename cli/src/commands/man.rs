//! `swarm man`: the man pages.

use std::path::PathBuf;

use clap::Command;
use serde_json::json;

use crate::exit::{Exit, Trouble};
use crate::output::{Output, count};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder, which is created if it does not exist.
    dir: PathBuf,
}

pub(crate) fn run(args: &Args, program: Command, output: &Output) -> Result<Exit, Trouble> {
    let written = std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(program, &args.dir))
        .and_then(|()| std::fs::read_dir(&args.dir));
    let pages = written.map_err(|error| Trouble::no(format!("{} cannot be written: {error}", args.dir.display())))?;
    let number = pages.flatten().filter(|page| page.file_name().to_string_lossy().starts_with("swarm")).count() as u64;
    if output.json {
        output.json(&json!({ "pages": number }))?;
    } else {
        output.line(format!("Wrote {} to {}.", count(number, "page"), args.dir.display()))?;
    }
    Ok(Exit::Ok)
}
