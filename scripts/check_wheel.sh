#!/usr/bin/env bash
# Build the wheel, install it into a fresh environment, and run the demo there, outside the clone.
#   bash scripts/check_wheel.sh
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv build --quiet --wheel --out-dir "$work/dist"
export UV_TOOL_DIR="$work/tools" UV_TOOL_BIN_DIR="$work/bin" XDG_CACHE_HOME="${XDG_CACHE_HOME:-$HOME/.cache}"
uv tool install --quiet --overrides <(echo "numpy>=2.0") "$work"/dist/vimonet-*.whl
cd "$work"
unset PYTHONPATH
"$work/bin/vimonet" demo
"$work/bin/vimonet" --version
test -s "$work/vimonet-demo.png"
echo "the wheel installs, and its demo runs: $(basename "$work"/dist/*.whl), $(stat -c %s "$work"/dist/*.whl) bytes"
