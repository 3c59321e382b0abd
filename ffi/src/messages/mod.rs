//! Messages between members, and notifications about members that join, leave or are lost, for masters and workers.

pub(crate) mod subscriptions;

pub mod peer;

pub mod message;

pub mod receipt;

pub mod send;

pub mod confirmations;

pub mod exit;
pub mod kill;

pub mod presence;
