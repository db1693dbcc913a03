# Needs Python 3.11+ and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
STACK ?= dev
BIN := .venv/bin
.DEFAULT_GOAL := help

help:  ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What each lock is made from. The components, the tools with their extra, and the development tools:
FROM_requirements.lock := --group=dev --extra=call components/pyproject.toml tools/pyproject.toml
FROM_requirements-local.lock := --constraint=requirements.lock testbed/requirements.in
# These two have environments of their own.
FROM_policy-pack/requirements.lock := --extra=policy tools/pyproject.toml
FROM_supply_chain/requirements.lock := supply_chain/requirements.in
LOCKS := requirements.lock requirements-local.lock policy-pack/requirements.lock supply_chain/requirements.lock
COMPILE := pip compile --universal --python-version=3.11 --generate-hashes
# A lock begins with this command: Renovate reads and runs it.
compile = UV_CUSTOM_COMPILE_COMMAND="uv $(COMPILE) --output-file=$(1) $(FROM_$(1))" $(BIN)/uv $(COMPILE) --quiet $(FROM_$(1)) --output-file

.venv/.synced: requirements.lock components/pyproject.toml tools/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.x"; exit 2; }
	@echo "making .venv from requirements.lock, about half a minute" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable components --editable tools
	@# uv compiles nothing: import a preview's modules here, or the first preview takes twice as long.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import grpc_platform.platform_stack, rich.console, typer; from pulumi_aws import cloudwatch, ec2, eks, iam, kms; [m.__name__ for m in (cloudwatch.LogGroup, ec2.Vpc, eks.Cluster, iam.Role, kms.Key)]'
	@touch $@

.venv/.local: .venv/.synced requirements-local.lock
	@echo "adding the local cluster's packages to .venv" >&2
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python --requirement requirements-local.lock
	@touch $@

policy-pack/.venv/.synced: policy-pack/requirements.lock .venv/.synced
	@$(BIN)/uv venv --quiet --clear --python $(PYTHON) policy-pack/.venv
	@$(BIN)/uv pip sync --quiet --require-hashes --python policy-pack/.venv/bin/python policy-pack/requirements.lock
	@echo "$(CURDIR)/tools" >"$$(policy-pack/.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/tools.pth"
	@touch $@

supply_chain/.venv/.synced: supply_chain/requirements.lock .venv/.synced
	@$(BIN)/uv venv --quiet --clear --python $(PYTHON) supply_chain/.venv
	@$(BIN)/uv pip sync --quiet --require-hashes --python supply_chain/.venv/bin/python supply_chain/requirements.lock
	@touch $@

# Built from their Go modules: packages on PyPI fetch binaries that no lock file covers.
GO_INSTALL := GOBIN=$(CURDIR)/$(BIN) GOTOOLCHAIN=local CGO_ENABLED=0 $(BIN)/go install -trimpath
# renovate: datasource=go depName=github.com/rhysd/actionlint
ACTIONLINT := 1.7.12
.venv/.actionlint-$(ACTIONLINT): .venv/.local
	@$(GO_INSTALL) github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT)
	@touch $@

# renovate: datasource=go depName=golang.org/x/vuln
GOVULNCHECK := 1.9.0
.venv/.govulncheck-$(GOVULNCHECK): .venv/.local
	@$(GO_INSTALL) golang.org/x/vuln/cmd/govulncheck@v$(GOVULNCHECK)
	@touch $@

# renovate: datasource=go depName=github.com/aquasecurity/trivy
TRIVY := 0.74.0
.venv/.trivy-$(TRIVY): .venv/.local
	@echo "building trivy $(TRIVY), some minutes" >&2
	@GOEXPERIMENT=jsonv2 $(GO_INSTALL) github.com/aquasecurity/trivy/cmd/trivy@v$(TRIVY)
	@touch $@

install: .venv/.synced  ## Make .venv with the locked packages and the grpc-platform command

preview: install  ## Render a stack without engine, credentials or network (STACK=dev)
	@$(BIN)/grpc-platform preview $(STACK)

diff: install  ## Show what changes in each stack since BASE, without engine or credentials
	@$(BIN)/grpc-platform diff $(or $(BASE),$(error name the revision to compare with: make diff BASE=main)) || [ $$? -eq 2 ]

test: install  ## Unit, contract, config and property tests
	@$(BIN)/pytest -n 2 --dist worksteal --ignore tests/local --ignore tests/engine --ignore tests/clients

hostile: install  ## Hostile input, with TIMES as many cases as `make test` has (34: 10,000 stack files)
	@HOSTILE=$(or $(TIMES),34) $(BIN)/pytest -n 2 --dist worksteal tests/hostile

mutants: install  ## Plant faults in the components one at a time, print those that nothing catches (ONLY=contour SAMPLE=40 SEED=1)
	@$(BIN)/python -m tests.mutants $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

local: .venv/.local  ## Start the local cluster and send gRPC calls through it (KEEP=1 keeps it, ENGINE=1: by pulumi up)
	@$(BIN)/python -m testbed up $(if $(KEEP),--keep) $(if $(ENGINE),--engine)

local-down: .venv/.local  ## End the kept local cluster
	@$(BIN)/python -m testbed down

test-local: .venv/.local  ## Run the tests that need the local cluster
	@$(BIN)/pytest tests/local

