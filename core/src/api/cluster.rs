//! The entry point: options once, then masters and workers of one cluster.

use tokio::runtime::Handle;

use super::master::Master;
use super::worker::Worker;
use crate::config::options::Options;
use libswarm_common::error::{Error, Result};

/// A named cluster at one address. Connects nothing by itself.
///
/// ```no_run
/// # async fn example() -> libswarm::Result<()> {
/// let cluster = libswarm::Cluster::builder("mail").url("redis://localhost:6379").option("lease", "15000").build()?;
/// let master = cluster.master().await?;
/// let worker = cluster.worker().slots(4).start().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Cluster {
    options: Options,
}

/// Collects options; [`ClusterBuilder::build`] fails with the error of the first wrong one.
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    options: Options,
    wrong: Option<Error>,
}

impl Cluster {
    /// Begins with the defaults: `localhost:6379`, a lease of 15 s.
    pub fn builder(name: impl Into<String>) -> ClusterBuilder {
        ClusterBuilder { options: Options::new(name), wrong: None }
    }

    /// The options every member begins with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Starts a master on the current tokio runtime and waits until it is registered; see [`Master::ready`] for the errors.
    pub async fn master(&self) -> Result<Master> {
        let master = Master::start(self.options.clone(), &Handle::current())?;
        master.ready().await?;
        Ok(master)
    }

    /// A worker of this cluster, to be started.
    pub fn worker(&self) -> WorkerBuilder {
        WorkerBuilder { options: self.options.clone() }
    }
}

impl ClusterBuilder {
    /// Where Redis is: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`.
    pub fn url(self, url: &str) -> Self {
        self.option("url", url)
    }

    /// Any option by its name, as in every other language.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.options.set(name, value) {
            self.wrong.get_or_insert(error);
        }
        self
    }

    /// The cluster, if all options are right.
    pub fn build(self) -> Result<Cluster> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        self.options.check()?;
        Ok(Cluster { options: self.options })
    }
}

/// A worker about to be started; made by [`Cluster::worker`].
#[derive(Clone, Debug)]
pub struct WorkerBuilder {
    options: Options,
}

impl WorkerBuilder {
    /// The limit of active jobs; default 10 with [`Worker::process`], else unlimited.
    pub fn slots(mut self, slots: u32) -> Self {
        self.options.slots = Some(slots);
        self
    }

    /// Any option by its name, as in every other language.
    pub fn option(mut self, name: &str, value: &str) -> Result<Self> {
        self.options.set(name, value)?;
        Ok(self)
    }

    /// Starts the worker on the current tokio runtime and waits until it is registered; see [`Worker::ready`] for the errors. It takes jobs
    /// from the first call of [`Worker::process`], [`Worker::next`] or [`Worker::accept`] on.
    pub async fn start(mut self) -> Result<Worker> {
        self.options.auto_accept = false;
        let worker = Worker::start(self.options, &Handle::current())?;
        worker.ready().await?;
        Ok(worker)
    }
}
