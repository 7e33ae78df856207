#!/usr/bin/env bash
# Builds the image twice, the second time from a clone of the commit in another folder, and compares the digests: `make image-twice`. Requires buildah.
#   image/twice.sh [--prebuilt PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."

storage=${BUILDAH_STORAGE:---storage-driver vfs}
arguments=()
if [[ "${1:-}" == --prebuilt ]]; then
  arguments=(--prebuilt "$(realpath "$2")")
fi
command -v buildah > /dev/null || { echo "twice: requires buildah; on Debian: apt-get install buildah" >&2; exit 1; }
# What is not committed is in the first build only.
[[ -z "$(git status --porcelain --untracked-files=no)" ]] || { echo "twice: commit first: the second build is of the last commit" >&2; exit 1; }

other=$(mktemp -d)
tags=(localhost/weirkeeper:twice-1 localhost/weirkeeper:twice-2)
trap 'rm -rf "$other"; buildah $storage rmi --force "${tags[@]}" > /dev/null 2>&1 || true' EXIT
digest() { buildah $storage inspect --type image --format '{{.FromImageDigest}}' "$1"; }

BUILDER=buildah image/build.sh "${tags[0]}" "${arguments[@]}" > "$other/log" 2>&1 || { cat "$other/log" >&2; exit 1; }
# With other permissions of all files, as on another machine.
(umask 077 && git clone --quiet --local . "$other/elsewhere" && cd "$other/elsewhere" && BUILDER=buildah image/build.sh "${tags[1]}" "${arguments[@]}") > "$other/log" 2>&1 || { cat "$other/log" >&2; exit 1; }
first=$(digest "${tags[0]}") second=$(digest "${tags[1]}")
[[ -n "$first" && "$first" == "$second" ]] || { echo "twice: two builds of one commit differ: $first and $second" >&2; exit 1; }
echo "twice: two builds of $(git rev-parse --short HEAD), in two folders, have one digest: $first"
