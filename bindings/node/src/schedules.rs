//! Schedules of a cluster.

use libswarm::{Error, ErrorKind, NewJob, Schedule, Scheduled};
use napi_derive::napi;

use crate::batch;
use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};

#[napi]
impl NativeMaster {
    /// Creates or changes a schedule. `options`: name, value, ...; the job is as in `submit`. Answers what became of it.
    #[napi(catch_unwind)]
    pub fn set_schedule(&self, token: u32, id: String, options: Vec<String>, text: String, blob: Option<&[u8]>) {
        match read(&options, &text, blob.unwrap_or_default()) {
            Ok((schedule, job)) => self.call(token, |master| async move {
                answer(master.schedule(&id, schedule, job).await, |how| json_of(&name_of(how)))
            }),
            Err(error) => {
                if let Some(open) = &self.session {
                    open.mailbox.answer(token, Answer::Failed(error));
                }
            }
        }
    }

    /// Removes a schedule; answers whether there was one.
    #[napi(catch_unwind)]
    pub fn unschedule(&self, token: u32, id: String) {
        self.call(token, |master| async move { answer(master.unschedule(&id).await, |existed| json_of(&existed)) });
    }

    /// Pauses or resumes a schedule; answers whether there is one.
    #[napi(catch_unwind)]
    pub fn pause_schedule(&self, token: u32, id: String, on: bool) {
        self.call(token, |master| async move {
            let done = if on { master.pause_schedule(&id).await } else { master.resume_schedule(&id).await };
            answer(done, |existed| json_of(&existed))
        });
    }

    /// Adds the job of a schedule now; answers its id, or null.
    #[napi(catch_unwind)]
    pub fn run_schedule(&self, token: u32, id: String) {
        self.call(token, |master| async move { answer(master.run_schedule(&id).await, |job| json_of(&job)) });
    }

    /// A schedule, or null.
    #[napi(catch_unwind)]
    pub fn schedule_info(&self, token: u32, id: String) {
        self.call(token, |master| async move {
            let found = master.schedule_info(&id).await;
            answer(found, |found| Answer::Json(found.map_or_else(|| "null".into(), |info| info.to_json())))
        });
    }

    /// A page of schedules.
    #[napi(catch_unwind)]
    pub fn schedules(&self, token: u32, after: Option<String>, limit: u32) {
        self.call(token, |master| async move {
            answer(master.schedules(after.as_deref(), limit).await, |page| Answer::Json(page.to_json()))
        });
    }
}

fn name_of(how: Scheduled) -> &'static str {
    match how {
        Scheduled::Created => "created",
        Scheduled::Changed => "changed",
        Scheduled::Unchanged => "unchanged",
    }
}

fn read(options: &[String], text: &str, blob: &[u8]) -> Result<(Schedule, NewJob), Error> {
    let pairs: Vec<(String, String)> =
        options.as_chunks::<2>().0.iter().map(|[name, value]| (name.clone(), value.clone())).collect();
    let schedule = Schedule::from_pairs(&pairs)?;
    let job = batch::all(batch::jobs(text, blob, 1)?)?.pop();
    let job = job.ok_or_else(|| Error::new(ErrorKind::Internal, "a schedule came without its job"))?;
    Ok((schedule, job))
}
