//! Schedules whose next slots a member computes, because it came when they were due.

use std::sync::Arc;

use super::TARGET;
use super::shared::Shared;
use crate::store::Wanted;

impl Shared {
    /// Computes and stores the next slots in a task of its own. What is not stored is wanted again.
    pub(crate) fn extend_schedules(self: &Arc<Self>, wanted: Vec<Wanted>) {
        if wanted.is_empty() {
            return;
        }
        let shared = self.clone();
        tokio::spawn(async move {
            for one in wanted {
                if let Err(error) = shared.store.extend_schedule(&one).await {
                    tracing::warn!(target: TARGET, "the next slots of schedule `{}` could not be stored: {error}", one.id);
                }
            }
            shared.round_wanted.notify_one();
        });
    }
}
