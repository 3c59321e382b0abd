//! Entries of the stream of events; see `lua/lib/events.lua`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::msgpack::{Unpack, malformed};
use crate::model::job_event::{JobEvent, JobEventKind};
use crate::model::payload::ContentType;
use crate::store::envelope::{Envelopes, ValueKind};
use libswarm_common::error::{Error, Result, invalid};

/// Values of an event.
const WIDTH: usize = 8;
/// The largest number in a position: it is exact in Lua.
const MAX: u64 = 1 << 53;

/// The number of an event and the time of day in ms of its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) number: u64,
    pub(crate) ms: u64,
}

impl Position {
    /// Before all events.
    pub(crate) const START: Position = Position { number: 0, ms: 0 };

    fn read(text: &str) -> Option<Position> {
        let (number, ms) = text.split_once('-')?;
        let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        Some(Position { number: whole(number)?, ms: whole(ms)? })
    }

    /// Reads the option `after`.
    pub(crate) fn of_option(text: &str) -> Result<Position> {
        if text == "0" {
            return Ok(Position::START);
        }
        Self::read(text)
            .filter(|at| at.number <= MAX && at.ms <= MAX)
            .ok_or_else(|| invalid(format!("after is `{text}`; it is the position of an event, or \"0\" for all that are kept")))
    }

    pub(crate) fn of_id(id: &str) -> Result<Position> {
        Self::read(id).ok_or_else(|| malformed(format!("`{id}` is no id of an entry")))
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.number, self.ms)
    }
}

/// The events of one entry.
pub(crate) struct EventEntry {
    /// The position of the last event.
    pub(crate) last: Position,
    /// None if the entry only shows that events are missing before it.
    pub(crate) events: Vec<JobEvent>,
}

impl EventEntry {
    /// The number of the first event.
    pub(crate) fn first(&self) -> u64 {
        self.last.number.saturating_add(1) - self.events.len() as u64
    }

    /// The event that stands for those that are missing before this entry.
    pub(crate) fn missed(&self) -> JobEvent {
        let ms = if self.events.is_empty() { self.last.ms } else { 0 };
        let mut event = empty(Position { number: self.first() - 1, ms }, JobEventKind::Missed);
        event.time = time_of(self.last.ms);
        event
    }
}

/// The event for data that Redis has lost; it has the position from which all that is kept follows.
pub(crate) fn lost() -> JobEvent {
    JobEvent { position: "0".into(), time: SystemTime::now(), ..empty(Position::START, JobEventKind::Missed) }
}

fn time_of(ms: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(UNIX_EPOCH)
}

fn empty(at: Position, kind: JobEventKind) -> JobEvent {
    JobEvent {
        position: at.to_string(),
        kind,
        time: time_of(at.ms),
        id: String::new(),
        task: String::new(),
        worker: String::new(),
        fence: None,
        reason: String::new(),
        text: String::new(),
        due_at: None,
        name: String::new(),
    }
}

/// Reads the packed events of the entry with this id.
pub(crate) fn read(last: Position, packed: &[u8], envelopes: Envelopes) -> Result<Vec<JobEvent>> {
    if packed.is_empty() {
        return Ok(Vec::new());
    }
    let mut unpack = Unpack::new(packed);
    let count = unpack.array()? / WIDTH;
    let first = last
        .number
        .saturating_add(1)
        .checked_sub(count as u64)
        .ok_or_else(|| malformed("an entry has more events than its id"))?;
    (0..count as u64).map(|index| event(&mut unpack, Position { number: first + index, ms: last.ms }, envelopes)).collect()
}

fn event(unpack: &mut Unpack, at: Position, envelopes: Envelopes) -> Result<JobEvent> {
    let letter = unpack.text()?;
    let kind = JobEventKind::from_letter(letter).ok_or_else(|| unknown(letter))?;
    let mut event = empty(at, kind);
    event.id = text(unpack)?;
    event.task = text(unpack)?;
    if let Some((fence, worker)) = unpack.text()?.split_once(':') {
        event.fence = fence.parse().ok();
        event.worker = worker.split(':').next().unwrap_or("").to_owned();
    }
    event.reason = text(unpack)?;
    let what = if kind == JobEventKind::Progress { ValueKind::Progress } else { ValueKind::Error };
    event.text = match unpack.string()? {
        // One that was cut cannot be decoded.
        stored if envelopes.is_sealed(stored) => {
            let opened = envelopes.open(what, stored, ContentType::Json).map(|text| text.bytes);
            String::from_utf8_lossy(&opened.unwrap_or_default()).into_owned()
        }
        stored => whole(stored),
    };
    event.due_at = Some(unpack.integer()?).filter(|ms| *ms > 0).map(|ms| time_of(ms as u64));
    event.name = text(unpack)?;
    Ok(event)
}

fn unknown(letter: &str) -> Error {
    malformed(format!("`{letter}` is no kind of an event"))
}

fn text(unpack: &mut Unpack) -> Result<String> {
    Ok(whole(unpack.string()?))
}

/// A text, without a character that was cut in the middle.
fn whole(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
