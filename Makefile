# make run   sets everything up, makes a phantom PET/CT, assesses it and names the report
# make test  sets everything up and runs linter, type checker and all tests
# Both need nothing but Python 3.10 to 3.13 (3.11 and 3.12 are tested); the environment lies in .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
OUTPUT := output
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test test-fast lint clean
.DELETE_ON_ERROR:

run: $(VENV)/.run-ready
	@test -d $(OUTPUT)/phantom/CT || $(BIN)/msiqa phantom --output $(OUTPUT)/phantom
	@$(BIN)/msiqa assess --ct $(OUTPUT)/phantom/CT --pet $(OUTPUT)/phantom/PET \
	  --output $(OUTPUT)/phantom-quality
	@echo
	@echo "Open the report in a browser: $(abspath $(OUTPUT))/phantom-quality/report.html"

# The Slicer tests run apart: PySide6's import hook and PyTorch do not share a process well.
SLICER_TESTS := Testing/scene Testing/slicer_module

test: lint
	$(BIN)/python -m pytest Testing $(SLICER_TESTS:%=--ignore=%)
	$(BIN)/python -m pytest $(SLICER_TESTS)

# Without the tests marked slow.
test-fast: lint
	$(BIN)/python -m pytest -m "not slow" Testing $(SLICER_TESTS:%=--ignore=%)
	$(BIN)/python -m pytest -m "not slow" $(SLICER_TESTS)

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The stamps make a second `make` start at once; a changed pyproject.toml installs again.
$(VENV)/.run-ready: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/.test-ready: pyproject.toml | $(BIN)/python
	$(PIP) install --editable ".[test,training]"
	@touch $@ $(VENV)/.run-ready

$(BIN)/python:
	@for python in python3.12 python3.11 python3 python3.13 python3.10; do \
	  if $$python -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	    2>/dev/null; then \
	    echo "Making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV) && exit 0; \
	  fi; \
	done; echo "No Python 3.10 to 3.13 with venv was found. Install one and try again." >&2; exit 1

clean:
	rm -rf $(VENV) $(OUTPUT) build *.egg-info
