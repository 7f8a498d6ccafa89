package vm

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"testing"
)

// archive is a root file system for the kernel, in the form that it unpacks (its Documentation/driver-api/early-userspace/
// buffer-format.rst: "newc").
type archive struct {
	bytes.Buffer
	dirs map[string]bool
	last int // inode
}

const (
	isDir  = 0o040755
	isFile = 0o100755
)

// put adds a file, and the folders that it is in.
func (a *archive) put(name string, data []byte) {
	a.folder(path.Dir(name))
	a.entry(name, isFile, data)
}

// copy adds a file of this machine's.
func (a *archive) copy(t *testing.T, name, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	a.put(name, data)
}

func (a *archive) folder(name string) {
	if name == "." || a.dirs[name] {
		return
	}
	a.folder(path.Dir(name))
	if a.dirs == nil {
		a.dirs = map[string]bool{}
	}
	a.dirs[name] = true
	a.entry(name, isDir, nil)
}

func (a *archive) entry(name string, mode int, data []byte) {
	a.last++
	// ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
	_, _ = fmt.Fprintf(a, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.last, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.Write(data)
	a.pad()
}

func (a *archive) pad() { a.Write(make([]byte, (4-a.Len()%4)%4)) }

// end adds what ends an archive.
func (a *archive) end() { a.entry("TRAILER!!!", 0, nil) }
