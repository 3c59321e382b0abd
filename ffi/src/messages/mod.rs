//! Messages between members, and who comes and goes: for masters and workers alike.

pub(crate) mod subscriptions;

pub mod peer;

pub mod message;

pub mod receipt;

pub mod send;

pub mod confirmations;

pub mod exit;
pub mod kill;

pub mod presence;
