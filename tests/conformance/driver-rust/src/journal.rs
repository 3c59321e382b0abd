//! The append-only log of a member, from which the invariants are checked after a fault.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Mutex;

use libswarm::Error;

use crate::line::{encoded, misuse};

/// Appends a line per event; without a path, nothing.
pub struct Journal(Option<Mutex<File>>);

impl Journal {
    pub fn open(path: Option<&str>) -> Result<Self, Error> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path).map_err(|e| misuse(format!("{path}: {e}")));
        Ok(Journal(path.map(open).transpose()?.map(Mutex::new)))
    }

    /// One write, so that a killed process leaves whole lines.
    pub fn note(&self, event: &str, fields: &[(&str, &str)]) {
        let Some(file) = &self.0 else { return };
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let mut line = format!("t={}.{:09} event={event}", now.tv_sec, now.tv_nsec);
        for (name, value) in fields {
            line += &format!(" {name}={}", encoded(value));
        }
        line.push('\n');
        let mut file = file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        file.write_all(line.as_bytes()).expect("the journal can be written");
    }
}
