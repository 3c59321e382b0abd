//! All use of Redis: connections, keys, scripts, records. Other modules use no types of Redis.

#[cfg(test)]
mod bundle;
mod calls;
pub(crate) mod codec;
mod commands;
mod discovery;
pub(crate) mod envelope;
mod events;
pub(crate) mod examine;
mod failure;
mod greeting;
pub(crate) mod inbox;
pub(crate) mod keys;
mod line;
mod link;
pub(crate) mod script;
mod server;
mod tls;

pub(crate) use calls::Store;
pub(crate) use codec::flow::FlowReply;
pub(crate) use codec::reply::{AddReply, Assigned, Joined, SyncReply};
pub(crate) use codec::slots::Wanted;
#[cfg(feature = "testing")]
pub(crate) use commands::Look;
pub(crate) use commands::{AddCall, SyncCall};
pub(crate) use events::{EventReader, Followed};
pub(crate) use failure::Failed;
pub(crate) use inbox::{Entry, Inbox, Read, after};
pub(crate) use link::too_slow;
pub(crate) use script::prepare;
#[cfg(test)]
pub(crate) use script::{WITH_FLAGS, WITHOUT_FLAGS};
