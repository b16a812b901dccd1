# The images to build with and to run on are arguments, for those who must use a registry or a base image of their own.
ARG BUILDER_IMAGE=golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static:nonroot

FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUILDER_IMAGE} AS builder
ARG TARGETOS=linux
ARG TARGETARCH
# The Go version that go.mod names, if the image has an older one.
ENV GOTOOLCHAIN=auto
WORKDIR /workspace
# The modules change less often than the sources: this layer is used again.
COPY go.mod go.sum ./
RUN go mod download
COPY api/ api/
COPY cmd/ cmd/
COPY controllers/ controllers/
COPY internal/ internal/
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -ldflags "-s -w" -o roster ./cmd/roster

FROM ${BASE_IMAGE}
COPY --from=builder /workspace/roster /roster
USER 65532:65532
ENTRYPOINT ["/roster"]
