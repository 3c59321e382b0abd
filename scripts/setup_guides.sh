#!/usr/bin/env bash
# Makes one venv and one node_modules for the programs of all guides, in target/guides: the union of what their own files pin. libswarm
# and assemblage are those of this tree. Quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

guides=target/guides
mapfile -t requirements < <(find examples/guides -name requirements.txt -not -path '*/node_modules/*' | sort)
mapfile -t packages < <(find examples/guides -name package.json -not -path '*/node_modules/*' | sort)
mkdir -p "$guides"
sort -u "${requirements[@]}" | grep -v '^libswarm\b' >"$guides/requirements.txt"
node - "${packages[@]}" >"$guides/package.json" <<'EOF'
const { readFileSync } = require("node:fs");
const dependencies = {};
for (const file of process.argv.slice(2)) {
  const { dependencies: run, devDependencies: build } = JSON.parse(readFileSync(file, "utf8"));
  Object.assign(dependencies, run, build);
}
delete dependencies.assemblage;
console.log(JSON.stringify({ private: true, dependencies }, null, 2));
EOF
if ! cmp -s "$guides/requirements.txt" "$guides/venv/requirements.installed"; then
  python3 -m venv --clear --without-pip "$guides/venv"
  .venv/bin/pip --python "$guides/venv/bin/python" install --quiet --no-compile --disable-pip-version-check -r "$guides/requirements.txt"
  site=$("$guides/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$PWD/bindings/python/python" >"$site/libswarm.pth"
  cp "$guides/requirements.txt" "$guides/venv/requirements.installed"
fi
if ! cmp -s "$guides/package.json" "$guides/node_modules/.installed-package.json"; then
  (cd "$guides" && npm install --no-package-lock --no-audit --no-fund --prefer-offline --loglevel=error)
  ln -sfn ../../../bindings/node "$guides/node_modules/assemblage"
  cp "$guides/package.json" "$guides/node_modules/.installed-package.json"
fi
