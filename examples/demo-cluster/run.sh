#!/usr/bin/env bash
# Runs the demo of processes with a private Redis unless SWARM_REDIS_URL names another. Needs what `make build` makes; `make demo-cluster` does both.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
demo=$root/examples/demo-cluster
cd "$root"
out=${CARGO_TARGET_DIR:-$root/target}/demo
mkdir -p "$out/node_modules"

# The library as it is installed on a system, in a folder of the demo's own.
scripts/install.sh "$out/prefix" >"$out/install.log" 2>&1 || { cat "$out/install.log" >&2; exit 1; }
read -ra flags <<<"$(PKG_CONFIG_PATH=$out/prefix/lib/pkgconfig pkg-config --cflags --libs libswarm)"
cc -std=c11 -O2 -Wall -Wextra -Wpedantic "$demo/worker.c" "${flags[@]}" "-Wl,-rpath,$out/prefix/lib" -o "$out/cluster-worker-c"
ln -sfn "$root/bindings/node" "$out/node_modules/assemblage"

export NODE_PATH=$out/node_modules
exec tests/support/with_redis .venv/bin/python "$demo/demo.py" "$out/cluster-worker-c"
