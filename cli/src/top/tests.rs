//! The screen, drawn without a terminal.

use std::time::{Duration, Instant, SystemTime};

use libswarm::{Error, ErrorKind, MemberInfo, QueueCount, Role, Snapshot, Stats};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::keys::{Request, handle};
use super::snapshot::Look;
use super::state::{Action, State};
use super::view;
use crate::recent::{Recent, Times};

fn worker(name: &str) -> MemberInfo {
    MemberInfo {
        incarnation: "0123456789abcdef0123".into(),
        role: Role::Worker,
        name: name.into(),
        group: String::new(),
        host: "host".into(),
        pid: 7,
        language: "rust".into(),
        version: "0.1.0".into(),
        slots: Some(4),
        paused: false,
        tasks: vec!["mail".into()],
        active: 3,
        free: 1,
        joined_at: SystemTime::now(),
        lease_left: Duration::from_secs(14),
        data: None,
        dropped: 0,
    }
}

fn look(completed: u64) -> Look {
    let mut times = Times { oldest: Some(Duration::from_secs(125)), ..Times::default() };
    times.wait.buckets[4] = 10;
    let all = Recent::from([("mail".to_owned(), times), ("pdf".to_owned(), Times::default())]);
    Look { snapshot: snapshot(completed), times: all }
}

fn snapshot(completed: u64) -> Snapshot {
    let queue = |task: &str, waiting| QueueCount { priority: 0, task: task.into(), waiting, groups: 0 };
    Snapshot {
        stats: Stats { waiting: 12, active: 3, failed: 2, added: 20 + completed, completed, ..Stats::default() },
        queues: vec![queue("mail", 10), queue("pdf", 2)],
        more_queues: false,
        paused: Vec::new(),
        members: vec![worker("w\u{1b}1")],
        more_members: false,
        first_waiting: Some("j1".into()),
    }
}

fn screen(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |row| (0..width).map(|column| buffer[(column, row)].symbol()).collect::<String>();
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

fn press(state: &mut State, code: KeyCode) -> Option<Request> {
    handle(state, KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_screen_shows_counts_rates_tasks_and_workers() {
    let mut state = State::new("mail", "localhost:6379", false);
    assert!(screen(&state, 120, 30).contains("connecting"));
    let now = Instant::now();
    state.take(look(100), now);
    state.take(look(150), now + Duration::from_secs(2));
    let shown = screen(&state, 120, 30);
    for part in [
        "mail on localhost:6379",
        "waiting 12",
        "completed 25.0",
        "completed 150",
        "next     j1",
        "2m 5s",
        "12ms 15ms 15ms",
        "3/4",
        "host:7",
        "no worker takes it",
        "w\u{fffd}1",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    // Each size is drawn.
    for (width, height) in [(1, 1), (20, 5), (80, 24), (300, 100)] {
        screen(&state, width, height);
    }
}

#[test]
fn trouble_is_shown_with_the_last_numbers() {
    let mut state = State::new("mail", "localhost:6379", true);
    state.take(look(100), Instant::now());
    state.looked(Err(Error::new(ErrorKind::Unavailable, "connection refused")));
    let shown = screen(&state, 120, 30);
    assert!(shown.contains("no answer for") && shown.contains("connection refused") && shown.contains("waiting 12"), "{shown}");
    state.looked(Ok(look(5)));
    assert!(screen(&state, 120, 30).contains("connected"));
    assert_eq!(state.rates, None, "counters may have begun anew");
}

#[test]
fn pauses_are_confirmed() {
    let mut state = State::new("mail", "localhost:6379", true);
    assert_eq!(press(&mut state, KeyCode::Char('p')), None);
    state.take(look(1), Instant::now());
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Char('p'));
    assert!(screen(&state, 100, 30).contains("Pause the task mail?"));
    assert_eq!(press(&mut state, KeyCode::Char('n')), None);
    assert_eq!(state.question, None);
    press(&mut state, KeyCode::Char('p'));
    assert_eq!(press(&mut state, KeyCode::Char('y')), Some(Request::Do(Action::PauseTask("mail".into()))));
    press(&mut state, KeyCode::Right);
    press(&mut state, KeyCode::Char('r'));
    let resume = Request::Do(Action::ResumeWorker("0123456789abcdef0123".into()));
    assert_eq!(press(&mut state, KeyCode::Enter), Some(resume));
    press(&mut state, KeyCode::Char('?'));
    assert!(screen(&state, 100, 30).contains("quit"));
    assert_eq!(press(&mut state, KeyCode::Char('q')), None, "a key closes the help");
    assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Request::Quit));
    for _ in 0..9 {
        press(&mut state, KeyCode::Down);
    }
    assert_eq!(state.chosen_worker, 0);
}
