# Every target sets up what it needs; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m lab
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help up down tools status logs preview deploy destroy verify start shell doctor paths conformance chaos test test-fast lint fast-tests lab-tests nightly-tests properties fuzz guide benchmark benchmark-bootstrap benchmark-nodes benchmark-one-more benchmark-previews benchmark-reach benchmark-tenants benchmark-tenants-killed lock schemas policies docs format ci-preview ci-comment ci-plan ci-up ci-evidence ci-doctor ci-drift ci-versions

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/ready ## Start the whole platform on this machine and test it
	@$(RUN) up

down: $(VENV)/ready ## Stop and remove it; built tools and installed packages stay
	@$(RUN) down

tools: $(VENV)/ready ## Install missing packages and build the lab's tools; NAME=helm builds one, without root
	@$(RUN) tools $(NAME)

start: $(VENV)/ready ## Start only the lab: services and bare machines
	@$(RUN) start

deploy: $(VENV)/ready ## Run pulumi up with the policy pack on the running lab
	@$(RUN) deploy

preview: $(VENV)/ready ## Run pulumi preview with the policy pack on the running lab
	@$(RUN) preview

verify: $(VENV)/ready ## Test the running platform again
	@$(RUN) verify

destroy: $(VENV)/ready ## Run pulumi destroy on the running lab
	@$(RUN) destroy

doctor: $(VENV)/ready ## Check the lab's nodes and gateway; options in ARGS, for example ARGS=--json
	@$(RUN) vds doctor --stack lab --config-file .lab/Pulumi.lab.yaml $(ARGS)

paths: $(VENV)/ready ## Test every data path that this kernel supports (some minutes)
	@$(RUN) paths

conformance: $(VENV)/ready ## Run the public conformance suites on the running platform (an hour); NAME=gateway-api runs one
	@$(RUN) conformance $(NAME)

chaos: $(VENV)/ready ## Make faults in the lab and count what is lost (40 minutes); NAME=stale-lock makes one
	@$(RUN) chaos $(if $(NAME),--only $(NAME))

status: $(VENV)/ready ## Show what runs in the lab
	@$(RUN) status

logs: $(VENV)/ready ## Show the lab's logs; NAME=osl-w-1 shows one machine's journal
	@$(RUN) logs $(NAME)

shell: $(VENV)/ready ## Open a shell on the lab's operator laptop, with kubectl, helm and pulumi
	@$(RUN) shell

test: lint fast-tests lab-tests ## Run everything that CI runs

test-fast: lint fast-tests ## Run all tests without the lab; needs no root

