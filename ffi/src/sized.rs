//! Structs that start with their size, so that fields can be added without breaking programs that were compiled before.

use std::mem::MaybeUninit;

use libswarm::Result;

use crate::guard::invalid;

/// No struct of this interface is nearly as large; a larger size was never initialized.
const LARGEST: usize = 4096;

/// Reads a caller's struct up to the size in the caller's header; fields beyond have their defaults.
///
/// # Safety
/// `given` points to a struct whose first field is its size in bytes. Any bits are a value of `T`: it has no `bool`, no enum and no
/// reference.
pub(crate) unsafe fn read<T>(given: *const T, defaults: T, name: &str) -> Result<T> {
    // SAFETY: passed on from the caller.
    let size = unsafe { size_of_given(given, name) }?;
    let mut known = MaybeUninit::new(defaults);
    // SAFETY: both sides have at least this many bytes.
    unsafe { std::ptr::copy_nonoverlapping(given.cast::<u8>(), known.as_mut_ptr().cast::<u8>(), size.min(size_of::<T>())) };
    // SAFETY: all of it is a default or was set by the caller.
    Ok(unsafe { known.assume_init() })
}

/// Writes `value` to a caller's struct up to the size in the caller's header. The size there stays unchanged.
///
/// # Safety
/// `place` is NULL or points to a struct whose first field is its size in bytes.
pub(crate) unsafe fn write<T>(place: *mut T, value: &T, name: &str) -> Result<()> {
    // SAFETY: passed on from the caller.
    let size = unsafe { size_of_given(place, name) }?;
    let (head, known) = (size_of::<usize>(), size.min(size_of::<T>()));
    // SAFETY: both sides have at least this many bytes.
    unsafe {
        let from = std::ptr::from_ref(value).cast::<u8>().add(head);
        std::ptr::copy_nonoverlapping(from, place.cast::<u8>().add(head), known - head);
    }
    Ok(())
}

unsafe fn size_of_given<T>(given: *const T, name: &str) -> Result<usize> {
    if given.is_null() {
        return Err(invalid(format!("the argument `{name}` is NULL")));
    }
    // SAFETY: the first field is the size.
    let size = unsafe { given.cast::<usize>().read() };
    if !(size_of::<usize>()..=LARGEST).contains(&size) {
        return Err(invalid(format!(
            "the struct_size of `{name}` is {size}; set it to the size of the struct, as its _INIT does"
        )));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Sample {
        struct_size: usize,
        old: u64,
        new: u64,
    }

    #[test]
    fn an_older_caller_is_read_and_written_only_as_far_as_it_knows() {
        let mut given = Sample { struct_size: 16, old: 1, new: 2 };
        // SAFETY: the struct starts with its size.
        let read = unsafe { super::read(&given, Sample { struct_size: 24, old: 5, new: 6 }, "sample") }.unwrap();
        assert_eq!((read.old, read.new), (1, 6));
        // SAFETY: as above.
        unsafe { super::write(&mut given, &Sample { struct_size: 24, old: 8, new: 9 }, "sample") }.unwrap();
        assert_eq!(given, Sample { struct_size: 16, old: 8, new: 2 });
    }

    #[test]
    fn a_size_that_was_not_set_is_refused() {
        for size in [0, 7, usize::MAX] {
            let given = Sample { struct_size: size, old: 1, new: 2 };
            // SAFETY: the struct starts with its size.
            assert!(unsafe { super::read(&given, given, "sample") }.is_err());
        }
        let value = Sample { struct_size: 24, old: 0, new: 0 };
        // SAFETY: NULL is allowed.
        assert!(unsafe { super::write(std::ptr::null_mut(), &value, "sample") }.is_err());
    }
}
