#!/usr/bin/env bash
# Builds the C library in release mode and installs it: install.sh PREFIX [DESTDIR].
# PREFIX is where it will be used from, DESTDIR is put before every path that is written, for packagers.
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 2 ] || [ "${1#/}" = "$1" ]; then
  echo "usage: install.sh PREFIX [DESTDIR], PREFIX being an absolute path" >&2
  exit 2
fi
prefix=${1%/}
destdir=${2:-}
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}

cargo build --release --package libswarm-ffi
version=$(sed -n 's/^#define SWARM_VERSION "\(.*\)"$/\1/p' include/swarm.h)
abi=${version%%.*}
if [ "$abi" = 0 ]; then abi=${version%.*}; fi

lib=$destdir$prefix/lib
include=$destdir$prefix/include
mkdir -p "$lib/pkgconfig" "$include"
case $(uname -s) in
  Darwin) full=libswarm.$version.dylib; major=libswarm.$abi.dylib; short=libswarm.dylib; private="-lpthread -lm -liconv -framework Security -framework CoreFoundation" ;;
  *) full=libswarm.so.$version; major=libswarm.so.$abi; short=libswarm.so; private="-lgcc_s -lutil -lrt -lpthread -lm -ldl" ;;
esac
install -m 755 "$target/release/$short" "$lib/$full"
ln -sf "$full" "$lib/$major"
ln -sf "$major" "$lib/$short"
install -m 644 "$target/release/libswarm.a" "$lib/libswarm.a"
install -m 644 include/swarm.h "$include/swarm.h"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" -e "s|@PRIVATE@|$private|" ffi/libswarm.pc.in >"$lib/pkgconfig/libswarm.pc"
echo "installed libswarm $version under $destdir$prefix"
