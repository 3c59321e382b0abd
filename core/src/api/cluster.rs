//! The entry point: options are set once, then masters and workers of one cluster are created.

use tokio::runtime::Handle;

use super::master::Master;
use super::worker::Worker;
use crate::config::options::Options;
use crate::model::server::ServerInfo;
use crate::store::examine::examine;
use libswarm_common::error::{Error, Result};

/// A named cluster at one address. Creating it connects to nothing.
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

/// Collects options. [`ClusterBuilder::build`] returns the first error.
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    options: Options,
    wrong: Option<Error>,
}

impl Cluster {
    /// Starts with the defaults: `localhost:6379`, a lease of 15 s.
    pub fn builder(name: impl Into<String>) -> ClusterBuilder {
        ClusterBuilder { options: Options::new(name), wrong: None }
    }

    /// A cluster with options that were checked.
    #[cfg(feature = "testing")]
    pub(crate) fn of(options: Options) -> Cluster {
        Cluster { options }
    }

    /// The options that every member starts with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Starts a master on the current tokio runtime and waits until it is registered; see [`Master::ready`] for the errors.
    pub async fn master(&self) -> Result<Master> {
        let master = Master::start(self.options.clone(), &Handle::current())?;
        master.ready().await?;
        Ok(master)
    }

    /// Connects to the server and returns what it states, within the option `timeout`, also of one that libswarm would not use:
    /// [`refusal`](ServerInfo::refusal) states why. Changes nothing, and registers no member.
    pub async fn server(&self) -> Result<ServerInfo> {
        self.options.check()?;
        examine(&self.options).await
    }

    /// Returns a builder for a worker of this cluster.
    pub fn worker(&self) -> WorkerBuilder {
        WorkerBuilder { options: self.options.clone() }
    }
}

impl ClusterBuilder {
    /// Where Redis is: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`.
    pub fn url(self, url: &str) -> Self {
        self.option("url", url)
    }

    /// Sets any option by its name, which is the same in every language.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.options.set(name, value) {
            self.wrong.get_or_insert(error);
        }
        self
    }

    /// Returns the cluster if all options are valid.
    pub fn build(self) -> Result<Cluster> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        self.options.check()?;
        Ok(Cluster { options: self.options })
    }
}

/// Builds a worker; returned by [`Cluster::worker`].
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

    /// Sets any option by its name, which is the same in every language.
    pub fn option(mut self, name: &str, value: &str) -> Result<Self> {
        self.options.set(name, value)?;
        Ok(self)
    }

    /// Starts the worker on the current tokio runtime and waits until it is registered; see [`Worker::ready`] for the errors. It accepts jobs from
    /// the first call of [`Worker::process`], [`Worker::next`] or [`Worker::accept`] on.
    pub async fn start(mut self) -> Result<Worker> {
        self.options.auto_accept = false;
        let worker = Worker::start(self.options, &Handle::current())?;
        worker.ready().await?;
        Ok(worker)
    }
}
