//! The boundary between C and every function body: catches panics, and checks pointers and texts.

use std::any::Any;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libswarm::{Error, ErrorKind, Result};

use crate::error::swarm_error;
use crate::status::swarm_status;

/// Runs the body of a function that can fail. On failure the error object is written to `error` unless that is NULL.
pub(crate) fn guard(error: *mut *mut swarm_error, body: impl FnOnce() -> Result<()>) -> swarm_status {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(&*panic)));
    match result {
        Ok(()) => swarm_status::SWARM_OK,
        Err(failure) => {
            let status = failure.kind().into();
            if !error.is_null() {
                // SAFETY: a non-NULL `error` points to a place for one pointer, whose old value is not read.
                unsafe { error.write(Box::into_raw(Box::new(failure.into()))) };
            }
            status
        }
    }
}

/// Runs the body of a function that cannot fail; returns `fallback` after a panic.
pub(crate) fn guard_value<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// A caught panic as an error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(ErrorKind::Panic, format!("libswarm panicked, which is a bug in it: {}", text.unwrap_or("no message")))
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// Returns the argument. `name` is its name in the error if it is NULL.
pub(crate) fn given<T>(argument: Option<T>, name: &str) -> Result<T> {
    argument.ok_or_else(|| invalid(format!("the argument `{name}` is NULL")))
}

/// Returns the place for an output. `name` is its name in the error if it is NULL.
pub(crate) fn place<T>(output: *mut T, name: &str) -> Result<Output<T>> {
    if output.is_null() { Err(invalid(format!("the output `{name}` is NULL"))) } else { Ok(Output(output)) }
}

/// The place for an output that may be NULL.
pub(crate) fn optional<T>(output: *mut T) -> Output<T> {
    Output(output)
}

/// The array of an argument. `name` is its name in errors.
///
/// # Safety
/// A non-NULL `pointer` leads to `count` values that stay for the call.
pub(crate) unsafe fn array<'a, T>(pointer: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(invalid(format!("the array `{name}` is NULL or too long, with a count of {count}")));
    }
    // SAFETY: promised by the caller.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// The texts of an array. `name` is its name in errors.
///
/// # Safety
/// As for [`array`], and its texts end with a NUL.
pub(crate) unsafe fn texts(pointer: *const *const c_char, count: usize, name: &str) -> Result<Vec<String>> {
    // SAFETY: promised by the caller.
    let array = unsafe { array(pointer, count, name) }?;
    // SAFETY: promised by the caller.
    array.iter().map(|pointer| unsafe { text(*pointer, name) }.map(str::to_owned)).collect()
}

/// The place of an output. Its old content is neither read nor dropped.
pub(crate) struct Output<T>(*mut T);

impl<T> Output<T> {
    pub(crate) fn set(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: a non-NULL output argument points to a place for one `T`.
            unsafe { self.0.write(value) }
        }
    }
}

impl<T> Output<*mut T> {
    /// Passes ownership of `value` to the caller; drops it if the output is NULL.
    pub(crate) fn give(self, value: T) {
        if !self.0.is_null() {
            self.set(Box::into_raw(Box::new(value)));
        }
    }
}

/// The text of an argument.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the caller's contract is that of `optional_text`.
    unsafe { optional_text(pointer, name) }.and_then(|text| given(text, name))
}

/// The text of an argument that may be NULL. A non-NULL pointer must lead to a NUL-terminated text that stays for the call.
pub(crate) unsafe fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: promised by the caller, see above.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|_| invalid(format!("the argument `{name}` is not UTF-8")))
}

/// A text for people, such as that of an error. Invalid UTF-8 is replaced, because a text cut by snprintf may end within a
/// character.
pub(crate) unsafe fn lossy_text(pointer: *const c_char, name: &str) -> Result<String> {
    // SAFETY: the caller's contract is that of `optional_text`.
    given(unsafe { optional_lossy_text(pointer) }, name)
}

/// As `lossy_text`, for a text that may be NULL.
pub(crate) unsafe fn optional_lossy_text(pointer: *const c_char) -> Option<String> {
    // SAFETY: the caller's contract is that of `optional_text`.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_object() {
        let mut error = std::ptr::null_mut();
        let status = guard(&mut error, || panic!("boom {}", 7));
        assert_eq!(status, swarm_status::SWARM_ERR_PANIC);
        // SAFETY: the guard wrote an owned error.
        let error = unsafe { Box::from_raw(error) };
        // SAFETY: the message lives as long as the error.
        let message = unsafe { CStr::from_ptr(crate::error::swarm_error_message(Some(&error))) };
        assert!(message.to_string_lossy().contains("boom 7"));
        assert_eq!(guard(std::ptr::null_mut(), || panic!("unseen")), swarm_status::SWARM_ERR_PANIC);
        assert_eq!(guard_value(3, || panic!("unseen")), 3);
    }
}
