# The image of the operator: `make image`, docs/image.md.
#
# Pin the image of the compiler by its digest where you build for others: --build-arg RUST_IMAGE=docker.io/library/rust@sha256:…
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm

# Compiles for the platform that the image is for (--platform linux/amd64,linux/arm64): no cross compiler, no other recipe.
FROM ${RUST_IMAGE} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# One source gives one binary: fixed paths, no incremental compilation, dates from SOURCE_DATE_EPOCH.
ARG SOURCE_DATE_EPOCH=0
ENV CARGO_INCREMENTAL=0 RUSTFLAGS="--remap-path-prefix=/src=weirkeeper --remap-path-prefix=/usr/local/cargo=cargo"
RUN cargo build --release --locked --bin weirkeeper
RUN image/rootfs.sh target/release/weirkeeper /rootfs

# Nothing but the program, the libraries that it is linked to, and certificates: no shell, no package manager.
FROM scratch
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="weirkeeper" \
      org.opencontainers.image.description="A Kubernetes operator that validates, syncs, versions and heals n8n workflows" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /rootfs/ /
COPY --chmod=0644 LICENSE target/image/licences.txt target/image/sbom.cdx.json /licences/
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/weirkeeper"]
CMD ["operator"]
