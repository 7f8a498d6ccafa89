package network

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hull.dev/hull/test/env"
)

// packages are what the root file system is to have, beside what is essential to Debian.
const packages = "nginx-light,postgresql,postgresql-client,curl"

// making is what making it may take: a minute or two of work, and the download.
const making = 15 * time.Minute

// options make the root file system small, and the making of it quick: nobody reads manuals in there, or compiles queries.
var options = []string{
	"--quiet", "--mode=root", "--variant=essential", "--format=tar", "--include=" + packages,
	`--aptopt=APT::Install-Recommends "false"`, `--aptopt=Acquire::Languages "none"`,
	"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/lib/*/libLLVM*",
	`--essential-hook=mkdir -p "$1/etc/postgresql-common" && echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.conf"`,
}

// debian is an archive of a root file system with the packages, from the mirror that this machine's apt has. It is made once
// per checkout, in .cache.
func debian(t *testing.T, repository string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(strings.Join(options, "\n")))
	path := filepath.Join(repository, ".cache", "debian-"+hex.EncodeToString(sum[:4])+".tar")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Log("a root file system of Debian's packages is made, once")
	part := path + ".part"
	ctx, cancel := context.WithTimeout(t.Context(), making)
	defer cancel()
	args := append(append(append([]string{}, options...), codename(t), part), sources(t)...)
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		env.Skip(t, "mmdebstrap is not installed: make test-deps")
	case err != nil && unreachable.Match(out.Bytes()):
		env.Skip(t, "apt's mirror cannot be reached: "+unreachable.FindString(out.String()))
	case err != nil:
		t.Fatalf("mmdebstrap: %v\n%s", err, out.Bytes())
	}
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// unreachable is how apt says that the trouble lies on the way.
var unreachable = regexp.MustCompile(`(?i)(could not resolve|temporary failure resolving|could not connect|unable to connect|connection timed out|connection failed|network is unreachable)\b`)

// sources are the files that name this machine's mirrors.
func sources(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	if len(list) == 0 {
		env.Skip(t, "this machine's apt has no sources")
	}
	return list
}

var codenameLine = regexp.MustCompile(`(?m)^VERSION_CODENAME=(\w+)$`)

// codename is the release that this machine is of.
func codename(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	m := codenameLine.FindSubmatch(data)
	if m == nil {
		env.Skip(t, "/etc/os-release names no release of a distribution that apt has")
	}
	return string(m[1])
}
