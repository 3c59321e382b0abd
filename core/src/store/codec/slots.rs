//! The slots of schedules that a member computes, because scripts cannot.

use super::msgpack::{Unpack, malformed, write_array, write_integer};
use crate::model::schedule::{AHEAD, CatchUp, MAX_CAUGHT_UP, Schedule};
use libswarm_common::error::Result;
use rand::Rng;

/// A schedule whose next slots are to be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) id: String,
    pub(crate) timing: String,
    pub(crate) anchor: u64,
    /// Slots up to this time were computed.
    pub(crate) known: u64,
    pub(crate) catch_up: CatchUp,
    /// The server's time, in ms.
    pub(crate) now: u64,
}

impl Wanted {
    /// Reads what a round was answered.
    pub(crate) fn read_all(packed: &[u8]) -> Result<Vec<Wanted>> {
        let mut unpack = Unpack::new(packed);
        (0..unpack.array()?).map(|_| Wanted::read(&mut unpack)).collect()
    }

    fn read(unpack: &mut Unpack) -> Result<Wanted> {
        if unpack.array()? != 6 {
            return Err(malformed("slots that are wanted have six parts"));
        }
        Ok(Wanted {
            id: unpack.text()?.to_owned(),
            timing: unpack.text()?.to_owned(),
            anchor: unpack.integer()?.max(0) as u64,
            known: unpack.integer()?.max(0) as u64,
            catch_up: unpack.text()?.parse()?,
            now: unpack.integer()?.max(0) as u64,
        })
    }

    /// The next slots, each with the delay of its job in ms, packed; and whether no more follow. Of slots that have passed, those that the
    /// schedule does not catch up with are left out.
    pub(crate) fn slots(&self) -> Result<(Vec<u8>, bool)> {
        let Some(schedule) = Schedule::from_timing(&self.timing) else {
            return Err(malformed("the timing of a schedule is not one this protocol writes"));
        };
        let most = if self.catch_up == CatchUp::All { MAX_CAUGHT_UP } else { 1 };
        let mut slots = schedule.missed(self.anchor, self.known, self.now, most)?;
        let ahead = schedule.slots(self.anchor, self.known.max(self.now), AHEAD)?;
        let ended = ahead.len() < AHEAD;
        slots.extend(ahead);
        let jitter = schedule.jitter.as_millis() as u64;
        let mut out = Vec::new();
        write_array(&mut out, 2 * slots.len());
        for slot in &slots {
            write_integer(&mut out, *slot);
            let late = if jitter > 0 { rand::rng().random_range(0..=jitter) } else { 0 };
            write_integer(&mut out, late);
        }
        Ok((out, ended))
    }
}
