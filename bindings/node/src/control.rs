//! Slots and pauses of running workers.

use napi_derive::napi;

use crate::failure::Failure;
use crate::master::NativeMaster;
use crate::outgoing::{answer, json_of};
use crate::worker::NativeWorker;

#[napi]
impl NativeWorker {
    /// Sets the limit of active jobs from now on.
    #[napi(catch_unwind)]
    pub fn set_slots(&self, slots: u32) -> Option<Failure> {
        self.session.as_ref()?.member.set_slots(slots).err().map(Failure::from)
    }

    /// Pauses or resumes the worker.
    #[napi(catch_unwind)]
    pub fn set_paused(&self, paused: bool) -> Option<Failure> {
        let worker = &self.session.as_ref()?.member;
        let set = if paused { worker.pause() } else { worker.resume() };
        set.err().map(Failure::from)
    }

    /// Whether the worker is paused, by its program or by a master.
    #[napi(catch_unwind)]
    pub fn is_paused(&self) -> bool {
        self.session.as_ref().is_some_and(|open| open.member.is_paused())
    }
}

#[napi]
impl NativeMaster {
    /// Sets the slots of a worker; answers whether there is such a worker.
    #[napi(catch_unwind)]
    pub fn set_worker_slots(&self, token: u32, incarnation: String, slots: u32) {
        self.call(token, move |master| async move {
            answer(master.set_worker_slots(&incarnation, slots).await, |known| json_of(&known))
        });
    }

    /// Pauses or resumes a worker; answers whether there is such a worker.
    #[napi(catch_unwind)]
    pub fn pause_worker(&self, token: u32, incarnation: String, paused: bool) {
        self.call(token, move |master| async move {
            let ordered = if paused { master.pause_worker(&incarnation).await } else { master.resume_worker(&incarnation).await };
            answer(ordered, |known| json_of(&known))
        });
    }
}
