//! Joins a Lua command and the modules that it needs into one source, as Redis requires. The build script does it (`build.rs`).
//!
//! Each file of `lua/` is complete Lua. `local name = require('module')` at its head names a module that exists before the file runs;
//! `lazy('module')` is a function that creates the module when it is first called. Required modules are created at the start of the command. Lazy
//! modules are created on demand by a single function, so that a call that does not need them pays for one closure only. Modules that are tables of
//! constants are replaced by their values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("lua/", $folder, "/", $name, ".lua")))),*]
    };
}

#[rustfmt::skip]
const COMMANDS: &[(&str, &str)] = files!(
    "commands":
    "add", "await", "choose", "delete", "failed", "flow", "follow", "inspect", "join", "leave", "limit", "listen", "metrics", "obliterate", "order",
    "pause", "rebalance",
    "repair", "schedule", "send", "stats", "sync", "testing",
);

#[rustfmt::skip]
const LIB: &[(&str, &str)] = files!(
    "lib":
    "adding", "admission", "assignment", "beginnings", "blocking", "broadcast", "choice", "chooser", "clock", "conflicts", "counts",
    "damage", "delays", "deletion", "departure", "dependents", "due", "due_entries", "edge_mending", "edges", "endings", "event_kinds", "events",
    "extras", "failures",
    "fences", "firing", "flow_building", "flow_pages", "flows", "history", "inbox", "inbox_kinds", "inputs", "kept", "keys", "lean_add",
    "limit_lines", "limit_state", "limits", "logs", "matching", "mending", "messages", "meta", "metric_folding", "metric_tasks", "metrics", "notices", "oldest",
    "ordering", "orders", "owner",
    "paces", "pages", "pauses", "placement", "places", "positions", "queue_heads", "queues", "ranking", "rare_keys", "reclaim",
    "record", "record_flags", "recovery", "registry", "reply", "resources", "results", "round_ends", "round_replay",
    "round_take", "schedules", "script", "special", "spreading", "stage_fields", "staging", "suspects", "sweep", "taking", "tick", "timeouts", "tombstones",
    "turn_pages", "turns", "unique_keys", "values", "waiters", "watching", "workers",
);

/// Modules that recovery needs even if the creation of a module fails. They make no calls and are created before all others.
const FIRST: [&str; 2] = ["keys", "script"];
/// The module that runs after an error.
const RECOVERY: &str = "recovery";

struct Module {
    /// The Lua source without comments and without the lines that name other modules.
    body: String,
    /// Local names and modules.
    requires: Vec<(String, String)>,
    lazies: Vec<(String, String)>,
    /// For a module that is a table of constants: their names and values.
    constants: Vec<(String, String)>,
}

static MODULES: LazyLock<BTreeMap<&str, Module>> =
    LazyLock::new(|| LIB.iter().map(|(name, source)| (*name, read(source))).collect());

/// The names of the commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _)| *name)
}

/// The source of a command, without its constants (`script.rs`).
pub(super) fn command(name: &str) -> String {
    let source = COMMANDS.iter().find(|(command, _)| *command == name).map_or("", |(_, source)| source);
    let command = read(source);
    let mut eager = Vec::new();
    for (_, module) in &command.requires {
        make_before(module, &mut eager);
    }
    let mut first: Vec<&str> = FIRST.to_vec();
    first.extend(eager.iter().filter(|module| !FIRST.contains(module)));
    let eager = first;
    let mut later = BTreeSet::new();
    for module in eager.iter().map(|name| &MODULES[*name]).chain([&command]) {
        for (_, module) in module.requires.iter().chain(&module.lazies) {
            needed_by(module, &eager, &mut later);
        }
    }
    needed_by(RECOVERY, &eager, &mut later);
    let layout = Layout { eager, later: later.into_iter().collect() };

    let mut out = String::new();
    let variables: Vec<String> = layout.eager.iter().map(|name| variable(name)).collect();
    let _ = writeln!(out, "local {}", variables.join(", "));
    out += "local made = {}\nlocal function load(index)\nlocal module = made[index]\nif module then return module end\n";
    write_makers(&mut out, &layout, 0, layout.later.len());
    out += "made[index] = module\nreturn module\nend\nlocal function main()\n";
    for name in &layout.eager {
        write_maker(&mut out, &layout, name, &variable(name));
    }
    let _ = writeln!(out, "{}{}end", heads(&command, &layout), body(&command, &layout));
    out += "local done, answer = pcall(main)\nif done then return answer end\n";
    let _ = writeln!(out, "return {}.recover(answer)", layout.module(RECOVERY));
    out
}

/// The modules that are created at the start, and those that are created on demand.
struct Layout<'a> {
    eager: Vec<&'a str>,
    later: Vec<&'a str>,
}

impl Layout<'_> {
    /// The Lua expression for a module.
    fn module(&self, name: &str) -> String {
        match self.later.iter().position(|later| *later == name) {
            Some(index) => format!("load({index})"),
            None => variable(name),
        }
    }
}

