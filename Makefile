# Python >= 3.11 and make are all it takes. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= build/demo
UNUSED := /tests/|transformers/models/(?!auto|bert/|gpt2|llama/)

.DEFAULT_GOAL := help
.PHONY: help setup demo test suite lint prove references mutation bench figures clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready  ## a virtual environment with everything in it

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ptqlab needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@echo "1/3 Making the virtual environment $(VENV): some seconds"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "2/3 Installing ptqlab and about 180 packages, torch among them: 2 GB on disk, a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@echo "3/3 Compiling the libraries on all cores: half a minute"
	@$(BIN)/python -m compileall -qq -j 0 -x '$(UNUSED)' $(VENV)/lib || true  # pip would use one core, and compile all
	@touch $@

demo: setup  ## grade a bundled class of notebooks and show the scoreboard
	$(BIN)/python -P tests/support/demo.py $(DEMO)/submitted
	$(BIN)/ptqlab grade $(DEMO)/submitted --out $(DEMO)/grades --exercise 01 --jobs 2 --seed 7 --regrade
	@echo "Open the reports in $(DEMO)/grades/<student>/01_basic_quantization.html"

test: setup  ## what every landing must pass: minutes
	$(BIN)/ptqlab build --check
	$(MAKE) --jobs 2 lint suite

suite: setup
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 10

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

prove: setup  ## everything, at full size: hours; docs/proof.md
	$(BIN)/ptqlab verify --seeds 10 --jobs 2
	$(BIN)/pytest -m '' --timeout 0
	$(MAKE) references

references: setup  ## mutants of the reference solutions against the labs' tests: docs/references.md
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[mutation]'
	$(BIN)/python tests/mutation/references.py

mutation: setup  ## mutants of scoring and verdicts against the fast tests: docs/mutation.md
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[mutation]'
	rm -rf mutants
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

bench: setup  ## CPU seconds a submission: ptqlab, nbgrader, one pytest process
	$(BIN)/python -P tests/benchmarks/compare.py

figures: setup  ## what each method does to each model: docs/figures.md
	$(BIN)/python -P tests/benchmarks/figures.py

clean:  ## remove what the targets above made, but the environment
	rm -rf $(DEMO) build dist mutants .pytest_cache .mypy_cache .ruff_cache
