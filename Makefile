# The two commands to know: `make run` and `make test`. `make` alone lists the others.
# Each target installs its dependencies, once, into .venv and .tools. The only prerequisite is Python 3.11 or later.

PYTHON ?= python3

python := .venv/bin/python
sam := .tools/sam/bin/python -m samcli
tests ?= tests sdks/python/tests

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup run demo receiver token kill-workers invoke test fmt lint unit test-engines test-oidc test-apps test-sam test-sdks test-console test-chaos \
	test-contract test-load test-deploy bench load simulate validate build sam-local release-check deploy check-token smoke derived \
	sdks console console-dev lint-console fmt-console screenshots docs docs-serve lint-docs check-links test-docs examples lint-openapi api-changes redrive backup-check restore-drill copy-back record-rows uninstall lock clean \
	need-dev need-ministack need-sam need-lock need-deploy need-schemathesis need-load need-python313 \
	need-oidc need-openapi need-apps need-sdks need-console need-console-node need-docs need-docs-node need-vale need-languages need-chromium

export SAM_CLI_TELEMETRY := 0
# The AWS CLI v2 reads AWS_REGION, and boto3 and SAM only AWS_DEFAULT_REGION.
ifdef AWS_REGION
AWS_DEFAULT_REGION ?= $(AWS_REGION)
export AWS_DEFAULT_REGION
endif
# `make run PORT=9000` and `PORT=9000 make run` are the same: a target reads its settings from the environment.

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: need-dev need-ministack need-sam need-python313 ## Install all dependencies now instead of on first use

run: need-dev need-ministack ## Run Patchbay on this machine: [PORT=8787] [STATE_DIR=] [PARAMETERS=]
	@$(python) -m local run

demo: need-dev need-ministack ## Run Patchbay with sample data and a demo platform: [PORT=8787] [PLATFORM_PORT=3000] [ARGS=]
	@$(python) -m local demo $(ARGS)

receiver: need-dev ## Run a webhook receiver that prints each request: [PORT=8788] [SECRET_FILE=] [STATUS=200]
	@$(if $(filter command,$(firstword $(origin SECRET))),$(error $(on_command_line)))$(receiver_port)$(python) -m local receiver

token: need-dev ## Print an API token for a workspace: WORKSPACE=acme [ROLE=owner | SCOPE=]
	@$(python) -m local token

invoke: need-dev need-ministack ## Invoke one function on the local stack: FUNCTION= [EVENT=events/webhooks/create.json]
	@$(if $(FUNCTION),,$(error set FUNCTION: make invoke FUNCTION=CreateWebhookFunction EVENT=events/webhooks/create.json))
	@$(python) -m local invoke $(FUNCTION) $(EVENT)

kill-workers: need-dev ## Kill the delivery workers of the local stack; no delivery is lost: [STATE_DIR=]
	@$(python) -m local kill-workers

test: need-dev need-ministack need-sam need-python313 lint validate unit ## Run everything that must pass before a release

unit: need-dev need-ministack need-sam need-python313 ## Run the tests without the linters: [tests=tests/unit] [ARGS="-k retry"]
	@$(python) -m pytest -n $(workers) --dist loadfile --no-loadscope-reorder $(foreach folder,$(own_targets),--ignore=tests/$(folder)) $(tests) $(ARGS)

test-engines: need-dev need-ministack ## Repeat tests on DynamoDB Local and ElasticMQ; 9 minutes; needs Java: [QUICK=1] [DYNAMODB_LOCAL=] [ARGS=]
	@$(python) -m tools.engines $(ARGS)

test-oidc: need-dev need-ministack need-oidc ## Test OAuth against a certified authorization server; needs Node 20
	@$(python) -m pytest tests/oidc $(ARGS)

test-apps: need-dev need-ministack need-apps ## Test the Zapier, Make and n8n apps with their platforms' tools; needs Node 20
	@$(python) -m pytest tests/apps $(ARGS)

test-sam: need-dev need-ministack need-sam need-python313 ## Test every function in Lambda's container; needs Docker (root on Debian gets it): [ARGS=]
	@$(python) -m pytest tests/sam $(ARGS)

