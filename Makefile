# make run     sets everything up, makes a phantom PET/CT and opens the viewer on it, assessing
# make test    sets everything up and runs linter, type checker and all tests
# make report  assesses the phantom on the command line and names the report
# Both need nothing but Python 3.10 to 3.13 (3.11 and 3.12 are tested); the environment lies in .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
OUTPUT := output
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run report test test-fast lint clean
.DELETE_ON_ERROR:

run: $(VENV)/.run-ready
	@exec $(BIN)/msiqa viewer --phantom --assess

report: $(VENV)/.run-ready
	@test -d $(OUTPUT)/phantom/CT || $(BIN)/msiqa phantom --output $(OUTPUT)/phantom
	@$(BIN)/msiqa assess --ct $(OUTPUT)/phantom/CT --pet $(OUTPUT)/phantom/PET \
	  --output $(OUTPUT)/phantom-quality
	@echo
	@echo "Open the report in a browser: $(abspath $(OUTPUT))/phantom-quality/report.html"

# The Slicer tests run apart: PySide6's import hook and PyTorch do not share a process well. The
# viewer's wait for a browser and for servers of their own, and have the machine to themselves.
SLICER_TESTS := Testing/scene Testing/slicer_module
VIEWER_TESTS := Testing/viewer_server Testing/viewer
APART := $(SLICER_TESTS) $(VIEWER_TESTS)
# One process a core, each with one thread.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile
ONE_BY_ONE := $(BIN)/python -m pytest

test: lint $(VENV)/.chromium-ready
	$(PYTEST) Testing $(APART:%=--ignore=%)
	$(PYTEST) $(SLICER_TESTS)
	$(ONE_BY_ONE) $(VIEWER_TESTS)

# Without the tests marked slow.
test-fast: lint $(VENV)/.chromium-ready
	$(PYTEST) -m "not slow" Testing $(APART:%=--ignore=%)
	$(PYTEST) -m "not slow" $(SLICER_TESTS)
	$(ONE_BY_ONE) -m "not slow" $(VIEWER_TESTS)

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The stamps make a second `make` start at once; a changed pyproject.toml installs again.
$(VENV)/.run-ready: pyproject.toml | $(BIN)/python
	$(PIP) install --editable ".[viewer]"
	@touch $@

$(VENV)/.test-ready: pyproject.toml | $(BIN)/python
	$(PIP) install --editable ".[test,training,viewer]"
	@touch $@ $(VENV)/.run-ready

# A browser for the viewer's tests: the system's, else Debian's package, else Playwright's own.
$(VENV)/.chromium-ready: $(VENV)/.test-ready
	@command -v chromium chromium-browser google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update \
	       && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes chromium >/dev/null; } \
	  || $(BIN)/playwright install chromium
	@touch $@

$(BIN)/python:
	@for python in python3.12 python3.11 python3 python3.13 python3.10; do \
	  if $$python -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	    2>/dev/null; then \
	    echo "Making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV) && exit 0; \
	  fi; \
	done; echo "No Python 3.10 to 3.13 with venv was found. Install one and try again." >&2; exit 1

clean:
	rm -rf $(VENV) $(OUTPUT) build *.egg-info
