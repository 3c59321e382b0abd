//! The documentation and the arguments agree.
#![allow(missing_docs)]

mod support;

use support::{end, program};

/// The first cells of a table's rows in a section of a page, without code marks.
fn first_cells(page: &str, section: &str) -> Vec<String> {
    let path = format!("{}/../docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let body = text.split(&format!("\n## {section}\n")).nth(1).unwrap();
    let lines = body.lines().skip_while(|line| !line.starts_with("|--")).skip(1);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap().trim().to_owned()).collect()
}

fn help(args: &[&str]) -> String {
    let mut command = program();
    command.args(args).arg("--help");
    end(command).ends_with(0).out
}

#[test]
fn every_option_of_jobs_is_an_argument() {
    let shown = help(&["add"]);
    for cell in first_cells("reference/options.md", "Jobs") {
        let names = match cell.trim_matches('`') {
            "task" => vec![],
            "timeouts" => vec!["assign_timeout", "run_timeout", "total_timeout"],
            "headers" => vec!["header"],
            "backoff" => vec!["backoff", "backoff_delay", "backoff_max", "backoff_jitter"],
            "unique" => vec!["unique", "unique_until", "on_conflict"],
            name => vec![name],
        }
        .into_iter()
        .map(|name| format!("--{} ", name.replace('_', "-")))
        .collect::<Vec<_>>();
        for name in names {
            assert!(shown.replace('\n', " ").contains(&name), "{name} is missing");
        }
    }
}

#[test]
fn every_option_of_connections_is_an_argument_or_a_part_of_the_url() {
    let shown = help(&[]);
    // `credentials` is a function of a program.
    let of_url = ["host", "port", "socket", "sentinels", "sentinel_master", "nodes", "tls", "client", "credentials"];
    for cell in first_cells("reference/options.md", "Connection") {
        for name in cell.split(", ").map(|name| name.trim_matches('`')).filter(|name| !of_url.contains(name)) {
            let name = if name == "url" { "redis" } else { name };
            assert!(shown.contains(&format!("--{} ", name.replace('_', "-"))), "{name} is missing");
        }
    }
}

#[test]
fn the_guide_lists_every_command() {
    let shown = help(&[]);
    let commands = shown.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut known: Vec<&str> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    let cells = first_cells("guides/command-line.md", "Commands");
    let names = cells.iter().flat_map(|cell| cell.split(", ")).filter_map(|name| name.trim_matches('`').split(' ').next());
    let mut listed: Vec<&str> = names.collect();
    known.sort_unstable();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed, known);
}
