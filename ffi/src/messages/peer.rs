//! The identity of a member.

use std::ffi::{CString, c_char};

use libswarm::MemberRef;

use crate::error::text as c_text;

/// The identity of a member. Only the library creates it: later versions may add fields at its end. Valid as long as the object
/// from which it was read.
#[repr(C)]
pub struct swarm_peer {
    /// Its incarnation.
    pub incarnation: *const c_char,
    /// The option `name`; "" if it has none.
    pub name: *const c_char,
    /// The option `group`; "" if it has none.
    pub group: *const c_char,
    /// The host name of its machine.
    pub host: *const c_char,
    /// Its process id.
    pub pid: u32,
}

/// A peer in the layout of C.
pub(crate) struct ShownPeer {
    shown: swarm_peer,
    /// The data to which the pointers of `shown` point.
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
    // Destructured field by field, so that a new field of the core does not compile until it is added here.
    fn from(member: &MemberRef) -> Self {
        let MemberRef { incarnation, name, group, host, pid } = member;
        let texts = [incarnation, name, group, host].map(|field| c_text(field));
        let [incarnation, name, group, host] = texts.each_ref().map(|text| text.as_ptr());
        ShownPeer { shown: swarm_peer { incarnation, name, group, host, pid: *pid }, _texts: texts }
    }
}
