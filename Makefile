GO       ?= go
FUZZTIME ?= 60s
DATABASE ?= sqlite:tmp/roster.db
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
export GO

.PHONY: help fmt lint test test-faults check bench fuzz rules run docs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' Makefile

fmt: ## format the code
	$(GOLANGCI) fmt

lint: ## run the linters; they report formatting too
	$(GOLANGCI) run

test: ## run all tests, on PostgreSQL and Redis servers of their own
	scripts/test

test-faults: ## run the tests that kill and freeze servers
	scripts/test -v -run '^TestFault' ./integration_test ./cmd/roster

check: ## all that CI runs
	.ci/run

bench: ## measure against the floor and print the table
	scripts/servers $(GO) run ./bench

fuzz: ## run every fuzz test for FUZZTIME (60s)
	@grep -rEo '^func Fuzz\w+' --include='*_test.go' . | while IFS=: read -r file fuzz; do \
		fuzz=$${fuzz#func }; \
		$(GO) test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

rules: ## check that every rule in docs/rules is named by a test
	$(GO) run ./internal/rules

run: ## serve on an SQLite file in tmp/, for trying things out
	@mkdir -p tmp
	$(GO) run ./cmd/roster serve --dev --database '$(DATABASE)'

docs: ## write the generated files anew
	$(GO) generate ./...
