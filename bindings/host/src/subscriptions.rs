//! Subscriptions of a member that are not yet registered in Redis.

use std::sync::Arc;

use libswarm::{Error, ErrorKind, Messages};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What a member can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Messages, and requests to exit.
    Messages,
    /// Members that join, leave or are lost.
    Members,
}

/// Counts the subscriptions of a member that Redis has not confirmed. Clones share the count.
#[derive(Clone, Default)]
pub struct Subscriptions(Arc<watch::Sender<usize>>);

/// One pending subscription, until it is dropped.
struct Pending(Arc<watch::Sender<usize>>);

impl Topic {
    /// The topic for the name of an event: `message` and `kill`, or `member`.
    pub fn of_event(name: &str) -> Option<Topic> {
        match name {
            "message" | "kill" => Some(Topic::Messages),
            "member" => Some(Topic::Members),
            _ => None,
        }
    }
}

impl Subscriptions {
    /// Subscribes; never waits. If it fails, `failed` is called with the error, unless the member has ended or is not registered.
    /// In the latter case the member subscribes when it registers, and reports errors itself. `failed` is kept until then, with
    /// everything it owns, such as a share in the runtime.
    pub fn start(
        &self,
        runtime: &Handle,
        messages: Messages,
        topic: Topic,
        is_registered: impl FnOnce() -> bool + Send + 'static,
        failed: impl FnOnce(Error) + Send + 'static,
    ) {
        let pending = self.begin();
        runtime.spawn(async move {
            let subscribed = match topic {
                Topic::Messages => messages.listen().await,
                Topic::Members => messages.watch().await,
            };
            match subscribed {
                Err(error) if error.kind() != ErrorKind::Closed && is_registered() => failed(error),
                _ => {}
            }
            drop(pending);
        });
    }

    fn begin(&self) -> Pending {
        self.0.send_modify(|count| *count += 1);
        Pending(self.0.clone())
    }

    /// Waits until all pending subscriptions have succeeded or failed.
    pub async fn settled(&self) {
        // Fails only without a sender, and this object is a sender.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
