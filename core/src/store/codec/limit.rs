//! Limits as `lua/commands/limit.lua` and `inspect.lua` pack them.

use std::time::Duration;

use redis::Value;

use super::msgpack::{Unpack, write_array, write_integer};
use super::reply;
use crate::model::limit::{Limit, LimitInfo};
use libswarm_common::error::Result;

pub(crate) fn pack_figures(limit: &Limit) -> Vec<u8> {
    let mut out = Vec::new();
    write_array(&mut out, 4);
    write_integer(&mut out, u64::from(limit.rate.unwrap_or(0)));
    write_integer(&mut out, limit.period().as_millis() as u64);
    write_integer(&mut out, u64::from(limit.burst.unwrap_or(1)));
    write_integer(&mut out, u64::from(limit.concurrency.unwrap_or(0)));
    out
}

/// Whether the limit had figures, and the cursor of the next call, "0" at the end.
pub(crate) fn changed(reply: &Value) -> Result<(bool, String)> {
    match reply::array(reply.clone())?.as_slice() {
        [Value::Int(existed), cursor] => Ok((*existed == 1, String::from_utf8_lossy(reply::bytes(cursor)?).into_owned())),
        _ => Err(reply::unexpected("limit")),
    }
}

pub(crate) fn info(reply: &Value) -> Result<LimitInfo> {
    read(&mut Unpack::new(reply::bytes(reply)?))
}

/// Appends the limits of a page; returns the cursor of the next one, or "".
pub(crate) fn page(reply: &Value, all: &mut Vec<LimitInfo>) -> Result<String> {
    let mut unpack = Unpack::new(reply::bytes(reply)?);
    let count = unpack.array()?;
    let next = unpack.text()?.to_owned();
    for _ in 1..count {
        all.push(read(&mut unpack)?);
    }
    Ok(next)
}

fn read(unpack: &mut Unpack) -> Result<LimitInfo> {
    unpack.array()?;
    let name = String::from_utf8_lossy(unpack.string()?).into_owned();
    let mut number = || Ok(unpack.integer()?.max(0) as u64);
    let (rate, per, burst, concurrency) = (number()?, number()?, number()?, number()?);
    let figure = |value: u64| u32::try_from(value).ok().filter(|value| *value > 0);
    let limit = Limit {
        rate: figure(rate),
        per: figure(rate).map(|_| Duration::from_millis(per)),
        burst: figure(rate).and(figure(burst)),
        concurrency: figure(concurrency),
    };
    Ok(LimitInfo {
        name,
        figures: (limit != Limit::default()).then_some(limit),
        active: number()?,
        blocked: number()?,
        next_in: Duration::from_millis(number()?),
    })
}
