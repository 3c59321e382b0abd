//! Passes the core's log records to a JavaScript function.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm::log::{LogRecord, set_sink};
use napi::Status;
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::failure::Failure;

/// Level, target and message of a record.
type Sink<'a> = Function<'a, FnArgs<(u32, String, String)>, ()>;

/// Whether a sink is set whose thread has not ended.
static SET: AtomicBool = AtomicBool::new(false);

/// Whether there is a sink in this process, set by any thread.
#[napi]
pub fn has_logger() -> bool {
    SET.load(Ordering::Relaxed)
}

/// Sends records up to `level` to `sink`, or nowhere without one. One sink per process. It never keeps the event loop alive.
#[napi(catch_unwind)]
pub fn set_logger(level: u8, sink: Option<Sink<'_>>) -> napi::Result<Option<Failure>> {
    SET.store(true, Ordering::Relaxed);
    let Some(sink) = sink else { return Ok(set_sink(0, None).err().map(Failure::from)) };
    let sink = sink.build_threadsafe_function::<FnArgs<(u32, String, String)>>().weak::<true>().build()?;
    let forward = move |record: &LogRecord| {
        let args = FnArgs::from((u32::from(record.level), record.target.clone(), record.message.clone()));
        if sink.call(args, ThreadsafeFunctionCallMode::NonBlocking) != Status::Ok {
            // The thread that set it has ended, or the process is about to end.
            SET.store(false, Ordering::Relaxed);
            let _ = writeln!(std::io::stderr(), "assemblage: {}: {}", record.target, record.message);
        }
    };
    Ok(set_sink(level, Some(Box::new(forward))).err().map(Failure::from))
}
