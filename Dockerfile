# syntax=docker/dockerfile:1
#
#   docker build --build-arg VERSION=v1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t parley .
#   docker run -p 8080:8080 -v parley:/var/lib/parley parley
#
# The image holds one static binary, the certificates that it trusts, and nothing else: no shell, no
# package manager. Zones of time are inside the binary.

ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
# The modules first: they change less often than the source.
COPY go.mod go.sum ./
COPY sdk/go/go.mod sdk/go/go.sum ./sdk/go/
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION="" REVISION=""
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X parley/internal/telemetry.version=${VERSION} -X parley/internal/telemetry.revision=${REVISION}" \
      -o /out/bin/parley ./cmd/parley
# Folders that the server writes to, owned by its user: a fresh volume takes the owner over.
RUN install -d -m 0700 -o 65532 -g 65532 /out/var/lib/parley && install -d -m 1777 /out/tmp \
 && install -d /out/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && printf 'parley:x:65532:65532:parley:/var/lib/parley:/sbin/nologin\n' >/out/etc/passwd \
 && printf 'parley:x:65532:\n' >/out/etc/group

FROM scratch
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.title="Parley" \
      org.opencontainers.image.description="Self-hosted conversational CRM and customer-engagement server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/ /
USER 65532:65532
ENV PARLEY_DATA=/var/lib/parley PARLEY_LISTEN=0.0.0.0:8080 PARLEY_LOG_FORMAT=json
WORKDIR /var/lib/parley
VOLUME /var/lib/parley
EXPOSE 8080
STOPSIGNAL SIGTERM
# It asks through the command socket in the data folder, whatever address the API listens on.
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=3 CMD ["/bin/parley", "health"]
ENTRYPOINT ["/bin/parley"]
CMD ["serve"]
