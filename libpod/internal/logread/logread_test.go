package logread

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/conmon/protocol"
)

func stamp(second int) string { return fmt.Sprintf("2026-11-23T12:00:%02d.000000000+00:00", second) }

func at(second int) time.Time { return time.Date(2026, 11, 23, 12, 0, second, 0, time.UTC) }

// logs makes a log of lines s0…, as k8s-file, the first few in the rotated file.
func logs(t *testing.T, rotated, all int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ctr.log")
	var old, current strings.Builder
	for i := range all {
		b := &current
		if i < rotated {
			b = &old
		}
		fmt.Fprintf(b, "%s stdout F s%d\n", stamp(i), i)
	}
	if rotated > 0 {
		write(t, path+".1", old.String())
	}
	write(t, path, current.String())
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, path string, o Options) []string {
	t.Helper()
	var got []string
	err := Read(t.Context(), Source{Driver: protocol.LogK8sFile, Path: path}, o, func(e Entry) error {
		got = append(got, string(e.Line))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestBounds(t *testing.T) {
	for name, c := range map[string]struct {
		rotated int
		o       Options
		want    []string
	}{
		"all":               {0, Options{All: true}, []string{"s0", "s1", "s2", "s3"}},
		"rotated":           {2, Options{All: true}, []string{"s0", "s1", "s2", "s3"}},
		"tail":              {0, Options{Tail: 2}, []string{"s2", "s3"}},
		"tail 0":            {0, Options{Tail: 0}, nil},
		"tail -1":           {0, Options{Tail: -1}, []string{"s0", "s1", "s2", "s3"}},
		"tail over both":    {2, Options{Tail: 3}, []string{"s1", "s2", "s3"}},
		"tail at the edge":  {2, Options{Tail: 2}, []string{"s2", "s3"}},
		"tail of more":      {2, Options{Tail: 9}, []string{"s0", "s1", "s2", "s3"}},
		"since":             {2, Options{All: true, Since: at(3)}, []string{"s3"}},
		"until":             {2, Options{All: true, Until: at(1)}, []string{"s0", "s1"}},
		"since, until":      {1, Options{All: true, Since: at(1), Until: at(2)}, []string{"s1", "s2"}},
		"tail, since later": {1, Options{Tail: 3, Since: at(2)}, []string{"s2", "s3"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lines(t, logs(t, c.rotated, 4), c.o); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTailOfLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", 3*block)
	write(t, path, stamp(0)+" stdout F first\n"+stamp(1)+" stdout F "+long+"\n"+
		stamp(2)+" stdout P part,\n"+stamp(2)+" stdout P part,\n"+stamp(3)+" stdout F end\n"+stamp(4)+" stdout P open\n")
	if got := lines(t, path, Options{Tail: 2}); !reflect.DeepEqual(got, []string{"part,", "part,", "end", "open"}) {
		t.Errorf("tail of partial lines: %q", got)
	}
	if got := lines(t, path, Options{Tail: 3}); len(got) != 5 || got[0] != long {
		t.Errorf("tail of a long line: %d entries", len(got))
	}
}

func TestNoLog(t *testing.T) {
	if got := lines(t, filepath.Join(t.TempDir(), "log"), Options{All: true}); got != nil {
		t.Errorf("got %q", got)
	}
	for _, driver := range []string{protocol.LogNone, protocol.LogPassthrough, "nosuch"} {
		if err := Read(t.Context(), Source{Driver: driver}, Options{}, nil); err == nil {
			t.Errorf("driver %s: want an error", driver)
		}
	}
}

func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "\n\x00\x00\n"+stamp(0)+" stdout F good\nnonsense\n"+stamp(1)+" stdout F cut")
	if got := lines(t, path, Options{All: true}); !reflect.DeepEqual(got, []string{"good", "cut"}) {
		t.Errorf("got %q", got)
	}
}

func TestJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, `{"log":"a \u003c\n","stream":"stderr","time":"2026-11-23T12:00:00.5Z"}`+"\n"+
		`{"log":"open","stream":"stdout","attrs":{"a":"b"},"time":"2026-11-23T12:00:01Z"}`+"\n")
	var got []Entry
	err := Read(t.Context(), Source{Driver: protocol.LogJSONFile, Path: path}, Options{All: true}, func(e Entry) error {
		got = append(got, e)
		return nil
	})
	want := []Entry{
		{Time: at(0).Add(500 * time.Millisecond), Stream: "stderr", Line: []byte("a <")},
		{Time: at(1), Stream: "stdout", Line: []byte("open"), Partial: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFollow(t *testing.T) {
	path := logs(t, 0, 1)
	done := make(chan struct{})
	got := make(chan string)
	result := make(chan error, 1)
	go func() {
		defer close(got)
		o := Options{All: true, Follow: true, Done: done}
		result <- Read(t.Context(), Source{Driver: protocol.LogK8sFile, Path: path}, o, func(e Entry) error {
			got <- string(e.Line)
			return nil
		})
	}()
	next := func(want string) {
		t.Helper()
		select {
		case line := <-got:
			if line != want {
				t.Errorf("got %q, want %q", line, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no %q", want)
		}
	}
	next("s0")
	appendTo(t, path, stamp(1)+" stdout F one\n"+stamp(1)+" stdout F tw")
	next("one")
	appendTo(t, path, "o\n"+stamp(1)+" stdout F old\n")
	next("two")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	next("old")
	appendTo(t, path, stamp(2)+" stdout F new\n")
	next("new")
	appendTo(t, path, stamp(2)+" stdout F last\n")
	close(done)
	next("last")
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestFollowTwoRotations(t *testing.T) {
	path := logs(t, 0, 1)
	r := &reader{ctx: t.Context(), path: path, parse: parseK8s, o: Options{All: true}}
	var got []string
	r.yield = func(e Entry) error { got = append(got, string(e.Line)); return nil }
	defer r.close()
	if err := r.backlog(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a", "b"} {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		appendTo(t, path, stamp(1)+" stdout F "+line+"\n")
	}
	if err := r.catchUp(); err != nil || !reflect.DeepEqual(got, []string{"s0", "a", "b"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFollowCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Read(ctx, Source{Driver: protocol.LogK8sFile, Path: logs(t, 0, 1)}, Options{All: true, Follow: true}, func(Entry) error {
		cancel()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(stamp(0) + " stdout F line"))
	f.Add([]byte(stamp(0) + " stderr P "))
	f.Add([]byte(`{"log":"x\n","stream":"stdout","time":"2026-11-23T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, p := range []parse{parseK8s, parseJSON} {
			if e, ok := p(line); ok && e.Stream != "stdout" && e.Stream != "stderr" {
				t.Errorf("stream %q", e.Stream)
			}
		}
	})
}

// FuzzTail compares reading backwards with reading all.
func FuzzTail(f *testing.F) {
	line := stamp(0) + " stdout F x\n"
	f.Add(line+line, line, 2)
	f.Add("", "nonsense\n"+line+stamp(1)+" stdout P y\n", 1)
	f.Fuzz(func(t *testing.T, old, current string, n int) {
		if n < 0 || n > 10 {
			return
		}
		path := filepath.Join(t.TempDir(), "log")
		write(t, path+".1", old)
		write(t, path, current)
		all, tail := lines(t, path, Options{All: true}), lines(t, path, Options{Tail: n})
		if len(tail) > len(all) || (len(tail) > 0 && !reflect.DeepEqual(tail, all[len(all)-len(tail):])) {
			t.Errorf("tail %q is not the end of %q", tail, all)
		}
	})
}
