# The front door. Each target installs what it lacks on a fresh Debian or Ubuntu (tests/setup/install.sh says what, first)
# and leaves the system alone when nothing is missing or DRYDOCK_NO_INSTALL=1.

PYTHON ?= python3
SETUP := tests/setup/install.sh
VENV := build/venv
PYTEST := $(VENV)/bin/pytest
DEV_PROGRAM := build/dev/drydock
TSAN_PROGRAM := build/tsan/drydock
PROGRAM := build/drydock
# What each process of the functional tests has seen, for the last of them.
WHOLE_RUN := build/dev/whole-run
# Which scenarios of tests/clients `make test` runs (a pytest -m expression). The container image is left to test-clients: it
# takes minutes, and does not depend on the development build.
CLIENTS ?= not image
# A docker engine needs root.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E)

.PHONY: help build run test test-clients attack bench format lint clean dev tsan
.DEFAULT_GOAL := help

help:
	@echo "make build         the program, at build/drydock"
	@echo "make run           build and serve (options: make run ARGS='--ephemeral --auth open')"
	@echo "make test          unit and functional tests with sanitizers (address, undefined, thread), and the clients that are there"
	@echo "make test-clients  every client scenario, with the release build"
	@echo "make attack        mutated requests, kills under load, a soak, silent readers, idle connections: all of it"
	@echo "make bench         the benchmark, beside docker-registry, nginx and moto"
	@echo "make lint          the checks of the source itself"
	@echo "make format        lay out the C sources"
	@echo "make clean         remove build/"

build:
	@$(SETUP) static
	cmake --preset release
	cmake --build --preset release --parallel

run: build
	$(PROGRAM) serve $(ARGS)

# The development build: warnings are errors, every sanitizer that can be is on.
dev:
	@$(SETUP) test
	cmake --preset dev
	cmake --build --preset dev --parallel

# The same with the thread sanitizer: the program, and the unit tests of what has threads.
tsan:
	@$(SETUP) test
	cmake --preset tsan
	cmake --build --preset tsan --parallel

# Every part is run, also after another one has failed. The release build is what test_large.py, test_memory.py and
# a share of the attack measure.
test: build dev tsan $(VENV)/ready
	@rm -rf $(WHOLE_RUN)
	@DRYDOCK_BIN=$(DEV_PROGRAM) DRYDOCK_WHOLE_RUN=$(WHOLE_RUN) $(PYTHON) tests/parts.py \
	"unit tests, fuzz targets, lint=ctest --preset dev" \
	"functional tests=$(PYTEST) tests/functional -n 2 --dist worksteal -m 'not alone and not last'" \
	"functional tests, one by one=$(PYTEST) tests/functional -m 'alone or last'" \
	"attack, a share of it=$(PYTEST) tests/attack" \
	"unit tests, thread sanitizer=ctest --preset tsan" \
	"functional tests, thread sanitizer=DRYDOCK_BIN=$(TSAN_PROGRAM) DRYDOCK_WHOLE_RUN= $(PYTEST) tests/functional -m threads" \
	"clients, development build=$(PYTEST) tests/clients -n 2 --dist loadgroup -m '$(CLIENTS)'"

test-clients: build $(VENV)/ready
	@$(SETUP) clients
	$(AS_ROOT) env DRYDOCK_BIN=$(PROGRAM) DRYDOCK_NO_SKIP=1 $(PYTEST) tests/clients -n 2 --dist loadgroup

# The whole of what `make test` runs a share of; ARGS="--seed 7" repeats what was drawn by lot.
attack: export DRYDOCK_BIN := $(DEV_PROGRAM)
attack: export ATTACK := full
attack: dev build $(VENV)/ready
	$(PYTEST) tests/attack --timeout 3600 -rA $(ARGS)

bench: build
	@$(SETUP) bench
	cmake --build --preset release --parallel --target load lifecycle_bench gc_bench
	build/lifecycle_bench
	build/gc_bench
	$(PYTHON) tests/bench/bench.py $(ARGS)

lint: dev
	ctest --preset dev -L lint

format:
	@$(SETUP) format
	git ls-files --cached --others --exclude-standard '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build

$(VENV)/ready: tests/requirements.txt
	@$(SETUP) test
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
