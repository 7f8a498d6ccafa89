package env

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// skipFile is where processes of a run that cannot write to the checkout note their skips.
func skipFile(base string) string { return filepath.Join(base, "skips") }

// Skip skips the test and notes why, a line a skip, in .cache/skips, which make test prints at its end.
func Skip(t testing.TB, reason string) {
	t.Helper()
	var path string
	if base, _, ok := FromEnvironment(); ok {
		path = skipFile(base)
	} else {
		path = filepath.Join(repository(t), ".cache", "skips")
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	appendTo(t, path, fmt.Sprintf("%s: %s\n", t.Name(), reason))
	t.Skip(reason)
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		_ = f.Close()
	}
	if err != nil {
		t.Logf("the skip is not noted: %v", err)
	}
}

// reportSkips hands the skips of the run's processes on to the checkout.
func (s *Suite) reportSkips(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(skipFile(s.Base))
	if err != nil || len(text) == 0 {
		return
	}
	cache := filepath.Join(s.Repository, ".cache")
	_ = os.MkdirAll(cache, 0o755)
	appendTo(t, filepath.Join(cache, "skips"), string(text))
}
