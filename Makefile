# `make demo` and `make test` set up everything they need in .venv, on a machine with Python 3.10 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVER := $(VENV)/.server-installed
DEV := $(VENV)/.dev-installed
DEMO := out/demo

.PHONY: demo test test-long test-python39 lint bench docs clean

demo: $(SERVER)
	@mkdir -p $(DEMO)
	$(BIN)/stylebridge render examples/shot/plate.mp4 $(DEMO)/styled.mp4 --look examples/demo.toml \
		--overwrite --contact-sheet $(DEMO)/contact-sheet.png

test: $(DEV)
	$(BIN)/python -m pytest -q -m "not long"

# Minutes of faults, malformed messages and random use; says what it does as it goes.
test-long: $(DEV)
	$(BIN)/python -m pytest -v -s -m long --durations=10

# The bridge alone, on the oldest Python that a host brings.
test-python39:
	sh tests/python39.sh

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m benchmarks.run

docs: $(DEV)
	$(BIN)/python docs/effect_reference.py

clean:
	rm -rf $(VENV) out build dist *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Stylebridge's server needs Python 3.10 or later; say which with make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(SERVER): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[server]"
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[server,onnx,dev]"
	@touch $@ $(SERVER)
