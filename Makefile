# Everything that is done with Strata, by name. `make` lists it.
#
# Needed: Go (the version of go.mod), Node.js 20 or newer with npm, and GNU make.
# Nothing is installed outside this directory.

GO          ?= go
NPM         ?= npm
PYTHON      ?= python3
MVN         ?= mvn
DATA        ?= data
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -X main.version=$(VERSION)
NPM_CI      := $(NPM) ci --no-audit --no-fund --loglevel=error

# What is built and what is tested share one cache of compiled packages only when both
# are compiled with the same flags.
export GOFLAGS := $(strip $(GOFLAGS) $(if $(findstring -trimpath,$(GOFLAGS)),,-trimpath))

# npm writes this file when it has installed everything, so it is the stamp.
INSTALLED   := node_modules/.package-lock.json
WEB_SOURCES := $(shell find web/src web/public web/docs web/index.html web/vite.config.ts web/package.json -type f 2>/dev/null)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z0-9-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- build -------------------------------------------------------------------

.PHONY: build
build: web binary ## build bin/strata with the console inside

# Go knows by itself what has changed, so this is always asked and mostly quick.
.PHONY: binary
binary:
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/strata ./cmd/strata

.PHONY: web
web: web/dist/index.html ## build the console and the documentation page

web/dist/index.html: web/$(INSTALLED) $(WEB_SOURCES)
	$(NPM) run --prefix web build
	@touch $@

.PHONY: engine
engine: deploy/engine/$(INSTALLED) ## download the embedded ClickHouse engine

%/$(INSTALLED): %/package-lock.json
	$(NPM_CI) --prefix $*
	@touch $@

.PHONY: run
run: engine build ## build everything and start the server (DATA=dir, default ./data)
	bin/strata serve --data-dir $(DATA)

# --- test --------------------------------------------------------------------

.PHONY: test
test: test-go test-web ## quick tests: everything that needs no running server

.PHONY: test-go
test-go: engine
	$(GO) test ./...

.PHONY: test-web
test-web: web/$(INSTALLED)
	$(NPM) run --prefix web test

.PHONY: test-long
test-long: export STRATA_CRASH_ROUNDS ?= 100
test-long: test race e2e sdk interop conformance browser eventstore crash kafka cluster-test cluster-e2e metamorphic ## all tests: quick ones, races, real processes, browser

.PHONY: race
race: engine ## quick tests with the race detector
	$(GO) test -race ./...

.PHONY: e2e
e2e: engine build .cache/bin/versitygw ## the real server, every operation from outside
	$(GO) test -tags e2e -count=1 -timeout 15m ./test/e2e/...

# An S3 server, for the connectors.
.cache/bin/versitygw:
	GOBIN=$(CURDIR)/.cache/bin $(GO) install github.com/versity/versitygw/cmd/versitygw@v1.8.0

.PHONY: sdk
sdk: engine build test/sdk/node/$(INSTALLED) .cache/venv/ready ## the official OpenAI packages and an MCP server against the real server
	$(GO) test -tags e2e -count=1 -timeout 15m ./test/sdk/...

.cache/venv/ready: test/sdk/python/requirements.txt
	$(PYTHON) -m venv .cache/venv
	.cache/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: interop
interop: binary test/interop/node/$(INSTALLED) .cache/interop-venv/ready ## EventStoreDB clients of others against strata eventstore
	$(GO) mod download github.com/goombaio/namegenerator@v0.0.0-20181006234301-989e774b106e github.com/stretchr/testify@v1.12.1
	$(GO) test -tags e2e -count=1 -timeout 10m ./test/interop/...

.cache/interop-venv/ready: test/interop/python/requirements.txt
	$(PYTHON) -m venv .cache/interop-venv
	.cache/interop-venv/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

MANIFESTS := $(filter-out %/kustomization.yaml %/monitoring.yaml,$(wildcard deploy/kubernetes/*.yaml deploy/kubernetes/*/*.yaml))

# Nobody is at the brokers' address: the relay fails, and shows the metrics that
# alerts look at. The tests of deploy/ are a module of their own, and read files outside of it,
# which go test's cache does not know of.
.PHONY: deploy-check
deploy-check: engine build .cache/venv-deploy/ready ## image, compose, Kubernetes manifests, dashboard and alerts
	cd deploy/checks && $(GO) vet ./... && STRATA_KAFKA_BROKERS=127.0.0.1:1 $(GO) test -count=1 -timeout 5m ./...
	.cache/venv-deploy/bin/kubernetes-validate --strict --quiet --kubernetes-version 1.31 $(MANIFESTS)
	.cache/venv-deploy/bin/kubernetes-validate --strict --quiet $(MANIFESTS)

