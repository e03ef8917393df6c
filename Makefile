# kmv - products with Gaussian kernel and attention matrices. `make help` lists the targets.
BUILD   ?= build
CFLAGS  ?= -O3 -g
WERROR  ?=
PREFIX  ?= /usr/local
DESTDIR ?=
# openblas before gsl: both bring cblas_sgemm, and the first one named is the one that is linked.
PACKAGES = openblas hdf5-serial gsl inih nettle libcjson
# `?=` would keep make's own default, cc.
ifeq ($(origin CC),default)
CC = gcc
endif

VERSION := $(shell sed -n 's/^\#define KMV_VERSION "\(.*\)"/\1/p' src/kmv.h)
SONAME  := libkmv.so.$(firstword $(subst ., ,$(VERSION)))

# Anything that needs the packages first lets setup.sh see to it (it installs what is missing and
# says so; without missing packages it does nothing). Only then can pkg-config be asked.
NO_SETUP := clean help format format-check check-layers
ifneq ($(filter-out $(NO_SETUP),$(or $(MAKECMDGOALS),all)),)
FOR_TESTS := $(if $(filter test% asan valgrind fuzz $(BUILD)/tests/%,$(MAKECMDGOALS)),--tests) $(if $(filter test-emulated,$(MAKECMDGOALS)),--emulated)
FOR_DATA := $(if $(filter data,$(MAKECMDGOALS)),--data)
ifneq ($(shell CC='$(CC)' scripts/setup.sh --quiet $(FOR_TESTS) $(FOR_DATA) >&2; echo $$?),0)
$(error packages are missing, see the line above)
endif
ifneq ($(CC),gcc)
ifneq ($(shell echo '\#include <omp.h>' | $(CC) -fopenmp -E - >/dev/null 2>&1; echo $$?),0)
$(error $(CC) is missing or has no OpenMP (for clang on Debian: apt-get install clang libomp-dev))
endif
endif
COMMIT    := $(shell git describe --always --abbrev=12 --dirty=+ --exclude='*' 2>/dev/null || echo unknown)
PC_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PC_LIBS   := $(shell pkg-config --libs $(PACKAGES))
endif

# -ffast-math would let a NaN pass every check, -march=native would tie the build to this machine:
# the instruction set is chosen at run time, and contraction is off so that FMAs are where we wrote
# them.
BASE     = -std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -fopenmp -fPIC -Isrc \
           -fvisibility=hidden -MMD -MP
WARN     = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(WERROR)
# Loops that `omp simd` asks for and clang leaves as they are only cost time there.
WARN    += $(if $(findstring clang,$(CC)),-Wno-pass-failed)
ALL_CFLAGS = $(BASE) $(WARN) $(PC_CFLAGS) $(CFLAGS)
LINK     = $(CC) -fopenmp $(CFLAGS) $(LDFLAGS) -Wl,--as-needed
LIBS     = $(PC_LIBS) -lm

SRC      := $(sort $(wildcard src/*.c src/*/*.c))
ROOM_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/main.c,$(SRC)))
# The library is what the public header reaches: no files, no benchmarks, no command line.
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter src/base/% src/gauss/% src/algo/%,$(SRC)))
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TESTS    := $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
# Programs that the tests of the command line start.
CLI_TOOLS := $(BUILD)/tests/tools/make_h5
HELPERS  := $(sort $(filter-out $(TEST_SRC),$(wildcard tests/*.c)))
C_FILES  := $(sort $(wildcard src/*.[ch] src/*/*.[ch] tests/*.[ch] tests/*/*.[ch]))

# `make V=1` shows the commands whole, `make -s` nothing.
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
show = $(if $(V),,@$(if $(silent),,printf '%-7s %s\n' $(1) '$(2)';))

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all lib install test test-units test-isas test-emulated test-cli check-layers asan valgrind fuzz tidy format \
        format-check smoke bench reproduce peers data report clean help FORCE

all: $(BUILD)/kmv ## build the program, build/kmv

$(BUILD)/kmv: $(BUILD)/src/main.o $(BUILD)/rooms.a
	$(call show,LINK,$@)$(LINK) $^ $(LIBS) -o $@

# Everything but main, as an archive: a test links only what it reaches.
$(BUILD)/rooms.a: $(ROOM_OBJ)
	@rm -f $@
	$(call show,AR,$@)$(AR) rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call show,CC,$<)$(CC) $(ALL_CFLAGS) -c $< -o $@

