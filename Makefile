# SPDX-License-Identifier: GPL-3.0-or-later
# The whole build, in one make: nothing here calls make for a folder.  What
# configure found is in config.mk.  Sources are found by their place, so that a
# new file needs no edit here:
#
#   libgbm/*.c         libgbm-mc; but mpi*.c are libgbm-mc-mpi, and kernel.c is
#                      compiled once for each instruction set in ISAS
#   plugin/*.c         spank_gbm.so
#   examples/*.c       a program each; *_mpi.c need MPI; those without a main
#                      are parts of gbm_sim
#   tests/unit/test_*.c     a Check program each
#   tests/fuzz/fuzz_*.c     one for `make fuzz`, and one that replays its corpus
#   tests/{mpi,slurm,campaign,stats}/*.c   programs that the tests there run
#   bench/peer_*       a program each, made to be fast whatever that takes
#
# BUILD=DIR, SANITIZE=address,undefined, WERROR=1 and V=1 (print the commands)
# can be given on the make line, and so can every variable of config.mk.

all:

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.PHONY: FORCE all deps demo check cluster install uninstall clean distclean
.PHONY: maintainer-clean dist deb check-deb run-check-deb
.PHONY: check-unit check-isa check-build check-mpi check-slurm check-slurm-asan
.PHONY: run-check run-demo
.PHONY: bench run-bench check-long run-check-long fuzz
.PHONY: check-vm run-check-vm check-disk run-check-disk
.PHONY: check-releases run-check-releases
.PHONY: check-pi run-check-pi
.PHONY: campaign run-campaign
.PHONY: tags style help

# These must work on a machine on which nothing is installed yet.
goals_without_config := deps demo check check-vm check-disk check-releases \
	check-pi \
	check-long check-deb campaign bench fuzz configure clean distclean \
	maintainer-clean dist deb tags style help
ifneq ($(filter-out $(goals_without_config),$(or $(MAKECMDGOALS),all)),)
include config.mk
endif

# ---- names and versions

version_part = $(shell sed -n \
	's/^.define GBM_VERSION_$(1)[[:blank:]]*//p' libgbm/include/gbm-mc/version.h)
MINOR_PATCH := $(call version_part,MINOR).$(call version_part,PATCH)
VERSION := $(call version_part,MAJOR).$(MINOR_PATCH)

# Raised when a program built against an older release would no longer work.
SOVERSION := 0

comma := ,
BUILD = build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
B := $(BUILD)

# ---- flags

# Both compilers take all of these, so that neither depends on which one
# configure saw.
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
	-Wwrite-strings -Wcast-qual
ifeq ($(findstring clang,$(CC)),)
WARNINGS += -Wlogical-op -Wduplicated-cond
endif

base_cppflags := -I. -Ilibgbm/include -D_FILE_OFFSET_BITS=64 -MMD -MP
base_cflags := -std=c11 -fPIC $(WARNINGS) \
	$(if $(filter-out 0 no,$(WERROR)),-Werror)
base_ldflags := -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
defs_ldflags := -Wl,-z,defs
ifneq ($(SANITIZE),)
base_cflags += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
base_ldflags += -fsanitize=$(SANITIZE)
# The sanitizers' functions are in the program, not in the library.
defs_ldflags :=
endif

# The user's flags come after the warnings, which they may turn off, and before
# what our results rest on: a contracted a*b+c changes bits.
compile_plain = $(compiler) $(base_cppflags) $(dir_cppflags) $(CPPFLAGS) \
	$(base_cflags) $(CFLAGS) $(dir_cflags) -c
link_plain = $(compiler) $(base_cflags) $(CFLAGS) $(dir_cflags) \
	$(base_ldflags) $(LDFLAGS)

compiler = $(CC)
mpi_compiler = OMPI_CC='$(CC)' MPICH_CC='$(CC)' $(MPICC)
number_cppflags := $(GSL_CFLAGS) $(HWLOC_CFLAGS)
number_cflags := -ffp-contract=off -fvisibility=hidden $(OPENMP_CFLAGS)
number_libs := $(GSL_LIBS) $(HWLOC_LIBS) -lm $(LIBS)

$(B)/libgbm/% $(B)/examples/% $(B)/tests/% $(B)/bin/% $(B)/installed/% \
	$(B)/bench/%: dir_cppflags = $(number_cppflags)
