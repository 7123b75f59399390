PYTHON ?= python3
PORT ?= 8000
RUN := $(PYTHON) tools/bootstrap.py run
DEV := $(PYTHON) tools/bootstrap.py dev
SOURCES := config engine sessions_app reviews_app tests tools benchmarks manage.py

.PHONY: run test check optimize doctor build-plugin format lint types contracts migrations templates

run: ## Start everything and print one sign-in link. REPO=/path/or/url launches a session on it.
	@$(RUN) python manage.py up --port $(PORT) $(if $(REPO),--repo "$(REPO)")

optimize: ## Optimize one repository from the terminal: make optimize REPO=/path
	@$(RUN) python manage.py optimize "$(REPO)" start --follow

doctor: ## Say what is in effect and repair what a crash left.
	@$(RUN) python manage.py doctor

# LANG is also every shell's locale: only a value given on make's command line names a language.
build-plugin: ## Assemble the Claude Code plugin into dist/. LANG=javascript takes the other language.
	@$(PYTHON) tools/build_plugin.py $(if $(findstring command line,$(origin LANG)),--lang "$(LANG)")

test: ## All tests.
	@$(DEV) python -m pytest -n auto --dist loadgroup $(ARGS)

check: format lint types contracts migrations templates test ## Everything that CI checks.

format:
	@$(DEV) ruff format --check $(SOURCES)

lint:
	@$(DEV) ruff check $(SOURCES)

types:
	@$(DEV) mypy

contracts:
	@$(DEV) lint-imports

migrations:
	@$(DEV) python manage.py makemigrations --check --dry-run

templates:
	@$(DEV) djlint templates --lint --quiet
