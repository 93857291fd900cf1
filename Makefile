# Everything runs in .venv, which is recreated when pyproject.toml or constraints.txt changes. GNU make 3.81 is enough.
#
#     make demo                    push the example project twice to a local Batch API, and audit it
#     make test                    run every test that doesn't take minutes
#     make test ARGS='-k delta'    pass arguments to pytest
#     make PYTHON=python3.13 test

PYTHON ?= python3
ARGS ?=

POSTGRES_BIN ?= /usr/lib/postgresql/15/bin

VENV := .venv
BIN := $(VENV)/bin
WAREHOUSES := snowflake bigquery redshift databricks spark iceberg parquet
DBT_VERSIONS := dbt-1.9 dbt-1.10 dbt-1.12
ORCHESTRATORS := airflow dagster prefect
INSTALLED := $(VENV)/.installed
UV_INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode

export DBT_SEND_ANONYMOUS_USAGE_STATS := false
# The tests start hundreds of processes, so keep what Python compiles.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-faults test-grammars test-browser test-warehouses test-postgres test-dbt-versions test-orchestrators test-image docs-check site docs-deploy picture bench bench-small lint coverage wheel clean

help:
	@sed -n 's/^#    //p' Makefile
	@echo " make test-faults             the long tests of kills, cut connections and random sequences of them (LIVES=300)"
	@echo " make test-grammars           parse every statement of dbt with sqlfluff, and BigQuery's with Google's analyzer"
	@echo " make test-warehouses         the suite on stand-ins for Snowflake, BigQuery, Redshift and Databricks, and on Spark; also test-snowflake and so on"
	@echo " make test-postgres           the suite on the PostgreSQL in POSTGRES_BIN"
	@echo " make test-dbt-versions       the suite on DuckDB with each dbt-core, and the example with dbt 2; also test-dbt-1.9 and so on"
	@echo " make test-browser            the HTML pages in a headless Chromium (CHROMIUM=path, or the one on the PATH)"
	@echo " make test-orchestrators      real runs of Airflow, Dagster and Prefect; also test-airflow and so on"
	@echo " make test-image              build the Dockerfile's image and run the demo in it; without Docker, do its steps (ADAPTER=snowflake)"
	@echo " make docs-check              the tests of the docs"
	@echo " make site                    build the docs site: site/index.html"
	@echo " make picture                 draw the terminal picture in the README from real output"
	@echo " make bench                   run every benchmark and update the tables in docs/"
	@echo " make bench-small             the benchmarks with little data, to check that they work"
	@echo " make lint                    check with ruff, mypy and codespell, and the prose: spelling, terms, phrases, long sentences"
	@echo " make coverage                measure the coverage of the tests that run in .venv"
	@echo " make wheel                   build the wheel and try it in an empty environment"
	@echo " make clean                   remove everything that was built, including .venv"

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Creating $(VENV) with dbt, DuckDB and the tools of development. This takes less than a minute."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(UV_INSTALL) --python $(BIN)/python -c constraints.txt -e '.[duckdb,otel,sandbox,dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/dbt-batch-sync demo $(ARGS)

# One process per core. Each file of tests runs in one process, so that its fixtures start once.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --dist loadfile -m 'not thorough and not grammars and not emulated and not browser and not orchestrated' $(ARGS)

test-faults: $(INSTALLED)
	$(BIN)/python -m pytest tests/faults tests/integration -m thorough $(ARGS)

test-grammars: $(INSTALLED)
	$(BIN)/python -m pytest tests/golden -m grammars $(ARGS)

test-browser: $(INSTALLED)
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

# Their dependencies conflict, so each warehouse and orchestrator has its own environment and list of versions. uv creates them in a
# tenth of pip's time.
.venvs/%/.installed: tests/warehouses/requirements/%.txt pyproject.toml | $(INSTALLED)
	$(PYTHON) -m venv --clear --without-pip .venvs/$*
	$(UV_INSTALL) --python .venvs/$*/bin/python -r $< -e .
	@touch $@

.venvs/%/.installed: tests/orchestrators/requirements/%.txt pyproject.toml | $(INSTALLED)
	$(PYTHON) -m venv --clear --without-pip .venvs/$*
	$(UV_INSTALL) --python .venvs/$*/bin/python -r $< -e '.[sandbox]'
	@touch $@

test-warehouses: $(WAREHOUSES:%=test-%)

$(WAREHOUSES:%=test-%): test-%: .venvs/%/.installed
	.venvs/$*/bin/python -m pytest -m emulated $(wildcard tests/drivers/test_$*.py) tests/warehouses/test_$*.py $(ARGS)

# On the version in POSTGRES_BIN; `make test` uses the newest one.
test-postgres: $(INSTALLED)
	POSTGRES_BIN=$(POSTGRES_BIN) $(BIN)/python -m pytest tests/drivers/test_postgres.py tests/warehouses/test_postgres.py $(ARGS)

test-dbt-versions: $(DBT_VERSIONS:%=test-%) test-dbt-2

$(DBT_VERSIONS:%=test-%): test-%: .venvs/%/.installed
	.venvs/$*/bin/python -m pytest tests/warehouses/test_duckdb.py $(ARGS)

test-dbt-2: .venvs/dbt-2/.installed
	.venvs/dbt-2/bin/python -m pytest tests/warehouses/test_dbt_2.py $(ARGS)

test-orchestrators: $(ORCHESTRATORS:%=test-%)

$(ORCHESTRATORS:%=test-%): test-%: .venvs/%/.installed
	.venvs/$*/bin/python -m pytest -m orchestrated tests/orchestrators/test_$*.py $(ARGS)

test-image:
	.ci/try_image $(PYTHON) $(ADAPTER)

docs-check: $(INSTALLED)
	$(BIN)/python -m pytest tests/integration/test_docs*.py $(ARGS)

site: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# For the workflows: adds a version to the branch gh-pages, for example `make docs-deploy VERSION=0.1 ALIAS=latest`. The site opens with the
# latest release; until there is one, with this version.
docs-deploy: $(INSTALLED)
	$(UV_INSTALL) --python $(BIN)/python mike==2.2.0
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 mike deploy --push --update-aliases $(VERSION) $(ALIAS)
	$(BIN)/mike set-default --push latest || $(BIN)/mike set-default --push $(VERSION)

picture: $(INSTALLED)
	$(BIN)/python .ci/picture.py

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks --docs $(ARGS)

bench-small: $(INSTALLED)
	$(BIN)/python -m benchmarks --small --installed $(ARGS)
	$(BIN)/python -m benchmarks.scans --rows 2000

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell .
	$(BIN)/python -m pytest tests/unit/test_prose.py
	$(BIN)/codespell -D - -D .ci/terms.txt $(shell git ls-files '*.md' '*.sql' '*.yml' | grep -v '^tests/')

coverage: $(INSTALLED)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests/unit tests/property tests/integration -m 'not thorough' $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

wheel: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --installer uv
	$(BIN)/python .ci/check_dist.py dist
	.ci/try_wheel $(BIN)/python dist/*.whl

clean:
	rm -rf $(VENV) .venvs build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
