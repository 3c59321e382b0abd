//! Options of a job to add.

use std::ffi::c_char;
use std::time::Duration;

use libswarm::{Backoff, Durability, Growth, NewJob, OnConflict, OnFailure, Result, Unique, Until};

use crate::bytes::{payload, swarm_bytes};
use crate::flag::swarm_flag;
use crate::guard::{array, invalid, optional_text, text, texts};
use crate::sized;

/// As a number of milliseconds: the documented default. The _INIT of a struct sets it.
pub const SWARM_DEFAULT: u64 = u64::MAX;

/// Options of a job. Start with `swarm_job_options options = SWARM_JOB_OPTIONS_INIT;` and set the fields that you need.
#[repr(C)]
pub struct swarm_job_options {
    /// The size of the struct; set by SWARM_JOB_OPTIONS_INIT.
    pub struct_size: usize,
    /// The job's id, 1 to 256 bytes of UTF-8 without control characters; for NULL, libswarm generates one. While a job with this
    /// id exists, adding it again changes nothing, and swarm_call_existed returns true.
    pub id: *const c_char,
    /// Whether the result is kept so that it can be awaited.
    pub result: swarm_flag,
    /// A swarm_content_type: how to interpret the payload.
    pub content_type: i32,
    /// How long the result is kept after the job has finished, in milliseconds, 1,000 to 365 days; SWARM_DEFAULT for 5 minutes.
    pub result_ttl: u64,
    /// Jobs of a higher priority are assigned first, those of one priority first in first out; -2^53 to 2^53.
    pub priority: i64,
    /// Delays the job by this time, in milliseconds, up to 10 years; 0 for no delay.
    pub delay: u64,
    /// Delays the job until this time, in milliseconds since 1970 on Redis' clock; 0 for no delay. Excludes `delay`.
    pub run_at: u64,
    /// How often the job is retried after an attempt failed, 0 to 200.
    pub retries: u32,
    /// A swarm_backoff: how the pauses before retries grow.
    pub backoff: i32,
    /// The first pause, in milliseconds, at most 365 days; SWARM_DEFAULT for 1 s.
    pub backoff_delay: u64,
    /// The longest pause, in milliseconds, at most 365 days; SWARM_DEFAULT for 1 hour.
    pub backoff_max: u64,
    /// The share of each pause that is random, 0 to 1. With 0.2, a pause is 80 to 100 % of its length.
    pub backoff_jitter: f64,
    /// The kind of work, used to route jobs: only workers that accept this task are assigned the job. NULL for none; at most 256
    /// bytes.
    pub task: *const c_char,
    /// Jobs with the same resource run one at a time, in the order in which they would have been assigned. NULL for none; at most
    /// 256 bytes.
    pub resource: *const c_char,
    /// The groups of jobs that wait with the same priority and task take turns, so that none waits for all jobs of another. NULL for
    /// none; at most 256 bytes.
    pub group: *const c_char,
    /// A unique key, which one job has at a time; at most 256 bytes, NULL for none. While another job has it, adding this one does
    /// what `on_conflict` states.
    pub unique: *const c_char,
    /// Until when the job has its unique key: SWARM_UNTIL_END, the default; SWARM_UNTIL_START; or for so many milliseconds after
    /// it was added, 1 to 365 days, also if it has completed before. A failed or deleted job has no key.
    pub unique_until: u64,
    /// Delays the job by so many milliseconds, 1 to 365 days. Until it starts, each further add with its unique key replaces its
    /// payload and options and delays it anew. SWARM_DEFAULT for none. Excludes `delay`, `run_at`, SWARM_ON_CONFLICT_ATTACH and a
    /// time in `unique_until`.
    pub debounce: u64,
    /// The longest time for which `debounce` delays the job, in milliseconds from when it was first added: `debounce` to 10 years;
    /// SWARM_DEFAULT for ten times `debounce`.
    pub max_wait: u64,
    /// A swarm_on_conflict: what adding the job does while another job has its unique key.
    pub on_conflict: i32,
    /// How many turns the job's group has while one of weight 1 has one, 1 to 1,000; 1. That of the job queued last counts.
    pub weight: u32,
    /// The job fails with SWARM_ERR_ASSIGN_TIMEOUT if it is not assigned within this many milliseconds after it was added or
    /// became due; 1 to 365 days, SWARM_DEFAULT for no limit.
    pub assign_timeout: u64,
    /// Stops an execution after this many milliseconds. It counts as failed, with SWARM_ERR_RUN_TIMEOUT if no retry is left; 1 to
    /// 365 days, SWARM_DEFAULT for no limit.
    pub run_timeout: u64,
    /// The job fails with SWARM_ERR_TOTAL_TIMEOUT in any state, this many milliseconds after it was added; at most 365 days,
    /// SWARM_DEFAULT for no limit.
    pub total_timeout: u64,
    /// Headers: names and values that the handler receives with the job, such as a trace context; at most 30 KiB in all. NULL for
    /// none.
    pub headers: *const swarm_header,
    /// The number of headers.
    pub header_count: usize,
    /// Limits that the job is subject to, at most 4; see swarm_master_limit. NULL for none.
    pub limits: *const swarm_job_limit,
    /// The number of limits.
    pub limit_count: usize,
    /// Deletes the job when the master that added it leaves or is lost.
    pub ephemeral: swarm_flag,
    /// A swarm_durability: the durability that the job has when the call ends.
    pub durability: i32,
    /// Ids of jobs for whose end the job waits, at most 1,000, in a flow 10,000: jobs that exist, that have ended and whose result
    /// or failure is kept, or that are in the same call. `delay`, `run_at` and `assign_timeout` count from then on. Excludes
    /// `unique` and `ephemeral`. NULL for none.
    pub after: *const *const c_char,
    /// The number of these ids.
    pub after_count: usize,
    /// A swarm_on_failure: what the job does if one of these fails or is deleted.
    pub on_failure: i32,
    /// How long the job is kept once it is completed, in milliseconds, at most 10 years, whether or not the cluster keeps completed
    /// jobs; 0: it is not kept. SWARM_DEFAULT for what the options of the cluster state.
    pub keep_completed: u64,
}

