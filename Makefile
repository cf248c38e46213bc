# Everything runs in .venv, which `make setup` makes. Needed beforehand: Python 3.11 or newer, make, a package index.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The Python to build .venv with, e.g. `make setup PYTHON=python3.12`; without it the first one found that is new enough.
PYTHON ?=
# Logs of your own for `make report LOGS=dir`; without it, sample traffic.
LOGS =
# A source to report on as it is, e.g. `make report SOURCE=log-analytics://WORKSPACE-ID`.
SOURCE =
# Where reports go.
OUT = reports
# More arguments for pytest, e.g. `make test ARGS="-k parser"`.
ARGS =

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test
# A comma that `call` does not take for the end of an argument.
COMMA := ,
PIP_INSTALL = if $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable "$(1)"; \
	then :; else \
		echo "uv could not install; trying pip, which is slower." >&2; \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable "$(1)"; \
	fi

.PHONY: help setup setup-test test-programs report sandbox sandbox-report lint test accuracy bench bench-logs bench-report faults docs site exports \
	constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv with the project and its `aoai` command

setup-test: $(INSTALLED_TEST)

$(BIN)/python:
	@for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			found=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "make: no Python 3.11 or newer found (tried: $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python))." \
			"Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)"; \
	if ! "$$found" -m venv $(VENV); then \
		rm -rf $(VENV); \
		echo "make: $$found cannot make a virtual environment; on Debian and Ubuntu install its python3-venv package." >&2; \
		exit 1; \
	fi

$(BIN)/uv: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py | $(BIN)/uv
	@echo "Installing the project"
	@$(call PIP_INSTALL,.[all])
	@touch $@

$(INSTALLED_TEST): $(INSTALLED)
	@echo "Installing what the tests need"
	@$(call PIP_INSTALL,.[all$(COMMA)clients$(COMMA)test])
	@touch $@

# Optional programs: a test that needs one skips, and says its name, where it could not be had.
test-programs:
	@missing=; \
	command -v npm >/dev/null || missing="nodejs npm"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian's packages for some tests:" $$missing; \
		export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get -qq update || apt-get -qq update; } >/dev/null 2>&1 </dev/null || :; \
		for package in $$missing; do \
			apt-get -qq install --yes --no-install-recommends $$package >/dev/null 2>&1 </dev/null || \
				echo "apt-get could not install $$package; the tests that need it will skip." >&2; \
		done; \
	fi
	@if command -v npm >/dev/null; then \
		find tests -name package-lock.json -not -path '*/node_modules/*' | while read -r lock; do \
			dir=$$(dirname "$$lock"); \
			if [ ! "$$dir/node_modules/.package-lock.json" -nt "$$lock" ]; then \
				echo "Installing $$dir/node_modules"; \
				npm ci --prefix "$$dir" --no-audit --no-fund --loglevel=error </dev/null || \
					echo "npm could not install $$dir/node_modules; the tests that need it will skip." >&2; \
			fi; \
		done; \
	fi

# Sample traffic has a lake of its own, so that it never mixes with the numbers of your logs in ./lake.
report: setup ## HTML report of sample traffic, of your logs (LOGS=dir) or of a source (SOURCE=log-analytics://…)
ifneq ($(SOURCE),)
	@$(BIN)/aoai report --source "$(SOURCE)" --output "$(OUT)"
else ifneq ($(LOGS),)
	@$(BIN)/aoai ingest "$(LOGS)" --lake lake
	@$(BIN)/aoai report --source lake --output "$(OUT)"
else
	@$(BIN)/aoai sample sample --requests 20000
	@$(BIN)/aoai ingest sample/logs --lake sample/lake
	@$(BIN)/aoai report --source sample/lake --output "$(OUT)"
endif
	@test -f "$(OUT)/index.html" || { echo "make: aoai report left no $(OUT)/index.html" >&2; exit 1; }
	@echo "$(OUT)/index.html"

sandbox: setup ## run a gateway on this machine to try everything without Azure
	@$(BIN)/aoai sandbox start

# The sandbox's traffic has a lake of its own, too.
sandbox-report: setup ## HTML report of your calls to the sandbox
	@$(BIN)/aoai ingest sandbox/logs --lake sandbox/lake
	@$(BIN)/aoai report --source sandbox/lake --output "$(OUT)"
	@echo "$(OUT)/index.html"

lint: setup-test ## run ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Hundreds of commands and kernels that tests start would compile the package anew where the environment forbids to keep it.
test: lint test-programs ## run everything that CI checks: lint, then the tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

# A cluster's URL, or that of Kusto's emulator in Docker, e.g. `make kusto CLUSTER=http://localhost:8080`; DATABASE too.
kusto: setup-test ## ask a Kusto cluster (CLUSTER=URL) the documented cases and the library's queries, and compare
	@$(BIN)/python -m tests.kql.on_cluster "$(CLUSTER)" --database "$(or $(DATABASE),NetDefaultDB)" $(ARGS)

accuracy: setup-test ## measure the accuracy of the token estimates
	@$(BIN)/python benchmarks/accuracy.py

bench: setup-test ## measure ingest, queries, commands and reports, e.g. ARGS="--only ingest hour"
	@$(BIN)/python benchmarks/scale.py $(ARGS)

bench-logs: setup-test ## measure how logs are followed and pulled
	@set -e; for script in follow pull; do echo "$$script"; $(BIN)/python benchmarks/$$script.py; done

bench-report: setup-test ## measure the speed of reports, compared with papermill and nbconvert
	@$(BIN)/python benchmarks/report.py

faults: setup-test ## kill, fuzz and mislead for MINUTES (default 60)
	@FAULTS_MINUTES=$(or $(MINUTES),60) $(BIN)/python -m pytest -s --numprocesses 0 tests/faults $(ARGS)

docs: setup ## generate the pages from the queries' headers and the commands' help
	@$(BIN)/python docs/make_docs.py

# MkDocs and its theme, apart from the project's packages: they pin some of the same.
site: $(BIN)/uv ## the documentation as a website, in site/; a link that leads nowhere fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/uv tool run --quiet --python $(BIN)/python --from "mkdocs==1.6.1" --with "mkdocs-material==9.8.2" \
		mkdocs build --quiet --strict
	@echo "site/index.html"

exports: setup ## generate the workbook and the other files for Azure from the queries
	@$(BIN)/aoai export all --output setup_scripts

constraints: $(BIN)/uv ## pin the newest versions that work together, on each Python from 3.11 up, and their hashes
	@echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade \
		--all-extras --no-emit-index-url --no-header --no-annotate --output-file constraints.txt pyproject.toml -
	@echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
		--constraint constraints.txt --all-extras --no-emit-index-url --no-header --no-annotate \
		--output-file requirements.lock pyproject.toml -

clean: ## remove .venv, caches, sample traffic and reports; your lake stays
	rm -rf $(VENV) dist build site sample sandbox reports .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find tests -name node_modules -type d -prune -exec rm -rf {} +
