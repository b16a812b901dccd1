#!/bin/sh
# Generates the OpenAPI description of the view API, by which kubectl explain describes its kinds.
set -eu
cd "$(dirname "$0")/.."

kubernetes="k8s.io/apimachinery/pkg/apis/meta/v1 k8s.io/apimachinery/pkg/runtime k8s.io/apimachinery/pkg/version"
# shellcheck disable=SC2086 # One argument for each package.
go tool openapi-gen \
	--output-dir internal/view/openapi \
	--output-pkg github.com/roster-dev/roster/internal/view/openapi \
	--output-file zz_generated.openapi.go \
	--output-model-name-file zz_generated.model_name.go \
	--readonly-pkg "$(echo $kubernetes | tr ' ' ,)" \
	--go-header-file /dev/null \
	--report-filename /dev/null \
	$kubernetes ./api/view/v1alpha1 ./api/self/v1alpha1
