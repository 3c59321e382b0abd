//! Truth values that C passes in.

/// A `bool` of C's, read as a number: memory that was never set to one may hold any, and a Rust `bool` of it would be undefined behaviour.
/// Whatever is not 0 is true.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct swarm_flag(u8);

impl swarm_flag {
    pub(crate) const FALSE: swarm_flag = swarm_flag(0);

    pub(crate) fn is_set(self) -> bool {
        self.0 != 0
    }
}
