#!/usr/bin/env bash
# First part of the demo: compiles weirkeeper and shows the validator. It needs neither a cluster nor an n8n, so that `make demo` runs it
# while the real stack is being built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d "${TMPDIR:-/tmp}/weirkeeper-demo-XXXXXX")
trap 'rm -rf "$work"' EXIT
source examples/demo/telling.sh

# With a cluster of your own, a missing tool is said before the compilation and not after it.
if [[ -n "${N8N_URL:-}" ]]; then
  for tool in kubectl helm node; do
    command -v "$tool" >/dev/null || { echo "demo: $tool is missing; docs/own-cluster.md says what is needed" >&2; exit 2; }
  done
fi

tell "demo: compiling weirkeeper (minutes the first time)"
"${CARGO:-cargo}" build --locked

chapter "1. Validate a workflow before applying it"
tell "A typo: a connection leads to a node that does not exist."
refuses 'did you mean "Answer"?' "sed 's/node: Answer/node: Anser/' examples/demo/orders.yaml | weirkeeper validate -"
tell "The correct file:"
shows "0 errors" "weirkeeper validate examples/demo/orders.yaml"
