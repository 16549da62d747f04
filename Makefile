# What one does with a checkout of ragkit. `make help` lists it.
#
# Needs Python >= 3.11, make and a package registry. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check
# Stamps: what is installed stays so until pyproject.toml changes. Editable, so code needs neither.
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

DEMO := .demo
# The flags keep everything on this machine, even where a key file or a setting says otherwise.
RAGKIT := env -u TEMPICO_API_KEY -u TEMPICO_BASE_URL $(VENV)/bin/ragkit --db $(DEMO)/index.db
ANSWERABLE := How many litres of gas oil does MV Aldith burn per hour?
UNANSWERABLE := Is there a swimming pool on MV Aldith?

.PHONY: help demo test lint format smoke bench eval docs clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: $(INSTALLED)  ## install, read sample_corpus/ and ask two questions, with no key
	@echo '$$ ragkit ingest sample_corpus'
	@$(RAGKIT) ingest sample_corpus --embedder local --quiet
	@echo
	@echo '$$ ragkit ask "$(ANSWERABLE)"'
	@$(RAGKIT) ask "$(ANSWERABLE)" --chat none
	@echo
	@echo '$$ ragkit ask "$(UNANSWERABLE)"'
	@$(RAGKIT) ask "$(UNANSWERABLE)" --chat none || test $$? -eq 5  # 5: not found, as it should be

test: $(INSTALLED_DEV)  ## run the whole test suite; ARGS="-k name" for a part of it
	$(PY) -m pytest $(ARGS)

lint: $(INSTALLED_DEV)  ## check style, format and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(INSTALLED_DEV)  ## put the code into its format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

smoke: $(INSTALLED)  ## try the whole path against a real endpoint, if TEMPICO_API_KEY is set
	$(PY) -m tests.smoke

bench: $(INSTALLED)  ## ask the forty questions of the sample corpus and count right answers
	$(PY) -m tests.benchmarks.sample_corpus $(ARGS)

eval: $(INSTALLED)  ## measure retrieval on public sets, beside published figures; no network
	$(PY) -m tests.benchmarks.quality $(ARGS)

docs: $(INSTALLED_DEV)  ## write the generated pages of docs/ and the README's transcript anew
	$(PY) -m tests.docs_reference

clean:  ## remove what these commands have made
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml | $(PY)
	$(PIP_INSTALL) --editable .
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(PY)
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(INSTALLED)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	    'ragkit needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
