//! The text of a panic.

use std::any::Any;

/// The message of a caught panic, or a placeholder if it is not text.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
