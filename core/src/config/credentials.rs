//! Credentials that change while members run: from a file, or from the program.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::lock::Mutex;
use serde::Deserialize;
use tokio::sync::watch;

/// The limit of bytes of a file with credentials.
const MAX_FILE: u64 = 64 * 1024;

/// An ACL user and its password.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The ACL user; `None` for the user `default`.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where credentials come from. They are asked for at each connection, and in the interval of the option `credentials_interval`; when they have
/// changed, open connections authenticate again. While the source fails, members use the credentials that they got last. Clones share what they got.
#[derive(Clone)]
pub struct CredentialsSource(Arc<Source>);

type Callback = dyn Fn() -> Result<Credentials, String> + Send + Sync;

enum Origin {
    File(PathBuf),
    Callback(Box<Callback>),
}

struct Source {
    origin: Origin,
    /// Held while it is asked, so that an older answer does not replace a newer one.
    asking: Mutex<()>,
    state: watch::Sender<State>,
}

/// What a source has answered.
#[derive(Clone, Default)]
pub(crate) struct State {
    /// Grows with each change of the credentials; 0 before the first answer.
    pub(crate) number: u64,
    pub(crate) credentials: Credentials,
    /// Why the credentials could not be read or used.
    pub(crate) problem: Option<Error>,
}

impl CredentialsSource {
    /// A file with JSON: `{"username": "mail", "password": "secret"}`, without `username` for the user `default`. Replace it by a rename, so that it
    /// is never read half-written. At most 64 KiB.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Origin::File(path.into()))
    }

    /// A function, called on a thread of the runtime that may block. It returns the credentials, or why there are none; a panic counts as that.
    pub fn callback(credentials: impl Fn() -> Result<Credentials, String> + Send + Sync + 'static) -> Self {
        Self::of(Origin::Callback(Box::new(credentials)))
    }

    fn of(origin: Origin) -> Self {
        CredentialsSource(Arc::new(Source { origin, asking: Mutex::new(()), state: watch::Sender::default() }))
    }

    /// Whether both are files, or both functions.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        matches!(
            (&self.0.origin, &other.0.origin),
            (Origin::File(_), Origin::File(_)) | (Origin::Callback(_), Origin::Callback(_))
        )
    }

    /// Asks for the credentials. If that fails, returns those that it got last, or the error if there are none.
    pub(crate) async fn ask(&self) -> Result<State> {
        let source = self.0.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let _asking = source.asking.lock();
            let read = source.read();
            source.state.send_if_modified(|state| state.learn(read));
        });
        let answered = asked.await;
        if answered.is_err() {
            self.report(failed("the function has panicked"));
        }
        let state = self.now();
        match (&state.problem, state.number) {
            (Some(problem), 0) => Err(problem.clone()),
            _ => Ok(state),
        }
    }

    /// What it got last.
    pub(crate) fn now(&self) -> State {
        self.0.state.borrow().clone()
    }

    /// The number of the credentials that it got last.
    pub(crate) fn number(&self) -> u64 {
        self.0.state.borrow().number
    }

    /// They could not be read, or a server has rejected them.
    pub(crate) fn report(&self, problem: Error) {
        self.0.state.send_if_modified(|state| {
            let changed = state.problem.as_ref() != Some(&problem);
            state.problem = Some(problem);
            changed
        });
    }

    /// A server has accepted them.
    pub(crate) fn accepted(&self) {
        self.0.state.send_if_modified(|state| state.problem.take_if(|problem| !is_of_reading(problem)).is_some());
    }

    /// Whether a server has rejected them.
    pub(crate) fn is_rejected(&self) -> bool {
        self.0.state.borrow().problem.as_ref().is_some_and(|problem| !is_of_reading(problem))
    }

    pub(crate) fn changes(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }
}

impl State {
    /// Whether anything has changed.
    fn learn(&mut self, read: Result<Credentials>) -> bool {
        match read {
            Ok(credentials) => {
                let changed = self.number == 0 || credentials != self.credentials;
                if changed {
                    (self.number, self.credentials) = (self.number + 1, credentials);
                    // What was wrong with the use of the ones before says nothing about these.
                    self.problem = None;
                }
                changed || self.problem.take_if(|problem| is_of_reading(problem)).is_some()
            }
            Err(error) => {
                let changed = self.problem.as_ref() != Some(&error);
                self.problem = Some(error);
                changed
            }
        }
    }
}

const READING: &str = "the credentials cannot be read: ";

fn failed(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::AuthFailed, format!("{READING}{why}"))
}

fn is_of_reading(problem: &Error) -> bool {
    problem.message().starts_with(READING)
}

impl Source {
    fn read(&self) -> Result<Credentials> {
        match &self.origin {
            Origin::File(path) => read_file(path).map_err(|why| failed(format_args!("{}: {why}", path.display()))),
            Origin::Callback(callback) => callback().map_err(failed),
        }
    }
}

/// The error never quotes the file.
fn read_file(path: &Path) -> Result<Credentials, String> {
    use std::io::Read;

    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    serde_json::from_str(&text)
        .map_err(|_| r#"it is not JSON as {"username": "…", "password": "…"}, or without `username`"#.to_owned())
}

impl PartialEq for CredentialsSource {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0.origin, &other.0.origin) {
            (Origin::File(path), Origin::File(other)) => path == other,
            _ => Arc::ptr_eq(&self.0, &other.0),
        }
    }
}

impl Eq for CredentialsSource {}

impl fmt::Debug for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.origin {
            Origin::File(path) => f.debug_tuple("File").field(path).finish(),
            Origin::Callback(_) => f.write_str("Callback"),
        }
    }
}
