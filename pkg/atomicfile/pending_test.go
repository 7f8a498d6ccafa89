package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestPending(t *testing.T) {
	for name, old := range map[string]string{"new": "", "over another": "old"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if old != "" {
				if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := names(t, dir)
			p, err := New(path, 0o640)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.WriteString("text"); err != nil {
				t.Fatal(err)
			}
			if got := names(t, dir); len(got) != len(before) {
				t.Errorf("before it is committed there are %q", got)
			}
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Errorf("the second close: %v", err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != "text" {
				t.Errorf("%q, %v", got, err)
			}
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
				t.Errorf("mode %v, %v, want 0640", st.Mode(), err)
			}
			if got := names(t, dir); len(got) != 1 {
				t.Errorf("%q are left", got)
			}
		})
	}
}

func TestPendingThatIsDroppedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for name, finish := range map[string]func(*Pending) error{
		"closed": (*Pending).Close,
		"with a name": func(p *Pending) error {
			p.temp = filepath.Join(dir, ".file.temp")
			return errors.Join(os.WriteFile(p.temp, nil, 0o600), p.Close())
		},
		"over a folder": func(p *Pending) error {
			if err := os.Mkdir(path, 0o700); err != nil {
				return err
			}
			if err := p.Commit(); err == nil {
				return errors.New("a folder is replaced")
			}
			return os.Remove(path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(path, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if err := finish(p); err != nil {
				t.Error(err)
			}
			if got := names(t, dir); len(got) != 0 {
				t.Errorf("%q are left", got)
			}
		})
	}
	if _, err := New(filepath.Join(dir, "none", "file"), 0o600); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

func TestCommitNewReplacesNothing(t *testing.T) {
	for name, temp := range map[string]string{"without a name": "", "with one": ".a.temp"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			taken, free := filepath.Join(dir, "a"), filepath.Join(dir, "b")
			if err := os.WriteFile(taken, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := New(taken, 0o640)
			if err != nil {
				t.Fatal(err)
			}
			if temp != "" {
				if err := p.File.Close(); err != nil {
					t.Fatal(err)
				}
				p.temp = filepath.Join(dir, temp)
				if p.File, err = os.OpenFile(p.temp, os.O_CREATE|os.O_RDWR, 0o640); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := p.WriteString("new"); err != nil {
				t.Fatal(err)
			}
			if err := p.CommitNew(taken); !errors.Is(err, os.ErrExist) {
				t.Errorf("over another: %v", err)
			}
			if err := p.CommitNew(free); err != nil {
				t.Error(err)
			}
			for path, want := range map[string]string{taken: "old", free: "new"} {
				if got, err := os.ReadFile(path); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v, want %q", path, got, err, want)
				}
			}
			if got := names(t, dir); len(got) != 2 {
				t.Errorf("%q are left", got)
			}
		})
	}
}
