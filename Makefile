# Two commands bring the program to a new machine: a clone of the repository, and `make run`.

SHELL := /bin/bash
VENV ?= .venv
PYTHON_IN := $(VENV)/bin/python
export VENV

.DEFAULT_GOAL := help
.PHONY: help run install install-test check format test soak bench picture install-desktop clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; \
		do printf 'make %-16s %s\n' "$$name" "$$what"; done

run: ## install what is missing and start the program; without a display it writes a picture
	@packaging/install.sh run
	@$(PYTHON_IN) -m pythia_gui

install: ## install what is missing, and stop there
	@packaging/install.sh run

install-test: ## the same, with the tools of `make check` and `make test`
	@packaging/install.sh test

check: install-test ## format, lint, types and layers, without the tests
	$(PYTHON_IN) -m ruff format --check .
	$(PYTHON_IN) -m ruff check .
	$(PYTHON_IN) -m mypy
	$(PYTHON_IN) -c 'from importlinter.cli import lint_imports_command as c; c()' --no-logo

format: install-test ## let ruff format and fix what it can
	$(PYTHON_IN) -m ruff format .
	$(PYTHON_IN) -m ruff check --fix .

test: check ## `make check`, then all tests but the soak
	$(PYTHON_IN) -m pytest $(PYTEST_ARGS)

soak: install-test ## the repeated faults at their full counts
	$(PYTHON_IN) -m pytest -m soak --timeout 1800 $(PYTEST_ARGS)

bench: install-test ## start-up time and event-loop gaps, as JSON
	$(PYTHON_IN) benchmarks/startup.py
	$(PYTHON_IN) benchmarks/event_loop.py

picture: install ## make the README's picture again
	$(PYTHON_IN) -m pythia_gui render --no-cache --out docs/window.png

install-desktop: install ## put the program, with its icon, into this user's application menu
	@$(PYTHON_IN) packaging/install_desktop.py

clean: ## remove what builds and test runs left; the environment stays
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find pythia_gui tests packaging -name __pycache__ -type d -prune -exec rm -rf {} +
