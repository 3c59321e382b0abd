//! Answers that are kept for a moment: many viewers of a page cost Redis as much as one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use super::trouble::Refused;

/// How long an answer is kept.
const FRESH: Duration = Duration::from_secs(1);
/// How many answers are kept.
const MAX: usize = 100;

type Slot = Arc<Mutex<Option<(Instant, Value)>>>;

#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, Slot>>);

impl Cache {
    /// The answer for a key; `read` makes it if there is no fresh one. Requests with the same key wait for each other.
    pub(super) async fn get(&self, key: String, read: impl Future<Output = Result<Value, Refused>>) -> Result<Value, Refused> {
        self.get_for(FRESH, key, read).await
    }

    /// As `get`, for an answer that is kept for another time.
    pub(super) async fn get_for(
        &self,
        fresh: Duration,
        key: String,
        read: impl Future<Output = Result<Value, Refused>>,
    ) -> Result<Value, Refused> {
        let slot = self.slot(key).await;
        let mut kept = slot.lock().await;
        if let Some((at, value)) = &*kept
            && at.elapsed() < fresh
        {
            return Ok(value.clone());
        }
        let value = read.await?;
        *kept = Some((Instant::now(), value.clone()));
        Ok(value)
    }

    /// Something was changed: what was read before is old.
    pub(super) async fn clear(&self) {
        self.0.lock().await.clear();
    }

    async fn slot(&self, key: String) -> Slot {
        let mut slots = self.0.lock().await;
        if slots.len() >= MAX && !slots.contains_key(&key) {
            slots.clear();
        }
        slots.entry(key).or_default().clone()
    }
}
