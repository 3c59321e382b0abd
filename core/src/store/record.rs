//! The packed record of a job, and the messages between members and scripts.
//!
//! Record: flags (1 byte), [deaths (1)], [result ttl in s (4, big endian), length (1), requester], payload. A plain job
//! costs one byte more than its payload. Flags: 1 the payload is bytes, not JSON; 2 the result is wanted; 4 deaths follow.

use crate::error::{Error, ErrorKind, Result};
use crate::job::{ContentType, DEFAULT_RESULT_TTL, Failure, JobData, NewJob, Outcome, Payload};

const BYTES: u8 = 1;
const RESULT: u8 = 2;
const DEATHS: u8 = 4;
const KNOWN: u8 = BYTES | RESULT | DEATHS;

/// What a job's record says about its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResultWanted {
    pub(crate) ttl_secs: u32,
    /// The incarnation that awaits it, or empty.
    pub(crate) requester: String,
}

/// Appends the record as a msgpack string.
pub(crate) fn write_record(out: &mut Vec<u8>, job: &NewJob, requester: &str) {
    let mut flags = if job.payload.content_type == ContentType::Bytes { BYTES } else { 0 };
    let mut length = 1 + job.payload.bytes.len();
    if job.result {
        flags |= RESULT;
        length += 5 + requester.len();
    }
    write_string_length(out, length);
    out.push(flags);
    if job.result {
        let ttl = job.result_ttl.unwrap_or(DEFAULT_RESULT_TTL);
        out.extend_from_slice(&(ttl.as_millis().div_ceil(1000) as u32).to_be_bytes());
        out.push(requester.len() as u8);
        out.extend_from_slice(requester.as_bytes());
    }
    out.extend_from_slice(&job.payload.bytes);
}

/// Reads a record.
pub(crate) fn read_record(id: &str, fence: u64, record: &[u8]) -> Result<JobData> {
    let corrupt = || Error::new(ErrorKind::StoreCorrupt, format!("the record of job `{id}` is not one this protocol writes"));
    let (&flags, mut rest) = record.split_first().ok_or_else(corrupt)?;
    if flags & !KNOWN != 0 {
        return Err(corrupt());
    }
    let mut deaths = 0;
    if flags & DEATHS != 0 {
        let (&count, after) = rest.split_first().ok_or_else(corrupt)?;
        (deaths, rest) = (u32::from(count), after);
    }
    let mut result = None;
    if flags & RESULT != 0 {
        let (head, after) = rest.split_at_checked(5).ok_or_else(corrupt)?;
        let (requester, after) = after.split_at_checked(usize::from(head[4])).ok_or_else(corrupt)?;
        let ttl_secs = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let requester = std::str::from_utf8(requester).map_err(|_| corrupt())?.to_owned();
        result = Some(ResultWanted { ttl_secs, requester });
        rest = after;
    }
    let content_type = if flags & BYTES != 0 { ContentType::Bytes } else { ContentType::Json };
    let payload = Payload { bytes: rest.to_vec(), content_type };
    Ok(JobData::new(id.to_owned(), payload, fence, deaths, result))
}

/// An outcome as it is kept and sent: `j` JSON, `b` bytes, `f` reason, newline, message; `d` deleted.
pub(crate) fn write_outcome(payload: &Payload) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + payload.bytes.len());
    out.push(if payload.content_type == ContentType::Bytes { b'b' } else { b'j' });
    out.extend_from_slice(&payload.bytes);
    out
}

/// Reads an outcome of job `id`.
pub(crate) fn read_outcome(id: &str, bytes: &[u8]) -> Result<Outcome> {
    match bytes.split_first() {
        Some((b'j', rest)) => Ok(Outcome::Completed(Payload { bytes: rest.to_vec(), content_type: ContentType::Json })),
        Some((b'b', rest)) => Ok(Outcome::Completed(Payload { bytes: rest.to_vec(), content_type: ContentType::Bytes })),
        Some((b'f', rest)) => {
            let text = String::from_utf8_lossy(rest);
            let (reason, message) = text.split_once('\n').unwrap_or((&text, ""));
            Ok(Outcome::Failed(Failure { reason: reason.to_owned(), message: message.to_owned() }))
        }
        Some((b'd', _)) => Err(Error::new(ErrorKind::JobDeleted, format!("job `{id}` was deleted"))),
        _ => Err(Error::new(ErrorKind::StoreCorrupt, format!("the result of job `{id}` is not one this protocol writes"))),
    }
}

