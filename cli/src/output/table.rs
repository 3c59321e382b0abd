//! Tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::Output;
use super::{Color, legible};

/// A table without lines, its columns two spaces apart. Columns of numbers have a heading that begins with `>`, and are aligned to the right.
pub(crate) fn table(output: &Output, heading: &[&str], rows: Vec<Vec<String>>) -> String {
    // A column without a value is left out.
    let shown: Vec<usize> = (0..heading.len()).filter(|at| rows.iter().any(|row| !row[*at].is_empty())).collect();
    let heading: Vec<&str> = shown.iter().map(|at| heading[*at]).collect();
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading.iter().map(|name| name.trim_start_matches('>')).collect::<Vec<_>>());
    for row in rows {
        table.add_row(shown.iter().map(|at| legible(&row[*at])).collect::<Vec<_>>());
    }
    for (at, name) in heading.iter().enumerate() {
        if let Some(column) = table.column_mut(at) {
            column.set_padding((0, 2));
            if name.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let text = table.to_string();
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    if let Some(first) = lines.first_mut() {
        *first = output.paint(Color::Bold, first);
    }
    lines.join("\n")
}