/// Writes the code that creates the lazy modules `from..to`. It uses branches instead of functions, because each call would have to create the
/// functions.
fn write_makers(out: &mut String, layout: &Layout, from: usize, to: usize) {
    if to - from <= 1 {
        return layout.later[from..to].iter().for_each(|name| write_maker(out, layout, name, "module"));
    }
    let middle = from.midpoint(to);
    let _ = writeln!(out, "if index < {middle} then");
    write_makers(out, layout, from, middle);
    out.push_str("else\n");
    write_makers(out, layout, middle, to);
    out.push_str("end\n");
}

/// Writes the code that creates a module and assigns it.
fn write_maker(out: &mut String, layout: &Layout, name: &str, target: &str) {
    let module = &MODULES[name];
    let whole = body(module, layout);
    let (body, result) = whole.trim_end().rsplit_once("return ").unwrap_or(("", &whole));
    let _ = writeln!(out, "do\n{}{body}{target} = {result}\nend", heads(module, layout));
}

fn variable(module: &str) -> String {
    format!("m_{module}")
}

/// The modules that are created at the start, in order.
fn make_before<'a>(name: &'a str, order: &mut Vec<&'a str>) {
    let Some((name, module)) = MODULES.get_key_value(name) else { panic!("there is no module `{name}`") };
    for (_, required) in &module.requires {
        make_before(required, order);
    }
    if !order.contains(name) && module.constants.is_empty() {
        order.push(name);
    }
}

/// The modules that may be created on demand.
fn needed_by(name: &str, eager: &[&str], later: &mut BTreeSet<&'static str>) {
    let Some((name, module)) = MODULES.get_key_value(name) else { panic!("there is no module `{name}`") };
    if eager.contains(name) || !module.constants.is_empty() || !later.insert(name) {
        return;
    }
    for (_, needed) in module.requires.iter().chain(&module.lazies) {
        needed_by(needed, eager, later);
    }
}

/// The head of a module: local variables for the modules that it requires.
fn heads(module: &Module, layout: &Layout) -> String {
    let mut out = String::new();
    for (local, name) in module.requires.iter().filter(|(_, name)| MODULES[name.as_str()].constants.is_empty()) {
        let _ = writeln!(out, "local {local} = {}", layout.module(name));
    }
    out
}

/// The body of a module, in which constants and calls of lazy modules are replaced.
fn body(module: &Module, layout: &Layout) -> String {
    let mut out = module.body.clone();
    for (local, name) in &module.requires {
        for (constant, value) in &MODULES[name.as_str()].constants {
            out = with_name_replaced(&out, &format!("{local}.{constant}"), value);
        }
    }
    for (local, name) in &module.lazies {
        out = with_name_replaced(&out, &format!("{local}()"), &layout.module(name));
    }
    out
}

fn with_name_replaced(text: &str, name: &str, value: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let starts = !before.ends_with(|letter| is_part(letter) || letter == '.');
        let ends = name.ends_with(')') || !after.starts_with(is_part);
        out += before;
        out += if starts && ends { value } else { name };
        rest = after;
    }
    out + rest
}

fn read(source: &str) -> Module {
    let mut module = Module { body: String::new(), requires: Vec::new(), lazies: Vec::new(), constants: Vec::new() };
    for line in stripped(source).lines() {
        let named = |function: &str| {
            let (local, rest) = line.strip_prefix("local ")?.split_once(" = ")?;
            let name = rest.strip_prefix(function)?.strip_prefix("('")?.strip_suffix("')")?;
            Some((local.to_owned(), name.to_owned()))
        };
        if let Some(required) = named("require") {
            module.requires.push(required);
        } else if let Some(lazy) = named("lazy") {
            module.lazies.push(lazy);
        } else {
            module.body += line;
            module.body.push('\n');
        }
    }
    module.constants = constants(&module.body).unwrap_or_default();
    module
}

