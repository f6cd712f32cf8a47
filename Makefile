# gonogo: make help lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
BIN       := bin/gonogo
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS   := -s -w -X main.version=$(VERSION)
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME  ?= 20s
E2E       := ./internal/labtest ./internal/platform/cluster ./internal/e2e

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/gonogo
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/gonogo

.PHONY: build-all
build-all: ## cross-compile for linux, darwin and windows on amd64 and arm64
	@for p in $(PLATFORMS); do \
	  out=dist/gonogo-$${p%/*}-$${p#*/}; [ $${p%/*} = windows ] && out=$$out.exe; \
	  echo "$$out"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $$out ./cmd/gonogo; \
	done

.PHONY: demo
demo: build ## show the board on the simulated platform
	./$(BIN) --demo

.PHONY: test
test: ## run the tests; needs nothing but Go and a C compiler
	$(GO) test -race -shuffle=on -timeout 30m $$($(GO) list ./... | grep -v /cmd/gonogo$$)
	$(GO) test -race -shuffle=on -timeout 30m ./cmd/gonogo # with the time limits of real checks, so not beside others
	$(GO) test -shuffle=on -timeout 30m -run '^TestNoBadWorldIsGo$$' ./internal/sim # every world, everything asked

.PHONY: lab-build
lab-build: ## build the lab's servers into the cache (slow once, instant afterwards)
	testdata/lab/build.sh

.PHONY: e2e
e2e: lab-build build ## run the binary and the connections against real servers
	$(GO) test -tags e2e -race -shuffle=on -count=1 -timeout 40m -p 1 $(E2E)

.PHONY: fmt-check
fmt-check: ## fail if a file is not formatted
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }

.PHONY: tidy-check
tidy-check: ## fail if go.mod or go.sum is not what the imports need
	$(GO) mod tidy -diff

.PHONY: vet
vet: ## go vet, with and without the end-to-end tests
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...

.PHONY: lint
lint: vet fmt-check ## golangci-lint, if it is installed
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; else echo "golangci-lint is not installed: vet and gofmt only"; fi

.PHONY: check
check: fmt-check tidy-check vet test ## what CI runs besides e2e

.PHONY: bench
bench: bench-code bench-scale ## benchmarks, and what a cluster of 1,000 nodes and 10,000 pods costs

.PHONY: bench-code
bench-code: ## benchmarks of the code alone; compare two runs with benchstat
	$(GO) test -run '^$$' -bench . -benchmem -count 6 ./probes ./tui ./internal/platform/...

.PHONY: bench-scale
bench-scale: lab-build build ## memory, CPU, first board and bytes per minute on 1,000 nodes and 10,000 pods
	GONOGO_SCALE=1 $(GO) test -tags e2e -count=1 -timeout 30m -run '^TestScale' -v ./internal/e2e

.PHONY: bench-mirror
bench-mirror: lab-build ## copying images beside crane, regsync and skopeo, on the same registries in one run
	GONOGO_BENCH_MIRROR=1 GONOGO_BENCH_TOOLS=$$(testdata/bench/tools.sh) $(GO) test -tags e2e -count=1 -timeout 60m -run '^TestBenchMirror$$' -v ./internal/e2e

.PHONY: fuzz
fuzz: ## fuzz everything that parses foreign bytes, FUZZTIME each
	@$(GO) list ./... | while read -r pkg; do \
	  for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x "$$pkg"; \
	  done; \
	done

.PHONY: golden
golden: ## rewrite the golden frames and reports; look at the difference before committing it
	$(GO) test ./tui ./internal/report -update

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
