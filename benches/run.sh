#!/usr/bin/env bash
# Measures what `make bench` has built. Arguments go to run.py: --quick, --only rust,c, --skip-crowds.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
mkdir -p target/bench
cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O2 -Iinclude benches/c/*.c target/release/libswarm.a -pthread -ldl -lm -o target/bench/bench-c
exec .venv/bin/python benches/run.py "$@"
