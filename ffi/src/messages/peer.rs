//! Which member it is.

use std::ffi::{CString, c_char};

use libswarm::MemberRef;

use crate::error::text as c_text;

/// Which member it is. Lent by the library, never made by a program: later versions may add fields at its end. Lives as long as
/// the object that it was read from.
#[repr(C)]
pub struct swarm_peer {
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

/// A peer as C reads it.
pub(crate) struct ShownPeer {
    shown: swarm_peer,
    /// What the pointers of `shown` lead to.
    _texts: [CString; 4],
}

// SAFETY: the pointers lead to what is owned beside them and never changes.
unsafe impl Send for ShownPeer {}
// SAFETY: as above.
unsafe impl Sync for ShownPeer {}

impl ShownPeer {
    pub(crate) fn as_ptr(&self) -> *const swarm_peer {
        &self.shown
    }
}

impl From<&MemberRef> for ShownPeer {
    // Taken apart field by field, so that a field added to the core does not compile until it is shown here.
    fn from(member: &MemberRef) -> Self {
        let MemberRef { incarnation, name, group, host, pid } = member;
        let texts = [incarnation, name, group, host].map(|field| c_text(field));
        let [incarnation, name, group, host] = texts.each_ref().map(|text| text.as_ptr());
        ShownPeer { shown: swarm_peer { incarnation, name, group, host, pid: *pid }, _texts: texts }
    }
}
