# smsgw: `make demo` shows it, `make test` tests it. Both make what they need (a venv under .venv) and may be run again
# at any time, by root or by an ordinary user. Nothing outside this directory is changed, but for data under TMPDIR.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
            $$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN    := .venv/bin
READY  := .venv/ready
PYTEST_ARGS ?=
# How many tests run at once: auto is one for each processor and one more, 0 or 1 is one after the other, as it is for a chosen few.
PYTEST_WORKERS ?= $(if $(PYTEST_ARGS),0,auto)
# Continuous integration has them run by tests/again.py: see there.
RUN_TESTS ?= $(BIN)/pytest
DEMO_ARGS ?=
BENCH_ARGS ?=
FUZZ_ARGS ?=

.PHONY: help venv test lint format unit demo bench compiled unit-compiled ci crash fuzz clean

help:
	@echo "make demo    smsgw with two carriers and three tenants on this terminal (DEMO_ARGS='--seconds 30 --check')"
	@echo "make test    format and lint, types, layers, every test (PYTEST_WORKERS=4: so many at once)"
	@echo "make unit    tests alone: all, or PYTEST_ARGS=tests/smpp; make unit-compiled: against the fast build"
	@echo "make lint | bench | compiled | crash | fuzz | clean"

# The venv is remade when pyproject.toml changes, or when it was made by an interpreter that is gone.
venv: $(READY)
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "smsgw needs Python 3.11 or newer with venv and pip (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || rm -rf .venv
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --editable '.[dev]'
	@touch $@

test: lint unit

lint: venv
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make format'" >&2; exit 1; }
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	@mkdir -p build
	$(BIN)/lint-imports --no-cache >build/lint-imports.txt 2>&1 || { cat build/lint-imports.txt; exit 1; }

format: venv
	$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

unit: venv
	$(RUN_TESTS) -n $(patsubst 1,0,$(PYTEST_WORKERS)) $(PYTEST_ARGS)

demo: venv
	$(BIN)/smsgw demo $(DEMO_ARGS)

# The fast build, of the same source: the wheel in build/compiled/wheel, and beside it installed for `bench` and `unit-compiled`.
# Python is told not to look into the source tree first.
COMPILED := build/compiled
FAST     := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/$(COMPILED)/lib

compiled: $(COMPILED)/ready
$(COMPILED)/ready: $(READY) hatch_build.py $(shell find smsgw -name '*.py' -o -name '*.sql')
	@command -v cc >/dev/null || { echo "the fast build needs a C compiler and Python's headers (Debian: apt install gcc python3-dev)" >&2; exit 1; }
	@rm -rf $(COMPILED)
	HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(COMPILED)/wheel .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(COMPILED)/lib $(COMPILED)/wheel/*.whl
	@touch $@

unit-compiled: compiled
	$(FAST) $(RUN_TESTS) -n $(patsubst 1,0,$(PYTEST_WORKERS)) --override-ini "pythonpath=$(COMPILED)/lib ." $(PYTEST_ARGS)

# The plain build where this machine cannot compile.
COMPILES := $(shell sh -c 'command -v cc' >/dev/null && test -f "$$($(PYTHON) -c 'import sysconfig as s; print(s.get_path("include"))')/Python.h" && echo yes)
bench: $(if $(COMPILES),compiled,venv)
	$(if $(COMPILES),$(FAST)) $(BIN)/python -m smsgw bench $(BENCH_ARGS)

# What continuous integration does: everything, then the data path's own tests against the fast build, where it can be made.
DATA_PATH := tests/smpp tests/test_wire.py tests/test_model.py tests/test_provisioned.py tests/tenants tests/carriers tests/receipts \
             tests/store/test_commit.py tests/journey tests/policy/test_corpus.py tests/policy/test_docket.py tests/policy/test_glance.py \
             tests/telemetry/test_build.py
ci:
	$(MAKE) test RUN_TESTS="$(BIN)/python tests/again.py"
	$(if $(COMPILES),$(MAKE) unit-compiled RUN_TESTS="$(BIN)/python tests/again.py" PYTEST_WORKERS=auto PYTEST_ARGS="$(DATA_PATH)",@echo "no C compiler here: the fast build was not tested")

# The long forms; `make test` runs short ones.
crash: venv
	SMSGW_CRASH=full $(BIN)/pytest --timeout 1800 tests/crash -s $(PYTEST_ARGS)

fuzz: venv
	$(BIN)/python -m tests.fuzz --count 1000000 $(FUZZ_ARGS)

clean:
	rm -rf .venv build dist
