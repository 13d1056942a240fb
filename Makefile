# SPDX-License-Identifier: MIT
#
# Everything made here lands in build/; the test interpreters land in a cache outside the repository. Two trees of
# objects come from the same sources: build/obj (what ships) and build/asan (unit tests and fuzzers).
# `make help` lists what you can ask for.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
BUILD    := build

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS   += --no-builtin-rules --no-print-directory

# Programs that tests want and that are not installed: see tests/setup/deps.sh.
export PATH := $(PATH):$(or $(GENSCOPE_CACHE),/var/cache/genscope)/bin

# Debian keeps bpftool in /usr/sbin, which is not in everybody's PATH.
BPFTOOL      ?= $(or $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool),bpftool)
CLANG        ?= clang
CLANG_FORMAT ?= clang-format
CLANG_TIDY   ?= clang-tidy
# Debian's own before a shim of some version manager.
PYTHON       ?= $(firstword $(wildcard /usr/bin/python3) python3)
INSTALL      ?= install
ifeq ($(origin CC),default)
CC           := gcc
endif

Q := $(if $(V),,@)
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
# Sanitizers of older compilers die at random where the kernel spreads mappings widely (vm.mmap_rnd_bits = 32).
STEADY = $(shell setarch -R true 2>/dev/null && echo setarch -R)
# A sub-make uses every core, unless the caller already chose.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

REVISION := $(if $(wildcard .git),$(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null))
LIBBPF   := $(shell pkg-config --modversion libbpf 2>/dev/null)
LIBBPF_MULTI := $(shell pkg-config --atleast-version=1.3 libbpf 2>/dev/null && echo yes)

DEFINES  := -D_GNU_SOURCE -DGENSCOPE_VERSION='"$(VERSION)"' $(if $(REVISION),-DGENSCOPE_REVISION='"$(REVISION)"')
INCLUDES := -Iinclude -Iuser -I$(BUILD)
WARNINGS := -Wall -Wextra -Werror
CFLAGS   ?= -O2 -g
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# gnu11, the warnings and the dependency files are not up for discussion; CFLAGS and LDFLAGS are the packager's.
COMPILE  = -std=gnu11 $(WARNINGS) $(DEFINES) $(INCLUDES) -MMD -MP
LIBS     := -lbpf -lelf -lz -lcapstone -lncursesw -ltinfo -lmicrohttpd -lgnutls -lyaml -lcrypt -lcap-ng -lseccomp -lm -lpthread

