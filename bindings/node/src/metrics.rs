//! Metrics of a cluster.

use napi_derive::napi;

use crate::master::NativeMaster;
use crate::outgoing::{answer, json_of};

#[napi]
impl NativeMaster {
    /// The metrics as text, in a JSON string.
    #[napi(catch_unwind)]
    pub fn metrics(&self, token: u32) {
        self.call(token, |master| async move { answer(master.metrics().await, |text| json_of(&text)) });
    }

    /// Counts of each task by minutes or hours. Times are in ms since 1970.
    #[napi(catch_unwind)]
    pub fn metrics_history(&self, token: u32, resolution: String, start: Option<f64>, end: Option<f64>, task: Option<String>) {
        self.call(token, move |master| async move {
            let ms = |time: Option<f64>| time.map(|time| time as u64);
            let rows = master.metrics_history_of(&resolution, ms(start), ms(end), task.as_deref()).await;
            answer(rows, |rows| json_of(&rows))
        });
    }
}
