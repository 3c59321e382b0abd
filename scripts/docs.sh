#!/usr/bin/env bash
# Renders the documentation of the C API (doxygen) and of the Rust API (cargo doc) as HTML under target/.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v doxygen >/dev/null 2>&1; then
  echo "docs: doxygen is missing; install the package doxygen (on Debian: apt-get install doxygen)" >&2
  exit 1
fi
mkdir -p target/doxygen
doxygen ffi/Doxyfile
cargo doc --quiet --no-deps --package libswarm --package libswarm-supervisor
echo "C API: target/doxygen/html/index.html"
echo "Rust API: ${CARGO_TARGET_DIR:-target}/doc/libswarm/index.html"
