//! Has a member receive what it has callbacks for.

use std::sync::{Arc, Weak};

use libswarm::{Error, Event};
use libswarm_host::lock::Mutex;
pub(crate) use libswarm_host::subscriptions::Topic;

use crate::dispatch::Deliver;
use crate::guard::guard_value;
use crate::member::{Kind, Listener, Member, swarm_member};

/// Sets or removes a callback, and has the member receive what it is for.
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

/// Has a member that was started receive what it has callbacks for.
pub(crate) fn begin_all(member: &Arc<Member>) {
    let listeners = member.listeners.now();
    if listeners.has(Kind::Message) || listeners.has(Kind::Kill) {
        begin(member, Topic::Messages);
    }
    if listeners.has(Kind::Peer) {
        begin(member, Topic::Members);
    }
}

/// Never waits. One that is not started yet receives it from its start on.
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

/// An error that is delivered among the other callbacks.
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
