# make demo: sets everything up and runs the main job. make test: every test. make install: puts it into PREFIX.
# One cargo profile throughout (--release), so that wasmtime is built once.

PREFIX ?= $(HOME)/.local
CARGO = cargo
MVN = mvn -B -ntp
FLINK_WASM = target/release/flink-wasm
RUNTIME_JAR = flink/target/flink-wasm-runtime.jar

.PHONY: all build demo test test-rust test-jvm guests lint install bench chaos fuzz clean

all: build

# Always the whole workspace: another choice of packages is another choice of features, and wasmtime would be built again.
build: $(RUNTIME_JAR)
	$(CARGO) build --release --workspace --bins

$(RUNTIME_JAR): flink/pom.xml $(shell find flink/runtime -name target -prune -o -type f -print)
	$(MVN) -q -f flink/pom.xml package --projects runtime -DskipTests
	touch $@

# ---- the main job ---------------------------------------------------------------------------------------------

demo: build target/demo/cities.csv
	$(FLINK_WASM) build udfs/geo-filter
	$(FLINK_WASM) build udfs/geo-distance
	$(FLINK_WASM) pack demo/job.json --output target/demo/places-near-geneva.flinkwasm
	$(FLINK_WASM) run target/demo/places-near-geneva.flinkwasm

target/demo/cities.csv: demo/data/Cargo.toml demo/data/Cargo.lock
	mkdir -p target/demo
	$(CARGO) vendor --quiet --locked --manifest-path demo/data/Cargo.toml target/demo/vendor > target/demo/vendor.log 2>&1 || (cat target/demo/vendor.log; false)
	cp target/demo/vendor/reverse_geocoder/cities.csv $@

# ---- tests ----------------------------------------------------------------------------------------------------

test: build test-rust test-jvm

test-rust: build lint
	$(CARGO) fmt --all --check
	$(CARGO) test --release --workspace

# One jar, compiled once, tested on every supported line of Flink.
test-jvm: build guests
	$(MVN) -f flink/pom.xml verify -Dflink.version=2.2.0
	$(MVN) -f flink/pom.xml verify -Dflink.version=1.20.3
	$(MVN) -f flink/pom.xml verify -Dflink.version=2.3.0

# The sample functions as components, for the tests of the JVM side.
GUESTS = all-states all-types count hostile identity large-order normalize-json order-lines session-detector short-lived tax
guests: build
	mkdir -p target/guests-components
	for name in $(GUESTS); do \
		$(FLINK_WASM) build --quiet udfs/$$name && \
		cp target/flink-wasm/$$(echo $$name | tr - _).wasm target/guests-components/$$name.wasm || exit 1; \
	done

lint:
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings

# ---- the rest -------------------------------------------------------------------------------------------------

# What a function's author depends on by path: the SDK, and for tests the harness with what it needs.
AUTHORS_CRATES = sdk sdk-macros harness diagnostic ir protocol
install: build
	mkdir -p $(PREFIX)/bin $(PREFIX)/share/flink-wasm/crates
	install -m 755 target/release/flink-wasm target/release/flink-wasm-sidecar $(PREFIX)/bin/
	install -m 644 $(RUNTIME_JAR) $(PREFIX)/share/flink-wasm/
	rm -rf $(addprefix $(PREFIX)/share/flink-wasm/crates/,$(AUTHORS_CRATES)) $(PREFIX)/share/flink-wasm/wit
	cp -r $(addprefix crates/,$(AUTHORS_CRATES)) $(PREFIX)/share/flink-wasm/crates/
	cp -r wit $(PREFIX)/share/flink-wasm/
	sed 's|^members = .*|members = ["crates/*"]|' Cargo.toml > $(PREFIX)/share/flink-wasm/Cargo.toml
	@echo "installed into $(PREFIX); put $(PREFIX)/bin on your PATH, then: flink-wasm doctor"

# BENCH="--quick" for a smoke check, BENCH="boundary start" for some; see benches/README.md.
bench: build
	target/release/flink-wasm-bench $(BENCH)

# Crashes of sidecar, task manager and both at random moments, on separate processes: the long form of what `make test` does four times.
# CHAOS_SEED=.. repeats a run, CHAOS_BACKEND=rocksdb and CHAOS_FLINK=1.20.3 choose another.
chaos: build
	CHAOS_KILLS=$(or $(CHAOS_KILLS),52) $(CARGO) test --release --workspace --test chaos -- --nocapture

fuzz:
	fuzz/run.sh $(or $(SECONDS_EACH),60)

clean:
	$(CARGO) clean
	$(MVN) -q -f flink/pom.xml clean
