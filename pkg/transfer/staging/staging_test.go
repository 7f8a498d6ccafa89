package staging

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/spread"
)

// What a killed job has left is found and removed, and the folders of those that live are not, nor those of others.
func TestSweep(t *testing.T) {
	root := t.TempDir()
	stale := []string{filepath.Join(root, "overlay/tempdirs/hull-1"), filepath.Join(root, "hull-image/123")}
	theirs := filepath.Join(root, "overlay/tempdirs/temp-dir-1")
	for _, dir := range append([]string{theirs}, stale...) {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(dir+"/big", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	living := []string{theirs}
	for _, p := range []Place{Blobs, Layers} {
		dir, lock, err := Claim(root, p)
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		living = append(living, dir)
	}
	if found, err := Stale(root); err != nil || !slices.Equal(found, stale) {
		t.Errorf("stale: %v, %v", found, err)
	}
	if err := Sweep(root); err != nil {
		t.Error(err)
	}
	for _, dir := range stale {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, dir := range living {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	if found, err := Stale(filepath.Join(root, "none")); err != nil || len(found) != 0 {
		t.Errorf("without a store: %v, %v", found, err)
	}
}

// The folder of layers is spread, and no other.
func TestSpread(t *testing.T) {
	root := t.TempDir()
	flags := func(dir *os.File) int {
		flags, _ := unix.IoctlGetInt(int(dir.Fd()), unix.FS_IOC_GETFLAGS) // some file systems have none
		return flags
	}
	plain, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	before := flags(plain)
	spread.Folders(plain)
	for p, want := range map[Place]int{Blobs: before, Layers: flags(plain)} {
		dir, lock, err := Claim(t.TempDir(), p)
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		if got := flags(lock); got != want {
			t.Errorf("%s has the flags %x, want %x", dir, got, want)
		}
	}
}
