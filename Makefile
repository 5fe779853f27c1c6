# `make demo` and `make test` are all one needs; both set themselves up.
# Variables given on the line (READER=pcsc, PERSONA=corsican, PLAN=file, OUT=dir, HEADLESS=1) reach the demo as
# environment.

PYTHON := .venv/bin/python
SHELL := /bin/sh

.PHONY: demo test lint bench soak fleet setup lock clean

demo: setup
	@$(PYTHON) -m simulators demo

test: setup
	@$(PYTHON) -m pytest -n 2 --dist loadfile

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/mypy tools/setup.py
	@.venv/bin/lint-imports

bench: setup
	@$(PYTHON) -m bench

# VISITS=n and SEED=n change the soak; drill, power cuts, kills of processes and of the PC/SC service are always the whole
# matrix, and run whatever the soak has found.
soak: setup
	@failed=0; $(PYTHON) -m simulators.soak --visits $(or $(VISITS),2000) --seed $(or $(SEED),1) || failed=1; \
	$(PYTHON) -m simulators.soak drill || failed=1; \
	$(PYTHON) -m tests.properties.power_cuts || failed=1; \
	$(PYTHON) -m tests.properties.kills || failed=1; \
	SERVICE_KILLS=50 $(PYTHON) -m pytest -q tests/hardware/pcsc/test_service.py -k random_points || failed=1; exit $$failed

# A January day (2 min), then the return from an outage at the pace of 20,000 kiosks in 5 minutes (3 min); PostgreSQL
# starts by itself. The whole of it, 20,000 kiosks, takes 9 min: python -m simulators.fleet --scenario outage --kiosks 20000
# --minutes 5
fleet: setup
	@failed=0; $(PYTHON) -m simulators.fleet --scenario day --kiosks 400 --minutes 1.5 || failed=1; \
	$(PYTHON) -m simulators.fleet --scenario outage --kiosks 6000 --minutes 1.5 || failed=1; exit $$failed

setup:
	@python3 tools/setup.py

# Needs uv, a tool of the maintainer. The lock names no index address.
lock:
	uv --no-config pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --python-version 3.11 --output-file requirements.lock requirements.in

clean:
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
