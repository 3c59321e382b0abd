#!/usr/bin/env bash
# Installs the C library that is built in a folder, with its header and the files for pkg-config and CMake: install_library.sh BUILT PREFIX [DESTDIR].
# LIBDIR is where the library goes, $PREFIX/lib unless set. PC_PREFIX is the prefix in libswarm.pc, PREFIX unless set. PRIVATE_LIBS is what a program
# that is linked with libswarm.a needs besides.
set -euo pipefail
built=$1
prefix=${2%/}
destdir=${3:-}
cd "$(dirname "$0")/.."
version=$(sed -n 's/^#define SWARM_VERSION "\(.*\)"$/\1/p' include/swarm.h)
abi=${version%%.*}
if [ "$abi" = 0 ]; then abi=$(cut -d. -f1,2 <<<"$version"); fi

libdir=${LIBDIR:-$prefix/lib}
lib=$destdir$libdir
include=$destdir$prefix/include
if [ -f "$built/libswarm.dylib" ]; then
  full=libswarm.$version.dylib; major=libswarm.$abi.dylib; short=libswarm.dylib; private="-lpthread -lm -liconv -framework Security -framework CoreFoundation"
else
  full=libswarm.so.$version; major=libswarm.so.$abi; short=libswarm.so; private="-lgcc_s -lutil -lrt -lpthread -lm -ldl"
fi
private=${PRIVATE_LIBS:-$private}
# Without LIBDIR, an installation may be moved.
# shellcheck disable=SC2016  # for CMake to expand
if [ -n "${LIBDIR:-}" ]; then headers=$prefix/include; else headers='${CMAKE_CURRENT_LIST_DIR}/../../../include'; fi
fill() {
  sed -e "s|@PREFIX@|${PC_PREFIX:-$prefix}|" -e "s|@LIBDIR@|${LIBDIR:-\${exec_prefix\}/lib}|" -e "s|@VERSION@|$version|" -e "s|@PRIVATE@|$private|" \
    -e "s|@PRIVATE_LIST@|${private// /;}|" -e "s|@ABI@|$abi|" -e "s|@FILE@|$full|" -e "s|@SONAME@|$major|" -e "s|@INCLUDE@|$headers|" "$1" >"$2"
}
mkdir -p "$lib/pkgconfig" "$lib/cmake/libswarm" "$include"
install -m 755 "$built/$short" "$lib/$full"
ln -sf "$full" "$lib/$major"
ln -sf "$major" "$lib/$short"
install -m 644 "$built/libswarm.a" "$lib/libswarm.a"
install -m 644 include/swarm.h "$include/swarm.h"
fill ffi/libswarm.pc.in "$lib/pkgconfig/libswarm.pc"
fill ffi/libswarm-config.cmake.in "$lib/cmake/libswarm/libswarm-config.cmake"
fill ffi/libswarm-config-version.cmake.in "$lib/cmake/libswarm/libswarm-config-version.cmake"