# Wide vectors only in the files whose functions are called after asking the CPU.
$(BUILD)/src/gauss/%_avx512.o: BASE += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
$(BUILD)/src/gauss/%_amx.o: BASE += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mamx-tile -mamx-bf16 -mavx512bf16
$(BUILD)/src/gauss/%_avx2.o: BASE += -mavx2 -mfma
$(BUILD)/src/algo/%_avx512.o: BASE += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vpopcntdq -mpopcnt -mbmi2
$(BUILD)/src/algo/%_avx2.o: BASE += -mavx2 -mfma -mpopcnt

# The same files in terms of AVX2 (tests/emulated), and a CPU that says yes to all of them.
WIDE := $(wildcard src/*/*_avx512.c src/*/*_amx.c)
EMULATED := $(BUILD)/emulated
EMULATED_OBJ := $(filter-out $(WIDE:%.c=$(BUILD)/%.o) $(BUILD)/src/base/cpu_features.o,$(ROOM_OBJ)) \
    $(WIDE:%.c=$(EMULATED)/%.o) $(BUILD)/tests/emulated/cpu_features.o
$(EMULATED)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call show,CC,$@)$(CC) -Itests/emulated -mavx2 -mfma -mpopcnt -mbmi2 -Wno-psabi $(ALL_CFLAGS) -c $< -o $@
$(EMULATED)/rooms.a: $(EMULATED_OBJ)
	@rm -f $@
	$(call show,AR,$@)$(AR) rcs $@ $^
$(EMULATED)/kmv: $(BUILD)/src/main.o $(EMULATED)/rooms.a
	$(call show,LINK,$@)$(LINK) $^ $(LIBS) -o $@
$(EMULATED)/test_%: $(BUILD)/tests/test_%.o $(HELPERS:%.c=$(BUILD)/%.o) $(EMULATED)/rooms.a
	$(call show,LINK,$@)$(LINK) $^ $(LIBS) -lcmocka -o $@

# Files that say how and from what this was built; rewritten only when they change, so that another
# compiler or other flags rebuild everything and nothing else does.
define write_if_changed
@mkdir -p $(@D)
@printf $(1) > $@.tmp
@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@
endef
FORCE:
$(BUILD)/flags: FORCE
	$(call write_if_changed,'%s\n' '$(CC) $(ALL_CFLAGS)')
$(BUILD)/build_info.h: FORCE
	$(call write_if_changed,'#define KMV_BUILD_COMMIT "%s"\n#define KMV_BUILD_FLAGS "%s"\n' '$(COMMIT)' '$(CFLAGS)')
$(BUILD)/src/bench/provenance.o: BASE += -I$(BUILD)
$(BUILD)/src/bench/provenance.o: $(BUILD)/build_info.h

lib: $(BUILD)/libkmv.a $(BUILD)/libkmv.so ## build/libkmv.a and build/libkmv.so

$(BUILD)/libkmv.a: $(LIB_OBJ)
	@rm -f $@
	$(call show,AR,$@)$(AR) rcs $@ $^

$(BUILD)/libkmv.so: $(LIB_OBJ)
	$(call show,LINK,$@)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs $^ $(LIBS) -o $@
	@ln -sf $(@F) $(@D)/$(SONAME)

