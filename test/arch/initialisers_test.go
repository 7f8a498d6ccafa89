package arch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// budget is what Go's initialisers of a program may allocate. Every command pays for them before it begins, and what is
// dear in time is dear in bytes: tables, compiled regular expressions, registries. Bytes are the same in each run.
type budget struct {
	program string
	args    []string
	each    int            // bytes of a package that is not in dear
	all     int            // bytes of all packages
	dear    map[string]int // bytes of the packages that may have more
}

var budgets = []budget{
	{"cmd/hull", []string{"version"}, 24 << 10, 300 << 10, map[string]int{
		"github.com/opencontainers/go-digest": 128 << 10, // regular expressions; go.podman.io/storage has it in its types
		"github.com/ulikunitz/xz":             48 << 10,  // go.podman.io/storage: layers of images
	}},
	{"conmon", nil, 4 << 10, 16 << 10, nil}, // it stays with each container
}

// runs is how often a program is run: the figure is the median.
const runs = 5

func TestInitialisers(t *testing.T) {
	for _, b := range budgets {
		t.Run(b.program, func(t *testing.T) {
			cost := b.measure(t)
			all := 0
			for name, bytes := range cost {
				all += bytes
				if most := max(b.each, b.dear[name]); bytes > most {
					t.Errorf("%s: the initialisers of %s allocate %d bytes, %d are allowed: make it when it is first needed, or link another package (see make inittrace)", b.program, name, bytes, most)
				}
			}
			if all > b.all {
				t.Errorf("%s: all initialisers allocate %d bytes, %d are allowed", b.program, all, b.all)
			}
			for name := range b.dear {
				if cost[name] <= b.each {
					t.Errorf("%s: %s costs %d bytes: it is not dear any more, take it out of budgets", b.program, name, cost[name])
				}
			}
		})
	}
}

// measure builds the program and returns what each package's initialisers allocate.
func (b *budget) measure(t *testing.T) map[string]int {
	t.Helper()
	set, err := tags()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(b.program))
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags="+set, "-o", path, "./"+b.program)
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", b.program, err, out)
	}
	figures := map[string][]int{}
	for range runs {
		cmd := exec.CommandContext(t.Context(), path, b.args...)
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var trace strings.Builder
		cmd.Stderr = &trace
		err := cmd.Run()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok { // conmon wants a socket, which comes after
			t.Fatal(err)
		}
		for line := range strings.Lines(trace.String()) {
			if name, bytes, ok := initialiser(line); ok {
				figures[name] = append(figures[name], bytes)
			}
		}
	}
	if len(figures) < 5 {
		t.Fatalf("%s tells of %d packages only: has the form of inittrace changed?", b.program, len(figures))
	}
	cost := map[string]int{}
	for name, list := range figures {
		slices.Sort(list)
		cost[name] = list[len(list)/2]
	}
	return cost
}

// initialiser reads "init NAME @T ms, T ms clock, N bytes, N allocs" (runtime, GODEBUG inittrace).
func initialiser(line string) (name string, bytes int, ok bool) {
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "init" || f[8] != "bytes," {
		return "", 0, false
	}
	bytes, err := strconv.Atoi(f[7])
	return f[1], bytes, err == nil
}

func TestInitialiserIsRead(t *testing.T) {
	for line, want := range map[string]string{
		"init a.b/c @0.11 ms, 0.005 ms clock, 92432 bytes, 841 allocs\n": "a.b/c 92432",
		"init runtime @0.023 ms, 0.033 ms clock, 0 bytes, 0 allocs":      "runtime 0",
		"Error: something": "",
	} {
		name, bytes, ok := initialiser(line)
		got := ""
		if ok {
			got = fmt.Sprintf("%s %d", name, bytes)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