/// What a job does if a job that it waits for fails or is deleted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_on_failure {
    /// It fails at once with SWARM_ERR_DEPENDENCY_FAILED, and so on through the jobs that wait for it.
    SWARM_ON_FAILURE_FAIL = 0,
    /// It runs when all have ended, and its inputs show which failed.
    SWARM_ON_FAILURE_RUN = 1,
    /// It runs when all have ended, and its inputs have only those that were completed.
    SWARM_ON_FAILURE_IGNORE = 2,
}

/// One header of a job.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct swarm_header {
    /// Its name.
    pub name: *const c_char,
    /// Its value.
    pub value: *const c_char,
}

/// One limit of a job.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct swarm_job_limit {
    /// Its name, at most 256 bytes. A limit whose figures are not set allows everything.
    pub name: *const c_char,
    /// How much of the limit's rate the job takes, 1 to 1,000,000.
    pub cost: u32,
}

/// How pauses between attempts grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_backoff {
    /// Every pause is as long as the first.
    SWARM_BACKOFF_FIXED = 0,
    /// Every pause is twice as long as the one before.
    SWARM_BACKOFF_EXPONENTIAL = 1,
}

/// As `unique_until`: the job has its unique key until it has completed, failed or was deleted. The default.
pub const SWARM_UNTIL_END: u64 = SWARM_DEFAULT;
/// As `unique_until`: the job has its unique key until it is assigned to a worker for the first time.
pub const SWARM_UNTIL_START: u64 = u64::MAX - 1;

