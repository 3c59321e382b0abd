# The one entry for building, testing and installing. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?=

BIN := $(CURDIR)/.venv/bin
WITH_REDIS := tests/support/with_redis
# For a whole suite. Pytest and Node have a limit for a test or file besides; cargo names the tests that take over a minute.
LIMIT = 20m
WITH_LIMIT = tests/support/with_limit $(LIMIT)
PYTEST := $(BIN)/pytest -q
TESTS = $(WITH_LIMIT) $(PYTEST) -c tests/pyproject.toml
SHELL_SCRIPTS = $(shell git ls-files -co --exclude-standard | xargs grep -lE '^\#!.*\bbash' 2>/dev/null)
DRIVERS := target/conformance
# Besides those of Node. In one go with the same features, because these crates share what is below them.
CRATES = --package libswarm-ffi --package libswarm-python --package driver-rust
PYO3 = $(firstword $(wildcard $(CURDIR)/target/maturin/pyo3-config-*.txt))

.PHONY: help setup build build-rust build-c build-python build-node build-drivers demo demo-cluster bench docs install header python-sync clean lint \
	test test-core test-support test-c test-python test-node test-conformance test-faults test-docs test-dashboard test-guides test-packages test-long \
	package test-install

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Check the toolchains and install the pinned tools (quick when there is nothing to do)
	@scripts/setup.sh

build: build-c build-python build-node ## Build the C library, the Python package (into .venv), the Node addon and the program swarm

build-c build-node: build-rust

# Maturin compiles pyo3 for an interpreter that it describes in a file: known here, too, so that pyo3 is not compiled again at each change between them.
build-rust: setup
	$(if $(PYO3),PYO3_CONFIG_FILE=$(PYO3)) node bindings/node/build.js $(CRATES) --features libswarm-python/whole-repository

# With the program `swarm`, which the wheel has as a script.
build-python: build-rust
	mkdir -p bindings/python/libswarm._native.data/scripts
	install -m 755 target/release/swarm bindings/python/libswarm._native.data/scripts/swarm
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --quiet --features whole-repository --manifest-path bindings/python/Cargo.toml

