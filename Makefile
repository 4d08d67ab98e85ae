# `make demo` and `make test` are the two commands of the README; both make .venv first.
PYTHON ?= python3
PY := .venv/bin/python
OUT ?= demo
READY := .venv/.ready

# One thread, fixed hashes, no progress bars: the same environment for notebooks, tests and benchmarks.
# (Several threads make a small network 20-50 times slower on a busy machine, with the same result.)
include .ci/env
export $(shell sed 's/=.*//' .ci/env)

.PHONY: help demo test export run docs bench versions

help:
	@echo 'make demo                  a first result, written to $(OUT)/'
	@echo 'make test                  in sync, every notebook, every test'
	@echo 'make export                notebooks -> spice_rl/ and README.md'
	@echo 'make run NB=nbs/x.ipynb    run notebooks and store their outputs'
	@echo 'make docs                  the pages in _docs/, built and checked'
	@echo 'make bench                 run the scripts of benchmarks/'
	@echo 'make versions              tests and tutorials with the oldest and the newest versions of what we need'

# Made once, and again whenever what is to be installed changes.
$(READY): settings.ini setup.py constraints.txt
	@$(PYTHON) -c 'import sys, configparser as c; p = c.ConfigParser(); p.read("settings.ini"); need = p["DEFAULT"]["min_python"]; sys.exit(f"$(PYTHON) is Python {sys.version.split()[0]}, but spice_rl needs {need} or newer: make PYTHON=/path/to/python" if sys.version_info < tuple(map(int, need.split("."))) else 0)'
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo 'installing into .venv (some minutes the first time)'
	@$(PY) -m pip install -qq --use-pep517 -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	.venv/bin/spice-rl demo --out $(OUT)

test: $(READY)
	$(PY) .ci/notebooks.py insync
	$(PY) -m ruff check --quiet --config .ci/ruff.toml spice_rl
	$(PY) .ci/notebooks.py check
	$(PY) -m pytest -q tests

export: $(READY)
	$(PY) .ci/notebooks.py export

run: $(READY)
	@test -n '$(NB)' || { echo 'say which: make run NB=nbs/00_core/01_data.ipynb (several: NB="a.ipynb b.ipynb")'; exit 2; }
	$(PY) .ci/notebooks.py run $(NB)

docs: $(READY)
	$(PY) .ci/pages.py

bench: $(READY)
	@for f in $(filter-out benchmarks/peers.py benchmarks/stan_program.py,$(wildcard benchmarks/*.py)); do echo "== $$f"; $(PY) $$f || exit 1; done

# Makes its own environments; W=oldest or W=newest for one of them.
versions:
	$(PYTHON) .ci/versions.py $(W)
