# Everything a newcomer needs; `make help` explains each target.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev data study smoke test test-all check format lock audit bench bench-stats bench-setup bench-lock serve lane clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RESULTS ?= results
BENCH := benchmarks/comparison
BENCH_VENV := .venv-bench

# Settings of the user that would install elsewhere, or run other code than what is installed
unexport PIP_TARGET PIP_PREFIX PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PIP_USER = 0
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# This machine's uv, or the one that pip installs into .venv
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

# $(call install,ENVIRONMENT,ARGUMENTS): by uv; if it is missing or fails, by pip, which takes several times as long
install = { $(UV) pip install --python $(1)/bin/python $(2) || \
  { echo "uv could not install this, so pip does; it takes minutes"; $(1)/bin/python -m pip install $(2); }; }

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with the locked dependencies and the `study` command

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v < (3, 14); \
	  sys.exit(0 if ok else f"Python 3.11 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; try make PYTHON=python3.11")'
	@$(PYTHON) -c 'import sys; from importlib.util import find_spec; \
	  lacks = [m for m in ("sqlite3", "ssl", "ctypes", "bz2", "lzma") if not find_spec("_" + m)]; \
	  sys.exit(f"$(PYTHON) was built without the modules {lacks}; install another Python, make PYTHON=…" if lacks else 0)'
	@echo "setting up $(VENV), once: downloads 0.9 GB, takes 3 GB of disk"
	@$(PYTHON) -m venv $(VENV)
	@$(UV) --version >/dev/null 2>&1 || \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-uv.lock || true
	@$(call install,$(VENV),--no-deps --require-hashes -r requirements.lock)
	@$(call install,$(VENV),--no-deps --no-build-isolation -e .)
	@$(BIN)/python -m tasks.engines.engine
	@$(BIN)/python -m flows.serving.database
	@touch $@

setup-dev: $(VENV)/.installed-dev ## Add to .venv what checks and tests the code

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "adding to $(VENV) what checks and tests the code: downloads 0.2 GB"
	@$(call install,$(VENV),--no-deps --require-hashes -r $<)
	@touch $@

data: setup ## Get the real Fashion-MNIST, verify it, keep it in the cache
	@$(BIN)/study data

study: setup ## Run the whole lab study and print the path of its report
	@$(BIN)/study run lab --results $(RESULTS)

smoke: setup ## Run every step on a few thousand images, in about a minute
	@$(BIN)/study run smoke --results $(RESULTS)

test: setup-dev ## Run the tests that start few processes, in minutes
	@$(BIN)/python -m pytest -m "not slow"

test-all: setup-dev ## Run all tests: lanes, flows and servers killed, hosts cut off, the UI in a browser
	@$(BIN)/python -m pytest

check: setup-dev ## Format, lint, import floors, columns and types, as CI does
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.subscripts
	@$(BIN)/mypy

format: setup-dev ## Format the code and let lint fix it
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

lock: ## Lock the dependencies again (after make setup)
	$(COMPILE) pyproject.toml --extra s3 --output-file requirements.lock
	$(COMPILE) --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group setup --output-file requirements-uv.lock

audit: ## Look for known vulnerabilities of the locked dependencies (needs the network)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" && \
	  "$$folder/bin/pip" install -qq --disable-pip-version-check pip-audit && \
	  "$$folder/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off \
	    -r requirements.lock -r requirements-dev.lock -r requirements-uv.lock

bench: setup bench-setup ## Compare with the notebook loop, Ray Tune, KerasTuner and Optuna (half an hour on two cores)
	@$(BIN)/python -m benchmarks.comparison

bench-stats: setup ## Simulate 10,000 studies whose truth is known: false claims, coverage, power (minutes)
	@$(BIN)/python -m benchmarks.statistics

bench-setup: $(BENCH_VENV)/.installed ## Make .venv-bench with the packages that the benchmark compares with

$(BENCH_VENV)/.installed: $(BENCH)/requirements.lock | $(VENV)/.installed
	@echo "setting up $(BENCH_VENV), once: downloads 0.1 GB more"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(call install,$(BENCH_VENV),--no-deps --require-hashes -r $<)
	@touch $@

bench-lock: ## Lock the benchmark's packages again, at the product's own versions (after make setup)
	$(COMPILE) $(BENCH)/requirements.in --constraints requirements.lock --output-file $(BENCH)/requirements.lock

serve: setup ## Start Prefect's server with UI, schedule and worker on this machine; Ctrl-C stops all
	@$(BIN)/study serve

lane: setup ## Start this machine's lanes for a scheduler elsewhere: make lane SCHEDULER=tls://host:8786
	@$(BIN)/study lane "$(SCHEDULER)"

clean: ## Remove the environment and caches of tools; results stay
	@rm -rf $(VENV) $(BENCH_VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
