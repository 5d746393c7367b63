# `make prove` and `make test` set up all they need in .venv; `make check` is what must pass before a change lands.

PYTHON ?= python3
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --durations=10 -q

# $(call tier,NAME,COMMAND): run a command and say how long it took, whether it went well or not.
define tier
@start=$$(date +%s); \
echo "== $(1)"; \
{ $(2); }; status=$$?; \
echo "-- $(1): $$(( $$(date +%s) - start )) s$$( [ $$status -eq 0 ] || echo ', FAILED' )"; \
exit $$status
endef

.PHONY: help
help:
	@echo "make prove   check every shipped protocol"
	@echo "make audit   prove, and map what each element of each protocol is good for"
	@echo "make test    run the tests"
	@echo "make check   format, lint, types, layers, tests and proofs: what CI runs"
	@echo "make bench   measure the engines"
	@echo "make fmt     put code and protocols into their canonical layout"
	@echo "make setup   only make .venv; make clean removes it and all caches"
	@echo "PYTHON=python3.12 chooses the interpreter that .venv is made with."

# ---- setting up -----------------------------------------------------------------------------------------------

# Any Python can run this, and the shell says its part where there is none.
define PRECHECK
import sys
if sys.version_info < (3, 11):
    sys.exit("spte needs Python 3.11 or later, and '$(PYTHON)' is %d.%d: install a later one, "
             "or name it with make PYTHON=python3.11" % sys.version_info[:2])
try:
    import venv, ensurepip
except ImportError:
    sys.exit("'$(PYTHON)' cannot make virtual environments: install its venv module "
             "(Debian, Ubuntu: apt install python%d.%d-venv)" % sys.version_info[:2])
endef
export PRECHECK

# $(call quietly,COMMAND): show what a command prints only if it fails.
quietly = $(1) >$(VENV)/log 2>&1 </dev/null || { cat $(VENV)/log; exit 1; }

.PHONY: setup
setup: $(READY)

# Depends on what is to be installed, not on .venv being there: an interrupted setup is taken up again.
$(READY): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	    echo "there is no '$(PYTHON)': install Python 3.11 or later (Debian, Ubuntu: apt install python3 python3-venv)" >&2; \
	    exit 1; }
	@$(PYTHON) -c "$$PRECHECK"
	@echo "setting up $(VENV) (once; about a minute)"
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(call quietly,$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock)
	@$(call quietly,$(BIN)/python -m pip install --disable-pip-version-check --no-index --no-build-isolation --no-deps -e .)
	@touch $@

# ---- what there is to do --------------------------------------------------------------------------------------

.PHONY: prove audit test check bench fmt
prove: $(READY)
	$(call tier,prove,$(BIN)/spte prove spec/)

audit: $(READY)
	$(call tier,audit,$(BIN)/spte audit spec/)

test: $(READY)
	$(call tier,test,$(PYTEST))

check: check-format check-lint check-types check-layers check-spec check-suite check-tests

bench: $(READY)
	$(call tier,bench,$(BIN)/python bench/run.py && $(BIN)/python bench/start.py && $(BIN)/python bench/editing.py && $(BIN)/python bench/rivals.py)

fmt: $(READY)
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/spte fmt spec

.PHONY: check-format check-lint check-types check-layers check-spec check-suite check-tests
check-format: $(READY)
	$(call tier,format,$(BIN)/ruff format --check .)

check-lint: $(READY)
	$(call tier,lint,$(BIN)/ruff check .)

check-types: $(READY)
	$(call tier,types,$(BIN)/mypy)

check-layers: $(READY)
	$(call tier,layers,$(BIN)/lint-imports --no-logo)

check-spec: $(READY)
	$(call tier,spec layout,$(BIN)/spte fmt --check spec)

# The suite is run once: tests compare what it has printed with what the README shows, and its ledger with the page.
SUITE := $(VENV)/suite

check-suite: $(READY)
	$(call tier,prove,$(BIN)/spte report spec/ -o $(SUITE).md >$(SUITE).txt; status=$$?; cat $(SUITE).txt; (exit $$status))

check-tests: check-suite
	$(call tier,test,SPTE_SUITE=$(SUITE) $(PYTEST))

.PHONY: clean
clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
