package staging

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
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

// Where the file system has it, the folder of layers has the flag that spreads what is made in it, and no other.
func TestSpread(t *testing.T) {
	root := t.TempDir()
	for _, p := range []Place{Blobs, Layers} {
		dir, lock, err := Claim(root, p)
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		flags, err := unix.IoctlGetInt(int(lock.Fd()), unix.FS_IOC_GETFLAGS)
		var fs unix.Statfs_t
		if err != nil || unix.Fstatfs(int(lock.Fd()), &fs) != nil || fs.Type != unix.EXT4_SUPER_MAGIC {
			t.Skip("the folder for temporary files is not on ext4")
		}
		if (flags&topdir != 0) != (p == Layers) {
			t.Errorf("%s has the flags %x", dir, flags)
		}
	}
}