USER_C  := $(sort $(shell find user -name '*.c' 2>/dev/null))
UNIT_C  := $(sort $(wildcard tests/unit/test_*.c))
UNIT_X  := $(filter-out $(UNIT_C),$(sort $(wildcard tests/unit/*.c)))
FUZZ_C  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
OBJ     := $(USER_C:%.c=$(BUILD)/obj/%.o)
ASAN    := $(filter-out %/user/main.o,$(USER_C:%.c=$(BUILD)/asan/%.o))
UNIT    := $(UNIT_C:%.c=$(BUILD)/asan/%.o) $(UNIT_X:%.c=$(BUILD)/asan/%.o)
FUZZERS := $(FUZZ_C:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FORMATTED = $(wildcard $(foreach d,bpf include tests/unit tests/fuzz tests/layouts tests/bench tests/http,$(d)/*.c $(d)/*.h)) \
            $(shell find user -name '*.[ch]' 2>/dev/null)

.PHONY: all deps demo check check-build check-run unit layouts http contrib screenshots fuzz fuzz-smoke live soak interpreters bench \
        install uninstall format lint clean distclean help FORCE
all: $(BUILD)/genscope

# --- the BPF object and its skeleton ---------------------------------------------------------------------------------

# v3: atomics that return a value (Linux 5.12, and the cookies of uprobes want 5.15 anyway).
# libbpf's usdt.bpf.h asks for <asm/errno.h>, which Debian keeps by architecture and clang does not seek for this target.
BPF_FLAGS = -target bpf -mcpu=v3 -g -O2 $(WARNINGS) -Wno-unused-parameter -D__TARGET_ARCH_x86 -Ibpf -Iinclude \
            -idirafter /usr/include/$(shell $(CC) -print-multiarch)
$(BUILD)/genscope.bpf.o: bpf/genscope.bpf.c $(BUILD)/toolchain
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

# `gen object` drops DWARF and keeps BTF: the binary carries a tenth of the bytes.
$(BUILD)/genscope.linked.o: $(BUILD)/genscope.bpf.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BUILD)/genscope.skel.h: $(BUILD)/genscope.linked.o
	$(call say,SKEL,$@)
	$(Q){ echo '// NOLINTBEGIN'; $(BPFTOOL) gen skeleton $< name genscope_bpf; echo '// NOLINTEND'; } > $@

# --- the program -----------------------------------------------------------------------------------------------------

$(BUILD)/genscope: $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@
	@echo "$(if $(LIBBPF_MULTI),libbpf $(LIBBPF): uprobe_multi,libbpf $(LIBBPF): no uprobe_multi$(comma) single links: slower attach and detach)"
comma := ,

# The page of `report --html`, in the order its scripts need each other. page_text.c takes it in.
PAGE    := user/sink/page
PAGE_IN := $(PAGE)/page.html $(PAGE)/page.css \
           $(patsubst %,$(PAGE)/%.js,base data overview timeline_draw timeline flame functions findings main)
$(BUILD)/page.head.html $(BUILD)/page.tail.html &: $(PAGE)/pack.py $(PAGE_IN)
	$(call say,PAGE,$(BUILD)/page.*.html)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) $(PAGE)/pack.py $(PAGE_IN) $(BUILD)
$(foreach tree,obj asan,$(BUILD)/$(tree)/user/sink/page_text.o): $(BUILD)/page.head.html $(BUILD)/page.tail.html

# Only user/session/ includes the skeleton, but on a first build no .d file says so: make it before any object.
$(BUILD)/obj/%.o: %.c $(BUILD)/toolchain | $(BUILD)/genscope.skel.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMPILE) $(CFLAGS) -c $< -o $@

$(BUILD)/asan/%.o: %.c $(BUILD)/toolchain | $(BUILD)/genscope.skel.h
	$(call say,CC asan,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(COMPILE) -Itests/unit -Ibpf -O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link -c $< -o $@

# --- what `make bench` compares with: empty BPF programs -------------------------------------------------------------

$(BUILD)/bench/floor.bpf.o: tests/bench/floor.bpf.c $(BUILD)/toolchain
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$(BUILD)/bench/floor.skel.h: $(BUILD)/bench/floor.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name floor_bpf > $@

$(BUILD)/bench/floor: tests/bench/floor.c $(BUILD)/bench/floor.skel.h
	$(call say,CC,$<)
	$(Q)$(CC) $(COMPILE) $(CFLAGS) $(LDFLAGS) $< -lbpf -lelf -lz -o $@

# A recording of any length, to read.
$(BUILD)/bench/film: tests/bench/film.c $(BUILD)/obj/user/model/recording.o $(BUILD)/obj/user/model/recording_format.o
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMPILE) $(CFLAGS) $(LDFLAGS) $^ -lz -o $@

# Rewritten only when what it says changes, so that another libbpf, compiler or version rebuilds everything.
$(BUILD)/toolchain: FORCE
	@tests/setup/deps.sh missing build
	@mkdir -p $(@D)
	@echo '$(VERSION) libbpf $(LIBBPF) $(CC) $(CFLAGS)' | cmp -s - $@ || echo '$(VERSION) libbpf $(LIBBPF) $(CC) $(CFLAGS)' > $@

# The revision changes with every commit: only the files that print it follow.
$(BUILD)/revision: FORCE
	@mkdir -p $(@D)
	@echo '$(REVISION)' | cmp -s - $@ || echo '$(REVISION)' > $@
REVISION_C := $(if $(USER_C),$(shell grep -l GENSCOPE_REVISION $(USER_C)))
$(foreach tree,obj asan,$(REVISION_C:%.c=$(BUILD)/$(tree)/%.o)): $(BUILD)/revision

-include $(wildcard $(BUILD)/bench/*.d) $(BUILD)/genscope.bpf.d $(BUILD)/tests/table.d $(BUILD)/asan/tests/http/serve.d $(OBJ:.o=.d) $(ASAN:.o=.d) $(BUILD)/asan/user/main.d $(UNIT:.o=.d) $(FUZZERS:$(BUILD)/fuzz/%=$(BUILD)/asan/tests/fuzz/%.d)

# --- set-up ----------------------------------------------------------------------------------------------------------

deps:
	@tests/setup/deps.sh install all

interpreters:
	@mkdir -p $(BUILD)
	@tests/interpreters.sh -o $(BUILD)/interpreters.tsv

# What is installed by the first line is seen by the next make, not by this one: hence the sub-make.
demo:
	@tests/setup/deps.sh install build
	@$(MAKE) $(JOBS) all
	@tests/demo/run.sh $(BUILD)/genscope

# --- tests -----------------------------------------------------------------------------------------------------------

# The downloads of the interpreters overlap the compiling. Then every suite runs, whatever the one before it said.
check: deps
	@$(MAKE) $(JOBS) check-build
	@$(MAKE) check-run

check-build: all interpreters $(BUILD)/tests/unit $(BUILD)/tests/serve $(FUZZERS)

# The short ones wait for most of their time: side by side, with the words of each together. What failed early is said
# once more at the end, since of a long output often only the end is kept (tests/live/run.py does so, too).
SHORT := layouts http contrib fuzz-smoke
check-run:
	@failed=; $(MAKE) unit || failed=" unit"; \
	 $(MAKE) -k -O -j2 $(SHORT) || failed="$$failed $(SHORT) (which: see above)"; \
	 $(MAKE) live || failed="$$failed live"; \
	 [ -z "$$failed" ] || { echo "make check: failed:$$failed" >&2; grep -h '^\[\(----\|FAIL\|CRASH\)\]' $(BUILD)/tests/unit.log >&2; exit 1; }

# Each test is a process of its own: without -no-pie each would relocate what the sanitizers have told the linker.
$(BUILD)/tests/unit: $(ASAN) $(UNIT)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -no-pie -Wl,--export-dynamic-symbol=mbedtls_x509_crt_parse_file $(SANITIZE) $^ -lcriterion -ljson-c $(LIBS) -o $@

# Some tests wait for most of their time.
UNIT_JOBS := $(shell echo $$((2 * $$(nproc))))
# Criterion exits 0 when it found no test at all, and when a test's process tells of a leak at its end.
# In two halves, by the first letter of a suite: Criterion starts one process after the other.
unit: $(BUILD)/tests/unit
	@half() { $(STEADY) $< -j $(UNIT_JOBS) --filter "$$1" > $(BUILD)/tests/unit.$$2.log 2>&1; }; \
	 half '[a-l]*/*' 1 & first=$$!; half '[!a-l]*/*' 2; second=$$?; \
	 wait $$first && [ $$second = 0 ]; status=$$?; \
	 cat $(BUILD)/tests/unit.1.log $(BUILD)/tests/unit.2.log | tee $(BUILD)/tests/unit.log; exit $$status
	@grep -q 'Tested: *[1-9]' $(BUILD)/tests/unit.log || { echo 'unit tests: none was run' >&2; exit 1; }
	@! grep -q 'ERROR: LeakSanitizer' $(BUILD)/tests/unit.log || { echo 'unit tests: some test leaks memory, see above' >&2; exit 1; }

# The tables of offsets against the headers and the memory of every test interpreter.
$(BUILD)/tests/table: tests/layouts/table.c $(BUILD)/obj/user/python/layouts.o $(BUILD)/obj/user/python/memory_layouts.o
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMPILE) $(CFLAGS) $^ -o $@

layouts: $(BUILD)/tests/table
	@[ -s $(BUILD)/interpreters.tsv ] || $(MAKE) interpreters
	@$(PYTHON) tests/layouts/check.py --cc '$(CC)' --table $< --interpreters $(BUILD)/interpreters.tsv

# The HTTP server of `export` with canned pages, under the sanitizers, against real clients.
$(BUILD)/tests/serve: $(BUILD)/asan/tests/http/serve.o $(ASAN)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZE) $^ $(LIBS) -o $@

http: $(BUILD)/tests/serve
	@$(PYTHON) tests/http/run.py --serve '$(STEADY) $<' $(HTTP)

# What is in contrib/, by the tools that will read it.
contrib: all
	@$(PYTHON) tests/contrib/check.py --genscope $(BUILD)/genscope

# docs/dashboard-*.png: the dashboard of a real scene, drawn by Grafana's own libraries. npm works where its package.json
# is, hence the copies.
DASHBOARD := tests/contrib/dashboard
PICTURES  := $(BUILD)/screenshots
SCREENSHOT_SECONDS ?= 180

$(PICTURES)/node_modules/.package-lock.json: $(addprefix $(DASHBOARD)/,package.json package-lock.json .npmrc)
	$(call say,NPM,$(@D))
	@mkdir -p $(PICTURES)
	$(Q)cp $^ $(PICTURES)
	$(Q)cd $(PICTURES) && npm ci --loglevel=error
	@touch $@

$(PICTURES)/page.js: $(wildcard $(DASHBOARD)/page/*) $(PICTURES)/node_modules/.package-lock.json
	$(call say,PAGE,$@)
	$(Q)cp $(DASHBOARD)/page/index.html $(PICTURES)
	$(Q)NODE_PATH=$(PICTURES)/node_modules $(PICTURES)/node_modules/.bin/esbuild $(DASHBOARD)/page/main.jsx --bundle --minify \
	    --jsx=automatic --loader:.ttf=empty --define:process.env.NODE_ENV='"production"' --log-level=warning --outfile=$@

screenshots:
	@tests/setup/deps.sh install screenshots
	@$(MAKE) $(JOBS) all $(PICTURES)/page.js
	@$(PYTHON) $(DASHBOARD)/screenshots.py --genscope $(BUILD)/genscope --build $(PICTURES) --output docs \
	    --seconds $(SCREENSHOT_SECONDS)

$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/asan/tests/fuzz/%.o $(ASAN)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZE) -fsanitize=fuzzer $^ $(LIBS) -o $@

fuzz: FUZZ_SECONDS ?= 10
fuzz-smoke: FUZZ_SECONDS ?= 3
fuzz fuzz-smoke: $(FUZZERS)
	@tests/setup/fuzz.sh $(FUZZ_SECONDS) $^

live: all
	@[ -s $(BUILD)/interpreters.tsv ] || $(MAKE) interpreters
	@$(PYTHON) tests/live/run.py -j 2 --genscope $(BUILD)/genscope --interpreters $(BUILD)/interpreters.tsv $(LIVE)

# `export` for minutes under churn. SOAK_TOOL=asan: a genscope that was built with the sanitizers, for leaks.
# (valgrind does not know all commands of bpf(2) that are used here.)
SOAK      ?= 600
SOAK_TOOL ?=
SOAK_BINARY := $(if $(SOAK_TOOL),$(BUILD)/$(SOAK_TOOL)/genscope,$(BUILD)/genscope)

$(BUILD)/asan/genscope: $(BUILD)/asan/user/main.o $(ASAN)
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(SANITIZE) $^ $(LIBS) -o $@

soak: $(SOAK_BINARY)
	@[ -s $(BUILD)/interpreters.tsv ] || $(MAKE) interpreters
	@$(if $(SOAK_TOOL),$(STEADY)) $(PYTHON) tests/live/soak.py --genscope $< --interpreters $(BUILD)/interpreters.tsv \
	    --seconds $(SOAK) $(if $(SOAK_TOOL),--sanitized)

# BENCH is what tests/bench/run.py is told besides: make bench BENCH='-k 3.14 -w echo'
bench: all $(BUILD)/bench/floor $(BUILD)/bench/film
	@tests/setup/deps.sh install bench || echo 'make bench: going on without bpftrace' >&2
	@[ -s $(BUILD)/interpreters.tsv ] || $(MAKE) interpreters
	@$(PYTHON) tests/bench/run.py --genscope $(BUILD)/genscope --floor $(BUILD)/bench/floor --film $(BUILD)/bench/film \
	    --interpreters $(BUILD)/interpreters.tsv --json $(BUILD)/bench.json $(BENCH)

format:
	$(Q)$(CLANG_FORMAT) -i $(FORMATTED)

lint: $(BUILD)/genscope.skel.h
	@tests/setup/deps.sh missing lint
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED)
	$(Q)printf '%s\n' $(USER_C) | xargs -P "$$(nproc)" -I '{}' \
	    $(CLANG_TIDY) --quiet '{}' -- -std=gnu11 $(DEFINES) $(INCLUDES) 2>/dev/null
	@echo 'lint: clean'

# --- install, clean, help --------------------------------------------------------------------------------------------

# systemd looks here under /usr and /usr/local; nothing is enabled.
UNITS := $(PREFIX)/lib/systemd/system

install: all
	$(INSTALL) -D -m 755 $(BUILD)/genscope $(DESTDIR)$(PREFIX)/bin/genscope
	$(INSTALL) -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/genscope/LICENSE
	$(if $(wildcard docs/genscope.1),$(INSTALL) -D -m 644 docs/genscope.1 $(DESTDIR)$(PREFIX)/share/man/man1/genscope.1)
	$(INSTALL) -d $(DESTDIR)$(UNITS)
	sed 's|/usr/local/bin|$(PREFIX)/bin|' contrib/systemd/genscope-export.service > $(DESTDIR)$(UNITS)/genscope-export.service
	$(INSTALL) -m 644 contrib/systemd/genscope-export.socket $(DESTDIR)$(UNITS)
	chmod 644 $(DESTDIR)$(UNITS)/genscope-export.service
	$(INSTALL) -D -m 644 contrib/prometheus/genscope.rules.yml $(DESTDIR)$(PREFIX)/share/genscope/genscope.rules.yml
	$(INSTALL) -D -m 644 contrib/grafana/genscope.json $(DESTDIR)$(PREFIX)/share/genscope/genscope.json

uninstall:
	rm -f $(DESTDIR)$(UNITS)/genscope-export.service $(DESTDIR)$(UNITS)/genscope-export.socket
	rm -rf $(DESTDIR)$(PREFIX)/share/genscope
	rm -f $(DESTDIR)$(PREFIX)/bin/genscope $(DESTDIR)$(PREFIX)/share/man/man1/genscope.1
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/genscope

clean:
	rm -rf $(BUILD)

distclean: clean
	rm -rf $(addprefix $(or $(GENSCOPE_CACHE),/var/cache/genscope)/,bin viewer)
	tests/interpreters.sh --remove
	find tests -name __pycache__ -prune -exec rm -rf {} +

define HELP
A stranger needs two of these, as root on a fresh Debian 12 or 13:

  make demo        install what is missing, build, trace a bundled asyncio program for 5 seconds
  make check       install what is missing, build, get the test interpreters, run every test

  make             build/genscope; installs nothing
  make deps        install the packages (as root; quick when nothing is missing)
  make install     binary, man page, licence, systemd units (not enabled), alert rules, dashboard; honours
                   PREFIX=/usr/local and DESTDIR=
  make uninstall   take them away again

  make unit        unit tests under ASan and UBSan, no root
  make layouts     the tables of offsets against the headers and the memory of each test interpreter
  make http        the HTTP server of `export` against curl, openssl, promtool and worse; HTTP='-k tls' for a part
  make contrib     units, manifests, alert rules and dashboard of contrib/, by systemd's and Prometheus' own tools
  make screenshots  docs/dashboard-*.png: a scene of SCREENSHOT_SECONDS=180, drawn by Grafana's libraries (from npm); root
  make fuzz        fuzzers, FUZZ_SECONDS=10 each
  make live        live tests: real interpreters, root; LIVE=--everything: all tests on all builds; LIVE='-k 3.14' for a part
  make soak        `export` while processes come and go, SOAK=600 seconds; root; SOAK_TOOL=asan: for leaks, built with ASan
  make interpreters  list them in build/interpreters.tsv; Debian's are cached in GENSCOPE_CACHE=/var/cache/genscope
  make bench       what tracing costs, beside an empty probe and other tools; BENCH='-k 3.14 -w echo' for a part
  make format      clang-format every file
  make lint        clang-format and clang-tidy; silent when clean

  make clean       remove build/
  make distclean   and the cached interpreters and tools
  make help        this page

V=1 shows the commands. CI=1 turns what would be skipped into a failure.
endef

help:
	$(info $(HELP))
	@:
