# Everything a developer, an operator or CI starts by hand. `make` alone lists it.
# Another Python: make setup PYTHON=/opt/python3.13/bin/python3

PYTHON =
BIN = .venv/bin
STEP = @sh tools/step.sh
PYTEST = $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-tests lint run test quick check check-long bench drill lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: ## make .venv with all that developing and testing needs
	@PYTHON="$(PYTHON)" sh tools/setup.sh dev

setup-run:
	@PYTHON="$(PYTHON)" sh tools/setup.sh run

setup-tests: setup
	@sh tools/test_tools.sh

run: setup-run ## start the demo country in ./demo, with an address to open
	@$(BIN)/kulla up --demo demo

lint:
	$(STEP) "ruff format" $(BIN)/ruff format --quiet --diff .
	$(STEP) "ruff check" $(BIN)/ruff check --quiet .
	$(STEP) "mypy" $(BIN)/mypy
	$(STEP) "lint-imports" $(BIN)/lint-imports --no-logo

check: setup lint ## format, lint, types, import directions, docs: nothing that starts a server
	@KULLA_TEST_PROFILE=quick $(PYTEST) -q tests/style

quick: setup lint ## what to run while writing: check, policies, contracts and golden journals, in a minute
	@KULLA_TEST_PROFILE=quick $(PYTEST) -q -n auto --dist loadfile -m "not live and not browser and not long" \
		tests/style tests/contracts tests/policy tests/simulated/test_scribe.py \
		tests/properties/test_golden_journals.py --ignore-glob '*watch*' --ignore-glob '*sigma*'

test: setup-tests lint ## check, and every test but the long ones
	@KULLA_TEST_PROFILE=ci $(PYTEST) --durations=15 -m "not long"

check-long: setup-tests ## the long tests: more examples, more seeds, whole drills
	@KULLA_TEST_PROFILE=long $(PYTEST) --durations=15 -m "long"

bench: setup-run ## measure speed on this machine
	@$(BIN)/kulla bench all

drill: setup-run ## wipe a throwaway tower and count what was lost
	@$(BIN)/kulla drill wipe --seed 1

lock: ## choose library versions anew and write both lock files
	@PYTHON="$(PYTHON)" sh tools/lock.sh

clean: ## remove .venv and caches; a demo country's folder stays
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
