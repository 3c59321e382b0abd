#!/usr/bin/env bash
# Builds and runs the C tests: run.sh [plain|asan|valgrind|install|all]. Starts a private Redis unless SWARM_REDIS_URL is set.
# SWARM_PREFIX names an installation to test instead of building one.
# Prints `ok name` or `not ok name` for each test, and at the end `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mode=${1:-all}
case $mode in plain | asan | valgrind | install | all) ;; *) echo "usage: run.sh [plain|asan|valgrind|install|all]" >&2; exit 2 ;; esac
if [ -z "${SWARM_REDIS_URL:-}" ]; then exec "$root/tests/support/with_redis" "$0" "$@"; fi

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
out=$CARGO_TARGET_DIR/c-tests
mkdir -p "$out/examples"
passed=0
failed=0

# The library as it is installed, into a folder of the tests' own.
prefix=${SWARM_PREFIX:-$out/prefix}
if [ -z "${SWARM_PREFIX:-}" ]; then
  rm -rf "$prefix"
  scripts/install.sh "$prefix" >"$out/install.log" 2>&1 || { cat "$out/install.log" >&2; exit 1; }
fi
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib

warnings=(-Wall -Wextra -Wpedantic -Werror)
read -ra flags <<<"$(pkg-config --cflags --libs libswarm)"

# build <name> <source> <extra flags>: C11, or C++17 for .cpp.
build() {
  local name=$1 source=$2 compiler=(cc -std=c11 -D_POSIX_C_SOURCE=200809L)
  shift 2
  if [[ $source == *.cpp ]]; then compiler=(c++ -std=c++17); fi
  "${compiler[@]}" "${warnings[@]}" -g -pthread -Itests/c "$@" "$source" -o "$out/$name" "${flags[@]}"
}

# run <label> <command...>: passes its `ok` lines on under the label, and adds a `not ok` line if it failed.
run() {
  local label=$1 status=0 lines
  shift
  timeout 300 "$@" >"$out/$mode.stdout" 2>"$out/$mode.stderr" || status=$?
  lines=$(grep -c '^ok ' "$out/$mode.stdout" || true)
  sed -n "s/^ok /ok $label./p" "$out/$mode.stdout"
  passed=$((passed + lines))
  if [ $status -ne 0 ] || [ "$lines" -eq 0 ]; then
    failed=$((failed + 1))
    # The last test that began, and what a checker of memory found: a summary may show this line alone.
    echo "not ok $label.$(sed -n 's/^# //p' "$out/$mode.stderr" | tail -n 1) (exit status $status)" \
      "$(grep -m 1 -o -e 'Invalid .*' -e '[0-9][0-9,]* .*definitely lost' -e 'ERROR: [A-Za-z]*Sanitizer: .*' "$out/$mode.stderr" || true)"
    sed 's/^/    /' "$out/$mode.stderr" | tail -n 60
  fi
}

# check <name> <command...>: one test that is a command.
check() {
  local name=$1
  shift
  if timeout 300 "$@" >"$out/$mode.stdout" 2>"$out/$mode.stderr"; then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    echo "not ok $name"
    sed 's/^/    /' "$out/$mode.stdout" "$out/$mode.stderr" | tail -n 60
  fi
}

plain() {
  local source name
  for source in tests/c/test_*.c tests/c/test_*.cpp; do
    name=$(basename "${source%.*}")
    build "$name" "$source" -O1
    run "plain.$name" "$out/$name"
  done
}

asan() {
  local source name
  for source in tests/c/test_*.c; do
    name=$(basename "${source%.*}")
    build "asan-$name" "$source" -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    # A build without the sanitizer would prove nothing.
    if ! nm "$out/asan-$name" | grep __asan_init >/dev/null; then echo "asan is not linked into $name" >&2; exit 1; fi
    run "asan.$name" env ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 "$out/asan-$name"
  done
}

valgrind() {
  local source name leaks
  for source in tests/c/test_*.c; do
    name=$(basename "${source%.*}")
    # It does not know pidfd_open, by which supervisors see that processes end.
    if [ "$name" = test_supervisor ]; then continue; fi
    build "valgrind-$name" "$source" -O1
    leaks=full
    # A forked child leaks on purpose what the threads of its parent used.
    if [ "$name" = test_fork ]; then leaks=no; fi
    run "valgrind.$name" "$(type -P valgrind)" --quiet --leak-check=$leaks --show-leak-kinds=definite,indirect \
      --errors-for-leak-kinds=definite,indirect --error-exitcode=99 --fair-sched=yes --suppressions=tests/c/valgrind.supp "$out/valgrind-$name"
  done
}

