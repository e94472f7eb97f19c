# `make` lists the targets. A target that needs Debian packages installs the missing ones, and prints their names. `check`,
# `lint` and `lib` install nothing.
BUILT := $(or $(CARGO_TARGET_DIR),target)
.DEFAULT_GOAL := help

.PHONY: help demo check test test-c test-fork test-models test-hosts test-abi test-store stress bench bench-peers bench-reads \
	lib packages generate docs lint setup setup-demo setup-bench clean

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

# Also writes the name that programs load at run time (libdl_auth.so.0) and the files for pkg-config. Use these files with
# PKG_CONFIG_PATH=target/release.
lib: ## Builds the shared library and the static archive in target/release.
	cargo build --release --locked
	@ln -sf libdl_auth.so "$(BUILT)/release/libdl_auth.so.0"
	@packaging/archive.sh "$(BUILT)/release"
	@packaging/pkg-config.sh "$(BUILT)/release"

# DIST names the directory of the libraries. packaging/build.sh writes them into target/dist.
packages: ## Packs the built libraries for Python, Go, Unity, NuGet and LuaRocks into target/packages.
	@packaging/pack.sh all "$(BUILT)/packages"
	@packaging/pack.sh sizes "$(BUILT)/packages" docs/packages.md

generate: ## Writes what the option and status tables generate: header, README tables, names in the bindings.
	DL_AUTH_WRITE=1 cargo test --workspace --quiet --locked --test generated

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
