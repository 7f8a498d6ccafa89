package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"hull.dev/hull/libpod/define"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s := New(filepath.Join(t.TempDir(), "durable"), filepath.Join(t.TempDir(), "volatile"))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func config(id, name string) *define.ContainerConfig {
	return &define.ContainerConfig{ContainerBrief: define.ContainerBrief{ID: strings.Repeat("0", 60) + id, Name: name, Created: time.Now()}}
}

func add(t *testing.T, s *Store, c *define.ContainerConfig, made bool) {
	t.Helper()
	ctx := context.Background()
	if err := s.AddContainer(ctx, Reservation{Config: c}); err != nil {
		t.Fatal(err)
	}
	if made {
		if err := s.UpdateContainer(ctx, c, IntentNone); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadersMakeNoFile(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	if list, err := s.List(ctx); err != nil || len(list) != 0 {
		t.Fatalf("List: %v, %v", list, err)
	}
	if _, err := s.Lookup(ctx, "web"); !errdefs.IsNotFound(err) {
		t.Fatalf("Lookup: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(s.durable.path)); !os.IsNotExist(err) {
		t.Fatalf("a reader made %s: %v", s.durable.path, err)
	}
}

func TestLookup(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	add(t, s, config("abcd", "web"), true)
	add(t, s, config("abce", "db"), true)
	add(t, s, config("0123", "half"), false)
	for ref, want := range map[string]string{
		"web": "web", strings.Repeat("0", 60) + "abce": "db", strings.Repeat("0", 60) + "abcd": "web",
	} {
		c, err := s.Lookup(ctx, ref)
		if err != nil || c.Config.Name != want {
			t.Errorf("Lookup(%q): %v, %v; want %s", ref, c, err, want)
		}
	}
	for _, ref := range []string{"half", "nosuch", "", "zz"} {
		if _, err := s.Lookup(ctx, ref); !errdefs.IsNotFound(err) {
			t.Errorf("Lookup(%q): %v, want not found", ref, err)
		}
	}
	if _, err := s.Lookup(ctx, "000"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an ambiguous beginning: %v", err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	add(t, s, config("a", "web"), true)
	if err := s.AddContainer(ctx, Reservation{Config: config("b", "web")}); !errdefs.IsAlreadyExists(err) {
		t.Fatalf("a taken name: %v", err)
	}
	add(t, s, config("b", "db"), true)
	if err := s.Rename(ctx, config("b", "").ID, "web"); !errdefs.IsAlreadyExists(err) {
		t.Fatalf("rename to a taken name: %v", err)
	}
	if err := s.Rename(ctx, config("b", "").ID, "db2"); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Lookup(ctx, "db2"); err != nil || c.Config.Name != "db2" {
		t.Fatalf("after rename: %v, %v", c, err)
	}
}

func TestDependentsHoldTheirContainer(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	a, b := config("a", "a"), config("b", "b")
	add(t, s, a, true)
	if err := s.AddContainer(ctx, Reservation{Config: b, DependsOn: []string{a.ID}}); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveContainer(ctx, a.ID, nil); err == nil {
		t.Fatal("a container that another depends on was removed")
	}
	if err := s.RemoveContainer(ctx, b.ID, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveContainer(ctx, a.ID, nil); err != nil {
		t.Fatal(err)
	}
}

// A volume goes when no container uses it, and only if it could be taken out of the way.
func TestRemoveVolume(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	c := config("a", "a")
	if err := s.AddContainer(ctx, Reservation{Config: c, Volumes: []define.Volume{{Name: "data"}}}); err != nil {
		t.Fatal(err)
	}
	away := func() error { t.Error("the volume is taken away"); return nil }
	if gone, err := s.RemoveVolume(ctx, "data", away); gone || err != nil {
		t.Errorf("in use: %v, %v", gone, err)
	}
	if gone, err := s.RemoveVolume(ctx, "nosuch", away); gone || err != nil {
		t.Errorf("none: %v, %v", gone, err)
	}
	if err := s.RemoveContainer(ctx, c.ID, nil); err != nil {
		t.Fatal(err)
	}
	stuck := errors.New("stuck")
	if gone, err := s.RemoveVolume(ctx, "data", func() error { return stuck }); gone || !errors.Is(err, stuck) {
		t.Errorf("stuck: %v, %v", gone, err)
	}
	if v, err := s.GetVolume(ctx, "data"); v == nil || err != nil {
		t.Errorf("its row went: %v", err)
	}
	if gone, err := s.RemoveVolume(ctx, "data", func() error { return nil }); !gone || err != nil {
		t.Errorf("free: %v, %v", gone, err)
	}
	if v, err := s.GetVolume(ctx, "data"); v != nil || err != nil {
		t.Errorf("its row is there: %v", err)
	}
}

func TestVolumesGoWithTheirContainer(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	c := config("a", "a")
	volumes := []define.Volume{{Name: "data"}, {Name: "anonymous", Anonymous: true}}
	if err := s.AddContainer(ctx, Reservation{Config: c, Volumes: volumes}); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveContainer(ctx, c.ID, []string{"anonymous"}); err != nil {
		t.Fatal(err)
	}
	left, err := s.ListVolumes(ctx)
	if err != nil || len(left) != 1 || left[0].Name != "data" {
		t.Fatalf("left: %v, %v", left, err)
	}
}

func TestRuns(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	if r, err := s.GetRun(ctx, "x"); r != nil || err != nil {
		t.Fatalf("GetRun of nothing: %v, %v", r, err)
	}
	run := &Run{ID: "x", Intent: IntentStart, Mount: "/m", Helpers: []Process{{PID: 7, Start: 8}}}
	if err := s.PutRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	run.Intent = ""
	if err := s.PutRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	got, err := s.GetRun(ctx, "x")
	if err != nil || got.Mount != "/m" || got.Intent != "" || got.Helpers[0].Start != 8 {
		t.Fatalf("GetRun: %+v, %v", got, err)
	}
	if err := s.AddExec(ctx, &define.ExecSession{ID: "e", ContainerID: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveRun(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Execs(ctx, ""); err != nil || len(e) != 0 {
		t.Fatalf("sessions after the run: %v, %v", e, err)
	}
}

// A file that a newer hull wrote is refused and left as it is, byte for byte.
func TestNewerSchemaIsRefusedUntouched(t *testing.T) {
	s := newStore(t)
	if err := os.MkdirAll(filepath.Dir(s.durable.path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", s.durable.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(fmt.Sprintf("CREATE TABLE future (x); PRAGMA user_version = %d", len(durableMigrations)+1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(s.durable.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(context.Background()); err == nil || !strings.Contains(err.Error(), "schema is version") {
		t.Fatalf("List: %v", err)
	}
	after, err := os.ReadFile(s.durable.path)
	if err != nil || string(after) != string(before) {
		t.Fatalf("the file changed (%v)", err)
	}
	entries, err := os.ReadDir(filepath.Dir(s.durable.path))
	if err != nil || len(entries) != 1 {
		t.Fatalf("files beside it: %v, %v", entries, err)
	}
}

// Every older schema is brought up to date: each prefix of the migrations is a database that some hull wrote.
func TestOlderSchemasOpen(t *testing.T) {
	for _, c := range []struct {
		name       string
		migrations []string
	}{{"durable", durableMigrations}, {"volatile", volatileMigrations}} {
		for n := range len(c.migrations) + 1 {
			t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "state.db")
				old := &file{path: path, migrations: c.migrations[:n], synced: "OFF"}
				if _, err := old.open(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := old.close(); err != nil {
					t.Fatal(err)
				}
				now := &file{path: path, migrations: c.migrations, synced: "OFF"}
				db, err := now.open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				version, err := schemaVersion(t.Context(), db)
				if err != nil || version != len(c.migrations) {
					t.Fatalf("version %d, %v", version, err)
				}
				if err := now.close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// Processes that open a new state at once make one schema; goroutines with a store each stand for them here.
func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := New(dir, dir+"/run")
			defer s.Close()
			for n := range 20 {
				c := config(fmt.Sprintf("%02x%02x", i, n), fmt.Sprintf("c-%d-%d", i, n))
				if err := s.AddContainer(t.Context(), Reservation{Config: c}); err != nil {
					t.Error(err)
				}
				if err := s.UpdateContainer(t.Context(), c, IntentNone); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := New(dir, dir+"/run")
	defer s.Close()
	if list, err := s.List(t.Context()); err != nil || len(list) != 160 {
		t.Fatalf("%d containers, %v", len(list), err)
	}
}
