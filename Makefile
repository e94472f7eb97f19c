# `make` lists the targets. A target that needs Debian packages installs the missing ones, and prints their names. `check`,
# `lint` and `lib` install nothing.
BUILT := $(or $(CARGO_TARGET_DIR),target)
# TARGET is a target of Rust. Without it, cargo builds for this machine.
RELEASE = $(BUILT)/$(if $(TARGET),$(TARGET)/)release
.DEFAULT_GOAL := help

.PHONY: help demo check test test-c test-fork test-models test-hosts test-abi test-store stress bench bench-peers bench-reads \
	lib install uninstall dist dist-all packages generate abi docs lint setup setup-demo setup-bench clean

help: ## Lists the targets. Changes nothing.
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' Makefile | expand -t 14

demo: setup-demo lib ## Builds the library, logs in and prints the beginning of the token.
	@cargo build --release --locked --quiet --package dl_auth_gate
	@examples/demo.sh "$(BUILT)/release"

check: ## Checks the format and clippy, and runs the unit tests with few seeds. Installs nothing.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	DL_AUTH_TEST_SEEDS=50 cargo test --workspace --lib --locked

test: setup ## Runs all tests. Installs what they need.
	@tests/parts.sh
	@echo "make test: all tests passed"

test-c: setup ## Runs the C tests.
	cargo test --workspace --locked --test c

test-fork: setup ## Runs the tests with fork.
	cargo test --workspace --locked --test fork

test-models: ## Runs the model tests (shuttle and loom).
	@tests/parts.sh models

test-hosts: setup ## Runs the tests of the bindings: C++, Go, Python, C#, LuaJIT.
	cargo test --workspace --locked --test hosts --test pages --test generated

test-abi: setup ## Runs the tests of the ABI: headers, exports, linking.
	cargo test --workspace --locked --test abi --test header --test cdef

test-store: setup ## Runs the tests of processes that share a store: a directory, and Redis.
	cargo test --workspace --locked --test store

stress: setup ## Runs a test that takes too long for `make test`: 2000 forks while threads create and free handles.
	cargo test --workspace --locked --test fork -- --ignored

# BENCH contains options for the program, such as --quick. The page names each peer that is missing.
bench: setup-bench lib ## Measures the library and its peers. Writes docs/benchmarks.md.
	cargo build --release --locked --quiet --package dl_auth_bench
	@"$(BUILT)/release/dl_auth_bench" $(BENCH)

bench-peers: ## Installs the peers for `make bench`.
	@tests/setup.sh peers
	@benches/peers/install.sh "$(BUILT)/bench"

bench-reads: setup-bench ## Measures the read path with Criterion. Prints the change since the last run.
	cargo bench --locked --package dl_auth_bench --bench reads

# Also writes the name that programs load at run time (libdl_auth.so.0) and dl_auth.pc for pkg-config. Use this file with
# PKG_CONFIG_PATH=target/release.
lib: ## Builds the shared library and the static archive in target/release.
	cargo build --release --locked $(if $(TARGET),--target "$(TARGET)")
	@ln -sf libdl_auth.so "$(RELEASE)/libdl_auth.so.0"
	@packaging/archive.sh "$(RELEASE)"
	@packaging/pkg-config.sh "$(RELEASE)"

# The script takes PREFIX (default: /usr/local), DESTDIR and LIBDIR (default: lib) from the environment, to which make adds
# the variables of its command line. docs/install.md has examples.
install: ## Builds the library and installs it in PREFIX.
	@BUILT="$(BUILT)" packaging/install.sh install "$(RELEASE)"

uninstall: ## Removes from PREFIX what `make install` has installed there.
	@packaging/install.sh uninstall

dist: ## Builds, tries and packs the library for TARGET, such as TARGET=aarch64-unknown-linux-gnu.
	@packaging/dist.sh "$(TARGET)"

dist-all: ## Does this for all targets, and makes and tries all packages.
	@tests/setup.sh dist
	@packaging/dist-all.sh

# DIST names the directory of the libraries. packaging/build.sh writes them into target/dist.
packages: ## Packs the built libraries for Python, Go, Unity, NuGet and LuaRocks into target/packages.
	@packaging/pack.sh all "$(BUILT)/packages"
	@packaging/pack.sh sizes "$(BUILT)/packages" docs/packages.md

generate: ## Writes what the sources generate: header, manual pages, README tables, names in the bindings.
	DL_AUTH_WRITE=1 cargo test --workspace --quiet --locked --test generated

abi: setup ## Writes what was added to the ABI into tests/abi/dl_auth.abi.xml. Refuses what breaks a program.
	DL_AUTH_WRITE=1 cargo test --workspace --quiet --locked --test abi baseline::the_declarations_have_the_committed_abi

docs: ## Writes docs/fleet.md and docs/fleet.svg.
	DL_AUTH_WRITE_DOCS=1 cargo test --locked --package dl_auth_bench --test fleet

lint: ## Checks the format, clippy in all configurations, and the words. Installs nothing.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo clippy --workspace --lib --profile test --locked --features dl_auth/shuttle -- --deny warnings
	cargo clippy --workspace --lib --profile test --locked --features dl_auth/loom -- --deny warnings
	tests/words.sh

setup: ## Installs what the tests need.
	@tests/setup.sh all

setup-demo: ## Installs what `make demo` needs.
	@tests/setup.sh demo

setup-bench: ## Installs what `make bench` needs.
	@tests/setup.sh bench

clean: ## Removes the output directory of cargo.
	cargo clean
