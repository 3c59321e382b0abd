//! Options by name. The core checks names and bounds.

use libswarm::{Error, Options};
use napi_derive::napi;

use crate::credentials::NativeCredentials;
use crate::failure::Failure;

/// Options from a flat list of names and values.
pub fn parse(cluster: &str, settings: &[String]) -> Result<Options, Error> {
    let mut options = Options::new(cluster);
    options.set("language", "node")?;
    for pair in settings.as_chunks::<2>().0 {
        options.set(&pair[0], &pair[1])?;
    }
    options.check()?;
    Ok(options)
}

/// As `parse`, with the function that returns the credentials.
pub fn with_credentials(cluster: &str, settings: &[String], credentials: Option<&NativeCredentials>) -> Result<Options, Error> {
    let mut options = parse(cluster, settings)?;
    if let Some(credentials) = credentials {
        options.set_credentials(credentials.source())?;
    }
    Ok(options)
}

/// Checks the options; returns the error if there is one.
#[napi(catch_unwind)]
pub fn check_options(cluster: String, settings: Vec<String>) -> Option<Failure> {
    parse(&cluster, &settings).err().map(Failure::from)
}