installed() {
  local version abi example name
  version=$(pkg-config --modversion libswarm)
  abi=${version%.*}
  if [ "${version%%.*}" != 0 ]; then abi=${version%%.*}; fi
  check install.links test "$(readlink "$prefix/lib/libswarm.so")$(readlink "$prefix/lib/libswarm.so.$abi")" = \
    "libswarm.so.${abi}libswarm.so.$version"
  check install.soname bash -c "readelf -d '$prefix/lib/libswarm.so' | grep -q 'SONAME.*libswarm.so.$abi\]'"
  check install.header cmp include/swarm.h "$prefix/include/swarm.h"
  check install.program test "$("$prefix/bin/swarm" --version)" = "swarm $version"
  check install.pages bash -c "grep -q retries '$prefix/share/man/man1/swarm-add.1' && grep -q set-slots '$prefix/share/zsh/site-functions/_swarm' \
    && bash -n '$prefix/share/bash-completion/completions/swarm' && test -s '$prefix/share/fish/vendor_completions.d/swarm.fish'"
  local staged=$out/stage
  rm -rf "$staged" "$staged-2" "$staged-3"
  # What was built is installed without cargo, which a package may not have any more.
  check install.without_cargo env CARGO=/nonexistent scripts/install.sh /opt/swarm "$staged-2"
  check install.libdir bash -c "LIBDIR=/opt/swarm/lib64 scripts/install.sh /opt/swarm '$staged-3' && test -e '$staged-3/opt/swarm/lib64/libswarm.so' && grep -q '^libdir=/opt/swarm/lib64$' '$staged-3/opt/swarm/lib64/pkgconfig/libswarm.pc'"
  check install.destdir bash -c "scripts/install.sh /opt/swarm '$staged' && grep -q '^prefix=/opt/swarm$' '$staged/opt/swarm/lib/pkgconfig/libswarm.pc'"
  for example in examples/c/*.c; do
    name=$(basename "${example%.c}")
    # As a user would: with the flags of pkg-config and nothing else but the warnings.
    check "install.build_example_$name" cc -std=c11 -D_POSIX_C_SOURCE=200809L "${warnings[@]}" "$example" "${flags[@]}" -o "$out/examples/$name"
  done
  check install.run_examples examples/c/run.sh "$out/examples"
  readme
  build_static
  check install.static "$out/static"
}

# The C program of README.md as it stands there, but for the address. With a sanitizer, because it shows who owns what.
readme() {
  awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md | sed "s|redis://localhost:6379|$SWARM_REDIS_URL|" >"$out/readme.c"
  check install.build_readme cc -std=c11 "${warnings[@]}" -g -fsanitize=address,undefined -fno-sanitize-recover=all "$out/readme.c" "${flags[@]}" -o "$out/readme"
  build readme-master tests/c/readme.c -O1
  check install.run_readme env ASAN_OPTIONS=detect_leaks=1 "$out/readme-master" "$out/readme"
}

# The archive alone, with the libraries that libswarm.pc lists.
build_static() {
  local private
  read -ra private <<<"$(pkg-config --static --libs-only-l libswarm | sed 's/-lswarm//')"
  cc -std=c11 "${warnings[@]}" tests/c/test_header.c -I"$prefix/include" "$prefix/lib/libswarm.a" "${private[@]}" -o "$out/static"
}

case $mode in
  plain) plain ;;
  asan) asan ;;
  valgrind) valgrind ;;
  install) installed ;;
  all)
    # Beside the others, because it takes as long as they do; with a Redis of its own, because the tests use the same names.
    SWARM_PREFIX=$prefix SWARM_REDIS_URL='' "$0" valgrind >"$out/valgrind.log" 2>&1 &
    plain; asan; installed
    wait $! || true
    grep -v ' passed, ' "$out/valgrind.log" || true
    counts=$(tail -n 1 "$out/valgrind.log")
    if [[ ! $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then counts="0 passed, 1 failed"; fi
    read -r more_passed _ more_failed _ <<<"$counts"
    passed=$((passed + more_passed))
    failed=$((failed + more_failed))
    ;;
esac
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
