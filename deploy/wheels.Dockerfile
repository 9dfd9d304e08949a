# Builds wheels of packages with native code for the sandbox, into a folder that the service's `packages.wheel_indexes` names:
#   docker build -f deploy/wheels.Dockerfile -t toolplane-wheels .
#   docker run --rm --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
#     --security-opt systempaths=unconfined -v /srv/wheels:/wheels toolplane-wheels
# Other packages than the standard set stand behind the image's name. It takes about half an hour, most of it pydantic-core.
#
# Each build runs in bubblewrap, which makes namespaces of its own: that is what the options are for, and why it is done by
# `docker run` and not while the image is built. CI does not run it.

# The version is that of `rust-version` in Cargo.toml.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ git make python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --workspace --locked && strip target/release/runtime

FROM debian:bookworm-slim
# What `runtime wheels build` asks for, and `uv` and a virtual environment for maturin, by pip.
RUN apt-get update && apt-get install -y --no-install-recommends \
        bubblewrap ca-certificates python3 python3-pip python3-venv \
        rustc-web cargo-web rust-web-src lld-22 \
        clang-22 llvm-22 libclang-rt-22-dev-wasm32 libc++-22-dev-wasm32 \
    && pip install --break-system-packages --no-cache-dir uv \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/release/runtime /usr/local/bin/
ENV TOOLPLANE_CACHE=/cache
VOLUME ["/wheels", "/cache"]
ENTRYPOINT ["runtime", "wheels", "build", "--wheel-index", "/wheels"]
CMD ["pydantic-core", "rpds-py", "msgspec", "regex", "multidict", "frozenlist", "propcache", "yarl", "markupsafe", \
     "wrapt", "simplejson", "ujson", "charset-normalizer", "aiohttp", "msgpack", "orjson"]
