//! What the program prints.

pub(crate) mod json;
pub(crate) mod table;
pub(crate) mod times;

use std::io::{IsTerminal, Write};

use crate::exit::{Exit, Trouble};
use crate::global::{ColorChoice, Global};

/// Where and how to print.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) colors: bool,
}

/// The colors of the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    Green,
    Yellow,
    Red,
    Bold,
    Dim,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Output {
        let colors = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
        };
        Output { json: global.json, colors }
    }

    /// Prints a line.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), Trouble> {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Trouble::unread(),
            _ => Trouble::no(format!("the output cannot be written: {error}")),
        })
    }

    /// Prints one JSON document.
    pub(crate) fn json(&self, value: &impl serde::Serialize) -> Result<(), Trouble> {
        self.line(serde_json::to_string(value).unwrap_or_default())
    }

    /// Prints a note for the user beside the output.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
        }
    }

    /// Prints what is wrong for now.
    pub(crate) fn warn(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "swarm: {}", legible(text));
    }

    /// Prints an error.
    pub(crate) fn error(&self, trouble: &Trouble) {
        if trouble.message.is_empty() {
            return;
        }
        // Nothing can be done if this cannot be written.
        let mut to = std::io::stderr().lock();
        let _ = if self.json {
            writeln!(to, "{}", serde_json::json!({ "error": trouble.kind, "message": trouble.message }))
        } else {
            let shown = !trouble.kind.is_empty() && trouble.exit != Exit::Usage;
            let kind = if shown { format!(" ({})", trouble.kind) } else { String::new() };
            let (first, rest) = trouble.message.split_once('\n').unwrap_or((&trouble.message, ""));
            writeln!(to, "swarm: {}{kind}", legible(first)).and_then(|()| match rest {
                "" => Ok(()),
                rest => writeln!(to, "{}", legible_lines(rest)),
            })
        };
    }

    /// The text in a color.
    pub(crate) fn paint(&self, color: Color, text: &str) -> String {
        if !self.colors {
            return text.to_owned();
        }
        let code = match color {
            Color::Green => "32",
            Color::Yellow => "33",
            Color::Red => "31",
            Color::Bold => "1",
            Color::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Text of other programs, without control characters, which could change the terminal.
pub(crate) fn legible(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), "\u{fffd}")
}

/// As [`legible`], of several lines.
pub(crate) fn legible_lines(text: &str) -> String {
    text.lines().map(legible).collect::<Vec<_>>().join("\n")
}

/// The first line of a text, at most `most` characters of it.
pub(crate) fn first_line(text: &str, most: usize) -> String {
    let line = legible(text.lines().next().unwrap_or_default().trim_end());
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A number with its noun: `1 job`, `2 jobs`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A number of bytes.
pub(crate) fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = units.iter().enumerate().rev().find(|(power, _)| number >= 1 << (10 * power)).map_or(0, |(power, _)| power);
    match power {
        0 => format!("{number} B"),
        power => format!("{:.1} {}", number as f64 / f64::from(1u32 << 10).powi(power as i32), units[power]),
    }
}
