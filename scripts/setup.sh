#!/usr/bin/env bash
# Prepares a checkout for building and testing: checks the toolchains, installs missing system tools (only as root, only with
# apt), makes .venv with the pinned Python tools and installs the Node tools. Quick when there is nothing to do. With --browser it
# wants Chromium, too; with --guides PostgreSQL, and what the programs in examples/guides need; with --package the tools of
# `make package`.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# What apt calls the packages that bring these tools.
declare -A package=(
  [redis-server]=redis-server [redis-cli]=redis-tools [redis-sentinel]=redis-sentinel [gcc]=gcc [g++]=g++ [make]=make
  [pkg-config]=pkg-config [valgrind]=valgrind [openssl]=openssl [nm]=binutils [faketime]=faketime
  [luacheck]=lua-check
)
if [ "${1:-}" = --browser ]; then package+=([chromium]=chromium [chromedriver]=chromium-driver); fi
missing=()
# Debian keeps its server out of PATH.
if [ "${1:-}" = --guides ] && ! have initdb && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then missing+=(postgresql); fi
for tool in "${!package[@]}"; do
  have "$tool" || missing+=("${package[$tool]}")
done
if have python3 && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi

if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
    fail "install these first, by the names Debian has for them: ${missing[*]}"
  fi
  echo "setup: installing ${missing[*]}"
  apt-get update -qq
  # Every test starts servers of its own; the services these packages bring are not to be started.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

have cargo || fail "cargo is missing; install Rust 1.88 or newer (rustup.rs)"
have python3 || fail "python3 is missing; install Python 3.11 or newer"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$(python3 --version) is too old; install Python 3.11 or newer"
if ! have node || ! have npm; then fail "node or npm is missing; install Node.js 20 or newer"; fi
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || fail "Node.js $(node --version) is too old; install 20 or newer"
for component in fmt clippy; do
  cargo "$component" --version >/dev/null 2>&1 || fail "cargo $component is missing; run: rustup component add rustfmt clippy"
done

# Another process may be setting up the same checkout.
mkdir -p target
exec 9>target/.setup-lock
if have flock; then flock 9; fi

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  python3 -m venv --clear .venv
fi
if ! cmp -s scripts/requirements.txt .venv/requirements.installed; then
  .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
  cp scripts/requirements.txt .venv/requirements.installed
fi

node_lock=bindings/node/package-lock.json
if [ -f "$node_lock" ] && ! cmp -s "$node_lock" bindings/node/node_modules/.installed-lock.json; then
  # Not `npm ci`: it refuses the lock wherever the registry lacks a build of an optional tool for some other platform.
  (cd bindings/node && npm install --no-save --no-audit --no-fund --loglevel=error)
  cp "$node_lock" bindings/node/node_modules/.installed-lock.json
fi

if [ "${1:-}" = --guides ]; then scripts/setup_guides.sh; fi
if [ "${1:-}" = --package ]; then scripts/package/setup.sh; fi
