# Every target does its own set-up: `make demo` or `make test` is all there is to type.
#   PYTHON=python3.13   use this interpreter       VENV=.venv-313   keep the environment in another folder
#   ARGS="-k iou"       arguments for what is run

VENV   ?= .venv
BENCH  ?= .venv-bench
PYTHON ?=
ARGS   ?=

SHELL         := /bin/sh
MAKEFLAGS     += --no-print-directory
.DEFAULT_GOAL := help

bin     := $(VENV)/bin
pip     := -m pip install --quiet --disable-pip-version-check
sources := pyproject.toml CMakeLists.txt $(wildcard native/*)

.PHONY: help setup demo test examples docs pages lint format types check bench study peers s3 fuzz sanitize wheel clean FORCE

help:  ## This list
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.built  ## Environment and native build; every other target sees to it by itself

demo: $(VENV)/.built  ## Make a small data set with two models, evaluate, compare and report
	@$(bin)/maskmeter demo $(ARGS)

test: $(VENV)/.built  ## All tests
	@$(bin)/python -m pytest -n auto $(ARGS)

examples: $(VENV)/.built  ## Only the examples: docstrings, README and docs/
	@$(bin)/python -m pytest -q src tests/test_docs.py $(ARGS)

docs: $(VENV)/.built  ## The printed pages of docs/ say what the code says
	@$(bin)/python docs/build.py --check

pages: $(VENV)/.built  ## Print those pages again: docs/metrics/ and docs/commands.md
	@$(bin)/python docs/build.py

lint: $(VENV)/.tools  ## Rules and layout of the Python code
	@$(bin)/ruff check --output-format concise && $(bin)/ruff format --check --output-format concise

format: $(VENV)/.tools  ## Put the layout right, and what the rules can repair themselves
	@$(bin)/ruff check --fix --quiet; $(bin)/ruff format --quiet

types: $(VENV)/.built $(VENV)/.tools  ## Types of src/maskmeter, strictly
	@$(bin)/pyright --pythonpath $(bin)/python

check: lint types docs test  ## What a change has to pass

bench: $(BENCH)/.built  ## Workloads of benchmarks/, ours beside the peers in one run
	@for file in $(or $(ARGS),$(filter-out benchmarks/study_%,$(wildcard benchmarks/[a-z]*.py))); do $(BENCH)/bin/python $$file || exit; done

study: $(VENV)/.built  ## Which surface is nearest to the truth, how often intervals hold it: docs/studies again
	@$(bin)/python benchmarks/study_surfaces.py && $(bin)/python benchmarks/study_coverage.py

peers: $(BENCH)/.built  ## Tests that ask the peers' own packages for the numbers
	@$(BENCH)/bin/python -m pytest -m peers $(ARGS)

s3: $(VENV)/.built  ## Runs over files in an object store, a local S3 server that this installs
	@$(bin)/python $(pip) "moto[server,s3]>=5" s3fs
	@$(bin)/python -m pytest tests/test_s3.py $(ARGS)

fuzz: $(VENV)/.built  ## The property tests for longer, with fresh examples
	@HYPOTHESIS_PROFILE=deep $(bin)/python -m pytest -n auto tests $(ARGS)

sanitize:  ## Hostile input to the native readers, under the address sanitizer (ARGS: how often, a million by default)
	@mkdir -p build/sanitize
	@for file in tests/native/fuzz_*.cpp; do \
	  program=build/sanitize/$$(basename $$file .cpp); \
	  $(CXX) -std=c++20 -O1 -g -Wall -Wextra -fsanitize=address,undefined -fno-sanitize-recover -pthread $$file -o $$program \
	  && $$program $(ARGS) || exit; \
	done

wheel: $(VENV)/.made  ## Source distribution, and the wheel built from it, in dist/
	@$(bin)/python $(pip) build
	@$(bin)/python -m build --outdir dist

clean:  ## Remove everything that was made here
	rm -rf $(VENV) $(BENCH) build dist wheelhouse .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The script touches the stamp only where there is news, so nothing below is done twice.
$(VENV)/.made $(BENCH)/.made: FORCE
	@scripts/make-venv $(@D) $(PYTHON)

$(VENV)/.built: $(VENV)/.made $(sources)
	@echo "Building and installing maskmeter (a minute or two the first time)"
	@$(bin)/python $(pip) --editable ".[test]"
	@touch $@

$(VENV)/.tools: $(VENV)/.made pyproject.toml
	@$(bin)/python $(pip) --upgrade pip
	@$(bin)/python $(pip) --group lint
	@touch $@

$(BENCH)/.built: $(BENCH)/.made $(sources) benchmarks/requirements.txt
	@echo "Building maskmeter and installing the peers (a few minutes the first time)"
	@$(BENCH)/bin/python $(pip) --editable ".[test]" --requirement benchmarks/requirements.txt
	@touch $@
