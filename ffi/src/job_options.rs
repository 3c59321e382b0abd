//! Options of one job that is added.

use std::ffi::c_char;
use std::time::Duration;

use libswarm::{NewJob, Result};

use crate::bytes::{payload, swarm_bytes};
use crate::guard::optional_text;
use crate::sized;

/// Options of a job. Start with `swarm_job_options options = SWARM_JOB_OPTIONS_INIT;` and change what is wanted.
#[repr(C)]
pub struct swarm_job_options {
    /// The size of the struct; set by SWARM_JOB_OPTIONS_INIT.
    pub struct_size: usize,
    /// The caller's own id, 1 to 256 bytes of UTF-8 without control characters; NULL lets libswarm make one. While a job
    /// with this id exists, adding it again changes nothing and answers that it existed.
    pub id: *const c_char,
    /// Keep the result so that it can be awaited.
    pub result: bool,
    /// A swarm_content_type: how the payload is to be read.
    pub content_type: i32,
    /// How long the result is kept after the job ended, in milliseconds, 1,000 to 365 days; 0 for the default of 5 minutes.
    pub result_ttl: u64,
}

/// One job of many to add.
#[repr(C)]
pub struct swarm_new_job {
    /// The payload; copied.
    pub payload: swarm_bytes,
    /// Its options; NULL for the defaults. Jobs may share them.
    pub options: *const swarm_job_options,
}

impl swarm_new_job {
    /// The job for the core.
    ///
    /// # Safety
    /// The payload is readable for its length; the options are NULL or start with their size and name texts that end.
    pub(crate) unsafe fn read(&self) -> Result<NewJob> {
        if self.options.is_null() {
            // SAFETY: promised by the caller.
            return Ok(NewJob::new(unsafe { payload(self.payload, 0, "payload") }?));
        }
        // SAFETY: promised by the caller.
        let options = unsafe { sized::read(self.options, "options") }?;
        // SAFETY: promised by the caller.
        let mut job = NewJob::new(unsafe { payload(self.payload, options.content_type, "payload") }?).result(options.result);
        // SAFETY: promised by the caller.
        if let Some(id) = unsafe { optional_text(options.id, "id") }? {
            job = job.id(id);
        }
        if options.result_ttl != 0 {
            job = job.result_ttl(Duration::from_millis(options.result_ttl));
        }
        Ok(job)
    }
}
