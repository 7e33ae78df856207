#!/usr/bin/env bash
# Checks an image that buildah has built: its files, its configuration, and that the program runs as the chart runs it, as user 65532 with a
# read-only root and without capabilities. Requires root, buildah and capsh (Debian: libcap2-bin).
#   image/check.sh TAG
set -euo pipefail

tag=$1
storage=${BUILDAH_STORAGE:---storage-driver vfs}
fail() { echo "check: $*" >&2; exit 1; }

config=$(buildah $storage inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}' "$tag")
[[ "$config" == '65532:65532 [/weirkeeper] [operator]' ]] || fail "unexpected configuration: $config"
container=$(buildah $storage from "$tag")
trap 'buildah $storage rm "$container" > /dev/null' EXIT
root=$(buildah $storage mount "$container")

programs=$(find "$root" -type f -perm /111 -not -name '*.so*' -printf '/%P ')
[[ "$programs" == '/weirkeeper ' ]] || fail "programs beside the operator: $programs"
others=$(find "$root" -not -user 0 -o -perm /6000 -o -type f -perm /022)
[[ -z "$others" ]] || fail "files of other users, with setuid, or writable by others: $others"
for file in LICENSE licences.txt sbom.cdx.json; do
  [[ -s "$root/licences/$file" ]] || fail "no /licences/$file"
done

run='mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" || exit 1
! touch "$0/tmp/x" 2> /dev/null || exit 1
exec capsh --chroot="$0" --drop=all --groups= --gid=65532 --uid=65532 --no-new-privs --shell=/weirkeeper -- "$@"'
version=$(unshare --mount bash -c "$run" "$root" --version) || fail "the program does not run on a read-only root as user 65532"
definitions=$(unshare --mount bash -c "$run" "$root" crds | grep -c '^kind: CustomResourceDefinition')
[[ "$definitions" -ge 4 ]] || fail "it prints $definitions CRDs"
size=$(du -sm "$root" | cut -f1)
echo "check: $tag runs as 65532 on a read-only root without capabilities: $version, $definitions CRDs, $size MB"