/// What adding a job does while another job has its unique key.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_on_conflict {
    /// Nothing: swarm_call_id returns the id of the other job, and swarm_call_existed true.
    SWARM_ON_CONFLICT_DROP = 0,
    /// If the other job has not been assigned, it gets the payload and the options of this one, and swarm_call_replaced returns
    /// true. Otherwise as SWARM_ON_CONFLICT_DROP.
    SWARM_ON_CONFLICT_REPLACE = 1,
    /// The job waits, and then finishes with the outcome of the other one. If that is deleted, the next one that waits runs.
    SWARM_ON_CONFLICT_ATTACH = 2,
    /// If the other job has not been assigned, as SWARM_ON_CONFLICT_REPLACE. Otherwise the job runs after it; of several, only the
    /// newest does.
    SWARM_ON_CONFLICT_LATEST = 3,
}

/// The durability of a job when the call that adds it ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_durability {
    /// Redis has it in memory.
    SWARM_DURABILITY_MEMORY = 0,
    /// It is on the disk of the Redis master. Otherwise the call fails with SWARM_ERR_NOT_DURABLE; the job stays queued.
    SWARM_DURABILITY_FSYNC = 1,
    /// At least one replica has it too. Otherwise the call fails with SWARM_ERR_NOT_DURABLE; the job stays queued.
    SWARM_DURABILITY_REPLICA = 2,
}

/// One of many jobs to add.
#[repr(C)]
pub struct swarm_new_job {
    /// The payload; copied.
    pub payload: swarm_bytes,
    /// Its options; NULL for the defaults. Jobs may share them.
    pub options: *const swarm_job_options,
}

impl swarm_new_job {
    /// Converts the job for the core.
    ///
    /// # Safety
    /// The payload is readable for its length; the options are NULL or start with their size and name texts that end.
    pub(crate) unsafe fn read(&self) -> Result<NewJob> {
        if self.options.is_null() {
            // SAFETY: promised by the caller.
            return Ok(NewJob::new(unsafe { payload(self.payload, 0, "payload") }?));
        }
        // SAFETY: promised by the caller.
        let options = unsafe { sized::read(self.options, swarm_job_options::DEFAULTS, "options") }?;
        // SAFETY: promised by the caller.
        let job = NewJob::new(unsafe { payload(self.payload, options.content_type, "payload") }?).result(options.result.is_set());
        // SAFETY: promised by the caller.
        unsafe { options.apply(job) }
    }
}

type SetName = fn(NewJob, String) -> NewJob;
type SetTime = fn(NewJob, Duration) -> NewJob;

impl swarm_job_options {
    /// The values of SWARM_JOB_OPTIONS_INIT.
    const DEFAULTS: swarm_job_options = swarm_job_options {
        struct_size: size_of::<swarm_job_options>(),
        id: std::ptr::null(),
        result: swarm_flag::FALSE,
        content_type: 0,
        result_ttl: SWARM_DEFAULT,
        priority: 0,
        delay: 0,
        run_at: 0,
        retries: 0,
        backoff: 0,
        backoff_delay: SWARM_DEFAULT,
        backoff_max: SWARM_DEFAULT,
        backoff_jitter: 0.0,
        task: std::ptr::null(),
        resource: std::ptr::null(),
        group: std::ptr::null(),
        unique: std::ptr::null(),
        unique_until: SWARM_UNTIL_END,
        debounce: SWARM_DEFAULT,
        max_wait: SWARM_DEFAULT,
        on_conflict: 0,
        weight: 1,
        assign_timeout: SWARM_DEFAULT,
        run_timeout: SWARM_DEFAULT,
        total_timeout: SWARM_DEFAULT,
        headers: std::ptr::null(),
        header_count: 0,
        limits: std::ptr::null(),
        limit_count: 0,
        ephemeral: swarm_flag::FALSE,
        durability: 0,
        after: std::ptr::null(),
        after_count: 0,
        on_failure: 0,
        keep_completed: SWARM_DEFAULT,
    };