test-engine: .venv/.local  ## What only the real Pulumi engine can tell, on the local cluster
	@$(BIN)/pytest tests/engine -m "not prove"

prove: .venv/.local policy-pack/.venv/.synced  ## The tests of the real engine that .ci/run has no time for
	@$(BIN)/pytest tests/engine -m prove

engine-matrix: .venv/.local  ## Change every key of the stack file by pulumi up under calls, hours (KEYS="a b" these)
	@$(BIN)/python -m tests.engine.matrix $(KEYS)

upgrades: .venv/.local  ## Try each upgrade on the local cluster under calls, and log its steps (NAMES="a b" these)
	@$(BIN)/python -m tests.engine.upgrades $(NAMES)

test-clients: .venv/.local  ## Build the example clients, run them beside each other on the local cluster (QUICK=1 some)
	@$(BIN)/pytest tests/clients
	@$(BIN)/python -m experiments --only clients $(if $(QUICK),--quick)

experiments: .venv/.local  ## Measure the design's promises, over two hours (ONLY=name,... QUICK=1 FACTOR=10)
	@$(BIN)/python -m experiments $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(FACTOR),--factor $(FACTOR))

bench: .venv/.local  ## Measure a preview, a diff, and the real engine's preview and up, beside the SDK alone
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.engine
	@$(BIN)/python -m benchmarks.updates

check: .venv/.local .venv/.actionlint-$(ACTIONLINT)  ## Format, lint, types, workflows, lock files, generated docs, alerts, policies
	@# Two at a time: types takes as long as all others together.
	@$(MAKE) --no-print-directory -j2 types style workflows locked generated rules policies

# The steps of `make check`; the hooks of .pre-commit-config.yaml run them one by one.
style: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports >.venv/imports.log || { cat .venv/imports.log; exit 1; }

types: .venv/.local
	@$(BIN)/pyright

workflows: .venv/.local .venv/.actionlint-$(ACTIONLINT)
	@$(BIN)/actionlint -shellcheck= -pyflakes=
	@$(BIN)/zizmor --quiet --offline .

locked: install
	@set -e; $(foreach lock,$(LOCKS),cp $(lock) .venv/checked.lock; $(call compile,$(lock)) .venv/checked.lock; \
	cmp .venv/checked.lock $(lock) || { echo "$(lock) is stale: make lock"; exit 1; };)

# Every metric that a rule or a dashboard names is one that something exports.
rules: install
	@$(BIN)/python -m tests.monitoring.lint

generated: install
	@$(BIN)/python -m config.docs --check
	@$(BIN)/python -m tests.monitoring.table --check
	@$(BIN)/python -m dashboards --check
	@$(BIN)/python -m tests.engine.table --check
	@$(BIN)/python -m tests.engine.upgrades.table --check
	@$(BIN)/python -m experiments.clients_page --check
	@$(BIN)/python -m experiments.dashboards_page --check
	@$(BIN)/python -m experiments.alerts_page --check
	@$(BIN)/python -m examples.clients.snippets --check
	@$(BIN)/python -m tests.tools.policy.page --check
	@$(BIN)/python -m supply_chain.sbom --check
	@$(BIN)/python -m tests.exposed --check

policies: install
	@$(BIN)/grpc-platform policy --program . --program examples/own_platform --program examples/service_stack

scan: supply_chain/.venv/.synced .venv/.trivy-$(TRIVY)  ## Run checkov and trivy on prod's manifests: each finding has an answer in supply_chain/answers.yaml
	@$(BIN)/python -m supply_chain.scan

audit: supply_chain/.venv/.synced .venv/.govulncheck-$(GOVULNCHECK)  ## Look up known vulnerabilities of what is locked, and of the Go programs
	@set -e; $(foreach lock,$(LOCKS),supply_chain/.venv/bin/pip-audit --disable-pip --require-hashes --requirement $(lock);)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/govulncheck -C examples/clients/go ./...
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/govulncheck -C testbed/load ./...

policy-pack: policy-pack/.venv/.synced  ## Make the environment of `pulumi preview --policy-pack policy-pack`

lock:  ## Pin every dependency by version and hash; then `make docs` for the SBOMs
	@set -e; $(foreach lock,$(LOCKS),$(call compile,$(lock)) $(lock) --upgrade;)

docs: install  ## Regenerate the tables in docs/, the schema, the dashboards, the tools' snippets and the SBOMs
	@$(BIN)/python -m config.docs
	@$(BIN)/python -m tests.monitoring.table
	@$(BIN)/python -m dashboards
	@$(BIN)/python -m tests.engine.table
	@$(BIN)/python -m tests.engine.upgrades.table
	@$(BIN)/python -m experiments.clients_page
	@$(BIN)/python -m experiments.dashboards_page
	@$(BIN)/python -m experiments.alerts_page
	@$(BIN)/python -m examples.clients.snippets
	@$(BIN)/python -m tests.tools.policy.page
	@$(BIN)/python -m supply_chain.sbom
	@$(BIN)/python -m tests.exposed

.PHONY: help install preview diff hostile mutants local local-down test test-local test-engine test-clients prove engine-matrix upgrades experiments bench check style types workflows locked generated rules policies scan audit policy-pack lock docs
