#!/usr/bin/env bash
# Builds what the benchmark measures, then measures it. Arguments go to run.py: --quick, --only rust,c, --skip-crowds.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
cargo build --release --quiet --package libswarm-bench --package libswarm-ffi
VIRTUAL_ENV=$root/.venv .venv/bin/maturin develop --release --quiet --manifest-path bindings/python/Cargo.toml
(cd bindings/node && npm run --silent build)
mkdir -p target/bench
cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O2 -Iinclude benches/c/*.c target/release/libswarm.a -pthread -ldl -lm -o target/bench/bench-c
exec .venv/bin/python benches/run.py "$@"
