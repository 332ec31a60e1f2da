# Everything the project needs is installed into .venv (and .venv-floor, .venv-bench) beside this
# file.
#
#   make demo    train and test the embedded digits, end to end
#   make test    the fast tests, in as many processes as JOBS; options of pytest by ARGS
#   make bench   jaxclr beside torch, about 20 minutes; options of benchmarks/bench.py by ARGS

PYTHON ?= python3
ARGS ?=
JOBS ?= 2

VENV := .venv
FLOOR := .venv-floor
BENCH := .venv-bench

.DELETE_ON_ERROR:
.PHONY: demo test test-all test-floor lint bench clean

demo: $(VENV)/.installed
	$(VENV)/bin/python -m jaxclr.main --experiment=digits_fixclr $(ARGS)

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -n $(JOBS) -m "not slow" $(ARGS)

test-all: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -n $(JOBS) $(ARGS)

# The oldest versions that pyproject.toml promises to work with.
test-floor: $(FLOOR)/.installed-test
	$(FLOOR)/bin/python -m pytest -n $(JOBS) -m "not slow" $(ARGS)

lint: $(VENV)/.installed-lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

# jaxclr beside torch, and what it costs: benchmarks/README.md.
bench: $(BENCH)/.installed-bench
	$(BENCH)/bin/python benchmarks/bench.py $(ARGS)

# What was made here; runs/ and datasets/ stay.
clean:
	rm -rf $(VENV) $(FLOOR) $(BENCH) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find jaxclr data experiments tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is younger than pyproject.toml where nothing has to be installed anew.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing jaxclr into $(VENV); the first time this takes some minutes."
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing jaxclr and its tests into $(VENV); the first time this takes some minutes."
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-lint: pyproject.toml | $(VENV)/bin/python
	@echo "Installing jaxclr and its linters into $(VENV)."
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[lint]'
	@touch $@ $(VENV)/.installed

$(FLOOR)/.installed-test: pyproject.toml floor.txt | $(FLOOR)/bin/python
	@echo "Installing jaxclr with its oldest dependencies into $(FLOOR)."
	$(FLOOR)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' -c floor.txt
	@touch $@

$(BENCH)/.installed-bench: pyproject.toml | $(BENCH)/bin/python
	@echo "Installing jaxclr and torch into $(BENCH); the first time this takes some minutes."
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

$(VENV)/bin/python $(FLOOR)/bin/python $(BENCH)/bin/python: %/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "jaxclr needs Python 3.11 or newer, and '$(PYTHON)' is none." >&2; \
	  echo "Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $* || { \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it comes with python3-venv." >&2; \
	  rm -rf $*; exit 1; }
