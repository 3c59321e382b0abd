//! Credentials that a function of the program returns.

use libswarm::{Credentials, CredentialsSource, Options};
use pyo3::prelude::*;

use crate::errors::{invalid, raise};

/// Sets the function, if there is one. It is called on a thread of the runtime that may block.
pub(crate) fn set(options: &mut Options, function: Option<Py<PyAny>>) -> PyResult<()> {
    let Some(function) = function else { return Ok(()) };
    let source = CredentialsSource::callback(move || {
        let asked = Python::try_attach(|py| read(function.bind(py)).map_err(|error| error.to_string()));
        asked.unwrap_or_else(|| Err("Python is ending".to_owned()))
    });
    options.set_credentials(source).map_err(raise)
}

/// What the function returns: `{"username": ..., "password": ...}`.
fn read(function: &Bound<'_, PyAny>) -> PyResult<Credentials> {
    let returned = function.call0()?;
    let wrong = || invalid("the function returned no dict with the str `password`, and `username` or not");
    let part = |name: &str| returned.call_method1("get", (name,)).map_err(|_| wrong())?.extract().map_err(|_| wrong());
    let password: Option<String> = part("password")?;
    Ok(Credentials { username: part("username")?, password: password.ok_or_else(wrong)? })
}
