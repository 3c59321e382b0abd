//! Messages between members, and notifications about members that join, leave or are lost.
//!
//! A message goes through the inbox of each member that subscribes to messages, so that no message is lost with a dropped connection. Messages of
//! one sender arrive in order, each once. The unread messages of a member are bounded; dropped messages are counted and reported to sender and
//! receiver.

mod inbound;
mod kill;
mod outbox;
mod replies;

use std::sync::Arc;

use libswarm_common::error::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::member::{Shared, Subscription};
use crate::model::event::QueuedEvent;
use crate::model::message::{Change, Kind, MemberRef, MessageData, NewMessage, Receipt};
use crate::model::payload::Payload;
use crate::store::Entry;
use crate::util::completion::Done;
use inbound::Inbound;
use kill::KillHook;
pub use kill::Leave;
use outbox::{Outbox, Sender};

/// The messages of one member.
pub(crate) struct Messaging {
    pub(crate) shared: Arc<Shared>,
    outbox: Outbox,
    inbound: Inbound,
    pub(crate) kill_hook: KillHook,
    subscribed: Notify,
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the member is closed")
}

impl Messaging {
    /// Starts the task that sends messages.
    pub(crate) fn start(shared: Arc<Shared>, runtime: &Handle) -> Arc<Self> {
        let messaging = Arc::new(Messaging {
            outbox: Outbox::new(&shared.options),
            inbound: Inbound::default(),
            kill_hook: KillHook::default(),
            subscribed: Notify::new(),
            shared: shared.clone(),
        });
        let sender = Sender::new(messaging.clone());
        runtime.spawn(async move { shared.guard("the sender of messages", sender.run()).await });
        messaging
    }

    /// Queues a message. `done` is called when Redis has put it into the inboxes, or when the awaited answers have arrived or the time is over.
    pub(crate) fn submit(&self, message: NewMessage, done: Done<Receipt>) {
        self.outbox.submit(message, done);
    }

    /// Requests that programs exit.
    pub(crate) fn kill(&self, message: NewMessage, done: Done<Receipt>) {
        self.outbox.kill(message, done);
    }

    /// Confirms a name to all members.
    pub(crate) fn confirm(&self, name: &str, done: Done<Receipt>) {
        self.outbox.confirm(name, done);
    }

    /// Sends an acknowledgement or reply to the sender of a message.
    pub(crate) fn answer(&self, message: &MessageData, kind: Kind, payload: Payload) -> Result<()> {
        self.outbox.answer(message, kind, payload)
    }

    /// Resolves when `count` members have confirmed a name.
    pub(crate) fn confirmations(&self, count: usize, name: &str) -> oneshot::Receiver<Result<Vec<MemberRef>>> {
        self.inbound.confirmations(count, name)
    }

    /// Subscribes the member: later incarnations register the subscription, and the inbox is read.
    pub(crate) fn subscribe(&self, to: Subscription) {
        self.shared.profile.subscribe(to);
        self.subscribed.notify_one();
    }

    /// Whether the inbox has to be read for messages.
    pub(crate) fn reads_inbox(&self) -> bool {
        self.shared.profile.subscribes() || self.outbox.replies.any()
    }

    /// Resolves when [`Messaging::reads_inbox`] may have become true.
    pub(crate) async fn inbox_wanted(&self) {
        tokio::select! {
            () = self.subscribed.notified() => {}
            () = self.outbox.expects.notified() => {}
        }
    }

    /// Processes the inbox entries other than jobs and results.
    pub(crate) fn received(&self, entry: Entry) {
        let event = match entry {
            Entry::Message(data) => {
                let Some(data) = self.inbound.arrived(data) else { return };
                if data.kind.is_answer() {
                    return self.outbox.replies.arrived(data);
                }
                if let Some(code) = data.exit_code() {
                    self.kill_hook.requested(code, &data.from);
                }
                QueuedEvent::Message(Arc::new(data))
            }
            Entry::Member(change, role, member) => {
                if change != Change::Joined {
                    self.outbox.replies.gone(std::slice::from_ref(&member.incarnation));
                }
                QueuedEvent::Member { change, role, member }
            }
            Entry::Undecodable(error) => QueuedEvent::Error(error),
            Entry::Gone(members) => return self.outbox.replies.gone(&members),
            Entry::Dropped(count) => {
                self.shared.counts.missed.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
                let text = format!("{count} messages were dropped, because this member did not read its inbox");
                QueuedEvent::Error(Error::new(ErrorKind::MessagesDropped, text))
            }
            _ => return,
        };
        self.shared.events.push([event]);
    }

    /// Waits until the submitted messages are sent, at most for the option `timeout`.
    pub(crate) async fn sent(&self) {
        let _ = tokio::time::timeout(self.shared.options.timeout, self.outbox.sent()).await;
    }

    /// Ends the messages of the member, and all pending calls.
    pub(crate) fn end(&self, error: Error) {
        self.outbox.close();
        self.inbound.close();
        self.shared.end(error);
    }
}
