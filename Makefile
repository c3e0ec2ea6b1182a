# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 or newer, make, the package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench wheel clean

demo: $(VENV)/ready
	$(BIN)/zoo demo

test: $(VENV)/ready
	$(BIN)/python -m pytest

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks

# The wheel as users get it, looked into by a test of its own and imported from a folder that is not the checkout.
wheel: $(VENV)/ready
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python tests/check_wheel.py dist

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