$(B)/libgbm/% $(B)/examples/% $(B)/tests/% $(B)/bin/% $(B)/installed/% \
	$(B)/lib/% $(B)/bench/%: dir_cflags = $(number_cflags)
$(B)/tests/%: dir_cppflags += $(CHECK_CFLAGS) \
	-DGBM_SRCDIR='"$(CURDIR)"' -DGBM_BUILDDIR='"$(abspath $(B))"'
# The version map hides what the plugin does not export; spank.h declares the
# hooks without a visibility.
$(B)/plugin/%: dir_cppflags = $(SLURM_CPPFLAGS)
$(B)/plugin/%: dir_cflags = -fstack-protector-strong

# One row per instruction set: the flags for kernel.c, whose short loops over
# the vectors of a row must be unrolled, which is -O3's work.
ISA_CFLAGS_scalar := -O3
ISA_CFLAGS_avx2 := -O3 -mavx2 -mfma
ISA_CFLAGS_avx512 := -O3 -mavx512f -mavx512dq -mfma
ISA_CFLAGS_neon := -O3
# Only on x86 gcc does not put instructions in order before it chooses registers.
# Where there are 32 of them it pays: a row's chains then run side by side.
ISA_GCC_CFLAGS_avx512 := -fschedule-insns -fsched-pressure
# The order that it makes for that core took 3 to 6 % less time on Zen 4 than the
# one for all; with AVX-512 it took 4 % more.
ISA_GCC_CFLAGS_avx2 := -mtune=znver3
isa_cflags = $(ISA_CFLAGS_$(1)) \
	$(if $(findstring clang,$(CC)),,$(ISA_GCC_CFLAGS_$(1)))
ISAS_x86_64 := avx2 avx512
ISAS_aarch64 := neon
ISAS := scalar $(ISAS_$(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null))))

# ---- lists

have = $(if $(wildcard $(1)),$(2))

