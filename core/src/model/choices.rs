//! Waiting jobs and the workers from which a master chooses: which worker can accept which job, and the choices so far.

#[cfg(feature = "bindings")]
use serde::Serialize;

use super::info::JobInfo;

/// Waiting jobs, and the workers to which they can be assigned. A round goes through the jobs with [`Choices::next_job`] and [`Choices::choose`].
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Choices {
    /// The first of the jobs, in the order of assignment.
    pub jobs: Vec<JobInfo>,
    /// The workers that accept at least one of the jobs, the least loaded first.
    pub workers: Vec<Candidate>,
    /// The number of jobs that the round has passed.
    passed: usize,
    /// The position of the job that was shown last, unless its worker is chosen.
    shown: Option<usize>,
    /// Ids of jobs and incarnations.
    chosen: Vec<(String, String)>,
}

/// A worker to which jobs can be assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Candidate {
    /// Its incarnation.
    pub incarnation: String,
    /// The option `name`.
    pub name: String,
    /// The option `group`.
    pub group: String,
    /// The host name of its machine.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// Tasks it accepts, "" for jobs without one.
    pub tasks: Vec<String>,
    /// The number of its active jobs.
    pub active: u64,
    /// The number of its free slots.
    pub free: u64,
    /// With guaranteed slots, the free slots in each range of priorities, lowest range first; else empty.
    pub ranges: Vec<Range>,
}

/// Free slots in a range of priorities.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Range {
    /// The lowest priority of the range. The lowest range also contains all priorities below.
    pub from: i64,
    /// Free slots of the worker in this range.
    pub free: u64,
}

impl Choices {
    pub(crate) fn new(jobs: Vec<JobInfo>, workers: Vec<Candidate>) -> Self {
        Choices { jobs, workers, passed: 0, shown: None, chosen: Vec::new() }
    }

    /// The next job that at least one worker can accept, with these workers and how many such jobs each can still accept; `None` after the last.
    pub fn next_job(&mut self) -> Option<(&JobInfo, Vec<(&Candidate, u64)>)> {
        self.shown = None;
        while let Some(job) = self.jobs.get(self.passed) {
            let at = self.passed;
            self.passed += 1;
            let room = self.workers.iter().map(|worker| (worker, worker.room(job)));
            let workers: Vec<_> = room.filter(|(_, room)| *room > 0).collect();
            if !workers.is_empty() {
                self.shown = Some(at);
                return Some((job, workers));
            }
        }
        None
    }

    /// Whether [`Choices::next_job`] would return another job.
    #[cfg(feature = "bindings")]
    pub fn has_next(&self) -> bool {
        self.jobs[self.passed..].iter().any(|job| self.workers.iter().any(|worker| worker.room(job) > 0))
    }

    /// Chooses one of the workers shown with the last [`Choices::next_job`] for that job, by its incarnation, and counts its slot as taken.
    /// `false` changes nothing: the worker was not shown with the job, or a worker is chosen already.
    pub fn choose(&mut self, incarnation: &str) -> bool {
        let Some(job) = self.shown.and_then(|at| self.jobs.get(at)) else { return false };
        let mut workers = self.workers.iter_mut();
        let Some(worker) = workers.find(|worker| worker.incarnation == incarnation && worker.room(job) > 0) else { return false };
        worker.take(job);
        self.chosen.push((job.id.clone(), worker.incarnation.clone()));
        self.shown = None;
        true
    }

    /// The choices so far, for [`Master::assign`](crate::Master::assign): ids of jobs and incarnations of their workers.
    pub fn chosen(&self) -> &[(String, String)] {
        &self.chosen
    }
}

impl Candidate {
    /// How many jobs with the task and priority of `job` the worker can accept.
    pub fn room(&self, job: &JobInfo) -> u64 {
        if !self.tasks.contains(&job.task) {
            return 0;
        }
        self.range_of(job).map_or(self.free, |range| self.free.min(self.ranges[range].free))
    }

    /// Counts an assigned job: one free slot less.
    pub fn take(&mut self, job: &JobInfo) {
        self.active += 1;
        self.free = self.free.saturating_sub(1);
        if let Some(range) = self.range_of(job) {
            self.ranges[range].free = self.ranges[range].free.saturating_sub(1);
        }
    }

