//! The text of a panic.

use std::any::Any;

/// The message that a caught panic carries, or a stand-in if it carries something else than text.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
