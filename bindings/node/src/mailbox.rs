//! Where a member's events and answers wait for JavaScript, and the wake that announces them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm_host::lock::{Mutex, MutexGuard};
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};

use crate::outgoing::{Answer, Batch, WriteRow, Writer};

/// Events taken from the core at once.
const CHUNK: usize = 16;
/// Contents after which a batch ends, in bytes: what one turn of the event loop is given to read, and far from the
/// longest string of V8 even when a whole chunk of the largest payloads comes on top.
const FULL: usize = 1 << 20;

type Wake = ThreadsafeFunction<(), (), (), Status, false>;

/// One per member or supervisor.
pub struct Mailbox {
    wake: Wake,
    /// A wake is on its way, so that none is sent per event or answer.
    woken: AtomicBool,
    answers: Mutex<VecDeque<(u32, Answer)>>,
}

impl Mailbox {
    /// `wake` is called on the thread of its JavaScript when there is something to take.
    pub fn new(wake: &Function<'_, (), ()>) -> napi::Result<Mailbox> {
        let wake = wake.build_threadsafe_function::<()>().build()?;
        Ok(Mailbox { wake, woken: AtomicBool::new(false), answers: Mutex::default() })
    }

    /// Announces that there is something to take. Any thread.
    pub fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Puts an answer in. Any thread.
    pub fn answer(&self, token: u32, answer: Answer) {
        self.answers().push_back((token, answer));
        self.wake();
    }

    /// Fills `rows` with events, then with answers that were there before these events were taken: so an answer never
    /// overtakes an event that came before it.
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

    /// Whether this mailbox keeps its event loop alive.
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