.cache/venv-deploy/ready: deploy/checks/requirements.txt
	$(PYTHON) -m venv .cache/venv-deploy
	.cache/venv-deploy/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: conformance
conformance: engine build .cache/venv-conformance/ready .cache/bin/versitygw ## every documented operation of the published APIs, and random requests
	$(GO) test -tags e2e -count=1 -timeout 15m ./test/conformance/...

.cache/venv-conformance/ready: test/conformance/requirements.txt
	$(PYTHON) -m venv .cache/venv-conformance
	.cache/venv-conformance/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: browser
browser: engine build web/$(INSTALLED) ## the console in a browser against the real server
	$(GO) test -tags e2e -count=1 -timeout 15m ./test/browser/...

.PHONY: eventstore
eventstore: binary ## kill -9 and pause strata eventstore under appends
	$(GO) test -tags e2e -count=1 -timeout 3m -v ./test/eventstore/...

.PHONY: crash
crash: engine build ## kill -9 under load, STRATA_CRASH_ROUNDS rounds (default 10)
	$(GO) test -tags e2e -count=1 -timeout 60m -v ./test/crash/...

.PHONY: kafka
kafka: engine build .cache/kafka/jars/ready ## messages and the relay over a real Apache Kafka, which needs Java 17 and Maven
	$(GO) test -tags e2e -count=1 -timeout 10m ./test/kafka/...

.cache/kafka/jars/ready: test/kafka/pom.xml
	rm -rf $(@D)
	$(MVN) -q -B -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(@D)
	@touch $@

# A cluster has Kafka where Java and Maven are there, and says so where they are not.
CLUSTER_KAFKA := $(if $(and $(shell command -v java),$(shell command -v $(MVN))),.cache/kafka/jars/ready)

.PHONY: cluster
cluster: engine build $(CLUSTER_KAFKA) ## every role as processes of its own on this machine, Kafka too where Java and Maven are; Ctrl-C stops all
	$(GO) run ./test/cluster/run

.PHONY: cluster-test
cluster-test: engine build $(CLUSTER_KAFKA) ## kill, pause and cut off the processes of a cluster under load
	$(GO) test -tags e2e -count=1 -timeout 10m -v ./test/cluster

# Tests that start, stop or damage a server of their own: a cluster is not theirs.
OWN_SERVER := BackupAndRestore|DumpAndLoad|DiskFull|Erasure|ErasureSurvivesKills|Draining|HangingCallsDoNotKeepItFromStopping|OneProcessPerDataDirectory|RestartKeepsEverything|Stranger|Tools|WithoutClickHouse|LiveEventsSurviveRestarts|RebuildBesideTheLivingModel|Scavenge

.PHONY: cluster-e2e
cluster-e2e: engine build $(CLUSTER_KAFKA) ## the end-to-end tests against a cluster
	$(GO) run ./test/cluster/run -- $(GO) test -tags e2e -count=1 -timeout 10m -skip '^Test($(OWN_SERVER))$$' ./test/e2e

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 30s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | grep -v node_modules | while read -r file; do \
	  grep -oE '^func Fuzz[A-Za-z0-9_]*' "$$file" | while read -r _ name; do \
	    echo "=== $$(dirname "$$file") $$name"; \
	    $(GO) test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
	  done || exit 1; \
	done

.PHONY: metamorphic
metamorphic: ## fold random histories the troubled way and compare rows, STRATA_METAMORPHIC long (default 60s)
	STRATA_METAMORPHIC=$(or $(STRATA_METAMORPHIC),60s) $(GO) test -count=1 -timeout 30m -v -run '^TestMetamorphic$$' ./cmd/strata

# --- quality -----------------------------------------------------------------

.PHONY: lint
lint: web/$(INSTALLED) ## formatting, vet, staticcheck, types of the console
	@files=$$(git ls-files '*.go' | xargs gofmt -l); if [ -n "$$files" ]; then echo "not formatted (gofmt -w):"; echo "$$files"; exit 1; fi
	$(GO) vet -tags e2e ./...
	$(GO) run $(STATICCHECK) -tags e2e ./...
	$(NPM) run --prefix web lint

.PHONY: bench
bench: engine build ## measure, and print one table
	$(GO) run ./test/bench

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf bin .cache web/dist/assets web/dist/docs web/dist/index.html
