# kmv - products with Gaussian kernel and attention matrices. `make help` lists the targets.
BUILD   ?= build
CC      ?= gcc
CFLAGS  ?= -O3 -g
WERROR  ?=
PREFIX  ?= /usr/local
PACKAGES = hdf5-serial gsl openblas inih nettle libcjson

# Anything that needs the packages first lets setup.sh see to it (it installs what is missing and
# says so; without missing packages it does nothing).
NEEDS_SETUP := $(filter-out clean help format,$(or $(MAKECMDGOALS),all))
ifneq ($(NEEDS_SETUP),)
SETUP_RC := $(shell scripts/setup.sh --quiet >&2; echo $$?)
ifneq ($(SETUP_RC),0)
$(error packages are missing, see the list above; install them, or run scripts/setup.sh as root)
endif
COMMIT  := $(shell git describe --always --abbrev=12 --dirty=+ --exclude='*' 2>/dev/null || echo unknown)
PC_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PC_LIBS   := $(shell pkg-config --libs $(PACKAGES))
endif

# -ffast-math would let a NaN pass every check, -march=native would tie the build to this machine:
# the instruction set is chosen at run time, and contraction is off so that FMAs are where we wrote
# them.
BASE     = -std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -fopenmp -fPIC -Isrc \
           -fvisibility=hidden -MMD -MP
WARN     = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(WERROR)
ALL_CFLAGS = $(BASE) $(WARN) $(PC_CFLAGS) $(CFLAGS)
LIBS     = $(PC_LIBS) -lm

LIB_SRC  := $(sort $(filter-out src/main.c,$(wildcard src/*/*.c)))
CLI_SRC  := $(filter src/cli/%,$(LIB_SRC))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TESTS    := $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
HELPERS  := $(sort $(filter-out $(TEST_SRC),$(wildcard tests/*.c)))

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all lib test test-units test-cli check-layers clean help

all: $(BUILD)/kmv

$(BUILD)/kmv: $(BUILD)/src/main.o $(BUILD)/rooms.a
	$(CC) $(ALL_CFLAGS) $^ $(LDFLAGS) $(LIBS) -o $@

# Everything but main, as an archive: a test links only what it reaches.
$(BUILD)/rooms.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# Wide vectors only in the files whose functions are called after asking the CPU.
$(BUILD)/src/gauss/%_avx512.o: BASE += -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
$(BUILD)/src/gauss/%_avx2.o: BASE += -mavx2 -mfma

# What was built, for provenance; rewritten only when it changes.
$(BUILD)/build_info.h: FORCE
	@mkdir -p $(@D)
	@printf '#define KMV_BUILD_COMMIT "%s"\n#define KMV_BUILD_FLAGS "%s"\n' '$(COMMIT)' '$(CFLAGS)' > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@
FORCE:
$(BUILD)/src/bench/provenance.o: BASE += -I$(BUILD)
$(BUILD)/src/bench/provenance.o: $(BUILD)/build_info.h

lib: $(BUILD)/libkmv.a $(BUILD)/libkmv.so

test: test-units test-cli check-layers

test-units: $(TESTS)
	@scripts/run_tests.sh $(TESTS)

test-cli: $(BUILD)/kmv
	@KMV=$(BUILD)/kmv scripts/run_cli_tests.sh tests/cli

check-layers:
	@scripts/check_layers.sh

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(HELPERS:%.c=$(BUILD)/%.o) $(BUILD)/rooms.a
	$(CC) $(ALL_CFLAGS) $^ $(LDFLAGS) $(LIBS) -lcmocka -o $@

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
