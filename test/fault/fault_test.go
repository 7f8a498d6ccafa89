// Package fault breaks things under hull and looks at what the next command finds.
//
// The sweep (sweep_test.go) runs each story once to learn which failpoints it passes (pkg/failpoint), and then once for
// each point with a kill -9 there: hull ps must work and show nothing half made, the story's command must work again or
// say why not, and when all is removed nothing may be left. The points are found, not listed: a new failpoint.Hit is a new
// case, and one that no story passes fails the test.
//
// The other tests break what hull stands on: its monitor, the runtime, the disk, the file descriptors, the order of
// events. Everything runs as the ordinary user, in test/env's view; disk_test.go as root, who can mount.
//
//	make fault
//	make fault RUN=kill/rm             the cases whose name matches
//	make fault RUN=random KILLS=34     a hundred kills at random moments
//	make fault RUN=many ENTRIES=1000000    a layer of a million entries, by pull and load
//	go test ./test/fault -args -only=net/many -containers=200 -networks=50 -ports=1000
//
// Each command has a deadline: one that hangs is killed and fails its case.
package fault

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hull.dev/hull/test/env"
)

var only = flag.String("only", "", "run the cases whose name matches this regular expression")

// pointsFile is where root's process notes the points of the source for the user's, who cannot read the checkout.
const pointsFile = "points"

func TestFaults(t *testing.T) {
	if base, p, ok := env.FromEnvironment(); ok {
		t.Setenv("HULL_FAILPOINT", "")
		s := &suite{base: base, only: regexp.MustCompile(*only)}
		if p.Identity == "root" {
			s.disk(t)
			return
		}
		found := s.find(t)
		s.others(t)
		s.bridges(t)
		s.hostile(t)
		s.forged(t)
		s.manyEntries(t)
		s.network(t)
		s.randomKills(t)
		s.randomRuns(t)
		s.sweep(t, found)
		return
	}
	suite := env.Open(t)
	buildWithPoints(t, suite)
	if err := os.WriteFile(filepath.Join(suite.Base, pointsFile), []byte(strings.Join(pointsInSource(t, suite.Repository), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	writeArchive(t, suite.Base)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self = suite.Copy(t, self)
	for _, p := range []env.Profile{{Identity: "user", Runtime: "crun"}, {Identity: "root", Runtime: "crun"}} {
		t.Run(p.String(), func(t *testing.T) {
			args := []string{
				self, "-test.run=^TestFaults$", "-test.parallel=5", "-only=" + *only, "-kills=" + itoa(*kills), "-entries=" + itoa(*entryCount),
				"-containers=" + itoa(*manyContainers), "-networks=" + itoa(*manyNetworks), "-ports=" + itoa(*manyPorts),
			}
			if testing.Verbose() {
				args = append(args, "-test.v")
			}
			cmd := suite.Command(t.Context(), t, p, args...)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Errorf("cases as %s: %v", p, err)
			}
		})
	}
}

// suite is a run of the cases as one identity.
type suite struct {
	base string
	only *regexp.Regexp
}

// run runs a case beside the others.
func (s *suite) run(t *testing.T, name string, fn func(t *testing.T)) {
	t.Helper()
	if s.only.MatchString(name) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t)
		})
	}
}

// makefileTags are the build tags of the programs.
var makefileTags = regexp.MustCompile(`(?m)^TAGS\s*:=\s*(\S+)$`)

// buildWithPoints puts programs that heed HULL_FAILPOINT in the place of those that env.Open copied; the monitor has no
// points.
func buildWithPoints(t *testing.T, s *env.Suite) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(s.Repository, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	m := makefileTags.FindSubmatch(makefile)
	if m == nil {
		t.Fatal("the Makefile sets no TAGS")
	}
	mains, err := filepath.Glob(filepath.Join(s.Repository, "cmd/*/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(s.Base, "bin") + "/"
	args := []string{"build", "-buildvcs=false", "-trimpath", "-tags=failpoint," + string(m[1]), "-ldflags=-s -w", "-o", bin}
	for _, path := range mains {
		args = append(args, filepath.Dir(path))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = s.Repository
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build with -tags failpoint: %v\n%s", err, out)
	}
	for _, path := range mains {
		if err := os.Chmod(filepath.Join(bin, filepath.Base(filepath.Dir(path))), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range mains {
		noTrace(t, filepath.Join(s.Repository, "bin", filepath.Base(filepath.Dir(path))))
	}
}

// noTrace fails the test if the normal build of a program would heed the variables.
func noTrace(t *testing.T, program string) {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatalf("make build: %v", err)
	}
	if strings.Contains(string(data), "HULL_FAILPOINT") {
		t.Errorf("%s heeds HULL_FAILPOINT: a normal build holds no trace of failpoints", program)
	}
}

var hit = regexp.MustCompile(`\bfailpoint\.Hit\("([^"]+)"\)`)

// pointsInSource are the names of all failpoints. One that is there twice is no name.
func pointsInSource(t *testing.T, repository string) []string {
	t.Helper()
	var points []string
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range hit.FindAllStringSubmatch(string(data), -1) {
			if slices.Contains(points, m[1]) {
				t.Errorf("failpoint %q is there twice, again in %s", m[1], path)
			}
			points = append(points, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return points
}
