# Parley. `make help` lists what there is.
GO      ?= go
BIN     := bin/parley
DATA    ?= ./data
LISTEN  ?= 127.0.0.1:8080
# The client is a module of its own beside ./...
PKGS    := ./... parley/sdk/go/...

.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/parley
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/parley

run: build ## Build and start Parley with simulated providers and a demo tenant (DATA=./data LISTEN=127.0.0.1:8080)
	@$(BIN) serve --simulate --demo --env development --data $(DATA) --listen $(LISTEN)

check: ## Fast checks: format, vet, staticcheck, the architecture, short tests on SQLite
	@test -z "$$(gofmt -l cmd internal sdk test)" || { echo "run make fmt"; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool staticcheck $(PKGS)
	$(GO) test -short -timeout 5m $(PKGS)

test: ## The whole suite on SQLite and PostgreSQL, with small counts; installs what it needs
	@./test/run.sh

soak: ## The whole suite with full counts; writes docs/soak.md
	@PARLEY_SOAK=1 ./test/run.sh

bench: build ## Measure, as ratios to bounds of the same run
	@./test/bench/run.sh

fmt: ## Format the Go code
	gofmt -w cmd internal sdk test

clean: ## Remove what was built (not the data)
	rm -rf bin

.PHONY: help build run check test soak bench fmt clean
