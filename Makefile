# Everything happens in .venv, from pinned requirements; Python 3.11+, git and make suffice.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps
COMPILE := uv pip compile --quiet pyproject.toml --universal --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

.PHONY: demo test test-browser lint bench bench-context requirements screenshot clean bench-placement \
	bench-cost bench-size-send bench-size-collect bench-ledger-writers bench-ledger-size test-slow \
	bench-context-changes

demo: .venv/base.stamp
	PYTHONPATH=src $(BIN)/python -m claude_batch demo

test: .venv/dev.stamp
	$(BIN)/python -m pytest -m 'not browser and not slow' -n auto --dist loadfile

test-slow: .venv/dev.stamp
	$(BIN)/python -m pytest -m slow -rP --show-capture=stdout -n auto

test-browser: .venv/dev.stamp
	$(BIN)/python -m pytest -m browser

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --no-progress --strict-collection action.yml .github
	$(BIN)/actionlint

# Every speed target, measured here and now; about a quarter of an hour. PARTS="speed size_send" for some.
bench: .venv/dev.stamp
	$(BIN)/python -m bench.performance $(PARTS)

# REPOSITORIES: clones whose merged pull requests are measured.
bench-context: .venv/dev.stamp
	$(BIN)/python -m bench.context_cost $(REPOSITORIES)

# Tasks that are asked again because the code around them changed; nothing is written to the clones.
bench-context-changes: .venv/dev.stamp
	$(BIN)/python -m bench.context_changes $(REPOSITORIES)

# What arrives at the server, push by push; nothing is written to the clones.
bench-cost: .venv/dev.stamp
	$(BIN)/python -m bench.cost $(REPOSITORIES)

# Needs 1 GB of disk for temporary files.
bench-size-send: .venv/dev.stamp
	$(BIN)/python -m bench.size_send

# make bench-placement REPOSITORIES="/path/to/clone /path/to/another"
bench-placement: .venv/dev.stamp
	$(BIN)/python -m bench.placement $(REPOSITORIES)

bench-ledger-writers: .venv/dev.stamp
	$(BIN)/python -m bench.ledger_writers

bench-ledger-size: .venv/dev.stamp
	$(BIN)/python -m bench.ledger_size

bench-size-collect: .venv/dev.stamp
	$(BIN)/python -m bench.size_collect

requirements:
	$(COMPILE) --output-file requirements/base.txt
	$(COMPILE) --all-extras --group dev --output-file requirements/dev.txt

# The picture in the README; Chromium takes it.
screenshot: .venv/base.stamp
	@mkdir -p build
	PYTHONPATH=src $(BIN)/python -m claude_batch demo --out build/demo.html
	$(BIN)/python docs/screenshot.py build/demo.html docs/pull-request.png

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is missing or older than Python 3.11" >&2; \
	  echo " help: name a newer one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@echo "creating .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv || { \
	  echo "error: $(PYTHON) cannot create a virtual environment" >&2; \
	  echo " help: on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@touch $@

.venv/base.stamp: .venv/python.stamp requirements/base.txt
	@echo "installing requirements/base.txt into .venv"
	@$(PIP) --require-hashes -r requirements/base.txt
	@touch $@

# A plain `pip install -e .` would fetch hatchling on its own, unpinned: dev.txt has it.
.venv/dev.stamp: .venv/python.stamp requirements/dev.txt pyproject.toml
	@echo "installing requirements/dev.txt and this project into .venv"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-build-isolation --editable .
	@touch .venv/base.stamp $@