/// The names and values of a table of constants, one a line.
fn constants(body: &str) -> Option<Vec<(String, String)>> {
    body.strip_prefix("return {\n")?
        .strip_suffix("}\n")?
        .lines()
        .map(|line| {
            let (name, value) = line.strip_suffix(',')?.split_once(" = ")?;
            name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_').then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Lua without comments, indentation and empty lines. Strings are kept as they are.
fn stripped(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['-', '[', '\'', '"', '\n']) {
        let (before, from) = rest.split_at(at);
        out += before;
        let comment = from.strip_prefix("--");
        rest = if let Some(length) = long_bracket(comment.unwrap_or(from)) {
            let (token, after) = from.split_at(length + if comment.is_some() { 2 } else { 0 });
            out += if comment.is_some() { " " } else { token };
            after
        } else if comment.is_some() {
            from.find('\n').map_or("", |end| &from[end..])
        } else if from.starts_with(['\'', '"']) {
            let (token, after) = from.split_at(quoted(from));
            out += token;
            after
        } else if let Some(after) = from.strip_prefix('\n') {
            out.truncate(out.trim_end_matches(' ').len());
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            after.trim_start_matches(' ')
        } else {
            let (token, after) = from.split_at(1);
            out += token;
            after
        };
    }
    out += rest;
    out
}

/// The length of a long bracket `[[…]]` or `[=[…]=]` that the text begins with.
fn long_bracket(text: &str) -> Option<usize> {
    let level = text.strip_prefix('[')?.find(|letter| letter != '=')?;
    text[1 + level..].strip_prefix('[')?;
    let end = format!("]{}]", "=".repeat(level));
    Some(text.find(&end).map_or(text.len(), |at| at + end.len()))
}

/// The length of a string in quotes that the text begins with.
fn quoted(text: &str) -> usize {
    let quote = text.as_bytes()[0];
    let mut at = 1;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &str) -> Vec<String> {
        let folder = format!("{}/src/store/lua/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".lua").map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_file_is_listed_and_every_module_is_used() {
        assert_eq!(files("commands"), names().collect::<Vec<_>>());
        assert_eq!(files("lib"), LIB.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let commands: Vec<Module> = COMMANDS.iter().map(|(_, source)| read(source)).collect();
        let named: BTreeSet<&str> = MODULES
            .values()
            .chain(&commands)
            .flat_map(|module| module.requires.iter().chain(&module.lazies))
            .map(|(_, name)| name.as_str())
            .collect();
        assert_eq!(named, LIB.iter().map(|(name, _)| *name).collect());
    }

    #[test]
    fn no_module_requires_itself() {
        fn visit<'a>(name: &'a str, path: &mut Vec<&'a str>) {
            assert!(!path.contains(&name), "a circle of modules: {path:?}, {name}");
            path.push(name);
            for (_, required) in &MODULES[name].requires {
                visit(required, path);
            }
            path.pop();
        }
        LIB.iter().for_each(|(name, _)| visit(name, &mut Vec::new()));
    }

    #[test]
    fn a_module_returns_its_table_and_a_command_answers_through_reply() {
        for (name, _) in LIB {
            let last = MODULES[name].body.trim_end().rsplit('\n').find(|line| line.starts_with("return")).is_some();
            assert!(last, "{name}");
        }
        for (name, source) in COMMANDS {
            let mut inside = false;
            for line in source.lines() {
                inside = if inside { line != "end" } else { line.starts_with("local function ") };
                let answers = line.trim_start().starts_with("return ");
                assert!(inside || !answers || line.trim_start().starts_with("return reply("), "{name}: {line}");
            }
            assert!(source.contains("\nreturn reply("), "{name}");
        }
    }

    #[test]
    fn functions_are_short() {
        for (name, source) in LIB.iter().chain(COMMANDS) {
            let mut start = None;
            for (number, line) in source.lines().enumerate() {
                if (line.starts_with("local function ") || line.starts_with("function ")) && !line.ends_with("end") {
                    start = Some(number);
                }
                if let (Some(from), "end") = (start, line) {
                    assert!(number - from < 60, "{name}: the function of line {} has {} lines", from + 1, number - from + 1);
                    start = None;
                }
            }
        }
    }

    #[test]
    fn constants_and_lazy_modules_are_replaced_by_name_only() {
        let text = "a.X + a.XY + ba.X + b.a.X + a.X_Y + f() + g.f() + xf() + f()()";
        let constants = with_name_replaced(text, "a.X", "1");
        assert_eq!(with_name_replaced(&constants, "f()", "2"), "1 + a.XY + ba.X + b.a.X + a.X_Y + 2 + g.f() + xf() + 2()");
        for (name, _) in COMMANDS {
            let source = command(name);
            let left: Vec<&str> = MODULES
                .iter()
                .filter(|(_, module)| !module.constants.is_empty())
                .map(|(name, _)| *name)
                .filter(|name| source.contains(&format!("{name}.")) || source.contains(&format!("m_{name}")))
                .collect();
            assert!(left.is_empty(), "{name}: {left:?}");
        }
    }

    #[test]
    fn comments_are_removed_and_strings_are_kept() {
        for (source, wanted) in [
            ("a = 1 -- one\n  b = 2\n", "a = 1\nb = 2\n"),
            ("-- all\n\n\nx = '--' .. \"--\" -- '\n", "x = '--' .. \"--\"\n"),
            ("x = 'it\\'s -- ' --[[ a\nb ]] y = 2", "x = 'it\\'s -- '   y = 2"),
            ("x = [[ -- \n  kept ]] --[==[ ]] ]==]\n", "x = [[ -- \n  kept ]]\n"),
            ("x = a[b[1]] - -1 -- c", "x = a[b[1]] - -1 "),
            ("x = '\\\\' -- c\ny = '\\\n  '", "x = '\\\\'\ny = '\\\n  '"),
            ("--[ no long bracket\nx = 1", "x = 1"),
        ] {
            assert_eq!(stripped(source), wanted, "{source}");
        }
    }
}
