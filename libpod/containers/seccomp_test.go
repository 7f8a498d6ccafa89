package containers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A program is used again for what it was made from, and for nothing else.
func TestFilterKey(t *testing.T) {
	dir := t.TempDir()
	runtime, profile := filepath.Join(dir, "crun"), filepath.Join(dir, "profile.json")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(runtime, "a")
	write(profile, "{}")
	key := func(profile string, caps ...string) string {
		t.Helper()
		k, err := filterKey(runtime, profile, &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps}}})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := key(profile, "CAP_A", "CAP_B")
	if again := key(profile, "CAP_B", "CAP_A"); again != first {
		t.Error("the order of capabilities matters")
	}
	seen := map[string]string{first: "the first"}
	differ := func(what, k string) {
		t.Helper()
		if other, ok := seen[k]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[k] = what
	}
	differ("other capabilities", key(profile, "CAP_A"))
	differ("the built-in profile", key("", "CAP_A", "CAP_B"))
	st, err := os.Stat(profile)
	if err != nil {
		t.Fatal(err)
	}
	write(profile, "[]") // of the same size, with the time set back
	if err := os.Chtimes(profile, st.ModTime(), st.ModTime()); err != nil {
		t.Fatal(err)
	}
	differ("another profile", key(profile, "CAP_A", "CAP_B"))
	write(runtime, "ab")
	differ("another runtime", key(profile, "CAP_A", "CAP_B"))
	if _, err := filterKey(runtime, dir+"/nosuch", &specs.Spec{Process: &specs.Process{}}); err == nil {
		t.Error("a profile that is not there")
	}
}
