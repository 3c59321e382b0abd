//! Jobs and schedules as JSON documents.

use libswarm::{JobInfo, Payload, ScheduleInfo, Timing};
use serde_json::{Value, json};

/// Fields of a job that have what the program passed.
const CONTENT: [&str; 4] = ["payload", "payload_base64", "result", "result_base64"];

/// A job. Its payload and its result are shown only if that is wanted.
pub(crate) fn job(mut job: JobInfo, payload: bool) -> Value {
    if !payload {
        // Not read into memory once more.
        job.payload = Payload::default();
        job.result = None;
    }
    let mut value = serde_json::to_value(&job).unwrap_or_default();
    if let (false, Some(fields)) = (payload, value.as_object_mut()) {
        fields.retain(|name, _| !CONTENT.contains(&&**name));
    }
    value
}

/// A schedule, with the names and units of its options.
pub(crate) fn schedule(info: &ScheduleInfo) -> Value {
    let schedule = &info.schedule;
    let (kind, timing) = match &schedule.timing {
        Timing::Cron(text) => ("cron", json!(text)),
        Timing::Every(interval) => ("every", json!(interval.as_millis() as u64)),
        Timing::AfterEnd(pause) => ("after_end", json!(pause.as_millis() as u64)),
    };
    let mut value = json!({
        "id": info.id, kind: timing, "tz": schedule.tz, "start": schedule.start, "end": schedule.end, "limit": schedule.limit,
        "jitter": schedule.jitter.as_millis() as u64, "overlap": schedule.overlap.name(), "catch_up": schedule.catch_up.name(),
        "task": info.task, "priority": info.priority, "next_at": info.next_at, "last_at": info.last_at, "last_job": info.last_job,
        "paused": info.paused, "ended": info.ended, "added": info.added, "skipped": info.skipped,
    });
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}
