//! Subscribes a member to the events for which it has callbacks.

use std::sync::{Arc, Weak};

use libswarm::{Error, Event};
use libswarm_host::lock::Mutex;
pub(crate) use libswarm_host::subscriptions::Topic;

use crate::dispatch::Deliver;
use crate::guard::guard_value;
use crate::member::{Kind, Listener, Member, swarm_member};

/// Sets or removes a callback, and subscribes the member to its events.
pub(crate) fn listen(member: Option<&swarm_member>, kind: Kind, what: Topic, listener: Option<Listener>) {
    guard_value((), || {
        let Ok(member) = swarm_member::open(member) else { return };
        let wanted = listener.is_some();
        member.listen(kind, listener);
        if wanted {
            begin(member, what);
        }
    });
}

/// Subscribes a member that has started to the events for which it has callbacks.
pub(crate) fn begin_all(member: &Arc<Member>) {
    let listeners = member.listeners.now();
    if listeners.has(Kind::Message) || listeners.has(Kind::Kill) {
        begin(member, Topic::Messages);
    }
    if listeners.has(Kind::Peer) {
        begin(member, Topic::Members);
    }
}

/// Never waits. A member that has not started yet subscribes when it starts.
pub(crate) fn begin(member: &Arc<Member>, topic: Topic) {
    let Ok(messages) = member.messages() else { return };
    let (asked, failed) = (Arc::downgrade(member), Arc::downgrade(member));
    let is_registered = move || asked.upgrade().is_some_and(|member| member.is_registered());
    let failed = move |error| {
        if let Some(member) = failed.upgrade() {
            let trouble = Trouble { member: failed, error: Mutex::new(Some(error)) };
            member.context.dispatch.push(Arc::new(trouble));
        }
    };
    member.subscriptions.start(&member.context.handle, messages, topic, is_registered, failed);
}

/// An error that is delivered in order with the other callbacks.
struct Trouble {
    member: Weak<Member>,
    error: Mutex<Option<Error>>,
}

impl Deliver for Trouble {
    fn deliver(&self) {
        let error = self.error.lock().take();
        if let (Some(member), Some(error)) = (self.member.upgrade(), error) {
            member.listeners.now().call(Event::Error(error));
        }
    }
}
