# What a developer of Kontrol does. `make` alone lists it.

GO        ?= go
TESTFLAGS ?=
# One private PostgreSQL for a whole run; see internal/testrun.
TESTRUN   := bin/testrun

.DEFAULT_GOAL := help
.PHONY: help build demo test interop test-deps test-bare lint vet bench bench-docs bench-deps bench-go soak clean $(TESTRUN)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

build: ## build the program into bin/kontrol
	@$(GO) build -buildvcs=auto -o bin/kontrol ./cmd/kontrol

demo: build ## show the program at work on a mail server of its own, with made-up letters
	@bin/kontrol demo

test: test-deps lint vet $(TESTRUN) ## lint, then all tests with the race detector, on private Dovecot and PostgreSQL
	CGO_ENABLED=1 $(TESTRUN) $(GO) test -race -timeout 15m $(TESTFLAGS) ./...

test-bare: vet $(TESTRUN) ## all tests that need neither Dovecot, PostgreSQL nor a C compiler; installs nothing
	KONTROL_TEST_SKIP_SERVERS=1 $(TESTRUN) $(GO) test -timeout 15m $(TESTFLAGS) ./...

interop: test-deps ## run the conformance suite on all servers and write its table into docs/interop.md
	KONTROL_INTEROP=write $(GO) test -count=1 -timeout 15m $(TESTFLAGS) -run '^(TestConformance|TestShapesAreInTheDocument)$$' ./imapsync

test-deps: ## install what the tests need (Debian, Ubuntu); says first what and why
	@sh scripts/test-deps.sh
	@sh scripts/test-mailservers.sh

lint: ## golangci-lint with .golangci.yml, and no file over 500 lines (tests excepted)
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...
	@find . -name '*.go' ! -name '*_test.go' -exec wc -l {} + | awk '$$1 > 500 && $$2 != "total" \
		{print $$2 " has " $$1 " lines: split it (at most 500)"; bad = 1} END {exit bad}'

vet:
	$(GO) vet ./...

BENCHFLAGS ?=
bench: bench-deps ## measure the engine beside other programs and a raw client: BENCHFLAGS="-job triage -n 3"; prints tables
	$(GO) run ./internal/bench $(BENCHFLAGS)

bench-docs: bench-deps ## the same, and write the tables into docs/performance.md
	$(GO) run ./internal/bench -docs docs/performance.md $(BENCHFLAGS)

bench-deps: test-deps ## install the programs to measure beside; says which
	@sh scripts/bench-deps.sh

bench-go: test-deps $(TESTRUN) ## the small benchmarks of single packages (go test -bench)
	$(TESTRUN) $(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(TESTFLAGS) ./...

soak: test-deps $(TESTRUN) ## the long tests (TestSoak…, skipped unless KONTROL_SOAK=1), up to an hour
	KONTROL_SOAK=1 CGO_ENABLED=1 $(TESTRUN) $(GO) test -race -run '^TestSoak' -timeout 60m -v $(TESTFLAGS) ./...

clean: ## remove what was built
	rm -rf bin

# The version stamp is not wanted here, and fails in a checkout that belongs to another account.
$(TESTRUN):
	@$(GO) build -buildvcs=false -o $@ ./internal/testrun