LIB_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out libgbm/mpi%.c libgbm/kernel.c,\
		$(wildcard libgbm/*.c))) \
	$(call have,libgbm/kernel.c,$(ISAS:%=$(B)/libgbm/kernel_%.o))
LIB_OBJS := $(strip $(LIB_OBJS))
LIB_FILE := libgbm-mc.so.$(SOVERSION).$(MINOR_PATCH)
LIBS_BUILT := $(if $(LIB_OBJS),gbm)

MPI_OBJS := $(if $(MPICC),$(patsubst %.c,$(B)/%.o,$(wildcard libgbm/mpi*.c)))
MPI_FILE := libgbm-mc-mpi.so.$(SOVERSION).$(MINOR_PATCH)
LIBS_BUILT += $(if $(MPI_OBJS),gbm_mpi)

LIB_LINKS := $(LIBS_BUILT:%=$(B)/lib/gbm-mc/lib%.so)
LIB_ARCHIVES := $(LIBS_BUILT:%=$(B)/lib/gbm-mc/lib%.a)
LIB_PCS := $(patsubst %,$(B)/%.pc,$(subst gbm_mpi,gbm-mc-mpi,\
	$(patsubst gbm,gbm-mc,$(LIBS_BUILT))))
HEADERS := $(filter-out $(if $(MPICC),,%/mpi.h),\
	$(wildcard libgbm/include/gbm-mc/*.h))

PLUGIN_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard plugin/*.c))
PLUGIN := $(if $(SLURM_VERSION),$(call have,plugin/spank_gbm.c,\
	$(B)/plugin/spank_gbm.so))

EXAMPLES := $(wildcard examples/*.c)
main_function := ^(int )?main\(
with_main := $(if $(EXAMPLES),$(shell grep -lE '$(main_function)' $(EXAMPLES)))
PROGRAMS := $(patsubst examples/%.c,$(B)/bin/%,\
	$(filter-out $(if $(MPICC),,%_mpi.c),$(with_main)))
GBM_SIM_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out $(with_main),$(EXAMPLES)))
GBM_SIM := $(filter %/gbm_sim,$(PROGRAMS))
MPI_PROGRAMS := $(if $(MPICC),$(filter %/gbm_sim %_mpi,$(PROGRAMS)))

UNIT_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
UNIT_PARTS := $(patsubst %.c,$(B)/%.o,\
	$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
FUZZ_TARGETS := $(patsubst %.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAYS := $(FUZZ_TARGETS:%=$(B)/%)
FUZZERS := $(FUZZ_TARGETS:tests/fuzz/%=build-fuzz/%)
MPI_HELPERS := $(if $(MPICC),$(patsubst %.c,$(B)/%,$(wildcard tests/mpi/*.c)))
SLURM_HELPERS := $(patsubst %.c,$(B)/%,\
	$(filter-out $(if $(SLURM_VERSION),,%/forge.c),$(wildcard tests/slurm/*.c)))
CAMPAIGN_HELPERS := $(patsubst %.c,$(B)/%,$(filter-out $(if $(MPICC),,%_mpi.c),\
	$(wildcard tests/campaign/*.c)))

STATS_TESTS := $(addprefix $(B)/tests/stats/,normals prices)
# The headers of libdieharder-dev are where any compiler looks.
BATTERY := $(call have,/usr/include/dieharder/Dtest.h,\
	$(B)/tests/stats/battery)
STATS_PROGRAMS := $(STATS_TESTS) $(B)/tests/stats/words $(BATTERY)

# scale_mpi comes with libgbm_mpi; a peer, if it compiles.
BENCH_PROGRAMS := $(addprefix $(B)/bench/,driver clock gbm scale \
	$(if $(MPI_OBJS),scale_mpi))
PEERS := $(patsubst bench/%,$(B)/bench/%,$(basename $(wildcard \
	bench/peer_*.c bench/peer_*.cc)))

# ---- what to type

all: ## Libraries, plugin and programs, into build/ (the default)
all: $(LIB_LINKS) $(LIB_ARCHIVES) $(LIB_PCS) $(PLUGIN) $(PROGRAMS) \
	$(GBM_SIM:$(B)/bin/%=$(B)/installed/%)

# DEPS=no leaves the installation of packages out of demo and check.
deps_for = $(if $(filter no,$(DEPS)),,build-aux/install-deps.sh $(1))

deps: ## Install the missing Debian packages that demo and check need
	@build-aux/install-deps.sh build mpi slurm test cross vm

demo: ## Install packages, build, run the main job on a private Slurm
	@$(call deps_for,build mpi slurm)
	@$(MAKE) --no-print-directory run-demo

check: ## Install packages, build, run every test
	@$(call deps_for,build mpi slurm test cross vm)
	@$(MAKE) --no-print-directory run-check

run-demo: all
	@$(test_env) tests/slurm/demo.sh

cluster: all ## A shell in a private Slurm cluster of two nodes
	@$(test_env) tests/slurm/cluster.sh run

# Make's own variables must not reach the makes that tests start: what was given
# on this make line is in GBM_MAKE instead.
test_env = GBM_SRCDIR='$(CURDIR)' GBM_BUILD='$(abspath $(B))' \
	GBM_MAKE='$(MAKE) $(subst ','\'',$(MAKEOVERRIDES))' CC='$(CC)' \
	MPICC='$(MPICC)' SANITIZE='$(SANITIZE)' V='$(V)' \
	MAKEFLAGS= MFLAGS= MAKELEVEL=
run_tests = @$(test_env) tests/run.sh

check-unit: ## Unit tests and lint: seconds, no root, no daemons
check-unit: need-check $(UNIT_TESTS) $(FUZZ_REPLAYS)
	$(run_tests) unit

check-isa: config.mk ## The same bits by every compiler and instruction set
	$(run_tests) isa

check-build: all ## Install, uninstall, headers, exported symbols
	$(run_tests) build

check-mpi: all $(MPI_HELPERS) ## Tests under mpirun
	$(run_tests) mpi

# RELEASE=trixie for the Slurm of that release of Debian.
check-slurm: all $(SLURM_HELPERS) $(CAMPAIGN_HELPERS) ## Tests on a private Slurm cluster (root)
	@$(if $(RELEASE),$(call deps_for,vm))
	@$(test_env) $(if $(RELEASE),tests/vm/release.sh run $(RELEASE) --) \
		tests/run.sh slurm

# Only the plugin: the programs in the jobs, which are measured, are as ever.
# Undefined behaviour traps, and libasan reports that: two runtimes in one
# slurmstepd would not agree on where to.
ASAN_BUILD := build-slurm-asan
ATFORK := $(B)/tests/slurm/preload/atfork.so
check-slurm-asan: all $(SLURM_HELPERS) $(CAMPAIGN_HELPERS) $(ATFORK) ## The same, the plugin under sanitizers
	@$(MAKE) --no-print-directory SANITIZE=address,undefined \
		CFLAGS='$(CFLAGS) -fsanitize-undefined-trap-on-error' \
		BUILD=$(ASAN_BUILD) $(ASAN_BUILD)/plugin/spank_gbm.so
	@GBM_PLUGIN='$(CURDIR)/$(ASAN_BUILD)/plugin/spank_gbm.so' \
		GBM_PRELOAD="$(CURDIR)/$(ATFORK):$$(readlink -f "$$($(CC) \
		-print-file-name=libasan.so)")" $(test_env) tests/run.sh slurm

check-vm: ## Install packages, build, test in qemu on cgroup v2 (root)
	@$(call deps_for,build mpi slurm test vm)
	@$(MAKE) --no-print-directory run-check-vm

run-check-vm: all $(SLURM_HELPERS)
	$(run_tests) vm

check-disk: ## The same, samples with quotas and on a file server (root)
	@$(call deps_for,build mpi slurm test vm)
	@$(MAKE) --no-print-directory run-check-disk

run-check-disk: all $(SLURM_HELPERS)
	$(run_tests) disk

check-releases: ## Slurm's tests with each of Debian's, on cgroup v1 and v2; hours
	@$(call deps_for,build mpi slurm test vm)
	@$(MAKE) --no-print-directory run-check-releases

run-check-releases: all $(SLURM_HELPERS) $(CAMPAIGN_HELPERS)
	$(run_tests) releases

check-pi: ## Install packages, build, test on an emulated Raspberry Pi 4 (root)
	@$(call deps_for,build mpi slurm test vm cross pi)
	@$(MAKE) --no-print-directory run-check-pi

run-check-pi: all
	$(run_tests) pi

run-check: all need-check $(UNIT_TESTS) $(FUZZ_REPLAYS) $(MPI_HELPERS) \
		$(SLURM_HELPERS) $(CAMPAIGN_HELPERS)
	$(run_tests) unit isa build mpi slurm vm disk

# What the tests of other releases need, which tests/vm/release.sh builds there.
.PHONY: test-programs
test-programs: $(SLURM_HELPERS) $(CAMPAIGN_HELPERS)

.PHONY: need-check
need-check:
	@test -n '$(CHECK_LIBS)' || { echo 'The unit tests need Check:' \
		'install the Debian package check ("make deps"),' \
		'then run ./configure again.' >&2; exit 1; }

# GBM_MAKE of the tests is for this machine's build; deb.sh takes no such thing.
deb: ## Debian packages, into build/deb/; RELEASE=trixie ARCH=arm64 for others (root)
	@$(call deps_for,$(if $(RELEASE),trees,build mpi deb))
	@GBM_BUILD='$(abspath $(B))' build-aux/deb.sh build '$(RELEASE)' '$(ARCH)'

check-deb: ## Build Debian packages, install, upgrade, purge them (root); an hour or more
	@$(call deps_for,build mpi slurm test vm pi deb)
	@$(MAKE) --no-print-directory run-check-deb

run-check-deb: all $(SLURM_HELPERS)
	$(run_tests) deb

campaign: ## Install packages, build, let programs take too much memory (root)
	@$(call deps_for,build mpi slurm vm cross pi)
	@$(MAKE) --no-print-directory run-campaign

run-campaign: all $(CAMPAIGN_HELPERS)
	@$(test_env) tests/campaign/run.sh all | tee $(B)/campaign.tsv
	@tests/campaign/table.sh $(B)/campaign.tsv

check-long: ## Statistical quality: dieharder, 10^10 normals; hours
	@$(call deps_for,build long)
	@$(MAKE) --no-print-directory run-check-long

run-check-long: $(STATS_PROGRAMS)
	$(run_tests) stats

# FUZZ_SECONDS= for each target; FUZZ_TARGETS=tests/fuzz/fuzz_size for one.
FUZZ_SECONDS := 60
fuzz: $(FUZZERS) ## Made-up input for the plugin's parsers (clang)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $(FUZZERS)

# A peer whose package cannot be had is left out, aloud.
bench: ## Install packages, build, race the peers on one core
	@$(call deps_for,build mpi)
	@$(if $(filter no,$(DEPS)),,build-aux/install-deps.sh --each bench || \
		echo 'bench: going on without these')
	@$(MAKE) --no-print-directory run-bench

run-bench: all $(BENCH_PROGRAMS) $(PEERS)
	@$(test_env) bench/run

# ---- configure

# config.status is there when configure has run: keep what it was told.
config.mk: config.mk.in configure
	@if test -f config.status; \
	then ./config.status --quiet --recheck && ./config.status --quiet; \
	else echo './configure'; ./configure --quiet; fi
	@touch $@

configure: configure.ac libgbm/include/gbm-mc/version.h
	@command -v autoconf >/dev/null || { echo 'autoconf is missing:' \
		'install the Debian package autoconf ("make deps" installs' \
		'all that is needed).' >&2; exit 1; }
	@echo autoconf
	@autoheader && autoconf
	@touch $@

# ---- rules

ifeq ($(filter-out 0,$(V)),)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

# Rewritten when a flag changes; everything compiled or linked depends on it.
flags := $(CC) $(AR) $(MPICC) $(MPI_CPPFLAGS) $(MPI_LIBS) $(CPPFLAGS) \
	$(CFLAGS) $(LDFLAGS) $(base_cppflags) $(base_cflags) $(base_ldflags) \
	$(number_cppflags) $(number_cflags) $(number_libs) \
	$(SLURM_CPPFLAGS) $(CHECK_CFLAGS) $(CHECK_LIBS) \
	$(foreach i,$(ISAS),$(call isa_cflags,$(i)))
install_flags := $(VERSION) $(prefix) $(libdir) $(includedir)

keep_if_same = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | \
	cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' >$@

$(B)/flags: FORCE
	$(call keep_if_same,$(flags))
$(B)/install-flags: FORCE
	$(call keep_if_same,$(install_flags))

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(compile_plain) -o $@ $<

$(B)/libgbm/kernel_%.o: libgbm/kernel.c $(B)/flags
	$(call say,CC,$< ($*))
	@mkdir -p $(@D)
	$(Q)$(compile_plain) -DGBM_KERNEL_ISA=$* \
		'-DGBM_VEC_HEADER="vec_$*.h"' $(call isa_cflags,$*) -o $@ $<

campaign_mpi := $(filter %_mpi,$(CAMPAIGN_HELPERS))
mpi_made := $(MPI_OBJS) $(B)/lib/$(MPI_FILE) $(MPI_HELPERS) $(MPI_PROGRAMS) \
	$(campaign_mpi) $(campaign_mpi:%=%.o) \
	$(B)/bench/scale_mpi $(B)/bench/scale_mpi.o \
	$(MPI_PROGRAMS:$(B)/bin/%=$(B)/examples/%.o) $(B)/examples/world.o \
	$(MPI_PROGRAMS:$(B)/bin/%=$(B)/installed/%)
$(if $(MPICC),$(mpi_made) $(MPI_HELPERS:%=%.o)): \
	private compiler = $(mpi_compiler) $(MPI_CPPFLAGS)
mpi_libs = $(if $(filter $@,$(mpi_made)),$(MPI_LIBS))

# The libraries.  $(1) soname without number, $(2) link name, $(3) objects,
# $(4) libraries.
define library
$(B)/lib/$(1).so.$(SOVERSION).$(MINOR_PATCH): $(3) libgbm/$(1:lib%=%).map $(B)/flags
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(link_plain) $$(defs_ldflags) -shared \
		-Wl,-soname,$(1).so.$(SOVERSION) \
		-Wl,--version-script=libgbm/$(1:lib%=%).map -o $$@ $(3) $(4)

$(B)/lib/$(1).so.$(SOVERSION): $(B)/lib/$(1).so.$(SOVERSION).$(MINOR_PATCH)
	@ln -sf $$(<F) $$@

$(B)/lib/$(1).a: $(3)
	$$(call say,AR,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)$(AR) rcs $$@ $(3)

$(B)/lib/gbm-mc/lib$(2).so: $(B)/lib/$(1).so.$(SOVERSION)
	@mkdir -p $$(@D); ln -sf ../$$(<F) $$@

$(B)/lib/gbm-mc/lib$(2).a: $(B)/lib/$(1).a
	@mkdir -p $$(@D); ln -sf ../$$(<F) $$@
endef
$(eval $(call library,libgbm-mc,gbm,$(LIB_OBJS),$(number_libs)))
$(eval $(call library,libgbm-mc-mpi,gbm_mpi,$(MPI_OBJS),-L$(B)/lib/gbm-mc -lgbm $(HWLOC_LIBS) $(MPI_LIBS) -lm))
$(B)/lib/$(MPI_FILE): $(B)/lib/gbm-mc/libgbm.so

$(PLUGIN): $(PLUGIN_OBJS) plugin/spank_gbm.map $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -shared -Wl,--version-script=plugin/spank_gbm.map \
		-o $@ $(PLUGIN_OBJS)

# The programs find the libraries beside them.  DT_RPATH, since it also holds
# for what libgbm-mc-mpi.so needs.
$(B)/bin/% $(B)/bench/%: private rpath = \
	-Wl,--disable-new-dtags -Wl,-rpath,'$$ORIGIN/../lib'
# The installed ones where the loader does not look by itself.
loader_dirs := /lib /usr/lib $(MULTIARCH:%=/lib/%) $(MULTIARCH:%=/usr/lib/%)
$(B)/installed/%: private rpath = \
	$(addprefix -Wl$(comma)-rpath$(comma),$(filter-out $(loader_dirs),$(libdir)))

link_program = $(link_plain) $(rpath) -o $@ $(filter %.o %.a,$^) \
	-L$(B)/lib/gbm-mc $(if $(filter $@,$(mpi_made)),$(MPI_OBJS:%=-lgbm_mpi)) \
	$(if $(LIB_OBJS),-lgbm) $(mpi_libs) $(number_libs)

$(B)/bin/%: $(B)/examples/%.o $(LIB_LINKS) $(B)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link_program)

$(B)/installed/%: $(B)/examples/%.o $(LIB_LINKS) $(B)/flags $(B)/install-flags
	@mkdir -p $(@D)
	$(Q)$(link_program)

$(B)/bin/gbm_sim $(B)/installed/gbm_sim: $(GBM_SIM_OBJS)

# Tests see what the libraries and the plugin hide.  As archives: only what a
# test calls is linked in.
TEST_PARTS := $(B)/tests/parts/plugin.a $(B)/tests/parts/gbm_sim.a \
	$(if $(LIB_OBJS),$(B)/lib/libgbm-mc.a)
$(B)/tests/parts/plugin.a: $(filter-out $(B)/plugin/spank_%,$(PLUGIN_OBJS))
$(B)/tests/parts/gbm_sim.a: $(GBM_SIM_OBJS)
$(B)/tests/parts/%.a:
	@mkdir -p $(@D); rm -f $@
	$(Q)$(AR) rcs $@ $^

$(UNIT_TESTS): $(B)/%: $(B)/%.o $(UNIT_PARTS) $(TEST_PARTS) $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -o $@ $(filter %.o %.a,$^) $(CHECK_LIBS) $(number_libs)

$(FUZZ_REPLAYS): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay.o $(TEST_PARTS) \
		$(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -o $@ $(filter %.o %.a,$^)

# Always by clang, which brings libFuzzer, and without configure.
FUZZ_CC := clang
fuzz_parts := $(filter-out plugin/spank_%,$(wildcard plugin/*.c))
$(FUZZERS): build-fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(fuzz_parts) \
		$(wildcard plugin/*.h)
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -std=c11 -g -O1 -I. -D_FILE_OFFSET_BITS=64 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $@ $< $(fuzz_parts)

# They compute on what the kernels give: no bits of ours depend on these flags.
$(STATS_PROGRAMS:%=%.o): dir_cflags += -O3 -march=native
$(B)/tests/stats/words $(BATTERY): $(B)/tests/stats/order.o
$(BATTERY): private number_libs += -ldieharder
$(STATS_PROGRAMS): $(B)/%: $(B)/%.o $(B)/lib/libgbm-mc.a $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(number_libs)

$(MPI_HELPERS): $(B)/%: $(B)/%.o $(LIB_ARCHIVES) $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -o $@ $< $(MPI_OBJS:%=$(B)/lib/libgbm-mc-mpi.a) \
		$(if $(LIB_OBJS),$(B)/lib/libgbm-mc.a) $(mpi_libs) $(number_libs)

# One of them speaks to Slurm itself.
$(B)/tests/slurm/forge.o: private dir_cppflags += $(SLURM_CPPFLAGS)
$(B)/tests/slurm/forge: private LIBS += -lslurm \
	$(patsubst %/include,-L%/lib,$(filter-out -isystem,$(SLURM_CPPFLAGS)))

$(SLURM_HELPERS) $(CAMPAIGN_HELPERS): $(B)/%: $(B)/%.o $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -o $@ $< $(mpi_libs) $(LIBS)

$(ATFORK): $(B)/%.so: $(B)/%.o $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_plain) -shared -o $@ $<

# The benchmark.  Ours is linked as users link it.
contenders := $(addprefix $(B)/bench/,clock gbm)
$(contenders): $(B)/bench/contender.o
$(BENCH_PROGRAMS): $(B)/bench/%: $(B)/bench/%.o $(LIB_LINKS) $(B)/flags
	$(call say,LD,$@)
	$(Q)$(link_program)

# The peers are given all that may make them fast, by compilers of their own
# language.
peer_flags = -O3 -march=native -I. -MMD -MP $(PEER_CFLAGS_$*)
PEER_CFLAGS_boost_vector := -ffast-math
PEER_CFLAGS_sleef := -ffast-math
PEER_LIBS_gsl := -lgsl -lgslcblas
PEER_LIBS_sleef := -lsleef
PEER_LIBS_quantlib := -lQuantLib
peer_source = $(wildcard bench/peer_$*.c bench/peer_$*.cc)

$(PEERS): $(B)/bench/peer_%: $(B)/bench/contender.o Makefile
	$(call say,PEER,$(peer_source))
	@rm -f $@; $(if $(filter %.cc,$(peer_source)),$(CXX),$(CC)) $(peer_flags) \
		-o $@ $(peer_source) $(B)/bench/contender.o $(PEER_LIBS_$*) -lm \
		2>$@.log || { echo "bench: left out: $(peer_source) does not" \
		"compile here: $$(grep -m 1 -i error $@.log)"; rm -f $@; }

# As configure gave them, with ${prefix} in them: the tree can be moved.
$(B)/%.pc: build-aux/%.pc.in $(B)/install-flags $(B)/flags
	$(Q)sed $(foreach v,prefix exec_prefix libdir includedir VERSION OPENMP_CFLAGS,\
		-e 's|@$(v)@|$(value $(v))|') $< >$@

# Objects stay: make would delete them as intermediate.
.SECONDARY:
# Not those of a tree in which packages are being built.
-include $(shell find $(B) -path $(B)/deb -prune -o -name '*.d' -print 2>/dev/null)

# ---- installation

# Words mode:source:destination.  install and uninstall read the same list.
files = $(foreach f,$(2),$(1):$(f):$(3)/$(notdir $(f)))
tree = $(foreach f,$(filter-out $(4),$(shell find $(2) -type f 2>/dev/null | sort)),\
	$(1):$(f):$(3)/$(f))
link = link:$(1):$(2)
completiondir := $(datarootdir)/bash-completion/completions
# A manual page by the name of each function that it is about.
function_links = $(foreach f,$(shell sed -n \
	's/^\.Fo //p' $(1)),$(call link,$(notdir $(1)),$(mandir)/man3/$(f).3))
library_files = \
	$(call files,0755,$(B)/lib/$(1).so.$(SOVERSION).$(MINOR_PATCH),$(libdir)) \
	$(call files,0644,$(B)/lib/$(1).a,$(libdir)) \
	$(call link,$(1).so.$(SOVERSION).$(MINOR_PATCH),$(libdir)/$(1).so.$(SOVERSION)) \
	$(call link,../$(1).so.$(SOVERSION),$(libdir)/gbm-mc/lib$(2).so) \
	$(call link,../$(1).a,$(libdir)/gbm-mc/lib$(2).a)
# Not below docdir, where packages compress files and systems leave them out.
pkgdatadir = $(datarootdir)/$(PACKAGE_TARNAME)
INSTALLERS := $(wildcard slurm-config/install-node.sh \
	slurm-config/install-controller.sh)
INSTALLED = \
	$(if $(LIB_OBJS),$(call library_files,libgbm-mc,gbm)) \
	$(if $(MPI_OBJS),$(call library_files,libgbm-mc-mpi,gbm_mpi)) \
	$(call files,0644,$(HEADERS),$(includedir)/gbm-mc) \
	$(call files,0644,$(LIB_PCS),$(pkgconfigdir)) \
	$(call files,0755,$(GBM_SIM:$(B)/bin/%=$(B)/installed/%),$(bindir)) \
	$(call files,0755,$(PLUGIN),$(slurm_plugindir)) \
	$(call files,0755,tools/gbm_plot tools/gbm-mem-log,$(bindir)) \
	$(call link,gbm_plot.1,$(mandir)/man1/gbm-mem-log.1) \
	0644:tools/completion.bash:$(completiondir)/gbm_sim \
	$(foreach p,gbm_plot gbm-mem-log gbm-top gbm-node-check \
		gbm-cluster-shutdown,\
		$(call link,gbm_sim,$(completiondir)/$(p))) \
	$(foreach p,$(wildcard docs/*.3),$(call function_links,$(p))) \
	$(call files,0755,tools/gbm-node-check tools/gbm-cluster-shutdown,$(sbindir)) \
	$(call files,0755,tools/gbm-top,$(bindir)) \
	$(call link,gbm-node-check,$(sbindir)/gbm-node-health) \
	$(call files,0644,$(wildcard README.md NEWS docs/*.md),$(docdir)) \
	$(call tree,0644,examples,$(docdir)) \
	$(call tree,0644,slurm-config,$(pkgdatadir),$(INSTALLERS)) \
	$(call files,0755,$(INSTALLERS),$(pkgdatadir)/slurm-config) \
	$(foreach s,1 2 3 4 5 6 7 8,\
		$(call files,0644,$(wildcard docs/*.$(s)),$(mandir)/man$(s)))

install: all ## Install below prefix; DESTDIR=DIR puts it into DIR instead
	@for word in $(INSTALLED); do \
		mode=$${word%%:*} from=$${word#*:}; \
		to="$(DESTDIR)$${from#*:}" from=$${from%%:*}; \
		$(if $(Q),echo "  INSTALL $$to";,set -x;) \
		mkdir -p "$${to%/*}" || exit; \
		case $$mode in \
		link) ln -sfn "$$from" "$$to" || exit ;; \
		*) install -m "$$mode" "$$from" "$$to" || exit ;; \
		esac; \
	done
	$(if $(DESTDIR)$(filter-out $(cached_dirs),$(libdir)),,$(run_ldconfig))

# What is there the loader finds by a list, which it does not make by itself.
cached_dirs = $(loader_dirs) /usr/local/lib $(MULTIARCH:%=/usr/local/lib/%)
run_ldconfig = @PATH="$$PATH:/sbin:/usr/sbin"; test "$$(id -u)" != 0 || \
	! command -v ldconfig >/dev/null || ldconfig

# Configured, but for what is this machine's: nobody needs autoconf.  All files
# have one time, so that make holds none to be older than what it is made from.
DIST := gbm-mc-$(VERSION)
dist: configure ## A release, $(DIST).tar.gz, which needs no autoconf
	@. tests/tap.sh && { tree_files; printf '%s\n' configure config.h.in; } | \
		sort | tar --files-from=- --transform='s,^,$(DIST)/,' \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
		--mtime="@$${SOURCE_DATE_EPOCH:-$$(stat -c %Y configure)}" -cf - | \
		gzip -9n >$(DIST).tar.gz
	@echo $(DIST).tar.gz

# Directories of our own go too, once empty.
uninstall: ## Remove what install put there
	@for word in $(INSTALLED); do \
		to="$(DESTDIR)$${word##*:}"; \
		$(if $(Q),echo "  RM      $$to";,set -x;) \
		rm -f "$$to" || exit; \
	done
	@for dir in $(includedir)/gbm-mc $(libdir)/gbm-mc $(docdir) \
			$(pkgdatadir); do \
		test ! -d "$(DESTDIR)$$dir" || \
		find "$(DESTDIR)$$dir" -depth -type d -empty -delete; \
	done

# ---- for developers

tags: ## Index of all sources, for editors
	ctags -R --languages=C --exclude=build .

# Compared with what is about to be committed, or with STYLE_BASE=COMMIT.
style: ## Where changed lines differ from .clang-format
	@command -v git-clang-format >/dev/null || { echo 'Missing: install the' \
		'Debian package clang-format.' >&2; exit 1; }
	@out=$$(git clang-format --diff --extensions c,h $(STYLE_BASE)); \
	case $$out in \
	''|'no modified files to format'|*'did not modify any files') ;; \
	*) printf '%s\n' "$$out"; exit 1 ;; \
	esac

clean: ## Remove build/ (or the directory of SANITIZE= or BUILD=)
	rm -rf $(B)

distclean: ## Remove all that configure and make have written
	rm -rf build $(filter-out build-aux,$(wildcard build-*)) autom4te.cache
	rm -f configure~ config.h config.h.in~ config.mk config.status config.log \
		gbm-mc-*.tar.gz tags

maintainer-clean: distclean ## And what autoconf has: a release has that
	rm -f configure config.h.in

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' \
		Makefile

print-%:
	@printf '%s\n' '$($*)'
