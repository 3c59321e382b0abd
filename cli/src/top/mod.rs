//! The display of `swarm top`.

mod keys;
pub(crate) mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc;
use tokio::time::Interval;

use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::signals::Stop;
use keys::Request;
use snapshot::Looks;
use state::{Action, State};

/// How often the thread that reads keys looks whether it must end.
const POLL: Duration = Duration::from_millis(100);

/// Shows the cluster until the user quits. It makes one call for each look, a few more every five seconds, and none while the one before is not answered.
pub(crate) async fn run(session: &Session, every: Duration, colors: bool, stop: &mut Stop) -> Result<Exit, Trouble> {
    let mut keys = read_keys();
    let mut terminal = ratatui::try_init().map_err(|error| Trouble::no(format!("the terminal cannot be used: {error}")))?;
    let mut state = State::new(&session.cluster, &session.address, colors);
    let mut looks = Looks::default();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let done = loop {
        if let Err(error) = terminal.draw(|frame| view::draw(frame, &state)) {
            break Err(Trouble::no(format!("the terminal cannot be written: {error}")));
        }
        let request = look(session, &mut looks, &mut ticks, &mut keys, &mut state, &mut terminal, stop).await;
        match request {
            Some(Request::Quit) => break Ok(Exit::Ok),
            Some(Request::Do(action)) => {
                let done = act(session, &action).await;
                state.note = Some(match done {
                    Ok(true) => action.done(),
                    Ok(false) => "The worker has left.".to_owned(),
                    Err(trouble) => trouble.message.lines().next().unwrap_or_default().to_owned(),
                });
                ticks.reset_immediately();
            }
            None => {}
        }
    };
    ratatui::restore();
    done
}

/// Waits for the next look, and handles keys meanwhile. Returns what a key requests.
async fn look(
    session: &Session,
    looks: &mut Looks,
    ticks: &mut Interval,
    keys: &mut mpsc::Receiver<Event>,
    state: &mut State,
    terminal: &mut DefaultTerminal,
    stop: &mut Stop,
) -> Option<Request> {
    let looked = async {
        ticks.tick().await;
        looks.look(session).await
    };
    let mut looked = std::pin::pin!(looked);
    loop {
        tokio::select! {
            looked = &mut looked => {
                state.looked(looked);
                return None;
            }
            event = keys.recv() => {
                let request = match event {
                    Some(Event::Key(key)) => keys::handle(state, key),
                    Some(_) => None,
                    None => Some(Request::Quit),
                };
                if request.is_some() {
                    return request;
                }
                // If the terminal cannot be written, the next look finds it.
                let _ = terminal.draw(|frame| view::draw(frame, state));
            }
            () = stop.requested() => return Some(Request::Quit),
        }
    }
}

async fn act(session: &Session, action: &Action) -> Result<bool, Trouble> {
    let master = &session.master;
    let task = |task: &str| (task != state::ALL).then(|| task.to_owned());
    match action {
        Action::PauseTask(name) => session.get_registered(master.pause(task(name).as_deref())).await.map(|()| true),
        Action::ResumeTask(name) => session.get_registered(master.resume(task(name).as_deref())).await.map(|()| true),
        Action::PauseWorker(worker) => session.get_registered(master.pause_worker(worker)).await,
        Action::ResumeWorker(worker) => session.get_registered(master.resume_worker(worker)).await,
    }
}

/// Reads keys in a thread, because reading them blocks. It ends when the receiver is dropped.
fn read_keys() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            match event::poll(POLL) {
                Ok(false) => {}
                Ok(true) => match event::read() {
                    Ok(event) => {
                        if sender.blocking_send(event).is_err() {
                            return;
                        }
                    }
                    Err(_) => return,
                },
                Err(_) => return,
            }
        }
    });
    receiver
}
