# One command each. `make demo` and `make test` set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test check format setup-train setup-tflite lock clean

help:            ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/ –/'

setup: $(VENV)/.ready  ## a virtual environment in the tree, from the hashed lock

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup      ## the whole plant in software, with its screens
	$(BIN)/lineside demo

test: setup      ## all tests, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup     ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup    ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup-tflite:    ## a third environment, for `lineside quantize --to tflite-…` (about 400 MB)
	$(PYTHON) -m venv .venv-tflite
	.venv-tflite/bin/python -m pip install --quiet litert-quantizer==0.11.0 'onnx>=1.17' 'onnxruntime>=1.23' psutil tqdm
	# Pinned by onnx2tf to old versions of everything, and to a Python that it does not need.
	.venv-tflite/bin/python -m pip install --quiet --no-deps --ignore-requires-python onnx2tf==2.6.9 sng4onnx==2.0.1

setup-train:     ## a second environment with torch, for `lineside train` (about 6 GB)
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet -e '.[train]'

lock: setup      ## write both locks anew from pyproject.toml
	$(BIN)/python -m piptools compile --quiet --strip-extras --allow-unsafe --generate-hashes \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--extra litert --extra openvino --extra postgresql --extra dev --output-file requirements.lock pyproject.toml
	$(BIN)/python -m piptools compile --quiet --strip-extras --generate-hashes \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --constraint requirements.lock \
		--extra litert --extra openvino --extra postgresql --output-file requirements-run.lock pyproject.toml

clean:           ## remove what was made, models and settings stay
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
