# Every target sets up what it needs; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m lab
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help up down tools status logs preview deploy destroy verify start shell doctor paths conformance test test-fast lint fast-tests lab-tests benchmark benchmark-bootstrap benchmark-nodes lock schemas policies format

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/ready ## Start the whole platform on this machine and prove it
	@$(RUN) up

down: $(VENV)/ready ## Take it away again; built tools and installed packages stay
	@$(RUN) down

tools: $(VENV)/ready ## Install what the machine lacks and build the lab's tools
	@$(RUN) tools

start: $(VENV)/ready ## Start the lab alone: services and bare machines
	@$(RUN) start

deploy: $(VENV)/ready ## Run pulumi up with the policy pack on the running lab
	@$(RUN) deploy

preview: $(VENV)/ready ## Run pulumi preview with the policy pack on the running lab
	@$(RUN) preview

verify: $(VENV)/ready ## Prove the running platform again
	@$(RUN) verify

destroy: $(VENV)/ready ## Run pulumi destroy on the running lab
	@$(RUN) destroy

doctor: $(VENV)/ready ## Ask the lab's nodes and gateway how they stand; ARGS=--json and others go on to it
	@$(RUN) vds doctor --stack lab --config-file .lab/Pulumi.lab.yaml $(ARGS)

paths: $(VENV)/ready ## Prove every data path that this kernel has, one after the other (some minutes)
	@$(RUN) paths

conformance: $(VENV)/ready ## Run the public conformance suites on the running platform (an hour); NAME=gateway-api runs one
	@$(RUN) conformance $(NAME)

status: $(VENV)/ready ## What of the lab runs
	@$(RUN) status

logs: $(VENV)/ready ## The lab's logs; NAME=osl-w-1 shows one machine's journal
	@$(RUN) logs $(NAME)

shell: $(VENV)/ready ## A shell on the lab's operator laptop, where kubectl, helm, pulumi work
	@$(RUN) shell

test: lint fast-tests lab-tests ## Everything that CI runs

test-fast: lint fast-tests ## Without the lab: no root needed

lint: $(VENV)/ready ## Style, types, layers, shell syntax
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	for script in setup.sh .ci/run components/*/*.sh vds/*/*.sh components/*/*/*.sh; do sh -n $$script || exit 1; done
	$(VENV)/bin/shellcheck -s sh setup.sh .ci/run lab/machines/*.sh tests/golden/files/*.sh

fast-tests: $(VENV)/ready
	$(VENV)/bin/pytest -q tests --ignore=tests/lab

# Tools are built before any test, with progress: a first build takes longer than any test may.
lab-tests: $(VENV)/ready
	@[ "$$(id -u)" = 0 ] || { echo "error: the lab tests take root; run: sudo make test, or make test-fast" >&2; exit 1; }
	@$(RUN) tools
	$(VENV)/bin/pytest -v --durations=25 tests/lab

benchmark-nodes: $(VENV)/ready ## How long 20 nodes take to set up, against bare SSH and Ansible (root)
	@$(VENV)/bin/python benchmarks/nodes.py

benchmark-bootstrap: $(VENV)/ready ## How long a cluster takes by pulumi up and by hand (takes a running lab down); ARGS=--machines 5
	@$(VENV)/bin/python benchmarks/bootstrap.py $(ARGS)

benchmark: $(VENV)/ready ## How long the lab takes, three rounds (takes a running lab down)
	@$(VENV)/bin/python benchmarks/make_up.py

format: $(VENV)/ready ## Put the code into its style
	$(VENV)/bin/ruff check --quiet --fix . ; $(VENV)/bin/ruff format --quiet .

schemas: $(VENV)/ready ## Make schemas/ anew from the models
	$(VENV)/bin/python -m components.stackfile.schema

policies: $(VENV)/ready ## Make docs/policies/ anew from the pack
	$(VENV)/bin/python -m policies.docs

# The locks name no index: each machine uses the one that its pip is set to.
UNTIED := --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: ## Make the locks anew from pyproject.toml and lab/toolchain/go.in (needs uv)
	uv pip compile --quiet pyproject.toml --extra lab --extra dev --universal --generate-hashes \
		$(UNTIED) -o requirements.txt
	uv pip compile --quiet lab/toolchain/go.in --universal --generate-hashes $(UNTIED) -o lab/toolchain/go.txt

$(VENV)/ready: requirements.txt pyproject.toml setup.sh
	@sh setup.sh $(PYTHON) $(VENV)
