//! Batches that come in from JavaScript: jobs to add and jobs to finish.

use std::time::Duration;

use libswarm::{ContentType, Error, ErrorKind, Finish, JobError, NewJob, Payload};
use memchr::memchr;

/// The lines of `text` and the bytes of `blob`, consumed in order.
///
/// JSON written by `JSON.stringify` has no line break, so one string carries many values and is split again here.
struct Lines<'a> {
    text: Option<&'a str>,
    blob: &'a [u8],
}

impl<'a> Lines<'a> {
    fn line(&mut self) -> Option<&'a str> {
        let text = self.text?;
        match memchr(b'\n', text.as_bytes()) {
            Some(end) => {
                self.text = Some(&text[end + 1..]);
                Some(&text[..end])
            }
            None => self.text.take(),
        }
    }

    fn expect_line(&mut self) -> Result<&'a str, Error> {
        self.line().ok_or_else(|| damaged("it has too few lines"))
    }

    /// The text and the traceback of a failure, and for a retry the pause before it in milliseconds. If a line cannot be parsed, its job fails with
    /// that line as the text; other jobs are not affected.
    fn failure(&mut self) -> Result<(JobError, Option<f64>), Error> {
        let line = self.expect_line()?;
        let read =
            serde_json::from_str::<(String, String, f64)>(line).map(|(text, traceback, pause)| (text, traceback, Some(pause)));
        let read = read.or_else(|_| serde_json::from_str(line).map(|(text, traceback)| (text, traceback, None)));
        let (text, traceback, pause) = read.unwrap_or_else(|_| (line.to_owned(), String::new(), None));
        Ok((JobError::new(text, traceback), pause))
    }

    fn bytes(&mut self, length: &str) -> Result<Payload, Error> {
        let length = length.parse().map_err(|_| damaged("a length is not a number"))?;
        let (bytes, rest) = self.blob.split_at_checked(length).ok_or_else(|| damaged("it has too few bytes"))?;
        self.blob = rest;
        Ok(Payload { bytes: bytes.to_vec(), content_type: ContentType::Bytes })
    }
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("a batch from JavaScript cannot be read: {why}"))
}

/// Jobs to add: a line of JSON is a job; `@n` is a job of the next n bytes of `blob`; `#[name, value, ...]` sets options of the next job. Each
/// option may be refused.
pub fn jobs(text: &str, blob: &[u8], count: usize) -> Result<Vec<Result<NewJob, Error>>, Error> {
    let mut lines = Lines { text: Some(text), blob };
    let mut jobs = Vec::with_capacity(count);
    while jobs.len() < count {
        let mut line = lines.expect_line()?;
        let options = line.strip_prefix('#');
        if options.is_some() {
            line = lines.expect_line()?;
        }
        let payload = match line.strip_prefix('@') {
            Some(length) => lines.bytes(length)?,
            None => Payload::raw_json(line),
        };
        let job = NewJob::new(payload);
        jobs.push(match options {
            Some(options) => with_options(job, options),
            None => Ok(job),
        });
    }
    Ok(jobs)
}

/// All of `jobs`, or the error of the first invalid one.
pub fn all(jobs: Vec<Result<NewJob, Error>>) -> Result<Vec<NewJob>, Error> {
    let alone = jobs.len() == 1;
    let named = |(position, job): (usize, Result<NewJob, Error>)| {
        job.map_err(|error| if alone { error } else { error.context(format_args!("job {position}, none was added")) })
    };
    jobs.into_iter().enumerate().map(named).collect()
}

fn with_options(mut job: NewJob, options: &str) -> Result<NewJob, Error> {
    let pairs: Vec<String> = serde_json::from_str(options)
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, format!("the options of a job cannot be read: {e}")))?;
    for pair in pairs.as_chunks::<2>().0 {
        job.set(&pair[0], &pair[1])?;
    }
    Ok(job)
}

/// A row of a batch of finishes: fence, kind, token (0: no answer requested).
pub const FINISH_COLUMNS: usize = 3;

/// Jobs to finish, with the token of each; kinds 1 to 3 and 6 to 8 have a line of `text`.
pub fn finishes(rows: &[f64], text: &str, blob: &[u8]) -> Result<Vec<(u64, Finish, u32)>, Error> {
    let mut lines = Lines { text: Some(text), blob };
    let mut finishes = Vec::with_capacity(rows.len() / FINISH_COLUMNS);
    for row in rows.as_chunks::<FINISH_COLUMNS>().0 {
        let finish = match row[1] as u32 {
            0 => Finish::Complete(Payload::raw_json("null")),
            1 => Finish::Complete(Payload::raw_json(lines.expect_line()?)),
            2 => Finish::Complete(lines.expect_line().and_then(|length| lines.bytes(length))?),
            3 => Finish::Fail(lines.failure()?.0),
            4 => Finish::Release,
            5 => Finish::Stopped,
            6 => {
                let (error, pause) = lines.failure()?;
                match pause.and_then(|pause| Duration::try_from_secs_f64(pause / 1000.0).ok()) {
                    Some(pause) => Finish::Retry(error, pause),
                    None => Finish::Fail(error),
                }
            }
            7 => Finish::FailPermanently(lines.failure()?.0),
            // The name of the limit is in the place of the error text.
            8 => {
                let (error, pause) = lines.failure()?;
                let pause = pause.and_then(|pause| Duration::try_from_secs_f64(pause / 1000.0).ok()).unwrap_or_default();
                Finish::RateLimited { pause, limit: Some(error.message).filter(|limit| !limit.is_empty()) }
            }
            kind => return Err(damaged(&format!("there is no finish {kind}"))),
        };
        finishes.push((row[0] as u64, finish, row[2] as u32));
    }
    Ok(finishes)
}
