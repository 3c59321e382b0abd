//! Batches for JavaScript: events and answers as rows of numbers, beside three streams of contents.

use std::collections::BTreeMap;

use libswarm::{
    Added, Change, ContentType, DeleteReason, Error, ErrorKind, Event, Job, JobError, MemberRef, Message, Outcome, Payload,
    Receipt, Role,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::request::NativeRequest;

/// Numbers per row: code, key (fence or token), two lengths or values. `lib/wire.js` has the same codes.
pub const COLUMNS: usize = 4;

mod code {
    pub const ADD_JSON: f64 = 1.0;
    pub const ADD_BYTES: f64 = 2.0;
    pub const ADD_JSON_MORE: f64 = 3.0;
    pub const ADD_BYTES_MORE: f64 = 4.0;
    pub const DELETE: f64 = 5.0;
    pub const READY: f64 = 6.0;
    pub const CLOSE: f64 = 7.0;
    pub const ERROR: f64 = 8.0;
    pub const DONE: f64 = 9.0;
    pub const FAILED: f64 = 10.0;
    pub const ADDED: f64 = 11.0;
    pub const FLAGS: f64 = 12.0;
    pub const JSON: f64 = 13.0;
    pub const BYTES: f64 = 14.0;
    pub const JOB_FAILED: f64 = 15.0;
    pub const MESSAGE_JSON: f64 = 16.0;
    pub const MESSAGE_BYTES: f64 = 17.0;
    pub const MEMBER: f64 = 18.0;
    pub const RECEIPT: f64 = 19.0;
    pub const KILL: f64 = 20.0;
    pub const COMPLETED: f64 = 21.0;
    pub const ATTEMPT_FAILED: f64 = 22.0;
    pub const EXISTED: f64 = 23.0;
    pub const PROCESS: f64 = 30.0;
    pub const PROCESS_LINE: f64 = 31.0;
}

/// The limit of bytes of an answer in JSON, so that it fits into a string of V8.
const MAX_JSON: usize = 1 << 28;

/// The answer to a call.
pub enum Answer {
    /// The call has succeeded, without a value.
    Done,
    /// Jobs were added.
    Added(Vec<Added>),
    /// A job with this id existed. Its outcome is answered later.
    Existed(String),
    /// Whether each of the named jobs existed.
    Flags(Vec<bool>),
    /// A value as JSON.
    Json(String),
    /// The outcome of a job.
    Outcome(Outcome),
    /// The result of sending a message.
    Receipt(Receipt),
    /// The call failed.
    Failed(Error),
    /// An error of an operation for which no call waits.
    Trouble(Error),
}

/// Converts a result to an answer.
pub fn answer<T>(result: Result<T, Error>, ok: impl FnOnce(T) -> Answer) -> Answer {
    result.map_or_else(Answer::Failed, ok)
}

/// `value` as an answer in JSON.
pub fn json_of(value: &impl serde::Serialize) -> Answer {
    let json = to_json(value);
    match json.len() {
        0..=MAX_JSON => Answer::Json(json),
        size => Answer::Failed(Error::new(
            ErrorKind::TooLarge,
            format!("the answer has {size} bytes, the limit is {MAX_JSON}; ask for fewer jobs at once"),
        )),
    }
}

/// `value` as JSON; only for plain structs, which cannot fail.
pub fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One batch, as `take` returns it.
#[napi(object, object_from_js = false)]
pub struct Batch {
    /// Rows written.
    pub rows: u32,
    /// Whether there may be more to take.
    pub more: bool,
    /// Job ids and incarnations, each followed by a line break (none of them contains one).
    pub ids: String,
    /// Texts in the order of the rows, which have their lengths in UTF-16 units.
    pub text: String,
    /// Bytes in the order of the rows.
    pub blob: Option<Buffer>,
    /// The messages to which a reply can be sent, in the order of the rows.
    pub requests: Option<Vec<NativeRequest>>,
}

/// An event that can be written as a row.
pub trait WriteRow {
    /// Adds one row, and its contents.
    fn write(&self, writer: &mut Writer<'_>);
}

impl WriteRow for Event {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.event(self);
    }
}

/// Writes a batch.
pub struct Writer<'a> {
    rows: &'a mut [f64],
    used: usize,
    ids: String,
    text: String,
    blob: Vec<u8>,
    requests: Vec<NativeRequest>,
}

