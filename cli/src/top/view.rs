//! The screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Sparkline, Table, TableState};

use super::state::{Focus, State};
use crate::commands::status::{slots, task, tasks};
use crate::output::legible;
use crate::output::times::{duration, relative};
use crate::recent::percentiles;

const HELP: [&str; 9] = [
    "Left, Right, Tab   tasks or workers",
    "Up, Down           choose a row; Home, End: the first or last one",
    "p                  pause the task or worker: it starts no more jobs",
    "r                  resume it",
    "?                  this help",
    "q, Ctrl-C          quit",
    "",
    "Rates are those since the look before; WAIT and RUN are percentiles of",
    "the last five minutes. A key closes this help.",
];

pub(super) fn draw(frame: &mut Frame, state: &State) {
    let rows = [
        Constraint::Length(1),
        Constraint::Length(4),
        Constraint::Length(3),
        Constraint::Min(4),
        Constraint::Min(4),
        Constraint::Length(1),
    ];
    let [title, counts, curve, task_area, worker_area, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(heading(state)), title);
    frame.render_widget(Paragraph::new(numbers(state)), counts);
    draw_curve(frame, state, curve);
    draw_tasks(frame, state, task_area);
    draw_workers(frame, state, worker_area);
    frame.render_widget(Paragraph::new(footer(state)), foot);
    if state.help {
        popup(frame, "Keys", &HELP);
    }
    if let Some(action) = &state.question {
        popup(frame, "Please confirm", &[&action.question(), "", "y: yes    any other key: no"]);
    }
}

fn styled(state: &State, color: Color) -> Style {
    if state.colors { Style::new().fg(color) } else { Style::new() }
}

fn heading(state: &State) -> Line<'static> {
    let name = Span::styled(format!("{} on {}  ", state.cluster, state.address), Style::new().add_modifier(Modifier::BOLD));
    match &state.trouble {
        None if state.silent_for().is_none() => Line::from(vec![name, Span::raw("connecting ...")]),
        None => Line::from(vec![name, Span::styled("connected", styled(state, Color::Green))]),
        Some(trouble) => {
            let since = state.silent_for().map_or_else(String::new, |time| format!("no answer for {}: ", duration(time)));
            Line::from(vec![name, Span::styled(legible(&format!("{since}{trouble}")), styled(state, Color::Red))])
        }
    }
}

fn numbers(state: &State) -> Vec<Line<'static>> {
    let stats = &state.stats;
    let now = format!(
        "now      waiting {}   active {}   delayed {}   blocked {}   failed {}   kept {}",
        stats.waiting,
        stats.active + stats.deleting,
        stats.delayed,
        stats.blocked,
        stats.failed,
        stats.kept
    );
    let rates = match &state.rates {
        Some(rates) => format!(
            "per s    added {:.1}   completed {:.1}   failed {:.1}   retried {:.1}",
            rates.added, rates.completed, rates.failed, rates.retried
        ),
        None => "per s    -".to_owned(),
    };
    let total = format!(
        "total    added {}   completed {}   failed {}   retried {}   deleted {}   crashes {}",
        stats.added, stats.completed, stats.failures, stats.retries, stats.deleted, stats.crashes
    );
    let first = state.first.as_deref().unwrap_or("-");
    let first = format!("next     {}   masters {}{}", legible(first), state.masters, damaged(stats.damaged));
    vec![Line::raw(now), Line::raw(rates), Line::raw(total), Line::raw(first)]
}

fn damaged(records: u64) -> String {
    if records == 0 { String::new() } else { format!("   damaged records {records}") }
}

fn draw_curve(frame: &mut Frame, state: &State, area: Rect) {
    let most = state.history.iter().max().copied().unwrap_or(0);
    let block = Block::bordered().title(format!(" completed per second; the highest bar is {most} "));
    let width = usize::from(block.inner(area).width);
    let data: Vec<u64> = state.history.iter().skip(state.history.len().saturating_sub(width)).copied().collect();
    frame.render_widget(Sparkline::default().block(block).data(data).style(styled(state, Color::Green)), area);
}

