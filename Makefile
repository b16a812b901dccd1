# Everything a developer does with Roster. It needs Go, make and a shell, and nothing else.

# The manifests that `make up` applies; empty: none.
SAMPLES ?= config/samples/acme
# The port of the API server of `make up`; empty: any free one.
PORT ?=
# A peribolos configuration for `make demo`.
DATA ?= ../shared/data/peribolos/kubernetes
# How many processes share the tests of one suite.
PROCS ?= 2

# The race detector needs a C compiler.
RACE ?= $(if $(shell command -v cc),--race)
# Two processors are scarcer here than memory, for the tests and all servers that they start; and nobody debugs the binaries.
GINKGO = GOGC=400 go tool ginkgo run -r --procs=$(PROCS) $(RACE) --ldflags="-s -w" --keep-going --randomize-all --fail-on-pending \
	--timeout=30m --poll-progress-after=2m --output-dir=bin/reports $(if $(MAKE_TERMOUT),,--no-color)
GOLANGCI_LINT = go tool -modfile=hack/tools/go.mod golangci-lint
LOCAL = ROSTER_MANAGER=$(CURDIR)/bin/roster go run ./hack/local

# The Go version that go.mod names, even where the environment pins an older one: that one has known vulnerabilities.
export GOTOOLCHAIN = auto

.DEFAULT_GOAL := help
# One after the other: each of the heavy ones uses all processors by itself.
.NOTPARALLEL:
.PHONY: help up down status demo build k8s generate manifests verify vulnerabilities vet lint unit integration e2e test bench

help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run

up: k8s build ## Start a control plane and Roster on 127.0.0.1. SAMPLES= applies none, PORT=6443 asks for a port.
	@$(LOCAL) up --samples=$(SAMPLES) --port=$(or $(PORT),0)

down: ## Stop what `make up` started, and remove its data.
	@go run ./hack/local down

status: ## Show what of `make up` runs.
	@go run ./hack/local status

demo: k8s build ## Import a real organization (DATA=PATH) and show how long it takes to converge.
	@$(LOCAL) demo --data=$(DATA) --port=$(or $(PORT),0)

##@ Build

build: ## Build bin/roster and bin/kubectl-roster.
	@mkdir -p bin
	go build -o bin/ ./cmd/...

k8s: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl, once, and link them into bin/k8s.
	@go run ./hack/controlplane

generate: ## Generate the DeepCopy methods of the API types, and the OpenAPI description of the view API.
	go tool controller-gen object paths=./api/...
	hack/openapi.sh

manifests: ## Generate the CustomResourceDefinitions and docs/reference/api.md from them.
	go tool controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	go run ./hack/apidocs config/crd/bases docs/reference/api.md

##@ Check

test: verify vulnerabilities vet lint unit integration e2e ## Everything that must pass.
	@go run ./hack/securitytests docs/security.md bin/reports/*.json
	@go run ./hack/testcount bin/reports/*.json

verify: ## Check that generated files are current and go.mod is tidy.
	@hack/verify.sh

vulnerabilities: ## Fail if the binaries call code with a known vulnerability that has a fix.
	@hack/vulnerabilities.sh

vet: ## Run go vet.
	go vet ./...

lint: ## Run golangci-lint.
	$(GOLANGCI_LINT) run

unit: ## Run the tests that need no API server.
	$(if $(RACE),,@echo "no C compiler (cc): the tests run without the race detector")
	@mkdir -p bin/reports
	$(GINKGO) --json-report=unit.json $(wildcard api cmd hack internal)

# Those of test/restart wait for minutes in which nothing may happen, so they run beside the others and are shown after them.
integration: k8s build ## Run the tests against a real API server.
	@mkdir -p bin/reports
	@export ROSTER_MANAGER=$(CURDIR)/bin/roster; \
	$(GINKGO) --json-report=restart.json test/restart > bin/reports/restart.log 2>&1 & restart=$$!; \
	$(GINKGO) --json-report=integration.json --skip-package=test/e2e,test/restart $(wildcard controllers test); others=$$?; \
	wait $$restart; restart=$$?; cat bin/reports/restart.log; exit $$((others + restart))

e2e: k8s build ## Run the end-to-end tests: the control plane, Roster as a process, users asking for access.
	@mkdir -p bin/reports
	ROSTER_MANAGER=$(CURDIR)/bin/roster $(GINKGO) --json-report=e2e.json test/e2e

bench: k8s build ## Run the benchmarks and print three tables. ARGS=--help shows how to run parts.
	@ROSTER_MANAGER=$(CURDIR)/bin/roster go run ./test/benchmarks $(ARGS)
