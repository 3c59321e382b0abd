#!/usr/bin/env bash
# Installs the tools of `make package` and `make test-install`: zig, cargo-zigbuild, cmake and abi3audit into target/package-tools, the standard
# libraries of the other targets by rustup, and what programs for arm64 need to run here (only as root, only with apt). What the machine cannot get is
# left out: `make package` names the targets that it does not build. Quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/target/package-tools

# Another process may be setting up the same checkout.
mkdir -p target
exec 9>target/.package-setup-lock
if command -v flock >/dev/null; then flock 9; fi

if ! cmp -s scripts/package/requirements.txt "$tools/requirements.installed"; then
  [ -x "$tools/bin/python" ] || python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check -r scripts/package/requirements.txt
  cp scripts/package/requirements.txt "$tools/requirements.installed"
fi

mapfile -t triples < <(scripts/package/targets.py)
missing=()
for triple in "${triples[@]}"; do
  [ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] || missing+=("$triple")
done
if [ ${#missing[@]} -gt 0 ] && ! timeout 300 rustup target add "${missing[@]}" >"$tools/rustup.log" 2>&1; then
  echo "setup: rustup cannot add ${missing[*]} (see $tools/rustup.log); these are not built"
fi

packages=()
command -v qemu-aarch64-static >/dev/null || packages+=(qemu-user-static)
[ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ] || packages+=(libc6-arm64-cross)
[ -e /usr/aarch64-linux-gnu/lib/libgcc_s.so.1 ] || packages+=(libgcc-s1-arm64-cross)
command -v musl-gcc >/dev/null || packages+=(musl-tools)
if [ ${#packages[@]} -gt 0 ] && [ "$(uname -sm)" = "Linux x86_64" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
    echo "setup: apt-get cannot install ${packages[*]}; what was built for other machines is not run"
fi
