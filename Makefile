# Everything a newcomer needs; `make help` explains each target.
.DEFAULT_GOAL := help
.PHONY: help setup data study smoke test test-all check format lock audit bench bench-stats bench-setup bench-lock serve lane clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RESULTS ?= results
BENCH := benchmarks/comparison
BENCH_VENV := .venv-bench

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with the locked dependencies and the `study` command

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v < (3, 14); \
	  sys.exit(0 if ok else f"Python 3.11 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; try make PYTHON=python3.11")'
	@echo "setting up $(VENV): two to four minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m tasks.engines.engine
	@$(BIN)/python -m flows.serving.temporary
	@touch $@

data: setup ## Get the real Fashion-MNIST, verify it, keep it in the cache
	@$(BIN)/study data

study: setup ## Run the whole lab study and print the path of its report
	@$(BIN)/study run lab --results $(RESULTS)

smoke: setup ## Run every step on a few thousand images, in about a minute
	@$(BIN)/study run smoke --results $(RESULTS)

test: setup ## Run the tests that start few processes, in minutes
	@$(BIN)/python -m pytest -m "not slow"

test-all: setup ## Run all tests: lanes, flows and servers killed, hosts cut off, the UI in a browser
	@$(BIN)/python -m pytest

check: setup ## Format, lint, import floors, columns and types, as CI does
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.subscripts
	@$(BIN)/mypy

format: setup ## Format the code and let lint fix it
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

lock: ## Lock the dependencies again (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --output-file requirements.lock

audit: ## Look for known vulnerabilities of the locked dependencies (needs the network)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" && \
	  "$$folder/bin/pip" install -qq --disable-pip-version-check pip-audit && \
	  "$$folder/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off -r requirements.lock

bench: setup bench-setup ## Compare with the notebook loop, Ray Tune, KerasTuner and Optuna (half an hour on two cores)
	@$(BIN)/python -m benchmarks.comparison

bench-stats: setup ## Simulate 10,000 studies whose truth is known: false claims, coverage, power (minutes)
	@$(BIN)/python -m benchmarks.statistics

bench-setup: $(BENCH_VENV)/.installed ## Make .venv-bench with the packages that the benchmark compares with

$(BENCH_VENV)/.installed: $(BENCH)/requirements.lock
	@echo "setting up $(BENCH_VENV): about a minute, once"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

bench-lock: ## Lock the benchmark's packages again, at the product's own versions (needs uv)
	uv pip compile $(BENCH)/requirements.in --constraints requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --output-file $(BENCH)/requirements.lock

serve: setup ## Start Prefect's server with UI, schedule and worker on this machine; Ctrl-C stops all
	@$(BIN)/study serve

lane: setup ## Start this machine's lanes for a scheduler elsewhere: make lane SCHEDULER=tls://host:8786
	@$(BIN)/study lane "$(SCHEDULER)"

clean: ## Remove the environment and caches of tools; results stay
	@rm -rf $(VENV) $(BENCH_VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
