# Every target sets up .venv by itself; a second call finds it ready. It needs Python 3.11 or newer with pip and venv.
PYTHON  ?= python3
BIN     := .venv/bin
SMOKE   := paper_figures/out
DESK    := experiments/results
PAPER   := paper_figures/out/paper
FIGURES := $(BIN)/python -m paper_figures
WORKERS ?= 2
MARKS   ?= not slow
# numpy's matrices here are small and many: threads inside one product cost more than they give, on busy cores tenfold.
export OPENBLAS_NUM_THREADS ?= 1
# With several threads inside one matrix product, XLA's programs of many small ones can stop for ever on two cores.
export XLA_FLAGS ?= --xla_cpu_multi_thread_eigen=false

.DEFAULT_GOAL := help
.PHONY: help setup test lint figures gallery desk paper bench docs wheel clean

help:  ## this list
	@echo "make TARGET [PYTHON=python3]; every target sets up .venv by itself."
	@sed -n 's/^\([a-z]*\):.*## /  \1|/p' Makefile | while IFS='|' read -r t d; do printf '%-10s %s\n' "$$t" "$$d"; done

test: setup lint  ## lint, then all tests on two workers
	@$(BIN)/python -m pytest -n $(WORKERS)

lint: setup  ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

figures: setup  ## every figure and the report, from small runs (minutes on two cores)
	@$(BIN)/python -m experiments run --all --preset smoke --out $(SMOKE)/results
	@$(BIN)/python -m theory check --all --results $(SMOKE)/results --out $(SMOKE)/results
	@$(FIGURES) all --results $(SMOKE)/results --out $(SMOKE)
	@$(FIGURES) report --results $(SMOKE)/results --out $(SMOKE)

gallery: setup  ## the committed pictures and the README's table, from the committed results
	@$(FIGURES) all --results $(DESK) --out paper_figures/gallery --png-only
	@$(FIGURES) readme --results $(DESK)

desk: setup  ## the committed results: every experiment as far as two cores go (hours), claims, the gallery
	@$(BIN)/python -m experiments run --all --preset desk --out $(DESK)
	@$(BIN)/python -m theory check --all --results $(DESK) --out $(DESK)
	@$(MAKE) gallery

paper: setup  ## every experiment at the paper's sizes, for a GPU, and all figures into paper_figures/out/paper
	@$(BIN)/python -m experiments run --all --preset paper --out $(PAPER)/results
	@$(BIN)/python -m theory check --all --results $(PAPER)/results --out $(PAPER)/results
	@$(FIGURES) all --results $(PAPER)/results --out $(PAPER)
	@$(FIGURES) report --results $(PAPER)/results --out $(PAPER)

bench: setup  ## timings, one process, no other load (MARKS=slow for those that take minutes)
	@$(BIN)/python -m pip show --quiet emlp six 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only -m '$(MARKS)'

docs: setup  ## the documentation as a site in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: setup  ## the equiv wheel in dist/
	@$(BIN)/python -m build --wheel --outdir dist

clean:  ## removes everything the targets made, .venv too
	@rm -rf .venv .cache .benchmarks .hypothesis .pytest_cache .ruff_cache build dist site paper_figures/out

# The stamp names the interpreter and what was to be installed: another interpreter starts .venv afresh, other
# requirements are installed over it.
setup:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: equiv needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make PYTHON=python3.12 TARGET" >&2; exit 2; }
	@set -e; \
	python=$$($(PYTHON) -c 'import sys; print(sys.version, sys.base_prefix)'); \
	wanted="$$python $$(cat pyproject.toml constraints.txt | cksum)"; \
	[ "$$(cat .venv/ready 2>/dev/null)" = "$$wanted" ] && exit 0; \
	if [ "$$(cat .venv/interpreter 2>/dev/null)" != "$$python" ]; then \
	  rm -rf .venv; echo "setting up .venv with $$($(PYTHON) --version) (a few minutes, once)"; \
	  $(PYTHON) -m venv .venv; echo "$$python" > .venv/interpreter; \
	else echo "requirements changed: installing them into .venv"; fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'; \
	echo "$$wanted" > .venv/ready
