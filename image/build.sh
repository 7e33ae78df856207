#!/usr/bin/env bash
# Builds the image with docker, podman or buildah, whichever is there: `make image`.
#   image/build.sh TAG [--prebuilt PROGRAM] [ARGUMENT...]
# --prebuilt takes a program that is compiled already, for machines that cannot pull the image of the compiler. ARGUMENTs go to the builder.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=$1
shift
prebuilt=
if [[ "${1:-}" == --prebuilt ]]; then
  prebuilt=$2
  shift 2
fi
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
node image/sbom.mjs target/image

file=Dockerfile
if [[ -n "$prebuilt" ]]; then
  image/rootfs.sh "$prebuilt" target/image/rootfs
  # The final stage of the Dockerfile, with the folder in the place of the build stage.
  file=target/image/Dockerfile
  sed -n '/^FROM scratch/,$p' Dockerfile | sed 's|^COPY --from=build /rootfs/ /|COPY target/image/rootfs/ /|' > "$file"
fi
arguments=(
  --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH"
  --build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
  --build-arg "REVISION=$(git rev-parse HEAD)"
  --tag "$tag" --file "$file"
)

builder=${BUILDER:-}
for known in buildah podman docker; do
  [[ -n "$builder" ]] || ! command -v "$known" > /dev/null || builder=$known
done
case "$builder" in
  buildah) exec buildah ${BUILDAH_STORAGE:---storage-driver vfs} bud --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --omit-history "${arguments[@]}" "$@" . ;;
  podman) exec podman build --timestamp "$SOURCE_DATE_EPOCH" --omit-history "${arguments[@]}" "$@" . ;;
  docker) exec docker buildx build --output "type=docker,rewrite-timestamp=true" "${arguments[@]}" "$@" . ;;
esac
echo "image: requires buildah, podman or docker (BUILDER chooses); on Debian: apt-get install buildah" >&2
exit 1
