//! What another member, or the program, changes on a running worker.

/// Orders of masters to a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// The number of the last one, from 1 in each incarnation.
    pub(crate) number: u64,
    /// The number of slots; `None` to leave it.
    pub(crate) slots: Option<u32>,
    /// Whether it is paused; `None` to leave it.
    pub(crate) paused: Option<bool>,
}
