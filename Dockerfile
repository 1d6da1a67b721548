# One static binary and nothing else. Build: docker build -t brownout .
# For other platforms: docker buildx build --platform linux/amd64,linux/arm64 . (the compiler runs on the builder's own).
# With buildah, `--format docker` keeps the healthcheck, which the OCI format has no place for.
ARG BUILDPLATFORM
FROM --platform=${BUILDPLATFORM:-linux/amd64} golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
ARG VERSION=
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X brownout/agent.Version=${VERSION}" -o /out/root/brownout ./agent/brownout \
 && mkdir -p /out/root/etc/ssl/certs /out/root/tmp /out/state/brownout \
 && cp /etc/ssl/certs/ca-certificates.crt /out/root/etc/ssl/certs/ \
 && chmod 1777 /out/root/tmp && chmod 0700 /out/state/brownout

FROM scratch
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="brownout" \
      org.opencontainers.image.description="Sweeps a small address space and tells total outages from partial ones" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/root/ /
COPY --from=build --chown=65532:65532 /out/state/ /var/lib/
# No file capability on the binary: it could not be executed at all where NET_RAW is not in the bounding set. ICMP is asked
# through the unprivileged socket, which Docker's ping_group_range permits, or a raw one with --cap-add NET_RAW.
USER 65532:65532
# The store's folder, unless the configuration names another.
ENV STATE_DIRECTORY=/var/lib/brownout
VOLUME ["/var/lib/brownout"]
EXPOSE 8413
HEALTHCHECK --interval=1m --timeout=10s --start-period=30s CMD ["/brownout", "healthcheck"]
ENTRYPOINT ["/brownout"]
CMD ["run"]