fn draw_tasks(frame: &mut Frame, state: &State, area: Rect) {
    let rows = state.tasks.iter().map(|row| {
        let alone = row.workers == 0 && row.waiting > 0;
        let note = match (row.paused, alone) {
            (true, _) => "paused",
            (_, true) => "no worker takes it",
            _ => "",
        };
        let cells = [
            legible(task(&row.name)),
            row.waiting.to_string(),
            row.times.oldest.map_or_else(|| "-".to_owned(), duration),
            row.workers.to_string(),
            percentiles(&row.times.wait),
            percentiles(&row.times.run),
            note.to_owned(),
        ];
        let row = Row::new(cells.map(Cell::from));
        if note.is_empty() { row } else { row.style(styled(state, Color::Yellow)) }
    });
    let widths = [
        Constraint::Min(12),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(8),
        Constraint::Length(18),
        Constraint::Length(18),
        Constraint::Length(18),
    ];
    let heading = Row::new(["TASK", "WAITING", "OLDEST", "WORKERS", "WAIT p50 p95 p99", "RUN p50 p95 p99", ""])
        .style(Style::new().add_modifier(Modifier::BOLD));
    let title = format!(" Tasks{} ", if state.partial { " (a part of them)" } else { "" });
    let table = Table::new(rows, widths).header(heading).block(frame_of(title, state.focus == Focus::Tasks));
    show(frame, table, area, state.chosen_task, state.focus == Focus::Tasks);
}

fn draw_workers(frame: &mut Frame, state: &State, area: Rect) {
    let rows = state.workers.iter().map(|worker| {
        let cells = [
            worker.incarnation.clone(),
            legible(&worker.name),
            legible(&format!("{}:{}", worker.host, worker.pid)),
            slots(worker),
            legible(&tasks(&worker.tasks)),
            relative(worker.joined_at),
            duration(worker.lease_left),
            if worker.paused { "paused".to_owned() } else { String::new() },
        ];
        let row = Row::new(cells.map(Cell::from));
        if worker.paused { row.style(styled(state, Color::Yellow)) } else { row }
    });
    let widths = [
        Constraint::Length(21),
        Constraint::Length(12),
        Constraint::Length(20),
        Constraint::Length(9),
        Constraint::Min(10),
        Constraint::Length(12),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    let heading = Row::new(["WORKER", "NAME", "HOST:PID", "ACTIVE", "TASKS", "JOINED", "LEASE", ""]);
    let heading = heading.style(Style::new().add_modifier(Modifier::BOLD));
    let title = format!(" Workers: {}{} ", state.workers.len(), if state.partial { " (a part of them)" } else { "" });
    let table = Table::new(rows, widths).header(heading).block(frame_of(title, state.focus == Focus::Workers));
    show(frame, table, area, state.chosen_worker, state.focus == Focus::Workers);
}

fn frame_of(title: String, focused: bool) -> Block<'static> {
    let style = if focused { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    Block::bordered().title(Span::styled(title, style))
}

fn show(frame: &mut Frame, table: Table, area: Rect, chosen: usize, focused: bool) {
    let table = table.row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selection = TableState::new().with_selected(focused.then_some(chosen));
    frame.render_stateful_widget(table, area, &mut selection);
}

fn footer(state: &State) -> Line<'static> {
    match &state.note {
        Some(note) => Line::styled(legible(note), Style::new().add_modifier(Modifier::BOLD)),
        None => Line::raw("q quit   ? help   arrows choose   p pause   r resume"),
    }
}

/// A box in the middle.
fn popup(frame: &mut Frame, title: &str, lines: &[&str]) {
    let whole = frame.area();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) as u16 + 4;
    let (width, height) = (width.min(whole.width), (lines.len() as u16 + 2).min(whole.height));
    let area = Rect::new((whole.width - width) / 2, (whole.height - height) / 2, width, height);
    frame.render_widget(Clear, area);
    let text: Vec<Line> = lines.iter().map(|line| Line::raw(format!(" {}", legible(line)))).collect();
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(format!(" {title} "))), area);
}
