//! Has a member receive what it has callbacks for.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use libswarm::{Error, ErrorKind, Event};

use crate::dispatch::Deliver;
use crate::guard::guard_value;
use crate::member::{Kind, Listener, Member, swarm_member};

/// What a member can receive.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Messages,
    Members,
}

/// Sets or removes a callback, and has the member receive what it is for.
pub(crate) fn listen(member: Option<&swarm_member>, kind: Kind, what: What, listener: Option<Listener>) {
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
        begin(member, What::Messages);
    }
    if listeners.has(Kind::Peer) {
        begin(member, What::Members);
    }
}

/// Never waits. One that is not started yet receives it from its start on.
pub(crate) fn begin(member: &Arc<Member>, what: What) {
    let Ok(messages) = member.messages() else { return };
    let (under_way, weak) = (member.hearing.begin(), Arc::downgrade(member));
    member.context.handle.spawn(async move {
        let heard = match what {
            What::Messages => messages.listen().await,
            What::Members => messages.watch().await,
        };
        if let (Err(error), Some(member)) = (heard, weak.upgrade()) {
            tell(&member, error);
        }
        drop(under_way);
    });
}

/// A member that is not registered yet subscribes when it registers, and reports by itself why it cannot.
fn tell(member: &Arc<Member>, error: Error) {
    if error.kind() != ErrorKind::Closed && member.is_registered() {
        let trouble = Trouble { member: Arc::downgrade(member), error: Mutex::new(Some(error)) };
        member.context.dispatch.tell(Arc::new(trouble));
    }
}

/// An error that is told among the other callbacks.
struct Trouble {
    member: Weak<Member>,
    error: Mutex<Option<Error>>,
}

impl Deliver for Trouble {
    fn deliver(&self) {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(member), Some(error)) = (self.member.upgrade(), error) {
            member.listeners.now().tell(Event::Error(error));
        }
    }
}
