//! Groups of jobs: added together, each answered as it finishes.

use napi_derive::napi;

use crate::batch;
use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer};

#[napi]
impl NativeMaster {
    /// Adds jobs and awaits their results. Once all are stored, the first token is answered with their ids and whether each existed, or with the
    /// error if they could not be added. Each of the other tokens is answered when its job finishes. `cancel` with the first token stops all waits.
    #[napi(catch_unwind)]
    pub fn run_each(&self, tokens: &[u32], text: String, blob: Option<&[u8]>) {
        let (Some(open), Some((&token, tokens))) = (&self.session, tokens.split_first()) else { return };
        let jobs = batch::jobs(&text, blob.unwrap_or_default(), tokens.len()).and_then(batch::all);
        let tokens = tokens.to_vec();
        open.follow(token, |master, mailbox| async move {
            let group = match jobs {
                Ok(jobs) => master.run_each(jobs).await,
                Err(error) => Err(error),
            };
            match group {
                Err(error) => mailbox.answer(token, Answer::Failed(error)),
                Ok(mut group) => {
                    mailbox.answer(token, Answer::Added(std::mem::take(&mut group.added)));
                    while let Some((position, outcome)) = group.next().await {
                        mailbox.answer(tokens[position], answer(outcome, Answer::Outcome));
                    }
                }
            }
        });
    }
}
