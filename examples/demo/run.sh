#!/usr/bin/env bash
# Runs the demo on the tree DIR, /usr/share/doc unless set, with a private Redis unless SWARM_REDIS_URL names another.
# Needs what `make build` makes; `make demo` does both.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
demo=$root/examples/demo
directory=$(realpath -- "${DIR:-/usr/share/doc}")
if [ ! -d "$directory" ]; then echo "demo: $directory is no directory; name one with DIR=" >&2; exit 2; fi

cd "$root"
out=${CARGO_TARGET_DIR:-$root/target}/demo
mkdir -p "$out/node_modules"

# The library as it is installed on a system, in a folder of the demo's own.
scripts/install.sh "$out/prefix" >"$out/install.log" 2>&1 || { cat "$out/install.log" >&2; exit 1; }
read -ra flags <<<"$(PKG_CONFIG_PATH=$out/prefix/lib/pkgconfig pkg-config --cflags --libs libswarm)"
cc -std=c11 -O2 -Wall -Wextra -Wpedantic "$demo/worker.c" "$demo/sha256.c" "${flags[@]}" "-Wl,-rpath,$out/prefix/lib" -o "$out/worker-c"
ln -sfn "$root/bindings/node" "$out/node_modules/assemblage"

export NODE_PATH=$out/node_modules DEMO_WORKER_C=$out/worker-c DEMO_PYTHON=$root/.venv/bin/python
if [ -n "${SWARM_REDIS_URL:-}" ]; then
  echo "Redis: the one of SWARM_REDIS_URL; the demo uses clusters of its own and removes them."
else
  echo "Redis: a private server, for as long as the demo runs."
fi
exec tests/support/with_redis node "$demo/demo.js" "$directory"
