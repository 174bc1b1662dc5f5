# Two words for a fresh machine: `make demo` and `make test`. Needs Python 3.11+ with headers, g++ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := pyproject.toml $(shell find runtime/cpp -name '*.cpp' -o -name '*.h' -o -name CMakeLists.txt)

# In the environment itself: an isolated build has another path each time and compiles everything anew.
BUILD_TOOLS := 'scikit-build-core>=1.0' 'nanobind>=2.2' 'cmake>=3.25' ninja

PYTEST := $(BIN)/pytest -n auto

.PHONY: demo test test-full check format bench dev stubs wheels clean

demo: $(VENV)/.demo
	$(BIN)/python demo/demo.py

test: $(VENV)/.dev
	$(PYTEST) -m "not full"

test-full: $(VENV)/.dev
	$(PYTEST)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $$(git ls-files '*.cpp' '*.h')

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $$(git ls-files '*.cpp' '*.h')

stubs: $(VENV)/.dev
	$(BIN)/python tools/make_stubs.py

wheels: $(VENV)/.dev
	$(BIN)/python tools/wheels/build_wheels.py

bench: $(VENV)/.demo
	$(BIN)/python demo/demo.py --export-only
	$(BIN)/whit bench out/demo/gq demo/digits.jsonl --against out/demo/qat8

dev: $(VENV)/.dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(NATIVE) | $(VENV)/bin/python
	$(BIN)/pip install -q $(BUILD_TOOLS)
	$(BIN)/pip install -q --no-build-isolation -e '.[tflite]'
	touch $@

$(VENV)/.dev: $(NATIVE) | $(VENV)/bin/python
	$(BIN)/pip install -q $(BUILD_TOOLS)
	$(BIN)/pip install -q --no-build-isolation -e '.[export,train,dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf build dist out $(VENV)