    /// Sets only the changed options, so that options with their default cost nothing.
    ///
    /// # Safety
    /// Its texts end with a NUL, and its headers and limits are readable for their counts.
    unsafe fn apply(&self, mut job: NewJob) -> Result<NewJob> {
        let names: [(_, _, SetName); 4] = [
            ("id", self.id, NewJob::id),
            ("task", self.task, NewJob::task),
            ("resource", self.resource, NewJob::resource),
            ("group", self.group, NewJob::group),
        ];
        for (what, name, set) in names {
            // SAFETY: promised by the caller.
            if let Some(name) = unsafe { optional_text(name, what) }? {
                job = set(job, name.to_owned());
            }
        }
        let times: [(_, SetTime); 7] = [
            (self.result_ttl, NewJob::result_ttl),
            (self.debounce, NewJob::debounce),
            (self.max_wait, NewJob::max_wait),
            (self.assign_timeout, NewJob::assign_timeout),
            (self.run_timeout, NewJob::run_timeout),
            (self.total_timeout, NewJob::total_timeout),
            (self.keep_completed, NewJob::keep_completed),
        ];
        for (ms, set) in times {
            if ms != SWARM_DEFAULT {
                job = set(job, Duration::from_millis(ms));
            }
        }
        if self.delay != 0 {
            job = job.delay(Duration::from_millis(self.delay));
        }
        if self.run_at != 0 {
            if self.delay != 0 {
                return Err(invalid("`delay` and `run_at` exclude each other; set one of them"));
            }
            // By name, so that the core checks the bound.
            job.set("run_at", &self.run_at.to_string())?;
        }
        if self.priority != 0 {
            job = job.priority(self.priority);
        }
        if self.weight != 1 {
            job = job.weight(self.weight);
        }
        if self.retries != 0 {
            job = job.retries(self.retries);
        }
        // SAFETY: promised by the caller.
        if let Some(unique) = unsafe { self.unique() }? {
            job = job.unique(unique);
        }
        if let Some(backoff) = self.backoff()? {
            job = job.backoff(backoff);
        }
        // SAFETY: promised by the caller.
        for header in unsafe { array(self.headers, self.header_count, "headers") }? {
            // SAFETY: promised by the caller.
            let (name, value) = unsafe { (text(header.name, "headers.name")?, text(header.value, "headers.value")?) };
            job = job.header(name, value);
        }
        // SAFETY: promised by the caller.
        for limit in unsafe { array(self.limits, self.limit_count, "limits") }? {
            // SAFETY: promised by the caller.
            job = job.limit_at_cost(unsafe { text(limit.name, "limits.name") }?, limit.cost);
        }
        // SAFETY: promised by the caller.
        let after = unsafe { texts(self.after, self.after_count, "after") }?;
        if !after.is_empty() {
            job = job.after(after);
        }
        job = match self.on_failure {
            0 => job,
            1 => job.on_failure(OnFailure::Run),
            2 => job.on_failure(OnFailure::Ignore),
            other => return Err(invalid(format!("{other} is not a swarm_on_failure"))),
        };
        Ok(job.ephemeral(self.ephemeral.is_set()).durability(match self.durability {
            0 => Durability::Memory,
            1 => Durability::Fsync,
            2 => Durability::Replica,
            other => return Err(invalid(format!("{other} is not a swarm_durability"))),
        }))
    }

    /// # Safety
    /// The key ends with a NUL.
    unsafe fn unique(&self) -> Result<Option<Unique>> {
        let on_conflict = match self.on_conflict {
            0 => OnConflict::Drop,
            1 => OnConflict::Replace,
            2 => OnConflict::Attach,
            3 => OnConflict::Latest,
            other => return Err(invalid(format!("{other} is not a swarm_on_conflict"))),
        };
        let until = match self.unique_until {
            SWARM_UNTIL_END => Until::End,
            SWARM_UNTIL_START => Until::Start,
            ms => Until::Time(Duration::from_millis(ms)),
        };
        // SAFETY: promised by the caller.
        let key = unsafe { optional_text(self.unique, "unique") }?;
        if key.is_none() && (until, on_conflict) != (Until::End, OnConflict::Drop) {
            return Err(invalid("`unique_until` and `on_conflict` need a key: set `unique`"));
        }
        Ok(key.map(|key| Unique { key: key.to_owned(), until, on_conflict }))
    }

