# Requires Linux, git, make, Rust (rustup), Go 1.26, Node.js 20 with npm, and a C and C++ compiler; nothing else is expected on the machine.
# With Python 3.10 and pip there is a real model server, too; without them its tests are ignored.
# The real stack (Kubernetes API server, controller manager, etcd, n8n) is built once into $(WEIRKEEPER_CACHE), by default
# ~/.cache/weirkeeper, and then reused.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

STACK := node tests/stack/stack.mjs
CARGO ?= cargo
# Tests that need the real parts; a plain `cargo test` leaves them out.
ON_STACK := --test e2e --test catalog --test llama
# Scenarios mostly wait, so more of them run at once than there are processors.
TEST_THREADS ?= 6

# The shapes of n8n (tests/stack/shapes.mjs), and the scenarios that use the real n8n.
SHAPES ?= default publication-service queue webhook-processor
SHAPE_TESTS ?= access:: adoption:: agreement:: bad_input:: callers:: converge:: deletion:: failed_versions:: faults:: features:: foreign:: \
  identity:: idle:: import:: kill:: leader:: outage:: path_owners:: policies:: processors:: projects:: published_versions:: publishing:: \
  release:: restore:: rollback:: routes:: scopes:: spec_edits:: sync:: template_refs:: unsaved_successes:: wire:: wire_restart::

IMAGE ?= localhost/weirkeeper:dev

.PHONY: help image image-twice stack build test test-modes stack-test lint tidy docs manifests demo bench bench-beside agreement clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

stack: ## build the components of the real stack for tests and the demo (takes minutes the first time)
	$(STACK) build

build: ## compile the operator
	$(CARGO) build --locked

# Tests are compiled while the parts of the stack are built, and before it starts, so that the compiler does not slow it down.
test: stack-test ## run all tests, on a real stack that is started for them
	$(STACK) run --meanwhile '$(CARGO) test --no-run --locked && $(CARGO) test --no-run --locked $(ON_STACK)' -- bash -c \
	  'code=0; $(CARGO) test --locked --no-fail-fast || code=$$?; \
	  $(CARGO) test --locked --no-fail-fast $(ON_STACK) -- --test-threads=$(TEST_THREADS) || code=$$?; exit $$code'
	@if command -v promtool >/dev/null || [[ -n "$${CI:-}" ]]; then $(CARGO) test --locked --test e2e -- --ignored alerts_fire; \
	else echo "The test of the alerts is left out: it needs promtool, of Debian's package prometheus."; fi

stack-test: ## test the scripts of the stack and the demo (seconds, no stack needed)
	node --test tests/stack/*.test.mjs image/*.test.mjs

# Logs are kept in target/modes. A shape whose services are missing on the machine fails and prints the packages to install.
test-modes: stack ## run the scenarios in each mode of n8n and print a table: docs/n8n-modes.md (requires PostgreSQL and Redis)
	$(CARGO) test --no-run --locked --test e2e
	@mkdir -p target/modes; rm -f target/modes/*.log; failed=; export WEIRKEEPER_SAY_WHAT_MET_N8N=1; \
	for shape in $(SHAPES); do \
	  echo "== $$shape"; \
	  $(STACK) run --shape $$shape -- $(CARGO) test --locked --test e2e -- --test-threads=$(TEST_THREADS) --skip standin_check:: $(SHAPE_TESTS) \
	    2>&1 | tee target/modes/$$shape.log || failed="$$failed $$shape"; \
	done; \
	if [[ " $(SHAPES) " == *" queue "* ]]; then \
	  echo "== parts of queue mode away"; \
	  $(STACK) run --without-n8n -- $(CARGO) test --locked --test e2e -- --ignored queue:: 2>&1 | tee -a target/modes/queue.log || failed="$$failed away"; \
	fi; \
	node tests/stack/modes.mjs target/modes; \
	[[ -z "$$failed" ]] || { echo "failed:$$failed"; exit 1; }

lint: stack-test ## check formatting, clippy, the rules about the source code, and the scripts
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(CARGO) clippy $(ON_STACK) --locked -- -D warnings
	$(CARGO) test --locked --test tidy

image: ## build the image IMAGE with buildah, podman or docker: docs/image.md
	image/build.sh $(IMAGE)

# With PREBUILT, the program is compiled already; without it, both builds compile it.
image-twice: ## build the image twice, in two folders, and compare the digests (buildah): docs/image.md
	image/twice.sh $(if $(PREBUILT),--prebuilt $(PREBUILT))

# Uses the cluster and the n8n of the environment, or else a stack of its own. The first part needs neither, and runs while a new stack is
# built.
demo: ## run the demo (on KUBECONFIG, N8N_URL and N8N_API_KEY when they are set)
	@if [[ -n "$${N8N_URL:-}$${N8N_API_KEY:-}" ]]; then \
	  for name in KUBECONFIG N8N_URL N8N_API_KEY; do \
	    [[ -n "$${!name:-}" ]] || { echo "demo: $$name is not set; set KUBECONFIG, N8N_URL and N8N_API_KEY to use your own, or neither N8N_URL nor N8N_API_KEY" >&2; exit 2; }; \
	  done; \
	  examples/demo/validate.sh && exec examples/demo/demo.sh; \
	else \
	  exec $(STACK) run --without-test-programs --meanwhile examples/demo/validate.sh -- examples/demo/demo.sh --own-stack; \
	fi

bench: ## run the benchmarks on a real stack
	$(STACK) run --meanwhile '$(CARGO) bench --no-run --locked --bench figures' -- env MALLOC_ARENA_MAX=1 $(CARGO) bench --locked --bench figures

bench-beside: ## compare the validator with the npm package n8n-mcp, whose folder WEIRKEEPER_N8N_MCP names (no stack needed)
	$(CARGO) bench --locked --bench figures -- beside

agreement: ## compare the validator with n8n on the workflows in DIR: docs/agreement.md (n8n of N8N_URL and N8N_API_KEY, or of a new stack)
	@[[ -n "$(DIR)" ]] || { echo "agreement: name a folder of workflows: make agreement DIR=…" >&2; exit 2; }
	WEIRKEEPER_AGREEMENT_DIR='$(abspath $(DIR))' WEIRKEEPER_AGREEMENT_CATALOG='$(if $(CATALOG),$(abspath $(CATALOG)))' \
	  $(if $(N8N_URL),,$(STACK) run --meanwhile '$(CARGO) test --no-run --locked --test e2e' --) \
	  $(CARGO) test --locked --test e2e -- --ignored --exact --nocapture \
	  scenarios::agreement::the_validator_agrees_with_n8n_on_the_workflows_of_a_folder

docs: ## regenerate crds/, docs/reasons.md, docs/reference/, and the copies and the README of the chart
	WEIRKEEPER_WRITE=1 $(CARGO) test --locked --test tidy generated

manifests: ## regenerate config/ from the chart
	WEIRKEEPER_WRITE=1 $(STACK) run --without-n8n --meanwhile '$(CARGO) test --no-run --locked --test e2e' -- \
	  $(CARGO) test --locked --test e2e -- chart::manifests::the_manifests_are_those_of_the_chart

tidy: ## check the rules about the source code: layers, generated files, licences, style (no stack needed)
	$(CARGO) test --locked --test tidy

clean: ## remove compiler output (the cache of the real stack stays)
	$(CARGO) clean