lint: $(VENV)/ready ## Check style, types, layers and shell syntax
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/mypy
	for program in packages/*/__main__.py tests/lab/*/__main__.py tests/lab/programs/*/__main__.py; do $(VENV)/bin/mypy $$program || exit 1; done
	$(VENV)/bin/lint-imports
	for script in setup.sh .ci/run .ci/pulumi components/*/*.sh vds/*/*.sh components/*/*/*.sh; do sh -n $$script || exit 1; done
	$(VENV)/bin/shellcheck -s sh setup.sh .ci/run .ci/pulumi lab/machines/*.sh
	$(VENV)/bin/shellcheck -s sh -e SC2016 tests/golden/files/*.sh # a script that they write is a text in single quotes

# These first, and with progress: the tests render charts, preview a change with the real engine and check workflows.
# Each test file runs in one process, because its tests share what took long to make.
fast-tests: $(VENV)/ready
	@for tool in helm pulumi pulumi-resource-kubernetes actionlint promtool etcd kube-apiserver kubectl age age-keygen etcdctl etcdutl s3server; do $(RUN) tools $$tool || exit 1; done
	$(VENV)/bin/pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests --ignore=tests/lab

# Build the tools before the tests, and show progress: the first build takes longer than a test's time limit.
lab-tests: $(VENV)/ready
	@[ "$$(id -u)" = 0 ] || { echo "error: the lab tests need root; run: sudo make test, or make test-fast" >&2; exit 1; }
	@$(RUN) tools
	$(VENV)/bin/pytest -v --durations=25 -m "$(or $(MARK),not nightly)" tests/lab

nightly-tests: ## Run the lab tests that take too long for each push (two hours; stops a running lab)
	@$(MAKE) lab-tests MARK=nightly

properties: $(VENV)/ready ## Try each property with twenty times the examples (half an hour)
	@$(RUN) tools helm
	EXAMPLES=nightly $(VENV)/bin/pytest -q --numprocesses auto --maxprocesses 4 --timeout 3600 tests/property

# atheris has wheels for some versions of Python only; without it hypothesis makes all inputs, and the program says so.
fuzz: $(VENV)/ready ## Try odd stack files, nodes' answers and charts' values by the thousand (an hour); ARGS=node-answers
	@$(RUN) tools helm
	@$(VENV)/bin/pip install --quiet --require-hashes --only-binary :all: -r tests/fuzz/atheris.txt 2>/dev/null || true
	@$(VENV)/bin/python -m tests.fuzz $(ARGS)

guide: $(VENV)/ready ## Type docs/howto/first-environment.md on bare machines (stops a running lab; 6 minutes)
	@[ "$$(id -u)" = 0 ] || { echo "error: the lab needs root; run: sudo make guide" >&2; exit 1; }
	@$(RUN) tools
	$(VENV)/bin/pytest -v -s tests/lab/test_first_environment.py

benchmark-nodes: $(VENV)/ready ## Measure the setup of 20 nodes, compared with plain SSH and Ansible (root)
	@$(VENV)/bin/python benchmarks/nodes.py

benchmark-one-more: $(VENV)/ready ## Measure one more worker in a cluster of 3 and of 50 nodes (root)
	@$(VENV)/bin/python benchmarks/one_more.py

benchmark-bootstrap: $(VENV)/ready ## Measure how long a cluster takes with pulumi up and by hand (stops a running lab); ARGS=--machines 5
	@$(VENV)/bin/python benchmarks/bootstrap.py $(ARGS)

benchmark-reach: $(VENV)/ready ## Measure vds reach with 100,000 pods, and compare a million answers with cyclonus (10 minutes)
	@PYTHONPATH=. $(VENV)/bin/python benchmarks/reach.py
	@PYTHONPATH=. $(VENV)/bin/python benchmarks/reach_cyclonus.py

benchmark-previews: $(VENV)/ready ## Measure previews of 1,000 resources with and without the policy pack; ARGS="--rounds 1"
	@PYTHONPATH=. $(VENV)/bin/python benchmarks/previews.py $(ARGS)

benchmark-tenants: $(VENV)/ready ## Measure what registered tenants cost, compared with kubectl; ARGS="--tenants 10 30 100"
	@PYTHONPATH=. $(VENV)/bin/python benchmarks/tenants.py $(ARGS)

benchmark-tenants-killed: $(VENV)/ready ## Kill `vds tenant up --all` fifty times at random, and look for what is lost (half an hour)
	@PYTHONPATH=. $(VENV)/bin/python benchmarks/tenants_killed.py $(ARGS)

benchmark: $(VENV)/ready ## Measure the lab, three rounds (stops a running lab)
	@$(VENV)/bin/python benchmarks/make_up.py

format: $(VENV)/ready ## Format the code
	$(VENV)/bin/ruff check --quiet --fix . ; $(VENV)/bin/ruff format --quiet .

schemas: $(VENV)/ready ## Write schemas/ and the agencies' types from the models
	$(VENV)/bin/python -m components.stackfile.schema
	$(VENV)/bin/python -m components.agency.schema

policies: $(VENV)/ready ## Write docs/policies/ and docs/cis-benchmark.md from their tables
	$(VENV)/bin/python -m policies.docs
	$(VENV)/bin/python -m components.kubeadm.security.benchmark

docs: $(VENV)/ready ## Build the documentation as a site in site/
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict
	@echo "open site/index.html"

# What CI runs, on every forge (.github/workflows, examples/ci). The environment has STACK or STACKS, BASE and HEAD.
VDS := $(VENV)/bin/vds
LOGIN := $(VDS) backend-login --

ci-preview: $(VENV)/ready # Preview of commit HEAD without a secret; PROGRAM is a checkout of it that a reviewer approved
	mkdir -p preview
	if [ -n "$$PROGRAM" ]; then $(MAKE) -C "$$PROGRAM" $(VENV)/ready; fi
	set -- --base "$$BASE" --head "$$HEAD" --output preview/comment.md --report preview/report.md; \
	for stack in $$STACKS; do set -- "$$@" --stack "$$stack"; done; \
	if [ -n "$$PROGRAM" ]; then set -- "$$@" --program "$$PROGRAM"; fi; \
	if [ -f "facts/$$STACKS.json" ]; then set -- "$$@" --facts "facts/$$STACKS.json"; fi; \
	$(VDS) preview-comment "$$@" --save preview/reports.json

ci-comment: $(VENV)/ready # Post what ci-preview has saved; GITHUB_TOKEN or GITLAB_TOKEN may comment
	set -- --base "$$BASE" --head "$$HEAD" --report-link "$$LINK"; \
	for stack in $$STACKS; do set -- "$$@" --stack "$$stack"; done; \
	if [ -f preview/reports.json ]; then set -- "$$@" --reports preview/reports.json; fi; \
	$(VDS) post-comment "$$@"

ci-plan: $(VENV)/ready # What an update of STACK would do, with the state; without the passphrase
	$(LOGIN) $(VDS) plan --stack "$$STACK"

# A self-managed backend does not enforce policies, so every run must name the pack.
# The lock is compared before; without an entry nothing is.
ci-up: $(VENV)/ready # Update STACK
	if grep -q '^- name:' charts.lock.yaml; then $(LOGIN) $(VDS) charts check --stack "$$STACK"; fi
	$(LOGIN) pulumi up --yes --non-interactive --stack "$$STACK" --policy-pack policies

ci-evidence: $(VENV)/ready # Evidence about STACK, in evidence/
	if [ -f "facts/$$STACK.json" ]; then set -- --facts "facts/$$STACK.json"; fi; \
	$(LOGIN) $(VDS) evidence --stack "$$STACK" "$$@"

# --strict: steal, lost packets and a filling conntrack table are an alarm too, counted since the run before. The
# findings go to a file and not to the log, which anybody may read in a public repository.
ci-doctor: $(VENV)/ready # Nodes, cluster and gateway of STACK: doctor.json and facts/STACK.json; with the file READ_ONLY_KUBECONFIG no nodes
	mkdir -p facts
	if [ -n "$$READ_ONLY_KUBECONFIG" ]; then set -- --kubeconfig "$$READ_ONLY_KUBECONFIG"; \
	else set -- --facts "facts/$$STACK.json"; fi; \
	$(LOGIN) $(VDS) doctor --stack "$$STACK" --strict --json "$$@" >doctor.json

ci-drift: $(VENV)/ready # Whether anything of STACK differs from its description
	$(LOGIN) pulumi preview --non-interactive --refresh --expect-no-changes --stack "$$STACK" --policy-pack policies

ci-reboot: $(VENV)/ready # In the window, reboot the nodes of STACK that need it, one at a time
	$(LOGIN) $(VDS) reboot --stack "$$STACK"

ci-versions: $(VENV)/ready # Versions of STACK past their end of life, or vulnerable
	$(VDS) versions "Pulumi.$$STACK.yaml"

# The locks name no index: each machine uses the one that its pip is set to. Renovate runs the command in their headers.
lock: ## Make the locks from pyproject.toml and lab/toolchain/go.in (needs uv)
	uv pip compile --quiet pyproject.toml --extra=dev --universal --generate-hashes \
		--output-file=requirements.txt
	cd lab/toolchain && uv pip compile --quiet go.in --universal --generate-hashes --output-file=go.txt

$(VENV)/ready: requirements.txt pyproject.toml setup.sh
	@sh setup.sh $(PYTHON) $(VENV)
