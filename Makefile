# What people do with the project, by name. CMakeLists.txt builds; this file says it in one word. `make` lists the words.
ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
BUILD ?= $(ROOT)/build
ASAN_BUILD ?= $(ROOT)/build-asan
FUZZ_BUILD ?= $(ROOT)/build-fuzz
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
BENCH ?= quick
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SETUP := $(ROOT)/tools/setup.sh
CMAKE_FLAGS ?=
unexport MAKEFLAGS MFLAGS MAKELEVEL

.PHONY: help build demo lab test asan fuzz bench format lint install clean

help: ## this list
	@echo "make TARGET, where TARGET is"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' $(ROOT)/Makefile | while read -r name what; do printf '  %-9s %s\n' "$$name" "$$what"; done
	@echo "What is missing on this machine is installed with apt-get (tools/setup.sh), and only then is the network used."

build: ## builds the library and the command into build/
	@$(SETUP) build
	@cmake -S $(ROOT) -B $(BUILD) -G Ninja $(CMAKE_FLAGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD) -j $(JOBS) $(if $(TARGETS),--target $(TARGETS))

demo: ## builds the command and shows the three paradigms side by side, on the models that ship
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build TARGETS=trine
	@TRINE=$(BUILD)/trine $(ROOT)/tools/demo.sh

lab: ## builds the lesson's page with npm and the command with it: then `build/trine lab`
	@$(SETUP) build lab
	@cd $(ROOT)/lab && { [ -d node_modules ] && [ node_modules -nt package-lock.json ] || { npm ci --no-audit --no-fund --loglevel=error && touch node_modules; }; }
	@cd $(ROOT)/lab && npm run --silent check && npm run --silent build
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build

test: ## builds and runs every test
	@$(SETUP) build test
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

asan: ## the same under the address and undefined-behaviour sanitizers, in build-asan/
	@$(SETUP) build test
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build BUILD=$(ASAN_BUILD) CMAKE_FLAGS="-DTRINE_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo"
	@UBSAN_OPTIONS=print_stacktrace=1 ctest --test-dir $(ASAN_BUILD) --output-on-failure -j $(JOBS)

fuzz: ## fuzzes every parser for FUZZ_SECONDS=60 each, in build-fuzz/
	@$(SETUP) build fuzz
	@CC=clang $(MAKE) --no-print-directory -f $(ROOT)/Makefile build BUILD=$(FUZZ_BUILD) CMAKE_FLAGS=-DTRINE_FUZZ=ON
	@$(ROOT)/tools/fuzz.sh $(FUZZ_BUILD) $(FUZZ_SECONDS)

bench: ## measures beside the peers, into docs/RESULTS.md (BENCH=full: every model; takes long)
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build
	@BENCH_TRINE=$(BUILD)/trine $(ROOT)/bench/bench.sh $(BENCH)

format: ## rewrites the C sources in the project's style
	@$(SETUP) lint
	@cd $(ROOT) && git ls-files '*.c' '*.h' | xargs clang-format -i

lint: ## checks style (clang-format) and code (clang-tidy)
	@$(SETUP) build test lint
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build
	@$(ROOT)/tools/lint.sh $(BUILD) $(JOBS)

install: ## installs under PREFIX=/usr/local, below DESTDIR if given
	@$(MAKE) --no-print-directory -f $(ROOT)/Makefile build CMAKE_FLAGS="-DCMAKE_INSTALL_PREFIX=$(PREFIX)"
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig # or the loader does not find the library in PREFIX

clean: ## removes the build folders
	@rm -rf $(BUILD) $(ASAN_BUILD) $(FUZZ_BUILD)
