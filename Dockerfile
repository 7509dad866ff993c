# Tray's three executables in one image: assembler, worker and producer. docker-compose.yml says how they are run.

FROM swift:6.3-bookworm AS build

RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      libsqlite3-dev libzmq3-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /build

# A layer of its own: a change in Sources does not resolve the packages anew.
COPY Package.swift ./
RUN swift package resolve

COPY Sources Sources
RUN for product in assembler worker producer; do \
      swift build -c release --product "$product" || exit; \
    done

# The Swift runtime goes along as shared libraries, once for the three: linked statically it would be in each of
# them, more than 50 MB a time.
RUN mkdir -p /tray/bin /tray/swift \
 && cd .build/release \
 && for product in assembler worker producer; do strip -o "/tray/bin/$product" "$product" || exit; done \
 && ldd assembler worker producer | awk '$3 ~ /\/swift\/linux\// { print $3 }' | sort -u \
      | xargs cp --dereference --target-directory=/tray/swift


FROM debian:bookworm-slim AS system

RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends libsqlite3-0 libzmq5 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* \
      /usr/share/doc /usr/share/info /usr/share/locale /usr/share/man


# All of it as one layer: what was removed is really gone.
FROM scratch

COPY --from=system / /
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin tray \
 && install -d -o tray -g tray /data
COPY --from=build /tray/swift /usr/lib/swift/linux
COPY --from=build /tray/bin /usr/local/bin

# Relative paths are meant from here: config/assembler.yaml, config/worker.yaml, config/menu.yaml.
WORKDIR /tray
COPY config config

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER tray

# tini hands signals on, and collects what a handler's commands leave behind.
ENTRYPOINT ["tini", "--"]
CMD ["producer", "--help"]
