//! Slots and pauses of a running worker.

use std::sync::atomic::Ordering;

use libswarm_common::error::Result;
use libswarm_common::id::check_name;
use libswarm_common::value::bounded;

use super::master::Master;
use super::worker::Worker;
use crate::worker::{Command, closed};

impl Worker {
    /// Sets the limit of active jobs from now on, 1 to 4,294,967,295, as the option `slots` does at the start. With fewer than it has active jobs,
    /// these continue, and it is assigned no more until fewer are active. Keeps it when it registers anew.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the option `priority_slots` guarantees more slots; the slots
    /// that it does not guarantee belong to other jobs, as at the start.
    pub fn set_slots(&self, slots: u32) -> Result<()> {
        bounded("slots", slots, 1, u32::MAX)?;
        self.shared().options.ranges(Some(slots))?;
        self.shared().slots.store(slots, Ordering::Relaxed);
        self.handle.0.commands.send(Command::Control).map_err(|_| closed())
    }

    /// Pauses this worker until [`Worker::resume`]: it is assigned no new jobs, and those that the program has not taken are requeued. Active jobs
    /// continue. It stays paused when it registers anew.
    pub fn pause(&self) -> Result<()> {
        self.set_paused(true)
    }

    /// Ends a pause, also one that a master has ordered.
    pub fn resume(&self) -> Result<()> {
        self.set_paused(false)
    }

    fn set_paused(&self, paused: bool) -> Result<()> {
        self.shared().paused.store(paused, Ordering::Relaxed);
        self.handle.0.commands.send(Command::Control).map_err(|_| closed())
    }

    /// Whether this worker is paused, by its program or by a master.
    pub fn is_paused(&self) -> bool {
        self.shared().is_paused()
    }

    /// The limit of active jobs that this worker has now; `None` for no limit.
    pub fn slots(&self) -> Option<u32> {
        self.shared().slots()
    }
}

impl Master {
    /// Sets the slots of a worker, by its incarnation, as [`Worker::set_slots`] does. Returns false if there is no such worker. The order is stored in
    /// Redis; the worker follows it when it reads its inbox, at once unless it is stopped, also under a new incarnation.
    pub async fn set_worker_slots(&self, incarnation: &str, slots: u32) -> Result<bool> {
        bounded("slots", slots, 1, u32::MAX)?;
        self.order(incarnation, "slots", slots).await
    }

    /// Pauses a worker, by its incarnation, as [`Worker::pause`] does. Returns false if there is no such worker.
    pub async fn pause_worker(&self, incarnation: &str) -> Result<bool> {
        self.order(incarnation, "paused", 1).await
    }

    /// Ends the pause of a worker, by its incarnation, also one of its own. Returns false if there is no such worker.
    pub async fn resume_worker(&self, incarnation: &str) -> Result<bool> {
        self.order(incarnation, "paused", 0).await
    }

    async fn order(&self, incarnation: &str, what: &str, value: u32) -> Result<bool> {
        check_name("incarnation", incarnation)?;
        self.front.shared.open_store()?.order(incarnation, what, value).await
    }
}
