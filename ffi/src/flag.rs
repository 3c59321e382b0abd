//! Boolean arguments from C.

/// A `bool` of C, read as a number: uninitialized memory may have any value, and a Rust `bool` of it would be undefined
/// behaviour. Any value except 0 is true.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct swarm_flag(u8);

impl swarm_flag {
    pub(crate) const FALSE: swarm_flag = swarm_flag(0);

    pub(crate) fn is_set(self) -> bool {
        self.0 != 0
    }
}
