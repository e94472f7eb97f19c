# Two commands do it all: `make demo` and `make test`. Each sets up what it needs, and says so.
BUILT := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test stress test-hosts bench bench-peers bench-reads lib header names docs lint setup setup-demo setup-bench clean

# The main job, end to end: build, log in, print the token.
demo: setup-demo lib
	@cargo build --release --locked --quiet --package dl_auth_gate
	@examples/demo.sh "$(BUILT)/release"

# Every test there is.
test: setup lint
	cargo test --workspace --locked
	cargo test --lib --locked --features shuttle auth::model
	cargo test --lib --locked --features loom window::model
	@echo "make test: all tests passed"

# The loads that take too long for `make test`: two thousand forks of a process whose threads make and free handles.
stress: setup
	cargo test --locked --test fork -- --ignored

# The tests of the bindings alone: C++, Go, Python, C#, LuaJIT.
test-hosts: setup
	cargo test --locked --test hosts --test names

# Measures the library beside its peers, and writes docs/benchmarks.md; a peer that is missing is named, and left out.
# BENCH takes options of the harness, such as --quick.
bench: setup-bench lib
	cargo build --release --locked --quiet --package dl_auth_bench
	@"$(BUILT)/release/dl_auth_bench" $(BENCH)

# Installs the peers.
bench-peers:
	@tests/setup.sh peers
	@benches/peers/install.sh "$(BUILT)/bench"

# Criterion's benchmarks of the read path, for whoever changes it: what has changed since the last run.
bench-reads: setup-bench
	cargo bench --locked --package dl_auth_bench --bench reads

# The shared library, also under the name that programs look for at run time; the static archive; and what pkg-config
# says about both: PKG_CONFIG_PATH=target/release.
lib:
	cargo build --release --locked
	@ln -sf libdl_auth.so "$(BUILT)/release/libdl_auth.so.0"
	@packaging/archive.sh "$(BUILT)/release"
	@packaging/pkg-config.sh "$(BUILT)/release"

# Copies the C header and the declarations without a preprocessor from cargo's output directory to include/.
header:
	cargo build --quiet
	cp "$$(ls -t "$(BUILT)"/debug/build/dl_auth-*/out/dl_auth.h | head -n 1)" include/dl_auth.h
	cp "$$(ls -t "$(BUILT)"/debug/build/dl_auth-*/out/dl_auth.cdef.h | head -n 1)" include/dl_auth.cdef.h

# The names of options and statuses in the bindings, to where they are checked in.
names:
	DL_AUTH_WRITE_NAMES=1 cargo test --quiet --locked --test names

# The page and the picture that a simulation makes, to where they are checked in.
docs:
	DL_AUTH_WRITE_DOCS=1 cargo test --lib --locked policy::fleet

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo clippy --lib --tests --locked --features shuttle -- --deny warnings
	cargo clippy --lib --tests --locked --features loom -- --deny warnings

setup:
	@tests/setup.sh all

setup-demo:
	@tests/setup.sh demo

setup-bench:
	@tests/setup.sh bench

clean:
	cargo clean
