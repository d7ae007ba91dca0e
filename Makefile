# Everything runs in .venv, which the targets make themselves with the newest Python of PYTHON that works.
PYTHON ?= python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin
# Compiled modules are kept whatever the environment says: each process of a test would compile all anew.
unexport PYTHONDONTWRITEBYTECODE

QUICK := tests/unit/$(SERVICE) -q -m "not (spark or docker or browser or integration or performance or slow or thorough$(if $(SERVICE),, or medium))"
SUITE := $(BIN)/python -m pytest tests -n 4 --no-loadscope-reorder -p no:pytest-testmon --durations=30 --durations-min=5

USABLE := -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'

.DEFAULT_GOAL := help
.PHONY: help setup demo unit watch test thorough check new-service bench simulate mutants mutation troubles matrix linearizability containers screenshots format changelog clean

##@ Begin

help:  ## List the targets
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

setup: .venv/ready-to-develop  ## Make .venv with all that development needs

demo: .venv/ready-to-run  ## See the whole pipeline at work: no account, no Docker, no Java; KEEP=1 leaves it running
	$(BIN)/ecp demo $(if $(KEEP),--keep)

##@ Change

unit: .venv/ready-to-develop  ## The quick tests of all, in a minute; SERVICE=transformer for all but the slow ones of one service
	HYPOTHESIS_PROFILE=dev $(BIN)/python -m pytest $(QUICK) -n 4 -p no:pytest-testmon

watch: .venv/ready-to-develop  ## Run again what a change of Python touches, at each change; SERVICE=lock for one service
	HYPOTHESIS_PROFILE=dev $(BIN)/watchfiles --filter python '$(BIN)/python -m pytest --testmon --testmon-forceselect $(QUICK)' contracts services infra tests

test: .venv/ready-to-develop  ## Every rule, once: some ten minutes; before a pull request
	HYPOTHESIS_PROFILE=dev $(SUITE) -m "not (thorough or docker or performance)"

thorough: .venv/ready-to-develop  ## What `make test` leaves out: whole tables of cases, 100 random examples, images, long faults
	HYPOTHESIS_PROFILE=ci $(SUITE) -m "(thorough or docker or hypothesis) and not performance"

check: .venv/ready-to-develop  ## Style, types, layers, templates, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/cfn-lint 'infra/stacks/*.yaml' 'services/*/template.yaml'
	$(BIN)/python -m contracts.generate --check
	$(BIN)/ecp contracts check
	$(BIN)/ecp contracts docs --check

new-service: .venv/ready-to-develop  ## Make the rooms of a new service: NAME=x
	$(BIN)/python -m infra.scaffold $(NAME)

format: .venv/ready-to-develop  ## Rewrite the sources as `make check` wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m contracts.generate

changelog: .venv/ready-to-develop  ## Make the release's entry of CHANGELOG.md from the fragments in changelog.d
	$(BIN)/towncrier build --yes

clean:  ## Remove .venv and everything generated
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .mutation

##@ Prove

simulate: .venv/ready-to-develop  ## 100,000 seeds of the simulation; each that fails is shrunk
	$(BIN)/python -m tests.simulation --seeds 100000 --shrink

mutants: .venv/ready-to-develop  ## Show that the simulation finds faults put into the code
	$(BIN)/python -m tests.simulation --mutants --seeds 3000

mutation: .venv/ready-to-develop  ## Put faults into the code one by one, and see which no test notices
	$(BIN)/python -m tests.mutation

troubles: .venv/ready-to-develop  ## 45 batches under kill -9, freezes, twins and lock breaks; KPIs compared after each
	TROUBLES=45 $(BIN)/python -m pytest -s tests/integration/test_troubles.py --timeout 7200

matrix: .venv/ready-to-develop  ## 9 boundaries x 10 faults on the local cloud; writes docs/reliability.md
	$(BIN)/python -m tests.fault_matrix

linearizability: .venv/ready-to-develop  ## 200 rounds of 32 clients on the lock, on each store, each history checked
	LINEARIZABILITY_ROUNDS=200 $(BIN)/python -m pytest tests/containers/test_lock_on_dynamodb_local.py -k linearizable --timeout 3600
	LINEARIZABILITY_ROUNDS=200 $(BIN)/python -m pytest tests/simulation/test_linearizability.py --timeout 10800

containers: .venv/ready-to-develop  ## Build and run both images for real; sizes and start times
	$(BIN)/python -m pytest tests/containers --timeout 1800
	$(BIN)/python -m tests.containers.measure
	$(BIN)/python -m tests.performance.report

screenshots: .venv/ready-to-develop  ## Pictures of the console's stories, into docs/console.md
	$(BIN)/python -m tests.console.screenshots

bench: .venv/ready-to-develop  ## Print figures, each beside its floor or peer
	$(BIN)/python -m pytest tests/performance -m performance -s
	$(BIN)/python -m tests.performance.report

# As PATH has them; when none of them works, as pyenv has them, which hides what its settings do not choose.
.venv/bin/python:
	@for from in path pyenv; do for python in $(PYTHON); do \
		[ $$from = path ] || export PYENV_VERSION=$${python#python}; \
		if $$python $(USABLE) 2>/dev/null; then echo "making .venv with $$python"; exec $$python -m venv .venv; fi; \
	done; done; \
	echo "none of $(PYTHON) is here and can make a .venv: install Python 3.11 to 3.14 (Debian: also python3-venv), or name one that is here: make PYTHON=..." >&2; exit 1

.venv/ready-to-run: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setting up .venv (about a minute, once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/ready-to-develop: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setting up .venv for development (some minutes, once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,spark]'
	@touch $@ .venv/ready-to-run