build-drivers: build
	mkdir -p $(DRIVERS)
	cp target/release/driver-rust target/release/idle-rust $(DRIVERS)/
	cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O1 -g -Iinclude tests/conformance/driver-c/*.c \
		target/release/libswarm.a -pthread -ldl -lm -o $(DRIVERS)/driver-c
	cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O1 -g -Iinclude tests/faults/programs/idle.c \
		target/release/libswarm.a -pthread -ldl -lm -o $(DRIVERS)/idle-c

demo: build ## Hash a real directory tree with workers in C, Python and Node, killing one half way (DIR= for another tree)
	DIR="$(DIR)" examples/demo/run.sh

demo-cluster: build ## Supervise workers in C, Node and Python that greet each other; kill one and replace all while jobs come
	examples/demo-cluster/run.sh

bench: CRATES += --package libswarm-bench
bench: build ## Measure throughput, CPU per job, latency and memory in every language; writes target/bench/libswarm.json
	benches/run.sh

test: test-core test-support test-c test-python test-node test-conformance test-faults test-docs test-dashboard test-guides test-packages ## Run every test

test-core: setup ## Rust unit and integration tests, examples, header drift and exported symbols
	$(WITH_LIMIT) cargo test --no-fail-fast --workspace --exclude libswarm-python --exclude libswarm-node --exclude documented
	$(WITH_REDIS) target/debug/examples/sums
	$(WITH_REDIS) target/debug/examples/long_lived

test-support: setup ## The test servers and the fault proxy are what they say they are
	$(TESTS) tests/support

test-c: build-c ## C programs, plain, under ASAN and UBSAN, and under valgrind; install and examples
	$(WITH_LIMIT) $(WITH_REDIS) tests/c/run.sh all

test-python: build-python ## The Python package and its examples
	$(WITH_LIMIT) $(WITH_REDIS) $(PYTEST) bindings/python/tests

test-node: build-node ## The Node package, its drop-in face and its examples
	$(WITH_LIMIT) $(WITH_REDIS) npm test --prefix bindings/node

test-conformance: build-drivers ## The same behaviour in every language, every pair and over every transport
	$(TESTS) --numprocesses 2 tests/conformance

test-faults: build-drivers ## Every fault there is a promise for; prints a line for each with what was done and measured
	$(TESTS) --numprocesses 2 --dist loadfile tests/faults

test-docs: build ## Every code block, link and table of the documentation
	$(TESTS) --numprocesses 2 tests/docs

test-dashboard: build ## The dashboard in a real browser (Debian's chromium and chromium-driver)
	@scripts/setup.sh --browser
	$(TESTS) tests/dashboard

test-guides: build-python build-node ## The programs of the guides, with real frameworks, the old queues and PostgreSQL (Debian's)
	@scripts/setup.sh --guides
	$(TESTS) --numprocesses 2 tests/guides

test-packages: setup ## What packages are made from: versions, metadata, files of pkg-config and CMake
	$(TESTS) tests/packages

test-install: LIMIT = 1h
test-install: setup ## Install what `make package` built into fresh folders without a toolchain, and run it there (needs the registries)
	@scripts/setup.sh --package
	$(TESTS) tests/install

# In Rust a test that takes minutes is `#[ignore]`; in pytest it has the marker `long`; in Node its file is `*.long.js`. Pytest ends with 5 where there is none.
test-long: LIMIT = 2h
test-long: build-drivers ## What takes too long for `make test`: every fault with default leases, long floods and storms
	$(WITH_LIMIT) cargo test --release --workspace --exclude libswarm-python --exclude libswarm-node -- --ignored
	$(WITH_LIMIT) $(WITH_REDIS) $(PYTEST) -m long -o timeout=3600 bindings/python/tests || [ $$? -eq 5 ]
	$(WITH_LIMIT) $(WITH_REDIS) npm run test-long --prefix bindings/node
	$(TESTS) -m long -o timeout=3600 tests/conformance || [ $$? -eq 5 ]
	$(TESTS) -m long -o timeout=3600 tests/faults
	@scripts/setup.sh --browser
	$(TESTS) -m long -o timeout=3600 tests/dashboard

lint: setup build-python build-node ## Formats, warnings and types of every language
	cargo fmt --all --check
	cargo clippy --workspace --lib --bins --tests --benches --examples -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --package libswarm --package libswarm-supervisor --package libswarm-common --package libswarm-cli
	scripts/check_layers.py
	scripts/version.py --check
	$(BIN)/shellcheck $(SHELL_SCRIPTS)
	cd cli/assets && sha256sum --quiet --check SHA256SUMS
	luacheck --quiet --no-color core/src
	$(BIN)/ruff check --quiet --config tests/pyproject.toml tests scripts/package scripts/version.py examples/guides
	$(BIN)/ruff format --quiet --check --config tests/pyproject.toml tests scripts/package scripts/version.py examples/guides
	cd tests && $(BIN)/mypy --config-file pyproject.toml --no-error-summary -p swarm_support
	cd tests && for folder in support conformance conformance/driver-python faults faults/programs docs dashboard guides packages install; do \
		$(BIN)/mypy --config-file pyproject.toml --no-error-summary $$folder/*.py; done
	cd bindings/python && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	$(BIN)/python bindings/python/generate_sync.py --check
	cd bindings/python && $(BIN)/lint-imports --no-logo --no-cache
	cd bindings/python && $(BIN)/mypy --no-error-summary
	cd bindings/python && $(BIN)/stubtest --concise libswarm._native
	cd bindings/node && npx tsc --project test/types

python-sync: setup ## Write the methods of the Python package for threads anew from those for asyncio
	$(BIN)/python bindings/python/generate_sync.py

header: setup ## Write include/swarm.h anew from the C front
	SWARM_WRITE_HEADER=1 cargo test --quiet --package libswarm-ffi --test header_is_current

public-api: setup ## Write the committed list of the public Rust API anew
	SWARM_WRITE_PUBLIC_API=1 cargo test --quiet --package public-api-check

docs: ## Render the C API (needs doxygen) and the Rust API as HTML under target/
	scripts/docs.sh

package: setup ## Build what is published into target/package, for the targets with glibc (TARGETS= for others)
	@scripts/setup.sh --package
	target/package-tools/bin/python scripts/package/build.py $(TARGETS)

install: ## Install the C library, header, libswarm.pc and the program swarm under PREFIX (default /usr/local), LIBDIR for the library; DESTDIR for packagers
	LIBDIR="$(LIBDIR)" scripts/install.sh "$(PREFIX)" "$(DESTDIR)"

clean: ## Remove everything that was built or installed into the checkout
	cargo clean
	rm -rf .venv bindings/node/node_modules bindings/node/*.node bindings/node/swarm.* bindings/python/*.data
