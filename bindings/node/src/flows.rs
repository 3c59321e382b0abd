//! Flows: jobs that wait for each other.

use libswarm::NewFlow;
use napi_derive::napi;

use crate::batch;
use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer};

#[napi]
impl NativeMaster {
    /// Adds a flow of jobs, see `batch::jobs`.
    #[napi(catch_unwind)]
    pub fn add_flow(&self, token: u32, id: Option<String>, cancel_rest: bool, count: u32, text: String, blob: Option<&[u8]>) {
        match batch::jobs(&text, blob.unwrap_or_default(), count as usize).and_then(batch::all) {
            Ok(jobs) => {
                let flow = NewFlow::new(jobs).cancel_rest(cancel_rest);
                let flow = match id {
                    Some(id) => flow.id(id),
                    None => flow,
                };
                self.call(
                    token,
                    |master| async move { answer(master.add_flow(flow).await, |added| Answer::Json(added.to_json())) },
                );
            }
            Err(error) => {
                if let Some(open) = &self.session {
                    open.mailbox.answer(token, Answer::Failed(error));
                }
            }
        }
    }

    /// A flow, or null.
    #[napi(catch_unwind)]
    pub fn flow(&self, token: u32, id: String) {
        self.call(token, |master| async move {
            let found = master.flow(&id).await;
            answer(found, |found| Answer::Json(found.map_or_else(|| "null".into(), |info| info.to_json())))
        });
    }
}