test-sdks: need-dev need-ministack need-sdks ## Test the SDK packages on the local stack; needs Node 20
	@$(python) -m pytest tests/sdks $(ARGS)

test-console: need-dev need-ministack need-console need-console-node need-chromium ## Test the console in Chromium (root on Debian gets it); 4 minutes: [ARGS=]
	@$(with_browser) -m pytest -n 2 --dist loadfile tests/console $(ARGS)

test-chaos: need-dev need-ministack ## Test the delivery engine while its dependencies fail: [EVENTS=2000] [SEED=]
	@CHAOS_EVENTS=$(or $(EVENTS),2000) CHAOS_SEED=$(SEED) $(python) -m pytest tests/chaos -s $(ARGS)

test-deploy: need-dev need-sam need-deploy need-python313 ## Build for AWS; deploy, update and delete two stacks in an emulator; 4 minutes
	@$(python) -m pytest tests/deploy $(ARGS)

test-contract: need-dev need-ministack need-schemathesis ## Test openapi.json with generated requests; 20 minutes: [QUICK=1] [EXAMPLES=100] [SEED=1]
	@CONTRACT_EXAMPLES=$(if $(QUICK),0,$(or $(EXAMPLES),100)) CONTRACT_SEED=$(SEED) $(python) -m pytest tests/conformance $(ARGS)

lint: need-dev ## Check format, style, types and imports, without changing anything
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@$(python) -m mypy
	@PYTHONPATH=layers/patchbay:. .venv/bin/lint-imports --no-logo

fmt: need-dev ## Fix format and style
	@$(python) -m ruff check --fix-only --exit-zero --quiet .
	@$(python) -m ruff format .

bench: need-dev need-ministack ## Measure imports, requests, deliveries, neighbours; 20 minutes: [AGAINST=]
	@$(python) -m benchmarks

load: need-dev need-load ## Run a load test and write a report: [URL= REMOTE= USERS= RATE= MINUTES= WEBHOOKS= RECEIVER=]
	@$(if $(filter command,$(firstword $(origin TOKEN))),$(error $(subst SECRET,TOKEN,$(on_command_line))))$(python) -m benchmarks.load

test-load: need-dev need-ministack need-load ## Test `make load` on the local stack; 30 seconds
	@$(python) -m pytest tests/load $(ARGS)

simulate: need-dev ## Update the simulations in docs/operate/scaling.md, 2 minutes; or print one: [ARGS="--load 2000000"]
	@PYTHONPATH=layers/patchbay $(python) -m benchmarks.scaling $(ARGS)

validate: need-sam ## Validate template.yaml against CloudFormation and SAM
	@$(sam) validate

build: need-dev need-sam need-python313 ## Build for AWS into .aws-sam/build: [ARCHITECTURE=x86_64] [PYTHON313=]
	@$(python) -m tools.sam_build .aws-sam/build $(or $(ARCHITECTURE),arm64)

sam-local: need-dev need-sam need-python313 ## Connect `sam local` to the stack of `make run`; needs Docker
	@$(python) -m tools.lambda_image
	@$(python) -m tools.sam_build .aws-sam/local
	@$(python) -m local containers

release-check: need-dev need-sam need-deploy ## Check that the build can be deployed: [BASE=the release before]
	@PYTHONPATH=layers/patchbay $(python) -m tools.release_check .aws-sam/build --lint

deploy: need-dev need-sam ## Build, check and deploy to AWS, without prompts: ENV=dev|prod [PARAMETERS=]
	@PYTHONPATH=layers/patchbay $(python) -m tools.deploy

check-token: need-dev ## Say whether a deployment would accept a token: TOKEN_FILE= [JWKS= | SECRET_FILE=] PARAMETERS=
	@PYTHONPATH=layers/patchbay $(python) -m tools.check_token

smoke: need-dev ## Smoke-test a deployed stack: URL= [RECEIVER=] [ORIGIN=], and TOKEN or TOKEN_FILE in the environment
	@$(if $(filter command,$(firstword $(origin TOKEN))),$(error $(subst receiver,smoke,$(subst SECRET,TOKEN,$(on_command_line)))))$(python) -m tools.smoke

