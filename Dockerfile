# Two stages: build the one binary with the locked dependencies, ship it with nothing else but certificates.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p stocktake --features goose

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home stocktake
COPY --from=build /src/target/release/stocktake /usr/local/bin/stocktake
USER stocktake
WORKDIR /home/stocktake
ENV STOCKTAKE_LISTEN=0.0.0.0:50051 STOCKTAKE_LOG_FORMAT=json
EXPOSE 50051
ENTRYPOINT ["stocktake"]
CMD ["serve"]
