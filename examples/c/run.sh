#!/usr/bin/env bash
# Runs the examples together and compares what they print: run.sh DIR, DIR having the programs. Needs SWARM_REDIS_URL.
set -euo pipefail
dir=$1
out=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$out"' EXIT

"$dir/worker" &
pids+=($!)
"$dir/poll" >"$out/poll" &
pids+=($!)

# expect <file> <line>: waits until the line is there.
expect() {
  for _ in $(seq 500); do
    if grep -qE "$2" "$1"; then return; fi
    read -r -t 0.02 <> <(:) || true
  done
  echo "no line like '$2' in:" >&2
  cat "$1" >&2
  exit 1
}

"$dir/master" one two three >"$out/master"
printf 'one -> eno\ntwo -> owt\nthree -> eerht\n' | diff - "$out/master"

"$dir/hold" add camera-7 | grep -q 'camera-7 did not exist'
expect "$out/poll" '^start camera-7, fence [0-9]+$'
"$dir/hold" add camera-7 | grep -q 'camera-7 existed'
"$dir/hold" delete camera-7 | grep -q 'camera-7 existed'
expect "$out/poll" '^stop camera-7$'
"$dir/hold" add camera-8 | grep -q 'camera-8 did not exist'
expect "$out/poll" '^start camera-8'

for pid in "${pids[@]}"; do
  kill -TERM "$pid"
  wait "$pid"
done
pids=()
expect "$out/poll" '^stop camera-8, it goes on elsewhere$'
