# Every target works from a fresh clone. `make` lists them.
SHELL        := /bin/bash
.DEFAULT_GOAL := help
PREFIX       ?= /usr/local
DESTDIR      ?=
VERSION      := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TAGS         := containers_image_openpgp,exclude_graphdriver_btrfs,netgo,osusergo,sqlite_omit_load_extension
LDFLAGS      := -s -w -X hull.dev/hull/cmd/hull/internal/app.commit=$(VERSION)
STATIC       := $(LDFLAGS) -extldflags "-static"
# hull's file lies on huge pages where the file system has them (docs/design/0011): its parts begin and end with one, and it is written in
# one piece, since the kernel takes no larger page for a file than what is written at a time.
HUGE         := $(LDFLAGS) -extldflags "-static -Wl,-z,separate-code,-z,max-page-size=0x200000,-T,contrib/build/pages.ld"
WHOLE        := contrib/build/whole.sh
# SQLite sets a page cache and small pieces aside for a program that stays; a command would touch them for nothing.
export CGO_CFLAGS := -O2 -g -DSQLITE_DEFAULT_PCACHE_INITSZ=0 -DSQLITE_DEFAULT_LOOKASIDE=1200,8
# A program with musl starts with a hundred page faults less than with glibc (docs/design/0011); without musl-tools it has glibc.
# musl has no headers of the kernel's: they come after its own.
MUSL         = $(shell command -v musl-gcc >/dev/null && echo musl-gcc -DHULL_STATIC_MUSL -idirafter /usr/include -idirafter /usr/include/$$(gcc -print-multiarch))
export GOFLAGS := -buildvcs=false -trimpath -tags=$(TAGS)
RUN          ?= .
RACE         ?= -race
KILLS        ?= 4
ENTRIES      ?= 100000
UNIT         := $(shell go list ./... 2>/dev/null | grep -v '/test/')
GOFUMPT      := go run mvdan.cc/gofumpt@v0.12.0
# The suites make users, mount in namespaces of their own and install packages: they are root's.
SUDO         := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E env PATH="$$PATH")

.PHONY: help build install clean try deps test-deps test check unit script network vm fault bench fuzz docs lint cover inittrace tidy-check

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build the static programs into bin/
	@mkdir -p bin
	@CC='$(MUSL)' go build -o bin/hull -ldflags '$(HUGE)' ./cmd/hull 2>&1 | grep -vE 'dlopen|^# |in function' ; exit $${PIPESTATUS[0]}
	@$(WHOLE) bin/hull bin/hull
	@GOEXPERIMENT=nogreenteagc CGO_ENABLED=0 go build -o bin/hull-conmon -ldflags '$(LDFLAGS)' ./conmon # docs/design/0011
	@$(WHOLE) bin/hull-conmon bin/hull-conmon
	@CGO_ENABLED=0 go build -o bin/hull-net -ldflags '$(LDFLAGS)' ./cmd/hull-net
	@CGO_ENABLED=0 go build -o bin/hull-hello -ldflags '$(LDFLAGS)' ./contrib/hello
	@CC='$(MUSL)' go build -o bin/hull-image -ldflags '$(STATIC)' ./cmd/hull-image 2>&1 | grep -vE 'dlopen|^# |in function' ; exit $${PIPESTATUS[0]}
	@CC='$(MUSL)' go build -o bin/hull-untar -ldflags '$(STATIC)' ./cmd/hull-untar 2>&1 | grep -vE 'dlopen|^# |in function' ; exit $${PIPESTATUS[0]}

install: build ## install under DESTDIR/PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/hull $(DESTDIR)$(PREFIX)/share/man/man1
	$(WHOLE) bin/hull $(DESTDIR)$(PREFIX)/bin/hull
	$(WHOLE) bin/hull-conmon $(DESTDIR)$(PREFIX)/libexec/hull/hull-conmon
	install -m 755 bin/hull-image bin/hull-untar bin/hull-net bin/hull-hello $(DESTDIR)$(PREFIX)/libexec/hull/
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -d $(DESTDIR)$(PREFIX)/share/containers
	install -m 644 containers.conf $(DESTDIR)$(PREFIX)/share/containers/containers.conf

clean: ## remove what was built
	rm -rf bin .cache

deps: ## install what a fresh Debian lacks for building, running and testing
	@$(SUDO) contrib/try/deps.sh

test-deps: ## install what the tests need beside that: a registry, a client to compare with, ssh, mmdebstrap, qemu and squashfs
	@$(SUDO) contrib/try/deps.sh docker-registry skopeo openssh-client openssh-server mmdebstrap qemu-system-x86 squashfs-tools fakeroot

try: deps build ## build hull and run real containers as an ordinary user
	@$(SUDO) contrib/try/try.sh

test: deps test-deps check unit script network vm fault ## what CI runs
	@contrib/try/skips.sh

check: ## format, vet, the import law, generated docs, tidy modules
	@out=$$($(GOFUMPT) -extra -l cmd conmon contrib libpod pkg test); [ -z "$$out" ] || { echo "not formatted (gofumpt -extra -w):"; echo "$$out"; exit 1; }
	go vet ./...
	go test -count=1 ./test/arch
	@go run ./cmd/hull/internal/docs/gen -check
	go mod tidy -diff

unit: ## unit tests with the race detector; RUN=Name picks, RACE= leaves it out
	go test $(RACE) -run '$(RUN)' $(UNIT)

script: build ## script tests of the built programs, as a user and as root; ORACLE=podman runs podman in hull's place
	go test -count=1 -timeout 40m -run 'TestScripts' ./test/script -args $(if $(filter-out .,$(RUN)),-story='$(RUN)')

network: build ## nginx, postgres and a client of Debian's packages on a user's network; the first run makes their root file system, in .cache
	@$(SUDO) go test -count=1 -timeout 25m -run TestNetwork ./test/network

vm: ## networks that need more of the kernel than a machine may have, in a virtual machine; the first run fetches Debian's kernel, into .cache
	@$(SUDO) go test -count=1 -timeout 15m -run TestVM ./test/vm

fault: build ## kill -9 at every failpoint, a full disk, a runtime that hangs …; RUN=kill/rm picks
	@$(SUDO) go test -count=1 -timeout 40m -run TestFaults ./test/fault -args -kills=$(KILLS) -entries=$(ENTRIES) $(if $(filter-out .,$(RUN)),-only='$(RUN)')

bench: build ## ratios to podman, in one run; BENCH=quick for fewer pairs, BENCH=containers, images or networks for a part
	@$(SUDO) contrib/try/deps.sh iperf3 nginx-light apache2-utils dnsperf netavark aardvark-dns
	@$(SUDO) go run ./test/bench

fuzz: ## each fuzz target for a minute
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$p/*_test.go | cut -c6-); do go test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s $$p || exit 1; done; done

docs: ## man pages and completions from the commands
	go run ./cmd/hull/internal/docs/gen

lint: ## golangci-lint, built once into bin/
	@[ -x bin/golangci-lint ] || GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.0
	bin/golangci-lint run

cover: build ## what the unit tests reach
	go test -cover $(UNIT)

inittrace: build ## what Go's initialisers cost in hull
	@GODEBUG=inittrace=1 bin/hull version 2>&1 >/dev/null | awk '/^init/ {ms += $$5; print $$5, $$2} END {print ms, "ms in all"}' | sort -rn | head -20