redrive: need-dev ## Move dead letters back to a worker: STACK= QUEUE=events|deliveries [RATE=]
	@$(operation).redrive

backup-check: need-dev ## Check that a stack can be restored: STACK=
	@$(operation).backup_check

record-rows: need-dev need-sam ## Record the rows of a release for the upgrade test: RELEASE=
	@$(operation).record_rows

restore-drill: need-dev ## Restore each retained table as a copy, compare it and delete it: [STACK=local] [SAMPLES=1000]
	@$(operation).restore_drill

copy-back: need-dev ## Copy lost rows back from a restored table: STACK= TABLE=WebhooksTable [COPY=] [WORKSPACE=] [KEYS=missing.txt] [WRITE=1]
	@$(operation).copy_back

uninstall: need-dev ## Delete a stack, its data and its key, and list what remains: STACK= CONFIRM= [DAYS=30]
	@$(operation).uninstall

derived: need-dev ## Generate the routes, openapi.json, tables in the docs, the SDKs, and the automation apps
	@$(python) -m tools.routes
	@PYTHONPATH=layers/patchbay:functions $(python) -m tools.openapi
	@PYTHONPATH=layers/patchbay $(python) -m tools.provider_table
	@PYTHONPATH=layers/patchbay:functions $(python) -m tools.docs.reference
	@PYTHONPATH=layers/patchbay $(python) -m tools.apps
	@$(python) -m tools.sdk
	@$(python) -m tools.docs.sdk_pages

sdks: need-dev need-sdks ## Build the packages of the SDKs into dist/; needs Node 20
	@$(python) -m pip wheel --quiet --no-deps --wheel-dir dist ./sdks/python
	@test -e sdks/typescript/node_modules || ln -s ../../.tools/node/sdk/node_modules sdks/typescript
	@cd sdks/typescript && npm run --silent build && npm pack --silent --pack-destination ../../dist >/dev/null
	@ls dist

console: need-dev need-console-node ## Build the console into layers/console/patchbay_console; needs Node 20.19
	@$(python) -m tools.console

console-dev: need-dev need-console-node ## Serve the console from source, with the stack of `make run`: [PORT=] [CONSOLE_PORT=]
	@VITE_TOKEN=$$($(python) -m local token) PATCHBAY_URL=http://127.0.0.1:$(or $(PORT),8787) $(python) -m tools.console dev

lint-console: need-dev need-console-node ## Check the console's format, style, texts and types, and run its unit tests
	@$(python) -m tools.console check

fmt-console: need-dev need-console-node ## Fix the console's format and style
	@$(python) -m tools.console format

screenshots: need-dev need-ministack need-console need-chromium ## Retake the screenshots in docs/images/console: [ARGS="webhooks"]
	@$(with_browser) -m tests.console.screenshots $(ARGS)

docs: need-dev need-docs need-docs-node need-chromium ## Build the documentation into site/; needs Node 20 and Chromium (root on Debian gets it)
	@$(mkdocs) build --quiet

docs-serve: need-dev need-docs need-docs-node need-chromium ## Preview the documentation with live reload: [DOCS_PORT=8000]
	@$(mkdocs) serve --dev-addr 127.0.0.1:$(or $(DOCS_PORT),8000)

lint-docs: need-docs need-vale ## Check the spelling, style and links of the documentation; needs Go
	@.tools/docs/bin/codespell $(prose)
	@.tools/vale/vale --config tools/docs/vale/vale.ini --output line $(prose)
	@$(lychee) --offline $(filter-out docs,$(prose)) # `make docs` checks those of docs

check-links: need-docs ## Request every link of the documentation to other sites
	@$(lychee) --no-progress --exclude-loopback --exclude '//([a-z.-]+\.)?example(\.com)?[:/]' --exclude '^https://github.com/patchbay/' $(prose)

test-docs: need-dev need-ministack need-docs need-docs-node need-console need-sdks need-languages need-chromium ## Run every example of the documentation, and check the site in a browser: [ARGS="tests/docs -k webhooks"]
	@$(with_browser) -m pytest -n 2 $(or $(ARGS),tests/docs)

