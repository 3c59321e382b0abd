//! Messages between members, and who comes and goes: for masters and workers alike.

use std::ffi::{CString, c_char};

use libswarm::MemberRef;

use crate::error::text as c_text;

pub mod send;

pub mod receipt;

pub mod message;

pub mod confirmations;

pub mod exit;
pub mod kill;

pub mod presence;

pub(crate) mod hearing;

/// Which member it is. Lent by the library, never made by a program: later versions may add fields at its end. Lives as long as
/// the object that it was read from.
#[repr(C)]
pub struct swarm_member {
    /// Its identity in Redis.
    pub incarnation: *const c_char,
    /// The option `name`; "" if it has none.
    pub name: *const c_char,
    /// The option `group`; "" if it has none.
    pub group: *const c_char,
    /// The machine it runs on.
    pub host: *const c_char,
    /// Its process there.
    pub pid: u32,
}

/// A member as C is shown it.
pub(crate) struct ShownMember {
    shown: swarm_member,
    /// What the pointers of `shown` lead to.
    _texts: [CString; 4],
}

// SAFETY: the pointers lead to what is owned beside them and never changes.
unsafe impl Send for ShownMember {}
// SAFETY: as above.
unsafe impl Sync for ShownMember {}

impl ShownMember {
    pub(crate) fn as_ptr(&self) -> *const swarm_member {
        &self.shown
    }
}

impl From<&MemberRef> for ShownMember {
    // Taken apart field by field, so that a field added to the core does not compile until it is shown here.
    fn from(member: &MemberRef) -> Self {
        let MemberRef { incarnation, name, group, host, pid } = member;
        let texts = [incarnation, name, group, host].map(|field| c_text(field));
        let [incarnation, name, group, host] = texts.each_ref().map(|text| text.as_ptr());
        ShownMember { shown: swarm_member { incarnation, name, group, host, pid: *pid }, _texts: texts }
    }
}
