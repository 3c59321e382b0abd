//! The C ABI of libswarm.
