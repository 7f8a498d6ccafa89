package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"hull.dev/hull/libpod/define"
)

// rich is a config with a value in everything that lists know, and some of the rest.
func rich(id, name string) *define.ContainerConfig {
	c := config(id, name)
	c.Created = time.Date(2026, 11, 24, 1, 2, 3, 456789, time.FixedZone("", 3600))
	c.ImageID, c.ImageName = "f00d", "docker.io/library/nginx:1.2"
	c.Command, c.CommandOnly = []string{"sh", "-c", `a "b" <&> ü`}, []string{"-c", `a "b" <&> ü`}
	c.Labels = map[string]string{"a.b/c": "d", "": "", "$.id": "null"}
	c.Volumes = []define.NamedVolume{{Name: "data", Dest: "/data", Options: []string{"ro"}, Anonymous: true}}
	c.Ports = []define.PortMapping{{HostIP: "127.0.0.1", ContainerPort: 80, HostPort: 8080, Range: 1, Protocol: "tcp"}}
	c.Network, c.Hostname, c.StopSignal, c.Env = "none", "box", 15, []string{"PATH=/bin"}
	c.Options.Remove, c.Options.Restart = true, "always"
	c.Options.Mounts = []define.Mount{{Type: "bind", Source: "/host", Dest: "/inside"}}
	c.Options.Image = "nginx:1.2"
	return c
}

// first makes a state as the first schema had it, with rows as that hull wrote them, and returns what is in them.
func first(t *testing.T, dir string) []*define.ContainerConfig {
	t.Helper()
	old := &file{path: filepath.Join(dir, "state.db"), migrations: durableMigrations[:1], synced: "OFF"}
	db, err := old.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	configs := []*define.ContainerConfig{rich("aa", "web"), config("bb", "bare"), config("cc", "half")}
	configs[1].Command = nil
	for i, c := range configs {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		intent := []string{"", "", IntentCreate}[i]
		if _, err := db.Exec("INSERT INTO containers (id, name, created, image_id, config, intent, started, exit) VALUES (?, ?, ?, ?, ?, ?, 7, ?)",
			c.ID, c.Name+"-renamed", c.Created.UnixNano(), c.ImageID, string(text), intent, `{"code":3}`); err != nil {
			t.Fatal(err)
		}
		c.Name += "-renamed"
	}
	if _, err := db.Exec(`INSERT INTO depends VALUES (?, ?); INSERT INTO volumes VALUES ('data', '{"Name":"data"}'); INSERT INTO volume_uses VALUES ('data', ?)`,
		configs[1].ID, configs[0].ID, configs[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	return configs
}

// sameJSON compares what has times, whose zones are other pointers after a round trip.
func sameJSON(t *testing.T, what string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("%s:\n%s, want\n%s", what, g, w)
	}
}

func checkMigrated(t *testing.T, dir string, want []*define.ContainerConfig) {
	t.Helper()
	ctx := t.Context()
	s := New(dir, filepath.Join(dir, "run"))
	defer s.Close()
	list, err := s.List(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("List: %d, %v", len(list), err)
	}
	for i, l := range list {
		sameJSON(t, "listed", l.Config, want[i].Listed())
		if l.Exit.Code != 3 || l.Started.UnixNano() != 7 || l.Intent != "" {
			t.Errorf("life: %+v", l.Life)
		}
	}
	for _, c := range want {
		row, err := s.Get(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, "whole", &row.Config, c)
	}
	if on, err := s.DependsOn(ctx, want[1].ID); err != nil || !reflect.DeepEqual(on, []string{want[0].ID}) {
		t.Errorf("depends: %v, %v", on, err)
	}
	if users, err := s.UsersOf(ctx, "data"); err != nil || !reflect.DeepEqual(users, []string{want[0].ID}) {
		t.Errorf("users: %v, %v", users, err)
	}
	if err := s.RemoveContainer(ctx, want[2].ID, nil); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.durable.db.QueryRow("SELECT count(*) FROM configs").Scan(&left); err != nil || left != 2 {
		t.Errorf("%d configs are left, %v; want 2", left, err)
	}
}

// The rows of the first schema come whole into the present one.
func TestMigratedRows(t *testing.T) {
	dir := t.TempDir()
	want := first(t, dir)
	checkMigrated(t, dir, want)
}

// A migration whose process dies is begun anew by the next: the files as they lie on the disk before the commit are what a
// kill leaves.
func TestMigrationKilledHalfWay(t *testing.T) {
	for steps := range len(durableMigrations) {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			dir, left := t.TempDir(), t.TempDir()
			want := first(t, dir)
			killMigration(t, dir, left, durableMigrations[1:1+steps])
			checkMigrated(t, left, want)
		})
	}
}

func killMigration(t *testing.T, dir, left string, done []string) {
	t.Helper()
	ctx := context.Background()
	// A cache of one page makes SQLite write to the log before the commit.
	db, err := sql.Open("sqlite3", filepath.Join(dir, "state.db")+"?_foreign_keys=1&_txlock=immediate&_cache_size=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // the point of it
	for _, m := range done {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"state.db", "state.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(left, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A change of a config changes both of its forms.
func TestBothFormsOfAConfig(t *testing.T) {
	s := newStore(t)
	c := rich("aa", "web")
	if err := s.AddContainer(t.Context(), Reservation{Config: c}); err != nil {
		t.Fatal(err)
	}
	c.LayerID, c.Labels = "layer", map[string]string{"new": "1"}
	if err := s.UpdateContainer(t.Context(), c, IntentNone); err != nil {
		t.Fatal(err)
	}
	row, err := s.Lookup(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "whole", &row.Config, c)
	list, err := s.Among(t.Context(), []string{c.ID})
	if err != nil || len(list) != 1 {
		t.Fatalf("Among: %v, %v", list, err)
	}
	want := c.Listed()
	want.Created = want.Created.Local() // a column knows no zone
	sameJSON(t, "listed", list[0].Config, want)
}

// What lists leave out, since something else tells it, is there again when they are read.
func TestLeftOutOfLists(t *testing.T) {
	for name, c := range map[string]*define.ContainerConfig{"no entrypoint": rich("aa", "web"), "entrypoint alone": rich("bb", "db"), "neither": rich("cc", "nothing")} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			c.Created = c.Created.Local()
			switch name {
			case "no entrypoint":
				c.CommandOnly = c.Command
			case "entrypoint alone":
				c.CommandOnly = nil
			case "neither":
				c.Command, c.CommandOnly = nil, nil
			}
			exit := define.Exit{Code: 137, At: time.Unix(5, 6), OOM: true, Restarts: 3, Error: "no"}
			err := s.AddContainer(t.Context(), Reservation{Config: c})
			if err == nil {
				err = s.SetEnd(t.Context(), c, IntentNone, exit)
			}
			list, listErr := s.List(t.Context())
			if err != nil || listErr != nil || len(list) != 1 {
				t.Fatalf("%v, %v: %d rows", err, listErr, len(list))
			}
			sameJSON(t, "listed", list[0].Config, c.Listed())
			sameJSON(t, "exit", list[0].Exit, exit)
			exit = define.Exit{At: time.Unix(7, 8)}
			if err := s.SetExit(t.Context(), c.ID, exit); err != nil {
				t.Fatal(err)
			}
			row, err := s.Get(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, "exit", row.Exit, exit)
		})
	}
}
