#!/usr/bin/env bash
# Installs the C library, and the program swarm with its manual pages and completions: install.sh PREFIX [DESTDIR]. Builds them in release mode if
# that is not done.
# PREFIX is where it will be used from, DESTDIR is put before every path that is written, for packagers.
# LIBDIR is where the library goes, $PREFIX/lib unless set.
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 2 ] || [ "${1#/}" = "$1" ]; then
  echo "usage: install.sh PREFIX [DESTDIR], PREFIX being an absolute path" >&2
  exit 2
fi
prefix=${1%/}
destdir=${2:-}
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}

case $(uname -s) in Darwin) built=$target/release/libswarm.dylib ;; *) built=$target/release/libswarm.so ;; esac
# One that is newer than all its sources needs no cargo, which root may not have.
sources=(core/src core/Cargo.toml Cargo.toml Cargo.lock)
swarm=$target/release/swarm
current() { [ -f "$1" ] && [ -z "$(find "$2/src" "$2/Cargo.toml" "${sources[@]}" -type f -newer "$1" -print -quit)" ]; }
if ! current "$built" ffi || ! current "$swarm" cli || [ ! -f "$target/release/libswarm.a" ]; then
  "${CARGO:-cargo}" build --release --package libswarm-ffi --package libswarm-cli
fi
version=$(sed -n 's/^#define SWARM_VERSION "\(.*\)"$/\1/p' include/swarm.h)
LIBDIR=${LIBDIR:-} scripts/install_library.sh "$target/release" "$prefix" "$destdir"
scripts/install_program.sh "$swarm" "$swarm" "$destdir$prefix"
echo "installed libswarm $version under $destdir$prefix"
if [ -z "$destdir" ] && [ "$(uname -s)" = Linux ]; then
  echo "If programs do not find libswarm.so: run ldconfig as root, with ${LIBDIR:-$prefix/lib} named in /etc/ld.so.conf.d, or set LD_LIBRARY_PATH=${LIBDIR:-$prefix/lib}."
fi
