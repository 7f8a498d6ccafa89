package vm

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/test/env"
)

// meta is the package that depends on Debian's newest kernel for virtual machines.
const meta = "linux-image-cloud-amd64"

// fetching is what the download of 27 MB may take.
const fetching = 5 * time.Minute

// kernel is a folder with Debian's package of a kernel, unpacked. It is fetched once per checkout, into .cache, by this
// machine's apt, and not installed.
func kernel(t *testing.T, cache string) string {
	t.Helper()
	if found, err := filepath.Glob(filepath.Join(cache, "linux-image-*-cloud-amd64")); err == nil && len(found) > 0 {
		return slices.Max(found)
	}
	dir := t.TempDir()
	m := dependency.FindSubmatch(apt(t, dir, "apt-cache", "show", "--no-all-versions", meta))
	if m == nil {
		env.Skip(t, "this machine's apt knows no package "+meta)
	}
	name := string(m[1])
	t.Logf("%s is fetched, once", name)
	apt(t, dir, "apt-get", "download", "--quiet", name)
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("apt-get download %s left %v, %v", name, debs, err)
	}
	path := filepath.Join(cache, name)
	part := path + ".part"
	if err := errors.Join(os.RemoveAll(part), os.MkdirAll(part, 0o755)); err != nil {
		t.Fatal(err)
	}
	apt(t, dir, "dpkg-deb", "-x", debs[0], part)
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
	return path
}

var dependency = regexp.MustCompile(`(?m)^Depends: (linux-image-[^ ,]*-cloud-amd64)\b`)

// unreachable is how apt says that the trouble lies on the way, or that its lists are old.
var unreachable = regexp.MustCompile(`(?i)(could not resolve|temporary failure resolving|could not connect|unable to connect|connection timed out|connection failed|network is unreachable|404 +not found|no packages found|can't find a source)\b`)

// apt runs a program of Debian's in a folder. Where the packages cannot be had the test is skipped.
func apt(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fetching)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var complaint bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &complaint
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		env.Skip(t, args[0]+" is not installed: the kernel is Debian's")
	case err != nil && unreachable.Match(complaint.Bytes()):
		env.Skip(t, "Debian's kernel cannot be fetched: "+unreachable.FindString(complaint.String())+"; apt-get update may help")
	case err != nil:
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, complaint.Bytes())
	}
	return out
}

// modules are the files of a kernel's modules and of those that they depend on, in the order to load them.
func modules(t *testing.T, kernel string, names []string) []string {
	t.Helper()
	files := map[string]string{}
	var builtin []byte
	err := filepath.WalkDir(filepath.Join(kernel, "lib/modules"), func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(d.Name(), ".ko"); ok {
			files[underscored(name)] = path
		}
		if d.Name() == "modules.builtin" {
			builtin, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		path := files[name]
		if path == "" {
			if !strings.Contains(underscored(string(builtin)), "/"+name+".ko\n") {
				t.Fatalf("the kernel has no module %s", name)
			}
			return
		}
		for _, other := range depends(t, path) {
			add(underscored(other))
		}
		order = append(order, path)
	}
	for _, name := range names {
		add(name)
	}
	return order
}

// underscored is a module's name as the kernel has it: its file may have dashes.
func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// depends are the modules that one says it needs (modinfo(8)).
func depends(t *testing.T, path string) []string {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		t.Fatalf("%s is no module", path)
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for entry := range strings.SplitSeq(string(data), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			names = append(names, strings.Split(list, ",")...)
		}
	}
	return names
}
