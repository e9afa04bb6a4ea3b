# Needs Python 3.11 or newer, with venv, and make. Everything else is installed into .venv, from requirements.lock.

PYTHON ?= python3

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.PHONY: help demo test lint bench soak conform docs

help:
	@echo 'make demo   sign events, send them to a local endpoint, and show what became of each'
	@echo 'make test   run the tests; floors 0 to 3 must be covered whole, branches too'
	@echo 'make lint   check style, types, import floors, dependencies and the wheel'
	@echo 'make soak   the long proofs at full length, each with a progress bar; one of them: make soak PART=numbers'
	@echo 'make conform  judge both adapters by every vector, and a running endpoint by every probe'
	@echo 'make docs   build the pages into docs/_build/index.html; they read without a network'
	@echo 'make bench  measure against floors and peers; about 4 minutes, writes benchmarks/report.html'

demo: .venv/ready
	@mkdir -p build
	@.venv/bin/python tests/write_corpus.py > build/corpus.jsonl
	.venv/bin/rp-signing demo --events build/corpus.jsonl

test: .venv/ready
	.venv/bin/python -m pytest --cov

lint: .venv/ready
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	VIRTUAL_ENV=$(CURDIR)/.venv PATH="$(CURDIR)/.venv/bin:$$PATH" basedpyright --verifytypes rp_signing --ignoreexternal
	.venv/bin/python tests/public_api.py | diff tests/public_api.txt -
	.venv/bin/lint-imports
	.venv/bin/deptry rp_signing
	rm -rf build/wheel
	.venv/bin/hatchling build --target wheel --directory build/wheel
	.venv/bin/check-wheel-contents build/wheel

# What is finished is kept in build/soak.json and not run again while the code is the same.
soak: .venv/ready
	.venv/bin/python tests/soak.py $(PART)

conform: .venv/ready
	.venv/bin/rp-signing conform -- .venv/bin/python -m rp_signing.conformance.adapter
	.venv/bin/rp-signing conform -- node rp_signing/conformance/adapters/node/adapter.mjs
	.venv/bin/python tests/probe_endpoint.py

docs: .venv/ready
	.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build

bench: .venv-bench/ready
	.venv-bench/bin/python -m benchmarks
	.venv-bench/bin/python -m pytest benchmarks --benchmark-group-by=group --benchmark-sort=mean --benchmark-columns=median,iqr,rounds --benchmark-json=build/benchmark.json

# Two stamps: a changed lock makes the environment anew, so that nothing the lock no longer names stays behind;
# a changed pyproject.toml installs just the package again, for its entry points.
.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rp-signing needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.11" % sys.version.split()[0])'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

.venv/ready: .venv/locked pyproject.toml
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# An environment of its own: the peers that are measured bring packages that nothing else here needs.
.venv-bench/locked: requirements-bench.lock
	rm -rf .venv-bench
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.lock
	@touch $@

.venv-bench/ready: .venv-bench/locked pyproject.toml
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
