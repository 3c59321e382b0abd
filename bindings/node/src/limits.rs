//! Limits of a cluster.

use libswarm::Limit;
use napi_derive::napi;

use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};

#[napi]
impl NativeMaster {
    /// Sets the figures of a limit. `options`: name, value, ...; answers whether it had figures.
    #[napi(catch_unwind)]
    pub fn set_limit(&self, token: u32, name: String, options: Vec<String>) {
        let pairs: Vec<(String, String)> =
            options.as_chunks::<2>().0.iter().map(|[name, value]| (name.clone(), value.clone())).collect();
        match Limit::from_pairs(&pairs) {
            Ok(limit) => {
                self.call(token, |master| async move { answer(master.limit(&name, limit).await, |existed| json_of(&existed)) })
            }
            Err(error) => {
                if let Some(open) = &self.session {
                    open.mailbox.answer(token, Answer::Failed(error));
                }
            }
        }
    }

    /// Removes the figures of a limit; answers whether it had some.
    #[napi(catch_unwind)]
    pub fn remove_limit(&self, token: u32, name: String) {
        self.call(token, |master| async move { answer(master.remove_limit(&name).await, |existed| json_of(&existed)) });
    }

    /// The state of a limit.
    #[napi(catch_unwind)]
    pub fn limit_info(&self, token: u32, name: String) {
        self.call(token, |master| async move { answer(master.limit_info(&name).await, |info| json_of(&info)) });
    }
}
