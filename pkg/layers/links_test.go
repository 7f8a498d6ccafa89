package layers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The name of a layer in the making is not empty when the library removes the layer.
func TestGuardLinks(t *testing.T) {
	root := t.TempDir()
	s := &Store{}
	s.options.GraphRoot = root
	ids := map[string]string{"a": "", "b": "NAME", "c": ""}
	write := func(text string, path ...string) {
		t.Helper()
		file := filepath.Join(append([]string{root}, path...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var records []string
	for letter, link := range ids {
		id := strings.Repeat(letter, 64)
		write(link, "overlay", id, "link")
		flags := `"incomplete":true`
		if letter == "c" {
			flags = `"other":"incomplete"`
		}
		records = append(records, `{"id":"`+id+`","flags":{`+flags+`}}`)
	}
	records = append(records, `{"id":"`+strings.Repeat("d", 64)+`","flags":{"incomplete":true}}`)
	write("["+strings.Join(append(records, `{"id":"../../evil","flags":{"incomplete":true}}`), ",")+"]", "overlay-layers", "layers.json")
	write("not JSON but incomplete", "overlay-layers", "volatile-layers.json")
	third := strings.Repeat("d", 64)
	if err := os.MkdirAll(filepath.Join(root, "overlay", third), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "overlay", "l"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../"+third+"/diff", filepath.Join(root, "overlay", "l", "THIRD")); err != nil {
		t.Fatal(err)
	}
	if err := s.tendLinks(); err != nil {
		t.Fatal(err)
	}
	for letter, want := range map[string]string{"a": "unfinished", "b": "NAME", "c": "", "d": "THIRD"} {
		if got, err := os.ReadFile(filepath.Join(root, "overlay", strings.Repeat(letter, 64), "link")); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", letter, got, err, want)
		}
	}
	if err := os.Remove(filepath.Join(root, "overlay", "l", "THIRD")); err != nil {
		t.Fatal(err)
	}
	if err := s.tendLinks(); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(root, "overlay", "l", "NAME")); err != nil || target != "../"+strings.Repeat("b", 64)+"/diff" {
		t.Errorf("the lost link leads to %q, %v", target, err)
	}
}

// A link that is gone because its layer is being removed is no damage.
func TestCheckLeavesRemovals(t *testing.T) {
	s := newStore(t, "overlay")
	addImage(t, s, "file", "")
	lost, err := s.lostLinks()
	if err != nil || len(lost) > 0 {
		t.Fatalf("lost in a whole store: %v, %v", lost, err)
	}
	entries, err := os.ReadDir(s.linksDir())
	if err != nil || len(entries) == 0 {
		t.Fatalf("links: %v, %v", entries, err)
	}
	if err := os.Remove(filepath.Join(s.linksDir(), entries[0].Name())); err != nil {
		t.Fatal(err)
	}
	damage, err := s.Check(t.Context(), false, 0)
	if err != nil || len(damage.Texts()) != 1 || !strings.Contains(damage.Texts()[0], entries[0].Name()) {
		t.Errorf("a lost link: %q, %v", damage.Texts(), err)
	}
	records := filepath.Join(s.options.GraphRoot, "overlay-layers", "layers.json")
	data, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), `{"id":`, `{"flags":{"incomplete":true},"id":`, 1)
	if err := os.WriteFile(records, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if damage, err := s.Check(t.Context(), false, 0); err != nil || strings.Contains(strings.Join(damage.Texts(), " "), "is lost") {
		t.Errorf("of a layer that is being removed: %q, %v", damage.Texts(), err)
	}
}
