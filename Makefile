# Everything the project needs is installed into .venv (and .venv-floor, .venv-bench, .venv-docs,
# .venv-notebooks) beside this file.
#
#   make demo    train and test the embedded digits, end to end
#   make test    the fast tests, in as many processes as JOBS; options of pytest by ARGS
#   make bench   jaxclr beside torch, about 20 minutes; options of benchmarks/bench.py by ARGS
#   make docs            the site of the documentation, into docs/_build/html
#   make notebooks       runs all notebooks with small settings; one by ARGS=notebooks/NAME.ipynb
#   make notebooks-sync  makes notebooks/*.ipynb from notebooks/*.py, which are the ones to edit

PYTHON ?= python3
ARGS ?=
JOBS ?= 2

VENV := .venv
FLOOR := .venv-floor
BENCH := .venv-bench
DOCS := .venv-docs
NOTEBOOKS := .venv-notebooks
KERNEL := '{"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}'

.DELETE_ON_ERROR:
.PHONY: demo test test-all test-floor lint bench docs notebooks notebooks-sync clean

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
	rm -rf build/lint && mkdir -p build/lint/jaxclr
	ln -s $(CURDIR)/jaxclr/* $(CURDIR)/data $(CURDIR)/experiments build/lint/jaxclr
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python --warnings

# jaxclr beside torch, and what it costs: benchmarks/README.md.
bench: $(BENCH)/.installed-bench
	$(BENCH)/bin/python benchmarks/bench.py $(ARGS)

# Warnings are errors, and names that lead nowhere are warnings. Pages of modules are made anew, so
# that none is left of those that are gone.
docs: $(DOCS)/.installed-docs
	rm -rf docs/api/modules
	$(DOCS)/bin/python -m sphinx -W --keep-going -j auto -c docs . docs/_build/html $(ARGS)
	@echo "Open docs/_build/html/index.html."

notebooks: $(NOTEBOOKS)/.installed-notebooks notebooks-sync
	JAXCLR_SMALL=1 $(NOTEBOOKS)/bin/python -m pytest -o addopts= --nbmake --nbmake-timeout=600 \
	  --nbmake-kernel=python3 $(or $(ARGS),notebooks)

# Cells keep their ids where there is a notebook already.
notebooks-sync: $(NOTEBOOKS)/.installed-notebooks
	$(NOTEBOOKS)/bin/jupytext --quiet --update --to ipynb --update-metadata $(KERNEL) notebooks/*.py

# What was made here; runs/ and datasets/ stay.
clean:
	rm -rf $(VENV) $(FLOOR) $(BENCH) $(DOCS) $(NOTEBOOKS) build dist docs/_build docs/api/modules
	rm -rf *.egg-info .pytest_cache .ruff_cache .hypothesis
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

$(DOCS)/.installed-docs: pyproject.toml | $(DOCS)/bin/python
	@echo "Installing jaxclr and Sphinx into $(DOCS); the first time this takes some minutes."
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

$(NOTEBOOKS)/.installed-notebooks: pyproject.toml | $(NOTEBOOKS)/bin/python
	@echo "Installing jaxclr and Jupyter into $(NOTEBOOKS); the first time this takes some minutes."
	$(NOTEBOOKS)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[notebooks]'
	@touch $@

$(VENV)/bin/python $(FLOOR)/bin/python $(BENCH)/bin/python $(DOCS)/bin/python $(NOTEBOOKS)/bin/python: %/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "jaxclr needs Python 3.11 or newer, and '$(PYTHON)' is none." >&2; \
	  echo "Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $* || { \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it comes with python3-venv." >&2; \
	  rm -rf $*; exit 1; }
