//! Errors for JavaScript, where `lib/errors.js` converts them to its classes.

use libswarm::{Error, ErrorKind};
use napi_derive::napi;

/// An error as its number and message. Native functions return it, so that JavaScript can throw its own class.
#[napi(object)]
pub struct Failure {
    /// The number of the kind.
    pub number: i32,
    /// The complete message.
    pub message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { number: error.kind() as i32, message: error.message().to_owned() }
    }
}

/// One kind of error of the core's table.
#[napi(object)]
pub struct Kind {
    /// Its number in every language.
    pub number: i32,
    /// Its name in every language, such as `TIMEOUT`.
    pub name: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// The core's table of errors.
#[napi]
pub fn kinds() -> Vec<Kind> {
    let kind = |kind: &ErrorKind| Kind { number: *kind as i32, name: kind.name().to_owned(), retryable: kind.is_retryable() };
    ErrorKind::ALL.iter().map(kind).collect()
}

/// The version of the core.
#[napi]
pub fn version() -> &'static str {
    libswarm::VERSION
}