examples: need-dev ## Update the examples in openapi.json that are wrong or missing: [ALL=1]
	@RECORD_EXAMPLES=$(if $(ALL),all,stale) $(python) -m pytest -q tests/contract/test_openapi.py -k match_the_document
	@$(MAKE) derived

lint-openapi: need-dev need-openapi ## Check openapi.json with Redocly's linter; needs Node 20
	@$(redocly) lint openapi.json --config tools/openapi/redocly.yaml --format stylish

api-changes: need-dev ## List what changed in openapi.json, breaking changes first: [BASE=HEAD]
	@$(python) -m tools.openapi.changes $(or $(BASE),HEAD)

lock: need-lock ## Update the lock files: [UPGRADE=1]
	@$(compile) --python-version 3.13 --python-platform aarch64-manylinux_2_34 --only-binary :all: \
		layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	@$(compile) --python-version 3.13 --python-platform aarch64-manylinux_2_34 --only-binary :all: \
		requirements/lambda.in -o requirements/lambda.txt
	@for name in dev ministack sam deploy lock schemathesis load console docs; do \
		$(compile) --universal --python-version 3.11 requirements/$$name.in -o requirements/$$name.txt \
		|| exit 1; done

clean: ## Remove everything that was built and installed, except the local stack's data (.patchbay)
	rm -rf .venv .tools .aws-sam dist site sdks/typescript/dist sdks/typescript/node_modules console/node_modules
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

on_command_line = SECRET is on the command line, where ps shows it to every user of this machine: \
	put it in a file (make $@ SECRET_FILE=…) or in the environment (SECRET=… make $@)

# A PORT on the command line has priority over a RECEIVER_PORT in the environment.
receiver_port = $(if $(filter command,$(firstword $(origin PORT))),RECEIVER_PORT= )

# The folders of tests/ with their own target, as CI runs them.
own_targets = apps chaos conformance console deploy docs engines load oidc sam sdks

# One more than the number of processors, because some tests wait. Each worker takes about 300 MB.
workers = $$($(python) -c "import os; print(min(4, 1 + (os.cpu_count() or 1)))")

# The browser driver, in addition to the development tools.
with_browser = PYTHONPATH="$$(echo $(CURDIR)/.tools/console/lib/python*/site-packages):layers/patchbay" $(python)

mkdocs = CHROMIUM=$$($(python) -m tools.chromium) NO_MKDOCS_2_WARNING=1 .tools/docs/bin/mkdocs

lychee = .tools/docs/bin/lychee -qq --include-fragments

# The files that the prose linters read.
prose = README.md CONTRIBUTING.md CHANGELOG.md docs $(wildcard */README.md */*/README.md)

operation = PYTHONPATH=layers/patchbay $(python) -m tools.operations

redocly = REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true .tools/node/openapi/node_modules/.bin/redocly

compile = .tools/lock/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# A PYTHON from the command line or the environment also replaces the Python of an installed environment.
need-dev need-ministack need-sam need-lock need-deploy need-schemathesis need-load need-console need-docs: need-%:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "patchbay: $(PYTHON) not found; install Python 3.11 or later, or name it: make PYTHON=…" >&2; \
		exit 1; }
	@$(PYTHON) tools/environment.py $(if $(filter file,$(origin PYTHON)),,--same-python) $*

need-python313: need-dev
	@$(python) -m tools.python313

need-oidc: need-dev
	@$(python) -m tools.node_packages oidc

need-chromium: need-dev
	@$(python) -m tools.chromium >/dev/null

need-openapi: need-dev
	@$(python) -m tools.node_packages openapi

need-apps: need-dev
	@$(python) -m tools.node_packages oidc node zapier zapier-cli n8n n8n-server make

need-sdks: need-dev
	@$(python) -m tools.node_packages sdk

need-docs-node: need-dev
	@$(python) -m tools.node_packages docs

need-languages: need-dev
	@$(python) -m tools.docs.languages

need-vale: need-dev
	@$(python) -m tools.docs.vale

need-console-node: need-dev
	@$(python) -m tools.node_packages console
