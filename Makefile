# `make demo` and `make test` set up everything they need in .venv, on a machine with Python 3.10 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVER := $(VENV)/.server-installed
DEV := $(VENV)/.dev-installed
DEMO := out/demo

# Which Blenders the add-on is tested in: bpy wheels by their version, and "debian", the Blender that is installed here.
BLENDER ?= 4.2 4.5 5.0 debian
BLENDER_PYTHON ?= python3.11

.PHONY: demo test test-long test-python39 test-blender blender-extension lint bench docs clean

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

# The add-on inside real Blenders, against a real server; "debian" drives the real window too, which needs xvfb, xdotool
# and imagemagick. Arguments of pytest: make test-blender BLENDER=4.5 ARGS="-k render".
test-blender: $(DEV) $(foreach version,$(BLENDER),.venv-blender-$(version)/.installed)
	@set -e; for version in $(BLENDER); do \
		echo "Blender $$version"; \
		case $$version in debian) with="--tools .venv-blender-debian" ;; \
			*) with="--python .venv-blender-$$version/bin/python" ;; esac; \
		run="$(BIN)/python tests/blender/run.py --blender $$version $$with --server-python $(BIN)/python"; \
		$$run -- $(ARGS); \
		case $$version in debian) $$run --window ;; esac; \
	done

# For a Blender that is installed only the tools of the tests are needed.
.venv-blender-debian/.installed:
	$(BLENDER_PYTHON) -m pip install --quiet --disable-pip-version-check --target $(@D) pytest pytest-timeout
	@touch $@

.venv-blender-%/.installed:
	$(BLENDER_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check "bpy==$*.*" "numpy<2" \
		"pyzmq>=26" "msgpack>=1.0.8" pytest pytest-timeout
	@touch $@

# The extension for Blender 4.2 and later, and the legacy zip for 3.x.
blender-extension:
	$(PYTHON) host_plugins/blender/package.py --out dist/blender --wheels build/wheels

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m benchmarks.run

docs: $(DEV)
	$(BIN)/python docs/effect_reference.py
	$(BIN)/python docs/formats.py

clean:
	rm -rf $(VENV) .venv-blender-* out build dist *.egg-info

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
