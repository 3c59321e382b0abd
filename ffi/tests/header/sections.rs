//! The sections of the header: which modules each shows, in what order, and the index at the top.

use std::collections::BTreeMap;
use std::path::Path;

/// A part of the header: what is declared in some modules of `ffi/src`.
struct Section {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    modules: &'static [&'static str],
}

const SECTIONS: [Section; 18] = [
    Section {
        name: "basics",
        title: "Basics",
        about: "Status codes, errors, versions, bytes.",
        modules: &["status", "error", "version", "bytes", "flag", "runtime", "callback"],
    },
    Section { name: "log", title: "Log", about: "The callback for log records.", modules: &["log"] },
    Section {
        name: "options",
        title: "Options of members",
        about: "Set by name. The first invalid option is reported when a member is created.",
        modules: &["options", "credentials"],
    },
    Section {
        name: "calls",
        title: "Calls",
        about: "A function that takes time returns a swarm_call: wait for it, or set a callback; then read its answer.",
        modules: &["call", "json"],
    },
    Section {
        name: "members",
        title: "Members",
        about: "What masters and workers share: registration, events, callbacks on your own thread, deletion of jobs, health, counts.",
        modules: &["member", "health"],
    },
    Section {
        name: "messages",
        title: "Messages",
        about: "Messages between members, replies, confirmations, requests to exit; members that join, leave or are lost.",
        modules: &[
            "messages/peer",
            "messages/message",
            "messages/receipt",
            "messages/send",
            "messages/confirmations",
            "messages/exit",
            "messages/kill",
            "messages/presence",
        ],
    },
    Section {
        name: "masters",
        title: "Masters",
        about: "Add jobs, await their outcomes. Workers add jobs, too.",
        modules: &["job_options", "master", "add", "outcome", "run"],
    },
    Section {
        name: "inspection",
        title: "Inspection and control",
        about: "Inspection of jobs, queues and members; pauses, slots of workers, failed jobs, the choice of workers.",
        modules: &["inspect", "queues", "control", "choosers", "choice"],
    },
    Section {
        name: "schedules",
        title: "Schedules",
        about: "Jobs that the cluster adds by itself: at times, at intervals, or after the end of the one before.",
        modules: &["schedules"],
    },
    Section {
        name: "limits",
        title: "Limits",
        about: "How many jobs of a kind start in a time, and how many are active.",
        modules: &["limits"],
    },
    Section {
        name: "flows",
        title: "Flows",
        about: "Jobs that wait for each other, and are added together.",
        modules: &["flows"],
    },
    Section {
        name: "metrics",
        title: "Metrics",
        about: "What happened to jobs, counted without keeping them.",
        modules: &["metrics"],
    },
    Section { name: "events", title: "Events", about: "The transitions of jobs, which a master follows.", modules: &["events"] },
    Section { name: "jobs", title: "Jobs of a worker", about: "The data of an assigned job.", modules: &["job"] },
    Section { name: "results", title: "Results of jobs", about: "How a job is finished.", modules: &["result"] },
    Section { name: "workers", title: "Workers", about: "Accept jobs and run them.", modules: &["worker", "work", "batches"] },
    Section { name: "testing", title: "Testing", about: "Clusters and jobs for the tests of programs.", modules: &["testing"] },
    Section {
        name: "processes",
        title: "Processes",
        about: "Supervisors of processes on this machine; they need no Redis.",
        modules: &[
            "supervisor/options",
            "supervisor/program",
            "supervisor/event",
            "supervisor/list",
            "supervisor/mod",
            "supervisor/supervised",
        ],
    },
];

/// Where the declarations begin in what cbindgen writes; see cbindgen.toml.
const MARK: &str = "/* @DECLARATIONS@ */\n";
/// In the preamble, where the index goes.
const INDEX: &str = " * @INDEX@\n";
const WIDTH: usize = 118;

