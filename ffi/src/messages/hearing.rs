//! Has a member hear what it has callbacks for.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use libswarm::{Error, ErrorKind, Event, Result};
use tokio::sync::watch;

use crate::guard::guard_value;
use crate::member::{Listeners, Member};
use crate::operation::Deliver;

/// What a member can hear.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Messages,
    Members,
}

/// How many of what a member is to hear are still on their way to Redis.
#[derive(Clone, Default)]
pub(crate) struct Hearing(Arc<watch::Sender<usize>>);

impl Hearing {
    fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.0.clone())
    }

    /// Waits until all that was begun has come to its end.
    pub(crate) async fn settled(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

struct UnderWay(Arc<watch::Sender<usize>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Changes a callback, and has the member hear what it is for.
pub(crate) fn listen(member: Result<&Arc<impl Member>>, what: Option<What>, change: impl FnOnce(&mut Listeners)) {
    guard_value((), || {
        let Ok(member) = member else { return };
        member.listeners().change(change);
        // Without its thread the callback would never come; `on_error` has nobody to tell, the next call says it.
        let _ = member.dispatching();
        if let Some(what) = what {
            begin(member, what);
        }
    });
}

/// Has a member that was started hear what it has callbacks for.
pub(crate) fn begin_all(member: &Arc<impl Member>) {
    let listeners = member.listeners().now();
    if listeners.message.is_some() || listeners.kill.is_some() {
        begin(member, What::Messages);
    }
    if listeners.member.is_some() {
        begin(member, What::Members);
    }
}

/// Never waits. One that is not started yet hears it from its start on.
fn begin(member: &Arc<impl Member>, what: What) {
    let Ok(messages) = member.messages() else { return };
    let (under_way, weak) = (member.hearing().begin(), Arc::downgrade(member));
    member.handle().spawn(async move {
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

/// A member that is not registered yet says it when it registers, and tells by itself why it cannot.
fn tell(member: &Arc<impl Member>, error: Error) {
    if error.kind() != ErrorKind::Closed && member.is_registered() {
        let trouble = Trouble { member: Arc::downgrade(member), error: Mutex::new(Some(error)) };
        member.dispatch().tell(Arc::new(trouble));
    }
}

/// An error that is told among the other callbacks.
struct Trouble<M> {
    member: Weak<M>,
    error: Mutex<Option<Error>>,
}

impl<M: Member> Deliver for Trouble<M> {
    fn deliver(&self) {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(member), Some(error)) = (self.member.upgrade(), error) {
            member.listeners().now().tell(Event::Error(error));
        }
    }
}
