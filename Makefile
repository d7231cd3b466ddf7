# `make run` and `make test` are all that a newcomer needs; both install what they lack into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help run test test-all lint types imports format bench lock audit clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

run:  ## install, fetch the weights, start the service (ARGS="--port 8080" passes options)
	@PYTHON="$(PYTHON)" sh scripts/preflight.sh --environment $(VENV) $(ARGS)
	@$(MAKE) --silent --no-print-directory $(VENV)/.run
	@exec $(BIN)/xinghe serve --quickstart $(ARGS)

test: lint types imports  ## the whole suite, as CI runs it
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## side-by-side measurements, printed as ratios
	$(BIN)/python -m bench

lock: $(VENV)/.dev  ## resolve the dependencies anew into the two lock files
	$(BIN)/uv pip compile -q --universal --generate-hashes --group build pyproject.toml -o requirements.lock --custom-compile-command "make lock"
	$(BIN)/uv pip compile -q --universal --generate-hashes --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock --custom-compile-command "make lock"

audit: $(VENV)/.dev  ## known vulnerabilities of what is locked
	$(BIN)/pip-audit --require-hashes -r requirements.lock

clean:  ## remove the environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.run: requirements.lock pyproject.toml
	@sh scripts/bootstrap.sh $(PYTHON) $(VENV) requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@sh scripts/bootstrap.sh $(PYTHON) $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.run
