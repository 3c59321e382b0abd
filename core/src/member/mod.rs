//! What masters and workers share: an incarnation registered in Redis, its lease, its inbox, and its events.

mod events;
mod guard;
mod inbox;
mod profile;
mod registration;
mod schedules;
mod session;
mod shared;

pub(crate) use guard::{MemberTask, panicked, supervise};
pub(crate) use inbox::InboxTask;
pub(crate) use profile::Subscription;
pub(crate) use registration::{host, packed_tasks};
pub(crate) use session::Session;
pub(crate) use shared::{Shared, Source};

/// The target of log records about members.
const TARGET: &str = "libswarm::member";
