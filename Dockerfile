# Two stages: build the one binary with the locked dependencies, ship it with a C library, certificates and nothing else: no shell,
# no package manager, not root. glibc, because the allocator of musl is slow under the many threads of a load generator.
#
# Base images are named by version. Pin them by digest where you build (`docker buildx imagetools inspect IMAGE` shows it).
# Azure Container Apps takes linux/amd64 alone. `scripts/soak image` goes through these steps without a Docker engine.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p stocktake --features goose

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/stocktake /usr/local/bin/stocktake
# What deploy/azure/rollout and the load job of main.bicep send.
COPY deploy/azure/read.yaml /workloads/read.yaml
# By number, so that a platform can see that it is not root.
USER 65532:65532
WORKDIR /home/nonroot
# The probes have a port of their own, which ingress does not expose. The certificates are the system's, read by rustls.
ENV STOCKTAKE_LISTEN=0.0.0.0:50051 STOCKTAKE_PROBE_LISTEN=0.0.0.0:9090 STOCKTAKE_LOG_FORMAT=json \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
EXPOSE 50051 9090
# The process is number 1 and handles it: it turns unready, ends calls under way, and exits 0 within --drain.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/stocktake"]
CMD ["serve"]