impl<'a> Writer<'a> {
    pub fn new(rows: &'a mut [f64]) -> Self {
        Writer { rows, used: 0, ids: String::new(), text: String::new(), blob: Vec::new(), requests: Vec::new() }
    }

    /// The number of free rows.
    pub fn free(&self) -> usize {
        self.rows.len() / COLUMNS - self.used
    }

    /// The bytes of contents so far.
    pub fn size(&self) -> usize {
        self.text.len() + self.blob.len()
    }

    pub fn finish(self, more: bool) -> Batch {
        let blob = (!self.blob.is_empty()).then(|| self.blob.into());
        let requests = (!self.requests.is_empty()).then_some(self.requests);
        Batch { rows: self.used as u32, more, ids: self.ids, text: self.text, blob, requests }
    }

    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Ready { incarnation } => {
                self.id(incarnation);
                self.row(code::READY, 0.0, 0.0, 0.0);
            }
            Event::Add(job) => self.add(job),
            Event::Delete { job, reason } => {
                let reason = match reason {
                    DeleteReason::Deleted => 0.0,
                    DeleteReason::Terminated => 1.0,
                    DeleteReason::LeaseLost => 2.0,
                    DeleteReason::TimedOut => 3.0,
                    DeleteReason::Moved => 4.0,
                };
                self.id(&job.id);
                self.row(code::DELETE, job.fence as f64, reason, 0.0);
            }
            Event::Completed { job } => {
                self.id(&job.id);
                self.row(code::COMPLETED, job.fence as f64, 0.0, 0.0);
            }
            Event::Failed { job, error } => self.attempt_failed(job, error, None),
            Event::Retrying { job, error, delay } => self.attempt_failed(job, error, Some(delay.as_millis() as u64)),
            Event::Close(None) => self.row(code::CLOSE, 0.0, 0.0, 0.0),
            Event::Close(Some(error)) => self.error(code::CLOSE, 0, error),
            Event::Message(message) => self.message(message),
            Event::Kill { code, from } => {
                let length = self.text(&to_json(&(code, from)));
                self.row(code::KILL, 0.0, length, 0.0);
            }
            Event::Member { change, role, member } => self.member(*change, *role, member),
            Event::Error(error) => self.error(code::ERROR, 0, error),
        }
    }

    pub fn answer(&mut self, token: u32, answer: &Answer) {
        let key = f64::from(token);
        match answer {
            Answer::Done => self.row(code::DONE, key, 0.0, 0.0),
            Answer::Existed(id) => {
                self.id(id);
                self.row(code::EXISTED, key, 0.0, 0.0);
            }
            Answer::Failed(error) => self.error(code::FAILED, token, error),
            Answer::Trouble(error) => self.error(code::ERROR, 0, error),
            Answer::Receipt(receipt) => self.receipt(token, receipt),
            Answer::Added(jobs) => {
                jobs.iter().for_each(|job| self.id(&job.id));
                let existed = jobs.iter().any(|job| job.existed);
                if existed {
                    self.text.extend(jobs.iter().map(|job| match (job.existed, job.replaced) {
                        (false, _) => '0',
                        (true, false) => '1',
                        (true, true) => '2',
                    }));
                }
                self.row(code::ADDED, key, jobs.len() as f64, f64::from(u8::from(existed)));
            }
            Answer::Flags(flags) => {
                self.flags(flags.iter().copied());
                self.row(code::FLAGS, key, flags.len() as f64, 0.0);
            }
            Answer::Json(json) => {
                let length = self.text(json);
                self.row(code::JSON, key, length, 0.0);
            }
            Answer::Outcome(Outcome::Completed(payload)) => {
                let (length, is_json) = self.payload(payload);
                self.row(if is_json { code::JSON } else { code::BYTES }, key, length, 0.0);
            }
            Answer::Outcome(Outcome::Failed(failure)) => {
                let length = self.text(&format!("{}\n{}", failure.reason.name(), failure.message));
                self.row(code::JOB_FAILED, key, f64::from(failure.kind() as i32), length);
            }
        }
    }

    fn add(&mut self, job: &Job) {
        self.id(&job.id);
        let (length, is_json) = self.payload(&job.payload);
        let (code, last) = match (More::of(job), is_json) {
            (None, true) => (code::ADD_JSON, f64::from(job.crashes)),
            (None, false) => (code::ADD_BYTES, f64::from(job.crashes)),
            (Some(more), true) => (code::ADD_JSON_MORE, self.text(&to_json(&more))),
            (Some(more), false) => (code::ADD_BYTES_MORE, self.text(&to_json(&more))),
        };
        self.row(code, job.fence as f64, length, last);
    }

    /// Message, traceback and the pause before the next attempt, or null, as JSON.
    fn attempt_failed(&mut self, job: &Job, error: &JobError, delay: Option<u64>) {
        self.id(&job.id);
        let length = self.text(&to_json(&(&error.message, &error.traceback, delay)));
        self.row(code::ATTEMPT_FAILED, job.fence as f64, length, 0.0);
    }

    /// The key is 1 if a reply can be sent.
    fn message(&mut self, message: &Message) {
        let (length, is_json) = self.payload(message.payload());
        let from = self.text(&to_json(message.from()));
        let code = if is_json { code::MESSAGE_JSON } else { code::MESSAGE_BYTES };
        self.row(code, f64::from(u8::from(message.wants_reply())), length, from);
        self.requests.extend(NativeRequest::of(message));
    }

    fn member(&mut self, change: Change, role: Role, member: &MemberRef) {
        let length = self.text(&to_json(&(change.name(), WithRole { member, role })));
        self.row(code::MEMBER, 0.0, length, 0.0);
    }

    /// Everything except the payloads as JSON, which includes the length of each, then the payloads.
    fn receipt(&mut self, token: u32, receipt: &Receipt) {
        let size: usize = receipt.replies.iter().flat_map(|(_, payload)| payload).map(|payload| payload.bytes.len()).sum();
        if size > MAX_JSON {
            let text = format!("the replies have {size} bytes, the limit is {MAX_JSON}; ask fewer members at once");
            return self.error(code::FAILED, token, &Error::new(ErrorKind::TooLarge, text));
        }
        let replies = receipt.replies.iter().map(|(from, payload)| (from, payload.as_ref().map(shape_of))).collect();
        let (recipients, missing) = (&receipt.recipients, &receipt.missing);
        let length = self.text(&to_json(&Outline { recipients, dropped: receipt.dropped, replies, missing }));
        for payload in receipt.replies.iter().flat_map(|(_, payload)| payload) {
            self.payload(payload);
        }
        self.row(code::RECEIPT, f64::from(token), length, 0.0);
    }

    /// Appends the payload; returns its length, and whether it is text.
    fn payload(&mut self, payload: &Payload) -> (f64, bool) {
        match json_text(payload) {
            Some(text) => (self.text(text), true),
            None => {
                self.blob.extend_from_slice(&payload.bytes);
                (payload.bytes.len() as f64, false)
            }
        }
    }

    /// An event of a supervisor: its name and its data as JSON.
    pub fn process(&mut self, name: &str, about: &impl serde::Serialize) {
        let length = self.text(&to_json(&(name, about)));
        self.row(code::PROCESS, 0.0, length, 0.0);
    }

    /// A line of a process; its other data as JSON.
    pub fn process_line(&mut self, line: &[u8], about: &impl serde::Serialize) {
        self.blob.extend_from_slice(line);
        let length = self.text(&to_json(about));
        self.row(code::PROCESS_LINE, 0.0, length, line.len() as f64);
    }

    fn error(&mut self, code: f64, token: u32, error: &Error) {
        let length = self.text(error.message());
        self.row(code, f64::from(token), f64::from(error.kind() as i32), length);
    }

    fn row(&mut self, code: f64, key: f64, a: f64, b: f64) {
        let start = self.used * COLUMNS;
        self.rows[start..start + COLUMNS].copy_from_slice(&[code, key, a, b]);
        self.used += 1;
    }

    fn id(&mut self, id: &str) {
        self.ids.push_str(id);
        self.ids.push('\n');
    }

    fn flags(&mut self, flags: impl Iterator<Item = bool>) {
        self.text.extend(flags.map(|flag| if flag { '1' } else { '0' }));
    }

    /// Appends the text; returns its length as JavaScript counts it.
    fn text(&mut self, text: &str) -> f64 {
        self.text.push_str(text);
        length_of(text)
    }
}

