# Segue: `make run` installs what is missing, builds and serves; `make test` likewise, and tests.
# `make help` lists the targets. MODE=asan or MODE=tsan builds with sanitizers beside the plain
# build. CFLAGS and LDFLAGS are yours.

MODE     ?= plain
PORT     ?= 6379
PREFIX   ?= /usr/local
HISTORIES ?= 200000
FUZZ_SECONDS ?= 60
BENCH_SCALE ?= small
SOAK_SECONDS ?= 600
CC       ?= cc
CFLAGS   ?= -O2 -g
OUT      := build/$(MODE)
PKG_CONFIG ?= pkg-config

SANITIZE_plain :=
SANITIZE_asan  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_tsan  := -fsanitize=thread -fno-omit-frame-pointer
SANITIZE_fuzz  := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
SANITIZE       := $(SANITIZE_$(MODE))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
            -Wstrict-prototypes -Wvla -Wwrite-strings -Wcast-qual -Wundef -Wformat=2
LIBRARIES := libuv libxxhash msgpack libzstd
CPPFLAGS += -I. -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null)
LDLIBS   += $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null) -l:liblz4.a -lpthread -lm
COMPILE   = $(CC) -std=c11 $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP

sources   = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
objects   = $(patsubst %.c,$(OUT)/%.o,$(1))
PROTO    := $(call objects,$(call sources,proto))
SERVER   := $(call objects,$(filter-out server/main.c,$(call sources,server)))
BENCH    := $(call objects,$(filter-out bench/main.c bench/translate/%,$(call sources,bench)))
TRANSLATE := $(call objects,$(call sources,bench/translate))
UNIT     := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(call sources,tests/unit))
MODEL    := $(call objects,$(call sources,tests/property/model))
PROPERTY := $(patsubst tests/property/%.c,$(OUT)/property/%,$(wildcard tests/property/*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS  := $(patsubst tests/fuzz/fuzz_%.c,$(OUT)/replay/%,$(wildcard tests/fuzz/fuzz_*.c))
SOURCES   = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

.DEFAULT_GOAL := all
.PHONY: all run deps deps-test test check unit wire property clients asan tsan fuzz demo cpu soak \
        bench bench-translate rollout perf-check format lint compdb cover install clean help

all: $(OUT)/segue-server $(OUT)/segue-bench ## build the server and the load generator (after `make deps`)
	@mkdir -p build; [ $(MODE) != plain ] || ln -sf plain/segue-server plain/segue-bench build

LINK      = $(call say,LINK) $(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@
say       = $(if $(V),,@printf '%-5s %s\n' $(1) $@;)

$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC) $(COMPILE) -c -o $@ $<

# Archives, so that a test links what it uses. Made anew: no member of a deleted file stays.
$(OUT)/libproto.a: $(PROTO)
	$(call say,AR) rm -f $@; $(AR) rcs $@ $^

$(OUT)/libserver.a: $(SERVER)
	$(call say,AR) rm -f $@; $(AR) rcs $@ $^

$(OUT)/libbench.a: $(BENCH)
	$(call say,AR) rm -f $@; $(AR) rcs $@ $^

$(OUT)/segue-bench: $(OUT)/bench/main.o $(OUT)/libbench.a $(OUT)/libproto.a
	$(LINK) $^ $(LDLIBS)

$(OUT)/segue-translate-bench: $(TRANSLATE) $(OUT)/libbench.a $(OUT)/libproto.a
	$(LINK) -Wl,--wrap=malloc,--wrap=realloc $^ -ljansson $(LDLIBS)

$(OUT)/segue-server: $(OUT)/server/main.o $(OUT)/libserver.a $(OUT)/libproto.a
	$(LINK) $^ $(LDLIBS)

$(OUT)/unit/%: $(OUT)/tests/unit/%.o $(OUT)/libbench.a $(OUT)/libserver.a $(OUT)/libproto.a
	@mkdir -p $(@D)
	$(LINK) $^ -lcmocka $(LDLIBS)

$(OUT)/property/%: $(OUT)/tests/property/%.o $(MODEL) $(OUT)/libproto.a
	@mkdir -p $(@D)
	$(LINK) $^ $(LDLIBS)

build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/libserver.a build/fuzz/libproto.a
	$(LINK) -fsanitize=fuzzer $^ $(LDLIBS)

$(OUT)/replay/%: $(OUT)/tests/fuzz/replay.o $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/libserver.a \
                 $(OUT)/libproto.a
	@mkdir -p $(@D)
	$(LINK) $^ $(LDLIBS)

.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

run: deps ## install what is missing, build, serve: PORT=6379 ARGS="--threads 4"
	@$(MAKE) --no-print-directory all
	build/segue-server --port $(PORT) $(ARGS)

deps: ## install what building and serving need, as far as it is missing
	@tests/install build

deps-test: ## the same for `make test` and `make demo`; starts no service
	@tests/install build test

test: deps-test ## install what is missing, build, run the tests
	@$(MAKE) --no-print-directory check

check: all ## build and run the tests; MODE=asan, MODE=tsan as well
	@$(MAKE) --no-print-directory $(UNIT) $(PROPERTY) $(REPLAYS)
	@tests/run $(OUT) $(STEPS)

unit: ## only the unit tests
	@$(MAKE) --no-print-directory check STEPS=unit

wire: all ## only the wire transcripts
	@tests/run $(OUT) wire

property: $(PROPERTY) ## the laws of versioned state over 200,000 random histories of every codec (SEED=…)
	$(OUT)/property/vectors tests/vectors/lenses.jsonl
	for codec in json msgpack php pickle hash php,json pickle,msgpack json,msgpack php,msgpack json,hash; do $(OUT)/property/laws --codec $$codec \
	    --histories $(HISTORIES) --seed $(or $(SEED),$(shell date +%s)) || exit 1; done

asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory check MODE=asan

tsan: ## the tests under ThreadSanitizer
	@$(MAKE) --no-print-directory check MODE=tsan STEPS="unit wire"

fuzz: ## fuzz targets under libFuzzer and sanitizers (clang): FUZZ_SECONDS=60 each
	@tests/install fuzz
	@$(MAKE) --no-print-directory CC=clang MODE=fuzz $(FUZZERS)
	@tests/fuzz/run build/fuzz $(FUZZ_SECONDS)

clients: deps-test ## real clients and frameworks against the server
	@$(MAKE) --no-print-directory all
	tests/clients/run $(OUT)/segue-server

cpu: deps-test ## CPU per request beside redis-server, at most 0.7 of it
	@$(MAKE) --no-print-directory all
	@bench/cpu --server $(OUT)/segue-server --rounds 3 --requests 600000

demo: deps-test ## a rolling upgrade and a rollback of a small shop, beside redis-server
	@$(MAKE) --no-print-directory all
	tests/demo/run $(OUT)/segue-server

soak: deps-test ## all workloads at once for ten minutes: SOAK_SECONDS=600; MODE=asan, MODE=tsan
	@$(MAKE) --no-print-directory all
	tests/soak/run --server $(OUT)/segue-server --seconds $(SOAK_SECONDS) \
	    $(if $(SANITIZE),--no-rss)

bench: deps ## compare with redis-server, memcached, Valkey 8 and PEERS="name=path ...": BENCH_SCALE=small|medium|full
	@tests/install peers perf bench
	@$(MAKE) --no-print-directory all $(OUT)/segue-translate-bench
	bench/run --scale $(BENCH_SCALE) $(addprefix --peer ,$(PEERS))

bench-translate: deps ## what a translation costs, beside a library's tree (Jansson, msgpack-c)
	@tests/install bench
	@$(MAKE) --no-print-directory $(OUT)/segue-translate-bench
	$(OUT)/segue-translate-bench

rollout: deps-test ## a rollout and a rollback over 1,000,000 records under load: ROLLOUT="--keys 100000"
	@$(MAKE) --no-print-directory all
	bench/rollout $(ROLLOUT)

perf-check: deps ## instructions per request against committed figures (callgrind)
	@tests/install perf
	@$(MAKE) --no-print-directory all
	bench/instructions

format: ## format the C sources
	clang-format -i $(filter-out %.def,$(SOURCES))

lint: ## formatting, headers that compile alone, layers, banned words
	tests/lint/run

compdb: ## compile_commands.json for editors (needs bear)
	bear -- $(MAKE) -B all

install: all ## install the server under PREFIX (/usr/local), DESTDIR respected
	install -D -m 755 $(OUT)/segue-server $(DESTDIR)$(PREFIX)/bin/segue-server

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | column -t -s'|'

clean: ## remove what was built
	rm -rf build
