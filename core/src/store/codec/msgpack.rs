//! Msgpack as the scripts read and write it: a string may have any bytes.

use std::convert::Infallible;

use libswarm_common::error::{Error, ErrorKind, Result};
use rmp::encode::ValueWriteError;
use rmp::encode::buffer::ByteBuf;

/// Appends what `write` writes; writing to memory cannot fail.
fn append<T>(out: &mut Vec<u8>, write: impl FnOnce(&mut ByteBuf) -> Result<T, ValueWriteError<Infallible>>) {
    let mut buffer = ByteBuf::from_vec(std::mem::take(out));
    match write(&mut buffer) {
        Ok(_) => *out = buffer.into_vec(),
        Err(ValueWriteError::InvalidMarkerWrite(never) | ValueWriteError::InvalidDataWrite(never)) => match never {},
    }
}

/// Appends a string.
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    write_string_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends the head of a string whose bytes follow.
pub(crate) fn write_string_length(out: &mut Vec<u8>, length: usize) {
    append(out, |buffer| rmp::encode::write_str_len(buffer, length as u32));
}

/// Appends the head of an array.
pub(crate) fn write_array(out: &mut Vec<u8>, length: usize) {
    append(out, |buffer| rmp::encode::write_array_len(buffer, length as u32));
}

/// Appends the head of a map.
pub(crate) fn write_map(out: &mut Vec<u8>, length: usize) {
    append(out, |buffer| rmp::encode::write_map_len(buffer, length as u32));
}

/// Appends an integer of 0 or more.
pub(crate) fn write_integer(out: &mut Vec<u8>, value: u64) {
    append(out, |buffer| rmp::encode::write_uint(buffer, value));
}

/// Appends an integer of either sign.
pub(crate) fn write_signed(out: &mut Vec<u8>, value: i64) {
    append(out, |buffer| rmp::encode::write_sint(buffer, value));
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

    /// Whether an integer comes next.
    pub(crate) fn is_integer(&self) -> bool {
        rmp::decode::read_int::<i64, _>(&mut { self.0 }).is_ok()
    }

    pub(crate) fn array(&mut self) -> Result<usize> {
        let length = rmp::decode::read_array_len(&mut self.0).map_err(malformed)? as usize;
        self.fits(length)
    }

    pub(crate) fn map(&mut self) -> Result<usize> {
        let length = rmp::decode::read_map_len(&mut self.0).map_err(malformed)? as usize;
        self.fits(length)
    }

    /// Rejects a length that exceeds the remaining bytes, so that a forged length reserves no memory: each item has at least one byte.
    fn fits(&self, length: usize) -> Result<usize> {
        if length > self.0.len() { Err(malformed("it ends early")) } else { Ok(length) }
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

/// The error for data that does not have the format of this protocol.
pub(super) fn malformed(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::StoreCorrupt, format!("a message in Redis is not one this protocol writes: {why}"))
}