install: all lib ## install under PREFIX (default /usr/local); DESTDIR is put in front
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin include lib/pkgconfig share/kmv/plots \
	    share/kmv/scripts share/man/man1)
	install -m 755 $(BUILD)/kmv $(DESTDIR)$(PREFIX)/bin/
	install -m 644 src/kmv.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(BUILD)/libkmv.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/libkmv.so $(DESTDIR)$(PREFIX)/lib/libkmv.so.$(VERSION)
	ln -sf libkmv.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libkmv.so
	install -m 644 $(wildcard plots/*.gp) $(DESTDIR)$(PREFIX)/share/kmv/plots/
	install -m 755 scripts/plot.sh $(DESTDIR)$(PREFIX)/share/kmv/scripts/
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' scripts/kmv.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/kmv.pc
	sed 's|@VERSION@|$(VERSION)|' docs/kmv.1 > $(DESTDIR)$(PREFIX)/share/man/man1/kmv.1

test: $(TESTS) $(BUILD)/kmv $(CLI_TOOLS) ## all tests; the last line counts them
	@KMV=$(BUILD)/kmv scripts/test_all.sh $(TESTS)

test-units: $(TESTS) ## the tests of single modules
	@scripts/run_tests.sh $(TESTS)

test-isas: $(TESTS) $(BUILD)/kmv ## the same as on machines with lesser instruction sets than this one's
	@isas=$$(KMV_ISA= $(BUILD)/kmv doctor | sed -n 's/^isas: //p'); [ -n "$$isas" ] || exit 1; \
	failed=0; for isa in $${isas#* }; do [ "$$isa" != "$$isas" ] || continue; \
	    echo "KMV_ISA=$$isa"; KMV_ISA=$$isa scripts/run_tests.sh $(TESTS) || failed=1; done; exit $$failed

test-emulated: $(TESTS:$(BUILD)/tests/%=$(EMULATED)/%) ## the same with AVX-512 and AMX on any CPU with AVX2: results, not speed
	@failed=0; for isa in amx avx512; do \
	    echo "KMV_ISA=$$isa"; KMV_ISA=$$isa scripts/run_tests.sh $^ || failed=1; done; exit $$failed

test-cli: $(BUILD)/kmv $(CLI_TOOLS) ## the tests of the program
	@KMV=$(BUILD)/kmv scripts/run_cli_tests.sh tests/cli

check-layers: ## includes go one way, and other rules a script can check
	@scripts/check_layers.sh

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(HELPERS:%.c=$(BUILD)/%.o) $(BUILD)/rooms.a
	$(call show,LINK,$@)$(LINK) $^ $(LIBS) -lcmocka -o $@

FUZZ_S    ?= 30
FUZZ_SEED ?= 1
fuzz: $(BUILD)/tests/fuzz/fuzz_h5 ## mutated HDF5 files through the reader, FUZZ_S seconds per file
	$< $(FUZZ_S) $(FUZZ_SEED) datasets/encoder.h5

asan: ## all tests with address and undefined-behaviour sanitizers, in build-asan
	ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	$(MAKE) BUILD=build-asan CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	    -fno-sanitize-recover=all" test

valgrind: $(TESTS) ## the tests of single modules under memcheck
	@KMV_TEST_TIMEOUT=1200 KMV_TEST_WRAPPER="valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
	    --child-silent-after-fork=yes \
	    --suppressions=scripts/valgrind.supp" scripts/run_tests.sh $(TESTS)

tidy: $(BUILD)/build_info.h ## clang-tidy over the sources
	clang-tidy --quiet $(SRC) -- $(filter-out -MMD -MP,$(BASE)) $(PC_CFLAGS) -I$(BUILD)

format: ## lay out the C files as .clang-format says
	clang-format -i $(C_FILES)

format-check: ## fail where `make format` would change a file
	clang-format --dry-run --Werror $(C_FILES)

smoke: $(BUILD)/kmv ## the whole road in under 2 minutes, anew each time: results/smoke
	rm -rf results/smoke
	$(BUILD)/kmv run configs/smoke.ini -o results/smoke

bench: $(BUILD)/kmv ## the main job, in about 8 minutes; started again it resumes: results/bench
	$(BUILD)/kmv run configs/bench.ini -o results/bench

reproduce: $(BUILD)/kmv ## every other experiment of configs/ in full size; resumes
	@rc=0; for c in $(filter-out configs/smoke.ini configs/bench.ini,$(sort $(wildcard configs/*.ini))); do \
	    file=$$(sed -n 's/^file = \(datasets\/cache\/[^:]*\).*/\1/p' $$c | head -n 1); \
	    if [ -n "$$file" ] && [ ! -f "$$file" ]; then echo "$$c: left out, $$file is not there"; continue; fi; \
	    echo "$$c"; $(BUILD)/kmv run $$c -o results/$$(basename $$c .ini) || rc=$$?; done; exit $$rc

data: ## attention sets of real models: datasets/cache; N= LAYERS= TEXT= SETS= OUT= (docs/data.md)
	@python3 -B scripts/models/make_data.py $(if $(N),--n '$(N)') $(if $(LAYERS),--layers '$(LAYERS)') \
	    $(if $(TEXT),--text '$(TEXT)') $(if $(SETS),--sets '$(SETS)') $(if $(OUT),--out '$(OUT)')

# PEERS = further options, see scripts/peers/peers.py --help
peers: $(BUILD)/kmv ## outside programs in the same table, in about 5 minutes once they are installed: results/peers
	rm -rf results/peers
	@rc=0; scripts/peers/run.sh --kmv $(BUILD)/kmv -o results/peers $(PEERS) || rc=$$?; \
	    [ $$rc -gt 1 ] || scripts/peers/table.py results/peers --kmv $(BUILD)/kmv; exit $$rc

report: $(BUILD)/kmv ## tables, figures and reports anew from every results/*/raw.tsv
	@set -e; for raw in $(sort $(wildcard results/*/raw.tsv)); do \
	    $(BUILD)/kmv plot $${raw%/raw.tsv}; $(BUILD)/kmv report $${raw%/raw.tsv}; done

clean: ## remove what was built; results stay
	rm -rf $(BUILD) build-asan

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