/// A member's identity and role.
#[derive(serde::Serialize)]
struct WithRole<'a> {
    #[serde(flatten)]
    member: &'a MemberRef,
    role: Role,
}

/// A receipt without the contents of its replies.
#[derive(serde::Serialize)]
struct Outline<'a> {
    recipients: &'a [String],
    dropped: u64,
    replies: Vec<(&'a MemberRef, Option<(f64, bool)>)>,
    missing: &'a [String],
}

/// The length of a payload, and whether it is text.
fn shape_of(payload: &Payload) -> (f64, bool) {
    json_text(payload).map_or((payload.bytes.len() as f64, false), |text| (length_of(text), true))
}

/// Properties that most jobs do not have, so that their rows have no place for them.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct More<'a> {
    crashes: u32,
    attempt: u32,
    retries_left: u32,
    priority: i64,
    task: &'a str,
    resource: &'a str,
    group: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_checkpoint: Option<&'a serde_json::value::RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_for: Option<u64>,
    #[serde(rename = "_node", skip_serializing_if = "str::is_empty")]
    node: &'a str,
    #[serde(rename = "_suspect", skip_serializing_if = "std::ops::Not::not")]
    suspect: bool,
}

impl<'a> More<'a> {
    /// `None` if all have the values of a plain job.
    fn of(job: &'a Job) -> Option<More<'a>> {
        let (attempt, retries_left, priority) = (job.attempt(), job.retries_left(), job.priority());
        let (task, resource, group) = (job.task(), job.resource(), job.group());
        let plain = (attempt, retries_left, priority) == (1, 0, 0) && task.is_empty() && resource.is_empty() && group.is_empty();
        let last_checkpoint = job.last_checkpoint().and_then(|text| serde_json::from_str(text).ok());
        let scheduled_for = job.scheduled_for();
        if plain
            && last_checkpoint.is_none()
            && scheduled_for.is_none()
            && job.node().is_empty()
            && !job.is_suspect()
            && job.headers().next().is_none()
        {
            return None;
        }
        let headers = job.headers().collect();
        Some(More {
            crashes: job.crashes,
            attempt,
            retries_left,
            priority,
            task,
            resource,
            group,
            headers,
            last_checkpoint,
            scheduled_for,
            node: job.node(),
            suspect: job.is_suspect(),
        })
    }
}

/// The payload as text. `None` if it is bytes: by its content type, or because it is not valid UTF-8.
fn json_text(payload: &Payload) -> Option<&str> {
    match payload.content_type {
        ContentType::Json => std::str::from_utf8(&payload.bytes).ok(),
        ContentType::Bytes => None,
    }
}

/// In UTF-16 units.
fn length_of(text: &str) -> f64 {
    if text.is_ascii() { text.len() as f64 } else { text.encode_utf16().count() as f64 }
}
