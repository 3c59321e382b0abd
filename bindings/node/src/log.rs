//! The core's log records, handed to a JavaScript function.

use libswarm::log::{LogRecord, set_sink};
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::failure::Failure;

/// Level, target and message of a record.
type Sink<'a> = Function<'a, FnArgs<(u32, String, String)>, ()>;

/// Sends records up to `level` to `sink`, or to nobody. One sink per process. It never keeps the event loop alive.
#[napi(catch_unwind)]
pub fn set_logger(level: u8, sink: Option<Sink<'_>>) -> napi::Result<Option<Failure>> {
    let Some(sink) = sink else { return Ok(set_sink(0, None).err().map(Failure::from)) };
    let sink = sink.build_threadsafe_function::<FnArgs<(u32, String, String)>>().weak::<true>().build()?;
    let forward = move |record: &LogRecord| {
        let record = FnArgs::from((u32::from(record.level), record.target.clone(), record.message.clone()));
        sink.call(record, ThreadsafeFunctionCallMode::NonBlocking);
    };
    Ok(set_sink(level, Some(Box::new(forward))).err().map(Failure::from))
}
