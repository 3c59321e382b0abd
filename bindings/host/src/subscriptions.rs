//! Subscriptions of a member that are on their way to Redis.

use std::sync::Arc;

use libswarm::{Error, ErrorKind, Messages};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What a member can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Messages, and requests to end the program.
    Messages,
    /// Members that join, leave or are lost.
    Members,
}

/// Counts the subscriptions of a member that Redis has not confirmed. Clones count the same ones.
#[derive(Clone, Default)]
pub struct Subscriptions(Arc<watch::Sender<usize>>);

/// One subscription, until it is dropped.
struct Pending(Arc<watch::Sender<usize>>);

impl Topic {
    /// The topic of an event's name: `message` and `kill`, or `member`.
    pub fn of_event(name: &str) -> Option<Topic> {
        match name {
            "message" | "kill" => Some(Topic::Messages),
            "member" => Some(Topic::Members),
            _ => None,
        }
    }
}

impl Subscriptions {
    /// Subscribes; never waits. `failed` is called with the error if it fails, unless the member has ended, or is not registered: then it subscribes
    /// when it registers, and reports itself why it cannot. `failed` is kept until then, and with it what it owns, such as a share in the runtime.
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

    /// Waits until all that were begun have succeeded or failed.
    pub async fn settled(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