/// Appends a msgpack string: any bytes, as the scripts' strings are.
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    write_string_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends the head of a msgpack string whose bytes follow.
pub(crate) fn write_string_length(out: &mut Vec<u8>, length: usize) {
    match rmp::encode::write_str_len(out, length as u32) {
        Ok(_) => {}
        Err(never) => unreachable!("writing to memory: {never}"),
    }
}

/// Appends the head of a msgpack array.
pub(crate) fn write_array(out: &mut Vec<u8>, length: usize) {
    match rmp::encode::write_array_len(out, length as u32) {
        Ok(_) => {}
        Err(never) => unreachable!("writing to memory: {never}"),
    }
}

/// Appends a msgpack integer.
pub(crate) fn write_integer(out: &mut Vec<u8>, value: u64) {
    match rmp::encode::write_uint(out, value) {
        Ok(_) => {}
        Err(never) => unreachable!("writing to memory: {never}"),
    }
}

/// Strings as one msgpack array.
pub(crate) fn packed_strings(strings: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    write_array(&mut out, strings.len());
    for string in strings {
        write_string(&mut out, string.as_bytes());
    }
    out
}

/// Reads what scripts pack: arrays of strings and integers.
pub(crate) struct Unpack<'a>(&'a [u8]);

impl<'a> Unpack<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Unpack(bytes)
    }

    pub(crate) fn array(&mut self) -> Result<usize> {
        Ok(rmp::decode::read_array_len(&mut self.0).map_err(malformed)? as usize)
    }

    pub(crate) fn integer(&mut self) -> Result<i64> {
        rmp::decode::read_int(&mut self.0).map_err(malformed)
    }

    pub(crate) fn string(&mut self) -> Result<&'a [u8]> {
        let length = rmp::decode::read_str_len(&mut self.0).map_err(malformed)? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(|| malformed("it ends early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.string()?).map_err(malformed)
    }
}

fn malformed(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::StoreCorrupt, format!("a message in Redis is not one this protocol writes: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(job: &NewJob, requester: &str) -> JobData {
        let mut out = Vec::new();
        write_record(&mut out, job, requester);
        read_record("id", 7, Unpack::new(&out).string().unwrap()).unwrap()
    }

    #[test]
    fn records_come_back_as_they_were() {
        for size in [0, 1, 30, 31, 255, 70_000] {
            let job = NewJob::bytes(vec![b'\xff'; size]);
            let read = round_trip(&job, "");
            assert_eq!((&read.payload, read.fence, read.deaths, &read.result), (&job.payload, 7, 0, &None));
        }
        let job = NewJob::json("x").unwrap().result(true).result_ttl(std::time::Duration::from_millis(1500));
        let wanted = ResultWanted { ttl_secs: 2, requester: "abc".into() };
        assert_eq!(round_trip(&job, "abc").result, Some(wanted));
    }

    #[test]
    fn what_is_no_record_is_corrupt() {
        for bytes in [&b""[..], &[8], &[4], &[2, 0, 0], &[2, 0, 0, 0, 1, 9, b'a'], &[2, 0, 0, 0, 1, 1, 0xff]] {
            assert_eq!(read_record("id", 1, bytes).unwrap_err().kind(), ErrorKind::StoreCorrupt, "{bytes:?}");
        }
        for bytes in [&b""[..], &[0xc0], &[0xa5, b'a'], &[0xdb, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(Unpack::new(bytes).string().unwrap_err().kind(), ErrorKind::StoreCorrupt, "{bytes:?}");
        }
    }
}
