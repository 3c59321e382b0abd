//! The queue of a member's events and answers for JavaScript, and the wake-up that announces them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm_host::lock::{Mutex, MutexGuard};
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};

use crate::outgoing::{Answer, Batch, WriteRow, Writer};

/// The limit of events taken from the core at once.
const CHUNK: usize = 16;
/// The bytes of contents after which a batch ends: as much as one turn of the event loop should read, and far below the longest string of V8 even if
/// a whole chunk of the largest payloads is added.
const FULL: usize = 1 << 20;

type Wake = ThreadsafeFunction<(), (), (), Status, false>;

/// One per member or supervisor.
pub struct Mailbox {
    wake: Wake,
    /// Whether a wake-up is under way, so that none is sent per event or answer.
    woken: AtomicBool,
    answers: Mutex<VecDeque<(u32, Answer)>>,
}

impl Mailbox {
    /// `wake` is called on its JavaScript thread when there are events or answers.
    pub fn new(wake: &Function<'_, (), ()>) -> napi::Result<Mailbox> {
        let wake = wake.build_threadsafe_function::<()>().build()?;
        Ok(Mailbox { wake, woken: AtomicBool::new(false), answers: Mutex::default() })
    }

    /// The next announcement calls the function again.
    pub fn rearm(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// Announces events or answers. Can be called from any thread.
    pub fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Adds an answer. Can be called from any thread.
    pub fn answer(&self, token: u32, answer: Answer) {
        self.answers().push_back((token, answer));
        self.wake();
    }

    /// Fills `rows` with events, then with the answers that existed before these events were taken: so an answer never precedes an earlier event.
    pub fn take<E: WriteRow>(&self, rows: &mut [f64], take_events: impl Fn(usize) -> Vec<E>) -> Batch {
        self.woken.store(false, Ordering::Release);
        let mut writer = Writer::new(rows);
        let answers = self.answers().len();
        loop {
            let wanted = CHUNK.min(writer.free());
            if wanted == 0 || writer.size() >= FULL {
                return writer.finish(true);
            }
            let events = take_events(wanted);
            events.iter().for_each(|event| event.write(&mut writer));
            if events.len() < wanted {
                break;
            }
        }
        for _ in 0..answers {
            if writer.free() == 0 || writer.size() >= FULL {
                return writer.finish(true);
            }
            let Some((token, answer)) = self.answers().pop_front() else { break };
            writer.answer(token, &answer);
        }
        writer.finish(false)
    }

    /// Sets whether this mailbox keeps its event loop alive.
    pub fn keep_alive(&self, env: &Env, alive: bool) {
        self.wake.handle.with_read_aborted(|aborted| {
            if aborted {
                return;
            }
            let (env, wake) = (env.raw(), self.wake.raw());
            // SAFETY: the function is not released while `self` lives, not aborted under this lock, and `env` is the
            // environment of the calling thread, which made it.
            unsafe {
                match alive {
                    true => sys::napi_ref_threadsafe_function(env, wake),
                    false => sys::napi_unref_threadsafe_function(env, wake),
                }
            };
        });
    }

    fn answers(&self) -> MutexGuard<'_, VecDeque<(u32, Answer)>> {
        self.answers.lock()
    }
}
