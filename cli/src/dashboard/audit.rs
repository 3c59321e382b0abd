//! A line for each action of a viewer.

use std::net::SocketAddr;
use std::time::SystemTime;

use crate::output::times::absolute;

/// Writes who did what, and what became of it, to the standard error stream: one JSON document in a line.
pub(super) fn note(viewer: SocketAddr, action: &serde_json::Value, outcome: Result<u64, &str>) {
    let (changed, error) = match outcome {
        Ok(changed) => (changed, ""),
        Err(error) => (0, error),
    };
    let time = absolute(SystemTime::now());
    eprintln!(
        "{}",
        serde_json::json!({ "audit": action, "viewer": viewer.to_string(), "time": time, "changed": changed, "error": error })
    );
}
