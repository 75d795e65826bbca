# The menu. Every target is a script under scripts/, which can be run by itself too.

.DEFAULT_GOAL := help
.PHONY: help run test lint fmt e2e bench stop clean setup

help: ## this menu
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the gateway with private stores and a demo project, on this machine
	@scripts/run.sh

test: ## every test: units, real stores, browser
	@scripts/test.sh

lint: ## format, clippy, licences, arrows between the crates
	@scripts/lint.sh

fmt: ## formats the code
	@scripts/fmt.sh

e2e: ## the browser tests alone
	@scripts/e2e.sh

bench: ## figures of speed and cost
	@scripts/bench.sh

stop: ## stops the private stores
	@scripts/stop.sh

clean: ## removes stores with their data, pages and test output
	@scripts/clean.sh

setup: ## installs what run, test and lint need
	@scripts/setup.sh run test lint
