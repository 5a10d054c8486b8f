# Builds and packs the emulator. Data lives in /data, the port is 4443. All who reach the port may use what is emulated;
# the control API is for the container itself, and for those who show ACRITE_TOKEN (or the token that it prints).
# It runs as a user of its own and writes only to /data, so that the root may be read-only: docker run --read-only; runs of
# tasks also want --tmpfs /tmp. For both kinds of processors: docker buildx build --platform linux/amd64,linux/arm64 .
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ make cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# What `acrite --version` names; there is no checkout in here: --build-arg ACRITE_COMMIT="$(git rev-parse --short=12 HEAD)"
ARG ACRITE_COMMIT=
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 acrite && install -d -o acrite /data
COPY --from=build /src/target/release/acrite /usr/local/bin/acrite
USER acrite
# SQLite's own temporary files go where the rest is.
# Containers that share the volume read ca.pem in it, whoever they run as; the rest is for this user alone.
ENV ACRITE_DATA_DIR=/data ACRITE_SHARE_CA=true ACRITE_LISTEN=0.0.0.0:4443 SQLITE_TMPDIR=/data
VOLUME /data
EXPOSE 4443
HEALTHCHECK --interval=5s --timeout=2s CMD ["acrite", "status"]
ENTRYPOINT ["acrite"]
CMD ["serve"]
