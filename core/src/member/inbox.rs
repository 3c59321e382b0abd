//! The reader of a member's inbox.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::shared::{Shared, Source};
use crate::store::{Failed, Inbox, Read};
use crate::util::reconnect::ReconnectDelay;
use crate::util::stages::{Stage, mark};

/// A running reader of an inbox; stops when dropped.
pub(crate) struct InboxTask {
    pub(crate) receiver: mpsc::Receiver<Read>,
    task: JoinHandle<()>,
}

impl Drop for InboxTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to read the inbox of an incarnation. Dropping the returned value stops it.
pub(super) fn read(shared: Arc<Shared>, incarnation: &str) -> InboxTask {
    let (sender, receiver) = mpsc::channel(4);
    let mut inbox = Inbox::new(shared.options.clone(), incarnation, shared.inbox_connected.clone());
    let guarding = shared.clone();
    let read = async move {
        let mut backoff = ReconnectDelay::new(shared.store.longest_backoff());
        loop {
            match inbox.read().await {
                Ok(read) => {
                    backoff.reset();
                    shared.healed(Source::Inbox);
                    if read.entries > 0 || read.again {
                        mark(Stage::Read);
                        if sender.send(read).await.is_err() {
                            return;
                        }
                        // Lets the member's task run first: a job is emitted before the next read is sent.
                        tokio::task::yield_now().await;
                    }
                }
                Err(Failed { error, .. }) => {
                    shared.report(Source::Inbox, &error);
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    };
    let task = tokio::spawn(async move { guarding.guard("the reader of the inbox", read).await });
    InboxTask { receiver, task }
}
