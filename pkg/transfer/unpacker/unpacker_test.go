package unpacker

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBecomes is about a copy of this program with a hull-untar beside it, which says what it was given.
func TestBecomes(t *testing.T) {
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	image, untar := filepath.Join(dir, "hull-image"), filepath.Join(dir, "hull-untar")
	script := []byte("#!/bin/sh\nprintf '%s|' \"$@\"\n")
	if err := errors.Join(os.WriteFile(image, data, 0o755), os.WriteFile(untar, script, 0o755)); err != nil {
		t.Fatal(err)
	}
	run := func(words ...string) string {
		cmd := exec.CommandContext(t.Context(), image)
		cmd.Args = words
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	for _, word := range []string{"storage-untar", "storage-applyLayer", "storage-tar"} {
		if got := run(word, "/", "a b", ""); got != "/|a b||" {
			t.Errorf("%s: %q", word, got)
		}
	}
	const itself = "PASS"
	if got := run("hull-image", "-test.run=^$"); !strings.Contains(got, itself) {
		t.Errorf("hull-image itself: %q", got)
	}
	if err := os.Remove(untar); err != nil {
		t.Fatal(err)
	}
	if got := run("storage-untar", "-test.run=^$"); !strings.Contains(got, itself) {
		t.Errorf("without hull-untar: %q", got)
	}
}
