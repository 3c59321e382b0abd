//! A lock without poisoning.
//!
//! Uses the mutex of the standard library instead of `parking_lot`, which keeps one table of waiting threads per process. A forked child inherits
//! that table without the threads, so that even new locks of the child can hang or crash.

use std::sync::PoisonError;

pub use std::sync::MutexGuard;

/// A mutex that stays usable after a panic while it was locked: its content is valid after each statement.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }

    /// Waits until no other thread holds the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
