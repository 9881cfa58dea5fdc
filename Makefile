# Segue: `make run` installs what is missing, builds and serves; `make test` likewise, and tests.
# `make help` lists the targets. MODE=asan or MODE=tsan builds with sanitizers beside the plain
# build. CFLAGS and LDFLAGS are yours.

MODE     ?= plain
CC       ?= cc
CFLAGS   ?= -O2 -g
OUT      := build/$(MODE)
PKG_CONFIG ?= pkg-config

SANITIZE_plain :=
SANITIZE_asan  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_tsan  := -fsanitize=thread -fno-omit-frame-pointer
SANITIZE       := $(SANITIZE_$(MODE))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
            -Wstrict-prototypes -Wvla -Wwrite-strings -Wcast-qual -Wundef -Wformat=2
LIBRARIES := libuv libxxhash
CPPFLAGS += -I. -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null)
LDLIBS   += $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null) -lpthread -lm
COMPILE   = $(CC) -std=c11 $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP

sources   = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
objects   = $(patsubst %.c,$(OUT)/%.o,$(1))
PROTO    := $(call objects,$(call sources,proto))
SERVER   := $(call objects,$(filter-out server/main.c,$(call sources,server)))
UNIT     := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(call sources,tests/unit))
PROPERTY := $(patsubst tests/property/%.c,$(OUT)/property/%,$(call sources,tests/property))
SOURCES   = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

.DEFAULT_GOAL := all
.PHONY: all run deps deps-test test check unit wire property clients asan tsan fuzz demo bench \
        format lint compdb cover install clean help

all: $(OUT)/segue-server ## build the server (after `make deps`)
	@mkdir -p build; [ $(MODE) != plain ] || ln -sf plain/segue-server build/segue-server

$(OUT)/segue-server: $(OUT)/server/main.o $(SERVER) $(PROTO)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(OUT)/unit/%: $(OUT)/tests/unit/%.o $(SERVER) $(PROTO)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$(OUT)/property/%: $(OUT)/tests/property/%.o $(PROTO)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

deps: ## install what building and serving need, as far as it is missing
	@tests/install build

deps-test: ## the same for `make test` and `make demo`; starts no service
	@tests/install build test

wire: deps-test ## transcripts (also against redis-server), lens vectors and hostile input over the socket
	@$(MAKE) --no-print-directory all
	tests/wire/run --server $(OUT)/segue-server
	tests/wire/vectors --server $(OUT)/segue-server
	tests/wire/hostile --server $(OUT)/segue-server

clients: deps-test ## real clients and frameworks against the server
	@$(MAKE) --no-print-directory all
	tests/clients/run $(OUT)/segue-server

demo: deps-test ## a rolling upgrade and a rollback of a small shop, beside redis-server
	@$(MAKE) --no-print-directory all
	tests/demo/run $(OUT)/segue-server

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | column -t -s'|'

clean: ## remove what was built
	rm -rf build
