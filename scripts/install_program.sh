#!/usr/bin/env bash
# Installs the program swarm with its manual pages and completions: install_program.sh PROGRAM HOST PREFIX. HOST is the same program for this machine,
# which writes them.
set -euo pipefail
program=$1
host=$2
prefix=$3
share=$prefix/share
mkdir -p "$prefix/bin" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
install -m 755 "$program" "$prefix/bin/swarm"
"$host" man "$share/man/man1" >/dev/null
"$host" completions bash >"$share/bash-completion/completions/swarm"
"$host" completions zsh >"$share/zsh/site-functions/_swarm"
"$host" completions fish >"$share/fish/vendor_completions.d/swarm.fish"
