//! The part of a member's registration that its program may change.

use std::sync::atomic::{AtomicBool, Ordering};

use libswarm_common::lock::Mutex;

/// Kept across the incarnations of a member: each registers with it.
#[derive(Default)]
pub(crate) struct Profile {
    listens: AtomicBool,
    watches: AtomicBool,
    data: Mutex<String>,
}

/// What a member subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscription {
    /// Messages.
    Messages,
    /// Members that join, leave or are lost.
    Members,
}

/// A profile at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) subscriptions: Vec<Subscription>,
    /// JSON, or empty.
    pub(crate) data: String,
}

impl Subscription {
    /// The argument of `listen.lua`.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Subscription::Messages => "listen",
            Subscription::Members => "watch",
        }
    }

    /// The letter in the registration.
    pub(crate) fn letter(self) -> char {
        match self {
            Subscription::Messages => 'l',
            Subscription::Members => 'w',
        }
    }
}

impl Profile {
    pub(crate) fn subscribe(&self, to: Subscription) {
        match to {
            Subscription::Messages => self.listens.store(true, Ordering::Release),
            Subscription::Members => self.watches.store(true, Ordering::Release),
        }
    }

    pub(crate) fn set_data(&self, json: String) {
        *self.data.lock() = json;
    }

    /// Whether the inbox receives messages or changes of members.
    pub(crate) fn subscribes(&self) -> bool {
        self.listens.load(Ordering::Acquire) || self.watches.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> Registered {
        let all = [(Subscription::Messages, &self.listens), (Subscription::Members, &self.watches)];
        let subscriptions = all.into_iter().filter(|(_, on)| on.load(Ordering::Acquire)).map(|(to, _)| to).collect();
        Registered { subscriptions, data: self.data.lock().clone() }
    }
}