    /// The JSON that callbacks see: with `room` instead of the fields from which it is computed.
    #[cfg(feature = "bindings")]
    pub fn with_room(&self, room: u64) -> impl Serialize {
        #[derive(Serialize)]
        struct WithRoom<'a> {
            incarnation: &'a str,
            name: &'a str,
            group: &'a str,
            host: &'a str,
            pid: u32,
            tasks: &'a [String],
            active: u64,
            room: u64,
        }
        let Candidate { incarnation, name, group, host, pid, tasks, active, free: _, ranges: _ } = self;
        WithRoom { incarnation, name, group, host, pid: *pid, tasks, active: *active, room }
    }

    fn range_of(&self, job: &JobInfo) -> Option<usize> {
        let above = self.ranges.iter().position(|range| range.from > job.priority).unwrap_or(self.ranges.len());
        (!self.ranges.is_empty()).then(|| above.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::info::JobState;
    use crate::model::payload::Payload;

    fn job(id: &str, task: &str, priority: i64) -> JobInfo {
        JobInfo {
            id: id.into(),
            state: JobState::Waiting,
            payload: Payload::raw_json("null"),
            payload_encoded: false,
            priority,
            task: task.into(),
            resource: String::new(),
            group: String::new(),
            limits: Vec::new(),
            headers: Default::default(),
            attempt: 1,
            retries: 0,
            crashes: 0,
            holder: None,
            fence: None,
            assigned_at: None,
            due_at: None,
            progress: None,
            checkpoint: None,
            failure: None,
            completed_at: None,
            result: None,
            result_omitted: false,
            log: Vec::new(),
            failed_attempts: Vec::new(),
        }
    }

    /// Ranges are where each begins and its free slots.
    fn worker(name: &str, tasks: &[&str], free: u64, ranges: &[(i64, u64)]) -> Candidate {
        Candidate {
            incarnation: format!("{name}-1"),
            name: name.into(),
            group: String::new(),
            host: "host".into(),
            pid: 1,
            tasks: tasks.iter().map(ToString::to_string).collect(),
            active: 0,
            free,
            ranges: ranges.iter().map(|(from, free)| Range { from: *from, free: *free }).collect(),
        }
    }

    /// A job, and the workers shown with it: name, active jobs, room.
    type Shown = (String, Vec<(String, u64, u64)>);

    fn next(choices: &mut Choices) -> Option<Shown> {
        let (job, workers) = choices.next_job()?;
        Some((job.id.clone(), workers.iter().map(|(worker, room)| (worker.name.clone(), worker.active, *room)).collect()))
    }

    fn shown(id: &str, workers: &[(&str, u64, u64)]) -> Option<Shown> {
        Some((id.into(), workers.iter().map(|(name, active, room)| (name.to_string(), *active, *room)).collect()))
    }

    #[test]
    fn room_depends_on_the_task_and_on_the_range_of_the_priority() {
        // One of the four slots of bob is for priorities from 5.
        let bob = worker("bob", &["", "t"], 4, &[(-10, 3), (5, 4)]);
        let jobs =
            vec![job("high", "", 9), job("edge", "", 5), job("normal", "t", 4), job("lowest", "", -99), job("other", "u", 9)];
        let mut choices = Choices::new(jobs, vec![worker("ann", &[""], 2, &[]), bob]);
        assert_eq!(next(&mut choices), shown("high", &[("ann", 0, 2), ("bob", 0, 4)]));
        assert_eq!(next(&mut choices), shown("edge", &[("ann", 0, 2), ("bob", 0, 4)]));
        assert_eq!(next(&mut choices), shown("normal", &[("bob", 0, 3)]));
        assert_eq!(next(&mut choices), shown("lowest", &[("ann", 0, 2), ("bob", 0, 3)]));
        assert_eq!(next(&mut choices), None);
        assert_eq!(next(&mut choices), None);
        assert!(choices.chosen().is_empty());
    }

    #[test]
    fn a_chosen_slot_is_taken_and_jobs_without_a_free_slot_are_skipped() {
        let workers = vec![worker("ann", &[""], 1, &[]), worker("bob", &[""], 2, &[(0, 1), (5, 2)])];
        let jobs = vec![job("a", "", 9), job("b", "", 0), job("t", "t", 0), job("c", "", 0), job("d", "", 0), job("e", "", 5)];
        let mut choices = Choices::new(jobs, workers);
        assert_eq!(next(&mut choices), shown("a", &[("ann", 0, 1), ("bob", 0, 2)]));
        assert!(choices.choose("ann-1"));
        assert_eq!(next(&mut choices), shown("b", &[("bob", 0, 1)]));
        // Left for later, so the slot is still free.
        assert_eq!(next(&mut choices), shown("c", &[("bob", 0, 1)]));
        assert!(choices.choose("bob-1"));
        // Nobody has room for d; the slot that is left is for higher priorities.
        assert_eq!(next(&mut choices), shown("e", &[("bob", 1, 1)]));
        assert!(choices.choose("bob-1"));
        assert_eq!(next(&mut choices), None);
        let pairs = [("a", "ann-1"), ("c", "bob-1"), ("e", "bob-1")].map(|(job, worker)| (job.to_owned(), worker.to_owned()));
        assert_eq!(choices.chosen(), pairs);
    }

    #[test]
    fn only_a_worker_shown_with_the_job_can_be_chosen_and_only_once() {
        let workers = vec![worker("ann", &[""], 5, &[]), worker("bob", &["t"], 5, &[]), worker("eve", &["t"], 0, &[])];
        let mut choices = Choices::new(vec![job("a", "", 0), job("t", "t", 0)], workers);
        assert!(!choices.choose("ann-1"), "no job is shown yet");
        assert_eq!(next(&mut choices), shown("a", &[("ann", 0, 5)]));
        for other in ["bob-1", "nobody-1", "ann", ""] {
            assert!(!choices.choose(other), "{other}");
        }
        assert!(choices.choose("ann-1"));
        assert!(!choices.choose("ann-1"), "the job is given");
        assert_eq!(next(&mut choices), shown("t", &[("bob", 0, 5)]));
        for other in ["ann-1", "eve-1"] {
            assert!(!choices.choose(other), "{other}");
        }
        assert_eq!(next(&mut choices), None);
        assert!(!choices.choose("bob-1"), "all jobs are passed");
        assert_eq!(choices.chosen(), [("a".to_owned(), "ann-1".to_owned())]);
        assert_eq!(choices.workers.iter().map(|worker| worker.free).collect::<Vec<_>>(), [4, 5, 0]);
    }
}
