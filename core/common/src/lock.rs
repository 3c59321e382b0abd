//! A lock without poisoning.
//!
//! Over the lock of the standard library, and not that of `parking_lot`: that keeps a table of waiting threads for the whole process, which a forked
//! child inherits without the threads, so that new locks of the child can hang or crash.

use std::sync::PoisonError;

pub use std::sync::MutexGuard;

/// A mutex that a panic of its holder leaves usable: what it protects is valid after each statement.
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
