//! The commands of the scripts in `lua/commands`, as methods of [`Store`](super::calls::Store).

mod control;
mod durability;
mod flows;
mod inspection;
mod jobs;
mod members;
mod messages;
mod schedules;
#[cfg(feature = "testing")]
mod testing;

pub(crate) use jobs::AddCall;
pub(crate) use members::SyncCall;
#[cfg(feature = "testing")]
pub(crate) use testing::Look;
