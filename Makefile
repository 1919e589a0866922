# The two commands are `make demo` and `make test`. Each sets up all that it needs in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROOMS  := fieldhouse registry warehouse training featureserver serving
CODE   := $(ROOMS) feature_repo tests bench lock
say     = @printf '\n== %s\n' "$(1)"

.PHONY: help demo test test-all check format docs lock bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## from nothing to a served prediction, on real data
	$(BIN)/fieldhouse demo

test: $(VENV)/.test  ## the five-minute suite, on a real Redis and a real PostgreSQL
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: test $(VENV)/.all  ## make test, then what is slow or needs more: Spark, faults, the demo
	$(BIN)/python -m pytest -n 2 -m slow

check: $(VENV)/.test  ## what a pull request must pass besides the tests
	$(call say,ruff: format)
	$(BIN)/ruff format --check $(CODE)
	$(call say,ruff: lint)
	$(BIN)/ruff check $(CODE)
	$(call say,mypy: strict)
	$(BIN)/mypy
	$(call say,import contracts: rooms in layers and pure cores)
	$(BIN)/lint-imports
	$(call say,architecture: contracts that notice; locks; the public door; tracked files)
	$(BIN)/python -m pytest -q -p no:randomly tests/architecture
	$(call say,check: all passed)

format: $(VENV)/.test  ## format and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

docs: $(VENV)/.test  ## write docs/commands.md and docs/settings.md from the code
	$(BIN)/python -m fieldhouse.docs

lock:  ## refresh the hash-pinned locks from pyproject.toml
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install -q 'uv>=0.5'
	$(VENV)/lock/bin/python lock/refresh.py

bench: $(VENV)/.all  ## measure against the peers; writes bench/out/*.json
	$(BIN)/python -m bench

clean:  ## remove what was built, the virtual environment included
	rm -rf $(VENV) .fieldhouse *.egg-info

# One environment, three depths: each lock holds the one before it.
$(VENV)/.demo: lock/demo.txt pyproject.toml
	PYTHON=$(PYTHON) lock/install.sh $(VENV) demo
$(VENV)/.test: lock/test.txt pyproject.toml
	PYTHON=$(PYTHON) lock/install.sh $(VENV) test
$(VENV)/.all: lock/all.txt pyproject.toml
	PYTHON=$(PYTHON) lock/install.sh $(VENV) all
