#!/bin/sh
# Allows rustdoc to write JSON.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