    fn backoff(&self) -> Result<Option<Backoff>> {
        let growth = match self.backoff {
            0 => Growth::Fixed,
            1 => Growth::Exponential,
            other => return Err(invalid(format!("{other} is not a swarm_backoff"))),
        };
        let or_default = |ms: u64, default: Duration| if ms == SWARM_DEFAULT { default } else { Duration::from_millis(ms) };
        let default = Backoff::default();
        let (delay, max) = (or_default(self.backoff_delay, default.delay), or_default(self.backoff_max, default.max));
        let given = Backoff { growth, delay, max, jitter: self.backoff_jitter };
        Ok((given != default).then_some(given))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::ptr::null;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Numbers at the edges more often than chance would have them.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0u64..3, Just(u64::MAX), Just(u64::MAX / 1000), Just(1 << 53)]
    }

    fn c_text() -> impl Strategy<Value = Option<CString>> {
        proptest::option::of(vec(1u8.., 0..300).prop_map(|bytes| CString::new(bytes).expect("no byte is 0")))
    }

    fn pointer(text: &Option<CString>) -> *const c_char {
        text.as_ref().map_or(null(), |text| text.as_ptr())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn options_of_any_content_are_taken_or_refused(
            numbers in vec(number(), 12),
            small in vec(any::<i32>(), 5),
            jitter in any::<f64>(),
            texts in vec(c_text(), 6),
            payload in vec(any::<u8>(), 0..40),
            size in prop_oneof![any::<usize>(), 0..=size_of::<swarm_job_options>()],
        ) {
            let limit = swarm_job_limit { name: pointer(&texts[1]), cost: small[4] as u32 };
            let header = swarm_header { name: pointer(&texts[4]), value: pointer(&texts[5]) };
            // SAFETY: all fields may be zero.
            let mut options: swarm_job_options = unsafe { std::mem::zeroed() };
            // A size ends between fields, and a larger one than the struct is what a newer header has.
            options.struct_size = if size <= 4096 { (size & !7).min(size_of::<swarm_job_options>()) } else { size };
            (options.id, options.task, options.resource, options.unique) =
                (pointer(&texts[0]), pointer(&texts[1]), pointer(&texts[2]), pointer(&texts[3]));
            (options.content_type, options.backoff, options.durability) = (small[0] % 3, small[1] % 3, small[2] % 4);
            (options.unique_until, options.debounce, options.max_wait) = (numbers[10], numbers[11], numbers[0]);
            options.on_conflict = small[4] % 5;
            (options.group, options.weight) = (pointer(&texts[4]), small[3] as u32);
            (options.priority, options.retries) = (small[3].into(), small[4] as u32);
            (options.result_ttl, options.delay, options.run_at) = (numbers[0], numbers[1], numbers[2]);
            (options.assign_timeout, options.run_timeout, options.total_timeout) = (numbers[3], numbers[4], numbers[5]);
            (options.backoff_delay, options.backoff_max, options.backoff_jitter) = (numbers[6], numbers[7], jitter);
            (options.headers, options.header_count) = if numbers[8] % 2 == 0 { (&raw const header, 1) } else { (null(), numbers[9] as usize) };
            (options.limits, options.limit_count) = if numbers[8] % 3 == 0 { (&raw const limit, 1) } else { (null(), numbers[10] as usize) };
            let after = pointer(&texts[5]);
            (options.after, options.after_count) = if numbers[10] % 2 == 0 { (&raw const after, 1) } else { (null(), numbers[10] as usize) };
            options.on_failure = small[4] % 4;
            options.keep_completed = numbers[1];
            let job = swarm_new_job { payload: (&*payload).into(), options: &raw const options };
            // SAFETY: texts end with a NUL, the payload, the headers and the limits have their stated lengths or are NULL.
            if let Ok(job) = unsafe { job.read() } {
                // As adding does.
                let _ = job.check(512 * 1024);
            }
        }
    }
}
