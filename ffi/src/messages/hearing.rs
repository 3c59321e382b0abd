//! How many of what a member is to receive are still on their way to Redis.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts subscriptions that are under way.
#[derive(Clone, Default)]
pub(crate) struct Hearing(Arc<watch::Sender<usize>>);

impl Hearing {
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.0.clone())
    }

    /// Waits until all that was begun has come to its end.
    pub(crate) async fn settled(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

pub(crate) struct UnderWay(Arc<watch::Sender<usize>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