/// Puts the declarations into their sections, and the index into the preamble.
pub fn arrange(header: &str, sources: &Path) -> String {
    let (head, declarations) = header.split_once(MARK).expect("cbindgen.toml marks where the declarations begin");
    let homes = homes(sources);
    let mut placed: Vec<Vec<Vec<&str>>> = SECTIONS.iter().map(|section| vec![Vec::new(); section.modules.len()]).collect();
    let mut opaque = Vec::new();
    for item in declarations.split("\n\n").map(str::trim).filter(|item| is_declaration(item)) {
        let name = declared(item);
        if item.contains(&format!("typedef struct {name} {name};")) {
            opaque.push(item);
            continue;
        }
        let (section, module) = homes.get(name).copied().unwrap_or_else(|| panic!("`{name}` is in no section"));
        placed[section][module].push(item);
    }
    let mut out = head.replace(INDEX, &index(&placed));
    out.push_str("#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    out.push_str(&banner("Objects", "objects", "All are opaque; the preamble documents their ownership."));
    out.push_str(&opaque.join("\n\n"));
    out.push_str("\n\n/** @} */\n\n");
    for (section, modules) in SECTIONS.iter().zip(&placed) {
        out.push_str(&banner(section.title, section.name, section.about));
        let items: Vec<&str> = modules.iter().flatten().copied().collect();
        // What functions use comes before them: within a module in cbindgen's order, types before functions.
        let (types, functions): (Vec<&str>, Vec<&str>) = items.into_iter().partition(|item| !is_function(item));
        out.push_str(&types.into_iter().chain(functions).collect::<Vec<_>>().join("\n\n"));
        out.push_str("\n\n/** @} */\n\n");
    }
    out.push_str("#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* SWARM_H */\n");
    out
}

fn banner(title: &str, name: &str, about: &str) -> String {
    let line = "=".repeat(WIDTH - 3);
    format!("/* {line}\n * {title}\n * {line} */\n\n/**\n * @defgroup {name} {title}\n * {about}\n * @{{\n */\n\n")
}

/// Each section with its functions.
fn index(placed: &[Vec<Vec<&str>>]) -> String {
    let mut index = String::new();
    for (section, modules) in SECTIONS.iter().zip(placed) {
        index.push_str(&format!(" *\n *   {}: {}\n", section.title, section.about));
        let mut line = String::new();
        for name in modules.iter().flatten().filter(|item| is_function(item)).map(|item| declared(item)) {
            if !line.is_empty() && line.len() + name.len() + 10 > WIDTH {
                index.push_str(&format!(" *     {line}\n"));
                line.clear();
            }
            line.push_str(name);
            line.push(' ');
        }
        index.push_str(&format!(" *     {}\n", line.trim_end()));
    }
    let lines: Vec<&str> = index.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// Not a guard of C++ or of the header.
fn is_declaration(item: &str) -> bool {
    !item.is_empty() && !item.starts_with("#ifdef") && !item.starts_with("#endif") && !item.starts_with('}')
}

fn code(item: &str) -> impl Iterator<Item = &str> {
    item.lines().filter(|line| !line.trim_start().starts_with(['/', '*']))
}

fn is_function(item: &str) -> bool {
    let first = code(item).find(|line| *line != "SWARM_MUST_USE").unwrap_or_default();
    !first.starts_with("typedef") && !first.starts_with("#define")
}

/// The name that an item declares.
fn declared(item: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let lines: Vec<&str> = code(item).collect();
    let first = lines.iter().find(|line| **line != "SWARM_MUST_USE").expect("an item has code");
    if let Some(rest) = first.strip_prefix("#define ") {
        return rest.split_whitespace().next().expect("a macro has a name");
    }
    if let Some(at) = first.find("(*swarm_") {
        return first[at + 2..].split(|c| !is_word(c)).next().expect("a callback has a name");
    }
    if first.starts_with("typedef") {
        let last = lines.last().expect("a type has an end");
        return last.trim_end_matches(';').rsplit(|c| !is_word(c)).next().expect("a type has a name");
    }
    let before = first.split('(').next().expect("a function has a name");
    before.rsplit(|c| !is_word(c)).next().expect("a function has a name")
}

/// The section and module of each name that the sources declare.
fn homes(sources: &Path) -> BTreeMap<String, (usize, usize)> {
    let mut homes = BTreeMap::new();
    for (section, Section { modules, .. }) in SECTIONS.iter().enumerate() {
        for (module, file) in modules.iter().enumerate() {
            let path = sources.join(format!("{file}.rs"));
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("reading {}: {e}", path.display()));
            for line in text.lines() {
                let after = ["pub struct ", "pub enum ", "pub type ", "pub const ", "extern \"C\" fn "];
                let rest = after.iter().filter(|_| line.starts_with("pub")).find_map(|start| Some(line.split_once(start)?.1));
                if let Some(rest) = rest {
                    let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
                    homes.insert(name.to_owned(), (section, module));
                }
            }
        }
    }
    homes
}
