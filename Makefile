# The one door. Every target works on a fresh machine: it makes .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench lab screenshots clean

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## .venv with the package and everything that tests and checks need

$(STAMP): pyproject.toml
	@echo "installing into $(VENV): half a minute to a minute, 0.4 GB, once"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "uv>=0.5.20"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable ".[test,check,demo]"
	touch $(STAMP)

demo: $(STAMP)  ## a fresh machine → the example notebook's environment as a verified image
	tests/rig/with-engine $(BIN)/python examples/demo.py

# All of them are the work of two, each with a rig of its own; a worker that died is not to be replaced unseen.
test: $(STAMP)  ## a fresh machine → everything installed, engines started, all tests
	tests/rig/with-engine --all --rigs $(if $(ARGS),1,2) \
	  $(BIN)/python -m pytest $(or $(ARGS),--numprocesses auto --max-worker-restart 0)

check: $(STAMP)  ## lint, types, and the floors of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## every figure that README quotes, into benchmarks/RESULTS.md
	tests/rig/with-engine $(BIN)/python -m benchmarks $(ARGS)

screenshots: $(STAMP)  ## the pictures of README (needs chromium: apt-get install chromium)
	$(BIN)/uv pip install --quiet --python $(BIN)/python playwright
	tests/rig/with-engine $(BIN)/python docs/screenshots.py

lab: $(STAMP)  ## JupyterLab on the example notebook, with the magics installed
	tests/rig/with-engine $(BIN)/jupyter lab --notebook-dir examples penguins.ipynb

clean:  ## stops the rig's engines; --purge in tests/rig/README.md removes their data too
	tests/rig/down
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
