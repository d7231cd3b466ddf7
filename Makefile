# `make run` and `make test` are all that a newcomer needs; both install what they lack into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help run test suite test-all soak attack faults clients more-clients routers images peers lint types imports format metrics bench lock audit clean console-assets screenshots

# Whoever forbids Python to keep what it compiles would have every process compile all of it anew.
export PYTHONDONTWRITEBYTECODE :=
# uv, which installs what developers need, knows no setting of pip's.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

CLIENTS := openai anthropic
# Which `make test-all` alone tries.
MORE    := litellm instructor others aider
# From PyPI, each measured in an environment of its own (bench/peers/locks).
PEERS   := litellm smg tensorzero vllm-router
# Most tests wait for something: a timeout, a worker, an engine. A file's tests stay together; those
# that take longest come first (tests/conftest.py), so that no worker ends alone.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder
TORCH   := 2.13.0
MINUTES := 30
ROUNDS  :=
IMAGES  := tests/images/diffusion/requirements.lock

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

run:  ## install, fetch the weights, start the service (ARGS="--port 8080" passes options)
	@PYTHON="$(PYTHON)" sh scripts/preflight.sh --environment $(VENV) $(ARGS)
	@$(MAKE) --silent --no-print-directory $(VENV)/.run
	@exec $(BIN)/xinghe serve --quickstart $(ARGS)

test: lint types imports clients images  ## the whole suite, as CI runs it
	@$(MAKE) --silent --no-print-directory suite

# What has been checked and installed already is not again.
suite:
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)
	@$(BIN)/python -m bench.house

test-all: lint types imports clients more-clients routers images  ## the same with its slow tests (the Node client needs npm)
	$(BIN)/python -m pytest -m "slow or not slow" $(WORKERS) $(ARGS)

soak: $(VENV)/.dev  ## mixed traffic while parts are killed, then a look for leaks (MINUTES=30)
	XINGHE_SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -m slow -s tests/soak $(ARGS)

attack: $(VENV)/.dev  ## hostile traffic of every kind, and what others feel of it (ROUNDS="heads schemas")
	XINGHE_ATTACK_ROUNDS="$(ROUNDS)" $(BIN)/python -m pytest -m slow -s tests/attack $(ARGS)

faults: $(VENV)/.dev  ## what clients got and paid for while parts of the service and the disk fail (ROUNDS=30)
	XINGHE_FAULT_ROUNDS="$(ROUNDS)" $(BIN)/python -m pytest -m slow -s tests/reliability $(ARGS)

clients: $(CLIENTS:%=.venv-clients/%/.done)

more-clients: $(MORE:%=.venv-clients/%/.done)

routers: .venv-clients/routers/.done

images: .venv-images/.done

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

metrics: $(VENV)/.dev  ## how far a request runs through the code, and how much code there is
	@$(BIN)/python -m bench.house $(ARGS)

bench: $(VENV)/.dev  ## side-by-side measurements, printed as ratios
	$(BIN)/python -m bench $(filter peers,$(MAKECMDGOALS)) $(ARGS)

peers:  # as in `make bench peers`
	@:

lock: $(VENV)/.dev  ## resolve the dependencies anew into the lock files
	$(BIN)/uv pip compile -q --universal --generate-hashes --group build pyproject.toml -o requirements.lock --custom-compile-command "make lock"
	$(BIN)/uv pip compile -q --universal --generate-hashes --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock --custom-compile-command "make lock"
	@for client in $(CLIENTS) $(MORE) routers; do \
		$(BIN)/uv pip compile -q --universal --generate-hashes --group client-$$client -o tests/clients/locks/$$client.lock --custom-compile-command "make lock" || exit; \
	done
	@for peer in $(PEERS); do \
		$(BIN)/uv pip compile -q --universal --generate-hashes --group peer-$$peer -o bench/peers/locks/$$peer.lock --custom-compile-command "make lock" || exit; \
	done
	cd bench/peers/locks/portkey && npm install --package-lock-only --ignore-scripts --no-audit --no-fund
	$(BIN)/python scripts/images_extra.py | $(BIN)/uv pip compile -q --universal --generate-hashes -c requirements.lock --override tests/images/diffusion/overrides.txt - -o $(IMAGES) --custom-compile-command "make lock"

console-assets:  ## take the console's libraries from npm anew, as pinned
	python3 scripts/console_assets.py

screenshots: $(VENV)/.dev  ## every page of the console as a picture in docs/images
	$(BIN)/python -m scripts.screenshots $(ARGS)

audit: $(VENV)/.dev  ## known vulnerabilities of what is locked
	$(BIN)/pip-audit --require-hashes -r requirements.lock

clean:  ## remove the environment and every cache
	rm -rf $(VENV) .venv-clients .venv-images .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.run: requirements.lock pyproject.toml
	@sh scripts/bootstrap.sh $(PYTHON) $(VENV) requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@sh scripts/bootstrap.sh $(PYTHON) $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.run

.venv-clients/%/.done: tests/clients/locks/%.lock | $(VENV)/.dev
	@$(BIN)/uv venv -q --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip sync -q --require-hashes --python $(@D) $<
	@touch $@

# torch apart, by pip and without a hash: it takes the build that fits the machine, and the lock
# none. To compile all of it beforehand takes a minute, and most of it is never imported.
.venv-images/.done: $(IMAGES) | $(VENV)/.dev
	@$(BIN)/uv venv -q --clear --python $(BIN)/python $(@D)
	@$(BIN)/python -m pip --python $(@D) install -q --no-compile --disable-pip-version-check torch==$(TORCH)
	@$(BIN)/uv pip install -q --python $(@D) --no-deps --require-hashes -r $<
	@echo $(CURDIR)/src > $$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/xinghe.pth
	@touch $@
