//! Clusters for tests.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::random_id;
use libswarm_common::language::Language;
use libswarm_common::value::{YEAR, within};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::redis::private_redis;
use crate::api::cluster::Cluster;
use crate::config::options::{Options, TESTING_PREFIX};
use crate::model::info::JobState;
use crate::store::codec::inspect;
use crate::store::{Look, Store};
use crate::util::clock::from_now;

/// How long `advance` waits for members to renew their leases, and for the jobs that begin at one time to end.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks: doubles from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_micros(500), Duration::from_millis(20)];
/// Jobs of each state that an error names.
const NAMED: usize = 5;

/// A cluster that no other test uses. Members that are created from it, or have its name and URL, belong to it.
///
/// Its name begins with `swarm-testing-`: all members of such a cluster use a clock that [`TestCluster::advance`] moves. Clones are the same cluster.
#[derive(Clone)]
pub struct TestCluster {
    cluster: Cluster,
    store: Arc<Store>,
}

impl Deref for TestCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// Returns a new cluster with a random name on the server of [`private_redis`]. Call it inside a tokio runtime.
pub fn cluster() -> Result<TestCluster> {
    let mut options = Options::new("");
    options.set("url", &private_redis()?)?;
    TestCluster::new(options, &Handle::current())
}

/// A new name of a cluster for tests, which begins with `swarm-testing-`.
pub fn random_name() -> String {
    format!("{TESTING_PREFIX}{}", random_id())
}

impl TestCluster {
    /// A cluster with these options, whose calls run on `runtime`. The name is random if it is empty.
    pub fn new(mut options: Options, runtime: &Handle) -> Result<TestCluster> {
        if options.cluster.is_empty() {
            options.cluster = random_name();
        }
        options.check()?;
        let store = Store::new(Arc::new(options.clone()), runtime.clone());
        Ok(TestCluster { cluster: Cluster::of(options), store: Arc::new(store) })
    }

    /// Waits until nothing is left to do now: no job waits or is active, and nothing is due. Jobs that wait for a time do not count: delayed ones,
    /// those of schedules, and those that only a limit blocks.
    ///
    /// Fails with [`ErrorKind::Timeout`] after `limit`; the message lists the jobs that are left.
    pub async fn settled(&self, limit: Duration) -> Result<()> {
        let deadline = from_now(limit);
        let mut pause = Pause::default();
        loop {
            let look = self.store.look(&[]).await?;
            if look.left() == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.unsettled(look, limit).await);
            }
            pause.next().await;
        }
    }

    async fn unsettled(&self, look: Look, limit: Duration) -> Error {
        let mut parts = Vec::new();
        for (count, state) in [(look.waiting, JobState::Waiting), (look.active, JobState::Active)] {
            if count > 0 {
                parts.push(format!("{count} {}{}", state.name(), self.names(state).await.unwrap_or_default()));
            }
        }
        if look.due > 0 {
            parts.push(format!("{} due", look.due));
        }
        let text = format!("the cluster has not settled within {}: {}", Language::current().duration(limit), parts.join(", "));
        Error::new(ErrorKind::Timeout, text)
    }

    /// The first jobs in a state, in brackets.
    async fn names(&self, state: JobState) -> Result<String> {
        let reply = self.store.inspect(&["jobs", state.name(), "", &NAMED.to_string()]).await?;
        let jobs = inspect::page(&reply, crate::store::envelope::Envelopes::of(self.options()))?.jobs;
        let name = |job: &crate::model::info::JobInfo| match &*job.task {
            "" => format!("`{}`", job.id),
            task => format!("`{}` of task `{task}`", job.id),
        };
        Ok(if jobs.is_empty() { String::new() } else { format!(" ({})", jobs.iter().map(name).collect::<Vec<_>>().join(", ")) })
    }

    /// Moves the cluster's clock ahead, at most 10 years, as if this time had passed: leases of members that are gone, delays, retries, timeouts,
    /// limits, schedules, and the times for which results and failed jobs are kept.
    ///
    /// First each member is asked to renew its lease; one that does not within a second counts as gone. Leases of the others move with the clock, so
    /// none is lost. Then the clock moves from each time at which something is due to the next, so that slots of schedules and repeated retries come
    /// at their times. At each it waits until the jobs that begin there have ended, at most a second, but not for jobs that were active before.
    /// Clocks inside a program do not move.
    pub async fn advance(&self, by: Duration) -> Result<()> {
        within("advance", by, Duration::from_millis(1), 10 * YEAR)?;
        if !self.cluster.options().is_for_tests() {
            return Err(invalid(format!(
                "only a cluster whose name begins with `{TESTING_PREFIX}` has a clock that can be moved"
            )));
        }
        let live = self.live().await?;
        let mut before = self.store.look(&live).await?;
        let mut offset = self.store.testing_offset().await?;
        let end = offset + by.as_millis() as u64;
        while offset < end {
            offset = before.next.map_or(end, |next| end.min(offset + next.max(1)));
            self.store.shift_clock(offset, &live).await?;
            before = self.after_step(&live, before.under_way()).await?;
        }
        self.store.rouse_members().await
    }

    /// The members that renew their leases when they are asked to.
    async fn live(&self) -> Result<Vec<String>> {
        let leases = self.store.wake_members().await?;
        let deadline = from_now(PATIENCE);
        let mut pause = Pause::default();
        loop {
            let renewed = self.store.renewed(&leases).await?;
            if renewed.len() == leases.len() || Instant::now() >= deadline {
                return Ok(renewed);
            }
            pause.next().await;
        }
    }

    /// Processes what is due, and waits until no more is under way than before. Jobs that wait then have no worker.
    async fn after_step(&self, live: &[String], before: u64) -> Result<Look> {
        let deadline = from_now(PATIENCE);
        let mut pause = Pause::default();
        loop {
            let look = self.store.look(live).await?;
            if look.under_way() <= before || Instant::now() >= deadline {
                return Ok(look);
            }
            pause.next().await;
        }
    }

    /// Removes the cluster from Redis, with everything in it.
    pub async fn obliterate(&self) -> Result<()> {
        self.store.obliterate().await
    }
}

impl Look {
    fn left(self) -> u64 {
        self.waiting + self.under_way()
    }

    fn under_way(self) -> u64 {
        self.active + self.due
    }
}

/// The pauses between looks.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Pause(PAUSES[0])
    }
}

impl Pause {
    async fn next(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(PAUSES[1]);
    }
}
