//! Messages as they are stored in inboxes, and the replies of `lua/commands/send.lua`.

use redis::Value;

use super::msgpack::{Unpack, write_array, write_integer, write_string};
use super::reply::{bytes, read_id, unexpected};
use crate::model::message::{Change, Kind, MemberRef, MessageData, Receipt, Role};
use crate::model::payload::{ContentType, Payload};
use crate::store::envelope::{Envelopes, ValueKind};
use libswarm_common::error::Result;

/// The kind of an address (see `lua/lib/registry.lua`) and its name.
pub(crate) type Address = (char, String);

/// Array of kind, number, number of the message to which this one replies, id of the sender in all its incarnations, incarnation, name, group,
/// host, pid, 1 if the payload is bytes and not JSON, payload.
pub(crate) fn write_blob(
    kind: Kind,
    number: u64,
    about: u64,
    sender: &str,
    from: &MemberRef,
    payload: &Payload,
    envelopes: Envelopes,
) -> Vec<u8> {
    let sealed = value_of(kind).and_then(|value| envelopes.seal(value, &payload.bytes, payload.content_type));

    let mut out = Vec::with_capacity(payload.bytes.len() + 160);
    write_array(&mut out, 11);
    for number in [kind as u64, number, about] {
        write_integer(&mut out, number);
    }
    for text in [sender, &from.incarnation, &from.name, &from.group, &from.host] {
        write_string(&mut out, text.as_bytes());
    }
    write_integer(&mut out, u64::from(from.pid));
    write_integer(&mut out, u64::from(sealed.is_none() && payload.content_type == ContentType::Bytes));
    write_string(&mut out, sealed.as_ref().unwrap_or(&payload.bytes));
    out
}

/// What the payload of a message is; `None` if it is none of a program.
fn value_of(kind: Kind) -> Option<ValueKind> {
    match kind {
        Kind::Message | Kind::Acknowledged | Kind::Request => Some(ValueKind::Message),
        Kind::Reply => Some(ValueKind::Reply),
        Kind::Acknowledgement | Kind::Confirmation | Kind::Kill => None,
    }
}

pub(crate) fn read_blob(blob: &[u8], envelopes: Envelopes) -> Result<MessageData> {
    let mut unpack = Unpack::new(blob);
    if unpack.array()? != 11 {
        return Err(unexpected("an inbox"));
    }
    let kind = Kind::from_number(unpack.integer()?).ok_or_else(|| unexpected("an inbox"))?;
    let (number, about) = (unpack.integer()? as u64, unpack.integer()? as u64);
    let sender = unpack.text()?.to_owned();
    let mut from = read_from(&mut unpack)?;
    from.pid = unpack.integer()? as u32;
    let content_type = if unpack.integer()? == 1 { ContentType::Bytes } else { ContentType::Json };
    let payload = match value_of(kind) {
        Some(value) => envelopes
            .open(value, unpack.string()?, content_type)
            .map_err(|error| error.context(format_args!("a message of member `{}` was dropped", from.incarnation)))?,
        None => Payload { bytes: unpack.string()?.to_vec(), content_type },
    };
    Ok(MessageData { kind, number, about, sender, from, payload })
}

/// A name that satisfies the checks of member names; empty if there is none.
fn name(unpack: &mut Unpack) -> Result<String> {
    match unpack.string()? {
        b"" => Ok(String::new()),
        bytes => read_id(bytes).map(str::to_owned),
    }
}

fn read_from(unpack: &mut Unpack) -> Result<MemberRef> {
    let mut text = || name(unpack);
    Ok(MemberRef { incarnation: text()?, name: text()?, group: text()?, host: text()?, pid: 0 })
}

/// A change of a member: what happened, incarnation, role, name, group, host, pid.
pub(crate) fn read_news(blob: &[u8]) -> Result<(Change, Role, MemberRef)> {
    let mut unpack = Unpack::new(blob);
    if unpack.array()? != 7 {
        return Err(unexpected("an inbox"));
    }
    let what = unpack.text()?;
    let change =
        Change::ALL.iter().find(|(name, _)| *name == what).map(|(_, change)| *change).ok_or_else(|| unexpected("an inbox"))?;
    let mut text = || name(&mut unpack);
    let (incarnation, role) = (text()?, text()?);
    let (name, group, host, pid) = (text()?, text()?, text()?, text()?);
    Ok((change, Role::from_name(&role), MemberRef { incarnation, name, group, host, pid: pid.parse().unwrap_or(0) }))
}

/// What became of the first messages of a batch, at least of one. `None` if the member is unknown.
pub(crate) fn receipts(reply: Value) -> Result<Option<Vec<Receipt>>> {
    let Value::Array(parts) = reply else { return Err(unexpected("send")) };
    let packed = match parts.as_slice() {
        [Value::Int(1)] => return Ok(None),
        [Value::Int(0), packed] => bytes(packed)?,
        _ => return Err(unexpected("send")),
    };
    let mut unpack = Unpack::new(packed);
    let count = unpack.array()?;
    if count == 0 {
        return Err(unexpected("send"));
    }
    let mut receipts: Vec<Receipt> = Vec::with_capacity(count.min(1000));
    for _ in 0..count {
        if unpack.is_integer() {
            let same = usize::try_from(unpack.integer()? - 1).ok().and_then(|position| receipts.get(position)).cloned();
            receipts.push(same.ok_or_else(|| unexpected("send"))?);
            continue;
        }
        let recipients = unpack.array()?.saturating_sub(1);
        let dropped = unpack.integer()?.max(0) as u64;
        let recipients = (0..recipients).map(|_| Ok(unpack.text()?.to_owned())).collect::<Result<_>>()?;
        receipts.push(Receipt { recipients, dropped, ..Receipt::default() });
    }
    Ok(Some(receipts))
}
