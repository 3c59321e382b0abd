//! Slots and pauses of a running worker, set by its program or by the order of a master.

use std::sync::atomic::Ordering;

use super::quotas::Quotas;
use super::state::{Reported, Task};
use crate::model::orders::Orders;
use crate::store::codec::msgpack::{packed_strings, write_array, write_integer, write_string};

impl Task {
    fn to_report(&self) -> Reported {
        Reported { slots: self.shared.slots(), paused: self.shared.is_paused(), order: self.ordered }
    }

    /// Whether a round should report slots or a pause.
    pub(super) fn must_report(&self) -> bool {
        self.reported != self.to_report()
    }

    /// The worker is about to register with what it has now. Orders of its incarnation before follow.
    pub(super) fn begin_reports(&mut self) {
        self.reported = Reported { order: 0, ..self.to_report() };
    }

    /// Processes the orders that this worker received under its incarnation before and has not confirmed.
    pub(super) fn resume_orders(&mut self) {
        let before = std::mem::take(&mut self.ordered);
        if let Some(orders) = self.session.orders.take() {
            self.ordered = orders.number;
            if orders.number > before {
                self.follow(&orders);
            }
        }
    }

    /// Processes an order.
    pub(super) fn ordered(&mut self, orders: &Orders) {
        if orders.number > self.ordered {
            self.ordered = orders.number;
            self.follow(orders);
            self.control_changed();
            // A pause has withdrawn the credit in Redis.
            self.reslot |= orders.paused == Some(true);
        }
    }

    fn follow(&self, orders: &Orders) {
        if let Some(slots) = orders.slots {
            self.shared.slots.store(slots, Ordering::Relaxed);
        }
        if let Some(paused) = orders.paused {
            self.shared.paused.store(paused, Ordering::Relaxed);
        }
    }

    /// The slots have changed, or the worker was paused or resumed: jobs that the program has not taken are released if it is paused, and
    /// credit that exceeds the limit is withdrawn.
    pub(super) fn control_changed(&mut self) {
        if self.shared.is_paused() {
            self.release_untaken();
        }
        if let Ok(quotas) = Quotas::new(&self.shared.options, self.shared.slots()) {
            self.quotas.resize(&quotas);
        }
        self.slots_changed();
        self.start_prefetched();
    }

    /// What the worker accepts from now on, packed for `lua/commands/sync.lua`; empty if Redis knows it. `retask`: its tasks have changed.
    pub(super) fn pack_accepts(&mut self, retask: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if !retask && !self.must_report() {
            return out;
        }
        self.reported = self.to_report();
        let tasks = if retask { self.new_tasks() } else { Vec::new() };
        write_array(&mut out, 4);
        write_string(&mut out, &tasks);
        match self.reported.slots {
            Some(slots) => write_integer(&mut out, u64::from(slots)),
            None => write_string(&mut out, b""),
        }
        write_integer(&mut out, u64::from(self.reported.paused));
        write_integer(&mut out, self.reported.order);
        out
    }

    /// The tasks, packed. They are in effect from now on.
    fn new_tasks(&mut self) -> Vec<u8> {
        let tasks = self.shared.tasks();
        self.quotas.selective = true;
        if tasks.is_empty() { packed_strings(&[String::new()]) } else { packed_strings(&tasks) }
    }
}
