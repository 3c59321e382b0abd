//! Keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::{Action, Focus, State};

/// What a key requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Quit,
    Do(Action),
}

/// Changes the state, and returns what has to be done.
pub(super) fn handle(state: &mut State, key: KeyEvent) -> Option<Request> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd')) {
        return Some(Request::Quit);
    }
    state.note = None;
    if let Some(action) = state.question.take() {
        let yes = matches!(key.code, KeyCode::Char('y' | 'Y') | KeyCode::Enter);
        return yes.then_some(Request::Do(action));
    }
    if state.help {
        state.help = false;
        return None;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Some(Request::Quit),
        KeyCode::Char('?' | 'h') => state.help = true,
        KeyCode::Left | KeyCode::Right | KeyCode::Tab => {
            state.focus = match state.focus {
                Focus::Tasks => Focus::Workers,
                Focus::Workers => Focus::Tasks,
            };
        }
        KeyCode::Up => choose(state, |at, _| at.saturating_sub(1)),
        KeyCode::Down => choose(state, |at, last| (at + 1).min(last)),
        KeyCode::Home => choose(state, |_, _| 0),
        KeyCode::End => choose(state, |_, last| last),
        KeyCode::Char('p') => state.question = state.action(true),
        KeyCode::Char('r') => state.question = state.action(false),
        _ => {}
    }
    None
}

/// Changes the row that is chosen in the table with the focus.
fn choose(state: &mut State, to: impl Fn(usize, usize) -> usize) {
    let (at, rows) = match state.focus {
        Focus::Tasks => (&mut state.chosen_task, state.tasks.len()),
        Focus::Workers => (&mut state.chosen_worker, state.workers.len()),
    };
    *at = to(*at, rows.saturating_sub(1));
}
