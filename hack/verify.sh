#!/bin/sh
# Generates everything again in a copy, and fails where the work tree differs.
set -eu
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/internal/view" "$copy/hack"
cp -R go.mod go.sum api "$copy"
cp -R internal/view/openapi "$copy/internal/view"
cp hack/openapi.sh "$copy/hack"
(
	cd "$copy"
	rm -f api/v1alpha1/zz_generated.deepcopy.go
	go tool controller-gen object paths=./api/...
	hack/openapi.sh
	go tool controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
)
go run ./hack/apidocs "$copy/config/crd/bases" "$copy/api.md"

status=0
diff -ru api "$copy/api" || status=1
diff -ru internal/view/openapi "$copy/internal/view/openapi" || status=1
diff -ru config/crd/bases "$copy/config/crd/bases" || status=1
diff -u docs/reference/api.md "$copy/api.md" || status=1
if [ $status -ne 0 ]; then
	echo "generated files are not current: run \`make generate manifests\` and commit what changes" >&2
	exit 1
fi

if ! go mod tidy -diff; then
	echo "go.mod or go.sum is not tidy: run \`go mod tidy\` and commit what changes" >&2
	exit 1
fi
