# Set-up, demonstration, tests and checks. Everything goes into one virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint wheel bench clean

help:
	@echo "make demo   classify the bundled clips with the packaged model"
	@echo "make test   install what the tests need and run them"
	@echo "make lint   style, types and layering"
	@echo "make wheel  build the wheel into dist/"
	@echo "make bench  measure speed and memory (see benchmarks/README.md)"
	@echo "make clean  remove the virtual environment and build products"

demo: $(VENV)/.run
	$(BIN)/genrelens classify examples/bach-prelude.ogg

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel --outdir dist

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py

clean:
	rm -rf $(VENV) build dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# What it takes to run, and what it takes to develop: each is installed once.
$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.run
