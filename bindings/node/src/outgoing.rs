//! Batches that go out to JavaScript: events and answers as rows of numbers beside three streams of contents.

use libswarm::{Added, ContentType, DeleteReason, Error, Event, Job, Outcome, Payload};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

/// Numbers per row: code, key (fence or token), two lengths or values. `lib/wire.js` has the same codes.
pub const COLUMNS: usize = 4;

mod code {
    pub const ADD_JSON: f64 = 1.0;
    pub const ADD_BYTES: f64 = 2.0;
    pub const DELETE: f64 = 3.0;
    pub const READY: f64 = 4.0;
    pub const CLOSE: f64 = 5.0;
    pub const ERROR: f64 = 6.0;
    pub const DONE: f64 = 7.0;
    pub const FAILED: f64 = 8.0;
    pub const ADDED: f64 = 9.0;
    pub const FLAGS: f64 = 10.0;
    pub const JSON: f64 = 11.0;
    pub const BYTES: f64 = 12.0;
    pub const JOB_FAILED: f64 = 13.0;
}

/// What a call by token is answered.
pub enum Answer {
    /// It is done; there is nothing to say.
    Done,
    /// Jobs were added.
    Added(Vec<Added>),
    /// Whether each of the things named existed.
    Flags(Vec<bool>),
    /// A value as JSON.
    Json(String),
    /// How a job ended.
    Outcome(Outcome),
    /// It failed.
    Failed(Error),
}

/// Makes an answer of a result.
pub fn answer<T>(result: Result<T, Error>, ok: impl FnOnce(T) -> Answer) -> Answer {
    result.map_or_else(Answer::Failed, ok)
}

/// `value` as an answer in JSON.
pub fn json_of(value: &impl serde::Serialize) -> Answer {
    Answer::Json(to_json(value))
}

/// `value` as JSON; only for plain structs, which cannot fail.
pub fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One batch, as `take` returns it.
#[napi(object)]
pub struct Batch {
    /// Rows written.
    pub rows: u32,
    /// Whether there may be more to take.
    pub more: bool,
    /// Job ids and incarnations, each followed by a line break (none of them contains one).
    pub ids: String,
    /// Texts in the order of the rows; the rows have their lengths in UTF-16 units.
    pub text: String,
    /// Bytes in the order of the rows.
    pub blob: Option<Buffer>,
}

/// Writes a batch.
pub struct Writer<'a> {
    rows: &'a mut [f64],
    used: usize,
    ids: String,
    text: String,
    blob: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub fn new(rows: &'a mut [f64]) -> Self {
        Writer { rows, used: 0, ids: String::new(), text: String::new(), blob: Vec::new() }
    }

    /// Rows still free.
    pub fn free(&self) -> usize {
        self.rows.len() / COLUMNS - self.used
    }

    /// Bytes of contents so far.
    pub fn size(&self) -> usize {
        self.text.len() + self.blob.len()
    }

    pub fn finish(self, more: bool) -> Batch {
        let blob = (!self.blob.is_empty()).then(|| self.blob.into());
        Batch { rows: self.used as u32, more, ids: self.ids, text: self.text, blob }
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
            Event::Close(None) => self.row(code::CLOSE, 0.0, 0.0, 0.0),
            Event::Close(Some(error)) => self.error(code::CLOSE, 0, error),
            Event::Error(error) => self.error(code::ERROR, 0, error),
        }
    }

    pub fn answer(&mut self, token: u32, answer: &Answer) {
        let key = f64::from(token);
        match answer {
            Answer::Done => self.row(code::DONE, key, 0.0, 0.0),
            Answer::Failed(error) => self.error(code::FAILED, token, error),
            Answer::Added(jobs) => {
                jobs.iter().for_each(|job| self.id(&job.id));
                let existed = jobs.iter().any(|job| job.existed);
                if existed {
                    self.flags(jobs.iter().map(|job| job.existed));
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
            Answer::Outcome(Outcome::Completed(payload)) => match json_text(payload) {
                Some(text) => {
                    let length = self.text(text);
                    self.row(code::JSON, key, length, 0.0);
                }
                None => {
                    self.blob.extend_from_slice(&payload.bytes);
                    self.row(code::BYTES, key, payload.bytes.len() as f64, 0.0);
                }
            },
            Answer::Outcome(Outcome::Failed(failure)) => {
                let reason = self.text(&failure.reason);
                let message = self.text(&failure.message);
                self.row(code::JOB_FAILED, key, reason, message);
            }
        }
    }

    fn add(&mut self, job: &Job) {
        self.id(&job.id);
        let (code, length) = match json_text(&job.payload) {
            Some(text) => (code::ADD_JSON, self.text(text)),
            None => {
                self.blob.extend_from_slice(&job.payload.bytes);
                (code::ADD_BYTES, job.payload.bytes.len() as f64)
            }
        };
        self.row(code, job.fence as f64, length, f64::from(job.deaths));
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

    /// Appends and gives the length as JavaScript counts it.
    fn text(&mut self, text: &str) -> f64 {
        self.text.push_str(text);
        if text.is_ascii() { text.len() as f64 } else { text.encode_utf16().count() as f64 }
    }
}

/// The payload as text, unless it is bytes: by its type, or because it is not the UTF-8 that its type promises.
fn json_text(payload: &Payload) -> Option<&str> {
    match payload.content_type {
        ContentType::Json => std::str::from_utf8(&payload.bytes).ok(),
        ContentType::Bytes => None,
    }
}
